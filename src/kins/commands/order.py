"""kins order."""

from pathlib import Path
from typing import Annotated

import typer

from kins.commands.options import As, From, Images, Json


def order(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Annotation file to read, of any format.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="KINS 2020 file to write.")],
    from_depth: Annotated[
        str | None,
        typer.Option(
            "--from-depth",
            metavar="FIELD",
            help="Field of the annotations with the distance: nearer objects are in front.",
        ),
    ] = None,
    inmodal: Annotated[
        Path | None,
        typer.Option(
            "--inmodal",
            metavar="FILE",
            help="Plain COCO file with the visible masks, where IN is one with the amodal masks.",
        ),
    ] = None,
    min_pixels: Annotated[
        int, typer.Option("--min-pixels", min=1, help="Overlaps of fewer pixels are no occlusions.")
    ] = 5,
    min_fraction: Annotated[
        float,
        typer.Option(
            "--min-fraction", min=0, max=1, help="Overlaps of a smaller share of the hidden object are no occlusions."
        ),
    ] = 0.001,
    min_width: Annotated[
        int, typer.Option("--min-width", min=1, max=16, help="Overlaps narrower than so many pixels are no occlusions.")
    ] = 2,
    from_: From = None,
    as_: As = None,
    images: Images = None,
    json_: Json = False,
) -> None:
    """Derive who hides whom from the masks, and write each instance's cluster (oco_id) and relative order (ico_id).

    Example: kins order instances_train.json update_train.json
    """
    import json

    from kins.files import check_output
    from kins.files.terminal import say
    from kins.formats import load
    from kins.formats.tools import input_files
    from kins.occlusion import Slivers
    from kins.occlusion.datasets import derive_order, pair_masks

    check_output(target, [source, inmodal, images, *input_files(source)])
    if inmodal is None:
        dataset = load(source, images=images, format=from_, masks=as_)
    else:
        dataset = load(source, images=images, format=from_, masks="amodal")
        dataset = pair_masks(dataset, load(inmodal, images=images, masks="inmodal"))
    ordered, summary = derive_order(dataset, from_depth, Slivers(min_pixels, min_fraction, min_width))
    losses = ordered.save(target)
    if json_:
        typer.echo(json.dumps(summary.as_json() | {"not_kept": losses}))
        return
    for line in losses:
        say(f"not kept: {line}", err=True)
    for scene, cycle in summary.cycles:
        ids = [str(scene[k].id) for k in (*cycle.members, cycle.members[0])]
        removed = f"{scene[cycle.removed.occluder].id} before {scene[cycle.removed.occluded].id}"
        left_out = f"left out: {removed}, {cycle.removed.pixels} pixels"
        say(f"cycle in {scene.image.file_name}: {' before '.join(ids)}; {left_out}", err=True)
    say(
        f"{target}: {summary.images} images, {summary.instances} instances in {summary.clusters} clusters, "
        f"{summary.edges} occlusions, {summary.both_ways} pairs hide parts of each other, "
        f"{len(summary.cycles)} cycles broken"
    )
