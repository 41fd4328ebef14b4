"""Which instances of a crowded image are drawn: the largest ones, and a line that says so."""

from __future__ import annotations

import numpy as np

from kins.limits import DRAWN_PIXELS, Limit
from kins.masks import rasterise
from kins.records import Scene


def largest(scene: Scene, limit: Limit, scale: float = 1.0) -> tuple[Scene, list[int], str]:
    """The scene with as many instances as are drawn.

    Args:
        limit: how many these are at most.
        scale: enlargement: how many pixels their boxes may have together is limited, too.

    Returns:
        The scene, the indices of its instances in the given one, rising, and what was left out, '' if nothing was.
    """
    if len(scene) <= min(limit.value, 16):  # sixteen times a picture is no burden
        return scene, list(range(len(scene))), ""
    rasterise([mask for instance in scene for mask in (instance.amodal, instance.inmodal)])
    boxes = np.array([(0, 0, 0, 0) if i.whole is None else i.whole.box for i in scene]).reshape(-1, 4)
    pixels = (boxes[:, 2] * scale + 4) * (boxes[:, 3] * scale + 4)
    areas = np.array([0 if i.whole is None else i.whole.area for i in scene])
    order = np.argsort(-areas, kind="stable")
    fitting = np.cumsum(pixels[order]) <= max(DRAWN_PIXELS.value, pixels.max(initial=0))
    chosen = sorted(order[fitting][: limit.value].tolist())
    if len(chosen) == len(scene):
        return scene, chosen, ""
    limits = limit.variable if limit.value <= fitting.sum() else DRAWN_PIXELS.variable
    note = f"the {len(chosen)} largest of {len(scene)} instances; {limits} allows more"
    return scene.replace(instances=tuple(scene[index] for index in chosen)), chosen, note
