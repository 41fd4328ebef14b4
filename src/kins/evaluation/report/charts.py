"""Charts as SVG text: the same for the page, where style variables give them the page's colours, and for a paper."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from html import escape

from kins.draw.palette import SERIES
from kins.evaluation.columns import Floats
from kins.files.terminal import shown
from kins.statistics.numbers import UNKNOWN, number

DASHES = ("", "6 3", "2 2", "8 3 2 3")
FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK, SOFT, GRID = "var(--ink, #1c2024)", "var(--soft, #5f6770)", "var(--line, #d9dde2)"


def standalone(svg: str) -> str:
    """The chart as a file of its own: fixed colours instead of style variables, which drawing programs don't know."""
    return re.sub(r"var\(--[a-z0-9-]+, (#[0-9a-f]+)\)", r"\1", svg) + "\n"


def curves_chart(
    series: Sequence[tuple[str, Floats]], x: Floats, x_name: str, y_name: str, title: str, width: int = 360
) -> str:
    """Lines over x from 0 to 1; values from 0 to 1. Series with the same name before a tab share their colour."""
    height = 300
    left, top, right, bottom = 46, 34, 14, 44
    inner_width, inner_height = width - left - right, height - top - bottom
    groups = list(dict.fromkeys(name.split("\t")[0] for name, _ in series))
    parts = [_text(left, 18, title, weight=600, size=14)]
    for step in range(6):
        at = top + inner_height * (1 - step / 5)
        parts.append(_line(left, at, left + inner_width, at, GRID))
        parts.append(_text(left - 8, at + 4, f"{20 * step}", anchor="end", fill=SOFT))
        over = left + inner_width * step / 5
        parts.append(_text(over, top + inner_height + 17, f"{20 * step}", anchor="middle", fill=SOFT))
    parts.append(_text(left + inner_width / 2, height - 8, x_name, anchor="middle", fill=SOFT))
    middle = top + inner_height / 2
    parts.append(
        f'<g transform="translate(13 {middle:.1f}) rotate(-90)">{_text(0, 0, y_name, anchor="middle", fill=SOFT)}</g>'
    )
    counts: dict[str, int] = {}
    for name, values in series:
        group = name.split("\t")[0]
        index = counts[group] = counts.get(group, -1) + 1
        points = " ".join(
            f"{left + inner_width * a:.1f},{top + inner_height * (1 - v):.1f}"
            for a, v in zip(x.tolist(), values.tolist(), strict=True)
            if not math.isnan(v)
        )
        dash = f' stroke-dasharray="{DASHES[index % len(DASHES)]}"' if index else ""
        color = SERIES[groups.index(group) % len(SERIES)]
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"{dash}'
            f' stroke-linejoin="round"><title>{escape(shown(name.replace(chr(9), " ")))}</title></polyline>'
        )
    return _svg(width, height, title, parts)


def bars_chart(
    groups: Sequence[str],
    series: Mapping[str, Sequence[float]],
    title: str,
    y_name: str,
    spans: Mapping[str, Sequence[tuple[float, float]]] | None = None,
    width: int = 560,
) -> str:
    """Bars of 0 to 100 in groups, their values above them; `spans` are intervals drawn over them."""
    height = 300
    left, top, right, bottom = 46, 40, 10, 34
    inner_width, inner_height = width - left - right, height - top - bottom
    parts = [_text(left, 18, title, weight=600, size=14)]
    for step in range(0, 101, 20):
        at = top + inner_height * (1 - step / 100)
        parts.append(_line(left, at, left + inner_width, at, GRID))
        parts.append(_text(left - 8, at + 4, str(step), anchor="end", fill=SOFT))
    middle = top + inner_height / 2
    parts.append(
        f'<g transform="translate(13 {middle:.1f}) rotate(-90)">{_text(0, 0, y_name, anchor="middle", fill=SOFT)}</g>'
    )
    room = inner_width / max(len(groups), 1)
    bar = min(0.8 * room / max(len(series), 1), 46)
    for g, group in enumerate(groups):
        center = left + room * (g + 0.5)
        parts.append(_text(center, height - 12, group, anchor="middle"))
        for s, (name, values) in enumerate(series.items()):
            value = values[g]
            x = center + bar * (s - len(series) / 2)
            if math.isnan(value):
                parts.append(_text(x + bar / 2, top + inner_height - 5, UNKNOWN, anchor="middle", fill=SOFT))
                continue
            tall = inner_height * value / 100
            y = top + inner_height - tall
            label = escape(shown(f"{name}, {group}: {number(value)}"))
            parts.append(
                f'<rect x="{x + 1:.1f}" y="{y:.1f}" width="{bar - 2:.1f}" height="{tall:.1f}" rx="1.5"'
                f' fill="{SERIES[s % len(SERIES)]}"><title>{label}</title></rect>'
            )
            high = value
            if spans and name in spans and not any(map(math.isnan, spans[name][g])):
                low, high = spans[name][g]
                across = x + bar / 2
                tops = [top + inner_height * (1 - v / 100) for v in (low, high)]
                parts.append(_line(across, tops[0], across, tops[1], INK, 1.5))
            if bar >= 17:
                above = top + inner_height * (1 - max(high, value) / 100) - 5
                parts.append(_text(x + bar / 2, above, number(value, 0), anchor="middle", size=11, fill=SOFT))
    return _svg(width, height, title, parts)


def confusion_chart(names: Sequence[str], counts: Sequence[Sequence[int]], title: str) -> str:
    """Ground truth by row, detection by column; shade and number are the share of the row in percent."""
    size, left, top = 48, 96, 92
    count = len(names)
    parts = [_text(0, 18, title, weight=600, size=14)]
    columns, rows = [*names, "missed"], [*names, "nothing"]
    for c, name in enumerate(columns):
        x = left + size * (c + 0.5) + 4
        parts.append(f'<g transform="translate({x:.0f} {top - 8}) rotate(-45)">{_text(0, 0, name)}</g>')
    for r, name in enumerate(rows):
        y = top + size * r + (6 if r == count else 0)
        parts.append(_text(left - 10, y + size / 2 + 4, name, anchor="end"))
        total = sum(counts[r])
        for c in range(count + 1):
            if r == c == count:
                continue
            x = left + size * c + (6 if c == count else 0)
            value = counts[r][c]
            share = value / total if total else 0.0
            color = SERIES[0] if r == c else SERIES[1]
            label = f"{name} as {columns[c]}: {value} of {total}"
            cell = f'x="{x}" y="{y}" width="{size - 2}" height="{size - 2}" rx="3"'
            parts.append(
                f'<rect {cell} fill="{GRID}" fill-opacity="0.35"/><rect {cell} fill="{color}"'
                f' fill-opacity="{0.9 * share:.3f}"><title>{escape(shown(label))}</title></rect>'
            )
            if value:
                fill = "#ffffff" if share > 0.55 else INK
                parts.append(
                    _text(x + size / 2 - 1, y + size / 2 + 4, number(100 * share, 0), anchor="middle", fill=fill)
                )
    width = left + size * (count + 1) + 64
    return _svg(width, top + size * (count + 1) + 8, title, parts)


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" role="img"'
        f' aria-label="{escape(shown(title))}" font-family="{FONT}" font-size="12">{"".join(parts)}</svg>'
    )


def _text(
    x: float, y: float, text: str, anchor: str = "start", fill: str = INK, size: int = 12, weight: int = 400
) -> str:
    bold = f' font-weight="{weight}"' if weight != 400 else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" font-size="{size}"{bold}>'
        f"{escape(shown(text))}</text>"
    )


def _line(x1: float, y1: float, x2: float, y2: float, color: str, width: float = 1) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" stroke-width="{width}"/>'
