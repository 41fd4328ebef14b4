"""AP and AR against pycocotools, slices against a plain reference."""

import dataclasses
import json
import pickle
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.workloads import CATEGORIES, STATS, coco_evaluation, sliced_ap, workload

from kins import Dataset, KinsError, Scene
from kins.evaluation import SLICES, Evaluator, Results, evaluate, evaluate_shards
from kins.evaluation.results import without_nan
from kins.evaluation.slices import COCOA_SLICES, parse_slices

KINDS = ("box", "amodal", "inmodal")


def assert_agrees(dataset: Dataset, predictions: Dataset, results: Results | None = None) -> None:
    results = results or evaluate(dataset, predictions)
    for kind in KINDS:
        oracle = coco_evaluation(dataset, predictions, kind)
        ours = results.kinds[kind]
        expected = np.where(oracle.stats < 0, np.nan, 100 * oracle.stats)
        np.testing.assert_allclose([ours[name] for name in STATS], expected, atol=1e-6, err_msg=kind)
        precision = oracle.eval["precision"][:, :, :, 0, 2]
        np.testing.assert_allclose(ours.curves.precision, np.where(precision < 0, np.nan, precision), atol=1e-6)
        recall = oracle.eval["recall"][:, :, 0, :]
        np.testing.assert_allclose(ours.curves.recall, np.where(recall < 0, np.nan, recall), atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("crowds", [False, True])
def test_agrees_with_pycocotools(seed: int, ties: bool, crowds: bool) -> None:
    assert_agrees(*workload(seed, ties=ties, crowds=crowds))


@given(st.integers(0, 2**31), st.booleans(), st.booleans(), st.floats(0, 1))
@settings(max_examples=12, deadline=None)
def test_agrees_with_pycocotools_on_anything(seed: int, ties: bool, crowds: bool, scores: float) -> None:
    assert_agrees(*workload(seed, images=4, ties=ties, crowds=crowds, scores=scores))


@pytest.mark.parametrize(("kind", "stated"), [("box", "mask"), ("amodal", "box and mask")])
def test_sizes_are_those_of_what_is_compared(kind: str, stated: str) -> None:
    """pycocotools takes a box's size from the mask where no box is stated, a mask's from the box where one is."""
    dataset, predictions = workload(2, images=30)
    ours = evaluate(dataset, predictions).kinds[kind]
    theirs, alone = coco_evaluation(dataset, predictions, kind, stated), coco_evaluation(dataset, predictions, kind)
    sized = [name[-1] in "sml" for name in STATS]
    for name, value, expected, other in zip(STATS, theirs.stats, alone.stats, sized, strict=True):
        assert ours[name] == pytest.approx(100 * expected, abs=1e-6, nan_ok=True) or expected < 0
        assert other or ours[name] == pytest.approx(100 * value, abs=1e-6)
    assert any(abs(ours[name] - 100 * value) > 0.01 for name, value in zip(STATS, theirs.stats, strict=True))


def test_one_image() -> None:
    assert_agrees(*workload(3, images=1, objects=20))


def test_many_detections_of_one_class() -> None:
    """More than 100 in an image: the rest doesn't count."""
    dataset, predictions = workload(1, images=2, objects=400, ties=True)
    assert max(sum(i.category_id == 4 for i in scene) for scene in predictions) > 100
    assert_agrees(dataset, predictions)


def test_no_detection() -> None:
    dataset, predictions = workload(2)
    nothing = predictions.map(lambda scene: scene.replace(instances=()))
    assert_agrees(dataset, nothing)
    assert evaluate(dataset, nothing).amodal["AP"] == 0


def test_no_ground_truth() -> None:
    dataset, predictions = workload(2)
    results = evaluate(dataset.map(lambda scene: scene.replace(instances=())), predictions)
    assert np.isnan(results.amodal["AP"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("seed", "ties", "crowds"), [(0, False, False), (1, True, False), (2, False, True)])
def test_slices_agree_with_plain_reference(kind: str, seed: int, ties: bool, crowds: bool) -> None:
    dataset, predictions = workload(seed, images=8, ties=ties, crowds=crowds)
    results = evaluate(dataset, predictions)
    levels = {
        "none": lambda rate: rate < 0.01,
        "partial": lambda rate: 0.01 <= rate <= 0.25,
        "heavy": lambda rate: rate > 0.25,
        "occluded": lambda rate: rate > 0.15,
    }
    assert [part.name for part in SLICES] == list(levels)
    for name, inside in levels.items():
        expected = sliced_ap(dataset, predictions, kind, inside)
        assert results.kinds[kind].slices[name]["AP"] == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_slices_of_cocoa() -> None:
    """Its bounds are 0.00001 and 0.25, and a rate on a bound is in both levels."""
    slices = parse_slices("cocoa")
    assert slices == COCOA_SLICES
    rates = np.array([0.0, 0.00001, 0.005, 0.25, 1.0])
    assert [part.holds(rates).tolist() for part in slices] == [
        [True, True, False, False, False],
        [False, True, True, True, False],
        [False, False, False, True, True],
    ]
    assert [part.name for part in parse_slices("heavy,cocoa-heavy")] == ["heavy", "cocoa-heavy"]
    dataset, predictions = workload(5, images=8)
    results = evaluate(dataset, predictions, slices)
    expected = sliced_ap(dataset, predictions, "amodal", lambda rate: 0.00001 <= rate <= 0.25)
    assert results.amodal.slices["cocoa-partial"]["AP"] == pytest.approx(expected, abs=1e-6)


def perfect(dataset: Dataset) -> Dataset:
    def change(scene: Scene) -> Scene:
        return scene.replace(
            instances=tuple(i.replace(score=0.5, occlusion_score=float(i.hidden.area > 0)) for i in scene)
        )

    return dataset.map(change)


def test_perfect_prediction_scores_100() -> None:
    dataset, _ = workload(4)
    results = evaluate(dataset, perfect(dataset))
    for kind in KINDS:
        part = results.kinds[kind]
        # AR1 and AR10 are bounded by the number of detections they may use.
        names = [name for name in STATS if name not in ("AR1", "AR10") and not np.isnan(part[name])]
        assert "APm" in names
        assert [part[name] for name in names] == pytest.approx([100] * len(names), abs=1e-9)
        for rows in (part.classes, part.slices):
            assert all(row["AP"] == pytest.approx(100) for row in rows.values() if row["instances"])


def test_inmodal_as_amodal_loses_on_the_occluded_only() -> None:
    dataset, _ = workload(4, images=30)
    wrong = perfect(dataset).map(
        lambda scene: scene.replace(instances=tuple(i.replace(amodal=i.inmodal) for i in scene))
    )
    visible = {instance.id for scene in dataset for instance in scene if instance.occlusion_rate < 0.01}
    results = evaluate(dataset, wrong)
    assert results.inmodal["AP"] == pytest.approx(100)
    slices = results.amodal.slices
    # What remains of a hidden object claims not to be occluded, so it is a false positive among those that are not.
    assert slices["none"]["AR100"] == pytest.approx(100)
    unoccluded = wrong.filter(lambda instance: instance.id in visible)
    assert evaluate(dataset, unoccluded).amodal.slices["none"]["AP"] == pytest.approx(100)
    assert slices["partial"]["AP"] < 100
    assert slices["heavy"]["AP"] < slices["partial"]["AP"]


def test_merging_parts_equals_the_whole() -> None:
    dataset, predictions = workload(5, ties=True, crowds=True)
    whole = evaluate(dataset, predictions).to_dict()
    parts = [Evaluator(dataset.categories) for _ in range(3)]
    for index, scene in enumerate(dataset):
        parts[index % 3].update(scene, predictions[scene.image.id])
    merged = Evaluator(dataset.categories)
    for part in reversed(parts):
        merged.merge(pickle.loads(pickle.dumps(part)))
    assert merged.results().to_dict() == whole


@given(st.integers(0, 2**31), st.booleans(), st.booleans(), st.floats(0, 1), st.integers(1, 7), st.randoms())
@settings(max_examples=12, deadline=None)
def test_shards_give_exactly_the_figures_of_the_whole(
    seed: int, ties: bool, crowds: bool, scores: float, count: int, random: Random
) -> None:
    dataset, predictions = workload(seed, images=6, ties=ties, crowds=crowds, scores=scores)
    ids = list(dataset.images)
    random.shuffle(ids)
    whole = evaluate(dataset, predictions)
    sharded = evaluate_shards(dataset, (predictions.select(ids[k::count]) for k in range(count)))
    assert sharded.to_dict() == whole.to_dict()
    for kind in KINDS:
        one, other = (results.kinds[kind].curves for results in (sharded, whole))
        np.testing.assert_array_equal(one.precision, other.precision)
        np.testing.assert_array_equal(one.recall, other.recall)


def test_the_same_image_twice_is_refused() -> None:
    dataset, predictions = workload(0, images=1)
    evaluator = Evaluator(CATEGORIES)
    (scene,) = dataset
    evaluator.update(scene, predictions[scene.image.id])
    with pytest.raises(KinsError, match="evaluated before"):
        evaluator.update(scene, predictions[scene.image.id])
    other = Evaluator(CATEGORIES)
    other.update(scene, predictions[scene.image.id])
    with pytest.raises(KinsError, match="both evaluators"):
        evaluator.merge(other)


def test_amodal_masks_only() -> None:
    """No inmodal figures, unmatched detections always count in slices, and the results say so."""
    dataset, predictions = workload(6)
    lacking = predictions.map(lambda scene: scene.replace(instances=tuple(i.replace(inmodal=None) for i in scene)))
    results = evaluate(dataset, lacking)
    assert set(results.kinds) == {"box", "amodal"}
    assert "unmatched detection counts" in " ".join(results.notes)
    whole = evaluate(dataset, predictions)
    assert results.to_dict()["amodal"]["overall"] == whole.to_dict()["amodal"]["overall"]
    assert results.amodal.slices["heavy"]["AP"] < whole.amodal.slices["heavy"]["AP"]


def test_json_has_neither_nan_nor_minus_zero() -> None:
    assert json.dumps(without_nan({"a": [-0.0, np.nan, (np.float64(-0.0), 1)], "b": "-"})) == (
        '{"a": [0.0, null, [0.0, 1]], "b": "-"}'
    )


def test_scores_out_of_range_are_refused() -> None:
    dataset, predictions = workload(0)
    for score in (1.5, float("nan"), None):
        broken = predictions.map(lambda s, score=score: s.replace(instances=tuple(i.replace(score=score) for i in s)))
        with pytest.raises(KinsError, match="score"):
            evaluate(dataset, broken)


def test_sizes_that_differ_are_refused() -> None:
    dataset, predictions = workload(0, images=1)
    (scene,), (found,) = dataset, predictions
    wide = dataclasses.replace(scene.image, width=scene.image.width + 1)
    with pytest.raises(KinsError, match=f"image {scene.image.id}: is {wide.width - 1} x .* pixels, its prediction"):
        Evaluator(CATEGORIES).update(scene, found.replace(image=wide))
    evaluator = Evaluator(CATEGORIES)
    evaluator.update(scene.replace(image=wide), found.replace(image=wide))
    with pytest.raises(KinsError, match="pixels in an image of"):
        evaluator.results()


def test_classes_of_one_name_are_told_apart() -> None:
    dataset, predictions = workload(3)
    first, second, *_ = sorted(CATEGORIES)
    one_name = CATEGORIES | {second: CATEGORIES[first]}

    def renamed(part: Dataset) -> Dataset:
        return Dataset.from_scenes(part, one_name)

    plain, results = evaluate(dataset, predictions), evaluate(renamed(dataset), renamed(predictions))
    for kind in KINDS:
        before, after = plain.kinds[kind], results.kinds[kind]
        assert len(after.classes) == len(CATEGORIES)
        assert after.overall == pytest.approx(before.overall, nan_ok=True)
        for key in (first, second):
            expected = pytest.approx(before.classes[CATEGORIES[key]], nan_ok=True)
            assert after.classes[f"{CATEGORIES[first]} (id {key})"] == expected
    assert any(f"categories {first}, {second} are all named" in note for note in results.notes)


def test_negative_category_ids_are_evaluated_as_others() -> None:
    parts = workload(3)

    def turned(scene: Scene) -> Scene:
        return scene.replace(instances=tuple(i.replace(category_id=-i.category_id) for i in scene))

    below = {-key: name for key, name in CATEGORIES.items()}
    results = evaluate(*(Dataset.from_scenes(map(turned, part), below) for part in parts))
    plain = evaluate(*parts)
    for kind in KINDS:
        for name, row in plain.kinds[kind].classes.items():
            assert results.kinds[kind].classes[name] == pytest.approx(row, nan_ok=True)
