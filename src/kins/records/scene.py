"""One image with its instances."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.files import check_regular, reason
from kins.files.pictures import read_picture
from kins.masks import Mask
from kins.masks.canvas import together, unclipped
from kins.records.instance import Image, Instance
from kins.records.sheet import html_picture

if TYPE_CHECKING:
    import PIL.Image

    from kins.occlusion import Occlusion


class Content(Protocol):
    """Where the bytes of a picture are that is no file of its own."""

    def read(self) -> bytes: ...


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """One image and its instances: `for instance in scene`.

    `image_path` is None where no image folder was given; then `content` may be the picture, from a Parquet file.
    """

    image: Image
    instances: tuple[Instance, ...] = ()
    image_path: Path | None = None
    content: Content | None = None

    def __repr__(self) -> str:
        counts = Counter(instance.category for instance in self.instances)
        found = ", ".join(f"{count} {name}" for name, count in counts.most_common()) or "no instances"
        return f"Scene({self.image.file_name}, {self.image.width} x {self.image.height} pixels, {found})"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{html_picture(self.plot())}"

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
        size = self.image.height, self.image.width
        if self.image_path is None:
            return read_picture(f"image {self.image.file_name}", size, self.picture_bytes())
        return read_picture(self.image_path, size)

    @property
    def has_picture(self) -> bool:
        """Whether it is known where the picture is."""
        return self.image_path is not None or self.content is not None

    def picture_bytes(self) -> bytes:
        """The picture as it lies on disk: PNG, JPEG, ... Raises KinsError if it is missing."""
        if self.image_path is None:
            if self.content is None:
                raise KinsError(f"image {self.image.file_name}: no image folder given; name it with --images")
            return self.content.read()
        try:
            check_regular(self.image_path)
            return self.image_path.read_bytes()
        except OSError as error:
            raise KinsError(f"{self.image_path}: can't be read ({reason(error)})") from None

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
