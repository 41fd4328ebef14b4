"""The report's charts, as SVG and PDF; on the page its style variables give them the page's colours, light or dark."""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from kins.draw.charts import GRID, INK, SOFT, chart_style, grouped_bars, in_legend, new_figure
from kins.draw.palette import SERIES
from kins.evaluation.columns import Floats
from kins.files.terminal import shown
from kins.statistics.numbers import UNKNOWN, number

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
VARIABLES = {INK: "--ink", SOFT: "--soft", GRID: "--line"}
"""Of the page, by the colour that stands for each in a file of its own."""
LINK = '<a data-view="'
"""How what leads to a list in `kins view` is written."""
FEW_CLASSES, CELL = 12, (48, 34)
"""Up to how many classes the confusion fits on the page; side of its cells in pixels for few, and for more."""
HEIGHT, FONT_SIZE, COUNT_SIZE = 300, 12, 8
"""In pixels of the page."""


class Chart(NamedTuple):
    """A chart for the page, and for a paper."""

    svg: str
    pdf: bytes

    def standalone(self) -> str:
        """The SVG as a file of its own: fixed colours instead of style variables, which drawing programs don't know."""
        text = re.sub(rf'{LINK}[^"]*"><title>[^<]*</title>|</a>', "", self.svg)
        return re.sub(r"var\(--[a-z0-9-]+, (#[0-9a-f]+)\)", r"\1", text) + "\n"


def curves_chart(
    series: Sequence[tuple[str, Floats]], x: Floats, x_name: str, y_name: str, title: str, width: int = 360
) -> Chart:
    """Lines over x; x and values from 0 to 1, shown in percent."""
    with chart_style(FONT_SIZE):
        figure, axes = _chart(title, width, HEIGHT, [name for name, _ in series])
        axes.grid(True, axis="both")
        for k, (name, values) in enumerate(series):
            axes.plot(
                100 * x, 100 * values, color=SERIES[k % len(SERIES)], linewidth=2, label=in_legend(name), clip_on=False
            )
        axes.set(xlim=(0, 100), ylim=(0, 100), xlabel=x_name, ylabel=y_name)
        _legend(figure, width)
        return _finished(figure, title)


def bars_chart(
    groups: Sequence[str],
    series: Mapping[str, Sequence[float]],
    title: str,
    y_name: str,
    spans: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    width: int = 560,
) -> Chart:
    """Bars of 0 to 100 in groups, their values above them; `spans` are intervals drawn over them."""
    with chart_style(FONT_SIZE):
        figure, axes = _chart(title, width, HEIGHT, list(series))
        places = grouped_bars(axes, groups, list(series.values()), list(series))
        room = 0.8 * width / max(len(groups) * len(series), 1)
        for (name, values), places_of_series in zip(series.items(), places, strict=True):
            for g, (value, place) in enumerate(zip(values, places_of_series.tolist(), strict=True)):
                low, high = spans[name][g] if spans and name in spans else (value, value)
                if high > low:
                    axes.plot([place, place], [low, high], color=INK, linewidth=1.5)
                text = UNKNOWN if np.isnan(value) else number(value, 0)
                if room >= 18:
                    above = np.nanmax([value, high, 0.0])
                    axes.text(place, above + 1.5, text, ha="center", va="bottom", color=SOFT, fontsize=11)
        axes.set(ylim=(0, 105), ylabel=y_name, yticks=range(0, 101, 20), xlim=(-0.5, max(len(groups), 1) - 0.5))
        _legend(figure, width)
        return _finished(figure, title)


def confusion_chart(
    names: Sequence[str],
    counts: Sequence[Sequence[int]],
    title: str,
    link: Callable[[int, int], str] = lambda row, column: "",
) -> Chart:
    """Ground truth by row, detection by column: the share of the row in percent, as shade too, above the count.

    Args:
        link: what a list in `kins view` is to have for the count in a row and column, or ''.
    """
    names = [shown(name) for name in names]
    count = len(names)
    side = CELL[count > FEW_CLASSES] * (count + 1)
    links: list[tuple[Artist, str, str]] = []
    with chart_style(FONT_SIZE):
        figure, axes = _chart(title, side + 150 * (1 + (count > FEW_CLASSES)), side + 110 * (1 + (count > FEW_CLASSES)))
        _empty_cells(axes, count)
        for r, row in enumerate(counts):
            total = max(sum(row), 1)
            for c, value in enumerate(row):
                if value and (r, c) != (count, count):
                    drawn = _count_cell(axes, r, c, value, value / total)
                    of, by = [*names, "nothing"][r], [*names, "missed"][c]
                    told = f"{of}: {value} of {total} {by if c == count else f'detected as {by}'}"
                    links += [(artist, link(r, c), told) for artist in drawn]
        axes.set(xlim=(0, count + 1), ylim=(count + 1, 0), aspect="equal")
        axes.xaxis.tick_top()
        middles = np.arange(count + 1) + 0.48
        axes.set_xticks(middles, [*names, "missed"], rotation=45, ha="left", rotation_mode="anchor")
        axes.set_yticks(middles, [*names, "nothing"])
        axes.tick_params(length=0)
        if count > FEW_CLASSES:  # names at all sides: one of them is in sight
            axes.tick_params(labelright=True, labelbottom=True)
            for tick in axes.xaxis.get_major_ticks():
                tick.label1.set_horizontalalignment("right")
        return _finished(figure, title, links)


def _empty_cells(axes: Axes, count: int) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    axes.grid(False)
    axes.spines[:].set_visible(False)
    cells = [Rectangle((c, r), 0.95, 0.95) for r in range(count + 1) for c in range(count + 1 - (r == count))]
    axes.add_collection(PatchCollection(cells, facecolor=GRID, alpha=0.35))


def _count_cell(axes: Axes, row: int, column: int, value: int, share: float) -> list[Artist]:
    """A cell of the confusion: its shade, the percent, the count below it."""
    from matplotlib.patches import Rectangle

    write = partial(axes.text, ha="center", va="center")
    color = SERIES[0] if row == column else SERIES[1]
    patch = axes.add_patch(Rectangle((column, row), 0.95, 0.95, facecolor=color, alpha=0.9 * share))
    fill = "#ffffff" if row == column and share > 0.75 else INK  # on the other colour dark text is read better
    percent = write(column + 0.48, row + 0.4, number(100 * share, 0), color=fill)
    ink = SOFT if share < 0.3 else fill
    return [patch, percent, write(column + 0.48, row + 0.74, f"{value:,}", color=ink, fontsize=COUNT_SIZE)]


def _chart(title: str, width: float, height: float, names: Sequence[str] = ()) -> tuple[Figure, Axes]:
    """A figure of so many pixels of the page, with one chart, and with room for a legend that has these names."""
    rows = -(-len(names) // _columns(names, width)) if len(names) > 1 else 0
    lines = textwrap.wrap(title, max(int(width / 8.5), 20))
    figure, (axes,) = new_figure(1, width / 72, (height + 20 * rows + 18 * (len(lines) - 1)) / 72)
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=13, fontweight="bold")
    return figure, axes


def _legend(figure: Figure, width: float) -> None:
    """Below the chart, where there are several series."""
    handles, names = figure.axes[0].get_legend_handles_labels()
    if len(names) > 1:
        columns = _columns(names, width)
        figure.legend(handles, names, loc="outside lower left", ncols=columns, fontsize=11, handlelength=1.4)


def _columns(names: Sequence[str], width: float) -> int:
    """How many names of a legend stand in a row."""
    return max(1, min(len(names), int(width / (45 + 6.5 * max(map(len, names), default=1)))))


def _finished(figure: Figure, title: str, links: Iterable[tuple[Artist, str, str]] = ()) -> Chart:
    """SVG in pixels, without head and names of parts; colours of the style are variables of the page.

    Args:
        links: what leads to a list in `kins view`, to which, and what is said there; in the page's SVG alone.
    """
    buffer, pdf = io.StringIO(), io.BytesIO()
    figure.savefig(pdf, format="pdf", metadata={"CreationDate": None, "Title": title})
    said = {}
    for artist, words, telling in links:
        artist.set_url(words or None)
        said[escape(words)] = escape(telling)
    figure.savefig(buffer, format="svg", transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"\s*<(metadata|style)\b.*?</\1>", "", text, flags=re.DOTALL)  # its style is for all of a page
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(
        r'<a xlink:href="([^"]*)"[^>]*>', lambda at: f'{LINK}{at[1]}"><title>{said.get(at[1], "")}</title>', text
    )
    text = re.sub(r'(width|height)="([\d.]+)pt"', r'\1="\2"', text, count=2)
    text = re.sub(r' font-family: [^;"]*;', "", text)
    label = f'role="img" aria-label="{escape(title)}" font-family="{FONT}" stroke-linejoin="round"'
    text = text.replace("<svg", f"<svg {label}", 1)
    for color, variable in VARIABLES.items():
        text = text.replace(color, f"var({variable}, {color})")
    return Chart(text, pdf.getvalue())
