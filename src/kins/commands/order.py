"""kins order."""

from pathlib import Path
from typing import Annotated

import typer

from kins.commands.options import As, From, Images, Json


def order(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Annotation file to read, of any format.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="KINS 2020 file to write; see --with.")],
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
    with_: Annotated[
        Path | None,
        typer.Option(
            "--with",
            metavar="WEIGHTS",
            help="Ask a network that looks at pairs (kins train ordernet), not the masks' overlaps. Visible masks "
            "are enough, and a prediction file stays one.",
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
    """Derive who hides whom from the masks, from depth or with a network.

    Each instance's cluster (oco_id) and relative order (ico_id) are written.

    Example: kins order instances_train.json update_train.json
    """
    import json

    from kins.errors import KinsError
    from kins.files import check_output
    from kins.files.terminal import say
    from kins.formats import load
    from kins.formats.tools import input_files
    from kins.occlusion import Slivers
    from kins.occlusion.datasets import derive_order, pair_masks

    check_output(target, [source, inmodal, images, *([with_] if with_ else []), *input_files(source)])
    if with_ is not None and from_depth is not None:
        raise KinsError("--with and --from-depth: the order comes from a network or from a field; give one of the two")
    if inmodal is None:
        dataset = load(source, images=images, format=from_, masks=as_)
    else:
        dataset = load(source, images=images, format=from_, masks="amodal")
        dataset = pair_masks(dataset, load(inmodal, images=images, masks="inmodal"))
    network = None
    if with_ is not None:
        from kins.complete import PairOrder

        network = PairOrder.load(with_).scene
    slivers = Slivers(min_pixels, min_fraction, min_width)
    ordered, summary = derive_order(dataset, from_depth, slivers, network=network)
    scores = [instance.score for scene in dataset for instance in scene] if network else []
    losses = ordered.save(target, "predictions" if scores and None not in scores else "kins2020")
    if json_:
        typer.echo(json.dumps(summary.as_json() | {"not_kept": losses}))
        return
    for line in losses:
        say(f"not kept: {line}", err=True)
    unit = "pixels" if network is None else "of 1000 certain"
    for scene, cycle in summary.cycles:
        ids = [str(scene[k].id) for k in (*cycle.members, cycle.members[0])]
        removed = f"{scene[cycle.removed.occluder].id} before {scene[cycle.removed.occluded].id}"
        left_out = f"left out: {removed}, {cycle.removed.pixels} {unit}"
        say(f"cycle in {scene.image.file_name}: {' before '.join(ids)}; {left_out}", err=True)
    say(
        f"{target}: {summary.images} images, {summary.instances} instances in {summary.clusters} clusters, "
        f"{summary.edges} occlusions, {summary.both_ways} pairs hide parts of each other, "
        f"{len(summary.cycles)} cycles broken"
    )
