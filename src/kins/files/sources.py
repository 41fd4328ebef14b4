"""Pictures to work on: files, folders, globs, lists of them, and containers (WebDataset's tars, Parquet).

A picture is known by a path. Of one in a container that is the container's path and the name within it, which is never
opened as a file: its `Place` says where its bytes lie, so that whoever works on it reads these alone.
"""

from __future__ import annotations

import glob
import os
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from kins.errors import KinsError
from kins.files import check_regular, reason
from kins.files.pictures import FORMATS, OTHER_SUFFIXES, SUFFIXES

MOST_LINES = 10
"""Pictures of unread kinds that are named one by one; more in a folder are counted."""
CONTAINERS = (".tar", ".parquet")
LIST = ".txt"


class Place(NamedTuple):
    """Where a picture's bytes lie in a container.

    Attributes:
        container: its path.
        column: of Parquet, the one with the bytes, with dots into structures; empty for a tar.
        first, second: group of rows and row in it; of a tar, first byte and number of bytes.
    """

    container: str
    column: str
    first: int
    second: int

    def read(self) -> bytes:
        """The bytes. Raises KinsError where they can't be read."""
        if self.column:
            content = _group(self.container, self.column, self.first).value(self.second)
            if not isinstance(content, bytes):
                raise KinsError(f"{self.container}: row {self.second} of group {self.first} has no picture")
            return content
        try:
            with open(self.container, "rb") as file:
                file.seek(self.first)
                content = file.read(self.second)
        except OSError as error:
            raise KinsError(f"{self.container}: can't be read ({reason(error)})") from None
        if len(content) < self.second:
            raise KinsError(f"{self.container}: is cut short at byte {self.first + len(content)}")
        return content


class Held(NamedTuple):
    """A picture that is in memory."""

    content: bytes

    def read(self) -> bytes:
        """The bytes."""
        return self.content


def find_pictures(names: Sequence[str | Path]) -> dict[Path, Place | None]:
    """The place of each picture by its path, None for a file of its own; in their sequence, each once.

    Args:
        names: pictures, folders of them, globs, lists (`*.txt`, such a name a line), WebDataset's tars, and Parquet
            files with a column of bytes (`bytes`, or `image` as Hugging Face has it) and one of names (`file_name` or
            `path`). A folder without pictures stands for the containers in it.

    Hidden files in folders, and names that find nothing while others do, are left out (see `passed_over`).

    Raises:
        KinsError: nothing is found, or a container or a list can't be read.
    """
    found: dict[str, tuple[Path, Place | None]] = {}
    for name in _named(names):
        for path in _matches(name):
            for picture, place in _pictures(path):
                found.setdefault(os.path.abspath(picture), (picture, place))
    if not found:
        raise KinsError((passed_over(names) or [f"{names[0]}: holds no pictures"])[0] if names else "no pictures named")
    return dict(found.values())


def find_images(names: Sequence[str | Path]) -> list[Path]:
    """The paths of `find_pictures`."""
    return list(find_pictures(names))


def passed_over(names: Sequence[str | Path]) -> list[str]:
    """A line for each name that finds nothing, and for pictures in folders that are of no kind that is read."""
    lines = []
    for name in _named(names):
        if Path(name).is_dir():
            lines += _unread(Path(name))
        if not _matches(name):
            lines.append(f"{name}: no such picture, folder with pictures, or glob that matches any")
    return lines


def _named(names: Iterable[str | Path]) -> Iterator[str | Path]:
    """The names, with those in lists in place of these."""
    for name in names:
        path = Path(name)
        if path.suffix.lower() != LIST or not path.exists():
            yield name
            continue
        try:
            check_regular(path)
            lines = path.read_bytes().splitlines()
        except OSError as error:
            raise KinsError(f"{path}: can't be read ({reason(error)})") from None
        if any(b"\0" in line for line in lines):
            raise KinsError(f"{path}: is not a list of pictures, one a line")
        yield from (os.fsdecode(line.strip()) for line in lines if line.strip())


def _matches(name: str | Path) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        files = sorted(_visible(path))
        return [p for p in files if p.suffix.lower() in SUFFIXES] or [p for p in files if _is_container(p)]
    if path.exists():
        return [path]
    return sorted(Path(match) for match in glob.glob(str(name), recursive=True) if not Path(match).is_dir())


def _is_container(path: Path) -> bool:
    return path.suffix.lower() in CONTAINERS


def _visible(folder: Path) -> list[Path]:
    return [p for p in folder.iterdir() if not p.name.startswith(".") and not p.is_dir()]


def _unread(folder: Path) -> list[str]:
    """Lines for what is named like a picture of another kind: one each, or one a kind if they are many."""
    advice = f"is not read; convert it to {FORMATS[0]} or {FORMATS[1]}"
    unread = sorted(p for p in _visible(folder) if p.suffix.lower() in OTHER_SUFFIXES)
    if len(unread) <= MOST_LINES:
        return [f"{p}: {p.suffix.lower()} {advice}" for p in unread]
    counts = Counter(p.suffix.lower() for p in unread)
    return [f"{folder}: {count} files *{suffix}; {suffix} {advice}" for suffix, count in counts.items()]


def _pictures(path: Path) -> Iterator[tuple[Path, Place | None]]:
    """The picture that a file is, or those that it holds."""
    if not _is_container(path):
        yield path, None
        return
    times: Counter[str] = Counter()
    for name, place in _in_tar(path) if path.suffix.lower() == ".tar" else _in_parquet(path):
        parts = [part for part in name.replace("\\", "/").replace("\0", "").split("/") if part not in ("", ".", "..")]
        inner = "/".join(parts) or "picture"
        times[inner] += 1
        yield path / (inner if times[inner] == 1 else f"{inner}#{times[inner]}"), place


def _in_tar(path: Path) -> Iterator[tuple[str, Place]]:
    container = os.path.abspath(path)
    try:
        check_regular(path)
        with open(path, "rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                named = Path(member.name).suffix.lower() in SUFFIXES
                if named and member.isreg() and not member.issparse() and member.size >= 0:
                    yield member.name, Place(container, "", member.offset_data, member.size)
                archive.members.clear()  # type: ignore[attr-defined]  # or else they would all be kept
            file.seek(archive.offset)
            if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
                raise KinsError(f"{path}: is damaged at byte {archive.offset}")
    except KinsError:
        raise
    except Exception as error:  # it raises nearly anything on damaged data
        packed = "; unpack it, for in a compressed tar no picture can be read alone" if _is_gzip(path) else ""
        raise KinsError(f"{path}: is no readable tar, or cut short ({reason(error)}){packed}") from None


def _is_gzip(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _in_parquet(path: Path) -> Iterator[tuple[str, Place]]:
    file, container = _parquet(path), os.path.abspath(path)
    leaves = {file.schema.column(index).path for index in range(len(file.schema))}
    column = next((name for name in ("bytes", "image.bytes") if name in leaves), None)
    if column is None:
        raise KinsError(f"{path}: has no column `bytes` or `image.bytes` with pictures")
    named = next((name for name in ("file_name", "path", "image.path") if name in leaves), None)
    for group in range(file.metadata.num_row_groups):
        if named is None:
            names = iter([None] * file.metadata.row_group(group).num_rows)
        else:
            names = (name for batch in _batches(file, path, named, group) for name in batch)
        for row, name in enumerate(names):
            usual = f"{group:04d}-{row:06d}"
            yield name if isinstance(name, str) and name else usual, Place(container, column, group, row)


def _parquet(path: str | Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        check_regular(path)
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise KinsError(f"{path}: not a readable Parquet file ({reason(error)[:200]})") from None


ROWS = 16
"""Rows that are decoded together: a small file may hold many references to one large value."""


def _batches(file: Any, path: str | Path, column: str, group: int) -> Iterator[list[Any]]:
    """The values of a column (with dots into structures) in a group of rows."""
    import pyarrow as pa

    name, *inner = column.split(".")
    batches = None
    while True:  # nothing is caught where this waits to be asked again
        try:
            batches = batches or file.iter_batches(ROWS, row_groups=[group], columns=[column], use_threads=False)
            batch = next(batches, None)
            values = None if batch is None else batch.column(name).to_pylist()
        except (OSError, pa.ArrowException, UnicodeDecodeError) as error:
            raise KinsError(f"{path}: group {group} of rows is damaged ({reason(error)[:200]})") from None
        if values is None:
            return
        for field in inner:
            values = [None if value is None else value[field] for value in values]
        yield values


class _Group:
    """A column of a group of rows, which is quick to read in sequence."""

    def __init__(self, container: str, column: str, group: int) -> None:
        self._open = lambda: _batches(_parquet(container), container, column, group)
        self._batches, self._first, self._batch = self._open(), 0, list[Any]()

    def value(self, row: int) -> Any:
        """The value in a row; None where there is no such row."""
        if row < self._first:
            self._batches, self._first, self._batch = self._open(), 0, []
        while row >= self._first + len(self._batch):
            self._first += len(self._batch)
            if not (batch := next(self._batches, [])):
                return None
            self._batch = batch
        return self._batch[row - self._first]


_group = lru_cache(maxsize=1)(_Group)
