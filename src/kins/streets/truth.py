"""The exact truth of a picture: masks, order, KITTI's labels and calibration.

Amodal mask: the pixels whose ray meets the instance when it stands alone. Inmodal mask: those whose ray meets it first.
An instance of which fewer than MIN_VISIBLE pixels are seen stays in the picture but gets no annotation: it hides
others as poles and trees do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kins.formats.kins2020 import CATEGORIES
from kins.masks import Mask
from kins.occlusion import PARTIAL, with_order
from kins.records import Image, Instance, Scene
from kins.streets.camera.camera import Camera
from kins.streets.camera.trace import Floats32, Hits, Tracer
from kins.streets.camera.view import View, eyes
from kins.streets.world.site import Thing

MIN_VISIBLE = 16
IDS_PER_IMAGE = 1000
"""Annotation n of image k has the id k * IDS_PER_IMAGE + n + 1, whatever else is in the set."""
LARGELY = 0.5
"""KITTI's occlusion level 2, "largely occluded", begins above this rate; below kins.occlusion.PARTIAL it is 0."""


@dataclass(frozen=True)
class Sighting:
    """One labelled thing in one picture. amodal, inmodal: (height, width) bool; depth: (height, width) metres of the
    thing alone, inf where it is not; `seen` is False where too little of it is visible for an annotation."""

    thing: Thing
    amodal: NDArray[np.bool_]
    inmodal: NDArray[np.bool_]

    @property
    def seen(self) -> bool:
        return int(np.count_nonzero(self.inmodal)) >= MIN_VISIBLE  # a sum of booleans takes ten times as long


def sightings(view: View) -> list[Sighting]:
    """Things with a category of which at least one pixel is visible."""
    camera, things, owner, depth = view.camera, view.street.things, view.owner, view.depth
    rays = view.rays.reshape(camera.height, camera.width, 3)
    visible = np.bincount(owner[owner >= 0], minlength=len(things))
    found = []
    for index, thing in enumerate(things):
        if thing.category is None or not visible[index]:
            continue
        inmodal = owner == index
        found.append(Sighting(thing, _amodal(thing, inmodal, depth, rays, camera), inmodal))
    return found


def _amodal(
    thing: Thing, inmodal: NDArray[np.bool_], depth: Floats32, rays: Floats32, camera: Camera
) -> NDArray[np.bool_]:
    """The visible pixels, and those where its own ray meets it behind something nearer."""
    pixel = camera.project(thing.mesh.vertices)
    low = np.clip(np.floor(pixel.min(0)).astype(int), 0, (camera.width, camera.height))
    high = np.clip(np.ceil(pixel.max(0)).astype(int) + 1, 0, (camera.width, camera.height))
    window = np.s_[low[1] : high[1], low[0] : high[0]]
    # Rays are one metre long per metre ahead: whatever lies behind the thing's far end does not hide it.
    behind = ~inmodal[window] & (depth[window] < thing.mesh.vertices[:, 0].max())
    amodal = inmodal.copy()
    if behind.any():
        cast = np.ascontiguousarray(rays[window][behind])
        hits: Hits = Tracer(thing.mesh.vertices, thing.mesh.faces).first_hits(eyes(len(cast), camera), cast)
        view = amodal[window]
        view[behind] = hits.triangle >= 0
    return amodal


def make_scene(seen: Sequence[Sighting], image: Image) -> Scene:
    """Annotations in the sequence of the things, with clusters and order as kins.occlusion derives them."""
    ids = {name: number for number, name in CATEGORIES.items()}
    instances = []
    for n, sighting in enumerate(s for s in seen if s.seen):
        name = str(sighting.thing.category)
        instances.append(
            Instance(
                id=image.id * IDS_PER_IMAGE + n + 1,
                category_id=ids[name],
                category=name,
                amodal=Mask.from_array(sighting.amodal),
                inmodal=Mask.from_array(sighting.inmodal),
                crowd=False,
                position=n,
            )
        )
    return with_order(Scene(image, tuple(instances)))


def kitti_labels(seen: Sequence[Sighting], camera: Camera) -> str:
    """KITTI's label_2 text (Geiger et al., CVPR 2012, object development kit): type, truncation, occlusion, alpha, 2D
    box of the whole object, height, width, length, bottom centre in the camera frame, rotation about its y axis.

    Truncation is the share of the object's 2D box outside of the picture. DontCare marks things too hidden to annotate.
    """
    lines = []
    for sighting in seen:
        rows, columns = np.flatnonzero(sighting.amodal.any(1)), np.flatnonzero(sighting.amodal.any(0))
        box = f"{columns[0]:.2f} {rows[0]:.2f} {columns[-1]:.2f} {rows[-1]:.2f}"
        if not sighting.seen:
            lines.append(f"DontCare -1 -1 -10 {box} -1 -1 -1 -1000 -1000 -1000 -10")
            continue
        thing = sighting.thing
        x, y, z = to_camera(thing.center - (0, 0, thing.size[2] / 2), camera)
        turn = _wrap(-thing.yaw - np.pi / 2)
        alpha = _wrap(turn - np.arctan2(x, z))
        length, width, height = thing.size
        lines.append(
            f"{str(thing.category).capitalize()} {_truncation(thing, camera):.2f} {_level(sighting)} {alpha:.2f} {box} "
            f"{height:.3f} {width:.3f} {length:.3f} {x:.3f} {y:.3f} {z:.3f} {turn:.4f}"
        )
    return "".join(line + "\n" for line in lines)


def to_camera(world: NDArray[np.float64], camera: Camera) -> NDArray[np.float64]:
    """World points (..., 3) in KITTI's camera frame."""
    return np.stack([-world[..., 1], camera.above - world[..., 2], world[..., 0]], -1)


def _wrap(angle: float) -> float:
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


def _truncation(thing: Thing, camera: Camera) -> float:
    pixel = camera.project(thing.mesh.vertices)
    low, high = pixel.min(0), pixel.max(0)
    inside = np.minimum(high, (camera.width - 0.5, camera.height - 0.5)) - np.maximum(low, -0.5)
    return float(1.0 - np.prod(np.maximum(inside, 0)) / np.prod(high - low))


def _level(sighting: Sighting) -> int:
    rate = 1.0 - np.count_nonzero(sighting.inmodal) / np.count_nonzero(sighting.amodal)
    return 0 if rate < PARTIAL else 1 if rate <= LARGELY else 2


def kitti_calibration(camera: Camera) -> str:
    """KITTI's calib text: four equal projections, no rectification, and a laser scanner in the camera's place with
    KITTI's axes (x ahead, y left, z up)."""
    project = " ".join(f"{value:.12e}" for value in camera.matrix().ravel())
    identity = " ".join(f"{value:.12e}" for value in np.eye(3).ravel())
    axes = " ".join(f"{value:.12e}" for value in (0, -1, 0, 0, 0, 0, -1, 0, 1, 0, 0, 0))
    still = " ".join(f"{value:.12e}" for value in np.eye(3, 4).ravel())
    lines = [f"P{n}: {project}" for n in range(4)]
    lines += [f"R0_rect: {identity}", f"Tr_velo_to_cam: {axes}", f"Tr_imu_to_velo: {still}"]
    return "".join(line + "\n" for line in lines)
