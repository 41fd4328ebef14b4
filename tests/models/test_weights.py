"""The weights that come with kins, and weights for shipping."""

import math
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tests.helpers import SMALL, random_detector

from kins.config import load_config
from kins.demo.toys import write_shapes
from kins.errors import KinsError
from kins.models import weights
from kins.models.heads import class_tensors
from kins.predict.predictor import Predictor
from kins.train.loop import train


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_detector(tmp_path_factory.mktemp("detector") / "random.safetensors")


def test_shipped_weights_are_small_and_know_the_streets() -> None:
    assert sum(weights.find(name).stat().st_size for name in weights.SHIPPED) < 60e6
    model, config, categories = weights.load_model("street")
    assert config.model.name == "asn-mlc"
    assert {"car", "van", "truck", "pedestrian", "cyclist", "tram", "misc"} <= set(categories.values())
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_a_run_is_made_ready_for_shipping(tmp_path: Path, precision: str) -> None:
    dataset = write_shapes(tmp_path / "images", 2, (64, 96))
    small = [*SMALL, "train.steps=2", f"train.precision='{precision}'"]
    train(load_config("tiny", [*small, "model.score_threshold=0.0"]), dataset, tmp_path / "run")
    weights.ship(tmp_path / "run", tmp_path / "small.safetensors")
    best, shipped = (Predictor.load(p, device="cpu") for p in (tmp_path / "run", tmp_path / "small.safetensors"))
    image = dataset[0].read_image()
    scores = [[i.score for i in predictor(image)][:20] for predictor in (best, shipped)]
    assert scores[1] == pytest.approx(scores[0], abs=0.01)
    assert (tmp_path / "small.safetensors").stat().st_size < 0.6 * (tmp_path / "run" / weights.BEST).stat().st_size


def test_weights_that_came_with_kins_before_name_those_that_replace_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, detector: Path
) -> None:
    assert told(Path("street-tiny")) == "street-tiny: these weights no longer come with kins; 'street' replaces them"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "street-tiny").write_bytes(detector.read_bytes())  # a file of one's own may have the name
    assert weights.load_model("street-tiny")[2] == {4: "car", 7: "van"}


@pytest.mark.parametrize(
    ("changes", "filled"),
    [
        ([], True),
        (["model.name=mask-rcnn"], True),
        (["model.channels=64"], False),
        (["model.backbone=resnet18"], False),
    ],
)
def test_whether_weights_take_the_place_of_torchvisions(changes: list[str], filled: bool) -> None:
    assert weights.fills("street", load_config("street", changes).model, 3) == filled


FACTS: dict[str, Any] = {"config": {}, "categories": {"1": "car"}}


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({}, "no config, or no categories by id"),
        ({**FACTS, "config": 3}, "valid dictionary"),
        ({**FACTS, "config": {"model": {"head_depth": 10**6}}}, r"head_depth: .*less than or equal to 64"),
        ({**FACTS, "categories": ["car"]}, "no config, or no categories by id"),
        ({**FACTS, "categories": {"one": "car"}}, "no config, or no categories by id"),
        ({**FACTS, "categories": {"9" * 5000: "car"}}, "no config, or no categories by id"),
        ({**FACTS, "categories": {"1": 7}}, "no config, or no categories by id"),
    ],
)
def test_facts_that_do_not_describe_a_network_are_refused(tmp_path: Path, facts: dict[str, Any], line: str) -> None:
    weights.save(tmp_path / "odd.safetensors", {"model.weight": torch.zeros(1)}, facts)
    assert re.search(rf"odd\.safetensors: .*{line}", told(tmp_path / "odd.safetensors"))


def told(path: Path) -> str:
    with pytest.raises(KinsError) as error:
        weights.load_model(path)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_facts_nested_too_deeply_are_refused(tmp_path: Path) -> None:
    save_file({"model.weight": torch.zeros(1)}, tmp_path / "odd.safetensors", {"config": "[" * 10**5})
    assert "odd.safetensors: not a readable safetensors file" in told(tmp_path / "odd.safetensors")


SCORES = "model.roi_heads.box_predictor.cls_score.weight"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda t: {**t, SCORES: t[SCORES][:-1]}, r"cls_score\.weight has shape \(\d+, \d+\), not \(\d+, \d+\)"),
        (lambda t: {n: v for n, v in t.items() if n != SCORES}, r"lacks .*cls_score\.weight; "),
        (lambda t: {**t, "model.more": torch.zeros(1)}, "holds more, which the network does not have"),
        (lambda t: {"other": torch.zeros(1)}, "holds no network"),
        (lambda t: {**t, SCORES: t[SCORES].double()}, r"cls_score\.weight is of type F64"),
        (lambda t: {**t, SCORES: t[SCORES].long()}, r"cls_score\.weight is of type I64"),
        (lambda t: {**t, SCORES: t[SCORES] * math.nan}, r"cls_score\.weight holds numbers that are not finite"),
        (lambda t: {**t, SCORES: t[SCORES] + math.inf}, r"cls_score\.weight holds numbers that are not finite"),
    ],
)
def test_tensors_that_are_not_the_networks_are_named(
    tmp_path: Path, detector: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]], line: str
) -> None:
    tensors, facts = weights.load(detector)
    weights.save(tmp_path / "odd.safetensors", change(tensors), facts)
    assert re.search(rf"odd\.safetensors: .*{line}", told(tmp_path / "odd.safetensors"))


def test_shapes_are_compared_before_memory_is_taken(tmp_path: Path, detector: Path) -> None:
    """The network described would have tens of gigabytes; three are allowed."""
    _, facts = weights.load(detector)
    wide = {"channels": 8192, "head_channels": 8192, "hidden": 1024}
    facts["config"]["model"].update(wide)
    weights.save(tmp_path / "wide.safetensors", {"model.weight": torch.zeros(1)}, facts)
    script = f"""
import resource, sys
from kins.errors import KinsError
from kins.models.weights import load_model
resource.setrlimit(resource.RLIMIT_DATA, (3 << 30, 3 << 30))
try:
    load_model({str(tmp_path / "wide.safetensors")!r})
except KinsError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "weights and configuration don't fit" in done.stdout
    assert "Error" not in done.stderr


@pytest.mark.parametrize(
    "change", [{"step": None}, {"step": "3"}, {"seconds": math.nan}, {"best": [1]}, {"step": True}]
)
def test_a_checkpoint_says_where_its_run_stands(tmp_path: Path, change: dict[str, Any]) -> None:
    state = {"step": 3, "seconds": 1.5, "best": -math.inf}
    path = tmp_path / "last.safetensors"
    weights.save(path, {"model.weight": torch.zeros(1)}, FACTS | state)
    assert weights.load(path, weights.RUN_STATE)[1]["best"] == -math.inf
    weights.save(path, {"model.weight": torch.zeros(1)}, FACTS | state | change)
    with pytest.raises(KinsError, match=rf"last\.safetensors: its {next(iter(change))} is "):
        weights.load(path, weights.RUN_STATE)


def test_layers_with_a_channel_a_class_are_known(detector: Path) -> None:
    model, _, categories = weights.load_model(detector)
    names = class_tensors(model)
    state = model.state_dict()
    assert len(names) == 8
    assert {state[name].shape[0] for name in names} == {len(categories) + 1, 4 * (len(categories) + 1)}


def test_files_of_other_kinds_are_refused_unread(tmp_path: Path, detector: Path) -> None:
    whole = detector.read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:-100])
    torch.save({"model.weight": torch.zeros(1)}, tmp_path / "pickled.pth")
    for name in ("cut.safetensors", "pickled.pth"):
        with pytest.raises(KinsError, match=f"{name}: not a readable safetensors file"):
            weights.load_model(tmp_path / name)
