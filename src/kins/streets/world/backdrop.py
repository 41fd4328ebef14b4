"""Rows of houses along the street and its side street, and what closes the view."""

from __future__ import annotations

import numpy as np

from kins.streets.things import houses, surroundings
from kins.streets.world.site import FAR, Site


def build_houses(site: Site) -> None:
    rng, k = site.rng, site.kind
    tones = [
        (0.55, 0.50, 0.40),
        (0.60, 0.58, 0.54),
        (0.52, 0.42, 0.27),
        (0.42, 0.33, 0.28),
        (0.45, 0.47, 0.45),
        (0.60, 0.50, 0.42),
        (0.35, 0.36, 0.37),
    ]
    walls = []
    for _ in range(5):
        tone = np.array(tones[rng.integers(len(tones))]) * rng.uniform(0.75, 1.15)
        if rng.random() < 0.25:
            walls.append(site.texture("bricks", np.array([0.30, 0.13, 0.09]) * rng.uniform(0.7, 1.2)))
        else:
            walls.append(site.texture("plaster", tone))
    roofs = [site.texture("tiles", c) for c in ((0.24, 0.09, 0.055), (0.09, 0.075, 0.07))]
    for sign in (1, -1):
        s = rng.uniform(-6, 2)
        open_country = not k.town and rng.random() < 0.35
        while s < FAR + 20:
            width = rng.uniform(8, 16)
            gap = 0.02 if k.town and rng.random() < 0.85 else rng.uniform(2, 7)
            mid = s + width / 2
            if abs(mid - site.junction) < width / 2 + site.cross_half + 3.0:
                s = (
                    site.junction + site.cross_half + 3.0 + rng.uniform(0, 1)
                    if mid < site.junction or site.in_junction(s, 3)
                    else s + 1
                )
                if abs(s + width / 2 - site.junction) < width / 2 + site.cross_half + 3.0:
                    s = site.junction + site.cross_half + 3.5
                continue
            if open_country and rng.random() < 0.75:
                s += width
                continue
            corner = abs(mid - site.junction) < width / 2 + site.cross_half + 12
            at, turn = (site.front[0], 0.0) if sign > 0 else (-site.front[1], np.pi)
            house(site, mid, at, turn, width, rng.uniform(8, 11), walls, roofs, corner or gap > 1)
            s += width + gap
    side_street(site, walls, roofs)
    background(site, walls, roofs)


def house(
    site: Site,
    s: float,
    t: float,
    turn: float,
    width: float,
    depth: float,
    walls: list[int],
    roofs: list[int],
    sides: bool,
) -> None:
    """One house whose front is centred at (s, t), if it may be in view."""
    rng = site.rng
    x, y = site.world(s, t)
    if x < -width or abs(y) > x + 25:
        return
    wall, roof = int(rng.choice(walls)), int(rng.choice(roofs))
    built = houses.house(rng, width, depth, wall, roof, site.kind.town, bool(x < 50), sides)
    site.place(None, built.moved(-width / 2), s, t, turn, 0.05, solid=False)


def side_street(site: Site, walls: list[int], roofs: list[int]) -> None:
    """Houses along the crossing road, as far as they are in view."""
    rng, k = site.rng, site.kind
    if site.junction > 1e5:
        return
    for side, i in ((1, 0), (-1, 1)):
        for along, turn in ((1, 0.0), (-1, np.pi)):
            t = site.front[i] + 11.5
            while t < 75:
                width = rng.uniform(8, 15)
                if k.town or rng.random() < 0.6:
                    s = site.junction + along * (site.cross_half + 3.0)
                    house(site, s, side * (t + width / 2), -np.pi / 2 + turn, width, 9.0, walls, roofs, not k.town)
                t += width + (0.05 if k.town else rng.uniform(3, 9))


def background(site: Site, walls: list[int], roofs: list[int]) -> None:
    """What closes the view: houses across the end of the street and behind its rows, and green."""
    rng, k = site.rng, site.kind
    if rng.random() < (0.6 if k.town else 0.3):
        s, t = FAR + 24.0, -70.0
        while t < 70:
            width = rng.uniform(9, 16)
            house(site, s, t + width / 2, -np.pi / 2, width, 9.0, walls, roofs, False)
            t += width + rng.uniform(0, 4)
    for _ in range(26):
        a, r = rng.uniform(-0.85, 0.85), rng.uniform(110, 190)
        grove(site, r * np.cos(a), r * np.sin(a), rng.uniform(5, 10))
    for side, i in ((1, 0), (-1, 1)):
        for _ in range(int(rng.integers(3, 10))):
            s, t = rng.uniform(15, 90), site.front[i] + rng.uniform(14, 45)
            if abs(s - site.junction) > 18:
                x, y = site.world(s, side * t)
                grove(site, float(x), float(y), rng.uniform(3.5, 7.5))


def grove(site: Site, x: float, y: float, size: float) -> None:
    if x < 5 or abs(y) > 1.1 * x + 10:
        return
    rng = site.rng
    centers = np.array([[x, y, size * 0.62]]) + rng.normal(0, size * 0.35, (7, 3)) * (1, 1, 0.55)
    tint = site.green * rng.uniform(0.45, 0.95)
    site.ground.append(surroundings.far_green(rng, centers, size, tint))
