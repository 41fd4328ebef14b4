"""kins.load against pycocotools.coco.COCO on a KINS-sized file: time and peak memory.

usage: python benchmarks/load.py [--images 7500] [--runs 3]

Ours is measured twice: loading alone, and with every scene built and kept, as COCO() keeps every annotation. Each run
is a fresh process, ours and the peer in turn; the medians count. Peak memory is that of the whole process, with its
interpreter and imports.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

WAYS = {
    "kins.load": "from kins.formats import load",
    "list(kins.load)": "from kins.formats import load as open_file\nload = lambda path: list(open_file(path))",
    "pycocotools": "from pycocotools.coco import COCO as load",
}
MEASURE = """
import contextlib, io, json, sys, time
{prepare}
start = time.perf_counter()
with contextlib.redirect_stdout(io.StringIO()):
    dataset = load(sys.argv[1])
seconds = time.perf_counter() - start
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps([seconds, peak / 1024]))
"""


def measure(prepare: str, path: Path) -> tuple[float, float]:
    """Seconds and MiB of one load in a process of its own."""
    command = [sys.executable, "-c", MEASURE.format(prepare=prepare), str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, peak = json.loads(done.stdout)
    return seconds, peak


def main() -> None:
    """Print the times, the peaks, and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=7500)
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workload.json"
        script = Path(__file__).with_name("workload.py")
        subprocess.run([sys.executable, script, path, "--images", str(arguments.images)], check=True)
        print(f"{arguments.images} images, {path.stat().st_size / 2**20:.0f} MiB")
        results: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
        for _ in range(arguments.runs):
            for name, prepare in WAYS.items():
                results[name].append(measure(prepare, path))
    middle = {name: tuple(map(statistics.median, zip(*runs, strict=True))) for name, runs in results.items()}
    peer_seconds, peer_memory = middle["pycocotools"]
    for name, (seconds, memory) in middle.items():
        print(
            f"{name:16} {seconds:6.2f} s {memory:6.0f} MiB: {peer_seconds / seconds:.1f} times as fast as pycocotools,"
            f" {memory / peer_memory:.2f} of its memory"
        )
    print("aim: at least 5 times as fast, at most 0.3 of the memory")


if __name__ == "__main__":
    main()
