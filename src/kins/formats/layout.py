"""What the formats with COCO's layout share: `images`, `annotations` and `categories`, one annotation an instance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from kins.formats.document import Document, Raw
from kins.masks import Mask, check_size
from kins.records import Dataset, Image, Instance

Fields = dict[str, Raw]
Number = int | float
MakeInstance = Callable[["Annotation"], Instance]


class _Key(msgspec.Struct, gc=False):
    """What has to be known of every annotation when a file is loaded."""

    id: int
    image_id: int
    category_id: int


class Annotation:
    """One raw annotation on its way to an Instance: fields are taken out one by one, what is left is `extra`."""

    __slots__ = ("category", "document", "fields", "image", "key", "position")

    def __init__(self, document: Document, position: int, key: _Key, image: Image, category: str) -> None:
        assert document.annotations is not None
        self.document = document
        self.position = position
        self.key = key
        self.image = image
        self.category = category
        self.fields: Fields = document.decode(document.annotations[position], dict[str, Raw], self.place(""))
        for name in ("id", "image_id", "category_id"):
            self.fields.pop(name, None)

    def place(self, name: str) -> str:
        """The place of a field in the file, for messages."""
        return f"annotations[{self.position}]" + (f".{name}" if name else "")

    def take(self, name: str, type: Any) -> Any:
        """Remove and decode a field; None if the annotation has none or null."""
        raw = self.fields.pop(name, None)
        return None if raw is None else self.document.decode(raw, type | None, self.place(name))

    def mask(self, segmentation: str, box: str | None = None, area: str | None = None) -> Mask:
        """The mask in a field, with box and area as stated in theirs; unknown if there is no such field."""
        raw = self.fields.pop(segmentation, None)
        where = f"{self.document.path}: {self.place(segmentation)}"
        height, width = self.image.height, self.image.width
        if raw is None or bytes(raw) == b"null":
            mask = Mask.unknown(height, width, f"{where}: annotation {self.key.id} has no such mask")
        else:
            mask = Mask.from_segmentation(raw, height, width, where)
        mask.stated_box = self.take(box, list[Number]) if box else None
        mask.stated_area = self.take(area, Number) if area else None
        return mask

    def instance(self, amodal: Mask, inmodal: Mask, **fields: Any) -> Instance:
        """The Instance with these masks; what no `take` has asked for becomes `extra`."""
        crowd = self.take("iscrowd", int)
        return Instance(
            self.key.id,
            self.key.category_id,
            self.category,
            amodal,
            inmodal,
            crowd=None if crowd is None else bool(crowd),
            extra={name: msgspec.json.decode(raw) for name, raw in self.fields.items()},
            position=self.position,
            **fields,
        )


class Annotations(Mapping[int, Sequence[Instance]]):
    """Instances by image id, made from raw annotations on access."""

    def __init__(
        self, document: Document, images: dict[int, Image], categories: dict[int, str], make: MakeInstance
    ) -> None:
        self._document = document
        self._images = images
        self._categories = categories
        self._make = make
        self._by_image: dict[int, list[tuple[int, _Key]]] = {}
        decoder = msgspec.json.Decoder(_Key)
        for position, raw in enumerate(document.annotations or ()):
            try:
                key = decoder.decode(raw)
            except msgspec.DecodeError:
                key = document.decode(raw, _Key, f"annotations[{position}]")
            self._by_image.setdefault(key.image_id, []).append((position, key))

    def __getitem__(self, image_id: int) -> Sequence[Instance]:
        image = self._images[image_id]
        names = self._categories
        return tuple(
            self._make(
                Annotation(self._document, position, key, image, names.get(key.category_id, str(key.category_id)))
            )
            for position, key in self._by_image[image_id]
        )

    def __iter__(self) -> Iterator[int]:
        return (image_id for image_id in self._by_image if image_id in self._images)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def read(document: Document, images_dir: Path | None, make: MakeInstance) -> Dataset:
    """A data set whose instances `make` builds from annotations, lazily. Raises KinsError with file and place."""
    images: dict[int, Image] = {}
    for index, raw in enumerate(document.images or ()):
        image = read_image_entry(document, raw, f"images[{index}]")
        images.setdefault(image.id, image)
    categories: dict[int, str] = {}
    for index, raw in enumerate(document.categories or ()):
        category = document.decode(raw, _Category, f"categories[{index}]")
        categories.setdefault(category.id, category.name)
    extra = {name: msgspec.json.decode(raw) for name, raw in document.extra.items()}
    if document.categories is not None:
        extra["categories"] = [msgspec.json.decode(raw) for raw in document.categories]
    annotations = Annotations(document, images, categories, make)
    return Dataset(images, categories, annotations, extra=extra, images_dir=images_dir, path=document.path)


class _Category(msgspec.Struct):
    id: int
    name: str


class _Image(msgspec.Struct):
    id: int
    file_name: str
    height: int
    width: int


def read_image_entry(document: Document, raw: Raw, place: str) -> Image:
    """One entry of `images`."""
    entry = document.decode(raw, _Image, place)
    check_size(entry.height, entry.width, f"{document.path}: {place}")
    extra = msgspec.json.decode(raw)
    for name in ("id", "file_name", "height", "width"):
        del extra[name]
    return Image(entry.id, entry.file_name, entry.height, entry.width, extra)


def write(dataset: Dataset, annotation: Callable[[Instance, Image], dict[str, Any]]) -> dict[str, Any]:
    """The file's JSON value, annotations in the sequence in which they were read."""
    rows = [(instance.position, scene.image, instance) for scene in dataset for instance in scene]
    rows.sort(key=lambda row: row[0] if row[0] >= 0 else len(rows))
    images = [
        {
            "id": image.id,
            "file_name": image.file_name,
            "height": image.height,
            "width": image.width,
            **image.extra,
        }
        for image in dataset.images.values()
    ]
    known = {category["id"]: category for category in dataset.extra.get("categories", ())}
    categories = [
        {**known.get(category_id, {}), "id": category_id, "name": name}
        for category_id, name in dataset.categories.items()
    ]
    extra = {name: value for name, value in dataset.extra.items() if name != "categories"}
    annotations = [annotation(instance, image) for _, image, instance in rows]
    return {**extra, "images": images, "annotations": annotations, "categories": categories}


def common_fields(instance: Instance, image: Image) -> dict[str, Any]:
    """The fields that every format with this layout has; iscrowd as read, 0 for instances that came from no file."""
    crowd = instance.crowd if instance.crowd is not None or instance.position >= 0 else False
    fields = {"id": instance.id, "image_id": image.id, "category_id": instance.category_id}
    return fields if crowd is None else fields | {"iscrowd": int(crowd)}


def stated_box(mask: Mask) -> Any:
    """The box to write: as read, or else the pixels'."""
    return list(mask.box) if mask.stated_box is None else mask.stated_box


def stated_area(mask: Mask) -> Any:
    """The area to write: as read, or else the number of pixels."""
    return mask.area if mask.stated_area is None else mask.stated_area
