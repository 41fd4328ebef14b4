"""Datumaro's JSON, made by hand from its description."""

import json
import zipfile

import numpy as np
import pytest
from tests.formats.strategies import rle

import kins
from kins import KinsError

SQUARE = [2, 2, 12, 2, 12, 12, 2, 12]
RIGHT = [8.0, 4.0, 18.0, 4.0, 18.0, 10.0, 8.0, 10.0]


def shape(label, **fields):
    return {"id": 0, "type": "polygon", "label_id": label, "group": 0, "z_order": 0, "attributes": {}} | fields


def text(*annotations, image=True):
    labels = [{"name": name, "parent": "", "attributes": []} for name in ("car", "van", "occluder")]
    item = {"id": "s/a", "annotations": list(annotations)}
    if image:
        item["image"] = {"path": "s/a.jpg", "size": [15, 20]}
    return json.dumps({"info": {}, "categories": {"label": {"labels": labels}, "points": {}}, "items": [item]})


@pytest.fixture
def load(tmp_path):
    def read(*annotations, image=True, **options):
        (tmp_path / "a.json").write_text(text(*annotations, image=image))
        return kins.load(tmp_path / "a.json", **{"masks": "amodal"} | options)

    return read


def areas(scene):
    return [(i.category, i.amodal.area, i.inmodal.area) for i in scene]


def test_shapes_order_and_groups(load):
    diagonal = np.eye(15, 20, dtype=bool)
    dataset = load(
        shape(0, points=SQUARE, z_order=3, group=2, attributes={"kins": "kins:7", "part": "amodal", "c": 1}),
        shape(1, points=RIGHT, z_order=1, group=2),
        shape(1, type="bbox", bbox=[14, 11, 4, 2], rotation=0, group=2),
        shape(0, type="mask", rle=rle(diagonal), z_order=5, attributes={"part": "visible"}, group=2),
        shape(2, type="bbox", bbox=[0, 0, 3, 15], z_order=9),
        shape(0, type="label"),
        masks=None,
    )
    assert areas(dataset[1]) == [("car", 100, 15), ("van", 68, 44)]
    assert [(i.id, i.order) for i in dataset[1]] == [(7, 2), (8, 3)]
    assert dataset[1][0].extra == {"attributes": {"c": 1}}
    assert (dataset[1].image.file_name, dataset.categories) == ("s/a.jpg", {1: "car", 2: "van"})
    assert dataset.left_out == ("1 labels, lines, points and others, which have no area",)
    (scene,) = load(shape(0, type="bbox", bbox=[4, 6, 8, 4], attributes={"rotation": 90.0}))
    assert scene[0].amodal == kins.Mask.from_box((6, 4, 4, 8), 15, 20)


def test_archives(tmp_path):
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.writestr("annotations/train.json", text(shape(0, points=SQUARE)))
        archive.writestr("annotations/default.json", text(shape(0, points=RIGHT)))
    dataset = kins.load(tmp_path / "in.zip", masks="amodal")
    assert [(s.image.id, s.image.extra, s[0].amodal.area) for s in dataset] == [
        (1, {}, 60),
        (2, {"subset": "train"}, 100),
    ]


BAD = {
    "label": (shape(5, points=SQUARE), r"items\[0\]\.annotations\[0\]\.label_id: no label 5 among 3"),
    "points": (shape(0, points=[1, 2]), r"annotations\[0\]\.points: are fewer than three"),
    "text": (shape(0, points="1,2"), r"annotations\[0\]\.points: expected `array`, got `str`"),
    "runs": (
        shape(0, type="mask", rle={"size": [15, 20], "counts": [3]}),
        r"annotations\[0\]\.rle: RLE runs add up to 3",
    ),
    "no runs": (shape(0, type="mask"), r"annotations\[0\]\.rle: is neither"),
    "no box": (shape(0, type="bbox"), r"annotations\[0\]\.bbox: is missing"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_shapes(load, name):
    value, message = BAD[name]
    with pytest.raises(KinsError, match=rf"a\.json: .*{message}") as error:
        load(value)[1][0].amodal.area  # noqa: B018
    assert "\n" not in str(error.value)


def test_sizes(load):
    with pytest.raises(KinsError, match=r"items\[0\]: states no size of its picture"):
        load(shape(0, points=SQUARE), image=False)
