"""kins stats."""

from pathlib import Path
from typing import Annotated

import typer

from kins.commands.options import As, From, Images, Json


def stats(
    annotations: Annotated[
        list[Path], typer.Argument(metavar="ANN...", help="Annotation files, which are shown side by side.")
    ],
    plots: Annotated[
        Path | None,
        typer.Option("--plots", metavar="DIR", help="Also draw plots, as PNG and SVG files in this folder."),
    ] = None,
    shapes: Annotated[
        bool,
        typer.Option("--shapes/--no-shapes", help="Measure convexity and simplicity, which takes most of the time."),
    ] = True,
    from_: From = None,
    as_: As = None,
    images: Images = None,
    json_: Json = False,
) -> None:
    """Count and measure: classes, occlusion levels, instances per image, clusters, order, sizes, shapes.

    Example: kins stats update_train_2020.json update_test_2020.json --plots plots
    """
    import json

    from kins.files import check_output
    from kins.files.terminal import console, say
    from kins.formats import load
    from kins.statistics import DEFINITIONS, distinct_names, statistics
    from kins.statistics.plots import plot_paths, write_plots
    from kins.statistics.tables import tables

    if plots is not None:
        check_output(plot_paths(plots), [*annotations, images])
    names = distinct_names(annotations)
    measured = [
        statistics(load(path, images=images, format=from_, masks=as_), name, shapes)
        for path, name in zip(annotations, names, strict=True)
    ]
    written: list[Path] = []
    if plots is not None:
        written = write_plots(measured, plots)
    if json_:
        typer.echo(json.dumps({"definitions": DEFINITIONS, "files": [found.as_json() for found in measured]}))
        return
    terminal = console(max(100, 30 + 36 * len(measured)))
    for table in tables(measured):
        terminal.print(table)
    if written:
        say(f"{plots}: {len(written)} files, {', '.join(p.name for p in written if p.suffix == '.png')}")
