"""`kins eval` (three kinds, occlusion slices, regions, order) against three plain runs of pycocotools and of hotcoco.

usage: python benchmarks/evaluation.py [IMAGES] [ROUNDS]

Makes a KINS-sized workload of blobs (12.6 instances an image, about two detections each, both masks), writes it
as KINS 2020 and predictions, and for the peers as COCO files of one kind each (amodal boxes, amodal masks, inmodal
masks). Each tool runs in processes of its own, in turn; the median of the rounds is printed, and the ratios.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from pycocotools import mask as rle

WIDTH, HEIGHT = 1242, 375
CATEGORIES = {1: "cyclist", 2: "pedestrian", 4: "car", 5: "tram", 6: "truck", 7: "van", 8: "misc"}
SHARES = (0.06, 0.20, 0.60, 0.02, 0.03, 0.06, 0.03)

PEER = """
import sys
if sys.argv[1] == "pycocotools":
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval
else:
    from hotcoco import COCO, COCOeval
truth = COCO(sys.argv[2])
found = truth.loadRes(sys.argv[3])
evaluation = COCOeval(truth, found, sys.argv[4])
evaluation.evaluate()
evaluation.accumulate()
evaluation.summarize()
print(repr(float(evaluation.stats[0])))
"""


def blob(rng: np.random.Generator, cx: float, cy: float, w: float, h: float, points: int = 24) -> list[float]:
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    radius = 1 + 0.1 * rng.standard_normal(points)
    x = np.clip(cx + w / 2 * radius * np.cos(angle), 0, WIDTH - 1)
    y = np.clip(cy + h / 2 * radius * np.sin(angle), 0, HEIGHT - 1)
    return np.stack([x, y], 1).round(2).ravel().tolist()


def cut(polygon: list[float], left: float) -> list[float]:
    return [max(value, left) if k % 2 == 0 else value for k, value in enumerate(polygon)]


def workload(images: int) -> tuple[dict, list[dict]]:
    rng = np.random.default_rng(0)
    truth: dict = {
        "images": [{"id": i, "file_name": f"{i:06d}.png", "width": WIDTH, "height": HEIGHT} for i in range(images)],
        "annotations": [],
        "categories": [{"id": key, "name": name} for key, name in CATEGORIES.items()],
    }
    found: list[dict] = []
    ids = list(CATEGORIES)
    for image_id in range(images):
        for order in range(rng.poisson(12.6)):
            category = int(rng.choice(ids, p=SHARES))
            size = float(np.exp(rng.normal(4, 0.8)))
            w, h = min(size * 1.4, 500), min(size, 300)
            cx, cy = rng.uniform(0, WIDTH), rng.uniform(120, 300)
            left = cx - w / 2 + w * (max(rng.normal(0, 0.3), 0) if rng.random() < 0.5 else 0)
            amodal = blob(rng, cx, cy, w, h)
            masks = both(amodal, cut(amodal, left))
            if masks is None:
                continue
            fields = {"id": len(truth["annotations"]) + 1, "image_id": image_id, "category_id": category, "iscrowd": 0}
            truth["annotations"].append(
                fields
                | {"a_segm": [amodal], "i_segm": [cut(amodal, left)], "oco_id": 0, "ico_id": order}
                | {f"{k}_{name}": value for k, mask in zip("ai", masks, strict=True) for name, value in sizes(mask)}
            )
            for _ in range(rng.integers(1, 4)):
                shift = rng.normal(0, 0.06, 2)
                grow = 1 + rng.normal(0, 0.08, 2)
                guess = blob(rng, cx + shift[0] * w, cy + shift[1] * h, w * grow[0], h * grow[1])
                masks = both(guess, cut(guess, left))
                if masks is None:
                    continue
                fields = {
                    "image_id": image_id,
                    "category_id": category if rng.random() < 0.95 else int(rng.choice(ids)),
                    "score": round(float(rng.random()), 5),
                    "occlusion_score": round(float(rng.random()), 5),
                }
                for k, mask in zip("ai", masks, strict=True):
                    fields[f"{k}_segm"] = {"size": [HEIGHT, WIDTH], "counts": mask["counts"].decode()}
                    fields[f"{k}_bbox"] = rle.toBbox(mask).tolist()
                found.append(fields)
    return truth, found


def both(amodal: list[float], inmodal: list[float]) -> tuple[dict, dict] | None:
    masks = tuple(rle.frPyObjects([polygon], HEIGHT, WIDTH)[0] for polygon in (amodal, inmodal))
    return masks if all(rle.area(mask) >= 2 for mask in masks) else None


def sizes(mask: dict) -> list[tuple[str, object]]:
    return [("bbox", rle.toBbox(mask).tolist()), ("area", int(rle.area(mask)))]


def write(folder: Path, truth: dict, found: list[dict]) -> list[tuple[Path, Path, str]]:
    """Files for kins, and (ground truth, results, kind) for the peers."""
    (folder / "truth.json").write_text(json.dumps(truth))
    (folder / "found.json").write_text(json.dumps(found))
    runs = []
    shared = ("id", "image_id", "category_id", "iscrowd")
    for name, k, kind in (("box", "a", "bbox"), ("amodal", "a", "segm"), ("inmodal", "i", "segm")):
        annotations = [
            {n: a[n] for n in shared} | {"segmentation": a[f"{k}_segm"], "bbox": a[f"{k}_bbox"], "area": a[f"{k}_area"]}
            for a in truth["annotations"]
        ]
        field = {"bbox": f"{k}_bbox"} if kind == "bbox" else {"segmentation": f"{k}_segm"}
        results = [
            {n: d[n] for n in ("image_id", "category_id", "score")} | {n: d[f] for n, f in field.items()} for d in found
        ]
        paths = folder / f"{name}_truth.json", folder / f"{name}_found.json"
        paths[0].write_text(json.dumps({**truth, "annotations": annotations}))
        paths[1].write_text(json.dumps(results))
        runs.append((*paths, kind))
    return runs


def prepare(folder: Path, images: int) -> list[tuple[Path, Path, str]]:
    truth, found = workload(images)
    print(f"{images} images, {len(truth['annotations'])} instances, {len(found)} detections", flush=True)
    return write(folder, truth, found)


def timed(command: list[str], log: Path) -> tuple[float, float, float, str]:
    """Seconds, seconds of processor time, peak memory in MB (of the first process), and what it printed."""
    start = time.perf_counter()
    with log.open("w") as out:
        pid = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, out.fileno(), 1)])
        _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"{' '.join(command)} failed")
    scale = 1e6 if sys.platform == "darwin" else 1e3
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / scale, log.read_text()


def main(images: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with multiprocessing.get_context("spawn").Pool(1) as pool:  # peak memory of children would count this one's
            runs = pool.apply(prepare, (folder, images))
        log = folder / "log"
        tools = ("kins", "hotcoco", "pycocotools")
        seconds: dict[str, list[float]] = {tool: [] for tool in tools}
        busy: dict[str, list[float]] = {tool: [] for tool in tools}
        memory = dict.fromkeys(tools, 0.0)
        figures: dict[str, list[float]] = {}
        for _ in range(rounds):
            kins = [sys.executable, "-m", "kins", "eval", str(folder / "truth.json"), str(folder / "found.json")]
            for tool in tools:
                commands = [[sys.executable, "-c", PEER, tool, str(a), str(b), kind] for a, b, kind in runs]
                taken = [timed(command, log) for command in ([[*kins, "--json"]] if tool == "kins" else commands)]
                seconds[tool].append(sum(t[0] for t in taken))
                busy[tool].append(sum(t[1] for t in taken))
                memory[tool] = max(memory[tool], *(t[2] for t in taken))
                if tool == "kins":
                    value = json.loads(taken[0][3])
                    figures[tool] = [value[kind]["overall"]["AP"] for kind in ("box", "amodal", "inmodal")]
                else:
                    figures[tool] = [100 * float(t[3].split()[-1]) for t in taken]
    agree = all(np.allclose(figures["kins"], figures[peer], atol=1e-6) for peer in ("hotcoco", "pycocotools"))
    print(f"AP of boxes, amodal and inmodal masks: {[round(f, 3) for f in figures['kins']]}; all three agree: {agree}")
    print("                 wall  x kins     CPU  x kins  peak MB  x kins")
    for tool in tools:
        row = []
        for value, base in (
            (statistics.median(seconds[tool]), statistics.median(seconds["kins"])),
            (statistics.median(busy[tool]), statistics.median(busy["kins"])),
            (memory[tool], memory["kins"]),
        ):
            row.append(f"{value:8.2f} {value / base:6.2f}")
        print(f"{tool:12} {' '.join(row)}   rounds {[round(v, 2) for v in seconds[tool]]}")


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # compiling every module again is no tool's work
    main(*(numbers + [1500, 3][len(numbers) :]))
