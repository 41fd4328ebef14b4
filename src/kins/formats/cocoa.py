"""COCOA (`COCO_amodal_train2014.json`): an annotation is one annotator's whole image, a list of regions front to back.

A file may also hold one annotation (or a list of them) without `images`; sizes then come from an RLE or the picture.
Where several annotators did one image, the first keeps its id and each further one becomes a scene of its own.

What has no place in the records is kept in the image's `extra`: `cocoa` holds the annotation's other fields, and
`depth_constraint` the annotator's pairs [id of the instance in front, id of the one behind].
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from kins.errors import KinsError
from kins.files import inside
from kins.files.pictures import SUFFIXES, picture_size
from kins.formats import coco_layout
from kins.formats.coco_layout import Losses, Number, Whole
from kins.formats.cocoa_cls import visible_fields
from kins.formats.document import Document, Raw, kept_aside
from kins.masks import Mask
from kins.masks.runs import check_size
from kins.occlusion import Occlusion, relations_of
from kins.records import Dataset, Image, Instance, Scene


class _Region(msgspec.Struct):
    segmentation: Raw = Raw()
    name: str = ""
    area: Number | None = None
    occlude_rate: Number | None = None
    order: Whole | None = None
    visible_mask: Raw = Raw()
    invisible_mask: Raw = Raw()


class _Entry(msgspec.Struct):
    image_id: Whole
    regions: list[Raw]
    depth_constraint: str | None = None
    url: str = ""


def matches(document: Document) -> bool:
    """Recognised by `regions`, in the annotations or in the file itself."""
    if document.content is None:
        return "regions" in document.annotation_fields()
    try:
        value = msgspec.json.decode(document.content, type=dict[str, Raw] | list[dict[str, Raw]])
    except msgspec.DecodeError:
        return False
    first = value if isinstance(value, dict) else value[0] if value else {}
    return "regions" in first


def read(document: Document, images_dir: Path | None) -> Dataset:
    """A data set from the file: a category for each name, the annotator's front-to-back sequence as `order`."""
    listed = {}
    for index, raw in enumerate(document.images or ()):
        image = coco_layout.read_image_entry(document, raw, f"images[{index}]")
        listed[image.id] = image
    left_out: list[str] = []
    scenes: dict[int, Scene] = {}
    count = 0
    for place, raw in _raw_entries(document):
        entry = document.decode(raw, _Entry, place)
        dot = f"{place}." if place else ""
        regions = [document.decode(r, _Region, f"{dot}regions[{i}]") for i, r in enumerate(entry.regions)]
        image = listed.get(entry.image_id) or _image(document, entry, regions, images_dir, dot)
        kept = document.unknown_fields(raw, ("regions", "image_id"), place)
        if image.id in scenes:
            kept["image_id"] = image.id
            image = dataclasses.replace(image, id=1 + max(*listed, *scenes, 0))
        extra = {**image.extra, "cocoa": kept}
        if (text := kept.pop("depth_constraint", None)) is not None:
            extra["depth_constraint"], ignored = _pairs(text, count + 1, len(regions))
            left_out += [f"{dot}depth_constraint: {part!r} is no pair of regions" for part in ignored]
        image = dataclasses.replace(image, extra=extra)
        instances = []
        for index, region in enumerate(regions):
            count += 1
            where = f"{document.path}: {dot}regions[{index}]"
            unknown = document.unknown_fields(entry.regions[index], _Region.__struct_fields__, f"{dot}regions[{index}]")
            instances.append(_instance(region, unknown, image, count, where))
        scenes[image.id] = Scene(image, tuple(instances))
    images = {image_id: scenes[image_id].image if image_id in scenes else image for image_id, image in listed.items()}
    images |= {image_id: scene.image for image_id, scene in scenes.items()}
    names = sorted({instance.category for scene in scenes.values() for instance in scene})
    ids = {name: category_id for category_id, name in enumerate(names, 1)}
    numbered = {
        image_id: [instance.replace(category_id=ids[instance.category]) for instance in scene]
        for image_id, scene in scenes.items()
    }
    return Dataset(
        images,
        {category_id: name for name, category_id in ids.items()},
        numbered,
        extra={name: document.decode(raw, Any, name) for name, raw in document.extra.items()},
        images_dir=images_dir,
        path=document.path,
        left_out=left_out,
    )


def write(dataset: Dataset) -> tuple[Any, list[str]]:
    """The file's JSON value, and what it can't hold. The invisible masks and their shares are computed.

    Every image listed has an entry, every region `isStuff`, every entry a `depth_constraint`: other readers take these
    without asking. Where the data set has no order or no constraint, the masks give it, as far as both are known.
    """
    losses = Losses()
    images: dict[int, dict[str, Any]] = {}
    used: set[str] = set()
    annotations = kept_aside(_entries(dataset, images, used, losses))
    lines = losses.lines()
    if dataset.categories != dict(enumerate(sorted(used), 1)) or "categories" in dataset.extra:
        lines.append("category ids, and categories without instances (COCOA has names only)")
    extra = {name: value for name, value in dataset.extra.items() if name != "categories"}
    return {**extra, "images": list(images.values()), "annotations": annotations}, lines


def _entries(
    dataset: Dataset, images: dict[int, dict[str, Any]], used: set[str], losses: Losses
) -> Iterator[tuple[int, bytes]]:
    """An annotation for each scene, numbered; fills entries of images by id, and the names that are used."""
    for number, scene in enumerate(dataset, 1):
        image = scene.image
        used.update(instance.category for instance in scene)
        cocoa = dict(image.extra.get("cocoa") or {})
        image_id = cocoa.pop("image_id", image.id)
        if type(image_id) is not int:
            image_id = image.id
        fields = coco_layout.image_entry(image)
        images.setdefault(
            image_id, {k: v for k, v in fields.items() if k not in ("cocoa", "depth_constraint")} | {"id": image_id}
        )
        stated = image.extra.get("depth_constraint")
        unordered = all(instance.order is None for instance in scene)
        relations = relations_of(scene) if stated is None or unordered else None
        orders = _front_to_back(scene, relations, losses)
        entry = {"id": number, "size": len(scene), **cocoa, "image_id": image_id}
        entry["depth_constraint"] = _constraint(scene, stated, relations)
        yield number, msgspec.json.encode(entry | {"regions": _regions(scene, orders, losses)})


def _raw_entries(document: Document) -> list[tuple[str, Raw]]:
    if document.content is None:
        return [(f"annotations[{index}]", raw) for index, raw in enumerate(document.annotations or ())]
    if bytes(document.content).lstrip()[:1] == b"[":
        return [(f"[{index}]", raw) for index, raw in enumerate(document.decode(document.content, list[Raw], ""))]
    return [("", document.content)]


def _pairs(text: str, first_id: int, count: int) -> tuple[list[list[int]], list[str]]:
    """Pairs of instance ids from "1-2,1-3", and the parts that are no pair of regions."""
    pairs, ignored = [], []
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = re.fullmatch(r"([0-9]{1,9}) *- *([0-9]{1,9})", part)
        numbers = [int(number) for number in found.groups()] if found else []
        if numbers and all(1 <= number <= count for number in numbers):
            pairs.append([first_id + number - 1 for number in numbers])
        else:
            ignored.append(part)
    return pairs, ignored


def _instance(region: _Region, unknown: dict[str, Any], image: Image, number: int, where: str) -> Instance:
    name = region.name.strip()
    amodal = _mask(region.segmentation, image, f"{where}.segmentation")
    inmodal = _mask(region.visible_mask, image, f"{where}.visible_mask")
    if inmodal is None:
        inmodal = amodal
    if name != region.name:
        unknown["name"] = region.name
    return Instance(
        number,
        0,
        name,
        amodal,
        inmodal,
        cluster=None if region.order is None else 0,
        order=region.order,
        amodal_area=region.area,
        extra=unknown,
        position=number - 1,
    )


def _mask(raw: Raw, image: Image, where: str) -> Mask | None:
    text = bytes(raw)
    if text in (b"", b"null"):
        return None
    if re.match(rb"\[\s*[^\[\s\]]", text):  # COCOA has one flat polygon a region
        raw = Raw(b"[" + text + b"]")
    return Mask.from_segmentation(raw, image.height, image.width, where)


def _constraint(scene: Scene, stated: list[list[int]] | None, relations: Occlusion | None) -> str:
    """Pairs of regions, front and back: the annotator's (given as ids), or else as the masks have them."""
    if stated is not None:
        numbers = {instance.id: number for number, instance in enumerate(scene, 1)}
        pairs = [(numbers[front], numbers[back]) for front, back in stated if front in numbers and back in numbers]
    else:
        found = [] if relations is None else sorted(relations.ahead)
        pairs = [(front + 1, back + 1) for front, back in found]
    return ",".join(f"{front}-{back}" for front, back in pairs)


def _regions(scene: Scene, orders: list[int], losses: Losses) -> list[dict[str, Any]]:
    regions = []
    for index, instance in enumerate(scene):
        name = instance.extra.get("name")
        region: dict[str, Any] = {"name": instance.category}
        if isinstance(name, str) and name.strip() == instance.category:
            region["name"] = name
        amodal = instance.amodal
        if amodal is not None:
            polygons = amodal.polygons
            region["segmentation"] = polygons[0] if polygons and len(polygons) == 1 else amodal.raw_segmentation
            if polygons is None or len(polygons) > 1:
                losses.add("one polygon: masks of several, or without, are written as in COCO, which COCOA has not")
            region["area"] = amodal.area if instance.amodal_area is None else instance.amodal_area
            losses.box(amodal, instance.amodal_box, "amodal")
        region |= visible_fields(instance, losses)
        losses.box_alone(instance)
        if orders:
            region["order"] = orders[index]
        if instance.crowd:
            losses.add("iscrowd")
        losses.scores(instance)
        regions.append({"isStuff": 0} | instance.extra | region)
    return regions


def _front_to_back(scene: Scene, relations: Occlusion | None, losses: Losses) -> list[int]:
    """The order of each instance, from 1 in front; none where it is neither known nor follows from the masks.

    Orders that hold within clusters become one sequence that agrees with all of them.
    """
    given = [instance.order for instance in scene]
    if all(order is None for order in given):
        if relations is None:
            return []
        given = relations.order.tolist()
    else:
        one = len({instance.cluster for instance in scene}) == 1 and None not in given
        if one and len(set(given)) == len(given):
            if min(order or 0 for order in given) > 0:
                return [order or 0 for order in given]
        else:
            for _ in scene:
                losses.add("occlusion clusters; the order becomes one sequence, front to back")
    ranked = sorted(range(len(scene)), key=lambda index: given[index] or 0)
    numbers = {index: number for number, index in enumerate(ranked, 1)}
    return [numbers[index] for index in range(len(scene))]


def _image(document: Document, entry: _Entry, regions: list[_Region], images_dir: Path | None, place: str) -> Image:
    """An image that the file does not list: its name from the folder, its size from an RLE or the picture."""
    file_name = _file_name(document, entry, images_dir)
    size = None
    for region in regions:
        for raw in (region.visible_mask, region.invisible_mask):
            if bytes(raw) not in (b"", b"null") and size is None:
                found = document.decode(raw, dict[str, Any], f"{place}regions").get("size")
                if isinstance(found, list) and len(found) == 2 and all(type(n) is int for n in found):
                    size = (found[0], found[1])
    if size is None and images_dir is not None:
        size = picture_size(inside(images_dir, file_name))
    if size is None:
        raise KinsError(
            f"{document.path}: {place}image {entry.image_id} has no size in this file; name its folder with --images"
        )
    check_size(*size, f"{document.path}: {place}image {entry.image_id}")
    return Image(entry.image_id, file_name, *size)


def _file_name(document: Document, entry: _Entry, images_dir: Path | None) -> str:
    """COCO's own name as in the URL, or a picture named like the id or like the annotation file, if one is there."""
    official = Path(entry.url).name or f"COCO_val2014_{entry.image_id:012d}.jpg"
    if images_dir is None:
        return official
    stems = (Path(official).stem, f"{entry.image_id:012d}", str(entry.image_id), document.path.stem)
    for name in (official, *(stem + suffix for stem in stems for suffix in SUFFIXES)):
        if inside(images_dir, name).is_file():
            return name
    raise KinsError(f"{images_dir}: has no picture {official} for image {entry.image_id} of {document.path}")
