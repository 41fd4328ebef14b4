"""The weights that come with kins, and weights for shipping."""

from pathlib import Path
from typing import Any

import pytest
import torch

from kins.config import load_config
from kins.demo.toys import write_shapes
from kins.errors import KinsError
from kins.models import weights
from kins.predict.predictor import Predictor
from kins.train.loop import train


def test_shipped_weights_are_small_and_know_the_streets() -> None:
    path = weights.find("street")
    assert path.stat().st_size < 20e6
    model, config, categories = weights.load_model("street")
    assert config.model.name == "asn-mlc"
    assert {"car", "van", "truck", "pedestrian", "cyclist", "tram", "misc"} <= set(categories.values())
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_a_run_is_made_ready_for_shipping(tmp_path: Path, precision: str) -> None:
    dataset = write_shapes(tmp_path / "images", 2, (64, 96))
    small = ["model.channels=16", "model.head_channels=16", "model.hidden=32", "model.regions=16"]
    small += ["data.short_side=64", "data.workers=0", "train.steps=2", f"train.precision='{precision}'"]
    train(load_config("tiny", [*small, "model.score_threshold=0.0"]), dataset, tmp_path / "run")
    weights.ship(tmp_path / "run", tmp_path / "small.safetensors")
    best, shipped = (Predictor.load(p, device="cpu") for p in (tmp_path / "run", tmp_path / "small.safetensors"))
    image = dataset[0].read_image()
    scores = [[i.score for i in predictor(image)][:20] for predictor in (best, shipped)]
    assert scores[1] == pytest.approx(scores[0], abs=0.01)
    assert (tmp_path / "small.safetensors").stat().st_size < 0.6 * (tmp_path / "run" / weights.BEST).stat().st_size


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({}, r"no config, or no categories by id"),
        ({"config": 3, "categories": {"1": "car"}}, r"valid dictionary"),
        ({"config": {}, "categories": ["car"]}, r"no config, or no categories by id"),
        ({"config": {}, "categories": {"one": "car"}}, r"no config, or no categories by id"),
    ],
)
def test_facts_that_do_not_describe_a_network_are_refused(tmp_path: Path, change: dict[str, Any], line: str) -> None:
    weights.save(tmp_path / "odd.safetensors", {"model.weight": torch.zeros(1)}, change)
    with pytest.raises(KinsError, match=rf"odd\.safetensors: .*{line}"):
        weights.load_model(tmp_path / "odd.safetensors")


def test_tensors_that_are_not_the_networks_are_named(tmp_path: Path) -> None:
    tensors, facts = weights.load(weights.find("street"))
    name = "model.roi_heads.box_predictor.cls_score.weight"
    lacking = {key: value for key, value in tensors.items() if key != name}
    for changed, line in (
        ({**tensors, name: tensors[name][:-1]}, r"size mismatch for .*cls_score\.weight"),
        (lacking, r"Missing key.*cls_score\.weight"),
        ({"other": torch.zeros(1)}, "holds no network"),
    ):
        weights.save(tmp_path / "odd.safetensors", changed, facts)
        with pytest.raises(KinsError, match=rf"^[^\n]*odd\.safetensors: [^\n]*{line}[^\n]*$"):
            weights.load_model(tmp_path / "odd.safetensors")


def test_files_of_other_kinds_are_refused_unread(tmp_path: Path) -> None:
    whole = weights.find("street").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:-100])
    torch.save({"model.weight": torch.zeros(1)}, tmp_path / "pickled.pth")
    for name in ("cut.safetensors", "pickled.pth"):
        with pytest.raises(KinsError, match=f"{name}: not a readable safetensors file"):
            weights.load_model(tmp_path / name)
