"""Who hides whom by what is stated: depths, an order; and where a stated order contradicts the masks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.masks import spans
from kins.masks.many import require_one_size
from kins.occlusion.contact import ROUNDING, Slivers, corners, hiding, without_slivers
from kins.occlusion.graph import Ints, Occlusion
from kins.occlusion.ranking import Weights, common, near
from kins.occlusion.relations import both_ways, occlusion, place, relations, rows, same_objects
from kins.records import Scene


class Disagreement(NamedTuple):
    """By the masks `occluder` hides `pixels` of `occluded` (indices in the scene); `stored` says otherwise."""

    occluder: int
    occluded: int
    pixels: int
    stored: str


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


def occlusion_from_edges(
    scene: Scene, edges: Iterable[tuple[int, int, int]], predicted: bool | None = None
) -> Occlusion:
    """From pairs that something else has found, a network that looks at pairs for example.

    Clusters are those of masks that overlap or touch, and of the pairs. An instance without an amodal mask counts as
    whole as it is seen.

    Args:
        edges: (occluder, occluded, weight) of each, indices in the scene; the weight is any whole number above 0, the
            larger the more it counts where two hide each other, or where a cycle is broken.
        predicted: detections that show one object get the same order; None asks whether all have scores.

    Raises:
        KinsError: an instance has no mask at all, no such instance, or a weight that is not above 0.

    Example:
        >>> boxes = [kins.Mask.from_box((x, 0, 6, 6), 6, 20) for x in (0, 4, 12)]
        >>> cars = tuple(kins.Instance(number, 4, "car", inmodal=mask) for number, mask in enumerate(boxes))
        >>> scene = kins.Scene(kins.Image(1, "a.png", 6, 20), cars)
        >>> kins.occlusion.occlusion_from_edges(scene, [(1, 0, 900)]).order.tolist()
        [1, 0, 0]
    """
    scene = scene.replace(instances=tuple(i.replace(amodal=i.whole) for i in scene))
    n, rows_ = len(scene), np.array(list(edges), np.int64).reshape(-1, 3)
    bad = ((rows_[:, :2] < 0) | (rows_[:, :2] >= n)).any(1) | (rows_[:, 0] == rows_[:, 1]) | (rows_[:, 2] < 1)
    if bad.any():
        i, j, weight = rows_[bad][0].tolist()
        raise KinsError(f"{place(scene)}: no edge from {i} to {j} of weight {weight} among {n} instances")
    amodal = scene.masks("amodal")
    require_one_size(amodal)
    whole, _, boxes = spans(amodal)
    groups = None
    if n and (all(i.score is not None for i in scene) if predicted is None else predicted):
        part, areas, part_boxes = spans([i.require("amodal") if i.inmodal is None else i.inmodal for i in scene])
        groups = same_objects(scene, part, areas, part_boxes)
        rows_ = rows_[groups[rows_[:, 0]] != groups[rows_[:, 1]]]
    weights = Weights.of(rows_[:, 0], rows_[:, 1], rows_[:, 2], n)
    nothing = np.zeros(0, np.int64), np.zeros(0, np.int64)
    return relations(scene, weights, nothing, near(corners(boxes), place(scene)), whole, boxes, groups)


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
    where = place(scene)
    close = near(corners(boxes), where)
    i, j = both_ways(*close)
    covered = common(whole, i, whole, j, where)
    i, j, covered = i[covered > 0], j[covered > 0], covered[covered > 0]
    pixels = hiding(np.where(nearer(i, j), covered, 0), 0, areas[j], slivers)
    weights = Weights.of(i, j, pixels, len(scene))
    weights = without_slivers(weights, whole, whole, None, rows(scene), corners(boxes), slivers)
    return relations(scene, weights, (i, j), close, whole, boxes)
