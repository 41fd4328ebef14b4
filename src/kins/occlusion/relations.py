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

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.masks import Mask, rasterise, spans
from kins.masks.many import require_one_size
from kins.masks.table import Spans
from kins.occlusion.contact import ROUNDING, Slivers, corners, hiding, touching, without_slivers
from kins.occlusion.ranking import Cycle, Edge, Weights, common, components, decided, near, relative_order
from kins.records import Instance, Scene

__all__ = [
    "HEAVY",
    "LEVELS",
    "OCCLUDED",
    "PARTIAL",
    "ROUNDING",
    "SAME_OBJECT",
    "Cycle",
    "Disagreement",
    "Edge",
    "Occlusion",
    "Slivers",
    "disagreements",
    "level",
    "occlusion",
    "occlusion_from_depth",
    "occlusion_from_order",
    "relations_of",
    "with_order",
]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LEVELS = ("none", "partial", "heavy")
PARTIAL, HEAVY = 0.01, 0.25
"""Occlusion levels: none below 0.01, partial up to and with 0.25, heavy above. COCOA's evaluation (Zhu et al., Semantic
Amodal Segmentation, CVPR 2017) has the same upper bound, but calls objects unoccluded up to 0.00001 only, which is
less than what rounded outlines leave."""
OCCLUDED = 0.15
"""An instance counts as occluded above this rate, as later papers on KINS have it."""
SAME_OBJECT = 0.5
"""Detections whose visible masks have at least this IoU are taken for one object."""


class Disagreement(NamedTuple):
    """By the masks `occluder` hides `pixels` of `occluded` (indices in the scene); `stored` says otherwise."""

    occluder: int
    occluded: int
    pixels: int
    stored: str


@dataclasses.dataclass(frozen=True)
class Occlusion:
    """Who hides whom among the n instances of a scene.

    Attributes:
        instances: those of the scene.
        edges: every edge, both directions where two hide parts of each other; sorted by occluder, then occluded.
        clusters: (n,) int64, 0-based, numbered by the lowest annotation id in each.
        order: (n,) int64, 0 is nearest.
        cycles: those that were broken to get an order.
    """

    instances: tuple[Instance, ...]
    edges: tuple[Edge, ...]
    clusters: Ints
    order: Ints
    cycles: tuple[Cycle, ...]

    @cached_property
    def rates(self) -> Floats:
        """(n,) |H| / |A| of each instance; NaN where it has no inmodal mask."""
        return np.array([i.occlusion_rate if i.both_known else np.nan for i in self.instances], np.float64)

    @property
    def levels(self) -> list[str]:
        """The occlusion level of each instance: one of LEVELS."""
        return [level(rate) for rate in self.rates]

    @property
    def occluded(self) -> npt.NDArray[np.bool_]:
        """(n,) whether the rate is above OCCLUDED."""
        return np.asarray(self.rates > OCCLUDED)

    @property
    def hidden(self) -> list[Mask]:
        """The hidden region of each instance."""
        return [instance.hidden for instance in self.instances]

    @property
    def weights(self) -> Ints:
        """(n, n) the edges' pixels, 0 where there is none: weights[i, j] of j are hidden by i."""
        weights = np.zeros((len(self.instances),) * 2, np.int64)
        for edge in self.edges:
            weights[edge.occluder, edge.occluded] = edge.pixels
        return weights

    @cached_property
    def ahead(self) -> frozenset[tuple[int, int]]:
        """The pairs of which the first occludes the second; where both do, the larger weight decides."""
        front, back, pixels = np.array(self.edges, np.int64).reshape(-1, 3).T
        weights = Weights.of(front, back, pixels, len(self.instances))
        chosen = decided(weights, self.instances)
        return frozenset(zip(weights.front[chosen].tolist(), weights.back[chosen].tolist(), strict=True))

    def matrix(self) -> npt.NDArray[np.int8]:
        """(n, n) 1 where i occludes j, -1 where j occludes i, 0 where neither does; the larger weight decides.

        This is the form that order-recovery code uses (Zhan et al., Self-Supervised Scene De-occlusion, CVPR 2020).
        """
        matrix = np.zeros((len(self.instances),) * 2, np.int8)
        for front, back in self.ahead:
            matrix[front, back], matrix[back, front] = 1, -1
        return matrix

    def occluders(self, index: int) -> list[int]:
        """Those that hide part of an instance, most pixels first."""
        found = sorted((-edge.pixels, edge.occluder) for edge in self.edges if edge.occluded == index)
        return [occluder for _, occluder in found]


def level(rate: float) -> str:
    """The name of an occlusion rate's level.

    Example:
        >>> [kins.occlusion.level(rate) for rate in (0.0, 0.1, 0.6)]
        ['none', 'partial', 'heavy']
    """
    return LEVELS[0] if not rate >= PARTIAL else LEVELS[1] if rate <= HEAVY else LEVELS[2]


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
    where = _place(scene)
    seen = part.cut(whole)
    close = near(_around(corners(boxes), corners(part_boxes)), where)
    i, j = _both_ways(*close)
    meet = _meet(part_boxes[:, i], boxes[:, j])
    i, j = i[meet], j[meet]
    covered = common(part, i, whole, j, where)
    some = covered > 0
    i, j, covered = i[some], j[some], covered[some]
    pixels = hiding(covered, common(part, i, seen, j, where), areas[j], slivers)
    if predicted:
        pixels = np.where(pixels > common(part, i, part, j, where), pixels, 0)
    weights = Weights.of(i, j, pixels, len(instances))
    weights = without_slivers(weights, part, whole, seen, _rows(scene), corners(boxes), slivers)
    sound = part_areas == seen.area  # a visible part outside of its own amodal mask proves no contact
    linked = sound[i]
    groups = _same_objects(scene, part, part_areas, part_boxes) if predicted else None
    return _relations(scene, weights, (i[linked], j[linked]), close, whole, boxes, groups)


def occlusion_from_depth(
    scene: Scene,
    depths: Sequence[float],
    slivers: Slivers = ROUNDING,
) -> Occlusion:
    """From distances: of two instances whose amodal masks overlap the nearer one hides the other, equal ones neither.

    An edge's weight is the size of that overlap. Inmodal masks are not needed.

    Args:
        depths: (n,) distance of each instance from the camera, in any unit.

    Example:
        >>> boxes = [kins.Mask.from_box((x, 0, 6, 6), 6, 20) for x in (0, 4, 12)]
        >>> cars = tuple(kins.Instance(number, 4, "car", mask) for number, mask in enumerate(boxes))
        >>> scene = kins.Scene(kins.Image(1, "a.png", 6, 20), cars)
        >>> kins.occlusion.occlusion_from_depth(scene, [9.5, 4.0, 4.0]).edges
        (Edge(occluder=1, occluded=0, pixels=12),)
    """
    if len(depths) != len(scene):
        raise KinsError(f"image {scene.image.file_name}: {len(depths)} depths for {len(scene)} instances")
    distance = np.asarray(depths, np.float64)
    if not np.isfinite(distance).all():
        raise KinsError(f"image {scene.image.file_name}: a depth is not finite")
    return _from_nearness(scene, lambda i, j: distance[i] < distance[j], slivers)


def occlusion_from_order(
    scene: Scene,
    constraints: Iterable[tuple[int, int]] | None = None,
    slivers: Slivers = ROUNDING,
) -> Occlusion:
    """From the order that the instances already have (KINS 2020's ico_id, COCOA's `order`).

    Of two whose amodal masks overlap and that are of one stored cluster (or of none), the one with the smaller order
    hides the other, and an edge's weight is the size of that overlap. Inmodal masks are not needed.

    Args:
        constraints: (occluder, occluded) index pairs, which override the order; None takes COCOA's `depth_constraint`
            where the image has one.

    Raises:
        KinsError: an instance that overlaps another has no order, and there is no constraint for that pair.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> scene = write_shapes("pictures", 1)[0]
        >>> kins.occlusion.occlusion_from_order(scene).order.tolist()
        [0, 1, 2]
    """
    n = len(scene)
    if constraints is None:
        index = {instance.id: i for i, instance in enumerate(scene)}
        stored = scene.image.extra.get("depth_constraint") or ()
        constraints = [(index[front], index[back]) for front, back in stored if front in index and back in index]
    order = np.array([np.nan if i.order is None else i.order for i in scene], np.float64)
    cluster = np.array([-1 if i.cluster is None else i.cluster for i in scene], np.int64)
    stated = []
    for front, back in constraints:
        if not (0 <= front < n and 0 <= back < n) or front == back:
            raise KinsError(f"image {scene.image.file_name}: no pair {front}, {back} among {n} instances")
        stated.append(front * n + back)

    def nearer(i: Ints, j: Ints) -> npt.NDArray[np.bool_]:
        said, against = np.isin(i * n + j, stated), np.isin(j * n + i, stated)
        unknown = np.isnan(order[i]) & ~(said | against)
        if unknown.any():
            raise KinsError(
                f"image {scene.image.file_name}: instance {scene[i[unknown].min()].id} has no order; "
                "derive it with kins order"
            )
        return np.where(said | against, said, (order[i] < order[j]) & (cluster[i] == cluster[j]))

    return _from_nearness(scene, nearer, slivers)


def disagreements(scene: Scene, relations: Occlusion | None = None) -> list[Disagreement]:
    """Where the order that the instances have contradicts the one derived from their masks.

    An edge i -> j that the derived order rests on demands that i and j are in one stored cluster, and that i has the
    smaller stored order. Absolute values are not compared, and instances without a stored order are passed over.

    Args:
        relations: what to compare with, derived from the masks if None.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> scene = write_shapes("pictures", 1)[0]
        >>> turned = scene.replace(instances=tuple(i.replace(order=-i.order) for i in scene))
        >>> len(kins.occlusion.disagreements(scene)), len(kins.occlusion.disagreements(turned))
        (0, 3)
    """
    if relations is None:
        relations = occlusion(scene)
    left_out = {cycle.removed for cycle in relations.cycles}
    found = []
    for edge in relations.edges:
        front, back = scene[edge.occluder], scene[edge.occluded]
        if edge[:2] not in relations.ahead or edge in left_out or front.order is None or back.order is None:
            continue
        if front.cluster != back.cluster:
            found.append(Disagreement(*edge, f"cluster {front.cluster} against {back.cluster}"))
        elif front.order >= back.order:
            found.append(Disagreement(*edge, f"order {front.order} against {back.order}"))
    return found


def relations_of(scene: Scene, stated_first: bool = False) -> Occlusion | None:
    """Who hides whom as far as the scene knows it: by the masks; where these are not complete by the stored order.

    Args:
        stated_first: the other way around: what an annotator said counts more than the masks.

    Returns:
        None where there are neither both masks nor amodal masks and an order of every instance.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> scene = write_shapes("pictures", 1)[0]
        >>> blind = scene.replace(instances=tuple(i.replace(inmodal=None, order=None) for i in scene))
        >>> kins.occlusion.relations_of(scene).order.tolist(), kins.occlusion.relations_of(blind)
        ([0, 1, 2], None)
    """
    complete = all(instance.both_known for instance in scene)
    stated = len(scene) > 0 and all(i.amodal is not None and i.order is not None for i in scene)
    if stated and (stated_first or not complete):
        return occlusion_from_order(scene)
    return occlusion(scene) if complete else None


def with_order(scene: Scene, relations: Occlusion | None = None) -> Scene:
    """The scene with `cluster` and `order` of its instances set, derived from the masks unless relations are given.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> scene = kins.occlusion.with_order(write_shapes("pictures", 1)[0])
        >>> [(instance.cluster, instance.order) for instance in scene]
        [(0, 0), (0, 1), (0, 2)]
    """
    if relations is None:
        relations = occlusion(scene)
    pairs = zip(scene, relations.clusters.tolist(), relations.order.tolist(), strict=True)
    return scene.replace(instances=tuple(i.replace(cluster=cluster, order=order) for i, cluster, order in pairs))


def _from_nearness(scene: Scene, nearer: Callable[[Ints, Ints], npt.NDArray[np.bool_]], slivers: Slivers) -> Occlusion:
    """From a function that says of pairs whether the first is nearer."""
    amodal = scene.masks("amodal")
    require_one_size(amodal)
    whole, areas, boxes = spans(amodal)
    where = _place(scene)
    close = near(corners(boxes), where)
    i, j = _both_ways(*close)
    covered = common(whole, i, whole, j, where)
    i, j, covered = i[covered > 0], j[covered > 0], covered[covered > 0]
    pixels = hiding(np.where(nearer(i, j), covered, 0), 0, areas[j], slivers)
    weights = Weights.of(i, j, pixels, len(scene))
    weights = without_slivers(weights, whole, whole, None, _rows(scene), corners(boxes), slivers)
    return _relations(scene, weights, (i, j), close, whole, boxes)


def _relations(
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
    ranks, cycles = relative_order(scene.instances, weights, _place(scene))
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
        found = touching(whole, i, j, mask.height, mask.height * mask.width, _place(scene))
        sides = (np.concatenate([rank[a], rank[b[found]]]) for a, b in zip(linked, (i, j), strict=True))
        labels = components(n, *sides)[rank]
    return np.asarray(np.unique(labels, return_inverse=True)[1], np.int64)


def _place(scene: Scene) -> str:
    return f"image {scene.image.file_name}"


def _rows(scene: Scene) -> int:
    """Rows of the canvas that the masks are on."""
    return scene[0].require("amodal").height if len(scene) else scene.image.height


def _around(first: Floats, second: Floats) -> Floats:
    """(n, 4) the boxes around both."""
    return np.hstack([np.minimum(first[:, :2], second[:, :2]), np.maximum(first[:, 2:], second[:, 2:])])


def _both_ways(first: Ints, second: Ints) -> tuple[Ints, Ints]:
    return np.concatenate([first, second]), np.concatenate([second, first])


def _meet(first: Floats, second: Floats) -> npt.NDArray[np.bool_]:
    """(P,) whether boxes (4, P) x, y, width, height have pixels in common."""
    low = np.maximum(first[:2], second[:2])
    return np.asarray((low < np.minimum(first[:2] + first[2:], second[:2] + second[2:])).all(0))


def _same_objects(scene: Scene, part: Spans, areas: Ints, boxes: Floats) -> Ints:
    """(n,) for each detection the index of the best-scored one that shows the same object; often itself.

    Args:
        part, areas, boxes: the inmodal masks.
    """
    i, j = near(corners(boxes), _place(scene))
    shared = common(part, i, part, j, _place(scene))
    alike = shared >= SAME_OBJECT * np.maximum(areas[i] + areas[j] - shared, 1)
    same: dict[int, list[int]] = defaultdict(list)
    for a, b in zip(i[alike].tolist(), j[alike].tolist(), strict=True):
        same[a].append(b)
        same[b].append(a)
    ranked = sorted(range(len(scene)), key=lambda i: (-(scene[i].score or 0.0), scene[i].id, i))
    place = {index: at for at, index in enumerate(ranked)}
    groups = np.arange(len(scene))
    for index in ranked:
        better = [other for other in same[index] if place[other] < place[index] and groups[other] == other]
        groups[index] = min(better, key=place.__getitem__, default=index)
    return groups
