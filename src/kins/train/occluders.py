"""What lies in front of instances, or may: masks that methods learn beside the instances' own."""

from __future__ import annotations

from collections.abc import Sequence

from kins.masks import Mask, union
from kins.occlusion import occlusion
from kins.records import Instance, Scene

NEAR = 0.05
"""IoU of boxes above which another instance is a neighbour, as BCNet's preparation has it (Ke et al., CVPR 2021)."""
LEAST = 20
"""Pixels of an occluder that count, likewise."""


def occluders(scene: Scene, instances: Sequence[Instance]) -> list[Mask]:
    """For each instance what is seen of those that hide part of it: the true occluders, by the masks.

    Args:
        instances: of the scene.
    """
    known = tuple(instance for instance in scene if not instance.crowd and instance.both_known)
    relations = occlusion(scene.replace(instances=known), predicted=False)
    place = {id(instance): index for index, instance in enumerate(known)}
    return [
        _seen([known[other] for other in relations.occluders(place[id(instance)])], scene)
        if id(instance) in place
        else Mask.empty(scene.image.height, scene.image.width)
        for instance in instances
    ]


def neighbours(scene: Scene, instances: Sequence[Instance]) -> list[Mask]:
    """For each instance what is seen of all those around it, in front or behind, inside of its amodal box.

    A neighbour's inmodal box has an IoU above NEAR with the instance's amodal one; fewer pixels than LEAST are none.
    """
    known = [instance for instance in scene if not instance.crowd and instance.both_known and instance.inmodal]
    return [_around(instance, known, scene) for instance in instances]


def _around(instance: Instance, known: Sequence[Instance], scene: Scene) -> Mask:
    box = instance.require("amodal").box
    near = [other for other in known if other is not instance and _overlap(box, other.require("inmodal").box) > NEAR]
    found = _seen(near, scene) & Mask.from_box(box, scene.image.height, scene.image.width)
    return found if found.area >= LEAST else Mask.empty(scene.image.height, scene.image.width)


def _seen(instances: Sequence[Instance], scene: Scene) -> Mask:
    return union([i.require("inmodal") for i in instances], scene.image.height, scene.image.width)


def _overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """IoU of two boxes x, y, width, height."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    return common / (a[2] * a[3] + b[2] * b[3] - common) if common else 0.0
