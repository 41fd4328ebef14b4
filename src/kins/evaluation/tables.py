"""Results as tables on a terminal."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from rich import box
from rich.table import Table
from rich.text import Text

from kins.evaluation.analysis import main_categories
from kins.evaluation.completion import Completion
from kins.evaluation.errors import ERRORS, Analysis
from kins.evaluation.protocols import Figures
from kins.evaluation.results import Results
from kins.files.terminal import console, shown
from kins.statistics.numbers import difference, number

OVERALL = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100")
PART = ("instances", "AP", "AP50", "AP75", "AR100")
KIND_NAMES = {"box": "amodal boxes", "amodal": "amodal masks", "inmodal": "inmodal masks"}


def print_results(runs: Mapping[str, Results], per_class: bool = False) -> None:
    """Print the tables of one or several runs on standard output."""
    terminal = console()
    for name, results in runs.items():
        counts = f": {results.images} images, {results.instances} instances, {results.detections} detections"
        terminal.print(Text.assemble((shown(name), "bold"), counts, "; figures in percent"))
        rows = [(KIND_NAMES[kind], [part.overall[f] for f in OVERALL]) for kind, part in results.kinds.items()]
        terminal.print(table("", OVERALL, rows))
        for kind, part in results.kinds.items():
            if part.slices:
                rows = [(key, [row[f] for f in PART]) for key, row in part.slices.items()]
                terminal.print(table(f"{KIND_NAMES[kind]} by occlusion", PART, rows))
            if per_class:
                ids, left_out = main_categories(results)
                names = [results.categories[key] for key in ids]
                rows = [(name, [part.classes[name][f] for f in PART]) for name in names]
                terminal.print(table(f"{KIND_NAMES[kind]} by class", PART, rows))
                if left_out:
                    terminal.print(f"note: {left_out}, --json has all")
        for title, row in (
            ("mean IoU of matched regions", results.regions),
            ("occluded or not, matched objects", results.occlusion),
            ("who hides whom, matched objects", results.order),
        ):
            if row:
                terminal.print(table(title, [key.replace("_", " ") for key in row], [("", list(row.values()))]))
        if results.analysis:
            for made in _errors(results.analysis):
                terminal.print(made)
        for note in results.notes:
            terminal.print(f"note: {shown(note)}")
    if len(runs) > 1:
        terminal.print(_comparison(runs))


def _errors(analysis: Analysis) -> Iterator[Table]:
    """What the lost AP comes from, by occlusion level and as TIDE counts, a table for each IoU threshold."""
    for threshold, levels in analysis.errors.items():
        columns = {**levels, "as TIDE": analysis.tide[threshold]}
        rows = [(name, [column.get(name, np.nan) for column in columns.values()]) for name in ("AP", *ERRORS)]
        yield table(f"AP lost by amodal masks at an IoU of {threshold}", list(columns), rows)


def _comparison(runs: Mapping[str, Results]) -> Table:
    """AP of each kind and the difference to the first run, which --report gives intervals for."""
    made = table("AP, and the difference to the first", [], [])
    shared = [kind for kind in KIND_NAMES if all(kind in results.kinds for results in runs.values())]
    for kind in shared:
        made.add_column(KIND_NAMES[kind], justify="right")
    base = next(iter(runs.values()))
    for name, results in runs.items():
        cells = []
        for kind in shared:
            value = results.kinds[kind]["AP"]
            change = "" if results is base else f" ({difference(value - base.kinds[kind]['AP'])})"
            cells.append(number(value) + change)
        made.add_row(shown(name), *cells)
    return made


def print_completion(scores: Mapping[str, Completion]) -> None:
    """Print the figures of mask completion, a column for each file, on standard output."""
    names = [field.name for field in dataclasses.fields(Completion)]
    rows = [(name.replace("_", " "), [getattr(score, name) for score in scores.values()]) for name in names]
    console().print(table("mean IoU of completed masks, percent", list(scores), rows))


def print_protocol(protocol: str, runs: Mapping[str, Figures]) -> None:
    """Print the figures of a protocol, a line for each; on standard output."""
    terminal = console()
    for name, rows in runs.items():
        terminal.print(Text.assemble((shown(name), "bold"), f": {protocol}; figures in percent"))
        for names in dict.fromkeys(tuple(row) for row in rows.values()):
            mine = {label: row for label, row in rows.items() if tuple(row) == names}
            lines = [(figure.replace("_", " "), [row[figure] for row in mine.values()]) for figure in names]
            made = table("", list(mine), lines)
            made.columns[0].no_wrap = True
            terminal.print(made)


def table(title: str, names: Sequence[str], rows: Sequence[tuple[str, Sequence[float]]]) -> Table:
    """One table; figures with one decimal, a dash where they are not defined."""
    made = Table(title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    made.add_column("")
    for name in names:
        made.add_column(shown(name), justify="right")
    for label, values in rows:
        made.add_row(shown(label), *(number(value) for value in values))
    return made
