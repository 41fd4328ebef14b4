"""What a path looks like that kins can't read as annotations: by its content, so that the message can say it."""

from __future__ import annotations

import itertools
import re
import zipfile
from pathlib import Path
from typing import Any

import msgspec

from kins.errors import KinsError
from kins.files.pictures import SUFFIXES

Raw = msgspec.Raw

EXPORT = "export or convert it to COCO (--as then says what its masks are)"
RESULTS = "kins complete reads it, and writes predictions"
MANY = 1000
"""Names of a folder, and of an archive, that are looked at."""
LARGEST = 2**24
"""Bytes of a file in a folder that is looked into."""

_OBJECTS: dict[str, tuple[str, ...]] = {
    "a project of VGG Image Annotator": ("_via_img_metadata",),
    "MMDetection's results for one picture": ("labels", "scores", "bboxes"),
}
_ENTRIES: dict[str, tuple[str, ...]] = {
    "Label Studio's JSON-MIN, which lacks the regions' ids (export JSON instead)": ("annotation_id", "annotator"),
    "Ultralytics' results for one picture": ("class", "confidence", "box"),
    "masks of Segment Anything for one picture": ("predicted_iou", "segmentation"),
}
"""Fields that tell a JSON object, or the first entry of a list, of other tools."""


def describe_file(path: Path, content: bytes) -> str | None:
    """The end of a line, as "holds labelme's annotations ..., which kins does not read; ...", or None."""
    kind = _kind(path, content)
    if kind is None:
        return None
    if kind.startswith(("an archive", "a Python")):
        return f"is {kind}"
    results = "results" in kind or "Segment Anything" in kind
    return f"holds {kind}, which kins does not read as annotations; {RESULTS if results else EXPORT}"


def refuse_folder(path: Path) -> None:
    """Raises KinsError if the path is a folder: one that says what is in it."""
    try:
        if not path.is_dir():
            return
        files = sorted(itertools.islice((p for p in path.iterdir() if not p.name.startswith(".")), MANY))
        first = next((p for p in files if p.suffix.lower() in (".json", ".xml", ".txt")), None)
        first = first or next(iter(sorted(itertools.islice(path.glob("*/*.json"), MANY))), None)
        shards = sorted({p.parent.name for p in itertools.islice(path.glob("*/*.parquet"), MANY)})
        said = None
        if first is not None and first.is_file() and first.stat().st_size <= LARGEST:
            said = describe_file(first, first.read_bytes())
    except (OSError, ValueError) as error:
        raise KinsError(f"{path}: can't be read ({error})") from None
    if said is not None and first is not None:
        count = sum(p.suffix == first.suffix for p in files)
        raise KinsError(f"{path}: is a folder with {count} *{first.suffix}; {first.name} {said}")
    if shards:
        raise KinsError(f"{path}: is a folder of folders with Parquet; name one, such as {shards[0]}")
    if first is not None and first.suffix.lower() == ".json":
        raise KinsError(f"{path}: is a folder; name the annotation file in it, such as {first.relative_to(path)}")
    if any(p.suffix.lower() in SUFFIXES for p in files):
        raise KinsError(f"{path}: is a folder of pictures; name an annotation file, and this folder with --images")
    raise KinsError(f"{path}: is a folder without annotation files; name a file")


def _kind(path: Path, content: bytes) -> str | None:
    head = content[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if content.startswith(b"PK\3\4"):
        return _archive(path)
    if content.startswith((b"\x1f\x8b", b"7z\xbc\xaf", b"BZh", b"\xfd7zXZ", b"Rar!")):
        return "an archive; unpack it, and name the annotation file that was in it"
    if content.startswith(b"\x80") or path.suffix.lower() in (".pkl", ".pickle"):
        return "a Python pickle, as MMDetection writes its results, which can run code when it is read; write JSON"
    if head.startswith(b"<"):
        if re.search(rb"<annotations>\s*<version>", head):
            return "CVAT's annotations in XML of another version than 1.1"
        return "XML"
    return _json_kind(content) if head[:1] in (b"{", b"[") else None


def _json_kind(content: bytes) -> str | None:
    try:
        value: Any = msgspec.json.decode(content, type=dict[str, Raw] | list[Raw])
        kinds = _OBJECTS
        if isinstance(value, list):
            value, kinds = msgspec.json.decode(value[0], type=dict[str, Raw]) if value else {}, _ENTRIES
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    return next((kind for kind, fields in kinds.items() if value.keys() >= set(fields)), None)


def _archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in itertools.islice(archive.infolist(), MANY)]
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        names = []
    found = next((f", such as {name}" for name in names if name.endswith(".json")), "")
    return f"an archive; unpack it, and name the annotation file that was in it{found}"
