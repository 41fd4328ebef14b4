"""kins export."""

from pathlib import Path
from typing import Annotated

import typer


def export(
    weights: Annotated[
        str, typer.Argument(metavar="RUN_OR_WEIGHTS", help="A run folder, a weights file, or 'street'.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write: OUT.onnx or OUT.pt2.")],
    size: Annotated[
        str | None,
        typer.Option("--size", metavar="WxH", help="Size of the pictures; if none, KITTI's as the run scales them."),
    ] = None,
) -> None:
    """Write a trained network as one file that runs without kins, for pictures of one size.

    Example: kins export runs/asn asn.onnx --size 1242x375
    """
    from kins.commands.options import width_and_height
    from kins.files import check_output
    from kins.files.terminal import say
    from kins.models.export import export as write
    from kins.train.log import weight_files

    wanted = None if size is None else width_and_height(size)
    check_output(out, weight_files(weights))
    write(weights, out, wanted)
    say(f"{out}: the network, for pictures of {size or 'the size that the run scales those of KITTI to'}")
