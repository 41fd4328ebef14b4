"""A KINS-sized annotation file for the benchmarks: blobs stand in for objects."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, HEIGHT = 1242, 375
CATEGORIES = {1: "cyclist", 2: "pedestrian", 4: "car", 5: "tram", 6: "truck", 7: "van", 8: "misc"}
POINTS = 60


def rows(images: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Annotations of `images` images, 12.6 each on average, both masks as polygons of POINTS points."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    number = 0
    for image_id in range(images):
        for order in range(rng.poisson(12.6)):
            number += 1
            size = float(np.exp(rng.normal(4, 0.8)))
            width, height = min(size * 1.4, 500), min(size, 300)
            center_x, center_y = rng.uniform(0, WIDTH), rng.uniform(120, 300)
            radius = 1 + 0.1 * rng.standard_normal(POINTS)
            x = np.clip(center_x + width / 2 * radius * np.cos(angle), 0, WIDTH - 1).round(2)
            y = np.clip(center_y + height / 2 * radius * np.sin(angle), 0, HEIGHT - 1).round(2)
            cut = x.min() + max(rng.normal(0, 0.3), 0) * np.ptp(x) if rng.random() < 0.5 else 0.0
            row = {"id": number, "image_id": image_id, "category_id": int(rng.choice(list(CATEGORIES)))}
            row["iscrowd"] = 0
            for prefix, xs in (("a", x), ("i", np.maximum(x, round(cut, 2)))):
                row[f"{prefix}_segm"] = [np.stack([xs, y], 1).ravel().tolist()]
                row[f"{prefix}_bbox"] = [int(xs.min()), int(y.min()), int(np.ptp(xs)), int(np.ptp(y))]
                row[f"{prefix}_area"] = int(0.785 * np.ptp(xs) * np.ptp(y))
            yield row | {"oco_id": 0, "ico_id": order}


def write_workload(path: Path, images: int, seed: int = 0) -> None:
    """Write `images` images as a KINS 2020 file."""
    names = [{"id": i, "file_name": f"{i:06d}.png", "width": WIDTH, "height": HEIGHT} for i in range(images)]
    categories = [{"id": i, "name": name} for i, name in CATEGORIES.items()]
    path.write_text(json.dumps({"images": names, "annotations": list(rows(images, seed)), "categories": categories}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--images", type=int, default=7500)
    arguments = parser.parse_args()
    write_workload(arguments.path, arguments.images)
