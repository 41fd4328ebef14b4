"""One order for all detections of a picture: what lies in front of a detection hides the part of it that it covers.

A network sees each region alone, and so may call the pixels where two objects meet visible in both, or in neither. Here
each pair is decided, the one behind loses what the whole mask of the one in front covers, and all that meet are put in
one sequence, from near to far.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from kins.masks import Mask, intersections, union
from kins.occlusion.ranking import components
from kins.records import Instance, Scene

LEAST, AS_SURE = (0.3, 0.2), (0.7, 0.5)
"""Score from which a detection hides others, and share of the score of the one that it hides that it has at least;
where own inmodal masks are kept, and with layers."""
SAME = 0.4
"""IoU of amodal masks from which two detections may be of one object: neither hides the other."""
UNSEEN = 0.1
"""Share of a whole mask that its own inmodal mask leaves out from which something that was not found hides it."""


def one_order(scene: Scene, lower: float = 1.0, layers: bool = False) -> Scene:
    """Detections' inmodal masks without what others in front of them cover, and cluster and order of each.

    Of two whose amodal masks overlap, that one is in front of which more of the overlap is visible by its own masks;
    where they stand on one ground, what reaches further down in the picture is nearer, which counts, too.

    Args:
        scene: detections with both masks and scores; others are left as they are.
        lower: what it counts for: as many shares of the overlap as the lower edges' distance has heights of the smaller
            of the two; 0: masks alone.
        layers: the inmodal mask is all of the whole that those in front don't cover, whatever the detection's own says;
            where nobody is in front, its own, if that leaves out so much that something unseen must be (UNSEEN).

    Example:
        >>> far = kins.Mask.from_box((2, 2, 8, 4), 10, 20)
        >>> near = kins.Mask.from_box((6, 0, 8, 10), 10, 20)
        >>> found = [kins.Instance(k, 1, "car", mask, mask, score=0.9) for k, mask in enumerate([far, near])]
        >>> [car.inmodal.area for car in kins.predict.one_order(kins.Scene(kins.Image(1, "a.png", 10, 20), found))]
        [16, 80]
    """
    known = [k for k, i in enumerate(scene) if i.both_known and i.score is not None and i.require("amodal")]
    instances = list(scene.instances)
    found = [instances[k] for k in known]
    before = in_front(found, lower, layers)
    bottoms, clusters = [i.require("amodal").box[1] + i.require("amodal").box[3] for i in found], together(found)
    ranks = sequence(before, bottoms)
    for row, k in enumerate(known):
        front = [found[other].require("amodal") for other in np.flatnonzero(before[:, row])]
        seen = top_layer(found[row], bool(front)) if layers else found[row].require("inmodal")
        if front:
            seen = seen - union(front, scene.image.height, scene.image.width)
        instances[k] = instances[k].replace(inmodal=seen, cluster=int(clusters[row]), order=ranks[row])
    return scene.replace(instances=tuple(instances))


def top_layer(instance: Instance, behind: bool) -> Mask:
    """What is visible if nothing that was found is in front; `behind`: something is."""
    whole, seen = instance.require("amodal"), instance.require("inmodal")
    return whole if behind or (whole - seen).area < UNSEEN * whole.area else seen


def in_front(found: Sequence[Instance], lower: float, layers: bool = False) -> npt.NDArray[np.bool_]:
    """(N, N), whether the first hides the second where their amodal masks overlap."""
    whole, seen = ([i.require(name) for i in found] for name in ("amodal", "inmodal"))
    common, visible = intersections(whole, whole), intersections(seen, whole)
    areas, boxes = np.diag(common), np.array([mask.box for mask in whole], float).reshape(-1, 4)
    bottoms, heights = boxes[:, 1] + boxes[:, 3], boxes[:, 3]
    down = (bottoms[:, None] - bottoms) / np.maximum(1, np.minimum(heights[:, None], heights))
    nearer = (visible - visible.T) / np.maximum(1, common) + lower * down
    two = (common > 0) & (common < SAME * (areas[:, None] + areas - common))
    scores = np.array([i.score for i in found], float)
    sure = scores[:, None] >= np.maximum(LEAST[layers], AS_SURE[layers] * scores)
    before: npt.NDArray[np.bool_] = (nearer > 0) & two & sure
    return before


def together(found: Sequence[Instance]) -> npt.NDArray[np.int64]:
    """(N,) clusters: detections whose amodal boxes meet, directly or through others."""
    boxes = np.array([i.require("amodal").box for i in found], float).reshape(-1, 4)
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    first, second = np.nonzero((low[:, None] <= high).all(2) & (low <= high[:, None]).all(2))
    return components(len(found), first, second)


def sequence(before: npt.NDArray[np.bool_], bottoms: Sequence[float]) -> list[int]:
    """(N,) places from near to far: nothing comes before what hides it, else what reaches further down comes first.

    Where things hide each other in a circle, the one of them that reaches furthest down comes first.
    """
    left = before.sum(0)
    ready = [(-bottom, k) for k, bottom in enumerate(bottoms) if not left[k]]
    heapq.heapify(ready)
    waiting = sorted(range(len(bottoms)), key=lambda k: -bottoms[k])
    places: dict[int, int] = {}
    while len(places) < len(bottoms):
        k = heapq.heappop(ready)[1] if ready else next(k for k in waiting if k not in places)
        if k in places:
            continue
        places[k] = len(places)
        for other in np.flatnonzero(before[k]).tolist():
            left[other] -= 1
            if not left[other] and other not in places:
                heapq.heappush(ready, (-bottoms[other], other))
    return [places[k] for k in range(len(bottoms))]
