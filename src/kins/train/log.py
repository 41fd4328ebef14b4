"""What is told of a run: CSV files for spreadsheets and scripts, TensorBoard for looking at, a line on a terminal."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kins.config import Config
from kins.errors import KinsError
from kins.files import Name, check_output, reason, write_atomic, write_json
from kins.train.processes import first_process

RUN_FILES = ("config.json", "last.safetensors", "best.safetensors", "log.csv", "evaluations.csv")


@dataclasses.dataclass(frozen=True)
class Progress:
    """What is known after a step.

    Attributes:
        step: optimiser steps done.
        steps: in the whole schedule, or None where it follows the clock.
        share: of the whole schedule, 0 to 1.
        losses: this step's, by name; "loss" is their sum.
        lr: learning rate of this step.
        images_per_second: over all processes, loading included.
        seconds_left: estimate.
        evaluation: figures of an evaluation made after this step, in percent, or None.
    """

    step: int
    steps: int | None
    share: float
    losses: dict[str, float]
    lr: float
    images_per_second: float
    seconds_left: float
    evaluation: dict[str, float] | None = None


class Pace:
    """How fast a training goes, and how long it will take. The first steps are slow and would spoil the estimate."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.steps = 0
        self.since = 0.0, 0.0

    def step(self, took: float, seconds: float, share: float) -> tuple[float, float]:
        """Images per second and seconds left, after a step of `took` seconds at `seconds` and `share` of the run."""
        self.steps += 1
        if self.steps <= 3:
            self.since = seconds, share
            return self.batch / max(took, 1e-6), math.inf
        took = max(seconds - self.since[0], 1e-6)
        return (self.steps - 3) * self.batch / took, took / max(share - self.since[1], 1e-9) * (1 - share)


def check_run_folder(out: str | Path, inputs: Iterable[Name | None] = ()) -> None:
    """Raises KinsError if a training in this folder would replace one of the inputs, or what kins did not make."""
    check_output([Path(out) / name for name in RUN_FILES], inputs)


def weight_files(name: str | Path) -> list[Path]:
    """The files that may be meant by a run folder or a weights file."""
    path = Path(name)
    return [path / "best.safetensors", path / "last.safetensors"] if path.is_dir() else [path]


class RunLog:
    """Writes log.csv, evaluations.csv and tensorboard/ of a run folder.

    Args:
        step, evaluated: rows of later steps, and of later evaluations, are cut off first: a run that goes on repeats
            what lies after its last checkpoint.

    Raises:
        KinsError: a table of an earlier run that is none, or a disk that is full or can't be written to.
    """

    def __init__(self, out: Path, config: Config, step: int, evaluated: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.out, self.every = out, config.train.log_every
        self.paths = {"log": out / "log.csv", "evaluations": out / "evaluations.csv"}
        with self._writing():
            out.mkdir(parents=True, exist_ok=True)
            write_json(out / "config.json", json.dumps(config.model_dump(mode="json"), indent=2) + "\n")
            _cut(self.paths["log"], step)
            _cut(self.paths["evaluations"], evaluated)
            self.board = SummaryWriter(str(out / "tensorboard"), purge_step=step + 1)

    def step(self, now: Progress, seconds: float) -> None:
        """A row every `log_every` steps, and after the last one."""
        if now.step % self.every == 0 or now.share >= 1:
            figures = {"lr": now.lr, "images_per_second": now.images_per_second, **now.losses}
            self._row("log", now.step, seconds, figures)

    def evaluation(self, step: int, seconds: float, figures: dict[str, float]) -> None:
        self._row("evaluations", step, seconds, figures)

    def close(self) -> None:
        with self._writing():
            self.board.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise KinsError(f"{self.out}: can't be written ({reason(error)}); the last checkpoint is kept") from None

    def _row(self, name: str, step: int, seconds: float, figures: dict[str, float]) -> None:
        path = self.paths[name]
        with self._writing():
            new = not path.exists()
            with path.open("a", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                if new:
                    writer.writerow(["step", "seconds", *figures])
                writer.writerow([step, round(seconds, 2), *(f"{value:.9g}" for value in figures.values())])
            for key, value in figures.items():
                self.board.add_scalar(f"{name}/{key}", value, step)


def _cut(path: Path, step: int) -> None:
    if not path.exists():
        return
    try:
        with path.open(newline="", encoding="utf-8") as file:
            header, *rows = list(csv.reader(file)) or [[]]
    except (UnicodeDecodeError, csv.Error):
        raise KinsError(f"{path}: is no table of a run; remove it, and a new one is begun") from None
    kept = [row for row in rows if row and len(row) == len(header) and _number(row[0]) <= step]
    text = io.StringIO()
    csv.writer(text).writerows([header, *kept])
    write_atomic(path, text.getvalue())


def _number(text: str) -> float:
    """Of a step; infinite for what is none, digits of other scripts among them."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else math.inf


@contextmanager
def training_bar() -> Iterator[Callable[[Progress], None]]:
    """A function that shows step, losses, speed and time left on standard error if that is a terminal, else nothing."""
    if not sys.stderr.isatty() or not first_process():
        yield lambda now: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("step {task.fields[step]}"), BarColumn(), TextColumn("{task.fields[text]}"))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("training", total=1.0, step=0, text="")
        yield lambda now: bar.update(task, completed=now.share, step=step_of(now), text=pace_and_losses(now))


def step_of(now: Progress) -> str:
    """ "120 of 6000"; without the whole where the schedule follows the clock."""
    return f"{now.step}" if now.steps is None else f"{now.step} of {now.steps}"


def pace_and_losses(now: Progress) -> str:
    """The losses under short names, images per second, and the time left."""
    short = {
        "loss": "loss",
        "loss_mask_amodal": "amodal",
        "loss_mask_inmodal": "inmodal",
        "loss_occlusion": "occlusion",
    }
    parts = [f"{name} {now.losses[key]:.2f}" for key, name in short.items() if key in now.losses]
    left = now.seconds_left
    clock = f"{int(left // 3600)}:{int(left // 60 % 60):02d}:{int(left % 60):02d}" if left < 1e7 else "?"
    return f"{'  '.join(parts)}  {now.images_per_second:.1f} images/s  {clock} left"
