"""Streets made for transfer to photographs: what the usual ones have in one form comes in many.

The usual streets show one kind of asphalt in one kind of light, so that a network trained on them takes any other
ground in front of the camera for an object. Here grounds, walls, light, shadow, sky, camera and what stands about vary
far more than in any one city, and some streets hold no object at all. Truth is as exact as it is elsewhere: pictures
are projected by a pinhole as before, and whatever is added stands in the same 3D world.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from kins.streets.camera.camera import Camera
from kins.streets.things import people, surroundings
from kins.streets.things.houses import quads
from kins.streets.things.mesh import MATTE, METAL, PAINT, TEXTURED, Floats, Mesh, box, ellipsoid, join, tube
from kins.streets.world.backdrop import background
from kins.streets.world.site import FAR, KERB, Site, Traffic
from kins.streets.world.sky import Weather
from kins.streets.world.textures import SIZE, Texture, courses, noise, pattern, texture

EMPTY = 0.12  # share of streets without any object
GROUNDS = 4  # the first textures of a street: road, bays, pavement, grass


def wide_camera(rng: Generator, camera: Camera) -> Camera:
    """Another lens and another mount; the horizon moves as it does when a camera is tilted, by shifting the lens."""
    focal = camera.focal * np.exp(rng.normal(0, 0.13))
    shift = rng.normal(0, (0.02, 0.045)) * (camera.width, camera.height)
    return replace(
        camera,
        focal=float(focal),
        cx=float(camera.cx + shift[0]),
        cy=float(camera.cy + shift[1]),
        above=float(np.clip(rng.normal(1.6, 0.18), 1.15, 2.3)),
    )


def wide_traffic(rng: Generator, traffic: Traffic) -> Traffic:
    """Nothing at all, or more or less than usual of each."""
    if rng.random() < EMPTY:
        return replace(traffic, vehicles={}, parked=0.0, flow=0.0, walkers=0.0, cyclists=0.0, tram=0.0)
    less, more = np.exp(rng.normal(0, 0.5, 2)), np.exp(rng.normal(0.5, 0.5, 2))
    return replace(
        traffic,
        parked=min(1.0, traffic.parked * less[0]),
        flow=min(1.0, traffic.flow * less[1]),
        walkers=traffic.walkers * more[0],
        cyclists=traffic.cyclists * more[1],
    )


def wide_weather(rng: Generator, weather: Weather) -> Weather:
    """From hard sun over deep shadows to flat light, under a sky from dark to burnt out."""
    sun = np.exp(rng.normal(0.25, 0.45))
    sky = np.exp(rng.normal(-0.1, 0.4))
    tint = np.exp(rng.normal(0, 0.05, 3))
    haze = weather.haze * np.exp(rng.normal(-0.5, 0.7))
    return replace(
        weather,
        sunlight=weather.sunlight * sun,
        sky=np.clip(weather.sky * (sky * tint), 0.02, 6).astype(np.float32),
        air=weather.air * (sky * tint),
        haze=float(haze),
    )


def retexture(site: Site, rng: Generator) -> None:
    """Other grounds and walls in the place of some of a street's textures, all of them made already."""
    for k in range(len(site.textures)):
        if rng.random() < (0.75 if k < GROUNDS else 0.5):
            site.textures[k] = any_texture(rng)
    if rng.random() < 0.15:  # a square: one ground from wall to wall
        site.textures[1:3] = [site.textures[0]] * 2


def any_texture(rng: Generator) -> Texture:
    """Stones, slabs, stains, speckles, of any brightness, mostly grey or brown."""
    grey = np.exp(rng.uniform(np.log(0.025), np.log(0.6)))
    tint = np.exp(rng.normal(0, 0.05, 3) + rng.normal(0, 0.08) * np.array([1, 0, -1]))
    if rng.random() < 0.15:
        tint = np.exp(rng.normal(0, 0.5, 3))
    kind = rng.choice(["known", "stones", "stains", "speckles"], p=[0.3, 0.25, 0.3, 0.15])
    if kind == "known":
        known = ["asphalt", "cobbles", "paving", "plaster", "bricks", "grass"]
        return texture(str(rng.choice(known)), grey * tint)
    if kind == "stones":
        across, up = (int(n) for n in 2 ** rng.integers(0, 5, 2))
        y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
        shade = courses(x, y, across, up, rng.uniform(0.01, 0.08), rng, rng.uniform(0.02, 0.25))
    else:
        shade = 1 + rng.uniform(0.03, 0.35) * noise(rng, rng.uniform(0.8, 2.2))
        shade = shade + rng.uniform(0.02, 0.2) * noise(rng, rng.uniform(0.0, 0.8))
    if kind == "speckles":
        spots = noise(rng, rng.uniform(0.3, 1.5)) > rng.uniform(0.8, 2.0)
        shade = np.where(spots, shade * np.exp(rng.normal(0, 0.8)), shade)
    shade = shade * (1 + rng.uniform(0, 0.1) * (pattern("asphalt") - 1))
    return np.clip(shade[..., None] * (grey * tint), 0.003, 0.9).astype(np.float32)


def any_color(rng: Generator) -> Floats:
    grey = np.exp(rng.uniform(np.log(0.02), np.log(0.7)))
    return np.clip(grey * np.exp(rng.normal(0, 0.6 if rng.random() < 0.4 else 0.08, 3)), 0.003, 0.9)


def woods(site: Site) -> None:
    """Green along both sides in the place of houses."""
    rng = site.rng
    for sign, i in ((1, 0), (-1, 1)):
        s = rng.uniform(-4, 4)
        while s < FAR + 30:
            size = rng.uniform(3, 8)
            x, y = site.world(s, sign * (site.front[i] + rng.uniform(0, 5) + size / 2))
            if not site.in_junction(s, size):
                centers = np.array([[x, y, size * 0.55]]) + rng.normal(0, size * 0.3, (6, 3)) * (1, 0.6, 0.6)
                tint = site.green * rng.uniform(0.4, 1.2)
                if x > 1 - size:
                    leaves = int(np.clip(60000 / max(s, 6), 500, 5000))
                    site.ground.append(surroundings.far_green(rng, centers, size, tint, leaves))
            s += size * rng.uniform(0.5, 1.1)
    background(site, [site.texture("plaster", any_color(rng))], [site.texture("tiles", (0.2, 0.1, 0.07))])


def mark(site: Site, rng: Generator) -> None:
    """Patches, stains, seams, covers and paint on the ground, of any size, on the road and beside it."""
    reach = max(site.edge) + 4
    for _ in range(rng.poisson(5)):
        s, t = rng.uniform(1, 12) * rng.uniform(1, 4), rng.uniform(-reach, reach)
        if site.in_junction(s, 0.5) and abs(t) > site.road_half:
            continue
        kind = rng.choice(["patch", "ground", "seam", "line", "cover"], p=[0.3, 0.15, 0.2, 0.2, 0.15])
        height = rng.uniform(0.008, 0.009) + (0.0 if abs(t) < min(site.edge) else KERB)
        long, broad = rng.uniform(0.4, 8), rng.uniform(0.3, 3)
        color, surface, scale = any_color(rng), MATTE, 0.0
        if kind == "ground":
            surface, scale = TEXTURED + len(site.textures), rng.uniform(1.5, 6)
            site.textures.append(any_texture(rng))
            long, broad = rng.uniform(3, 40), rng.uniform(1, 8)
        elif kind == "seam":
            color = np.full(3, rng.uniform(0.01, 0.3))
            long, broad = (rng.uniform(2, 40), 0.06) if rng.random() < 0.6 else (0.06, rng.uniform(1, 10))
        elif kind == "line":
            color = np.array([0.65, 0.65, 0.62]) * rng.uniform(0.4, 1.2)
            long, broad = (
                (rng.uniform(1, 20), 0.14) if rng.random() < 0.5 else (rng.uniform(0.2, 0.6), rng.uniform(1, 6))
            )
        elif kind == "cover":
            long = broad = rng.uniform(0.4, 0.8)
            color = np.full(3, rng.uniform(0.02, 0.15))
        site.strip(s, s + long, t - broad / 2, t + broad / 2, height, color, surface, scale)


def cast_shade(site: Site, rng: Generator) -> None:
    """What hangs overhead or stands behind the camera, mostly out of its view: seen by its shadow on the ground."""
    for _ in range(rng.poisson(1.5)):
        x, y = rng.uniform(-12, 25), rng.normal(0, 7)
        size = rng.uniform(1.5, 6)
        low = 4.8 + 0.3 * max(x, 0) + size / 2
        centers = np.array([[x, y, low]]) + rng.normal(0, size * 0.3, (6, 3)) * (1, 1, 0.3)
        centers[:, 2] = np.maximum(centers[:, 2], low)
        site.ground.append(surroundings.far_green(rng, centers, size, site.green, 1000))
    if rng.random() < 0.35:  # walls behind
        for _ in range(int(rng.integers(1, 4))):
            x, y, broad = rng.uniform(-25, -3), rng.normal(0, 12), rng.uniform(1, 14)
            site.ground.append(box((x - 1, y - broad / 2, 0), (x, y + broad / 2, rng.uniform(3, 14)), any_color(rng)))
    for _ in range(rng.poisson(0.6)):  # wires, gantries
        ahead, height = rng.uniform(6, 60), rng.uniform(5.2, 8)
        thick = 0.012 if rng.random() < 0.7 else rng.uniform(0.05, 0.5)
        site.ground.append(box((ahead, -30, height), (ahead + thick, 30, height + thick), any_color(rng)))


def clutter(site: Site, rng: Generator) -> None:
    """Things without a class beside the road, and now and then on it: what is solid is not yet an object to find."""
    for _ in range(rng.poisson(6)):
        side, i = ((1, 0), (-1, 1))[int(rng.integers(2))]
        s = float(np.exp(rng.uniform(np.log(3), np.log(70))))
        t = side * (site.edge[i] + rng.uniform(0.3, site.front[i] - site.edge[i] + 4))
        z = KERB
        if rng.random() < 0.1:
            t, z = rng.uniform(-site.edge[1], site.edge[0]), 0.0
        if z and site.in_junction(s, 2):
            continue
        site.place(None, _thing(rng), s, float(t), rng.uniform(0, 2 * np.pi), z)
    if rng.random() < 0.3:
        _rail(site, rng)


def _thing(rng: Generator) -> Mesh:
    kind = rng.choice(["bicycle", "box", "ball", "post", "heap"], p=[0.3, 0.25, 0.1, 0.2, 0.15])
    color = any_color(rng)
    surface = (MATTE, MATTE, PAINT, METAL)[int(rng.integers(4))]
    if kind == "bicycle":
        bikes = [people.bicycle(rng, rng.uniform(0, 6)).moved(0, 0.55 * n, 0) for n in range(1 + rng.poisson(1.2))]
        return join(bikes)
    if kind == "box":
        half = np.exp(rng.normal(np.log(0.5), 0.5, 2))
        return box((*-half, 0), (*half, rng.uniform(0.3, 2.8)), color, surface, rng.uniform(0, 0.15))
    if kind == "ball":
        r = rng.uniform(0.2, 0.9, 3)
        return ellipsoid((0, 0, r[2] * 0.9), r, color, 12, surface)
    if kind == "post":
        thick, height = rng.uniform(0.03, 0.3), rng.uniform(0.8, 5)
        return join([tube([(0, 0, 0), (0, 0, height)], [thick, thick], color, 8, surface), _sign(rng, height)])
    parts = []
    for _ in range(int(rng.integers(3, 8))):
        at, half = rng.normal(0, 0.5, 2), rng.uniform(0.1, 0.45, 2)
        parts.append(box((*at - half, 0), (*at + half, rng.uniform(0.1, 1.2)), any_color(rng)))
    return join(parts)


def _sign(rng: Generator, height: float) -> Mesh:
    broad, tall = rng.uniform(0.2, 0.9), rng.uniform(0.2, 0.9)
    return box((-0.03, -broad / 2, height - tall), (0.03, broad / 2, height), any_color(rng))


def _rail(site: Site, rng: Generator) -> None:
    """A crash barrier or a low wall along one side."""
    side, i = ((1, 0), (-1, 1))[int(rng.integers(2))]
    t, step = site.edge[i] + rng.uniform(0.3, 1.0), 4.0
    solid = rng.random() < 0.4
    color, top = any_color(rng), rng.uniform(0.6, 1.1)
    for n in range(int(rng.integers(3, 18))):
        s = 1.0 + n * step
        if site.in_junction(s + step / 2, step):
            continue
        if solid:
            mesh = box((-step / 2, -0.12, 0), (step / 2, 0.12, top), color)
        else:
            beam = box((-step / 2, -0.04, top - 0.32), (step / 2, 0.04, top), color, METAL, 0.03)
            mesh = join([beam, box((-0.06, -0.1, 0), (0.06, -0.04, top), color)])
        site.place(None, mesh, s + step / 2, side * t, 0.0, KERB, margin=0.0)


def banner(site: Site, rng: Generator) -> None:
    """A large textured wall standing free: hoardings, tiled fronts, tunnels' mouths."""
    for _ in range(rng.poisson(0.5)):
        side, i = ((1, 0), (-1, 1))[int(rng.integers(2))]
        s, long, tall = rng.uniform(2, 50), rng.uniform(2, 20), rng.uniform(1.5, 6)
        surface = TEXTURED + len(site.textures)
        site.textures.append(any_texture(rng))
        corners = [[-long / 2, 0, 0], [long / 2, 0, 0], [long / 2, 0, tall], [-long / 2, 0, tall]]
        mesh = quads(np.array([corners]), (0, 0, 0), surface, rng.uniform(1, 5))
        turn = 0.0 if rng.random() < 0.6 else rng.uniform(0, np.pi)
        site.place(None, mesh, s, side * (site.edge[i] + rng.uniform(1.5, 9)), turn, KERB)
