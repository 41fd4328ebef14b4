"""Published figures of order and depth against plain references on decoded masks."""

import dataclasses
import itertools

import numpy as np
import pytest
from tests.evaluation.workloads import HEIGHT, WIDTH, arrays, changed, workload

from kins import Dataset, Instance, KinsError, Mask, Scene
from kins.evaluation import evaluate_protocol


def plain_order(amodal: np.ndarray, inmodal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, n) whether i is in front of j, and whether they are neighbours."""
    n = len(amodal)
    front, near = np.zeros((n, n), bool), np.zeros((n, n), bool)
    for i, j in itertools.combinations(range(n), 2):
        grown = np.pad(inmodal[i], 1)
        grown = sum(np.roll(grown, step, (0, 1)) for step in ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)))[1:-1, 1:-1]
        near[i, j] = near[j, i] = (grown.astype(bool) & inmodal[j]).any()
        ahead, behind = (inmodal[i] & amodal[j]).sum(), (inmodal[j] & amodal[i]).sum()
        if near[i, j] and ahead + behind:
            front[i, j], front[j, i] = ahead >= behind, ahead < behind
    return front, near


def said_orders(dataset: Dataset, predictions: Dataset) -> list[tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]]:
    """Of each image: true order, neighbours, and what the predictions say by masks and as stated."""
    images = []
    for scene, (amodal, inmodal, guess, seen, _) in zip(dataset, arrays(dataset, predictions), strict=True):
        order, near = plain_order(amodal, inmodal)
        level = {g.extra["annotation_id"]: g.order for g in predictions[scene.image.id]}
        stated = [[a.id in level and b.id in level and level[a.id] < level[b.id] for b in scene] for a in scene]
        stated = np.array(stated, bool).reshape(near.shape) & near
        images.append((order, near, {"by masks": plain_order(guess, seen)[0], "as stated": stated}))
    return images


@pytest.mark.parametrize("source", ["by masks", "as stated"])
def test_deocclusion(completions: tuple[Dataset, Dataset], source: str) -> None:
    counts, right = np.zeros(3), np.zeros(3)
    for order, near, said in said_orders(*completions):
        for i, j in itertools.combinations(range(len(order)), 2):
            sets = np.array([True, order[i, j] or order[j, i], near[i, j]])
            same = (order[i, j], order[j, i]) == (said[source][i, j], said[source][j, i])
            counts += sets
            right += sets & same
    row = evaluate_protocol("deocclusion", *completions)[source]
    assert [row[f"{name}_pairs"] for name in ("all", "occluded", "bordering")] == counts.tolist()
    assert counts[0] > counts[2] > counts[1] > 10
    assert [row[name] for name in ("all", "occluded", "bordering")] == pytest.approx((100 * right / counts).tolist())


@pytest.mark.parametrize("source", ["by masks", "as stated"])
def test_instaorder(completions: tuple[Dataset, Dataset], source: str) -> None:
    scores = []
    for order, _, said in said_orders(*completions):
        if len(order):
            right = (order & said[source]).sum()
            precision = right / said[source].sum() if said[source].any() else 1
            recall = right / order.sum() if order.any() else 1
            f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0
            scores.append([precision, recall, f1])
    row = evaluate_protocol("instaorder", *completions)[source]
    assert row["images"] == len(scores) < len(completions[0])
    assert [row[name] for name in ("precision", "recall", "F1")] == pytest.approx((100 * np.mean(scores, 0)).tolist())


def test_instaorder_takes_stated_pairs_of_the_ground_truth(completions: tuple[Dataset, Dataset]) -> None:
    """Pairs [front, behind], both ways allowed; but for objects of which more than 95 % are hidden."""
    dataset, _ = completions
    scene = max(dataset, key=len)
    first, second, third = (i.id for i in scene.instances[:3])
    pairs = [[first, second], [second, first], [first, third]]
    instances = [i.replace(inmodal=Mask.empty(HEIGHT, WIDTH)) if i.id == third else i for i in scene]
    image = dataclasses.replace(scene.image, extra={"depth_constraint": pairs})
    truth = Dataset.from_scenes([scene.replace(image=image, instances=tuple(instances))], dataset.categories)
    found = {i.id: i.replace(score=1.0, extra={"annotation_id": i.id}) for i in scene}
    said = [found[first].replace(order=0, cluster=0), found[second].replace(order=1, cluster=0)]
    near = plain_order(*(np.array([getattr(i, kind).to_array() for i in said]) for kind in ("amodal", "inmodal")))[1]
    row = evaluate_protocol("instaorder", truth, Dataset.from_scenes([scene.replace(instances=tuple(said))], {}))
    assert row["as stated"]["recall"] == (50 if near[0, 1] else 0)


def test_whdr() -> None:
    boxes = [Mask.from_box((x, 0, 4, 9), 9, 20) for x in (0, 5, 10)]
    depth = [
        {"order": "0<1", "overlap": False, "count": 2},
        {"order": "2<1", "overlap": True, "count": 4},
        {"order": "0=2", "overlap": False, "count": 4},
    ]
    template = next(iter(workload(0, images=1)[0].images.values()))
    image = dataclasses.replace(template, height=9, width=20, extra={"instaorder": {"depth": depth}})
    objects = tuple(Instance(n, 1, "a", mask, mask) for n, mask in enumerate(boxes))
    dataset = Dataset.from_scenes([Scene(image, objects)], {1: "a"})

    def rates(*orders: int | None) -> dict[str, dict[str, float]]:
        said = [
            i.replace(score=1.0, order=order, cluster=0, extra={"annotation_id": i.id})
            for i, order in zip(objects, orders, strict=True)
        ]
        return evaluate_protocol("whdr", dataset, Dataset.from_scenes([Scene(image, tuple(said))], {1: "a"}))

    right = rates(0, 1, 0)
    assert [right[name]["WHDR"] for name in ("distinct", "overlapping", "all")] == [0, 0, 0]
    assert np.isnan(right["overlapping"]["WHDR_equal"])
    wrong = rates(0, 1, 2)
    assert wrong["distinct"] == pytest.approx({"WHDR": 100 * 0.5 / 1.5, "WHDR_unequal": 0, "WHDR_equal": 100})
    assert wrong["all"] == pytest.approx({"WHDR": 50, "WHDR_unequal": 100 * 0.5 / 1.5, "WHDR_equal": 100})
    assert rates(0, None, 0)["all"]["WHDR_unequal"] == 100, "what is not said is wrong"
    damaged = dataclasses.replace(image, extra={"instaorder": {"depth": [{"order": "0<7", "overlap": 1, "count": 2}]}})
    with pytest.raises(KinsError, match="is no list of"):
        evaluate_protocol(
            "whdr", Dataset.from_scenes([Scene(damaged, objects)], {1: "a"}), changed(dataset, score=lambda i: 1.0)
        )
