"""`kins complete` into a folder of Parquet shards, in this process or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from kins.complete.completer import LEARNED, METHODS, Completer
from kins.complete.files import complete_image, open_masks
from kins.records import Dataset, Scene
from kins.work.shards import Done, How, digest, each, in_shards, seen


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
    opened = partial(open_masks, Path(source).absolute(), seen(images), categories, seen(like))
    dataset = opened()
    plan = {"masks": f"{source} {digest(source)}", "method": method + _weights(method)}
    if order is not None:
        plan["order"] = f"{order} {digest(_found(order))}"
    named = method if method in METHODS or method in LEARNED else str(Path(method).absolute())
    return in_shards(
        out, plan, list(dataset.images), partial(_Completing, opened, named, seen(order)), str, how, "complete"
    )


class _Completing:
    """A worker, with the masks and the method."""

    def __init__(self, opened: Callable[[], Dataset], method: str, order: Path | None) -> None:
        self._dataset, self._completer = opened(), Completer.load(method, order)

    @property
    def categories(self) -> Mapping[int, str]:
        return self._dataset.categories

    def __call__(self, items: Sequence[int]) -> Iterator[Scene | str]:
        return each(lambda image_id: complete_image(self._dataset, image_id, self._completer), items)


def _found(weights: str | Path) -> Path:
    from kins.models.weights import find

    return find(weights)


def _weights(method: str) -> str:
    if method in METHODS:
        return ""
    return f" {digest(_found(method if Path(method).exists() else LEARNED.get(method, method)))}"
