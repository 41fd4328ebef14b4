"""Mask completion, method by method: IoU of whole objects and of their hidden parts, with true and disturbed input.

usage: python benchmarks/completion.py ANNOTATIONS... [--images DIR] [--with METHOD ...] [--most 100]

The true visible masks of each image go in, or the same eroded and dilated by three pixels, or with a third of the
instances missing. Counted are instances that are hidden by at least 1 %, at least 300 pixels large; means over these.
Stored orders are not used.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageFilter

import kins
from kins import Completer, Instance, Mask, Scene

Disturb = Callable[[Scene], Scene]


def filtered(mask: Mask, change: PIL.ImageFilter.Filter) -> Mask:
    picture = PIL.Image.fromarray(mask.to_array().view(np.uint8) * np.uint8(255))
    return Mask.from_array(np.asarray(picture.filter(change)) > 127)


def each(change: PIL.ImageFilter.Filter) -> Disturb:
    """Every visible mask changed; one that would vanish stays."""

    def disturb(scene: Scene) -> Scene:
        changed = [(i, filtered(i.inmodal, change)) for i in scene]
        return scene.replace(instances=tuple(i.replace(inmodal=m) if m else i for i, m in changed))

    return disturb


def whole(scene: Scene) -> Scene:
    return scene


INPUTS: dict[str, Disturb] = {
    "true": whole,
    "eroded": each(PIL.ImageFilter.MinFilter(7)),
    "dilated": each(PIL.ImageFilter.MaxFilter(7)),
}


def blind(scene: Scene) -> Scene:
    """Without amodal masks and boxes, and without order."""
    unknown = dict.fromkeys(("amodal", "amodal_box", "amodal_area", "order", "cluster"))
    return scene.replace(instances=tuple(i.replace(**unknown) for i in scene))


def without_a_third(scene: Scene, kept: Instance) -> Scene:
    """A third of the instances left out, never the one that is looked at."""
    chosen = [i for n, i in enumerate(scene) if i is kept or n % 3]
    return scene.replace(instances=tuple(chosen))


def scores(scenes: Sequence[Scene], completer: Completer, disturb: Disturb, missing: bool) -> list[tuple[float, float]]:
    """IoU of each object, whole, and of its hidden part."""
    found = []
    for scene in scenes:
        counted = [i for i in scene if i.occlusion_rate >= 0.01 and i.require("amodal").area >= 300]
        given = blind(disturb(scene))
        done = {i.id: i for i in completer.scene(given)} if not missing else {}
        for truth in counted:
            if missing:
                own = next(i for i in given if i.id == truth.id)
                done = {i.id: i for i in completer.scene(without_a_third(given, own))}
            guess = done[truth.id].require("amodal")
            found.append((truth.require("amodal").iou(guess), truth.hidden.iou(guess - truth.require("inmodal"))))
    return found


def figures(scenes: Sequence[Scene], completer: Completer, disturb: Disturb, missing: bool) -> tuple[float, float, int]:
    """Mean IoU of the whole objects and of the hidden parts, and how many objects."""
    found = scores(scenes, completer, disturb, missing)
    whole, hidden = np.mean(found, axis=0).tolist()
    return whole, hidden, len(found)


def main() -> None:
    """Print a row for each method and input."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("annotations", type=Path, nargs="+")
    parser.add_argument("--images", type=Path)
    parser.add_argument(
        "--with", dest="methods", nargs="+", default=["visible", "convex", "convex-order", "completion"]
    )
    parser.add_argument("--most", type=int, default=100, help="images of each file")
    arguments = parser.parse_args()
    files = [kins.load(path, images=arguments.images) for path in arguments.annotations]
    scenes = [scene for dataset in files for scene in itertools.islice(dataset, arguments.most) if len(scene)]
    for method in arguments.methods:
        completer = Completer.load(method)
        for name, disturb in INPUTS.items():
            print(f"{method:14} {name:8} whole %.3f hidden %.3f (%d)" % figures(scenes, completer, disturb, False))
        print(f"{method:14} a third missing whole %.3f hidden %.3f (%d)" % figures(scenes, completer, whole, True))


if __name__ == "__main__":
    main()
