"""The progress line of a training run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kins.train.log import Progress


@contextmanager
def training_bar() -> Iterator[Callable[[Progress], None]]:
    """A function that shows the losses, speed and time left on standard error if that is a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda now: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("step {task.fields[step]}"), BarColumn(), TextColumn("{task.fields[text]}"))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("training", total=1.0, step=0, text="")

        def show(now: Progress) -> None:
            short = {"loss_mask_amodal": "amodal", "loss_mask_inmodal": "inmodal", "loss_occlusion": "occlusion"}
            parts = [f"{short.get(k, k.removeprefix('loss_'))} {v:.2f}" for k, v in now.losses.items() if k == "loss"]
            parts += [f"{name} {now.losses[key]:.2f}" for key, name in short.items() if key in now.losses]
            left = now.seconds_left
            clock = f"{int(left // 3600)}:{int(left // 60 % 60):02d}:{int(left % 60):02d}" if left < 1e7 else "?"
            text = f"{'  '.join(parts)}  {now.images_per_second:.1f} images/s  {clock} left"
            bar.update(task, completed=now.share, step=now.step, text=text)

        yield show
