"""kins validate: each fault is found at its place, and repairs take no guess."""

import copy
import json

import pytest

import kins
from kins import KinsError
from kins.demo.toys import write_shapes
from kins.validate import KINDS, validate


def rectangle(x, y, width, height):
    return [float(c) for p in ((x, y), (x + width, y), (x + width, y + height), (x, y + height)) for c in p]


def annotation(number, x, seen=10, **fields):
    """A square of 10 x 10 pixels at (x, 5) of which the left `seen` columns are visible."""
    return {
        "id": number,
        "image_id": 1,
        "category_id": 4,
        "iscrowd": 0,
        "a_segm": [rectangle(x, 5, 10, 10)],
        "a_bbox": [x, 5, 10, 10],
        "a_area": 100,
        "i_segm": [rectangle(x, 5, seen, 10)],
        "i_bbox": [x, 5, seen, 10],
        "i_area": 10 * seen,
        "oco_id": 0,
        "ico_id": 0,
    } | fields


def sound():
    """Three objects, of which the second (at index 1) is partly hidden by the third."""
    return {
        "images": [{"id": 1, "file_name": "1.png", "height": 30, "width": 60}],
        "categories": [{"id": 4, "name": "car"}],
        "annotations": [
            annotation(1, 5, oco_id=1),
            annotation(2, 30, seen=5, ico_id=1),
            annotation(3, 35),
        ],
    }


def check(tmp_path, value, **options):
    path = tmp_path / "in.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return validate(path, **options)


def change(place, value):
    """Sets, or with `...` removes, what stands at a place like ("annotations", 1, "id")."""

    def apply(content):
        *way, last = place
        for step in way:
            content = content[step]
        if value is ...:
            del content[last]
        else:
            content[last] = value

    return apply


A, IMG = "annotations", "images"
LEAK = [rectangle(5, 5, 10, 10), rectangle(0, 0, 5, 1)]
FAULTS = [
    ("annotation-id-twice", (A, 1, "id"), 1, "annotations[1].id"),
    ("id-as-text", (A, 1, "id"), "2", "annotations[1].id"),
    ("annotation-entry", (A, 1, "id"), ..., "annotations[1].id"),
    ("annotation-entry", (A, 1, "image_id"), 1.5, "annotations[1].image_id"),
    ("annotation-entry", (A, 1), 17, "annotations[1]"),
    ("unknown-image", (A, 1, "image_id"), 8, "annotations[1].image_id"),
    ("unknown-category", (A, 1, "category_id"), 8, "annotations[1].category_id"),
    ("polygon-short", (A, 0, "a_segm"), [rectangle(5, 5, 10, 10), [1, 1, 2, 2]], "annotations[0].a_segm[1]"),
    ("polygons-empty", (A, 0, "a_segm"), [], "annotations[0].a_segm"),
    ("polygon-unusable", (A, 0, "a_segm"), [[1e9, 0, 5, 0, 5, 5]], "annotations[0].a_segm[0]"),
    ("polygon-unusable", (A, 0, "a_segm"), [[1, 0, 5, 0, 5]], "annotations[0].a_segm[0]"),
    ("polygon-unusable", (A, 0, "a_segm"), [[1, 0, 5, 0, "5", 5]], "annotations[0].a_segm[0]"),
    ("polygon-unusable", (A, 0, "a_segm"), [None], "annotations[0].a_segm[0]"),
    ("polygon-unusable", (A, 0, "a_segm"), rectangle(5, 5, 10, 10), "annotations[0].a_segm"),
    ("polygon-outside", (A, 0, "a_segm"), [rectangle(5, 5, 10, 40)], "annotations[0].a_segm[0]"),
    ("nan", (A, 0, "a_segm"), [[float("nan"), 0, 5, 0, 5, 5]], None),
    ("nan", (A, 0, "a_area"), float("-inf"), None),
    ("box-outside", (A, 0, "a_bbox"), [-5, 5, 20, 10], "annotations[0].a_bbox"),
    ("box-outside", (A, 0, "a_bbox"), [5, 5, 10, 1e9], "annotations[0].a_bbox"),
    ("box-unusable", (A, 0, "a_bbox"), [5, 5, 10], "annotations[0].a_bbox"),
    ("box-unusable", (A, 0, "a_bbox"), [5, 5, -10, 10], "annotations[0].a_bbox"),
    ("box-differs", (A, 0, "a_bbox"), [5, 5, 15, 15], "annotations[0].a_bbox"),
    ("area-unusable", (A, 0, "a_area"), -1, "annotations[0].a_area"),
    ("area-differs", (A, 0, "a_area"), 200, "annotations[0].a_area"),
    ("mask-missing", (A, 0, "i_segm"), ..., "annotations[0].i_segm"),
    ("mask-missing", (A, 0, "a_segm"), None, "annotations[0].a_segm"),
    ("mask-unusable", (A, 0, "a_segm"), "polygon", "annotations[0].a_segm"),
    ("mask-empty", (A, 0, "i_segm"), [[1, 1, 1, 1, 1, 1]], "annotations[0].i_segm"),
    ("inmodal-leaks", (A, 0, "i_segm"), [rectangle(5, 5, 14, 10)], "annotations[0].i_segm"),
    ("inmodal-leaks-a-little", (A, 0, "i_segm"), LEAK, "annotations[0].i_segm"),
    ("rle-unusable", (A, 0, "a_segm"), {"size": [30, 60], "counts": [1, 2]}, "annotations[0].a_segm"),
    ("rle-unusable", (A, 0, "a_segm"), {"size": [60, 30], "counts": [1800]}, "annotations[0].a_segm"),
    ("rle-unusable", (A, 0, "a_segm"), {"size": [30, 60], "counts": "é"}, "annotations[0].a_segm"),
    ("rle-unusable", (A, 0, "a_segm"), {"size": [30, 60]}, "annotations[0].a_segm"),
    ("order-missing", (A, 0, "ico_id"), ..., "annotations[0]"),
    ("order-disagrees", (A, 1, "ico_id"), 0, "annotations[2]"),
    ("order-disagrees", (A, 1, "oco_id"), 5, "annotations[2]"),
    ("field-type", (A, 0, "ico_id"), "first", "annotations[0].ico_id"),
    ("crowd", (A, 0, "iscrowd"), 7, "annotations[0].iscrowd"),
    ("same-object-twice", (A, 1), annotation(2, 5), "annotations[1]"),
    ("image-size", (IMG, 0, "height"), -30, "images[0]"),
    ("image-size", (IMG, 0, "height"), ..., "images[0]"),
    ("image-entry", (IMG, 0, "file_name"), ..., "images[0].file_name"),
    ("image-entry", (IMG, 0), [], "images[0]"),
    ("file-name-unsafe", (IMG, 0, "file_name"), "../1.png", "images[0].file_name"),
    ("file-name-unsafe", (IMG, 0, "file_name"), "/etc/passwd", "images[0].file_name"),
    ("category-entry", ("categories", 0, "name"), 3, "categories[0].name"),
    ("no-list", ("categories",), ..., "categories"),
    ("no-list", (IMG,), ..., "images"),
]  # fmt: skip


def test_a_sound_file(tmp_path):
    report = check(tmp_path, sound())
    assert report.problems == []
    assert (report.format, report.images, report.instances, report.valid) == ("kins2020", 1, 3, True)


@pytest.mark.parametrize(("code", "place", "value", "found"), FAULTS)
def test_each_fault_is_found_at_its_place(tmp_path, code, place, value, found):
    content = sound()
    change(place, value)(content)
    report = check(tmp_path, content)
    assert code in report.found
    if found is not None:
        assert report.found[code].places[0][0] == found
        assert report.found[code].count == 1
    assert report.valid == (KINDS[code].severity != "error" and not report.count("error"))
    json.dumps(report.as_json())
    assert KINDS[code].what in report.as_text()


@pytest.mark.parametrize(("code", "place", "value", "_found"), FAULTS)
def test_a_repaired_copy_is_no_worse_and_loads(tmp_path, code, place, value, _found):
    content = sound()
    change(place, value)(content)
    before = check(tmp_path, content, repaired=tmp_path / "fixed.json")
    after = validate(tmp_path / "fixed.json", format="kins2020")
    if "--fix" in KINDS[code].advice or "--fix does" in KINDS[code].advice:
        assert after.count("error") <= before.count("error")
    if before.repairs:
        assert after.count("error") + after.count("warning") < before.count("error") + before.count("warning")
    try:
        dataset = kins.load(tmp_path / "fixed.json", format="kins2020")
        areas = [mask.area for scene in dataset for i in scene for mask in (i.amodal, i.inmodal) if mask is not None]
    except kins.KinsError:
        assert after.count("error")
    else:
        assert areas or not json.loads((tmp_path / "fixed.json").read_text())["annotations"]


@pytest.mark.parametrize(
    ("kind", "entry", "code"),
    [
        (IMG, sound()[IMG][0], "image-id-twice"),
        (IMG, sound()[IMG][0] | {"id": 2}, "file-name-twice"),
        (IMG, sound()[IMG][0] | {"id": 2}, "image-without-annotations"),
        ("categories", {"id": 4, "name": "van"}, "category-id-twice"),
        ("categories", {"id": 5, "name": "car"}, "category-name-twice"),
        ("categories", {"id": -5, "name": "van"}, "category-id-negative"),
        ("categories", {"id": 5, "name": "van"}, "category-unused"),
    ],
)
def test_repeated_and_unused_entries(tmp_path, kind, entry, code):
    content = sound()
    content[kind].append(entry)
    assert check(tmp_path, content).found[code].count == 1


def test_repairs(tmp_path):
    """What takes no guess is repaired, the rest stays as it is."""
    content = sound()
    rows = content["annotations"]
    rows[0]["id"] = "1"
    rows[1]["id"] = 3
    rows[1]["a_bbox"] = [0, 0, 1, 1]
    rows[1]["a_area"] = float("nan")
    rows[2]["a_segm"].append([1, 2])
    rows[2]["note"] = {"kept": None}
    rows += [annotation(4, 5, image_id=9), annotation(5, 5, a_segm=[[1e9, 0, 5, 0, 5, 5]])]
    content["images"].append(content["images"][0])
    report = check(tmp_path, content, repaired=tmp_path / "fixed.json")
    fixed = json.loads((tmp_path / "fixed.json").read_text())
    expected = sound()
    expected["annotations"][2] |= {"id": 4, "note": {"kept": None}}
    expected["annotations"][1]["id"] = 3
    expected["annotations"][2]["id"] = 6
    assert fixed == expected
    assert validate(tmp_path / "fixed.json").problems == []
    assert len(report.repairs) == 9


def test_what_cannot_be_repaired_stays_untouched(tmp_path):
    content = sound()
    content["annotations"][0] |= {"i_segm": [rectangle(5, 5, 14, 10)], "i_bbox": [5, 5, 14, 10], "i_area": 140}
    content["annotations"][0]["category_id"] = 99
    report = check(tmp_path, content, repaired=tmp_path / "fixed.json")
    assert not report.valid
    assert report.repairs == []
    assert json.loads((tmp_path / "fixed.json").read_text()) == content


def test_pictures_are_looked_for(tmp_path):
    dataset = write_shapes(tmp_path / "pictures", 4)
    dataset.save(tmp_path / "in.json")
    content = json.loads((tmp_path / "in.json").read_text())
    assert validate(tmp_path / "in.json", images=tmp_path / "pictures").valid
    (tmp_path / "pictures" / "000000.png").unlink()
    (tmp_path / "pictures" / "000001.png").write_text("no picture")
    content["images"][2]["width"] += 1
    content["images"][3]["height"] = -1
    report = check(tmp_path, content, images=tmp_path / "pictures", repaired=tmp_path / "fixed.json")
    for code, place in (
        ("image-missing", "images[0].file_name"),
        ("image-unreadable", "images[1].file_name"),
        ("image-size-differs", "images[2]"),
        ("image-size", "images[3]"),
    ):
        assert [where for where, _ in report.found[code].places] == [place]
    fixed = json.loads((tmp_path / "fixed.json").read_text())
    assert fixed["images"][3]["height"] == dataset[3].image.height


@pytest.mark.parametrize("name", ["kins2019", "cocoa-cls", "cocoa", "kins2020"])
def test_sound_files_of_other_formats(tmp_path, name):
    write_shapes(tmp_path, 5).save(tmp_path / "in.json", format=name)
    report = validate(tmp_path / "in.json", format=name)
    assert {code for code in report.found if KINDS[code].severity != "info"} <= set()
    assert report.instances == sum(len(scene) for scene in kins.load(tmp_path / "in.json", format=name))


def test_plain_coco(tmp_path):
    write_shapes(tmp_path, 5).save(tmp_path / "in.json", format="coco", masks="inmodal")
    report = validate(tmp_path / "in.json")
    assert (report.format, report.valid) == ("coco", True)


def test_faults_of_cocoa(tmp_path):
    write_shapes(tmp_path, 1).save(tmp_path / "in.json", format="cocoa")
    content = json.loads((tmp_path / "in.json").read_text())
    entry = content["annotations"][0]
    entry["depth_constraint"] = "1-2,1-99"
    hidden = next(index for index, region in enumerate(entry["regions"]) if "invisible_mask" in region)
    region = entry["regions"][hidden]
    region["occlude_rate"] = 1.0
    region["invisible_mask"] = region["visible_mask"]
    entry["regions"][0]["order"] = entry["regions"][1]["order"]
    report = check(tmp_path, content)
    assert report.found["order-unusable"].places[0][0] == "annotations[0].depth_constraint"
    assert report.found["rate-differs"].places[0][0] == f"annotations[0].regions[{hidden}].occlude_rate"
    assert report.found["parts-differ"].count == 1
    assert report.found["order-twice"].count == 1


def test_real_samples(samples):
    for path in sorted(samples.glob("*.json")):
        report = validate(path, images=samples)
        assert report.problems == []
        assert report.instances > 1


@pytest.mark.parametrize(
    "content", ["", "{", "[1, 2", '{"images": [], "annotations": {}}', "\x89PNG\r\n", "5", "{}", "[]"]
)
def test_what_is_no_annotation_file(tmp_path, content):
    report = check(tmp_path, content)
    assert not report.valid
    assert report.found["unreadable"].count == 1


def test_a_folder_and_no_file(tmp_path):
    assert not validate(tmp_path).valid
    with pytest.raises(KinsError, match="no such file"):
        validate(tmp_path / "missing.json")
    with pytest.raises(KinsError, match="no such image folder"):
        check(tmp_path, sound(), images=tmp_path / "missing")


def test_order_is_compared_with_that_of_the_masks(tmp_path):
    """A derived order has no disagreement; a reversed one has one for every pair that overlaps."""
    from kins.occlusion import with_order

    dataset = write_shapes(tmp_path, 6).map(with_order)
    dataset.save(tmp_path / "in.json")
    assert "order-disagrees" not in validate(tmp_path / "in.json").found
    content = json.loads((tmp_path / "in.json").read_text())
    for row in content["annotations"]:
        row["ico_id"] *= -1
    edges = sum(len(scene.occlusion().edges) for scene in dataset)
    assert edges > 3
    assert check(tmp_path, content).found["order-disagrees"].count == edges


def test_the_original_is_never_changed(tmp_path):
    content = sound()
    content["annotations"][0]["id"] = "1"
    before = copy.deepcopy(content)
    check(tmp_path, content, repaired=tmp_path / "fixed.json")
    assert json.loads((tmp_path / "in.json").read_text()) == before
