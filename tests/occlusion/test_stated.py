"""Occlusion from depths, from a stored order and from what a file states, and where that and the masks disagree."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from tests.helpers import box
from tests.occlusion.scenes import EVERY_PIXEL, Array, blobs, make_scene, scenes

import kins
from kins.occlusion import (
    Edge,
    disagreements,
    occlusion,
    occlusion_from_depth,
    occlusion_from_order,
    relations_of,
    with_order,
)
from kins.records import Scene


def test_from_depth() -> None:
    a, b, c, apart = box(0, 0, 20, 20), box(10, 0, 20, 20), box(20, 0, 20, 20), box(50, 30, 5, 5)
    scene = make_scene([(m, m) for m in (a, b, c, apart)])
    found = occlusion_from_depth(scene, [30.0, 10.0, 20.0, 1.0])
    assert found.edges == (Edge(1, 0, 200), Edge(1, 2, 200))
    assert found.order.tolist() == [1, 0, 1, 0]
    assert found.clusters.tolist() == [0, 0, 0, 1]
    assert occlusion_from_depth(scene, [5.0] * 4).edges == ()
    with pytest.raises(kins.KinsError, match="3 depths for 4 instances"):
        occlusion_from_depth(scene, [1, 2, 3])
    with pytest.raises(kins.KinsError, match="not finite"):
        occlusion_from_depth(scene, [1, 2, 3, math.nan])


@settings(max_examples=100, deadline=None)
@given(st.lists(blobs(), max_size=6), st.randoms(use_true_random=False))
def test_stacked_scene_has_the_same_clusters_and_no_contradiction_from_masks_and_depth(
    arrays: list[Array], random: Any
) -> None:
    depths = [random.random() for _ in arrays]
    seen = [
        array
        & ~np.any([other for other, d in zip(arrays, depths, strict=True) if d < depth] or [array & False], axis=0)
        for array, depth in zip(arrays, depths, strict=True)
    ]
    scene = make_scene(list(zip(arrays, seen, strict=True)))
    masks, depth = occlusion(scene, EVERY_PIXEL), occlusion_from_depth(scene, depths, EVERY_PIXEL)
    assert masks.clusters.tolist() == depth.clusters.tolist()
    assert masks.cycles == depth.cycles == ()
    assert {e[:2] for e in masks.edges} <= {e[:2] for e in depth.edges}
    assert disagreements(with_order(scene, depth), masks) == []


def test_from_stored_order() -> None:
    a, b, c = box(0, 0, 20, 20), box(10, 0, 20, 20), box(20, 0, 20, 20)
    scene = make_scene([(m, m) for m in (a, b, c)], order=[3, 1, 2], cluster=[7, 7, 7])
    assert occlusion_from_order(scene).edges == (Edge(1, 0, 200), Edge(1, 2, 200))
    assert occlusion_from_order(scene, constraints=[(0, 1)]).edges == (Edge(0, 1, 200), Edge(1, 2, 200))
    other = scene.replace(instances=(scene[0].replace(cluster=1), *scene.instances[1:]))
    assert occlusion_from_order(other).edges == (Edge(1, 2, 200),)
    lost = scene.replace(instances=(scene[0].replace(order=None), *scene.instances[1:]))
    with pytest.raises(kins.KinsError, match="instance 1 has no order"):
        occlusion_from_order(lost)
    assert occlusion_from_order(lost, constraints=[(0, 1)]).edges[0] == Edge(0, 1, 200)


def test_relations_from_what_there_is() -> None:
    """By the masks, or else by the order; what an annotator said goes first where that is asked for."""
    front, back = box(5, 5, 10, 10), box(10, 5, 20, 10)
    scene = make_scene([(front, front), (back, back & ~front)])
    stated = make_scene([(front, front), (back, back & ~front)], order=[1, 0])
    lacking = stated.replace(instances=tuple(i.replace(inmodal=None) for i in stated))
    nothing = scene.replace(instances=tuple(i.replace(inmodal=None) for i in scene))

    def order(scene: Scene, **options: bool) -> list[int] | None:
        relations = relations_of(scene, **options)
        return None if relations is None else relations.order.tolist()

    assert order(scene) == order(stated) == order(scene, stated_first=True) == [0, 1]
    assert order(stated, stated_first=True) == order(lacking) == [1, 0]
    assert order(nothing) is None
    assert order(scene.replace(instances=())) == []


def test_depth_constraint_of_a_cocoa_file(tmp_path: Path) -> None:
    square = [[0, 0, 20, 0, 20, 20, 0, 20], [10, 0, 30, 0, 30, 20, 10, 20]]
    regions = [{"segmentation": s, "name": "thing", "order": k + 1} for k, s in enumerate(square)]
    entry = {"image_id": 1, "id": 1, "regions": regions, "depth_constraint": "2-1"}
    images = [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 30}]
    path = tmp_path / "cocoa.json"
    path.write_text(json.dumps({"images": images, "annotations": [entry]}))
    (edge,) = occlusion_from_order(kins.load(path)[1]).edges
    assert edge == Edge(1, 0, 200)


def test_disagreements_name_the_pair() -> None:
    front, back = box(0, 0, 20, 20), box(10, 0, 20, 20)
    masks = [(front, front), (back, back & ~front)]
    assert disagreements(make_scene(masks, order=[0, 1], cluster=[0, 0])) == []
    assert disagreements(make_scene(masks, order=[3, 9], cluster=[5, 5])) == []
    assert disagreements(make_scene(masks)) == []
    (found,) = disagreements(make_scene(masks, order=[1, 0], cluster=[0, 0]))
    assert found == (0, 1, 200, "order 1 against 0")
    (found,) = disagreements(make_scene(masks, order=[0, 0], cluster=[0, 0]))
    assert found.stored == "order 0 against 0"
    (found,) = disagreements(make_scene(masks, order=[0, 1], cluster=[0, 1]))
    assert found.stored == "cluster 0 against 1"


@settings(max_examples=50, deadline=None)
@given(scenes())
def test_derived_order_disagrees_with_nothing(scene: Scene) -> None:
    assert disagreements(with_order(scene)) == []
