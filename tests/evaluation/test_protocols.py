"""Figures of published protocols against plain references on decoded masks, and against pycocotools."""

import contextlib
import dataclasses
import io
import itertools

import numpy as np
import pytest
from pycocotools.cocoeval import COCOeval
from tests.evaluation.workloads import HEIGHT, WIDTH, coco_evaluation, sliced_ap, workload

from kins import Dataset, Instance, KinsError, Mask, Scene
from kins.evaluation import PROTOCOLS, evaluate, evaluate_protocol


def changed(dataset: Dataset, **change: object) -> Dataset:
    """With some fields of every instance set; functions are called with the instance."""

    def one(instance: Instance) -> Instance:
        return instance.replace(**{name: value(instance) for name, value in change.items()})  # type: ignore[operator]

    return Dataset.from_scenes([s.replace(instances=tuple(map(one, s))) for s in dataset], dataset.categories)


@pytest.fixture(scope="module")
def detections() -> tuple[Dataset, Dataset]:
    return workload(1, images=8, crowds=True)


@pytest.fixture(scope="module")
def completions() -> tuple[Dataset, Dataset]:
    """A prediction for most objects, a little wrong; both masks may leave the object's. With an order stated."""
    dataset, _ = workload(4, images=14)
    touching = [Mask.from_box((x, 0, 4, 9), HEIGHT, WIDTH) for x in (5, 9)]  # neither hides the other
    image = dataclasses.replace(next(iter(dataset.images.values())), id=99)
    beside = Scene(image, tuple(Instance(n, 4, "car", mask, mask) for n, mask in enumerate(touching, 990)))
    dataset = Dataset.from_scenes([*dataset, beside], dataset.categories)
    rng = np.random.default_rng(0)

    def guess(instance: Instance) -> Instance:
        amodal = np.roll(instance.amodal.to_array(), rng.integers(-2, 3, 2), (0, 1)) & (
            rng.random((HEIGHT, WIDTH)) < 0.95
        )
        visible = np.roll(instance.inmodal.to_array(), rng.integers(-1, 2, 2), (0, 1))
        order = int(rng.integers(0, 3))
        extra = {"annotation_id": instance.id}
        masks = {"amodal": Mask.from_array(amodal), "inmodal": Mask.from_array(visible)}
        return instance.replace(**masks, score=0.9, order=order, cluster=0, extra=extra)

    scenes = [s.replace(instances=tuple(guess(i) for i in s if rng.random() < 0.8)) for s in dataset]
    return dataset, Dataset.from_scenes(scenes, dataset.categories)


def arrays(dataset: Dataset, predictions: Dataset) -> list[tuple[np.ndarray, ...]]:
    """Of each image (n, h, w): amodal and inmodal masks of objects and predictions; and which are predicted."""
    images = []
    for scene in dataset:
        guess = {g.extra["annotation_id"]: g for g in predictions[scene.image.id]}
        nothing = Instance(0, 0, "", Mask.empty(HEIGHT, WIDTH), Mask.empty(HEIGHT, WIDTH))
        sides = [list(scene), [guess.get(i.id, nothing) for i in scene]]
        masks = [
            np.array([getattr(i, kind).to_array() for i in side], bool).reshape(-1, HEIGHT, WIDTH)
            for side in sides
            for kind in ("amodal", "inmodal")
        ]
        images.append((*masks, np.array([i.id in guess for i in scene], bool)))
    return images


def test_coco_of_every_part(detections: tuple[Dataset, Dataset]) -> None:
    dataset, predictions = workload(0, images=12)
    rows = evaluate_protocol("coco", dataset, predictions)
    usual = evaluate(dataset, predictions)
    for name, kind in (("amodal box", "box"), ("amodal mask", "amodal"), ("inmodal mask", "inmodal")):
        assert rows[name] == pytest.approx({figure: usual.kinds[kind][figure] for figure in rows[name]})
    seen = [changed(side, amodal=lambda i: i.inmodal) for side in (dataset, predictions)]
    box = coco_evaluation(*seen, "box").stats
    assert list(rows["inmodal box"].values()) == pytest.approx(100 * box[[0, 1, 2, 6, 7, 8]])


@pytest.mark.parametrize("scored", [True, False])
def test_hidden_regions(scored: bool) -> None:
    """Of what is occluded by more than 5 %: of detections by their score of it, or else by their masks."""
    dataset, predictions = workload(3, images=14)
    if not scored:
        predictions = changed(predictions, occlusion_score=lambda i: None)
    keep = [
        lambda i: i.occlusion_rate > 0.05,
        lambda i: i.occlusion_score >= 0.5 if scored else i.inmodal.area / i.amodal.area < 0.95,
    ]
    parts = [
        changed(side.filter(test), amodal=lambda i: i.hidden)
        for side, test in zip((dataset, predictions), keep, strict=True)
    ]
    oracle = coco_evaluation(*parts, "amodal").stats
    row = evaluate_protocol("coco", dataset, predictions)["hidden region"]
    assert list(row.values()) == pytest.approx(100 * oracle[[0, 1, 2, 6, 7, 8]])


def test_vrsp(detections: tuple[Dataset, Dataset]) -> None:
    rows = evaluate_protocol("vrsp", *detections)
    usual = evaluate(*detections)
    for name, kind in (("amodal box", "box"), ("amodal mask", "amodal"), ("inmodal mask", "inmodal")):
        assert rows[name]["AR10"] == pytest.approx(usual.kinds[kind]["AR10"])
        assert rows[name]["AP"] == pytest.approx(usual.kinds[kind]["AP"])
        for figure, most in (("AP_hidden15", 0.85), ("AP_hidden25", 0.75), ("AP_hidden40", 0.6)):
            expected = sliced_ap(*detections, kind, lambda rate, most=most: 1 - rate <= most)
            assert rows[name][figure] == pytest.approx(expected, nan_ok=True)
    assert evaluate_protocol("aisformer", *detections) == rows


def test_vrsp_ignores_visible_masks_that_are_too_large(detections: tuple[Dataset, Dataset]) -> None:
    dataset, predictions = detections
    first = next(i.id for s in dataset for i in s if not i.crowd)
    shrunk = changed(dataset, amodal_area=lambda i: i.inmodal.area - 1 if i.id == first else i.amodal.area)
    evaluation = coco_evaluation(dataset, predictions, "amodal")
    for key, annotation in evaluation.cocoGt.anns.items():
        annotation["area"] = 2 if key == first else 1
    evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1]], ["all"]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
        evaluation.accumulate()
    recall = evaluation.eval["recall"][:, :, 0, 2]
    row = evaluate_protocol("vrsp", shrunk, predictions)["amodal mask"]
    assert row["AR100"] == pytest.approx(100 * recall[recall >= 0].mean())
    assert row["AR100"] != evaluate_protocol("vrsp", dataset, predictions)["amodal mask"]["AR100"]


def test_aistron_has_sizes_by_the_amodal_box() -> None:
    dataset, predictions = workload(2, images=20)
    boxed = changed(dataset, amodal_area=lambda i: i.box[2] * i.box[3])
    expected = coco_evaluation_of_stated_areas(boxed, predictions)
    row = evaluate_protocol("aistron", dataset, predictions)["amodal mask"]
    for figure, value in zip(("APs", "APm"), expected, strict=True):
        assert row[figure] == pytest.approx(value)


def coco_evaluation_of_stated_areas(dataset: Dataset, predictions: Dataset) -> list[float]:
    evaluation = coco_evaluation(dataset, predictions, "amodal")
    areas = {i.id: i.amodal_area for s in dataset for i in s}
    for key, annotation in evaluation.cocoGt.anns.items():
        annotation["area"] = areas[key]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return (100 * evaluation.stats[3:5]).tolist()


def test_amodalapi() -> None:
    dataset, predictions = workload(5, images=8, objects=30)
    rng = np.random.default_rng(0)
    dataset = changed(dataset, extra=lambda i: {"isStuff": int(rng.random() < 0.3)})
    rows = evaluate_protocol("amodalapi", dataset, predictions)
    for name, things in (("all", None), ("things", 0), ("stuff", 1)):
        expected = class_agnostic_recall(dataset, predictions, things)
        assert list(rows[name].values()) == pytest.approx(expected, nan_ok=True)


def class_agnostic_recall(dataset: Dataset, predictions: Dataset, stuff: int | None) -> list[float]:
    """By pycocotools, whose ranges of areas are used as ranges of rates; what is out of question gets a rate of 2."""
    evaluation = coco_evaluation(dataset, predictions, "amodal")
    objects = {i.id: i for s in dataset for i in s}
    for key, annotation in evaluation.cocoGt.anns.items():
        asked = stuff is None or objects[key].extra["isStuff"] == stuff
        annotation["area"] = objects[key].occlusion_rate if asked else 2
    evaluation = COCOeval(evaluation.cocoGt, evaluation.cocoDt, "segm")
    evaluation.params.useCats = 0
    evaluation.params.maxDets = [1, 10, 100, 1000]
    evaluation.params.areaRng = [[0, 1], [0, 1e-5], [1e-5, 0.25], [0.25, 1]]
    evaluation.params.areaRngLbl = ["all", "none", "partial", "heavy"]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.evaluate()
        evaluation.accumulate()
    recall = evaluation.eval["recall"][:, 0]
    pairs = [(0, 0), (0, 1), (0, 2), (0, 3), (1, 3), (2, 3), (3, 3)]
    values = [recall[:, area, most] for area, most in pairs]
    return [100 * v.mean() if (v >= 0).all() else np.nan for v in values]


def test_c2f_seg(completions: tuple[Dataset, Dataset]) -> None:
    rows = evaluate_protocol("c2f-seg", *completions)
    for added, name in ((False, ""), (True, ", visible added")):
        full, occluded, counted, given = [], [], [], []
        for amodal, inmodal, guess, seen, there in arrays(*completions):
            for a, v, g, s, known in zip(amodal, inmodal, guess, seen, there, strict=True):
                g = g | s if added else g
                full.append((a & g).sum() / (a | g).sum() if known else 0)
                hidden = a & ~v, g & ~v
                occluded.append((hidden[0] & hidden[1]).sum() / ((hidden[0] | hidden[1]).sum() + 1e-6))
                counted.append(int(a.sum()) != int(v.sum()))
                given.append(known)
        full, occluded, counted, given = map(np.array, (full, occluded, counted, given))
        for listed, row in ((given, rows[f"missing skipped{name}"]), (given | True, rows[f"missing as zero{name}"])):
            assert row["objects"] == listed.sum()
            assert row["occluded_objects"] == (counted & listed).sum()
            assert row["full"] == pytest.approx(100 * full[listed].mean())
            assert row["occluded"] == pytest.approx(100 * occluded[listed].sum() / (counted & listed).sum())
    assert rows["missing skipped"]["full"] != rows["missing skipped, visible added"]["full"]


def test_c2f_seg_counts_an_object_without_a_hidden_part_by_the_sizes_of_its_masks() -> None:
    """Where the visible mask is larger than the amodal one the sizes differ, and a 0 enters the mean."""
    leaking = Instance(1, 1, "a", Mask.from_box((0, 0, 4, 4), 9, 9), Mask.from_box((0, 0, 4, 5), 9, 9))
    hidden = Instance(2, 1, "a", Mask.from_box((0, 5, 4, 4), 9, 9), Mask.from_box((0, 5, 2, 4), 9, 9))
    whole = Instance(3, 1, "a", Mask.from_box((5, 5, 4, 4), 9, 9), Mask.from_box((5, 5, 4, 4), 9, 9))
    scene = workload(0, images=1)[0]
    image = dataclasses.replace(next(iter(scene.images.values())), height=9, width=9)
    dataset = Dataset.from_scenes([Scene(image, (leaking, hidden, whole))], {1: "a"})
    perfect = changed(dataset, score=lambda i: 1.0, extra=lambda i: {"annotation_id": i.id})
    row = evaluate_protocol("c2f-seg", dataset, perfect)["missing skipped"]
    assert (row["objects"], row["occluded_objects"]) == (3, 2)
    assert row["occluded"] == pytest.approx(50, abs=1e-4)


def test_detections_are_assigned_by_their_visible_masks() -> None:
    """More detections than objects, false ones among them: one to one, from an IoU of 0.5."""
    dataset, _ = workload(4, images=6)
    away = Mask.from_box((0, 0, 1, 1), HEIGHT, WIDTH)
    found = [
        s.replace(
            instances=(
                *(i.replace(score=0.5) for i in s),
                *(i.replace(amodal=away, inmodal=away, score=0.9) for i in s),
            )
        )
        for s in dataset
    ]
    row = evaluate_protocol("c2f-seg", dataset, Dataset.from_scenes(found, dataset.categories))["missing as zero"]
    assert row["full"] == pytest.approx(100)
    nothing = changed(dataset, amodal=lambda i: away, inmodal=lambda i: away, score=lambda i: 1.0)
    rows = evaluate_protocol("c2f-seg", dataset, nothing)
    assert rows["missing skipped"]["objects"] == 0
    assert np.isnan(rows["missing skipped"]["full"])
    assert rows["missing as zero"]["full"] == 0


def test_pcnet(completions: tuple[Dataset, Dataset]) -> None:
    shared = union = whole = 0
    for amodal, _, guess, _, _ in arrays(*completions):
        shared, union, whole = shared + (amodal & guess).sum(), union + (amodal | guess).sum(), whole + amodal.sum()
    row = evaluate_protocol("pcnet", *completions)["objects"]
    assert row["mIoU"] == pytest.approx(100 * shared / union)
    assert row["pAcc"] == pytest.approx(100 * shared / whole)


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


@pytest.mark.parametrize("scored", [True, False])
def test_uoais(completions: tuple[Dataset, Dataset], scored: bool) -> None:
    """Against a plain reference that tries every assignment; the weakest detections don't count."""
    dataset, predictions = completions
    rng = np.random.default_rng(1)
    predictions = changed(
        predictions,
        score=lambda i: float(rng.choice([0.5, 0.51, 0.9], p=[0.2, 0.4, 0.4])),
        occlusion_score=lambda i: float(rng.random()) if scored else None,
    )
    few = [s.image.id for s in dataset if len(s) <= 6]
    dataset, predictions = dataset.select(few), predictions.select(few)
    pixels, hidden, counts = [], [], np.zeros(4)
    for scene in dataset:
        found = [i for i in predictions[scene.image.id] if i.score > 0.5]
        a, v, pa, pv = (
            np.array([getattr(i, kind).to_array() for i in side], bool).reshape(-1, HEIGHT, WIDTH)
            for side in (scene, found)
            for kind in ("amodal", "inmodal")
        )
        h, ph = a & ~v, pa ^ pv
        true = np.array([x.sum() >= 0.05 * y.sum() for x, y in zip(h, a, strict=True)], bool)
        said = np.array([x.sum() >= 0.05 * y.sum() for x, y in zip(ph, pa, strict=True)], bool)
        if scored:
            said = np.array([i.occlusion_score >= 0.5 for i in found], bool)
        f = np.array([[dice(x, y) for y in pa] for x in a]).reshape(len(a), len(pa))
        pairs = max(
            ([(i, j) for j, i in enumerate(chosen)] for chosen in itertools.permutations(range(len(a)), len(pa))),
            key=lambda chosen: sum(f[pair] for pair in chosen),
        )
        both = [(i, j) for i, j in pairs if true[i] and said[j]]
        union = sum(h[i].sum() for i, _ in both) + sum(ph[j].sum() for _, j in pairs)
        pixels.append(shares(a, pa, pairs, np.ones(len(a), bool), np.ones(len(pa), bool), None))
        hidden.append(shares(h, ph, both, true, said, union))
        counts += [sum(true[i] == said[j] for i, j in pairs), len(pairs), len(pa), len(a)]
    rows = evaluate_protocol("uoais", dataset, predictions)
    assert list(rows["amodal pixels"].values()) == pytest.approx((100 * np.mean(pixels, 0)).tolist())
    assert list(rows["hidden pixels"].values()) == pytest.approx((100 * np.mean(hidden, 0)).tolist())
    right, matched, detected, objects = counts
    row = rows["occluded or not"]
    assert [row["precision"], row["recall"], row["accuracy"]] == pytest.approx(
        [100 * right / detected, 100 * right / objects, 100 * right / matched]
    )


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return float(2 * (first & second).sum() / max(first.sum() + second.sum(), 1))


def shares(
    true: np.ndarray, said: np.ndarray, pairs: list, wanted: np.ndarray, claimed: np.ndarray, union: int | None
) -> list[float]:
    common = sum((true[i] & said[j]).sum() for i, j in pairs)
    if union is None:
        union = sum(true[i].sum() + said[j].sum() for i, j in pairs)
    iou = common / (union - common) if union - common > 0 else 0
    if not wanted.any() or not claimed.any():
        neither = float(not wanted.any() and not claimed.any())
        return [float(not claimed.any()), float(not wanted.any()), neither, neither, iou]
    total = said[claimed].sum(), true[wanted].sum()
    precision, recall = (common / part if part else 0 for part in total)
    f = 2 * precision * recall / (precision + recall) if precision + recall else 0
    return [precision, recall, f, sum(dice(true[i], said[j]) > 0.75 for i, j in pairs) / wanted.sum(), iou]


def test_uoais_leaves_images_without_detections_out_of_its_precision() -> None:
    dataset, predictions = workload(1, images=10)
    full = [s.image.id for s in predictions if len(s)]
    some = Dataset.from_scenes(
        [s if s.image.id in full[1:] else s.replace(instances=()) for s in predictions], dataset.categories
    )
    row = evaluate_protocol("uoais", dataset, some)["amodal mask"]
    part = evaluate_protocol("coco", dataset.select(full[1:]), some.select(full[1:]))["amodal mask"]
    assert row == pytest.approx(part)
    assert row["AR100"] > evaluate_protocol("coco", dataset, some)["amodal mask"]["AR100"]


def test_workers_do_not_change_figures(completions: tuple[Dataset, Dataset]) -> None:
    dataset, predictions = workload(0, images=600, objects=2)
    assert evaluate_protocol("vrsp", dataset, predictions, workers=2) == evaluate_protocol("vrsp", dataset, predictions)


@pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if name not in ("whdr", "amodalapi")])
def test_what_is_missing_is_said(protocol: str, completions: tuple[Dataset, Dataset]) -> None:
    dataset, predictions = completions
    blind = changed(dataset, inmodal=lambda i: None)
    with pytest.raises(KinsError, match="has no inmodal mask"):
        evaluate_protocol(protocol, blind, predictions)


def test_no_such_protocol(completions: tuple[Dataset, Dataset]) -> None:
    with pytest.raises(KinsError, match=r"no protocol 'c2f'; there are coco, vrsp, .*c2f-seg"):
        evaluate_protocol("c2f", *completions)
    with pytest.raises(KinsError, match="whdr needs `depth`"):
        evaluate_protocol("whdr", *completions)


def test_nothing_found() -> None:
    dataset, _ = workload(0, images=6)
    nothing = dataset.map(lambda scene: scene.replace(instances=()))
    for name in PROTOCOLS:
        if name != "whdr":
            assert evaluate_protocol(name, dataset, nothing)
