"""What `kins doctor` says of an installation and of a folder of data."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from kins.commands.cli import app
from kins.demo.toys import write_shapes
from kins.validate import examine, installation


def doctor(*arguments):
    done = CliRunner().invoke(app, ["doctor", *map(str, arguments)])
    return done.exit_code, done.stdout


def of(lines, name):
    return [(line.good, line.said) for line in lines if line.of.endswith(name)]


@pytest.fixture
def data(tmp_path):
    write_shapes(tmp_path / "training" / "pictures", 3, (64, 96)).save(tmp_path / "truth.json")
    return tmp_path


def test_a_whole_folder_is_well(data):
    lines = examine(data)
    assert all(line.good for line in lines)
    assert of(lines, "training/pictures") == [(True, "3 pictures")]
    assert of(lines, "truth.json")[1] == (True, f"all pictures are in {data / 'training' / 'pictures'}")
    code, said = doctor(data)
    assert code == 0
    assert said.count("ok") == 3


def test_missing_pictures_are_counted_and_named(data):
    (data / "training" / "pictures" / "000002.png").unlink()
    missing = of(examine(data), "truth.json")[1]
    assert missing == (False, f"1 of 3 pictures are not in {data / 'training' / 'pictures'}: 000002.png")
    assert doctor(data)[0] == 1
    shutil.rmtree(data / "training")
    assert of(examine(data), "truth.json")[1] == (False, "none of its 3 pictures is in this folder")


def test_names_with_folders_start_from_above_the_pictures(data):
    content = json.loads((data / "truth.json").read_text())
    for image in content["images"]:
        image["file_name"] = f"training/pictures/{image['file_name']}"
    (data / "truth.json").write_text(json.dumps(content))
    assert of(examine(data), "truth.json")[1] == (True, f"all pictures are in {data}")


def test_pictures_are_looked_for_in_the_folder_of_the_files_own_split(data):
    """KITTI's pictures have the same names in both folders: those of the other one don't count."""
    shutil.copytree(data / "training" / "pictures", data / "testing" / "pictures")
    (data / "truth.json").rename(data / "update_train_2020.json")
    (data / "training" / "pictures" / "000001.png").unlink()
    counts, pictures = of(examine(data), "update_train_2020.json")[:2]
    assert pictures == (False, f"1 of 3 pictures are not in {data / 'training' / 'pictures'}: 000001.png")
    assert counts[0] is None
    assert counts[1].endswith("published file of this name (KINS 2020, training) is kins2020 with 7474 images")
    (data / "update_train_2020.json").rename(data / "test.json")
    assert of(examine(data), "test.json")[1] == (True, f"all pictures are in {data / 'testing' / 'pictures'}")
    shutil.rmtree(data / "testing")
    assert of(examine(data), "test.json")[1][1].endswith("training/pictures: 000001.png"), "the only ones there"


def test_a_folder_that_is_named_as_kittis_is_held_to_its_count(data):
    (data / "training" / "pictures").rename(data / "training" / "image_2")
    assert of(examine(data), "image_2") == [(None, "3 pictures; KITTI has 7481 in a folder of this name")]


def test_the_question_of_the_rider(data):
    content = json.loads((data / "truth.json").read_text())
    content["categories"][0]["name"] = "rider"
    used = sum(a["category_id"] == content["categories"][0]["id"] for a in content["annotations"])
    (data / "truth.json").write_text(json.dumps(content))
    said = (None, f"{used} instances of rider; KINS as published holds none")
    assert said in of(examine(data), "truth.json")
    content["annotations"] = [a for a in content["annotations"] if a["category_id"] != content["categories"][0]["id"]]
    (data / "truth.json").write_text(json.dumps(content))
    assert (True, "no instance of rider, as in KINS, which lists the class") in of(examine(data), "truth.json")


def test_damage_is_an_error_and_other_json_is_not(data):
    (data / "settings.json").write_text('{"width": 3}')
    (data / "half.json").write_text((data / "truth.json").read_text()[:400])
    lines = examine(data)
    ((unusual, said),) = of(lines, "settings.json")
    assert unusual is None
    assert said.startswith("is in none of the formats")
    assert [good for good, _ in of(lines, "half.json")] == [False]


def test_an_empty_folder_and_none(tmp_path):
    assert [line.good for line in examine(tmp_path)] == [False]
    assert doctor(tmp_path / "none")[0] == 1


def test_free_names_are_counted_where_asked(data):
    content = json.loads((data / "truth.json").read_text())
    for category, name in zip(content["categories"], ("Men in suits", "sky", "red car", "unused"), strict=False):
        category["name"] = name
    (data / "truth.json").write_text(json.dumps(content))
    used = [a["category_id"] for a in content["annotations"]]
    kept = sum(key in (content["categories"][0]["id"], content["categories"][2]["id"]) for key in used)
    said = [said for _, said in of(examine(data, coco_names=True), "truth.json")][-1]
    assert f"{kept} of {len(used)} instances" in said
    out = data / "coco.json"
    done = CliRunner().invoke(app, ["convert", str(data / "truth.json"), str(out), "--to", "kins2020", "--coco-names"])
    assert done.exit_code == 0, done.output
    written = json.loads(out.read_text())
    assert {a["category_id"] for a in written["annotations"]} == {1, 3}
    assert len(written["annotations"]) == kept
    assert len(written["categories"]) == 80


def test_the_installation_is_told_without_fetching_anything(monkeypatch):
    import torch

    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("fetches"))
    lines = installation()
    assert {"kins", "compiled part", "train", "device", "weights", "coco"} <= {line.of for line in lines}
    assert all(line.good is not False for line in lines)


def test_an_extra_that_is_not_there_is_named_with_its_line(monkeypatch):
    import kins.validate.parts as subject

    monkeypatch.setattr(subject, "find_spec", lambda name: None if name == "embreex" else object())
    line = subject._extra("streets", ("mitsuba", "embreex"))
    assert line.good is None
    assert line.said.startswith("without embreex, which kins synth need: ")
    assert "[streets]" in line.said
