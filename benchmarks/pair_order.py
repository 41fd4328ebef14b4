"""Who is in front: an order network beside rules that look at the masks alone, on pairs of unseen scenes.

    python benchmarks/pair_order.py streets/test.json streets/testing/image_2 RUN_OR_WEIGHTS...

The true visible masks are given, or these eroded or dilated by two pixels. Figures are the shares of pairs whose
relation is right (kins.train.validation.pairs_right): of those of which one hides part of the other, and of all that
touch.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence

import numpy as np

import kins
from kins.complete import METHODS, Completer, PairOrder
from kins.masks import Mask, grown
from kins.records import Scene
from kins.train.validation import Signs, pairs_right

CHANGES: dict[str, Callable[[Mask], Mask]] = {
    "true": lambda mask: mask,
    "eroded": lambda mask: mask - grown(~mask, 2),
    "dilated": lambda mask: grown(mask, 2),
}


def larger(scene: Scene) -> Signs:
    """The larger visible part is in front."""
    return _signs([i.require("inmodal").area for i in scene])


def lower(scene: Scene) -> Signs:
    """The one that reaches further down in the picture is in front."""
    return _signs([i.require("inmodal").box[1] + i.require("inmodal").box[3] for i in scene])


def _signs(values: Sequence[float]) -> Signs:
    return np.sign(np.subtract.outer(np.array(values), np.array(values))).astype(np.int64)


def by_masks(method: str) -> Callable[[Scene], Signs]:
    """The order that follows from masks completed in this way."""
    completer = Completer(METHODS[method], False) if method in METHODS else Completer.load(method)

    def told(scene: Scene) -> Signs:
        return completer(None, scene).occlusion().matrix().astype(np.int64)

    return told


def network(weights: str) -> Callable[[Scene], Signs]:
    """What a network says."""
    order = PairOrder.load(weights)
    return lambda scene: order.scene(scene).matrix().astype(np.int64)


def changed(told: Callable[[Scene], Signs], change: Callable[[Mask], Mask]) -> Callable[[Scene], Signs]:
    """The same, told of scenes with changed visible masks alone; true masks where nothing would be left."""

    def given(scene: Scene) -> Signs:
        masks = [change(mask) or mask for mask in scene.masks("inmodal")]
        seen = (i.replace(amodal=None, inmodal=mask) for i, mask in zip(scene, masks, strict=True))
        return told(scene.replace(instances=tuple(seen)))

    return given


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("annotations")
    parser.add_argument("images")
    parser.add_argument("weights", nargs="*")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    dataset = kins.load(args.annotations, images=args.images)
    ways = {"larger": larger, "lower": lower, "convex": by_masks("convex"), "completion": by_masks("completion")}
    ways |= {weights: network(weights) for weights in args.weights}
    rows = {
        f"{name}, {change}": pairs_right(dataset, changed(told, CHANGES[change]))
        for name, told in ways.items()
        for change in CHANGES
    }
    if args.json:
        print(json.dumps(rows))
        return
    for name, figures in rows.items():
        print(f"{name:40s} {figures['occluded']:6.1f} of occluded pairs, {figures['bordering']:6.1f} of all that touch")


if __name__ == "__main__":
    main()
