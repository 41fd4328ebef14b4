"""Figures of published protocols against plain references on decoded masks, and against pycocotools."""

import contextlib
import dataclasses
import io
import itertools

import numpy as np
import pytest
from pycocotools.cocoeval import COCOeval
from tests.evaluation.workloads import HEIGHT, WIDTH, arrays, changed, coco_evaluation, sliced_ap, workload

from kins import Dataset, Instance, KinsError, Mask, Scene
from kins.evaluation import PROTOCOLS, evaluate, evaluate_protocol


@pytest.fixture(scope="module")
def detections() -> tuple[Dataset, Dataset]:
    return workload(1, images=8, crowds=True)


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
