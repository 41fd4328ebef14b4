"""What the page is told, as JSON: cases with their masks, whole images, outlines as rings in hundredths of a pixel."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kins.annotate.view.index import Index, Run
from kins.annotate.view.lists import Images, Listed, Query
from kins.evaluation.cases import LEVELS, OUTCOMES, RIGHT, Cases, level_of, size_of
from kins.evaluation.columns import AMODAL, KINDS, Floats
from kins.evaluation.errors import ERRORS
from kins.evaluation.slices import SIZES, SOME
from kins.masks import Mask
from kins.masks.trace import rings
from kins.records import Instance, Scene

IOUS = (*KINDS, "hidden")
MOST = 1000
"""Objects of an image, and detections of a run there, whose outlines are told: the largest ones."""
MARGIN = 0.35
"""Room around an object on a crop, as a share of its longer side."""
FRONT = ("class", "detected", "object", "detection")
"""What is told of the one in front of a pair."""
LEAST_CROP = 48
"""Pixels."""


def what_is_open(index: Index) -> dict[str, Any]:
    """Names, numbers, and what can be filtered."""
    dataset = index.dataset
    return {
        "truth": dataset.path.name if dataset.path else "annotations",
        "runs": [] if index.alone else [run.name for run in index.runs],
        "images": len(index.images),
        "objects": int((~index.runs[0].table.truth.crowd).sum()),
        "classes": list(index.classes.values()),
        "levels": [part.name for part in (*LEVELS, SOME)],
        "sizes": [part.name for part in SIZES],
        "kinds": {name: ERRORS.get(name, "") for name in OUTCOMES},
        "pictures": dataset.images_dir is not None,
    }


def told_cases(index: Index, run: Run, listed: Listed, start: int, count: int) -> dict[str, Any]:
    """A page of a list; each case with the outlines of its object and its detection, and of a pair those in front."""
    rows = listed.rows[start : start + count].tolist()
    pairs = [None] * len(rows) if listed.relations is None else listed.relations[start : start + count].tolist()
    objects = listed.cases.truth[listed.cases.own]
    scenes: dict[int, list[Scene]] = {}
    told = []
    for n, (row, pair) in enumerate(zip(rows, pairs, strict=True)):
        image = int(listed.cases.image[row])
        if image not in scenes:
            scenes[image] = index.scenes(image)
        case = {**_told_case(index, run, listed, row), "at": start + n}
        shown = _sides(index, run, listed.cases, row, scenes[image])
        case["masks"] = [None if side is None else outlines(side) for side in shown]
        if pair is not None:
            front = int(np.searchsorted(objects, run.front[pair]))
            others = _sides(index, run, listed.cases, front, scenes[image])
            case["front"] = {
                **{name: value for name, value in _told_case(index, run, listed, front).items() if name in FRONT},
                "said": _said(run, pair),
                "masks": [None if side is None else outlines(side) for side in others],
            }
            shown += others
        case["crop"] = crop_box([side for side in shown if side is not None], scenes[image][0])
        told.append(case)
    return {"total": int(listed.rows.size), "kinds": listed.kinds, "cases": told}


def _sides(index: Index, run: Run, found: Cases, row: int, scenes: Sequence[Scene]) -> list[Instance | None]:
    """A case's object and its detection."""
    places = [_instance_of(run, found, row, side) for side in (0, 1)]
    both = scenes[0], scenes[index.runs.index(run) + 1]
    return [None if which is None else scene.instances[which] for scene, which in zip(both, places, strict=True)]


def _instance_of(run: Run, found: Cases, row: int, side: int) -> int | None:
    """The place of a case's object (0) or detection (1) in its scene."""
    at = int((found.truth, found.found)[side][row])
    return None if at < 0 else int((run.table.truth, run.table.found)[side].id[at])


def _told_case(index: Index, run: Run, listed: Listed, row: int) -> dict[str, Any]:
    found, table = listed.cases, run.table
    names, detection, truth = index.classes, int(found.found[row]), int(found.truth[row])
    all_scores = run.cases(listed.query.iou, 0.0, listed.query.matching)  # the objects come first, in the same sequence
    below = int(all_scores.found[row]) if found.own[row] and detection < 0 else -1
    image = int(found.image[row])
    return {
        "image": image,
        "file": index.images[image].file_name,
        "own": bool(found.own[row]),
        "kind": "" if index.alone else str(found.kind[row]),
        "class": names.get(int(table.truth.category[truth]), "") if truth >= 0 else None,
        "detected": names.get(int(table.found.category[detection]), "") if detection >= 0 else None,
        "object": _instance_of(run, found, row, 0),
        "detection": _instance_of(run, found, row, 1),
        "score": _number(table.found.score[detection]) if detection >= 0 else None,
        "said": _number(table.found.occlusion_score[detection]) if detection >= 0 else None,
        "below": {"kind": str(all_scores.kind[row]), "score": _number(table.found.score[below])}
        if below >= 0
        else None,
        "rate": _number(found.rate[row]),
        "level": str(level_of(found.rate[[row]])[0]),
        "area": int(found.area[row]),
        "size": str(size_of(found.area[[row]])[0]),
        "iou": {name: _number(value) for name, value in zip(IOUS, listed.iou[:, row].tolist(), strict=True)},
        "order": int(run.order[truth]) if truth >= 0 and found.own[row] and found.kind[row] == RIGHT else 0,
    }


def told_images(index: Index, listed: Images, start: int, count: int) -> dict[str, Any]:
    """A page of a list of images."""
    told = [
        {
            "image": image,
            "file": index.images[image].file_name,
            "quality": _number(listed.quality[image]),
            "objects": int(listed.objects[image]),
            "right": int(listed.right[image]),
            "cases": int(listed.inside[image]),
            "size": [index.images[image].width, index.images[image].height],
        }
        for image in listed.rows[start : start + count].tolist()
    ]
    return {"total": int(listed.rows.size), "images": told}


def told_image(index: Index, image: int, query: Query) -> dict[str, Any]:
    """Everything in an image: the objects, and for each run its detections, what they are, and wrong orders."""
    truth, *found = index.scenes(image)
    known = index.images[image]
    sides = [_told_side(index, run, scene, image, query) for run, scene in _pairs(index, found)]
    return {
        "image": image,
        "file": known.file_name,
        "width": known.width,
        "height": known.height,
        "truth": [
            {"class": i.category, "crowd": bool(i.crowd), "rate": _rate(i), "masks": masks}
            for i, masks in zip(truth, _all_outlines(truth.instances), strict=True)
        ],
        "runs": sides,
    }


def _pairs(index: Index, found: Sequence[Scene]) -> list[tuple[Run, Scene]]:
    return [] if index.alone else list(zip(index.runs, found, strict=True))


def _told_side(index: Index, run: Run, scene: Scene, image: int, query: Query) -> dict[str, Any]:
    """A run's detections in one image, each with the object it is matched with or was meant for."""
    found = run.cases(query.iou, query.score, query.matching)
    rows = np.flatnonzero((found.image == image) & (found.found >= 0))
    shown = [_instance_of(run, found, row, 1) or 0 for row in rows.tolist()]
    instances = [scene.instances[place] for place in shown]
    names, iou = index.classes, run.iou(dataclasses.replace(found, pair=found.pair[rows]))
    detections = [
        {
            "detection": place,
            "object": _instance_of(run, found, row, 0),
            "own": bool(found.own[row]),
            "class": names.get(i.category_id, ""),
            "score": _number(i.score),
            "kind": str(found.kind[row]),
            "iou": _number(iou[AMODAL, n]),
            "masks": masks,
        }
        for n, (row, place, i, masks) in enumerate(
            zip(rows.tolist(), shown, instances, _all_outlines(instances), strict=True)
        )
    ]
    return {"name": run.name, "detections": detections, "order": _wrong_order(run, image)}


def _wrong_order(run: Run, image: int) -> list[dict[str, Any]]:
    """Pairs of objects (places in the scene) of which `front` hides `back`, and what the predictions say: `reversed` or
    `neither`; or `invented` where they alone say so."""
    truth = run.table.truth
    rows = run.wrong[truth.image[run.behind[run.wrong]] == image]
    return [
        {"front": int(truth.id[run.front[row]]), "back": int(truth.id[run.behind[row]]), "said": _said(run, row)}
        for row in rows.tolist()
    ]


def _said(run: Run, row: int) -> str:
    """What the predictions say of a pair: that it is so ('right'), the reverse, neither; or they alone say so."""
    relations = run.table.relations
    true, told = relations.truth[row], relations.told[row]
    if true == told:
        return "right"
    return "invented" if true == 0 else "neither" if told == 0 else "reversed"


def _all_outlines(instances: Sequence[Instance]) -> list[dict[str, Any] | None]:
    """Of the largest ones; None for the others."""
    areas = np.array([0 if i.whole is None else i.whole.area for i in instances])
    largest = set(np.argsort(-areas, kind="stable")[:MOST].tolist())
    return [outlines(i) if n in largest else None for n, i in enumerate(instances)]


def outlines(instance: Instance) -> dict[str, Any]:
    """Rings around the whole object, around what is seen of it, and around what is hidden."""
    whole, seen = instance.whole, instance.seen
    hidden = instance.amodal - instance.inmodal if instance.amodal and instance.inmodal else None
    return {"whole": _rings(whole), "seen": _rings(seen), "hidden": _rings(hidden)}


def _rings(mask: Mask | None) -> list[dict[str, Any]]:
    """As the page's geometry.js has them."""
    if mask is None:
        return []
    parts, holes = rings(mask)
    return [
        {"hole": hole, "points": (np.array(ring) * 100).astype(int).tolist()}
        for hole, group in ((False, parts), (True, holes))
        for ring in group
    ]


def crop_box(instances: Sequence[Instance], scene: Scene) -> list[int]:
    """x, y, width, height of a window around some instances, within the image."""
    boxes = np.array([(m.box[0], m.box[1], m.box[0] + m.box[2], m.box[1] + m.box[3]) for m in _masks(instances)])
    width, height = scene.image.width, scene.image.height
    if not boxes.size:
        return [0, 0, width, height]
    low, high = boxes[:, :2].min(0), boxes[:, 2:].max(0)
    room = max(MARGIN * float((high - low).max()), (LEAST_CROP - float((high - low).max())) / 2)
    x0, y0 = max(0, math.floor(low[0] - room)), max(0, math.floor(low[1] - room))
    x1, y1 = min(width, math.ceil(high[0] + room)), min(height, math.ceil(high[1] + room))
    return [x0, y0, max(1, x1 - x0), max(1, y1 - y0)]


def _masks(instances: Sequence[Instance]) -> list[Mask]:
    return [i.whole for i in instances if i.whole is not None and i.whole.area]


def _rate(instance: Instance) -> float | None:
    return instance.occlusion_rate if instance.amodal is not None and instance.inmodal is not None else None


def _number(value: float | Floats | None) -> float | None:
    """Rounded; None for what is not known."""
    return None if value is None or math.isnan(value) else round(float(value), 4)
