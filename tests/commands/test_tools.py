"""Commands on annotation tools' folders and archives."""

import json
from pathlib import Path

import pytest
from tests.commands.test_formats import run
from tests.formats.tools.test_labelme import RIGHT, SQUARE, content, shape

import kins
from kins.demo.toys import write_shapes
from kins.formats.tools.labelme import POINTS
from kins.validate import validate

FOREIGN = "exists and was not written by kins"


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Annotations (truth.json) of pictures/*.png, and drawn/*.json, with two shapes each."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    write_shapes("pictures", 2).save("truth.json")
    Path("drawn").mkdir()
    for name in "ab":
        file = content(shape("car", SQUARE), shape("van", RIGHT), imagePath=f"{name}.png")
        Path("drawn", f"{name}.json").write_text(json.dumps(file))
    return tmp_path


def test_commands_take_folders(files):
    run("convert", "drawn", "out.json", "--to", "kins2020", "--as", "amodal")
    assert [[i.inmodal.area for i in scene] for scene in kins.load("out.json")] == [[76, 60], [76, 60]]
    message, _ = run("stats", "drawn", code=2)
    assert "say with --as" in message
    figures = json.loads(run("stats", "drawn", "--json", "--no-shapes", "--as", "amodal")[0])["files"]
    assert figures[0]["instances"] == 4
    run("convert", "truth.json", "again", "--to", "labelme")
    run("show", "again", "--images", "pictures", "--image", "000001.png", "-o", "out.png")
    pairs = json.loads(run("agree", "again", "truth.json", "--json")[0])["pairs"]
    assert pairs[0]["inmodal_iou"] == 1
    run("order", "again", "ordered.json")
    figures = json.loads(run("validate", "again", "--images", "pictures", "--json")[0])
    assert (figures["format"], figures["errors"], figures["images"], figures["instances"]) == ("labelme", 0, 2, 8)


@pytest.mark.parametrize("format", ["labelme", "isat"])
def test_only_what_kins_wrote_is_replaced(files, format):
    for _ in range(2):
        _, said = run("convert", "truth.json", "out", "--to", format)
    assert "not kept: category ids, supercategories and categories" in said
    corrected = Path("out/000000.json").read_text().rstrip()
    Path("out/000000.json").write_text(corrected)
    before = Path("out/000001.json").read_bytes()
    message, _ = run("convert", "truth.json", "out", "--to", format, code=2)
    assert message.endswith(f"out/000000.json: {FOREIGN}; choose another name, or remove it first")
    assert Path("out/000001.json").read_bytes() == before
    message, _ = run("convert", "truth.json", "truth.json", "--to", format, code=2)
    assert "truth.json: is a file; " in message
    run("convert", "truth.json", "out.zip", "--to", format)
    run("convert", "truth.json", "out.zip", "--to", format)
    Path("out.zip").write_bytes(Path("out.zip").read_bytes()[:-4])
    message, _ = run("convert", "truth.json", "out.zip", "--to", format, code=2)
    assert FOREIGN in message


def test_an_input_folder_is_never_replaced(files):
    run("convert", "truth.json", "out", "--to", "labelme")
    for command in (["convert", "out", "out", "--to", "labelme"], ["order", "out", "out/000001.json"]):
        message, _ = run(*command, code=2)
        assert "is the input; choose another name" in message


def test_validate_names_pictures_and_objects(files):
    leaking = [shape("car", SQUARE, group_id=1), shape("car_visible", RIGHT, group_id=1, description="kins:40")]
    damaged = content(shape("car", SQUARE), shape("van", [[0, 0], [1, 1]]), imagePath="b.png")
    Path("drawn/a.json").write_text(json.dumps(content(*leaking, shape("dot", [[1, 1]], shape_type="point"))))
    Path("drawn/b.json").write_text(json.dumps(damaged))
    found = {code: problem.places for code, problem in validate("drawn").found.items()}
    assert found["inmodal-leaks"][0][0] == "a.jpg: car 40, inmodal mask"
    assert found["drawn-in-doubt"] == [("", "1 points and lines, which have no area")]
    assert found["shape-unusable"] == [
        ("b.png", f"drawn/b.json: shapes[1]: a 'polygon' of 2 points; kins reads polygon and {', '.join(POINTS)}")
    ]
    message, _ = run("validate", "drawn", "--fix", "fixed.json", code=2)
    assert "drawn: files of labelme are not repaired" in message
