"""What all charts have in common; they are drawn by matplotlib, which is imported when the first one is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kins.draw.palette import SERIES
from kins.files.terminal import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, SOFT, GRID = "#1c2024", "#5f6770", "#d9dde2"
"""Colours of text and axes, of what is said aside, and of lines behind everything."""


@contextmanager
def chart_style(font_size: float = 10) -> Iterator[None]:
    """Charts made within have kins' style; nothing in names of files and classes is mathematics to them."""
    import matplotlib

    matplotlib.use("Agg")
    with matplotlib.rc_context(
        {
            "font.size": font_size,
            "text.color": INK,
            "axes.labelcolor": INK,
            "axes.edgecolor": SOFT,
            "xtick.color": SOFT,
            "ytick.color": SOFT,
            "xtick.labelcolor": INK,
            "ytick.labelcolor": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.grid.axis": "y",
            "axes.axisbelow": True,
            "grid.color": GRID,
            "legend.frameon": False,
            "svg.fonttype": "none",
            "pdf.fonttype": 42,
            "svg.hashsalt": "kins",
            "text.parse_math": False,
            "figure.constrained_layout.use": True,
        }
    ):
        yield


def new_figure(columns: int = 1, width: float = 6.4, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    """A figure of so many inches, and its axes beside each other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, list(np.atleast_1d(figure.subplots(1, columns)))


def grouped_bars(
    axes: Axes, labels: Sequence[str], rows: Sequence[Sequence[float]], names: Sequence[str]
) -> list[npt.NDArray[Any]]:
    """Bars, a group for each label, a colour for each row; returns where those of each row stand."""
    width = 0.8 / max(len(rows), 1)
    places = [np.arange(len(labels)) + (k - (len(rows) - 1) / 2) * width for k in range(len(rows))]
    for k, (row, name) in enumerate(zip(rows, names, strict=True)):
        axes.bar(places[k], row, width * 0.94, color=SERIES[k % len(SERIES)], label=in_legend(name))
    axes.set_xticks(range(len(labels)), [shown(label) for label in labels])
    return places


def in_legend(name: str) -> str:
    """The name as a label, made safe; matplotlib leaves those that start with _ out of legends."""
    name = shown(name)
    return f" {name}" if name.startswith("_") else name
