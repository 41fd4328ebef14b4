"""The one reader of pictures: PNG, JPEG, WebP, TIFF, BMP and GIF, upright, in colour, with 8 bits a channel.

Nothing but the decoders of these kinds runs: other kinds are refused by their content, whatever a file is named.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.files import check_regular, reason
from kins.limits import PIXELS

if TYPE_CHECKING:
    import PIL.Image

FORMATS = ("PNG", "JPEG", "WebP", "TIFF", "BMP", "GIF")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")
OTHER_SUFFIXES = (
    *(".heic", ".heif", ".avif", ".jp2", ".j2k", ".jxl", ".svg", ".pdf", ".eps", ".ps", ".psd"),
    *(".raw", ".cr2", ".cr3", ".nef", ".arw", ".dng"),
)
"""Names of pictures of kinds that are not read; what lies in a folder under such a name is reported."""
SIGNATURES = (
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"RIFF", "WebP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"BM", "BMP"),
    (b"GIF8", "GIF"),
    (b"%!PS", "PostScript"),
    (b"\xc5\xd0\xd3\xc6", "PostScript"),
    (b"%PDF", "PDF"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
)
WHITE = 65535
"""Largest value of 16 bits."""


def read_picture(
    path: str | Path, size: tuple[int, int] | None = None, content: bytes | None = None
) -> npt.NDArray[np.uint8]:
    """(height, width, 3) uint8 RGB of a picture file.

    Turned as its EXIF says; grey of 12 and 16 bits is scaled to 8; what is transparent lies on white; of several
    frames the first is taken.

    Args:
        size: (height, width) that it must have.
        content: the picture, where it is no file of its own; `path` is its name in messages.

    Raises:
        KinsError: no regular file, none of FORMATS, damaged, of too many pixels, of numbers without a stated white
            (float, 32 bit), or not of `size`.
    """
    with _opened(path, content) as picture:
        turn = _orientation(picture)
        found = _size(picture, turn)
        if size is not None and found != size:
            raise KinsError(f"{path}: is {found[1]} x {found[0]} pixels, its annotation says {size[1]} x {size[0]}")
        pixels = _grey(picture, path) if picture.mode[0] in "IF" else _colour(picture)
        return np.ascontiguousarray(_turned(pixels, turn))


def read_labels(path: str | Path) -> npt.NDArray[np.integer[Any]]:
    """(height, width) the numbers of a picture that stands for a table: indices of a palette, or grey as it is.

    Raises:
        KinsError: as `read_picture`, and for any kind but PNG, and for colours.
    """
    with _opened(path) as picture:
        PIXELS.check(picture.width * picture.height, path)
        if picture.format != "PNG" or picture.mode not in ("1", "L", "P", "I", "I;16"):
            raise KinsError(
                f"{path}: is a {picture.format} of mode {picture.mode}; numbers are a PNG, grey or with a palette"
            )
        return np.asarray(picture).astype(np.int32)


def picture_size(path: str | Path, content: bytes | None = None) -> tuple[int, int]:
    """(height, width) of a picture as `read_picture` returns it, from the file's header alone. Raises KinsError.

    Args:
        content: the picture, where it is within a file and not a file of its own.
    """
    with _opened(path, content) as picture:
        return _size(picture, _orientation(picture))


@contextmanager
def _opened(path: str | Path, content: bytes | None = None) -> Iterator[PIL.Image.Image]:
    """An open picture; whatever goes wrong within the `with` becomes a KinsError."""
    import PIL.Image

    try:
        if content is None:
            check_regular(path)
        with warnings.catch_warnings(), open(path, "rb") if content is None else io.BytesIO(content) as file:
            warnings.simplefilter("ignore")
            try:
                picture = PIL.Image.open(file, formats=FORMATS)
            except PIL.UnidentifiedImageError:
                file.seek(0)
                raise KinsError(f"{path}: can't be read as an image ({_content(file.read(512))})") from None
            with picture:
                yield picture
    except KinsError:
        raise
    except FileNotFoundError:
        raise KinsError(f"{path}: no such image; check the image folder") from None
    except PIL.Image.DecompressionBombError:
        raise KinsError(f"{path}: has more pixels than a picture of any use; scale it down") from None
    except Exception as error:  # decoders raise nearly anything on damaged data
        raise KinsError(f"{path}: can't be read as an image ({reason(error)})") from None


def _content(head: bytes) -> str:
    """What a file is that no decoder takes, by its first bytes."""
    kinds = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
    name = next((name for signature, name in SIGNATURES if head.startswith(signature)), None)
    if head[4:8] == b"ftyp":
        name = {b"avif": "AVIF", b"avis": "AVIF"}.get(head[8:12], "HEIC or a film")
    elif name is None and b"<svg" in head:
        name = "SVG"
    if name in FORMATS:
        return f"{name}, but damaged or of an unusual kind"
    return f"it is {name}, not {kinds}" if name else f"it is not {kinds}"


def _orientation(picture: PIL.Image.Image) -> int:
    """The way to turn the pixels that the decoder gives: 1 (as they are) to 8, as EXIF numbers them."""
    import PIL.Image

    if picture.format == "TIFF":
        if hasattr(picture, "tag_v2") and picture.tag_v2.get(274, 1) != 1:
            picture.load()  # the decoder turns these itself
        return 1
    try:
        turn: Any = PIL.Image.Image.getexif(picture).get(274)  # PNG's own method would decode all pixels for it
    except Exception:  # damaged EXIF is no reason to refuse a picture
        return 1
    return int(turn) if turn in range(1, 9) else 1


def _size(picture: PIL.Image.Image, turn: int) -> tuple[int, int]:
    return (picture.width, picture.height) if turn >= 5 else (picture.height, picture.width)


def _turned(pixels: npt.NDArray[np.uint8], turn: int) -> npt.NDArray[np.uint8]:
    if turn in (2, 3, 7, 8):
        pixels = pixels[:, ::-1]
    if turn in (3, 4, 6, 7):
        pixels = pixels[::-1]
    return pixels.swapaxes(0, 1) if turn >= 5 else pixels


def _colour(picture: PIL.Image.Image) -> npt.NDArray[np.uint8]:
    import PIL.Image

    if picture.has_transparency_data:
        below = PIL.Image.new("RGBA", picture.size, "white")
        picture = PIL.Image.alpha_composite(below, picture.convert("RGBA"))
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"), np.uint8)


def _grey(picture: PIL.Image.Image, path: str | Path) -> npt.NDArray[np.uint8]:
    """Grey of over 8 bits. Only 12 bits are stated in a way to rely on; 32 bits hold numbers of 16 in practice."""
    values = np.asarray(picture)
    tags = getattr(picture, "tag_v2", {})
    white = 4095 if tags.get(258) == (12,) else WHITE
    if picture.mode == "F" or values.min() < 0 or values.max() > WHITE:
        raise KinsError(f"{path}: its numbers are not of 8 or 16 bits, so that white is unknown; convert it to these")
    scaled = ((values.astype(np.uint32) * 255 + white // 2) // white).astype(np.uint8)
    if tags.get(262) == 0:  # white is zero
        scaled = 255 - scaled
    if isinstance(clear := picture.info.get("transparency"), int):
        scaled[values == clear] = 255
    return np.repeat(scaled[..., None], 3, axis=2)
