"""Lists of cases and of images: what is in them, and in which sequence."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from kins.annotate.view.index import Index, Run, quality
from kins.evaluation.cases import OUTCOMES, RIGHT, Cases, level_of, size_of
from kins.evaluation.columns import AMODAL, BOX, INMODAL, Bools, Floats, Ints

HIDDEN = 3
"""Row of the hidden regions' IoU."""
WRONG, ORDER, OCCLUSION = "wrong", "order", "occlusion"
KINDS = (*OUTCOMES, WRONG, ORDER, OCCLUSION)
"""What lists are of: outcomes; all that is not right; objects in pairs of wrong order; wrongly said to be occluded."""
OBJECTS, DETECTIONS = "objects", "detections"
SORTS = ("worst", "best", "score", "large", "hidden-most", "box", "amodal", "inmodal", "hidden", "image")


@dataclasses.dataclass(frozen=True)
class Query:
    """What a list is to have; '' and None leave all in.

    Attributes:
        run: name of the predictions.
        kind: one of KINDS.
        of: `objects`, or `detections` that stand for none.
        category, taken: names of the class of the case, and of the detection's class.
        level, size: names of an occlusion level and of a size.
        image: its place.
        score, most: least and highest score of detections.
        iou: threshold from which a detection is right.
        sort: one of SORTS.
    """

    run: str = ""
    kind: str = ""
    of: str = ""
    category: str = ""
    taken: str = ""
    level: str = ""
    size: str = ""
    image: int | None = None
    score: float = 0.5
    most: float = 1.0
    iou: float = 0.5
    sort: str = "worst"


@dataclasses.dataclass(frozen=True)
class Listed:
    """Rows of the cases at an IoU threshold, in their sequence; and how many there would be of each kind."""

    threshold: float
    cases: Cases
    rows: Ints
    iou: Floats
    kinds: dict[str, int]


def listed(index: Index, query: Query) -> Listed:
    """The cases that a query asks for."""
    run = index.run(query.run)
    found = run.cases(query.iou, query.score)
    inside = _inside(index, run, found, query)
    of_kind = {kind: _of_kind(run, found, kind) & inside for kind in KINDS} if not index.alone else {}
    kept = inside if not query.kind or index.alone else of_kind[query.kind]
    rows, iou = np.flatnonzero(kept), run.iou(found)
    rows = rows[_sequence(run, found, iou, rows, query.sort)]
    return Listed(
        query.iou,
        found,
        rows,
        iou,
        {"": int(inside.sum())} | {kind: int(which.sum()) for kind, which in of_kind.items()},
    )


def _inside(index: Index, run: Run, found: Cases, query: Query) -> Bools:
    """(C,) whether a case passes all filters but that of the kind."""
    inside = np.ones(len(found), bool)
    ids = {name: key for key, name in index.dataset.categories.items()}
    if query.of:
        inside &= found.own == (query.of == OBJECTS)
    if query.category:
        inside &= found.category == ids.get(query.category)
    if query.taken:
        inside &= np.append(run.table.found.category, -1)[found.found] == ids.get(query.taken)
        inside &= found.found >= 0
    if query.level:
        inside &= level_of(found.rate) == query.level
    if query.size:
        inside &= size_of(found.area) == query.size
    if query.image is not None:
        inside &= found.image == query.image
    if query.most < 1:
        inside &= ~(_score(run, found) > query.most)
    return inside


def _of_kind(run: Run, found: Cases, kind: str) -> Bools:
    if kind == WRONG:
        return found.kind != RIGHT
    if kind == ORDER:
        return found.own & (found.kind == RIGHT) & (np.append(run.order, 0)[found.truth] > 0)
    if kind == OCCLUSION:
        return run.misjudged(found)
    return found.kind == kind


def _score(run: Run, found: Cases) -> Floats:
    """(C,) of the detection; NaN without one."""
    return np.append(run.table.found.score, np.nan)[found.found]


def badness(run: Run, found: Cases, iou: Floats) -> Floats:
    """(C,) 0 to 1: 1 for missed objects, 1 - IoU for those with a detection, the score of a detection too many."""
    shared = np.nan_to_num(iou[AMODAL])
    missed = found.own & (found.found < 0)
    return np.where(missed, 1.0, np.where(found.own, 1 - shared, np.nan_to_num(_score(run, found))))


def _sequence(run: Run, found: Cases, iou: Floats, rows: Ints, sort: str) -> Ints:
    """Of equal ones the larger comes first; what has no value comes last."""
    values: dict[str, Callable[[], Floats]] = {
        "worst": lambda: -badness(run, found, iou),
        "best": lambda: badness(run, found, iou),
        "score": lambda: -_score(run, found),
        "large": lambda: -found.area,
        "hidden-most": lambda: -found.rate,
        "box": lambda: iou[BOX],
        "amodal": lambda: iou[AMODAL],
        "inmodal": lambda: iou[INMODAL],
        "hidden": lambda: iou[HIDDEN],
        "image": lambda: found.image.astype(np.float64),
    }
    value = values[sort]()[rows]
    return np.lexsort((rows, -found.area[rows], np.where(np.isnan(value), np.inf, value)))


@dataclasses.dataclass(frozen=True)
class Images:
    """Images in their sequence, and numbers for all of them.

    Attributes:
        rows: places of the images.
        quality: (images,) as in reports, in percent; NaN without objects.
        objects, right, inside: (images,) how many objects, right ones, and cases that the query asks for.
    """

    rows: Ints
    quality: Floats
    objects: Ints
    right: Ints
    inside: Ints


def listed_images(index: Index, query: Query) -> Images:
    """The images that have a case that a query asks for, the worst or those with most such cases first; all of them for
    a query that leaves all in."""
    run = index.run(query.run)
    found = listed(index, dataclasses.replace(query, image=None))
    count = len(index.images)
    inside = np.bincount(found.cases.image[found.rows], minlength=count)
    own = found.cases.own
    objects = np.bincount(found.cases.image[own], minlength=count)
    right = np.bincount(found.cases.image[own & (found.cases.kind == RIGHT)], minlength=count)
    value = np.full(count, np.nan) if index.alone else quality(run, query.score)
    narrowed = any((query.kind, query.of, query.category, query.taken, query.level, query.size, query.most < 1))
    first = -inside if narrowed or index.alone else np.where(np.isnan(value), np.inf, value)
    if query.sort == "best":
        first = -first
    if query.sort == "image":
        first = np.zeros(count)
    rows = np.lexsort((np.arange(count), -inside, first))
    return Images(rows[inside[rows] > 0] if narrowed else rows, value, objects, right, inside)
