"""Order: do the predictions say rightly who hides whom?

An edge is what kins.occlusion finds with EVIDENT: i hides j if i's inmodal mask covers at least 1 % of j's amodal mask
where j is not visible. That is the rate from which an instance counts as occluded at all, and leaves out the slivers
that rounded outlines make. Where two hide parts of each other the larger part decides; of equal ones neither.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from kins.evaluation.columns import AMODAL, Bools, Columns, Ints, Masks
from kins.evaluation.overlap import Pairs, box_intersection
from kins.evaluation.precision import precision_recall
from kins.occlusion import PARTIAL, Slivers
from kins.occlusion.contact import hiding

Signs = npt.NDArray[np.int8]
EVIDENT = Slivers(1, PARTIAL, 1)
"""Which overlaps make an edge."""


@dataclasses.dataclass(slots=True)
class Relations:
    """Pairs of matched instances in which ground truth or prediction sees an occlusion.

    Attributes:
        truth: (N,) 1 if the first hides the second in the ground truth, -1 if the second hides the first, 0 if neither.
        found: (N,) the same in the prediction's masks.
        told: (N,) `found`, or where that is 0 what the prediction's own cluster and order say.
        pair: (2, N) rows of both in the ground truth.
    """

    truth: Signs
    found: Signs
    told: Signs
    pair: Ints

    @property
    def wrong(self) -> Bools:
        """(N,) pairs whose direction the prediction has wrong, or which are in its masks alone."""
        return np.asarray(np.where(self.truth == 0, self.found != 0, self.told != self.truth))

    @property
    def sides(self) -> tuple[Ints, Ints]:
        """(N,) rows of the one in front and of the one behind it: in the ground truth, or else in the prediction."""
        first = np.where(self.truth == 0, self.told, self.truth) > 0
        one, other = self.pair
        return np.where(first, one, other), np.where(first, other, one)

    @classmethod
    def joined(cls, parts: list[Relations]) -> Relations:
        """One after the other."""
        none = np.zeros(0, np.int8)
        parts = [cls(none, none, none, np.zeros((2, 0), np.int64)), *parts]
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{n: np.concatenate([getattr(p, n) for p in parts], axis=-1) for n in names})


def relations(
    truth: Columns, found: Columns, truth_masks: Masks, found_masks: Masks, pairs: Pairs, chosen: Ints
) -> Relations:
    """Who hides whom among the matched instances of each image, in ground truth and prediction.

    Args:
        chosen: indices of the matched pairs.
    """
    if not chosen.size:
        return Relations.joined([])
    complete: Bools = np.all(truth.known[1:], axis=0)
    chosen = chosen[complete[pairs.truth[chosen]]]
    chosen = chosen[np.argsort(truth.image[pairs.truth[chosen]], kind="stable")]
    t, f = pairs.truth[chosen], pairs.found[chosen]
    first, second = _pairs_within(truth.image[t])
    near = _touching(truth_masks, t, first, second) | _touching(found_masks, f, first, second)
    first, second = first[near], second[near]
    signs = _signs(truth, truth_masks, t, first, second)
    seen = _signs(found, found_masks, f, first, second)
    order, cluster = found.order[f], found.cluster[f]
    stored = (cluster[first] == cluster[second]) & (order[first] >= 0) & (order[second] >= 0)
    told = np.where(seen == 0, np.where(stored, np.sign(order[second] - order[first]), 0), seen)
    related = (signs != 0) | (seen != 0)
    pair = np.stack([t[first], t[second]])[:, related]
    return Relations(signs[related], seen[related], told[related].astype(np.int8), pair)


def order_quality(relations: Relations) -> dict[str, float]:
    """Order figures in percent.

    Returns:
        pairs: matched pairs of which one hides the other in the ground truth; accuracy: share of them whose direction
        the prediction gives rightly, by its masks or else by its order; precision, recall, F1: of the edges between
        matched instances that the prediction's masks make. Empty where there is no such pair at all.
    """
    if not relations.truth.size:
        return {}
    true = relations.truth != 0
    right = true & (relations.found == relations.truth)
    count = int(true.sum())
    return {
        "pairs": count,
        "accuracy": 100 * int((relations.told == relations.truth)[true].sum()) / count if count else float("nan"),
        **precision_recall(int(right.sum()), int((relations.found != 0).sum()), count),
    }


def _pairs_within(image: Ints) -> tuple[Ints, Ints]:
    """Indices of all pairs i < j with the same (sorted) image."""
    last = np.searchsorted(image, image, side="right")
    count = last - np.arange(image.size) - 1
    first = np.repeat(np.arange(image.size), count)
    return first, np.arange(first.size) - np.repeat(np.cumsum(count) - count, count) + first + 1


def _touching(masks: Masks, rows: Ints, first: Ints, second: Ints) -> Bools:
    """(N,) whether the boxes of two instances' pixels overlap."""
    boxes = masks.tight[0][:, rows]
    return np.asarray(box_intersection(boxes[:, first], boxes[:, second]) > 0)


def _signs(table: Columns, masks: Masks, rows: Ints, first: Ints, second: Ints) -> Signs:
    """(N,) 1 where the first hides the second, -1 where it is hidden by it, 0 for neither or an unknown mask."""
    behind = _hiding(table, masks, rows[first], rows[second])
    ahead = _hiding(table, masks, rows[second], rows[first])
    return np.sign(behind - ahead).astype(np.int8)


def _hiding(table: Columns, masks: Masks, front: Ints, back: Ints) -> Ints:
    """(N,) pixels of `back` that `front` hides, 0 where that makes no edge."""
    area, hidden = table.pixels[AMODAL, back], table.hidden[back]
    most = np.minimum(box_intersection(masks.tight[1][:, front], masks.tight[0][:, back]), hidden)
    known = table.known[1:, front].all(0) & table.known[1:, back].all(0)
    wanted = np.flatnonzero(known & (hiding(most.astype(np.int64), 0, area, EVIDENT) > 0))
    i, j = front[wanted], back[wanted]
    covered, visible = masks.inmodal.common(i, masks.amodal, j), masks.inmodal.common(i, masks.inside, j)
    pixels = np.zeros(front.size, np.int64)
    pixels[wanted] = hiding(covered, visible, area[wanted], EVIDENT)
    return pixels
