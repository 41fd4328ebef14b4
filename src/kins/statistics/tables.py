"""Statistics of several data sets side by side: tables for the terminal, and plots."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kins.draw.palette import LEVELS as LEVEL_COLORS
from kins.draw.palette import SERIES
from kins.files import EXIF, MARKUP_MARK, temporary_name
from kins.files.terminal import shown
from kins.occlusion import LEVELS
from kins.statistics import DEFINITIONS, Statistics
from kins.statistics.numbers import number, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from rich.table import Table

PER_IMAGE = ((0, 0), (1, 5), (6, 10), (11, 15), (16, 20), (21, 30), (31, None))
CLUSTER_SIZES = ((1, 1), (2, 2), (3, 3), (4, 4), (5, 9), (10, 19), (20, None))
ORDERS = ((0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (5, 9), (10, None))
PLOTS = (
    "classes",
    "levels",
    "instances_per_image",
    "cluster_sizes",
    "longest_orders",
    "occlusion_rates",
    "sizes",
    "shapes",
)

Bins = Sequence[tuple[int, int | None]]


def tables(measured: Sequence[Statistics]) -> list[Table]:
    """All tables, a column or a group of columns for each data set."""
    measured = [_printable(statistics) for statistics in measured]
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


def _printable(statistics: Statistics) -> Statistics:
    """With names that are safe to print."""
    names = [shown(name) for name in statistics.categories]
    return dataclasses.replace(statistics, name=shown(statistics.name), categories=names)


def write_plots(measured: Sequence[Statistics], folder: str | Path) -> list[Path]:
    """Write each plot as PNG and SVG into the folder; returns their paths. Raises KinsError if that fails."""
    import matplotlib

    measured = [_printable(statistics) for statistics in measured]
    matplotlib.use("Agg")
    with matplotlib.rc_context(
        {
            "font.size": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.grid.axis": "y",
            "axes.axisbelow": True,
            "grid.color": "#E3E3E3",
            "legend.frameon": False,
            "svg.fonttype": "none",
            "text.parse_math": False,
            "figure.constrained_layout.use": True,
        }
    ):
        plots = {
            "classes": _plot_classes(measured),
            "levels": _plot_levels(measured),
            "instances_per_image": _plot_counts(measured, "per_image", "instances in an image", "share of images"),
            "cluster_sizes": _plot_counts(measured, "cluster_sizes", "instances in a cluster", "share of clusters"),
            "longest_orders": _plot_counts(
                measured, "longest_orders", "longest order in a cluster", "share of clusters"
            ),
            "occlusion_rates": _plot_rates(measured),
            "sizes": _plot_sizes(measured),
            "shapes": _plot_shapes(measured),
        }
        paths = []
        for name, figure in plots.items():
            if figure is None:
                continue
            for path in plot_paths(folder, [name]):
                _save(figure, path)
                paths.append(path)
    return paths


def _save(figure: Figure, path: Path) -> None:
    with temporary_name(path) as temporary:
        if path.suffix == ".png":
            figure.savefig(temporary, dpi=150, pil_kwargs={"exif": EXIF})
            return
        figure.savefig(temporary, dpi=150)
        with temporary.open("ab") as file:
            file.write(MARKUP_MARK)


def plot_paths(folder: str | Path, names: Iterable[str] = PLOTS) -> list[Path]:
    """The files that hold these plots."""
    return [Path(folder) / f"{name}.{suffix}" for name in names for suffix in ("png", "svg")]


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
    table = _table("Instances per class", measured, ["instances", "share", "occluded"])
    for name in (*_all_classes(measured), None):
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
    table = _table("Occlusion levels per class", measured, LEVELS, DEFINITIONS["levels"])
    for name in (*_all_classes(measured), None):
        cells = []
        for statistics in measured:
            counts = statistics.level_counts(None if name is None else statistics.of(name))
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
    table = _table("Shape of amodal and inmodal masks", measured, ["amodal", "inmodal"], caption)
    for measure in ("convexity", "simplicity"):
        rows: list[str | None] = [*_all_classes(measured), "occluded", "all"]
        for name in rows:
            cells = []
            for statistics in measured:
                chosen = {"all": None, "occluded": statistics.occluded}.get(str(name), statistics.of(str(name)))
                shape = statistics.shape(measure, chosen) or {"amodal": None, "inmodal": None}
                cells += [number(value, 3) for value in shape.values()]
            table.add_row(f"{measure}, {name}", *cells)
        table.add_section()
    return table


def _all_classes(measured: Sequence[Statistics]) -> list[str]:
    return list(dict.fromkeys(name for statistics in measured for name in statistics.categories))


def _figure(columns: int = 1, width: float = 6.4, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, list(np.atleast_1d(figure.subplots(1, columns)))


def _grouped_bars(axes: Axes, labels: Sequence[str], rows: Sequence[Sequence[float]], names: Sequence[str]) -> None:
    """Bars in percent: one group a label, one colour a data set."""
    width = 0.8 / len(rows)
    for k, (row, name) in enumerate(zip(rows, names, strict=True)):
        at = np.arange(len(labels)) + (k - (len(rows) - 1) / 2) * width
        axes.bar(at, [100 * value for value in row], width * 0.94, color=SERIES[k % len(SERIES)], label=name)
    axes.set_xticks(range(len(labels)), labels)
    axes.yaxis.set_major_formatter("{x:g} %")
    if len(rows) > 1:
        axes.legend()


def _plot_classes(measured: Sequence[Statistics]) -> Figure:
    names = _all_classes(measured)
    figure, (axes,) = _figure(width=max(6.4, 0.85 * len(names)))
    rows = [[s.of(name).sum() / max(s.category.size, 1) for name in names] for s in measured]
    _grouped_bars(axes, names, rows, [f"{s.name} ({s.category.size} instances)" for s in measured])
    axes.set_ylabel("share of instances")
    if len(names) > 12:
        axes.tick_params("x", rotation=60)
    return figure


def _plot_levels(measured: Sequence[Statistics]) -> Figure | None:
    measured = [s for s in measured if (~np.isnan(s.rate)).any()]
    if not measured:
        return None
    names = _all_classes(measured)
    figure, all_axes = _figure(len(measured), width=max(5.0 * len(measured), 0.7 * len(names) * len(measured)))
    for axes, statistics in zip(all_axes, measured, strict=True):
        present = [name for name in names if statistics.of(name).any()]
        counts = [statistics.level_counts(statistics.of(name)) for name in present]
        counts.append(statistics.level_counts())
        bottom = np.zeros(len(counts))
        for level, color in zip(LEVELS, LEVEL_COLORS, strict=True):
            share = np.array([100 * count[level] / max(sum(count.values()), 1) for count in counts])
            axes.bar([*present, "all"], share, 0.75, bottom=bottom, color=color, label=level)
            bottom += share
        axes.set_title(statistics.name, fontsize=10)
        axes.set_ylim(0, 100)
        axes.yaxis.set_major_formatter("{x:g} %")
        if len(present) > 6:
            axes.tick_params("x", rotation=60)
    all_axes[0].set_ylabel("share of instances")
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=3, title=f"occlusion level ({DEFINITIONS['levels']})"
    )
    return figure


def _plot_counts(measured: Sequence[Statistics], attribute: str, label: str, share: str) -> Figure | None:
    measured = [s for s in measured if getattr(s, attribute).size]
    if not measured:
        return None
    values = [getattr(s, attribute) for s in measured]
    low = min(int(v.min()) for v in values)
    high = max(int(np.quantile(v, 0.999)) for v in values)
    figure, (axes,) = _figure()
    rows = []
    for v in values:
        counts = np.bincount(np.minimum(v, high) - low, minlength=high - low + 1)
        rows.append((counts / v.size).tolist())
    last = f"{high}+" if max(int(v.max()) for v in values) > high else str(high)
    labels = [*map(str, range(low, high)), last]
    names = [f"{s.name} (mean {v.mean():.1f})" for s, v in zip(measured, values, strict=True)]
    _grouped_bars(axes, labels, rows, names)
    step = -(-len(labels) // 16)
    axes.set_xticks(range(0, len(labels), step), labels[::step])
    axes.set_xlabel(label)
    axes.set_ylabel(share)
    return figure


def _plot_rates(measured: Sequence[Statistics]) -> Figure | None:
    from kins.occlusion import OCCLUDED, PARTIAL

    measured = [s for s in measured if (~np.isnan(s.rate)).any()]
    if not measured:
        return None
    figure, (axes,) = _figure()
    for k, statistics in enumerate(measured):
        known = statistics.rate[~np.isnan(statistics.rate)]
        hidden = known[known >= PARTIAL]
        name = f"{statistics.name} ({hidden.size / known.size:.0%} of all)"
        _steps(axes, hidden, np.linspace(0, 1, 41), known.size, name, SERIES[k % len(SERIES)])
    axes.axvline(OCCLUDED, color="#555555", linewidth=1, linestyle=":")
    axes.text(
        OCCLUDED + 0.01, axes.get_ylim()[1] * 0.97, f"occluded: > {OCCLUDED}", va="top", color="#555555", fontsize=9
    )
    axes.set_xlabel(f"occlusion rate, from {PARTIAL} on")
    axes.set_ylabel("share of instances")
    axes.yaxis.set_major_formatter("{x:g} %")
    figure.legend(loc="outside upper left")
    return figure


def _steps(
    axes: Axes, values: npt.NDArray[np.float64], bins: npt.NDArray[np.float64], total: int, name: str, color: str
) -> None:
    """The outline of a histogram, in percent of `total`."""
    weights = np.full(values.size, 100 / total)
    axes.hist(values, bins.tolist(), weights=weights, histtype="step", linewidth=1.8, color=color, label=name)


def _plot_sizes(measured: Sequence[Statistics]) -> Figure | None:
    from kins.statistics import LARGE, SMALL

    measured = [s for s in measured if (s.area > 0).any()]
    if not measured:
        return None
    figure, (axes,) = _figure()
    for k, statistics in enumerate(measured):
        side = np.sqrt(statistics.area[statistics.area > 0])
        name = f"{statistics.name} (median {np.median(side):.0f})"
        _steps(axes, side, np.geomspace(2, 1024, 46), side.size, name, SERIES[k % len(SERIES)])
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    for bound in (SMALL, LARGE):
        axes.axvline(bound**0.5, color="#555555", linewidth=1, linestyle=":")
    top = axes.get_ylim()[1] * 1.1
    axes.set_ylim(0, top)
    for at, name in ((8, "small"), (55, "medium"), (300, "large")):
        axes.text(at, top * 0.98, name, ha="center", va="top", color="#555555", fontsize=9)
    axes.set_xlabel("square root of the amodal area, pixels")
    axes.set_ylabel("share of instances")
    axes.yaxis.set_major_formatter("{x:g} %")
    axes.legend(loc="upper left", bbox_to_anchor=(0, 0.93))
    return figure


def _plot_shapes(measured: Sequence[Statistics]) -> Figure | None:
    measured = [s for s in measured if (~np.isnan(s.convexity)).any()]
    if not measured:
        return None
    figure, all_axes = _figure(2, width=9.6)
    for axes, measure in zip(all_axes, ("convexity", "simplicity"), strict=True):
        for k, statistics in enumerate(measured):
            values: npt.NDArray[np.float64] = getattr(statistics, measure)[statistics.occluded]
            for column, (mask, style) in enumerate((("amodal", "-"), ("inmodal", "--"))):
                known = values[:, column][~np.isnan(values[:, column])]
                if not known.size:
                    continue
                axes.hist(
                    known,
                    np.linspace(0, 1.05, 43).tolist(),
                    weights=np.full(known.size, 100 / known.size),
                    histtype="step",
                    linewidth=1.8,
                    linestyle=style,
                    color=SERIES[k % len(SERIES)],
                    label=f"{statistics.name}, {mask} (mean {known.mean():.2f})",
                )
        axes.set_xlabel(f"{measure} = {DEFINITIONS[measure]}")
        axes.yaxis.set_major_formatter("{x:g} %")
        if axes.patches:
            axes.legend(loc="upper left", fontsize=9)
    all_axes[0].set_ylabel(f"share of occluded instances ({DEFINITIONS['occluded']})")
    return figure
