"""kins synth."""

from pathlib import Path
from typing import Annotated

import typer

from kins.commands.options import Ray


def synth(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make, or to go on with.")],
    train: Annotated[int, typer.Option("--train", metavar="N", min=0, help="Pictures for training.")] = 0,
    test: Annotated[int, typer.Option("--test", metavar="N", min=0, help="Pictures for testing.")] = 0,
    seed: Annotated[int, typer.Option("--seed", metavar="S", min=0, help="Other numbers give other streets.")] = 0,
    size: Annotated[str, typer.Option("--size", metavar="WxH", help="Picture size in pixels.")] = "1242x375",
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", metavar="N", min=1, help="Processes that work side by side; one for each core if not given."
        ),
    ] = None,
    quality: Annotated[
        str, typer.Option("--quality", metavar="Q", help="How well pictures are rendered: fast, normal or high.")
    ] = "normal",
    variety: Annotated[
        str,
        typer.Option(
            "--variety", metavar="V", help="How much streets differ: usual, or wide to train for photographs."
        ),
    ] = "usual",
    ray: Ray = None,
) -> None:
    """Make street scenes with exact amodal masks and order, in KITTI's folders and the KINS 2020 format.

    An interrupted run goes on where it stopped when the same command is given again.

    Example: kins synth streets --train 200 --test 50 --size 621x188 --quality fast
    """
    from kins.commands.options import width_and_height
    from kins.errors import KinsError
    from kins.files.terminal import say
    from kins.streets import Settings, generate

    width, height = width_and_height(size)
    settings = Settings(seed=seed, width=width, height=height, quality=quality, variety=variety)
    if train + test == 0:
        raise KinsError("nothing to make; give --train N, --test N or both")
    for split, dataset in generate(out, {"training": train, "testing": test}, settings, workers, ray).items():
        if not dataset:
            continue
        labelled = sum(len(scene) for scene in dataset)
        say(f"{out / split}: {len(dataset)} pictures, {labelled} labelled instances")
