"""Does multi-level coding help? Trains the variants under one budget on street scenes and prints the paper's ablation.

Every variant gets the same pictures in the same sequence, the same number of steps and the same seeds; a seed sets
initial weights, the sequence of pictures and their augmentation. Figures are in percent, on the test pictures: mean and
half the range over the seeds. With few test pictures the rare classes make AP swing by points: take hundreds.

    kins synth streets --train 1000 --test 400 --size 640x192 --quality fast
    python benchmarks/ablation.py streets --out runs/ablation --steps 6000 --seeds 0 1 2

With --init all variants begin with the backbone and the region proposals of other weights, and with random heads: what
the heads make of it shows after far fewer steps. Runs that were finished before are not repeated, an interrupted one
goes on. With --test the finished runs are measured on the test pictures of another folder.
"""

import argparse
import csv
import json
import math
from pathlib import Path

import torch

import kins
from kins.config import load_config
from kins.evaluation import Evaluator
from kins.files import write_atomic
from kins.models import weights
from kins.predict.predictor import Predictor, with_categories
from kins.train.loop import train
from kins.train.samples import find_data

VARIANTS = {
    "Mask R-CNN, amodal only": ["model.name=mask-rcnn"],
    "Mask R-CNN, both masks": ["model.name=mask-rcnn-both"],
    "both masks, coding from the box head": ["model.name=mask-rcnn-mlc"],
    "ASN: both masks, occlusion head": ["model.name=asn"],
    "ASN, coding: extraction only": ["model.name=asn-mlc", "model.combination=false"],
    "ASN, coding: combination only": ["model.name=asn-mlc", "model.extraction=false"],
    "ASN with MLC": ["model.name=asn-mlc"],
    "ASN with MLC, tap after convolution 2": ["model.name=asn-mlc", "model.tap=2"],
    "ASN with MLC, occluded weight 1": ["model.name=asn-mlc", "model.occluded_weight=1"],
    "PANet, both masks": ["model.name=panet-both"],
    "PANet, ASN": ["model.name=panet-asn"],
    "PANet, ASN with MLC": ["model.name=panet-asn-mlc"],
}
COLUMNS = ("box AP", "amodal AP", "inmodal AP", "heavily hidden, amodal AP", "hidden IoU", "order right")


def run(config: str, overrides: list[str], data: Path, out: Path, test: Path) -> dict[str, float]:
    """The figures of one run, which is trained first if it is not there."""
    settings = load_config(config, [*overrides, f"data.root={data}"])
    dataset, _ = find_data(settings.data)
    log = out / "log.csv"
    rows = list(csv.DictReader(log.open())) if log.exists() else []
    if not rows or int(rows[-1]["step"]) < settings.train.steps:
        train(settings, dataset, out)
    kept = out / f"figures-{test.name}.json"
    if not kept.exists():
        write_atomic(kept, json.dumps(figures(out, test)))
    values: dict[str, float] = json.loads(kept.read_text())
    return values


def figures(weights_file: Path, test: Path) -> dict[str, float]:
    """In percent, of a run's final weights on the test pictures of a folder made by kins synth."""
    truth = kins.load(test / "test.json", images=test / "testing" / "image_2")
    predictor = Predictor.load(weights_file)
    evaluator = Evaluator(truth.categories)
    for scene in truth:
        found = predictor(scene.read_image()).replace(image=scene.image)
        evaluator.update(scene, with_categories(found, truth.categories))
    results = evaluator.results()
    values = {f"{kind} AP": value["AP"] for kind, value in results.kinds.items()}
    if results.amodal.slices:
        values["heavily hidden, amodal AP"] = results.amodal.slices["heavy"]["AP"]
    if "inmodal" in results.kinds:
        values["hidden IoU"], values["order right"] = results.regions["hidden"], results.order["accuracy"]
    return {name: value for name, value in values.items() if not math.isnan(value)}


def common_start(source: str, out: Path) -> str:
    """A weights file with the parts that all variants share, before the region stage."""
    tensors, facts = weights.load(weights.find(source))
    state = weights.model_state(tensors)
    shared = {
        f"model.{n}": value for n, value in state.items() if n.startswith(("backbone.body.", "backbone.fpn.", "rpn."))
    }
    path = out / "start.safetensors"
    if not path.exists():
        weights.save(path, shared, {"config": facts["config"], "categories": facts["categories"]})
    return str(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="folder made by kins synth")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--config", default="tiny")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--variants", nargs="+", type=int, help="numbers of the table's rows, from 0; all if not given")
    parser.add_argument("--init", help="run or weights whose backbone and region proposals all variants begin with")
    parser.add_argument("--test", type=Path, help="folder with test pictures; the data's if not given")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--settings", nargs="+", default=[], help="for every run, for example data.short_side=96")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    shared = [f"train.init={common_start(options.init, options.out)}"] if options.init else []
    print(f"| variant | {' | '.join(COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}", flush=True)
    for number, (title, changes) in enumerate(VARIANTS.items()):
        if options.variants is not None and number not in options.variants:
            continue
        runs = []
        for seed in options.seeds:
            overrides = [*options.settings, *shared, *changes, f"train.steps={options.steps}", f"train.seed={seed}"]
            out = options.out / f"{number}-seed{seed}"
            runs.append(run(options.config, overrides, options.data, out, options.test or options.data))
        cells = []
        for name in COLUMNS:
            values = [found[name] for found in runs if name in found]
            middle, spread = sum(values) / max(1, len(values)), (max(values) - min(values)) / 2 if values else 0
            cells.append(f"{middle:.1f} ± {spread:.1f}" if values else "")
        print(f"| {title} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
