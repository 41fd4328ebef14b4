"""One order for a picture's detections."""

import dataclasses

import numpy as np
import pytest

from kins import Image, Instance, Mask, Predictor, Scene
from kins.config import load_config
from kins.models.network import assemble
from kins.predict import one_order
from kins.predict.one_order import sequence

SIZE = (60, 90)


def box(x: int, y: int, width: int, height: int) -> Mask:
    return Mask.from_box((x, y, width, height), *SIZE)


NEAR, FAR = box(30, 10, 30, 40), box(10, 12, 40, 20)
"""They share 20 x 20 pixels; the near one reaches further down."""


def scene(*found: tuple[Mask | None, Mask | None, float | None]) -> Scene:
    instances = [Instance(k, 1, "car", whole, seen, score=score) for k, (whole, seen, score) in enumerate(found)]
    return Scene(Image(1, "a.png", *SIZE), tuple(instances))


def visible(given: Scene, **options: float) -> list[Mask | None]:
    return [instance.inmodal for instance in one_order(given, **options)]


def test_what_both_claim_is_the_nearer_ones() -> None:
    given = scene((FAR, FAR, 0.9), (NEAR, NEAR, 0.8))
    assert visible(given) == [FAR - NEAR, NEAR]
    assert visible(given, lower=0) == [FAR, NEAR]  # the masks alone don't decide
    after = one_order(given)
    assert [(e.occluder, e.occluded) for e in after.occlusion().edges] == [(1, 0)]


def test_masks_say_who_is_in_front_against_the_lower_edge() -> None:
    """Of the overlap nearly all is visible as the far one's, which may stand on something."""
    given = scene((FAR, FAR, 0.9), (NEAR, NEAR - FAR, 0.9))
    assert visible(given, lower=0) == [FAR, NEAR - FAR]
    assert visible(given, lower=0.5) == [FAR, NEAR - FAR]
    assert visible(given, lower=5) == [FAR - NEAR, NEAR - FAR]


def test_one_object_seen_twice_and_unsure_detections_hide_nothing() -> None:
    twice = box(12, 12, 40, 22)
    assert visible(scene((FAR, FAR, 0.9), (twice, twice, 0.9))) == [FAR, twice]
    assert visible(scene((FAR, FAR, 0.9), (NEAR, NEAR, 0.5))) == [FAR, NEAR]  # much less sure than the other
    assert visible(scene((FAR, FAR, 0.3), (NEAR, NEAR, 0.29))) == [FAR, NEAR]


@pytest.mark.parametrize("missing", [(None, FAR, 0.9), (FAR, None, 0.9), (FAR, FAR, None), (box(0, 0, 0, 0), FAR, 0.9)])
def test_what_has_no_masks_or_no_score_is_left_alone(missing: tuple[Mask | None, Mask | None, float | None]) -> None:
    given = scene(missing, (NEAR, NEAR, 0.9))
    assert one_order(given)[0] == given[0]
    assert one_order(given)[1].inmodal == NEAR
    assert one_order(dataclasses.replace(given, instances=())).instances == ()


def test_all_that_meet_stand_in_one_sequence() -> None:
    """What merely meets has a place by its lower edge; what is far from the others has a cluster of its own."""
    aside, alone = box(70, 30, 10, 30), box(0, 50, 5, 5)
    found = one_order(scene((FAR, FAR, 0.9), (NEAR, NEAR, 0.8), (aside, aside, 0.1), (alone, alone, 0.9)))
    linked = one_order(scene((FAR, FAR, 0.9), (NEAR, NEAR, 0.8), (box(60, 30, 10, 30), box(60, 30, 10, 30), 0.1)))
    assert found[0].cluster == found[1].cluster
    assert len({i.cluster for i in found}) == 3
    assert [i.order for i in linked] == [2, 1, 0]
    assert len({i.cluster for i in linked}) == 1


def test_in_layers_the_visible_part_is_what_others_leave_of_the_whole() -> None:
    edge, small = box(10, 12, 40, 2), FAR - box(10, 12, 20, 1)
    given = scene((FAR, edge, 0.9), (NEAR, NEAR & box(0, 0, 60, 47), 0.8))
    assert one_order(given)[0].inmodal == edge - NEAR
    assert visible(given, layers=True) == [FAR - NEAR, NEAR]  # whatever their own masks say
    assert visible(scene((FAR, small, 0.9)), layers=True) == [FAR]  # an edge that is merely unsure
    assert visible(scene((FAR, edge, 0.9)), layers=True) == [edge]  # something that was not found hides it
    assert visible(scene((FAR, edge, 0.9), (NEAR, NEAR, 0.4)), layers=True) == [edge, NEAR]
    assert visible(scene((FAR, edge, 0.9), (NEAR, NEAR, 0.5)), layers=True) == [FAR - NEAR, NEAR]


def test_what_hides_comes_first_whatever_its_lower_edge_and_circles_end() -> None:
    before = np.zeros((4, 4), bool)
    before[0, 1] = before[1, 2] = True
    assert sequence(before, [10, 20, 30, 5]) == [0, 1, 2, 3]
    before[2, 0] = True
    assert sequence(before, [10, 20, 30, 5]) == [2, 3, 1, 0]
    assert sequence(np.zeros((0, 0), bool), []) == []


def test_networks_that_say_so_give_their_detections_one_order() -> None:
    small = ["model.score_threshold=0.0", "model.detections=8", "data.short_side=64"]
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3)).astype(np.uint8)
    for name, ordered in (("asn-mlc", False), ("asn-mlc-ordered", True), ("ordered", True), ("layered", True)):
        config = load_config("tiny", [*small, f"model.name={name}"])
        found = Predictor(assemble(config.model, 3), {1: "a", 2: "b", 3: "c"}, config, device="cpu")(picture)
        assert len(found)
        assert {i.order is not None and i.cluster is not None for i in found if i.require("amodal")} <= {ordered}
