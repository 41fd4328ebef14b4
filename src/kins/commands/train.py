"""kins train."""

from pathlib import Path
from typing import Annotated

import typer

from kins.commands.options import Json


def train(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A YAML file, or one that comes with kins: tiny.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(metavar="[key=value ...]", help="Settings, for example train.steps=1000.")
    ] = None,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="The data folder.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="RUN", help="The run folder; runs/CONFIG if none.")
    ] = None,
    json_: Json = False,
) -> None:
    """Train a network; a run that was interrupted goes on by itself.

    Example: kins train tiny --data streets --out runs/tiny train.steps=2000
    """
    import json

    from kins.config import load_config
    from kins.files.terminal import say
    from kins.train.log import check_run_folder, training_bar, weight_files
    from kins.train.loop import train as run
    from kins.train.samples import find_data

    given = list(overrides or ())
    if data is not None:
        given.append(f"data.root={json.dumps(str(data))}")
    settings = load_config(config, given)
    folder = out or Path("runs") / Path(config).stem
    init = settings.train.init
    check_run_folder(folder, [config, *(weight_files(init) if init else ())])
    dataset, test = find_data(settings.data)
    evaluation: dict[str, float] | None = None
    with training_bar() as show:

        def report(now):  # type: ignore[no-untyped-def]
            nonlocal evaluation
            evaluation = now.evaluation or evaluation
            show(now)

        weights = run(settings, dataset, folder, test=test, progress=report)
    if json_:
        typer.echo(json.dumps({"weights": str(weights), "evaluation": evaluation}))
        return
    say(f"{weights}: the best weights of this run")
    for name, value in (evaluation or {}).items():
        say(f"  {name:28} {value:.3f}")
