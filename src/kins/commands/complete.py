"""kins complete."""

from pathlib import Path
from typing import Annotated

import typer

from kins.commands.options import ImageIds, Images, Json, Order, Predictions, Ray, RayWorkers, Shard, Show


def complete(
    source: Annotated[
        Path,
        typer.Argument(metavar="IN", help="Visible masks, or boxes: annotations, predictions, results of a detector."),
    ],
    out: Predictions,
    images: Images = None,
    show: Show = None,
    with_: Annotated[
        str,
        typer.Option(
            "--with",
            metavar="METHOD",
            help="The way: completion, boxes (needs --images), visible (not at all), convex, convex-order, or a run.",
        ),
    ] = "completion",
    categories: Annotated[
        str | None,
        typer.Option(
            "--categories",
            metavar="NAMES",
            help="Class names of results that have numbers, from number 0 on, with commas between.",
        ),
    ] = None,
    order: Order = None,
    annotations: ImageIds = None,
    ray: Ray = None,
    workers: RayWorkers = None,
    shard: Shard = 256,
    json_: Json = False,
) -> None:
    """Complete visible masks to whole objects, and tell who hides whom, whatever found the masks.

    Results of detectron2, MMDetection, Ultralytics and SAM are read, too. --with a detector (boxes, street, a run of
    kins train) finds both masks in the pictures, so that boxes alone are enough. With -o NAME.parquet results are a
    folder of Parquet shards, made here or (--ray) by many machines.

    Example: kins complete coco_instances_results.json --images photos -o whole.json --show pictures
    """
    import json

    from kins.commands.options import say_shards, shards_asked
    from kins.complete import Completer
    from kins.complete.files import complete_files, open_masks
    from kins.files import check_output
    from kins.files.terminal import say
    from kins.formats.tools import input_files

    names = None if categories is None else [name.strip() for name in categories.split(",")]
    if shards_asked(out, ray, workers, show):
        from kins.complete.shards import complete_shards
        from kins.work.shards import How

        how = How(shard, ray, workers)
        say_shards(out, complete_shards(source, out, how, images, names, annotations, with_, order), json_)
        return
    check_output(out, [source, images, annotations, *([order] if order else []), *input_files(source)])
    dataset = open_masks(source, images, names, annotations)
    completer = Completer.load(with_, order)
    if show is not None:
        check_output([show / f"{i.id}-{Path(i.file_name).stem}.png" for i in dataset.images.values()], [source, images])
    name = with_ if order is None else f"{with_}, order by {order}"
    summary = complete_files(dataset, out, completer, show, name)
    if json_:
        found = {"images": summary.images, "instances": summary.instances, "completed": summary.completed}
        typer.echo(json.dumps(found))
    else:
        say(f"{out}: {summary.instances} instances in {summary.images} images, {summary.completed} of them completed")
