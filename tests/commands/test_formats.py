"""Commands on predictions, and on files that have one kind of mask."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import kins
from kins.commands.cli import app
from kins.demo.toys import write_shapes


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Annotations (truth.json), predictions that find all (pred.json), and both as plain COCO with one mask."""
    monkeypatch.chdir(tmp_path)
    truth = write_shapes("pictures", 3)
    truth.save("truth.json")
    found = truth.map(lambda scene: scene.replace(instances=tuple(i.replace(score=0.75) for i in scene)))
    found.save("pred.json", format="predictions")
    for kind in ("amodal", "inmodal"):
        truth.save(f"coco-{kind}.json", format="coco", masks=kind)
    rows = json.loads((tmp_path / "pred.json").read_text())["predictions"]
    plain = [{"segmentation": r["a_segm"], **{k: r[k] for k in ("image_id", "category_id", "score")}} for r in rows]
    (tmp_path / "plain.json").write_text(json.dumps(plain))
    return tmp_path


def run(*arguments, code=0):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit | kins.KinsError):
        raise done.exception
    assert (done.exit_code == 0) == (code == 0), done.output
    return str(done.exception) if code else done.stdout, done.stderr


def test_predictions_are_data(files):
    run("show", "pred.json", "--images", "pictures", "--image", "000001.png", "-o", "out.png")
    figures = json.loads(run("stats", "pred.json", "truth.json", "--json", "--no-shapes")[0])["files"]
    assert figures[0]["instances"] == figures[1]["instances"] > 0
    _, said = run("order", "pred.json", "ordered.json")
    assert "not kept: score and occlusion_score" in said
    pairs = json.loads(run("agree", "pred.json", "truth.json", "--json")[0])["pairs"]
    assert pairs[0]["amodal_iou"] == 1
    _, said = run("convert", "pred.json", "kins.json", "--to", "kins2020")
    assert "not kept: score and occlusion_score" in said
    assert kins.load("kins.json")[1][0].amodal == kins.load("pred.json")[1][0].amodal
    figures = json.loads(run("eval", "truth.json", "pred.json", "--json")[0])
    assert figures["box"]["overall"]["AP"] == pytest.approx(100)


def test_annotations_without_scores_are_no_predictions(files):
    message, _ = run("convert", "truth.json", "out.json", "--to", "predictions", code=2)
    assert "has no score; predictions need one" in message
    assert not (files / "out.json").exists()


def test_a_plain_list_needs_its_ground_truth(files):
    for command in (["stats", "plain.json"], ["order", "plain.json", "out.json"]):
        message, _ = run(*command, code=2)
        assert "without images and categories" in message
    message, _ = run("convert", "plain.json", "out.json", "--to", "predictions", "--annotations", "truth.json", code=2)
    assert "--as" in message
    run("convert", "plain.json", "out.json", "--to", "predictions", "--annotations", "truth.json", "--as", "amodal")
    found, truth = kins.load("out.json"), kins.load("truth.json")
    assert [(i.score, i.amodal, i.inmodal) for s in found for i in s] == [
        (0.75, i.amodal, None) for s in truth for i in s
    ]


def test_plain_coco_as_ground_truth(files):
    message, _ = run("eval", "coco-amodal.json", "plain.json", "--masks", "amodal", code=2)
    assert "--as" in message
    done, _ = run("eval", "coco-amodal.json", "plain.json", "--as", "amodal", "--masks", "amodal", "--json")
    assert json.loads(done)["amodal"]["overall"]["AP"] == pytest.approx(100)


@pytest.mark.parametrize("kind", ["amodal", "inmodal"])
@pytest.mark.parametrize("target", ["kins2020", "kins2019"])
def test_one_mask_where_two_belong(files, kind, target):
    """What is missing is said once; it is no fault of each annotation."""
    other = "inmodal" if kind == "amodal" else "amodal"
    _, said = run("convert", f"coco-{kind}.json", "out.json", "--to", target, "--as", kind)
    assert said.count(f"missing: the input has no {other} masks") == 1
    report = json.loads(run("validate", "out.json", "--from", target, "--json")[0])
    assert report["errors"] == 0
    (problem,) = (p for p in report["problems"] if p["code"] == "mask-kind-missing")
    assert (problem["count"], problem["severity"]) == (1, "info")
    _, said = run("convert", "truth.json", "both.json", "--to", target)
    assert "missing" not in said


def test_a_single_missing_mask_is_an_error(files):
    content = json.loads((files / "truth.json").read_text())
    del content["annotations"][1]["i_segm"]
    (files / "one.json").write_text(json.dumps(content))
    done = CliRunner().invoke(app, ["validate", "one.json", "--json"])
    assert done.exit_code == 1
    (problem,) = (p for p in json.loads(done.stdout)["problems"] if p["severity"] == "error")
    assert (problem["code"], problem["places"][0]["place"]) == ("mask-missing", "annotations[1].i_segm")


def test_outlines_instead_of_run_lengths(files):
    run("convert", "truth.json", "out.json", "--to", "kins2020", "--polygons")
    rows = json.loads((files / "out.json").read_text())["annotations"]
    assert all(isinstance(row[name], list) for row in rows for name in ("a_segm", "i_segm"))
    for scene, other in zip(kins.load("out.json"), kins.load("truth.json"), strict=True):
        for one, two in zip(scene, other, strict=True):
            assert np.array_equal(one.amodal.to_array(), two.amodal.to_array())
            assert np.array_equal(one.inmodal.to_array(), two.inmodal.to_array())
