"""What commands refuse to write over: their inputs, and files that kins did not make; its own they replace."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import PIL.Image
import pytest
from tests.helpers import SMALL

from kins.commands import cli
from kins.commands.cli import main
from kins.demo.run import demo
from kins.demo.toys import write_shapes
from kins.errors import KinsError

FOREIGN = "exists and was not written by kins; choose another name, or remove it first"
INPUT = "is the input; choose another name"


@pytest.fixture
def kins(tmp_path, monkeypatch, capsys):
    """Runs a command in a folder with pictures of shapes, data/training/image_2/*.png, and data/train.json."""
    monkeypatch.chdir(tmp_path)
    write_shapes("data/training/image_2", 2, (64, 96)).save("data/train.json")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["kins", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
        return stopped.value.code or 0, capsys.readouterr().err

    return run


@pytest.fixture
def predictions(kins):
    """A prediction file that agrees with the truth."""
    rows = json.loads(Path("data/train.json").read_text())["annotations"]
    keys = ("image_id", "category_id", "a_segm", "a_bbox", "i_segm", "i_bbox")
    Path("pred.json").write_text(json.dumps([{key: row[key] for key in keys} | {"score": 0.9} for row in rows]))
    return Path("pred.json")


def contents():
    """Every file below the folder, with its bytes."""
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def refused(kins, message, *arguments):
    """Whether the command gives up with one line, before it has changed anything."""
    before = contents()
    code, error = kins(*arguments)
    assert (code, error.count("\n")) == (2, 1), error
    assert message in error
    assert contents() == before


IMAGES = "data/training/image_2"
WRITING = {
    "convert": (["convert", "data/train.json", "out.json", "--to", "kins2019"], ["out.json"]),
    "predictions": (["convert", "data/train.json", "out.json", "--to", "cocoa"], ["out.json"]),
    "order": (["order", "data/train.json", "out.json"], ["out.json"]),
    "agree": (["agree", "data/train.json", "data/train.json", "-o", "out.json"], ["out.json"]),
    "validate": (["validate", "data/train.json", "--fix", "out.json"], ["out.json"]),
    "show": (["show", "data/train.json", "--images", IMAGES, "--image", "0", "-o", "out.png"], ["out.png"]),
    "show as JPEG": (["show", "data/train.json", "--image", "0", "-o", "out.jpg"], ["out.jpg"]),
    "show as WebP": (["show", "data/train.json", "--image", "0", "-o", "out.webp"], ["out.webp"]),
    "graph": (["show", "data/train.json", "--image", "0", "--graph", "out.svg"], ["out.svg"]),
    "stats": (
        ["stats", "data/train.json", "--no-shapes", "--plots", "plots"],
        ["plots/classes.png", "plots/classes.svg", "plots/sizes.png", "plots/occlusion_rates.svg"],
    ),
    "eval": (
        ["eval", "data/train.json", "pred.json", "--report", "report"],
        ["report/index.html", "report/figures.json", "report/figures/overall.svg", "report/figures/confusion.svg"],
    ),
}


@pytest.mark.parametrize("name", WRITING)
def test_only_what_kins_wrote_is_replaced(kins, predictions, name):
    arguments, outputs = WRITING[name]
    assert kins(*arguments)[0] == 0
    first = contents()
    assert set(map(Path, outputs)) <= first.keys()
    assert kins(*arguments)[0] == 0  # a command can be repeated
    assert contents().keys() == first.keys()
    for output in map(Path, outputs):
        output.write_text("not by kins\n")
        refused(kins, f"{output}: {FOREIGN}", *arguments)
        output.write_text("")
        assert kins(*arguments)[0] == 0
        assert output.stat().st_size


def test_every_file_of_plots_and_reports_is_checked(kins, predictions):
    for arguments, folder in (
        (["stats", "data/train.json", "--plots", "plots"], "plots"),
        (["eval", "data/train.json", "pred.json", "--report", "report"], "report"),
        (["eval", "data/train.json", "pred.json", "./pred.json", "--report", "two"], "two"),
    ):
        assert kins(*arguments)[0] == 0
        for path in (path for path in contents() if path.is_relative_to(folder)):
            kept = path.read_bytes()
            path.write_text("not by kins\n")
            refused(kins, f"{path}: {FOREIGN}", *arguments)
            path.write_bytes(kept)


def test_exports_replace_neither_their_weights_nor_foreign_files(kins):
    for name in ("other.pt2", "other.onnx", "weights.onnx"):
        Path(name).write_text("not by kins\n")
    refused(kins, f"other.pt2: {FOREIGN}", "export", "street", "other.pt2")
    refused(kins, f"other.onnx: {FOREIGN}", "export", "street", "other.onnx")
    refused(kins, f"weights.onnx: {INPUT}", "export", "weights.onnx", "weights.onnx")
    refused(kins, "--size 64: give width and height in pixels", "export", "street", "out.pt2", "--size", "64")


@pytest.mark.parametrize("spelling", ["data/train.json", "data/../data/train.json", "link.json", "hard.json"])
def test_the_input_is_never_replaced(kins, spelling):
    Path("link.json").symlink_to("data/train.json")
    os.link("data/train.json", "hard.json")
    Path("other.json").write_bytes(Path("data/train.json").read_bytes())
    for arguments in (
        ["convert", "data/train.json", spelling, "--to", "cocoa"],
        ["order", "data/train.json", spelling],
        ["order", "other.json", spelling, "--inmodal", "data/train.json"],
        ["agree", "other.json", "data/train.json", "-o", spelling],
        ["validate", "data/train.json", "--fix", spelling],
        ["show", "data/train.json", "--image", "0", "-o", spelling],
    ):
        refused(kins, f"{spelling}: {INPUT}", *arguments)


def test_pictures_are_never_replaced(kins):
    picture = f"{IMAGES}/000000.png"
    refused(kins, INPUT, "show", "data/train.json", "--images", IMAGES, "--image", "0", "-o", picture)
    message = f"{picture}: is one of the input pictures"
    refused(kins, message, "convert", "data/train.json", picture, "--to", "cocoa", "--images", IMAGES)
    refused(kins, f"{picture}: {INPUT}", "predict", "street", IMAGES, "-o", "p.json", "--show", IMAGES)
    refused(kins, f"{picture}: {INPUT}", "predict", "street", picture, "-o", picture)
    Path("elsewhere").symlink_to(IMAGES)
    refused(kins, INPUT, "predict", "street", f"{IMAGES}/*.png", "-o", "p.json", "--show", "elsewhere")
    refused(kins, INPUT, "predict", "street", IMAGES, "--annotations", "data/train.json", "-o", "data/train.json")
    PIL.Image.new("RGB", (8, 8)).save("photo.png")
    refused(kins, f"photo.png: {FOREIGN}", "predict", "street", picture, "-o", "photo.png")
    Path("drawn").mkdir()
    PIL.Image.new("RGB", (8, 8)).save("drawn/000001.png")
    refused(kins, f"drawn/000001.png: {FOREIGN}", "predict", "street", IMAGES, "-o", "p.json", "--show", "drawn")


def test_a_training_replaces_only_its_own_run(kins):
    arguments = ["train", "tiny", "--data", "data", "--out", "run", *SMALL]
    for name in ("config.json", "log.csv", "evaluations.csv", "best.safetensors", "last.safetensors"):
        Path("run").mkdir(exist_ok=True)
        Path("run", name).write_text("step,of\n1,another\n")
        refused(kins, f"run/{name}: {FOREIGN}", *arguments, "train.steps=2")
        Path("run", name).unlink()
    assert kins(*arguments, "train.steps=2") == (0, "")
    assert json.loads(Path("run/config.json").read_text())["data"]["root"] == "data"
    assert kins(*arguments, "train.steps=4") == (0, "run: goes on after step 2\n")
    assert Path("run/log.csv").read_text().count("\n") == 3  # the header, and the last step of each
    Path("run/config.json").write_text(Path("run/config.json").read_text().rstrip() + "\n")
    assert kins(*arguments, "train.steps=5")[0] == 0  # as of a run from before there was a mark
    Path("run/last.safetensors").unlink()
    refused(kins, f"run/best.safetensors: {INPUT}", *arguments, "train.steps=6", "train.init=run")
    refused(kins, f"run/best.safetensors: {INPUT}", "predict", "run", IMAGES, "-o", "run/best.safetensors")
    refused(kins, f"run/config.json: {INPUT}", "train", "run/config.json", "--data", "data", "--out", "run")


def test_two_trainings_in_one_folder(kins):
    """A process with a loader of its own, which lives on for a while when it is killed, and this one."""
    arguments = ["train", "tiny", "--data", "data", "--out", "run", *SMALL]
    command = [sys.executable, "-m", "kins", *arguments, "train.steps=100000", "data.workers=1"]
    paths = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=paths)
    try:
        while not Path("run/config.json").exists():
            assert first.poll() is None
            time.sleep(0.1)
        message = "kins: run: another training is writing there; wait for it, or choose another --out\n"
        assert kins(*arguments, "train.steps=2") == (2, message)
        assert first.poll() is None
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    assert kins(*arguments, "train.steps=2") == (0, "")


@pytest.mark.parametrize(
    "name", ["run/best.safetensors", "run/log.csv", "predictions.json", "pictures/photo.png", "report/index.html"]
)
def test_the_demo_refuses_a_folder_with_other_files(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text("not by kins\n")
    for material in ("streets", "shapes"):
        with pytest.raises(KinsError, match=f"{name}: {FOREIGN}"):
            demo(tmp_path, material, minutes=0.2, say=lambda line: pytest.fail(line))
    assert list(contents()) == [Path(name)]


def test_the_demo_leaves_the_samples_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_shapes("pictures", 1, (64, 96)).save("pictures/samples.json")
    before = contents()
    with pytest.raises(KinsError, match=r"000000.png: is one of the input pictures"):
        demo(".", "pictures", minutes=0.2, say=lambda line: pytest.fail(line))
    with pytest.raises(KinsError, match=r"samples\.json: is the input"):
        demo("pictures", "pictures", minutes=0.2, say=lambda line: pytest.fail(line))
    assert contents() == before
