"""kins doctor."""

from pathlib import Path
from typing import Annotated

import typer

from kins.commands.options import Json


def doctor(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="A folder of data to examine: annotation files and pictures.")
    ] = None,
    coco_names: Annotated[
        bool,
        typer.Option("--coco-names", help="Count how many category names (COCOA's are free) are one of COCO's 80."),
    ] = False,
    json_: Json = False,
) -> None:
    """What is installed, which devices and weights there are; given a folder, whether its data is as it should be.

    Exit code 1 if something is missing that should be there; extras and downloads are a matter of choice.

    Example: kins doctor data
    """
    import json

    from kins.files.terminal import say
    from kins.validate import examine, installation

    lines = installation() if folder is None else examine(folder, coco_names)
    if json_:
        typer.echo(json.dumps([line._asdict() for line in lines]))
    else:
        width = max(len(line.of) for line in lines) if folder is None else 0
        marks = {True: "ok", None: "--", False: "!!"}
        for line in lines:
            say(f"{marks[line.good]}  {line.of:{width}}  {line.said}")
    if any(line.good is False for line in lines):
        raise typer.Exit(1)
