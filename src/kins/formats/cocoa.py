"""COCOA (`COCO_amodal_train2014.json`): an annotation is one annotator's whole image, a list of regions front to back.

A file may also hold one annotation (or a list of them) without `images`; sizes then come from an RLE or the picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from kins.errors import KinsError
from kins.files import inside
from kins.formats import layout
from kins.formats.document import Document, Raw
from kins.masks import Mask, check_size
from kins.records import Dataset, Image, Instance, image_size

SUFFIXES = (".jpg", ".jpeg", ".png")


class _Region(msgspec.Struct):
    segmentation: Raw
    name: str = ""
    area: int | float | None = None
    isStuff: int | None = None
    occlude_rate: int | float | None = None
    order: int | None = None
    visible_mask: Raw = Raw()
    invisible_mask: Raw = Raw()


class _Entry(msgspec.Struct):
    image_id: int
    regions: list[_Region]
    id: int | None = None
    url: str = ""


def matches(document: Document) -> bool:
    """Recognised by `regions`, in the first annotation or in the file itself."""
    if document.content is None:
        return "regions" in document.first_annotation()
    try:
        value = msgspec.json.decode(document.content, type=dict[str, Raw] | list[dict[str, Raw]])
    except msgspec.DecodeError:
        return False
    first = value if isinstance(value, dict) else value[0] if value else {}
    return "regions" in first


def read(document: Document, images_dir: Path | None) -> Dataset:
    """A data set from the file: a category for each name, the annotator's front-to-back sequence as `order`."""
    entries = _entries(document)
    listed = {}
    for index, raw in enumerate(document.images or ()):
        image = layout.read_image_entry(document, raw, f"images[{index}]")
        listed[image.id] = image
    names = sorted({_name(region) for _, entry in entries for region in entry.regions})
    category_ids = {name: index for index, name in enumerate(names, 1)}
    images: dict[int, Image] = {}
    instances: dict[int, list[Instance]] = {}
    count = 0
    for place, entry in entries:
        image = listed.get(entry.image_id) or _image(document, entry, images_dir, place)
        images[image.id] = image
        for index, region in enumerate(entry.regions):
            count += 1
            where = f"{document.path}: {place}regions[{index}]"
            instances.setdefault(image.id, []).append(_instance(region, image, count, category_ids, where))
    images = {**images, **{key: image for key, image in listed.items() if key not in images}}
    categories = {index: name for name, index in category_ids.items()}
    return Dataset(images, categories, instances, images_dir=images_dir, path=document.path)


def write(dataset: Dataset) -> tuple[Any, list[str]]:
    """Not written yet."""
    raise KinsError("format cocoa can be read, not written")


def _entries(document: Document) -> list[tuple[str, _Entry]]:
    if document.content is None:
        raws = document.annotations or []
        return [(f"annotations[{i}].", document.decode(raw, _Entry, f"annotations[{i}]")) for i, raw in enumerate(raws)]
    if bytes(document.content).lstrip()[:1] == b"[":
        raws = document.decode(document.content, list[Raw], "")
        return [(f"[{i}].", document.decode(raw, _Entry, f"[{i}]")) for i, raw in enumerate(raws)]
    return [("", document.decode(document.content, _Entry, ""))]


def _name(region: _Region) -> str:
    return region.name.strip() or "unnamed"


def _instance(region: _Region, image: Image, number: int, category_ids: dict[str, int], where: str) -> Instance:
    name = _name(region)
    amodal = _mask(region.segmentation, image, f"{where}.segmentation")
    amodal.stated_area = region.area
    seen = region.visible_mask
    inmodal = _mask(seen, image, f"{where}.visible_mask") if bytes(seen) else amodal
    extra = {} if region.isStuff is None else {"isStuff": region.isStuff}
    return Instance(
        number,
        category_ids[name],
        name,
        amodal,
        inmodal,
        cluster=0,
        order=region.order,
        extra=extra,
        position=number - 1,
    )


def _mask(raw: Raw, image: Image, where: str) -> Mask:
    segmentation = msgspec.json.decode(raw)
    if isinstance(segmentation, list) and segmentation and not isinstance(segmentation[0], list):
        segmentation = [segmentation]  # COCOA has one flat polygon a region
    return Mask.from_segmentation(segmentation, image.height, image.width, where)


def _image(document: Document, entry: _Entry, images_dir: Path | None, place: str) -> Image:
    """An image that the file does not list: its name from the folder, its size from an RLE or the picture."""
    file_name = _file_name(document, entry, images_dir)
    size = None
    for region in entry.regions:
        for raw in (region.visible_mask, region.invisible_mask):
            if bytes(raw) and size is None:
                rle = document.decode(raw, dict[str, Any], f"{place}regions")
                found = rle.get("size")
                if isinstance(found, list) and len(found) == 2 and all(type(n) is int for n in found):
                    size = (found[0], found[1])
    if size is None and images_dir is not None:
        size = image_size(inside(images_dir, file_name))
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
