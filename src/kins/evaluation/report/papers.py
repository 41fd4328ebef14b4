"""The report's tables for papers, as CSV and as LaTeX (with booktabs)."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from kins.evaluation.analysis import main_categories
from kins.evaluation.errors import Analysis
from kins.evaluation.report.charts import FEW_CLASSES
from kins.evaluation.results import Results

FIGURES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100")
PART = ("instances", "AP", "AP50", "AP75", "AR100")
TABLES = ("overall", "occlusion", "classes", "parts", "confusion")
"""Names of the tables; `parts` has hidden regions, occlusion and order, `confusion` counts."""
PAGE, MISTAKES = 45, 30
"""Rows that a page holds; and how many mistakes of a run are printed where the confusion has too many columns."""
_ESCAPED = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


class PaperTable(NamedTuple):
    """A caption, names of columns, and rows of text and numbers; None is a figure that is not defined.

    `printed` is what LaTeX gets in its place, if a page can't hold so many columns.
    """

    caption: str
    header: list[str]
    rows: list[list[str | float | int | None]]
    printed: PaperTable | None = None


def paper_tables(
    results: Mapping[str, Results], intervals: Mapping[str, Any], analysis: Mapping[str, Analysis | None]
) -> dict[str, PaperTable]:
    """Every table of TABLES that has a row, by name.

    Args:
        results: by run.
        intervals: by run, kind and figure: `value`, and `interval`, the middle 95 % of bootstrap draws of images.
        analysis: by run, or None.
    """
    part = ["run", "mask"]
    interval = ["AP low", "AP high"]
    tables = {
        "overall": PaperTable(
            "Average precision and recall in percent; low and high bound the middle 95 % of bootstrap draws of images.",
            [*part, *FIGURES, *interval],
            list(_overall(results, intervals)),
        ),
        "occlusion": PaperTable(
            "By share of the object that is hidden.", [*part, "occlusion", *PART], list(_parts(results, "slices"))
        ),
        "classes": PaperTable("By class.", [*part, "class", *PART], list(_parts(results, "classes"))),
        "parts": PaperTable(
            "Matched objects: mean IoU of regions, occlusion, order; in percent but for counts.",
            ["run", "of", "figure", "value"],
            list(_values(results)),
        ),
        "confusion": PaperTable(
            "Ground truth by row, what it was detected as by column: counts.",
            *_confusion(analysis),
            _mistakes(analysis),
        ),
    }
    return {name: table for name, table in tables.items() if table.rows}


def _overall(results: Mapping[str, Results], intervals: Mapping[str, Any]) -> Iterator[list[Any]]:
    for run, result in results.items():
        for kind, part in result.kinds.items():
            bounds = intervals[run][kind].get("AP", {}).get("interval", (math.nan, math.nan))
            yield [run, kind, *(part.overall[name] for name in FIGURES), *bounds]


def _parts(results: Mapping[str, Results], which: str) -> Iterator[list[Any]]:
    for run, result in results.items():
        shown = [result.categories[key] for key in main_categories(result)[0]]
        for kind, part in result.kinds.items():
            found = getattr(part, which)
            for name in shown if which == "classes" else found:
                yield [run, kind, name, *(found[name][figure] for figure in PART)]


def _values(results: Mapping[str, Results]) -> Iterator[list[Any]]:
    for run, result in results.items():
        for of, row in (("regions", result.regions), ("occlusion", result.occlusion), ("order", result.order)):
            for name, value in row.items():
                yield [run, of, name.replace("_", " "), value]


def _confusion(analysis: Mapping[str, Analysis | None]) -> tuple[list[str], list[list[Any]]]:
    found = {run: one for run, one in analysis.items() if one}
    names = list(next(iter(found.values())).classes) if found else []
    rows = [
        [run, name, *counts]
        for run, one in found.items()
        if list(one.classes) == names
        for name, counts in zip([*names, "nothing"], one.confusion, strict=True)
    ]
    return ["run", "ground truth", *names, "missed"], rows


def _mistakes(analysis: Mapping[str, Analysis | None]) -> PaperTable | None:
    """Of more classes than columns fit on a page, how often which is taken for which other one."""
    rows: list[list[Any]] = []
    for run, one in analysis.items():
        if one and len(one.classes) > FEW_CLASSES:
            counts = np.array(one.confusion)
            wrong = counts * ~np.eye(len(counts), dtype=bool)
            for place in np.argsort(-wrong, axis=None, kind="stable")[:MISTAKES].tolist():
                row, column = divmod(place, len(counts))
                if count := int(wrong[row, column]):
                    names = [*one.classes, "nothing"][row], [*one.classes, "missed"][column]
                    rows.append([run, *names, count, 100 * count / max(int(counts[row].sum()), 1)])
    header = ["run", "ground truth", "detected as", "count", "% of ground truth"]
    caption = "Ground truth, and what it was most often detected as other than itself."
    return PaperTable(caption, header, rows) if rows else None


def as_csv(table: PaperTable) -> str:
    """Comma-separated, numbers in full, empty where there is none."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.header)
    writer.writerows(["" if _unknown(cell) else cell for cell in row] for row in table.rows)
    return text.getvalue()


def as_latex(table: PaperTable) -> str:
    """A `table` that needs the package booktabs, or a `longtable` where a page can't hold the rows; percents with one
    decimal, a dash where there is no figure."""
    table = table.printed or table
    numbers = [all(not isinstance(row[column], str) for row in table.rows) for column in range(len(table.header))]
    lines = [" & ".join(map(_cell, row)) + r" \\" for row in table.rows]
    columns = "".join("r" if number else "l" for number in numbers)
    head = [r"\toprule", " & ".join(map(_latex, table.header)) + r" \\", r"\midrule"]
    if len(lines) > PAGE:
        return "\n".join(
            [
                r"% needs \usepackage{booktabs,longtable}",
                rf"\begin{{longtable}}{{{columns}}}",
                rf"\caption{{{_latex(table.caption)}}} \\",
                *[*head, r"\endfirsthead", *head, r"\endhead", r"\bottomrule", r"\endlastfoot"],
                *lines,
                r"\end{longtable}",
                "",
            ]
        )
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_latex(table.caption)}}}",
            rf"\begin{{tabular}}{{{columns}}}",
            *head,
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _unknown(cell: str | float | int | None) -> bool:
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


def _cell(cell: str | float | int | None) -> str:
    if _unknown(cell):
        return "--"
    if isinstance(cell, str):
        return _latex(cell)
    return f"{cell:.1f}" if isinstance(cell, float) else str(cell)


def _latex(text: str) -> str:
    """The text with nothing in it that LaTeX would act on, on one line."""
    text = " ".join(character for character in text.split() if character)
    return re.sub(r"[\\~^&%$#_{}]", lambda found: _ESCAPED.get(found[0], "\\" + found[0]), text)
