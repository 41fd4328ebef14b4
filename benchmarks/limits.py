"""Time and memory at and past what kins.limits accepts: files are made, commands run, and a table is printed.

usage: python benchmarks/limits.py [--only WORD]

For each case: seconds of the processor, peak memory of the process, exit code, and the last line that it printed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 1242, 375
TIMEOUT = 100


def box(x: float, y: float, width: float, height: float) -> list[float]:
    return [x, y, x + width, y, x + width, y + height, x, y + height]


def written(path: Path, masks: list[Any], categories: int = 1) -> Path:
    """A KINS 2020 file of one image with these amodal masks, which are the inmodal ones as well."""
    rows = [
        {"id": n + 1, "image_id": 1, "category_id": n % categories + 1, "iscrowd": 0, "oco_id": 0, "ico_id": 0}
        | {"a_segm": mask, "i_segm": mask}
        for n, mask in enumerate(masks)
    ]
    images = [{"id": 1, "file_name": "1.png", "height": HEIGHT, "width": WIDTH}]
    names = [{"id": k + 1, "name": f"class {k}"} for k in range(categories)]
    path.write_text(json.dumps({"images": images, "annotations": rows, "categories": names}))
    return path


def small(count: int) -> list[Any]:
    chance = random.Random(1)
    return [[box(chance.randrange(WIDTH - 30), chance.randrange(HEIGHT - 30), 30, 30)] for _ in range(count)]


def triangles(count: int) -> list[Any]:
    chance = random.Random(1)
    return [[[chance.random() * 5, 0, WIDTH, chance.random() * 5, chance.random() * 600, HEIGHT]] for _ in range(count)]


def zigzag(points: int) -> list[Any]:
    return [[[n for k in range(points) for n in (0 if k % 2 else WIDTH, k * 7919 % 3750 / 10)]], [box(3, 3, 20, 20)]]


def cases(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """What is tried: a name, and the arguments of kins."""
    for name, masks in {
        "20,000 instances (the limit)": small(20_000),
        "20,001 instances": small(20_001),
        "5,000 instances": small(5_000),
        "1,000 triangles as large as the picture": triangles(1_000),
        "a zigzag of 13,000 points": zigzag(13_000),
        "a zigzag of 100,000 points": zigzag(100_000),
        "3,800 boxes as large as the picture in a mask": [[box(0, 0, WIDTH, HEIGHT)] * 3_800, [box(3, 3, 20, 20)]],
        "10,000 of them": [[box(0, 0, WIDTH, HEIGHT)] * 10_000, [box(3, 3, 20, 20)]],
    }.items():
        file = str(written(folder / "masks.json", masks))
        for command in (["validate", file], ["stats", file], ["order", file, str(folder / "order.json")]):
            yield f"{name}, {command[0]}", command
        yield f"{name}, show", ["show", file, "-o", str(folder / "picture.png")]
    for categories in (100, 101, 2_000, 50_000):
        file = str(written(folder / "classes.json", small(max(2_000, min(categories, 20_000))), categories))
        yield f"{categories} categories, stats", ["stats", file, "--plots", str(folder / "plots")]
        found = str(folder / "found.json")
        rows = json.loads(Path(file).read_text())
        for row in rows["annotations"]:
            row["a_bbox"], row["score"] = [row["a_segm"][0][0], row["a_segm"][0][1], 30, 30], 0.9
        keys = ("image_id", "category_id", "a_bbox", "score")
        predictions = [{key: row[key] for key in keys} for row in rows.pop("annotations")]
        Path(found).write_text(json.dumps(rows | {"predictions": predictions}))
        yield f"{categories} categories, report", ["eval", file, found, "--report", str(folder / "report")]
    for quotes in (40_000, 4_000_000):
        damaged = folder / "damaged.json"
        damaged.write_text('{"images": [], "annotations": [{"id": 1, "text": "' + '\\"a' * quotes)
        yield f"{quotes} quotes before the damage", ["validate", str(damaged)]


def measured(arguments: list[str]) -> tuple[float, float, str, str]:
    """Seconds of the processor, MB at most, exit code and last line."""
    command = [sys.executable, "-m", "kins", *arguments]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        end = time.monotonic() + TIMEOUT
        while (found := os.wait4(process.pid, os.WNOHANG))[0] == 0:
            if time.monotonic() > end:
                process.kill()
            time.sleep(0.05)
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines()
    usage, code = found[2], os.waitstatus_to_exitcode(found[1])
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, str(code), lines[-1] if lines else ""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="Cases whose name has this word.")
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory() as name:
        for case, arguments in cases(Path(name)):
            if only in case:
                seconds, memory, code, line = measured(arguments)
                print(f"{case:60} {seconds:6.1f} s {memory:6.0f} MB  {code:>3}  {line[:100]}", flush=True)


if __name__ == "__main__":
    main()
