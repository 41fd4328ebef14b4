"""How detectors and completion do on photographs: of KITTI with KITTI's labels, and of COCO with COCOA's annotations.

usage: python benchmarks/photos.py [--kitti DIR] [--detectors street] [--cocoa DIR] [--with METHOD ...]

DIR of KITTI holds NAME.png and NAME.txt. Its labels are boxes of whole objects: AP at IoU 0.5 (101 recall points), and
recall and precision of detections with a score of 0.5 or more, of vehicles (car, van, truck, tram, misc) and people
(pedestrian, person sitting, cyclist). Counted are objects at least 25 pixels high and truncated to at most half,
however occluded; others and DontCare regions count neither way.

DIR of COCOA holds NAME.jpg and NAME.json, an entry of COCOA's annotations or a file of them: see completion.py for
what is counted. `boxes` and other methods that look at pictures get them. In brackets: 95 % intervals from drawing the
photos (KITTI), or the objects (COCOA), again and again with replacement. With a handful of photos they are wide.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import completion
import numpy as np
import numpy.typing as npt

import kins
from kins import Completer, Scene
from kins.evaluation.bootstrap import interval
from kins.files.pictures import read_picture
from kins.predict.files import load_predictor

GROUPS = {
    "vehicles": ("car", "van", "truck", "tram", "misc", "bus"),
    "people": ("pedestrian", "person_sitting", "person", "cyclist"),
}
"""Names of classes, KITTI's and those of detectors, in lower case."""
LEAST_HEIGHT, MOST_TRUNCATED = 25, 0.5
SAMPLES = 1000

Box = tuple[float, float, float, float]


class Photo(NamedTuple):
    """Labels and detections of one group in one photograph.

    Attributes:
        objects: boxes x1, y1, x2, y2 that count.
        ignored: boxes that count neither way.
        found: score and box of each detection, best first.
    """

    objects: list[Box]
    ignored: list[Box]
    found: list[tuple[float, Box]]


def labels(path: Path, names: Sequence[str]) -> tuple[list[Box], list[Box]]:
    """Objects of a group in a file of KITTI's labels, and what is ignored."""
    objects: list[Box] = []
    ignored: list[Box] = []
    known = {name for group in GROUPS.values() for name in group}
    for line in path.read_text().splitlines():
        kind, truncated, _, _, *numbers = line.split()
        x1, y1, x2, y2 = (float(number) for number in numbers[:4])
        if kind.lower() in names:
            counts = y2 - y1 >= LEAST_HEIGHT and float(truncated) <= MOST_TRUNCATED
            (objects if counts else ignored).append((x1, y1, x2, y2))
        elif kind.lower() not in known:
            ignored.append((x1, y1, x2, y2))
    return objects, ignored


def overlap(a: Box, b: Box) -> tuple[float, float]:
    """Intersection over union, and over the first one."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    first, second = ((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b))
    return common / max(first + second - common, 1e-9), common / max(first, 1e-9)


def judged(photo: Photo) -> list[tuple[float, bool]]:
    """Score of each detection that counts, and whether it is right."""
    taken: set[int] = set()
    rows = []
    for score, box in photo.found:
        free = [(overlap(box, truth)[0], k) for k, truth in enumerate(photo.objects) if k not in taken]
        best, index = max(free, default=(0.0, -1))
        if best >= 0.5:
            taken.add(index)
            rows.append((score, True))
        elif not any(max(overlap(box, other)) >= 0.5 for other in photo.ignored):
            rows.append((score, False))
    return rows


def rates(rows: Sequence[list[tuple[float, bool]]], objects: int) -> tuple[float, float, float]:
    """AP50, and recall and precision at a score of 0.5, in percent."""
    found = sorted((row for photo in rows for row in photo), key=lambda row: -row[0])
    hits = np.cumsum([hit for _, hit in found]) if found else np.zeros(0)
    recall = hits / max(objects, 1)
    precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
    places = np.searchsorted(recall, np.linspace(0, 1, 101))
    ap = np.mean([precision[place] if place < len(precision) else 0.0 for place in places])
    sure = [hit for score, hit in found if score >= 0.5]
    return 100 * float(ap), 100 * sum(sure) / max(objects, 1), 100 * sum(sure) / max(len(sure), 1)


def with_intervals(count: int, figures: Callable[[npt.NDArray[np.int64]], Sequence[float]]) -> str:
    """Figures of all of `count` things, each with its interval, as text.

    Args:
        figures: of the things with these indices.
    """
    rng = np.random.default_rng(0)
    drawn = np.array([figures(rng.integers(count, size=count)) for _ in range(SAMPLES)])
    whole = figures(np.arange(count))
    digits = 1 if max(whole) > 1 else 3
    spans = [interval(column) for column in drawn.T]
    rows = zip(whole, spans, strict=True)
    return " | ".join(f"{v:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]" for v, (low, high) in rows)


def boxes(scene: Scene, names: Sequence[str]) -> list[tuple[float, Box]]:
    """Score and amodal box of the detections of a group, best first."""
    rows = []
    for instance in scene:
        if instance.category.lower() in names and instance.box is not None:
            x, y, width, height = instance.box
            rows.append((instance.score or 0.0, (x, y, x + width, y + height)))
    return sorted(rows, key=lambda row: -row[0])


def detection(detector: str, pictures: Sequence[Path]) -> None:
    """A row for each group."""
    predictor = load_predictor(detector)
    scenes = [predictor(read_picture(path)) for path in pictures]
    for group, names in GROUPS.items():
        truth = [labels(path.with_suffix(".txt"), names) for path in pictures]
        photos = [Photo(*known, boxes(scene, names)) for known, scene in zip(truth, scenes, strict=True)]
        rows, counts = [judged(photo) for photo in photos], np.array([len(photo.objects) for photo in photos])

        def figures(chosen: npt.NDArray[np.int64], rows=rows, counts=counts) -> Sequence[float]:
            return rates([rows[k] for k in chosen], int(counts[chosen].sum()))

        print(f"| {detector}, {group} ({counts.sum()}) | {with_intervals(len(photos), figures)} |", flush=True)


def completed(scenes: Sequence[Scene], method: str) -> None:
    """A row for each kind of input."""
    completer = Completer.load(method)
    for name, disturb in completion.INPUTS.items():
        for missing in (False, True) if name == "true" else (False,):
            found = np.array(completion.scores(scenes, completer, disturb, missing))

            def figures(chosen: npt.NDArray[np.int64], found=found) -> Sequence[float]:
                return found[chosen].mean(0).tolist()

            kind = "a third missing" if missing else name
            print(f"| {method}, {kind} ({len(found)}) | {with_intervals(len(found), figures)} |", flush=True)


def main() -> None:
    """Print the tables of what is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kitti", type=Path, metavar="DIR")
    parser.add_argument("--detectors", nargs="+", default=["street"])
    parser.add_argument("--cocoa", type=Path, metavar="DIR")
    parser.add_argument(
        "--with", dest="methods", nargs="+", default=["visible", "convex", "convex-order", "completion"]
    )
    arguments = parser.parse_args()
    if arguments.kitti is not None:
        pictures = [path for path in sorted(arguments.kitti.glob("*.png")) if path.with_suffix(".txt").is_file()]
        print(f"{len(pictures)} photos of KITTI\n\n| detector | AP50 | recall | precision |\n|---|---|---|---|")
        for detector in arguments.detectors:
            detection(detector, pictures)
    if arguments.cocoa is not None:
        files = sorted(arguments.cocoa.glob("*.json"))
        scenes = [scene for file in files for scene in kins.load(file, images=arguments.cocoa)]
        print(f"\n{len(scenes)} photos of COCO\n\n| method, visible masks | whole | hidden |\n|---|---|---|")
        for method in arguments.methods:
            completed(scenes, method)


if __name__ == "__main__":
    main()
