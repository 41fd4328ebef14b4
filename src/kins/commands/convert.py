"""kins convert."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kins.commands.options import WRITTEN_NAMES, As, From, Images, Ray, RayWorkers, shards_asked

if TYPE_CHECKING:
    from kins.work.conversion import Input


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Annotation file or folder to read.")],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="Annotation file to write; for labelme, ISAT, other tools and YOLO a folder, or NAME.zip.",
        ),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FORMAT",
            autocompletion=WRITTEN_NAMES,
            help="Format to write: kins2020, kins2019, cocoa, cocoa-cls, d2sa, coco, aistron, predictions, parquet, "
            "labelme, isat, cvat, label-studio, datumaro or yolo.",
        ),
    ],
    polygons: Annotated[
        bool,
        typer.Option(
            "--polygons", help="Write outlines in place of run lengths where readers of the format expect them."
        ),
    ] = False,
    annotations: Annotated[
        Path | None,
        typer.Option(
            "--annotations", metavar="FILE", help="Ground truth of IN, where IN is a plain list of detections."
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option("--masks", metavar="FILE", help="COCO's file with the masks of IN, where IN is InstaOrder's."),
    ] = None,
    coco_names: Annotated[
        bool,
        typer.Option("--coco-names", help="Keep what has a name of one of COCO's 80 categories (COCOA's are free)."),
    ] = False,
    from_: From = None,
    as_: As = None,
    images: Images = None,
    pictures: Annotated[
        bool, typer.Option("--pictures", help="Put the pictures in --images into the Parquet file or shards, too.")
    ] = False,
    shard: Annotated[
        int | None,
        typer.Option("--shard", metavar="N", min=1, help="Write NAME.parquet as a folder of shards of N images."),
    ] = None,
    ray: Ray = None,
    workers: RayWorkers = None,
) -> None:
    """Convert annotations from one format to another, and say what the target can't hold.

    With --to parquet and --shard or --ray the output is a folder of Parquet shards, made here or by many machines;
    interrupted, the same command goes on where it stopped. An image that can't be converted is then reported and
    skipped.

    Example: kins convert COCO_amodal_val2014.json val.json --to kins2020
    """
    from kins.files import check_output
    from kins.files.terminal import say
    from kins.formats import SEVERAL, outputs
    from kins.formats.tools import input_files
    from kins.masks import require_sound
    from kins.work.conversion import Input

    given = Input(source, images, from_, as_, annotations, masks, coco_names)
    if shard is not None or ray is not None or workers is not None:
        _convert_shards(given, target, to, polygons, pictures, shard, ray, workers)
        return
    inputs = [source, annotations, masks, images, *input_files(source)]
    if to not in SEVERAL:
        check_output(target, inputs)
    dataset = given.open()
    if to in SEVERAL:
        check_output(outputs(dataset, target, to), inputs)
    missing, boxes = {"amodal", "inmodal"}, 0
    for scene in dataset:  # masks that the target holds as they are would be passed on unread, damaged ones too
        require_sound([mask for instance in scene for mask in (instance.amodal, instance.inmodal)])
        boxes += sum(i.whole is None and (i.amodal_box or i.inmodal_box) is not None for i in scene)
        missing -= {kind for kind in missing if any(getattr(instance, kind) is not None for instance in scene)}
    for line in dataset.save(target, format=to, masks=as_, polygons=polygons, pictures=pictures or None):
        say(f"not kept: {line}", err=True)
    if to == "cvat":
        from kins.formats.tools.cvat_writer import raw_labels

        say(f"labels for CVAT's constructor (raw): {raw_labels(dataset)}", err=True)
    if len(missing) == 1 and to != "coco" and to not in SEVERAL:
        say(f"missing: {_without(missing.pop())}", err=True)
    if boxes:
        say(f"missing: masks of {boxes} instances, which are boxes alone; {_BOXES}", err=True)
    say(f"{target}: {len(dataset)} images, {sum(len(scene) for scene in dataset)} instances")


def _convert_shards(
    given: "Input",
    target: Path,
    to: str,
    polygons: bool,
    pictures: bool,
    shard: int | None,
    ray: str | None,
    workers: int | None,
) -> None:
    from kins.commands.options import say_shards
    from kins.errors import KinsError
    from kins.work.conversion import convert_shards
    from kins.work.shards import SIZE, How

    if to != "parquet" or target.suffix != ".parquet":
        raise KinsError(f"{target}: shards are Parquet; name them NAME.parquet, with --to parquet")
    if polygons:
        raise KinsError("the format parquet has run lengths; leave out --polygons")
    shards_asked(target, ray, workers)
    say_shards(target, convert_shards(given, target, How(shard or SIZE, ray, workers), pictures), False)


_BOXES = "kins complete --with boxes finds both masks in the pictures"


def _without(kind: str) -> str:
    """What a file with one kind of mask alone is good for."""
    if kind == "inmodal":
        return (
            "the input has no inmodal masks, and the output neither; kins order, eval's hidden regions and slices, and "
            "training networks for both masks need them (kins order IN OUT --inmodal FILE takes them from another file)"
        )
    return (
        "the input has no amodal masks, and the output neither; kins order and all that is about hidden parts need "
        "them (kins complete guesses them)"
    )
