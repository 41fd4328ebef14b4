"""Street scenes: seconds a picture by quality and number of processes, against Mitsuba alone; and what is in them.

    python benchmarks/streets.py --pictures 12
    python benchmarks/streets.py --statistics 300

The first makes whole sets with `kins.streets.generate`, all annotations and files included; the start of the processes
is measured with one picture each and subtracted. The peer is Mitsuba rendering the same views without the tricks of
"normal" (light smoothed along surfaces, reflections from Embree), at 8 and 32 samples a pixel, without annotations.
Processor time is what to compare where other programs run beside.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from kins.occlusion import HEAVY, OCCLUDED, PARTIAL
from kins.streets import Settings, generate
from kins.streets.camera.camera import Camera
from kins.streets.camera.view import View
from kins.streets.picture import generator
from kins.streets.world.street import make_street


def cpu() -> float:
    """Processor seconds of this process and those it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def seconds(settings: Settings, pictures: int, workers: int) -> np.ndarray:
    """Wall and processor time a picture of making a set, without the processes' start."""
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder) / "warm", {"training": workers}, settings, workers)
        start = np.array([time.perf_counter(), cpu()])
        generate(Path(folder) / "few", {"training": workers}, settings, workers)
        few = np.array([time.perf_counter(), cpu()]) - start
        start = np.array([time.perf_counter(), cpu()])
        generate(Path(folder) / "many", {"training": workers + pictures}, settings, workers)
        return (np.array([time.perf_counter(), cpu()]) - start - few) / pictures


def peer(settings: Settings, pictures: int, samples: int) -> np.ndarray:
    """The same of Mitsuba alone, in one process with one thread, loading its scene included."""
    from kins.streets.camera import render

    render.SAMPLES["high"], render.DEPTH["high"] = samples, 3
    camera = Camera.kitti(settings.width, settings.height)
    total = np.zeros(2)
    for index in range(pictures + 1):
        view = View(make_street(generator(settings, "training", index, 0), camera), camera)
        start = np.array([time.perf_counter(), cpu()])
        render.render(view, "high", generator(settings, "training", index, 1))
        if index:  # the first one loads Mitsuba
            total += np.array([time.perf_counter(), cpu()]) - start
    return total / pictures


def statistics(settings: Settings, pictures: int) -> None:
    """What the labels hold: a table for docs/streets.md."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = generate(Path(folder) / "set", {"training": pictures}, settings)["training"]
    counts = Counter(instance.category for scene in dataset for instance in scene)
    rates = np.array([instance.occlusion_rate for scene in dataset for instance in scene])
    sizes = [len(scene) for scene in dataset]
    clusters = [len({i.cluster for i in scene}) for scene in dataset]
    depth = [1 + max((i.order for i in scene if i.order is not None), default=0) for scene in dataset]
    print(f"instances a picture: mean {np.mean(sizes):.1f}, median {np.median(sizes):.0f}, largest {max(sizes)}")
    for name, count in counts.most_common():
        print(f"  {name:12} {count / len(rates):6.1%}")
    print(
        f"occluded: rate >= {PARTIAL}: {(rates >= PARTIAL).mean():.1%}, > {OCCLUDED}: {(rates > OCCLUDED).mean():.1%},"
    )
    print(f"          > {HEAVY}: {(rates > HEAVY).mean():.1%}")
    print(f"clusters a picture: {np.mean(clusters):.1f}; longest order: mean {np.mean(depth):.1f}, max {max(depth)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=12)
    parser.add_argument("--size", default="1242x375")
    parser.add_argument("--processes", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--qualities", nargs="*", default=["fast", "normal", "high"])
    parser.add_argument("--statistics", type=int, metavar="N", help="only count what N pictures hold")
    arguments = parser.parse_args()
    width, height = map(int, arguments.size.split("x"))
    if arguments.statistics:
        statistics(Settings(width=width, height=height, quality="fast"), arguments.statistics)
        return
    print(f"{width} x {height}, {arguments.pictures} pictures: seconds a picture, processor seconds a picture")
    ours = {}
    for quality in arguments.qualities:
        for workers in arguments.processes:
            count = arguments.pictures if quality != "high" else max(2, arguments.pictures // 4)
            ours[quality, workers] = took = seconds(
                Settings(width=width, height=height, quality=quality), count, workers
            )
            faster = ours[quality, arguments.processes[0]][0] / took[0]
            print(f"  {quality:7} {workers} processes: {took[0]:.2f} {took[1]:.2f}, {faster:.2f} times the first")
    for samples in (8, 32):
        took = peer(Settings(width=width, height=height), min(arguments.pictures, 4), samples)
        print(f"  Mitsuba alone, {samples} samples, 1 process: {took[0]:.2f} {took[1]:.2f}")
        for quality, workers in ours:
            if workers == 1:
                share = ours[quality, 1][1] / took[1]
                print(f"    {quality}, annotations and files included, takes {share:.2f} of its processor time")


if __name__ == "__main__":
    main()
