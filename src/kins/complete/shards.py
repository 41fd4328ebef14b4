"""`kins complete` into a folder of Parquet shards, in this process or on a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from kins.complete.completer import LEARNED, METHODS, Completer
from kins.complete.files import complete_image, open_masks
from kins.errors import KinsError
from kins.records import Dataset, Scene
from kins.work.shards import Done, How, in_shards


def complete_shards(
    source: str | Path,
    out: str | Path,
    how: How,
    images: str | Path | None = None,
    categories: Sequence[str] | None = None,
    like: str | Path | None = None,
    method: str = "completion",
    order: str | Path | None = None,
) -> Done:
    """Complete every image into the folder OUT, as `kins.complete.files.complete_files` does into a file.

    The same call makes the shards that are missing. Each worker reads the masks itself, so that what it needs (masks,
    pictures, weights, OUT) lies on a disk that all machines see. An image that can't be completed is a line in the
    result's `failed`.

    Args:
        images, categories, like: as for `kins.complete.files.open_masks`.
        method, order: as for `kins.Completer.load`.

    Raises:
        KinsError: nothing that holds masks; or see `kins.work.shards.in_shards`.
    """
    opened = partial(open_masks, Path(source).absolute(), _seen(images), categories, _seen(like))
    dataset = opened()
    plan = {"masks": f"{source} {_digest(Path(source))}", "method": method + _weights(method)}
    if order is not None:
        plan["order"] = f"{order} {_digest(_found(order))}"
    named = method if method in METHODS or method in LEARNED else str(Path(method).absolute())
    return in_shards(
        out, plan, list(dataset.images), partial(_Completing, opened, named, _seen(order)), str, how, "complete"
    )


class _Completing:
    """A worker, with the masks and the method."""

    def __init__(self, opened: Callable[[], Dataset], method: str, order: Path | None) -> None:
        self._dataset, self._completer = opened(), Completer.load(method, order)

    @property
    def categories(self) -> Mapping[int, str]:
        return self._dataset.categories

    def __call__(self, items: Sequence[int]) -> Iterator[Scene | str]:
        for image_id in items:
            try:
                yield complete_image(self._dataset, image_id, self._completer)
            except KinsError as error:
                yield str(error)


def _seen(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path).absolute()


def _digest(source: Path) -> str:
    """Of a file its bytes', of a folder that of the names and sizes of what lies in it."""
    import hashlib

    if source.is_file():
        with open(source, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = sorted((os.fsencode(path), path.stat().st_size) for path in source.rglob("*") if path.is_file())
    return hashlib.sha256(repr(files).encode()).hexdigest()


def _found(weights: str | Path) -> Path:
    from kins.models.weights import find

    return find(weights)


def _weights(method: str) -> str:
    if method in METHODS:
        return ""
    return f" {_digest(_found(method if Path(method).exists() else LEARNED.get(method, method)))}"
