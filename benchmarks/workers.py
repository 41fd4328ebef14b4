"""Pictures a second of `kins predict` and `kins synth` in shards: without Ray, and with 1 and 2 Ray workers.

usage: python benchmarks/workers.py [--predict N] [--synth N] [--repeats R]

The ways are run in turn, each in a process of its own and into a new folder: in one process with all threads, in one
process with one thread (a worker has one), and by 1 and by 2 workers of `--ray local`. The rate counts from the moment
when each worker has written its first shard to the last shard; what comes before, less the time that the rate says a
shard takes, is printed as the start: Python, libraries, Ray, network. Nothing else should run meanwhile.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kins.streets import Settings, generate

WAYS: dict[str, tuple[list[str], int]] = {
    "no Ray": ([], 0),
    "no Ray, 1 thread": ([], 1),
    "1 worker": (["--ray", "local", "--workers", "1"], 0),
    "2 workers": (["--ray", "local", "--workers", "2"], 0),
}
"""Arguments, and threads; 0 for as many as there are cores."""
SHARD = 8


def run(command: list[str], shards: Path, threads: int) -> tuple[float, float, float]:
    """Pictures a second, seconds of the start, seconds in all."""
    limits = {f"{name}_NUM_THREADS": str(threads) for name in ("OMP", "MKL", "OPENBLAS")} if threads else {}
    start = time.time()
    done = subprocess.run(
        [sys.executable, "-m", "kins", *command], env=os.environ | limits, capture_output=True, text=True
    )
    seconds = time.time() - start
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    ends = sorted(path.stat().st_mtime for path in shards.glob("*.parquet"))
    workers = int(command[-1]) if "--workers" in command else 1
    rate = (len(ends) - workers) * SHARD / (ends[-1] - ends[workers - 1])
    return rate, ends[0] - start - SHARD * workers / rate, seconds


def main(predict: int, synth: int, repeats: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tasks: dict[str, list[str]] = {}
        size = ["--size", "414x125", "--quality", "fast"]
        if predict:
            generate(folder / "streets", {"testing": predict}, Settings(width=414, height=125, quality="fast"))
            pictures = str(folder / "streets" / "testing" / "image_2")
            tasks["predict"] = ["predict", "street", pictures, "--device", "cpu", "-o"]
        if synth:
            tasks["synth"] = ["synth", *size, "--train", str(synth)]
        print(f"{os.cpu_count()} processors\ntask     way                pictures/s  start, s  in all, s", flush=True)
        for number in range(repeats):
            for task, words in tasks.items():
                for k, (way, (options, threads)) in enumerate(WAYS.items()):
                    out = folder / f"{task}{number}{k}.parquet"
                    shards = out / "training" if task == "synth" else out
                    command = [*words, str(out), "--shard", str(SHARD), *options]
                    rate, begun, seconds = run(command, shards, threads)
                    print(f"{task:8} {way:18} {rate:10.2f} {begun:9.1f} {seconds:10.1f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--predict", type=int, default=240, help="pictures of 414 x 125; a multiple of 8")
    parser.add_argument("--synth", type=int, default=240, help="pictures of 414 x 125; a multiple of 8")
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    if any(0 < count < 3 * SHARD for count in (arguments.predict, arguments.synth)):
        parser.error(f"{3 * SHARD} pictures are the least: a shard for each of two workers to start with, and one more")
    main(arguments.predict, arguments.synth, arguments.repeats)
