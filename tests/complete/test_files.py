"""kins complete: data sets, predictions and results of other systems in, a prediction file out."""

import json
import subprocess
import sys

import numpy as np
import pytest

import kins
from kins import KinsError
from kins.complete import Completer
from kins.complete.files import complete_files, open_masks
from kins.demo.toys import write_shapes


def run(*arguments):
    done = subprocess.run([sys.executable, "-m", "kins", *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


HULLS = ("--with", "convex-order")  # without torch, which takes seconds to import


@pytest.fixture
def shapes(tmp_path):
    dataset = write_shapes(tmp_path / "pictures", 4)
    dataset.save(tmp_path / "truth.json")
    return tmp_path


def test_annotations_are_completed_and_evaluated(shapes):
    code, out, err = run(
        "complete", shapes / "truth.json", "--images", shapes / "pictures", "-o", shapes / "whole.json"
    )
    assert (code, err) == (0, "")
    truth, whole = kins.load(shapes / "truth.json"), kins.load(shapes / "whole.json")
    assert f"{sum(map(len, truth))} instances in 4 images" in out
    for before, after in zip(truth, whole, strict=True):
        assert [i.inmodal for i in after] == [i.inmodal for i in before]
        assert [(i.score, i.extra["annotation_id"]) for i in after] == [(1.0, i.id) for i in before]
    code, out, err = run("eval", shapes / "truth.json", shapes / "whole.json", "--completion", "--json")
    assert code == 0, err
    assert json.loads(out)["full"] > 80


def test_predictions_keep_scores_and_ids(shapes):
    scored = kins.load(shapes / "truth.json").map(
        lambda scene: scene.replace(instances=tuple(i.replace(score=0.5, amodal=None) for i in scene))
    )
    scored.save(shapes / "found.json", format="predictions")
    code, _, err = run("complete", shapes / "found.json", "-o", shapes / "whole.json", "--with", "convex")
    assert (code, err) == (0, "")
    whole = kins.load(shapes / "whole.json")
    assert {i.score for scene in whole for i in scene} == {0.5}
    assert all(i.amodal is not None and "annotation_id" not in i.extra for scene in whole for i in scene)


def test_results_of_another_system_by_file_name(shapes):
    rows = [
        {"image_id": scene.image.id, "category_id": i.category_id, "score": 0.9, "segmentation": i.inmodal.segmentation}
        for scene in kins.load(shapes / "truth.json")
        for i in scene
    ]
    (shapes / "results.json").write_text(json.dumps(rows))
    options = [
        "--images",
        shapes / "pictures",
        "--categories",
        "none,disc,box,triangle",
        "--show",
        shapes / "shown",
        *HULLS,
    ]
    code, _, err = run("complete", shapes / "results.json", "-o", shapes / "whole.json", *options)
    assert (code, err) == (0, "")
    whole = kins.load(shapes / "whole.json")
    assert {i.category for scene in whole for i in scene} <= {"disc", "box", "triangle"}
    assert len(list((shapes / "shown").glob("*.png"))) == 4


def test_an_interrupted_completion_goes_on(shapes):
    dataset, calls = kins.load(shapes / "truth.json"), []

    def method(image, scene):
        calls.append(scene.image.id)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return scene.masks("inmodal")

    with pytest.raises(KeyboardInterrupt):
        complete_files(dataset, shapes / "whole.json", Completer(method, needs_image=False))
    assert not (shapes / "whole.json").exists()
    assert complete_files(dataset, shapes / "whole.json", Completer(method, needs_image=False)).images == 4
    assert calls == [0, 1, 2, 2, 3]
    assert len(kins.load(shapes / "whole.json")) == 4


def test_a_method_gets_the_picture(shapes):
    seen = []

    def method(image, scene):
        seen.append(image.shape)
        return scene.masks("inmodal")

    complete_files(open_masks(shapes / "truth.json", shapes / "pictures"), shapes / "whole.json", Completer(method))
    assert seen == [(160, 240, 3)] * 4
    with pytest.raises(KinsError, match="no image folder given"):
        complete_files(open_masks(shapes / "truth.json"), shapes / "again.json", Completer(method))


def test_bad_input_is_one_line(shapes):
    boxes = [{"image_id": 0, "category_id": 1, "score": 0.9, "bbox": [1, 2, 30, 40]}]
    (shapes / "boxes.json").write_text(json.dumps(boxes))
    (shapes / "results.pkl").write_bytes(b"\x80\x04.")
    for source, match in (
        ("boxes.json", "has no inmodal mask"),
        ("results.pkl", "can run code"),
        ("nothing.json", "no such file"),
        ("pictures", "holds no result files"),
    ):
        code, _, err = run(
            "complete", shapes / source, "--images", shapes / "pictures", "-o", shapes / "whole.json", *HULLS
        )
        assert code == 2
        assert match in err
        assert err.count("\n") == 1
        assert str(shapes / source) in err
    code, _, err = run("complete", shapes / "truth.json", "-o", shapes / "truth.json")
    assert (code, "is the input" in err) == (2, True)
    code, _, err = run("complete", shapes / "truth.json", "-o", shapes / "whole.json", "--with", "magic")
    assert (code, "methods are visible, convex, convex-order, completion" in err) == (2, True)


def test_an_empty_list_of_results_has_no_images(shapes):
    (shapes / "none.json").write_text("[]")
    assert len(open_masks(shapes / "none.json", shapes / "pictures")) == 0
    assert np.all([len(scene) == 0 for scene in open_masks(shapes / "none.json", like=shapes / "truth.json")])


def test_a_single_entry_of_cocoa(samples, tmp_path):
    whole = tmp_path / "whole.json"
    code, _, err = run("complete", samples / "2.json", "--images", samples, "-o", whole, "--show", tmp_path / "shown")
    assert (code, err) == (0, "")
    assert len(kins.load(whole)) == len(list((tmp_path / "shown").glob("*.png"))) == 1


SEEN = {"size": [160, 240], "counts": [5, 20, 38375]}
BAD = {
    "another size": ({"segmentation": {"size": [10, 10], "counts": [3, 4, 93]}}, "is of size 10 x 10, the image 240"),
    "too many pixels": ({"segmentation": {"size": [160, 240], "counts": [0, 10**9]}}, "run"),
    "negative run": ({"segmentation": {"size": [160, 240], "counts": [0, -5, 38405]}}, "run"),
    "polygon outside": ({"segmentation": [[500, 50, 600, 50, 600, 90]]}, "lies outside of 000000.png, which has 240 x"),
    "polygon far away": ({"segmentation": [[1e9, 1, 2e9, 1, 2e9, 9]]}, "far outside of any image"),
    "no mask": ({"segmentation": None}, "neither a mask nor a box"),
    "no polygons": ({"segmentation": []}, "neither a mask nor a box"),
    "text": ({"segmentation": "abc"}, "neither a list of polygons nor an RLE"),
    "unknown number": ({"image_id": 99}, "no picture is named after 99"),
    "unknown name": ({"image_id": "zebra"}, "no picture is named after 'zebra'"),
    "no name": ({"image_id": [1]}, "no image_id"),
    "score of NaN": ({"score": float("nan")}, "NaN is not JSON"),
    "score of two": ({"score": 2}, "score 2 is not between 0 and 1"),
    "no score": ({"score": None}, "score None is not between 0 and 1"),
    "box of NaN": ({"bbox": [1, 2, float("nan"), 4]}, "NaN is not JSON"),
    "box inside out": ({"bbox": [1, 2, -3, 4]}, "is no x, y, width, height"),
}


@pytest.mark.parametrize("case", BAD)
def test_results_that_can_not_be_used_are_one_line_with_their_place(shapes, case):
    changes, match = BAD[case]
    row = {"image_id": 0, "category_id": 1, "score": 0.9, "segmentation": SEEN}
    (shapes / "results.json").write_text(json.dumps([row, {**row, **changes}]))

    def complete():
        dataset = open_masks(shapes / "results.json", shapes / "pictures")
        complete_files(dataset, shapes / "whole.json", Completer.load("convex-order"))

    with pytest.raises(KinsError) as caught:
        complete()
    assert match in str(caught.value)
    assert f"{shapes / 'results.json'}: [1]" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (shapes / "whole.json").exists()


@pytest.mark.parametrize("name", ["found.pkl", "found.pth", "found.npz", "FOUND.PKL"])
def test_pickles_are_not_opened(shapes, name):
    (shapes / name).write_bytes(b"cos\nsystem\n(S'touch opened'\ntR.")
    with pytest.raises(KinsError, match="can run code when it is read; write the results as JSON"):
        open_masks(shapes / name, shapes / "pictures")
