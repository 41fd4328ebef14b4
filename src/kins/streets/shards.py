"""Street scenes as Parquet shards with the pictures in them, made in this process or on a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from kins.errors import KinsError
from kins.files.sources import Held
from kins.formats.kins2020 import CATEGORIES
from kins.records import Scene
from kins.streets.generate import MARK, VERSION, png
from kins.streets.picture import SPLITS, Settings, make_picture
from kins.work.shards import Done, How, in_shards


def generate_shards(out: str | Path, counts: Mapping[str, int], settings: Settings, how: How) -> dict[str, Done]:
    """Makes `counts` pictures of each split ("training", "testing") in OUT/SPLIT, a folder of shards each.

    A row is a picture, its bytes and its annotations: those that `kins.streets.generate` writes into files, without
    KITTI's labels and calibration. The same call makes the shards that are missing; other counts need another folder.

    Raises:
        KinsError: as `kins.work.shards.in_shards`.
    """
    out, done = Path(out), {}
    if (out / MARK).exists():
        raise KinsError(f"{out}: holds pictures as files; choose another folder for shards")
    plan = {"generator": f"kins streets {VERSION}", **asdict(settings)}
    for split in SPLITS:
        if count := counts.get(split, 0):
            work, name = partial(_Making, settings, split), f"{split} {{:06d}}".format
            where = {**plan, "split": split}
            done[split] = in_shards(out / split, where, range(count), work, name, how, "synth", pictures=True)
    return done


class _Making:
    """A worker."""

    categories = CATEGORIES

    def __init__(self, settings: Settings, split: str) -> None:
        self._settings, self._split = settings, split

    def __call__(self, items: Sequence[int]) -> Iterator[Scene | str]:
        for index in items:
            picture = make_picture(self._settings, self._split, index)
            yield picture.scene.replace(content=Held(png(picture.pixels)))
