"""What is kept of compared images: instances, pairs, relations; from which all figures follow."""

from __future__ import annotations

import dataclasses
import itertools
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
    images = _starts([len(table.images) for table in tables])
    (truth, truth_rows), (found, found_rows) = (
        _joined([getattr(table, side) for table in tables], position, images) for side in ("truth", "found")
    )
    firsts = [_starts([len(getattr(table, side)) for table in tables]) for side in ("truth", "found")]
    pairs = Pairs(
        np.concatenate([found_rows[table.pairs.found + start] for table, start in zip(tables, firsts[1], strict=True)]),
        np.concatenate([truth_rows[table.pairs.truth + start] for table, start in zip(tables, firsts[0], strict=True)]),
        np.concatenate([table.pairs.iou for table in tables], axis=1),
        np.concatenate([table.pairs.hidden for table in tables]),
    )
    sequence = np.lexsort((pairs.truth, pairs.found))
    place = np.empty(len(found), np.int64)
    place[found_rows] = np.concatenate([table.place for table in tables])
    return Table(
        sorted(ids),
        truth,
        found,
        place,
        pairs.take(sequence),
        np.concatenate([table.matched for table in tables])[sequence],
        Relations.joined(
            [
                dataclasses.replace(table.relations, pair=truth_rows[table.relations.pair + start])
                for table, start in zip(tables, firsts[0], strict=True)
            ]
        ),
    )


def _joined(parts: Sequence[Columns], position: Ints, images: Sequence[int]) -> tuple[Columns, Ints]:
    """One side of all tables, by image; and the row there of each row in the sequence of the tables."""
    image = np.concatenate([position[part.image + first] for part, first in zip(parts, images, strict=True)])
    if (image[1:] >= image[:-1]).all():  # most often: then nothing is copied again
        return dataclasses.replace(Columns.joined(parts), image=image), np.arange(image.size)
    order = np.argsort(image, kind="stable")
    rows = np.empty_like(order)
    rows[order] = np.arange(order.size)
    return dataclasses.replace(Columns.joined(parts, order), image=image[order]), rows


def _starts(lengths: Sequence[int]) -> list[int]:
    return list(itertools.accumulate(lengths, initial=0))[:-1]
