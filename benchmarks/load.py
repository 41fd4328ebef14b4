"""kins.load against pycocotools.coco.COCO on a KINS-sized file: time and peak memory.

usage: python benchmarks/load.py [--images 7500] [--runs 3]

Each run is a fresh process, ours and the peer in turn; the best time of each counts. Peak memory is that of the whole
process, with its interpreter and imports.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

OURS = "from kins.formats import load"
PEER = "from pycocotools.coco import COCO as load"
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
        results: dict[str, list[tuple[float, float]]] = {"kins": [], "pycocotools": []}
        for _ in range(arguments.runs):
            results["kins"].append(measure(OURS, path))
            results["pycocotools"].append(measure(PEER, path))
    best = {name: (min(s for s, _ in runs), max(m for _, m in runs)) for name, runs in results.items()}
    for name, (seconds, memory) in best.items():
        print(f"{name:12} {seconds:6.2f} s {memory:6.0f} MiB")
    print(f"kins.load is {best['pycocotools'][0] / best['kins'][0]:.1f} times faster (aim: at least 5)")
    print(f"and needs {best['kins'][1] / best['pycocotools'][1]:.2f} of the memory (aim: at most 0.3)")


if __name__ == "__main__":
    main()
