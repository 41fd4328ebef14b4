"""An evaluation that is killed leaves nothing half written, and the same command ends as if nothing had been."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from kins.demo.toys import write_shapes

REPORT = ["--report", "report"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    truth = write_shapes(folder / "pictures", 8, (64, 96))
    truth.save(folder / "truth.json")
    scored = truth.map(lambda s: s.replace(instances=tuple(i.replace(score=0.9) for i in s)))
    scored.save(folder / "found.json", format="predictions")
    return folder


def whole(folder: Path) -> None:
    """Every file under a name of its own is whole."""
    for path in folder.rglob("[!.]*"):
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".svg":
            ElementTree.parse(path)
        elif path.suffix == ".html":
            assert path.read_text().rstrip().endswith("<!-- made by kins -->")


def killed(data: Path, folder: Path, after: float) -> bool:
    """Whether it was still at work."""
    command = [sys.executable, "-m", "kins", "eval", str(data / "truth.json"), str(data / "found.json"), *REPORT]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), said
    return process.returncode != 0


def ends(data: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "kins", "eval", str(data / "truth.json"), str(data / "found.json"), *REPORT]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    whole(folder)
    assert (folder / "report" / "index.html").is_file()


def test_a_killed_evaluation(data: Path, tmp_path: Path) -> None:
    killed(data, tmp_path, 0.8)
    whole(tmp_path)
    ends(data, tmp_path)


@pytest.mark.slow
def test_twenty_killed_evaluations(data: Path, tmp_path: Path) -> None:
    moments = random.Random(1)
    at_work = 0
    for _ in range(20):
        at_work += killed(data, tmp_path, moments.uniform(0.2, 3.0))
        whole(tmp_path)
    assert at_work >= 5
    ends(data, tmp_path)
