"""Prediction files are written picture by picture: memory, interruptions, and going on where one stopped."""

import gc
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import PIL.Image
import pytest
from tests import helpers

import kins
from kins.config import load_config
from kins.demo.toys import write_shapes
from kins.errors import KinsError
from kins.predict.files import predict_files
from kins.predict.predictor import Predictor
from kins.records import Scene
from kins.train.loop import train

SMALL = [*helpers.SMALL, "model.proposals_test=50", "model.score_threshold=0.0", "train.steps=1"]
PICTURES = 12


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    shapes = write_shapes(folder / "shapes", 2, (64, 96))
    train(load_config("tiny", SMALL), shapes, folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    write_shapes(folder, PICTURES, (64, 96))
    return folder


def command(run, pictures, out, *options):
    return [
        *(sys.executable, "-m", "kins", "predict", str(run), str(pictures), "-o", str(out)),
        *("--device", "cpu", "--precision", "32", "--batch", "1", *options),
    ]


def test_memory_does_not_grow_with_the_pictures(run, pictures, tmp_path, monkeypatch):
    batch, alive = Predictor.batch, []

    def watched(self, images):
        gc.collect()
        alive.append(sum(type(thing) is Scene for thing in gc.get_objects()))
        return batch(self, images)

    monkeypatch.setattr(Predictor, "batch", watched)
    summary = predict_files(run, [pictures], tmp_path / "pred.json", batch=2, device="cpu")
    assert summary.images == PICTURES
    assert len(alive) == PICTURES / 2
    assert max(alive) == alive[1]  # the last batch


def images_in(part):
    """Of an unfinished file: the images that are whole."""
    return [scene.image.id for scene in kins.load(part)] if part.exists() and part.stat().st_size > 1000 else []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_prediction_goes_on(run, pictures, tmp_path, how):
    whole, out, shown = tmp_path / "whole.json", tmp_path / "pred.json", tmp_path / "shown"
    predict_files(run, [pictures], whole, batch=1, device="cpu", precision="32")
    part = tmp_path / "pred.json.part"
    process = subprocess.Popen(command(run, pictures, out, "--show", str(shown)), stderr=subprocess.PIPE, text=True)
    while len(images_in(part)) < 3 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(how)
    _, error = process.communicate(timeout=60)
    assert not out.exists()
    done = images_in(part)
    assert 3 <= len(done) < PICTURES
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert error == "kins: stopped; the same command goes on where it stopped\n"
    drawn = {path.name: path.stat().st_mtime_ns for path in shown.glob("[!.]*")}
    assert {f"{image_id:06d}.png" for image_id in done} <= drawn.keys()
    gone_on = subprocess.run(
        command(run, pictures, out, "--show", str(shown)), capture_output=True, text=True, timeout=300
    )
    assert gone_on.returncode == 0, gone_on.stderr
    assert gone_on.stdout.endswith(f" detections in {PICTURES} images, {len(done)} of them done before\n")
    assert not part.exists()
    assert out.read_bytes() == whole.read_bytes()
    again = {path.name: path.stat().st_mtime_ns for path in shown.glob("[!.]*")}
    assert len(again) == PICTURES
    assert all(again[f"{image_id:06d}.png"] == drawn[f"{image_id:06d}.png"] for image_id in done)


def interrupted(run, pictures, out, monkeypatch, **options):
    """The same call, which stops at the third picture."""
    batch, left = Predictor.batch, [2]

    def stopping(self, images):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return batch(self, images)

    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "batch", stopping)
        with pytest.raises(KeyboardInterrupt):
            predict_files(run, [pictures], out, batch=1, device="cpu", **options)
    return out.with_name(out.name + ".part")


def test_other_settings_weights_or_pictures_are_named(run, pictures, tmp_path, monkeypatch):
    out, mine = tmp_path / "pred.json", tmp_path / "mine"
    mine.mkdir()
    for path in sorted(pictures.iterdir())[:5]:
        (mine / path.name).write_bytes(path.read_bytes())
    part = interrupted(run, mine, out, monkeypatch)
    for options, what in (({"score": 0.5}, "score"), ({"precision": "32"}, "precision")):
        with pytest.raises(KinsError, match=rf"pred\.json\.part: was begun with other {what}; remove it"):
            predict_files(run, [mine], out, batch=1, device="cpu", **options)
    PIL.Image.new("RGB", (96, 64)).save(mine / "000099.png")
    with pytest.raises(KinsError, match="begun with other pictures; remove it"):
        predict_files(run, [mine], out, batch=1, device="cpu")
    (mine / "000099.png").unlink()
    weights = run / "best.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-4] + b"\0\0\0\1")
    try:
        with pytest.raises(KinsError, match="begun with other weights SHA-256; remove it"):
            predict_files(run, [mine], out, batch=1, device="cpu")
    finally:
        weights.write_bytes(content)
    assert len(images_in(part)) == 2
    assert predict_files(run, [mine], out, batch=1, device="cpu").before == 2
    assert predict_files(run, [mine], out, batch=1, device="cpu").before == 0
    interrupted(run, mine, out, monkeypatch)
    assert predict_files(run, [mine], out, batch=1, device="cpu", score=0.3, resume=False).before == 0


def test_two_at_once_are_refused(run, pictures, tmp_path):
    process = subprocess.Popen(command(run, pictures, tmp_path / "pred.json"), stdout=subprocess.DEVNULL)
    part = tmp_path / "pred.json.part"
    while len(images_in(part)) < 1 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(KinsError, match="another process is writing it"):
        predict_files(run, [pictures], tmp_path / "pred.json", batch=1, device="cpu", precision="32")
    process.send_signal(signal.SIGCONT)
    assert process.wait(timeout=300) == 0
    assert len(kins.load(tmp_path / "pred.json")) == PICTURES


def test_nothing_is_left_where_nothing_was_predicted(run, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(KinsError, match="not one of 1 pictures could be used"):
        predict_files(run, [tmp_path], tmp_path / "pred.json", device="cpu")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_the_file_names_its_pictures(run, pictures, tmp_path):
    for name in ("a/x.png", "b/x.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes((pictures / "000000.png").read_bytes())
    strange = os.path.join(os.fsencode(tmp_path), b"b", b"\xff.png")
    Path(os.fsdecode(strange)).write_bytes((pictures / "000001.png").read_bytes())
    predict_files(run, [tmp_path / "a", tmp_path / "b"], tmp_path / "pred.json", device="cpu")
    found = kins.load(tmp_path / "pred.json", images=tmp_path)
    assert [image.file_name for image in found.images.values()] == ["a/x.png", "b/x.png", "b/\ufffd.png"]
    assert found[0].read_image().shape == (64, 96, 3)
    assert json.loads((tmp_path / "pred.json").read_text())["info"]["weights"] == str(run)
