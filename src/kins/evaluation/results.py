"""All figures of an evaluation."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kins.errors import KinsError
from kins.evaluation.columns import AMODAL, BOX, INMODAL, KINDS, Bools, Ints
from kins.evaluation.matching import match, plan
from kins.evaluation.order import order_quality
from kins.evaluation.precision import DETECTIONS, Curves, Ranking, curves, mean, ranking
from kins.evaluation.regions import occlusion_classification, region_quality
from kins.evaluation.slices import SIZES, Slice

if TYPE_CHECKING:
    from kins.evaluation.errors import Analysis
    from kins.evaluation.table import Table

SIZE_NAMES = {"small": "s", "medium": "m", "large": "l"}


@dataclasses.dataclass(slots=True)
class Precision:
    """AP and AR of one kind, in percent; NaN where there is nothing to count.

    Attributes:
        overall: AP, AP50, AP75, APs, APm, APl, AR1, AR10, AR100, ARs, ARm, ARl.
        classes: by category name AP, AP50, AP75, AR100 and `instances`.
        slices: by slice name AP, AP50, AP75, AR100 and `instances`.
        curves: precision and recall over all ground truths.
    """

    overall: dict[str, float]
    classes: dict[str, dict[str, float]]
    slices: dict[str, dict[str, float]]
    curves: Curves

    def __getitem__(self, name: str) -> float:
        return self.overall[name]


@dataclasses.dataclass(slots=True)
class Results:
    """Figures of one set of predictions, in percent.

    Attributes:
        images, instances, detections: how many were compared (crowds not among the instances).
        kinds: Precision by kind, `box`, `amodal`, `inmodal`, as far as both sides have it.
        regions: mean IoU of matched pairs: see regions.region_quality.
        occlusion: occluded or not, of matched pairs: see regions.occlusion_classification.
        order: who hides whom: see order.order_quality.
        notes: what a reader should know, one line each.
        table: the compared images, from which the report takes more.
        analysis: where precision is lost, if `kins.evaluation.analyse` was asked for it.
    """

    images: int
    instances: int
    detections: int
    categories: dict[int, str]
    kinds: dict[str, Precision]
    regions: dict[str, float]
    occlusion: dict[str, float]
    order: dict[str, float]
    notes: list[str]
    table: Table = dataclasses.field(repr=False)
    slices: tuple[Slice, ...] = ()
    analysis: Analysis | None = dataclasses.field(default=None, repr=False)

    @property
    def box(self) -> Precision:
        """Of the amodal boxes. Raises KinsError, as the next two, if one side has none."""
        return self._kind("box")

    @property
    def amodal(self) -> Precision:
        """Of the amodal masks."""
        return self._kind("amodal")

    @property
    def inmodal(self) -> Precision:
        """Of the inmodal masks."""
        return self._kind("inmodal")

    def to_dict(self) -> dict[str, Any]:
        """For JSON; what is not defined is None."""
        value: dict[str, Any] = {
            "images": self.images,
            "instances": self.instances,
            "detections": self.detections,
            **{
                name: {"overall": kind.overall, "classes": kind.classes, "slices": kind.slices}
                for name, kind in self.kinds.items()
            },
            "regions": self.regions,
            "occlusion": self.occlusion,
            "order": self.order,
            "notes": self.notes,
        }
        if self.analysis:
            value["analysis"] = dataclasses.asdict(self.analysis)
        cleaned: dict[str, Any] = without_nan(value)
        return cleaned

    def _kind(self, name: str) -> Precision:
        if name not in self.kinds:
            raise KinsError(f"no {name} figures: ground truth or predictions have no such masks")
        return self.kinds[name]


def summarise(table: Table, categories: Mapping[int, str], slices: Sequence[Slice]) -> Results:
    """All figures from compared images."""
    names, notes = told_apart(categories)
    known = _known(table)
    sliced = bool(table.truth.known[1:].all())
    if not len(table.found):
        notes.append("there is no detection at all")
    if not sliced:
        notes.append("no occlusion slices: the ground truth does not have both masks of every instance")
    elif not table.found.known[1:].all() and slices:
        notes.append(
            "predictions do not have both masks: in occlusion slices every unmatched detection counts as wrong,"
            " since its own occlusion is unknown"
        )
    present = [kind for kind in (BOX, AMODAL, INMODAL) if known[kind]]
    rank = ranking(np.searchsorted(list(names), table.found.category), table.found.score, table.place, len(names))
    kinds = {KINDS[kind]: _precision(table, kind, rank, names, slices if sliced else ()) for kind in present}
    if not kinds:
        raise KinsError("nothing to compare: ground truth and predictions have neither boxes nor masks in common")
    instances = int(np.count_nonzero(~table.truth.crowd))
    return Results(
        len(table.images),
        instances,
        len(table.found),
        names,
        kinds,
        region_quality(table) if "amodal" in kinds else {},
        occlusion_classification(table),
        order_quality(table.relations),
        notes,
        table,
        tuple(slices),
    )


def told_apart(categories: Mapping[int, str]) -> tuple[dict[int, str], list[str]]:
    """Names by id, sorted by id; where several categories have one name, with their ids; and a note for each such name.

    Figures are of ids, and their tables have a row a name.
    """
    count = Counter(categories.values())
    names = {key: name if count[name] == 1 else f"{name} (id {key})" for key, name in sorted(categories.items())}
    notes = []
    for name in (name for name in count if count[name] > 1):
        ids = ", ".join(str(key) for key in names if categories[key] == name)
        notes.append(f"categories {ids} are all named {name}; they are different classes, and only ids are compared")
    return names, notes


def _known(table: Table) -> list[bool]:
    """Which kinds both sides have. Raises KinsError if only some of the detections have one."""
    known = []
    for kind, name in enumerate(KINDS):
        truth, found = table.truth.known[kind], table.found.known[kind]
        if found.any() and not found.all():
            row = int(np.flatnonzero(~found)[0])
            position, number = table.found.position[row], table.found.id[row]
            place = f"[{position}]" if position >= 0 else f"detection {number}"
            raise KinsError(f"{place}: there is no {name}{' mask' if kind else ''}, other detections have one")
        known.append(bool(truth.all() and (found.all() or not found.size)))
    return known


def _precision(
    table: Table, kind: int, rank: Ranking, categories: Mapping[int, str], slices: Sequence[Slice]
) -> Precision:
    truth, found = table.truth, table.found
    label = np.searchsorted(list(categories), truth.category)
    run = scoring(table, kind, rank, label)
    everything = run(truth.crowd, np.zeros(len(found), bool))
    overall = _figures(everything)
    overall |= {"AR1": _recall(everything, 0), "AR10": _recall(everything, 1)}
    for part in SIZES:
        of_size = run(truth.crowd | ~part.holds(truth.area[kind]), ~part.holds(found.area[kind]))
        letter = SIZE_NAMES[part.name]
        overall |= {f"AP{letter}": mean(of_size.precision), f"AR{letter}": _recall(of_size, 2)}
    by_slice = {}
    rates = truth.rate, found.rate
    for part in slices:
        unknown = np.isnan(rates[1])
        by_slice[part.name] = _row(run(truth.crowd | ~part.holds(rates[0]), ~part.holds(rates[1]) & ~unknown))
    classes = {name: _row(everything, k) for k, name in enumerate(categories.values())}
    sequence = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")
    return Precision({name: overall[name] for name in sequence}, classes, by_slice, everything)


def scoring(
    table: Table, kind: int, rank: Ranking, label: Ints, numbers: tuple[int, ...] = DETECTIONS
) -> Callable[[Bools, Bools], Curves]:
    """A function that gives the curves of one kind from `ignored` and `outside` as `curves` takes them.

    But `outside` is by the rows of the detections, not by their rank.

    Args:
        kind: row of the pairs' IoU.
        label, numbers: as in `curves`.
    """
    truth, found, pairs = table.truth, table.found, table.pairs
    steps = plan(rank.position[pairs.found], pairs.truth, pairs.iou[kind], truth.crowd, len(found))

    def run(ignored: Bools, outside: Bools) -> Curves:
        return curves(rank, match(steps, ignored), label, ignored, outside[rank.rows], numbers)

    return run


def _figures(part: Curves, classes: slice | int = slice(None)) -> dict[str, float]:
    precision = part.precision[:, :, classes]
    return {
        "AP": mean(precision),
        "AP50": mean(precision[0]),
        "AP75": mean(precision[5]),
        "AR100": _recall(part, 2, classes),
    }


def _row(part: Curves, classes: slice | int = slice(None)) -> dict[str, float]:
    return {**_figures(part, classes), "instances": int(np.sum(part.instances[classes]))}


def _recall(part: Curves, most: int, classes: slice | int = slice(None)) -> float:
    return mean(part.recall[:, classes, most])


def without_nan(value: Any) -> Any:
    """The same lists and dicts with None for NaN and 0 for -0, as JSON wants it."""
    if isinstance(value, dict):
        return {name: without_nan(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    if isinstance(value, float):
        return None if np.isnan(value) else value + 0.0
    return value


def short_names(names: Sequence[str]) -> list[str]:
    """Those of prediction files without folders and endings, as far as they differ then."""
    stems = [Path(name).stem for name in names]
    return stems if len(set(stems)) == len(stems) else list(names)
