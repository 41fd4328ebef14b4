"""Parquet: a row is an image with its instances. DuckDB, pandas, Polars and Hugging Face `datasets` open such files.

| column | type |
|---|---|
| image_id, file_name, height, width | as in the records |
| image | the picture, {bytes, path}, or null |
| extra | JSON, what else the file it came from said of the image, or null |
| instances | list of the instances' fields; masks are COCO's compressed run lengths, of height x width |

Categories, format version and the file's other fields lie in the file's metadata under `kins`, as JSON. A folder of
such files with the same categories is one data set. Instances are read in groups of rows when they are asked for, so
that memory does not grow with the number of images.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from kins.errors import KinsError
from kins.files import PROGRAM_MARK, check_regular, inside, reason, temporary_name
from kins.files.sources import Place
from kins.masks import Mask
from kins.masks.runs import check_size
from kins.records import Dataset, Image, Instance, Scene

__all__ = ["write"]

MAGIC = b"PAR1"
VERSION = 1
ROWS = 64
"""Images in a group of rows."""
GROUPS_KEPT = 4
"""Groups of rows that stay decoded."""
_FIELDS = [name for name in Instance.__struct_fields__ if name != "position"]
_SEVERAL = ("amodal", "inmodal", "amodal_box", "inmodal_box", "extra")


def matches(path: Path) -> bool:
    """Whether a path is a Parquet file, or a folder with one directly in it."""
    if path.is_dir():
        return any(True for _ in path.glob("*.parquet"))
    try:
        check_regular(path)
        with open(path, "rb") as file:
            return file.read(4) == MAGIC
    except (OSError, KinsError):
        return False


def schema() -> Any:
    """The columns, of pyarrow's type."""
    import pyarrow as pa

    box = pa.list_(pa.float64())
    types = {
        **dict.fromkeys(("id", "category_id", "cluster", "order"), pa.int64()),
        **dict.fromkeys(("score", "occlusion_score", "amodal_area", "inmodal_area"), pa.float64()),
        **dict.fromkeys(("category", "amodal", "inmodal", "extra"), pa.string()),
        **dict.fromkeys(("amodal_box", "inmodal_box"), box),
        "crowd": pa.bool_(),
    }
    instance = pa.struct([(name, types[name]) for name in _FIELDS])
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = [
        *(("image_id", pa.int64()), ("file_name", pa.string()), ("height", pa.int32()), ("width", pa.int32())),
        *(("image", picture), ("extra", pa.string()), ("instances", pa.list_(instance))),
    ]
    return pa.schema(columns)


def write(dataset: Dataset, path: str | Path, pictures: bool | None = None, failed: Sequence[str] = ()) -> list[str]:
    """Write one file; returns lines on what it can't hold, which is nothing for masks inside of their images.

    Args:
        dataset: any; scenes are taken one after the other.
        path: the file.
        pictures: put the pictures' bytes into the file, too, as they lie on disk. None: those that lie in the Parquet
            files that the data set was read from.
        failed: a line for each image that should be here and is not; kept in the file's metadata.

    Raises:
        KinsError: pyarrow is not installed, a picture is missing, or the file can't be written.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> kins.formats.parquet.write(write_shapes("pictures", 3), "truth.parquet")
        []
        >>> kins.load("truth.parquet")
        Dataset(truth.parquet: 3 images, 3 categories: disc, box, triangle)
        >>> kins.formats.parquet.write(write_shapes("pictures", 3), "whole.parquet", pictures=True)
        []
        >>> kins.load("whole.parquet")[0].read_image().shape
        (160, 240, 3)
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    layout = schema()
    instances = 0
    with (
        temporary_name(path) as temporary,
        pq.ParquetWriter(temporary, layout, compression="zstd", store_schema=False) as file,
    ):
        for rows in _batches((row(scene, pictures) for scene in dataset), ROWS):
            file.write_table(pa.Table.from_pylist(rows, schema=layout))
            instances += sum(len(row["instances"]) for row in rows)
        said = _Said(VERSION, dataset.categories, dataset.extra, instances, list(failed))
        file.add_key_value_metadata({"kins": msgspec.json.encode(said).decode(), PROGRAM_MARK: ""})
    return []


def row(scene: Scene, pictures: bool | None = None) -> dict[str, Any]:
    """The row of one image; `pictures` as for `write`."""
    image = scene.image
    held = scene.content is not None if pictures is None else pictures
    content = {"bytes": scene.picture_bytes(), "path": image.file_name} if held else None
    return {
        "image_id": image.id,
        "file_name": image.file_name,
        "height": image.height,
        "width": image.width,
        "image": content,
        "extra": _text(image.extra),
        "instances": [_entry(instance) for instance in scene],
    }


def _entry(instance: Instance) -> dict[str, Any]:
    entry = {name: getattr(instance, name) for name in _FIELDS if name not in _SEVERAL}
    for kind, mask in (("amodal", instance.amodal), ("inmodal", instance.inmodal)):
        entry[kind] = None if mask is None else mask.counts
    boxes = {name: getattr(instance, name) for name in ("amodal_box", "inmodal_box")}
    return (
        entry
        | {k: None if b is None else list(map(float, b)) for k, b in boxes.items()}
        | {"extra": _text(instance.extra)}
    )


def _text(extra: dict[str, Any]) -> str | None:
    return msgspec.json.encode(extra).decode() if extra else None


def _batches(rows: Iterable[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for one in rows:
        batch.append(one)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def read(path: str | Path, images_dir: Path | None = None) -> Dataset:
    """A file, or all files `*.parquet` directly in a folder as one data set.

    Raises:
        KinsError: pyarrow is not installed, a file is damaged, cut short or none of kins's, files have different
            categories, or an image id occurs twice.
    """
    path = Path(path)
    files = sorted(p for p in path.glob("*.parquet") if not p.name.startswith(".")) if path.is_dir() else [path]
    if not files:
        raise KinsError(f"{path}: holds no file *.parquet")
    said = [_said(file) for file in files]
    for file, other in zip(files, said, strict=True):
        if other["categories"] != said[0]["categories"]:
            raise KinsError(f"{file}: has other categories than {files[0].name}; files of one data set share them")
    images: dict[int, Image] = {}
    places: dict[int, tuple[int, int, int]] = {}
    contents = _Contents(files, places)
    for number, file in enumerate(files):
        for image, place, has_picture in _images(file):
            if image.id in images:
                raise KinsError(f"{file}: image id {image.id} occurs twice")
            if images_dir is not None:
                inside(images_dir, image.file_name)
            images[image.id], places[image.id] = image, (number, *place)
            if has_picture:
                contents.held.add(image.id)
    categories, extra = said[0]["categories"], said[0]["extra"]
    rows = _Rows(files, images, places, categories)
    return Dataset(images, categories, rows, extra=extra, images_dir=images_dir, path=path, contents=contents)


def _opened(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        check_regular(path)
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise KinsError(f"{path}: not a readable Parquet file ({reason(error)[:200]})") from None


class _Said(msgspec.Struct):
    version: int
    categories: dict[int, str]
    extra: dict[str, Any] = {}
    instances: int = 0
    failed: list[str] = []


def contents(path: Path) -> tuple[int, int, list[str]]:
    """Images and instances, and the lines `failed`, of a file that this version wrote, from its end alone."""
    file = _opened(path)
    said = _said(path, file)
    return file.metadata.num_rows, said["instances"], said["failed"]


def _said(path: Path, file: Any = None) -> dict[str, Any]:
    file = file or _opened(path)
    text = (file.metadata.metadata or {}).get(b"kins")
    if text is None or not {"image_id", "file_name", "instances"} <= set(file.schema_arrow.names):
        raise KinsError(f"{path}: Parquet, but not written by kins (no column instances, or no `kins` in its metadata)")
    try:
        said = msgspec.json.decode(text, type=_Said)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise KinsError(f"{path}: metadata of kins: {reason(error)}") from None
    if said.version > VERSION:
        raise KinsError(f"{path}: version {said.version} of this format; a newer kins wrote it")
    return msgspec.structs.asdict(said)


class _ImageRow(msgspec.Struct):
    image_id: int
    file_name: str
    height: int
    width: int
    extra: str | None


def _images(path: Path) -> Iterator[tuple[Image, tuple[int, int], bool]]:
    """Each image of a file, its group of rows and the place in it, and whether its picture is there, too."""
    file = _opened(path)
    columns = ["image_id", "file_name", "height", "width", "extra", "image.path"]
    for group in range(file.metadata.num_row_groups):
        for index, row in enumerate(_group(file, path, group, columns)):
            picture = isinstance(row.get("image"), dict) and row["image"].get("path") is not None
            yield _image(row, f"{path}: row {index} of group {group}"), (group, index), picture


def _image(row: Mapping[str, Any], place: str) -> Image:
    try:
        found = msgspec.convert({name: row[name] for name in _ImageRow.__struct_fields__}, _ImageRow)
        extra = msgspec.json.decode(found.extra, type=dict[str, Any]) if found.extra else {}
    except (msgspec.MsgspecError, RecursionError) as error:
        raise KinsError(f"{place}: {reason(error)}") from None
    check_size(found.height, found.width, place)
    return Image(found.image_id, found.file_name, found.height, found.width, extra)


def _group(file: Any, path: Path, group: int, columns: list[str]) -> list[dict[str, Any]]:
    import pyarrow as pa

    try:  # threads do not survive a fork
        return file.read_row_group(group, columns=columns, use_threads=False).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise KinsError(f"{path}: group {group} of rows is damaged ({reason(error)[:200]})") from None


class _Contents(Mapping[int, Place]):
    """Where pictures lie in the files, by image id.

    Attributes:
        held: the images that have one.
    """

    def __init__(self, files: Sequence[Path], places: Mapping[int, tuple[int, int, int]]) -> None:
        self._files, self._places = files, places
        self.held: set[int] = set()

    def __getitem__(self, image_id: int) -> Place:
        if image_id not in self.held:
            raise KeyError(image_id)
        number, group, index = self._places[image_id]
        return Place(str(self._files[number].absolute()), "image.bytes", group, index)

    def __iter__(self) -> Iterator[int]:
        return iter(self.held)

    def __len__(self) -> int:
        return len(self.held)


class _Rows(Mapping[int, Sequence[Instance]]):
    """Instances by image id, read in groups of rows when asked for."""

    def __init__(
        self,
        files: Sequence[Path],
        images: Mapping[int, Image],
        places: Mapping[int, tuple[int, int, int]],
        categories: Mapping[int, str],
    ) -> None:
        self._files, self._images, self._places, self._categories = files, images, places, categories
        self._groups: OrderedDict[tuple[int, int], list[dict[str, Any]]] = OrderedDict()

    def __getitem__(self, image_id: int) -> Sequence[Instance]:
        number, group, index = self._places[image_id]
        rows = self._groups.get((number, group))
        if rows is None:
            path = self._files[number]
            rows = self._groups[number, group] = _group(_opened(path), path, group, ["instances"])
            while len(self._groups) > GROUPS_KEPT:
                self._groups.popitem(last=False)
        place = f"{self._files[number]}: row {index} of group {group}"
        return _instances(rows[index]["instances"], self._images[image_id], place, self._categories)

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _instances(
    entries: Sequence[Mapping[str, Any]] | None, image: Image, place: str, categories: Mapping[int, str]
) -> tuple[Instance, ...]:
    found = enumerate(entries or [])
    return tuple(_instance(entry, image, f"{place}: instances[{number}]", categories) for number, entry in found)


def _instance(entry: Mapping[str, Any], image: Image, place: str, categories: Mapping[int, str]) -> Instance:
    masks: dict[str, Any] = {}
    for kind in ("amodal", "inmodal"):
        rle = {"size": [image.height, image.width], "counts": entry.get(kind)}
        known = rle["counts"] is not None
        masks[kind] = Mask.from_segmentation(rle, image.height, image.width, place) if known else None
    extra = entry.get("extra")
    try:
        plain = msgspec.convert({**entry, "extra": msgspec.json.decode(extra) if extra else {}}, _Plain)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise KinsError(f"{place}: {reason(error)}") from None
    if plain.category_id not in categories:
        raise KinsError(f"{place}.category_id: {plain.category_id} is none of the categories")
    return Instance(**{**msgspec.structs.asdict(plain), "category": categories[plain.category_id]}, **masks)


def scene_of(row: Mapping[str, Any], place: str, categories: Mapping[int, str]) -> tuple[Image, tuple[Instance, ...]]:
    """Image and instances of a row as Python values. Raises KinsError, naming the place, for what they can't be."""
    image = _image(row, place)
    return image, _instances(row["instances"], image, place, categories)


_Box = tuple[float, float, float, float] | None


class _Plain(msgspec.Struct):
    """An instance's fields but its masks."""

    id: int
    category_id: int
    crowd: bool | None = None
    cluster: int | None = None
    order: int | None = None
    score: float | None = None
    occlusion_score: float | None = None
    amodal_box: _Box = None
    inmodal_box: _Box = None
    amodal_area: float | None = None
    inmodal_area: float | None = None
    extra: dict[str, Any] = {}
