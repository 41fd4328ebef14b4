"""What completing costs: time of a photograph's objects after loading, and memory over a file of many images.

usage: python benchmarks/completion_cost.py [--with METHOD ...] [--objects 20] [--images 1000] [--threads 2]

The picture is 1242 x 375 pixels, as KITTI's; its objects are ellipses that overlap, 30 to 220 pixels wide. Time is the
least of five calls, wall clock and processor time. Memory is that of the process (resident, in MiB), with the first of
the methods, after a tenth of the images and at the end, for a result file whose images have as many objects each.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import kins
from kins import Completer, Image, Instance, Mask, Scene
from kins.complete.files import complete_files, open_masks

HEIGHT, WIDTH = 375, 1242
RUNS = 5


def crowd(objects: int, seed: int = 0, image_id: int = 1) -> Scene:
    """Ellipses in front of each other, of which something is visible."""
    rng = np.random.default_rng(seed)
    owner = np.full((HEIGHT, WIDTH), -1)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    for index in range(objects):
        x, y, a, b = rng.uniform((60, 80, 15, 15), (WIDTH - 60, HEIGHT - 60, 110, 70))
        owner[((columns - x) / a) ** 2 + ((rows - y) / b) ** 2 < 1] = index
    masks = [Mask.from_array(owner == index) for index in range(objects)]
    found = tuple(Instance(n, 1, "car", inmodal=mask, score=0.9) for n, mask in enumerate(masks, 1) if mask)
    return Scene(Image(image_id, f"{image_id:06}.png", HEIGHT, WIDTH), found)


def seconds(completer: Completer, scene: Scene) -> tuple[float, float]:
    """Least wall-clock and least processor time of a call."""
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    completer(pixels, scene)
    wall, processor = [], []
    for _ in range(RUNS):
        started, spent = time.perf_counter(), time.process_time()
        completer(pixels, scene)
        wall.append(time.perf_counter() - started)
        processor.append(time.process_time() - spent)
    return min(wall), min(processor)


def resident() -> float:
    """Of this process, in MiB; on Linux."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def memory(completer: Completer, objects: int, images: int, folder: Path) -> list[float]:
    """Before, after a tenth of the images, and at the end."""
    scenes = [crowd(objects, seed) for seed in range(5)]
    rows = [
        {
            "image_id": n,
            "category_id": i.category_id,
            "score": i.score,
            "segmentation": i.require("inmodal").segmentation,
        }
        for n in range(images)
        for i in scenes[n % len(scenes)]
    ]
    (folder / "found.json").write_text(json.dumps(rows))
    del rows
    dataset = open_masks(folder / "found.json")
    seen = [resident()]
    done = 0

    def method(image: object, scene: Scene) -> object:
        nonlocal done
        done += 1
        if done == images // 10:
            seen.append(resident())
        return completer.method(None, scene)

    complete_files(dataset, folder / "whole.json", Completer(method, needs_image=False))
    assert len(kins.load(folder / "whole.json")) == images
    return [*seen, resident()]


def main() -> None:
    """Print a row for each method, and one for memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--with", dest="methods", nargs="+", default=["convex-order", "completion", "boxes"])
    parser.add_argument("--objects", type=int, default=20)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    scene = crowd(arguments.objects)
    for method in arguments.methods:
        wall, processor = seconds(Completer.load(method), scene)
        print(f"{method:14} {len(scene)} objects: {wall:.2f} s, {processor:.2f} s of processor time", flush=True)
    if arguments.images:
        with tempfile.TemporaryDirectory() as folder:
            found = memory(Completer.load(arguments.methods[0]), arguments.objects, arguments.images, Path(folder))
        before, tenth, end = found
        print(f"memory, MiB: before {before:.0f}, after a tenth {tenth:.0f}, at the end {end:.0f}")


if __name__ == "__main__":
    main()
