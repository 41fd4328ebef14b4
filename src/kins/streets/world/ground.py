"""Road, kerbs, pavements, markings, rails."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from kins.streets.things import surroundings
from kins.streets.things.mesh import MATTE, TEXTURED
from kins.streets.world.site import KERB, Site


def lay_ground(site: Site) -> None:
    rng, k = site.rng, site.kind
    grey = rng.uniform(0.07, 0.17)
    tone = np.array([1.0, 0.985, 0.96]) * grey
    asphalt = site.texture("asphalt", tone)
    bay = site.texture("cobbles" if rng.random() < 0.35 else "asphalt", tone * rng.uniform(0.75, 1.3))
    paving = site.texture(
        "paving" if rng.random() < 0.75 else "asphalt", np.array([1.0, 0.97, 0.92]) * rng.uniform(0.16, 0.32)
    )
    grass = site.texture("grass", site.green * 0.5 + np.array([0.075, 0.085, 0.03]) * rng.uniform(0.6, 1.1))
    field_size = 400.0
    flat = np.array([[-20, -field_size], [field_size, -field_size], [field_size, field_size], [-20, field_size]])
    left, right = flat[[3, 2]], flat[[0, 1]]
    site.ground.append(
        surroundings.strips(
            [np.column_stack([left, [-0.03, -0.03]]), np.column_stack([right, [-0.03, -0.03]])],
            (0, 0, 0),
            TEXTURED + grass,
            3.0,
        )
    )
    begin, end = -4.0, 160.0
    site.strip(begin, end, -site.road_half, site.road_half, 0.0, (0, 0, 0), TEXTURED + asphalt, 5.0)
    j0, j1 = site.junction - site.cross_half, site.junction + site.cross_half
    pieces = [(begin, end)] if site.junction > 1e5 else [(begin, j0), (j1, end)]
    if site.junction < 1e5:
        for t0, t1 in ((-120.0, -site.road_half), (site.road_half, 120.0)):
            site.strip(j0, j1, t0, t1, -0.002, (0, 0, 0), TEXTURED + asphalt, 5.0)
    stone = np.array([0.30, 0.29, 0.28]) * rng.uniform(0.7, 1.2)
    for sign, i in ((1, 0), (-1, 1)):
        for s0, s1 in pieces:
            a, b = site.road_half, site.edge[i]
            if b > a:
                site.strip(s0, s1, sign * a, sign * b, -0.001, (0, 0, 0), TEXTURED + bay, 3.0)
                site.strip(s0, s1, sign * (a - 0.08), sign * (a + 0.12), 0.004, stone, MATTE)
            near, far = sign * b, sign * (b + 0.16)
            if sign > 0:
                site.strip(s0, s1, near, near + 0.01, 0.0, stone * 0.7, MATTE, z1=KERB)
                site.strip(s0, s1, near + 0.01, far, KERB, stone, MATTE)
            else:
                site.strip(s0, s1, near - 0.01, near, KERB, stone * 0.7, MATTE, z1=0.0)
                site.strip(s0, s1, far, near - 0.01, KERB, stone, MATTE)
            outer = b + k.pavement[i]
            site.strip(s0, s1, far, sign * outer, KERB, (0, 0, 0), TEXTURED + paving, 2.4)
            lawn = paving if k.town and k.setback[i] < 1.5 else grass
            site.strip(s0, s1, sign * outer, sign * (site.front[i] + 14), KERB - 0.005, (0, 0, 0), TEXTURED + lawn, 3.0)
    mark_road(site, begin, end, rng)


def mark_road(site: Site, begin: float, end: float, rng: Generator) -> None:
    k = site.kind
    white = np.array([0.62, 0.62, 0.60]) * rng.uniform(0.6, 1.1)
    z = 0.006

    def line(t: float, on: float, off: float, width: float = 0.12) -> None:
        s = begin + rng.uniform(0, 3)
        while s < 110:
            e = min(s + on, 110)
            if not site.in_junction(s, 1) and not site.in_junction(e, 1) and not s < site.junction < e:
                site.strip(s, e, t - width / 2, t + width / 2, z, white, MATTE)
            s = e + off

    if k.markings:
        if k.rails:
            for t in (-site.rail_half * 2, site.rail_half * 2):
                line(t, 8.0, 0.05) if rng.random() < 0.5 else line(t, 3.0, 5.0)
        else:
            line(0.0, *((8.0, 0.05) if rng.random() < 0.2 else (3.0, 5.0)))
        for n in range(1, k.lanes):
            for sign in (-1, 1):
                line(sign * (site.rail_half * 2 + n * k.lane), 3.0, 5.0)
        for sign, i in ((1, 0), (-1, 1)):
            if not site.bay[i] and rng.random() < 0.5:
                line(sign * (site.road_half - 0.25), 8.0, 0.02)
    if k.rails:
        steel = (0.22, 0.21, 0.2)
        for middle in (-site.rail_half, site.rail_half):
            for rail in (-0.72, 0.72):
                site.strip(begin, end, middle + rail - 0.04, middle + rail + 0.04, 0.005, steel, MATTE)
                site.strip(begin, end, middle + rail + 0.04, middle + rail + 0.09, 0.003, (0.02, 0.02, 0.02), MATTE)
    spot = site.junction - site.cross_half - 3.5 if site.junction < 1e5 else rng.uniform(12, 40)
    if rng.random() < (0.6 if site.junction < 1e5 else 0.25) and spot > 6:
        site.zebra = float(spot)
        for t in np.arange(-site.road_half + 0.4, site.road_half - 0.5, 1.0):
            site.strip(spot - 1.5, spot + 1.5, t, t + 0.5, z + 0.001, white, MATTE)
        site.strip(spot - 2.8, spot - 2.4, -site.road_half + 0.1, -site.rail_half * 2 - 0.1, z + 0.001, white, MATTE)
    for _ in range(int(rng.integers(0, 5))):  # repairs
        s, t = rng.uniform(3, 40), rng.uniform(-site.road_half, site.road_half - 1)
        shade = rng.uniform(0.03, 0.14)
        site.strip(s, s + rng.uniform(1, 9), t, t + rng.uniform(0.5, 1.6), 0.002, (shade, shade, shade * 0.97), MATTE)
