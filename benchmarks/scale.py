"""What the commands on annotation files need of time and memory at 1, 4 and 16 times KINS's size.

usage: python benchmarks/scale.py [--scales 1 4 16] [--only validate stats order convert eval shards] [--folder DIR]

A block of 7,500 images of blobs (12.6 instances each, both masks as polygons; about two detections an instance, as run
lengths) is written as often as asked for, with ids of its own each time. Each command runs once, in a process of its
own and those it starts; their memory is sampled together, with shared pages counted once (PSS), so what lasts shorter
than a tenth of a second may be missed. Printed: seconds, seconds of processor time and those a block, the exponent with
which these grow from the smallest size measured (1: in proportion), peak memory in MB, and that memory over the size of
the files that are read.

With --folder the files and the figures stay there, and the same command goes on where it was stopped; what was measured
is not measured again (--again does). 16 times needs 13 GB of disk, and as much for temporary files.
"""

from __future__ import annotations

import argparse
import json
import math
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
WIDTHS = (10, 6, 8, 7, 11, 8, 8, 8, 12)
HEAD = ("command", "scale", "seconds", "CPU s", "CPU s/block", "growth", "peak MB", "files MB", "memory/files")
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


def prepare(folder: Path, scales: list[int], images: int) -> None:
    """Files of all sizes that are not there yet."""
    wanted = {folder / f"{kind}{n}.json": (kind, range(n)) for n in {1, *scales} for kind in ("truth", "found")}
    wanted |= {folder / f"part{k}.json": ("found", range(k, k + 1)) for k in range(max(scales))}
    wanted = {path: content for path, content in wanted.items() if not path.exists()}
    if not wanted:
        return
    truth, found = block(images)
    for path, (kind, blocks) in wanted.items():
        rows, name = (truth, "annotations") if kind == "truth" else (found, "predictions")
        count = write(path.with_suffix(".tmp"), rows, blocks, name)
        path.with_suffix(".tmp").rename(path)
        print(f"{path.name}: {len(blocks) * images} images, {count} {name}", flush=True)


def tree(pid: int) -> list[int]:
    """A process and those it started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in tree(int(child)))]


def memory(pid: int) -> float:
    """MB of a tree of processes, shared pages counted once."""
    kilobytes = 0
    for one in tree(pid):
        try:
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            continue
        kilobytes += next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)
    return kilobytes * 1024 / 1e6


def measured(command: list[str], log: Path) -> tuple[float, float, float]:
    """Seconds, seconds of processor time, and peak MB."""
    peak = 0.0
    start = time.perf_counter()
    with log.open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        done = threading.Event()

        def watch() -> None:
            nonlocal peak
            pause = 0.1
            while not done.wait(pause):
                before = time.perf_counter()
                peak = max(peak, memory(process.pid))
                pause = max(0.1, 4 * (time.perf_counter() - before))  # of large processes it takes long

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


def words_of(name: str, folder: Path, n: int) -> tuple[list[str], float]:
    """The command's words, and MB of the files that it reads."""
    inputs = {"truth": f"truth{n}.json", "found": f"found{n}.json", "small": "truth1.json"}
    parts = [str(folder / f"part{k}.json") for k in range(n)]
    names = {key: str(folder / value) for key, value in (inputs | {"out": "out.json", "other": "other.json"}).items()}
    words: list[str] = []
    for word in COMMANDS[name]:
        words += parts if word == "{shards}" else [word.format(**names)]
    read = {*parts, *(names[key] for key in inputs)}
    return words, sum(Path(word).stat().st_size for word in words if word in read) / 1e6


def row(name: str, n: int, figures: dict[str, float], smallest: tuple[int, float]) -> str:
    """A line of the table."""
    first, busy = smallest
    growth = "" if n == first else f"{math.log(figures['busy'] / busy) / math.log(n / first):.2f}"
    cells = [name, str(n), f"{figures['seconds']:.1f}", f"{figures['busy']:.1f}", f"{figures['busy'] / n:.2f}", growth]
    cells += [f"{figures['peak']:.0f}", f"{figures['files']:.0f}", f"{figures['peak'] / figures['files']:.2f}"]
    return " ".join(cell.rjust(width) for cell, width in zip(cells, WIDTHS, strict=True))


def main(folder: Path, scales: list[int], only: list[str], images: int, again: bool) -> None:
    prepare(folder, scales, images)
    kept = folder / "figures.json"
    figures: dict[str, dict[str, float]] = json.loads(kept.read_text()) if kept.exists() else {}
    print(" ".join(name.rjust(width) for name, width in zip(HEAD, WIDTHS, strict=True)), flush=True)
    for name in only:
        for n in sorted(scales):
            key = f"{name} {n} {images}"
            if again or key not in figures:
                words, read = words_of(name, folder, n)
                seconds, busy, peak = measured([sys.executable, "-m", "kins", *words], folder / "log")
                figures[key] = {"seconds": seconds, "busy": busy, "peak": peak, "files": read}
                kept.write_text(json.dumps(figures, indent=1))
                for output in ("out.json", "other.json"):
                    (folder / output).unlink(missing_ok=True)
            first = next(k for k in sorted(scales) if f"{name} {k} {images}" in figures)
            print(row(name, n, figures[key], (first, figures[f"{name} {first} {images}"]["busy"])), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scales", type=int, nargs="+", default=[1, 4], help="times KINS's size")
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS), help="these commands")
    parser.add_argument("--images", type=int, default=IMAGES, help="in a block")
    parser.add_argument(
        "--folder", type=Path, help="keep the files and figures here; a later run takes them from there"
    )
    parser.add_argument("--again", action="store_true", help="measure again what was measured before")
    given = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as name:
        chosen = given.folder or Path(name)
        chosen.mkdir(parents=True, exist_ok=True)
        main(chosen, given.scales, given.only, given.images, given.again)
