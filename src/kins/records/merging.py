"""Several data sets as one, made image by image: which ids everything gets, and what clashed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from kins.records.instance import Image, Instance
from kins.records.scene import Content, Scene

Ints = npt.NDArray[np.int64]


class Source(Protocol):
    """What is needed of a data set."""

    images: dict[int, Image]
    categories: dict[int, str]
    extra: dict[str, Any]
    contents: Mapping[int, Content]

    def __iter__(self) -> Iterator[Scene]: ...
    def __getitem__(self, key: int) -> Scene: ...


@dataclasses.dataclass(slots=True)
class Numbers:
    """New ids of one part's instances: those in `old` (sorted) get `first` and what follows; all others keep theirs."""

    old: Ints
    first: int

    def __call__(self, number: int) -> int:
        at = int(np.searchsorted(self.old, number))
        return self.first + at if at < self.old.size and self.old[at] == number else number


class Merged(Mapping[int, Sequence[Instance]]):
    """The instances of several data sets by their new image ids, made on access.

    Attributes:
        images, categories, extra: of all of them; what only one has stays, of what several have the first counts.
        contents: pictures that lie in the data sets' files, by their new image ids.
        clashes: a line for each kind of id or name that several have, and what became of it.
    """

    def __init__(self, parts: Sequence[Source]) -> None:
        self.clashes: list[str] = []
        self._parts = parts
        self._merge_categories()
        self._merge_instances()
        self._merge_images()
        self.extra: dict[str, Any] = {}
        for part in parts:
            self.extra = {**part.extra, **self.extra}
        if entries := self._category_entries():
            self.extra["categories"] = entries
        found = ((new, parts[index].contents.get(old)) for new, (index, old) in self._origin.items())
        self.contents = {new: content for new, content in found if content is not None}

    def __getitem__(self, image_id: int) -> Sequence[Instance]:
        index, old = self._origin[image_id]
        numbers, offset = self._numbers[index], self._offsets[index]
        category = self._category_ids[index]
        return tuple(
            instance.replace(
                id=numbers(instance.id),
                category_id=category.get(instance.category_id, instance.category_id),
                position=instance.position + offset if instance.position >= 0 else -1,
            )
            for instance in self._parts[index][old]
        )

    def __iter__(self) -> Iterator[int]:
        return iter(self._origin)

    def __len__(self) -> int:
        return len(self._origin)

    def _merge_categories(self) -> None:
        """Of one name become one; of one id and several names the later ones get new ids."""
        self.categories: dict[int, str] = {}
        self._category_ids: list[dict[int, int]] = []
        joined: set[str] = set()
        moved: list[str] = []
        for part in self._parts:
            ids = {name: key for key, name in reversed(self.categories.items())}  # a part may have a name twice
            new: dict[int, int] = {}
            for key, name in part.categories.items():
                if self.categories.get(key) == name:
                    new[key] = key
                elif name in ids:
                    new[key] = ids[name]
                    joined.add(name)
                else:
                    new[key] = key if key not in self.categories else max(*self.categories, *part.categories) + 1
                    self.categories[new[key]] = name
                    if new[key] != key:
                        moved.append(f"{name} is {new[key]}")
            self._category_ids.append(new)
        if joined:
            self.clashes.append(f"categories with several ids are joined by name: {', '.join(sorted(joined))}")
        if moved:
            self.clashes.append(f"ids of categories that others have already are new: {', '.join(moved)}")

    def _merge_instances(self) -> None:
        """Ids that an earlier part has become new ones, above all that there are."""
        pair = np.dtype((np.int64, 2))  # 16 bytes an instance, whatever else it has
        found = [np.fromiter(((i.id, i.position) for scene in part for i in scene), pair) for part in self._parts]
        ids, positions = ([part[:, column] for part in found] for column in (0, 1))
        following = 1 + max((int(part.max()) for part in ids if part.size), default=0)
        taken = np.zeros(0, np.int64)
        self._numbers, self._offsets, offset = [], [], 0
        for own, places in zip(ids, positions, strict=True):
            clashing = np.intersect1d(own, taken)
            self._numbers.append(Numbers(clashing, following))
            self._offsets.append(offset)
            following += clashing.size
            offset += 1 + int(places.max(initial=-1))
            taken = np.union1d(taken, own)
        if count := sum(numbers.old.size for numbers in self._numbers):
            self.clashes.append(f"{count} ids of annotations occur in several files; the later ones are new")

    def _merge_images(self) -> None:
        self.images: dict[int, Image] = {}
        self._origin: dict[int, tuple[int, int]] = {}
        names: set[str] = set()
        following = 1 + max((key for part in self._parts for key in part.images), default=0)
        again, moved = [], 0
        for index, part in enumerate(self._parts):
            again += [image.file_name for image in part.images.values() if image.file_name in names]
            names.update(image.file_name for image in part.images.values())
            for old, image in part.images.items():
                new = old
                if old in self.images:
                    new, following, moved = following, following + 1, moved + 1
                self.images[new] = _renumbered(image, new, self._numbers[index])
                self._origin[new] = index, old
        if moved:
            self.clashes.append(f"{moved} ids of images occur in several files; the later ones are new")
        if again:
            self.clashes.append(
                f"{len(again)} images have the file name of another one ({again[0]}); both stay, as images of their own"
            )

    def _category_entries(self) -> list[dict[str, Any]]:
        """The files' own entries of categories, which may have more fields, under their new ids."""
        entries: dict[int, dict[str, Any]] = {}
        for part, ids in zip(self._parts, self._category_ids, strict=True):
            for entry in part.extra.get("categories", ()):
                key = ids.get(entry["id"], entry["id"])
                entries.setdefault(key, {**entry, "id": key})
        return list(entries.values())


def _renumbered(image: Image, number: int, numbers: Numbers) -> Image:
    """With a new id; pairs of instances in it follow these."""
    extra = image.extra
    if extra.get("depth_constraint"):
        extra = {**extra, "depth_constraint": [[numbers(side) for side in pair] for pair in extra["depth_constraint"]]}
    return image if number == image.id and extra is image.extra else dataclasses.replace(image, id=number, extra=extra)
