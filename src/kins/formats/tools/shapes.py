"""Masks of the shapes that annotation tools have: outlines, boxes, ellipses, and patches of pixels.

Outlines are filled by COCO's rule, as everywhere in kins, so that one outline has one mask; ellipses have the pixels
whose middles are inside.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.masks import MAX_COORDINATE, Mask

Point = tuple[float, float]


def outline(points: Sequence[float], height: int, width: int, where: object) -> Mask:
    """From x and y in turn, at least three points; checked when first used."""
    return Mask(height, width, None, [list(points)], where)


def box_points(x0: float, y0: float, x1: float, y1: float) -> list[float]:
    """The outline of a box with sides parallel to the image's, of two opposite corners."""
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def turned(points: Sequence[float], degrees: float, about: Point) -> list[float]:
    """An outline turned clockwise, as seen in the image."""
    if not degrees:
        return list(points)
    angle = math.radians(degrees)
    cosine, sine = math.cos(angle), math.sin(angle)
    found: list[float] = []
    for x, y in zip(points[::2], points[1::2], strict=True):
        dx, dy = x - about[0], y - about[1]
        found += [about[0] + cosine * dx - sine * dy, about[1] + sine * dx + cosine * dy]
    return [round(number, 6) for number in found]


def ellipse(
    centre: Point, radii: tuple[float, float], height: int, width: int, degrees: float = 0, where: object = ""
) -> Mask:
    """From centre and half axes in pixels, turned clockwise about the centre. Raises KinsError for unusable numbers."""
    (x, y), (a, b) = centre, radii
    if not all(abs(number) <= MAX_COORDINATE for number in (x, y, a, b)) or not math.isfinite(degrees):
        raise KinsError(f"{where}: has numbers that are not finite, or far outside of any image")
    if a <= 0 or b <= 0:
        return Mask.empty(height, width)
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    dx = np.arange(width) + 0.5 - x  # of each column's middle; its rows are between the roots of a quadratic equation
    two = sine**2 / a**2 + cosine**2 / b**2
    one = dx * sine * cosine * (1 / a**2 - 1 / b**2)
    none = dx**2 * (cosine**2 / a**2 + sine**2 / b**2) - 1
    inside = one**2 - two * none
    columns = np.flatnonzero(inside >= 0)
    half = np.sqrt(inside[columns]) / two
    middle = y - one[columns] / two
    tops = np.clip(np.ceil(middle - half - 0.5), 0, height).astype(np.int64)
    ends = np.clip(np.floor(middle + half - 0.5) + 1, 0, height).astype(np.int64)
    kept = ends > tops
    return Mask.from_segments(np.stack([columns, tops, ends], 1)[kept], height, width)


def patch(pixels: npt.NDArray[np.bool_], left: int, top: int, height: int, width: int) -> Mask:
    """A patch of pixels laid on the image with its first pixel at (left, top), clipped at the image."""
    x, y = max(0, -left), max(0, -top)
    pixels = pixels[y : max(y, height - top), x : max(x, width - left)]
    if not pixels.size:
        return Mask.empty(height, width)
    padded = np.zeros((pixels.shape[1], pixels.shape[0] + 2), np.int8)
    padded[:, 1:-1] = pixels.T
    change = np.diff(padded, axis=1)
    column, first = np.nonzero(change == 1)
    last = np.nonzero(change == -1)[1]
    x, y = max(left, 0), max(top, 0)
    return Mask.from_segments(np.stack([column + x, first + y, last + y], 1), height, width)


def cut_out(mask: Mask) -> tuple[npt.NDArray[np.bool_], int, int]:
    """The pixels within a mask's box, which has at least one, and the box's left and top."""
    x, y, width, height = map(int, mask.box)
    return mask.cropped(x, y, width, height).to_array(), x, y


def read_png(text: str, most: int, where: object) -> npt.NDArray[np.bool_]:
    """(height, width) the pixels that are not 0 of a PNG in base64, of at most so many. Raises KinsError."""
    import PIL.Image

    try:
        content = base64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error is one, too
        raise KinsError(f"{where}: is not base64") from None
    try:
        with PIL.Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            if picture.width * picture.height > most:
                raise KinsError(f"{where}: has {picture.width} x {picture.height} pixels, more than its image")
            pixels = np.asarray(picture)
    except KinsError:
        raise
    except Exception as error:  # decoders raise nearly anything on damaged data
        raise KinsError(f"{where}: can't be read as a PNG ({' '.join(str(error).split())[:80]})") from None
    return np.asarray(pixels[..., :3].any(axis=2) if pixels.ndim == 3 else pixels != 0)


def write_png(pixels: npt.NDArray[np.bool_]) -> str:
    """A PNG in base64 with 255 where the mask is, else 0."""
    import PIL.Image

    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels.astype(np.uint8) * 255).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()
