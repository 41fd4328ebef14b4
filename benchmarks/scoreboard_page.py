"""The scoreboard in docs/results.md, written from scoreboard.json: figures of the runs, costs, published figures.

`scoreboard.py --page` puts its runs there, `network.py methods --page` what networks cost; published figures are
entered by hand. To write the page anew from what is there:

    python benchmarks/scoreboard_page.py
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from kins.files import write_atomic
from kins.train.results import Entry, spread, table

ROOT = Path(__file__).parents[1]
DATA, PAGE = ROOT / "benchmarks" / "scoreboard.json", ROOT / "docs" / "results.md"
BEGIN = "<!-- From here on written by benchmarks/scoreboard_page.py; what is changed by hand is lost. -->"
END = "<!-- End of what benchmarks/scoreboard_page.py writes. -->"
OWN = ("frozen", "occlusion labels")
"""Conditions that some rows have for themselves."""
FIGURES = ("amodal AP", "inmodal AP", "whole mIoU", "hidden mIoU", "order right")
"""Of published methods."""
INTRODUCTION = """\
Means over the seeds and half their range, the best mean of a column in bold. First what `kins eval` prints (`heavily
hidden` is amodal AP), then [figures by the names of papers](evaluation.md#protocols). Networks without visible masks
have no figures that need them. What the runs share:
"""
COSTS = """\
Time over that of `mask-rcnn-both`, all in turn in one process, the best of a few rounds; every part of the network
learns. Parameters in millions. Peak memory in GiB is that of a process that makes one step, all its libraries included.
{told}
"""
PUBLISHED = """\
Ours are of synthetic streets and a small budget: **not comparable** with any published figure. No method was trained on
KINS, COCOA-cls or D2SA here. Figures that were at hand only as quotations without a source that could be checked are
left out; so VRSP's own are. mIoU is that of masks completed from visible ones ([ours](completion.md)).
"""


def keep(entries: Iterable[Entry] = (), costs: Mapping[str, Any] | None = None) -> None:
    """Put runs, which replace those of the same row, seed and conditions, or costs into the data; write the page."""
    data = json.loads(DATA.read_text())
    runs = {_key(run): run for run in [*data["results"], *map(dataclasses.asdict, entries)]}
    data = {**data, "results": list(runs.values()), "costs": costs or data["costs"]}
    write_atomic(DATA, dumped(data))
    write_atomic(PAGE, placed(PAGE.read_text(), section(data)))


def _key(run: Mapping[str, Any]) -> str:
    return json.dumps([run["method"], run["seed"], run["conditions"]], sort_keys=True)


def dumped(data: Mapping[str, Any]) -> str:
    """JSON with a line for each run."""
    parts = []
    for name, value in data.items():
        lines = [json.dumps(one, ensure_ascii=False) for one in value] if isinstance(value, list) else None
        text = json.dumps(value, ensure_ascii=False) if lines is None else "[\n" + ",\n".join(lines) + "\n]"
        parts.append(f'"{name}": {text}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def placed(page: str, text: str) -> str:
    """The page with the text between the marks."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n\n{text}\n{END}{rest.split(END)[1]}"


def section(data: Mapping[str, Any]) -> str:
    """The text between the marks."""
    entries = [Entry(**run) for run in data["results"]]
    parts = [
        *(INTRODUCTION, table(entries, OWN, best=True)),
        *("### What the methods cost\n", COSTS.format(told=data["costs"]["told"]), _costs(data["costs"]["networks"])),
        *("### Beside published figures\n", PUBLISHED, _published(data["published"], entries)),
    ]
    return "\n".join(parts)


def _costs(networks: Mapping[str, Mapping[str, float]]) -> str:
    columns = list(next(iter(networks.values())))
    lines = [f"| network | {' | '.join(columns)} |", "|---|" + "---|" * len(columns)]
    lines += [
        f"| `{name}` | {' | '.join(f'{value:.2f}' for value in row.values())} |" for name, row in networks.items()
    ]
    return "\n".join(lines) + "\n"


def _published(published: Sequence[Mapping[str, Any]], entries: Sequence[Entry]) -> str:
    lines = ["| data | method and source | " + " | ".join(FIGURES) + " | ours, amodal and inmodal AP |"]
    lines.append("|---|---|" + "---|" * (len(FIGURES) + 1))
    for one in published:
        cells = [str(one[name]) if name in one else "" for name in FIGURES]
        runs = [entry.figures for entry in entries if entry.method == one.get("ours")]
        ours = " and ".join(spread([run[name] for run in runs]) for name in FIGURES[:2] if runs and name in runs[0])
        told = f"{ours} (`{one['ours']}`)" if ours else ""
        lines.append(f"| {one['data']} | {one['method']} ({one['source']}) | {' | '.join(cells)} | {told} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    keep()
