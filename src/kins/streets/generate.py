"""A whole set of street scenes in KITTI's folders, made by several processes, resumed where it stopped.

OUT/streets.json holds the settings. While a set is being made, OUT/.parts/SPLIT/INDEX.json holds the annotations of
each finished picture; it is written after the picture's other files, so that it stands for all of them.
"""

from __future__ import annotations

import io
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kins.errors import KinsError
from kins.files import leftovers, only_one, write_atomic
from kins.files.folders import claim
from kins.formats import load
from kins.formats.kins2020 import CATEGORIES
from kins.records import Dataset, Scene
from kins.streets.picture import Picture, Settings, make_picture
from kins.work import in_chunks, progress
from kins.work.cluster import DIED, Cluster

VERSION = 4
"""Raised whenever the same settings give other bytes."""
MARK = "streets.json"
FILES = {"training": "train.json", "testing": "test.json"}


def generate(
    out: str | Path,
    counts: dict[str, int],
    settings: Settings,
    workers: int | None = None,
    ray: str | None = None,
) -> dict[str, Dataset]:
    """Makes `counts` pictures of each split ("training", "testing") under `out`, keeping those that are there.

    The bytes depend on the settings and each picture's index only: not on the workers, the counts, or interruptions.

    Args:
        ray: address of a Ray cluster whose workers make the pictures (see `kins.work.cluster.Cluster`); `out` lies on
            a disk that all of its machines see.

    Raises:
        KinsError: `out` holds something else, other settings or more pictures; or can't be written. Nothing is
            overwritten then. Or another process makes pictures there, or one that made them died.

    Example:
        >>> settings = kins.streets.Settings(seed=3, width=192, height=64, quality="fast")
        >>> made = kins.streets.generate("streets", {"training": 1, "testing": 1}, settings, workers=1)
        >>> kins.load("streets/test.json", images="streets/testing/image_2")[0]
        Scene(000000.png, 192 x 64 pixels, ...)
        >>> grown = kins.streets.generate("streets", {"training": 2, "testing": 1}, settings, workers=1)
        >>> len(made["training"]), len(grown["training"])
        (1, 2)
    """
    out = Path(out)
    if any(count < 0 for count in counts.values()):
        raise KinsError("the numbers of pictures must not be negative")
    _claim(out, settings)
    with only_one(out, MARK, "kins synth", "folder"):
        return _generate(out, counts, settings, workers, ray)


def _generate(
    out: Path, counts: dict[str, int], settings: Settings, workers: int | None, ray: str | None
) -> dict[str, Dataset]:
    _remove_leftovers(out)
    done = {split: _finished(out, split) for split in FILES}
    for split, scenes in done.items():
        if max(scenes, default=-1) >= counts.get(split, 0):
            raise KinsError(
                f"{out / split}: has {max(scenes) + 1} pictures, more than the {counts.get(split, 0)} asked for; "
                "choose another folder"
            )
    jobs = [(s, k) for s, count in counts.items() for k in range(count) if k not in done[s]]
    if ray is None:
        for _ in in_chunks(partial(_make, out, settings), jobs, str(out), workers, chunk=1, slow=True):
            pass
    elif jobs:
        _make_on_cluster(out, settings, jobs, workers, ray)
    sets = {}
    for split, count in counts.items():
        scenes = _finished(out, split)
        sets[split] = Dataset.from_scenes((_unplaced(scenes[k]) for k in range(count)), CATEGORIES)
        sets[split].save(out / FILES[split], polygons=True)
    shutil.rmtree(out / ".parts", ignore_errors=True)
    return sets


def _claim(out: Path, settings: Settings) -> None:
    """Makes the folder, or makes sure that it is one with the same settings."""
    claim(out, MARK, {"generator": "kins streets", "version": VERSION, **asdict(settings)}, {"variety": "usual"})


def _remove_leftovers(out: Path) -> None:
    """Whatever processes that were killed had begun to write."""
    folders = [Path(name).parent for name in _names(0)]
    for folder in (out, *(out / ".parts" / split for split in FILES), *(out / s / f for s in FILES for f in folders)):
        for path in leftovers(folder, r"(streets|train|test|\d{6,})"):
            path.unlink(missing_ok=True)


def _finished(out: Path, split: str) -> dict[int, Scene]:
    """Annotations of the pictures of which all files are there, by index."""
    parts = sorted((out / ".parts" / split).glob("[0-9]*.json"))
    if (out / FILES[split]).exists():
        parts.insert(0, out / FILES[split])
    scenes = {scene.image.id: scene for part in parts for scene in load(part, format="kins2020")}
    return {k: scene for k, scene in scenes.items() if all((out / split / name).exists() for name in _names(k))}


def _unplaced(scene: Scene) -> Scene:
    """Without the instances' places in the file they were read from, which would decide their sequence."""
    return scene.replace(instances=tuple(instance.replace(position=-1) for instance in scene))


def _names(index: int) -> tuple[str, str, str]:
    """The picture's, its label's and its calibration's file, in the split's folder."""
    return f"image_2/{index:06d}.png", f"label_2/{index:06d}.txt", f"calib/{index:06d}.txt"


def _make_on_cluster(
    out: Path, settings: Settings, jobs: Sequence[tuple[str, int]], workers: int | None, ray: str
) -> None:
    died = []
    with Cluster(ray, partial(_Making, out.absolute(), settings), workers) as cluster:
        for number, result in progress(cluster.each(jobs, tries=2), str(out), len(jobs)):
            if result is DIED:
                died.append(f"{jobs[number][0]} {jobs[number][1]:06d}")
    if died:
        raise KinsError(
            f"{out}: workers died of {len(died)} pictures, the first {died[0]}; the others are made. Is there enough "
            "memory? The same command tries these again"
        )


class _Making:
    """A worker."""

    def __init__(self, out: Path, settings: Settings) -> None:
        if not (out / MARK).exists():
            raise KinsError(f"{out}: a worker does not see it; it must lie on a disk that all machines see")
        self._out, self._settings = out, settings

    def __call__(self, job: tuple[str, int]) -> None:
        _make(self._out, self._settings, [job])


def _make(out: Path, settings: Settings, jobs: Sequence[tuple[str, int]]) -> None:
    for split, index in jobs:
        _write(out, split, index, make_picture(settings, split, index))


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A picture's file."""
    import PIL.Image

    file = io.BytesIO()
    # Noise leaves nothing for zlib to match but runs: this is faster than its default strategy, and smaller.
    PIL.Image.fromarray(pixels).save(file, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
    return file.getvalue()


def _write(out: Path, split: str, index: int, picture: Picture) -> None:
    contents = (png(picture.pixels), picture.labels.encode(), picture.calibration.encode())
    for name, content in zip(_names(index), contents, strict=True):
        write_atomic(out / split / name, content)
    part = Dataset.from_scenes([picture.scene], CATEGORIES)
    part.save(out / ".parts" / split / f"{index:06d}.json", polygons=True)
