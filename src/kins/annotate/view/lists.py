"""Lists of cases and of images: what is in them, and in which sequence."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from kins.annotate.view.index import Index, Run, quality
from kins.evaluation.cases import OUTCOMES, RIGHT, Cases, size_of
from kins.evaluation.columns import AMODAL, BOX, INMODAL, Bools, Floats, Ints
from kins.evaluation.columns import KINDS as MASKS
from kins.evaluation.slices import SIZES, slice_of

HIDDEN = 3
"""Row of the hidden regions' IoU."""
WRONG, OTHERS, EXTENTS, PAIRS, ORDER, JUDGED, OCCLUSION = (
    "wrong",
    "others",
    "extents",
    "pairs",
    "order",
    "judged",
    "occlusion",
)
KINDS = (*OUTCOMES, WRONG, OTHERS, EXTENTS, PAIRS, ORDER, JUDGED, OCCLUSION)
"""What lists are of: outcomes; all that is not right; detections too many that are neither invented nor duplicates;
right ones whose hidden regions can be compared; pairs of right ones of which one hides the other, and such pairs of
wrong order; right ones that are said to be occluded or not, and those of them of which it is wrong."""
SIZE_WORDS = [f"{kind}{part.name}" for kind in ("", "box-", "inmodal-") for part in SIZES]
"""By the amodal mask, or by what else has an area of its own in the report."""
RELATED = (PAIRS, ORDER)
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
        level: a word that `slices.slice_of` takes.
        size: one of SIZE_WORDS.
        image: its place.
        score, most: least and highest score of detections.
        iou: threshold from which a detection is right.
        matching: '' within classes, or ANY.
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
    matching: str = ""
    sort: str = "worst"


@dataclasses.dataclass(frozen=True)
class Listed:
    """Rows of the cases that a query asks for, in their sequence; and how many there would be of each kind.

    Attributes:
        relations: for lists of pairs the row of each among the run's relations; the case is the object behind.
    """

    query: Query
    cases: Cases
    rows: Ints
    relations: Ints | None
    iou: Floats
    kinds: dict[str, int]


def listed(index: Index, query: Query) -> Listed:
    """The cases that a query asks for."""
    run = index.run(query.run)
    found = run.cases(query.iou, query.score, query.matching)
    inside, iou = _inside(index, run, found, query), run.iou(found)
    rows = {"": np.flatnonzero(inside)}
    pairs: dict[str, Ints] = {}
    if not index.alone:
        plain = [kind for kind in KINDS if kind not in RELATED]
        rows |= {kind: np.flatnonzero(_of_kind(run, found, iou, kind) & inside) for kind in plain}
        for kind in RELATED:
            rows[kind], pairs[kind] = _related(run, found, kind, inside)
    kind = "" if index.alone else query.kind
    sequence = _sequence(run, found, iou, rows[kind], query.sort)
    return Listed(
        query,
        found,
        rows[kind][sequence],
        pairs[kind][sequence] if kind in pairs else None,
        iou,
        {name: which.size for name, which in rows.items()},
    )


def _inside(index: Index, run: Run, found: Cases, query: Query) -> Bools:
    """(C,) whether a case passes all filters but that of the kind."""
    inside = np.ones(len(found), bool)
    ids = {name: key for key, name in index.classes.items()}
    if query.of:
        inside &= found.own == (query.of == OBJECTS)
    if query.category:
        inside &= found.category == ids.get(query.category)
    if query.taken:
        inside &= np.append(run.table.found.category, -1)[found.found] == ids.get(query.taken)
        inside &= found.found >= 0
    if query.level:
        inside &= slice_of(query.level).holds(found.rate)
    if query.size:
        kind, _, name = query.size.rpartition("-")
        inside &= size_of(_area(run, found, kind)) == name
    if query.image is not None:
        inside &= found.image == query.image
    if query.most < 1:
        inside &= ~(_score(run, found) > query.most)
    return inside


def _area(run: Run, found: Cases, kind: str) -> Floats:
    """(C,) what decides about the size: of the amodal mask, or of what is named."""
    if not kind:
        return found.area
    objects, detections = (np.append(side.area[MASKS.index(kind)], 0) for side in (run.table.truth, run.table.found))
    return np.where(found.own, objects[found.truth], detections[found.found])


def _of_kind(run: Run, found: Cases, iou: Floats, kind: str) -> Bools:
    """(C,) which cases are of a kind that is not of pairs."""
    if kind == WRONG:
        return found.kind != RIGHT
    if kind == OTHERS:
        return ~found.own & ~np.isin(found.kind, ("background", "duplicate"))
    if kind == EXTENTS:
        return (found.kind == RIGHT) & ~np.isnan(iou[HIDDEN])
    if kind in (JUDGED, OCCLUSION):
        return run.judged(found)[kind == OCCLUSION]
    return found.kind == kind


def _related(run: Run, found: Cases, kind: str, inside: Bools) -> tuple[Ints, Ints]:
    """Pairs of right objects: the case of the one behind, which must be inside, and the row of the relation."""
    place = np.full(len(run.table.truth), -1)
    place[found.truth[found.own]] = np.flatnonzero(found.own)
    relations = np.flatnonzero(run.table.relations.truth != 0) if kind == PAIRS else run.wrong
    behind, front = place[run.behind[relations]], place[run.front[relations]]
    right = found.kind == RIGHT
    kept = right[behind] & right[front] & inside[behind]
    return behind[kept], relations[kept]


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
