"""kins predict."""

from typing import Annotated, Any

import typer

from kins.commands.options import ImageIds, Json, Order, Predictions, Ray, RayWorkers, Shard, Show


def predict(
    weights: Annotated[
        str,
        typer.Argument(
            metavar="RUN_OR_WEIGHTS",
            help="A run folder, a weights file, 'street' (shipped), or 'coco': torchvision's.",
        ),
    ],
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGES...", help="Pictures, folders of them, globs, lists (.txt), tars, or Parquet with pictures."
        ),
    ],
    out: Predictions,
    annotations: ImageIds = None,
    show: Show = None,
    show_score: Annotated[float, typer.Option("--show-score", help="Lowest score that is drawn with --show.")] = 0.5,
    score: Annotated[
        float | None,
        typer.Option("--score", help="Lowest score that is written; the network's own limit if not given."),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Pictures that are computed together.")] = 4,
    device: Annotated[
        str, typer.Option("--device", help="What computes: cpu, cuda, cuda:1, mps, or auto for the best there is.")
    ] = "auto",
    precision: Annotated[
        str,
        typer.Option("--precision", help="Bits of the numbers: 32, bf16, 16, or auto for what the device does best."),
    ] = "auto",
    order: Order = None,
    ray: Ray = None,
    workers: RayWorkers = None,
    shard: Shard = 256,
    json_: Json = False,
) -> None:
    """Find objects in pictures: both masks, occlusion score and order of each.

    coco is torchvision's detector of 80 classes for any photograph, whose visible masks are completed.
    Interrupted, the same command goes on where it stopped; until the end the file is named PRED.json.part. With -o
    NAME.parquet results are a folder of Parquet shards, made here or (--ray) by many machines.
    A picture that can't be read, found or told which image it is, is reported and skipped; the exit code is 2 only if
    none is left, or if ANN knows none of the classes.

    Example: kins predict runs/tiny streets/testing/image_2 -o pred.json --annotations streets/test.json --show pictures
    """
    import dataclasses
    import json

    from kins.commands.options import say_shards, shards_asked
    from kins.files import check_output
    from kins.files.sources import find_images
    from kins.files.terminal import say
    from kins.predict.files import drawings, predict_files
    from kins.train.log import weight_files

    options: dict[str, Any] = {"annotations": annotations, "score": score, "batch": batch, "device": device}
    options |= {"precision": precision, "order": order}
    if shards_asked(out, ray, workers, show):
        from kins.predict.shards import predict_shards
        from kins.work.shards import How

        how = How(shard, ray, workers, gpus=device != "cpu")
        say_shards(out, predict_shards(weights, images, out, how, **options), json_)
        return
    paths = find_images(images)
    drawn = [] if show is None else drawings(show, paths).values()
    check_output([out, *drawn], [*paths, annotations, *weight_files(weights), *(weight_files(order) if order else ())])
    summary = predict_files(weights, images, out, show=show, show_score=show_score, **options)
    for line in summary.skipped:
        say(f"skipped: {line}", err=True)
    if json_:
        typer.echo(json.dumps(dataclasses.asdict(summary)))
        return
    before = f", {summary.before} of them done before" if summary.before else ""
    say(f"{out}: {summary.detections} detections in {summary.images} images{before}")
