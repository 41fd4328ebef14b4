"""What makes a detector see objects where there are none: street scenes with one thing changed at a time.

    python benchmarks/transfer.py street --pictures 24

Each row is the same streets with one of the changes of the wide ones (kins.streets.variety). Counted are detections
with a score of 0.5 or more that overlap no object by an IoU of 0.3: those of more than 2 % of the picture that reach
its lower edge, which call the ground before the camera an object, and the others.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from kins.predict import Predictor
from kins.records import Scene
from kins.streets import variety
from kins.streets.camera.camera import Camera
from kins.streets.camera.photo import develop
from kins.streets.camera.shade import render_fast
from kins.streets.camera.view import View
from kins.streets.picture import Settings, generator
from kins.streets.things.mesh import join
from kins.streets.truth import sightings
from kins.streets.world.backdrop import build_houses
from kins.streets.world.crowd import cross_traffic, furnish, park, traffic_lanes, walk
from kins.streets.world.ground import lay_ground
from kins.streets.world.site import Site, Street, Traffic
from kins.streets.world.sky import weather

CHANGES = ("none", "ground", "walls", "woods", "light", "marks", "shade", "clutter", "camera")
SETTINGS = Settings(seed=77, width=640, height=192, quality="fast")
Boxes = NDArray[np.float64]


def changed_street(rng: Generator, extra: Generator, camera: Camera, change: str) -> Street:
    site, sky = Site(rng, camera, Traffic()), weather(rng)
    if change == "light":
        sky = variety.wide_weather(extra, sky)
    lay_ground(site)
    (variety.woods if change == "woods" else build_houses)(site)
    ground = variety.GROUNDS
    if change == "ground":
        site.textures[:ground] = [variety.any_texture(extra) for _ in range(ground)]
    if change == "walls":
        site.textures[ground:] = [variety.any_texture(extra) for _ in site.textures[ground:]]
    for step in (traffic_lanes, park, cross_traffic):
        step(site)
    added = {"marks": variety.mark, "shade": variety.cast_shade, "clutter": variety.clutter}
    if change in added:
        added[change](site, extra)
    furnish(site)
    walk(site)
    return Street(site.things, join(site.ground), site.textures, sky)


def picture(index: int, change: str) -> tuple[NDArray[np.uint8], Boxes]:
    """Pixels, and the boxes x1, y1, x2, y2 of all labelled things of which anything is visible."""
    rng, photo, extra = (generator(SETTINGS, "training", index, purpose) for purpose in range(3))
    camera = Camera.kitti(SETTINGS.width, SETTINGS.height)
    if change == "camera":
        camera = variety.wide_camera(extra, camera)
    street = changed_street(rng, extra, camera, change)
    view = View(street, camera)
    pixels = develop(render_fast(view, photo), view.depth, street.weather, photo)
    boxes = []
    for sighting in sightings(view):
        rows, columns = np.flatnonzero(sighting.amodal.any(1)), np.flatnonzero(sighting.amodal.any(0))
        boxes.append([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    return pixels, np.array(boxes, float).reshape(-1, 4)


def false_ones(found: Scene, truth: Boxes) -> tuple[int, int]:
    """How many detections overlap no object: on the ground before the camera, and elsewhere."""
    ground = elsewhere = 0
    for instance in found:
        x, y, width, height = instance.amodal.box
        low, high = np.maximum(truth[:, :2], (x, y)), np.minimum(truth[:, 2:], (x + width, y + height))
        common = np.maximum(high - low, 0).prod(1)
        union = width * height + (truth[:, 2:] - truth[:, :2]).prod(1) - common
        if (common >= 0.3 * union).any():
            continue
        near = y + height >= 0.95 * SETTINGS.height and width * height > 0.02 * SETTINGS.width * SETTINGS.height
        ground, elsewhere = ground + near, elsewhere + (not near)
    return ground, elsewhere


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights")
    parser.add_argument("--pictures", type=int, default=24)
    options = parser.parse_args()
    predictor = Predictor.load(options.weights, score_threshold=0.5)
    for change in CHANGES:
        counts = []
        for index in range(options.pictures):
            pixels, truth = picture(index, change)
            counts.append(false_ones(predictor(pixels), truth))
        ground, elsewhere = np.mean(counts, 0)
        print(f"{change:8} false on the ground {ground:.2f} a picture, elsewhere {elsewhere:.2f}", flush=True)
