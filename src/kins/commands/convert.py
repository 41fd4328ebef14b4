"""kins convert."""

from pathlib import Path
from typing import Annotated

import typer

from kins.commands.options import As, From, Images


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Annotation file to read.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Annotation file to write.")],
    to: Annotated[
        str,
        typer.Option("--to", metavar="FORMAT", help="kins2020, kins2019, cocoa, cocoa-cls, d2sa or coco."),
    ],
    from_: From = None,
    as_: As = None,
    images: Images = None,
) -> None:
    """Convert annotations from one format to another, and say what the target can't hold.

    Example: kins convert COCO_amodal_val2014.json val.json --to kins2020
    """
    from kins.files import check_output
    from kins.files.terminal import say
    from kins.formats import load
    from kins.masks import require_sound

    check_output(target, [source, images])
    dataset = load(source, images=images, format=from_, masks=as_)
    for scene in dataset:  # masks that the target holds as they are would be passed on unread, damaged ones too
        require_sound([mask for instance in scene for mask in (instance.amodal, instance.inmodal)])
    for line in dataset.save(target, format=to, masks=as_):
        say(f"not kept: {line}", err=True)
    say(f"{target}: {len(dataset)} images, {sum(len(scene) for scene in dataset)} instances")
