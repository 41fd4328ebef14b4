"""Who hides whom in one image: occlusion edges, clusters, relative order, levels. All on run-length masks.

With A_i the amodal and I_i the inmodal mask of instance i:

- hidden region H_i = A_i - I_i, occlusion rate |H_i| / |A_i|;
- i occludes j, an edge i -> j, where I_i covers part of H_j; its weight is o_ij = |I_i & H_j| in pixels;
- cluster (KINS 2020's oco_id): instances whose amodal masks overlap, or touch along a pixel's side, directly or through
  others;
- order (KINS 2020's ico_id): 0 for an instance that nothing occludes, otherwise 1 + the largest order among its
  occluders. Where two hide parts of each other, the larger weight decides; a cycle is broken at its weakest edge.

Instances are named by their index in the scene throughout.

Example:
    >>> far = kins.Mask.from_box((2, 2, 6, 4), 10, 20)
    >>> near = kins.Mask.from_box((6, 0, 8, 10), 10, 20)
    >>> van, car = kins.Instance(1, 7, "van", far, far - near), kins.Instance(2, 4, "car", near, near)
    >>> relations = kins.Scene(kins.Image(1, "a.png", 10, 20), (van, car)).occlusion()
    >>> relations.edges
    (Edge(occluder=1, occluded=0, pixels=8),)
    >>> relations.order.tolist(), relations.levels
    ([1, 0], ['heavy', 'none'])
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from kins.masks import rasterise, spans
from kins.masks.many import require_one_size
from kins.masks.table import Spans
from kins.occlusion.contact import ROUNDING, Slivers, corners, hiding, touching, without_slivers
from kins.occlusion.graph import Floats, Ints, Occlusion
from kins.occlusion.ranking import Edge, Weights, common, components, near, relative_order
from kins.records import Scene

SAME_OBJECT = 0.5
"""Detections whose visible masks have at least this IoU are taken for one object."""


def occlusion(scene: Scene, slivers: Slivers = ROUNDING, predicted: bool | None = None) -> Occlusion:
    """From the masks.

    Args:
        slivers: overlaps to ignore.
        predicted: treat the instances as detections, which may show one object twice; None asks whether all of them
            have scores. An edge then needs more pixels than both claim to be visible in (of two that show the same
            pixels neither hides the other), and those with a visible IoU of at least SAME_OBJECT get the same order.

    Raises:
        KinsError: an instance has no amodal or no inmodal mask, or one that is damaged.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> scene = write_shapes("pictures", 1)[0]
        >>> relations = kins.occlusion.occlusion(scene)
        >>> relations.order.tolist(), relations.occluders(2)
        ([0, 1, 2], [0, 1])
    """
    instances = scene.instances
    if predicted is None:
        predicted = bool(instances) and all(instance.score is not None for instance in instances)
    amodal, inmodal = scene.masks("amodal"), scene.masks("inmodal")
    require_one_size([*amodal, *inmodal])
    rasterise([*amodal, *inmodal])
    (whole, areas, boxes), (part, part_areas, part_boxes) = spans(amodal), spans(inmodal)
    where = place(scene)
    seen = part.cut(whole)
    close = near(_around(corners(boxes), corners(part_boxes)), where)
    i, j = both_ways(*close)
    meet = _meet(part_boxes[:, i], boxes[:, j])
    i, j = i[meet], j[meet]
    covered = common(part, i, whole, j, where)
    some = covered > 0
    i, j, covered = i[some], j[some], covered[some]
    pixels = hiding(covered, common(part, i, seen, j, where), areas[j], slivers)
    if predicted:
        pixels = np.where(pixels > common(part, i, part, j, where), pixels, 0)
    weights = Weights.of(i, j, pixels, len(instances))
    weights = without_slivers(weights, part, whole, seen, rows(scene), corners(boxes), slivers)
    sound = part_areas == seen.area  # a visible part outside of its own amodal mask proves no contact
    linked = sound[i]
    groups = same_objects(scene, part, part_areas, part_boxes) if predicted else None
    return relations(scene, weights, (i[linked], j[linked]), close, whole, boxes, groups)


def relations(
    scene: Scene,
    weights: Weights,
    linked: tuple[Ints, Ints],
    close: tuple[Ints, Ints],
    whole: Spans,
    boxes: Floats,
    groups: Ints | None = None,
) -> Occlusion:
    """The graph's parts from its weights.

    Args:
        weights: slivers removed.
        linked: pairs that are known to touch.
        close: all pairs that may touch; those that are not linked yet are looked at.
        whole, boxes: the amodal masks.
        groups: (n,) an index for each instance, the same for those that count as one object.
    """
    columns = (column.tolist() for column in (weights.front, weights.back, weights.pixels))
    edges = tuple(map(Edge, *columns))
    linked = np.concatenate([linked[0], weights.front]), np.concatenate([linked[1], weights.back])
    clusters = _clusters(scene, linked, close, whole, corners(boxes))
    if groups is not None:
        weights = Weights.of(groups[weights.front], groups[weights.back], weights.pixels, weights.count)
    ranks, cycles = relative_order(scene.instances, weights, place(scene))
    return Occlusion(scene.instances, edges, clusters, ranks if groups is None else ranks[groups], cycles)


def _clusters(scene: Scene, linked: tuple[Ints, Ints], close: tuple[Ints, Ints], whole: Spans, edges: Floats) -> Ints:
    """(n,) connected components of the masks that are linked, overlap or touch."""
    n = len(scene)
    rank = np.argsort(np.argsort([instance.id for instance in scene], kind="stable"))
    labels = components(n, rank[linked[0]], rank[linked[1]])[rank] if n else rank
    i, j = close
    doubtful = np.flatnonzero(
        (labels[i] != labels[j]) & (edges[i, :2] <= edges[j, 2:]).all(1) & (edges[j, :2] <= edges[i, 2:]).all(1)
    )
    if doubtful.size:
        i, j = i[doubtful], j[doubtful]
        mask = scene[0].require("amodal")
        found = touching(whole, i, j, mask.height, mask.height * mask.width, place(scene))
        sides = (np.concatenate([rank[a], rank[b[found]]]) for a, b in zip(linked, (i, j), strict=True))
        labels = components(n, *sides)[rank]
    return np.asarray(np.unique(labels, return_inverse=True)[1], np.int64)


def place(scene: Scene) -> str:
    return f"image {scene.image.file_name}"


def rows(scene: Scene) -> int:
    """Rows of the canvas that the masks are on."""
    return scene[0].require("amodal").height if len(scene) else scene.image.height


def _around(first: Floats, second: Floats) -> Floats:
    """(n, 4) the boxes around both."""
    return np.hstack([np.minimum(first[:, :2], second[:, :2]), np.maximum(first[:, 2:], second[:, 2:])])


def both_ways(first: Ints, second: Ints) -> tuple[Ints, Ints]:
    return np.concatenate([first, second]), np.concatenate([second, first])


def _meet(first: Floats, second: Floats) -> npt.NDArray[np.bool_]:
    """(P,) whether boxes (4, P) x, y, width, height have pixels in common."""
    low = np.maximum(first[:2], second[:2])
    return np.asarray((low < np.minimum(first[:2] + first[2:], second[:2] + second[2:])).all(0))


def same_objects(scene: Scene, part: Spans, areas: Ints, boxes: Floats) -> Ints:
    """(n,) for each detection the index of the best-scored one that shows the same object; often itself.

    Args:
        part, areas, boxes: the inmodal masks.
    """
    i, j = near(corners(boxes), place(scene))
    shared = common(part, i, part, j, place(scene))
    alike = shared >= SAME_OBJECT * np.maximum(areas[i] + areas[j] - shared, 1)
    same: dict[int, list[int]] = defaultdict(list)
    for a, b in zip(i[alike].tolist(), j[alike].tolist(), strict=True):
        same[a].append(b)
        same[b].append(a)
    ranked = sorted(range(len(scene)), key=lambda i: (-(scene[i].score or 0.0), scene[i].id, i))
    rank = {index: at for at, index in enumerate(ranked)}
    groups = np.arange(len(scene))
    for index in ranked:
        better = [other for other in same[index] if rank[other] < rank[index] and groups[other] == other]
        groups[index] = min(better, key=rank.__getitem__, default=index)
    return groups
