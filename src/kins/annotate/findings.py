"""What is wrong with a layer: errors keep it from being done, warnings do not."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from kins.annotate.operations import State
from kins.annotate.painting import Painted, cycles, scene_of
from kins.records import Dataset, Image
from kins.validate import validate

UNNAMED = "object"
"""The class that stands for none while masks are checked."""


def findings_of(state: State, painted: Painted, image: Any) -> list[dict[str, Any]]:
    """Everything to look at: a class for each object, every pair confirmed, no cycle, pixels, and what kins validate
    has to say.

    Args:
        image: row of the table.
    """
    found = [*_objects(state, painted), *_pairs(painted)]
    for group in cycles(painted):
        text = f"{len(group)} objects are each nearer than the next, in a circle; flip a pair or draw an exception"
        found.append(_finding("error", text, group[0]))
    if not any(finding["severity"] == "error" and finding["kind"] == "empty" for finding in found):
        found += _validated(state, painted, image)
    return [{name: value for name, value in finding.items() if name != "kind"} for finding in found]


def _finding(severity: str, text: str, thing: str | None = None, kind: str = "") -> dict[str, Any]:
    return {"severity": severity, "text": text, "kind": kind} | ({} if thing is None else {"object": thing})


def _objects(state: State, painted: Painted) -> list[dict[str, Any]]:
    found = []
    for index, thing in enumerate(state.objects.values()):
        if thing.category is None:
            found.append(_finding("error", "an object has no class", thing.id))
        if not painted.amodal[index]:
            found.append(_finding("error", "an object has no pixel inside of the image; remove it", thing.id, "empty"))
        elif not painted.inmodal[index] and not painted.occluders[index]:
            found.append(_finding("warning", "an object is hidden entirely", thing.id))
    return found


def _pairs(painted: Painted) -> list[dict[str, Any]]:
    guesses = [pair for pair in painted.pairs if not pair.confirmed]
    text = "who is nearer of two objects is a guess; flip or confirm it"
    return [_finding("error", text, pair.nearer) for pair in guesses]


def _validated(state: State, painted: Painted, image: Any) -> list[dict[str, Any]]:
    """What kins validate finds in the layer as a file."""
    record = Image(image.id, Path(image.file).name, image.height, image.width)
    names = {thing.category: str(thing.category) for thing in state.objects.values() if thing.category is not None}
    scene = scene_of(state, painted, record, names, missing=UNNAMED)
    if not len(scene):
        return []
    with tempfile.TemporaryDirectory(prefix="kins-") as folder:
        path = Path(folder, "layer.json")
        Dataset.from_scenes([scene], {0: UNNAMED, **names}).save(path)
        report = validate(path, workers=1)
    hidden_entirely = {"mask-empty", "category-unused", "order-disagrees"}  # said in other words, or meant so
    return [
        _finding(problem.kind.severity, f"{problem.kind.what} ({problem.count})")
        for name, problem in report.found.items()
        if name not in hidden_entirely and problem.kind.severity != "info"
    ]
