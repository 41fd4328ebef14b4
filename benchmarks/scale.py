"""What the commands on annotation files need of time and memory at 1, 4 and 16 times KINS's size.

usage: python benchmarks/scale.py [--times 1 4] [--commands validate stats order convert eval] [--folder DIR]

A block of 7,500 images of blobs (12.6 instances each, both masks as polygons; about two detections an instance, as run
lengths) is written as often as asked for, with ids of its own each time. Each command runs once, in a process of its
own and those it starts; their memory is sampled together, ten times a second, with shared pages counted once (PSS), so
what lasts shorter may be missed. Printed: seconds, seconds of processor time and those a block, peak memory in MB, and
that memory over the size of the files that are read. Time that grows in proportion has the same seconds a block at
every size.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from workload import CATEGORIES, HEIGHT, WIDTH, rows

from kins.masks import Mask, rasterise

IMAGES = 7500
COMMANDS = {
    "validate": ["validate", "{truth}"],
    "stats": ["stats", "{truth}", "--json"],
    "order": ["order", "{truth}", "{out}"],
    "convert": ["convert", "{truth}", "{out}", "--to", "kins2019"],
    "eval": ["eval", "{truth}", "{found}", "--json"],
    "shards": ["eval", "{truth}", "{shards}", "--shards", "--json"],
    "vrsp": ["eval", "{truth}", "{found}", "--json", "--protocol", "vrsp"],
    "merge": ["data", "merge", "{truth}", "{small}", "-o", "{out}"],
    "split": ["data", "split", "{truth}", "{out}", "{other}", "--share", "0.8"],
    "filter": ["data", "filter", "{truth}", "{out}", "--category", "car"],
    "crop": ["data", "crop", "{truth}", "{out}", "--window", "100,50,600,300"],
}


def detections(row: dict, rng: np.random.Generator) -> Iterator[dict]:
    """About two detections of an instance, moved a little."""
    for _ in range(rng.integers(1, 4)):
        fields = {"category_id": row["category_id"], "score": round(float(rng.random()), 5)}
        shift = rng.normal(0, 0.05, 2) * row["a_bbox"][2:]
        for prefix in "ai":
            points = (np.array(row[f"{prefix}_segm"][0]).reshape(-1, 2) + shift).round(2).ravel().tolist()
            fields[f"{prefix}_segm"] = Mask.from_segmentation([points], HEIGHT, WIDTH)
        yield fields


def block(images: int) -> tuple[list[list[bytes]], list[list[bytes]]]:
    """By image the annotations and the detections of a block, each without ids, as JSON without its first brace."""
    rng = np.random.default_rng(0)
    truth: list[list[bytes]] = [[] for _ in range(images)]
    found: list[list[bytes]] = [[] for _ in range(images)]
    for row in rows(images):
        image_id = row.pop("image_id")
        made = list(detections(row, rng))
        rasterise([fields[f"{prefix}_segm"] for fields in made for prefix in "ai"])
        for fields in made:
            for prefix in "ai":
                mask = fields[f"{prefix}_segm"]
                fields[f"{prefix}_segm"] = {"size": [HEIGHT, WIDTH], "counts": mask.counts}
                fields[f"{prefix}_bbox"] = list(mask.box)
            found[image_id].append(json.dumps(fields).encode()[1:])
        del row["id"]
        truth[image_id].append(json.dumps(row).encode()[1:])
    return truth, found


def write(path: Path, by_image: list[list[bytes]], blocks: range, name: str) -> int:
    """These blocks, each with ids of its own; returns the number of entries."""
    ids = range(blocks.start * len(by_image), blocks.stop * len(by_image))
    count = 0
    categories = json.dumps([{"id": key, "name": value} for key, value in CATEGORIES.items()])
    with path.open("wb") as file:
        file.write(b'{"images": [')
        for image_id in ids:
            entry = {"id": image_id, "file_name": f"{image_id:07d}.png", "width": WIDTH, "height": HEIGHT}
            file.write((b",\n" if image_id > ids.start else b"") + json.dumps(entry).encode())
        file.write(f'], "categories": {categories}, "{name}": ['.encode())
        for image_id in ids:
            for entry in by_image[image_id % len(by_image)]:
                count += 1
                number = f'"id": {count}, ' if name == "annotations" else ""
                file.write((b",\n{" if count > 1 else b"\n{") + f'{number}"image_id": {image_id}, '.encode() + entry)
        file.write(b"]}\n")
    return count


def prepare(folder: Path, times: list[int], images: int) -> None:
    """Files of all sizes that are not there yet."""
    wanted = [n for n in {1, *times} if not (folder / f"found{n}.json").exists()]
    if not wanted:
        return
    truth, found = block(images)
    for n in wanted:
        counts = [write(folder / f"truth{n}.json", truth, range(n), "annotations")]
        counts.append(write(folder / f"found{n}.json", found, range(n), "predictions"))
        for k in range(n):
            write(folder / f"found{n}-{k}.json", found, range(k, k + 1), "predictions")
        print(f"{n * images} images, {counts[0]} instances, {counts[1]} detections", flush=True)


def tree(pid: int) -> list[int]:
    """A process and those it started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in tree(int(child)))]


def memory(pid: int) -> float:
    """MB of a tree of processes, shared pages counted once."""
    total = 0
    for one in tree(pid):
        try:
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)
    return total / 1024


def measured(command: list[str], log: Path) -> tuple[float, float, float]:
    """Seconds, seconds of processor time, and peak MB."""
    peak = 0.0
    start = time.perf_counter()
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        done = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not done.wait(0.1):
                peak = max(peak, memory(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        _, status, usage = os.wait4(process.pid, 0)
        code = process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        done.set()
        watcher.join()
    if code not in (0, 1):  # 1: kins validate finds faults, which the blobs have
        sys.exit(f"{' '.join(command)}: {log.read_text()[-2000:]}")
    return seconds, usage.ru_utime + usage.ru_stime, peak


def main(folder: Path, times: list[int], commands: list[str], images: int) -> None:
    prepare(folder, times, images)
    print("command    times  seconds  CPU s  CPU s/block  peak MB  files MB  memory/files", flush=True)
    for name in commands:
        for n in times:
            names = {"truth": f"truth{n}.json", "found": f"found{n}.json", "small": "truth1.json"}
            parts = [f"found{n}-{k}.json" for k in range(n)]
            inputs = {*names.values(), *parts}
            names |= {"out": "out.json", "other": "other.json"}
            words = [word.format(**{k: folder / v for k, v in names.items()}, shards="") for word in COMMANDS[name]]
            words = [part for word in words for part in ([word] if word else [str(folder / part) for part in parts])]
            seconds, busy, peak = measured([sys.executable, "-m", "kins", *words], folder / "log")
            read = sum(Path(word).stat().st_size for word in words if Path(word).name in inputs) / 1e6
            peak *= 1.048576
            taken = f"{seconds:8.1f} {busy:6.1f} {busy / n:12.2f}"
            print(f"{name:10} {n:5} {taken} {peak:8.0f} {read:9.0f} {peak / read:13.2f}", flush=True)
            for output in ("out.json", "other.json"):
                (folder / output).unlink(missing_ok=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, nargs="+", default=[1, 4])
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--images", type=int, default=IMAGES, help="in a block")
    parser.add_argument("--folder", type=Path, help="keep the files here; a later run takes them from there")
    arguments = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as name:
        kept = arguments.folder or Path(name)
        kept.mkdir(parents=True, exist_ok=True)
        main(kept, arguments.times, arguments.commands, arguments.images)
