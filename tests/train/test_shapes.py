"""Shapes for methods that keep some of them: what is handed to them."""

from pathlib import Path

import torch
from tests.helpers import SMALL

from kins.config import AugmentConfig, DataConfig, load_config
from kins.demo.toys import write_shapes
from kins.models import weights
from kins.train.loop import train
from kins.train.samples import TrainingSet
from kins.train.shapes import shapes


def test_each_instance_is_seen_twice(tmp_path: Path) -> None:
    dataset = write_shapes(tmp_path, 3, (64, 96))
    samples = TrainingSet(dataset, DataConfig(min_size=1), AugmentConfig())
    labels, masks = shapes(samples, seed=1)
    instances = [i for scene in dataset for i in scene if i.inmodal]
    assert len(labels) == len(masks) == 2 * len(instances)
    assert sorted(labels.tolist()) == sorted(2 * [samples.labels[i.category_id] for i in instances])
    shares = {round(i.amodal.area / (i.amodal.box[2] * i.amodal.box[3]), 3) for i in instances}
    assert shares <= {round(value, 3) for value in masks.mean((1, 2)).tolist()}  # exact in their own boxes
    assert all(torch.equal(a, b) for a, b in zip(shapes(samples, 1), (labels, masks), strict=True))
    assert len(shapes(samples, 1, most=1)[0]) < len(labels)


def test_a_run_begins_with_the_shapes_of_its_data(tmp_path: Path) -> None:
    dataset = write_shapes(tmp_path / "images", 2, (64, 96))
    settings = [*SMALL, "model.name=vrsp", "model.options.memory=16", "train.steps=1"]
    train(load_config("tiny", settings), dataset, tmp_path / "run")
    first, _ = weights.load(tmp_path / "run" / weights.LAST)
    assert first["model.roi_heads.mask_heads.shapes.filled"].sum() > 0
    train(load_config("tiny", [*settings, "train.steps=2"]), dataset, tmp_path / "run")
    later, _ = weights.load(tmp_path / "run" / weights.LAST)
    name = "model.roi_heads.mask_heads.shapes.codes"
    assert torch.equal(first[name], later[name])
    assert first[name].abs().sum() > 0
