"""Work in shards: each is a Parquet file with the results of so many images, written whole or not at all.

OUT/_plan.json says what is made of what; OUT/00003-of-00010.parquet is the fourth shard, and what has failed in it is
in its metadata. A run makes the shards that are missing, in this process or on a Ray cluster.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from kins.errors import KinsError
from kins.files import leftovers, only_one, read_bytes, reason, write_json
from kins.files.folders import claim
from kins.formats import parquet
from kins.records import Dataset, Scene
from kins.work.chunks import progress
from kins.work.cluster import DIED, Cluster

PLAN, FAILED = "_plan.json", "_failed.json"
SIZE = 256
SUFFIX = ".parquet"
VERSION = 1


class Work(Protocol):
    """What a worker does: a scene of each item, or a line that says why there is none."""

    @property
    def categories(self) -> Mapping[int, str]: ...

    def __call__(self, items: Sequence[Any]) -> Iterable[Scene | str]: ...


@dataclass(frozen=True)
class How:
    """Who makes the shards.

    Attributes:
        size: items in a shard.
        ray: a cluster's address (see `kins.work.cluster.Cluster`); None for this process.
        workers: most of them on the cluster.
        gpus: whether they use GPUs.
    """

    size: int = SIZE
    ray: str | None = None
    workers: int | None = None
    gpus: bool = False


@dataclass
class Done:
    """What a folder of shards holds.

    Attributes:
        failed: a line for each item without a result.
        shards: how many there are.
        before: those that were there before.
        again: a line for each that was damaged and is made again.
        left_out: a line for each kind of thing in the input that has no place in the shards.
    """

    images: int = 0
    instances: int = 0
    failed: list[str] = field(default_factory=list)
    shards: int = 0
    before: int = 0
    again: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def in_shards(
    out: str | Path,
    plan: Mapping[str, Any],
    items: Sequence[Any],
    load: Callable[[], Work],
    name: Callable[[Any], str],
    how: How,
    label: str,
    pictures: bool = False,
    extra: Mapping[str, Any] | None = None,
) -> Done:
    """Makes the shards that OUT does not have yet.

    Args:
        plan: what else tells whether OUT is of the same work; JSON values.
        items: what is worked on; they must pickle, as must `load`.
        load: makes the worker's function.
        name: what an item is called.
        pictures: put the pictures' bytes into the shards, too: scenes know where they are.
        extra: the data set's other top-level fields.

    Raises:
        KinsError: OUT holds something else or is of another plan, another process works there, a shard can't be
            written, nothing has a result; or see `kins.work.cluster.Cluster`.
    """
    out = Path(out)
    plan = {"made by": label, "version": VERSION, "items": len(items), "shard": how.size, **plan}
    claim(out, PLAN, plan)
    done = Done()
    write = _Writer(plan, dict(extra or {}), pictures)
    with only_one(out, task=f"kins {label}", other="folder"), _swept(out):
        parts = [items[start : start + how.size] for start in range(0, len(items), how.size)]
        paths = [out / f"{number:05d}-of-{len(parts):05d}{SUFFIX}" for number in range(len(parts))]
        left = [shard for shard in zip(paths, parts, strict=True) if not _is_whole(shard[0], done.again)]
        done.shards, done.before = len(parts), len(parts) - len(left)
        if left and how.ray is None:
            make = _Maker(out, write, load)
            for shard in progress(left, label):
                make(shard)
        elif left:
            assert how.ray is not None
            absolute = partial(_Maker, out.absolute(), write, load)
            with Cluster(how.ray, absolute, how.workers, how.gpus) as cluster:
                _on_cluster(cluster, left, name, label, write)
        _count(paths, done)
        if done.failed:
            write_json(out / FAILED, json.dumps(done.failed, indent=2) + "\n")
        else:
            (out / FAILED).unlink(missing_ok=True)
    if not done.images:
        raise KinsError(f"{out}: not one of {len(items)} has a result; the first: {done.failed[0]}")
    return done


@contextmanager
def _swept(out: Path) -> Iterator[None]:
    """Removes, before and after, what processes that were killed had begun to write."""

    def sweep() -> None:
        for path in leftovers(out, r"(\d{5,}-of-\d{5,}|_failed)"):
            path.unlink(missing_ok=True)

    sweep()
    try:
        yield
    finally:
        sweep()


@dataclass(frozen=True)
class _Writer:
    """How shards are written: see `in_shards`."""

    plan: Mapping[str, Any]
    extra: Mapping[str, Any]
    pictures: bool

    def __call__(self, path: Path, results: Iterable[Scene | str], categories: Mapping[int, str]) -> None:
        scenes, failed = [], []
        for result in results:
            if isinstance(result, str):
                failed.append(result)
            else:
                scenes.append(result)
        info = self.extra.get("info")
        info = {**(info if isinstance(info, dict) else {}), **self.plan}
        dataset = Dataset.from_scenes(scenes, categories, extra={**self.extra, "info": info})
        parquet.write(dataset, path, self.pictures, failed)


def each(function: Callable[[Any], Scene], items: Iterable[Any]) -> Iterator[Scene | str]:
    """The scene of each item, or the line that says why there is none."""
    for item in items:
        try:
            yield function(item)
        except KinsError as error:
            yield str(error)


class _Maker:
    """Makes shards, in whichever process."""

    def __init__(self, out: Path, write: _Writer, load: Callable[[], Work]) -> None:
        try:
            seen = json.loads(read_bytes(out / PLAN)) == write.plan
        except (KinsError, ValueError):
            seen = False
        if not seen:
            raise KinsError(f"{out}: not the same folder for a worker; it must lie on a disk that all machines see")
        self._write, self._work = write, load()

    def __call__(self, shard: tuple[Path | None, Sequence[Any]]) -> tuple[Mapping[int, str], list[Scene | str]] | None:
        """Writes a shard; without a path returns the categories and results."""
        path, items = shard
        results = self._work(items)
        if path is None:
            return self._work.categories, list(results)
        self._write(path.absolute(), results, self._work.categories)
        return None


def _on_cluster(
    cluster: Cluster,
    left: Sequence[tuple[Path, Sequence[Any]]],
    name: Callable[[Any], str],
    label: str,
    write: _Writer,
) -> None:
    """All that is left; shards whose worker died item by item, so that only what it dies of has no result."""
    jobs = [(path.absolute(), items) for path, items in left]
    died = [left[k] for k, result in progress(cluster.each(jobs), label, len(jobs)) if result is DIED]
    places = [(path, k) for path, items in died for k in range(len(items))]
    singles = [(None, [item]) for _, items in died for item in items]
    found: dict[Path, dict[int, list[Scene | str]]] = {path: {} for path, _ in died}
    missing = {path: len(items) for path, items in died}
    categories: Mapping[int, str] | None = None
    for number, result in progress(cluster.each(singles, tries=2), f"{label}, one by one", len(singles)):
        path, k = places[number]
        if result is DIED:
            found[path][k] = [f"{name(singles[number][1][0])}: its worker died, twice; is there enough memory?"]
        else:
            categories, found[path][k] = result
        missing[path] -= 1
        if not missing[path] and categories is not None:
            rows = found.pop(path)
            write(path, (row for k in sorted(rows) for row in rows[k]), categories)
    for path, rows in found.items():
        if categories is None:
            raise KinsError(f"workers die on all of the {len(singles)} that were tried; the first: {rows[0][0]}")
        write(path, (row for k in sorted(rows) for row in rows[k]), categories)


def seen(path: str | Path | None) -> Path | None:
    """A path as workers in other folders see it."""
    return None if path is None else Path(path).absolute()


def digest(source: str | Path) -> str:
    """Of a file that of its bytes, of a folder that of the names and sizes of what lies in it.

    Raises KinsError if it can't be read.
    """
    source = Path(source)
    try:
        if source.is_file():
            with open(source, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        files = sorted((os.fsencode(path), path.stat().st_size) for path in source.rglob("*") if path.is_file())
    except OSError as error:
        raise KinsError(f"{source}: can't be read ({reason(error)})") from None
    return hashlib.sha256(repr(files).encode()).hexdigest()


def _is_whole(path: Path, again: list[str]) -> bool:
    """Whether a shard is there; a line in `again` for one that is damaged."""
    if not path.exists():
        return False
    try:
        parquet.contents(path)
    except KinsError as error:
        again.append(f"{error}; made again")
        return False
    return True


def _count(paths: Sequence[Path], done: Done) -> None:
    for path in paths:
        images, instances, failed = parquet.contents(path)
        done.images += images
        done.instances += instances
        done.failed += failed
