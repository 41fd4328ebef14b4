"""Devices and precisions: what can't work here is one line that says what can."""

from pathlib import Path

import numpy as np
import pytest
import torch

from kins.config import load_config
from kins.demo.toys import write_shapes
from kins.errors import KinsError
from kins.models.devices import autocast, check_compiling, pick_device, pick_precision
from kins.predict.predictor import Predictor
from kins.train.loop import train

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["tpu", "gpu", "cpu:first", "", *([] if torch.cuda.is_available() else ["cuda"])])
def test_devices_that_are_not_there(name: str) -> None:
    with pytest.raises(KinsError, match=rf"device: '{name}' is n"):
        pick_device(name)


@pytest.mark.parametrize(
    ("name", "line"), [("16", "needs a GPU; on a CPU use bf16"), ("fp8", "use auto, 32, bf16 or 16")]
)
def test_precisions_that_do_not_work_on_a_cpu(name: str, line: str) -> None:
    with pytest.raises(KinsError, match=rf"^precision: [^\n]*{line}[^\n]*$"):
        pick_precision(CPU, name)
    with pytest.raises(KinsError, match=line):
        Predictor.load("street", device="cpu", precision=name)


def test_bfloat16_works_on_a_cpu() -> None:
    with autocast(CPU, "bf16")():
        product = torch.eye(2) @ torch.eye(2)
    assert product.dtype == torch.bfloat16
    image = np.random.default_rng(0).integers(0, 256, (96, 160, 3)).astype(np.uint8)
    scene = Predictor.load("street", device="cpu", precision="bf16")(image)
    assert (scene.image.height, scene.image.width) == (96, 160)


@pytest.mark.parametrize(
    ("setting", "line"), [("train.precision='16'", "needs a GPU"), ("train.compile=true", "no C\\+\\+ compiler")]
)
def test_training_says_so_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, line: str
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    dataset = write_shapes(tmp_path / "images", 2, (64, 96))
    with pytest.raises(KinsError, match=line):
        train(load_config("tiny", [setting, "train.device=cpu"]), dataset, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_compiling_is_checked_for_cpus_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    check_compiling(torch.device("cuda"))
    with pytest.raises(KinsError, match="'no-such-compiler'"):
        check_compiling(CPU)
