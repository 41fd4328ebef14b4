"""kins validate."""

from pathlib import Path
from typing import Annotated

import typer

from kins.commands.options import Annotations, From, Images, Json


def validate(
    annotations: Annotations,
    images: Images = None,
    from_: From = None,
    fix: Annotated[
        Path | None,
        typer.Option("--fix", metavar="OUT", help="Also write a repaired copy; what would take a guess stays."),
    ] = None,
    json_: Json = False,
) -> None:
    """Find what is wrong with an annotation file: each fault with its place and what to do. Exit code 1 for errors.

    Example: kins validate update_train_2020.json --images training/image_2
    """
    import json

    from kins.files import check_output
    from kins.validate import validate as check

    if fix is not None:
        check_output(fix, [annotations, images])
    report = check(annotations, images=images, format=from_, repaired=fix)
    typer.echo(json.dumps(report.as_json()) if json_ else report.as_text())
    if not report.valid:
        raise typer.Exit(1)
