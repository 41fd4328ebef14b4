"""The records that every part of kins takes and returns: Image, Instance, Scene, Dataset.

A Dataset has images; a Scene is one image with its instances; an Instance has two masks, the amodal one (the whole
object, seen or not) and the inmodal one (what is seen).

Example:
    >>> hidden = kins.Mask.from_box((0, 0, 4, 6), 6, 8)
    >>> car = kins.Instance(1, 4, "car", amodal=hidden, inmodal=kins.Mask.from_box((0, 0, 3, 6), 6, 8))
    >>> car.occlusion_rate, car.box
    (0.25, (0.0, 0.0, 4.0, 6.0))
    >>> scene = kins.Scene(kins.Image(7, "a.png", height=6, width=8), (car,))
    >>> scene
    Scene(a.png, 8 x 6 pixels, 1 car)
    >>> dataset = kins.Dataset.from_scenes([scene], {4: "car", 7: "van"})
    >>> dataset
    Dataset(in memory: 1 image, 2 categories: car, van)
    >>> dataset["a.png"][0].category
    'car'
"""

from __future__ import annotations

import base64
import dataclasses
import io
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.files import inside
from kins.files.pictures import read_picture
from kins.limits import INSTANCES
from kins.masks import Box, Mask
from kins.masks.canvas import together, unclipped
from kins.work import in_chunks

if TYPE_CHECKING:
    import PIL.Image

    from kins.occlusion import Occlusion

R = TypeVar("R")
MOST_NAMES = 8
"""Names of categories that a data set's representation lists."""
SHEET_GAP = 8
"""Pixels between the pictures of a sheet."""


@dataclasses.dataclass(frozen=True, slots=True)
class Image:
    """One picture: `file_name` is relative to the image folder, sizes are in pixels, `extra` keeps unknown fields."""

    id: int
    file_name: str
    height: int
    width: int
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)


class Instance(
    msgspec.Struct, frozen=True, gc=False
):  # a dataclass takes ten times as long to make, and there are many
    """One object in one image.

    Attributes:
        id: as in the file; unique within a sound data set.
        category_id, category: the file's id, and its name.
        amodal: mask of the whole object, seen or not; None where it is not known.
        inmodal: mask of the visible part, likewise.
        crowd: COCO's iscrowd; None where the file does not say, which counts as False.
        cluster: occlusion cluster within the image (KINS 2020's oco_id), None if not known.
        order: relative order in that cluster, smaller is nearer (KINS 2020's ico_id), None if not known.
        score: confidence of a detection, 0 to 1; None for ground truth.
        occlusion_score: a detection's probability of being occluded, or None.
        amodal_box, inmodal_box: (x, y, width, height) in pixels as a file states or a network predicts them, else None;
            `box` is the amodal one, from the pixels where nothing is stated.
        amodal_area, inmodal_area: number of pixels as a file states it, else None.
        extra: fields of the file that kins has no name for, kept for writing.
        position: index in the file's list of annotations, -1 if it came from none; keeps the sequence when writing.
    """

    id: int
    category_id: int
    category: str
    amodal: Mask | None = None
    inmodal: Mask | None = None
    crowd: bool | None = None
    cluster: int | None = None
    order: int | None = None
    score: float | None = None
    occlusion_score: float | None = None
    amodal_box: Box | None = None
    inmodal_box: Box | None = None
    amodal_area: float | None = None
    inmodal_area: float | None = None
    extra: dict[str, Any] = {}  # each instance gets one of its own
    position: int = -1

    @property
    def box(self) -> Box | None:
        """(x, y, width, height) of the whole object in pixels: stated or predicted, else that of the amodal mask."""
        return self.amodal_box if self.amodal_box is not None or self.amodal is None else self.amodal.box

    @property
    def both_known(self) -> bool:
        """Whether there is an amodal and an inmodal mask."""
        return self.amodal is not None and self.inmodal is not None

    @property
    def whole(self) -> Mask | None:
        """The amodal mask, or where there is none the inmodal one."""
        return self.inmodal if self.amodal is None else self.amodal

    @property
    def seen(self) -> Mask | None:
        """The inmodal mask, or where there is none the amodal one."""
        return self.amodal if self.inmodal is None else self.inmodal

    def require(self, kind: Literal["amodal", "inmodal"]) -> Mask:
        """The mask of this kind. Raises KinsError, naming the annotation, where there is none."""
        mask = self.amodal if kind == "amodal" else self.inmodal
        if mask is None:
            place = f"annotations[{self.position}]: " if self.position >= 0 else ""
            raise KinsError(f"{place}annotation {self.id} has no {kind} mask, which is needed here")
        return mask

    @property
    def hidden(self) -> Mask:
        """The amodal mask without the inmodal one: the part that something covers. Raises KinsError without both."""
        return self.require("amodal") - self.require("inmodal")

    @property
    def occlusion_rate(self) -> float:
        """1 - |inmodal| / |amodal| in pixels, without inmodal pixels outside of the amodal mask; 0 if that is empty.

        Raises KinsError without both masks.
        """
        amodal, inmodal = self.require("amodal"), self.require("inmodal")
        if not amodal.area:
            return 0.0
        return 1.0 - (amodal & inmodal).area / amodal.area

    def replace(self, **changes: Any) -> Instance:
        """A copy with some fields changed."""
        return msgspec.structs.replace(self, **changes)


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """One image and its instances: `for instance in scene`. `image_path` is None where no image folder was given."""

    image: Image
    instances: tuple[Instance, ...] = ()
    image_path: Path | None = None

    def __repr__(self) -> str:
        counts = Counter(instance.category for instance in self.instances)
        found = ", ".join(f"{count} {name}" for name, count in counts.most_common()) or "no instances"
        return f"Scene({self.image.file_name}, {self.image.width} x {self.image.height} pixels, {found})"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{_html_picture(self.plot())}"

    def plot(self, **options: Any) -> PIL.Image.Image:
        """The scene as a picture, which notebooks show and which has `save`; options as for kins.draw."""
        import PIL.Image

        from kins.draw import draw

        return PIL.Image.fromarray(draw(self, **options))

    def __iter__(self) -> Iterator[Instance]:
        return iter(self.instances)

    def __len__(self) -> int:
        return len(self.instances)

    def __getitem__(self, index: int) -> Instance:
        return self.instances[index]

    def read_image(self) -> npt.NDArray[np.uint8]:
        """(height, width, 3) uint8, RGB. Raises KinsError if the file is missing, damaged or of another size."""
        if self.image_path is None:
            raise KinsError(f"image {self.image.file_name}: no image folder given; name it with --images")
        return read_picture(self.image_path, (self.image.height, self.image.width))

    def masks(self, kind: Literal["amodal", "inmodal"]) -> list[Mask]:
        """The masks of a kind of all instances. Raises KinsError, naming image and annotation, where one is missing."""
        try:
            return [instance.require(kind) for instance in self.instances]
        except KinsError as error:
            raise KinsError(f"image {self.image.file_name}: {error}") from None

    @property
    def offset(self) -> tuple[int, int]:
        """(x, y) of the upper left corner of the canvas that the masks are on; (0, 0) where that is the image."""
        return next((m.offset for i in self.instances for m in (i.amodal, i.inmodal) if m is not None), (0, 0))

    def unclipped(self) -> Scene:
        """With all masks on one canvas that holds their polygons whole; the scene itself if none leaves the image.

        Raises KinsError, naming the image, where a polygon lies too far outside.
        """
        try:
            return self._with_masks(unclipped(self._masks(), self.image.height, self.image.width))
        except KinsError as error:
            raise KinsError(f"image {self.image.file_name}: {error}") from None

    def clipped(self) -> Scene:
        """With the masks' parts inside of the image alone; the scene itself if they are on no other canvas."""
        return self._with_masks(
            [None if m is None else m.clipped(self.image.height, self.image.width) for m in self._masks()]
        )

    def _masks(self) -> list[Mask | None]:
        return [mask for instance in self.instances for mask in (instance.amodal, instance.inmodal)]

    def _with_masks(self, masks: Sequence[Mask | None]) -> Scene:
        """With these masks, amodal and inmodal in turn."""
        if all(new is old for new, old in zip(masks, self._masks(), strict=True)):
            return self
        pairs = zip(self.instances, masks[::2], masks[1::2], strict=True)
        return self.replace(instances=tuple(i.replace(amodal=a, inmodal=b) for i, a, b in pairs))

    def occlusion(self) -> Occlusion:
        """Who hides whom: see kins.occlusion."""
        from kins.occlusion import occlusion

        return occlusion(self)

    def replace(self, **changes: Any) -> Scene:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)


def on_one_canvas(*scenes: Scene) -> list[Scene]:
    """Scenes of one image with all their masks on one canvas, so that they can be compared; most often as they are.

    Example:
        >>> scene = kins.Scene(kins.Image(1, "a.png", 6, 8), (kins.Instance(1, 4, "car", kins.Mask.empty(6, 8)),))
        >>> kins.records.on_one_canvas(scene, scene)[0] is scene
        True
    """
    if all(scene.offset == (0, 0) for scene in scenes):
        return list(scenes)
    masks = together([mask for scene in scenes for mask in scene._masks()])
    ends = list(itertools.accumulate(2 * len(scene) for scene in scenes))
    return [s._with_masks(masks[end - 2 * len(s) : end]) for s, end in zip(scenes, ends, strict=True)]


class Dataset:
    """Images with their instances; a Scene is built each time it is asked for, so that a large file stays small.

    `dataset[key]` takes an image id or a file name. Changing methods return a new Dataset.

    Attributes:
        images: by id, in the file's sequence.
        categories: name by id, with the file's own ids, which need not be contiguous.
        extra: the file's other top-level fields.
        images_dir: folder of the pictures, or None.
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
    ) -> None:
        self.images = dict(images)
        self.categories = dict(categories)
        self.extra = extra or {}
        self.images_dir = None if images_dir is None else Path(images_dir)
        self.path = None if path is None else Path(path)
        self.left_out = tuple(left_out)
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
        for scene in scenes:
            if scene.image.id in images:
                raise KinsError(f"image id {scene.image.id} occurs twice; ids must differ")
            images[scene.image.id] = scene.image
            instances[scene.image.id] = scene.instances
        return cls(images, categories, instances, extra=extra, images_dir=images_dir)

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
        picture = _html_picture(self.plot(4)) if self.images else ""
        return f"<p>{escape(repr(self))}</p>{picture}"

    def plot(self, images: int = 9, width: int = 480, **options: Any) -> PIL.Image.Image:
        """The first images with their masks, side by side as a picture, which notebooks show and which has `save`.

        Args:
            images: at most so many.
            width: of each, in pixels.
            options: as for kins.draw.
        """
        import PIL.Image

        scenes = list(itertools.islice(self, images))
        options = {"labels": False, "legend": False, **options}
        drawn = [scene.plot(**{"scale": width / scene.image.width, **options}) for scene in scenes]
        columns = max(1, math.ceil(math.sqrt(len(drawn))))
        rows = [drawn[start : start + columns] for start in range(0, len(drawn), columns)]
        heights = [max(picture.height for picture in row) + SHEET_GAP for row in rows]
        size = columns * (width + SHEET_GAP) + SHEET_GAP, sum(heights) + SHEET_GAP
        sheet, y = PIL.Image.new("RGB", size, "white"), SHEET_GAP
        for row, height in zip(rows, heights, strict=True):
            for column, picture in enumerate(row):
                sheet.paste(picture, (SHEET_GAP + column * (width + SHEET_GAP), y))
            y += height
        return sheet

    def find(self, key: int | str) -> Image:
        """The image with this id or file name (a number in text counts as an id if no file has that name)."""
        if self._names is None:
            self._names = {image.file_name: image.id for image in self.images.values()}
        if isinstance(key, str):
            number = int(key) if key.isdecimal() else None
            key = self._names.get(key, number if number is not None else key)
        if not isinstance(key, int) or key not in self.images:
            where = f"{self.path}: " if self.path else ""
            raise KinsError(f"{where}no image {key!r}; ids and file names are listed under `images`")
        return self.images[key]

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

    def merge(self, other: Dataset) -> Dataset:
        """Both together. Categories are joined by name; clashing image or instance ids of `other` get new ones.

        Both must have the same image folder, or none.
        """
        if self.images_dir != other.images_dir:
            raise KinsError(
                f"can't merge data sets with different image folders, {self.images_dir} and {other.images_dir}"
            )
        categories = dict(self.categories)
        renumbered = {}
        ids = {name: category_id for category_id, name in categories.items()}
        for category_id, name in other.categories.items():
            free = category_id if category_id not in categories else max(categories) + 1
            renumbered[category_id] = ids.setdefault(name, free)
            categories.setdefault(ids[name], name)
        scenes = list(self)
        next_image = 1 + max([*self.images, *other.images], default=0)
        used = {instance.id for scene in scenes for instance in scene}
        next_id = 1 + max(used | {instance.id for scene in other for instance in scene}, default=0)
        for scene in other:
            image, instances = scene.image, []
            if image.id in self.images:
                image, next_image = dataclasses.replace(image, id=next_image), next_image + 1
            for instance in scene:
                changes = {
                    "category_id": renumbered.get(instance.category_id, instance.category_id),
                    "position": -1,
                }
                if instance.id in used:
                    changes["id"], next_id = next_id, next_id + 1
                instances.append(instance.replace(**changes))
            if image.extra.get("depth_constraint"):
                ids_now = {old.id: new.id for old, new in zip(scene, instances, strict=True)}
                pairs = [[ids_now.get(side, side) for side in pair] for pair in image.extra["depth_constraint"]]
                image = dataclasses.replace(image, extra={**image.extra, "depth_constraint": pairs})
            scenes.append(scene.replace(image=image, instances=tuple(instances)))
        return Dataset.from_scenes(scenes, categories, extra={**other.extra, **self.extra}, images_dir=self.images_dir)

    def save(
        self,
        path: str | Path,
        format: str = "kins2020",
        masks: Literal["amodal", "inmodal"] | None = None,
        polygons: bool = False,
    ) -> list[str]:
        """Write an annotation file; returns a line for each kind of thing that the format can't hold.

        Args:
            format: one of kins.formats.FORMATS.
            masks: which masks to write where the format is plain COCO, which has one an instance.
            polygons: write outlines of the same pixels in place of run lengths where the format's readers expect them.

        Example:
            >>> from kins.demo.toys import write_shapes
            >>> write_shapes("pictures", 3).save("kins2019.json", format="kins2019")
            ['occlusion cluster and order (oco_id, ico_id) (14 instances)']
            >>> len(kins.load("kins2019.json", images="pictures"))
            3
        """
        from kins.formats import save

        return save(self, path, format, masks, polygons)

    def _scene(self, image: Image) -> Scene:
        instances = tuple(self._instances.get(image.id, ()))
        INSTANCES.check(len(instances), f"{self.path}: image {image.file_name}" if self.path else image.file_name)
        return Scene(image, instances, self.image_path(image))

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
        )


def _html_picture(picture: PIL.Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=82)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img style="max-width: 100%" src="data:image/webp;base64,{data}">'


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
