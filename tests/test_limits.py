"""Each limit of kins.limits: what it bounds is done at it, and refused with the place, in one line, past it."""

import json

import numpy as np
import pytest

import kins
from kins import KinsError, limits
from kins.demo.toys import write_shapes
from kins.draw import colors_of
from kins.draw.choice import largest
from kins.draw.graph import graph_svg
from kins.evaluation.analysis import analyse, main_categories
from kins.evaluation.tables import print_results
from kins.statistics.measure import main_classes, statistics
from kins.validate import validate


def square(x: float, y: float, side: float) -> list[float]:
    return [x, y, x + side, y, x + side, y + side, x, y + side]


def annotated(path, masks, size=(60, 80), images=1):
    """A KINS 2020 file with these masks (amodal and inmodal) in each of its images."""
    annotations = [
        {"id": k * len(masks) + n + 1, "image_id": k, "category_id": 1, "iscrowd": 0, "oco_id": 0, "ico_id": 0}
        | {"a_segm": amodal, "i_segm": inmodal}
        for k in range(images)
        for n, (amodal, inmodal) in enumerate(masks)
    ]
    entries = [{"id": k, "file_name": f"{k}.png", "height": size[0], "width": size[1]} for k in range(images)]
    content = {"images": entries, "annotations": annotations, "categories": [{"id": 1, "name": "car"}]}
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize("limit", limits.LIMITS, ids=lambda limit: limit.name or limit.what)
def test_a_limit_says_why_and_how_to_raise_it(limit, monkeypatch):
    assert limit.reason
    assert limit.value == limit.default
    with pytest.raises(KinsError, match="has ") as error:
        limit.check(limit.default + 1, "a.json")
    assert "\n" not in str(error.value)
    limit.check(limit.default, "a.json")
    if limit.variable is None:
        return
    assert limit.variable in str(error.value)
    monkeypatch.setenv(limit.variable, "7")
    assert limit.value == 7
    for text in ("", "-1", "0", "many", "1e3", "9" * 19, "²"):
        monkeypatch.setenv(limit.variable, text)
        with pytest.raises(KinsError, match=limit.variable):
            _ = limit.value


def test_names_of_limits_differ():
    names = [limit.name for limit in limits.LIMITS if limit.name]
    assert len(set(names)) == len(names)


def test_instances_of_an_image(tmp_path, monkeypatch):
    masks = [([square(20 * n, 5, 10)],) * 2 for n in range(4)]
    path = annotated(tmp_path / "a.json", masks)
    monkeypatch.setenv("KINS_MAX_INSTANCES", "4")
    assert len(kins.load(path)[0]) == 4
    assert "beyond-limits" not in validate(path).found
    monkeypatch.setenv("KINS_MAX_INSTANCES", "3")
    with pytest.raises(KinsError, match=r"a\.json: image 0\.png: has 4 instances.*KINS_MAX_INSTANCES"):
        kins.load(path)[0]
    assert validate(path).found["beyond-limits"].places[0][0] == "annotations"


def test_pairs_and_spans_that_are_compared(tmp_path, monkeypatch):
    """Three boxes in a row, each over the next: two pairs of three; the third box is compared with the second alone."""
    masks = [([square(8 * n, 5, 10)], [square(8 * n + 2, 5, 8)]) for n in range(3)]
    path = annotated(tmp_path / "a.json", masks)
    monkeypatch.setenv("KINS_MAX_PAIRS", "2")
    assert len(kins.load(path)[0].occlusion().edges) == 2
    monkeypatch.setenv("KINS_MAX_PAIRS", "1")
    with pytest.raises(KinsError, match=r"image 0\.png: has 2 pairs"):
        kins.load(path)[0].occlusion()
    assert "KINS_MAX_PAIRS" in validate(path).found["beyond-limits"].places[0][1]
    monkeypatch.delenv("KINS_MAX_PAIRS")
    monkeypatch.setenv("KINS_MAX_COMPARED", "3")
    with pytest.raises(KinsError, match=r"image 0\.png: has \d+ spans"):
        kins.load(path)[0].occlusion()


def test_cycles(tmp_path, monkeypatch):
    """Of three boxes each lies under a part of the next, in a circle."""
    stripes = [([square(0, 0, 40)], [[0, y, 40, y, 40, y + 10, 0, y + 10]]) for y in (0, 10, 20)]
    stripes[0] = ([[0, 0, 40, 0, 40, 22, 0, 22]], stripes[0][1])  # hidden by the second, and by 2 rows of the third
    stripes[1] = ([[0, 10, 40, 10, 40, 30, 0, 30]], stripes[1][1])
    stripes[2] = ([[0, 0, 40, 0, 40, 10, 0, 10], [0, 20, 40, 20, 40, 30, 0, 30]], stripes[2][1])
    path = annotated(tmp_path / "a.json", stripes)
    monkeypatch.setenv("KINS_MAX_CYCLES", "1")
    assert len(kins.load(path)[0].occlusion().cycles) == 1
    path = annotated(tmp_path / "b.json", [*stripes, *((shifted(a), shifted(i)) for a, i in stripes)])
    with pytest.raises(KinsError, match=r"image 0\.png: has 2 cycles"):
        kins.load(path)[0].occlusion()


def shifted(polygons):
    return [[number + 40 * (1 - at % 2) for at, number in enumerate(polygon)] for polygon in polygons]


@pytest.mark.parametrize("end", [b"tru}]}", b'"ab', b'\\"\\"', b"NaN, tru", b"[}"])
def test_the_place_of_damage_is_found_in_one_go_however_many_quotes_come_before(tmp_path, end):
    """The time of a quadratic search would be hours here; of the linear one it is some milliseconds."""
    path = tmp_path / "a.json"
    path.write_bytes(b'{"images": [], "annotations": [{"id": 1, "text": "' + b'\\"a' * 300_000 + b'", "x": ' + end)
    with pytest.raises(KinsError) as error:
        kins.load(path)
    assert "annotations[0].x" in str(error.value)
    assert not validate(path).valid


@pytest.mark.parametrize("count", [2, 3])
def test_an_unending_string_of_quotes(tmp_path, count):
    path = tmp_path / "a.json"
    path.write_bytes(b'{"images": [NaN, "' + b'\\"ab' * 10**count * 100)
    assert validate(path).found["unreadable"]


def test_what_polygons_take_to_fill(tmp_path, monkeypatch):
    """A box of 20 x 20 has outlines over 20 columns twice, with one for each of 4 points, and 400 pixels within."""
    effort = 2 * 20 + 4 + 400 / 256
    path = annotated(tmp_path / "a.json", [([square(5, 5, 20)],) * 2, ([square(5, 5, 20), square(30, 5, 20)],) * 2])
    monkeypatch.setenv("KINS_MAX_FILL", str(int(2 * effort) + 1))
    assert [i.amodal.area for i in kins.load(path)[0]] == [400, 800]
    monkeypatch.setenv("KINS_MAX_FILL", str(int(2 * effort) - 1))
    for masks in (lambda scene: kins.masks.spans(scene.masks("amodal")), lambda scene: scene[1].amodal.area):
        with pytest.raises(KinsError, match=r"a\.json: annotations\[1\]\.a_segm: has 91 columns.*KINS_MAX_FILL allows"):
            masks(kins.load(path)[0])
    assert kins.load(path)[0][0].amodal.area == 400
    assert "KINS_MAX_FILL" in validate(path).found["mask-unusable"].places[0][1]
    monkeypatch.delenv("KINS_MAX_FILL")
    monkeypatch.setenv("KINS_MAX_FILL_TOGETHER", str(int(3 * effort) - 1))
    with pytest.raises(KinsError, match=r"a\.json: annotations\[0\]\.a_segm: has, with others.*KINS_MAX_FILL_TOGETHER"):
        kins.masks.spans(kins.load(path)[0].masks("amodal"))


def test_what_lies_outside_of_the_image_takes_nothing(tmp_path, monkeypatch):
    path = annotated(tmp_path / "a.json", [([[-90_000, -90_000, 90_000, -90_000, 90_000, 90_000, 5, 5]],) * 2])
    monkeypatch.setenv("KINS_MAX_FILL", "400")
    assert kins.load(path)[0][0].amodal.area


@pytest.mark.parametrize(
    ("variable", "masks"), [("POINTS", [[*square(5, 5, 20), 5, 5]]), ("POLYGONS", [square(x, 5, 9) for x in range(5)])]
)
def test_points_and_polygons(tmp_path, monkeypatch, variable, masks):
    path = annotated(tmp_path / "a.json", [(masks, masks)])
    monkeypatch.setenv(f"KINS_MAX_{variable}", "5")
    assert kins.load(path)[0][0].amodal.area
    monkeypatch.setenv(f"KINS_MAX_{variable}", "4")
    with pytest.raises(KinsError, match=rf"annotations\[0\]\.a_segm: has 5 po.*KINS_MAX_{variable}"):
        kins.load(path)[0][0].amodal.area  # noqa: B018


def test_pixels(tmp_path, monkeypatch):
    path = annotated(tmp_path / "a.json", [([square(5, 5, 20)],) * 2])
    monkeypatch.setenv("KINS_MAX_PIXELS", str(60 * 80))
    assert kins.load(path)[0][0].amodal.area == 400
    assert validate(path).valid
    monkeypatch.setenv("KINS_MAX_PIXELS", str(60 * 80 - 1))
    with pytest.raises(KinsError, match=r"images\[0\]: image size 80 x 60.*KINS_MAX_PIXELS"):
        kins.load(path)
    assert "image-size" in validate(path).found


def test_a_picture_and_a_graph_of_many_show_the_largest(tmp_path, monkeypatch):
    path = annotated(tmp_path / "a.json", [([square(2 + 3 * n, 5, 4 + n)],) * 2 for n in range(17)], size=(60, 90))
    scene = kins.load(path)[0]
    plain = kins.draw.draw(scene, legend=False)
    monkeypatch.setenv("KINS_MAX_DRAWN", "16")
    drawn, chosen, note = largest(scene, limits.DRAWN)
    assert chosen == list(range(1, 17)) == [i.id - 1 for i in drawn]
    assert note == "the 16 largest of 17 instances; KINS_MAX_DRAWN allows more"
    assert (kins.draw.draw(scene, legend=False) != plain).any()
    monkeypatch.setenv("KINS_MAX_DRAWN_PIXELS", str(24**2))
    _, chosen, note = largest(scene, limits.DRAWN)
    assert chosen == [16]
    assert "KINS_MAX_DRAWN_PIXELS" in note
    monkeypatch.setenv("KINS_MAX_GRAPH", "2")
    svg = graph_svg(scene, colors_of(scene))
    assert "Drawn are the" in svg
    assert "largest of 17 instances" in svg


def test_a_report_shows_the_largest_classes(tmp_path, monkeypatch, capsys):
    dataset = write_shapes(tmp_path, 4)
    found = dataset.map(lambda s: s.replace(instances=tuple(i.replace(score=0.9) for i in s)))
    monkeypatch.setenv("KINS_MAX_CLASSES", "3")
    whole = kins.evaluate(dataset, found)
    before = analyse(dataset, found, whole)
    assert main_categories(whole)[1] == ""
    monkeypatch.setenv("KINS_MAX_CLASSES", "1")
    results = kins.evaluate(dataset, found)
    after = analyse(dataset, found, results)
    row = int(np.argmax(np.diag(before.confusion)[:-1]))
    assert after.classes == [before.classes[row], "2 others"]
    assert np.sum(after.confusion) == np.sum(before.confusion)
    assert after.confusion[0][0] == before.confusion[row][row]
    assert main_categories(results)[1].startswith("the 1 categories with the most objects of 3")
    print_results({"a": results}, per_class=True)
    assert "KINS_MAX_CLASSES" in capsys.readouterr().out
    names, note = main_classes([statistics(dataset)])
    assert (names, note[:35]) == ([before.classes[row]], "the 1 most frequent of 3 categories")
    monkeypatch.setenv("KINS_MAX_CATEGORIES", "2")
    with pytest.raises(KinsError, match=r"the ground truth: has 3 categories.*KINS_MAX_CATEGORIES"):
        kins.evaluate(dataset, found)


@pytest.mark.parametrize("field", ["id", "image_id", "category_id", "oco_id", "ico_id"])
@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**400])
def test_numbers_of_more_than_64_bits(tmp_path, field, number):
    path = annotated(tmp_path / "a.json", [([square(5, 5, 20)],) * 2])
    content = json.loads(path.read_text())
    content["annotations"][0][field] = number
    path.write_text(json.dumps(content))
    with pytest.raises(KinsError, match=rf"a\.json: annotations\[0\]\.{field}") as error:
        kins.load(path)
    assert "\n" not in str(error.value)
    assert validate(path).valid == field.startswith(("oco", "ico"))
