"""Going on with a run: only as what it was, on the data it had, and without what a killed process left lying about."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kins.config import Config, stored
from kins.errors import KinsError
from kins.files import made_by_kins
from kins.models.weights import LAST, read_header
from kins.records import Dataset
from kins.train.log import RUN_FILES

FREE = {
    "train": {
        *("steps", "minutes", "device", "compile", "channels_last", "checkpoint_every", "evaluate_every"),
        *("evaluate_images", "log_every", "init", "micro_batch", "precision"),
    },
    "data": {"root", "train", "train_images", "test", "test_images", "workers"},
}
"""Settings that may change when a run goes on: how long, where, and with what it computes; where the data lies."""


def fingerprint(dataset: Dataset) -> dict[str, Any]:
    """What a data set is known by: its images and objects, as far as that is read without decoding a mask.

    Returns:
        `images` and `objects`, their numbers (crowds and unlisted categories don't count), and `digest`, over names,
        sizes, ids, categories, and the boxes and areas that the file states.

    Raises:
        KinsError: nothing to learn from.
    """
    digest, objects = hashlib.sha256(), 0
    for scene in dataset:
        image = scene.image
        rows = [
            (i.id, i.category_id, bool(i.crowd), i.amodal_box, i.inmodal_box, i.amodal_area, i.inmodal_area)
            for i in scene
        ]
        digest.update(repr((image.id, image.file_name, image.height, image.width, rows)).encode("utf-8", "replace"))
        objects += sum(not i.crowd and i.category_id in dataset.categories for i in scene)
    if not objects:
        where = f"{dataset.path}: " if dataset.path else ""
        raise KinsError(f"{where}no object of a listed category in {len(dataset)} images; there is nothing to learn")
    return {"images": len(dataset), "objects": objects, "digest": digest.hexdigest()}


def check_same(facts: Mapping[str, Any], config: Config, categories: Mapping[int, str], data: Any, out: Path) -> None:
    """Raises KinsError if a checkpoint's facts are those of a run with other settings or on other data."""
    otherwise = "give another --out, or the settings and the data of that run to go on with it"
    was, now = (c.model_dump(mode="json") for c in (stored(facts["config"], str(out)), config))
    pairs = [
        (f"{section}.{key}", was[section][key], value)
        for section, part in now.items()
        for key, value in part.items()
        if key not in FREE.get(section, ())
    ]
    pairs.append(("categories", list(facts["categories"].values()), list(categories.values())))
    for place, before, value in pairs:
        if before != value:
            raise KinsError(
                f"{out}: holds a run with {place} {json.dumps(before)}, not {json.dumps(value)}; {otherwise}"
            )
    if min(facts["step"], facts["seconds"]) < 0:
        raise KinsError(
            f"{out}: holds a run of {facts['step']} steps; its checkpoint is damaged, remove it to begin anew"
        )
    held = facts.get("data", data)  # runs from before it was kept have none
    if not isinstance(held, dict) or held.keys() != data.keys():
        raise KinsError(f"{out}: its checkpoint does not say on what data the run is; remove it to begin anew")
    if held != data:
        sizes = [f"{part['images']} images with {part['objects']} objects" for part in (held, data)]
        differ = "other names, sizes, boxes or areas" if sizes[0] == sizes[1] else f"these are {sizes[1]}"
        raise KinsError(f"{out}: holds a run on other data ({sizes[0]}; {differ}); {otherwise}")


def kept(out: Path, every: int) -> str:
    """What a run folder keeps of a training that is stopped now, which writes a checkpoint each so many steps."""
    try:
        step = read_header(out / LAST).facts["step"]
    except (KinsError, KeyError):
        return f"nothing is kept, for the first checkpoint comes after step {every} (train.checkpoint_every)"
    return f"{out} keeps the first {step} steps, and the same command goes on after them"


def remove_leftovers(out: Path) -> None:
    """Removes half-written files of a training that was killed. Only for who holds the folder (`only_one`)."""
    names = "|".join(rf"\.{Path(name).stem}\.\w{{8}}{Path(name).suffix}" for name in RUN_FILES)
    for path in out.iterdir():
        ours = re.fullmatch(names, path.name)
        safetensors = re.fullmatch(r"\.tmp\w{6}", path.name) and (not path.stat().st_size or made_by_kins(path))
        if path.is_file() and not path.is_symlink() and (ours or safetensors):
            path.unlink(missing_ok=True)
