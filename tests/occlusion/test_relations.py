"""Occlusion against brute force over decoded masks, and what its definition promises."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from tests.helpers import box, touch
from tests.occlusion.scenes import EVERY_PIXEL, HEIGHT, WIDTH, Array, blobs, make_scene, scenes

import kins
from kins.masks import Mask
from kins.occlusion import (
    Edge,
    Occlusion,
    Slivers,
    disagreements,
    level,
    occlusion,
    occlusion_from_edges,
    occlusion_from_order,
    with_order,
)
from kins.records import Image, Instance, Scene


def brute_edges(scene: Scene, slivers: Slivers) -> set[Edge]:
    """The definition, pixel by pixel."""
    edges = set()
    amodal = [i.amodal.to_array() for i in scene]
    inmodal = [i.inmodal.to_array() for i in scene]
    square = np.ones((slivers.width, slivers.width))
    for i, front in enumerate(inmodal):
        for j, back in enumerate(amodal):
            region = front & back & ~inmodal[j]
            pixels = int(region.sum())
            if i == j or not pixels or pixels < max(slivers.pixels, slivers.fraction * back.sum()):
                continue
            rows, columns = np.nonzero(front & back)
            outline = 2 * (np.ptp(rows) + 1 + np.ptp(columns) + 1) * (slivers.width - 1)
            solid = scipy.ndimage.binary_opening(region, square).sum()
            if pixels > outline or solid >= slivers.pixels:
                edges.add(Edge(i, j, pixels))
    return edges


def brute_clusters(scene: Scene, edges: set[Edge]) -> list[set[int]]:
    cross = scipy.ndimage.generate_binary_structure(2, 1)
    amodal = [i.amodal.to_array() for i in scene]
    grown = [scipy.ndimage.binary_dilation(array, cross) for array in amodal]
    parts = [{k} for k in range(len(amodal))]
    linked = {(e.occluder, e.occluded) for e in edges}
    linked |= {(i, j) for i in range(len(amodal)) for j in range(i) if (grown[i] & amodal[j]).any()}
    for i, j in linked:
        one, other = (next(p for p in parts if k in p) for k in (i, j))
        if one is not other:
            parts.remove(other)
            one |= other
    return parts


@settings(max_examples=300, deadline=None)
@given(scenes(), st.sampled_from([EVERY_PIXEL, Slivers(), Slivers(3, 0.02, 3)]))
def test_edges_clusters_and_rates_equal_brute_force(scene: Scene, slivers: Slivers) -> None:
    found = occlusion(scene, slivers)
    edges = brute_edges(scene, slivers)
    assert set(found.edges) == edges
    assert len(found.edges) == len(edges)
    clusters = [
        set(np.flatnonzero(found.clusters == c).tolist()) for c in range(int(found.clusters.max(initial=-1)) + 1)
    ]
    assert sorted(map(sorted, clusters)) == sorted(map(sorted, brute_clusters(scene, edges)))
    lowest = [min(scene[k].id for k in members) for members in clusters]
    assert lowest == sorted(lowest)
    for instance, rate, hidden in zip(scene, found.rates, found.hidden, strict=True):
        amodal, inmodal = instance.amodal.to_array(), instance.inmodal.to_array()
        assert (hidden.to_array() == (amodal & ~inmodal)).all()
        assert rate == pytest.approx((amodal & ~inmodal).sum() / amodal.sum() if amodal.any() else 0)


def check_order(scene: Scene, found: Occlusion) -> None:
    """The order is that of the longest ways over the decided edges without those that break cycles."""
    weights = {(e.occluder, e.occluded): e.pixels for e in found.edges}
    decided = {(i, j) for i, j in weights if found.matrix()[i, j] == 1}
    for i, j in weights:
        assert (i, j) in decided or (j, i) in decided
        assert ((i, j) in decided and (j, i) in decided) is False
        if weights[i, j] > weights.get((j, i), 0):
            assert (i, j) in decided
    removed = {(c.removed.occluder, c.removed.occluded) for c in found.cycles}
    for cycle in found.cycles:
        ring = list(zip(cycle.members, cycle.members[1:] + cycle.members[:1], strict=True))
        assert (cycle.removed.occluder, cycle.removed.occluded) in ring
        assert all(edge in weights for edge in ring)
        assert cycle.removed.pixels == min(weights[edge] for edge in ring)
    kept = decided - removed
    for j in range(len(scene)):
        assert found.order[j] == max((found.order[i] + 1 for i, k in kept if k == j), default=0)
    assert (found.matrix() == -found.matrix().T).all()


@settings(max_examples=300, deadline=None)
@given(scenes())
def test_order_follows_the_edges(scene: Scene) -> None:
    check_order(scene, occlusion(scene, EVERY_PIXEL))
    check_order(scene, occlusion(scene))


def by_id(scene: Scene, found: Occlusion) -> tuple[Any, ...]:
    ids = [i.id for i in scene]
    edges = {(ids[e.occluder], ids[e.occluded], e.pixels) for e in found.edges}
    removed = {(ids[c.removed.occluder], ids[c.removed.occluded], c.removed.pixels) for c in found.cycles}
    numbers = {i: (int(c), int(o)) for i, c, o in zip(ids, found.clusters, found.order, strict=True)}
    return edges, removed, numbers


@settings(max_examples=150, deadline=None)
@given(scenes(), st.randoms(use_true_random=False), st.booleans())
def test_neither_sequence_nor_mirroring_matters(scene: Scene, random: Any, scored: bool) -> None:
    if scored:
        scene = scene.replace(instances=tuple(i.replace(score=round(random.random(), 1)) for i in scene))
    shuffled = list(scene.instances)
    random.shuffle(shuffled)
    expected = by_id(scene, occlusion(scene, EVERY_PIXEL))
    permuted = scene.replace(instances=tuple(shuffled))
    assert by_id(permuted, occlusion(permuted, EVERY_PIXEL)) == expected
    mirrored = scene.replace(
        instances=tuple(i.replace(amodal=i.amodal.mirrored(), inmodal=i.inmodal.mirrored()) for i in scene)
    )
    assert by_id(mirrored, occlusion(mirrored, EVERY_PIXEL)) == expected
    assert by_id(mirrored, occlusion(mirrored)) == by_id(scene, occlusion(scene))


@settings(max_examples=300, deadline=None)
@given(blobs(), blobs())
def test_touch_is_overlap_or_a_common_side(first: Array, second: Array) -> None:
    grown = scipy.ndimage.binary_dilation(first, scipy.ndimage.generate_binary_structure(2, 1))
    assert touch(Mask.from_array(first), Mask.from_array(second)) == bool((grown & second).any())


def test_a_pixel_at_the_bottom_does_not_touch_the_top_of_the_next_column() -> None:
    first, second = np.zeros((2, HEIGHT, WIDTH), bool)
    first[HEIGHT - 1, 4] = second[0, 5] = True
    assert not touch(Mask.from_array(first), Mask.from_array(second))
    assert not touch(Mask.from_array(second), Mask.from_array(first))


def test_three_cars_in_a_row() -> None:
    front, middle, last = box(0, 10, 20, 20), box(12, 10, 20, 20), box(24, 10, 20, 20)
    alone = box(50, 0, 5, 5)
    scene = make_scene([(last, last & ~middle), (middle, middle & ~front), (front, front), (alone, alone)])
    found = scene.occlusion()
    assert found.edges == (Edge(1, 0, 160), Edge(2, 1, 160))
    assert found.order.tolist() == [2, 1, 0, 0]
    assert found.clusters.tolist() == [0, 0, 0, 1]
    assert found.rates.tolist() == pytest.approx([0.4, 0.4, 0, 0])
    assert found.levels == ["heavy", "heavy", "none", "none"]
    assert found.occluded.tolist() == [True, True, False, False]
    assert found.occluders(0) == [1]
    assert found.matrix().tolist() == [[0, -1, 0, 0], [1, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]


def test_empty_scene() -> None:
    found = make_scene([]).occlusion()
    assert found.edges == found.cycles == ()
    assert found.matrix().shape == (0, 0)
    assert with_order(make_scene([])) == make_scene([])


@pytest.mark.parametrize(
    ("rate", "name"),
    [(0, "none"), (0.0099, "none"), (0.01, "partial"), (0.25, "partial"), (0.2501, "heavy"), (1, "heavy")],
)
def test_levels(rate: float, name: str) -> None:
    assert level(rate) == name


def test_interlocked_objects_have_both_edges_and_the_larger_decides() -> None:
    beam, post = box(0, 10, 60, 10), box(20, 0, 10, 40)
    corner = box(20, 10, 10, 3)
    found = make_scene([(beam, beam & ~(post & ~corner)), (post, post & ~corner)]).occlusion()
    assert found.edges == (Edge(0, 1, 30), Edge(1, 0, 70))
    assert found.order.tolist() == [1, 0]
    assert found.matrix()[1, 0] == 1
    assert found.cycles == ()


def test_a_tie_is_decided_the_same_way_always_and_reported() -> None:
    beam, post = box(0, 10, 60, 10), box(20, 0, 10, 40)
    corner = box(20, 10, 10, 5)
    masks = [(beam, beam & ~(post & ~corner)), (post, post & ~corner)]
    for ids in ([1, 2], [2, 1]):
        found = make_scene(masks, id=ids).occlusion()
        assert found.order.tolist() == [0, 1]  # the post loses a larger share of its area
        assert found.cycles[0].removed == Edge(1, 0, 50)


def three_leaves() -> list[tuple[Array, Array]]:
    """Each hides part of the next, as the flaps of a closed carton do."""
    leaves = [box(0, 0, 30, 12), box(20, 0, 10, 30), box(0, 0, 9, 30) | box(0, 20, 30, 10)]
    return [(leaf, leaf & ~leaves[k - 1]) for k, leaf in enumerate(leaves)]


def test_a_cycle_is_broken_at_its_weakest_edge_and_reported() -> None:
    found = make_scene(three_leaves()).occlusion()
    assert set(found.edges) == {Edge(0, 1, 120), Edge(1, 2, 100), Edge(2, 0, 108)}
    assert [cycle.removed for cycle in found.cycles] == [Edge(1, 2, 100)]
    assert sorted(found.cycles[0].members) == [0, 1, 2]
    assert found.order.tolist() == [1, 2, 0]
    assert found.matrix()[1, 2] == 1  # the pair itself is not in doubt


def test_hidden_outside_of_the_amodal_mask_is_not_hidden() -> None:
    """An inmodal mask that leaks out of its amodal one hides what it covers, and leads to one cluster."""
    small, other = box(0, 0, 10, 10), box(20, 0, 20, 20)
    leak = small | box(20, 0, 10, 20)
    found = make_scene([(small, leak), (other, other & ~leak)]).occlusion()
    assert found.edges == (Edge(0, 1, 200),)
    assert found.clusters.tolist() == [0, 0]
    assert found.rates.tolist() == [0, 0.5]


@pytest.mark.parametrize("rounding", [np.round, np.floor, lambda p: np.round(p, 1)])
def test_slivers_of_rounded_polygons_make_no_edges(rounding: Any) -> None:
    """Nothing is hidden, but the amodal polygon was rounded and the inmodal one was not."""
    rng = np.random.default_rng(3)
    slivers = 0
    for _ in range(150):
        points = int(rng.integers(6, 40))
        width, height = rng.uniform(10, 200, 2)
        angle, radius = np.sort(rng.uniform(0, 2 * math.pi, points)), 1 + 0.1 * rng.standard_normal(points)
        exact = np.stack(
            [150 + width / 2 * radius * np.cos(angle) + rng.random(), 120 + height / 2 * radius * np.sin(angle)], 1
        )
        amodal = Mask.from_polygons([rounding(exact).ravel().tolist()], 240, 300)
        inmodal = Mask.from_polygons([exact.ravel().tolist()], 240, 300)
        around = Mask.from_box((0, 0, 300, 240), 240, 300) - inmodal  # the worst neighbour: it fills every gap
        scene = Scene(
            Image(1, "a.png", 240, 300),
            (Instance(1, 1, "car", around, around), Instance(2, 1, "car", amodal, inmodal)),
        )
        slivers += bool(occlusion(scene, EVERY_PIXEL).edges)
        assert occlusion(scene).edges == ()
    assert slivers > 100


def test_a_small_object_before_a_large_one_is_no_sliver() -> None:
    tram, person = box(0, 0, 300, 100, (120, 320)), box(100, 88, 5, 12, (120, 320))
    found = make_scene([(tram, tram & ~person), (person, person)]).occlusion()
    assert found.edges == (Edge(1, 0, 60),)


# Predictions.


def jittered(array: Array, rng: np.random.Generator) -> Array:
    """The same shape a pixel or two off, with a ragged outline, as a network predicts one object again."""
    moved = np.roll(array, tuple(rng.integers(-2, 3, 2)), (0, 1))
    near = scipy.ndimage.binary_dilation(moved, iterations=2) & ~scipy.ndimage.binary_erosion(moved, iterations=2)
    return np.where(near, scipy.ndimage.gaussian_filter(rng.standard_normal(array.shape), 1) > 0, moved)


def detections(copies: int, seed: int) -> tuple[Scene, list[int]]:
    """Three cars in a row, each detected several times; with the true order of each detection."""
    rng = np.random.default_rng(seed)
    cars = [box(10 + 36 * k, 30, 60, 40, (100, 160)) for k in range(3)]
    masks, truth = [], []
    for k, car in enumerate(cars):
        seen = car & ~np.any([car & False, *cars[:k]], axis=0)
        for _ in range(copies):
            amodal = jittered(car, rng)
            masks.append((amodal, jittered(seen, rng) & amodal))
            truth.append(k)
    shuffle = rng.permutation(len(masks))
    scores = rng.random(len(masks)).tolist()
    return make_scene([masks[k] for k in shuffle], score=scores), [truth[k] for k in shuffle]


@pytest.mark.parametrize("seed", range(10))
def test_duplicated_detections_make_no_chains(seed: int) -> None:
    scene, truth = detections(6, seed)
    found = occlusion(scene)
    assert found.order.tolist() == truth
    assert set(found.clusters.tolist()) == {0}
    plain = occlusion(scene, predicted=False)
    assert plain.order.max() > 2  # what this guards against


def test_nested_detections_do_not_hide_each_other() -> None:
    """A part of a car detected as a car of its own, and a box around two cars, hide nothing that is seen."""
    rng = np.random.default_rng(0)
    car, next_car = box(20, 20, 60, 40, (100, 160)), box(70, 20, 60, 40, (100, 160))
    seen = next_car & ~car
    parts = [box(20 + 8 * k, 24, 20, 30, (100, 160)) for k in range(6)]
    masks = [(car, car), (next_car, seen), (car | next_car, car | next_car)]
    masks += [(jittered(part, rng), jittered(part & car, rng)) for part in parts]
    found = occlusion(make_scene(masks, score=[0.9, 0.8, 0.3] + [0.5] * 6))
    assert Edge(0, 1, 400) in found.edges
    assert found.order.max() == 1
    assert found.order[[0, 1]].tolist() == [0, 1]


def test_a_person_predicted_before_a_car_is_in_front() -> None:
    """Visible masks that run into each other a little do not undo an edge."""
    car, person = box(10, 30, 80, 40, (100, 160)), box(40, 20, 16, 50, (100, 160))
    loose = scipy.ndimage.binary_erosion(person, iterations=2)
    found = occlusion(make_scene([(car, car & ~loose), (person, person)], score=[0.9, 0.9]))
    assert [edge[:2] for edge in found.edges] == [(1, 0)]


# Real annotations.


@pytest.mark.parametrize("name", ["1", "2", "4"])
def test_derived_order_agrees_with_the_annotators(samples: Path, name: str) -> None:
    """Every pair whose amodal masks overlap by more than rounding; there are no exceptions."""
    (scene,) = kins.load(samples / f"{name}.json", images=samples)
    derived = occlusion(scene)
    stated = occlusion_from_order(scene)
    pairs = [(e.occluder, e.occluded) for e in stated.edges]
    assert len(pairs) == {"1": 1, "2": 10, "4": 7}[name]
    assert [pair for pair in pairs if derived.order[pair[0]] >= derived.order[pair[1]]] == []
    assert [(e.occluder, e.occluded) for e in derived.edges if (e.occluder, e.occluded) not in pairs] == []
    assert disagreements(scene, derived) == []
    assert derived.cycles == ()
    assert derived.clusters.tolist() == stated.clusters.tolist()


@pytest.mark.parametrize("name", ["1", "2", "4"])
def test_every_overlapping_pair_of_the_samples_pixel_by_pixel(samples: Path, name: str) -> None:
    """The same without kins's own idea of a sliver: one shared pixel makes a pair."""
    (scene,) = kins.load(samples / f"{name}.json", images=samples)
    derived = occlusion(scene)
    arrays = [i.amodal.to_array() for i in scene]
    for i in range(len(scene)):
        for j in range(len(scene)):
            first, second = scene[i].order, scene[j].order
            assert first is not None
            assert second is not None
            if first < second and (arrays[i] & arrays[j]).any():
                assert derived.order[i] < derived.order[j], (i, j, int((arrays[i] & arrays[j]).sum()))


def test_edges_from_elsewhere() -> None:
    masks = [Mask.from_box((x, 0, 6, 8), 8, 40) for x in (0, 6, 12, 30)]
    scene = Scene(Image(1, "a.png", 8, 40), tuple(Instance(n, 1, "x", inmodal=mask) for n, mask in enumerate(masks)))
    found = occlusion_from_edges(scene, [(0, 1, 900), (1, 2, 800), (2, 0, 600), (1, 0, 700)])
    assert [edge.pixels for edge in found.edges] == [900, 700, 800, 600], "both directions stay"
    assert found.matrix()[:3, :3].tolist() == [[0, 1, -1], [-1, 0, 1], [1, -1, 0]]
    assert [(set(cycle.members), cycle.removed[:2]) for cycle in found.cycles] == [({0, 1, 2}, (2, 0))]
    assert found.order.tolist() == [0, 1, 2, 0]
    assert found.clusters.tolist() == [0, 0, 0, 1]
    assert occlusion_from_edges(scene, [(0, 3, 1)]).clusters.tolist() == [0, 0, 0, 0], "a pair is one cluster"
    for bad in ((0, 4, 1), (-1, 0, 1), (1, 1, 1), (0, 1, 0)):
        with pytest.raises(kins.KinsError, match=r"a\.png: no edge from"):
            occlusion_from_edges(scene, [bad])
