"""InstaOrder: who hides whom, and who is nearer, of instances whose masks COCO's file has.

An order is text over positions in an image's `instance_ids`: `1<0` says that 1 hides 0 (or is nearer), `0<2 & 2<0` that
each hides the other, `1=2` that both are as near.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from kins.errors import KinsError
from kins.formats import coco
from kins.formats.document import Document, read_document
from kins.records import Dataset, Image, Scene


class _Pair(msgspec.Struct, gc=False):
    order: str
    count: int | None = None
    overlap: bool | None = None


class _Entry(msgspec.Struct, gc=False):
    image_id: int | str
    instance_ids: list[int | str]
    occlusion: list[_Pair] = []
    depth: list[_Pair] = []


def matches(document: Document) -> bool:
    """Recognised by the annotations' field instance_ids."""
    return document.annotations is not None and "instance_ids" in document.annotation_fields()


def load_instaorder(path: str | Path, instances: str | Path, images: str | Path | None = None) -> Dataset:
    """Images and instances that InstaOrder has orders of, with inmodal masks.

    Who hides whom is in `image.extra["depth_constraint"]`, as pairs [id in front, id behind], both ways where each
    hides the other; `image.extra["instaorder"]` has the entries as they are.

    Args:
        path: `InstaOrder_val2017.json`.
        instances: COCO's `instances_val2017.json`.
        images: folder of the pictures.

    Raises:
        KinsError: a file that is none of these, an image that COCO's file lacks, an order that is none.

    Example:
        >>> import json
        >>> from pathlib import Path
        >>> from kins.demo.toys import write_shapes
        >>> text = write_shapes("pictures", 1).save("instances.json", "coco", masks="inmodal")
        >>> entry = {"image_id": 0, "instance_ids": [1, 2], "occlusion": [{"order": "0<1", "count": 2}], "depth": []}
        >>> written = Path("orders.json").write_text(json.dumps({"annotations": [entry]}))
        >>> dataset = kins.formats.load_instaorder("orders.json", "instances.json")
        >>> dataset.images[0].extra["depth_constraint"]
        [[1, 2]]
    """
    document = read_document(path)
    if not matches(document):
        raise KinsError(f"{path}: holds no orders as InstaOrder has them, with image_id and instance_ids")
    dataset: Dataset = coco.read(read_document(instances), None if images is None else Path(images), "inmodal")
    chosen, found, lost = set[int](), {}, 0
    for image, ids in _entries(document, dataset, Path(instances)):
        known = {instance.id for instance in dataset[image.id]}
        lost += len(set(ids) - known)
        chosen |= set(ids) & known
        found[image.id] = image
    left_out = list(dataset.left_out)
    if lost:
        left_out.append(f"{lost} instances that {instances} does not have")

    def change(scene: Scene) -> Scene:
        return scene.replace(instances=tuple(i for i in scene if i.id in chosen))

    changed = dataset.map(change)
    rows = {image_id: changed[image_id].instances for image_id in found}
    return Dataset(
        found, dataset.categories, rows, extra=dataset.extra, images_dir=images, path=path, left_out=left_out
    )


def _entries(document: Document, dataset: Dataset, instances: Path) -> Iterator[tuple[Image, list[int]]]:
    """Each image with what is said of it, and the ids of its instances."""
    for position, raw in enumerate(document.annotations or ()):
        place = f"annotations[{position}]"
        entry: _Entry = document.decode(raw, _Entry, place)
        where = f"{document.path}: {place}"
        image_id = _whole(entry.image_id, f"{where}.image_id")
        ids = [_whole(text, f"{where}.instance_ids[{k}]") for k, text in enumerate(entry.instance_ids)]
        image = dataset.images.get(image_id)
        if image is None:
            raise KinsError(f"{where}.image_id: no image {image_id} in {instances}; is this the right pair of files?")
        constraint = []
        for name in ("occlusion", "depth"):
            for k, pair in enumerate(getattr(entry, name)):
                pairs = list(_pairs(pair.order, ids, f"{where}.{name}[{k}].order"))
                constraint += pairs if name == "occlusion" else []
        said: dict[str, Any] = {"instance_ids": ids, "occlusion": entry.occlusion, "depth": entry.depth}
        extra = {"depth_constraint": constraint, "instaorder": msgspec.to_builtins(said)}
        yield dataclasses.replace(image, extra={**image.extra, **extra}), ids


def _pairs(text: str, ids: list[int], where: str) -> Iterator[list[int]]:
    """Pairs of ids of an order, the first in front; none for two that are as near."""
    for part in text.split("&"):
        found = re.fullmatch(r"\s*([0-9]{1,6})\s*([<=])\s*([0-9]{1,6})\s*", part)
        numbers = [int(found[1]), int(found[3])] if found else []
        if found is None or max(numbers) >= len(ids) or numbers[0] == numbers[1]:
            raise KinsError(f"{where}: {text[:40]!r} is no order of two of {len(ids)} instances")
        if found[2] == "<":
            yield [ids[number] for number in numbers]


def _whole(value: int | str, where: str) -> int:
    if isinstance(value, str):
        if not re.fullmatch(r"[0-9]{1,18}", value):
            raise KinsError(f"{where}: {value[:40]!r} is not a whole number")
        return int(value)
    return value
