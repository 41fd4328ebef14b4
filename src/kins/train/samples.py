"""Training samples: from a Scene to the network's image and targets."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from kins.complete.pairs import PairSet
from kins.complete.samples import CompletionSet
from kins.config import AugmentConfig, Config, DataConfig
from kins.errors import KinsError
from kins.masks import Mask, rasterise, union
from kins.models.completion import CompletionNetwork
from kins.models.images import network_ratio, scaled
from kins.models.network import AmodalRCNN
from kins.models.ordernet import OrderNetwork
from kins.models.pcnet import PCNet
from kins.models.targets import flat_segments
from kins.records import Dataset, Instance, Scene
from kins.train.augment import augment, photographed, random_window
from kins.train.occluders import neighbours, occluders
from kins.train.orders import OrderSet
from kins.train.pictures import PictureSet
from kins.work import interrupts_held

T = TypeVar("T")
Sample = tuple[Tensor, dict[str, Tensor]]
Draw = tuple[int, int]
"""Index of an image, and its place in the endless sequence of training images; together they fix its augmentation."""

BOTH = ("amodal", "inmodal")
TRAIN_NAMES = ("train.json", "update_train_2020.json", "instances_train.json")
TEST_NAMES = ("test.json", "update_test_2020.json", "instances_val.json")


def training_set(
    network: torch.nn.Module, config: Config, dataset: Dataset
) -> TrainingSet | CompletionSet | PictureSet | PairSet | OrderSet:
    """The samples that a network learns from, out of a data set."""
    if isinstance(network, CompletionNetwork) and network.encoder is not None:
        return PictureSet(dataset, config.augment, config.train.seed)
    if isinstance(network, CompletionNetwork):
        return CompletionSet(dataset, config.augment.shapes, config.train.seed)
    if isinstance(network, PCNet):
        return PairSet(dataset, network.side, config.train.seed)
    if isinstance(network, OrderNetwork):
        return OrderSet(dataset, network, config.augment, config.train.seed)
    assert isinstance(network, AmodalRCNN)
    return TrainingSet(dataset, config.data, config.augment, config.train.seed, network.segments)


class TrainingSet(torch.utils.data.Dataset[Sample]):
    """Images and targets for training, augmented; indexed by a Draw.

    Args:
        dataset: with an image folder.
        data, augmentation: sizes and random changes.
        seed: fixes all random choices, together with the Draw.
        segments: what the network's mask targets are drawn from (`kins.models.targets.SOURCES`); if it is the amodal
            masks alone, inmodal ones may be missing.

    Raises:
        KinsError: on access, for a missing image or mask.
    """

    def __init__(
        self,
        dataset: Dataset,
        data: DataConfig,
        augmentation: AugmentConfig,
        seed: int = 0,
        segments: Collection[str] = BOTH,
    ) -> None:
        self.dataset = dataset
        self.image_ids = list(dataset.images)
        self.labels = label_of(dataset)
        self.data = data
        self.augmentation = augmentation
        self.seed = seed
        self.segments = segments

    def __len__(self) -> int:
        return len(self.image_ids)

    def __getitem__(self, draw: Draw) -> Sample:
        index, position = draw
        rng = np.random.default_rng((self.seed, position, 1))
        scene = self.dataset[self.image_ids[index]]
        image = scene.read_image()
        scene, image = augment(scene, image, self.augmentation, rng, self._donor)
        factor = float(rng.uniform(*self.augmentation.scale))
        ratio = factor * network_ratio(image.shape[:2], self.data.short_side, self.data.long_side)
        if self.augmentation.window is not None:
            height, width = (max(1, int(side / ratio)) for side in self.augmentation.window)
            scene, image = random_window(scene, image, height, width, rng)
        image = photographed(image, self.augmentation, rng)
        network_image, scale = scaled(image, ratio)
        target = make_target(scene, scale, self.labels, self.data, self.segments)
        target["seed"] = torch.tensor(int(rng.integers(2**62)))
        target["image"] = torch.tensor(index)  # not its id, which may be longer than 64 bits
        return network_image, target

    def _donor(self, rng: np.random.Generator) -> Scene:
        return self.dataset[self.image_ids[int(rng.integers(len(self)))]]


def make_target(
    scene: Scene, scale: Tensor, labels: dict[int, int], data: DataConfig, segments: Collection[str] = BOTH
) -> dict[str, Tensor]:
    """The targets of one image, as `kins.models.regions.Target`.

    Crowds, specks and what is known to be hidden altogether are left out, whatever the network learns of the others:
    networks that are compared learn from the same objects.
    """
    instances = [i for i in scene if not i.crowd and i.category_id in labels]
    inmodal = any(name != "amodal" for name in segments)
    rasterise([mask for i in instances for mask in (i.amodal, i.inmodal)])
    seen = [i.require("inmodal") if inmodal else i.inmodal for i in instances]
    if not data.keep_hidden:
        instances = [i for i, mask in zip(instances, seen, strict=True) if mask is None or mask]
    boxes = torch.tensor([i.require("amodal").box for i in instances]).view(-1, 4)
    boxes = torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], dim=1) * scale.repeat(2)
    keep = ((boxes[:, 2:] - boxes[:, :2]) >= max(data.min_size, 1e-3)).all(dim=1)
    instances = [i for i, kept in zip(instances, keep.tolist(), strict=True) if kept]
    target = {
        "boxes": boxes[keep],
        "labels": torch.tensor([labels[i.category_id] for i in instances], dtype=torch.int64),
        "occluded": torch.tensor([_occluded(i, data.occluded_rate) for i in instances], dtype=torch.int64),
        "scale": scale,
    }
    for name in segments:
        target[name] = flat_segments([mask.segments for mask in MADE[name](scene, instances)])
    return target


MADE: dict[str, Callable[[Scene, Sequence[Instance]], list[Mask]]] = {
    "amodal": lambda scene, instances: [i.require("amodal") for i in instances],
    "inmodal": lambda scene, instances: [i.require("inmodal") for i in instances],
    "occluder": occluders,
    "neighbours": neighbours,
    "covered": lambda scene, instances: [
        union([i.hidden for i in instances if i.both_known], scene.image.height, scene.image.width)
    ],
}
"""The masks that segments are made of, by the names in `kins.models.targets.SOURCES`; `covered`: all that is hidden."""


def _occluded(instance: Instance, rate: float) -> bool:
    """Whether part of the instance is hidden, rounding slivers aside."""
    return instance.both_known and instance.occlusion_rate >= max(rate, 1e-9)


def label_of(dataset: Dataset) -> dict[int, int]:
    """Contiguous training labels from 1 by category id; 0 is background. Raises KinsError without categories."""
    place = f"{dataset.path}: " if dataset.path else ""
    if not dataset.categories:
        raise KinsError(f"{place}lists no categories, and so there is nothing to learn")
    if far := [key for key in dataset.categories if abs(key) >= 10**18]:
        name = dataset.categories[far[0]]
        raise KinsError(f"{place}category '{name}' has the id {far[0]}; number categories with at most 18 digits")
    return {category_id: label for label, category_id in enumerate(sorted(dataset.categories), start=1)}


def draws(length: int, seed: int, start: int = 0) -> Iterator[Draw]:
    """The endless training sequence from place `start`: every image once, shuffled, then again in another order."""
    position = start
    while True:
        order = np.random.default_rng((seed, position // length)).permutation(length)
        for index in order[position % length :].tolist():
            yield index, position
            position += 1


class Batches:
    """Batch sampler for a DataLoader: the parts of each global batch that one process works on.

    Args:
        length: images in the data set.
        batch: images per optimiser step over all processes.
        micro_batch: images per forward pass; each item is one such list.
        rank, world: this process and their number.
        first_step: optimiser step to begin with.
    """

    def __init__(
        self, length: int, seed: int, batch: int, micro_batch: int, rank: int = 0, world: int = 1, first_step: int = 0
    ) -> None:
        self.length, self.seed, self.batch, self.micro_batch = length, seed, batch, micro_batch
        self.rank, self.world, self.first_step = rank, world, first_step

    def __iter__(self) -> Iterator[list[Draw]]:
        sequence = draws(self.length, self.seed, self.first_step * self.batch)
        share = self.batch // self.world
        while True:
            step = [next(sequence) for _ in range(self.batch)]
            own = step[self.rank * share : (self.rank + 1) * share]
            for start in range(0, share, self.micro_batch):
                yield own[start : start + self.micro_batch]


def collate(samples: list[Sample]) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """Lists of images and of targets: images differ in size, targets in length."""
    images, targets = zip(*samples, strict=True)
    return list(images), list(targets)


def arriving(loader: Iterable[T]) -> Iterator[T]:
    """What loading processes send. Raises KinsError as the data set did there, and where a process died."""
    with interrupts_held():
        items = iter(loader)
    while True:
        try:
            item = next(items)
        except StopIteration:
            return
        except (
            KinsError
        ) as error:  # PyTorch puts the other process's traceback in front of the message, a line at the end
            message = str(error).splitlines()[-1].removeprefix(f"{KinsError.__module__}.{KinsError.__name__}: ")
            raise KinsError(message) from None
        except RuntimeError as error:
            if not str(error).startswith("DataLoader worker"):
                raise
            raise KinsError(
                "a loading process died; is there enough memory? A smaller data.workers needs less"
            ) from None
        yield item


def find_data(data: DataConfig) -> tuple[Dataset, Dataset | None]:
    """The training data and, if there is any, the test data that a configuration names.

    Raises:
        KinsError: no data folder given, or no training annotations in it.
    """
    from kins.formats import load

    if data.root is None and data.train is None:
        raise KinsError("no data: name the folder with --data, or the annotations with data.train=FILE")
    base = Path(data.root or "")
    train = _first(base, data.train, TRAIN_NAMES)
    if train is None:
        raise KinsError(f"{base}: holds none of {', '.join(TRAIN_NAMES)}; name the annotations with data.train=FILE")
    test = _first(base, data.test, TEST_NAMES)

    def read(path: Path, images: str | None, usual: str) -> Any:
        candidates = [base / images] if images else [base / usual / "image_2", base / "training/image_2", path.parent]
        folder = next((c for c in candidates if c.is_dir()), candidates[0])
        return load(path, images=folder, masks=data.masks)

    return (
        read(train, data.train_images, "training"),
        None if test is None else read(test, data.test_images, "testing"),
    )


def _first(base: Path, given: str | None, usual: Sequence[str]) -> Path | None:
    if given is not None:
        return base / given
    return next((base / name for name in usual if (base / name).is_file()), None)
