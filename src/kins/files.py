"""Reading, and writing so that no half-written file ever stands under the asked name."""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from kins.errors import KinsError

T = TypeVar("T")


def read_bytes(path: str | Path) -> bytes:
    """The whole file. Raises KinsError where there is none, it is a folder, a pipe, a device, empty or unreadable."""
    path = Path(path)
    try:
        check_regular(path)
        content = path.read_bytes()
    except FileNotFoundError:
        raise KinsError(f"{path}: no such file; check the name") from None
    except IsADirectoryError:
        raise KinsError(f"{path}: is a folder; name the file in it") from None
    except (OSError, ValueError) as error:
        raise KinsError(f"{path}: can't be read ({reason(error)})") from None
    if not content:
        raise KinsError(f"{path}: is empty; was the download or the copy interrupted?")
    return content


def check_regular(path: str | Path) -> None:
    """Raises KinsError for a pipe, a device or a socket, which may never end, and OSError where nothing is."""
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(mode):
        raise KinsError(f"{path}: is a pipe, a device or a socket, not a file; copy its content into a file")


def reason(error: BaseException) -> str:
    """An exception's message on one line, without the path that the caller prints anyway."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split()) or type(error).__name__


@contextmanager
def temporary_name(path: str | Path) -> Iterator[Path]:
    """A name beside `path` to write to; renamed to `path` at the end, removed if anything fails.

    Missing parent folders are made. The name keeps `path`'s suffix, since libraries choose the format by it.
    """
    path = Path(path)
    if path.is_dir():
        raise KinsError(f"{path}: is a folder; name a file in it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise KinsError(f"{path}: can't be written ({reason(error)})") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise KinsError(f"{path}: can't be written ({reason(error)})") from None
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path: str | Path, content: bytes | str | Iterable[bytes]) -> None:
    """Write the whole file (in pieces, if given so) under a temporary name, then rename it.

    Raises KinsError where that fails.
    """
    if isinstance(content, str):
        content = content.encode()
    with temporary_name(path) as temporary, open(temporary, "wb") as file:
        file.writelines([content] if isinstance(content, bytes) else content)
        file.flush()
        os.fsync(file.fileno())


def inside(folder: str | Path, name: str) -> Path:
    """`folder/name`, for a name that came from a file: raises KinsError if it leads out of the folder."""
    if "\0" in name or not name:
        raise KinsError(f"{name!r}: is not a file name")
    root = os.path.realpath(folder)
    if os.path.isabs(name) or ".." in Path(name.replace("\\", "/")).parts:
        raise KinsError(f"{name!r}: leads out of {folder}; images are only opened inside of the image folder")
    path = os.path.realpath(os.path.join(root, name))
    if os.path.commonpath([root, path]) != root:
        raise KinsError(f"{name!r}: leads out of {folder}; images are only opened inside of the image folder")
    return Path(path)


def progress(items: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:
    """Iterate with a progress bar on standard error if that is a terminal, silently otherwise."""
    if not sys.stderr.isatty():
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, label, total=total, console=Console(stderr=True), transient=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
