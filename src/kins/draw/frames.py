"""Objects that are boxes alone, drawn as the frames of their boxes."""

from __future__ import annotations

from kins.masks import MAX_COORDINATE, Mask
from kins.records import Instance, Scene


def framed(scene: Scene) -> Scene:
    """With the frame of its box, a pixel wide, in place of the mask of each object that has none."""
    if all(instance.whole is not None for instance in scene):
        return scene
    height, width = scene.image.height, scene.image.width
    return scene.replace(instances=tuple(_framed(instance, height, width) for instance in scene))


def _framed(instance: Instance, height: int, width: int) -> Instance:
    box = instance.inmodal_box if instance.amodal_box is None else instance.amodal_box
    if instance.whole is not None or box is None or not all(abs(number) <= MAX_COORDINATE for number in box):
        return instance
    x, y, columns, rows = Mask.from_box(box, height, width).box
    if columns < 3 or rows < 3:
        return instance.replace(inmodal=Mask.from_box(box, height, width))
    inner = Mask.from_box((x + 1, y + 1, columns - 2, rows - 2), height, width)
    return instance.replace(inmodal=Mask.from_box(box, height, width) - inner)
