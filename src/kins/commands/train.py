"""kins train."""

from pathlib import Path
from typing import Annotated

import typer

from kins.commands.options import Json, completed

CONFIGURATIONS = ", ".join(sorted(path.stem for path in (Path(__file__).parents[1] / "config").glob("*.yaml")))
"""As kins.config.names, which takes a while to import."""


def train(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG",
            autocompletion=completed(lambda: CONFIGURATIONS.split(", ")),
            help=f"A YAML file, or one that comes with kins: {CONFIGURATIONS}.",
        ),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[key=value ...]", help="Settings in place of those in CONFIG, for example train.steps=1000."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="DIR", help="Folder of the data, such as kins synth makes; the setting data.root."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="RUN", help="Folder of the run, to make or to go on with; runs/CONFIG if not given."
        ),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            "--init",
            metavar="WEIGHTS",
            help="Start from these: a run, a weights file, or 'street', which comes with kins and fits street.",
        ),
    ] = None,
    json_: Json = False,
) -> None:
    """Train a network; a run that was interrupted goes on by itself.

    Example: kins train street --data streets --init street train.lr=1.0e-4 train.steps=2000
    """
    import json

    from kins.config import load_config
    from kins.evaluation.results import without_nan
    from kins.files.terminal import say
    from kins.models.weights import read_header
    from kins.train.log import check_run_folder, training_bar, weight_files
    from kins.train.loop import train as run
    from kins.train.processes import first_process, heard_once
    from kins.train.resume import kept
    from kins.train.samples import find_data

    given = list(overrides or ())
    given += [f"{key}={json.dumps(str(value))}" for key, value in (("data.root", data), ("train.init", init)) if value]
    folder = out or Path("runs") / Path(config).stem
    with heard_once():
        settings = load_config(config, given)
        start = settings.train.init
        check_run_folder(folder, [config, *(weight_files(start) if start else ())])
        dataset, test = find_data(settings.data)
        try:
            with training_bar() as show:
                weights = run(settings, dataset, folder, test=test, progress=show, say=lambda line: say(line, err=True))
        except KeyboardInterrupt:
            raise KeyboardInterrupt(kept(folder, settings.train.checkpoint_every)) from None
    if not first_process():
        return
    facts = read_header(weights).facts
    evaluation = facts.get("evaluation")
    if json_:
        typer.echo(json.dumps({"weights": str(weights), "step": facts["step"], "evaluation": without_nan(evaluation)}))
        return
    _print_best(weights, facts["step"], evaluation)


def _print_best(weights: Path, step: int, evaluation: dict[str, float] | None) -> None:
    """Which weights are kept, and their figures as `kins eval` shows them."""
    from kins.evaluation.tables import KIND_NAMES, table
    from kins.files.terminal import console, say
    from kins.train.validation import FIGURES

    if evaluation is None:
        say(f"{weights}: the weights after step {step}; there was no test data to evaluate them on")
        return
    say(f"{weights}: the best weights of this run, those after step {step}; figures in percent")
    rows = [
        (name, [evaluation[f"{kind}_{figure}"] for figure in FIGURES])
        for kind, name in KIND_NAMES.items()
        if f"{kind}_AP" in evaluation
    ]
    if rows:
        console().print(table("", FIGURES, rows))
    else:  # of a network that finds no objects
        say(", ".join(f"{name} {value:.1f}" for name, value in evaluation.items() if name != "score"))
