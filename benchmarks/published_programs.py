"""Our protocols beside the published programs themselves, over the same random objects and predictions.

The programs are run, not copied: each is a clone of its authors' repository, of which single functions are taken.
They need opencv-python-headless and scikit-learn, and numpy's names of their time.

    python benchmarks/published_programs.py --c2f-seg DIR --deocclusion DIR --instaorder DIR --vrsp DIR
"""

import argparse
import ast
import contextlib
import dataclasses
import io
import sys
from pathlib import Path
from typing import Any

import numpy
import torch
from pycocotools import mask as pycocotools_mask
from pycocotools.coco import COCO

from kins import Dataset
from kins.evaluation import evaluate_protocol

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.evaluation.workloads import arrays, coco_truth, completed, workload

Figures = dict[str, tuple[float, float]]
"""By name ours and theirs."""


class NumpyOfOld:
    """numpy with the names and the manners that the programs expect."""

    int, bool, float = int, bool, float

    def __getattr__(self, name: str) -> Any:
        return getattr(numpy, name)

    @staticmethod
    def linspace(start: float, stop: float, count: float, endpoint: bool = True) -> Any:
        return numpy.linspace(start, stop, int(count), endpoint=endpoint)


def taken(path: Path, *names: str, **space: Any) -> dict[str, Any]:
    """Functions and classes of a file of theirs; its imports are not run."""
    wanted = [node for node in ast.parse(path.read_text()).body if getattr(node, "name", None) in names]
    space |= {"np": NumpyOfOld()}
    exec(compile(ast.Module(wanted, []), str(path), "exec"), space)  # what the caller names is his to trust
    return space


def c2f_seg(folder: Path) -> Figures:
    """`evaluation_image`, object by object; one that is missed is left out."""
    program = taken(folder / "utils" / "evaluation.py", "get_IoU", "evaluation_image", "iou", torch=torch)
    dataset, predictions = completed()
    ours = evaluate_protocol("c2f-seg", dataset, predictions)
    rows = {}
    for added, name in ((False, "missing skipped"), (True, "missing skipped, visible added")):
        total = numpy.zeros(3)
        objects = 0
        for amodal, inmodal, guess, seen, given in arrays(dataset, predictions):
            for a, v, g, s in zip(amodal[given], inmodal[given], guess[given], seen[given], strict=True):
                whole, visible, found = (torch.from_numpy(x.astype(numpy.int64)) for x in (a, v, g | s if added else g))
                total += [
                    float(x)
                    for x in program["evaluation_image"](found, whole, torch.tensor([1]), {"vm_no_crop_gt": visible})
                ]
                objects += 1
        rows[f"{name}: full"] = ours[name]["full"], 100 * total[0] / objects
        rows[f"{name}: occluded"] = ours[name]["occluded"], 100 * total[1] / total[2]
    return rows


def order_functions(folder: Path, *names: str) -> dict[str, Any]:
    import cv2

    wanted = ("bordering", "infer_gt_order", "extract_upper_tri_without_diagonal", "calculate_whdr", *names)
    return taken(folder / "inference.py", *wanted, cv2=cv2, **_scores())


def _scores() -> dict[str, Any]:
    import collections

    from sklearn.metrics import f1_score, precision_score, recall_score

    return {
        "collections": collections,
        "f1_score": f1_score,
        "precision_score": precision_score,
        "recall_score": recall_score,
    }


def deocclusion(folder: Path) -> Figures:
    """`infer_gt_order` and `eval_order` of true masks and of predicted ones; pixels as tools/test.py sums them up."""
    program = order_functions(folder, "eval_order")
    dataset, predictions = completed()
    total, pixels = numpy.zeros(4), numpy.zeros(3)
    for amodal, inmodal, guess, seen, _ in arrays(dataset, predictions):
        order, said = (
            program["infer_gt_order"](v.astype(int), a.astype(int)) for v, a in ((inmodal, amodal), (seen, guess))
        )
        total += program["eval_order"](said, order)[:4]
        pixels += (amodal & guess).sum(), (amodal | guess).sum(), amodal.sum()
    ours = evaluate_protocol("deocclusion", dataset, predictions)["by masks"]
    pooled = evaluate_protocol("pcnet", dataset, predictions)["objects"]
    return {
        "all pairs": (ours["all"], 100 * total[0] / total[1]),
        "occluded pairs": (ours["occluded"], 100 * total[2] / total[3]),
        "mIoU": (pooled["mIoU"], 100 * pixels[0] / (pixels[1] + 1e-10)),
        "pAcc": (pooled["pAcc"], 100 * pixels[0] / (pixels[2] + 1e-10)),
    }


def instaorder(folder: Path) -> Figures:
    """`infer_gt_order` and `eval_order_recall_precision_f1`, and `eval_depth_order_whdr` with random depths."""
    program = order_functions(folder, "eval_order_recall_precision_f1", "eval_depth_order_whdr")
    dataset, predictions = completed()
    scores = []
    for amodal, inmodal, guess, seen, _ in arrays(dataset, predictions):
        if len(amodal):
            order, said = (
                program["infer_gt_order"](v.astype(int), a.astype(int)) for v, a in ((inmodal, amodal), (seen, guess))
            )
            scores.append(program["eval_order_recall_precision_f1"](said, order, 1))
    ours = evaluate_protocol("instaorder", dataset, predictions)["by masks"]
    theirs = dict(zip(("recall", "precision", "F1"), numpy.mean(scores, 0), strict=True))
    return {name: (ours[name], value) for name, value in theirs.items()} | depths(program, dataset, predictions)


def depths(program: dict[str, Any], dataset: Dataset, predictions: Dataset) -> Figures:
    rng = numpy.random.default_rng(0)
    found: dict[str, list[float]] = {}
    scenes = []
    for scene in dataset:
        count = len(scene)
        gt = [numpy.full((count, count), -1) for _ in range(2)] + [numpy.ones((count, count), int)]
        pairs = []
        for i in range(count):
            for j in range(i + 1, count):
                relation, overlap, annotators = (
                    int(x) for x in (rng.integers(-1, 3), rng.integers(0, 2), rng.integers(2, 6))
                )
                if relation >= 0:
                    text = (f"{j}<{i}", f"{i}<{j}", f"{i}={j}")[relation]
                    pairs.append({"order": text, "overlap": bool(overlap), "count": annotators})
                    gt[0][i, j], gt[1][i, j], gt[2][i, j] = relation, overlap, annotators
        levels = {g.extra["annotation_id"]: g.order for g in predictions[scene.image.id]}
        said = numpy.full((count, count), -1)
        for i, first in enumerate(scene):
            for j, second in enumerate(scene):
                if first.id in levels and second.id in levels:
                    a, b = levels[first.id], levels[second.id]
                    said[i, j] = 2 if a == b else int(a < b)
        for name, values in program["eval_depth_order_whdr"](said, gt).items():
            found.setdefault(name, []).extend(value for value in values if value != -1)
        scenes.append(scene.replace(image=dataclasses.replace(scene.image, extra={"instaorder": {"depth": pairs}})))
    ours = evaluate_protocol("whdr", Dataset.from_scenes(scenes, dataset.categories), predictions)
    rows = {}
    for theirs, name in (("ovlX", "distinct"), ("ovlO", "overlapping"), ("ovlOX", "all")):
        for part, figure in (("all", "WHDR"), ("neq", "WHDR_unequal"), ("eq", "WHDR_equal")):
            rows[f"WHDR {name}, {part}"] = ours[name][figure], float(numpy.mean(found[f"{theirs}_{part}"]))
    return rows


def vrsp(folder: Path) -> Figures:
    """Its COCOeval, whose areas are visible shares, on amodal masks."""
    source = folder / "detectron2" / "data" / "amodal_datasets" / "pycocotools" / "cocoeval.py"
    import collections
    import copy
    import datetime
    import time

    space = {"maskUtils": pycocotools_mask, "defaultdict": collections.defaultdict}
    program = taken(source, "COCOeval", "Params", copy=copy, datetime=datetime, time=time, **space)
    dataset, predictions = workload(1, images=30, crowds=True)
    truth = coco_truth(dataset, "amodal")
    shares = {i.id: i.inmodal.area / i.amodal.area for scene in dataset for i in scene}
    for annotation in truth.dataset["annotations"]:
        annotation["area"] = shares[annotation["id"]]
    found = COCO()
    detections = [(scene.image.id, item) for scene in predictions for item in scene]
    found.dataset = truth.dataset | {
        "annotations": [
            {
                **{"id": number, "image_id": image, "category_id": item.category_id, "score": item.score, "iscrowd": 0},
                "segmentation": item.amodal.rle,
                "area": (item.amodal & item.inmodal).area / item.amodal.area if item.amodal.area else float("nan"),
            }
            for number, (image, item) in enumerate(detections, 1)
        ]
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found.createIndex()
        evaluation = program["COCOeval"](truth, found, "segm")
        for step in ("evaluate", "accumulate", "summarize"):
            getattr(evaluation, step)()
    names = ("AP", "AP50", "AP75", "AP_hidden15", "AP_hidden25", "AP_hidden40", "AR1", "AR10", "AR100")
    ours = evaluate_protocol("vrsp", dataset, predictions)["amodal mask"]
    return {name: (ours[name], 100 * evaluation.stats[place]) for place, name in enumerate(names)}


PROGRAMS = {"c2f-seg": c2f_seg, "deocclusion": deocclusion, "instaorder": instaorder, "vrsp": vrsp}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in PROGRAMS:
        parser.add_argument(f"--{name}", type=Path, metavar="DIR", help="a clone of its authors' repository")
    options = vars(parser.parse_args())
    worst = 0.0
    for name, run in PROGRAMS.items():
        if folder := options[name.replace("-", "_")]:
            for figure, (ours, theirs) in run(folder).items():
                worst = max(worst, abs(ours - theirs))
                print(f"{name:12} {figure:40} {ours:10.5f} {theirs:10.5f}")
    print(f"largest difference: {worst:.6f}")


if __name__ == "__main__":
    main()
