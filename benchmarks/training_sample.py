"""Loading one training sample with both masks, up to the mask targets of its regions: ours against torchvision's way.

Ours keeps masks as run lengths and draws the 28x28 targets from them. torchvision's reference pipeline (its detection
references, `ConvertCocoPolysToMask`, then the network's own transform) decodes an image-sized mask for every instance,
resizes all of them, and crops the targets from them by RoIAlign. Both read the same picture and get the same regions.
The figures with the picture's decoding and scaling include the same work on both sides.

    python benchmarks/training_sample.py [--picture 000000.png]
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from pycocotools import mask as coco
from torchvision.models.detection.roi_heads import project_masks_on_boxes
from torchvision.transforms.functional import pil_to_tensor

import kins
from kins.config import DataConfig
from kins.masks import Mask
from kins.models.images import to_network
from kins.models.targets import draw_targets
from kins.records import Dataset, Image, Instance, Scene
from kins.streets import Settings, make_picture
from kins.train.samples import make_target

HEIGHT, WIDTH, INSTANCES, REGIONS = 375, 1242, 13, 64


Polygons = dict[str, list[list[list[float]]]]
"""By mask, for each instance: what pycocotools has in memory once it has read the file."""


def street(rng: np.random.Generator, folder: Path, picture: Path | None) -> tuple[Dataset, Polygons]:
    """A KITTI-sized picture with instances as in KINS: polygons of some 40 points, half of them partly hidden.

    The picture is a rendered street unless a photograph is given: how fast a file is decoded depends on what it shows.
    """
    path = folder / "000000.png"
    if picture is not None:
        shutil.copy(picture, path)
    else:
        PIL.Image.fromarray(make_picture(Settings(quality="fast"), "training", 1).pixels).save(path)
    instances = []
    polygons: Polygons = {"amodal": [], "inmodal": []}
    for k in range(INSTANCES):
        width = float(np.clip(rng.lognormal(4.2, 0.7), 15, 500))
        height = width * rng.uniform(0.4, 0.9)
        x, y = rng.uniform(0, max(1, WIDTH - width)), rng.uniform(100, max(101, HEIGHT - height))
        angle = np.sort(rng.uniform(0, 2 * np.pi, 40))
        radius = rng.uniform(0.8, 1, 40)
        px, py = x + width / 2 * (1 + radius * np.cos(angle)), y + height / 2 * (1 + radius * np.sin(angle))
        amodal = np.stack([px, py], 1)
        seen = amodal.copy()
        if k % 2:
            seen[:, 0] = np.minimum(seen[:, 0], x + width * 0.7)
        both = [[np.clip(p, 0, [WIDTH, HEIGHT]).ravel().round(1).tolist()] for p in (amodal, seen)]
        for name, outline in zip(polygons, both, strict=True):
            polygons[name].append(outline)
        instances.append(Instance(k, 4, "car", *(Mask.from_polygons(p, HEIGHT, WIDTH) for p in both)))
    scene = Scene(Image(0, path.name, HEIGHT, WIDTH), tuple(instances))
    Dataset.from_scenes([scene], {4: "car"}).save(folder / "street.json")
    return kins.load(folder / "street.json", images=folder), polygons


def regions(boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    matched = torch.arange(REGIONS) % len(boxes)
    jitter = 1 + 0.1 * torch.randn(REGIONS, 4, generator=torch.Generator().manual_seed(0))
    return boxes[matched] * jitter.clamp(0.9, 1.1), matched


def ours(dataset: Dataset, short: int, long: int) -> tuple[torch.Tensor, ...]:
    scene = dataset[0]  # its masks are JSON, as in the file
    image, scale = to_network(scene.read_image(), short, long)
    target = make_target(scene, scale, {4: 1}, DataConfig())
    boxes, matched = regions(target["boxes"])
    return image, *(draw_targets(target[name], scale, boxes, matched) for name in ("amodal", "inmodal"))


def torchvisions(path: Path, polygons: Polygons, short: int, long: int) -> tuple[torch.Tensor, ...]:
    image = pil_to_tensor(PIL.Image.open(path).convert("RGB"))
    decoded = {}
    boxes = []
    for name, outlines in polygons.items():
        masks = []
        for outline in outlines:  # as in ConvertCocoPolysToMask
            rles = coco.frPyObjects(outline, HEIGHT, WIDTH)
            if name == "amodal":
                boxes.append(coco.toBbox(coco.merge(rles)))
            masks.append(torch.as_tensor(coco.decode(rles), dtype=torch.uint8).any(dim=2))
        decoded[name] = torch.stack(masks).to(torch.uint8)
    factor = min(short / min(image.shape[1:]), long / max(image.shape[1:]))
    resized = torch.nn.functional.interpolate(
        image[None] / 255, scale_factor=factor, mode="bilinear", recompute_scale_factor=True, align_corners=False
    )[0]
    corners = torch.tensor(np.array(boxes), dtype=torch.float32)
    corners = torch.cat([corners[:, :2], corners[:, :2] + corners[:, 2:]], 1) * factor
    rois, matched = regions(corners)
    targets = []
    for masks in decoded.values():  # as in GeneralizedRCNNTransform, then maskrcnn_loss
        scaled = torch.nn.functional.interpolate(
            masks[:, None].float(), scale_factor=factor, recompute_scale_factor=True
        )
        targets.append(project_masks_on_boxes(scaled[:, 0].byte(), rois, matched, 28))
    return resized, *targets


def seconds(work: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--picture", type=Path, help=f"a PNG photograph of {WIDTH} x {HEIGHT} pixels")
    options = parser.parse_args()
    torch.set_num_threads(1)  # as in a loading process
    with tempfile.TemporaryDirectory() as folder:
        dataset, polygons = street(np.random.default_rng(0), Path(folder), options.picture)
        path = Path(folder) / "000000.png"
        for short, long in ((375, 1242), (800, 3000)):
            works = {
                "ours": partial(ours, dataset, short, long),
                "torchvision": partial(torchvisions, path, polygons, short, long),
            }
            results = [work()[1:] for work in works.values()]
            differ = max(((x > 0.5) != (y > 0.5)).float().mean().item() for x, y in zip(*results, strict=True))
            times: dict[str, list[float]] = {name: [] for name in works}
            for _ in range(3):  # in turn
                for name, work in works.items():
                    times[name].append(seconds(work, options.repeats))
            picture = seconds(lambda: to_network(dataset[0].read_image(), short, long), options.repeats)  # noqa: B023
            mine, theirs = min(times["ours"]), min(times["torchvision"])
            print(
                f"short side {short}: torchvision {theirs * 1e3:.0f} ms, ours {mine * 1e3:.0f} ms"
                f" (of which the picture {picture * 1e3:.0f} ms): {theirs / mine:.1f} times faster;"
                f" target cells on different sides of one half: {100 * differ:.2f} %"
            )


if __name__ == "__main__":
    main()
