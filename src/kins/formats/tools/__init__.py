"""Annotation tools' own files: whole outlines and their stacking, from which the visible parts follow (see `parts`).

One file a tool. Each has matches(document); read(documents with names, reading, path), which takes the files of a whole
set; names(dataset), the files to write; and write(dataset, traced) -> (these files, lines on what they can't hold).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

from kins.errors import KinsError
from kins.files import JSON_MARK, MARKUP_MARK, inside, write_archive, write_atomic
from kins.formats.document import Document, parse
from kins.formats.tools import cvat, datumaro, isat, labelme, labelstudio
from kins.formats.tools.parts import Convention as Convention
from kins.formats.tools.parts import Reading as Reading
from kins.formats.tools.sources import File, files_in
from kins.records import Dataset

TOOLS: dict[str, ModuleType] = {
    "labelme": labelme,
    "isat": isat,
    "cvat": cvat,
    "datumaro": datumaro,
    "label-studio": labelstudio,
}
"""By name, in the sequence in which they are tried."""
SINGLE = {"cvat": ".xml", "datumaro": ".json", "label-studio": ".json"}
"""Tools whose output may be one file, and its suffix."""
MOST_LOOKED_AT = 200
"""Files of a folder that are looked at to recognise a tool."""


def find_many(path: Path, format: str | None) -> tuple[str, list[File]] | None:
    """The tool and its files in a folder, an archive or an XML file; None if it is none of these, or of no tool.

    Raises KinsError where a format is named and there is no file that could be of it.
    """
    files = files_in(path)
    if files is None:
        return None
    name = format or _recognised(files)
    if name not in TOOLS:
        return None
    if not (files := _wanted(files, name)):
        raise KinsError(f"{path}: has no files of {name}")
    return name, files


def read_many(path: Path, name: str, files: Sequence[File], reading: Reading) -> Dataset:
    """What the files of a tool hold."""
    documents = ((file.name, file.document()) for file in files)
    return _read(TOOLS[name], documents, reading, path)


def read_one(document: Document, module: ModuleType, reading: Reading) -> Dataset:
    """What a single JSON file holds."""
    return _read(module, [(document.path.name, document)], reading, document.path)


def input_files(path: Path) -> list[Path]:
    """The files that a folder of a tool's annotations is read from; none for anything else."""
    return [file.path for file in files_in(path) or ()] if path.is_dir() else []


def _read(module: ModuleType, documents: Iterable[tuple[str, Document]], reading: Reading, path: Path) -> Dataset:
    dataset: Dataset = module.read(documents, reading, path)
    return dataset


def _wanted(files: Sequence[File], name: str) -> list[File]:
    """Those of the kind that the tool writes."""
    suffix = ".xml" if name == "cvat" else ".json"
    return [file for file in files if file.name.lower().endswith(suffix) or len(files) == 1]


def _recognised(files: Sequence[File]) -> str | None:
    """The tool whose files these are, by the first that is any tool's. Raises KinsError if that can't be told."""
    damaged: KinsError | None = None
    for file in itertools.islice(files, MOST_LOOKED_AT):
        try:
            document = file.document()
            if bytes(document.content or b"").lstrip()[:1] != b"<":
                document = parse(document.path, bytes(document.content or b""))
        except KinsError as error:
            damaged = damaged or error
            continue
        for name, module in TOOLS.items():
            if module.matches(document):
                return name
    if damaged is not None:
        raise damaged
    return None


def output_files(dataset: Dataset, path: Path, format: str) -> list[Path]:
    """The files that `store` would write."""
    return places(path, TOOLS[format].names(dataset), format)


def store(dataset: Dataset, path: Path, format: str, traced: bool) -> list[str]:
    """Write a folder of files, or an archive where the name ends with .zip; returns lines on what can't be kept."""
    files, losses = TOOLS[format].write(dataset, traced)
    marked = {name: content + (MARKUP_MARK if name.endswith(".xml") else JSON_MARK) for name, content in files.items()}
    if path.suffix.lower() == ".zip":
        write_archive(path, marked)
    elif format in SINGLE and path.suffix.lower() == SINGLE[format]:
        write_atomic(path, next(iter(marked.values())))
    else:
        for place, content in zip(places(path, list(files), format), marked.values(), strict=True):
            write_atomic(place, content)
    return list(losses)


def places(path: Path, names: Sequence[str], format: str) -> list[Path]:
    """Where files of a set are written: below a folder, or all in one archive or file. Raises KinsError for a file."""
    if path.suffix.lower() == ".zip" or (format in SINGLE and path.suffix.lower() == SINGLE[format]):
        return [path]
    if path.exists() and not path.is_dir():
        raise KinsError(f"{path}: is a file; {format} is written as a folder of files, or as an archive NAME.zip")
    return [inside(path, name) for name in names]
