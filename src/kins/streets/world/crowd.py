"""Who and what is on the street: traffic, parked rows, people, and street furniture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from kins.streets.things import large, people, surroundings, trailers, vehicles
from kins.streets.things.mesh import Mesh
from kins.streets.world.site import FAR, KERB, Site

MAKERS: dict[str, Callable[[Generator], Mesh]] = {
    "car": vehicles.car,
    "van": large.van,
    "truck": large.truck,
    "misc": trailers.trailer,
}


def vehicle(site: Site, shares: dict[str, float] | None = None) -> tuple[str, Mesh]:
    mix = shares or site.traffic.vehicles
    weights = np.array(list(mix.values()))
    name = str(list(mix)[site.rng.choice(len(weights), p=weights / weights.sum())])
    return name, MAKERS[name](site.rng)


def traffic_lanes(site: Site) -> None:
    rng, k = site.rng, site.kind
    base = site.rail_half * 2
    for sign in (-1, 1):
        for n in range(k.lanes):
            t = sign * (base + k.lane * (n + 0.5))
            turn = 0.0 if sign < 0 else np.pi
            mode = rng.choice(
                ["empty", "flow", "queue"], p=[0.45 - 0.2 * site.traffic.flow, 0.45, 0.1 + 0.2 * site.traffic.flow]
            )
            mine = abs(t - site.ego) < 1.2
            s = rng.uniform(9, 30) if mine else rng.uniform(4, 22)
            while s < FAR and mode != "empty":
                name, mesh = vehicle(site)
                length = mesh.length
                spot = s + length / 2
                if name != "misc":
                    site.place(name, mesh, spot, t + rng.normal(0, 0.12), turn + rng.normal(0, 0.012))
                    s += length
                    if name == "car" and rng.random() < 0.03:  # towing
                        tow = trailers.trailer(rng)
                        half = tow.length / 2
                        if sign > 0:
                            site.place("misc", tow, s + half + 0.2, t, turn)
                        s += 2 * half + 0.4
                s += rng.uniform(1.5, 5) if mode == "queue" else rng.uniform(9, 42)
    if k.rails:
        for t, turn in ((-site.rail_half, 0.0), (site.rail_half, np.pi)):
            if rng.random() < 0.75:
                mesh = large.tram(rng)
                half = mesh.length / 2
                site.place("tram", mesh, rng.uniform(7, 48) + half, t, turn)


def park(site: Site) -> None:
    rng, k = site.rng, site.kind
    shares = {"car": 0.87, "van": 0.075, "misc": 0.045, "truck": 0.01}
    for sign, i in ((1, 0), (-1, 1)):
        if not site.bay[i]:
            continue
        full = np.clip(rng.normal(1, 0.5) * site.traffic.parked, 0, 0.97)
        mid = sign * (site.road_half + site.bay[i] / 2)
        s = rng.uniform(0.5, 4)
        reach = rng.uniform(18, 65)
        while s < reach:
            blocked = site.in_junction(s, 4.5) or (site.zebra is not None and abs(s - site.zebra) < 5)
            if blocked or rng.random() > full:
                s += 5.3 if k.parking[i] == "along" else 2.6
                continue
            name, mesh = vehicle(site, shares)
            length, wide = mesh.length, mesh.width
            if k.parking[i] == "along":
                turn = (0.0 if sign < 0 else np.pi) + (np.pi if rng.random() < 0.1 else 0.0)
                if wide < 2.2:
                    site.place(name, mesh, s + length / 2, mid + rng.normal(0, 0.06), turn + rng.normal(0, 0.02))
                s += length + rng.uniform(0.5, 1.6)
            else:
                if length < 5.4:
                    out = np.pi / 2 * (1 if rng.random() < 0.6 else -1)
                    site.place(
                        name,
                        mesh,
                        s + 1.25,
                        sign * (site.road_half + length / 2 + rng.uniform(0.05, 0.25)),
                        out + rng.normal(0, 0.03),
                    )
                s += 2.6


def cross_traffic(site: Site) -> None:
    rng = site.rng
    if site.junction > 1e5:
        return
    for lane, turn in ((-site.cross_half / 2, np.pi / 2), (site.cross_half / 2, -np.pi / 2)):
        t = -38.0
        if rng.random() < 0.3:
            continue
        while t < 38:
            x, y = site.world(site.junction, t)
            if abs(y) > x + 6:
                t += 6.0
                continue
            name, mesh = vehicle(site)
            length = mesh.length
            if name != "misc" and rng.random() < 0.4:
                site.place(name, mesh, site.junction - lane, t + length / 2, turn + rng.normal(0, 0.03))
            t += length + rng.uniform(2, 14)


POSTS = {
    surroundings.sign_post: 0.5,
    surroundings.bin_: 0.2,
    surroundings.bollard: 0.2,
    surroundings.advertising_column: 0.1,
}


def furnish(site: Site) -> None:
    """Trees, lamps, posts, traffic lights, fences and gardens."""
    rng, k = site.rng, site.kind
    for sign, i in ((1, 0), (-1, 1)):
        inner, outer = site.edge[i], site.edge[i] + k.pavement[i]
        room = k.setback[i] + k.verge[i]
        if rng.random() < k.trees:
            _avenue(site, sign, inner, outer, room)
        s, every = rng.uniform(4, 25), rng.uniform(18, 32)
        while s < FAR:
            if not site.in_junction(s, 1):
                site.place(None, surroundings.lamp_post(rng), s, sign * (inner + 0.35), -sign * np.pi / 2, KERB)
            s += every
        for _ in range(int(rng.integers(1, 5))):
            _post(site, sign, inner, outer)
        if site.junction < 1e5 and rng.random() < 0.5:
            light = surroundings.traffic_light(rng)
            site.place(None, light, site.junction - site.cross_half - 1.2, sign * (inner + 0.4), 0.0, KERB)
        if room > 1.2:
            _border(site, sign, outer)
            _garden(site, sign, outer, room)
        elif rng.random() < 0.12:  # railing at the kerb
            s = rng.uniform(5, 20)
            for _ in range(int(rng.integers(1, 4))):
                if not site.in_junction(s, 4):
                    site.place(None, surroundings.fence(rng, 5.0), s, sign * (inner + 0.3), 0.0, KERB)
                s += 5.1


def _avenue(site: Site, sign: int, inner: float, outer: float, room: float) -> None:
    rng = site.rng
    s, every = rng.uniform(3, 12), rng.uniform(7, 14)
    back = rng.random() < 0.4
    while s < FAR:
        t = outer + min(1.2, room) * 0.5 if back else inner + 0.55
        if not site.in_junction(s, 3):
            tree = surroundings.tree(rng, site.green, _leaf_count(s))
            site.place(None, tree, s, sign * t, rng.uniform(0, 6), KERB)
        s += every * rng.uniform(0.8, 1.25)


def _post(site: Site, sign: int, inner: float, outer: float) -> None:
    """One post, or a row of bollards."""
    rng = site.rng
    s = rng.uniform(4, 45)
    make = list(POSTS)[rng.choice(len(POSTS), p=list(POSTS.values()))]
    if make is surroundings.bollard:
        for n in range(int(rng.integers(2, 7))):
            if not site.in_junction(s + n * 1.5, 0.5):
                site.place(None, make(rng), s + n * 1.5, sign * (inner + 0.3), 0.0, KERB)
    elif not site.in_junction(s, 1):
        at = outer - 0.8 if make is surroundings.advertising_column else inner + 0.4
        site.place(None, make(rng), s, sign * at, 0.0 if sign < 0 or rng.random() < 0.6 else np.pi, KERB)


def _border(site: Site, sign: int, outer: float) -> None:
    """A fence, a hedge, or neither."""
    rng = site.rng
    kind = rng.choice(["fence", "hedge", "open"], p=[0.4, 0.4, 0.2])
    s = 2.0
    while s < 70 and kind != "open":
        length = rng.uniform(4, 9)
        if not (site.in_junction(s, 1) or site.in_junction(s + length, 1)) and rng.random() < 0.85:
            if kind == "fence":
                part = surroundings.fence(rng, length)
            else:
                leaves = int(_leaf_count(s) / 12 * length)
                part = surroundings.bush(rng, site.green, length, rng.uniform(0.9, 1.7), leaves)
            site.place(None, part, s + length / 2, sign * (outer + 0.4), 0.0, KERB)
        s += length + 0.3


def _garden(site: Site, sign: int, outer: float, room: float) -> None:
    """Bushes and trees."""
    rng, green = site.rng, site.green
    for _ in range(int(rng.integers(0, 6))):
        s = rng.uniform(4, 70)
        t = outer + rng.uniform(1.0, max(1.1, room - 0.5))
        if rng.random() < 0.6:
            plant = surroundings.bush(rng, green, rng.uniform(1, 2.5), rng.uniform(0.8, 1.8))
        else:
            plant = surroundings.tree(rng, green, _leaf_count(s))
        if not site.in_junction(s, 2):
            site.place(None, plant, s, sign * t, rng.uniform(0, 3), KERB)


def _leaf_count(distance: float) -> int:
    return int(np.clip(45000 / distance, 350, 3000))


def person(site: Site, s: float, t: float, turn: float, z: float, walking: bool | None = None) -> None:
    x, y = site.world(s, t)
    if abs(y) < x + 2:
        site.place("pedestrian", people.pedestrian(site.rng, walking), s, t, turn, z, margin=0.03)


def walk(site: Site) -> None:
    """People on pavements, alone and in groups, and on the road; and cyclists."""
    rng, k = site.rng, site.kind
    busy = rng.gamma(1.2, site.traffic.walkers * (1.3 if k.town else 0.7))
    for sign, i in ((1, 0), (-1, 1)):
        inner, outer = site.edge[i] + 0.35, site.edge[i] + k.pavement[i] - 0.3
        for _ in range(rng.poisson(busy)):
            s, t = rng.uniform(5, 55), sign * rng.uniform(inner, max(inner + 0.1, outer))
            if site.in_junction(s, 1):
                continue
            size = int(rng.choice([1, 2, 3, 4, 6], p=[0.45, 0.28, 0.13, 0.09, 0.05]))
            turn = 0.0 if rng.random() < 0.5 else np.pi
            walking = bool(rng.random() < 0.7)
            for n in range(size):
                ds, dt = (0.0, 0.0) if n == 0 else (rng.normal(0, 0.6), rng.normal(0, 0.5))
                tt = sign * np.clip(abs(t + dt), inner, max(inner + 0.1, outer))
                face = turn + rng.normal(0, 0.15) if walking else rng.uniform(0, 2 * np.pi)
                person(site, s + ds, tt, face, KERB, walking)
    if site.zebra is not None and rng.random() < site.traffic.walkers:
        for _ in range(1 + rng.poisson(1.2)):
            face = np.pi / 2 * (1 if rng.random() < 0.5 else -1)
            person(
                site,
                site.zebra + rng.uniform(-1.2, 1.2),
                rng.uniform(-site.road_half, site.road_half),
                face + rng.normal(0, 0.1),
                0.0,
                True,
            )
    for _ in range(rng.poisson(0.5 * site.traffic.walkers)):  # stepping out between parked cars, or crossing anywhere
        person(
            site,
            rng.uniform(8, 40),
            rng.uniform(-site.edge[1], site.edge[0]),
            rng.choice([-1, 1]) * np.pi / 2,
            0.0,
            True,
        )
    ride(site)


def ride(site: Site) -> None:
    """Cyclists on the road, on pavements and across the junction."""
    rng, k = site.rng, site.kind
    for _ in range(rng.poisson(site.traffic.cyclists)):
        sign = -1 if rng.random() < 0.6 else 1
        if rng.random() < 0.75:
            t, z = sign * (site.road_half - rng.uniform(0.4, 0.8)), 0.0
        else:
            i = 0 if sign > 0 else 1
            t, z = sign * (site.edge[i] + k.pavement[i] * rng.uniform(0.3, 0.7)), KERB
        s = rng.uniform(5, 45)
        if site.in_junction(s, 1) and z:
            continue
        site.place(
            "cyclist", people.cyclist(rng), s, t, (0.0 if sign < 0 else np.pi) + rng.normal(0, 0.06), z, margin=0.05
        )
    if site.junction < 1e5 and rng.random() < 0.3:
        site.place(
            "cyclist",
            people.cyclist(rng),
            site.junction + rng.uniform(-2, 2),
            rng.uniform(-12, 12),
            rng.choice([-1, 1]) * np.pi / 2,
            0.0,
        )
