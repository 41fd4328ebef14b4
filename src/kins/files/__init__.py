"""Reading, and writing so that no half-written file ever stands under the asked name.

What commands write carries a mark that other readers skip, so that a command can be repeated: it replaces what kins
made, and nothing else (`check_output`). The marks: JSON ends with lines of spaces; HTML, XML, SVG and archives end with
a comment; pictures name kins as their software (EXIF); weights hold their configuration; exported programs
an extra file, and ONNX files name kins as their producer. The tables of a run are known by the files beside them.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kins.errors import KinsError
from kins.files.terminal import shown
from kins.limits import HEADER

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

Name = str | os.PathLike[str]

JSON_MARK = b" \n  \n"
"""Ends JSON files that kins wrote. White space after the value is allowed, and YAML's readers take it, too."""
MARKUP_MARK = b"<!-- made by kins -->\n"
"""Ends HTML, XML and SVG files that kins wrote."""
PERCENT_MARK = b"% made by kins\n"
"""Ends PDF and LaTeX files that kins wrote; to both it is a comment."""
CSV_MARK = b"\n\n\n"
"""Ends tables that kins wrote: empty lines, which readers pass over."""
EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x011\0\x02\0\0\0\x05\0\0\0\x1a\0\0\0\0kins\0"
"""In pictures that kins wrote, one entry: Software (0x131) is "kins". For Pillow's save(exif=EXIF)."""
ARCHIVE_MARK = b"made by kins"
"""Comment at the end of zip archives of annotations that kins wrote."""
PROGRAM_MARK = "made_by_kins"
"""Name of an extra file in the exported programs that kins wrote; it holds the names of the labels."""
ONNX_PRODUCER = "kins"
_ONNX = b"\x12\x04" + ONNX_PRODUCER.encode()  # the second field of an ONNX file, its length, its text
_AT_ENDS = 4096


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

    Missing parent folders are made. The name keeps `path`'s suffix, since libraries choose the format by it. A symbolic
    link stays, and what it leads to is replaced. Raises KinsError for what can't be replaced, such as a device.
    """
    path = Path(path)
    target = _target(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=target.parent)
    except (OSError, ValueError) as error:
        raise KinsError(f"{path}: can't be written ({reason(error)})") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except OSError as error:
        raise KinsError(f"{path}: can't be written ({reason(error)})") from None
    finally:
        temporary.unlink(missing_ok=True)


def leftovers(folder: Path, stem: str) -> list[Path]:
    """Temporary names for files of that stem (a pattern) in `folder` of processes that were killed while writing."""
    name = re.compile(rf"\.{stem}\.[a-z0-9_]{{8}}(\.[^.]*)?")
    return [path for path in sorted(folder.glob(".*")) if name.fullmatch(path.name)]


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


def write_new(path: str | Path, content: bytes) -> None:
    """`write_atomic` for a name that must be free: what is there, or comes meanwhile, is never replaced.

    Raises KinsError where something has this name, or writing fails.
    """
    with temporary_name(path) as temporary:
        if os.path.lexists(path):
            raise KinsError(f"{path}: exists; choose another name")
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))  # from now on the name is ours to replace


def write_json(path: str | Path, content: bytes | str | Iterable[bytes]) -> None:
    """`write_atomic` for JSON that ends with a line break, with kins's mark."""
    content = content.encode() if isinstance(content, str) else content
    write_atomic(path, itertools.chain([content] if isinstance(content, bytes) else content, [JSON_MARK]))


def write_markup(path: str | Path, content: str) -> None:
    """`write_atomic` for HTML or SVG that ends with a line break, with kins's mark.

    Characters that turn the direction of writing, or that viewers may act on, are spelled out.
    """
    write_atomic(path, "\n".join(map(shown, content.split("\n"))).encode() + MARKUP_MARK)


def write_archive(path: str | Path, files: Mapping[str, bytes]) -> None:
    """A zip archive of files by name, with kins's mark; the same files give the same bytes."""
    import zipfile

    with temporary_name(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
        archive.comment = ARCHIVE_MARK


def check_output(paths: Name | Iterable[Name], inputs: Iterable[Name | None] = ()) -> None:
    """Commands call this for every name they will write, before they begin.

    Args:
        paths: one output or several.
        inputs: files that are read, and folders, which stand for the pictures directly in them; None, and what is not
            there, count for nothing.

    Raises:
        KinsError: an output is one of the inputs (by whatever name), or there is something that kins did not make.
            An empty file may be replaced.
    """
    files: set[tuple[int, int]] = set()
    folders: set[tuple[int, int]] = set()
    for name in inputs:
        if (found := _status(name)) is not None:
            (folders if stat.S_ISDIR(found.st_mode) else files).add((found.st_dev, found.st_ino))
    for path in [paths] if isinstance(paths, str | os.PathLike) else paths:
        target = _target(Path(path))
        if (found := _status(target)) is None:
            continue
        if (found.st_dev, found.st_ino) in files:
            raise KinsError(f"{path}: is the input; choose another name")
        if found.st_size and not made_by_kins(target):
            raise KinsError(f"{path}: exists and was not written by kins; choose another name, or remove it first")
        parent = _status(target.parent) if folders else None
        if parent is not None and (parent.st_dev, parent.st_ino) in folders and EXIF[6:] in b"".join(_ends(target)):
            raise KinsError(f"{path}: is one of the input pictures; choose another name")


def made_by_kins(path: Name) -> bool:
    """Whether the file has kins's mark, or belongs to a run of kins. Reads only a little of it."""
    path = Path(path)
    if _marked(path):
        return True
    if path.name not in ("config.json", "log.csv", "evaluations.csv"):
        return False
    return any(_marked(path.with_name(name)) for name in ("config.json", "last.safetensors"))


def _marked(path: Path) -> bool:
    import zipfile

    try:
        head, tail = _ends(path)
        if (
            tail.endswith((b"\n" + JSON_MARK, b"\n" + MARKUP_MARK, b"\n" + PERCENT_MARK, b"\n" + CSV_MARK))
            or EXIF[6:] in head
            or EXIF[6:] in tail
        ):
            return True
        if head[:1] == b"\x08" and head[2:].startswith(_ONNX):
            return True
        if head.startswith(b"PK\3\4"):
            return tail.endswith(ARCHIVE_MARK) or any(
                name.endswith(f"/extra/{PROGRAM_MARK}") for name in zipfile.ZipFile(path).namelist()
            )
        if head.startswith(b"PAR1"):
            return PROGRAM_MARK.encode() in tail
        return head[8:9] == b"{" and _weights(path)
    except (KinsError, OSError, ValueError, RecursionError, zipfile.BadZipFile, NotImplementedError):
        return False


def _weights(path: Path) -> bool:
    """Whether a safetensors file (length of the header, header as JSON, numbers) holds what kins's weights hold."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size)) if size <= HEADER.value else None
    facts = header.get("__metadata__") if isinstance(header, dict) else None
    return isinstance(facts, dict) and facts.keys() >= {"config", "categories", "step"}


def _ends(path: Path) -> tuple[bytes, bytes]:
    check_regular(path)
    with open(path, "rb") as file:
        head = file.read(_AT_ENDS)
        file.seek(max(0, os.fstat(file.fileno()).st_size - _AT_ENDS))
        return head, file.read(_AT_ENDS)


def _status(path: Name | None) -> os.stat_result | None:
    try:
        return None if path is None else os.stat(path)
    except (OSError, ValueError):
        return None


def _target(path: Path) -> Path:
    """The file to replace: `path`, or what it leads to as a link. Raises KinsError if that is anything but a file."""
    if os.path.isdir(path):
        raise KinsError(f"{path}: is a folder; name a file in it")
    linked = os.path.islink(path)
    target = Path(os.path.realpath(path)) if linked else path
    found = _status(target)
    if found is not None and not stat.S_ISREG(found.st_mode):
        raise KinsError(f"{path}: is a device, a pipe or a socket; name a file")
    if found is None and linked and (os.path.islink(target) or not os.path.isdir(target.parent)):
        raise KinsError(f"{path}: is a link that leads nowhere; remove it first, or choose another name")
    return target


@contextmanager
def only_one(folder: str | Path, file: str = ".lock", task: str = "training", other: str = "--out") -> Iterator[None]:
    """Holds the folder for this process; the system gives it free when the process ends, however it does.

    The folder is made if missing; its file `file` stays. Without effect where the system or its disk knows no locks.

    Args:
        task, other: for the message: who may hold the folder, and what to choose another of.

    Raises:
        KinsError: another process holds it.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / file, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise KinsError(f"{folder}: can't be written ({reason(error)})") from None
    try:
        # Not flock: processes that load data are forked and would hold on to it for a while after a SIGKILL.
        if fcntl is not None and _taken(fcntl.lockf, handle):
            raise KinsError(f"{folder}: another {task} is writing there; wait for it, or choose another {other}")
        yield
    finally:
        os.close(handle)


def hold(handle: int, path: Name) -> None:
    """Locks an open file for this process and those it forks. Raises KinsError if another one has it."""
    if fcntl is not None and _taken(fcntl.flock, handle):
        raise KinsError(f"{path}: another process is writing it; wait for it, or choose another name")


def _taken(lock: Callable[[int, int], object], handle: int) -> bool:
    """Tries to lock it. Where the system or its disk knows no locks, nothing is ever taken."""
    try:
        lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in (errno.EACCES, errno.EAGAIN)
    return False


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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
