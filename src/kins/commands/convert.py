"""kins convert."""

from pathlib import Path
from typing import Annotated

import typer

from kins.commands.options import As, From, Images


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Annotation file or folder to read.")],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT", help="Annotation file to write; for labelme, ISAT and other tools a folder, or NAME.zip."
        ),
    ],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="Format to write: kins2020, kins2019, cocoa, cocoa-cls, d2sa, coco, aistron, predictions, parquet, "
            "labelme, isat, cvat, label-studio or datumaro.",
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
) -> None:
    """Convert annotations from one format to another, and say what the target can't hold.

    Example: kins convert COCO_amodal_val2014.json val.json --to kins2020
    """
    from kins.files import check_output
    from kins.files.terminal import say
    from kins.formats import load, load_instaorder, load_predictions, outputs
    from kins.formats.names import with_coco_names
    from kins.formats.tools import TOOLS, input_files
    from kins.masks import require_sound

    inputs = [source, annotations, masks, images, *input_files(source)]
    if to not in TOOLS:
        check_output(target, inputs)
    if masks is not None:
        dataset = load_instaorder(source, masks, images)
    elif annotations is None:
        dataset = load(source, images=images, format=from_, masks=as_)
    else:
        dataset = load_predictions(source, load(annotations, images=images, masks="amodal"), masks=as_)
    if coco_names:
        dataset = with_coco_names(dataset)
    if to in TOOLS:
        check_output(outputs(dataset, target, to), inputs)
    missing, boxes = {"amodal", "inmodal"}, 0
    for scene in dataset:  # masks that the target holds as they are would be passed on unread, damaged ones too
        require_sound([mask for instance in scene for mask in (instance.amodal, instance.inmodal)])
        boxes += sum(i.whole is None and (i.amodal_box or i.inmodal_box) is not None for i in scene)
        missing -= {kind for kind in missing if any(getattr(instance, kind) is not None for instance in scene)}
    for line in dataset.save(target, format=to, masks=as_, polygons=polygons):
        say(f"not kept: {line}", err=True)
    if to == "cvat":
        from kins.formats.tools.cvat_writer import raw_labels

        say(f"labels for CVAT's constructor (raw): {raw_labels(dataset)}", err=True)
    if len(missing) == 1 and to != "coco" and to not in TOOLS:
        say(f"missing: {_without(missing.pop())}", err=True)
    if boxes:
        say(f"missing: masks of {boxes} instances, which are boxes alone; {_BOXES}", err=True)
    say(f"{target}: {len(dataset)} images, {sum(len(scene) for scene in dataset)} instances")


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
