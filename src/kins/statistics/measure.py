"""What the KINS paper (Qi et al., CVPR 2019) reports of a data set: classes, occlusion, order, sizes, shapes."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import EllipsisType
from typing import Any

import numpy as np
import numpy.typing as npt

from kins.files.terminal import shown
from kins.limits import CLASSES
from kins.masks import Mask, rasterise, spans
from kins.masks.many import require_one_size
from kins.masks.shape import forms
from kins.occlusion import HEAVY, LEVELS, OCCLUDED, PARTIAL, level, occlusion
from kins.records import Dataset, Scene

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.bool_] | npt.NDArray[np.int64] | EllipsisType
"""Which instances: a mask, or their indices; all for an ellipsis."""

SMALL, LARGE = 32**2, 96**2
"""COCO's bounds of small, medium and large objects, in pixels of area."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
DEFINITIONS = {
    "levels": f"none: rate < {PARTIAL}, partial: {PARTIAL} to {HEAVY}, heavy: > {HEAVY}",
    "occluded": f"rate > {OCCLUDED}",
    "rate": "1 - |inmodal| / |amodal|, in pixels",
    "cluster": "instances whose amodal masks overlap or touch",
    "order": "longest chain of occluders before an instance; derived from the masks, whatever the file states",
    "sizes": f"area of the amodal mask: small < {SMALL}, medium, large >= {LARGE} pixels",
    "convexity": "area / area of the convex hull",
    "simplicity": "sqrt(4 pi area) / perimeter",
}


@dataclasses.dataclass(frozen=True)
class Statistics:
    """Measures of every instance, cluster and image of a data set; NaN where a mask is missing.

    Attributes:
        name: of the data set, for headings.
        categories: names, in the file's sequence; also those without instances.
        category: (N,) int64 index into `categories` of each instance.
        rate: (N,) occlusion rate.
        area: (N,) pixels of the amodal mask, or of the inmodal one where there is no amodal one.
        width, height: (N,) pixels of that mask's box.
        convexity, simplicity: (N, 2) of the amodal and inmodal mask; without rows if not asked for.
        per_image: (images,) instances of each image.
        cluster_sizes: (clusters,) instances of each cluster; empty if masks are missing.
        longest_orders: (clusters,) the largest order in each.
        both_ways: pairs that hide parts of each other.
        cycles: how many had to be broken.
    """

    name: str
    categories: list[str]
    category: npt.NDArray[np.int64]
    rate: Floats
    area: Floats
    width: Floats
    height: Floats
    convexity: Floats
    simplicity: Floats
    per_image: npt.NDArray[np.int64]
    cluster_sizes: npt.NDArray[np.int64]
    longest_orders: npt.NDArray[np.int64]
    both_ways: int
    cycles: int

    @property
    def occluded(self) -> npt.NDArray[np.bool_]:
        """(N,) whether the rate is above OCCLUDED."""
        return np.asarray(self.rate > OCCLUDED)

    def of(self, category: str) -> npt.NDArray[np.bool_]:
        """(N,) whether the instance is of this category."""
        if category not in self.categories:
            return np.zeros(len(self.category), bool)
        return np.asarray(self.category == self.categories.index(category))

    def level_counts(self, chosen: Rows = ...) -> dict[str, int]:
        """Instances of each occlusion level; of those chosen."""
        rates = self.rate[chosen]
        counts = Counter(level(rate) for rate in rates[~np.isnan(rates)].tolist())
        return {name: counts[name] for name in LEVELS}

    def size_counts(self) -> dict[str, int]:
        """Instances of each of COCO's sizes."""
        small, large = int((self.area < SMALL).sum()), int((self.area >= LARGE).sum())
        return {"small": small, "medium": len(self.area) - small - large, "large": large}

    def as_json(self) -> dict[str, Any]:
        """Everything the tables show, as plain values; null where masks are missing."""
        known = self.rate[~np.isnan(self.rate)]
        per_class = {}
        order = np.argsort(self.category, kind="stable")
        bounds = np.searchsorted(self.category[order], np.arange(len(self.categories) + 1)).tolist()
        for name, start, stop in zip(self.categories, bounds, bounds[1:], strict=False):
            chosen = order[start:stop]
            per_class[name] = {
                "instances": stop - start,
                "levels": self.level_counts(chosen) if known.size else None,
                "occluded": int(self.occluded[chosen].sum()) if known.size else None,
                "convexity": self.shape("convexity", chosen),
                "simplicity": self.shape("simplicity", chosen),
            }
        clusters = self.cluster_sizes.size
        return {
            "name": self.name,
            "images": len(self.per_image),
            "images_without_instances": int((self.per_image == 0).sum()),
            "instances": len(self.category),
            "instances_per_image": _summary(self.per_image),
            "instances_per_image_histogram": _histogram(self.per_image),
            "classes": per_class,
            "levels": self.level_counts() if known.size else None,
            "occluded": int(self.occluded.sum()) if known.size else None,
            "occluded_share": _mean(self.occluded) if known.size else None,
            "mean_rate_of_occluded": _mean(self.rate[self.occluded]) if known.size else None,
            "clusters": clusters or None,
            "cluster_sizes": _histogram(self.cluster_sizes) if clusters else None,
            "longest_order_per_cluster": _histogram(self.longest_orders) if clusters else None,
            "pairs_hiding_parts_of_each_other": self.both_ways if clusters else None,
            "cycles_broken": self.cycles if clusters else None,
            "sizes": self.size_counts(),
            "area": _summary(self.area),
            "width": _summary(self.width),
            "height": _summary(self.height),
            "convexity": self.shape("convexity"),
            "simplicity": self.shape("simplicity"),
            "convexity_of_occluded": self.shape("convexity", self.occluded),
            "simplicity_of_occluded": self.shape("simplicity", self.occluded),
        }

    def shape(self, measure: str, chosen: Rows = ...) -> dict[str, float | None] | None:
        """Mean of `convexity` or `simplicity` of the amodal and the inmodal masks; None if not measured."""
        values: Floats = getattr(self, measure)
        if not len(values):
            return None
        values = values[chosen]
        return {"amodal": _mean(values[:, 0]), "inmodal": _mean(values[:, 1])}


@dataclasses.dataclass(slots=True)
class _Measures:
    """What statistics needs of one image: its instances (rate, area, width and height; shapes as `_forms` gives them),
    sizes and depths of its clusters."""

    categories: list[str]
    rows: Floats
    forms: Floats
    sizes: list[int] = dataclasses.field(default_factory=list)
    depths: list[int] = dataclasses.field(default_factory=list)
    both_ways: int = 0
    cycles: int = 0


def statistics(
    dataset: Dataset, name: str | None = None, shapes: bool = True, workers: int | None = None
) -> Statistics:
    """Measure a data set.

    Args:
        name: for headings; the file's name if None.
        shapes: convexity and simplicity too, which take most of the time.
        workers: most processes to use, one for each core if None; see kins.work.

    Raises:
        KinsError: a damaged mask.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> numbers = kins.statistics.statistics(write_shapes("pictures", 2), "toys").as_json()
        >>> numbers["images"], numbers["instances"], numbers["instances_per_image_histogram"]
        (2, 8, {'3': 1, '5': 1})
        >>> kins.statistics.DEFINITIONS["occluded"]
        'rate > 0.15'
    """
    found = dataset.each(lambda scene: _measure(scene, shapes), workers, "statistics")
    names = dict.fromkeys([*dataset.categories.values(), *(name for part in found for name in part.categories)])
    indices = {category: index for index, category in enumerate(names)}
    table = np.concatenate([np.zeros((0, 4)), *(part.rows for part in found)])
    shape = np.concatenate([np.zeros((0, 2, 2)), *(part.forms for part in found)])
    return Statistics(
        name=name or (dataset.path.name if dataset.path else "data set"),
        categories=list(indices),
        category=np.array([indices[name] for part in found for name in part.categories], np.int64),
        rate=table[:, 0],
        area=table[:, 1],
        width=table[:, 2],
        height=table[:, 3],
        convexity=shape[:, 0],
        simplicity=shape[:, 1],
        per_image=np.array([len(part.rows) for part in found], np.int64),
        cluster_sizes=np.array([size for part in found for size in part.sizes], np.int64),
        longest_orders=np.array([depth for part in found for depth in part.depths], np.int64),
        both_ways=sum(part.both_ways for part in found),
        cycles=sum(part.cycles for part in found),
    )


def _measure(scene: Scene, shapes: bool) -> _Measures:
    amodal, inmodal = [i.amodal for i in scene], [i.inmodal for i in scene]
    rasterise([*amodal, *inmodal])
    whole = [i.whole for i in scene]
    rows = np.full((len(scene), 4), np.nan)
    rows[:, 0] = _rates(amodal, inmodal)
    for row, mask in enumerate(whole):
        if mask is not None:
            rows[row, 1:] = mask.area, mask.box[2], mask.box[3]
    found = _Measures([i.category for i in scene], rows, _forms(amodal, inmodal) if shapes else np.zeros((0, 2, 2)))
    if len(scene) and all(instance.both_known for instance in scene):
        relations = occlusion(scene)
        found.sizes = np.bincount(relations.clusters).tolist()
        depth = np.zeros(len(found.sizes), np.int64)
        np.maximum.at(depth, relations.clusters, relations.order)
        found.depths = depth.tolist()
        edges = {edge[:2] for edge in relations.edges}
        found.both_ways = sum(i < j and (j, i) in edges for i, j in edges)
        found.cycles = len(relations.cycles)
    return found


def printable(statistics: Statistics) -> Statistics:
    """With names that are safe to print."""
    names = [shown(name) for name in statistics.categories]
    return dataclasses.replace(statistics, name=shown(statistics.name), categories=names)


def main_classes(measured: Sequence[Statistics]) -> tuple[list[str], str]:
    """The categories of any of these data sets, or those with the most instances where kins.limits allows no more; and
    a line that says so, or nothing."""
    counts: Counter[str] = Counter()
    for statistics in measured:
        numbers = np.bincount(statistics.category, minlength=len(statistics.categories)).tolist()
        for name, count in zip(statistics.categories, numbers, strict=True):
            counts[name] += count
    most = CLASSES.value
    if len(counts) <= most:
        return list(counts), ""
    kept = {name for name, _ in counts.most_common(most)}
    note = f"the {most} most frequent of {len(counts)} categories; {CLASSES.variable} allows more, --json has all"
    return [name for name in counts if name in kept], note


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """A short name for each file: its own, with as many folders before it as tell them apart.

    Example:
        >>> from pathlib import Path
        >>> kins.statistics.distinct_names([Path("2019/train.json"), Path("2020/train.json")])
        ['2019/train.json', '2020/train.json']
    """
    parts = [path.resolve().parts for path in paths]
    for depth in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-depth:]) for part in parts]
        if len(set(names)) == len(names):
            break
    return names


def _rates(amodal: Sequence[Mask | None], inmodal: Sequence[Mask | None]) -> Floats:
    """(n,) occlusion rate, 0 for an empty amodal mask, NaN where a mask is missing."""
    pairs = [None if a is None or b is None else [a, b] for a, b in zip(amodal, inmodal, strict=True)]
    for pair in filter(None, pairs):
        require_one_size(pair)
    (whole, areas, _), (part, _, _) = spans(amodal), spans(inmodal)
    rows = np.arange(len(amodal))
    rates = np.where(areas, 1.0 - whole.common(rows, part, rows) / np.maximum(areas, 1), 0.0)
    return np.where([pair is not None for pair in pairs], rates, np.nan)


def _forms(amodal: Sequence[Mask | None], inmodal: Sequence[Mask | None]) -> Floats:
    """(n, 2, 2) convexity of the amodal and the inmodal mask, then simplicity."""
    alike = [a is not None and b is not None and a == b for a, b in zip(amodal, inmodal, strict=True)]
    others = [None if same else mask for same, mask in zip(alike, inmodal, strict=True)]
    first, second = np.split(_form([*amodal, *others]), 2)
    second[alike] = first[alike]
    return np.stack([first, second], 2)


def _form(masks: Sequence[Mask | None]) -> Floats:
    """(n, 2) convexity and simplicity; NaN where there is no mask."""
    found = np.full((len(masks), 2), np.nan)
    of_size: dict[tuple[int, int], list[int]] = {}
    for row, mask in enumerate(masks):
        if mask is not None:
            of_size.setdefault((mask.height, mask.width), []).append(row)
    for size, rows in of_size.items():
        found[rows] = forms(spans([masks[row] for row in rows])[0], *size)
    return found


def _mean(values: npt.NDArray[Any]) -> float | None:
    values = np.asarray(values, np.float64)
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else None


def _summary(values: npt.NDArray[Any]) -> dict[str, float] | None:
    values = np.asarray(values, np.float64)
    values = values[~np.isnan(values)]
    if not values.size:
        return None
    quantiles = {f"{100 * q:g}%": float(np.quantile(values, q)) for q in QUANTILES}
    return {"mean": float(values.mean()), **quantiles, "max": float(values.max())}


def _histogram(values: npt.NDArray[np.int64]) -> dict[str, int]:
    return {str(value): int(count) for value, count in zip(*np.unique(values, return_counts=True), strict=True)}
