"""ISAT's files, made by hand from its description, and real ones."""

import json

import numpy as np
import pytest
from tests.conftest import SHARED

import kins
from kins import KinsError
from kins.occlusion import disagreements

REAL = {
    "000000000308": [
        *(("cup", 3246, 3246), ("cup", 2045, 2045), ("cup", 704, 704), ("cup", 766, 766)),
        *(("person", 23038, 22825), ("person", 33839, 33839), ("person", 13421, 13420), ("person", 1505, 1505)),
        *(("person", 26353, 25924), ("person", 7993, 7993)),
    ],
    "000000002592": [("table", 223628, 174074), ("cup", 30223, 30223), ("knife", 19331, 19331)],
    "000000117425": [
        *(("person", 63702, 62912), ("table", 77920, 61457), ("cup", 7845, 7845), ("cake", 4668, 4668)),
        *(("plate", 13640, 10395), ("fork", 1016, 1016)),
    ],
}
SQUARE = [[2, 2], [12, 2], [12, 12], [2, 12]]
RIGHT = [[8, 4], [18, 4], [18, 10], [8, 10]]
INNER = [[4, 4], [7, 4], [7, 8], [4, 8]]


@pytest.fixture(scope="session")
def real():
    folder = SHARED / "isat"
    if not folder.is_dir():
        pytest.skip("the real ISAT files are not on this machine")
    return folder


def ring(category, points, layer, group=0, **fields):
    usual = {"category": category, "group": group, "segmentation": points, "area": 1.0, "layer": layer}
    return usual | {"bbox": [0, 0, 1, 1], "iscrowd": False, "note": ""} | fields


@pytest.fixture
def load(tmp_path):
    def read(*rings, info=None, **options):
        usual = {"description": "ISAT", "folder": "/x", "name": "a.jpg", "width": 20, "height": 15, "depth": 3}
        value = {"info": usual | (info or {}), "objects": list(rings)}
        (tmp_path / "a.json").write_text(json.dumps(value))
        return kins.load(tmp_path / "a.json", **{"masks": "amodal"} | options)

    return read


def areas(scene):
    return [(i.category, i.amodal.area, i.inmodal.area) for i in scene]


@pytest.mark.parametrize("name", REAL)
def test_real_files(real, name, tmp_path):
    dataset = kins.load(real / f"{name}.json", images=real, masks="amodal")
    (scene,) = dataset
    assert areas(scene) == REAL[name]
    assert not disagreements(scene)
    assert dataset.left_out == ()
    dataset.save(tmp_path / "out", format="isat")
    (again,) = kins.load(tmp_path / "out")
    assert {i.id: (i.amodal, i.inmodal) for i in again} == {i.id: (i.amodal, i.inmodal) for i in scene}


def test_a_real_folder(real):
    dataset = kins.load(real, masks="amodal")
    assert {s.image.file_name.split(".")[0]: areas(s) for s in dataset} == REAL


def test_layers_groups_and_notes(load):
    small = [[15, 12], [17, 12], [17, 14], [15, 14]]
    dataset = load(
        ring("cup", SQUARE, 2.0, 1, note="kins:5 chipped"),
        ring("jug", RIGHT, 1.0, None),
        ring("cup", small, 3.0, 1),
        ring("cup", small, 4.0, ""),
        ring("jug", SQUARE, 5.0, 4, iscrowd=True),
        ring("jug", [[2, 2], [4, 2], [4, 12], [2, 12]], 6.0, 4, iscrowd=True, note="visible"),
        masks=None,
    )
    assert [(i.id, *a, i.order, i.crowd) for i, a in zip(dataset[1], areas(dataset[1]), strict=True)] == [
        (5, "cup", 104, 0, 3, False),
        (6, "jug", 60, 36, 4, False),
        (7, "cup", 4, 4, 2, False),
        (8, "jug", 100, 20, 1, True),
    ]
    assert dataset[1][0].extra == {"note": "chipped"}
    assert dataset.left_out == ()


def test_holes(load):
    whole = [ring("table", [[0, 0], [20, 0], [20, 15], [0, 15]], 1.0, 1), ring("cup", SQUARE, 2.0, 2)]
    hole = ring("__background__", INNER, 3.0)
    (scene,) = load(*whole, hole)
    assert areas(scene) == [("table", 300, 212), ("cup", 88, 88)]  # the table is seen through the cup's hole
    visible = ring("cup", [[2, 2], [8, 2], [8, 12], [2, 12]], 2.5, 2, note="visible")
    (scene,) = load(*whole, visible, hole)
    assert areas(scene) == [("table", 300, 212), ("cup", 88, 48)]
    (scene,) = load(*whole, visible, hole | {"note": "visible"})
    assert areas(scene) == [("table", 300, 200), ("cup", 100, 48)]
    (scene,) = load(*whole, hole | {"layer": 1.5})
    assert areas(scene) == [("table", 288, 200), ("cup", 100, 100)]
    (scene,) = load(*whole, hole | {"segmentation": RIGHT})  # of which the cup has less than half
    assert areas(scene) == [("table", 240, 164), ("cup", 100, 100)]


def test_equal_layers(load):
    dataset = load(ring("cup", SQUARE, 1.0), ring("jug", RIGHT, 1.0), ring("jug", INNER, 2.0))
    assert areas(dataset[1]) == [("cup", 100, 88), ("jug", 60, 60), ("jug", 12, 12)]
    assert dataset.left_out == ("1 pairs of objects that overlap on one layer, of which neither hides the other",)


def test_occluders(load):
    pole = ring("occluder", [[0, 0], [4, 0], [4, 15], [0, 15]], 9.0)
    (scene,) = load(ring("cup", SQUARE, 1.0), pole, masks=None)
    assert areas(scene) == [("cup", 100, 80)]
    assert len(scene.image.extra["occluders"]) == 1


def test_what_is_written(tmp_path):
    array = np.zeros((15, 20), bool)
    array[1:14, 1:16] = True
    array[3:12, 3:14] = False
    array[5:9, 5:9] = True  # an island in the hole
    mask = kins.Mask.from_array(array)
    scene = kins.Scene(kins.Image(4, "s/a.jpg", 15, 20), (kins.Instance(7, 1, "cup", mask, mask, crowd=True),))
    assert kins.Dataset.from_scenes([scene], {1: "cup"}).save(tmp_path / "o", format="isat") == []
    value = json.loads((tmp_path / "o" / "s" / "a.json").read_text())
    assert value["info"] == {
        **{"description": "ISAT", "folder": "", "name": "a.jpg", "width": 20, "height": 15, "depth": 3},
        "note": "kins:4",
    }
    fields = ("category", "group", "area", "bbox", "layer", "iscrowd", "note")
    assert [tuple(o[field] for field in fields) for o in value["objects"]] == [
        ("cup", 1, 195, [1, 1, 16, 14], 1.0, True, "kins:7"),
        ("__background__", 0, 99, [3, 3, 14, 12], 2.0, True, ""),
        ("cup", 1, 16, [5, 5, 9, 9], 3.0, True, "kins:7"),
    ]
    assert '- name: "cup"' in (tmp_path / "o" / "isat.yaml").read_text()
    (again,) = kins.load(tmp_path / "o")
    assert (again.image.id, again[0].amodal) == (4, mask)


BAD = {
    "group": (ring("cup", SQUARE, 1.0, "x"), r"objects\[0\]\.group: 'x' is not a whole number"),
    "points": (ring("cup", [[1, "2"]], 1.0), r"objects\[0\]\.segmentation: is not a list of points"),
    "layer": (ring("cup", SQUARE, "top"), r"objects\[0\]\.layer: expected `float \| null`, got `str`"),
    "category": ({"segmentation": SQUARE}, r"objects\[0\]: object missing required field `category`"),
    "coordinate": (
        ring("cup", [[0, 0], [1e7, 0], [3, 3]], 1.0),
        r"objects\[0\]\.segmentation\[0\]: has the coordinate",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_rings(load, name):
    value, message = BAD[name]
    with pytest.raises(KinsError, match=rf"a\.json: {message}") as error:
        load(value)[1][0].amodal.area  # noqa: B018
    assert "\n" not in str(error.value)


def test_sizes(load):
    with pytest.raises(KinsError, match=r"a\.json: info: states no size of its picture"):
        load(ring("cup", SQUARE, 1.0), info={"width": None})
    with pytest.raises(KinsError, match=r"a\.json: info: image size -1 x 15"):
        load(ring("cup", SQUARE, 1.0), info={"width": -1})
