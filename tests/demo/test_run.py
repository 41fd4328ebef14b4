"""The demo on very small settings: every stage runs and leaves what it promises."""

import dataclasses
import json
import math
import time

import pytest

from kins.demo.photos import photo_targets, show_photos
from kins.demo.run import (
    by_heart,
    check_outputs,
    demo,
    learn_and_show,
    merged,
    predicted,
    what_training_added,
)
from kins.demo.toys import write_shapes
from kins.errors import KinsError
from kins.evaluation import evaluate
from kins.files.pictures import read_picture
from kins.formats import load


def test_shapes_from_pictures_to_report(tmp_path):
    lines = []
    (toy,) = write_shapes(tmp_path / "photos in", 1)
    figures = demo(tmp_path, "shapes", minutes=0.1, say=lines.append, photos=tmp_path / "photos in")
    assert [line[0] for line in lines[:5]] == list("12345")
    assert lines[-2].startswith("6. show what the weights 'street'")
    assert lines[-1].startswith(f"{toy.image.file_name}: ")
    drawn = read_picture(tmp_path / "photos" / "000000.png")
    assert drawn.shape[0] != drawn.shape[1]
    assert drawn.std() > 1
    rows = (tmp_path / "run" / "log.csv").read_text().splitlines()
    count = rows[-1].split(",")[0]
    assert lines[2].startswith(f"3. after {count} step{'s' if count != '1' else ''}, predict")
    assert "the very pictures it was trained on" in lines[3]
    assert figures.keys() == {"box AP50", "amodal AP50", "inmodal AP50"}
    assert all(0 <= value <= 100 for value in figures.values())
    assert len(list((tmp_path / "pictures").glob("*.png"))) == len(load(tmp_path / "shapes.json")) == 6
    assert {"a_segm", "i_segm", "occlusion_score"} <= json.loads((tmp_path / "predictions.json").read_text())[
        "predictions"
    ][0].keys()
    assert "<html" in (tmp_path / "report" / "index.html").read_text()
    check_outputs(tmp_path, "shapes")  # all of it may be made anew


def test_what_training_added_is_told(tmp_path):
    """Beside the figures of the weights that it started from, on the same pictures."""
    material = by_heart(write_shapes(tmp_path / "shapes", 3), tmp_path / "shapes", tmp_path / "shapes.json")
    demo(tmp_path / "first", "shapes", minutes=0.1, say=lambda line: None)
    start = str(tmp_path / "first" / "run" / "best.safetensors")
    lines = []
    material = dataclasses.replace(material, start=start)
    figures = learn_and_show(tmp_path / "second", material, 0.1, time.monotonic(), lines.append)
    truth = load(material.test, images=material.test_images)
    alone = evaluate(truth, predicted(start, truth))
    assert f"box AP50 {alone.box['AP50']:.1f}, amodal AP50 {alone.amodal['AP50']:.1f}" in lines[0]
    assert "on 2 pictures, from these weights," in lines[1]
    assert lines[2].startswith("On 1 training pictures kept back to choose by, AP of both masks is ")
    told = next(line for line in lines if "weights that come with kins, alone" in line)
    if "those from before are used" in lines[2]:
        assert told.endswith("these are the figures of the weights that come with kins, alone")
        assert figures["amodal AP50"] == pytest.approx(alone.amodal["AP50"], abs=1, nan_ok=True)
    else:
        assert " of training added " in told or told.startswith("Training did not help")
    assert json.loads((tmp_path / "second/run/config.json").read_text())["train"]["init"] == start
    assert figures.keys() == {"box AP50", "amodal AP50", "inmodal AP50"}


def test_training_that_did_not_help_is_said():
    before, after = {"box AP50": 50.0, "amodal AP50": 40.0}, {"box AP50": 53.0, "amodal AP50": 39.0}
    told = what_training_added(before, after, 1234, 5.0)
    assert told.startswith("Of this, 1\N{NO-BREAK SPACE}234 steps of training added +3.0, -1.0: the weights")
    assert told.endswith("alone, have box AP50 50.0, amodal AP50 40.0 there")
    told = what_training_added(before, {"box AP50": 50.0, "amodal AP50": 39.9}, 12, 0.51)
    assert told.startswith("Training did not help in 0.5 minutes (12 steps): the weights")
    told = what_training_added(before, None, 12, 0.5)
    assert told.endswith("(12 steps): these are the figures of the weights that come with kins, alone")
    assert what_training_added({"box AP50": math.nan}, {"box AP50": math.nan}, 1, 1).startswith("Training did not help")


def test_a_folder_of_annotated_pictures(tmp_path):
    pictures = tmp_path / "pictures"
    for name, seed in (("a", 1), ("b", 2)):
        dataset = write_shapes(pictures / name, 1, seed=seed)
        (pictures / name / "000000.png").rename(pictures / f"{name}.png")
        dataset.save(pictures / f"{name}.json")
        text = (pictures / f"{name}.json").read_text()
        (pictures / f"{name}.json").write_text(text.replace("000000.png", f"{name}.png"))
    made = by_heart(merged(pictures), pictures, tmp_path / "samples.json")
    dataset = load(made.train, images=made.train_images)
    assert {image.file_name for image in dataset.images.values()} == {"a.png", "b.png"}
    assert dataset.categories == {1: "disc", 2: "box", 3: "triangle"}
    assert all(scene.read_image().shape == (160, 240, 3) and len(scene) >= 3 for scene in dataset)


def test_photographs_that_are_none_are_told(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"nothing")
    lines = []
    show_photos(photo_targets(tmp_path, tmp_path / "out"), lines.append)
    assert [line.startswith(str(tmp_path)) for line in lines] == [True, True]
    assert photo_targets(None, tmp_path) == {}
    with pytest.raises(KinsError, match="nowhere"):
        demo(tmp_path / "demo", "shapes", minutes=0.1, photos=tmp_path / "nowhere.png")
    assert not (tmp_path / "demo").exists()


def test_a_folder_without_annotations(tmp_path):
    with pytest.raises(KinsError, match="holds no annotation file"):
        demo(tmp_path / "out", tmp_path, minutes=1)
