"""kins show."""

from pathlib import Path
from typing import Annotated

import typer

from kins.commands.options import Annotations, As, From, Images


def show(
    annotations: Annotations,
    image: Annotated[str, typer.Option("--image", metavar="ID_OR_NAME", help="Id or file name of the image.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="OUT.png", help="Picture to write.")],
    images: Images = None,
    what: Annotated[
        str, typer.Option("--what", metavar="LIST", help="What to draw, of amodal,inmodal,hidden,order.")
    ] = "amodal,inmodal,hidden,order",
    scale: Annotated[
        float | None, typer.Option("--scale", min=0.1, max=16, help="Enlargement; small pictures are by default.")
    ] = None,
    from_: From = None,
    as_: As = None,
) -> None:
    """Draw an image with its masks: visible parts filled, hidden ones hatched, with class names and order.

    Example: kins show update_test_2020.json --images testing/image_2 --image 000042.png -o picture.png
    """
    from kins.draw import draw, write_picture
    from kins.formats import load

    scene = load(annotations, images=images, format=from_, masks=as_)[image]
    parts = [part.strip() for part in what.split(",") if part.strip()]
    write_picture(draw(scene, parts, scale=scale), out)
    typer.echo(f"{out}: {scene.image.file_name}, {len(scene)} instances")
