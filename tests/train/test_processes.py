"""One training in several processes, and in those that load: an error anywhere is one line, and ends all."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from kins.commands import cli
from kins.config import AugmentConfig, DataConfig
from kins.demo.toys import write_shapes
from kins.errors import KinsError
from kins.train import processes
from kins.train.processes import heard_once
from kins.train.samples import TrainingSet, arriving, collate

SMALL = ["model.channels=16", "model.head_channels=16", "model.hidden=32", "model.regions=16", "data.short_side=64"]
SMALL += ["train.batch=2", "train.device=cpu", "train.precision='32'"]


def test_one_process_that_fails_stops_all_with_one_message(tmp_path: Path) -> None:
    """torchrun with two CPU processes; one of them comes upon a picture that is not there."""
    images = tmp_path / "data/training/image_2"
    write_shapes(images, 4, (64, 96)).save(tmp_path / "data/train.json")
    (images / "000002.png").unlink()
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "kins"]
    command += ["train", "tiny", "--data", "data", "--out", "run", *SMALL, "data.workers=1"]
    paths = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, cwd=tmp_path, env=paths, capture_output=True, text=True)
    assert ended.returncode == 1
    told = [line for line in ended.stderr.splitlines() if line.startswith("kins: ")]
    assert len(told) == 1, ended.stderr
    assert "000002.png" in told[0]
    assert "Traceback" not in told[0]


def loader(data: torch.utils.data.Dataset[Any]) -> Any:
    order = [[(index, index)] for index in range(4)]
    return torch.utils.data.DataLoader(data, batch_sampler=order, num_workers=1, collate_fn=collate)


def test_an_error_in_a_loading_process_is_the_same_line_as_without_one(tmp_path: Path) -> None:
    dataset = write_shapes(tmp_path, 4, (64, 96))
    (tmp_path / "000002.png").unlink()
    samples = TrainingSet(dataset, DataConfig(short_side=64), AugmentConfig())
    with pytest.raises(KinsError) as plain:
        samples[2, 2]
    arrived = []
    with pytest.raises(KinsError) as sent:
        arrived += arriving(loader(samples))
    assert str(sent.value) == str(plain.value)


class Fatal(torch.utils.data.Dataset[Any]):
    """Ends the process that loads from it, as the system does where there is no memory."""

    def __getitem__(self, draw: tuple[int, int]) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_loading_process_that_dies_is_one_line() -> None:
    with pytest.raises(KinsError, match="a loading process died; is there enough memory"):
        list(arriving(loader(Fatal())))


def test_the_first_process_speaks_before_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(processes.time, "sleep", waited.append)
    for rank, expected in (("0", []), ("1", [processes.HEARD])):
        monkeypatch.setenv("RANK", rank)
        with pytest.raises(KinsError, match="no data"), heard_once():
            raise KinsError("no data")
        assert waited == expected
