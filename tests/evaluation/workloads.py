"""Random ground truths and predictions, and what pycocotools says of them."""

import contextlib
import dataclasses
import io
from collections.abc import Callable

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from kins import Dataset, Image, Instance, Mask, Scene
from kins.evaluation.precision import THRESHOLDS

HEIGHT, WIDTH = 60, 80
CATEGORIES = {2: "pedestrian", 4: "car", 7: "van"}
STATS = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")


def ellipse(rng: np.random.Generator, cx: float, cy: float, w: float, h: float) -> np.ndarray:
    """(HEIGHT, WIDTH) bool, with a ragged outline."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return ((x - cx) / w) ** 2 + ((y - cy) / h) ** 2 <= 1 + 0.15 * rng.standard_normal((HEIGHT, WIDTH))


def workload(
    seed: int, images: int = 12, objects: int = 8, ties: bool = False, crowds: bool = False, scores: float = 0.8
) -> tuple[Dataset, Dataset]:
    """Ground truth and predictions with duplicates, misses, wrong classes and false detections."""
    rng = np.random.default_rng(seed)
    ids = list(CATEGORIES)
    truth, found = [], []
    number = 0
    for image_id in rng.permutation(images) + 5:
        image = Image(int(image_id), f"{image_id}.png", HEIGHT, WIDTH)
        instances, detections = [], []
        for _ in range(int(rng.integers(0, objects + 1))):
            number += 1
            category = int(rng.choice(ids[:2] if seed % 2 else ids, p=None))
            cx, cy = rng.uniform(0, WIDTH), rng.uniform(0, HEIGHT)
            w, h = rng.uniform(3, 30), rng.uniform(3, 25)
            cut = cx - w + 2 * w * rng.choice([0, 0, 0.1, 0.2, 0.5])
            amodal = ellipse(rng, cx, cy, w, h)
            inmodal = amodal & (np.arange(WIDTH) >= cut)
            if not inmodal.any():
                continue
            crowd = crowds and rng.random() < 0.2
            instances.append(instance(number, category, amodal, inmodal, crowd=crowd))
            for _ in range(int(rng.integers(0, 4))):
                if rng.random() > scores:
                    continue
                shift = rng.normal(0, 1.5, 2)
                guess = ellipse(rng, cx + shift[0], cy + shift[1], w * rng.uniform(0.8, 1.2), h * rng.uniform(0.8, 1.2))
                seen = guess & (np.arange(WIDTH) >= cut + rng.normal(0, 3))
                score = round(float(rng.random()), 1 if ties else 6)
                label = category if rng.random() < 0.85 else int(rng.choice(ids))
                detections.append(instance(0, label, guess, seen, score=score, occlusion_score=float(rng.random())))
        truth.append(Scene(image, tuple(instances)))
        found.append(Scene(image, tuple(detections)))
    return Dataset.from_scenes(truth, CATEGORIES), Dataset.from_scenes(found, CATEGORIES)


def instance(number: int, category: int, amodal: np.ndarray, inmodal: np.ndarray, **fields: object) -> Instance:
    """With masks from arrays."""
    masks = Mask.from_array(amodal), Mask.from_array(inmodal)
    return Instance(number, category, CATEGORIES[category], *masks, **fields)  # type: ignore[arg-type]


def coco_truth(dataset: Dataset, kind: str) -> COCO:
    """The ground truth of one kind as pycocotools takes it."""
    annotations = []
    for scene in dataset:
        for item in scene:
            mask = item.inmodal if kind == "inmodal" else item.amodal
            annotations.append(
                {
                    "id": item.id,
                    "image_id": scene.image.id,
                    "category_id": item.category_id,
                    "iscrowd": int(bool(item.crowd)),
                    "segmentation": mask.rle,
                    "bbox": list(mask.box),
                    "area": mask.area,
                }
            )
    coco = COCO()
    coco.dataset = {
        "info": {},
        "images": [{"id": i.id, "width": i.width, "height": i.height} for i in dataset.images.values()],
        "annotations": annotations,
        "categories": [{"id": key, "name": name} for key, name in dataset.categories.items()],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
    return coco


def coco_evaluation(dataset: Dataset, predictions: Dataset, kind: str, stated: str | None = None) -> COCOeval:
    """pycocotools' evaluation of one kind, summarised. The results have what is `stated`, else what the kind needs."""
    stated = stated or ("box" if kind == "box" else "mask")
    results = []
    for scene in predictions:
        for item in scene:
            mask = item.inmodal if kind == "inmodal" else item.amodal
            shape = {"bbox": list(mask.box)} if "box" in stated else {}
            shape |= {"segmentation": mask.rle} if "mask" in stated else {}
            results.append({"image_id": scene.image.id, "category_id": item.category_id, "score": item.score, **shape})
    truth = coco_truth(dataset, kind)
    with contextlib.redirect_stdout(io.StringIO()):
        found = truth.loadRes(results) if results else _nothing(truth)
        evaluation = COCOeval(truth, found, "bbox" if kind == "box" else "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _nothing(truth: COCO) -> COCO:
    coco = COCO()
    coco.dataset = {**truth.dataset, "annotations": []}
    coco.createIndex()
    return coco


def sliced_ap(dataset: Dataset, predictions: Dataset, kind: str, inside: Callable[[float], bool]) -> float:
    """AP of the ground truth whose occlusion rate is `inside`, written out as plainly as possible; in percent."""
    values = []
    for category in dataset.categories:
        for threshold in THRESHOLDS:
            records, count = [], 0
            for image_id in sorted(dataset.images):
                truth = [i for i in dataset[image_id] if i.category_id == category]
                found = [i for i in predictions[image_id] if i.category_id == category]
                found = sorted(found, key=lambda i: -(i.score or 0))[:100]
                ignored = [bool(i.crowd) or not inside(i.occlusion_rate) for i in truth]
                count += ignored.count(False)
                free = [True] * len(truth)
                for item in found:
                    best, choice = min(threshold, 1 - 1e-10), None
                    for wanted in (False, True):
                        for index, other in enumerate(truth):
                            if ignored[index] != wanted or not (free[index] or other.crowd):
                                continue
                            value = iou(item, other, kind)
                            if value >= best:
                                best, choice = value, index
                        if choice is not None:
                            break
                    if choice is None:
                        if inside(item.occlusion_rate):
                            records.append((-(item.score or 0), False))
                        continue
                    free[choice] = False
                    if not ignored[choice]:
                        records.append((-(item.score or 0), True))
            if count:
                values.append(average_precision(records, count))
    return 100 * float(np.mean(values)) if values else float("nan")


def iou(found: Instance, truth: Instance, kind: str) -> float:
    """Of decoded masks or of boxes; over the detection where the ground truth is a crowd."""
    if kind == "box":
        (x, y, w, h), (a, b, c, d) = found.amodal.box, truth.amodal.box
        common = max(min(x + w, a + c) - max(x, a), 0) * max(min(y + h, b + d) - max(y, b), 0)
        sizes = w * h, c * d
    else:
        first, second = (getattr(item, kind).to_array() for item in (found, truth))
        common, sizes = (first & second).sum(), (first.sum(), second.sum())
    total = sizes[0] if truth.crowd else sizes[0] + sizes[1] - common
    return float(common / total) if common else 0.0


def average_precision(records: list[tuple[float, bool]], count: int) -> float:
    """COCO's 101 points, over (-score, right)."""
    records = sorted(records, key=lambda record: record[0])
    points = []
    right = 0
    for index, (_, good) in enumerate(records, 1):
        right += good
        points.append((right / count, right / index))
    return float(np.mean([max((p for r, p in points if r >= level), default=0) for level in np.linspace(0, 1, 101)]))


def changed(dataset: Dataset, **change: object) -> Dataset:
    """With some fields of every instance set; functions are called with the instance."""

    def one(instance: Instance) -> Instance:
        return instance.replace(**{name: value(instance) for name, value in change.items()})  # type: ignore[operator]

    return Dataset.from_scenes([s.replace(instances=tuple(map(one, s))) for s in dataset], dataset.categories)


def completed() -> tuple[Dataset, Dataset]:
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
