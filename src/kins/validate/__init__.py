"""`kins validate`: every fault of an annotation file, with its place; and a repaired copy.

Works on the raw JSON, entry by entry, so that it gets through any damage and needs little memory.
"""

from __future__ import annotations

import re
from pathlib import Path

from kins.errors import KinsError
from kins.files import write_json
from kins.formats import FOLDERS, FORMATS, folders, recognise, tools
from kins.formats.document import STRING, Document, encode, parse, places, read_content
from kins.formats.tools import TOOLS, Reading
from kins.validate.checker import Checker
from kins.validate.drawn import check_drawn
from kins.validate.folder import examine
from kins.validate.parts import installation
from kins.validate.report import KINDS, Problem, Report

__all__ = ["KINDS", "Problem", "Report", "examine", "installation", "validate"]

_STRINGS_AND_NAN = re.compile(STRING + rb"|-?\bInfinity\b|-?\bNaN\b", re.DOTALL)
_NAN = re.compile(rb"[\s,:\[]-?(?:NaN|Infinity)\b")


def validate(
    path: str | Path,
    images: str | Path | None = None,
    format: str | None = None,
    repaired: str | Path | None = None,
    workers: int | None = None,
) -> Report:
    """Check annotations of any format.

    Args:
        path: the annotation file; or a folder or archive of an annotation tool's files, whose outlines are then taken
            for those of whole objects; or the folder of a data set of YOLO, Pascal VOC, Cityscapes or KITTI.
        images: folder of the pictures: they are looked for, and their sizes compared.
        format: one of kins.formats.FORMATS or FOLDERS; recognised by the content if None.
        repaired: file to write a copy to in which all is repaired that takes no guess.
        workers: most processes to use, one for each core if None; see kins.work.

    Raises:
        KinsError: there is no such file or folder, or it can't be told what format it is meant to be.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> from kins.demo.toys import write_shapes
        >>> text = write_shapes("pictures", 2).save("truth.json")
        >>> content = json.loads(Path("truth.json").read_text())
        >>> content["annotations"][2]["a_area"] = 1
        >>> written = Path("wrong.json").write_text(json.dumps(content))
        >>> report = kins.validate.validate("wrong.json", images="pictures", repaired="right.json")
        >>> report.valid, list(report.found), report.found["area-differs"].places
        (True, ['area-differs'], [('annotations[2].a_area', "1, the mask's is 3464")])
        >>> list(kins.validate.validate("right.json").found)
        []
    """
    path = Path(path)
    if not path.exists():
        raise KinsError(f"{path}: no such file; check the name")
    if images is not None and not Path(images).is_dir():
        raise KinsError(f"{images}: no such image folder")
    report = Report(str(path))
    reading = Reading(None if images is None else Path(images), "amodal")
    dataset = None
    try:
        if kind := folders.find(path, format):
            report.format, dataset = kind, folders.read(path, kind, reading.images_dir, None)
        elif several := tools.find_many(path, format):
            report.format, dataset = several[0], tools.read_many(path, *several, reading)
        else:
            document = _document(path, report)
            report.format = format or recognise(document)
            if report.format in TOOLS:
                dataset = tools.read_one(document, TOOLS[report.format], reading)
    except KinsError as error:
        report.add("unreadable", "", str(error).removeprefix(f"{path}: "))
        return report
    if dataset is not None:
        if repaired is not None:
            raise KinsError(f"{path}: files of {report.format} are not repaired; correct them there, or convert them")
        return check_drawn(dataset, report, workers, alone=report.format in FOLDERS)
    if report.format not in FORMATS:
        raise KinsError(f"no format {format!r}; there are {', '.join(FORMATS)}")
    if report.format == "predictions":
        raise KinsError(f"{path}: holds predictions; kins eval checks them against their ground truth")
    checker = Checker(document, report, None if images is None else Path(images), repaired is not None, workers)
    content = checker.run()
    if repaired is not None:
        write_json(repaired, encode(content))
    return report


def _document(path: Path, report: Report) -> Document:
    """The file, with null where it has NaN or Infinity: Python writes these, but JSON has no such thing."""
    content = read_content(path)
    try:
        return parse(path, content)
    except KinsError:
        if not _NAN.search(content):
            raise
    numbers = [found for found in _STRINGS_AND_NAN.finditer(content) if not found[0].startswith(b'"')]
    for found, place in zip(numbers[:100], places(content, [found.start() for found in numbers[:100]]), strict=True):
        report.add("nan", place, found[0].decode())
    if len(numbers) > 100:
        report.add("nan", "", f"{len(numbers) - 100} more")
    content = _STRINGS_AND_NAN.sub(lambda found: found[0] if found[0].startswith(b'"') else b"null", content)
    document = parse(path, content)
    report.repairs.append(("", f"{len(numbers)} times NaN or Infinity became null"))
    return document
