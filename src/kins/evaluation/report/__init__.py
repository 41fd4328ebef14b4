"""The report: one HTML page that opens without a network, its figures as SVG and PDF, tables as CSV and LaTeX, all
numbers as JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np

import kins
from kins.errors import missing
from kins.evaluation.analysis import SURE, analyse, main_categories
from kins.evaluation.bootstrap import bootstrap, interval
from kins.evaluation.errors import ERRORS, LEVELS, Analysis
from kins.evaluation.precision import RECALLS
from kins.evaluation.report.charts import FEW_CLASSES, Chart, bars_chart, confusion_chart, curves_chart
from kins.evaluation.report.papers import TABLES, as_csv, as_latex, paper_tables
from kins.evaluation.report.pictures import choose, image_quality, shown
from kins.evaluation.results import Results, short_names, without_nan
from kins.evaluation.slices import word_of
from kins.files import CSV_MARK, PERCENT_MARK, write_atomic, write_json, write_markup
from kins.records import Dataset
from kins.statistics.numbers import difference, number

KIND_NAMES = {"box": "Amodal boxes", "amodal": "Amodal masks", "inmodal": "Inmodal masks"}
LEVEL_NAMES = {
    "none": "none (under 1 %)",
    "partial": "partial (1 to 25 %)",
    "heavy": "heavy (over 25 %)",
    "occluded": "occluded (over 15 %)",
    "cocoa-none": "COCOA: none (to 0.001 %)",
    "cocoa-partial": "COCOA: partial (to 25 %)",
    "cocoa-heavy": "COCOA: heavy (from 25 %)",
}


HIDDEN_VIEW = {"kind": "extents", "sort": "hidden"}
VIEWS: dict[str, Any] = {
    "sizes": {"APs": "small", "APm": "medium", "APl": "large", "ARs": "small", "ARm": "medium", "ARl": "large"},
    "thresholds": {"AP75": "0.75"},
    "regions": {
        "pairs": {"kind": "right"},
        "amodal": {"kind": "right", "sort": "amodal"},
        "inmodal": {"kind": "right", "sort": "inmodal"},
        "hidden": HIDDEN_VIEW,
        "hidden_pairs": HIDDEN_VIEW,
        "hidden_partial": HIDDEN_VIEW | {"level": "partial"},
        "hidden_heavy": HIDDEN_VIEW | {"level": "heavy"},
    },
    "occlusion": {"pairs": {"kind": "judged"}, "occluded": {"kind": "judged", "level": "some"}},
    "order": {"pairs": {"kind": "pairs"}},
    "otherwise": {"occlusion": {"kind": "occlusion"}, "order": {"kind": "order"}},
}
"""How `kins view` narrows its lists for a figure, by the figure's name."""


def write_report(
    folder: str | Path,
    dataset: Dataset,
    runs: Mapping[str, tuple[Dataset, Results]],
    most_pictures: int = 4,
    samples: int = 200,
) -> Path:
    """Write FOLDER/index.html, figures.json, figures/*.svg and *.pdf, tables/*.csv and *.tex in it.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> from kins.evaluation.report import write_report
        >>> dataset = write_shapes("pictures", 3)
        >>> found = dataset.map(lambda s: s.replace(instances=tuple(i.replace(score=0.9) for i in s)))
        >>> page = write_report("report", dataset, {"perfect": (found, kins.evaluate(dataset, found))}, samples=10)
        >>> page.name, sorted(path.name for path in page.parent.iterdir())
        ('index.html', ['figures', 'figures.json', 'index.html', 'tables'])

    Args:
        runs: by name the predictions and their results; the first is what others are compared with.
        most_pictures: best and worst images shown of the first run; none without a picture folder.
        samples: draws of the bootstrap intervals.

    Returns:
        The path of the page.

    Raises:
        KinsError: something that reports need is not installed, or the folder can't be written.
    """
    check_installed()
    from jinja2 import Environment

    folder = Path(folder)
    labels = short_names(list(runs))
    results = {label: run[1] for label, run in zip(labels, runs.values(), strict=True)}
    found = {label: run[0] for label, run in zip(labels, runs.values(), strict=True)}
    intervals = _intervals(results, samples)
    analysis = {label: results[label].analysis or analyse(dataset, found[label], results[label]) for label in labels}
    charts = _charts(results, intervals, analysis)
    context = {
        **_pictures(dataset, found[labels[0]], results[labels[0]], most_pictures),
        "title": dataset.path.name if dataset.path else "ground truth",
        "runs": results,
        "first": results[labels[0]],
        "kinds": {kind: KIND_NAMES[kind] for kind in KIND_NAMES if all(kind in r.kinds for r in results.values())},
        "levels": LEVEL_NAMES,
        "intervals": intervals,
        "analysis": analysis,
        "errors": ERRORS,
        "error_levels": LEVELS,
        **_class_names(results[labels[0]]),
        "charts": {name: chart.svg for name, chart in charts.items()},
        "views": VIEWS | {"levels": {part.name: word_of(part) for part in results[labels[0]].slices}},
        "below": str(math.nextafter(SURE, 0)),
        "version": kins.__version__,
        "samples": samples,
        "few": FEW_CLASSES,
    }
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "figure": number,
        "delta": _delta,
        "share": _share,
        "most": _most,
        "address": _address,
        "leads": _leads,
        "mistakes": _mistakes,
    }
    template = resources.files(__package__).joinpath("page.html.jinja").read_text()
    page = folder / "index.html"
    write_markup(page, environment.from_string(template).render(context) + "\n")
    write_json(folder / "figures.json", json.dumps(_as_json(results, intervals, analysis), indent=1) + "\n")
    for name, chart in charts.items():
        write_markup(folder / "figures" / f"{name}.svg", chart.standalone())
        write_atomic(folder / "figures" / f"{name}.pdf", chart.pdf.rstrip() + b"\n" + PERCENT_MARK)
    for name, table in paper_tables(results, intervals, analysis).items():
        write_atomic(folder / "tables" / f"{name}.csv", as_csv(table).encode() + CSV_MARK)
        write_atomic(folder / "tables" / f"{name}.tex", as_latex(table).encode() + PERCENT_MARK)
    return page


def _class_names(results: Results) -> dict[str, Any]:
    """Names of the classes in the table, and a line on those that are left out."""
    ids, note = main_categories(results)
    return {"class_names": [results.categories[key] for key in ids], "class_note": note}


def check_installed() -> None:
    """Raises KinsError if something that reports need is not installed: before hours of work, not after them."""
    for module in ("jinja2", "matplotlib"):
        if find_spec(module) is None:
            raise missing(module)


def _pictures(dataset: Dataset, predictions: Dataset, results: Results, most: int) -> dict[str, Any]:
    """What the page says of the best and the worst images."""
    quality = image_quality(results.table)
    best, worst = (
        shown(*quality, results.table.images, dataset, predictions, indices) for indices in choose(*quality, most)
    )
    return {"best": best, "worst": worst, "photos": dataset.images_dir is not None, "sure": SURE}


def report_paths(folder: str | Path, runs: int = 1) -> list[Path]:
    """All files that `write_report` may write for so many runs."""
    names = [f"{chart}-{kind}" for chart in ("precision-recall", "occlusion") for kind in KIND_NAMES]
    names += ["occlusion", "overall", "confusion", *(f"confusion-{number + 1}" for number in range(runs))]
    folder = Path(folder)
    charts = [folder / "figures" / f"{name}.{suffix}" for name in names for suffix in ("svg", "pdf")]
    tables = [folder / "tables" / f"{name}.{suffix}" for name in TABLES for suffix in ("csv", "tex")]
    return [folder / "index.html", folder / "figures.json", *charts, *tables]


def _intervals(results: Mapping[str, Results], samples: int) -> dict[str, Any]:
    """By run, kind and figure: the interval, and for runs after the first the difference and its interval."""
    made: dict[str, Any] = {}
    base: dict[str, Any] = {}
    for label, result in results.items():
        made[label] = {}
        for kind, part in result.kinds.items():
            drawn = bootstrap(result, kind, samples)
            made[label][kind] = {
                name: {"value": part[name], "interval": interval(values)} for name, values in drawn.items()
            }
            if kind in base:
                for name, values in drawn.items():
                    low, high = interval(values - base[kind][0][name])
                    made[label][kind][name] |= {
                        "delta": part[name] - base[kind][1][name],
                        "delta_interval": (low, high),
                    }
            elif len(made) == 1:
                base[kind] = drawn, part
    return made


def _charts(
    results: Mapping[str, Results], intervals: Mapping[str, Any], analysis: Mapping[str, Analysis | None]
) -> dict[str, Chart]:
    """Every figure by name."""
    charts: dict[str, Chart] = {}
    several = len(results) > 1
    first = next(iter(results.values()))
    for kind, part in first.kinds.items():
        series = []
        if several:
            for label, result in results.items():
                if kind in result.kinds:
                    series.append((label, np.nanmean(result.kinds[kind].curves.precision[0], axis=1)))
        else:
            precision = part.curves.precision
            series = [(f"IoU {t:.2f}", np.nanmean(precision[n], axis=1)) for t, n in _SHOWN]
        charts[f"precision-recall-{kind}"] = curves_chart(
            series, RECALLS, "recall, %", "precision, %", KIND_NAMES[kind]
        )
        if part.slices:
            levels = list(part.slices)
            if several:
                bars = {n: [r.kinds[kind].slices[s]["AP"] for s in levels] for n, r in results.items()}
                charts[f"occlusion-{kind}"] = bars_chart(levels, bars, KIND_NAMES[kind], "AP", width=360)
    if not several and first.kinds and next(iter(first.kinds.values())).slices:
        levels = list(next(iter(first.kinds.values())).slices)
        bars = {KIND_NAMES[k]: [p.slices[s]["AP"] for s in levels] for k, p in first.kinds.items()}
        charts["occlusion"] = bars_chart(levels, bars, "AP by occlusion level", "AP")
    names = [kind for kind in KIND_NAMES if all(kind in r.kinds for r in results.values())]
    overall = {label: [r.kinds[kind]["AP"] for kind in names] for label, r in results.items()}
    spans = {label: [intervals[label][kind]["AP"]["interval"] for kind in names] for label in results}
    charts["overall"] = bars_chart([KIND_NAMES[k] for k in names], overall, "AP", "AP", spans)
    for run, found in enumerate(analysis.values(), 1):
        if found:
            suffix = f"-{run}" if several else ""
            title = "Ground truth (row) detected as (column): % of the row, and count"
            link = _confused(list(results.values())[run - 1], found.classes, list(results)[run - 1] if several else "")
            charts[f"confusion{suffix}"] = confusion_chart(found.classes, found.confusion, title, link)
    return charts


def _confused(results: Results, classes: Sequence[str], run: str) -> Callable[[int, int], str]:
    """By row and column of the confusion: what a list has to have; '' for categories that share a row or column."""
    count = len(classes)
    alone = len(main_categories(results)[0])

    def link(row: int, column: int) -> str:
        if any(alone <= place < count for place in (row, column)):
            return ""
        of, by = [*classes, ""][row], [*classes, ""][column]
        side = "detections" if row == count else "objects"
        kind = "missed" if column == count else ""
        return _address({"run": run, "matching": "any", "of": side, "class": of, "taken": by, "kind": kind})

    return link


def _as_json(
    results: Mapping[str, Results], intervals: Mapping[str, Any], analysis: Mapping[str, Analysis | None]
) -> Any:
    """Everything on the page as numbers."""
    return without_nan(
        {
            "recall": RECALLS.tolist(),
            "runs": {
                label: {
                    **dataclasses.replace(result, analysis=analysis[label]).to_dict(),
                    "precision_recall": {
                        kind: {str(t): np.nanmean(part.curves.precision[n], axis=1).tolist() for t, n in _SHOWN}
                        for kind, part in result.kinds.items()
                    },
                    "intervals": intervals[label],
                }
                for label, result in results.items()
            },
        }
    )


_SHOWN = ((0.5, 0), (0.75, 5), (0.9, 8))


def _delta(value: float) -> str:
    return difference(value).replace("-", "\N{MINUS SIGN}")


def _share(value: float, full: float) -> str:
    """Of a bar's full length: 0 to 1."""
    return "0" if math.isnan(value) or not full else f"{min(max(value / full, 0), 1):.3f}"


def _address(words: Mapping[str, str]) -> str:
    """Of a list in `kins view`; words without a value are left out."""
    return urlencode({name: value for name, value in words.items() if value})


def _leads(value: float) -> bool:
    """Whether there is something to look at: not where nothing was counted, or a figure is not defined."""
    return not math.isnan(value) and (isinstance(value, float) or value != 0)


def _mistakes(taken: Mapping[str, Mapping[str, int]], most: int = 8) -> list[tuple[str, str, int]]:
    """Class, what it was taken for, how often: the most frequent ones."""
    found = [(true, said, count) for true, row in taken.items() for said, count in row.items()]
    return sorted(found, key=lambda one: -one[2])[:most]


def _most(table: Mapping[str, Mapping[str, float]]) -> float:
    """The largest gain of a table of errors."""
    return max((row[name] for row in table.values() for name in ERRORS if not math.isnan(row[name])), default=0.0)
