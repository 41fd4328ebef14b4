"""`kins convert` into a folder of Parquet shards, in this process or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from kins.errors import KinsError
from kins.files.pictures import picture_size
from kins.files.sources import Held
from kins.formats import Masks, load, load_instaorder, load_predictions
from kins.formats.names import with_coco_names
from kins.masks import require_sound
from kins.records import Dataset, Scene
from kins.work.shards import Done, How, digest, each, in_shards, seen


@dataclass(frozen=True)
class Input:
    """What `kins convert` reads.

    Attributes:
        source: annotation file or folder.
        images, format, masks: as for `kins.load`.
        annotations: ground truth, where the source is a plain list of detections.
        coco_masks: COCO's file, where the source is InstaOrder's.
        coco_names: keep what has a name of one of COCO's 80 categories.
    """

    source: Path
    images: Path | None = None
    format: str | None = None
    masks: Masks | None = None
    annotations: Path | None = None
    coco_masks: Path | None = None
    coco_names: bool = False

    def open(self) -> Dataset:
        """The data set. Raises KinsError for what can't be read."""
        if self.coco_masks is not None:
            dataset = load_instaorder(self.source, self.coco_masks, self.images)
        elif self.annotations is None:
            dataset = load(self.source, images=self.images, format=self.format, masks=self.masks)
        else:
            truth = load(self.annotations, images=self.images, masks="amodal")
            dataset = load_predictions(self.source, truth, masks=self.masks)
        return with_coco_names(dataset) if self.coco_names else dataset

    def everywhere(self) -> Input:
        """The same with paths as workers in other folders see them."""
        return replace(
            self,
            source=self.source.absolute(),
            images=seen(self.images),
            annotations=seen(self.annotations),
            coco_masks=seen(self.coco_masks),
        )


def convert_shards(given: Input, out: str | Path, how: How, pictures: bool = False) -> Done:
    """Convert every image into the folder OUT.

    The same call makes the shards that are missing. Each worker reads the input itself, so that it and OUT lie on a
    disk that all machines see. An image with a damaged mask, or whose picture can't be read, is a line in the result's
    `failed`.

    Args:
        pictures: put the pictures' bytes into the shards, too, as is done anyway where the input is Parquet with them.

    Raises:
        KinsError: the input can't be read; or see `kins.work.shards.in_shards`.
    """
    dataset = given.open()
    pictures = pictures or bool(dataset.contents)
    if pictures and dataset.images_dir is None and not dataset.contents:
        raise KinsError(f"{given.source}: no image folder given; name it with --images")
    plan = {"pictures": pictures, "coco names": given.coco_names, "format": given.format, "masks": given.masks}
    for name in ("source", "annotations", "coco_masks"):
        path = getattr(given, name)
        plan[name] = None if path is None else f"{path} {digest(path)}"
    if pictures:
        plan["images"] = None if given.images is None else str(given.images)

    def called(image_id: int) -> str:
        return f"{given.source}: image {dataset.images[image_id].file_name}"

    work = partial(_Converting, given.everywhere(), pictures)
    done = in_shards(out, plan, list(dataset.images), work, called, how, "convert", pictures, dataset.extra)
    done.left_out = list(dataset.left_out)
    return done


class _Converting:
    """A worker, with the input."""

    def __init__(self, given: Input, pictures: bool) -> None:
        self._given, self._pictures = given, pictures
        self._dataset = given.open()

    @property
    def categories(self) -> Mapping[int, str]:
        return self._dataset.categories

    def __call__(self, items: Sequence[int]) -> Iterator[Scene | str]:
        return each(self._named, items)

    def _named(self, image_id: int) -> Scene:
        try:
            return self._scene(image_id)
        except KinsError as error:
            if str(self._given.source) in str(error):
                raise
            raise KinsError(f"{self._given.source}: {error}") from None

    def _scene(self, image_id: int) -> Scene:
        """The image, sound. Raises KinsError."""
        scene = self._dataset[image_id]
        require_sound([mask for instance in scene for mask in (instance.amodal, instance.inmodal)])
        if not self._pictures:
            return scene
        content, image = scene.picture_bytes(), scene.image
        name = scene.image_path or f"image {image.file_name}"
        height, width = picture_size(name, content)
        if (height, width) != (image.height, image.width):
            raise KinsError(f"{name}: is {width} x {height} pixels, its annotation says {image.width} x {image.height}")
        return scene.replace(content=Held(content))
