"""From what people draw in annotation tools to both masks of each object.

A whole outline is drawn, and the tool's own stacking says what lies in front; the visible part follows:

1. A part is of the whole object unless it is marked as visible. Parts of one object are united.
2. An object's layer is the highest of its whole parts. It is kept as cluster 0 and order 1 (in front), 2, ...
3. The inmodal mask is the amodal one without what lies above it: each part without all whole parts of other objects on
   higher layers. Where parts of two objects lie over and under each other, the order follows from the masks.
4. An object with visible parts has these as its inmodal mask, and nothing is taken away.
5. Things that hide but are no objects, of the category `occluder`, take part in 3. and are kept in
   `image.extra["occluders"]`.
6. Holes are cut out of one object, and out of nothing else.
7. What is doubtful is counted in `dataset.left_out`, and nothing is guessed.
8. Files without any such mark may hold visible outlines: the user says what they are.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.masks import Mask, spans, union
from kins.masks.canvas import unclipped
from kins.masks.many import overlaps
from kins.occlusion import disagreements, occlusion_from_order, with_order
from kins.records import Dataset, Image, Instance, Scene

Kind = Literal["amodal", "visible", "hole", "visible hole"]


@dataclasses.dataclass(frozen=True)
class Convention:
    """Names by which parts are told apart.

    Attributes:
        visible, amodal: ends of labelme's labels of visible and of whole parts.
        occluder: category of things that hide others and are no objects.
    """

    visible: str = "_visible"
    amodal: str = "_amodal"
    occluder: str = "occluder"


@dataclasses.dataclass(frozen=True)
class Reading:
    """How to read: what `kins.load` was given.

    Attributes:
        masks: what outlines are of files that don't show it (rule 8).
        whole: keep what lies outside of the image, on a canvas for each scene.
    """

    images_dir: Path | None = None
    masks: Literal["amodal", "inmodal"] | None = None
    whole: bool = False
    convention: Convention = dataclasses.field(default_factory=Convention)


@dataclasses.dataclass(slots=True)
class Part:
    """One shape as drawn; parts of one image with equal keys are one object.

    Attributes:
        layer: higher is nearer.
        draw: gives the mask, or raises KinsError with its place.
        id: of kins's annotation, which the shape was written from.
        extra: fields that kins has no name for.
    """

    category: str
    key: Hashable
    kind: Kind
    layer: float
    draw: Callable[[], Mask]
    id: int | None = None
    crowd: bool | None = None
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class Picture:
    """One image of one annotator.

    Attributes:
        id: None to number by the sequence.
        hides: pairs of keys, nearer and farther object, that count more than layers.
        marked: something shows that the annotator kept to the rules, beside what the parts show.
        guessed: layers are no more than the sequence of drawing.
    """

    file_name: str
    height: int
    width: int
    parts: list[Part]
    id: int | None = None
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)
    hides: list[tuple[Hashable, Hashable]] = dataclasses.field(default_factory=list)
    marked: bool = False
    guessed: bool = False


@dataclasses.dataclass(slots=True)
class _Object:
    """Parts (by their index) of one object; `order` counts from the front, and an occluder has no number."""

    category: str
    whole: list[int] = dataclasses.field(default_factory=list)
    visible: list[int] = dataclasses.field(default_factory=list)
    order: int = 0
    id: int | None = None
    position: int = -1


def dataset_of(
    pictures: Sequence[Picture], reading: Reading, path: Path, left_out: Counter[str], names: Sequence[str] = ()
) -> Dataset:
    """A data set whose masks are drawn when a scene is asked for.

    Args:
        left_out: what the tool's reader could not use, with counts.
        names: categories in the file's sequence, also those without objects; sorted if the file has no list.
    """
    occluder = reading.convention.occluder
    marked = any(p.marked or any(_is_marked(part, occluder) for part in p.parts) for p in pictures)
    if not marked and reading.masks not in ("amodal", "inmodal") and any(p.parts for p in pictures):
        raise KinsError(
            f"{path}: nothing in it shows whether its outlines are of whole objects or of what is seen of them; "
            "say with --as whether they are amodal or inmodal"
        )
    inmodal = not marked and reading.masks == "inmodal"
    objects = [_objects(picture) for picture in pictures]
    listed = dict.fromkeys(names) if names else dict.fromkeys(sorted({o.category for found in objects for o in found}))
    listed |= dict.fromkeys(sorted({o.category for found in objects for o in found} - listed.keys()))
    listed.pop(occluder, None)
    categories = dict(enumerate(listed, 1))
    _number(objects, occluder, left_out)
    alone = sum(not o.whole and o.category != occluder for found in objects for o in found)
    if alone:
        left_out["objects with a visible part alone, which is taken for the whole"] += alone
    drawing = _Drawing(pictures, objects, categories, reading, inmodal)
    images = drawing.images()
    if not inmodal:
        left_out["pairs of objects that overlap on one layer, of which neither hides the other"] += drawing.ties()
        left_out["pairs of objects that overlap and of which the later one is taken for the nearer"] += (
            drawing.guesses()
        )
    lines = [f"{count} {what}" for what, count in left_out.items() if count]
    return Dataset(images, categories, _ById(images, drawing), images_dir=reading.images_dir, path=path, left_out=lines)


def hidden_by(wholes: Sequence[Mask], nearer: npt.NDArray[np.bool_]) -> list[Mask]:
    """What is left of each mask without all nearer ones; the mask itself if none of these overlaps it.

    Args:
        nearer: (n, n) whether i is nearer than j.
    """
    table, _, boxes = spans(wholes)
    over = (overlaps(table, boxes, table, boxes) > 0) & nearer
    found = list(wholes)
    for j in np.flatnonzero(over.any(axis=0)).tolist():
        above = [wholes[i] for i in np.flatnonzero(over[:, j]).tolist()]
        found[j] = wholes[j] - union(above, wholes[j].height, wholes[j].width)
    return found


def _is_marked(part: Part, occluder: str) -> bool:
    return "visible" in part.kind or part.id is not None or part.category == occluder


def _objects(picture: Picture) -> list[_Object]:
    """In the sequence in which they occur, with their order."""
    found: dict[Hashable, _Object] = {}
    for index, part in enumerate(picture.parts):
        if part.kind in ("amodal", "visible"):
            object_ = found.setdefault(part.key, _Object(part.category))
            (object_.whole if part.kind == "amodal" else object_.visible).append(index)
            object_.id = part.id if object_.id is None else object_.id
    layers = [max(picture.parts[index].layer for index in o.whole or o.visible) for o in found.values()]
    ranks = {layer: rank for rank, layer in enumerate(sorted(set(layers), reverse=True), 1)}
    for object_, layer in zip(found.values(), layers, strict=True):
        object_.order = ranks[layer]
    return list(found.values())


def _number(objects: Sequence[Sequence[_Object]], occluder: str, left_out: Counter[str]) -> None:
    """Ids as stated, each once; new ones above them for the others."""
    things = [o for found in objects for o in found if o.category != occluder]
    taken: set[int] = set()
    for thing in things:
        if thing.id in taken:
            left_out["objects with the annotation id of another one, which were numbered anew"] += 1
            thing.id = None
        elif thing.id is not None:
            taken.add(thing.id)
    new = max(taken, default=0)
    for position, thing in enumerate(things):
        thing.position = position
        if thing.id is None:
            new += 1
            thing.id = new


class _Drawing:
    """Draws the scenes of pictures."""

    def __init__(
        self,
        pictures: Sequence[Picture],
        objects: Sequence[Sequence[_Object]],
        categories: Mapping[int, str],
        reading: Reading,
        inmodal: bool,
    ) -> None:
        self.pictures = pictures
        self.objects = objects
        self.ids = {name: category_id for category_id, name in categories.items()}
        self.reading = reading
        self.occluder = reading.convention.occluder
        self.inmodal = inmodal

    def images(self) -> dict[int, Image]:
        """By id: those that all pictures state, or else numbers from 1."""
        stated = [picture.id for picture in self.pictures]
        if None in stated or len(set(stated)) < len(stated):
            stated = list(range(1, len(stated) + 1))
        images = {}
        for index, (image_id, picture) in enumerate(zip(stated, self.pictures, strict=True)):
            assert image_id is not None
            extra = dict(picture.extra)
            if occluders := self._occluders(index):
                extra["occluders"] = occluders
            if pairs := self._pairs(index):
                extra["depth_constraint"] = pairs
            images[image_id] = Image(image_id, picture.file_name, picture.height, picture.width, extra)
        return images

    def ties(self) -> int:
        """Pairs of objects that overlap on one layer."""
        return sum(len(self._doubtful(index, guesses=False)) for index in range(len(self.pictures)))

    def guesses(self) -> int:
        """Pairs of objects that overlap where nothing but the sequence says which is nearer."""
        return sum(len(self._doubtful(i, guesses=True)) for i, picture in enumerate(self.pictures) if picture.guessed)

    def _doubtful(self, index: int, guesses: bool) -> set[tuple[int, int]]:
        """Overlapping objects of which no relation says which is nearer: on one layer, or on any."""
        owners, parts = self._whole_parts(index)
        layers = np.array([self.pictures[index].parts[part].layer for part in parts])
        pairs = owners[:, None] < owners[None, :]
        if not guesses:
            pairs &= layers[:, None] == layers[None, :]
        if not pairs.any():
            return set()
        masks = self._masks(index)
        table, _, boxes = spans([masks[part] for part in parts])
        pairs &= overlaps(table, boxes, table, boxes) > 0
        stated = {pair for one in self._stated(index) for pair in (one, one[::-1])}
        return {(owners[i], owners[j]) for i, j in np.argwhere(pairs)} - stated

    def instances(self, index: int, image: Image) -> tuple[Instance, ...]:
        """Those of a picture."""
        found = [o for o in self.objects[index] if o.position >= 0]
        if not found:
            return ()
        masks = self._masks(index)
        wholes = [_joined([masks[i] for i in o.whole or o.visible]) for o in found]
        if self.inmodal:
            return tuple(self._instance(index, o, None, whole) for o, whole in zip(found, wholes, strict=True))
        seen = self._seen(index, masks)
        pairs = zip(found, wholes, strict=True)
        instances = tuple(self._instance(index, o, whole, _visible(o, whole, masks, seen)) for o, whole in pairs)
        scene = Scene(image, instances)
        if "depth_constraint" in image.extra:
            return with_order(scene, occlusion_from_order(scene)).instances
        return with_order(scene).instances if self._are_woven(index) and disagreements(scene) else instances

    def _masks(self, index: int) -> list[Mask]:
        """Of every part, without holes."""
        picture = self.pictures[index]
        drawn: list[Mask | None] = [part.draw() for part in picture.parts]
        if self.reading.whole:
            drawn = unclipped(drawn, picture.height, picture.width)
        known = [mask for mask in drawn if mask is not None]
        _cut_holes(picture.parts, known, self.objects[index])
        return known

    def _whole_parts(self, index: int) -> tuple[npt.NDArray[np.int64], list[int]]:
        """Parts of whole objects: the index of the object of each, and its own."""
        found = [(owner, part) for owner, o in enumerate(self.objects[index]) for part in o.whole or o.visible]
        return np.array([owner for owner, _ in found], np.int64), [part for _, part in found]

    def _seen(self, index: int, masks: Sequence[Mask]) -> dict[int, Mask]:
        """What is seen of each part of a whole object."""
        owners, parts = self._whole_parts(index)
        seen = hidden_by([masks[part] for part in parts], self._nearer(index, owners, parts))
        return dict(zip(parts, seen, strict=True))

    def _are_woven(self, index: int) -> bool:
        """Whether layers of some object are on both sides of one of another."""
        found = sorted((self.pictures[index].parts[i].layer, o.order) for o in self.objects[index] for i in o.whole)
        orders = [order for _, order in found]
        return orders != sorted(orders, reverse=True)

    def _instance(self, index: int, o: _Object, amodal: Mask | None, inmodal: Mask) -> Instance:
        parts = [self.pictures[index].parts[i] for i in o.whole + o.visible]
        extra = {key: value for part in reversed(parts) for key, value in part.extra.items()}
        assert o.id is not None
        return Instance(
            o.id,
            self.ids[o.category],
            o.category,
            amodal,
            inmodal,
            crowd=next((part.crowd for part in parts if part.crowd is not None), None),
            cluster=None if amodal is None else 0,
            order=None if amodal is None else o.order,
            extra=extra,
            position=o.position,
        )

    def _nearer(self, index: int, owners: npt.NDArray[np.int64], parts: Sequence[int]) -> npt.NDArray[np.bool_]:
        """(n, n) whether a part is nearer than one of another object."""
        layers = np.array([self.pictures[index].parts[part].layer for part in parts])
        nearer = np.asarray((layers[:, None] > layers[None, :]) & (owners[:, None] != owners[None, :]))
        for i, j in self._stated(index):
            one, other = owners == i, owners == j
            nearer[np.ix_(one, other)], nearer[np.ix_(other, one)] = True, False
        return nearer

    def _stated(self, index: int) -> list[tuple[int, int]]:
        """Indices of objects of which the first was said to hide the second."""
        picture = self.pictures[index]
        if not picture.hides or self.inmodal:
            return []
        at = {picture.parts[(o.whole or o.visible)[0]].key: i for i, o in enumerate(self.objects[index])}
        pairs = [(at[one], at[other]) for one, other in picture.hides if one in at and other in at and one != other]
        return list(dict.fromkeys(pairs))

    def _pairs(self, index: int) -> list[list[int]]:
        found = self.objects[index]
        pairs = [(found[i], found[j]) for i, j in self._stated(index)]
        return [[one.id, other.id] for one, other in pairs if one.position >= 0 <= other.position]  # type: ignore[list-item]

    def _occluders(self, index: int) -> list[dict[str, Any]]:
        found = [o for o in self.objects[index] if o.category == self.occluder]
        if not found:
            return []
        picture, masks = self.pictures[index], self._masks(index)
        joined = [_joined([masks[i] for i in o.whole or o.visible]) for o in found]
        return [
            {"segmentation": whole.clipped(picture.height, picture.width).segmentation, "order": o.order}
            for o, whole in zip(found, joined, strict=True)
        ]


class _ById(Mapping[int, Sequence[Instance]]):
    """Instances by image id, drawn on access."""

    def __init__(self, images: Mapping[int, Image], drawing: _Drawing) -> None:
        self._index = {image_id: index for index, image_id in enumerate(images)}
        self._images = images
        self._drawing = drawing

    def __getitem__(self, image_id: int) -> Sequence[Instance]:
        return self._drawing.instances(self._index[image_id], self._images[image_id])

    def __iter__(self) -> Iterator[int]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)


def _visible(o: _Object, whole: Mask, masks: Sequence[Mask], seen: Mapping[int, Mask]) -> Mask:
    """An object's inmodal mask: its visible parts, or what is seen of its whole ones."""
    if o.visible:
        return _joined([masks[i] for i in o.visible])
    parts = [seen[i] for i in o.whole]
    return whole if all(part is masks[i] for part, i in zip(parts, o.whole, strict=True)) else _joined(parts)


def _joined(masks: Sequence[Mask]) -> Mask:
    """The union, with the outlines of all where each has outlines: COCO's union of polygons is the same."""
    if len(masks) == 1:
        return masks[0]
    outlines = [mask.polygons for mask in masks]
    together = union(masks, masks[0].height, masks[0].width)
    if any(polygons is None for polygons in outlines):
        return together
    source = [polygon for polygons in outlines for polygon in polygons or ()]
    return Mask(together.height, together.width, together.counts, source, offset=together.offset)


def _cut_holes(parts: Sequence[Part], masks: list[Mask], objects: Sequence[_Object]) -> None:
    """Cut each hole out of the topmost lower part that has at least half of it, in place.

    A hole that is not marked as visible also goes through the visible parts of that object that are lower than it.
    """
    owner = {index: o for o in objects for index in o.whole + o.visible}
    holes = sorted((part.layer, index) for index, part in enumerate(parts) if part.kind.endswith("hole"))
    uncut = list(masks)
    for layer, index in holes:
        hole, kind = masks[index], "amodal" if parts[index].kind == "hole" else "visible"
        below = [i for i in owner if parts[i].layer < layer]
        for i in sorted((i for i in below if parts[i].kind == kind), key=lambda i: (-parts[i].layer, -i)):
            if 2 * (uncut[i] & hole).area >= hole.area > 0:
                others = [j for j in owner[i].visible if parts[j].layer < layer] if kind == "amodal" else []
                for j in {i, *others}:
                    masks[j] = masks[j] - hole
                break


def marks_in(text: str) -> tuple[int | None, bool, str]:
    """The annotation id, whether the part is a visible one, and the rest, of the words of a free text field."""
    if "kins:" not in text and "visible" not in text:
        return None, False, text
    number, visible, rest = None, False, []
    for word in text.split():
        head, _, digits = word.partition(":")
        if head == "kins" and digits.isdecimal() and digits.isascii() and len(digits) < 16:
            number = int(digits)
        elif word == "visible":
            visible = True
        else:
            rest.append(word)
    return number, visible, " ".join(rest)
