"""The command line: one thin function a command, in kins.commands.

Exit codes: 0 done, 1 the answer is no (invalid data, for example), 2 unusable input.
"""

from __future__ import annotations

import sys

import typer

from kins import __version__
from kins.commands.convert import convert
from kins.commands.demo import demo
from kins.commands.eval import evaluate
from kins.commands.order import order
from kins.commands.predict import predict
from kins.commands.show import show
from kins.commands.synth import synth
from kins.commands.train import train
from kins.commands.validate import validate
from kins.errors import KinsError

app = typer.Typer(
    name="kins",
    help="Amodal instance segmentation: objects, their hidden parts, and who hides whom.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (convert, demo, order, predict, show, synth, train, validate):
    app.command()(command)
app.command("eval")(evaluate)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None: ...


def main() -> None:
    """Entry point: a KinsError becomes one line on standard error and exit code 2."""
    try:
        app()
    except KinsError as error:
        print(f"kins: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)


if __name__ == "__main__":
    main()
