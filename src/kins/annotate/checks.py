"""What operations from outside must be like."""

from __future__ import annotations

import re
from typing import Any

from kins.annotate.operations import KINDS, UNIT, Frame, Operation, Origin, RefusedError, Ring, decoded
from kins.masks import MAX_COORDINATE

MOST_OPERATIONS = 100
"""Of a batch."""
MOST_POINTS, MOST_RINGS = 10_000, 1_000
"""Points of a ring, rings of an object."""
REACH = 4
"""Coordinates lie within so many widths or heights of the image."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def check(operation: Operation, frame: Frame) -> None:
    """Raises RefusedError for an operation from outside that is malformed, too large or of things not there."""
    _check_id(operation.id, "operation")
    if not all(0 <= number < 2**53 for number in (operation.time, operation.pause)):
        raise RefusedError("malformed", "time and pause are milliseconds, 0 or more")
    if operation.kind == "undo":
        if set(operation.payload) != {"of"} or not isinstance(operation.payload["of"], str):
            raise RefusedError("malformed", "an undo names the operation: of")
        return
    if operation.kind not in KINDS or operation.kind == "import":
        raise RefusedError("malformed", f"no kind of operation {operation.kind[:40]!r}")
    given: Any = decoded(operation, KINDS[operation.kind][0])
    for name in ("object", "exception", "nearer", "farther"):
        if hasattr(given, name):
            _check_id(getattr(given, name), name)
    if hasattr(given, "rings"):
        check_rings(given.rings, frame)
    if hasattr(given, "points"):
        _check_points(given.points, frame)
    category = getattr(given, "category", None)
    if category is not None and category not in frame.categories:
        raise RefusedError("no-category", f"there is no category {category}")
    if getattr(given, "proposal", None) is not None and given.proposal not in frame.proposals:
        raise RefusedError("no-proposal", f"there is no proposal {given.proposal} of this image")
    _check_origin(getattr(given, "origin", Origin()), frame)


def check_rings(rings: tuple[Ring, ...], frame: Frame) -> None:
    """Raises RefusedError unless these are the outlines of an object."""
    if not rings or len(rings) > MOST_RINGS or all(ring.hole for ring in rings):
        raise RefusedError("malformed", f"an object has 1 to {MOST_RINGS} rings, not all of them holes")
    for ring in rings:
        _check_points(ring.points, frame)


def _check_points(points: tuple[int, ...], frame: Frame) -> None:
    if len(points) % 2 or not 6 <= len(points) <= 2 * MOST_POINTS:
        raise RefusedError("malformed", f"a ring has 3 to {MOST_POINTS} points, x and y of each")
    for numbers, size in ((points[::2], frame.width), (points[1::2], frame.height)):
        farthest = min(REACH * size, int(MAX_COORDINATE)) * UNIT
        if max(numbers) > farthest or min(numbers) < -farthest:
            raise RefusedError("outside", f"a point lies farther away than {REACH} times the image's size")


def _check_origin(origin: Origin, frame: Frame) -> None:
    if origin.proposal is not None and origin.proposal not in frame.proposals:
        raise RefusedError("no-proposal", f"there is no proposal {origin.proposal} of this image")
    if origin.iou is not None and not 0 <= origin.iou <= 1:
        raise RefusedError("malformed", "an IoU lies between 0 and 1")


def _check_id(text: str, what: str) -> None:
    if not _UUID.fullmatch(text):
        raise RefusedError("malformed", f"the id of the {what} is no UUID in small letters")
