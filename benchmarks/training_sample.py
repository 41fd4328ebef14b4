"""Loading one training sample with both masks, up to the mask targets of its regions: ours against torchvision's way.

Ours keeps masks as run lengths and draws the 28x28 targets from them. torchvision's reference pipeline (its detection
references, `ConvertCocoPolysToMask`, then the network's own transform) decodes an image-sized mask for every instance,
resizes all of them, and crops the targets from them by RoIAlign. Both read the same picture and get the same regions.
The figures with the picture's decoding and scaling include the same work on both sides.

    python benchmarks/training_sample.py
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from pycocotools import mask as coco
from torchvision.models.detection.roi_heads import project_masks_on_boxes
from torchvision.transforms.functional import pil_to_tensor

from kins.config import DataConfig
from kins.data import make_target, to_network
from kins.masks import Mask
from kins.models.mask_targets import draw_targets
from kins.records import Image, Instance, Scene

HEIGHT, WIDTH, INSTANCES, REGIONS = 375, 1242, 13, 64


def street(rng: np.random.Generator, folder: Path) -> Scene:
    """A KITTI-sized picture with instances as in KINS: polygons of some 40 points, half of them partly hidden."""
    picture = rng.integers(0, 60, (HEIGHT // 3, WIDTH // 3, 3)).astype(np.uint8)
    path = folder / "000000.png"
    PIL.Image.fromarray(picture).resize((WIDTH, HEIGHT)).save(path)
    instances = []
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
        polygons = [[np.clip(p, 0, [WIDTH, HEIGHT]).ravel().round(1).tolist()] for p in (amodal, seen)]
        instances.append(Instance(k, 4, "car", *(Mask.from_polygons(p, HEIGHT, WIDTH) for p in polygons)))
    return Scene(Image(0, path.name, HEIGHT, WIDTH), tuple(instances), path)


def fresh(scene: Scene) -> Scene:
    """As just read from a file: masks are polygons, nothing is rasterised yet."""
    return scene.replace(
        instances=tuple(
            i.replace(
                **{
                    name: Mask.from_segmentation(getattr(i, name).polygons, HEIGHT, WIDTH)
                    for name in ("amodal", "inmodal")
                }
            )
            for i in scene
        )
    )


def regions(boxes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    matched = torch.arange(REGIONS) % len(boxes)
    jitter = 1 + 0.1 * torch.randn(REGIONS, 4, generator=torch.Generator().manual_seed(0))
    return boxes[matched] * jitter.clamp(0.9, 1.1), matched


def ours(scene: Scene, short: int, long: int) -> tuple[torch.Tensor, ...]:
    image, scale = to_network(scene.read_image(), short, long)
    target = make_target(scene, scale, {4: 1}, DataConfig())
    boxes, matched = regions(target["boxes"])
    return image, *(draw_targets(target[name], scale, boxes, matched) for name in ("amodal", "inmodal"))


def torchvisions(scene: Scene, short: int, long: int) -> tuple[torch.Tensor, ...]:
    assert scene.image_path is not None
    image = pil_to_tensor(PIL.Image.open(scene.image_path).convert("RGB"))
    decoded = {}
    for name in ("amodal", "inmodal"):
        masks = []
        for instance in scene:  # as in ConvertCocoPolysToMask
            rles = coco.frPyObjects(getattr(instance, name).polygons, HEIGHT, WIDTH)
            masks.append(torch.as_tensor(coco.decode(rles), dtype=torch.uint8).any(dim=2))
        decoded[name] = torch.stack(masks).to(torch.uint8)
    factor = min(short / min(image.shape[1:]), long / max(image.shape[1:]))
    resized = torch.nn.functional.interpolate(
        image[None] / 255, scale_factor=factor, mode="bilinear", recompute_scale_factor=True, align_corners=False
    )[0]
    boxes = torch.tensor([i.amodal.box for i in scene])
    boxes = torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1) * factor
    rois, matched = regions(boxes)
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
    options = parser.parse_args()
    torch.set_num_threads(1)  # as in a loading process
    with tempfile.TemporaryDirectory() as folder:
        scene = street(np.random.default_rng(0), Path(folder))
        for short, long in ((375, 1242), (800, 3000)):
            a, b = ours(fresh(scene), short, long), torchvisions(fresh(scene), short, long)
            differ = max(((x > 0.5) != (y > 0.5)).float().mean().item() for x, y in zip(a[1:], b[1:], strict=True))
            times = {"ours": [], "torchvision": []}
            for _ in range(3):  # in turn
                times["ours"].append(seconds(lambda: ours(fresh(scene), short, long), options.repeats))  # noqa: B023
                times["torchvision"].append(seconds(lambda: torchvisions(fresh(scene), short, long), options.repeats))  # noqa: B023
            picture = seconds(lambda: to_network(scene.read_image(), short, long), options.repeats)  # noqa: B023
            mine, theirs = min(times["ours"]), min(times["torchvision"])
            print(
                f"short side {short}: torchvision {theirs * 1e3:.0f} ms, ours {mine * 1e3:.0f} ms"
                f" (of which the picture {picture * 1e3:.0f} ms): {theirs / mine:.1f} times faster;"
                f" target cells on different sides of one half: {100 * differ:.2f} %"
            )


if __name__ == "__main__":
    main()
