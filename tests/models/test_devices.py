"""Devices and precisions: what can't work here is one line that says what can."""

from pathlib import Path

import numpy as np
import pytest
import torch
from lightning_fabric.accelerators import CUDAAccelerator
from tests.helpers import random_detector

from kins.config import load_config
from kins.demo.toys import write_shapes
from kins.errors import KinsError
from kins.models.devices import autocast, check_compiling, fabric_devices, pick_device, pick_precision
from kins.predict.predictor import Predictor
from kins.train.loop import train

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["tpu", "gpu", "cpu:first", "", *([] if torch.cuda.is_available() else ["cuda"])])
def test_devices_that_are_not_there(name: str) -> None:
    with pytest.raises(KinsError, match=rf"device: '{name}' is n"):
        pick_device(name)


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)


@pytest.mark.usefixtures("four_gpus")
@pytest.mark.parametrize(
    ("name", "processes", "devices"),
    [("cuda:3", 1, [3]), ("cuda", 1, 1), ("cuda", 4, 4), ("auto", 2, 2), ("cpu", 2, 2)],
)
def test_the_gpu_that_was_asked_for_is_the_one_that_trains(name: str, processes: int, devices: int | list[int]) -> None:
    device = pick_device(name)
    assert fabric_devices(device, processes) == devices
    if processes == 1 and device.type == "cuda":
        roots = CUDAAccelerator.parse_devices(fabric_devices(device, processes))
        assert CUDAAccelerator.get_parallel_devices(roots)[0] == torch.device("cuda", device.index or 0)


@pytest.mark.usefixtures("four_gpus")
def test_gpus_that_can_not_be_had() -> None:
    with pytest.raises(KinsError, match=r"'cuda:4' is not on this machine; the last one is cuda:3"):
        pick_device("cuda:4")
    with pytest.raises(KinsError, match=r"'cuda:3' is one GPU, but there are 2 processes"):
        fabric_devices(torch.device("cuda:3"), 2)


@pytest.mark.parametrize(
    ("name", "line"), [("16", "needs a GPU; on a CPU use bf16"), ("fp8", "use auto, 32, bf16 or 16")]
)
def test_precisions_that_do_not_work_on_a_cpu(tmp_path: Path, name: str, line: str) -> None:
    with pytest.raises(KinsError, match=rf"^precision: [^\n]*{line}[^\n]*$"):
        pick_precision(CPU, name)
    with pytest.raises(KinsError, match=line):
        Predictor.load(random_detector(tmp_path / "w.safetensors"), device="cpu", precision=name)


def test_bfloat16_works_on_a_cpu(tmp_path: Path) -> None:
    with autocast(CPU, "bf16")():
        product = torch.eye(2) @ torch.eye(2)
    assert product.dtype == torch.bfloat16
    image = np.random.default_rng(0).integers(0, 256, (96, 160, 3)).astype(np.uint8)
    scene = Predictor.load(random_detector(tmp_path / "w.safetensors"), device="cpu", precision="bf16")(image)
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
