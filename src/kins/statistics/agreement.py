"""How far annotators agree on the same images, and a consensus of them by the majority for each pixel.

The KINS paper (Qi et al., CVPR 2019) merged three annotations of each image in this way; COCOA (Zhu et al., CVPR 2017)
has several of many images.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from hotcoco.primitives import lsap

from kins.errors import KinsError
from kins.limits import PAIRS
from kins.masks import Mask, ious
from kins.masks.mask import from_spans
from kins.masks.table import Spans
from kins.occlusion import Occlusion, relations_of, with_order
from kins.records import Dataset, Image, Instance, Scene
from kins.work import progress

SAME_OBJECT = 0.5
"""Amodal IoU from which on instances of two annotators can be one object."""
ASSISTANCE = "assistance"
"""Field of an image in files, true where its annotators saw proposals, false where these were withheld."""


@dataclasses.dataclass
class Agreement:
    """Two annotations of the same images, compared.

    Attributes:
        first, second: their names.
        images: how many were compared.
        instances: how many each annotated in these.
        amodal, inmodal: IoU of each matched pair of instances; inmodal only where both have that mask.
        hidden: IoU of the hidden regions of matched pairs, where one of the two has any.
        same_category: matched pairs of the same category.
        related: pairs of matched instances in which, for both annotators, one hides the other.
        same_direction: of these, the ones where it is the same one.
        related_once: pairs related for one of the annotators only.
        by_assistance: the same for images annotated with and without proposals apart ("with", "without"), where both
            files say which it was: `image.extra["assistance"]`, true or false, as `kins annotate` exports it.
    """

    first: str
    second: str
    images: int = 0
    instances: tuple[int, int] = (0, 0)
    amodal: list[float] = dataclasses.field(default_factory=list)
    inmodal: list[float] = dataclasses.field(default_factory=list)
    hidden: list[float] = dataclasses.field(default_factory=list)
    same_category: int = 0
    related: int = 0
    same_direction: int = 0
    related_once: int = 0
    by_assistance: dict[str, Agreement] = dataclasses.field(default_factory=dict)

    def add(self, other: Agreement) -> None:
        """Count what was found in further images, too, all but its names and parts."""
        self.images += other.images
        self.instances = (self.instances[0] + other.instances[0], self.instances[1] + other.instances[1])
        for name in ("amodal", "inmodal", "hidden"):
            getattr(self, name).extend(getattr(other, name))
        for name in ("same_category", "related", "same_direction", "related_once"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def as_json(self) -> dict[str, Any]:
        """Counts and means; null where there is nothing to take the mean of."""
        matched = len(self.amodal)
        apart = {key: self.by_assistance[key].as_json() for key in sorted(self.by_assistance)}
        return {
            "first": self.first,
            "second": self.second,
            "images": self.images,
            "instances": list(self.instances),
            "matched": matched,
            "matched_share": _share(2 * matched, sum(self.instances)),
            "same_category_share": _share(self.same_category, matched),
            "amodal_iou": _mean(self.amodal),
            "inmodal_iou": _mean(self.inmodal),
            "hidden_iou": _mean(self.hidden),
            "related_pairs": self.related,
            "related_for_one_only": self.related_once,
            "order_agreement": _share(self.same_direction, self.related),
            **({"by_assistance": apart} if apart else {}),
        }


def compare(first: Dataset, second: Dataset, names: tuple[str, str] = ("first", "second")) -> Agreement:
    """Agreement over the images that both have, found by file name.

    Instances are matched one to one so that the sum of amodal IoU is largest, from SAME_OBJECT on and whatever their
    categories. Who hides whom is what each annotator said, where all instances of the image have an order, and follows
    from the masks otherwise.

    Raises:
        KinsError: no image in common, images of different sizes, or instances without amodal masks.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> first = write_shapes("pictures", 2)
        >>> second = first.filter(lambda instance: instance.order == 0)
        >>> found = kins.statistics.compare(first, second)
        >>> found.instances, found.amodal, found.as_json()["matched_share"]
        ((8, 2), [1.0, 1.0], 0.4)
    """
    agreement = Agreement(*names)
    apart = agreement.by_assistance
    for one, other in _common((first, second)):
        counted = [agreement]
        if (key := _assistance(one.image, other.image)) is not None:
            counted.append(apart.setdefault(key, Agreement(*names)))
        _count(one, other, counted)
    return agreement


def _assistance(*images: Image) -> str | None:
    """The key of Agreement.by_assistance for an image as each file has it; None where they don't say the same."""
    said = [image.extra.get(ASSISTANCE) for image in images]
    return "with" if all(one is True for one in said) else "without" if all(one is False for one in said) else None


def _count(one: Scene, other: Scene, counted: Sequence[Agreement]) -> None:
    """Add what two annotators have of one image."""
    pairs = match(one.instances, other.instances)
    found = Agreement("", "", 1, (len(one), len(other)))
    for i, j in pairs:
        a, b = one[i], other[j]
        found.same_category += a.category == b.category
        found.amodal.append(a.require("amodal").iou(b.require("amodal")))
        if a.inmodal is not None and b.inmodal is not None:
            found.inmodal.append(a.inmodal.iou(b.inmodal))
            if a.hidden or b.hidden:
                found.hidden.append(a.hidden.iou(b.hidden))
    _count_order(found, one, other, pairs)
    for agreement in counted:
        agreement.add(found)


def _count_order(found: Agreement, one: Scene, other: Scene, pairs: Sequence[tuple[int, int]]) -> None:
    relations = relations_of(one, stated_first=True), relations_of(other, stated_first=True)
    if relations[0] is None or relations[1] is None:
        return
    places = (
        {i: place for place, (i, _) in enumerate(pairs)},
        {j: place for place, (_, j) in enumerate(pairs)},
    )
    said = [_ahead(relations[0], places[0]), _ahead(relations[1], places[1])]
    both = sum((i, j) in said[1] or (j, i) in said[1] for i, j in said[0])
    found.related, found.same_direction = both, len(said[0] & said[1])
    found.related_once = len(said[0]) + len(said[1]) - 2 * both


def _ahead(relations: Occlusion, places: dict[int, int]) -> set[tuple[int, int]]:
    """The pairs of which the first hides the second, of those that have a place, by their places."""
    return {(places[i], places[j]) for i, j in relations.ahead if i in places and j in places}


def match(first: Sequence[Instance], second: Sequence[Instance], least: float = SAME_OBJECT) -> list[tuple[int, int]]:
    """Index pairs of instances that are one object: one to one, amodal IoU of at least `least`, its sum the largest."""
    PAIRS.check(len(first) * len(second), "two annotations of an image")
    return _assign(ious([i.require("amodal") for i in first], [i.require("amodal") for i in second]), least)


def consensus(datasets: Sequence[Dataset]) -> Dataset:
    """One data set from several annotations of the same images: what more than half of the annotators say.

    A pixel belongs to an object's amodal (inmodal) mask if it does for more than half of the annotators; inmodal pixels
    outside of the amodal mask are left out, and so is an object of which nothing visible remains. The category is the
    most frequent one, the first annotator's in a tie. Cluster and order are derived from the new masks, ids are new.
    Of two annotators more than half means both.

    Raises:
        KinsError: fewer than two data sets, no image in common, images of different sizes, or missing masks.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> careful = write_shapes("pictures", 2)
        >>> hasty = careful.filter(lambda instance: instance.order == 0)
        >>> [len(scene) for scene in kins.statistics.consensus([careful, careful, hasty])]
        [3, 5]
        >>> [len(scene) for scene in kins.statistics.consensus([careful, hasty, hasty])]
        [1, 1]
    """
    if len(datasets) < 2:
        raise KinsError("a consensus takes at least two annotations of the same images")
    categories = dict(datasets[0].categories)
    ids = {name: category_id for category_id, name in reversed(categories.items())}

    def number(category_id: int, name: str) -> int:
        """The category's id in the consensus; a new one is listed, also if an annotator's file does not list it."""
        if name not in ids:
            ids[name] = category_id if category_id not in categories else max(categories) + 1
            categories[ids[name]] = name
        return ids[name]

    for dataset in datasets[1:]:
        for category_id, name in dataset.categories.items():
            number(category_id, name)
    scenes, next_id = [], 1
    for scene_of_each in progress(list(_common(datasets)), "consensus"):
        image = scene_of_each[0].image
        instances = []
        for members in same_objects(scene_of_each):
            instance = _merged(members, len(datasets))
            if instance is not None:
                category_id = number(instance.category_id, instance.category)
                instances.append(instance.replace(id=next_id, category_id=category_id))
                next_id += 1
        image = dataclasses.replace(image, extra={k: v for k, v in image.extra.items() if k not in _ANNOTATORS_OWN})
        scenes.append(with_order(scene_of_each[0].replace(image=image, instances=tuple(instances))))
    return Dataset.from_scenes(scenes, categories, images_dir=datasets[0].images_dir)


_ANNOTATORS_OWN = ("cocoa", "depth_constraint")


def annotators(dataset: Dataset) -> list[Dataset]:
    """The annotators of one file that holds images several times, as COCOA does: the k-th has each image's k-th scene.

    Raises:
        KinsError: no image occurs twice.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> once = write_shapes("pictures", 1)
        >>> again = once[0].replace(image=kins.Image(2, "000000.png", 160, 240))
        >>> both = kins.Dataset.from_scenes([once[0], again], once.categories)
        >>> [list(one.images) for one in kins.statistics.annotators(both)]
        [[0], [2]]
    """
    seen: Counter[str] = Counter()
    ids: list[list[int]] = []
    for image in dataset.images.values():
        if seen[image.file_name] == len(ids):
            ids.append([])
        ids[seen[image.file_name]].append(image.id)
        seen[image.file_name] += 1
    if len(ids) < 2:
        raise KinsError(f"{dataset.path}: has one annotation of each image; name a second file to compare it with")
    return [dataset.select(chosen) for chosen in ids]


def _common(datasets: Sequence[Dataset]) -> Iterator[tuple[Scene, ...]]:
    """The scenes of each image that all have, by file name."""
    by_name = [{image.file_name: image.id for image in reversed(dataset.images.values())} for dataset in datasets]
    names = [name for name in reversed(by_name[0]) if all(name in other for other in by_name)]
    if not names:
        found = " and ".join(str(dataset.path or "a data set") for dataset in datasets)
        raise KinsError(f"{found}: have no image in common; images are compared by file name")
    for name in names:
        scenes = tuple(dataset[ids[name]] for dataset, ids in zip(datasets, by_name, strict=True))
        sizes = {(scene.image.width, scene.image.height) for scene in scenes}
        if len(sizes) > 1:
            stated = " and ".join(f"{width} x {height}" for width, height in sorted(sizes))
            raise KinsError(f"image {name}: is {stated} pixels, depending on the file; annotations can't be compared")
        yield scenes


def _assign(overlap: npt.NDArray[np.float64], least: float) -> list[tuple[int, int]]:
    overlap = np.where(overlap >= least, overlap, 0.0)
    rows, columns = lsap(overlap, maximize=True)
    return [(i, j) for i, j in zip(rows.tolist(), columns.tolist(), strict=True) if overlap[i, j] > 0]


def same_objects(scenes: Sequence[Scene]) -> list[list[Instance]]:
    """The instances of each object, at most one an annotator; annotators join one after the other."""
    objects: list[list[Instance]] = []
    for scene in scenes:
        overlap = np.zeros((len(objects), len(scene)))
        for row, members in enumerate(objects):
            masks = ious([member.require("amodal") for member in members], scene.masks("amodal"))
            overlap[row] = masks.mean(0)
        matched = {j: i for i, j in _assign(overlap, SAME_OBJECT)}
        for index, instance in enumerate(scene):
            if index in matched:
                objects[matched[index]].append(instance)
            else:
                objects.append([instance])
    return objects


def _merged(members: Sequence[Instance], annotators: int) -> Instance | None:
    """One instance by majority, without an id, its category that of a member; None if there is none."""
    amodal = _majority([member.require("amodal") for member in members], annotators)
    inmodal = _majority([member.require("inmodal") for member in members], annotators) & amodal
    if not inmodal:
        return None
    category = Counter(member.category for member in members).most_common(1)[0][0]
    first = next(member for member in members if member.category == category)
    return Instance(0, first.category_id, category, amodal, inmodal)


def _majority(masks: Sequence[Mask], annotators: int) -> Mask:
    """The pixels in more than half of as many masks as there are annotators; the missing ones are empty."""
    first, needed = masks[0], annotators // 2 + 1
    intervals = [mask.intervals for mask in masks]
    starts, ends = (np.concatenate(side) for side in zip(*intervals, strict=True))
    places = np.concatenate([starts, ends])
    order = np.argsort(places, kind="stable")
    places, steps = places[order], np.repeat([1, -1], starts.size)[order]
    last = np.append(places[1:] != places[:-1], True)[: places.size]  # of those at one place
    places, depth = places[last], np.cumsum(steps)[last]
    enough = np.diff(depth >= needed, prepend=False)
    spans = Spans.of(places[enough])
    return from_spans(spans, first.height, first.width, first.offset)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
