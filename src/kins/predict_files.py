"""`kins predict` for many files: reading, batching, writing, drawing."""

from __future__ import annotations

import dataclasses
import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kins.errors import KinsError
from kins.files import progress
from kins.pictures import read_picture
from kins.records import Dataset, Image, Scene

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}


@dataclasses.dataclass(frozen=True)
class Summary:
    """What was done: pictures predicted, detections written, and a line for each picture that was skipped."""

    images: int
    detections: int
    skipped: list[str]


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
) -> Summary:
    """Predict pictures and write the prediction file.

    Image ids are those of `annotations` (by file name; category ids are matched by name), else the number that a file
    is named with (000123.png is 123), else its place in the list.

    Raises:
        KinsError: no pictures, weights or annotations, or not one picture that can be read.
    """
    from kins.formats import load
    from kins.occlusion import with_order
    from kins.predict import Predictor, with_categories

    paths = find_images(images)
    dataset = None if annotations is None else load(annotations, images=paths[0].parent)
    predictor = Predictor.load(weights, device=device, precision=precision, score_threshold=score)
    identified, skipped = identify(paths, dataset)
    scenes: list[Scene] = []
    for chunk in _batches(progress(identified, "predicting"), batch):
        readable: list[tuple[Path, int, npt.NDArray[np.uint8]]] = []
        for path, image_id in chunk:
            try:
                readable.append((path, image_id, read_picture(path)))
            except KinsError as error:
                skipped.append(str(error))
        if not readable:
            continue
        for scene, (path, image_id, pixels) in zip(predictor.batch([r[2] for r in readable]), readable, strict=True):
            image = Image(image_id, path.name, *pixels.shape[:2])
            scene = scene.replace(image=image, image_path=path)
            if all(instance.inmodal.known for instance in scene):
                scene = with_order(scene)
            if dataset is not None:
                scene = with_categories(scene, dataset.categories)
            scenes.append(scene)
            if show is not None:
                _draw(scene, Path(show), show_score)
    if not scenes:
        raise KinsError(f"not one of {len(paths)} pictures could be used; the first: {skipped[0]}")
    categories = predictor.categories if dataset is None else dataset.categories
    Dataset.from_scenes(scenes, categories).save(out, format="predictions")
    return Summary(len(scenes), sum(len(scene) for scene in scenes), skipped)


def find_images(names: Sequence[str | Path]) -> list[Path]:
    """Files, the pictures in folders, and globs, sorted, each once. Raises KinsError where a name finds nothing."""
    found: dict[Path, None] = {}
    for name in names:
        path = Path(name)
        if path.is_dir():
            matches = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
        elif path.is_file():
            matches = [path]
        else:
            matches = sorted(Path(match) for match in glob.glob(str(name), recursive=True) if Path(match).is_file())
        if not matches:
            raise KinsError(f"{name}: no such picture, folder with pictures, or glob that matches any")
        found.update(dict.fromkeys(matches))
    return list(found)


def identify(paths: Sequence[Path], dataset: Dataset | None) -> tuple[list[tuple[Path, int]], list[str]]:
    """The image id of each file, and a line for each file that the annotations do not know."""
    if dataset is not None:
        ids = {Path(image.file_name).name: image.id for image in dataset.images.values()}
        known = [(path, ids[path.name]) for path in paths if path.name in ids]
        unknown = [f"{path}: not among the images of {dataset.path}" for path in paths if path.name not in ids]
        return known, unknown
    numbers = [int(path.stem) if path.stem.isdecimal() else None for path in paths]
    if None not in numbers and len(set(numbers)) == len(numbers):
        return [(path, number) for path, number in zip(paths, numbers, strict=True) if number is not None], []
    return [(path, index) for index, path in enumerate(paths)], []


def _draw(scene: Scene, folder: Path, lowest: float) -> None:
    from kins.draw import draw, write_picture

    certain = scene.replace(instances=tuple(i for i in scene if (i.score or 0) >= lowest))
    write_picture(draw(certain), folder / f"{Path(scene.image.file_name).stem}.png")


def _batches(items: Any, size: int) -> Iterator[list[Any]]:
    chunk: list[Any] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
