"""Prediction and training step of ASN with multi-level coding against torchvision's Mask R-CNN.

Same picture size, regions and detections, and the same random weights in backbone, pyramid and proposals, so that all
get the same proposals; scores are not thresholded, so that all finish the full number of detections. Prediction goes
from the picture's array to masks: torchvision pastes image-sized masks (one kind), ours makes run-length masks (both
kinds) with occlusion scores.
torchvision's Mask R-CNN comes with two box heads: two fully connected layers (v1), and four convolutions and a fully
connected layer (v2's, the form of ASN's); both are printed.

    python benchmarks/network.py predict [--backbone resnet50] [--precision 32] [--threads 2]
    python benchmarks/network.py train --profile
    python benchmarks/network.py methods --threads 1 [--page] [--config asn_mlc_r50 --settings model.weights=null]

`methods` compares the networks with one another, on the scoreboard's settings (or those of another configuration), with
random weights. With one thread on a CPU it takes processor time, which other work disturbs less. --page puts the table
into docs/results.md.
"""

import argparse
import copy
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from scoreboard import ALL
from scoreboard_page import keep
from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead

from kins.config import NETWORKS, Config, ModelConfig, load_config
from kins.masks import Mask
from kins.models.cpu import quicken
from kins.models.devices import autocast, pick_device
from kins.models.network import assemble
from kins.models.targets import flat_segments
from kins.predict.predictor import Predictor

CLASSES = 7
BESIDE = ("panet", "panet-both", "panet-mlc", "panet-asn")
"""Networks that `methods` leaves out: parts of panet-asn-mlc."""
COSTS = ("prediction", "training step", "parameters", "of these the mask stage", "peak memory")


def torchvisions(backbone: str, size: tuple[int, int], regions: int, convolutions: bool) -> MaskRCNN:
    tower = resnet_fpn_backbone(backbone_name=backbone, weights=None, trainable_layers=5)
    return MaskRCNN(
        tower,
        CLASSES + 1,
        min_size=min(size),
        max_size=max(size),
        box_score_thresh=0.0,
        box_batch_size_per_image=regions,
        box_head=FastRCNNConvFCHead((256, 7, 7), [256] * 4, [1024]) if convolutions else None,
    )


def ours(name: str, backbone: str, regions: int) -> nn.Module:
    settings = ModelConfig(name=name, backbone=backbone, norm="frozen-batch", regions=regions, score_threshold=0.0)
    return assemble(settings, CLASSES)


def same_proposals(models: Sequence[nn.Module]) -> None:
    """Gives every network the first one's weights up to the region stage: kins keeps torchvision's names."""
    first = {n: v for n, v in models[0].state_dict().items() if n.startswith(("backbone.", "rpn."))}
    for model in models[1:]:
        missing, unexpected = model.load_state_dict(first, strict=False)
        assert not unexpected
        assert all(name.startswith(("roi_heads.", "backbone.path.")) for name in missing)


def targets(size: tuple[int, int], count: int = 13) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The same instances for ours and for torchvision."""
    rng = np.random.default_rng(0)
    height, width = size
    boxes, masks, seen = [], [], []
    for _ in range(count):
        w, h = int(rng.uniform(20, width / 5)), int(rng.uniform(20, height / 2.5))
        x, y = int(rng.uniform(0, width - w)), int(rng.uniform(0, height - h))
        boxes.append([x, y, x + w, y + h])
        masks.append(Mask.from_box((x, y, w, h), height, width))
        seen.append(Mask.from_box((x, y, w * 0.7, h), height, width))
    common = {"boxes": torch.tensor(boxes).float(), "labels": torch.arange(count) % CLASSES + 1}
    mine = {
        "occluded": torch.ones(count, dtype=torch.int64),
        "amodal": flat_segments([m.segments for m in masks]),
        "inmodal": flat_segments([m.segments for m in seen]),
        "occluder": flat_segments([m.segments for m in reversed(seen)]),
        "neighbours": flat_segments([m.segments for m in reversed(seen)]),
        "scale": torch.ones(2),
    }
    decoded = torch.stack([torch.from_numpy(m.to_array()) for m in masks]).to(torch.uint8)
    return common | mine, common | {"masks": decoded}


def interleaved(
    works: dict[str, Callable[[], object]],
    repeats: int,
    device: torch.device,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Seconds of each, all in turn, best of `repeats`."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            start = clock()
            work()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if turn:  # the first turn warms up
                times[name].append(clock() - start)
    return {name: min(values) for name, values in times.items()}


def predict(options: argparse.Namespace, size: tuple[int, int]) -> None:
    device = pick_device(options.device)
    context = autocast(device, options.precision)
    image = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    data = {"short_side": min(size), "long_side": max(size)}
    asn, *peers = (
        ours("asn-mlc", options.backbone, 512),
        torchvisions(options.backbone, size, 512, False),
        torchvisions(options.backbone, size, 512, True),
    )
    same_proposals([asn, *peers])
    proposals: list[int] = []
    for model in (asn, *peers):
        model.roi_heads.register_forward_pre_hook(lambda _, inputs: proposals.append(len(inputs[1][0])))
    predictor = Predictor(
        asn,
        dict(enumerate("abcdefg")),
        Config.model_validate({"data": data}),
        device=str(device),
        precision=options.precision,
    )
    quicken(predictor.model)  # as Predictor.load does

    def peer(model: MaskRCNN) -> Callable[[], object]:
        model = model.to(device).eval()

        def run() -> object:
            tensor = torch.from_numpy(image).permute(2, 0, 1).to(device).float() / 255
            with torch.inference_mode(), context():
                return [(d["masks"] > 0.5).cpu() for d in model([tensor])]

        return run

    works = {
        "ASN with MLC": lambda: predictor(image),
        "torchvision v1": peer(peers[0]),
        "torchvision v2": peer(peers[1]),
    }
    times = interleaved(works, options.repeats, device)
    count = f"{min(proposals)} to {max(proposals)} proposals, {len(predictor(image))} detections"
    print(f"prediction, {size[1]} x {size[0]}, {count}, both masks and occlusion scores:")
    for name in ("torchvision v1", "torchvision v2"):
        print(f"  ours over {name}: {times['ASN with MLC'] / times[name]:.2f}")
    print("  " + ", ".join(f"{name} {value:.2f} s" for name, value in times.items()))


def step(
    model: nn.Module, picture: torch.Tensor, target: dict[str, torch.Tensor], context: Callable
) -> Callable[[], object]:
    """One training step."""
    model = model.to(picture.device).train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 1e-6, momentum=0.9)
    target = {name: value.to(picture.device) for name, value in target.items()}

    def run() -> None:
        model.train()
        with context():
            loss = sum(model([picture], [target]).values())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return run


def configured(name: str, options: argparse.Namespace) -> Config:
    """Of one network, for `methods`."""
    start = ALL if options.config == "street" else []
    settings = [*start, "model.norm=frozen-batch", "model.weights=null", *options.settings]
    return load_config(options.config, [*settings, f"model.name={name}", "model.score_threshold=0.0"])


def methods(options: argparse.Namespace, size: tuple[int, int]) -> None:
    """A table of prediction and training step over those of mask-rcnn-both, parameters, and a step's peak memory."""
    device = pick_device(options.device)
    context = autocast(device, options.precision)
    names = [options.only] if options.only else [n for n, parts in NETWORKS.items() if n not in BESIDE]
    configs = {name: configured(name, options) for name in names}
    size = configs[names[0]].data.short_side, configs[names[0]].data.long_side
    target, _ = targets(size)
    array = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    image = torch.from_numpy(array).permute(2, 0, 1).to(device)
    models = {name: assemble(config.model, CLASSES) for name, config in configs.items()}
    same_proposals(list(models.values()))
    if options.only:
        step(models[options.only], image, target, context)()
        print(f"{peak_memory(device):.2f}")
        return

    def found(name: str) -> Callable[[], object]:
        categories = dict(enumerate("abcdefg"))
        precision = {"device": str(device), "precision": options.precision}
        predictor = Predictor(copy.deepcopy(models[name]), categories, configs[name], **precision)
        quicken(predictor.model)
        return lambda: predictor(array)

    clock = time.process_time if device.type == "cpu" and options.threads == 1 else time.perf_counter
    predictions = interleaved({name: found(name) for name in names}, options.repeats, device, clock)
    steps = {name: step(model, image, target, context) for name, model in models.items()}
    learning = interleaved(steps, options.repeats, device, clock)
    rows = {}
    for name, model in models.items():
        alone = [sys.executable, *sys.argv, "--only", name]
        memory = float(subprocess.run(alone, check=True, capture_output=True, text=True).stdout)
        whole, stage = (sum(p.numel() for p in m.parameters()) / 1e6 for m in (model, model.roi_heads.mask_heads))
        ratios = (measured[name] / measured["mask-rcnn-both"] for measured in (predictions, learning))
        rows[name] = dict(zip(COSTS, (*ratios, whole, stage, memory), strict=True))
        print(name, *(f"{title} {value:.2f}" for title, value in rows[name].items()), sep=" | ", flush=True)
    settings = "the scoreboard" if options.config == "street" else options.config
    kind = "processor" if clock is time.process_time else "wall"
    threads = "1 thread" if options.threads == 1 else f"{options.threads} threads"
    told = (
        f"Settings of {settings}, batches of one picture of {size[1]} x {size[0]}, {device.type}, {threads}, precision "
        f"{options.precision}, best of {options.repeats}, {kind} time."
    )
    print(told)
    if options.page:
        keep(costs={"told": told, "networks": rows})


def train(options: argparse.Namespace, size: tuple[int, int]) -> None:
    device = pick_device(options.device)
    context = autocast(device, options.precision)
    mine, theirs = targets(size)
    image = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, *size)).astype(np.uint8)).to(device)

    models = {name: ours(name, options.backbone, options.regions) for name in ("mask-rcnn-both", "asn-mlc")}
    for name, convolutions in (("torchvision v1", False), ("torchvision v2", True)):
        models[name] = torchvisions(options.backbone, size, options.regions, convolutions)
    same_proposals(list(models.values()))
    if options.only:
        models = {options.only: models[options.only]}
    works = {
        name: step(model, *((image / 255, theirs) if name.startswith("torchvision") else (image, mine)), context)
        for name, model in models.items()
    }
    times = interleaved(works, options.repeats, device)
    if options.only:
        print(f"{options.only}: {peak_memory(device):.2f} GiB")
        return
    print(f"training step of one image, {size[1]} x {size[0]}, {options.regions} regions:")
    for name in ("torchvision v1", "torchvision v2"):
        print(f"  ASN with MLC over {name}: {times['asn-mlc'] / times[name]:.2f}")
    print("  " + ", ".join(f"{name} {value:.2f} s" for name, value in times.items()))
    if options.profile:
        shares(ours("asn-mlc", options.backbone, options.regions).to(device).train(), image, mine, context)
    print("  peak memory, each in a process of its own (all the networks' weights included):", flush=True)
    for name in models:
        subprocess.run([sys.executable, *sys.argv, "--only", name, "--repeats", "1"], check=True)


def peak_memory(device: torch.device) -> float:
    """GiB that this process needed at most, of the device's memory if that is a GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    status = Path("/proc/self/status")
    if status.exists():  # getrusage's figure is inherited from the process that started this one
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**30


@contextmanager
def clocked(modules: dict[str, nn.Module], spent: dict[str, float]) -> Iterator[None]:
    """Adds up the forward time of modules."""
    handles = []
    for name, module in modules.items():
        started: list[float] = []
        handles.append(module.register_forward_pre_hook(lambda *_, s=started: s.append(time.perf_counter())))
        handles.append(
            module.register_forward_hook(
                lambda *_, s=started, n=name: spent.__setitem__(n, spent.get(n, 0) + time.perf_counter() - s.pop())
            )
        )
    yield
    for handle in handles:
        handle.remove()


def shares(model: nn.Module, image: torch.Tensor, target: dict[str, torch.Tensor], context: Callable) -> None:
    heads = model.roi_heads
    modules = {
        "body": model.backbone.body,
        "pyramid": model.backbone.fpn,
        "proposals": model.rpn,
        "RoIAlign 7x7": heads.box_roi_pool,
        "RoIAlign 14x14": heads.mask_pool,
        "box head": heads.box_head,
        "occlusion head": heads.occlusion_head,
        "coding, amodal": heads.mask_heads.amodal.coding,
        "coding, inmodal": heads.mask_heads.inmodal.coding,
        "mask head, amodal (coding included)": heads.mask_heads.amodal,
        "mask head, inmodal (coding included)": heads.mask_heads.inmodal,
        "region stage (all of these heads)": heads,
    }
    for _ in range(2):
        spent: dict[str, float] = {}
        with clocked(modules, spent):
            start = time.perf_counter()
            with context():
                loss = sum(model([image], [target]).values())
            middle = time.perf_counter()
        loss.backward()
        end = time.perf_counter()
    print(f"  forward {(middle - start) / (end - start):.0%}, backward {(end - middle) / (end - start):.0%}; forward:")
    for name, value in spent.items():
        print(f"    {name:38} {value / (middle - start):6.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("predict", "train", "methods"))
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--size", default="1242x375", help="width x height of the network's input")
    parser.add_argument("--regions", type=int, default=512)
    parser.add_argument("--precision", default="32", choices=("32", "bf16", "16"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", help="train, methods: only this network's peak memory, after --repeats steps")
    parser.add_argument("--config", default="street", help="methods: whose settings all networks have")
    parser.add_argument("--settings", nargs="+", default=[], help="methods: others, for example data.short_side=375")
    parser.add_argument("--page", action="store_true", help="methods: the table into docs/results.md, too")
    parser.add_argument("--profile", action="store_true", help="share of each part")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    width, height = map(int, options.size.split("x"))
    {"predict": predict, "train": train, "methods": methods}[options.what](options, (height, width))


if __name__ == "__main__":
    main()
