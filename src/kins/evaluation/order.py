"""Order: do the predictions say rightly who hides whom?"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from kins.evaluation.columns import Bools, Columns, Ints, Masks
from kins.evaluation.overlap import Pairs
from kins.evaluation.regions import precision_recall
from kins.masks import Mask
from kins.occlusion import occlusion
from kins.records import Image, Instance, Scene

Signs = npt.NDArray[np.int8]


@dataclasses.dataclass(slots=True)
class Relations:
    """Pairs of matched instances in which ground truth or prediction sees an occlusion.

    Attributes:
        truth: (N,) 1 if the first hides the second in the ground truth, -1 if the second hides the first, 0 if neither.
        found: (N,) the same in the prediction's masks.
        told: (N,) `found`, or where that is 0 what the prediction's own cluster and order say.
    """

    truth: Signs
    found: Signs
    told: Signs

    @classmethod
    def joined(cls, parts: list[Relations]) -> Relations:
        """One after the other."""
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{n: np.concatenate([np.zeros(0, np.int8), *(getattr(p, n) for p in parts)]) for n in names})


def relations(
    truth: Columns, found: Columns, truth_masks: Masks, found_masks: Masks, pairs: Pairs, chosen: Ints
) -> Relations:
    """Who hides whom among the matched instances of each image, in ground truth and prediction.

    Args:
        chosen: indices of the matched pairs.
    """
    parts: list[Relations] = []
    complete: Bools = np.all(truth.known[1:], axis=0)
    chosen = chosen[complete[pairs.truth[chosen]]]
    chosen = chosen[np.argsort(truth.image[pairs.truth[chosen]], kind="stable")]
    images = truth.image[pairs.truth[chosen]]
    for group in np.split(chosen, np.flatnonzero(np.diff(images)) + 1):
        t, f = pairs.truth[group], pairs.found[group]
        keep = _touching(truth, t) | _touching(found, f)
        t, f = t[keep], f[keep]
        if t.size < 2:
            continue
        first, second = np.triu_indices(t.size, 1)
        signs = _signs(truth, truth_masks, t)[first, second]
        seen = _signs(found, found_masks, f)[first, second]
        order, cluster = found.order[f], found.cluster[f]
        stored = (cluster[first] == cluster[second]) & (order[first] >= 0) & (order[second] >= 0)
        told = np.where(seen == 0, np.where(stored, np.sign(order[second] - order[first]), 0), seen)
        related = (signs != 0) | (seen != 0)
        parts.append(Relations(signs[related], seen[related], told[related].astype(np.int8)))
    return Relations.joined(parts)


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


def _touching(table: Columns, rows: Ints) -> Bools:
    """(N,) whether the box of an instance's pixels overlaps that of another."""
    x, y, w, h = table.tight[0][:, rows]
    across = (x[:, None] < x + w) & (x < (x + w)[:, None])
    down = (y[:, None] < y + h) & (y < (y + h)[:, None])
    return np.asarray((across & down).sum(1) > 1)


def _signs(table: Columns, masks: Masks, rows: Ints) -> Signs:
    """(n, n) 1 where the first hides the second, -1 where it is hidden by it; 0 for all where a mask is unknown."""
    if not table.known[1:, rows].all() or not (table.seen < table.pixels[1])[rows].any():
        return np.zeros((rows.size, rows.size), np.int8)
    instances = []
    for number, row in enumerate(rows.tolist()):
        amodal, inmodal = masks.amodal[row], masks.inmodal[row]
        assert amodal is not None
        assert inmodal is not None
        height, width = amodal["size"]
        pair = Mask(height, width, amodal), Mask(height, width, inmodal)
        instances.append(Instance(number, 0, "", *pair))
    return occlusion(Scene(Image(0, "", height, width), tuple(instances)), predicted=False).matrix()
