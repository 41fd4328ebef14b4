"""Completion without learning: the visible mask as it is, its convex hull, and the hull inside of what lies in front.

These are the baselines of Zhan et al., Self-Supervised Scene De-occlusion, CVPR 2020. They look at masks alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kins.masks import Mask, union
from kins.masks.shape import hull
from kins.records import Scene


def visible(image: object, scene: Scene) -> Sequence[Mask]:
    """The inmodal masks: nothing is hidden."""
    return scene.masks("inmodal")


def convex(image: object, scene: Scene) -> Sequence[Mask]:
    """The convex hulls of the inmodal masks."""
    return [hull(mask) for mask in scene.masks("inmodal")]


def convex_order(image: object, scene: Scene) -> Sequence[Mask]:
    """The convex hulls, as far as they lie under visible parts of instances in front.

    In front is what a stored order says where all instances have one; otherwise of two the one that loses fewer pixels
    to the other's visible part than it gains there is behind.
    """
    seen = scene.masks("inmodal")
    hulls = [hull(mask) for mask in seen]
    ahead = _ahead(scene, hulls)
    height, width = scene.image.height, scene.image.width
    completed = []
    for index, mask in enumerate(seen):
        front = [seen[other] for other in np.flatnonzero(ahead[:, index]).tolist()]
        completed.append(mask | (hulls[index] & union(front, height, width)))
    return completed


def _ahead(scene: Scene, hulls: Sequence[Mask]) -> npt.NDArray[np.bool_]:
    """(n, n) whether one instance lies in front of another."""
    order = np.array([np.nan if i.order is None else i.order for i in scene], np.float64)
    if not np.isnan(order).any():
        cluster = np.array([-1 if i.cluster is None else i.cluster for i in scene])
        return np.asarray((order[:, None] < order[None, :]) & (cluster[:, None] == cluster[None, :]))
    guessed = tuple(i.replace(amodal=whole) for i, whole in zip(scene, hulls, strict=True))
    return np.asarray(scene.replace(instances=guessed).occlusion().matrix() > 0)
