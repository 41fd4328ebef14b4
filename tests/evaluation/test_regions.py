"""Region quality, occlusion classification and order against decoded masks; mask completion."""

import numpy as np
import pytest
from tests.evaluation.workloads import workload

from kins import Dataset, Instance, KinsError, Scene
from kins.evaluation import evaluate, evaluate_completion
from kins.evaluation.regions import ranked_precision
from kins.occlusion import Slivers, occlusion


def array_iou(first: np.ndarray, second: np.ndarray) -> float:
    return float((first & second).sum() / max((first | second).sum(), 1))


def greedy_matches(dataset: Dataset, predictions: Dataset) -> list[list[tuple[Instance, Instance]]]:
    """Matched pairs of each image at an amodal IoU of 0.5, within classes, by score."""
    images = []
    for scene in dataset:
        pairs, taken = [], set()
        for found in sorted(predictions[scene.image.id], key=lambda item: -(item.score or 0)):
            best = [(array_iou(t.amodal.to_array(), found.amodal.to_array()), n) for n, t in enumerate(scene)]
            best = [(v, n) for v, n in best if scene[n].category_id == found.category_id and n not in taken]
            if best and max(best)[0] >= 0.5:
                taken.add(max(best)[1])
                pairs.append((scene[max(best)[1]], found))
        images.append(pairs)
    return images


@pytest.mark.parametrize("seed", [0, 1])
def test_region_quality(seed: int) -> None:
    dataset, predictions = workload(seed, images=15)
    pairs = [pair for image in greedy_matches(dataset, predictions) for pair in image]
    figures = evaluate(dataset, predictions).regions
    assert figures["pairs"] == len(pairs)
    for kind in ("amodal", "inmodal"):
        expected = [array_iou(*(getattr(item, kind).to_array() for item in pair)) for pair in pairs]
        assert figures[kind] == pytest.approx(100 * np.mean(expected))
    hidden = [[item.amodal.to_array() & ~item.inmodal.to_array() for item in pair] for pair in pairs]
    expected = [array_iou(*pair) for pair in hidden if pair[0].any()]
    assert figures["hidden_pairs"] == len(expected)
    assert figures["hidden"] == pytest.approx(100 * np.mean(expected))
    heavy = [array_iou(*h) for h, pair in zip(hidden, pairs, strict=True) if pair[0].occlusion_rate > 0.25]
    assert figures["hidden_heavy"] == pytest.approx(100 * np.mean(heavy))


def test_inmodal_masks_that_leak() -> None:
    """Pixels of an inmodal mask outside of its amodal one hide nothing and are no hidden region."""
    dataset, predictions = workload(3, images=10)

    def leak(scene: Scene) -> Scene:
        return scene.replace(
            instances=tuple(i.replace(amodal=i.amodal & i.amodal.mirrored() | i.hidden) for i in scene)
        )

    dataset, predictions = dataset.map(leak), predictions.map(leak)
    assert any((i.inmodal - i.amodal).area for scene in dataset for i in scene)
    pairs = [pair for image in greedy_matches(dataset, predictions) for pair in image]
    hidden = [[item.hidden.to_array() for item in pair] for pair in pairs]
    expected = [array_iou(*pair) for pair in hidden if pair[0].any()]
    figures = evaluate(dataset, predictions).regions
    assert figures["hidden_pairs"] == len(expected) > 0
    assert figures["hidden"] == pytest.approx(100 * np.mean(expected))


def test_occlusion_classification() -> None:
    dataset, predictions = workload(1, images=20)
    pairs = [pair for image in greedy_matches(dataset, predictions) for pair in image]
    truth = np.array([t.occlusion_rate >= 0.01 for t, _ in pairs])
    said = np.array([f.occlusion_score >= 0.5 for _, f in pairs])
    figures = evaluate(dataset, predictions).occlusion
    assert figures["accuracy"] == pytest.approx(100 * np.mean(truth == said))
    assert figures["precision"] == pytest.approx(100 * truth[said].mean())
    assert figures["recall"] == pytest.approx(100 * said[truth].mean())
    p, r = figures["precision"], figures["recall"]
    assert figures["F1"] == pytest.approx(2 * p * r / (p + r))


def test_average_precision_of_a_ranking() -> None:
    right = np.array([True, False, True, True, False])
    assert ranked_precision(np.array([0.9, 0.8, 0.7, 0.6, 0.5]), right) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert ranked_precision(np.full(5, 0.5), right) == pytest.approx(0.6), "equal scores say nothing"
    assert np.isnan(ranked_precision(np.array([0.5]), np.array([False])))


def test_order_against_the_occlusion_module() -> None:
    dataset, predictions = workload(2, images=20)
    true, told, right = 0, 0, 0
    for pairs, scene in zip(greedy_matches(dataset, predictions), dataset, strict=True):
        if not pairs:
            continue
        matrices = [
            occlusion(scene.replace(instances=tuple(side)), Slivers(1, 0.01, 1), predicted=False).matrix()
            for side in zip(*pairs, strict=True)
        ]
        upper = np.triu_indices(len(pairs), 1)
        a, b = (matrix[upper] for matrix in matrices)
        true, told = true + (a != 0).sum(), told + (b != 0).sum()
        right += ((a == b) & (a != 0)).sum()
    figures = evaluate(dataset, predictions).order
    assert figures["pairs"] == true > 10
    assert figures["precision"] == pytest.approx(100 * right / told)
    assert figures["recall"] == pytest.approx(100 * right / true)
    assert figures["accuracy"] == figures["recall"], "these predictions state no order"


def test_perfect_predictions_and_stated_order() -> None:
    dataset, _ = workload(2, images=20)
    perfect = dataset.map(
        lambda s: s.replace(
            instances=tuple(i.replace(score=0.9, occlusion_score=float(i.occlusion_rate >= 0.01)) for i in s)
        )
    )
    results = evaluate(dataset, perfect)
    assert results.regions["hidden"] == results.regions["amodal"] == results.regions["inmodal"] == 100
    assert {results.occlusion[name] for name in ("accuracy", "precision", "recall", "F1", "AP")} == {100}
    assert {results.order[name] for name in ("accuracy", "precision", "recall", "F1")} == {100}
    # Masks without a hidden part say nothing of who hides whom; the stated order does.
    told = perfect.map(
        lambda s: s.replace(
            instances=tuple(
                i.replace(inmodal=i.amodal, cluster=0, order=int(o))
                for i, o in zip(s, dataset[s.image.id].occlusion().order, strict=True)
            )
        )
    )
    order = evaluate(dataset, told).order
    assert order["recall"] == 0
    assert order["accuracy"] > 80, "but for pairs in cycles"


def test_completion() -> None:
    dataset, _ = workload(4, images=10)
    perfect = dataset.map(lambda s: s.replace(instances=tuple(i.replace(score=1.0) for i in reversed(s.instances))))
    score = evaluate_completion(dataset, perfect)
    assert (score.full, score.hidden, score.missing) == (100, 100, 0)
    visible = perfect.map(
        lambda s: s.replace(instances=tuple(i.replace(amodal=i.inmodal, extra={"annotation_id": i.id}) for i in s))
    )
    score = evaluate_completion(dataset, visible)
    assert score.hidden == 0
    assert score.full == pytest.approx(100 * np.mean([1 - i.occlusion_rate for scene in dataset for i in scene]))
    nothing = evaluate_completion(dataset, perfect.map(lambda s: s.replace(instances=())))
    assert nothing.full == 0
    assert nothing.missing == nothing.instances == score.instances


def test_completion_wants_one_each() -> None:
    dataset, _ = workload(4, images=10)
    twice = dataset.map(lambda s: s.replace(instances=s.instances + s.instances[:1]))
    with pytest.raises(KinsError, match="one each"):
        evaluate_completion(dataset, twice)
    stated = twice.map(lambda s: s.replace(instances=tuple(i.replace(extra={"annotation_id": i.id}) for i in s)))
    with pytest.raises(KinsError, match="two predictions"):
        evaluate_completion(dataset, stated)
    with pytest.raises(KinsError, match="not there"):
        evaluate_completion(
            dataset,
            dataset.map(lambda s: s.replace(instances=tuple(i.replace(extra={"annotation_id": -1}) for i in s))),
        )
