"""A whole set of street scenes in KITTI's folders, made by several processes, resumed where it stopped.

OUT/streets.json holds the settings. While a set is being made, OUT/.parts/SPLIT/INDEX.json holds the annotations of
each finished picture; it is written after the picture's other files, so that it stands for all of them.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from kins.errors import KinsError
from kins.files import read_bytes, write_atomic, write_json
from kins.formats import load
from kins.formats.kins2020 import CATEGORIES
from kins.records import Dataset, Scene
from kins.streets.picture import Settings, make_picture
from kins.work import progress

VERSION = 3
"""Raised whenever the same settings give other bytes."""
FILES = {"training": "train.json", "testing": "test.json"}


def generate(out: Path, counts: dict[str, int], settings: Settings, workers: int | None = None) -> dict[str, Dataset]:
    """Makes `counts` pictures of each split ("training", "testing") under `out`, keeping those that are there.

    The bytes depend on the settings and each picture's index only: not on the workers, the counts, or interruptions.

    Raises:
        KinsError: `out` holds something else, other settings or more pictures; or can't be written. Nothing is
            overwritten then.
    """
    if any(count < 0 for count in counts.values()):
        raise KinsError("the numbers of pictures must not be negative")
    _claim(out, settings)
    done = {split: _finished(out, split) for split in FILES}
    for split, scenes in done.items():
        if max(scenes, default=-1) >= counts.get(split, 0):
            raise KinsError(
                f"{out / split}: has {max(scenes) + 1} pictures, more than the {counts.get(split, 0)} asked for; "
                "choose another folder"
            )
    jobs = [(s, k) for s, count in counts.items() for k in range(count) if k not in done[s]]
    for _ in progress(_run(out, settings, jobs, workers or os.cpu_count() or 1), "streets", len(jobs)):
        pass
    sets = {}
    for split, count in counts.items():
        scenes = _finished(out, split)
        sets[split] = Dataset.from_scenes((_unplaced(scenes[k]) for k in range(count)), CATEGORIES)
        sets[split].save(out / FILES[split])
    shutil.rmtree(out / ".parts", ignore_errors=True)
    return sets


def _claim(out: Path, settings: Settings) -> None:
    """Makes the folder, or makes sure that it is one with the same settings."""
    wanted = {"generator": "kins streets", "version": VERSION, **asdict(settings)}
    mark = out / "streets.json"
    if out.exists() and not out.is_dir():
        raise KinsError(f"{out}: is a file; name a folder")
    if mark.exists():
        try:
            found = json.loads(read_bytes(mark))
        except ValueError:
            raise KinsError(f"{mark}: is damaged; choose another folder") from None
        if isinstance(found, dict):
            found = {"variety": "usual"} | found  # older folders don't say
        other = [key for key in wanted if not isinstance(found, dict) or found.get(key) != wanted[key]]
        if other:
            raise KinsError(
                f"{mark}: the folder was made with another {', '.join(other)}; choose another folder, or those settings"
            )
        return
    if out.exists() and any(out.iterdir()):
        raise KinsError(f"{out}: holds other files; choose a new or empty folder")
    write_json(mark, json.dumps(wanted, indent=2) + "\n")


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


def _run(out: Path, settings: Settings, jobs: list[tuple[str, int]], workers: int) -> Iterator[None]:
    workers = min(workers, len(jobs))
    if workers <= 1:
        for job in jobs:
            _make((out, settings, *job))
            yield
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_make, (out, settings, *job)) for job in jobs]
        try:
            for future in futures:
                future.result()
                yield
        except BrokenProcessPool:
            raise KinsError(
                f"{out}: a process died, perhaps for want of memory; the same command with fewer --workers goes on"
            ) from None
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _make(job: tuple[Path, Settings, str, int]) -> None:
    import PIL.Image

    out, settings, split, index = job
    picture = make_picture(settings, split, index)
    png = io.BytesIO()
    # Noise leaves nothing for zlib to match but runs: this is faster than its default strategy, and smaller.
    PIL.Image.fromarray(picture.pixels).save(png, "PNG", compress_level=1, compress_type=zlib.Z_RLE)
    contents = (png.getvalue(), picture.labels.encode(), picture.calibration.encode())
    for name, content in zip(_names(index), contents, strict=True):
        write_atomic(out / split / name, content)
    Dataset.from_scenes([picture.scene], CATEGORIES).save(out / ".parts" / split / f"{index:06d}.json")
