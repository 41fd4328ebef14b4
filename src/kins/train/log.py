"""Logs of a training run: CSV files for spreadsheets and scripts, TensorBoard for looking at."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterable
from pathlib import Path

from kins.config import Config
from kins.files import Name, check_output, write_atomic, write_json


@dataclasses.dataclass(frozen=True)
class Progress:
    """What is known after a step.

    Attributes:
        step: optimiser steps done.
        share: of the whole schedule, 0 to 1.
        losses: this step's, by name; "loss" is their sum.
        lr: learning rate of this step.
        images_per_second: over all processes, loading included.
        seconds_left: estimate.
        evaluation: figures of an evaluation made after this step, or None.
    """

    step: int
    share: float
    losses: dict[str, float]
    lr: float
    images_per_second: float
    seconds_left: float
    evaluation: dict[str, float] | None = None


def check_run_folder(out: str | Path, inputs: Iterable[Name | None] = ()) -> None:
    """Raises KinsError if a training in this folder would replace one of the inputs, or what kins did not make."""
    names = ("config.json", "last.safetensors", "best.safetensors", "log.csv", "evaluations.csv")
    check_output([Path(out) / name for name in names], inputs)


def weight_files(name: str | Path) -> list[Path]:
    """The files that may be meant by a run folder or a weights file."""
    path = Path(name)
    return [path / "best.safetensors", path / "last.safetensors"] if path.is_dir() else [path]


class RunLog:
    """Writes log.csv, evaluations.csv and tensorboard/ of a run folder; what lies after `step` is cut off first,
    for a run that goes on repeats the steps after its last checkpoint."""

    def __init__(self, out: Path, step: int, config: Config) -> None:
        from torch.utils.tensorboard import SummaryWriter

        out.mkdir(parents=True, exist_ok=True)
        write_json(out / "config.json", json.dumps(config.model_dump(mode="json"), indent=2) + "\n")
        self.every = config.train.log_every
        self.paths = {"log": out / "log.csv", "evaluations": out / "evaluations.csv"}
        for path in self.paths.values():
            _cut(path, step)
        self.board = SummaryWriter(str(out / "tensorboard"), purge_step=step + 1)

    def write(self, progress: Progress, seconds: float) -> None:
        """A row every `log_every` steps, and one for each evaluation."""
        if progress.step % self.every == 0 or progress.share >= 1:
            figures = {"lr": progress.lr, "images_per_second": progress.images_per_second, **progress.losses}
            self._row("log", progress.step, seconds, figures)
        if progress.evaluation is not None:
            self._row("evaluations", progress.step, seconds, progress.evaluation)

    def close(self) -> None:
        self.board.close()

    def _row(self, name: str, step: int, seconds: float, figures: dict[str, float]) -> None:
        path = self.paths[name]
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
    with path.open(newline="", encoding="utf-8") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    kept = [row for row in rows if row and len(row) == len(header) and row[0].isdigit() and int(row[0]) <= step]
    text = io.StringIO()
    csv.writer(text).writerows([header, *kept])
    write_atomic(path, text.getvalue())
