"""What is kept of compared images: instances, pairs, relations; from which all figures follow."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from kins.errors import KinsError
from kins.evaluation.columns import Bools, Columns, Ints
from kins.evaluation.order import Relations
from kins.evaluation.overlap import Pairs


@dataclasses.dataclass(slots=True)
class Table:
    """What evaluation keeps of images once their masks are no longer needed.

    Attributes:
        images: their ids; `image` of the columns are indices into it.
        truth, found: the instances; of detections the best 100 an image and category, best first.
        place: (D,) how many detections of the same image and category score better.
        pairs: those with an IoU of at least 0.5.
        matched: (P,) which of the pairs COCO's greedy matching joins, see matching.matched_pairs.
        relations: who hides whom among matched instances.
    """

    images: list[int]
    truth: Columns
    found: Columns
    place: Ints
    pairs: Pairs
    matched: Bools
    relations: Relations

    @property
    def chosen(self) -> Ints:
        """Indices of the matched pairs."""
        return np.flatnonzero(self.matched)


def join(tables: Sequence[Table]) -> Table:
    """One table of all images, in the sequence of their ids, so that ties do not depend on the sequence of updates."""
    ids = [image for table in tables for image in table.images]
    if not ids:
        raise KinsError("nothing to evaluate: no image came in")
    position = np.empty(len(ids), np.int64)
    position[np.argsort(ids, kind="stable")] = np.arange(len(ids))
    parts: dict[str, list[Columns]] = {"truth": [], "found": []}
    joined = []
    offset = 0
    rows = {"truth": 0, "found": 0}
    for table in tables:
        for side, start in list(rows.items()):
            part: Columns = getattr(table, side)
            parts[side].append(dataclasses.replace(part, image=position[part.image + offset]))
            rows[side] = start + len(part)
        joined.append((table.pairs, rows["truth"] - len(table.truth), rows["found"] - len(table.found)))
        offset += len(table.images)
    truth, found = Columns.joined(parts["truth"]), Columns.joined(parts["found"])
    place = np.concatenate([table.place for table in tables])
    order = {"truth": np.argsort(truth.image, kind="stable"), "found": np.argsort(found.image, kind="stable")}
    inverse = {}
    for side, sequence in order.items():
        inverse[side] = np.empty_like(sequence)
        inverse[side][sequence] = np.arange(sequence.size)
    all_pairs = Pairs(
        np.concatenate([inverse["found"][p.found + f] for p, _, f in joined]),
        np.concatenate([inverse["truth"][p.truth + t] for p, t, _ in joined]),
        np.concatenate([p.iou for p, _, _ in joined], axis=1),
        np.concatenate([p.hidden for p, _, _ in joined]),
    )
    sequence = np.lexsort((all_pairs.truth, all_pairs.found))
    return Table(
        sorted(ids),
        truth.take(order["truth"]),
        found.take(order["found"]),
        place[order["found"]],
        all_pairs.take(sequence),
        np.concatenate([table.matched for table in tables])[sequence],
        Relations.joined([table.relations for table in tables]),
    )
