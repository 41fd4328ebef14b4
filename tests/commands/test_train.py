"""kins train: what it lists, says and keeps."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tests.helpers import SMALL

from kins.commands import cli
from kins.commands.cli import main
from kins.config import names
from kins.demo.toys import write_shapes
from kins.models.weights import find, load

TRAIN = ["train", "tiny", "--data", "data", "--out", "run", *SMALL]


@pytest.fixture
def kins(tmp_path, monkeypatch, capsys):
    """Runs a command in a folder with data to train and to test on; returns exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for part, name in (("training", "train"), ("testing", "test")):
        write_shapes(f"data/{part}/image_2", 3, (64, 96)).save(f"data/{name}.json")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["kins", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        return stopped.value.code or 0, printed.out, printed.err

    return run


def started(*arguments, **options):
    """The same in a process of its own."""
    paths = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "kins", *arguments]
    return subprocess.Popen(command, env=paths, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def test_the_help_lists_all_configurations_at_once():
    script = "import sys; sys.argv = ['kins', 'train', '--help']\nfrom kins.commands import cli\n"
    script += "try: cli.main()\nfinally: "
    script += "print(sorted({'torch', 'yaml', 'kins.config'} & sys.modules.keys()))"
    paths = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2]), "COLUMNS": "100"}
    told = subprocess.run([sys.executable, "-c", script], env=paths, capture_output=True, text=True, check=True).stdout
    assert ", ".join(names()) in " ".join(told.split())
    assert told.endswith("\n[]\n")


def test_figures_in_percent_under_the_names_that_kins_eval_uses(kins):
    code, told, errors = kins(*TRAIN, "train.steps=2")
    assert (code, errors) == (0, "")
    head, *table = [line for line in told.splitlines() if line.strip()]
    assert head == "run/best.safetensors: the best weights of this run, those after step 2; figures in percent"
    assert table[0].split() == ["AP", "AP50", "AP75"]
    assert [line.strip().split("  ")[0] for line in table[2:]] == ["amodal boxes", "amodal masks", "inmodal masks"]
    code, told, errors = kins(*TRAIN, "train.steps=2", "--json")
    assert (code, errors.count("\n")) == (0, 1)
    assert "run: ended after step 2; a larger train.steps" in errors
    figures = json.loads(told)
    assert figures["step"] == 2
    assert figures["evaluation"].keys() >= {"box_AP", "amodal_AP50", "inmodal_AP75", "score"}


def test_shipped_weights_in_one_word(kins, monkeypatch):
    """Nothing is fetched for it: the ImageNet weights that the configuration names are part of them."""
    monkeypatch.setenv("TORCH_HOME", "nowhere")
    plain = [part for part in SMALL if not part.startswith("model.")]
    line = ["train", "street", "--data", "data", "--out", "run", "--init", "street", *plain, "train.steps=1"]
    code, _, errors = kins(*line)
    assert (code, errors.count("\n")) == (0, 1), errors
    assert errors.startswith("train.init=street: ")
    assert "box_predictor" in errors
    assert json.loads(Path("run/config.json").read_text())["train"]["init"] == "street"
    before, after = (load(find(name))[0] for name in ("street", "run"))
    body = [name for name in before if name.startswith("model.backbone.body.")]
    assert all(torch.equal(before[name].float(), after[name]) for name in body)  # frozen all the same
    assert any(not torch.equal(before[name].float(), after[name]) for name in before if "fpn" in name)


def test_weights_that_are_gone_are_one_line(kins):
    code, _, errors = kins("train", "tiny", "--data", "data", "--out", "run", "--init", "street-tiny")
    assert (code, errors) == (2, "kins: street-tiny: these weights no longer come with kins; 'street' replaces them\n")


def test_only_the_first_process_speaks(kins, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    assert kins(*TRAIN, "train.steps=1") == (0, "", "")


def test_control_c_is_one_line_that_says_what_is_kept(kins):
    process = started(*TRAIN, "train.steps=100000", "train.checkpoint_every=1", "data.workers=1")
    while not Path("run/last.safetensors").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    assert process.returncode == 130
    assert errors.count("\n") == 1, errors
    assert errors.startswith("kins: stopped; run keeps the first ")
    assert {path.name for path in Path("run").iterdir()} <= {
        *("config.json", "log.csv", "last.safetensors", "tensorboard", ".lock")
    }


@pytest.mark.parametrize("most", [600, 60_000])
def test_a_disk_that_is_full_is_one_line(kins, most):
    """A limit on the size of files stands for it: the system refuses to write at some place in the middle."""
    limit = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))}
    process = started(*TRAIN, "train.steps=2", **limit)
    told, errors = process.communicate()
    assert (process.returncode, told, errors.count("\n")) == (2, "", 1), errors
    assert errors.startswith("kins: run")
    assert "can't be written (File too large" in errors or "File too large" in errors
    assert not [path for path in Path("run").iterdir() if path.name.startswith((".last", ".best", ".tmp", ".config"))]
