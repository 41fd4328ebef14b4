"""All amodal masks of a KINS-sized file to run-length form: kins against pycocotools, with the same result.

usage: python benchmarks/rasterise.py [--images 7500] [--runs 3]

Both start from the loaded file. Ours includes decoding the polygons' JSON, which kins leaves until here and pycocotools
has done on loading.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from pathlib import Path
from typing import Any

from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from workload import HEIGHT, WIDTH, write_workload

import kins


def ours(dataset: kins.Dataset) -> dict[int, bytes]:
    """Run lengths by annotation id."""
    return {instance.id: instance.amodal.rle["counts"] for scene in dataset for instance in scene}


def peer(coco: COCO) -> dict[int, bytes]:
    """The same with pycocotools, as its annToRLE does it."""
    found: dict[int, bytes] = {}
    for row in coco.dataset["annotations"]:
        rles: Any = coco_mask.frPyObjects(row["a_segm"], HEIGHT, WIDTH)
        found[row["id"]] = coco_mask.merge(rles)["counts"]
    return found


def main() -> None:
    """Print the times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=7500)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workload.json"
        write_workload(path, arguments.images)
        dataset = kins.load(path)
        with contextlib.redirect_stdout(io.StringIO()):
            coco = COCO(str(path))
    best = {"kins": float("inf"), "pycocotools": float("inf")}
    for _ in range(arguments.runs):
        start = time.perf_counter()
        first = ours(dataset)
        middle = time.perf_counter()
        second = peer(coco)
        end = time.perf_counter()
        assert first == second, "both give the same run lengths"
        best["kins"] = min(best["kins"], middle - start)
        best["pycocotools"] = min(best["pycocotools"], end - middle)
    for name, seconds in best.items():
        print(f"{name:12} {seconds:6.2f} s for {len(first)} masks")
    print(f"kins is {best['pycocotools'] / best['kins']:.1f} times faster (aim: at least 2)")


if __name__ == "__main__":
    main()
