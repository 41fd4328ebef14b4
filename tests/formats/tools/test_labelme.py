"""labelme's files, made by hand from its description, and real ones."""

import base64
import io
import json

import numpy as np
import PIL.Image
import pytest
from tests.conftest import SHARED

import kins
from kins import KinsError

REAL = {
    "000000013923": [
        *(("chair", 6402, 6366), ("chair", 5155, 5155), ("chair", 5488, 5472), ("chair", 1993, 1993)),
        *(("chair", 4708, 4708), ("bowl", 1670, 1670), ("bowl", 2757, 2757), ("bowl", 2334, 2334)),
    ],
    "000000076261": [("bird", 324, 324), ("chair", 275, 275)],
    "000000100723": [("person", 13367, 13367), ("person", 12987, 12987), ("person", 9340, 9340)],
}
SQUARE = [[2, 2], [12, 2], [12, 12], [2, 12]]
RIGHT = [[8, 4], [18, 4], [18, 10], [8, 10]]


@pytest.fixture(scope="session")
def real():
    folder = SHARED / "labelme"
    if not folder.is_dir():
        pytest.skip("the real labelme files are not on this machine")
    return folder


def shape(label, points, **fields):
    return {"label": label, "points": points, "group_id": None, "shape_type": "polygon", "flags": {}} | fields


def content(*shapes, **fields):
    usual = {"version": "5.3.0", "flags": {}, "imagePath": "a.jpg", "imageData": None}
    return usual | {"imageHeight": 15, "imageWidth": 20, "shapes": list(shapes)} | fields


def png(array):
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.asarray(array, np.uint8)).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture
def load(tmp_path):
    """Writes a file or several, and reads them."""

    def read(*files, **options):
        for number, file in enumerate(files):
            text = file if isinstance(file, str) else json.dumps(file)
            (tmp_path / f"{number}.json").write_text(text)
        return kins.load(tmp_path if len(files) > 1 else tmp_path / "0.json", **{"masks": "amodal"} | options)

    return read


def areas(scene):
    return [(i.category, i.amodal.area, i.inmodal.area) for i in scene]


@pytest.mark.parametrize("name", REAL)
def test_real_files(real, name):
    (scene,) = kins.load(real / f"{name}.json", masks="amodal")
    assert areas(scene) == REAL[name]
    assert scene.image.file_name == f"{name}.jpg"
    assert [i.order for i in scene] == list(range(len(scene), 0, -1))


def test_a_real_folder(real, tmp_path):
    dataset = kins.load(real, images=real, masks="amodal")
    assert {s.image.file_name.split(".")[0]: areas(s) for s in dataset} == REAL
    assert dataset.left_out == (
        "1 JSON files that are not labelme's",
        "3 groups whose shapes have different labels; each label is an object of its own",
    )
    assert list(dataset.images) == [1, 2, 3]
    dataset.save(tmp_path / "out", format="labelme")
    again = kins.load(tmp_path / "out", images=real)
    assert {s.image.file_name.split(".")[0]: areas(s) for s in again} == REAL
    points = [s["points"] for s in json.loads((real / "000000013923.json").read_text())["shapes"]]
    assert [s["points"] for s in json.loads((tmp_path / "out" / "000000013923.json").read_text())["shapes"]] == points


def test_plain_outlines_need_a_word(load):
    file = content(shape("car", SQUARE), shape("car", RIGHT))
    with pytest.raises(KinsError, match=r"0\.json: nothing in it shows .* say with --as"):
        load(file, masks=None)
    (scene,) = load(file, masks="inmodal")
    assert [(i.amodal, i.inmodal.area, i.order) for i in scene] == [(None, 100, None), (None, 60, None)]
    (scene,) = load(file)
    assert areas(scene) == [("car", 100, 76), ("car", 60, 60)]


def test_visible_parts_and_occluders(load):
    pole = shape("occluder", [[0, 0], [4, 0], [4, 15], [0, 15]])
    seen = shape("car_visible", [[2, 2], [4, 2], [4, 12], [2, 12]], group_id=1)
    first = content(shape("car_amodal", SQUARE, group_id=1), seen, shape("van", RIGHT), pole)
    dataset = load(first, content(shape("van_amodal", SQUARE), shape("car_visible", RIGHT)), masks=None)
    assert areas(dataset[1]) == [("car", 100, 20), ("van", 60, 60)]
    assert areas(dataset[2]) == [("van", 100, 76), ("car", 60, 60)]  # the suffix counts in all files of the set
    assert dataset.left_out == ("1 objects with a visible part alone, which is taken for the whole",)
    (occluder,) = dataset.images[1].extra["occluders"]
    assert occluder == {"segmentation": [[0, 0, 4, 0, 4, 15, 0, 15]], "order": 1}
    assert [i.order for i in dataset[1]] == [3, 2]
    (scene,) = load(content(shape("thing_amodal", SQUARE)))
    assert scene[0].category == "thing_amodal"  # no visible one occurs
    other = kins.formats.Convention(visible=" seen", amodal=" all", occluder="pole")
    (scene,) = load(content(shape("a all", SQUARE), shape("a seen", RIGHT), shape("pole", RIGHT)), convention=other)
    assert areas(scene) == [("a", 100, 76), ("a", 60, 60)]
    assert len(scene.image.extra["occluders"]) == 1


def test_shapes(load):
    patch = np.array([[0, 1, 1], [1, 0, 0]])
    file = content(
        shape("box", [[12, 12], [2, 2]], shape_type="rectangle"),
        shape("turned", [[5, 0], [10, 5], [5, 10], [0, 5]], shape_type="oriented_rectangle"),
        shape("disc", [[7, 7], [12, 7]], shape_type="circle"),
        shape("patch", [[3, 4], [5, 5]], shape_type="mask", mask=png(patch * 255)),
        shape("beyond", [[-1, 14], [1, 15]], shape_type="mask", mask=png(patch)),
        shape("fraction", [[2.6, 3.4], [4.1, 4.2]], shape_type="mask", mask=png(patch)),
        shape("outside", [[-5, -5], [5, -5], [5, 5], [-5, 5]]),
        shape("old", SQUARE) | {"shape_type": None},
        *(shape("line", [[1, 1], [2, 2]], shape_type=kind) for kind in ("line", "points")),
    )
    dataset = load(file)
    found = {i.category: i.amodal.to_array() for i in dataset[1]}
    y, x = np.mgrid[:15, :20] + 0.5
    assert (found["box"] == ((x > 2) & (x < 12) & (y > 2) & (y < 12))).all()
    assert abs(int(found["turned"].sum()) - 50) <= 6
    assert (found["disc"] == ((x - 7) ** 2 + (y - 7) ** 2 <= 25)).all()
    for name, (left, top) in {"patch": (3, 4), "fraction": (3, 3)}.items():
        assert (found[name][top : top + 2, left : left + 3] == patch).all()
        assert found[name].sum() == 3
    assert np.argwhere(found["beyond"]).tolist() == [[14, 0], [14, 1]]
    assert found["outside"].sum() == 25
    assert found["old"].sum() == 100
    assert dataset.left_out == ("2 points and lines, which have no area",)


def test_groups_and_fields(load):
    parts = [shape("car", SQUARE, group_id=3, description="kins:17 dirty", truncated=True), shape("van", RIGHT)]
    parts += [shape("car", [[14, 1], [16, 1], [16, 3], [14, 3]], group_id=3), shape("van", SQUARE, group_id=3)]
    dataset = load(content(*parts, flags={"night": True}), masks=None)
    assert [(i.id, i.category, i.amodal.area) for i in dataset[1]] == [
        (17, "car", 104),
        (18, "van", 60),
        (19, "van", 100),
    ]
    assert dataset[1][0].extra == {"description": "dirty", "truncated": True}
    assert dataset[1].image.extra == {"flags": {"night": True}}
    assert dataset.left_out == ("1 groups whose shapes have different labels; each label is an object of its own",)
    twice = load(content(shape("car", SQUARE, description="kins:4"), shape("car", RIGHT, description="kins:4")))
    assert [i.id for i in twice[1]] == [4, 5]
    assert twice.left_out == ("1 objects with the annotation id of another one, which were numbered anew",)


def test_names_and_sizes_of_pictures(load, tmp_path):
    for folder in ("pictures", "pictures/sub"):
        (tmp_path / folder).mkdir()
        PIL.Image.new("RGB", (30, 25)).save(tmp_path / folder / "b.png")
    unsized = {"imageHeight": None, "imageWidth": None}
    square = shape("car", SQUARE)
    for stated, name in {
        "..\\..\\x\\b.png": "b.png",
        "C:\\photos\\b.png": "b.png",
        "/etc/b.png": "b.png",
        "sub/b.png": "sub/b.png",
        "../pictures/b.png": "b.png",
        "sub/../b.png": "b.png",
    }.items():
        file = content(square, imagePath=stated, **unsized)
        image = load(file, images=tmp_path / "pictures").images[1]
        assert (image.file_name, image.height, image.width) == (name, 25, 30)
        assert load(content(square, imagePath=stated)).images[1].file_name == name
    with pytest.raises(KinsError, match=r"0\.json: states no size of its picture; name the folder"):
        load(content(square, **unsized))
    data = base64.b64encode((tmp_path / "pictures" / "b.png").read_bytes()).decode()
    assert load(content(square, **unsized, imageData=data)).images[1].width == 30
    with pytest.raises(KinsError, match=r"0\.json: can't be read as an image"):
        load(content(square, **unsized, imageData="AAAA"))
    for text in ("#####", "\u202eab"):
        with pytest.raises(KinsError, match=r"0\.json: imageData: is not base64"):
            load(content(square, **unsized, imageData=text))


def test_two_annotators(tmp_path):
    for name, points in (("a", SQUARE), ("b", RIGHT)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.json").write_text(json.dumps(content(shape("car", points), imagePath="../p/1.jpg")))
    dataset = kins.load(tmp_path, masks="amodal")
    assert [(s.image.id, s.image.file_name, areas(s)) for s in dataset] == [
        (1, "p/1.jpg", [("car", 100, 100)]),
        (2, "p/1.jpg", [("car", 60, 60)]),
    ]


def test_many_points(load):
    angles = np.linspace(0, 2 * np.pi, 10**6, endpoint=False)
    points = np.stack([10 + 6 * np.cos(angles), 7 + 6 * np.sin(angles)], 1).round(3).tolist()
    assert load(content(shape("disc", points)))[1][0].amodal.area == pytest.approx(np.pi * 36, abs=8)


BAD = {
    "bool group": (shape("car", SQUARE, group_id=True), r"shapes\[0\]\.group_id: expected `int \| null`, got `bool`"),
    "label": (shape(7, SQUARE), r"shapes\[0\]\.label: expected `str`"),
    "points": (shape("car", [1, 2, 3]), r"shapes\[0\]\.points: is not a list of points"),
    "two points": (shape("car", SQUARE[:2]), r"shapes\[0\]: a 'polygon' of 2 points"),
    "huge": (shape("car", [[0, 0], [1e9, 0], [1, 1]]), r"shapes\[0\]\.points\[0\]: has the coordinate 1e\+09"),
    "kind": (shape("car", SQUARE, shape_type="brush"), r"shapes\[0\]: a 'brush' of 4 points; kins reads polygon"),
    "no patch": (shape("car", [[0, 0], [1, 1]], shape_type="mask"), r"shapes\[0\]: is a mask without a picture"),
    "patch": (shape("car", [[0, 0], [1, 1]], shape_type="mask", mask="AAAA"), r"\[0\]\.mask: can't be read as a PNG"),
    "text": (shape("car", [[0, 0], [1, 1]], shape_type="mask", mask="###"), r"\[0\]\.mask: is not base64"),
    "no ascii": (shape("car", [[0, 0], [1, 1]], shape_type="mask", mask="\u202eab"), r"\[0\]\.mask: is not base64"),
    "large patch": (
        shape("car", [[0, 0], [1, 1]], shape_type="mask", mask=png(np.zeros((30, 30)))),
        r"shapes\[0\]\.mask: has 30 x 30 pixels, more than its image",
    ),
    "other patch": (
        shape("car", [[0, 0], [1, 1]], shape_type="mask", mask=png(np.zeros((2, 3)))),
        r"shapes\[0\]\.mask: is 3 x 2 pixels, its corners say 2 x 2",
    ),
    "circle": (shape("car", [[0, 0], [1e6, 0]], shape_type="circle"), r"points: has numbers that are .* far outside"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_shapes(load, name):
    value, message = BAD[name]
    with pytest.raises(KinsError, match=rf"0\.json: .*{message}|0\.json: {message}") as error:
        load(content(value))[1]
    assert "\n" not in str(error.value)


def test_bad_files(load, tmp_path):
    with pytest.raises(KinsError, match=r"0\.json: image size 0 x 15 is not between"):
        load(content(shape("car", SQUARE), imageWidth=0))
    with pytest.raises(KinsError, match=r"1\.json: shapes: expected `array`, got `object`"):
        load(content(shape("car", SQUARE)), content() | {"shapes": {}})
    with pytest.raises(KinsError, match=r"1\.json.*truncated"):
        load(content(shape("car", SQUARE)), '{"shapes": [{"la')


def test_what_is_written(tmp_path):
    ring = np.zeros((15, 20), bool)
    ring[2:12, 3:13] = True
    ring[5:8, 6:9] = False
    holed, plain = kins.Mask.from_array(ring), kins.Mask.from_box((9, 3, 8, 5), 15, 20)
    two = kins.Mask.from_polygons([[1, 1, 3, 1, 3, 3, 1, 3], [15, 11, 18, 11, 18, 14]], 15, 20)
    objects = [
        kins.Instance(7, 1, "cup", holed, holed - plain, cluster=0, order=2),
        kins.Instance(9, 2, "jug", plain, plain, cluster=0, order=1, crowd=True, score=0.5),
        kins.Instance(8, 2, "jug", two, two, cluster=0, order=3),
    ]
    image = kins.Image(3, "sub/a.jpg", 15, 20, {"night": True})
    dataset = kins.Dataset.from_scenes([kins.Scene(image, tuple(objects))], {1: "cup", 2: "jug"})
    assert dataset.save(tmp_path / "out", format="labelme", polygons=True) == [
        "score and occlusion_score, which belong into prediction files (1 instance)",
        "iscrowd (1 instance)",
        "fields of images: night",
    ]
    found = json.loads((tmp_path / "out" / "sub" / "a.json").read_text())
    assert (found["imagePath"], found["imageData"], found["imageHeight"]) == ("a.jpg", None, 15)
    rows = [(s["label"], s["shape_type"], s["group_id"], s["description"]) for s in found["shapes"]]
    assert rows == [
        ("jug", "polygon", 1, "kins:8"),
        ("jug", "polygon", 1, "kins:8"),
        ("cup", "mask", None, "kins:7"),
        ("jug", "polygon", None, "kins:9"),
    ]
