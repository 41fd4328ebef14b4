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
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.masks import Mask, intersections, ious, rasterise, spans
from kins.masks.many import overlaps, require_one_size
from kins.occlusion.contact import ROUNDING, Slivers, corners, hiding, touch, without_slivers
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


class Edge(NamedTuple):
    """`occluder` hides part of `occluded` (both indices in the scene): `pixels` of it."""

    occluder: int
    occluded: int
    pixels: int


class Disagreement(NamedTuple):
    """By the masks `occluder` hides `pixels` of `occluded` (indices in the scene); `stored` says otherwise."""

    occluder: int
    occluded: int
    pixels: int
    stored: str


@dataclasses.dataclass(frozen=True, slots=True)
class Cycle:
    """Instances of which each hides the next and the last the first, and the edge left out of the order for it."""

    members: tuple[int, ...]
    removed: Edge


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

    def matrix(self) -> npt.NDArray[np.int8]:
        """(n, n) 1 where i occludes j, -1 where j occludes i, 0 where neither does; the larger weight decides.

        This is the form that order-recovery code uses (Zhan et al., Self-Supervised Scene De-occlusion, CVPR 2020).
        """
        ahead = _direction(self.weights, self.instances)
        return ahead.astype(np.int8) - ahead.T.astype(np.int8)

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
    seen = part.cut(whole)
    covered, visible = overlaps(part, part_boxes, whole, boxes), overlaps(part, part_boxes, seen, boxes)
    weights = hiding(covered, visible, areas, slivers)
    np.fill_diagonal(weights, 0)
    if predicted:
        weights[weights <= overlaps(part, part_boxes, part, part_boxes)] = 0
    edges = corners(boxes)
    weights = without_slivers(weights, part, whole, seen, scene.image.height, edges, slivers)
    leaks = part_areas != np.diagonal(covered)
    overlap = np.where(leaks[:, None], 0, covered)  # a visible part outside of its own amodal mask proves no contact
    return _relations(instances, weights, overlap, edges, _same_objects(instances) if predicted else None)


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
    return _from_nearness(scene, distance[:, None] < distance[None, :], slivers)


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
    nearer = (order[:, None] < order[None, :]) & (cluster[:, None] == cluster[None, :])
    stated = np.zeros((n, n), bool)
    for front, back in constraints:
        if not (0 <= front < n and 0 <= back < n) or front == back:
            raise KinsError(f"image {scene.image.file_name}: no pair {front}, {back} among {n} instances")
        stated[front, back] = True
    nearer = np.where(stated | stated.T, stated, nearer)
    unknown = np.isnan(order)[:, None] & ~(stated | stated.T | np.eye(n, dtype=bool))
    if unknown.any():
        amodal = scene.masks("amodal")
        for i, _ in np.argwhere(unknown & (intersections(amodal, amodal) > 0)).tolist():
            raise KinsError(
                f"image {scene.image.file_name}: instance {scene[i].id} has no order; derive it with kins order"
            )
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
    matrix = relations.matrix()
    left_out = {cycle.removed for cycle in relations.cycles}
    found = []
    for edge in relations.edges:
        front, back = scene[edge.occluder], scene[edge.occluded]
        if matrix[edge.occluder, edge.occluded] < 1 or edge in left_out or front.order is None or back.order is None:
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


def _from_nearness(scene: Scene, nearer: npt.NDArray[np.bool_], slivers: Slivers) -> Occlusion:
    amodal = scene.masks("amodal")
    require_one_size(amodal)
    whole, areas, boxes = spans(amodal)
    overlap, edges = overlaps(whole, boxes, whole, boxes), corners(boxes)
    weights = hiding(np.where(nearer, overlap, 0), 0, areas, slivers)
    weights = without_slivers(weights, whole, whole, None, scene.image.height, edges, slivers)
    return _relations(scene.instances, weights, overlap, edges)


def _relations(
    instances: tuple[Instance, ...], weights: Ints, overlap: Ints, boxes: Floats, groups: Ints | None = None
) -> Occlusion:
    """The graph's parts from its weights.

    Args:
        weights: (n, n) pixels, slivers removed.
        overlap: (n, n) pixels; those above 0 are known to touch, the others are looked at.
        boxes: (n, 4) of the amodal masks.
        groups: (n,) an index for each instance, the same for those that count as one object.
    """
    pairs = zip(*(axis.tolist() for axis in np.nonzero(weights)), strict=True)
    edges = tuple(Edge(i, j, int(weights[i, j])) for i, j in pairs)
    clusters = _clusters(instances, (overlap > 0) | (weights > 0), boxes)
    order, cycles = _order(instances, weights, groups)
    return Occlusion(instances, edges, clusters, order, cycles)


def _clusters(instances: tuple[Instance, ...], linked: npt.NDArray[np.bool_], boxes: Floats) -> Ints:
    """(n,) connected components of the masks that are linked, overlap or touch."""
    n = len(instances)
    if not n:
        return np.zeros(0, np.int64)
    linked = linked | linked.T
    np.fill_diagonal(linked, True)
    rank = np.argsort(np.argsort([instance.id for instance in instances], kind="stable"))
    labels = _lowest_reached(linked, rank)
    near = (boxes[:, None, :2] <= boxes[None, :, 2:]).all(2)
    doubtful = np.triu(near & near.T & (labels[:, None] != labels[None, :]))
    if doubtful.any():
        for i, j in zip(*(axis.tolist() for axis in np.nonzero(doubtful)), strict=True):
            linked[i, j] = linked[j, i] = touch(instances[i].require("amodal"), instances[j].require("amodal"))
        labels = _lowest_reached(linked, rank)
    return np.asarray(np.unique(labels, return_inverse=True)[1], np.int64)


def _lowest_reached(linked: npt.NDArray[np.bool_], labels: Ints) -> Ints:
    """(n,) the lowest label among all that are linked, directly or through others. A few steps on a small matrix,
    which is many times faster than building a graph of it."""
    while True:
        lowest = np.where(linked, labels, labels.size).min(1)
        if (lowest == labels).all():
            return lowest
        labels = lowest


def _direction(weights: Ints, instances: Sequence[Instance]) -> npt.NDArray[np.bool_]:
    """(n, n) whether i counts as in front of j: more pixels, or else the larger share of j's area, or the lower id."""
    ahead = weights > weights.T
    tied = (weights == weights.T) & (weights > 0)
    if tied.any():
        for i, j in np.argwhere(np.triu(tied)).tolist():
            keys = [(-instances[b].require("amodal").area, -instances[a].id, -a) for a, b in ((i, j), (j, i))]
            ahead[(i, j) if keys[0] > keys[1] else (j, i)] = True
    return ahead


def _order(instances: Sequence[Instance], weights: Ints, groups: Ints | None) -> tuple[Ints, tuple[Cycle, ...]]:
    """(n,) the length of the longest way from an instance that nothing occludes, and the cycles broken for it."""
    if groups is not None:
        joined = np.zeros_like(weights)
        np.maximum.at(joined, (groups[:, None], groups[None, :]), weights)
        np.fill_diagonal(joined, 0)
        weights = joined
    ahead = _direction(weights, instances)
    cycles: list[Cycle] = []
    for i, j in np.argwhere(ahead & (weights == weights.T)).tolist():
        cycles.append(Cycle((i, j), Edge(j, i, int(weights[j, i]))))
    order = _longest_ways(ahead)
    if order is None:
        cycles += _break_cycles(instances, weights, ahead)
        order = _longest_ways(ahead)
        assert order is not None
    return order if groups is None else order[groups], tuple(cycles)


def _longest_ways(ahead: npt.NDArray[np.bool_]) -> Ints | None:
    """(n,) edges on the longest way to each node, None if there is a cycle; as `_lowest_reached`, without a graph."""
    order = np.zeros(len(ahead), np.int64)
    for _ in range(len(ahead)):
        longer = np.where(ahead, order[:, None] + 1, 0).max(0)
        if (longer == order).all():
            return order
        order = longer
    return None if len(ahead) else order


def _break_cycles(instances: Sequence[Instance], weights: Ints, ahead: npt.NDArray[np.bool_]) -> list[Cycle]:
    """Takes the weakest edge that is on a cycle out of `ahead`, until there is none."""
    import networkx as nx

    def strength(edge: tuple[int, int]) -> tuple[float, ...]:
        i, j = edge
        return (
            weights[i, j],
            weights[i, j] / max(instances[j].require("amodal").area, 1),
            instances[i].id,
            instances[j].id,
            i,
            j,
        )

    graph = nx.DiGraph()
    graph.add_edges_from(sorted(((i, j) for i, j in np.argwhere(ahead).tolist()), key=strength))
    cycles = []
    while rings := [members for members in nx.strongly_connected_components(graph) if len(members) > 1]:
        i, j = min((edge for ring in rings for edge in graph.subgraph(ring).edges), key=strength)
        graph.remove_edge(i, j)
        ahead[i, j] = False
        cycles.append(Cycle(tuple(nx.shortest_path(graph, j, i)), Edge(i, j, int(weights[i, j]))))
    return cycles


def _same_objects(instances: Sequence[Instance]) -> Ints:
    """(n,) for each detection the index of the best-scored one that shows the same object; often itself."""
    inmodal = [instance.require("inmodal") for instance in instances]
    same = ious(inmodal, inmodal) >= SAME_OBJECT
    leaders: list[int] = []
    groups = np.arange(len(instances))
    for index in sorted(range(len(instances)), key=lambda i: (-(instances[i].score or 0.0), instances[i].id, i)):
        groups[index] = next((leader for leader in leaders if same[index, leader]), index)
        if groups[index] == index:
            leaders.append(index)
    return groups
