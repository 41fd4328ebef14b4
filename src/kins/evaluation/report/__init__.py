"""The report: one HTML page that opens without a network, its figures as SVG files, and all numbers as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

import kins
from kins.draw.palette import SERIES
from kins.errors import KinsError
from kins.evaluation.bootstrap import bootstrap, interval
from kins.evaluation.columns import Columns, Masks, columns
from kins.evaluation.errors import ERRORS, LEVELS, NEAR, confusion, error_shares
from kins.evaluation.evaluator import BATCH, best_detections
from kins.evaluation.overlap import Pairs, pairs
from kins.evaluation.precision import RECALLS
from kins.evaluation.report.charts import DASHES, bars_chart, confusion_chart, curves_chart, standalone
from kins.evaluation.report.pictures import choose, image_quality, shown
from kins.evaluation.results import Results, without_nan
from kins.files import write_json, write_markup
from kins.records import Dataset
from kins.statistics.numbers import difference, number
from kins.work import progress

SURE = 0.5
"""Score from which detections are drawn and counted in the confusion of classes."""
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


def write_report(
    folder: str | Path,
    dataset: Dataset,
    runs: Mapping[str, tuple[Dataset, Results]],
    most_pictures: int = 4,
    samples: int = 200,
) -> Path:
    """Write FOLDER/index.html, FOLDER/figures.json and FOLDER/figures/*.svg.

    Args:
        runs: by name the predictions and their results; the first is what others are compared with.
        most_pictures: best and worst images shown of the first run; none without a picture folder.
        samples: draws of the bootstrap intervals.

    Returns:
        The path of the page.
    """
    try:
        from jinja2 import Environment
    except ImportError:
        raise KinsError("the report needs jinja2; install kins[report]") from None
    folder = Path(folder)
    labels = _labels(list(runs))
    results = {label: run[1] for label, run in zip(labels, runs.values(), strict=True)}
    found = {label: run[0] for label, run in zip(labels, runs.values(), strict=True)}
    intervals = _intervals(results, samples)
    analysis = {label: _analysis(dataset, found[label], results[label]) for label in progress(labels, "error analysis")}
    charts = _charts(results, intervals, analysis)
    first = results[labels[0]]
    best, worst = choose(*image_quality(first.table, SURE), most_pictures)
    context = {
        "title": dataset.path.name if dataset.path else "ground truth",
        "runs": results,
        "first": first,
        "kinds": {kind: KIND_NAMES[kind] for kind in KIND_NAMES if all(kind in r.kinds for r in results.values())},
        "levels": LEVEL_NAMES,
        "intervals": intervals,
        "analysis": analysis,
        "errors": ERRORS,
        "error_levels": LEVELS,
        "charts": charts,
        "best": shown(first.table, dataset, found[labels[0]], best, SURE),
        "worst": shown(first.table, dataset, found[labels[0]], worst, SURE),
        "photos": dataset.images_dir is not None,
        "sure": SURE,
        "colors": SERIES,
        "dashes": DASHES,
        "version": kins.__version__,
        "samples": samples,
    }
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"figure": number, "delta": _delta, "share": _share, "most": _most}
    template = resources.files(__package__).joinpath("page.html.jinja").read_text()
    page = folder / "index.html"
    write_markup(page, environment.from_string(template).render(context) + "\n")
    for name, svg in charts.items():
        write_markup(folder / "figures" / f"{name}.svg", standalone(svg))
    write_json(folder / "figures.json", json.dumps(_as_json(results, intervals, analysis), indent=1) + "\n")
    return page


def report_paths(folder: str | Path, runs: int = 1) -> list[Path]:
    """All files that `write_report` may write for so many runs."""
    names = [f"{chart}-{kind}" for chart in ("precision-recall", "occlusion") for kind in KIND_NAMES]
    names += ["occlusion", "overall", "confusion", *(f"confusion-{number + 1}" for number in range(runs))]
    folder = Path(folder)
    return [folder / "index.html", folder / "figures.json", *(folder / "figures" / f"{name}.svg" for name in names)]


def _labels(names: list[str]) -> list[str]:
    """Short names of prediction files, as far as they differ."""
    stems = [Path(name).stem for name in names]
    return stems if len(set(stems)) == len(stems) else names


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


def _analysis(dataset: Dataset, predictions: Dataset, results: Results) -> dict[str, Any]:
    """Errors by occlusion level, and confusion of classes; {} without amodal masks."""
    if "amodal" not in results.kinds:
        return {}
    truth, found, near = _wide(dataset, predictions, results)
    ids = list(results.categories)
    return {
        "errors": {str(t): error_shares(truth, found, near, t) for t in (0.5, 0.75)},
        "confusion": confusion(truth, found, near, ids, SURE).tolist(),
        "names": list(results.categories.values()),
    }


def _wide(dataset: Dataset, predictions: Dataset, results: Results) -> tuple[Columns, Columns, Pairs]:
    """Instances, and their pairs down to a small IoU and of different classes too."""
    parts: list[tuple[Columns, Columns, Pairs]] = []
    ids = results.table.images
    offsets = [0, 0, 0]
    for start in range(0, len(ids), BATCH):
        scenes = [dataset[image_id] for image_id in ids[start : start + BATCH]]
        guesses = [predictions[scene.image.id] for scene in scenes]
        truth, truth_masks = _known(*columns(scenes, False), results)
        found, found_masks = columns(guesses, True)
        rows, _ = best_detections(found)
        found, found_masks = found.take(rows), found_masks.take(rows)
        near = pairs(truth, found, truth_masks, found_masks, NEAR, mixed=True)
        near.found += offsets[0]
        near.truth += offsets[1]
        truth.image += offsets[2]
        found.image += offsets[2]
        offsets = [offsets[0] + len(found), offsets[1] + len(truth), offsets[2] + len(scenes)]
        parts.append((truth, found, near))
    near = Pairs(
        np.concatenate([p.found for _, _, p in parts]),
        np.concatenate([p.truth for _, _, p in parts]),
        np.concatenate([p.iou for _, _, p in parts], axis=1),
        np.concatenate([p.hidden for _, _, p in parts]),
    )
    return Columns.joined([t for t, _, _ in parts]), Columns.joined([f for _, f, _ in parts]), near


def _known(table: Columns, masks: Masks, results: Results) -> tuple[Columns, Masks]:
    rows = np.flatnonzero(np.isin(table.category, list(results.categories)))
    return table.take(rows), masks.take(rows)


def _charts(
    results: Mapping[str, Results], intervals: Mapping[str, Any], analysis: Mapping[str, Any]
) -> dict[str, str]:
    """Every figure by name, as SVG."""
    charts: dict[str, str] = {}
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
            series = [(name, np.nanmean(precision[t], axis=1)) for name, t in (("0.50", 0), ("0.75", 5), ("0.90", 8))]
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
            title = "Ground truth (row) detected as (column), %"
            charts[f"confusion{suffix}"] = confusion_chart(found["names"], found["confusion"], title)
    return charts


def _as_json(results: Mapping[str, Results], intervals: Mapping[str, Any], analysis: Mapping[str, Any]) -> Any:
    """Everything on the page as numbers."""
    return without_nan(
        {
            "recall": RECALLS.tolist(),
            "runs": {
                label: {
                    **result.to_dict(),
                    "precision_recall": {
                        kind: {str(t): np.nanmean(part.curves.precision[n], axis=1).tolist() for t, n in _SHOWN}
                        for kind, part in result.kinds.items()
                    },
                    "intervals": intervals[label],
                    "analysis": analysis[label],
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


def _most(table: Mapping[str, Mapping[str, float]]) -> float:
    """The largest gain of a table of errors."""
    return max((row[name] for row in table.values() for name in ERRORS if not math.isnan(row[name])), default=0.0)
