"""From the state of a layer to masks: who is in front covers who is behind, and what remains is seen.

All on run lengths. An object's visible mask is its whole mask without those of the objects that are nearer; within the
region of an exception the order of its pair is the other way round. So visible masks never overlap, and never leave the
whole mask.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

import msgspec
import numpy as np
import numpy.typing as npt

from kins.annotate.operations import UNIT, Ring, State, key
from kins.errors import KinsError
from kins.masks import Mask, spans, union
from kins.masks.many import overlaps
from kins.masks.trace import trace
from kins.occlusion import ROUNDING, Occlusion, occlusion_from_order
from kins.occlusion.contact import corners, hiding, without_slivers
from kins.occlusion.ranking import Weights
from kins.records import Image, Instance, Scene

Ints = npt.NDArray[np.int64]


class Direction(msgspec.Struct, frozen=True, gc=False):
    """Who of two objects that overlap is nearer; not `confirmed` where that is only a guess."""

    nearer: str
    farther: str
    confirmed: bool


@dataclasses.dataclass(frozen=True)
class Painted:
    """A layer's objects and occluders as masks.

    Attributes:
        ids: of all, in the order of adding; the index of an object in what follows.
        occluders: whether each only hides.
        amodal, inmodal: masks. Occluders have them, too.
        pairs: of objects that overlap by more than rounding, each once.
        ahead: (n, n) bool, whether i is nearer than j and they have pixels in common.
        exempt: pairs of indices (nearer, farther) that have an exception.
    """

    ids: tuple[str, ...]
    occluders: tuple[bool, ...]
    amodal: tuple[Mask, ...]
    inmodal: tuple[Mask, ...]
    pairs: tuple[Direction, ...]
    ahead: npt.NDArray[np.bool_]
    exempt: frozenset[tuple[int, int]]


def paint(
    state: State, width: int, height: int, hiding_only: Collection[int] = (), proposed: Collection[tuple[int, int]] = ()
) -> Painted:
    """Both masks of every object.

    Args:
        hiding_only: categories of occluders, which are nearer than everything else.
        proposed: pairs of proposals (nearer, farther), as which the objects made of them are taken until someone says.
    """
    ids, occluders, amodal = _things(state, width, height, hiding_only)
    ahead, listed = _directions(state, ids, occluders, amodal, height, proposed)
    exempt = _regions(state, ids, ahead, width, height)
    inmodal = _visible(amodal, ahead, exempt, width, height)
    pairs = _named(state, ids, listed)
    return Painted(ids, tuple(occluders.tolist()), amodal, inmodal, pairs, ahead, frozenset(exempt))


def pairs_of(
    state: State, width: int, height: int, hiding_only: Collection[int] = (), proposed: Collection[tuple[int, int]] = ()
) -> tuple[Direction, ...]:
    """The pairs of objects that overlap by more than rounding, those that nobody confirmed as a guess; as `paint`."""
    ids, occluders, amodal = _things(state, width, height, hiding_only)
    return _named(state, ids, _directions(state, ids, occluders, amodal, height, proposed)[1])


def _things(
    state: State, width: int, height: int, hiding_only: Collection[int]
) -> tuple[tuple[str, ...], npt.NDArray[np.bool_], tuple[Mask, ...]]:
    """Ids, which are occluders, and whole masks."""
    things = list(state.objects.values())
    occluders = np.array([thing.category in hiding_only for thing in things], bool)
    return tuple(state.objects), occluders, masks_of([thing.rings for thing in things], width, height)


def _named(state: State, ids: tuple[str, ...], listed: npt.NDArray[np.bool_]) -> tuple[Direction, ...]:
    pairs = np.argwhere(listed).tolist()
    return tuple(Direction(ids[i], ids[j], key(ids[i], ids[j]) in state.pairs) for i, j in pairs)


def masks_of(outlines: Sequence[tuple[Ring, ...]], width: int, height: int) -> tuple[Mask, ...]:
    """What each object's rings enclose: the union of its outlines without its holes, clipped at the image."""
    return tuple(_mask(rings, width, height) for rings in outlines)


@lru_cache(8192)
def _mask(rings: tuple[Ring, ...], width: int, height: int) -> Mask:
    drawn = [[_polygon(ring.points) for ring in rings if ring.hole is hole] for hole in (False, True)]
    mask = Mask.from_polygons(drawn[0], height, width)
    mask = mask - Mask.from_polygons(drawn[1], height, width) if drawn[1] else mask
    return Mask(height, width, mask.counts)  # without the polygons, which the rings hold


def _polygon(points: tuple[int, ...]) -> list[float]:
    return [number / UNIT for number in points]


def rings_of(mask: Mask) -> tuple[Ring, ...]:
    """Outlines that give exactly these pixels: the polygons that the mask was made of, if they do, or else traced."""
    for polygons in (mask.polygons, None):
        polygons = trace(mask) if polygons is None else polygons
        rings = tuple(Ring(False, tuple(round(n * UNIT) for n in ring)) for ring in polygons if len(ring) >= 6)
        if rings and _mask(rings, mask.width, mask.height) == mask:
            return rings
    return ()


def _directions(
    state: State,
    ids: tuple[str, ...],
    occluders: npt.NDArray[np.bool_],
    amodal: Sequence[Mask],
    height: int,
    proposed: Collection[tuple[int, int]],
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """(n, n) who is nearer among those that have pixels in common; and which of these are pairs to be told about."""
    n = len(ids)
    if not n:
        return np.zeros((0, 0), bool), np.zeros((0, 0), bool)
    whole, areas, boxes = spans(amodal)
    overlap = overlaps(whole, boxes, whole, boxes)
    np.fill_diagonal(overlap, 0)
    nearer = _guess(boxes)
    for i, j in _proposed(state, proposed):
        nearer[i, j], nearer[j, i] = True, False
    index = {name: i for i, name in enumerate(ids)}
    for pair in state.pairs.values():
        i, j = index[pair.nearer], index[pair.farther]
        nearer[i, j], nearer[j, i] = True, False
    nearer[occluders[:, None] != occluders[None, :]] = False
    nearer |= occluders[:, None] & ~occluders[None, :]
    nearer[occluders[:, None] & occluders[None, :]] = False
    ahead = nearer & (overlap > 0)
    rows, others = np.nonzero(overlap > 0)
    weights = Weights.of(rows, others, hiding(overlap[rows, others], 0, areas[others], ROUNDING), n)
    weights = without_slivers(weights, whole, whole, None, height, corners(boxes), ROUNDING)
    kept = np.zeros((n, n), bool)
    kept[weights.front, weights.back] = True
    things = ~occluders[:, None] & ~occluders[None, :]
    return ahead, ahead & things & (kept | kept.T)


def _guess(boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """(n, n) whether i is taken for nearer than j: it ends lower in the image; of two equal ones the newer."""
    bottoms = boxes[1] + boxes[3]
    later = np.arange(bottoms.size)
    equal = bottoms[:, None] == bottoms[None, :]
    return np.asarray((bottoms[:, None] > bottoms[None, :]) | (equal & (later[:, None] > later[None, :])))


def _proposed(state: State, proposed: Collection[tuple[int, int]]) -> list[tuple[int, int]]:
    """Indices of the objects that were made of these pairs of proposals."""
    of = {thing.origin.proposal: index for index, thing in enumerate(state.objects.values())}
    return [(of[near], of[far]) for near, far in proposed if near in of and far in of]


def _regions(
    state: State, ids: tuple[str, ...], ahead: npt.NDArray[np.bool_], width: int, height: int
) -> dict[tuple[int, int], Mask]:
    """The regions of exceptions by the pair's indices (nearer, farther) as they are now."""
    index = {name: i for i, name in enumerate(ids)}
    found: dict[tuple[int, int], Mask] = {}
    for known in state.exceptions.values():
        i, j = index[known.nearer], index[known.farther]
        pair = (j, i) if ahead[j, i] else (i, j)
        region = _mask((Ring(False, known.points),), width, height)
        found[pair] = found[pair] | region if pair in found else region
    return found


def _visible(
    amodal: Sequence[Mask],
    ahead: npt.NDArray[np.bool_],
    exempt: Mapping[tuple[int, int], Mask],
    width: int,
    height: int,
) -> tuple[Mask, ...]:
    visible = []
    for index, mask in enumerate(amodal):
        front = []
        for other in np.flatnonzero(ahead[:, index]).tolist():
            region = exempt.get((other, index))
            front.append(amodal[other] if region is None else amodal[other] - region)
        for (nearer, farther), region in exempt.items():
            if nearer == index and ahead[nearer, farther]:
                front.append(amodal[farther] & region)
        visible.append(mask - union(front, height, width) if front else mask)
    return tuple(visible)


def cycles(painted: Painted) -> list[list[str]]:
    """Objects of which each is nearer than the next and the last nearer than the first, without an exception among
    them: the ids of each such group."""
    import networkx as nx

    index = {name: i for i, name in enumerate(painted.ids)}
    graph: nx.DiGraph[str] = nx.DiGraph(
        (pair.nearer, pair.farther)
        for pair in painted.pairs
        if (index[pair.nearer], index[pair.farther]) not in painted.exempt
    )
    groups = [group for group in nx.strongly_connected_components(graph) if len(group) > 1]
    return sorted(sorted(group, key=index.__getitem__) for group in groups)


def scene_of(
    state: State, painted: Painted, image: Image, categories: Mapping[int, str], first_id: int = 1, missing: str = ""
) -> Scene:
    """The layer as kins has it: an instance for each object that is no occluder and has a class, with its order.

    Args:
        categories: names by id.
        first_id: of the instances, which are numbered from there on.
        missing: name of the class of objects that have none; they are left out if it is empty.

    Raises:
        KinsError: an object that is outside of the image has no pixels.
    """
    kept = [
        (index, thing)
        for index, thing in enumerate(state.objects.values())
        if not painted.occluders[index] and (thing.category is not None or missing)
    ]
    for index, thing in kept:
        if not painted.amodal[index]:
            raise KinsError(f"image {image.file_name}: object {thing.id} has no pixel inside of the image; remove it")
    instances = tuple(
        Instance(
            first_id + number,
            0 if thing.category is None else thing.category,
            missing if thing.category is None else categories[thing.category],
            painted.amodal[index],
            painted.inmodal[index],
        )
        for number, (index, thing) in enumerate(kept)
    )
    scene = Scene(image, instances)
    relations = _order(scene, painted.ahead[np.ix_(*[[index for index, _ in kept]] * 2)] if kept else None)
    ordered = zip(scene, relations.clusters.tolist(), relations.order.tolist(), strict=True)
    return scene.replace(instances=tuple(i.replace(cluster=cluster, order=order) for i, cluster, order in ordered))


def _order(scene: Scene, ahead: npt.NDArray[np.bool_] | None) -> Occlusion:
    """Clusters and order as the annotator said."""
    constraints: Iterable[tuple[int, int]] = () if ahead is None else [(i, j) for i, j in np.argwhere(ahead).tolist()]
    return occlusion_from_order(scene, constraints)


def hidden_share(amodal: Mask, inmodal: Mask) -> float:
    """How much of an object is hidden, from 0 to 1."""
    return 1 - inmodal.area / amodal.area if amodal.area else 0.0
