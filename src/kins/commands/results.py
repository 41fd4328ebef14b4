"""kins results."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def results(
    what: Annotated[
        Literal["add", "show"],
        typer.Argument(metavar="add|show", help="Measure runs and keep it, or show what is kept."),
    ],
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN ...]", help="Run folders, or weights files, to measure.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Folder of the data, if it is not where the runs had it."),
    ] = None,
    file: Annotated[Path, typer.Option("--file", metavar="RESULTS.json", help="Where results are kept.")] = Path(
        "results.json"
    ),
    device: Annotated[str, typer.Option("--device", help="One of auto, cpu, cuda, mps.")] = "auto",
) -> None:
    """Figures of runs with their conditions: measured on the test pictures, kept in a file, shown as tables.

    Example: kins results add runs/asn runs/orcnn --data kins --file results.json
    """
    from kins.errors import KinsError
    from kins.files import check_output
    from kins.train.log import weight_files
    from kins.train.results import add, measured, read, table

    given = list(runs or ())
    if what == "add" and not given:
        raise KinsError("kins results add: name the runs to measure")
    if what == "show" and given:
        raise KinsError(f"kins results show: takes no runs; --file names what is shown ({given[0]} is one too many)")
    entries = read(file)
    for run in given:
        check_output(file, weight_files(run))
        entries = add([measured(run, data, device)], file)
    if not entries:
        raise KinsError(f"{file}: holds no results; kins results add RUN measures a run")
    typer.echo(table(entries), nl=False)
