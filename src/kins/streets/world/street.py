"""Puts a street together."""

from __future__ import annotations

from numpy.random import Generator

from kins.streets.camera.camera import Camera
from kins.streets.things.mesh import join
from kins.streets.variety import banner, cast_shade, clutter, mark, retexture, wide_traffic, wide_weather, woods
from kins.streets.world.backdrop import build_houses
from kins.streets.world.crowd import cross_traffic, furnish, park, traffic_lanes, walk
from kins.streets.world.ground import lay_ground
from kins.streets.world.site import Site, Street, Traffic
from kins.streets.world.sky import weather

WOODS = 0.35  # share of wide streets that have green in the place of houses


def make_street(
    rng: Generator, camera: Camera, traffic: Traffic | None = None, variety: Generator | None = None
) -> Street:
    """A street drawn from `rng`, the same for the same state of it.

    Args:
        variety: draws what a wide street has beyond the usual (`variety.py`); None for a usual street.
    """
    if variety is not None:
        return _wide_street(rng, camera, traffic or Traffic(), variety)
    site = Site(rng, camera, traffic or Traffic())
    sky = weather(rng)
    for step in (lay_ground, build_houses, traffic_lanes, park, cross_traffic, furnish, walk):
        step(site)
    return Street(site.things, join(site.ground), site.textures, sky)


def _wide_street(rng: Generator, camera: Camera, traffic: Traffic, variety: Generator) -> Street:
    site = Site(rng, camera, wide_traffic(variety, traffic))
    sky = wide_weather(variety, weather(rng))
    lay_ground(site)
    (woods if variety.random() < WOODS else build_houses)(site)
    retexture(site, variety)
    if site.traffic.vehicles:
        for step in (traffic_lanes, park, cross_traffic):
            step(site)
    for extra in (mark, cast_shade, banner, clutter):
        extra(site, variety)
    furnish(site)
    walk(site)
    return Street(site.things, join(site.ground), site.textures, sky)
