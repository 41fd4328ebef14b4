"""kins agree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kins.commands.options import As, From, Images, Json

if TYPE_CHECKING:
    from kins.statistics import Agreement

Consensus = Annotated[
    Path | None,
    typer.Option("-o", "--out", metavar="OUT", help="Also write the annotators' consensus, a KINS 2020 file."),
]

ROWS = {
    "images": "images in common",
    "instances": "instances",
    "matched": "matched instances",
    "matched_share": "share of all that is matched",
    "same_category_share": "of the same category",
    "amodal_iou": "amodal IoU",
    "inmodal_iou": "inmodal IoU",
    "hidden_iou": "hidden-region IoU, where one has any",
    "related_pairs": "pairs in an order for both",
    "order_agreement": "same direction",
    "related_for_one_only": "pairs in an order for one only",
}


def agree(
    annotations: Annotated[
        list[Path],
        typer.Argument(
            metavar="A B [C]...",
            help="Files of two or more annotators of the same images; or one file that holds several annotators.",
        ),
    ],
    out: Consensus = None,
    from_: From = None,
    as_: As = None,
    images: Images = None,
    json_: Json = False,
) -> None:
    """Compare annotators: how well their masks and their order agree; and merge them by pixel majority.

    Example: kins agree first.json second.json third.json -o consensus.json
    """
    import json
    from itertools import combinations

    from kins.files import check_output
    from kins.files.terminal import say
    from kins.formats import load
    from kins.formats.tools import input_files
    from kins.statistics import distinct_names
    from kins.statistics.agreement import annotators, compare, consensus

    if out is not None:
        check_output(out, [*annotations, images, *(file for path in annotations for file in input_files(path))])
    datasets = [load(path, images=images, format=from_, masks=as_) for path in annotations]
    names = distinct_names(annotations)
    if len(datasets) == 1:
        datasets = annotators(datasets[0])
        names = [f"annotator {k}" for k in range(1, len(datasets) + 1)]
    pairs = list(combinations(range(len(datasets)), 2))
    found = [compare(datasets[i], datasets[j], (names[i], names[j])) for i, j in pairs]
    written = None
    if out is not None:
        merged = consensus(datasets)
        merged.save(out)
        written = {"path": str(out), "images": len(merged), "instances": sum(len(scene) for scene in merged)}
    if json_:
        typer.echo(json.dumps({"pairs": [one.as_json() for one in found], "consensus": written}))
        return
    _print_table(found)
    if written:
        say(f"{out}: consensus, {written['images']} images, {written['instances']} instances")


def _print_table(found: Sequence[Agreement]) -> None:
    """A column for each pair of annotators, and where it is known one for images with and without proposals each."""
    from rich import box
    from rich.table import Table

    from kins.files.terminal import console, shown

    table = Table(
        title="Agreement",
        caption="IoU: mean over matched instances; in an order: one hides the other",
        box=box.SIMPLE_HEAD,
        title_justify="left",
        title_style="bold",
    )
    table.caption_justify = "left"
    table.add_column("")
    rows = []
    for one in found:
        for key, part in [("", one), *sorted(one.by_assistance.items())]:
            rows.append(part.as_json())
            about = f"\n{key} proposals" if key else ""
            table.add_column(f"{shown(one.first)}\n{shown(one.second)}{about}", justify="right")
    for key, label in ROWS.items():
        table.add_row(label, *(_cell(row[key], key.endswith(("share", "agreement"))) for row in rows))
    console(max(100, 40 + 24 * len(rows))).print(table)


def _cell(value: Any, as_percent: bool) -> str:
    from kins.statistics.numbers import number, percent

    if isinstance(value, list):
        return " / ".join(map(number, value))
    return percent(value) if as_percent else number(value, 3)
