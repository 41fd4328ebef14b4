"""All amodal masks of a KINS-sized file to run-length form: kins against pycocotools, with the same result.

usage: python benchmarks/rasterise.py [--images 7500] [--runs 3] [--workers N]

Both start from the loaded file, and end with all run lengths in this process. Ours includes decoding the polygons'
JSON, which kins leaves until here and pycocotools has done on loading. kins works image by image, then with the masks
of some images together, and then image by image in one process for each core; pycocotools has no way to do that.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from workload import HEIGHT, WIDTH, write_workload

import kins
from kins.masks import rasterise
from kins.work import CHUNK, processes


def amodal_counts(scene: kins.Scene) -> list[tuple[int, bytes]]:
    """Run lengths of an image's masks, with the annotations' ids."""
    rasterise([instance.amodal for instance in scene])
    return [(instance.id, instance.amodal.rle["counts"]) for instance in scene]


def ours(dataset: kins.Dataset, workers: int) -> dict[int, bytes]:
    """Run lengths by annotation id."""
    return {id_: counts for part in dataset.each(amodal_counts, workers) for id_, counts in part}


def ours_together(dataset: kins.Dataset, images: int = 20) -> dict[int, bytes]:
    """The same, with the masks of so many images drawn together."""
    found: dict[int, bytes] = {}
    for start in range(0, len(dataset), images):
        scenes = [dataset[index] for index in range(start, min(start + images, len(dataset)))]
        instances = [instance for scene in scenes for instance in scene]
        rasterise([instance.amodal for instance in instances])
        found.update((instance.id, instance.amodal.rle["counts"]) for instance in instances)
    return found


def peer(coco: COCO) -> dict[int, bytes]:
    """The same with pycocotools, as its annToRLE does it."""
    found: dict[int, bytes] = {}
    for row in coco.dataset["annotations"]:
        rles: Any = coco_mask.frPyObjects(row["a_segm"], HEIGHT, WIDTH)
        found[row["id"]] = coco_mask.merge(rles)["counts"]
    return found


def main() -> None:
    """Print the times and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=7500)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)), help="processes of kins")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workload.json"
        write_workload(path, arguments.images)
        dataset = kins.load(path)
        with contextlib.redirect_stdout(io.StringIO()):
            coco = COCO(str(path))
    several = processes(-(-arguments.images // CHUNK), arguments.workers)
    ways: dict[str, Callable[[], dict[int, bytes]]] = {
        "pycocotools": lambda: peer(coco),
        "kins, 1 process": lambda: ours(dataset, 1),
        "kins, 20 images": lambda: ours_together(dataset),
    }
    if several > 1:
        ways[f"kins, {several} processes"] = lambda: ours(dataset, several)
    best = dict.fromkeys(ways, float("inf"))
    expected: dict[int, bytes] = {}
    for _ in range(arguments.runs):
        for name, way in ways.items():
            start = time.perf_counter()
            found = way()
            best[name] = min(best[name], time.perf_counter() - start)
            expected = expected or found
            assert found == expected, "all give the same run lengths"
            del found
    print(f"{len(expected)} masks, {len(os.sched_getaffinity(0))} cores")
    for name, seconds in best.items():
        ratio = "" if name == "pycocotools" else f", {best['pycocotools'] / seconds:.2f} times as fast as pycocotools"
        print(f"{name:18} {seconds:6.2f} s{ratio}")
    print("aim: at least 2 times as fast")


if __name__ == "__main__":
    main()
