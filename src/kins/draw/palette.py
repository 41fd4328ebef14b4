"""The colours of pictures and charts: those of Okabe and Ito (Color Universal Design, 2008), which colour-blind readers
can tell apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Color = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""
Rgb = npt.NDArray[np.uint8]
"""(height, width, 3) picture."""

SKY, ORANGE, GREEN, YELLOW = (86, 180, 233), (230, 159, 0), (0, 158, 115), (240, 228, 66)
VERMILION, PINK, BLUE = (213, 94, 0), (204, 121, 167), (0, 114, 178)
DARK: Color = (24, 24, 24)
COLORS: tuple[Color, ...] = (SKY, ORANGE, GREEN, YELLOW, VERMILION, PINK, BLUE)
"""Of instances on pictures, of which the bright ones are seen best."""


def web(color: Color) -> str:
    """As HTML, SVG and matplotlib write it: #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*color)


SERIES = tuple(web(color) for color in (BLUE, VERMILION, GREEN, PINK, ORANGE, SKY, (107, 107, 107)))
"""Of lines and bars on white, of which the dark ones are seen best."""
LEVELS = ("#bfd9ea", "#5ba3cf", "#08519c")
"""From less to more."""
