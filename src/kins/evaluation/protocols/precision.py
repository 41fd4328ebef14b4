"""AP and AR as papers and their programs count them: COCO, KINS, VRSP and AISFormer, AIStron and ShapeFormer, COCOA."""

from __future__ import annotations

import numpy as np

from kins.evaluation.columns import AMODAL, INMODAL, Bools, Columns, Floats
from kins.evaluation.protocols.parts import (
    Comparison,
    Figures,
    amodal_box,
    amodal_mask,
    compared,
    figures,
    hidden_region,
    inmodal_box,
    inmodal_mask,
    recalls,
    scored,
)
from kins.evaluation.slices import COCOA_SLICES, SIZES
from kins.evaluation.table import Table
from kins.records import Dataset

VISIBLE_SHARES = {"AP_hidden15": 0.85, "AP_hidden25": 0.75, "AP_hidden40": 0.6}
"""Largest visible share of the objects that each figure is over: VRSP's APs, APm, APl."""
HIDDEN_FROM = 0.05
"""Hidden share from which UOAIS takes an object for occluded."""
PROPOSALS = (1, 10, 100, 1000)


def coco(dataset: Dataset, predictions: Dataset, workers: int | None = 1) -> Figures:
    """COCO's AP and AR of every part; the hidden region's over objects and detections that UOAIS takes for occluded."""
    how = Comparison((amodal_box, inmodal_box), (amodal_mask, inmodal_mask))
    table = compared(dataset, predictions, how, workers)
    names = ("amodal box", "inmodal box", "amodal mask", "inmodal mask")
    rows = {name: _plain(table, row, dataset) for row, name in enumerate(names)}
    occluded = compared(dataset, predictions, Comparison(masks=(hidden_region,), keep=occluded_only), workers)
    return rows | {"hidden region": _plain(occluded, 0, dataset)}


def vrsp(dataset: Dataset, predictions: Dataset, workers: int | None = 1) -> Figures:
    """VRSP's evaluator: COCO's AP, and over objects of which at least 15, 25, 40 % are hidden.

    Objects whose visible mask is larger than their amodal area (which is taken as stated) are ignored everywhere. An
    unmatched detection counts as wrong where its own two masks say that it is hidden that much.
    """
    table = compared(dataset, predictions, Comparison((amodal_box,), (amodal_mask, inmodal_mask)), workers)
    truth, found = table.truth, table.found
    shares = truth.pixels[INMODAL] / np.maximum(truth.area[AMODAL], 1), _visible_share(found)

    def limits(most: float) -> tuple[Bools, Bools]:
        return truth.crowd | ~(shares[0] <= most), shares[1] > most

    rows: Figures = {}
    for row, name in enumerate(("amodal box", "amodal mask", "inmodal mask")):
        run = scored(table, row, sorted(dataset.categories))
        everything = run(*limits(1.0))
        rows[name] = figures(everything)
        rows[name] |= {label: figures(run(*limits(most)))["AP"] for label, most in VISIBLE_SHARES.items()}
        rows[name] |= recalls(everything)
    return rows


def aistron(dataset: Dataset, predictions: Dataset, workers: int | None = 1) -> Figures:
    """AIStron's data: COCO's AP with sizes by the area of the amodal box; detections' by that of what is compared."""
    table = compared(dataset, predictions, Comparison((amodal_box,), (amodal_mask, inmodal_mask)), workers)
    truth, found = table.truth, table.found
    area = truth.box[2] * truth.box[3]
    sizes = found.box[2] * found.box[3], found.pixels[AMODAL], found.pixels[INMODAL]
    rows: Figures = {}
    for row, name in enumerate(("amodal box", "amodal mask", "inmodal mask")):
        run = scored(table, row, sorted(dataset.categories))
        everything = run(truth.crowd, np.zeros(len(found), bool))
        rows[name] = figures(everything)
        for size in SIZES:
            part = run(truth.crowd | ~size.holds(area), ~size.holds(sizes[row]))
            rows[name][f"AP{size.name[0]}"] = figures(part)["AP"]
        rows[name] |= recalls(everything)
    return rows


def amodalapi(dataset: Dataset, predictions: Dataset, workers: int | None = 1) -> Figures:
    """COCOA's program: recall of proposals of no class, over all regions, things and stuff.

    AR with 1, 10, 100, 1000 proposals; with 1000 over regions with no, partial, heavy occlusion (a rate up to 0.00001,
    up to 0.25, and above; bounds belong to both). Unmatched proposals don't matter to recall.
    """
    how = Comparison(masks=(amodal_mask,), needed=(AMODAL,), one_class=True, most=PROPOSALS[-1])
    table = compared(dataset, predictions, how, workers)
    run = scored(table, 0, (), PROPOSALS)
    nowhere = np.zeros(len(table.found), bool)
    stuff = table.truth.category == 1
    rows: Figures = {}
    for name, others in (("all", np.zeros_like(stuff)), ("things", stuff), ("stuff", ~stuff)):
        rows[name] = recalls(run(others, nowhere), PROPOSALS)
        for level in COCOA_SLICES:
            part = run(others | ~level.holds(table.truth.rate), nowhere)
            rows[name][level.name.replace("cocoa-", "AR_")] = recalls(part, PROPOSALS)["AR1000"]
    return rows


def occluded_only(table: Columns, found: bool) -> Bools:
    """(N,) which instances UOAIS takes for occluded: ground truth by its rate; detections by their score of it, or else
    by their masks."""
    if not found:
        return np.asarray((table.rate > HIDDEN_FROM) & (table.hidden > 0))
    by_masks = _visible_ratio(table) < 1 - HIDDEN_FROM
    return np.where(np.isnan(table.occlusion_score), by_masks, table.occlusion_score >= 0.5)


def uoais_precision(dataset: Dataset, predictions: Dataset, workers: int | None = 1) -> Figures:
    """COCO's AP as UOAIS's program counts it: images without a detection are left out, with what they show."""
    how = Comparison((amodal_box,), (amodal_mask, inmodal_mask))
    table = compared(dataset, predictions, how, workers)
    occluded = compared(dataset, predictions, Comparison(masks=(hidden_region,), keep=occluded_only), workers)
    rows = {name: (table, row) for row, name in enumerate(("amodal box", "amodal mask", "inmodal mask"))}
    rows["hidden region"] = occluded, 0
    return {name: _plain(*where, dataset, seen_only=True) for name, where in rows.items()}


def _plain(table: Table, row: int, dataset: Dataset, seen_only: bool = False) -> dict[str, float]:
    ignored = table.truth.crowd
    if seen_only:
        ignored = ignored | ~np.isin(table.truth.image, table.found.image)
    curves = scored(table, row, sorted(dataset.categories))(ignored, np.zeros(len(table.found), bool))
    return figures(curves) | recalls(curves)


def _visible_share(table: Columns) -> Floats:
    """(N,) share of the amodal mask that the inmodal one covers; NaN of an empty mask, which lies in no range."""
    with np.errstate(invalid="ignore"):
        return np.asarray(table.seen / table.pixels[AMODAL])


def _visible_ratio(table: Columns) -> Floats:
    """(N,) pixels of the inmodal mask by those of the amodal one."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(table.pixels[INMODAL] / table.pixels[AMODAL])
