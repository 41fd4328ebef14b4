"""`kins predict` into a folder of Parquet shards, in this process or on a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from kins.errors import KinsError
from kins.files.sources import find_pictures, passed_over
from kins.predict.files import (
    Asked,
    digests,
    identify,
    image_names,
    known_classes,
    load_predictor,
    predicted,
    weights_digest,
)
from kins.records import Scene
from kins.work.shards import Done, How, in_shards


def predict_shards(
    weights: str | Path,
    images: Sequence[str | Path],
    out: str | Path,
    how: How,
    *,
    annotations: str | Path | None = None,
    score: float | None = None,
    batch: int = 4,
    device: str = "auto",
    precision: str = "auto",
    order: str | Path | None = None,
) -> Done:
    """Predict pictures into the folder OUT, as `kins.predict.predict_files` does into a file.

    The same call makes the shards that are missing. What each worker needs (pictures, weights, OUT) lies on a disk that
    all machines see. The lines in the result's `failed` are of pictures that are skipped.

    Raises:
        KinsError: as `predict_files` and `kins.work.shards.in_shards`.
    """
    from kins.formats import load

    pictures = find_pictures(images)
    dataset = None if annotations is None else load(annotations, images=next(iter(pictures)).parent)
    identified, unknown = identify(list(pictures), dataset)
    if not identified:
        raise KinsError(f"not one of {len(pictures)} pictures is an image of {annotations}; the first: {unknown[0]}")
    names = image_names(identified, dataset)
    items = [Asked(Path(os.path.abspath(path)), pictures[path], k, names[k]) for path, k in identified]
    classes = None if dataset is None else dataset.categories
    known = digests(weights, identified, pictures, order)
    asked = None if classes is None else {str(key): name for key, name in classes.items()}
    plan = {"weights": str(weights), "score": score, "precision": precision, "classes": asked, **known}
    network = Path(weights).absolute() if Path(weights).exists() else weights
    ordering = None if order is None else Path(order).absolute()
    options = {"device": device, "precision": precision, "score_threshold": score}
    load_work = partial(
        _Predicting, network, known["weights SHA-256"], options, batch, classes, str(annotations), ordering
    )
    done = in_shards(out, plan, items, load_work, _name, how, "predict")
    done.failed = [*passed_over(images), *unknown, *done.failed]
    return done


def _name(asked: Asked) -> str:
    return str(asked.path)


class _Predicting:
    """A worker, with the network."""

    def __init__(
        self,
        weights: str | Path,
        digest: str,
        options: Mapping[str, Any],
        batch: int,
        classes: Mapping[int, str] | None,
        annotations: str,
        order: Path | None,
    ) -> None:
        from kins.complete import PairOrder

        if weights_digest(weights) != digest:
            raise KinsError(f"{weights}: a worker has other weights of that name; they must lie where all see them")
        self._predictor = load_predictor(weights, **options)
        self._batch, self._classes = batch, classes
        self._order = None if order is None else PairOrder.load(order)
        if classes is not None:
            known_classes(self._predictor, weights, classes, annotations)

    @property
    def categories(self) -> Mapping[int, str]:
        return self._predictor.categories if self._classes is None else self._classes

    def __call__(self, items: Sequence[Asked]) -> Iterator[Scene | str]:
        for result in predicted(self._predictor, items, self._batch, self._classes, self._order):
            yield result if isinstance(result, str) else result[0]
