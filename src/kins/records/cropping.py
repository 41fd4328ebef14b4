"""Scenes as a window shows them: masks cut on run lengths."""

from __future__ import annotations

import dataclasses
from pathlib import PurePosixPath

from kins.errors import KinsError
from kins.masks import Box
from kins.records.instance import Image, Instance
from kins.records.scene import Scene

Window = tuple[int, int, int, int]


def window_in(image: Image, window: Window) -> Window | None:
    """The part of a window (x, y, width, height) that lies in an image; None if there is none.

    Raises KinsError for a window without pixels.
    """
    x, y, width, height = window
    if width < 1 or height < 1:
        raise KinsError(f"a window of {width} x {height} pixels shows nothing")
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + width, image.width), min(y + height, image.height)
    return (left, top, right - left, bottom - top) if left < right and top < bottom else None


def cropped_image(image: Image, window: Window, suffix: str | None = None) -> Image | None:
    """With the size of what the window shows, and a name of another suffix; None if it shows nothing."""
    inside = window_in(image, window)
    if inside is None:
        return None
    name = image.file_name if suffix is None else str(PurePosixPath(image.file_name).with_suffix(suffix))
    return dataclasses.replace(image, file_name=name, width=inside[2], height=inside[3])


def cropped(scene: Scene, window: Window, least: int) -> Scene:
    """What a window that meets the image shows of it: see Dataset.crop."""
    inside, image = window_in(scene.image, window), cropped_image(scene.image, window)
    assert inside is not None
    assert image is not None
    found = []
    for instance in scene.clipped():
        new = _cropped(instance, inside)
        if new.whole is None or new.whole.area >= least:
            found.append(new)
    return scene.replace(image=image, instances=tuple(found))


def _cropped(instance: Instance, window: Window) -> Instance:
    kinds = ("amodal", "inmodal")
    masks = {kind: mask.cropped(*window) for kind in kinds if (mask := getattr(instance, kind)) is not None}
    sizes: dict[str, Box | None] = {f"{kind}_{field}": None for kind in masks for field in ("box", "area")}
    for name in ("amodal_box", "inmodal_box"):  # stated without a mask
        if name not in sizes and (box := getattr(instance, name)) is not None:
            sizes[name] = _cut_box(box, window)
    return instance.replace(**masks, **sizes)


def _cut_box(box: Box, window: Window) -> Box:
    low = [min(max(value - start, 0), size) for value, start, size in zip(box[:2], window[:2], window[2:], strict=True)]
    ends = (box[0] + box[2], box[1] + box[3])
    high = [min(max(value - start, 0), size) for value, start, size in zip(ends, window[:2], window[2:], strict=True)]
    return low[0], low[1], high[0] - low[0], high[1] - low[1]
