"""The examples in docs/formats.md are read as it says."""

import re
from pathlib import Path

import PIL.Image
import pytest

import kins

DOCS = Path(__file__).parents[3] / "docs" / "formats.md"
FOLDERS = {
    "YOLO": ("labels/a.txt", [("0", 200, None), ("1", None, (10, 5, 20, 10))]),
    "Pascal VOC": ("Annotations/a.xml", [("dog", None, (0, 0, 10, 20))]),
    "Cityscapes": ("gtFine/a_gtFine_polygons.json", [("car", 150, None)]),
    "KITTI": ("label_2/a.txt", [("Car", None, (10, 5.5, 20.25, 9.5))]),
}
EXAMPLES = {
    "labelme": [("car", 700, 500), ("van", 750, 750)],
    "ISAT": [("cup", 800, 800)],
    "CVAT": [("car", 700, 500), ("van", 750, 750)],
    "Label Studio": [("car", 480, 480), ("van", 1200, 1080)],
}


@pytest.mark.parametrize("name", FOLDERS)
def test_the_example_of_a_folder(tmp_path, name):
    place, expected = FOLDERS[name]
    section = DOCS.read_text().partition(f"### {name}\n")[2].partition("\n##")[0]
    text = re.search(r"```(?:json|xml|text)\n(.*?)```", section, re.DOTALL)[1]
    for path in (tmp_path / place, tmp_path / "images" / "a.png", tmp_path / "image_2" / "a.png"):
        path.parent.mkdir(parents=True)
        PIL.Image.new("RGB", (40, 20)).save(path) if path.suffix == ".png" else path.write_text(text)
    (scene,) = (scene for scene in kins.load(tmp_path) if len(scene))
    assert [(i.category, i.inmodal and i.inmodal.area, i.inmodal_box) for i in scene] == expected


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_of_a_tool(tmp_path, name):
    section = DOCS.read_text().partition(f"### {name}\n")[2].partition("\n### ")[0]
    kind, text = re.search(r"```(json|xml)\n(.*?)```", section, re.DOTALL).groups()
    (tmp_path / f"a.{kind}").write_text(text)
    (scene,) = kins.load(tmp_path / f"a.{kind}", masks="amodal")
    assert [(i.category, i.amodal.area, i.inmodal.area) for i in scene] == EXAMPLES[name]
