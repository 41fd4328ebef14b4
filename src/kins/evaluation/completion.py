"""Mask completion: amodal masks predicted for objects that were given, one an instance, with no detection step."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
from hotcoco.primitives import lsap

from kins.errors import KinsError
from kins.evaluation.precision import percent
from kins.evaluation.results import without_nan
from kins.masks import ious
from kins.occlusion import HEAVY, PARTIAL
from kins.records import Dataset, Instance, Scene, on_one_canvas
from kins.work import progress


@dataclasses.dataclass(slots=True)
class Completion:
    """Mean IoU in percent over all instances; a missing prediction counts as 0.

    Attributes:
        instances, missing: number of instances, and of those without a prediction.
        full: IoU of the amodal mask: what papers call full mIoU.
        hidden_instances, hidden: instances with a hidden region, and IoU of it: what papers call occluded mIoU. The
            hidden part of a prediction is its amodal mask without the given visible one.
        hidden_partial, hidden_heavy: the same over one occlusion level.
        full_occluded: IoU of the amodal mask over instances with a hidden region.
    """

    instances: int
    missing: int
    full: float
    full_occluded: float
    hidden_instances: int
    hidden: float
    hidden_partial: float
    hidden_heavy: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON; what is not defined is None."""
        value: dict[str, Any] = without_nan(dataclasses.asdict(self))
        return value


def evaluate_completion(dataset: Dataset, predictions: Dataset) -> Completion:
    """Score amodal masks that were predicted from ground-truth boxes or visible masks.

    A prediction belongs to the instance whose id is its `annotation_id`. Those without are given to the instances of
    their image one to one, so that the sum of the IoUs of their visible masks is largest (of their amodal masks, where
    they have no visible ones).

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> dataset = write_shapes("pictures", 10)
        >>> def nothing_completed(scene):
        ...     return scene.replace(instances=tuple(i.replace(amodal=i.inmodal) for i in scene))
        >>> scores = kins.evaluation.evaluate_completion(dataset, dataset.map(nothing_completed))
        >>> scores.hidden, scores.missing, scores.full < 100
        (0.0, 0, True)

    Raises:
        KinsError: two predictions for one instance, one for an instance that is not there, or missing masks.
    """
    full, hidden, rates, missing = [], [], [], 0
    for scene in progress(dataset, "evaluating", len(dataset)):
        guesses = predictions[scene.image.id] if scene.image.id in predictions.images else Scene(scene.image)
        scene, guesses = on_one_canvas(scene, guesses)
        instances, found = [instance for instance in scene if not instance.crowd], list(guesses)
        owners = owners_of(instances, found, f"image {scene.image.file_name}")
        for index, instance in enumerate(instances):
            guess = owners.get(index)
            missing += guess is None
            region, whole = instance.hidden, instance.require("amodal")
            full.append(whole.iou(guess.require("amodal")) if guess else 0.0)
            rates.append(instance.occlusion_rate)
            visible = instance.require("inmodal")
            known = (region.iou(guess.require("amodal") - visible) if guess else 0.0) if region else np.nan
            hidden.append(known)
    wholes, parts, rate = (np.array(values, np.float64) for values in (full, hidden, rates))
    has = ~np.isnan(parts)
    return Completion(
        len(full),
        missing,
        percent(wholes),
        percent(wholes[has]),
        int(has.sum()),
        percent(parts[has]),
        percent(parts[has & (rate >= PARTIAL) & (rate <= HEAVY)]),
        percent(parts[has & (rate > HEAVY)]),
    )


def owners_of(
    instances: list[Instance], found: list[Instance], where: str, least: float | None = None
) -> dict[int, Instance]:
    """The prediction for each instance, by the instance's index, as far as there is one: see `evaluate_completion`.

    Args:
        where: for messages.
        least: predictions may be any number of detections; without `annotation_id` they need so large an IoU.
    """
    stated = [guess.extra.get("annotation_id") for guess in found]
    if any(number is not None for number in stated):
        index = {instance.id: n for n, instance in enumerate(instances)}
        owners: dict[int, Instance] = {}
        for number, guess in zip(stated, found, strict=True):
            if number not in index:
                raise KinsError(f"{where}: a prediction is for annotation {number}, which is not there")
            if index[number] in owners:
                raise KinsError(f"{where}: two predictions for annotation {number}; completion wants one for each")
            owners[index[number]] = guess
        return owners
    if least is None and len(found) > len(instances):
        raise KinsError(f"{where}: {len(found)} predictions for {len(instances)} instances; completion wants one each")
    if not found or not instances:
        return {}
    kind: Literal["amodal", "inmodal"] = "amodal" if any(guess.inmodal is None for guess in found) else "inmodal"
    gain = ious([i.require(kind) for i in instances], [guess.require(kind) for guess in found])
    rows, columns = lsap(gain, maximize=True)
    pairs = zip(rows, columns, strict=True)
    return {int(row): found[int(column)] for row, column in pairs if least is None or gain[row, column] >= least}
