"""An annotation file as JSON of which only the frame has been decoded: the rest stays raw until it is used."""

from __future__ import annotations

import codecs
import dataclasses
import gc
import re
import tempfile
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import msgspec
import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.files import read_bytes
from kins.formats.foreign import describe_file, refuse_folder
from kins.limits import NESTING

Raw = msgspec.Raw
Ints = npt.NDArray[np.int64]

IN_MEMORY = 2**26
"""Bytes of values to write that need no temporary file."""
MANY = 1000
"""Annotations that are looked at to recognise a format."""


class _Frame(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The usual top level. A file with other keys takes a second pass, which keeps them."""

    images: list[Raw] | None = None
    annotations: list[Raw] | None = None
    categories: list[Raw] | None = None
    info: Raw = Raw()
    licenses: Raw = Raw()


class Place(msgspec.Struct, gc=False):
    """Where a field stands, as text that is only made where an error needs it: `a.json: annotations[5].bbox`.

    Attributes:
        entries: the list that its object is in, `a.json: annotations`.
        position: in the list.
        name: of the field.
    """

    entries: str
    position: int
    name: str

    def __str__(self) -> str:
        return f"{self.entries}[{self.position}].{self.name}"


@dataclasses.dataclass(slots=True)
class Document:
    """A file's top level: the lists of a COCO-like file, or, if it is something else, all of it in `content`.

    Attributes:
        path: the file, for messages.
        images, annotations, categories: raw entries; None where the file has no such list.
        extra: other top-level fields, raw.
        content: a raw value that is not an object with one of these lists, else None.
        decoded: the annotations, if they have been decoded in the first pass already.
    """

    path: Path
    images: list[Raw] | None = None
    annotations: list[Raw] | None = None
    categories: list[Raw] | None = None
    extra: dict[str, Raw] = dataclasses.field(default_factory=dict)
    content: Raw | None = None
    decoded: list[Any] | None = None

    def annotation_fields(self) -> set[str]:
        """Names of the fields that occur in the first annotations: what formats are recognised by."""
        names: set[str] = set()
        for raw in (self.annotations or ())[:MANY]:
            try:
                names.update(msgspec.json.decode(raw, type=dict[str, Raw]))
            except msgspec.DecodeError:
                continue
        return names

    def decode(self, raw: Raw, type: Any, place: str) -> Any:
        """A raw value as `type`, or whatever it is. Raises KinsError with the file and the place."""
        try:
            return value_of(raw) if type is Any else msgspec.json.decode(raw, type=type)
        except (msgspec.DecodeError, RecursionError) as error:
            text = f"{place}{describe(error)}".removeprefix(".").removeprefix(": ")
            raise KinsError(f"{self.path}: {text}") from None

    def unknown_fields(self, raw: Raw, known: Collection[str], place: str) -> dict[str, Any]:
        """The fields of a raw object but for the known ones. Raises KinsError with the file and the place."""
        fields = self.decode(raw, dict[str, Raw], place)
        return {name: self.decode(part, Any, f"{place}.{name}") for name, part in fields.items() if name not in known}


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collection in the block: a file's values are many, and all of them stay."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def read_document(path: str | Path) -> Document:
    """Read a JSON file. Raises KinsError if it is missing, empty, or not JSON."""
    return parse(Path(path), read_content(path))


def read_content(path: str | Path) -> bytes:
    """All bytes of an annotation file. Raises KinsError if there is none; of a folder it says what is in it."""
    refuse_folder(Path(path))
    return read_bytes(path)


def parse(path: Path, content: bytes) -> Document:
    """The document in a file's content. Raises KinsError if it is not JSON."""
    content = checked_text(path, content)
    if content[:64].lstrip()[:1] not in (b"{", b"["):
        said = describe_file(path, content) or "is not a JSON file; annotations are expected"
        raise KinsError(f"{path}: {said}")
    try:
        frame = msgspec.json.decode(content, type=_Frame)
        if frame.images is not None or frame.annotations is not None:
            return Document(path, frame.images, frame.annotations, frame.categories, _extra(frame))
    except msgspec.ValidationError:
        pass
    except (msgspec.DecodeError, RecursionError) as error:
        raise not_json(path, content, error) from None
    return _other_document(path, content)


def parse_usual(path: Path, content: bytes, annotation: Any) -> Document | None:
    """The document in one pass, if all its annotations are of this type; None if not, or if it is damaged."""
    fields = [("annotations", list[annotation])]
    frame = msgspec.defstruct("Frame", fields, bases=(_Frame,), kw_only=True, forbid_unknown_fields=True)
    try:
        found: Any = msgspec.json.decode(content, type=frame)
    except (msgspec.DecodeError, RecursionError):
        return None
    return Document(path, found.images, None, found.categories, _extra(found), decoded=found.annotations)


def _extra(frame: _Frame) -> dict[str, Raw]:
    return {key: raw for key in ("info", "licenses") if bytes(raw := getattr(frame, key))}


def checked_text(path: Path, content: bytes) -> bytes:
    """The content without a byte order mark. Raises KinsError if it is not UTF-8, so that nothing later stumbles."""
    if not content.isascii():
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            for start in range(0, len(content), 1 << 20):  # in pieces, to need no second copy of a large file
                decoder.decode(content[start : start + (1 << 20)], final=start + (1 << 20) >= len(content))
        except UnicodeDecodeError:
            said = describe_file(path, content) or "is not UTF-8 text; annotations are expected, as JSON"
            raise KinsError(f"{path}: {said}") from None
    return content.removeprefix(codecs.BOM_UTF8)


def _other_document(path: Path, content: bytes) -> Document:
    document = Document(path)
    try:
        value = msgspec.json.decode(content, type=dict[str, Raw] | list[Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        raise not_json(path, content, error) from None
    if isinstance(value, list) or not ({"images", "annotations"} & set(value)):
        document.content = Raw(content)
        return document
    for key in ("images", "annotations", "categories"):
        if key in value:
            setattr(document, key, document.decode(value.pop(key), list[Raw], key))
    document.extra = value
    return document


def value_of(raw: Raw) -> Any:
    """A raw value, whatever it is. Raises msgspec.DecodeError, and RecursionError where it is nested too deeply."""
    value = msgspec.json.decode(raw)
    text = bytes(raw)
    if text.count(b"[") + text.count(b"{") > NESTING.value:
        level = [value]
        for _ in range(NESTING.value + 1):
            level = [
                part
                for item in level
                if isinstance(item, dict | list)
                for part in (item.values() if isinstance(item, dict) else item)
            ]
        if level:
            raise RecursionError
    return value


def describe(error: BaseException) -> str:
    """msgspec's message as the end of a line: `.segmentation[0]: expected ...`, or `: malformed (byte 12)`."""
    if isinstance(error, RecursionError):
        return ": is nested too deeply"
    text = " ".join(str(error).split())
    text = text[:1].lower() + text[1:] if text[1:2].islower() else text
    if found := re.fullmatch(r"(.*) - at `(?:\$|key in `\$)(.*?)`", text):
        text, place = found.groups()
        return f"{place}: {text}"
    return f": {text}"


def not_json(path: Path, content: bytes, error: BaseException) -> KinsError:
    """The error for content that can't be read as JSON at all: what is wrong, and at which place."""
    text = describe(error)
    if "truncated" in text:
        return KinsError(f"{path}: ends within{_at(content, len(content))}; was the download or the copy interrupted?")
    if not (found := re.search(r"\(byte (\d+)\)", text)):
        return KinsError(f"{path}: is not valid JSON{text}")
    offset = int(found[1])
    place = _at(content, offset)
    if number := re.match(rb"NaN|Infinity", content[offset : offset + 8]):
        return KinsError(f"{path}:{place}: {number[0].decode()} is not JSON; write a number, or null if there is none")
    return KinsError(f"{path}:{place}: is not valid JSON{text}")


def _at(content: bytes, offset: int) -> str:
    place = next(places(content, [offset]))
    return f" {place}" if place else " the first value"


STRING = rb'"(?:[^"\\]++|\\.)*+(?:"|\Z)'
"""A string in a JSON text, or the rest of one that never ends: found in one go, with nothing to come back to."""
_MARK = re.compile(STRING + rb'|[\[\]{}:]|[^"\[\]{}:]++', re.DOTALL)


def places(content: bytes, offsets: Sequence[int]) -> Iterator[str]:
    """For each offset into a JSON text (rising), the value that it is in, as `annotations[5].a_segm[0]`."""
    path: list[int | str] = []  # an index for each list, a key for each object that is open
    text, start = "", 0
    for offset in offsets:
        for found in _MARK.finditer(content, start, offset):
            mark, start = found[0], found.end()
            if mark in b"[{":
                path.append(0 if mark == b"[" else "")
            elif mark in b"]}":
                del path[-1:]
            elif mark == b":" and path:
                path[-1] = text
            elif mark.startswith(b'"'):
                text = mark[1:41].removesuffix(b'"').decode(errors="replace")
            elif path and isinstance(path[-1], int):
                path[-1] += mark.count(b",")
        yield "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def kept_aside(rows: Iterable[tuple[int, bytes]]) -> Iterator[Raw]:
    """JSON values in the sequence of their numbers, those without one (-1) last; not all of them are in memory.

    All are made now, into a temporary file where they are many (in the folder that TMPDIR names), and read from it when
    they are needed.
    """
    spool = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115  # until the last value is read
    numbers, sizes = array("q"), array("q")
    for number, row in rows:
        numbers.append(number)
        sizes.append(spool.write(row))
    return _in_sequence(spool, np.array(numbers, np.int64), np.array(sizes, np.int64))


def _in_sequence(spool: IO[bytes], numbers: Ints, sizes: Ints) -> Iterator[Raw]:
    starts = np.cumsum(sizes) - sizes
    order = np.argsort(np.where(numbers < 0, np.iinfo(np.int64).max, numbers), kind="stable")
    with spool:
        spool.seek(at := 0)
        for start, size in zip(starts[order].tolist(), sizes[order].tolist(), strict=True):
            if at != start:
                spool.seek(start)
            at = start + size
            yield Raw(spool.read(size))


def encode(value: Any) -> Iterator[bytes]:
    """JSON in pieces, with a line for each image and annotation so that files can be compared with diff.

    Lists in it may also be iterators.
    """
    if not isinstance(value, dict) or not {"annotations", "predictions"} & value.keys():
        yield msgspec.json.encode(value) + b"\n"
        return
    start = b"{"
    for key, item in value.items():
        yield start + msgspec.json.encode(key) + b": "
        start = b",\n"
        if not isinstance(item, list | Iterator):
            yield msgspec.json.encode(item)
            continue
        opening = b"[\n"
        for entry in item:
            yield opening + (bytes(entry) if isinstance(entry, Raw) else msgspec.json.encode(entry))
            opening = b",\n"
        yield b"\n]" if opening == b",\n" else b"[]"
    yield b"}\n"
