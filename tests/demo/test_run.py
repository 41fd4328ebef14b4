"""The demo on very small settings: every stage runs and leaves what it promises."""

import json

import pytest

from kins.demo.run import by_heart, check_outputs, demo, merged
from kins.errors import KinsError
from kins.formats import load
from kins.demo.toys import write_shapes


def test_shapes_from_pictures_to_report(tmp_path):
    lines = []
    figures = demo(tmp_path, "shapes", minutes=0.1, say=lines.append)
    assert [line[0] for line in lines[:5]] == list("12345")
    assert "the very pictures it was trained on" in lines[3]
    assert figures.keys() == {"box AP50", "amodal AP50", "inmodal AP50"}
    assert all(0 <= value <= 100 for value in figures.values())
    assert len(list((tmp_path / "pictures").glob("*.png"))) == len(load(tmp_path / "shapes.json")) == 6
    assert {"a_segm", "i_segm", "occlusion_score"} <= json.loads((tmp_path / "predictions.json").read_text())["predictions"][0].keys()
    assert "<html" in (tmp_path / "report" / "index.html").read_text()
    check_outputs(tmp_path, "shapes")  # all of it may be made anew


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


def test_a_folder_without_annotations(tmp_path):
    with pytest.raises(KinsError, match="holds no annotation file"):
        demo(tmp_path / "out", tmp_path, minutes=1)
