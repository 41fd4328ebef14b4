"""COCO's greedy matching, for all images, classes and thresholds at once.

Detections of one image and class take, in the sequence of their scores, the free ground truth they overlap most
(Lin et al., Microsoft COCO, ECCV 2014; the rules in detail are those of pycocotools' COCOeval.evaluateImg). Only pairs
that overlap enough matter, and they fall apart into many small groups that share no instance: the k-th detection of
every group is handled in one step.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from kins.evaluation.columns import AMODAL, Bools, Floats, Ints
from kins.evaluation.overlap import Pairs

THRESHOLDS: Floats = np.linspace(0.5, 0.95, 10)
"""IoU thresholds of COCO's AP."""

SAME_OBJECT = 0.5
"""Amodal IoU from which a detection and a ground truth of one class count as the same object."""

Matches = npt.NDArray[np.int32]


@dataclasses.dataclass(slots=True)
class Plan:
    """Pairs in the sequence in which they are tried.

    Attributes:
        found, truth: (P,) row of the detection and of the ground truth.
        enough: (T, P) whether the IoU reaches each threshold.
        steps: for each place in the groups' sequence of detections, and for each choice of that detection (best IoU
            first; of equal ones the later ground truth first), a slice of the pairs.
        crowd: (G,) ground truths that any number of detections may match.
        settled: (T, D) what `match` gives, as far as no detection has a choice; the steps are those of the others.
    """

    found: Ints
    truth: Ints
    enough: Bools
    steps: list[list[slice]]
    crowd: Bools
    settled: Matches


def plan(found: Ints, truth: Ints, iou: Floats, crowd: Bools, detections: int, thresholds: Floats = THRESHOLDS) -> Plan:
    """Sort the pairs that reach a threshold into steps. Rows of detections must be in the sequence of their scores.

    Args:
        found, truth, iou: (P,) pairs.
        crowd: (G,) ground truths that any number of detections may match.
    """
    limits = np.minimum(thresholds, 1 - 1e-10)
    keep = iou >= limits.min()
    found, truth, iou = found[keep], truth[keep], iou[keep]
    group = _components(found, truth, (detections, crowd.size))[found]
    choosers = np.bincount(found, minlength=detections) > 1
    open_groups = np.zeros(detections, bool)
    open_groups[group[choosers[found]]] = True
    undecided = open_groups[group]
    settled = np.full((limits.size, detections), -1, np.int32)

    def part(rows: Bools, *last: Floats | Ints) -> Plan:
        chosen = np.flatnonzero(rows)
        chosen = chosen[np.lexsort([*(key[chosen] for key in last), found[chosen], group[chosen]])]
        place, choice = _places(group[chosen], found[chosen])
        order = np.lexsort((choice, place))
        chosen, steps = chosen[order], _steps(place[order], choice[order])
        return Plan(found[chosen], truth[chosen], iou[chosen] >= limits[:, None], steps, crowd, settled)

    settled = match(part(~undecided), crowd)
    return part(undecided, -truth, -iou)


def match(plan: Plan, ignored: Bools) -> Matches:
    """Who is matched with whom.

    Args:
        ignored: (G,) ground truths that are only taken where no other can be; crowds belong to them.

    Returns:
        (T, D) row of the ground truth matched at each threshold, or -1.
    """
    matched = plan.settled.copy()
    taken = np.zeros((len(matched), plan.crowd.size), bool)
    last = ignored[plan.truth]
    for choices in plan.steps:
        for wanted in (False, True):
            for part in choices:
                chosen = np.flatnonzero(last[part] == wanted) + part.start
                if not chosen.size:
                    continue
                found, truth = plan.found[chosen], plan.truth[chosen]
                used = taken[:, truth]
                before = matched[:, found]
                ok = plan.enough[:, chosen] & (before < 0) & (~used | plan.crowd[truth])
                matched[:, found] = np.where(ok, truth, before)
                taken[:, truth] = used | ok
    return matched


def _steps(place: Ints, choice: Ints) -> list[list[slice]]:
    """Slices of equal place and choice, by place; of arrays sorted by both."""
    if not place.size:
        return []
    bounds = np.flatnonzero((np.diff(place) != 0) | (np.diff(choice) != 0)) + 1
    starts = [0, *bounds.tolist()]
    steps: list[list[slice]] = [[] for _ in range(int(place[-1]) + 1)]
    for start, end in zip(starts, [*starts[1:], place.size], strict=True):
        steps[int(place[start])].append(slice(start, end))
    return steps


def _components(found: Ints, truth: Ints, sizes: tuple[int, int]) -> Ints:
    """(D,) the lowest detection that each one is connected with through pairs; few steps, since chains are short."""
    label = np.arange(sizes[0])
    while True:
        shared = np.full(sizes[1], sizes[0])
        np.minimum.at(shared, truth, label[found])
        lower = label.copy()
        np.minimum.at(lower, found, shared[truth])
        if (lower == label).all():
            return label
        label = lower


def _places(group: Ints, found: Ints) -> tuple[Ints, Ints]:
    """For pairs sorted by group and detection: place of the detection in its group, number of the pair within it."""
    index = np.arange(found.size)
    new_found = np.concatenate([[True], found[1:] != found[:-1]])[: found.size]
    new_group = np.concatenate([[True], group[1:] != group[:-1]])[: found.size]
    choice = index - np.maximum.accumulate(np.where(new_found, index, 0))
    count = np.cumsum(new_found) - 1
    place = count - np.maximum.accumulate(np.where(new_group, count, 0))
    return place, choice


def matched_pairs(pairs: Pairs, crowd: Bools, detections: int) -> Bools:
    """(P,) which pairs COCO's greedy matching joins at an amodal IoU of 0.5; without crowds."""
    steps = plan(pairs.found, pairs.truth, pairs.iou[AMODAL], crowd, detections, np.array([SAME_OBJECT]))
    truth = match(steps, crowd)[0]
    return np.asarray((truth[pairs.found] == pairs.truth) & ~crowd[pairs.truth])
