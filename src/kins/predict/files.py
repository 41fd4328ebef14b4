"""`kins predict` for many files: reading, batching, writing, drawing."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.files import reason
from kins.files.pictures import read_picture
from kins.files.sources import Place, find_pictures, passed_over
from kins.records import Dataset, Image, Scene
from kins.work import progress

if TYPE_CHECKING:
    from kins.complete import PairOrder
    from kins.predict.coco import CocoPredictor
    from kins.predict.predictor import Predictor

Pixels = npt.NDArray[np.uint8]


@dataclasses.dataclass(frozen=True)
class Summary:
    """What was done.

    Attributes:
        images, detections: how many the file has.
        skipped: a line for each picture that is skipped or not drawn.
        before: how many of the images an interrupted call had done.
    """

    images: int
    detections: int
    skipped: list[str]
    before: int = 0


def predict_files(
    weights: str | Path,
    images: Sequence[str | Path],
    out: str | Path,
    *,
    annotations: str | Path | None = None,
    show: str | Path | None = None,
    show_score: float = 0.5,
    score: float | None = None,
    batch: int = 4,
    device: str = "auto",
    precision: str = "auto",
    resume: bool = True,
    order: str | Path | None = None,
) -> Summary:
    """Predict pictures and write the prediction file.

    Each picture is written (and drawn) when it is done, so that memory does not grow with their number. Until the file
    is complete it is named OUT.part; the same call with the same weights, settings and pictures goes on with that,
    unless `resume` is false.

    Image ids are those of `annotations` (see `identify`; category ids are matched by name), else the number that a file
    is named with (000123.png is 123), else its place in the list.

    Args:
        order: weights of a network that tells who hides whom (`kins.complete.PairOrder`), in the place of the masks.

    Raises:
        KinsError: no pictures, weights or annotations; not one picture that can be read, image or class that
            the annotations know; OUT.part is of a call with other weights, settings or pictures.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> shapes = write_shapes("pictures", 3)
        >>> summary = kins.predict.predict_files("street", ["pictures"], "found.json", device="cpu", show="drawn")
        >>> summary.images, summary.skipped
        (3, [])
        >>> [image.file_name for image in kins.load("found.json").images.values()]
        ['000000.png', '000001.png', '000002.png']
    """
    from kins.complete import PairOrder
    from kins.formats import PredictionWriter, load

    pictures = find_pictures(images)
    paths = list(pictures)
    dataset = None if annotations is None else load(annotations, images=paths[0].parent)
    identified, unknown = identify(paths, dataset)
    if not identified:
        raise KinsError(f"not one of {len(paths)} pictures is an image of {annotations}; the first: {unknown[0]}")
    predictor = load_predictor(weights, device=device, precision=precision, score_threshold=score)
    pair_order = None if order is None else PairOrder.load(order)
    if dataset is not None:
        known_classes(predictor, weights, dataset.categories, annotations)
    skipped = [*passed_over(images), *unknown]
    targets = {} if show is None else drawings(show, paths)
    names = image_names(identified, dataset)
    categories = predictor.categories if dataset is None else dataset.categories
    settings = {"weights": str(weights), "score": score, "precision": precision}
    settings |= digests(weights, identified, pictures, order)
    with PredictionWriter(out, categories, settings, resume) as writer:
        before = len(writer.done)
        waiting = [Asked(path, pictures[path], k, names[k]) for path, k in identified if k not in writer.done]
        known = None if dataset is None else categories
        for result in predicted(predictor, progress(waiting, "predicting"), batch, known, pair_order):
            if isinstance(result, str):
                skipped.append(result)
                continue
            scene, pixels = result
            if (path := scene.image_path) in targets:
                assert path is not None
                skipped += _draw(scene, pixels, show_score, targets[path])
            writer.add(scene)
        if not writer.done:
            raise KinsError(f"not one of {len(paths)} pictures could be used; the first: {skipped[0]}")
    return Summary(len(writer.done), writer.detections, skipped, before)


COCO = "coco"
"""The name of torchvision's detector."""


def load_predictor(weights: str | Path, **options: Any) -> Predictor | CocoPredictor:
    """The predictor of a run, of weights, or of "coco": torchvision's detector for any photograph, with completion.

    Args:
        options: device, precision and score_threshold as for `kins.Predictor`.

    Raises:
        KinsError: no such weights.
    """
    if _is_coco(weights):
        from kins.predict.coco import CocoPredictor

        return CocoPredictor.load(**options)
    from kins.predict.predictor import Predictor

    return Predictor.load(weights, **options)


def _is_coco(weights: str | Path) -> bool:
    return str(weights) == COCO and not Path(weights).exists()


def _weights_file(weights: str | Path) -> Path:
    if _is_coco(weights):
        from kins.predict.coco import weights_file

        return weights_file()
    from kins.models.weights import find

    return find(weights)


def known_classes(
    predictor: Predictor | CocoPredictor, weights: object, categories: Mapping[int, str], annotations: object
) -> None:
    """Raises KinsError if annotations with these categories know none of the predictor's classes."""
    found, asked = predictor.categories.values(), categories.values()
    if not set(found) & set(asked):
        raise KinsError(f"{annotations}: has not one class of {weights}; it has {_few(asked)}, they have {_few(found)}")


class Asked(NamedTuple):
    """A picture to predict: its path, its place in a container if it is in one, and what its image is to be called."""

    path: Path
    place: Place | None
    image_id: int
    name: str

    def read(self) -> Pixels:
        """(height, width, 3) uint8 RGB. Raises KinsError for what can't be read."""
        return read_picture(self.path, content=None if self.place is None else self.place.read())


def predicted(
    predictor: Predictor | CocoPredictor,
    pictures: Iterable[Asked],
    batch: int,
    categories: Mapping[int, str] | None = None,
    order: PairOrder | None = None,
) -> Iterator[tuple[Scene, Pixels] | str]:
    """The scene and the pixels of each picture; a line for one that can't be read.

    Args:
        batch: pictures that are computed together.
        categories: other ones, to be matched by name; instances of classes that these do not have are left out.
        order: tells who hides whom, in the place of the masks.
    """
    for chunk in _batches(pictures, batch):
        readable = []
        for asked in chunk:
            try:
                readable.append((asked, asked.read()))
            except KinsError as error:
                yield str(error)
        found = predictor.batch([pixels for _, pixels in readable])
        for scene, (asked, pixels) in zip(found, readable, strict=True):
            image = Image(asked.image_id, asked.name, *pixels.shape[:2])
            scene = scene.replace(image=image, image_path=asked.path)
            yield _finished(scene, categories, order, pixels), pixels


def _finished(scene: Scene, categories: Mapping[int, str] | None, order: PairOrder | None, pixels: Pixels) -> Scene:
    """With occlusion order, of the masks where both are known, or of a network; and the categories asked for."""
    from kins.occlusion import with_order
    from kins.predict.predictor import with_categories

    if order is not None:
        scene = with_order(scene, order.relations(pixels, scene))
    elif all(instance.both_known and instance.order is None for instance in scene):
        scene = with_order(scene)
    return scene if categories is None else with_categories(scene, categories)


def image_names(identified: Sequence[tuple[Path, int]], dataset: Dataset | None) -> dict[int, str]:
    """File name of each image: that of the data set, else below the folder that all pictures have in common."""
    if dataset is not None:
        return {image_id: dataset.images[image_id].file_name for _, image_id in identified}
    paths = {image_id: Path(os.path.abspath(path)) for path, image_id in identified}
    try:
        root = os.path.commonpath([path.parent for path in paths.values()])
    except ValueError:  # several drives
        return {image_id: path.name for image_id, path in paths.items()}
    names = {image_id: path.relative_to(root).as_posix() for image_id, path in paths.items()}
    return {image_id: os.fsencode(name).decode(errors="replace") for image_id, name in names.items()}


def digests(
    weights: str | Path,
    identified: Sequence[tuple[Path, int]],
    pictures: Mapping[Path, Place | None],
    order: str | Path | None,
) -> dict[str, str]:
    """What tells whether unfinished work is of the same weights and pictures (by id, name and bytes)."""
    import hashlib

    listed = hashlib.sha256()
    for path, image_id in identified:
        place = pictures[path]
        size = place[1:] if place is not None else path.stat().st_size if path.is_file() else 0
        listed.update(f"{image_id} {size} {os.path.abspath(path)}\n".encode(errors="surrogateescape"))
    found = {"weights SHA-256": weights_digest(weights), "pictures": listed.hexdigest()}
    if order is not None:
        found |= {"order": str(order), "order SHA-256": weights_digest(order)}
    return found


def weights_digest(weights: str | Path) -> str:
    """SHA-256 of the file with the weights."""
    import hashlib

    with open(_weights_file(weights), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def identify(paths: Sequence[Path], dataset: Dataset | None) -> tuple[list[tuple[Path, int]], list[str]]:
    """The image id of each file, and a line for each file that is left out.

    With annotations, a file is the image whose whole `file_name` its path ends with, the longest such name; files that
    are no image, several, or the same as another file, are left out.
    """
    if dataset is not None:
        return _match(paths, dataset)
    numbers = [int(path.stem) if path.stem.isdecimal() and len(path.stem) < 19 else None for path in paths]
    if None not in numbers and len(set(numbers)) == len(numbers):
        return [(path, number) for path, number in zip(paths, numbers, strict=True) if number is not None], []
    return [(path, index) for index, path in enumerate(paths)], []


def _match(paths: Sequence[Path], dataset: Dataset) -> tuple[list[tuple[Path, int]], list[str]]:
    ids: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for image in dataset.images.values():
        ids[PurePosixPath(image.file_name).parts].append(image.id)
    elsewhere = {parts[-1]: "/".join(parts) for parts in ids if parts}
    tails: dict[Path, tuple[str, ...]] = {}
    for path in paths:
        parts = Path(os.path.abspath(path)).parts
        tails[path] = next((parts[k:] for k in range(len(parts)) if parts[k:] in ids), ())
    claims = Counter(tails.values())
    known, left_out = [], []
    for path, tail in tails.items():
        name = "/".join(tail)
        if not tail:
            hint = f" ({elsewhere[path.name]} lies in another folder)" if path.name in elsewhere else ""
            left_out.append(f"{path}: not among the images of {dataset.path}{hint}")
        elif len(ids[tail]) > 1:
            left_out.append(f"{path}: {len(ids[tail])} images of {dataset.path} are named {name}; it may be any")
        elif claims[tail] > 1:
            left_out.append(f"{path}: may be {name} of {dataset.path}, and so may another picture; name one of them")
        else:
            known.append((path, ids[tail][0]))
    return known, left_out


def drawings(folder: str | Path, paths: Sequence[Path]) -> dict[Path, Path]:
    """The file in the folder that each picture is drawn to: by its stem, or by its whole name where stems clash."""
    stems, taken = Counter(path.stem for path in paths), set[str]()
    targets = {}
    for index, path in enumerate(paths):
        options = [path.stem] if stems[path.stem] == 1 else []
        options += [path.name, f"{path.name}.{index}"]
        name = next((option for option in options if option not in taken), options[-1])
        taken.add(name)
        targets[path] = Path(folder) / f"{name}.png"
    return targets


def _draw(scene: Scene, pixels: Pixels, lowest: float, target: Path) -> list[str]:
    """Draws what is certain enough; returns a line if that failed, since predictions are worth more than drawings."""
    from kins.draw.scene import draw, write_picture

    certain = scene.replace(instances=tuple(i for i in scene if (i.score or 0) >= lowest))
    try:
        write_picture(draw(certain, image=pixels), target)
    except Exception as error:  # whatever it is
        return [f"{scene.image_path}: predicted, but not drawn ({reason(error)})"]
    return []


def _few(names: Iterable[str]) -> str:
    """The first few names of many."""
    listed = list(names)
    return ", ".join(listed[:5]) + (", ..." if len(listed) > 5 else "")


def _batches(items: Any, size: int) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
