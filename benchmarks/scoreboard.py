"""Methods side by side: every one trained under one budget on one benchmark, measured in one way.

The benchmark is `kins-streets-1`: street scenes of 640 x 192 pixels, quality fast, seed 20,001, which no weights that
come with kins have seen, made by version 4 of the scenes; --train and --test pictures of it. All methods begin with
the backbone and the region proposals of `street-tiny`, which stay as they are, and with random heads: what the heads
make of it shows after few steps. --whole trains everything, from random weights: for GPUs.

    python benchmarks/scoreboard.py --out runs/scoreboard --steps 3000 --seeds 0 1
    python benchmarks/scoreboard.py --out runs/scoreboard --whole --steps 40000 --seeds 0 1

Runs that were finished before are not repeated, an interrupted one goes on. The table is printed and written to
OUT/scoreboard.md, figures with their conditions to OUT/results.json (as kins results add does).
"""

import argparse
from pathlib import Path

import torch
from ablation import common_start

from kins.config import load_config
from kins.errors import KinsError
from kins.files import write_atomic
from kins.models import weights
from kins.streets import Settings, generate
from kins.streets.generate import VERSION
from kins.train.loop import train
from kins.train.results import Entry, add, measured, read, table
from kins.train.samples import find_data

NAME, SEED, SCENES = "kins-streets-1", 20_001, 4
TRAIN, TEST = 480, 120
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
}
"""By name the settings; the network's name is that of the row if they don't say it."""


def benchmark(out: Path, pictures: int, test: int) -> Path:
    """The folder of the benchmark's pictures, made if need be."""
    if VERSION != SCENES:
        raise KinsError(f"{NAME} is of version {SCENES} of the scenes, not {VERSION}; give the benchmark a new number")
    settings = Settings(seed=SEED, width=640, height=192, quality="fast")
    generate(out / NAME, {"training": pictures, "testing": test}, settings)
    return out / NAME


def trained(name: str, seed: int, data: Path, options: argparse.Namespace) -> Path:
    """The run folder of one method and seed, trained as far as it is not."""
    start = [f"train.init={common_start('street-tiny', options.out)}", "train.frozen=[backbone,rpn]"]
    settings = load_config(
        "tiny",
        [
            *([f"model.name={name}"] if not any(s.startswith("model.name") for s in METHODS[name]) else []),
            *METHODS[name],
            *([] if options.whole else start),
            *options.settings,
            *(f"data.root={data}", f"train.steps={options.steps}", f"train.seed={seed}"),
        ],
    )
    out = options.out / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"
    if not (out / weights.LAST).exists() or weights.read_header(out / weights.LAST).facts["step"] < options.steps:
        dataset, _ = find_data(settings.data)
        train(settings, dataset, out)
    return out


def row(name: str, entry: Entry) -> Entry:
    """The entry under the name of its row, where settings beside the method's options differ."""
    return Entry(**{**vars(entry), "method": name}) if entry.method == name.partition(",")[0] else entry


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/scoreboard"))
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--train", type=int, default=TRAIN, help="pictures")
    parser.add_argument("--test", type=int, default=TEST, help="pictures")
    parser.add_argument("--whole", action="store_true", help="train backbone and proposals, too, from random weights")
    parser.add_argument("--settings", nargs="+", default=[], help="for every run, for example train.device=cuda")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    data = benchmark(options.out, options.train, options.test)
    kept = options.out / "results.json"
    for name in options.methods:
        for seed in options.seeds:
            add([row(name, measured(trained(name, seed, data, options), data))], kept)
        print(table(read(kept)), flush=True)
    write_atomic(options.out / "scoreboard.md", f"{NAME}\n\n{table(read(kept))}")


if __name__ == "__main__":
    main()
