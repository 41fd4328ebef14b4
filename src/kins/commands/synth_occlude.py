"""kins synth-occlude."""

from pathlib import Path
from typing import Annotated

import typer

from kins.commands.options import As, From, Images


def synth_occlude(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Annotation file with visible (modal) masks.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make; it must be new or empty.")],
    images: Images = None,
    pastes: Annotated[
        int, typer.Option("--pastes", metavar="N", min=1, help="Most objects that are pasted into a picture.")
    ] = 3,
    seed: Annotated[int, typer.Option("--seed", metavar="S", min=0, help="Other numbers give other pastes.")] = 0,
    from_: From = None,
    as_: As = None,
) -> None:
    """Paste cut-out instances over others: pictures whose hidden parts and order are known by construction.

    The masks of a plain COCO file are taken as inmodal unless --as says otherwise.

    Example: kins synth-occlude instances_val2017.json pasted --images val2017
    """
    from kins.files.terminal import say
    from kins.formats import load
    from kins.synth_occlude.datasets import check_empty
    from kins.synth_occlude.datasets import synth_occlude as paste

    check_empty(out)
    dataset = paste(load(source, images=images, format=from_, masks=as_ or "inmodal"), out, pastes, seed)
    hidden = sum(instance.occlusion_rate > 0 for scene in dataset for instance in scene)
    count = sum(len(scene) for scene in dataset)
    say(f"{out / 'annotations.json'}: {len(dataset)} pictures, {count} instances, {hidden} of them occluded")
