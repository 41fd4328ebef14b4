"""What the formats with COCO's layout share: `images`, `annotations` and `categories`, one annotation an instance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import msgspec

from kins.errors import KinsError
from kins.formats.document import MANY, Document, Place, Raw, kept_aside, parse_usual
from kins.limits import ID
from kins.masks import Mask
from kins.masks.runs import check_size
from kins.records import Dataset, Image, Instance

Number = int | float
Whole = Annotated[int, msgspec.Meta(ge=-ID.default - 1, le=ID.default)]
"""Ids and orders: whole numbers of 64 bits."""
Box = tuple[Number, Number, Number, Number]

FIRST = 2**16
"""Bytes in which the first annotation shows its fields, if it is not an unusually long one."""


class Fields(msgspec.Struct, gc=False):
    """The fields of an annotation that every format has; `fields` adds a format's own."""

    id: Whole
    image_id: Whole
    category_id: Whole
    iscrowd: Whole | None = None


_ABSENT = Raw()
_OWN: dict[str, tuple[Any, Any]] = {
    **dict.fromkeys(("amodal", "inmodal"), (Raw, _ABSENT)),
    **dict.fromkeys(("amodal_box", "inmodal_box"), (Box | None, None)),
    **dict.fromkeys(("amodal_area", "inmodal_area"), (Number | None, None)),
    **dict.fromkeys(("cluster", "order"), (Whole | None, None)),
}
"""Fields of an Instance that formats name each in its own way, or don't have: type in a file, and default."""


def fields(base: type[Fields] = Fields, **names: str) -> type[Fields]:
    """What the annotations of a format hold.

    Args:
        base: with fields of the format that no instance has.
        names: the format's name for each of an instance's fields that it has, as `amodal="segmentation"`.
    """
    own = [(name, *_OWN[name]) for name in names]
    absent = {name: default for name, (_, default) in _OWN.items() if name not in names}
    made = msgspec.defstruct("Fields", own, bases=(base,), rename=names, namespace=absent, gc=False)
    return cast(type[Fields], made)


def usual(path: Path, content: bytes, fields: type[Fields], *marks: str) -> Document | None:
    """The document of a file as published, decoded in one pass for speed; None for any other, sound or not.

    Args:
        fields: the only ones that annotations may have.
        marks: the instance's fields by which the format is recognised.
    """
    start = content.find(b'"annotations"')
    names = [f'"{_names(fields)[mark]}"'.encode() for mark in marks]
    if not any(name in content[start : start + FIRST] for name in names):
        return None
    document = parse_usual(path, content, strict(fields))
    if document is None or document.decoded is None:
        return None
    absent = [(mark, getattr(fields(0, 0, 0), mark)) for mark in marks]
    for entry in document.decoded[:MANY]:
        if any(getattr(entry, mark) is not default for mark, default in absent):
            return document
    return None


def _names(fields: type[Fields]) -> dict[str, str]:
    """The format's names by those of the struct."""
    return dict(zip(fields.__struct_fields__, fields.__struct_encode_fields__, strict=True))


class Annotations(Mapping[int, Sequence[Instance]]):
    """Instances by image id, made on access from annotations whose masks are left raw.

    Attributes:
        lost: number of annotations whose image the file does not list.
    """

    def __init__(
        self,
        document: Document,
        images: dict[int, Image],
        categories: dict[int, str],
        fields: type[Fields],
        change: Callable[[Instance], Instance] | None,
    ) -> None:
        self._document = document
        self._list = f"{document.path}: annotations"
        self._images = images
        self._categories = categories
        self._names = _names(fields)
        self._change = change
        self._entries: list[Any] = _decode(document, fields)
        self._by_image: dict[int, list[int]] = {image_id: [] for image_id in images}
        self.lost = 0
        for position, entry in enumerate(self._entries):
            positions = self._by_image.get(entry.image_id)
            if positions is None:
                self.lost += 1
            else:
                positions.append(position)

    def __getitem__(self, image_id: int) -> Sequence[Instance]:
        image = self._images[image_id]
        found = (self._instance(self._entries[position], position, image) for position in self._by_image[image_id])
        return tuple(found if self._change is None else map(self._change, found))

    def __iter__(self) -> Iterator[int]:
        return iter(self._by_image)

    def __len__(self) -> int:
        return len(self._by_image)

    def _instance(self, entry: Any, position: int, image: Image) -> Instance:
        category, crowd = entry.category_id, entry.iscrowd
        name = self._categories.get(category)
        return Instance(
            entry.id,
            category,
            str(category) if name is None else name,
            self._mask(entry.amodal, "amodal", position, image),
            self._mask(entry.inmodal, "inmodal", position, image),
            None if crowd is None else bool(crowd),
            entry.cluster,
            entry.order,
            amodal_box=entry.amodal_box,
            inmodal_box=entry.inmodal_box,
            amodal_area=entry.amodal_area,
            inmodal_area=entry.inmodal_area,
            extra={} if type(entry).__struct_config__.forbid_unknown_fields else self._unknown_fields(position),
            position=position,
        )

    def _mask(self, raw: Raw, name: str, position: int, image: Image) -> Mask | None:
        if not is_given(raw):
            return None
        place = Place(self._list, position, self._names[name])
        return Mask(image.height, image.width, None, raw, place)

    def _unknown_fields(self, position: int) -> dict[str, Any]:
        assert self._document.annotations is not None
        raw, place = self._document.annotations[position], f"annotations[{position}]"
        return self._document.unknown_fields(raw, self._names.values(), place)


def is_given(raw: Raw) -> bool:
    """Whether a file has this field, and not as null."""
    return len(raw) > 4 or bytes(raw) not in (b"", b"null")


def strict(fields: type[Fields]) -> type[Fields]:
    """The same struct without unknown fields: of annotations decoded so, nobody needs to look for them later."""
    made = msgspec.defstruct(fields.__name__, [], bases=(fields,), gc=False, forbid_unknown_fields=True)
    return cast(type[Fields], made)


def _decode(document: Document, fields: type[Fields]) -> list[Any]:
    """Every annotation."""
    if document.decoded is not None:
        return document.decoded
    raws = document.annotations or []
    try:
        decode = msgspec.json.Decoder(strict(fields)).decode
        return [decode(raw) for raw in raws]
    except msgspec.DecodeError:
        return [document.decode(raw, fields, f"annotations[{position}]") for position, raw in enumerate(raws)]


def read(
    document: Document,
    images_dir: Path | None,
    fields: type[Fields],
    change: Callable[[Instance], Instance] | None = None,
) -> Dataset:
    """A data set whose instances are made from annotations, lazily. Raises KinsError with file and place.

    Args:
        change: what each instance becomes before anyone sees it.
    """
    images, categories, extra, left_out = read_frame(document)
    annotations = Annotations(document, images, categories, fields, change)
    if annotations.lost:
        left_out.append(f"{annotations.lost} annotations of images that the file does not list; see kins validate")
    return Dataset(
        images, categories, annotations, extra=extra, images_dir=images_dir, path=document.path, left_out=left_out
    )


def read_frame(document: Document) -> tuple[dict[int, Image], dict[int, str], dict[str, Any], list[str]]:
    """Images, categories, other top-level fields, and lines on what is left out. Raises KinsError with its place."""
    if document.images is None:
        raise KinsError(f"{document.path}: has no list `images`; annotations of this format need it")
    images: dict[int, Image] = {}
    left_out = []
    for index, raw in enumerate(document.images):
        image = read_image_entry(document, raw, f"images[{index}]")
        images.setdefault(image.id, image)
    if repeated := len(document.images) - len(images):
        left_out.append(f"{repeated} entries of images whose id another entry has; see kins validate")
    categories: dict[int, str] = {}
    for index, raw in enumerate(document.categories or ()):
        category = document.decode(raw, _Category, f"categories[{index}]")
        categories.setdefault(category.id, category.name)
    extra = {name: document.decode(raw, Any, name) for name, raw in document.extra.items()}
    if document.categories is not None:
        extra["categories"] = [
            document.decode(raw, Any, f"categories[{index}]") for index, raw in enumerate(document.categories)
        ]
    return images, categories, extra, left_out


class _Category(msgspec.Struct):
    id: Whole
    name: str


class _Usual(msgspec.Struct, forbid_unknown_fields=True):
    id: Whole
    file_name: str
    height: int
    width: int


class _Image(msgspec.Struct):
    id: Whole
    file_name: str
    height: int
    width: int
    cocoa: dict[str, Any] | None = None  # these two are what the COCOA reader keeps, and stay in `extra`
    depth_constraint: list[tuple[int, int]] | None = None


_decode_usual = msgspec.json.Decoder(_Usual).decode


def read_image_entry(document: Document, raw: Raw, place: str) -> Image:
    """One entry of `images`."""
    extra: dict[str, Any] = {}
    entry: _Usual | _Image
    try:
        entry = _decode_usual(raw)
    except msgspec.DecodeError:
        entry = document.decode(raw, _Image, place)
        extra = document.unknown_fields(raw, _Usual.__struct_fields__, place)
    check_size(entry.height, entry.width, f"{document.path}: {place}")
    return Image(entry.id, entry.file_name, entry.height, entry.width, extra)


class Losses:
    """Counts what a format can't hold."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, what: str) -> None:
        """One instance loses this."""
        self._counts[what] += 1

    def scores(self, instance: Instance) -> None:
        """A detection's scores, which only prediction files hold."""
        if instance.score is not None or instance.occlusion_score is not None:
            self.add("score and occlusion_score, which belong into prediction files")

    def order(self, instance: Instance) -> None:
        """Cluster and relative order."""
        if instance.cluster is not None or instance.order is not None:
            self.add("occlusion cluster and order (oco_id, ico_id)")

    def polygons(self, mask: Mask, which: str) -> None:
        """Polygons where the format has RLE: the pixels stay the same."""
        if mask.polygons is not None:
            self.add(f"{which} polygons, written as RLE of the same pixels")

    def box(self, mask: Mask | None, stated: Sequence[Number] | None, which: str) -> None:
        """A stated box, if it is not the pixels' box."""
        if stated is not None and mask is not None and tuple(stated) != mask.box:
            self.add(f"{which} box as stated, which is not that of the pixels")

    def area(self, mask: Mask | None, stated: Number | None, which: str) -> None:
        """A stated area, if it is not the number of pixels."""
        if stated is not None and mask is not None and stated != mask.area:
            self.add(f"{which} area as stated, which is not the number of pixels")

    def box_alone(self, instance: Instance, *held: Literal["amodal", "inmodal"]) -> None:
        """A box without any mask, if it is of a kind that the format does not hold."""
        kinds = {"amodal": instance.amodal_box, "inmodal": instance.inmodal_box}
        if instance.whole is None and any(box is not None and kind not in held for kind, box in kinds.items()):
            self.add("boxes of objects without a mask")

    def lines(self) -> list[str]:
        """A line for each kind of loss."""
        return [f"{what} ({count} instance{'s' if count > 1 else ''})" for what, count in self._counts.items()]


def write(dataset: Dataset, annotation: Callable[[Instance, Image], dict[str, Any]]) -> dict[str, Any]:
    """The file's JSON value, annotations in the sequence in which they were read."""

    def rows() -> Iterator[tuple[int, bytes]]:
        for scene in dataset:
            for instance in scene:
                fields = annotation(instance, scene.image)
                for name, value in instance.extra.items():
                    fields.setdefault(name, value)
                yield instance.position, msgspec.json.encode(fields)

    annotations = kept_aside(rows())
    extra = {name: value for name, value in dataset.extra.items() if name != "categories"}
    known = {category["id"]: category for category in dataset.extra.get("categories", ())}
    return {
        **extra,
        "images": [image_entry(image) for image in dataset.images.values()],
        "annotations": annotations,
        "categories": [
            {**known.get(category_id, {}), "id": category_id, "name": name}
            for category_id, name in dataset.categories.items()
        ],
    }


def image_entry(image: Image) -> dict[str, Any]:
    """An entry of `images`."""
    return {
        "id": image.id,
        "file_name": image.file_name,
        "height": image.height,
        "width": image.width,
        **image.extra,
    }


def common_fields(instance: Instance, image: Image) -> dict[str, Any]:
    """The fields that every format with this layout has; iscrowd as read, 0 for instances that came from no file."""
    crowd = instance.crowd if instance.crowd is not None or instance.position >= 0 else False
    fields = {"id": instance.id, "image_id": image.id, "category_id": instance.category_id}
    return fields if crowd is None else fields | {"iscrowd": int(crowd)}


def mask_fields(
    instance: Instance, kind: Literal["amodal", "inmodal"], names: Sequence[str] = ("segmentation", "bbox", "area")
) -> dict[str, Any]:
    """A mask, its box and its area under a format's names for these: as read, or else the pixels', as far as known.

    Args:
        names: of mask, box and, if the format has it, area.
    """
    mask, box, area = instance.amodal, instance.amodal_box, instance.amodal_area
    if kind == "inmodal":
        mask, box, area = instance.inmodal, instance.inmodal_box, instance.inmodal_area
    values: list[Any] = [None, box, area]
    if mask is not None:
        values = [mask.raw_segmentation, mask.box if box is None else box, mask.area if area is None else area]
    return {name: value for name, value in zip(names, values, strict=False) if value is not None}


def rle(mask: Mask) -> dict[str, Any]:
    """The mask as an RLE for a file."""
    return {"size": [mask.height, mask.width], "counts": mask.counts}
