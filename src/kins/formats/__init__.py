"""Annotation formats, one file each: how it is recognised, read and written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Literal

from kins.errors import KinsError
from kins.files import write_json
from kins.formats import (
    aistron,
    coco,
    cocoa,
    cocoa_cls,
    folders,
    instaorder,
    kins2019,
    kins2020,
    parquet,
    predictions,
    tools,
)
from kins.formats.document import Document, checked_text, encode, parse, read_content, uncollected
from kins.formats.folders import FOLDERS
from kins.formats.foreign import describe_file
from kins.formats.instaorder import load_instaorder as load_instaorder
from kins.formats.prediction_writer import PredictionWriter as PredictionWriter
from kins.formats.predictions import load_predictions as load_predictions
from kins.formats.tools import TOOLS, Convention, Reading
from kins.masks.trace import traced
from kins.records import Dataset, Instance, Scene

__all__ = [
    "FOLDERS",
    "FORMATS",
    "SEVERAL",
    "Convention",
    "Masks",
    "PredictionWriter",
    "load",
    "load_instaorder",
    "load_predictions",
    "outputs",
    "recognise",
    "save",
]

Masks = Literal["amodal", "inmodal"]

FORMATS: dict[str, ModuleType] = {
    "predictions": predictions,
    **TOOLS,
    "kins2020": kins2020,
    "kins2019": kins2019,
    "cocoa": cocoa,
    "cocoa-cls": cocoa_cls,
    "d2sa": cocoa_cls,
    "aistron": aistron,
    "coco": coco,
}
"""By name, in the sequence in which they are tried. Each has matches(document), read(document, images_dir) and
write(dataset) -> (JSON value, lines on what it can't hold). COCO's read and write, and the read of predictions, also
take what plain COCO masks are. Formats with COCO's layout have usual(path, content, masks), for files as published.
Annotation tools (kins.formats.tools) have sets of files instead of one document. Beside these there are Parquet and the
FOLDERS, of which YOLO alone is written."""
SEVERAL = (*TOOLS, *folders.WRITTEN)
"""Formats whose output is a folder of files, or an archive of them."""


@uncollected()
def load(
    path: str | Path,
    images: str | Path | None = None,
    format: str | None = None,
    masks: Masks | None = None,
    canvas: Literal["image", "whole"] = "image",
    convention: Convention | None = None,
) -> Dataset:
    """Read annotations of any format.

    Masks are decoded when they are used, so that loading takes about as long as reading the file.

    Args:
        path: the annotation file; or a folder or zip archive of an annotation tool's files, or of Parquet files; or the
            folder of a data set of YOLO, Pascal VOC, Cityscapes or KITTI.
        images: folder of the pictures; needed to open them, and where the file does not hold their sizes.
        format: one of FORMATS or FOLDERS, or parquet; recognised by the content if None.
        masks: what the masks of a plain COCO file, of plain COCO results, or of an annotation tool's files without a
            mark are: amodal or inmodal; for outlines and boxes of FOLDERS None means inmodal.
        canvas: "whole" keeps what polygons have outside of the image, on a canvas for each scene (see Scene.unclipped);
            "image" clips masks at the image.
        convention: names that tell parts of objects apart in annotation tools' files, if they are not the usual ones.

    Raises:
        KinsError: the file can't be read, or is not what it should be; with the place in it.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> write_shapes("pictures", 2).save("truth.json")
        []
        >>> dataset = kins.load("truth.json", images="pictures")
        >>> dataset["000001.png"]
        Scene(000001.png, 240 x 160 pixels, 3 box, 1 disc, 1 triangle)
    """
    if images is not None and not Path(images).is_dir():
        raise KinsError(f"{images}: no such image folder")
    path, folder = Path(path), None if images is None else Path(images)
    if format == "parquet" or (format is None and parquet.matches(path)):
        return parquet.read(path, folder)
    if kind := folders.find(path, format):
        dataset = folders.read(path, kind, folder, masks)
        return dataset.map(Scene.unclipped) if canvas == "whole" else dataset
    reading = Reading(folder, masks, canvas == "whole", convention or Convention())
    if several := tools.find_many(path, format):
        return tools.read_many(path, *several, reading)
    content = checked_text(path, read_content(path))
    document, module = _decode(path, content, format, masks)
    if module in TOOLS.values():
        return tools.read_one(document, module, reading)
    options = (masks,) if module in (coco, predictions) else ()
    dataset = module.read(document, folder, *options)
    return dataset.map(Scene.unclipped) if canvas == "whole" else dataset


def _decode(path: Path, content: bytes, format: str | None, masks: Masks | None) -> tuple[Document, ModuleType]:
    """The document, and its format."""
    for module in dict.fromkeys(FORMATS.values()) if format is None else [_module(format)]:
        if hasattr(module, "usual") and (document := module.usual(path, content, masks)):
            return document, module
    document = predictions.read_unfinished(path, content) or parse(path, content)
    return document, _module(format or recognise(document))


POLYGONS: dict[str, tuple[Masks, ...]] = {
    "kins2020": ("amodal", "inmodal"),
    "kins2019": ("amodal",),
    "cocoa": ("amodal",),
    "cocoa-cls": ("amodal",),
    "d2sa": ("amodal",),
    "aistron": ("amodal", "inmodal"),
    "coco": ("amodal", "inmodal"),
}
"""The masks that published files of each format hold as polygons; run lengths are read as well, but not by everyone."""


def save(
    dataset: Dataset,
    path: str | Path,
    format: str,
    masks: Masks | None = None,
    polygons: bool = False,
    pictures: bool | None = None,
) -> list[str]:
    """Write an annotation file; returns a line for each kind of thing that the format can't hold.

    Args:
        path: the file; for annotation tools and YOLO a folder, or an archive where the name ends with .zip (see
            `outputs`).
        format: one of FORMATS, parquet or yolo.
        masks: which masks to write as plain COCO or for YOLO; the one that there is if None.
        polygons: write outlines in place of run lengths where files of this format have polygons (see POLYGONS, and
            annotation tools' files). They give the same pixels. Crowds keep run lengths, as in COCO.
        pictures: put the pictures' bytes in, too, which Parquet alone has room for. None: those that lie in the Parquet
            files that the data set was read from.

    Raises:
        KinsError: it can't be written, an instance lacks what the format needs, or a mask is damaged.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> kins.formats.save(write_shapes("pictures", 1), "coco.json", "coco", masks="amodal")
        ['inmodal mask (3 instances)', 'occlusion cluster and order (oco_id, ico_id) (3 instances)']
    """
    module = folders if format in folders.WRITTEN else parquet if format == "parquet" else _module(format)
    if pictures and module is not parquet:
        raise KinsError(f"the format {format} has no room for pictures; parquet has")
    if polygons and format not in SEVERAL:
        dataset = _outlined(dataset, format)
    cut: set[tuple[int, int]] = set()
    outlined: tuple[Masks, ...] = ("amodal",) if format in TOOLS else POLYGONS.get(format, ())
    dataset = dataset.map(lambda scene: _framed(scene, outlined, cut))
    if format in TOOLS:
        losses = tools.store(dataset, Path(path), format, polygons)
    elif module is folders:
        losses = folders.store(dataset, Path(path), masks)
    elif module is parquet:
        losses = parquet.write(dataset, path, pictures)
    else:
        value, losses = coco.write(dataset, masks) if module is coco else module.write(dataset)
        write_json(path, encode(value))
    if cut:
        instances = f"{len(cut)} instance{'s' if len(cut) > 1 else ''}"
        losses.append(f"pixels outside of the image, which run lengths can't hold ({instances})")
    if (module is not parquet or pictures is False) and (
        held := sum(image_id in dataset.contents for image_id in dataset.images)
    ):
        losses.append(f"pictures that lie in the file itself ({held} images)")
    return [*dataset.left_out, *losses]


def outputs(dataset: Dataset, path: str | Path, format: str) -> list[Path]:
    """The files that `save` writes: the path itself, or in a folder of an annotation tool or YOLO one for each image.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> kins.formats.outputs(write_shapes("pictures", 2), "drawn", "labelme")
        [PosixPath('.../drawn/000000.json'), PosixPath('.../drawn/000001.json')]
    """
    if format in folders.WRITTEN:
        return folders.output_files(dataset, Path(path))
    return tools.output_files(dataset, Path(path), format) if format in TOOLS else [Path(path)]


def _framed(scene: Scene, outlined: Sequence[Masks], cut: set[tuple[int, int]]) -> Scene:
    """The scene as files hold it: run lengths are of the image, polygons stay whole. Notes what loses pixels."""
    if scene.offset == (0, 0):
        return scene
    height, width = scene.image.height, scene.image.width
    for index, instance in enumerate(scene):
        for kind, mask in (("amodal", instance.amodal), ("inmodal", instance.inmodal)):
            if mask is None or (kind in outlined and mask.polygons is not None):
                continue
            if mask.clipped(height, width).area < mask.area:
                cut.add((scene.image.id, index))
    return scene.clipped()


def _outlined(dataset: Dataset, format: str) -> Dataset:
    if format not in POLYGONS:
        raise KinsError(f"the format {format} has run lengths; polygons are for {', '.join(POLYGONS)}")

    def outlined(instance: Instance) -> Instance:
        found = {kind: getattr(instance, kind) for kind in POLYGONS[format]}
        return instance.replace(**{kind: mask if mask is None else traced(mask) for kind, mask in found.items()})

    def change(scene: Scene) -> Scene:
        return scene.replace(instances=tuple(i if i.crowd else outlined(i) for i in scene))

    return dataset.map(change)


def recognise(document: Document) -> str:
    """The name of the format, by the content. Raises KinsError if it is none of them.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> write_shapes("pictures", 1).save("truth.json")
        []
        >>> kins.formats.recognise(kins.formats.document.read_document("truth.json"))
        'kins2020'
    """
    for name, module in FORMATS.items():
        if module.matches(document):
            return name
    if instaorder.matches(document):
        raise KinsError(
            f"{document.path}: holds InstaOrder's orders alone; kins convert --masks FILE adds COCO's masks"
        )
    if document.content is not None and (said := describe_file(document.path, bytes(document.content))):
        raise KinsError(f"{document.path}: {said}")
    raise KinsError(f"{document.path}: is in none of the formats {', '.join(FORMATS)}; name one with --from")


def _module(name: str) -> ModuleType:
    if name == "instaorder":
        raise KinsError("InstaOrder is read with COCO's masks, and not written: kins convert IN OUT --masks FILE")
    if name in FOLDERS:
        raise KinsError(f"{name} is read, and not written; there are {', '.join(FORMATS)}, parquet and yolo")
    if name not in FORMATS:
        raise KinsError(f"no format {name!r}; there are {', '.join(FORMATS)}, parquet, {', '.join(FOLDERS)}")
    return FORMATS[name]
