"""Statistics of several data sets side by side as plots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kins.draw.charts import SOFT, chart_style, grouped_bars, in_legend, new_figure
from kins.draw.palette import LEVELS as LEVEL_COLORS
from kins.draw.palette import SERIES
from kins.files import EXIF, MARKUP_MARK, temporary_name
from kins.occlusion import LEVELS, OCCLUDED, PARTIAL
from kins.statistics.measure import DEFINITIONS, LARGE, SMALL, Statistics, main_classes, printable
from kins.statistics.numbers import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_BARS = 200
"""Of a histogram of counts; the last one stands for all larger ones."""
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


def write_plots(measured: Sequence[Statistics], folder: str | Path) -> list[Path]:
    """Write each plot as PNG and SVG into the folder; returns their paths. Raises KinsError if that fails."""
    measured = [printable(statistics) for statistics in measured]
    with chart_style():
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


def _shares(axes: Axes, labels: Sequence[str], rows: Sequence[Sequence[float]], names: Sequence[str]) -> None:
    """Bars of shares in percent, one colour a data set."""
    grouped_bars(axes, labels, [[100 * share for share in row] for row in rows], names)
    axes.yaxis.set_major_formatter("{x:g} %")
    if len(rows) > 1:
        axes.legend()


def _plot_classes(measured: Sequence[Statistics]) -> Figure:
    names, note = main_classes(measured)
    figure, (axes,) = new_figure(width=max(6.4, 0.85 * len(names)))
    if note:
        figure.suptitle(note, fontsize=10)
    rows = [[s.of(name).sum() / max(s.category.size, 1) for name in names] for s in measured]
    _shares(axes, names, rows, [f"{s.name} ({s.category.size} instances)" for s in measured])
    axes.set_ylabel("share of instances")
    if len(names) > 12:
        axes.tick_params("x", rotation=60)
    return figure


def _plot_levels(measured: Sequence[Statistics]) -> Figure | None:
    measured = [s for s in measured if (~np.isnan(s.rate)).any()]
    if not measured:
        return None
    names, _ = main_classes(measured)
    figure, all_axes = new_figure(len(measured), width=max(5.0 * len(measured), 0.7 * len(names) * len(measured)))
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
    high = min(max(int(np.quantile(v, 0.999)) for v in values), low + MOST_BARS)
    figure, (axes,) = new_figure()
    rows = []
    for v in values:
        counts = np.bincount(np.minimum(v, high) - low, minlength=high - low + 1)
        rows.append((counts / v.size).tolist())
    last = f"{high}+" if max(int(v.max()) for v in values) > high else str(high)
    labels = [*map(str, range(low, high)), last]
    names = [f"{s.name} (mean {number(v.mean())})" for s, v in zip(measured, values, strict=True)]
    _shares(axes, labels, rows, names)
    step = -(-len(labels) // 16)
    axes.set_xticks(range(0, len(labels), step), labels[::step])
    axes.set_xlabel(label)
    axes.set_ylabel(share)
    return figure


def _plot_rates(measured: Sequence[Statistics]) -> Figure | None:
    measured = [s for s in measured if (~np.isnan(s.rate)).any()]
    if not measured:
        return None
    figure, (axes,) = new_figure()
    for k, statistics in enumerate(measured):
        known = statistics.rate[~np.isnan(statistics.rate)]
        hidden = known[known >= PARTIAL]
        name = f"{statistics.name} ({hidden.size / known.size:.0%} of all)"
        _steps(axes, hidden, np.linspace(0, 1, 41), known.size, name, SERIES[k % len(SERIES)])
    axes.axvline(OCCLUDED, color=SOFT, linewidth=1, linestyle=":")
    axes.text(OCCLUDED + 0.01, axes.get_ylim()[1] * 0.97, f"occluded: > {OCCLUDED}", va="top", color=SOFT, fontsize=9)
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
    axes.hist(
        values, bins.tolist(), weights=weights, histtype="step", linewidth=1.8, color=color, label=in_legend(name)
    )


def _plot_sizes(measured: Sequence[Statistics]) -> Figure | None:
    measured = [s for s in measured if (s.area > 0).any()]
    if not measured:
        return None
    figure, (axes,) = new_figure()
    for k, statistics in enumerate(measured):
        side = np.sqrt(statistics.area[statistics.area > 0])
        name = f"{statistics.name} (median {np.median(side):.0f})"
        _steps(axes, side, np.geomspace(2, 1024, 46), side.size, name, SERIES[k % len(SERIES)])
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter("{x:g}")
    for bound in (SMALL, LARGE):
        axes.axvline(bound**0.5, color=SOFT, linewidth=1, linestyle=":")
    top = axes.get_ylim()[1] * 1.1
    axes.set_ylim(0, top)
    for at, name in ((8, "small"), (55, "medium"), (300, "large")):
        axes.text(at, top * 0.98, name, ha="center", va="top", color=SOFT, fontsize=9)
    axes.set_xlabel("square root of the amodal area, pixels")
    axes.set_ylabel("share of instances")
    axes.yaxis.set_major_formatter("{x:g} %")
    axes.legend(loc="upper left", bbox_to_anchor=(0, 0.93))
    return figure


def _plot_shapes(measured: Sequence[Statistics]) -> Figure | None:
    measured = [s for s in measured if (~np.isnan(s.convexity)).any()]
    if not measured:
        return None
    figure, all_axes = new_figure(2, width=9.6)
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
                    label=in_legend(f"{statistics.name}, {mask} (mean {number(known.mean(), 2)})"),
                )
        axes.set_xlabel(f"{measure} = {DEFINITIONS[measure]}")
        axes.yaxis.set_major_formatter("{x:g} %")
        if axes.patches:
            axes.legend(loc="upper left", fontsize=9)
    all_axes[0].set_ylabel(f"share of occluded instances ({DEFINITIONS['occluded']})")
    return figure
