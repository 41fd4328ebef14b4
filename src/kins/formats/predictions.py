"""Predictions: images, categories and a list of detections with both masks; or plain COCO results, a list alone.

A detection has `image_id`, `category_id`, `score`, and as far as known `a_segm`, `a_bbox`, `i_segm`, `i_bbox`,
`occlusion_score`, `oco_id`, `ico_id`; a mask completed for a given object has its `annotation_id`. Plain COCO results
have `segmentation` or `bbox` instead, and the caller says which masks these are; AIStron's have `amodal_segm` and
`visible_segm`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import msgspec

from kins.errors import KinsError
from kins.formats import coco_layout, parquet
from kins.formats.coco_layout import Whole, is_given, mask_fields, rle
from kins.formats.document import (
    Document,
    Place,
    Raw,
    checked_text,
    describe,
    not_json,
    parse,
    read_content,
    uncollected,
)
from kins.masks import Mask
from kins.records import Dataset, Image, Instance

Masks = Literal["amodal", "inmodal"]
Box = tuple[float, float, float, float]

SCORE_TOLERANCE = 1e-6
"""Scores may leave 0 to 1 by this much and are clipped: probabilities summed in single precision do, by 1.2e-7."""


UNFINISHED = b'{"unfinished":'
"""Begins the file of a PredictionWriter that is not closed yet: a line for the frame, then for each image a line for
each detection (which begins with ROW), and one for the image when they are complete."""
ROW = b'{"image_id":'


class _Detection(msgspec.Struct, gc=False):
    image_id: Whole
    category_id: Whole
    score: float
    a_segm: Raw = Raw()
    i_segm: Raw = Raw()
    segmentation: Raw = Raw()
    a_bbox: Box | None = None
    i_bbox: Box | None = None
    bbox: Box | None = None
    occlusion_score: float | None = None
    oco_id: Whole | None = None
    ico_id: Whole | None = None
    annotation_id: Whole | None = None
    amodal_segm: Raw = Raw()  # AIStron's results
    visible_segm: Raw = Raw()


@uncollected()
def load_predictions(path: str | Path, dataset: Dataset, masks: Masks | None = None) -> Dataset:
    """Read detections as a data set of the same images, whose instances have scores.

    Masks are decoded and checked when they are used. Ids are the positions in the file, counted from 1.

    Args:
        path: a prediction file, Parquet or a folder of it, or a JSON list of detections. The categories of a prediction
            file and of Parquet are those of the same name in the ground truth; a list's those of the same id.
        dataset: the ground truth: images (their sizes) and categories.
        masks: what `segmentation` and `bbox` of plain COCO results are; None if the file has `a_segm` or `i_segm`.

    Raises:
        KinsError: not a list of detections, an image or category that the ground truth does not have, a score or
            box that is none; with the place in the file.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> truth = write_shapes("pictures", 2)
        >>> found = truth.map(lambda scene: scene.replace(instances=tuple(i.replace(score=0.9) for i in scene)))
        >>> found.save("found.json", format="predictions")
        []
        >>> kins.load_predictions("found.json", truth)[0][0].score
        0.9
    """
    path = Path(path)
    if parquet.matches(path):
        return _from_parquet(path, dataset)
    content = checked_text(path, read_content(path))
    source = str(dataset.path or "the ground truth")
    if content.lstrip()[:1] != b"{":
        labels = {category_id: (category_id, name) for category_id, name in dataset.categories.items()}
        detections = _Detections(path, "", _listed(path, content), masks)
    else:
        document = read_unfinished(path, content) or parse(path, content)
        if not matches(document):
            raise KinsError(f"{path}: is not a list of detections, as prediction files are")
        images, categories, _, _ = coco_layout.read_frame(_frame(document))
        labels = _by_name(categories, dataset.categories)
        detections = _Detections(path, "predictions", _predicted(document), masks)
        _check_pair(path, images, dataset, set(detections.rows.image_ids), source)
    detections.place(dataset.images, labels, source)
    return Dataset(dataset.images, dataset.categories, detections, images_dir=dataset.images_dir, path=path)


def _from_parquet(path: Path, dataset: Dataset) -> Dataset:
    found, source = parquet.read(path), str(dataset.path or "the ground truth")
    labels = _by_name(found.categories, dataset.categories)
    _check_pair(path, found.images, dataset, set(found.images), source)
    instances: dict[int, list[Instance]] = {image_id: [] for image_id in dataset.images}
    count = 0
    for scene in found:
        place = f"{path}: image {scene.image.id}"
        if len(scene) and scene.image.id not in dataset.images:
            raise KinsError(f"{place}: is none of {source}; is this the right pair of files?")
        for instance in scene:
            if instance.category_id not in labels:
                raise KinsError(f"{place}: {source} has no category {instance.category}")
            if instance.score is None or not 0 <= instance.score <= 1:
                raise KinsError(f"{place}: score {instance.score} is not between 0 and 1; are these predictions?")
            number, name = labels[instance.category_id]
            changed = instance.replace(id=count + 1, category_id=number, category=name, position=count)
            instances[scene.image.id].append(changed)
            count += 1
    return Dataset(dataset.images, dataset.categories, instances, images_dir=dataset.images_dir, path=path)


def matches(document: Document) -> bool:
    """Recognised by a list `predictions`, or by a list whose first entry has a score."""
    if document.content is None:
        return "predictions" in document.extra
    try:
        first = msgspec.json.decode(document.content, type=list[Raw])[:1]
        return bool(first) and "score" in msgspec.json.decode(first[0], type=dict[str, Raw])
    except msgspec.DecodeError:
        return False


def read(document: Document, images_dir: Path | None, masks: Masks | None = None) -> Dataset:
    """A data set of the images and categories that a prediction file lists. A list alone has none: raises KinsError."""
    if document.content is not None:
        raise KinsError(
            f"{document.path}: is a list of detections without images and categories; kins eval takes it beside its "
            "ground truth, and kins convert --to predictions --annotations FILE adds what is missing"
        )
    images, categories, extra, left_out = coco_layout.read_frame(_frame(document))
    detections = _Detections(document.path, "predictions", _predicted(document), masks)
    labels = {category_id: (category_id, name) for category_id, name in categories.items()}
    detections.place(images, labels, "its own lists")
    return Dataset(
        images, categories, detections, extra=extra, images_dir=images_dir, path=document.path, left_out=left_out
    )


def write(dataset: Dataset) -> tuple[dict[str, Any], list[str]]:
    """The file's JSON value, masks as RLE. Raises KinsError for an instance without a score."""
    value = coco_layout.write(dataset, detection)
    rows = value.pop("annotations")
    return head() | value | {"predictions": rows}, []


def head() -> dict[str, Any]:
    """What a prediction file begins with: the version that wrote it."""
    from kins import __version__

    return {"kins": __version__}


def detection(instance: Instance, image: Image) -> dict[str, Any]:
    """An entry of the list of detections."""
    if instance.score is None:
        raise KinsError(f"instance {instance.id} of image {image.id} has no score; predictions need one")
    fields: dict[str, Any] = {"image_id": image.id, "category_id": instance.category_id, "score": instance.score}
    fields |= mask_fields(instance, "amodal", ("a_segm", "a_bbox")) | mask_fields(
        instance, "inmodal", ("i_segm", "i_bbox")
    )
    for prefix, mask in (("a", instance.amodal), ("i", instance.inmodal)):
        if mask is not None:
            fields[f"{prefix}_segm"] = rle(mask)
    optional = {
        "occlusion_score": instance.occlusion_score,
        "oco_id": instance.cluster,
        "ico_id": instance.order,
    }
    return fields | {name: value for name, value in optional.items() if value is not None}


class _Rows:
    """Detections as a file holds them, decoded when they are used: decoded all take more memory than the file.

    Attributes:
        image_ids, category_ids, scores: of each.
        plain: whether any has the fields of plain COCO results.
    """

    def __init__(self, raws: list[Raw]) -> None:
        """Raises msgspec.DecodeError if one of them is none."""
        self._raws = raws
        self._decode = msgspec.json.Decoder(_Detection).decode
        self._renamed = bool(raws) and _is_aistron(self._decode(raws[0]))
        self.image_ids, self.category_ids, self.scores = array("q"), array("q"), array("d")
        self.plain = bytearray()
        for index in range(len(raws)):
            row = self[index]
            self.image_ids.append(row.image_id)
            self.category_ids.append(row.category_id)
            self.scores.append(row.score)
            self.plain.append(row.bbox is not None or len(row.segmentation) > 0)

    def __getitem__(self, index: int) -> _Detection:
        row = self._decode(self._raws[index])
        return _renamed(row) if self._renamed else row


class _Detections(Mapping[int, Sequence[Instance]]):
    """Instances by image id, made on access; images without detections are not among the keys.

    `name` is that of the list in the file, for messages; `place` puts the detections into images.
    """

    def __init__(self, path: Path, name: str, rows: _Rows, masks: Masks | None) -> None:
        if masks not in (None, "amodal", "inmodal"):
            raise KinsError(f"masks of plain results are amodal or inmodal, not {masks!r}")
        self.rows = rows
        self._list = f"{path}: {name}"
        self._masks = masks

    def place(self, images: Mapping[int, Image], labels: Mapping[int, tuple[int, str]], source: str) -> None:
        """Check each detection against images and categories (id and name by the file's id), and sort them by image."""
        self._images, self._labels = images, labels
        self._by_image: dict[int, list[int]] = {}
        rows = self.rows
        found = zip(rows.image_ids, rows.category_ids, rows.scores, rows.plain, strict=True)
        for index, (image_id, category_id, score, plain) in enumerate(found):
            if image_id not in images:
                raise self._unknown(index, "image_id", rows.image_ids, images, source)
            if category_id not in labels:
                raise self._unknown(index, "category_id", rows.category_ids, labels, source)
            if not -SCORE_TOLERANCE <= score <= 1 + SCORE_TOLERANCE:
                raise KinsError(f"{self._list}[{index}].score: {score} is not between 0 and 1")
            if self._masks is None and plain:
                raise KinsError(
                    f"{self._list}[{index}]: has plain COCO fields (segmentation, bbox); say whether they are amodal or"
                    " inmodal: --masks of kins eval, --as of other commands"
                )
            self._by_image.setdefault(image_id, []).append(index)

    def __getitem__(self, image_id: int) -> Sequence[Instance]:
        image = self._images[image_id]
        return tuple(self._instance(index, image) for index in self._by_image[image_id])

    def __iter__(self) -> Iterator[int]:
        return iter(self._by_image)

    def __len__(self) -> int:
        return len(self._by_image)

    def _instance(self, index: int, image: Image) -> Instance:
        row = self.rows[index]
        amodal, amodal_box = self._mask(row.a_segm, index, "a_segm", image), row.a_bbox
        inmodal, inmodal_box = self._mask(row.i_segm, index, "i_segm", image), row.i_bbox
        if self._masks is not None and (len(row.segmentation) or row.bbox is not None):
            plain = self._mask(row.segmentation, index, "segmentation", image)
            if self._masks == "amodal":
                amodal, amodal_box = plain, row.bbox
            else:
                inmodal, inmodal_box = plain, row.bbox
        category_id, category = self._labels[row.category_id]
        return Instance(
            index + 1,
            category_id,
            category,
            amodal,
            inmodal,
            amodal_box=amodal_box,
            inmodal_box=inmodal_box,
            cluster=row.oco_id,
            order=row.ico_id,
            score=min(max(row.score, 0.0), 1.0),
            occlusion_score=row.occlusion_score,
            extra={} if row.annotation_id is None else {"annotation_id": row.annotation_id},
            position=index,
        )

    def _mask(self, raw: Raw, index: int, name: str, image: Image) -> Mask | None:
        if not is_given(raw):
            return None
        return Mask(image.height, image.width, None, raw, Place(self._list, index, name))

    def _unknown(
        self, index: int, field: str, values: Sequence[int], known: Mapping[int, Any], source: str
    ) -> KinsError:
        count = sum(value not in known for value in values)
        what = "image" if field == "image_id" else "category"
        return KinsError(
            f"{self._list}[{index}].{field}: no {what} {values[index]} in {source} ({count} such"
            f" detection{'s' if count > 1 else ''}); is this the right pair of files?"
        )


def read_unfinished(path: Path, content: bytes) -> Document | None:
    """What PredictionWriter had written when it was interrupted: all whole images. None if it is no such file."""
    if not content.startswith(UNFINISHED):
        return None
    first, _, rest = content.partition(b"\n")
    try:
        start = msgspec.json.decode(first, type=dict[str, Raw])
        categories = msgspec.json.decode(start["categories"], type=list[Raw])
    except (msgspec.DecodeError, KeyError):
        raise KinsError(f"{path}: holds no predictions yet, only the beginning of a file") from None
    images: list[Raw] = []
    rows: list[bytes] = []
    whole = 0
    for line in rest.split(b"\n")[:-1]:
        if line.startswith(ROW):
            rows.append(line)
        else:
            images.append(Raw(line))
            whole = len(rows)
    extra = {"info": start["info"]} if "info" in start else {}
    return Document(path, images, None, categories, extra | {"predictions": Raw(b"[" + b",".join(rows[:whole]) + b"]")})


def _listed(path: Path, content: bytes) -> _Rows:
    """A plain list."""
    try:
        return _rows(content)
    except msgspec.ValidationError as error:
        if content.lstrip()[:1] != b"[":
            raise KinsError(f"{path}: is not a list of detections, as prediction files are") from None
        raise KinsError(f"{path}: {describe(error).removeprefix(': ')}") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise not_json(path, content, error) from None


def _predicted(document: Document) -> _Rows:
    """The list in a prediction file."""
    raw = document.extra["predictions"]
    try:
        return _rows(raw)
    except (msgspec.DecodeError, RecursionError):
        document.decode(raw, list[_Detection], "predictions")
        raise


def _rows(content: bytes | Raw) -> _Rows:
    """Raises msgspec.DecodeError with the place in the list."""
    try:
        return _Rows(msgspec.json.decode(content, type=list[Raw]))
    except msgspec.DecodeError:
        msgspec.json.decode(content, type=list[_Detection])  # its message has the place in the list
        raise


def _is_aistron(row: _Detection) -> bool:
    return bool(len(row.amodal_segm) or len(row.visible_segm))


def _renamed(row: _Detection) -> _Detection:
    """With AIStron's masks under their names here. Its `segmentation` is one of these, and its box the amodal one."""
    row.a_segm, row.i_segm, row.segmentation = row.amodal_segm, row.visible_segm, Raw()
    row.a_bbox, row.bbox = row.bbox, None
    return row


def _frame(document: Document) -> Document:
    """The document without its detections."""
    extra = {name: raw for name, raw in document.extra.items() if name not in ("kins", "predictions")}
    return Document(document.path, document.images, None, document.categories, extra)


def _by_name(categories: Mapping[int, str], truth: Mapping[int, str]) -> dict[int, tuple[int, str]]:
    """Id and name in the ground truth of each category in the file that the ground truth has."""
    ids = {name: category_id for category_id, name in reversed(list(truth.items()))}
    labels = {}
    for category_id, name in categories.items():
        if truth.get(category_id) == name:
            labels[category_id] = category_id, name
        elif name in ids:
            labels[category_id] = ids[name], name
    return labels


def _check_pair(path: Path, images: Mapping[int, Image], dataset: Dataset, used: set[int], source: str) -> None:
    """Raises KinsError where one id means pictures of other sizes or names (but for folder and suffix)."""
    for image_id in used & images.keys() & dataset.images.keys():
        mine, theirs = images[image_id], dataset.images[image_id]
        one, other = ((PurePosixPath(i.file_name).stem, f"{i.width} x {i.height}") for i in (mine, theirs))
        if one != other:
            raise KinsError(
                f"{path}: image {image_id} is {mine.file_name} of {one[1]} pixels, but in {source} {theirs.file_name} "
                f"of {other[1]}; is this the right pair of files?"
            )
