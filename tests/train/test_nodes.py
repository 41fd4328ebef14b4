"""Two nodes: two network namespaces, as two machines on one cable, with torchrun on each."""

import csv
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import helpers

from kins.demo.toys import write_shapes

SMALL = [*helpers.SMALL, "model.proposals_train=50", "model.proposals_test=50", "train.log_every=1", "train.warmup=2"]
TRAIN = ["train", "tiny", "--data", "data", *SMALL, "train.steps=2", "train.batch=4", "train.optimizer=sgd"]


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def nodes() -> Iterator[tuple[str, str]]:
    """Names of two namespaces: 10.77.0.1 and 10.77.0.2."""
    names = (f"kins{os.getpid()}a", f"kins{os.getpid()}b")
    try:
        if shutil.which("ip") is None:
            raise FileNotFoundError
        for name in names:
            ip("netns", "add", name)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("network namespaces need `ip` and its rights")
    try:
        ip("link", "add", "kv0", "netns", names[0], "type", "veth", "peer", "name", "kv1", "netns", names[1])
        for number, name in enumerate(names):
            ip("-n", name, "addr", "add", f"10.77.0.{number + 1}/24", "dev", f"kv{number}")
            ip("-n", name, "link", "set", f"kv{number}", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def rows(folder: Path) -> list[list[float]]:
    with (folder / "log.csv").open(newline="") as file:
        header, *lines = list(csv.reader(file))
    columns = [number for number, name in enumerate(header) if name.startswith("loss")]
    return [[float(line[column]) for column in columns] for line in lines]


@pytest.mark.slow
def test_two_nodes_give_what_one_process_gives(tmp_path: Path, nodes: tuple[str, str]) -> None:
    write_shapes(tmp_path / "data/training/image_2", 6, (64, 96)).save(tmp_path / "data/train.json")
    options = {"cwd": tmp_path, "env": {**os.environ, "OMP_NUM_THREADS": "1"}, "text": True}
    subprocess.run([sys.executable, "-m", "kins", *TRAIN, "--out", "one"], check=True, capture_output=True, **options)
    started = []
    for number, name in enumerate(nodes):
        launch = ["--nnodes=2", f"--node-rank={number}", "--nproc-per-node=1"]
        launch += ["--master-addr=10.77.0.1", "--master-port=29512"]
        command = ["ip", "netns", "exec", name, "env", f"GLOO_SOCKET_IFNAME=kv{number}", sys.executable]
        command += ["-m", "torch.distributed.run", *launch, "-m", "kins", *TRAIN, "--out", "two"]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options))
    said = [process.communicate(timeout=500) for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    assert sum("best.safetensors" in out for out, _ in said) == 1  # the last lines come from one of them
    for one, two in zip(rows(tmp_path / "one"), rows(tmp_path / "two"), strict=True):
        assert two == pytest.approx(one, rel=2e-2)  # in single precision
