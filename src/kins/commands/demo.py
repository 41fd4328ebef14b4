"""kins demo."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Folder for all that is made.")] = Path(
        "demo"
    ),
    minutes: Annotated[
        float | None,
        typer.Option(
            "--minutes",
            metavar="M",
            min=0.2,
            help="About how long it takes; 10 if not given, 7 with --samples or --shapes.",
        ),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(
            "--samples",
            metavar="DIR",
            envvar="KINS_SAMPLES",
            exists=True,
            file_okay=False,
            help="A folder of annotated pictures to learn by heart, in place of street scenes.",
        ),
    ] = None,
    photos: Annotated[
        Path | None,
        typer.Option(
            "--photos",
            metavar="PATH",
            envvar="KINS_PHOTOS",
            exists=True,
            help="A photograph of a street, or a folder of them, to show the shipped weights and completion on.",
        ),
    ] = None,
    shapes: Annotated[
        bool, typer.Option("--shapes", help="Take simple overlapping shapes in place of street scenes.")
    ] = False,
) -> None:
    """The whole way: pictures, training, prediction, evaluation, report. Needs neither network nor GPU.

    Example: kins demo --minutes 10
    """
    from kins.demo.run import demo as run
    from kins.files.terminal import say

    by_heart = shapes or samples is not None
    material = "shapes" if shapes else samples or "streets"
    run(out, material, minutes or (7 if by_heart else 10), say=say, photos=photos)
