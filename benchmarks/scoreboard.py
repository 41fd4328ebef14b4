"""Methods side by side: every one trained under one budget on one benchmark, measured in one way.

The benchmark is `kins-streets-1`: street scenes of 640 x 192 pixels, quality fast, seed 20,001, which no weights that
come with kins have seen, made by version 4 of the scenes; 160 to train on, 80 to test on. All methods begin with the
backbone and the region proposals of `street`, which stay as they are, and with random heads: what the heads make of it
shows after few steps. What stays as it is looks at each picture once (remembered.py). --whole trains everything, from
random weights: for GPUs.

    python benchmarks/scoreboard.py --out runs/scoreboard --threads 1 --page
    python benchmarks/scoreboard.py --out runs/gpu --whole --steps 40000 --settings train.device=cuda data.workers=8

Runs that were finished before are not repeated, measured ones not measured again, an interrupted one goes on. Tables
are printed and written to OUT/scoreboard.md, figures with their conditions to OUT/results.json (as kins results add
does). --page puts them into scoreboard.json and docs/results.md, too (scoreboard_page.py).

A new row is a line in METHODS, and its runs: --methods NAME --page. Where what measures has changed, delete
OUT/results.json: all runs are measured again.
"""

import argparse
import dataclasses
from pathlib import Path

import torch
from ablation import common_start
from remembered import Memory
from scoreboard_page import OWN, keep

from kins.config import Config, load_config
from kins.errors import KinsError
from kins.files import only_one, write_atomic
from kins.models import weights
from kins.predict.predictor import Predictor
from kins.records import Dataset
from kins.streets import Settings, generate
from kins.streets.generate import VERSION
from kins.train.loop import Run, train
from kins.train.processes import launch
from kins.train.results import PROTOCOLS, Entry, add, compared, read, table
from kins.train.samples import find_data

NAME, SEED, SCENES = "kins-streets-1", 20_001, 4
TRAIN, TEST = 160, 80
METHODS = {
    "mask-rcnn": [],
    "mask-rcnn-both": [],
    "mask-rcnn-mlc": [],
    "asn": [],
    "asn, labels of regions": ["model.name=asn", "model.occlusion_labels=region"],
    "asn-mlc": [],
    "panet-asn-mlc": [],
    "orcnn": [],
    "uoais": [],
    "bcnet": [],
    "bcnet, true occluders": ["model.name=bcnet", "model.options.occluder='true'"],
    "aisformer": [],
    "aisformer, true occluders": ["model.name=aisformer", "model.options.occluder='true'"],
    "vrsp": ["model.options.memory=256"],
    "asn-mlc-ordered": [],
    "ordered": [],
    "layered": [],
}
"""By name the settings; the network's name is that of the row if they don't say it."""
FROZEN = {"panet-asn-mlc": "[backbone.body,backbone.fpn]"}
"""What stays as it is, if not backbone and proposals: PANet's path begins with random weights, and so the proposals on
it learn, too."""
ALL = [
    *("data.short_side=192", "data.long_side=640", "data.workers=0", "model.weights=null", "model.regions=32"),
    *(
        "model.proposals_train=200",
        "model.proposals_test=200",
        "model.detections=60",
        "augment.scale=[1.0,1.0]",
        "augment.window=null",
    ),
    *(f"augment.{change}=0.0" for change in ("color", "gamma", "hue", "noise", "blur", "jpeg")),
    *("train.checkpoint_every=1000", "train.warmup=20", "train.ema=0.98"),
]
"""Pictures as they are or mirrored, in their own size."""


def benchmark(out: Path, pictures: int, test: int) -> Path:
    """The folder of the benchmark's pictures, made if need be."""
    if VERSION != SCENES:
        raise KinsError(f"{NAME} is of version {SCENES} of the scenes, not {VERSION}; give the benchmark a new number")
    settings = Settings(seed=SEED, width=640, height=192, quality="fast")
    generate(out / NAME, {"training": pictures, "testing": test}, settings)
    return out / NAME


def configuration(name: str, seed: int, data: Path, options: argparse.Namespace) -> Config:
    """Of one row and seed."""
    frozen = FROZEN.get(name, "[backbone,rpn]")
    return load_config(
        "street",
        [
            *ALL,
            *(["model.norm=group"] if options.whole else ["model.norm=frozen-batch", f"train.frozen={frozen}"]),
            *([] if options.whole else [f"train.init={common_start('street', options.out)}"]),
            *([f"model.name={name}"] if not any(s.startswith("model.name") for s in METHODS[name]) else []),
            *METHODS[name],
            *options.settings,
            *(f"data.root={data}", f"train.steps={options.steps}", f"train.seed={seed}"),
        ],
    )


def trained(config: Config, out: Path, memory: Memory | None) -> None:
    """Trains as far as it is not yet."""
    if (out / weights.LAST).exists() and weights.read_header(out / weights.LAST).facts["step"] >= config.train.steps:
        return
    dataset, _ = find_data(config.data)
    if memory is None:
        train(config, dataset, out)
    else:
        train_heads(config, dataset, out, memory)


def train_heads(config: Config, dataset: Dataset, out: Path, memory: Memory) -> None:
    """`kins.train`, of a network that takes from the memory what does not change."""
    fabric, precision = launch(config.train)
    with only_one(out):
        run = Run(config, dataset, out, fabric, precision, None, lambda line: None)
        run.set_up(run.restore())
        memory.serve(run.network)
        run.loop(lambda now: None)


def measured(name: str, out: Path, data: Path, device: str, memory: Memory | None, known: list[Entry]) -> Entry:
    """The entry of a run under the name of its row; that which is known, if it has all figures."""
    path = weights.find(out)
    for entry in known:
        if entry.weights == weights.digest(path) and {*entry.protocols, *entry.left_out} >= set(PROTOCOLS):
            return entry
    predictor = Predictor.load(path, device=device)
    if memory is not None:
        memory.serve(predictor.model)
    entry = compared(predictor, path, data)
    # A file of the same tensors, written again, has other bytes; so the start is known by the weights that it is of.
    start = {} if memory is None else {"start": {"street": weights.digest(weights.find("street"))}}
    return dataclasses.replace(entry, method=name, conditions={**entry.conditions, **start})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/scoreboard"))
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--train", type=int, default=TRAIN, help="pictures")
    parser.add_argument("--test", type=int, default=TEST, help="pictures")
    parser.add_argument("--whole", action="store_true", help="train backbone and proposals, too, from random weights")
    parser.add_argument("--settings", nargs="+", default=[], help="for every run, for example train.device=cuda")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--page", action="store_true", help="write docs/results.md, too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = benchmark(options.out, options.train, options.test)
    kept, seen, shown = options.out / "results.json", Memory(), Memory()
    entries: dict[str, Entry] = {}
    for seed in options.seeds:
        for name in options.methods:
            config = configuration(name, seed, data, options)
            out = options.out / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"
            trained(config, out, None if options.whole else seen)
            entry = measured(name, out, data, config.train.device, None if options.whole else shown, read(kept))
            entries[entry.weights] = entry
            add([entry], kept)
        print(table(list(entries.values()), OWN), flush=True)
    write_atomic(options.out / "scoreboard.md", f"{NAME}\n\n{table(list(entries.values()), OWN)}")
    if options.page:
        keep(entries.values())


if __name__ == "__main__":
    main()
