"""Order of given objects, as InstaOrder and as Scene De-occlusion count it.

The ground truth's relation is that of their programs: of two objects whose visible masks overlap or share a pixel's
side, i is in front of j where |I_i & A_j| >= |I_j & A_i| > 0 or |I_i & A_j| > 0, i < j; every pixel counts. A
prediction's relation comes from its masks by the same rule (`by masks`), and from the order that it states (oco_id,
ico_id) for neighbours in the ground truth (`as stated`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.evaluation.columns import Bools, Floats, Ints
from kins.evaluation.protocols.completion import given_mask, pairs_of
from kins.evaluation.protocols.parts import Figures, blamed_on
from kins.masks import Mask, spans
from kins.masks.many import overlaps
from kins.occlusion.contact import corners, touching
from kins.records import Dataset, Instance
from kins.work import in_chunks

MOST_HIDDEN = 0.95
"""Stated pairs whose hidden object has a larger rate don't count in InstaOrder's program."""
SOURCES = ("by masks", "as stated")
CLOSER, FARTHER, EQUAL = 1, 0, 2
OVERLAPS = {"distinct": (False,), "overlapping": (True,), "all": (False, True)}
RELATIONS = {"": (CLOSER, FARTHER, EQUAL), "_unequal": (CLOSER, FARTHER), "_equal": (EQUAL,)}


def deocclusion(dataset: Dataset, predictions: Dataset, workers: int | None = 1) -> Figures:
    """Share of pairs whose relation (in front, behind, none) is right, in percent, over the pairs of all images.

    Returns:
        accuracy over `all` pairs, those of which one hides the other (`occluded`), and those whose visible masks touch
        (`bordering`), and their numbers.
    """

    def part(ids: Sequence[int]) -> Ints:
        total = np.zeros((len(SOURCES) + 1, 3), np.int64)
        for truth, found in pairs_of(dataset, predictions, ids):
            with blamed_on(dataset):
                near = neighbours(truth)
                order = _signed(in_front(truth, near))
            upper = np.triu(np.ones_like(near), 1)
            sets = np.stack([upper, upper & (order != 0), upper & near])
            total[0] += sets.sum((1, 2))
            for row, said in enumerate(_said(truth, found, near), 1):
                total[row] += (sets & (_signed(said) == order)).sum((1, 2))
        return total

    nothing = np.zeros((len(SOURCES) + 1, 3), np.int64)
    total = sum(in_chunks(part, list(dataset.images), "evaluating", workers), nothing)
    rows: Figures = {}
    for source, right in zip(SOURCES, total[1:].tolist(), strict=True):
        rows[source] = {}
        for name, count, good in zip(("all", "occluded", "bordering"), total[0].tolist(), right, strict=True):
            rows[source] |= {f"{name}_pairs": count, name: 100 * good / count if count else float("nan")}
    return rows


def instaorder(dataset: Dataset, predictions: Dataset, workers: int | None = 1) -> Figures:
    """Precision, recall and F1 of directed relations, each a mean over images, in percent.

    What has nothing to divide by is 100: an image without occlusion for which none is predicted has 100 three times.
    The annotator's own pairs (COCOA's `depth_constraint`) are the ground truth where an image has them, the masks
    elsewhere. Images without objects are left out.
    """

    def part(ids: Sequence[int]) -> list[list[list[float]]]:
        scores = []
        for image_id, (truth, found) in zip(ids, pairs_of(dataset, predictions, ids), strict=True):
            if truth:
                stated = dataset.images[image_id].extra.get("depth_constraint")
                with blamed_on(dataset):
                    near = neighbours(truth)
                    order = in_front(truth, near) if stated is None else _stated_pairs(truth, stated)
                scores.append([_agreement(order, said) for said in _said(truth, found, near)])
        return scores

    scores = [image for chunk in in_chunks(part, list(dataset.images), "evaluating", workers) for image in chunk]
    means = np.mean(scores, 0).tolist() if scores else [[float("nan")] * 3] * len(SOURCES)
    return {
        source: {"images": len(scores), **dict(zip(("precision", "recall", "F1"), row, strict=True))}
        for source, row in zip(SOURCES, means, strict=True)
    }


def whdr(dataset: Dataset, predictions: Dataset, workers: int | None = 1) -> Figures:
    """InstaOrder's weighted human disagreement rate of depth orders, in percent; lower is better.

    The ground truth is `depth` in the image's field `instaorder`, a list of {"order": "0<1" or "0=1", "overlap": true,
    "count": 2} over positions in that field's `instance_ids` (see `kins.formats.load_instaorder`), or where it has none
    over the image's objects. Pairs of objects that the data set does not have don't count. The prediction is the stated
    order: smaller is closer, equal is equal; objects of different clusters can't be compared, which counts as wrong. A
    pair weighs 2 / count; means over images that have such pairs.

    Raises:
        KinsError: no image has such a field, or it is damaged.
    """
    known = [image_id for image_id, image in dataset.images.items() if _depths(image.extra) is not None]
    if not known:
        where = f"{dataset.path}: " if dataset.path else ""
        raise KinsError(f"{where}no depth order is known: whdr needs `depth` in the field `instaorder` of the images")

    def part(ids: Sequence[int]) -> list[Floats]:
        rates = []
        for image_id, (truth, found) in zip(ids, pairs_of(dataset, predictions, ids, crowds=True), strict=True):
            image = dataset.images[image_id]
            where = f"image {image.file_name}: instaorder.depth"
            pairs = _depth_pairs(_depths(image.extra), _places(image.extra, truth), where)
            rates.append(_whdr(pairs, _closer(found)))
        return rates

    rates = np.array([rate for chunk in in_chunks(part, known, "evaluating", workers) for rate in chunk])
    rows: Figures = {}
    for row, name in enumerate(OVERLAPS):
        rows[name] = {}
        for column, suffix in enumerate(RELATIONS):
            values = rates[:, row, column]
            values = values[~np.isnan(values)]
            rows[name][f"WHDR{suffix}"] = float(values.mean()) if values.size else float("nan")
    return rows


def neighbours(objects: Sequence[Instance]) -> Bools:
    """(n, n) whose visible masks overlap, or have pixels side by side."""
    return _touching([instance.require("inmodal") for instance in objects])


def in_front(objects: Sequence[Instance], near: Bools) -> Bools:
    """(n, n) whether i is in front of j, by the masks; `near` are the neighbours."""
    return _in_front([i.require("amodal") for i in objects], [i.require("inmodal") for i in objects], near)


def _said(truth: list[Instance], found: list[Instance | None], near: Bools) -> tuple[Bools, Bools]:
    """What the predictions say of who is in front, by masks and as stated; of missing ones nothing."""
    there = [index for index, guess in enumerate(found) if guess is not None and guess.amodal is not None]
    guesses = [(truth[index], guess) for index in there if (guess := found[index]) is not None]
    amodal, inmodal = [guess.require("amodal") for _, guess in guesses], [given_mask(*pair) for pair in guesses]
    by_masks = np.zeros_like(near)
    by_masks[np.ix_(there, there)] = _in_front(amodal, inmodal, _touching(inmodal))
    return by_masks, near & (_closer(found) == CLOSER)


def _touching(masks: list[Mask]) -> Bools:
    table, _, boxes = spans(masks)
    edges = corners(boxes)
    near = (edges[:, None, :2] <= edges[None, :, 2:]).all(2)
    i, j = np.nonzero(np.triu(near & near.T, 1))
    near = np.zeros_like(near)
    if i.size:
        mask = masks[0]
        near[i, j] = touching(table, i, j, mask.height, mask.height * mask.width, "neighbours")
    return near | near.T


def _in_front(amodal: list[Mask], inmodal: list[Mask], near: Bools) -> Bools:
    (whole, _, boxes), (part, _, part_boxes) = spans(amodal), spans(inmodal)
    covered = overlaps(part, part_boxes, whole, boxes)
    first = np.triu(near & ((covered > 0) | (covered.T > 0)), 1)
    ahead = first & (covered >= covered.T)
    return np.asarray(ahead | (first & ~ahead).T)


def _closer(found: Sequence[Instance | None]) -> Ints:
    """(n, n) CLOSER, FARTHER or EQUAL by the stated order, -1 where it says nothing."""
    absent = [guess is None or guess.order is None for guess in found]
    order = np.array([-1 if g is None or g.order is None else g.order for g in found], np.int64)
    cluster = np.array([-1 if g is None or g.cluster is None else g.cluster for g in found], np.int64)
    known = ~np.array(absent, bool)
    comparable = known[:, None] & known & (cluster[:, None] == cluster)
    relation = np.where(order[:, None] < order, CLOSER, np.where(order[:, None] > order, FARTHER, EQUAL))
    return np.where(comparable, relation, -1)


def _signed(ahead: Bools) -> npt.NDArray[np.int8]:
    return ahead.astype(np.int8) - ahead.T


def _agreement(truth: Bools, said: Bools) -> list[float]:
    """Precision, recall and F1 of directed pairs in percent, 100 where there is nothing to divide by."""
    right, true, told = (int(pairs.sum()) for pairs in (truth & said, truth, said))
    return [
        100 * (part / whole if whole else 1.0)
        for part, whole in ((right, told), (right, true), (2 * right, true + told))
    ]


def _stated_pairs(objects: list[Instance], pairs: Sequence[Sequence[int]]) -> Bools:
    index = {instance.id: n for n, instance in enumerate(objects)}
    order = np.zeros((len(objects),) * 2, bool)
    for front, back in pairs:
        if front in index and back in index and objects[index[back]].occlusion_rate <= MOST_HIDDEN:
            order[index[front], index[back]] = True
    return order


def _depths(extra: dict[str, Any]) -> Any:
    own = extra.get("instaorder")
    return own.get("depth") if isinstance(own, dict) else None


def _places(extra: dict[str, Any], objects: list[Instance]) -> list[int | None]:
    """Which of the objects each position in an order stands for; None for one that the data set does not have."""
    ids = extra["instaorder"].get("instance_ids")
    if not isinstance(ids, list):
        return list(range(len(objects)))
    index = {instance.id: number for number, instance in enumerate(objects)}
    return [index.get(key) if isinstance(key, int) else None for key in ids]


def _depth_pairs(entries: Any, places: list[int | None], where: str) -> list[tuple[int, int, int, bool, float]]:
    """First and second object, first < second; their relation, whether they overlap, and the pair's weight."""
    pairs = []
    try:
        for entry in entries:
            text, equal = str(entry["order"]), "=" in str(entry["order"])
            first, second = (int(number) for number in text.split("=" if equal else "<"))
            weight, overlap = 2 / entry["count"], bool(entry["overlap"])
            if first == second or min(first, second) < 0 or not weight > 0:
                raise ValueError
            i, j = places[first], places[second]
            if i is None or j is None:
                continue
            if i == j:
                raise ValueError
            relation = EQUAL if equal else CLOSER if i < j else FARTHER
            pairs.append((min(i, j), max(i, j), relation, overlap, weight))
    except (TypeError, LookupError, ValueError, ZeroDivisionError):
        raise KinsError(f'{where}: is no list of {{"order": "0<1", "overlap": true, "count": 2}} of objects') from None
    return pairs


def _whdr(pairs: list[tuple[int, int, int, bool, float]], said: Ints) -> Floats:
    """(overlaps, relations) percent of an image; NaN where it has no such pair."""
    columns = [np.array(column) for column in zip(*pairs, strict=True)] or [np.zeros(0, np.int64)] * 5
    first, second, relation, overlap, weight = columns
    wrong = said[first, second] != relation
    rates = np.full((len(OVERLAPS), len(RELATIONS)), np.nan)
    for row, kinds in enumerate(OVERLAPS.values()):
        for column, relations in enumerate(RELATIONS.values()):
            mine = np.isin(overlap, kinds) & np.isin(relation, relations)
            if mine.any():
                rates[row, column] = 100 * (weight * wrong)[mine].sum() / weight[mine].sum()
    return rates
