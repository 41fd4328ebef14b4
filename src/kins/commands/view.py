"""kins view."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from kins.commands.options import Annotations, As


def view(
    annotations: Annotations,
    predictions: Annotated[
        list[Path] | None, typer.Argument(metavar="[PRED...]", help="Prediction files, to be shown beside it.")
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option("--pictures", "--images", metavar="DIR", help="Folder that the images' file names start from."),
    ] = None,
    masks: Annotated[
        Literal["amodal", "inmodal"] | None,
        typer.Option("--masks", help="What plain COCO masks in PRED are: amodal or inmodal."),
    ] = None,
    as_: As = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="DIR", help="Open this report of kins eval, its figures linked to objects."),
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Port to listen at; 8765 or one of the next.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
) -> None:
    """Look at annotations and predictions in the browser: side by side, the worst first. Nothing is changed.

    Example: kins view streets/test.json pred.json --pictures streets/testing/image_2
    """
    from kins.annotate.view.server import open_files, serve
    from kins.files.terminal import say

    shelf = open_files(annotations, predictions or [], pictures, masks, as_, report)
    serve(shelf, annotations, port, browser, say)
