"""Options that several commands have."""

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

Annotations = Annotated[Path, typer.Argument(metavar="ANN", help="Annotation file, in any of the formats.")]
Images = Annotated[Path | None, typer.Option("--images", metavar="DIR", help="Folder of the pictures.")]
From = Annotated[str | None, typer.Option("--from", metavar="FORMAT", help="Format of the file, if not recognised.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, alone on standard output.")]
As = Annotated[
    Literal["amodal", "inmodal"] | None,
    typer.Option("--as", help="What the masks of plain COCO files and results are."),
]
Predictions = Annotated[Path, typer.Option("-o", "--out", metavar="PRED.json", help="The prediction file to write.")]
Show = Annotated[Path | None, typer.Option("--show", metavar="DIR", help="Also draw each picture into DIR.")]
ImageIds = Annotated[
    Path | None,
    typer.Option("--annotations", metavar="ANN", help="Annotation file whose image ids and categories are used."),
]


def width_and_height(size: str) -> tuple[int, int]:
    """The numbers of "WxH". Raises KinsError for other text."""
    from kins.errors import KinsError

    width, _, height = size.partition("x")
    if not all(re.fullmatch("[0-9]{1,9}", side) for side in (width, height)):
        raise KinsError(f"--size {size}: give width and height in pixels, as in 1242x375")
    return int(width), int(height)
