"""Input that is no single JSON file: a folder or an archive of files, and XML. Nothing of it is trusted."""

from __future__ import annotations

import os
import re
import xml.parsers.expat
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import msgspec

from kins.errors import KinsError
from kins.files import inside, read_bytes, reason
from kins.files.pictures import SUFFIXES, picture_size
from kins.formats.document import Document, Raw, checked_text
from kins.masks.runs import check_size

MOST_FILES = 200_000
"""Files of a folder, members of an archive."""
MOST_BYTES = 2**33
"""Of all files of an archive together, unpacked."""
MOST_RATIO = 300
"""Bytes that one byte of an archive becomes, in members of over a megabyte."""
SUFFIX = (".json", ".xml")
SIMPLE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_ .-]*")
"""Names of files without a folder."""


class File(NamedTuple):
    """A file to read: its name relative to the folder or the archive, its place for messages, and its content."""

    name: str
    path: Path
    read: Callable[[], bytes]

    def document(self) -> Document:
        """The content, without a byte order mark; still to be decoded. Raises KinsError if it is no UTF-8 text."""
        return Document(self.path, content=Raw(checked_text(self.path, self.read())))


def files_in(path: Path) -> list[File] | None:
    """The JSON and XML files of a folder or an archive, or an XML file alone; None for any other file.

    Sorted by name; names that begin with a dot are passed over. Raises KinsError for an archive that is damaged, too
    large, or has names that lead out of it.
    """
    try:
        if path.is_dir():
            return list(_folder(path))
        if not path.is_file():
            return None
        with open(path, "rb") as file:
            head = file.read(64)
    except (OSError, ValueError) as error:
        raise KinsError(f"{path}: can't be read ({reason(error)})") from None
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return _archive(path)
    if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<"):
        return [File(path.name, path, lambda: read_bytes(path))]
    return None


def _folder(path: Path) -> Iterator[File]:
    for name, place in files_below(path, SUFFIX).items():
        yield File(name, place, lambda place=place: read_bytes(place))  # type: ignore[misc]


def files_below(path: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Files with these endings by their names relative to a folder, sorted, without those that begin with a dot.

    Raises KinsError for too many, and for links that lead out of the folder.
    """
    found: dict[str, str] = {}
    for folder, _, files in os.walk(path):
        below = os.path.relpath(folder, path).replace(os.sep, "/")
        start = "" if below == "." else f"{below}/"
        found |= {f"{start}{name}": os.path.join(folder, name) for name in files if name.lower().endswith(suffixes)}
        if len(found) > MOST_FILES:
            raise KinsError(f"{path}: has more than {MOST_FILES} files of one kind; name a folder in it")
    places = {}
    for name in sorted(found):
        if not _is_hidden(name):
            if os.path.islink(found[name]):
                inside(path, name)
            places[name] = Path(found[name])
    return places


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or "/." in name or name.startswith("__MACOSX/") or "/__MACOSX/" in name


def _archive(path: Path) -> list[File]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
        raise KinsError(f"{path}: is a damaged archive ({reason(error)})") from None
    if len(members) > MOST_FILES:
        raise KinsError(f"{path}: has more than {MOST_FILES} files; unpack it, and name a folder of it")
    wanted = [m for m in members if PurePosixPath(m.filename).suffix.lower() in SUFFIX and not m.is_dir()]
    for member in members:
        _check_name(path, member.filename)
    if sum(member.file_size for member in wanted) > MOST_BYTES:
        raise KinsError(f"{path}: its files have more than {MOST_BYTES} bytes; unpack it, and name a folder of it")
    wanted = sorted((m for m in wanted if not _is_hidden(m.filename)), key=lambda member: member.filename)
    return [File(m.filename, path / m.filename, lambda m=m: _unpacked(path, m)) for m in wanted]  # type: ignore[misc]


def _check_name(path: Path, name: str) -> None:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or re.match(r"[A-Za-z]:", name):
        raise KinsError(f"{path}: has a file {name[:80]!r}, which leads out of the archive; nothing of it is read")


def _unpacked(path: Path, member: zipfile.ZipInfo) -> bytes:
    where = path / member.filename
    if member.file_size > max(2**20, MOST_RATIO * member.compress_size):
        raise KinsError(f"{where}: becomes {member.file_size} bytes of {member.compress_size}; unpack it yourself")
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            content = file.read(member.file_size + 1)
    except (OSError, RuntimeError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
        raise KinsError(f"{where}: can't be unpacked ({reason(error)})") from None
    if not content:
        raise KinsError(f"{where}: is empty; was the download or the copy interrupted?")
    return content


def decoded(raw: Raw | None, type: Any) -> Any:
    """A raw value as `type`; None if there is none, or it is another one."""
    try:
        return None if raw is None else msgspec.json.decode(raw, type=type)
    except (msgspec.DecodeError, RecursionError):
        return None


def decoded_files(
    documents: Iterable[tuple[str, Document]], file: Any, usual: Any, entries: str, left_out: Counter[str], of: str
) -> Iterator[tuple[str, Document, Any]]:
    """The JSON files of a set, each with its name: in one pass where all entries are the usual ones, else these raw.

    Args:
        file: the struct of a file, generic in that of its entries.
        entries: the name of their list; a file without it is another program's, and counted.
        of: whose files these are.
    """
    decode = msgspec.json.Decoder(file[usual]).decode
    for name, document in documents:
        content = document.content or Raw()
        try:
            found = decode(content)
        except (msgspec.DecodeError, RecursionError):
            found = document.decode(content, file[Raw], "")
        if getattr(found, entries) is msgspec.UNSET:
            left_out[f"JSON files that are not {of}"] += 1
        else:
            yield name, document, found


def entry_of(document: Document, entry: Any, struct: Any, where: str) -> tuple[Any, dict[str, Any]]:
    """An entry of `decoded_files`, and its fields that the struct has no name for."""
    if isinstance(entry, struct):
        return entry, {}
    return document.decode(entry, struct, where), document.unknown_fields(entry, struct.__struct_fields__, where)


class _BegunError(Exception):
    """The first element of a document."""


def check_xml(document: Document) -> bytes:
    """The XML text without its declaration, if it defines neither a document type nor entities.

    The text is known to be UTF-8, so that whatever encoding the declaration names must not be looked for.

    Raises KinsError where it does, or where it is not XML.
    """
    assert document.content is not None
    content = re.sub(rb"\A\s*<\?xml\b[^>]*\?>", lambda found: b"\n" * found[0].count(b"\n"), bytes(document.content))
    parser = xml.parsers.expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise KinsError(f"{document.path}: defines a document type or entities, which annotations don't need")

    def begin(*_: object) -> None:
        raise _BegunError

    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.StartElementHandler = begin
    try:
        parser.Parse(content, True)
    except _BegunError:
        pass
    except xml.parsers.expat.ExpatError as error:
        raise KinsError(f"{document.path}:{error.lineno}: is not valid XML ({error})") from None
    return content


def split_name(name: str) -> tuple[str, str]:
    """The folder of a file, empty if there is none, and its name without the suffix."""
    folder, _, rest = name.rpartition("/")
    return folder, rest.rpartition(".")[0] or rest


def picture_name(stated: str, folder: str, images_dir: Path | None, stem: str = "") -> str:
    """A picture's file name, relative to the folder of the pictures, from what a tool's file says.

    Folders in it may be of another computer: without a picture folder, what leads out of the annotations' folder
    loses them; with one, the picture is looked for under the name as it is, and alone.

    Args:
        folder: of the annotation file, relative to the path that was named.
        stem: name of the annotation file, without its suffix, for files that name no picture.
    """
    if images_dir is None and SIMPLE.fullmatch(stated):
        return f"{folder}/{stated}" if folder else stated
    text = re.sub(r"^[A-Za-z]:", "", stated.replace("\\", "/").replace("\0", ""))
    parts: list[str] = []
    for part in (PurePosixPath(folder) / text).parts:
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part != "/":
            parts.append(part)
    name = PurePosixPath(text).name or stem
    outside = ".." in parts or text.startswith("/")
    usual = str(PurePosixPath(folder, name)) if outside else "/".join(parts)
    if images_dir is None:
        return usual or name
    stems = [str(PurePosixPath(folder, stem)), stem] if stem else []
    below = "/".join(part for part in parts if part != "..")
    for candidate in (usual, below, text, name, *(s + suffix for s in stems for suffix in SUFFIXES)):
        try:
            if candidate and inside(images_dir, candidate).is_file():
                return candidate
        except (KinsError, OSError, ValueError):
            continue
    return usual or name


def size_of(
    stated: tuple[int | None, int | None], name: str, images_dir: Path | None, where: object
) -> tuple[int, int]:
    """(height, width) as a file states them, or else of the picture. Raises KinsError if neither is there."""
    height, width = stated
    if height is None or width is None:
        if images_dir is None:
            raise KinsError(f"{where}: states no size of its picture; name the folder of the pictures with --images")
        height, width = picture_size(inside(images_dir, name))
    check_size(height, width, where)
    return height, width
