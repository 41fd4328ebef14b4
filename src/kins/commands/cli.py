"""The command line: one thin function a command, in kins.commands.

Exit codes: 0 done, 1 the answer is no (invalid data, for example), 2 unusable input or arguments, a part that is not
installed, no space or memory, 3 a fault of kins itself, 130 stopped by Ctrl-C, 141 nobody reads the output any more.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import warnings
from collections.abc import Callable
from typing import Any

import typer

from kins import __version__
from kins.commands.agree import agree
from kins.commands.annotate import annotate
from kins.commands.complete import complete
from kins.commands.convert import convert
from kins.commands.data import app as data
from kins.commands.demo import demo
from kins.commands.doctor import doctor
from kins.commands.eval import evaluate
from kins.commands.export import export
from kins.commands.order import order
from kins.commands.predict import predict
from kins.commands.results import results
from kins.commands.show import show
from kins.commands.stats import stats
from kins.commands.synth import synth
from kins.commands.synth_occlude import synth_occlude
from kins.commands.train import train
from kins.commands.validate import validate
from kins.commands.view import view
from kins.errors import KinsError, missing
from kins.files.terminal import shown

app = typer.Typer(
    name="kins",
    help="Amodal instance segmentation: objects, their hidden parts, and who hides whom.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS: dict[str, Callable[..., None]] = {
    "agree": agree,
    "annotate": annotate,
    "complete": complete,
    "convert": convert,
    "demo": demo,
    "doctor": doctor,
    "eval": evaluate,
    "export": export,
    "order": order,
    "predict": predict,
    "results": results,
    "show": show,
    "stats": stats,
    "synth": synth,
    "synth-occlude": synth_occlude,
    "train": train,
    "validate": validate,
    "view": view,
}
for name, command in COMMANDS.items():
    app.command(name, short_help=(command.__doc__ or "").partition("\n")[0])(command)

app.add_typer(data, name="data")

GOES_ON = "the same command goes on where it stopped"
KEPT = dict.fromkeys(("complete", "predict", "synth", "train"), GOES_ON) | {"annotate": "what was drawn is saved"}
"""What is said after Ctrl-C; of the other commands, that no file is half written."""


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
    """Entry point: whatever goes wrong becomes one line on standard error, and an exit code."""
    for name in ("stdout", "stderr"):
        if (stream := getattr(sys, name)) is None:  # closed by the shell: the next file opened must not take its place
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # for what the terminal's encoding does not have
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of libraries to their callers
    sys.exit(_run())


def _run() -> int:
    context: Any = None
    try:
        program = typer.main.get_command(app)
        if f"_{_name().upper()}_COMPLETE" in os.environ:  # a shell asks what may come next
            program.main(prog_name=_name())
        with program.make_context(_name(), sys.argv[1:]) as opened:
            context = opened
            program.invoke(opened)
        sys.stdout.flush()  # a full disk shows here, rather than when the interpreter ends
        return 0
    except typer.Exit as end:
        return end.exit_code
    except KeyboardInterrupt as stop:
        return _stopped(context, str(stop))
    except Exception as error:
        return _failed(error)


def _name() -> str:
    """`kins`, or how Python was told to run it."""
    return "python -m kins" if os.path.basename(sys.argv[0]) in ("__main__.py", "cli.py") else "kins"


def _stopped(context: Any, kept: str) -> int:
    import multiprocessing

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second one ends what may still be waited for
    kept = kept or KEPT.get((context and context.invoked_subcommand) or "", "no file is left half written")
    _tell(f"stopped; {kept}")
    for process in multiprocessing.active_children():  # or else libraries wait for them
        process.kill()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries complain about what they were in the midst of
    return 130


def _failed(error: Exception) -> int:
    """Say what is wrong, and which exit code that is."""
    if isinstance(error, KinsError | typer.TyperException):
        message = error.format_message() if isinstance(error, typer.TyperException) else str(error)
        where: typer.Context | None = getattr(error, "ctx", None)
        _tell(message + (f" (see {where.command_path} --help)" if where else ""))
        return 2
    if isinstance(error, ModuleNotFoundError) and (error.name or "kins").partition(".")[0] != "kins":
        _tell(str(missing(error.name or "")))
        return 2
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        _silence()
        return 141
    if isinstance(error, OSError) and error.strerror:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
        _tell(f"{error.filename or ('the output' if full else 'the system')}: {error.strerror}")
        _silence()
        return 2
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        _tell(f"not enough memory ({error or 'none is left'}); smaller pictures, batches or fewer workers need less")
        return 2
    _tell(f"this is a fault of kins ({type(error).__name__}: {error}); please report it{_written_down(error)}")
    return 3


def _written_down(error: Exception) -> str:
    """Writes a file for a report; returns the end of a line that names it."""
    import platform
    import shlex
    import tempfile
    import traceback

    facts = f"kins {__version__}, Python {platform.python_version()}, {platform.platform()}\n{shlex.join(sys.argv)}\n"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="kins-fault-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(facts + "".join(traceback.format_exception(error)))
    except OSError:
        return f" with these lines: {facts}{traceback.format_exc()}"
    return f" with the file {file.name}, which says where it happened"


def _tell(message: str) -> None:
    """Print a message as one line, even of an error with several."""
    try:
        print(f"kins: {shown(' '.join(message.split()))}", file=sys.stderr, flush=True)
    except OSError:
        _silence()


def _silence() -> None:
    """Nothing more can be written: what is left in buffers is dropped, or the interpreter's end would complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(nowhere, stream.fileno())


if __name__ == "__main__":
    main()
