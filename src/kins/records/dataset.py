"""Many images with their instances."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from kins.errors import KinsError
from kins.files import inside
from kins.limits import INSTANCES
from kins.records.cropping import cropped, cropped_image
from kins.records.instance import Image, Instance
from kins.records.merging import Merged
from kins.records.scene import Content, Scene
from kins.records.sheet import html_picture, sheet
from kins.work import in_chunks

if TYPE_CHECKING:
    import PIL.Image

R = TypeVar("R")
MOST_NAMES = 8
"""Names of categories that a data set's representation lists."""


class Dataset:
    """Images with their instances; a Scene is built each time it is asked for, so that a large file stays small.

    `dataset[key]` takes an image id or a file name. Changing methods return a new Dataset.

    Attributes:
        images: by id, in the file's sequence.
        categories: name by id, with the file's own ids, which need not be contiguous.
        extra: the file's other top-level fields.
        images_dir: folder of the pictures, or None.
        contents: by image id the pictures that lie in the file itself (Parquet), used where there is no `images_dir`.
        path: the file this was read from, or None.
        left_out: a line for each kind of thing in the file that has no place here (annotations of unknown images).
    """

    def __init__(
        self,
        images: Mapping[int, Image],
        categories: Mapping[int, str],
        instances: Mapping[int, Sequence[Instance]],
        *,
        extra: dict[str, Any] | None = None,
        images_dir: str | Path | None = None,
        path: str | Path | None = None,
        left_out: Iterable[str] = (),
        contents: Mapping[int, Content] | None = None,
    ) -> None:
        self.images = dict(images)
        self.categories = dict(categories)
        self.extra = extra or {}
        self.images_dir = None if images_dir is None else Path(images_dir)
        self.path = None if path is None else Path(path)
        self.left_out = tuple(left_out)
        self.contents: Mapping[int, Content] = contents or {}
        self._instances = instances
        self._names: dict[str, int] | None = None

    @classmethod
    def from_scenes(
        cls,
        scenes: Iterable[Scene],
        categories: Mapping[int, str],
        *,
        extra: dict[str, Any] | None = None,
        images_dir: str | Path | None = None,
    ) -> Dataset:
        """A data set held in memory. Raises KinsError where two scenes have the same image id."""
        images: dict[int, Image] = {}
        instances: dict[int, Sequence[Instance]] = {}
        contents: dict[int, Content] = {}
        for scene in scenes:
            if scene.image.id in images:
                raise KinsError(f"image id {scene.image.id} occurs twice; ids must differ")
            images[scene.image.id] = scene.image
            instances[scene.image.id] = scene.instances
            if scene.content is not None:
                contents[scene.image.id] = scene.content
        return cls(images, categories, instances, extra=extra, images_dir=images_dir, contents=contents)

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[Scene]:
        return map(self._scene, self.images.values())

    def __getitem__(self, key: int | str) -> Scene:
        return self._scene(self.find(key))

    def __repr__(self) -> str:
        names = list(self.categories.values())
        shown = ", ".join(names[:MOST_NAMES]) + (", ..." if len(names) > MOST_NAMES else "")
        count = f"{len(self)} image{'s' if len(self) != 1 else ''}"
        kinds = f"{len(names)} categor{'ies' if len(names) != 1 else 'y'}"
        return f"Dataset({self.path or 'in memory'}: {count}, {kinds}{': ' if names else ''}{shown})"

    def _repr_html_(self) -> str:
        picture = html_picture(self.plot(4)) if self.images else ""
        return f"<p>{escape(repr(self))}</p>{picture}"

    def plot(self, images: int = 9, width: int = 480, **options: Any) -> PIL.Image.Image:
        """The first images with their masks, side by side as a picture, which notebooks show and which has `save`.

        Args:
            images: at most so many.
            width: of each, in pixels.
            options: as for kins.draw.
        """
        scenes = list(itertools.islice(self, images))
        options = {"labels": False, "legend": False, **options}
        drawn = [scene.plot(**{"scale": width / scene.image.width, **options}) for scene in scenes]
        return sheet(drawn, width)

    def find(self, key: int | str) -> Image:
        """The image with this id or file name (a number in text counts as an id if no file has that name)."""
        if self._names is None:
            self._names = {image.file_name: image.id for image in self.images.values()}
        if isinstance(key, str):
            number = int(key) if key.isdecimal() and len(key) < 20 else None
            key = self._names.get(key, number if number is not None else key)
        if not isinstance(key, int) or key not in self.images:
            where = f"{self.path}: " if self.path else ""
            raise KinsError(f"{where}no image {key!r}; ids and file names are listed under `images`")
        return self.images[key]

    def occupied(self) -> list[int]:
        """Ids of the images that may have instances, in their sequence; the others have none. Builds no scene."""
        known = set(self._instances)
        return [image_id for image_id in self.images if image_id in known]

    def image_path(self, image: Image) -> Path | None:
        """Where the picture lies, or None without an image folder. Raises KinsError for a name that leads out of it."""
        return None if self.images_dir is None else inside(self.images_dir, image.file_name)

    def filter(
        self,
        keep: Callable[[Instance], bool] | None = None,
        *,
        images: Callable[[Image], bool] | None = None,
        categories: Iterable[str] | None = None,
    ) -> Dataset:
        """Only some instances (by a test or by category name) and images (by a test). The categories listed stay.

        Example:
            >>> from kins.demo.toys import write_shapes
            >>> dataset = write_shapes("pictures", 3)
            >>> half_hidden = dataset.filter(lambda instance: instance.occlusion_rate > 0.5)
            >>> all(instance.occlusion_rate > 0.5 for scene in half_hidden for instance in scene)
            True
        """
        names = None if categories is None else set(categories)
        if names and (unknown := names - set(self.categories.values())):
            raise KinsError(
                f"no category {', '.join(sorted(unknown))}; there are {', '.join(self.categories.values())}"
            )

        def change(scene: Scene) -> Scene:
            chosen = (i for i in scene if (names is None or i.category in names) and (keep is None or keep(i)))
            return scene.replace(instances=tuple(chosen))

        return self.select(i.id for i in self.images.values() if images is None or images(i)).map(change)

    def select(self, image_ids: Iterable[int]) -> Dataset:
        """Only the images with these ids, in this sequence."""
        return self._with(images={image_id: self.find(image_id) for image_id in image_ids})

    def split(self, fraction: float, seed: int = 0) -> tuple[Dataset, Dataset]:
        """Two data sets with `fraction` of the images in the first, chosen at random but the same for the same seed.

        Example:
            >>> from kins.demo.toys import write_shapes
            >>> most, rest = write_shapes("pictures", 10).split(0.8)
            >>> len(most), len(rest)
            (8, 2)
        """
        if not 0 <= fraction <= 1:
            raise KinsError(f"a split fraction lies between 0 and 1, not at {fraction}")
        ids = list(self.images)
        chosen = set(np.random.default_rng(seed).permutation(len(ids))[: round(fraction * len(ids))].tolist())
        first = [image_id for index, image_id in enumerate(ids) if index in chosen]
        second = [image_id for index, image_id in enumerate(ids) if index not in chosen]
        return self.select(first), self.select(second)

    def crop(self, window: tuple[int, int, int, int], least: int = 1, suffix: str | None = None) -> Dataset:
        """What a window (x, y, width, height in pixels) shows of each image; images that it misses are left out.

        Amodal masks end at the window, too. Instances with fewer than `least` pixels of their amodal mask there (of the
        inmodal one, where that is the only one) are left out; boxes and areas are those of the pixels. Pictures must be
        cut in the same way (kins.records.cropping.window_in says where).

        Args:
            suffix: of the file names, if they get another one, as ".png".

        Example:
            >>> from kins.demo.toys import write_shapes
            >>> write_shapes("pictures", 1).crop((100, 0, 60, 80))[0]
            Scene(000000.png, 60 x 80 pixels, 2 disc, 1 box)
        """
        cut = {key: cropped_image(image, window, suffix) for key, image in self.images.items()}
        images = {key: image for key, image in cut.items() if image is not None}
        made = self._with(images, _Mapped(self, lambda scene: cropped(scene, window, least)))
        made.contents = {}
        return made

    def map(self, change: Callable[[Scene], Scene]) -> Dataset:
        """Every scene changed by a function, applied when a scene is asked for. The image itself must stay the same."""
        return self._with(instances=_Mapped(self, change))

    def each(self, function: Callable[[Scene], R], workers: int | None = None, label: str = "images") -> list[R]:
        """What a function gives for every scene, in their sequence; computed in several processes where that pays.

        Example:
            >>> from kins.demo.toys import write_shapes
            >>> write_shapes("pictures", 3).each(len, workers=1)
            [3, 5, 6]

        Args:
            function: any callable, closures too; in several processes its results must pickle, and what it changes
                elsewhere is lost.
            workers: most processes to use, one for each core if None; see kins.work.
            label: for the progress bar.

        Raises:
            KinsError: a damaged mask, or a process died.
        """

        def scenes(ids: Sequence[int]) -> list[R]:
            return [function(self[image_id]) for image_id in ids]

        try:
            return [result for part in in_chunks(scenes, list(self.images), label, workers) for result in part]
        except KinsError as error:
            if self.path is None or str(self.path) in str(error):
                raise
            raise KinsError(f"{self.path}: {error}") from None

    def merge(self, *others: Dataset, clashes: list[str] | None = None) -> Dataset:
        """All together. Categories are joined by name; ids of images and instances that an earlier one has are new.

        All must have the same image folder, or none.

        Args:
            clashes: gets a line for each kind of clash.

        Example:
            >>> from kins.demo.toys import write_shapes
            >>> dataset, clashes = write_shapes("pictures", 3), []
            >>> len(dataset.merge(dataset, clashes=clashes))
            6
            >>> clashes[1]
            '3 ids of images occur in several files; the later ones are new'
        """
        for other in others:
            if self.images_dir != other.images_dir:
                raise KinsError(
                    f"can't merge data sets with different image folders, {self.images_dir} and {other.images_dir}"
                )
        merged = Merged([self, *others])
        if clashes is not None:
            clashes += merged.clashes
        left_out = (line for part in (self, *others) for line in part.left_out)
        return Dataset(
            merged.images,
            merged.categories,
            merged,
            extra=merged.extra,
            images_dir=self.images_dir,
            left_out=left_out,
            contents=merged.contents,
        )

    def save(
        self,
        path: str | Path,
        format: str = "kins2020",
        masks: Literal["amodal", "inmodal"] | None = None,
        polygons: bool = False,
        pictures: bool | None = None,
    ) -> list[str]:
        """Write an annotation file; returns a line for each kind of thing that the format can't hold.

        Args:
            format: one of kins.formats.FORMATS.
            masks: which masks to write where the format is plain COCO, which has one an instance.
            polygons: write outlines of the same pixels in place of run lengths where the format's readers expect them.
            pictures: put the pictures' bytes in, too, if the format is parquet. None: those that lie in Parquet files
                that this was read from.

        Example:
            >>> from kins.demo.toys import write_shapes
            >>> write_shapes("pictures", 3).save("kins2019.json", format="kins2019")
            ['occlusion cluster and order (oco_id, ico_id) (14 instances)']
            >>> len(kins.load("kins2019.json", images="pictures"))
            3
        """
        from kins.formats import save

        return save(self, path, format, masks, polygons, pictures)

    def _scene(self, image: Image) -> Scene:
        instances = tuple(self._instances.get(image.id, ()))
        INSTANCES.check(len(instances), f"{self.path}: image {image.file_name}" if self.path else image.file_name)
        path = self.image_path(image)
        return Scene(image, instances, path, None if path is not None else self.contents.get(image.id))

    def _with(
        self,
        images: Mapping[int, Image] | None = None,
        instances: Mapping[int, Sequence[Instance]] | None = None,
    ) -> Dataset:
        return Dataset(
            self.images if images is None else images,
            self.categories,
            self._instances if instances is None else instances,
            extra=self.extra,
            images_dir=self.images_dir,
            path=self.path,
            left_out=self.left_out,
            contents=self.contents,
        )


class _Mapped(Mapping[int, Sequence[Instance]]):
    """The instances of a data set after a change that is applied on access."""

    def __init__(self, dataset: Dataset, change: Callable[[Scene], Scene]) -> None:
        self._dataset = dataset
        self._change = change

    def __getitem__(self, image_id: int) -> Sequence[Instance]:
        return self._change(self._dataset[image_id]).instances

    def __iter__(self) -> Iterator[int]:
        return iter(self._dataset.images)

    def __len__(self) -> int:
        return len(self._dataset)
