"""How much is accepted, and why: what bounds the time and the memory that a file from a stranger can take.

Everything else is bounded by the size of the files and of the pictures that they name. An environment variable raises
a limit, or lowers it: `KINS_MAX_INSTANCES=50000 kins order ...`. The fixed ones (`variable` is None) are those of the
arithmetic behind them.

Example:
    >>> kins.limits.INSTANCES.value, kins.limits.INSTANCES.variable
    (20000, 'KINS_MAX_INSTANCES')
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from kins.errors import KinsError


@dataclass(frozen=True)
class Limit:
    """One limit.

    Attributes:
        what: is counted, as in "32 instances in an image".
        default: the most that is accepted.
        reason: for it.
        name: of the environment variable behind `KINS_MAX_`; none where the limit is fixed.
        ceiling: the most that the variable may say.
    """

    what: str
    default: int
    reason: str
    name: str = ""
    ceiling: int = 2**62

    @property
    def variable(self) -> str | None:
        """The environment variable that changes it."""
        return f"KINS_MAX_{self.name}" if self.name else None

    @property
    def value(self) -> int:
        """The most that is accepted now. Raises KinsError where the environment says no such number."""
        text = os.environ.get(self.variable) if self.variable else None
        if text is None:
            return self.default
        if not re.fullmatch(r"[0-9]{1,19}", text) or not 1 <= int(text) <= self.ceiling:
            raise KinsError(f"{self.variable}: {text[:40]!r} is not a whole number from 1 to {self.ceiling}")
        return int(text)

    def passed(self, count: int | None = None) -> str:
        """The end of a message: what is too much, and what to do."""
        found = self.what if count is None else f"{count} {self.what}"
        advice = f"; {self.variable} allows more" if self.variable else ""
        return f"{found}, more than the {self.value} that are accepted{advice}"

    def check(self, count: int, where: object) -> None:
        """Raises KinsError, naming the place, for more than are accepted."""
        if count > self.value:
            raise KinsError(f"{where}: has {self.passed(count)}")


PIXELS = Limit(
    "pixels in a picture",
    2**28,
    "16,384 x 16,384: a full-size array of it still fits into memory; spans of pixels are counted in 30 bits",
    "PIXELS",
    2**30 - 1,
)
COORDINATE = Limit("pixels from the image's corner", 10**5, "the arithmetic of the fill overflows far beyond")
NESTING = Limit(
    "lists and objects in each other",
    100,
    "in fields without a name, which are kept and written again: Python ends deeper values with a RecursionError",
)
ID = Limit("as a number that identifies something", 2**63 - 1, "ids are compared as numbers of 64 bits")
POINTS = Limit("points in a polygon", 10**6, "the outline of the largest picture, twenty times", "POINTS")
POLYGONS = Limit("polygons in a mask", 10**5, "a cloud of leaves has hundreds", "POLYGONS")
FILL = Limit(
    "columns of pixels crossed by a mask's polygons",
    2**24,
    "4,000 polygons as large as a street photo; 0.3 GB and a third of a second each mask",
    "FILL",
)
FILL_TOGETHER = Limit(
    "columns of pixels crossed by the polygons of masks that are drawn together",
    2**28,
    "those of an image, or of 64 images in an evaluation: 1 GB",
    "FILL_TOGETHER",
)
INSTANCES = Limit(
    "instances in an image",
    20_000,
    "a thousand times what a street has; their order takes seconds where few overlap",
    "INSTANCES",
)
PAIRS = Limit(
    "pairs of instances whose boxes overlap",
    2**21,
    "2,000 instances that all overlap, or 20,000 of which each meets 200 others: 1 GB",
    "PAIRS",
)
COMPARED = Limit(
    "spans of pixels to compare in pairs of instances",
    2**33,
    "about ten seconds",
    "COMPARED",
)
CYCLES = Limit(
    "cycles of instances that hide each other",
    1000,
    "masks of real objects have one in some images; more are no order, and take long to break",
    "CYCLES",
)
DRAWN = Limit("instances in a picture", 1000, "more can't be told apart; the largest ones are drawn", "DRAWN")
GRAPH = Limit(
    "instances in a graph of who hides whom",
    100,
    "the arrows of more can't be followed; the largest ones are drawn",
    "GRAPH",
)
DRAWN_PIXELS = Limit(
    "pixels of the instances in a picture",
    2**26,
    "60 as large as the picture; the largest ones are drawn",
    "DRAWN_PIXELS",
)
CATEGORIES = Limit(
    "categories to evaluate",
    10_000,
    "eight times LVIS's; curves take 25 kB and 3 milliseconds each",
    "CATEGORIES",
)
CLASSES = Limit(
    "categories in a chart or a table of a report",
    100,
    "charts of more can't be read; those with the most instances are shown",
    "CLASSES",
)
UPLOAD = Limit(
    "bytes in a picture that is sent to kins annotate",
    50 * 2**20,
    "ten times a photograph; it is held in memory",
    "UPLOAD",
)
UPLOAD_PIXELS = Limit(
    "pixels in a picture that is sent to kins annotate",
    100_000_000,
    "as large as browsers show; decoding it takes a second and 0.3 GB",
    "UPLOAD_PIXELS",
    PIXELS.ceiling,
)
PROPOSALS = Limit(
    "bytes in a file of proposals that is sent to kins annotate",
    100 * 2**20,
    "run lengths of 20,000 images; it is held in memory, and read by kins's own readers within the other limits",
    "PROPOSALS",
)
SETTING = Limit("as a number in a configuration", 10**9, "no training has more steps or minutes")
HEADER = Limit("bytes in the header of weights", 2**24, "a hundred times that of the largest network")

LIMITS = (
    *(PIXELS, COORDINATE, NESTING, ID, POINTS, POLYGONS, FILL, FILL_TOGETHER, INSTANCES, PAIRS, COMPARED, CYCLES),
    *(DRAWN, GRAPH, DRAWN_PIXELS, CATEGORIES, CLASSES, UPLOAD, UPLOAD_PIXELS, PROPOSALS),
    *(SETTING, HEADER),
)
"""All of them."""
