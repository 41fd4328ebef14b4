"""The command line: one thin function a command, in kins.commands.

Exit codes: 0 done, 1 the answer is no (invalid data, for example), 2 unusable input.
"""

from __future__ import annotations

import sys

import typer

from kins import __version__
from kins.commands.agree import agree
from kins.commands.complete import complete
from kins.commands.convert import convert
from kins.commands.demo import demo
from kins.commands.eval import evaluate
from kins.commands.order import order
from kins.commands.predict import predict
from kins.commands.show import show
from kins.commands.stats import stats
from kins.commands.synth import synth
from kins.commands.synth_occlude import synth_occlude
from kins.commands.train import train
from kins.commands.validate import validate
from kins.errors import KinsError

app = typer.Typer(
    name="kins",
    help="Amodal instance segmentation: objects, their hidden parts, and who hides whom.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (agree, complete, convert, demo, order, predict, show, stats, synth, synth_occlude, train, validate):
    app.command()(command)
app.command("eval")(evaluate)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """Entry point: unusable input or arguments become one line on standard error and exit code 2."""
    try:
        sys.exit(app(standalone_mode=False))
    except (KinsError, typer.TyperException) as error:
        message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        print(f"kins: {' '.join(message.split())}{_help_hint(error)}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "kins":
            raise
        print(
            f'kins: {error.name} is not installed; pip install "kins[all]" brings what this command uses',
            file=sys.stderr,
        )
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)


def _help_hint(error: Exception) -> str:
    context: typer.Context | None = getattr(error, "ctx", None)
    return f" (see {context.command_path} --help)" if context else ""


if __name__ == "__main__":
    main()
