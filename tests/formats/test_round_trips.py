"""Reading, writing and converting, on files made from the formats' descriptions."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.formats.strategies import COCO, COCOA_CLS, KINS2019, KINS2020, cocoa, rle

import kins
from kins.formats import FORMATS, recognise
from kins.formats.document import read_document

FILES = {"kins2020": KINS2020, "kins2019": KINS2019, "cocoa-cls": COCOA_CLS, "d2sa": COCOA_CLS}
UNKNOWN = {"note", "truncation", "flags"}  # of annotations
ROOMY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


def write(path, value):
    path.write_text(json.dumps(value))
    return path


def by_id(dataset):
    return {instance.id: instance for scene in dataset for instance in scene}


def same_pixels(dataset, pixels):
    found = by_id(dataset)
    assert set(found) == set(pixels)
    for key, (amodal, inmodal) in pixels.items():
        assert (found[key].amodal.to_array() == amodal).all()
        assert (found[key].inmodal.to_array() == inmodal).all()


@ROOMY
@given(file=KINS2020)
def test_kins2020_is_written_as_it_was_read(tmp_path, file):
    value, pixels = file
    dataset = kins.load(write(tmp_path / "in.json", value), format="kins2020")
    assert dataset.save(tmp_path / "out.json") == []
    assert json.loads((tmp_path / "out.json").read_text()) == value
    same_pixels(dataset, pixels)


@ROOMY
@given(data=st.data(), name=st.sampled_from(sorted(FILES)))
def test_every_format_is_read_and_written_without_loss(tmp_path, data, name):
    value, pixels = data.draw(FILES[name])
    if not value["annotations"]:
        return
    path = write(tmp_path / "in.json", value)
    assert FORMATS[recognise(read_document(path))] is FORMATS[name]
    dataset = kins.load(path)
    same_pixels(dataset, pixels)
    assert dataset.save(tmp_path / "out.json", format=name) == []
    again = json.loads((tmp_path / "out.json").read_text())
    for mine, theirs in zip(again.pop("annotations"), value.pop("annotations"), strict=True):
        for field in ("inmodal_seg", "occlude_rate"):  # run lists become text, rates are computed
            mine.pop(field, None), theirs.pop(field, None)
        if name in ("cocoa-cls", "d2sa"):
            assert mine["visible_mask"] == theirs.setdefault("visible_mask", rle(pixels[mine["id"]][1]))
        assert mine == theirs
    assert again == value
    same_pixels(kins.load(tmp_path / "out.json", format=name), pixels)


def rows(dataset):
    """All that scenes hold, masks as the file has them."""
    plain = [
        i.replace(**{kind: mask and mask.segmentation for kind, mask in (("amodal", i.amodal), ("inmodal", i.inmodal))})
        for scene in dataset
        for i in scene
    ]
    return dataset.images, dataset.categories, dataset.extra, plain


@ROOMY
@given(data=st.data(), name=st.sampled_from(["kins2020", "kins2019", "cocoa-cls", "coco"]))
def test_files_as_published_are_read_as_others_are(tmp_path, data, name):
    value, _ = data.draw({**FILES, "coco": COCO}[name])
    plain = dict(value)
    plain["annotations"] = [
        {key: field for key, field in entry.items() if key not in UNKNOWN} for entry in value["annotations"]
    ]
    path, other = write(tmp_path / "in.json", plain), write(tmp_path / "other.json", {**plain, "more": 1})
    if plain["annotations"] and not set(plain) - {"images", "annotations", "categories", "info", "licenses"}:
        assert FORMATS[name].usual(path, path.read_bytes(), "amodal")
    assert not FORMATS[name].usual(other, other.read_bytes(), "amodal")
    images, categories, extra, found = rows(kins.load(path, format=name, masks="amodal"))
    *same, more, expected = rows(kins.load(other, format=name, masks="amodal"))
    assert (images, categories, {**extra, "more": 1}, found) == (*same, more, expected)


@ROOMY
@given(data=st.data(), source=st.sampled_from(sorted(FILES)), target=st.sampled_from(sorted(FILES)))
def test_conversions_keep_pixels_names_and_unknown_fields(tmp_path, data, source, target):
    value, pixels = data.draw(FILES[source])
    first = kins.load(write(tmp_path / "in.json", value), format=source)
    losses = first.save(tmp_path / "out.json", format=target)
    second = kins.load(tmp_path / "out.json", format=target)
    same_pixels(second, pixels)
    assert (second.images, second.categories, second.extra) == (first.images, first.categories, first.extra)
    one, two = by_id(first), by_id(second)
    for key in pixels:
        a, b = one[key], two[key]
        assert (a.category, a.crowd, a.extra) == (b.category, b.crowd, b.extra)
        assert a.amodal.polygons == b.amodal.polygons
        if target == "kins2020":
            assert (a.cluster, a.order) == (b.cluster, b.order)
            assert b.inmodal_box == (a.inmodal_box or a.inmodal.box)
    ordered = any(instance.order is not None for instance in one.values())
    assert any("oco_id" in line for line in losses) == (ordered and target != "kins2020")


@ROOMY
@given(file=COCO, masks=st.sampled_from(["amodal", "inmodal"]))
def test_coco_is_what_the_user_says(tmp_path, file, masks):
    value, pixels = file
    path = write(tmp_path / "in.json", value)
    dataset = kins.load(path, format="coco", masks=masks)
    for key, (amodal, _) in pixels.items():
        instance = by_id(dataset)[key]
        assert (getattr(instance, masks).to_array() == amodal).all()
        assert (instance.amodal is None) != (instance.inmodal is None)
    assert dataset.save(tmp_path / "out.json", format="coco") == []
    assert json.loads((tmp_path / "out.json").read_text()) == value
    dataset.save(tmp_path / "kins.json")
    again = kins.load(tmp_path / "kins.json", format="kins2020")
    for key, (amodal, _) in pixels.items():
        assert (getattr(by_id(again)[key], masks).to_array() == amodal).all()


@ROOMY
@given(file=cocoa())
def test_cocoa_is_written_as_it_was_read(tmp_path, file):
    value, pixels = file
    path = write(tmp_path / "in.json", value)
    dataset = kins.load(path)
    found = [instance for scene in dataset for instance in scene]
    for instance, (amodal, inmodal) in zip(found, pixels, strict=True):
        assert (instance.amodal.to_array() == amodal).all()
        assert (instance.inmodal.to_array() == inmodal).all()
    assert dataset.save(tmp_path / "out.json", format="cocoa") == []
    again = json.loads((tmp_path / "out.json").read_text())
    for entry, old in zip(again["annotations"], value["annotations"], strict=True):
        old.setdefault("depth_constraint", "")  # a single region
        for region, old_region in zip(entry["regions"], old["regions"], strict=True):
            assert region.pop("occlude_rate") == pytest.approx(old_region.pop("occlude_rate"))
    assert again == value


@ROOMY
@given(file=cocoa())
def test_cocoa_survives_a_stay_in_kins2020(tmp_path, file):
    value, _ = file
    kins.load(write(tmp_path / "in.json", value)).save(tmp_path / "kins.json")
    kins.load(tmp_path / "kins.json", format="kins2020").save(tmp_path / "out.json", format="cocoa")
    again = json.loads((tmp_path / "out.json").read_text())
    for entry, old in zip(again["annotations"], value["annotations"], strict=True):
        old.setdefault("depth_constraint", "")  # a single region
        for region, old_region in zip(entry["regions"], old["regions"], strict=True):
            assert region.pop("occlude_rate") == pytest.approx(old_region.pop("occlude_rate"))
    assert again == value


def square(x, size=4):
    return [float(c) for p in ((x, 0), (x + size, 0), (x + size, size), (x, size)) for c in p]


def entry(image_id=1, names="abc", **fields):
    regions = [{"segmentation": square(2 * i), "name": name, "order": i + 1} for i, name in enumerate(names)]
    return {"id": 9, "image_id": image_id, "regions": regions} | fields


IMAGES = [{"id": 1, "file_name": "1.jpg", "height": 9, "width": 12}]


def test_depth_constraints_follow_the_instances(tmp_path):
    value = {"images": IMAGES, "annotations": [entry(depth_constraint="1-2,1-3,2-3,x,7-1")]}
    dataset = kins.load(write(tmp_path / "in.json", value))
    assert dataset[1].image.extra["depth_constraint"] == [[1, 2], [1, 3], [2, 3]]
    assert [line.split(":")[1].strip() for line in dataset.left_out] == [
        "'x' is no pair of regions",
        "'7-1' is no pair of regions",
    ]
    dataset.filter(lambda instance: instance.category != "a").save(tmp_path / "out.json", format="cocoa")
    assert json.loads((tmp_path / "out.json").read_text())["annotations"][0]["depth_constraint"] == "1-2"


def test_each_annotator_of_an_image_gets_a_scene(tmp_path):
    value = {"images": IMAGES, "annotations": [entry(names="ab"), entry(names="c", id=10)]}
    dataset = kins.load(write(tmp_path / "in.json", value))
    assert [[i.category for i in scene] for scene in dataset] == [["a", "b"], ["c"]]
    assert {scene.image.file_name for scene in dataset} == {"1.jpg"}
    dataset.save(tmp_path / "out.json", format="cocoa")
    again = json.loads((tmp_path / "out.json").read_text())
    assert again["images"] == IMAGES
    assert [(e["id"], e["image_id"]) for e in again["annotations"]] == [(9, 1), (10, 1)]


def test_cocoa_gets_one_sequence_from_clusters(tmp_path):
    mask = kins.Mask.from_array(np.ones((4, 4), bool))
    instances = tuple(
        kins.Instance(i, 1, "car", mask, mask, cluster=i % 2, order=order) for i, order in enumerate((1, 0, 0, 2, 1))
    )
    dataset = kins.Dataset.from_scenes([kins.Scene(kins.Image(1, "1.jpg", 4, 4), instances)], {1: "car"})
    losses = dataset.save(tmp_path / "out.json", format="cocoa")
    assert any("clusters" in line for line in losses)
    orders = [i.order for i in kins.load(tmp_path / "out.json")["1.jpg"]]
    assert sorted(orders) == [1, 2, 3, 4, 5]
    for a in range(5):
        for b in range(5):
            if instances[a].cluster == instances[b].cluster and instances[a].order < instances[b].order:
                assert orders[a] < orders[b]


def test_cocoa_has_all_that_other_readers_take_without_asking(tmp_path):
    """Two images, one of them empty; KINS's order begins at 0, the constraint comes from the masks."""
    whole = [np.zeros((6, 12), bool) for _ in range(3)]
    for pixels, x in zip(whole, (0, 3, 9), strict=True):
        pixels[1:5, x : x + 5] = True
    masks = [kins.Mask.from_array(pixels) for pixels in whole]
    seen = [masks[0] - masks[1], masks[1], masks[2]]
    made = [kins.Instance(7 + k, 1, "car", m, s) for k, (m, s) in enumerate(zip(masks, seen, strict=True))]
    given = [made[0].replace(cluster=0, order=1), made[1].replace(cluster=0, order=0)]
    scenes = [kins.Scene(kins.Image(k, f"{k}.jpg", 6, 12), tuple(i)) for k, i in ((4, []), (5, made), (6, given))]
    assert kins.Dataset.from_scenes(scenes, {1: "car"}).save(tmp_path / "out.json", format="cocoa") != []
    value = json.loads((tmp_path / "out.json").read_text())
    assert [image["id"] for image in value["images"]] == [entry["image_id"] for entry in value["annotations"]]
    assert [len(entry["regions"]) for entry in value["annotations"]] == [0, 3, 2]
    assert [entry["size"] for entry in value["annotations"]] == [0, 3, 2]
    assert [entry["depth_constraint"] for entry in value["annotations"]] == ["", "2-1", "2-1"]
    assert [region["isStuff"] for entry in value["annotations"] for region in entry["regions"]] == [0] * 5
    assert [region["order"] for region in value["annotations"][2]["regions"]] == [2, 1]
    orders = [region["order"] for region in value["annotations"][1]["regions"]]
    assert sorted(orders) == [1, 2, 3]
    assert orders[1] < orders[0]


def test_cocoa_without_both_masks_has_no_order(tmp_path):
    mask = kins.Mask.from_array(np.ones((4, 4), bool))
    scene = kins.Scene(kins.Image(1, "1.jpg", 4, 4), (kins.Instance(1, 1, "car", mask),))
    kins.Dataset.from_scenes([scene], {1: "car"}).save(tmp_path / "out.json", format="cocoa")
    (entry,) = json.loads((tmp_path / "out.json").read_text())["annotations"]
    assert entry["depth_constraint"] == ""
    assert "order" not in entry["regions"][0]


def test_a_lone_entry_needs_a_size(tmp_path):
    path = write(tmp_path / "1.json", entry())
    with pytest.raises(kins.KinsError, match="--images"):
        kins.load(path)
    with pytest.raises(kins.KinsError, match="has no picture"):
        kins.load(path, images=tmp_path)


def test_real_samples(samples, tmp_path):
    """Visible and invisible part make up the amodal mask; every format holds the pixels."""
    for path in sorted(samples.glob("*.json")):
        raw = json.loads(path.read_text())
        dataset = kins.load(path, images=samples)
        (scene,) = dataset
        assert scene.read_image().shape == (scene.image.height, scene.image.width, 3)
        for instance, region in zip(scene, raw["regions"], strict=True):
            if "visible_mask" in region:
                parts = instance.inmodal | kins.Mask.from_rle(region["invisible_mask"])
                differing = (parts - instance.amodal).area + (instance.amodal - parts).area
                assert differing <= 0.01 * instance.amodal.area
                assert instance.occlusion_rate == pytest.approx(region["occlude_rate"], abs=0.01)
            assert instance.amodal.area == pytest.approx(region["area"], rel=0.01)
        for name in ("kins2020", "kins2019", "cocoa", "cocoa-cls"):
            dataset.save(tmp_path / "out.json", format=name)
            (again,) = kins.load(tmp_path / "out.json")
            for a, b in zip(scene, again, strict=True):
                assert (a.category, a.amodal, a.inmodal, a.amodal.polygons) == (
                    b.category,
                    b.amodal,
                    b.inmodal,
                    b.amodal.polygons,
                )


@pytest.mark.parametrize("in_memory", [0, 10**9])
def test_annotations_keep_their_sequence_across_images(tmp_path, monkeypatch, in_memory):
    """COCO's files have them in any; what was added comes last. Many are kept in a temporary file meanwhile."""
    monkeypatch.setattr("kins.formats.document.IN_MEMORY", in_memory)
    rows = [{"id": n, "image_id": n % 3, "category_id": 1, "a_segm": [[0, 0, n, 0, n, n]]} for n in range(9, 0, -1)]
    images = [{"id": n, "file_name": f"{n}.png", "height": 9, "width": 9} for n in range(3)]
    value = {"images": images, "annotations": rows, "categories": [{"id": 1, "name": "car"}]}
    dataset = kins.load(write(tmp_path / "in.json", value))
    added = dataset.map(lambda s: s.replace(instances=(s[0].replace(id=100 + s.image.id, position=-1), *s)))
    added.save(tmp_path / "out.json")
    ids = [row["id"] for row in json.loads((tmp_path / "out.json").read_text())["annotations"]]
    assert ids == [*range(9, 0, -1), 100, 101, 102]


def test_annotations_without_an_image_are_reported(tmp_path):
    value = {
        "images": IMAGES,
        "categories": [],
        "annotations": [{"id": 1, "image_id": 5, "category_id": 1, "a_segm": [], "i_segm": []}],
    }
    dataset = kins.load(write(tmp_path / "in.json", value))
    assert "1 annotations of images that the file does not list" in dataset.left_out[0]
    assert dataset.left_out[0] in dataset.save(tmp_path / "out.json")


@pytest.mark.parametrize("field", ["cocoa", "depth_constraint"])
@pytest.mark.parametrize("value", ["1-2", 5, [1], [["a", "b"]], [[1, 2, 3]], {"image_id": []}, None])
def test_what_the_cocoa_reader_keeps_is_not_trusted_when_it_comes_from_a_file(tmp_path, field, value):
    path = write(tmp_path / "in.json", {"images": [IMAGES[0] | {field: value}], "annotations": []})
    try:
        dataset = kins.load(path)
    except kins.KinsError as error:
        assert f"images[0].{field}" in str(error)  # noqa: PT017
    else:
        dataset.merge(dataset).save(tmp_path / "out.json", format="cocoa")
