"""kins synth."""

from pathlib import Path
from typing import Annotated

import typer

from kins.commands.options import Ray, Shard


def synth(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="Folder to make, or to go on with; of Parquet shards if named NAME.parquet."
        ),
    ],
    train: Annotated[int, typer.Option("--train", metavar="N", min=0, help="Pictures for training.")] = 0,
    test: Annotated[int, typer.Option("--test", metavar="N", min=0, help="Pictures for testing.")] = 0,
    seed: Annotated[int, typer.Option("--seed", metavar="S", min=0, help="Other numbers give other streets.")] = 0,
    size: Annotated[str, typer.Option("--size", metavar="WxH", help="Picture size in pixels.")] = "1242x375",
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers", metavar="N", min=1, help="Processes side by side, or workers; one for each core if not given."
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
    shard: Shard = 256,
) -> None:
    """Make street scenes with exact amodal masks and order, in KITTI's folders and the KINS 2020 format.

    As OUT.parquet pictures and annotations lie together in Parquet shards, a folder of them for each split.
    An interrupted run goes on where it stopped when the same command is given again.

    Example: kins synth streets --train 200 --test 50 --size 621x188 --quality fast
    """
    from kins.commands.options import say_shards, shards_asked, width_and_height
    from kins.errors import KinsError
    from kins.files.terminal import say
    from kins.streets import Settings, generate

    width, height = width_and_height(size)
    settings = Settings(seed=seed, width=width, height=height, quality=quality, variety=variety)
    if train + test == 0:
        raise KinsError("nothing to make; give --train N, --test N or both")
    if out.suffix == ".parquet" and shards_asked(out, ray, workers):
        from kins.streets.shards import generate_shards
        from kins.work.shards import How

        for split, done in generate_shards(
            out, {"training": train, "testing": test}, settings, How(shard, ray, workers)
        ).items():
            say_shards(out / split, done, False)
        return
    for split, dataset in generate(out, {"training": train, "testing": test}, settings, workers, ray).items():
        if not dataset:
            continue
        labelled = sum(len(scene) for scene in dataset)
        say(f"{out / split}: {len(dataset)} pictures, {labelled} labelled instances")
