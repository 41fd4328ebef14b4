"""Occlusion edges, clusters and order of a KINS-sized file, against decoded masks compared pair by pair with NumPy.

usage: python benchmarks/order.py [--images 7500] [--sample 100] [--json]

Ours is timed from the annotation file to every image's order. The peer is timed without reading the file: it decodes
the masks of a sample of the images with pycocotools and compares every pair as arrays, `(front & hidden).sum()` for
edges and `(grown & other).any()` for clusters, as published order-recovery code does; its time is scaled to the whole
file. Both must find the same edges and clusters. A second peer counts with `np.count_nonzero` instead of `.sum()`,
several times faster on Booleans. Then: how our time grows with the instances in an image, up to 200.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco

import kins
from kins.masks import Mask, union
from kins.occlusion import Slivers, occlusion
from kins.records import Dataset, Image, Instance, Scene

WIDTH, HEIGHT, FOCAL, HORIZON, CAMERA = 1242, 375, 721.5, 172.9, 1.65
SIZES = {1: ("cyclist", 1.2, 1.7), 2: ("pedestrian", 0.7, 1.8), 4: ("car", 2.6, 1.5), 6: ("truck", 5.0, 3.2)}
SHARES = (0.06, 0.2, 0.68, 0.06)


def outline(rng: np.random.Generator, x: float, bottom: float, width: float, height: float) -> list[float]:
    """A closed wobbly outline of 40 points that stands on `bottom`, flat [x1, y1, ...] in pixels."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    radius = 1 + 0.04 * rng.standard_normal(40)
    corner = np.maximum(np.abs(np.cos(angle)), np.abs(np.sin(angle))) ** -0.7  # between an ellipse and a box
    xs = np.clip(x + width / 2 * radius * corner * np.cos(angle), 0, WIDTH - 1)
    ys = np.clip(bottom - height / 2 + height / 2 * radius * corner * np.sin(angle), 0, HEIGHT - 1)
    return np.stack([xs, ys], 1).round(2).ravel().tolist()


def street(rng: np.random.Generator, image_id: int, instances: int | None) -> Scene:
    """Objects on a plane before KITTI's camera, about as many as in KINS or exactly so many that can be seen; what a
    nearer one covers is not in the inmodal mask."""
    seen, found = Mask.empty(HEIGHT, WIDTH), []
    count, nearest, farthest = (int(rng.poisson(16)), 6, 60) if instances is None else (8 * instances, 20, 160)
    for distance in np.sort(np.exp(rng.uniform(np.log(nearest), np.log(farthest), count))).tolist():
        category = int(rng.choice(list(SIZES), p=SHARES))
        name, width, height = SIZES[category]
        scale = FOCAL / distance * rng.uniform(0.8, 1.2)
        lane = rng.uniform(0, WIDTH) if rng.random() < 0.5 else rng.choice([250.0, 900.0]) + rng.normal(0, 60)
        bottom = HORIZON + FOCAL * CAMERA / distance
        if instances is not None:
            lane, bottom = rng.uniform(0, WIDTH), rng.uniform(60, 360)  # room for two hundred
        amodal = Mask.from_polygons([outline(rng, lane, bottom, width * scale, height * scale)], HEIGHT, WIDTH)
        inmodal = amodal - seen if (amodal & seen) else amodal
        if inmodal.area < 20:
            continue
        found.append(Instance(len(found) + 1, category, name, amodal, inmodal))
        seen = union([seen, amodal], HEIGHT, WIDTH)
        if len(found) == instances:
            break
    return Scene(Image(image_id, f"{image_id:06d}.png", HEIGHT, WIDTH), tuple(found))


def make_file(path: Path, images: int, instances: int | None = None, seed: int = 0) -> None:
    """A KINS 2020 file with about 12 instances an image, or with a fixed number."""
    rng = np.random.default_rng(seed)
    scenes, next_id = [], 1
    for image_id in range(images):
        scene = street(rng, image_id, instances)
        renumbered = tuple(i.replace(id=next_id + k) for k, i in enumerate(scene))
        next_id += len(renumbered)
        scenes.append(scene.replace(instances=renumbered))
    Dataset.from_scenes(scenes, {key: value[0] for key, value in SIZES.items()}).save(path)


Found = tuple[set[tuple[int, int, int]], list[int]]
"""(occluder, occluded, pixels) of each edge, and the cluster of each instance."""


def ours(path: Path) -> tuple[float, dict[int, Found]]:
    """Seconds from the file to all orders, and what was found in each image."""
    start = time.perf_counter()
    relations = {scene.image.id: occlusion(scene) for scene in kins.load(path)}
    seconds = time.perf_counter() - start
    return seconds, {
        key: ({tuple(e) for e in found.edges}, found.clusters.tolist()) for key, found in relations.items()
    }


def decode(segmentation: Any) -> npt.NDArray[np.bool_]:
    if isinstance(segmentation, list):
        segmentation = coco.merge(coco.frPyObjects(segmentation, HEIGHT, WIDTH))
    return coco.decode(segmentation).astype(bool)


def thin(region: npt.NDArray[np.bool_], least: int) -> bool:
    """Whether fewer than `least` pixels lie in 2 x 2 squares of the region."""
    square = region[:-1, :-1] & region[1:, :-1] & region[:-1, 1:] & region[1:, 1:]
    solid = np.zeros_like(region)
    for y, x in np.argwhere(square):
        solid[y : y + 2, x : x + 2] = True
    return int(solid.sum()) < least


def peer(annotations: list[dict[str, Any]], count: Callable[[npt.NDArray[np.bool_]], Any]) -> Found:
    """The same by the same rules, from decoded masks; `count` gives the number of pixels in an array."""
    slivers, edges = Slivers(), set()
    amodal = [decode(annotation["a_segm"]) for annotation in annotations]
    inmodal = [decode(annotation["i_segm"]) for annotation in annotations]
    clusters = list(range(len(annotations)))
    for j, whole in enumerate(amodal):
        hidden = whole & ~inmodal[j]
        grown = whole.copy()
        grown[1:] |= whole[:-1]
        grown[:-1] |= whole[1:]
        grown[:, 1:] |= whole[:, :-1]
        grown[:, :-1] |= whole[:, 1:]
        least = max(slivers.pixels, slivers.fraction * count(whole))
        for i, front in enumerate(inmodal):
            if i == j:
                continue
            if i < j and clusters[i] != clusters[j] and (grown & amodal[i]).any():
                low, high = sorted((clusters[i], clusters[j]))
                clusters = [low if cluster == high else cluster for cluster in clusters]
            pixels = int(count(front & hidden))
            if not pixels or pixels < least:
                continue
            ys, xs = np.nonzero(front & whole)
            box = slice(ys.min(), ys.max() + 1), slice(xs.min(), xs.max() + 1)
            if pixels > 2 * (np.ptp(ys) + 1 + np.ptp(xs) + 1) or not thin((front & hidden)[box], slivers.pixels):
                edges.add((i, j, pixels))
    numbers = {cluster: number for number, cluster in enumerate(sorted(set(clusters)))}
    return edges, [numbers[cluster] for cluster in clusters]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=7500)
    parser.add_argument("--sample", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "street.json"
        make_file(path, args.images)
        megabytes = path.stat().st_size / 1e6
        by_image: dict[int, list[dict[str, Any]]] = {image_id: [] for image_id in range(args.images)}
        for annotation in json.loads(path.read_bytes())["annotations"]:
            by_image[annotation["image_id"]].append(annotation)
        instances = sum(map(len, by_image.values()))
        sample = np.linspace(0, args.images - 1, min(args.sample, args.images)).astype(int).tolist()
        peers = {}
        for name, count in (("sum", np.sum), ("count_nonzero", np.count_nonzero)):
            start = time.perf_counter()
            expected = {image_id: peer(by_image[image_id], count) for image_id in sample}
            peers[name] = (time.perf_counter() - start) * args.images / len(sample)
        del by_image
        seconds, found = ours(path)
        assert all(found[image_id] == expected[image_id] for image_id in sample), "edges or clusters differ"
        growth = {}
        for count in (12, 25, 50, 100, 200):
            make_file(path, 20, count, seed=1)
            taken, crowded = ours(path)
            assert all(len(clusters) == count for _, clusters in crowded.values())
            growth[count] = (taken / 20 * 1e3, sum(len(edges) for edges, _ in crowded.values()) / 20)
    result = {
        "images": args.images,
        "instances": instances,
        "edges": sum(len(edges) for edges, _ in found.values()),
        "megabytes": megabytes,
        "seconds": seconds,
        "peer_seconds_scaled": peers,
        "ratio": {name: taken / seconds for name, taken in peers.items()},
        "milliseconds_and_edges_by_instances": growth,
    }
    if args.json:
        print(json.dumps(result))
        return
    print(f"{args.images} images, {instances} instances, {megabytes:.0f} MB, {result['edges']} edges")
    print(f"kins, from the file            {seconds:8.1f} s, same edges and clusters as NumPy")
    for name, taken in peers.items():
        print(
            f"NumPy, pixels by {name:13s} {taken:8.1f} s, scaled from {len(sample)} images: {taken / seconds:.1f} times"
        )
    for count, (milliseconds, mean_edges) in growth.items():
        print(f"{count:4d} instances an image, {mean_edges:6.1f} edges: {milliseconds:7.2f} ms an image")


if __name__ == "__main__":
    main()
