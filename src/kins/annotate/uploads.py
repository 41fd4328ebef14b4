"""What comes through the page: pictures, decoded as a whole and named anew beside the others; and proposals."""

from __future__ import annotations

import hashlib
import itertools
import re
import tempfile
import threading
import unicodedata
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from kins.annotate import tables
from kins.annotate.imports import Imported, frame_dataset, import_layers, import_proposals, read_proposals
from kins.annotate.layers import Layers
from kins.annotate.store import Store
from kins.errors import KinsError
from kins.files import inside, write_new
from kins.files.pictures import SIGNATURES, SUFFIXES, picture_size, read_picture
from kins.files.terminal import UNSAFE, shown
from kins.limits import UPLOAD_PIXELS

KINDS = {
    "PNG": (".png",),
    "JPEG": (".jpg", ".jpeg"),
    "WebP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
}
"""How files of each kind of picture are named."""
LONGEST = 120
"""Bytes of a name without its suffix."""
FORBIDDEN = frozenset("<>:\"/\\|?*'`$&;%#")
"""What file systems, shells or addresses take for something else."""
DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
"""Names that are no files on Windows."""

_one_at_a_time = threading.Lock()  # a large picture or file takes 0.3 GB while it is decoded


def keep(store: Store, project_id: int, folder: Path, asked: str, content: bytes) -> dict[str, Any]:
    """Put a picture into the folder of a project, and take it in.

    A picture that the project has already, byte by byte, is not put there again.

    Args:
        asked: the name that it had elsewhere.

    Returns:
        id, file, width, height of the image, and whether it was known.

    Raises:
        KinsError: it is no picture that kins reads, too large, or can't be written.
    """
    name = shown(asked)[:100] or "the picture"
    with _one_at_a_time:
        height, width = picture_size(name, content)
        UPLOAD_PIXELS.check(height * width, name)
        read_picture(name, content=content)  # all of it, or damage would show later
        digest = hashlib.sha256(content).hexdigest()
        known, taken = _known(store, project_id, digest)
        if known is not None:
            return known
        stem, suffix = safe_name(asked, content)
        path = _free(folder, stem, suffix, taken)
        write_new(path, content)
        row = {"project": project_id, "file": path.name, "width": width, "height": height, "sha256": digest}
        with store.write() as connection:
            made = connection.execute(sa.insert(tables.image), row).inserted_primary_key
    return _told({**row, "id": made[0]}, False)  # type: ignore[index]


def safe_name(asked: str, content: bytes) -> tuple[str, str]:
    r"""The stem and the suffix of a file for a picture, whatever it was called elsewhere.

    Example:
        >>> safe_name("..\\..\\My <photo>.JPG.exe", b"\x89PNG...")
        ('My _photo_.JPG.exe', '.png')
    """
    suffixes = next(KINDS[kind] for head, kind in SIGNATURES if kind in KINDS and content.startswith(head))
    last = unicodedata.normalize("NFC", re.split(r"[/\\]", asked)[-1])
    stem, _, end = last.rpartition(".")
    suffix = f".{end.lower()}"
    if suffix not in SUFFIXES:
        stem = last
    return _safe(stem, "picture"), suffix if suffix in suffixes else suffixes[0]


def _safe(stem: str, otherwise: str) -> str:
    """A name without what file systems, shells or addresses take for something else."""
    stem = "".join("_" if c in FORBIDDEN or unicodedata.category(c) in UNSAFE else c for c in " ".join(stem.split()))
    stem = stem.strip(" .-").encode(errors="ignore")[:LONGEST].decode(errors="ignore").strip(" .-")
    return f"{otherwise} {stem}".strip() if not stem or DEVICES.fullmatch(stem) else stem


def take_proposals(
    store: Store, project_id: int, folder: Path, asked: str, content: bytes, layers: Layers | None = None
) -> Imported:
    """Proposals of a file that was sent, by kins's readers; nothing is kept of the file.

    Args:
        folder: of the project's pictures.
        asked: the name that the file had elsewhere, which some formats tell the picture by.
        layers: where they become the layers of a network, to be compared with people's, in place of proposals.

    Raises:
        KinsError: it is none of the formats, or about other pictures.
    """
    last = unicodedata.normalize("NFC", re.split(r"[/\\]", asked)[-1])
    stem, _, end = last.rpartition(".")
    suffix = f".{end}" if re.fullmatch(r"[A-Za-z0-9]{1,10}", end) and stem else ""
    name = _safe(stem if suffix else last, "proposals") + suffix
    with _one_at_a_time, tempfile.TemporaryDirectory(prefix="kins-") as place:
        path = Path(place, name)
        path.write_bytes(content)
        try:
            dataset = read_proposals(path, folder, frame_dataset(store, project_id, folder))
            if layers is None:
                found = import_proposals(store, project_id, dataset, name)
            else:
                found = import_layers(store, layers, project_id, dataset, None)
        except KinsError as error:
            raise KinsError(str(error).replace(f"{place}/", "")) from None
    found.lines = [line.replace(f"{place}/", "") for line in found.lines]
    return found


def _known(store: Store, project_id: int, digest: str) -> tuple[dict[str, Any] | None, set[str]]:
    """The image that is this picture, if there is one, and the names of all, also of those that are gone."""
    image = tables.image
    with store.read() as connection:
        rows = connection.execute(sa.select(image).where(image.c.project == project_id)).all()
    same = next((row for row in rows if row.sha256 == digest), None)
    return None if same is None else _told(same._mapping, True), {row.file.casefold() for row in rows}


def _free(folder: Path, stem: str, suffix: str, taken: set[str]) -> Path:
    """A name that neither the folder nor the database has: annotations of a lost picture are not those of another."""
    for number in itertools.count(1):
        path = folder / (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
        if path.name.casefold() not in taken and not path.exists() and not path.is_symlink():
            return inside(folder, path.name)
    raise AssertionError


def _told(row: Any, known: bool) -> dict[str, Any]:
    return {name: row[name] for name in ("id", "file", "width", "height")} | {"known": known}
