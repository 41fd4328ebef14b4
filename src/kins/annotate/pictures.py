"""Pictures as a browser can show them: upright, and of a kind that it knows."""

from __future__ import annotations

import io
from pathlib import Path

import PIL.Image

from kins.files.pictures import SUFFIXES, read_picture

AS_THEY_ARE = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
"""Kinds that every browser shows, with their names in HTTP."""
PLAIN = ("RGB", "L", "P")
"""Modes of pictures that look in a browser as kins reads them."""


def find_pictures(folder: Path) -> list[str]:
    """Names of the pictures in a folder and those below it, relative to it, with slashes; without hidden ones."""
    found = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.suffix.lower() in SUFFIXES and path.is_file() and not any(part.startswith(".") for part in name.parts):
            found.append(name.as_posix())
    return sorted(found)


def for_browser(path: Path, content: bytes) -> tuple[bytes, str]:
    """The content of a picture file or of a PNG made of it, and its kind as HTTP names it.

    Raises KinsError, which names `path`, for what kins can't read.
    """
    kind = _kind(content)
    if kind is not None:
        return content, kind
    made = io.BytesIO()
    PIL.Image.fromarray(read_picture(path, content=content)).save(made, "PNG", compress_level=1)
    return made.getvalue(), "image/png"


def scaled(path: Path, content: bytes, width: int) -> tuple[bytes, str]:
    """The picture scaled down to a width, as JPEG, and its kind. Raises KinsError as `for_browser` does."""
    picture = PIL.Image.fromarray(read_picture(path, content=content))
    small = picture.resize((width, max(1, round(picture.height * width / picture.width))), reducing_gap=2)
    made = io.BytesIO()
    small.save(made, "JPEG", quality=85)
    return made.getvalue(), "image/jpeg"


def _kind(content: bytes) -> str | None:
    """How HTTP names it, or None for a picture that is turned, transparent or of a kind that browsers don't show."""
    try:
        with PIL.Image.open(io.BytesIO(content), formats=tuple(AS_THEY_ARE)) as picture:
            upright = PIL.Image.Image.getexif(picture).get(274, 1) == 1
            plain = picture.mode in PLAIN and not picture.has_transparency_data and getattr(picture, "n_frames", 1) == 1
            return AS_THEY_ARE[picture.format or ""] if upright and plain else None
    except Exception:  # kins's own reader says what is wrong
        return None
