"""kins show."""

from pathlib import Path
from typing import Annotated

import typer

from kins.commands.options import Annotations, As, From, Images


def show(
    annotations: Annotations,
    image: Annotated[
        str | None,
        typer.Option(
            "--image", metavar="ID_OR_NAME", help="Id or file name of the image; needless where there is only one."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="OUT.png", help="Picture to write: PNG, JPEG or WebP.")
    ] = None,
    graph: Annotated[
        Path | None, typer.Option("--graph", metavar="OUT.svg", help="Graph to write, of who hides whom.")
    ] = None,
    images: Images = None,
    what: Annotated[
        str | None,
        typer.Option(
            "--what",
            metavar="LIST",
            help="What to draw, of amodal,inmodal,hidden,order; all if not given. Named, order has arrows.",
        ),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(
            "--scale", min=0.1, max=16, help="Enlargement of the picture; small ones are enlarged if not given."
        ),
    ] = None,
    from_: From = None,
    as_: As = None,
) -> None:
    """Draw an image with its masks: visible parts filled, hidden ones hatched, with class names and order.

    Example: kins show update_test_2020.json --images testing/image_2 --image 000042.png -o picture.png
    """
    from kins.draw.choice import largest
    from kins.draw.graph import graph_svg
    from kins.draw.scene import WHAT, colors_of, draw, write_picture
    from kins.errors import KinsError
    from kins.files import check_output, write_markup
    from kins.files.terminal import say
    from kins.formats import load
    from kins.limits import DRAWN, GRAPH
    from kins.occlusion import relations_of, with_order

    if out is None and graph is None:
        raise KinsError("nothing to write: name a picture with -o OUT.png, or a graph with --graph OUT.svg")
    if graph is not None and graph.suffix.lower() != ".svg":
        raise KinsError(f"{graph}: the graph is written as SVG; end the name with .svg")
    outputs = [path for path in (out, graph) if path is not None]
    check_output(outputs, [annotations])
    dataset = load(annotations, images=images, format=from_, masks=as_)
    if image is None and len(dataset) != 1:
        raise KinsError(f"{annotations}: has {len(dataset)} images; name one with --image, by its id or file name")
    scene = next(iter(dataset)) if image is None else dataset[image]
    check_output(outputs, [scene.image_path])
    drawn, _, note = largest(scene, DRAWN)
    parts = WHAT if what is None else [part.strip() for part in what.split(",") if part.strip()]
    ordered = "order" in parts and what is not None
    if ordered and any(instance.order is None for instance in drawn) and (relations := relations_of(drawn)):
        drawn = with_order(drawn, relations)
    if out is not None:
        write_picture(draw(drawn, parts, scale=scale, arrows=ordered), out)
        say(f"{out}: {scene.image.file_name}, {note or f'{len(scene)} instances'}")
    if graph is not None:
        drawn, _, note = largest(scene, GRAPH)
        write_markup(graph, graph_svg(drawn, colors_of(drawn)))
        say(f"{graph}: {scene.image.file_name}, {note or f'{len(scene)} instances'}")
