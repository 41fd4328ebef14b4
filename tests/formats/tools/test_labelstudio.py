"""Label Studio's tasks, made by hand from its description, and brushes by vectors of its own encoder."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import kins
from kins import KinsError
from kins.formats.tools.brush import read_brush, write_brush
from kins.statistics import annotators

SQUARE = [[10, 10], [60, 10], [60, 80], [10, 80]]
RIGHT = [[40, 20], [90, 20], [90, 60], [40, 60]]
SIZE = {"original_width": 20, "original_height": 10, "image_rotation": 0, "from_name": "l", "to_name": "i"}
VECTORS = [
    ([[1, 0], [0, 1]], [0, 0, 0, 16, 57, 27, 252, 127, 243, 128, 71, 254]),
    ([[0, 0, 0], [0, 1, 1]], [0, 0, 0, 24, 57, 27, 253, 240, 9, 255, 192]),
]


def region(key, label, points, **fields):
    value = {"points": points, "polygonlabels": [label], "closed": True}
    return {**SIZE, "id": key, "type": "polygonlabels", "value": value} | fields


def shape(key, kind, label, **value):
    return {**SIZE, "id": key, "type": f"{kind}labels", "value": value | {f"{kind}labels": [label]}}


def relation(one, other, label, direction="right"):
    return {"type": "relation", "from_id": one, "to_id": other, "direction": direction, "labels": [label]}


def part(key, value):
    return {**SIZE, "id": key, "type": "choices", "value": {"points": SQUARE, "choices": [value]}}


def task(*result, name="/data/upload/1/0123abcd-a.jpg", **fields):
    usual = {"id": 1, "data": {"image": name}, "annotations": [{"id": 1, "completed_by": 3, "result": list(result)}]}
    return usual | fields


@pytest.fixture
def load(tmp_path):
    def read(*tasks, **options):
        (tmp_path / "a.json").write_text(json.dumps(list(tasks)))
        return kins.load(tmp_path / "a.json", **{"masks": "amodal"} | options)

    return read


def areas(scene):
    return [(i.category, i.amodal.area, i.inmodal.area) for i in scene]


@pytest.mark.parametrize(("mask", "rle"), VECTORS)
def test_brush_vectors(mask, rle):
    pixels = np.array(mask, bool)
    assert (read_brush(rle, *pixels.shape, "x") == pixels).all()
    assert write_brush(pixels) == rle


@given(st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(lambda shape: arrays(bool, shape)))
def test_brushes_come_back(pixels):
    assert (read_brush(write_brush(pixels), *pixels.shape, "x") == pixels).all()


def test_long_runs_and_words_that_differ():
    pixels = np.zeros((300, 400), bool)
    pixels[100:] = True
    assert (read_brush(write_brush(pixels), 300, 400, "x") == pixels).all()
    words = [7, 8, 9, 0, 1, 2, 3, 255]  # two pixels of different colours, the second of them on
    bits = f"{8:032b}{7:05b}" + "".join(f"{n:04b}" for n in (2, 3, 7, 15)) + "000" + f"{7:03b}"
    bits += "".join(f"{word:08b}" for word in words)
    content = [int(bits[k : k + 8].ljust(8, "0"), 2) for k in range(0, len(bits), 8)]
    assert read_brush(content, 1, 2, "x").tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("rle", "message"),
    [
        (VECTORS[0][1][:-3], "is cut short"),
        ([0, 0], "is cut short"),
        ([255, 255, 255, 255, *VECTORS[0][1][4:]], "has 4294967295 values, not 4 for each of 2 x 2"),
        ([0, 0, 0, 300], "is not a list of bytes"),
        ([0, 0, 0, 16, 57, 27, 255, 255, 255, 255, 255, 255], "has more values than the 16"),
        ([0, 0, 0, 16, 249, 27, 252, 127, 243, 128, 71, 254], "has values of 32 bits"),
    ],
)
def test_damaged_brushes(rle, message):
    with pytest.raises(KinsError, match=message):
        read_brush(rle, 2, 2, "a")


def test_shapes(load):
    dataset = load(
        task(
            region("a", "polygon", SQUARE),
            shape("b", "rectangle", "box", x=10, y=10, width=50, height=70),
            shape("c", "rectangle", "turned", x=50, y=0, width=20, height=40, rotation=90),
            shape("d", "ellipse", "ellipse", x=50, y=50, radiusX=20, radiusY=40, rotation=0),
            shape("e", "keypoint", "x", x=50, y=50, width=1),
            shape("f", "brush", "brush", format="rle", rle=write_brush(np.eye(10, 20, dtype=bool))),
            {**SIZE, "id": "g", "type": "rectangle", "value": {"x": 0, "y": 0, "width": 10, "height": 10}},
            {
                **SIZE,
                "id": "g",
                "type": "labels",
                "value": {"x": 0, "y": 0, "width": 10, "height": 10, "labels": ["lone"]},
            },
        )
    )
    found = {i.category: i.amodal for i in dataset[1]}
    y, x = np.mgrid[:10, :20] + 0.5
    assert found["polygon"] == found["box"] == kins.Mask.from_box((2, 1, 10, 7), 10, 20)
    assert found["turned"] == kins.Mask.from_box((6, 0, 4, 4), 10, 20)
    assert (found["ellipse"].to_array() == (((x - 10) / 4) ** 2 + ((y - 5) / 4) ** 2 <= 1)).all()
    assert (found["brush"].to_array() == np.eye(10, 20, dtype=bool)).all()
    assert found["lone"].area == 2
    assert dataset.images[1].file_name == "a.jpg"
    assert "1 regions without an area, or without a label" in dataset.left_out


def test_sequence_and_relations(load):
    car, van = region("a", "car", SQUARE), region("b", "van", RIGHT)
    dataset = load(task(car, van))
    assert areas(dataset[1]) == [("car", 70, 54), ("van", 40, 40)]
    assert dataset.left_out == ("1 pairs of objects that overlap and of which the later one is taken for the nearer",)
    with pytest.raises(KinsError, match="say with --as"):
        load(task(car, van), masks=None)
    for said in (relation("a", "b", "hides"), relation("b", "a", "hides", "left")):
        dataset = load(task(car, van, said), masks=None)
        assert areas(dataset[1]) == [("car", 70, 70), ("van", 40, 24)]
        assert dataset[1][0].order < dataset[1][1].order
        assert dataset.images[1].extra["depth_constraint"] == [[1, 2]]
        assert dataset.left_out == ()
    dataset = load(
        task(car, van, relation("a", "b", "hides", "bi"), relation("a", "a", "same"), relation("a", "z", "same"))
    )
    assert len(dataset.left_out) == 3
    circle = [relation("a", "b", "hides"), relation("b", "a", "hides")]
    assert len(load(task(car, van, *circle), masks=None)[1]) == 2


def test_joined_regions_and_visible_parts(load):
    pieces = [
        region(key, "car", points)
        for key, points in (("a", SQUARE), ("b", RIGHT), ("c", [[0, 0], [20, 0], [20, 90], [0, 90]]))
    ]
    for same in ([("a", "b"), ("b", "c")], [("c", "a"), ("a", "b")]):
        result = [*pieces, *(relation(*pair, "same", "left") for pair in same), part("c", "visible")]
        (scene,) = load(task(*result), masks=None)
        assert areas(scene) == [("car", 94, 36)]
    pole = region("o", "occluder", [[0, 0], [25, 0], [25, 100], [0, 100]], meta={"text": ["a pole"]})
    (scene,) = load(task(region("a", "car", SQUARE, meta={"text": ["kins:8", "old"]}), pole), masks=None)
    assert [(i.id, i.extra, *a) for i, a in zip(scene, areas(scene), strict=True)] == [
        (8, {"text": "old"}, "car", 70, 49)
    ]


def test_several_annotators_and_predictions(load):
    by = [(5, SQUARE), ({"id": 2, "email": "b@x"}, RIGHT), (4, SQUARE)]
    rows = [{"completed_by": who, "result": [region("a", "car", points)]} for who, points in by]
    rows[2]["was_cancelled"] = True
    dataset = load(task(annotations=rows), task(annotations=rows[:2], name="b.jpg"))
    assert [(s.image.file_name, s.image.extra["annotator"], s[0].amodal.area) for s in dataset] == [
        ("a.jpg", 5, 70),
        ("a.jpg", "b@x", 40),
        ("b.jpg", 5, 70),
        ("b.jpg", "b@x", 40),
    ]
    assert [one[i][0].amodal.area for one in annotators(dataset) for i in one.images] == [70, 70, 40, 40]
    assert "1 annotations that were cancelled" in dataset.left_out
    old = {"data": {"image": "a.jpg"}, "completions": [{"result": [region("a", "car", SQUARE)], "skipped": True}]}
    old["predictions"] = [{"model_version": "m", "score": 0.5, "result": [region("a", "van", RIGHT)]}]
    assert areas(load(old)[1]) == [("van", 40, 40)]
    turned = [region("a", "car", SQUARE, image_rotation=90)]
    dataset = load(task(*turned), task())
    assert len(dataset) == 0
    assert dataset.left_out == (
        "1 annotations of turned pictures, whose coordinates are those of the picture as shown",
        "1 annotations without regions, whose pictures' sizes are unknown without --images",
    )


def test_names_of_pictures(load, tmp_path):
    import PIL.Image

    (tmp_path / "p" / "sub").mkdir(parents=True)
    PIL.Image.new("RGB", (20, 10)).save(tmp_path / "p" / "sub" / "a.png")
    PIL.Image.new("RGB", (20, 10)).save(tmp_path / "p" / "0123abcd-b.png")
    for name, plain, found in (
        ("/data/local-files/?d=sub%2Fa.png", "sub/a.png", "sub/a.png"),
        ("https://host/x/sub/a.png?token=1", "a.png", "sub/a.png"),
        ("/data/upload/7/0123abcd-b.png", "b.png", "0123abcd-b.png"),
        ("../../sub/a.png", "a.png", "sub/a.png"),
    ):
        assert load(task(region("a", "car", SQUARE), name=name)).images[1].file_name == plain
        if name[0] != "h":
            image = load(task(name=name), images=tmp_path / "p").images[1]
            assert (image.file_name, image.width) == (found, 20)


def test_what_is_written(tmp_path):
    mask = kins.Mask.from_polygons([[1, 1.5, 6, 1, 6, 4]], 15, 20)
    objects = (kins.Instance(3, 1, "a<", mask, mask, cluster=0, order=1),)
    dataset = kins.Dataset.from_scenes([kins.Scene(kins.Image(5, "a.jpg", 15, 20), objects)], {1: "a<"})
    assert dataset.save(tmp_path / "o", format="label-studio") == []
    (value,) = json.loads((tmp_path / "o" / "tasks.json").read_text())
    polygon, choice = value["predictions"][0]["result"]
    assert polygon["value"]["points"] == [[5, 10], [30, 100 / 15], [30, 400 / 15]]
    assert polygon["meta"] == {"text": ["kins:3"]}
    assert choice["value"]["choices"] == ["amodal"]
    assert '<Label value="a&lt;"/>' in (tmp_path / "o" / "config.xml").read_text()
    dataset.save(tmp_path / "tasks.json", format="label-studio")
    assert kins.load(tmp_path / "tasks.json")[5][0].amodal == mask


BAD = {
    "points": (region("a", "c", [[1, "2"]]), r"\[0\]\.annotations\[0\]\.result\[0\]\.value: is no region"),
    "few": (region("a", "c", [[1, 2]]), r"result\[0\]\.value\.points: are fewer than three"),
    "brush": (shape("a", "brush", "c", format="rle", rle=[1, 2]), r"result\[0\]\.value\.rle: is cut short"),
    "format": (shape("a", "brush", "c", format="png", rle=[1, 2]), r"result\[0\]\.value\.format: is 'png', not rle"),
    "id": (region(7, "c", SQUARE), r"result\[0\]\.id: expected `str \| null`, got `int`"),
    "size": (region("a", "c", SQUARE, original_width=-3), r"annotations\[0\]: image size -3 x 10"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_regions(load, name):
    value, message = BAD[name]
    with pytest.raises(KinsError, match=message) as error:
        load(task(value))[1][0].amodal.area  # noqa: B018
    assert "a.json" in str(error.value)
    assert "\n" not in str(error.value)


def test_exports_without_ids_of_regions(load):
    with pytest.raises(KinsError, match="JSON-MIN, which lacks the regions' ids"):
        load({"image": "a.jpg", "id": 1, "annotator": 1, "annotation_id": 1, "label": []})
