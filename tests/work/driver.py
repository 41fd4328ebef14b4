"""A driver for tests to kill, with workers that are slow, note down their processes, and may die of an item."""

import os
import resource
import signal
import sys
import time
from functools import partial
from pathlib import Path

import kins
from kins.work.shards import Done, How, in_shards

IMAGES, SIZE = 40, 4


class Work:
    """Item k is an image with k % 3 instances; an item that is negative ends the process.

    Args:
        notes: folder in which the process leaves its number.
        seconds: that an item takes.
        shards: for which there is space on the process's disk.
    """

    def __init__(self, notes: Path | None = None, seconds: float = 0.0, shards: int | None = None) -> None:
        self.categories, self._seconds, self._shards = {1: "car"}, seconds, shards
        if notes is not None:
            (notes / str(os.getpid())).touch()

    def __call__(self, items):
        if self._shards is not None:
            if self._shards == 0:
                resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
            self._shards -= 1
        for k in items:
            time.sleep(self._seconds)
            if k < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            if k >= 1000:
                yield f"image {k}: can't be read"
                continue
            mask = kins.Mask.from_box((k % 5, 1, 4, 3), 12, 16)
            found = tuple(kins.Instance(n + 1, 1, "car", mask, mask, score=0.5, order=0) for n in range(k % 3))
            yield kins.Scene(kins.Image(k, f"{k}.png", 12, 16), found)


def made(
    out: Path,
    items=range(IMAGES),
    ray: str | None = None,
    notes: Path | None = None,
    seconds: float = 0.0,
    shards: int | None = None,
) -> Done:
    """The shards of some items."""
    plan, work = {"items": list(items)}, partial(Work, notes, seconds, shards)
    return in_shards(out, plan, list(items), work, "image {}".format, How(SIZE, ray, 2), "try")


if __name__ == "__main__":
    folder, address = sys.argv[1:]
    made(Path(folder), ray=address, notes=Path(folder + ".notes"), seconds=0.05)
