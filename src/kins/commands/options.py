"""Options that several commands have."""

import re
from pathlib import Path
from typing import Annotated, Literal

import typer

Annotations = Annotated[
    Path, typer.Argument(metavar="ANN", help="Annotation file of any format, or folder of a tool's files.")
]
Images = Annotated[
    Path | None, typer.Option("--images", metavar="DIR", help="Folder that the images' file names start from.")
]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="FORMAT", help="Format of the file, if it is not recognised: see kins convert."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on standard output.")]
As = Annotated[
    Literal["amodal", "inmodal"] | None,
    typer.Option(
        "--as", help="What plain masks and outlines are: whole objects (amodal) or what is seen of them (inmodal)."
    ),
]
Predictions = Annotated[Path, typer.Option("-o", "--out", metavar="PRED.json", help="The prediction file to write.")]
Show = Annotated[
    Path | None,
    typer.Option("--show", metavar="DIR", help="Also draw what is found in each picture, as PNG files in this folder."),
]
ImageIds = Annotated[
    Path | None,
    typer.Option("--annotations", metavar="ANN", help="Annotation file to take the ids of images and categories from."),
]
Order = Annotated[
    Path | None,
    typer.Option(
        "--order",
        metavar="WEIGHTS",
        help="Who hides whom is asked of this network (kins train ordernet), not of the masks.",
    ),
]


def width_and_height(size: str) -> tuple[int, int]:
    """The numbers of "WxH". Raises KinsError for other text."""
    from kins.errors import KinsError

    width, _, height = size.partition("x")
    if not all(re.fullmatch("[0-9]{1,9}", side) for side in (width, height)):
        raise KinsError(f"--size {size}: give width and height in pixels, as in 1242x375")
    return int(width), int(height)
