"""kins data: merging, splitting, filtering and cropping files, against plain counts and decoded masks."""

import io
import json
import sys
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout

import numpy as np
import pytest
import typer
from tests.evaluation.workloads import workload

import kins
from kins.commands.cli import main
from kins.commands.data import app
from kins.demo.toys import write_shapes


def run(*arguments):
    """Exit code, standard output and error of kins data."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["kins", "data", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
    return int(left.value.code or 0), out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    dataset = write_shapes(folder / "pictures", 20)
    dataset.save(folder / "all.json")
    return folder


def entries(path):
    return json.loads(path.read_text())


def document(images, rows, categories, **extra):
    square = [[1, 1, 6, 1, 6, 6, 1, 6]]
    return {
        **extra,
        "images": [{"height": 8, "width": 9, **image} for image in images],
        "annotations": [{"a_segm": square, "i_segm": square, **row} for row in rows],
        "categories": categories,
    }


def test_merging_joins_categories_and_says_what_clashes(tmp_path):
    """Fields that kins has no name for, of annotations, images, categories and files, stay."""
    first = document(
        [{"id": 1, "file_name": "a.png", "weather": "rain"}],
        [{"id": 5, "image_id": 1, "category_id": 4, "note": "x"}],
        [{"id": 4, "name": "car", "supercategory": "vehicle"}],
        info={"year": 2019},
    )
    second = document(
        [{"id": 1, "file_name": "b.png"}, {"id": 2, "file_name": "a.png", "depth_constraint": [[5, 6]]}],
        [
            {"id": 6, "image_id": 2, "category_id": 4, "iscrowd": 1},
            {"id": 7, "image_id": 1, "category_id": 9},
            {"id": 5, "image_id": 2, "category_id": 9, "score": 1},
        ],
        [{"id": 4, "name": "van", "colour": "red"}, {"id": 9, "name": "car"}],
        info={"year": 2020},
        licenses=[7],
    )
    paths = [tmp_path / name for name in ("first.json", "second.json")]
    for path, value in zip(paths, (first, second), strict=True):
        path.write_text(json.dumps(value))
    code, out, err = run("merge", *paths, "-o", tmp_path / "both.json")
    assert code == 0, err
    assert "both.json: 3 images, 4 instances, 2 categories" in out
    for line in (
        "clash: categories with several ids are joined by name: car",
        "clash: ids of categories that others have already are new: van is 10",
        "clash: 1 ids of annotations occur in several files",
        "clash: 1 ids of images occur in several files",
        "clash: 1 images have the file name of another one (a.png); both stay",
    ):
        assert line in err
    value = entries(tmp_path / "both.json")
    assert value["info"] == {"year": 2019}
    assert value["licenses"] == [7]
    assert value["categories"] == [
        {"id": 4, "name": "car", "supercategory": "vehicle"},
        {"id": 10, "name": "van", "colour": "red"},
    ]
    images = {image["id"]: image for image in value["images"]}
    assert {key: image["file_name"] for key, image in images.items()} == {1: "a.png", 3: "b.png", 2: "a.png"}
    assert images[1]["weather"] == "rain"
    assert images[2]["depth_constraint"] == [[8, 6]]
    rows = [{k: v for k, v in row.items() if k not in ("a_segm", "i_segm")} for row in value["annotations"]]
    boxes = {"a_bbox": [1.0, 1.0, 5.0, 5.0], "i_bbox": [1.0, 1.0, 5.0, 5.0], "a_area": 25, "i_area": 25}
    assert rows == [
        {"id": 5, "image_id": 1, "category_id": 4, "note": "x", **boxes},
        {"id": 6, "image_id": 2, "category_id": 10, "iscrowd": 1, **boxes},
        {"id": 7, "image_id": 3, "category_id": 4, **boxes},
        {"id": 8, "image_id": 2, "category_id": 4, "score": 1, **boxes},
    ]


def test_a_name_that_one_file_has_twice_stays_two_categories(tmp_path):
    twice = document([], [], [{"id": 1, "name": "car"}, {"id": 3, "name": "car"}])
    (tmp_path / "in.json").write_text(json.dumps(twice))
    code, _, err = run("merge", tmp_path / "in.json", tmp_path / "in.json", "-o", tmp_path / "out.json")
    assert (code, err) == (0, "")
    assert entries(tmp_path / "out.json")["categories"] == twice["categories"]


def test_parts_merge_to_the_whole(shapes, tmp_path):
    """In any number of files, and in the same sequence when that of the images is restored."""
    paths = [tmp_path / f"{k}.json" for k in range(3)]
    code, out, err = run("split", shapes / "all.json", *paths, "--seed", 4)
    assert code == 0, err
    assert out.count(" images, ") == 3
    parts = [entries(path) for path in paths]
    assert sorted(len(part["images"]) for part in parts) == [6, 7, 7]
    assert parts[1]["info"]["split"] == {
        "from": "all.json",
        "part": 2,
        "shares": [1.0, 1.0, 1.0],
        "seed": 4,
        "balanced": False,
    }
    code, _, err = run("merge", *paths, "-o", tmp_path / "both.json")
    assert (code, err) == (0, "")
    whole, both = entries(shapes / "all.json"), entries(tmp_path / "both.json")
    for name in ("images", "annotations"):
        assert sorted(both[name], key=lambda e: e["id"]) == sorted(whole[name], key=lambda e: e["id"])
    assert both["categories"] == whole["categories"]


def test_the_seed_chooses(shapes, tmp_path):
    def first(*options):
        run("split", shapes / "all.json", tmp_path / "a.json", tmp_path / "b.json", *options)
        return [image["id"] for image in entries(tmp_path / "a.json")["images"]]

    assert first("--shares", "3,1") == first("--shares", "0.75,0.25") == sorted(first("--shares", "3,1"))
    assert len(first("--shares", "3,1")) == 15
    assert first("--seed", 1) != first("--seed", 2)
    most, _ = kins.load(shapes / "all.json").split(0.75, seed=7)
    assert first("--shares", "3,1", "--seed", 7) == list(most.images)


def test_balanced_parts_have_their_share_of_every_class(tmp_path):
    """Of a class in 4 of 40 images each of two parts gets two, whatever the seed."""
    rows = [{"id": n, "image_id": n, "category_id": 2 if n % 10 == 0 else 1} for n in range(1, 41)]
    images = [{"id": n, "file_name": f"{n}.png"} for n in range(1, 41)]
    value = document(images, rows, [{"id": 1, "name": "car"}, {"id": 2, "name": "tram"}])
    (tmp_path / "in.json").write_text(json.dumps(value))
    plain = set()
    for seed in range(4):
        for options in ((), ("--balanced",)):
            paths = [tmp_path / "a.json", tmp_path / "b.json"]
            assert run("split", tmp_path / "in.json", *paths, "--seed", seed, *options)[0] == 0
            counts = [Counter(row["category_id"] for row in entries(path)["annotations"]) for path in paths]
            if options:
                assert counts == [{1: 18, 2: 2}, {1: 18, 2: 2}]
            else:
                plain.add(counts[0][2])
    assert plain != {2}


def test_filtering(shapes, tmp_path):
    whole = kins.load(shapes / "all.json")
    out = tmp_path / "out.json"
    options = ("--category", "disc", "--category", "box", "--rate", "0.25-1", "--area", 500, "--name", "00001*")
    code, said, err = run("filter", shapes / "all.json", out, *options)
    assert code == 0, err
    expected = {
        i.id
        for scene in whole
        if scene.image.file_name.startswith("00001")
        for i in scene
        if i.category in ("disc", "box") and i.occlusion_rate >= 0.25 and i.amodal.area >= 500
    }
    value = entries(out)
    assert {row["id"] for row in value["annotations"]} == expected
    assert 0 < len(expected) < 10
    assert len(value["images"]) == 10
    assert len(value["categories"]) == 3
    before = {row["id"]: row for row in entries(shapes / "all.json")["annotations"]}
    assert all(row == before[row["id"]] for row in value["annotations"]), "what stays is as it was"
    assert f"{out}: 10 images, {len(expected)} instances, 3 categories" in said
    run("filter", shapes / "all.json", out, *options, "--occupied")
    assert {image["id"] for image in entries(out)["images"]} == {row["image_id"] for row in value["annotations"]}


def test_predictions_stay_predictions(tmp_path):
    _, predictions = workload(1, images=6)
    predictions.save(tmp_path / "in.json", format="predictions")
    code, _, err = run("filter", tmp_path / "in.json", tmp_path / "out.json", "--score", 0.5)
    assert code == 0, err
    value, before = entries(tmp_path / "out.json"), entries(tmp_path / "in.json")
    assert value["predictions"] == [row for row in before["predictions"] if row["score"] >= 0.5]
    assert value["images"] == before["images"]


def test_cropping(shapes, tmp_path):
    """The window is cut at the images' borders; the pictures are cut with it."""
    out, pictures = tmp_path / "out.json", tmp_path / "cut"
    window = ("--window", "180,-5,100,85", "--area", 20)
    options = ("--images", shapes / "pictures", "--pictures", pictures)
    code, _, err = run("crop", shapes / "all.json", out, *window, *options)
    assert code == 0, err
    whole, cut = kins.load(shapes / "all.json", images=shapes / "pictures"), kins.load(out, images=pictures)
    assert len(cut) == len(whole)
    kept = 0
    for scene in cut:
        assert (scene.image.width, scene.image.height) == (60, 80)
        before = whole[scene.image.id]
        assert (scene.read_image() == before.read_image()[:80, 180:240]).all()
        masks = {i.id: [m.to_array()[:80, 180:240] for m in (i.amodal, i.inmodal)] for i in before}
        assert {i.id for i in scene} == {key for key, (amodal, _) in masks.items() if amodal.sum() >= 20}
        for instance in scene:
            kept += 1
            assert (instance.amodal.to_array() == masks[instance.id][0]).all()
            assert (instance.inmodal.to_array() == masks[instance.id][1]).all()
            assert instance.amodal_box == instance.amodal.box
            assert instance.amodal_area == instance.amodal.area
            assert instance.order == next(i.order for i in before if i.id == instance.id)
    assert kept > 5


def test_images_that_the_window_misses_are_left_out(tmp_path):
    images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png", "width": 30}]
    rows = [{"id": n, "image_id": n, "category_id": 1} for n in (1, 2)]
    (tmp_path / "in.json").write_text(json.dumps(document(images, rows, [{"id": 1, "name": "car"}])))
    code, _, err = run("crop", tmp_path / "in.json", tmp_path / "out.json", "--window", "12,0,9,9")
    assert code == 0
    assert "left out: 1 images that the window misses" in err
    value = entries(tmp_path / "out.json")
    assert [(image["id"], image["width"], image["height"]) for image in value["images"]] == [(2, 9, 8)]
    assert value["annotations"] == []


BAD = {
    "window of three": (("crop", "IN", "OUT", "--window", "1,2,3"), "--window 1,2,3: give x, y, width and height"),
    "empty window": (("crop", "IN", "OUT", "--window", "1,2,0,3"), "a window of 0 x 3 pixels shows nothing"),
    "no pictures": (("crop", "IN", "OUT", "--window", "1,2,3,4", "--pictures", "x"), "--pictures needs --images"),
    "rate": (("filter", "IN", "OUT", "--rate", "0.5"), "--rate 0.5: give two numbers from 0 to 1"),
    "category": (("filter", "IN", "OUT", "--category", "ship"), "no category ship; there are"),
    "shares": (("split", "IN", "OUT", "--shares", "1,2"), "give a number for each of the 1 files"),
    "no numbers": (("split", "IN", "OUT", "--shares", "x"), "give a number for each of the 1 files"),
    "share of nothing": (("split", "IN", "OUT", "OTHER", "--shares", "1,0"), "shares are numbers above 0"),
    "the same twice": (("split", "IN", "OUT", "OUT"), "two of the files to write have the same name"),
    "input": (("filter", "IN", "IN"), "is the input; choose another name"),
    "no file": (("merge", "IN", "NONE", "-o", "OUT"), "no such file"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(shapes, tmp_path, name):
    words, message = BAD[name]
    places = {
        "IN": shapes / "all.json",
        "OUT": tmp_path / "out.json",
        "OTHER": tmp_path / "b.json",
        "NONE": tmp_path / "c",
    }
    code, out, err = run(*(places.get(word, word) for word in words))
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out.json").exists()


def test_a_merge_needs_little_more_than_its_files(tmp_path):
    """Instances are made when they are asked for, with the ids that they were given."""
    dataset, _ = workload(2, images=5)
    merged = dataset.merge(dataset, dataset)
    ids = [i.id for scene in merged for i in scene]
    assert len(set(ids)) == len(ids) == 3 * sum(map(len, dataset))
    assert [[i.id for i in scene] for scene in merged] == [[i.id for i in scene] for scene in merged]
    assert not isinstance(merged._instances, dict)


@pytest.mark.parametrize("name", ["merge", "split", "filter", "crop"])
def test_help_has_an_example_and_a_sentence_for_each_option(name):
    command = typer.main.get_command(app).commands[name]
    assert "Example: kins data " in command.help
    assert all(p.help and p.help.endswith(".") for p in command.params if p.name != "help")


def test_boxes_without_masks_are_cut(tmp_path):
    box = kins.Instance(1, 1, "car", inmodal=kins.Mask.from_box((2, 2, 4, 4), 9, 9), amodal_box=(1.0, 1.5, 6.0, 7.0))
    dataset = kins.Dataset.from_scenes([kins.Scene(kins.Image(1, "a.png", 9, 9), (box,))], {1: "car"})
    (instance,) = dataset.crop((3, 0, 3, 5))[0 + 1]
    assert instance.amodal_box == (0, 1.5, 3, 3.5)
    assert np.count_nonzero(instance.inmodal.to_array()) == 9
