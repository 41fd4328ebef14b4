"""Puts a street together."""

from __future__ import annotations

from numpy.random import Generator

from kins.streets.backdrop import build_houses
from kins.streets.camera import Camera
from kins.streets.crowd import cross_traffic, furnish, park, traffic_lanes, walk
from kins.streets.ground import lay_ground
from kins.streets.mesh import join
from kins.streets.site import Site, Street, Traffic
from kins.streets.sky import weather


def make_street(rng: Generator, camera: Camera, traffic: Traffic | None = None) -> Street:
    """A street drawn from `rng`, the same for the same state of it."""
    site = Site(rng, camera, traffic or Traffic())
    sky = weather(rng)
    for step in (lay_ground, build_houses, traffic_lanes, park, cross_traffic, furnish, walk):
        step(site)
    return Street(site.things, join(site.ground), site.textures, sky)
