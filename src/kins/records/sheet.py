"""Pictures for notebooks: several on one sheet, one as HTML."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import PIL.Image

GAP = 8
"""Pixels between the pictures of a sheet."""


def sheet(pictures: Sequence[PIL.Image.Image], width: int) -> PIL.Image.Image:
    """Pictures of so many pixels in width side by side, in about as many rows as columns."""
    import PIL.Image

    columns = max(1, math.ceil(math.sqrt(len(pictures))))
    rows = [pictures[start : start + columns] for start in range(0, len(pictures), columns)]
    heights = [max(picture.height for picture in row) + GAP for row in rows]
    whole = PIL.Image.new("RGB", (columns * (width + GAP) + GAP, sum(heights) + GAP), "white")
    y = GAP
    for row, height in zip(rows, heights, strict=True):
        for column, picture in enumerate(row):
            whole.paste(picture, (GAP + column * (width + GAP), y))
        y += height
    return whole


def html_picture(picture: PIL.Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=82)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img style="max-width: 100%" src="data:image/webp;base64,{data}">'
