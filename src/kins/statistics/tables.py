"""Statistics of several data sets side by side as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kins.occlusion import LEVELS
from kins.statistics.measure import DEFINITIONS, Rows, Statistics, main_classes, printable
from kins.statistics.numbers import number, percent

if TYPE_CHECKING:
    from rich.table import Table

PER_IMAGE = ((0, 0), (1, 5), (6, 10), (11, 15), (16, 20), (21, 30), (31, None))
CLUSTER_SIZES = ((1, 1), (2, 2), (3, 3), (4, 4), (5, 9), (10, 19), (20, None))
ORDERS = ((0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 9), (10, None))

Bins = Sequence[tuple[int, int | None]]


def tables(measured: Sequence[Statistics]) -> list[Table]:
    """All tables, a column or a group of columns for each data set."""
    measured = [printable(statistics) for statistics in measured]
    return [
        _overview(measured),
        _classes(measured),
        _levels(measured),
        _binned("Images by number of instances", measured, "per_image", PER_IMAGE),
        _binned("Clusters by size", measured, "cluster_sizes", CLUSTER_SIZES),
        _binned("Clusters by longest order (occlusion complexity)", measured, "longest_orders", ORDERS),
        _sizes(measured),
        _shapes(measured),
    ]


def _table(title: str, measured: Sequence[Statistics], columns: Iterable[str], caption: str = "") -> Table:
    """A table whose first column names the rows; the others are `columns`, repeated for each data set."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, caption=caption or None, box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    table.caption_justify = "left"
    table.add_column("")
    columns = list(columns)
    for statistics in measured:
        for column in columns:
            heading = column if len(measured) == 1 and column else f"{statistics.name}\n{column}".strip()
            table.add_column(heading, justify="right")
    return table


def _overview(measured: Sequence[Statistics]) -> Table:
    table = _table("Overview", measured, [""], f"occluded: {DEFINITIONS['occluded']}; order: {DEFINITIONS['order']}")
    columns = []
    for statistics in measured:
        known = bool((~np.isnan(statistics.rate)).any())
        rates = statistics.rate[statistics.occluded]
        per_image, clusters = statistics.per_image, statistics.cluster_sizes
        columns.append(
            {
                "images": number(per_image.size),
                "images without instances": number((per_image == 0).sum()),
                "instances": number(statistics.category.size),
                "instances per image, mean": number(per_image.mean() if per_image.size else None, 2),
                "instances per image, most": number(per_image.max(initial=0)),
                "occluded instances": number(statistics.occluded.sum() if known else None),
                "share of occluded instances": percent(statistics.occluded.sum(), statistics.rate.size if known else 0),
                "mean occlusion rate of these": percent(rates.sum(), rates.size),
                "clusters": number(clusters.size if clusters.size else None),
                "instances in clusters of two or more": percent(clusters[clusters > 1].sum(), clusters.sum()),
                "longest order": number(statistics.longest_orders.max() if clusters.size else None),
                "pairs hiding parts of each other": number(statistics.both_ways if clusters.size else None),
                "cycles broken": number(statistics.cycles if clusters.size else None),
            }
        )
    for row in columns[0]:
        table.add_row(row, *(column[row] for column in columns))
    return table


def _classes(measured: Sequence[Statistics]) -> Table:
    names, note = main_classes(measured)
    table = _table("Instances per class", measured, ["instances", "share", "occluded"], note)
    for name in (*names, None):
        cells = []
        for statistics in measured:
            chosen = np.ones(statistics.category.size, bool) if name is None else statistics.of(name)
            known = chosen & ~np.isnan(statistics.rate)
            occluded = percent((statistics.occluded & chosen).sum(), known.sum())
            cells += [number(chosen.sum()), percent(chosen.sum(), chosen.size), occluded]
        if name is None:
            table.add_section()
        table.add_row(name or "all", *cells)
    return table


def _levels(measured: Sequence[Statistics]) -> Table:
    names, note = main_classes(measured)
    caption = "\n".join(filter(None, (DEFINITIONS["levels"], note)))
    table = _table("Occlusion levels per class", measured, LEVELS, caption)
    for name in (*names, None):
        cells = []
        for statistics in measured:
            counts = statistics.level_counts(... if name is None else statistics.of(name))
            cells += [percent(count, sum(counts.values())) for count in counts.values()]
        if name is None:
            table.add_section()
        table.add_row(name or "all", *cells)
    return table


def _binned(title: str, measured: Sequence[Statistics], attribute: str, bins: Bins) -> Table:
    table = _table(title, measured, ["count", "share"])
    for low, high in bins:
        cells = []
        for statistics in measured:
            values: npt.NDArray[np.int64] = getattr(statistics, attribute)
            inside = (values >= low) & (values <= (np.inf if high is None else high))
            cells += [number(inside.sum() if values.size else None), percent(inside.sum(), values.size)]
        table.add_row(str(low) if low == high else f"{low} or more" if high is None else f"{low} to {high}", *cells)
    return table


def _sizes(measured: Sequence[Statistics]) -> Table:
    table = _table("Sizes", measured, [""], DEFINITIONS["sizes"])
    for name in ("small", "medium", "large"):
        table.add_row(name, *(percent(s.size_counts()[name], s.area.size) for s in measured))
    for row, attribute in (("area", "area"), ("box width", "width"), ("box height", "height")):
        for quantile in (0.05, 0.5, 0.95):
            cells = []
            for statistics in measured:
                values = getattr(statistics, attribute)
                values = values[~np.isnan(values)]
                cells.append(number(np.quantile(values, quantile) if values.size else None, 0))
            table.add_row(f"{row}, {quantile:.0%} of them up to", *cells)
    return table


def _shapes(measured: Sequence[Statistics]) -> Table:
    caption = f"convexity: {DEFINITIONS['convexity']}; simplicity: {DEFINITIONS['simplicity']} (means)"
    names, note = main_classes(measured)
    caption += f"\n{note}" if note else ""
    table = _table("Shape of amodal and inmodal masks", measured, ["amodal", "inmodal"], caption)
    for measure in ("convexity", "simplicity"):
        rows: list[str | None] = [*names, "occluded", "all"]
        for name in rows:
            cells = []
            for statistics in measured:
                some: dict[str, Rows] = {"all": ..., "occluded": statistics.occluded}
                chosen = some.get(str(name), statistics.of(str(name)))
                shape = statistics.shape(measure, chosen) or {"amodal": None, "inmodal": None}
                cells += [number(value, 3) for value in shape.values()]
            table.add_row(f"{measure}, {name}", *cells)
        table.add_section()
    return table
