"""kins annotate."""

from pathlib import Path
from typing import Annotated

import typer


def annotate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of pictures, with those in folders below it.")],
    database: Annotated[
        str | None,
        typer.Option("--database", metavar="URL", help="Where to keep it all; a file in the folder if not given."),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen at; others than this need accounts.")] = (
        "127.0.0.1"
    ),
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Port to listen at; 8765 or one of the next.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
) -> None:
    """Annotate pictures in the browser: whole outlines and who is in front; the visible masks follow.

    Example: kins annotate photos
    """
    from kins.annotate import serve
    from kins.files.terminal import say

    serve(folder, database=database, host=host, port=port, browser=browser, say=say)
