"""Agreement of annotators and their consensus."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.helpers import box
from typer.testing import CliRunner

import kins
from kins.commands.cli import app
from kins.masks import Mask
from kins.occlusion import disagreements
from kins.records import Dataset, Image, Instance, Scene
from kins.statistics.agreement import annotators, compare, consensus, match

Array = npt.NDArray[np.bool_]
CATEGORIES = {1: "car", 2: "van"}


def annotated(*objects: tuple[Array, Array, str], size: tuple[int, int] = (40, 60), name: str = "a.png") -> Dataset:
    ids = {name: key for key, name in CATEGORIES.items()}
    instances = tuple(
        Instance(k, ids[category], category, Mask.from_array(amodal), Mask.from_array(inmodal))
        for k, (amodal, inmodal, category) in enumerate(objects, 10)
    )
    return Dataset.from_scenes([Scene(Image(1, name, *size), instances)], CATEGORIES)


def three() -> list[Dataset]:
    """Two cars, one behind the other; the third annotator misses the hidden one and sees a van that is not there."""
    front, back = box(0, 10, 20, 20), box(10, 10, 30, 20)
    first = annotated((front, front, "car"), (back, back & ~front, "car"))
    wider = box(10, 10, 32, 20)
    second = annotated((wider, wider & ~front, "van"), (front, front, "car"))
    van = box(50, 0, 8, 8)
    third = annotated((van, van, "van"), (box(0, 10, 21, 20), box(0, 10, 21, 20), "van"))
    return [first, second, third]


def test_compare() -> None:
    first, second, third = three()
    found = compare(first, second)
    assert sorted(found.amodal) == pytest.approx([30 / 32, 1.0])
    assert found.hidden == pytest.approx([1.0])
    assert found.same_category == 1
    assert (found.related, found.same_direction, found.related_once) == (1, 1, 0)
    assert compare(first, third).as_json() | {"first": "", "second": ""} == {
        "first": "",
        "second": "",
        "images": 1,
        "instances": [2, 2],
        "matched": 1,
        "matched_share": 0.5,
        "same_category_share": 0.0,
        "amodal_iou": pytest.approx(20 / 21),
        "inmodal_iou": pytest.approx(20 / 21),
        "hidden_iou": None,
        "related_pairs": 0,
        "related_for_one_only": 0,
        "order_agreement": None,
    }


def said(dataset: Dataset, name: str, assistance: object) -> Scene:
    """Its scene as that of an image of this name that says of itself whether proposals were shown."""
    scene = dataset[1]
    number = {"a.png": 1, "b.png": 2, "c.png": 3, "d.png": 4}[name]
    return scene.replace(image=Image(number, name, 40, 60, {"assistance": assistance}))


def test_images_with_and_without_proposals_are_compared_apart(tmp_path: Path) -> None:
    first, second, third = three()
    one = [said(first, "a.png", True), said(first, "b.png", False), said(first, "c.png", True), said(first, "d.png", 1)]
    two = [said(first, "a.png", True), said(second, "b.png", False), said(third, "c.png", False)]
    two.append(said(second, "d.png", 1))  # no true: nobody knows
    for scenes, name in ((one, "one.json"), (two, "two.json")):
        renumbered = [
            scene.replace(instances=tuple(i.replace(id=100 * n + i.id) for i in scene))
            for n, scene in enumerate(scenes)
        ]
        Dataset.from_scenes(renumbered, CATEGORIES).save(tmp_path / name)
    files = [str(tmp_path / "one.json"), str(tmp_path / "two.json")]
    (pair,) = json.loads(CliRunner().invoke(app, ["agree", *files, "--json"]).stdout)["pairs"]
    names = {"first": "one.json", "second": "two.json"}
    apart = pair.pop("by_assistance")
    assert apart["with"] == compare(first, first).as_json() | names
    assert apart["without"] == compare(first, second).as_json() | names
    assert (pair["images"], pair["matched"]) == (4, 2 + 2 + 1 + 2)
    assert pair["amodal_iou"] == pytest.approx((1 + 1 + 1 + 30 / 32 + 20 / 21 + 1 + 30 / 32) / 7)
    table = CliRunner().invoke(app, ["agree", *files]).stdout
    assert table.count("without proposals") == table.count("with proposals") == 1
    assert "by_assistance" not in compare(first, second).as_json()


def test_opposite_order_is_no_agreement() -> None:
    front, back = box(0, 10, 20, 20), box(10, 10, 30, 20)
    first = annotated((front, front, "car"), (back, back & ~front, "car"))
    second = annotated((front, front & ~back, "car"), (back, back, "car"))
    found = compare(first, second)
    assert (found.related, found.same_direction) == (1, 0)


def test_stated_order_counts_before_the_masks() -> None:
    front, back = box(0, 10, 20, 20), box(10, 10, 30, 20)
    first = annotated((front, front, "car"), (back, back & ~front, "car"))
    scene = first[1]
    swapped = (scene[0].replace(order=2, cluster=0), scene[1].replace(order=1, cluster=0))
    second = Dataset.from_scenes([scene.replace(instances=swapped)], CATEGORIES)
    found = compare(first, second)
    assert (found.related, found.same_direction) == (1, 0)


def test_matching_is_the_best_in_all() -> None:
    """Taking the best pair first would leave the others without a partner."""
    a, b = box(0, 0, 20, 10), box(6, 0, 20, 10)
    c, d = box(3, 0, 20, 10), box(0, 0, 14, 10)

    def instances(*arrays: Array) -> list[Instance]:
        return [Instance(k, 1, "car", Mask.from_array(array), Mask.from_array(array)) for k, array in enumerate(arrays)]

    assert match(instances(a, b), instances(c, d)) == [(0, 1), (1, 0)]
    assert match(instances(a), instances(box(40, 0, 9, 9))) == []
    assert match([], instances(a)) == []


def test_consensus_of_three() -> None:
    (scene,) = consensus(three())
    assert [i.category for i in scene] == ["car", "car"]
    front, back = scene
    assert front.amodal == Mask.from_array(box(0, 10, 20, 20))
    assert back.amodal == Mask.from_array(box(10, 10, 30, 20))
    assert back.inmodal == Mask.from_array(box(20, 10, 20, 20))
    assert [(i.id, i.cluster, i.order) for i in scene] == [(1, 0, 0), (2, 0, 1)]
    assert disagreements(scene) == []


@st.composite
def noisy(draw: st.DrawFn) -> list[Dataset]:
    """Three annotators of the same two objects."""
    made = []
    for _ in range(3):
        rng = np.random.default_rng(draw(st.integers(0, 9999)))
        arrays = [box(5, 5, 20, 20), box(30, 10, 25, 20)]
        arrays = [array ^ (rng.random(array.shape) < 0.03) for array in arrays]
        seen = [array & (rng.random(array.shape) < 0.9) for array in arrays]
        made.append(annotated(*((a, s, "car") for a, s in zip(arrays, seen, strict=True))))
    return made


@settings(max_examples=30, deadline=None)
@given(noisy())
def test_consensus_is_the_majority_of_each_pixel(datasets: list[Dataset]) -> None:
    (scene,) = consensus(datasets)
    for k, instance in enumerate(scene):
        amodal = sum(dataset[1][k].amodal.to_array().astype(int) for dataset in datasets) >= 2
        inmodal = sum(dataset[1][k].inmodal.to_array().astype(int) for dataset in datasets) >= 2
        assert (instance.amodal.to_array() == amodal).all()
        assert (instance.inmodal.to_array() == (inmodal & amodal)).all()


def test_consensus_of_identical_annotations_is_the_same() -> None:
    first = three()[0]
    for count in (2, 3, 4):
        (scene,) = consensus([first] * count)
        assert [i.amodal for i in scene] == [i.amodal for i in first[1]]
        assert [i.inmodal for i in scene] == [i.inmodal for i in first[1]]


def test_what_cannot_be_compared() -> None:
    square = box(0, 0, 9, 9)
    first = annotated((square, square, "car"))
    with pytest.raises(kins.KinsError, match="no image in common"):
        compare(first, annotated((square, square, "car"), name="b.png"))
    with pytest.raises(kins.KinsError, match="60 x 40 and 61 x 40"):
        compare(first, annotated(size=(40, 61)))
    with pytest.raises(kins.KinsError, match="at least two"):
        consensus([first])
    with pytest.raises(kins.KinsError, match="one annotation of each image"):
        annotators(first)


def test_annotators_of_one_file(tmp_path: Path) -> None:
    squares = [[0, 0, 20, 0, 20, 20, 0, 20], [10, 0, 30, 0, 30, 20, 10, 20]]
    regions = [{"segmentation": s, "name": "thing", "order": k + 1} for k, s in enumerate(squares)]
    swapped = [{**regions[1], "order": 1}, {**regions[0], "order": 2}]
    entries = [{"image_id": 1, "id": k + 1, "regions": r} for k, r in enumerate([regions, swapped])]
    images = [{"id": 1, "file_name": "a.jpg", "width": 40, "height": 30}]
    path = tmp_path / "cocoa.json"
    path.write_text(json.dumps({"images": images, "annotations": entries}))
    result = CliRunner().invoke(app, ["agree", str(path), "--json"])
    (pair,) = json.loads(result.stdout)["pairs"]
    assert (pair["matched"], pair["amodal_iou"]) == (2, 1.0)
    assert (pair["related_pairs"], pair["order_agreement"]) == (1, 0.0)


def test_command(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"{name}.json") for name in "abc"]
    for dataset, path in zip(three(), paths, strict=True):
        dataset.save(path)
    out = tmp_path / "out.json"
    result = CliRunner().invoke(app, ["agree", *paths, "-o", str(out)])
    assert result.exit_code == 0
    assert "2 instances" in result.stdout
    assert len(kins.load(out)[1]) == 2
    result = CliRunner().invoke(app, ["agree", *paths, "--json"])
    assert [(p["first"], p["second"]) for p in json.loads(result.stdout)["pairs"]] == [
        ("a.json", "b.json"),
        ("a.json", "c.json"),
        ("b.json", "c.json"),
    ]


def test_real_annotation_agrees_with_itself(samples: Path) -> None:
    dataset = kins.load(samples / "2.json", images=samples)
    found = compare(dataset, dataset).as_json()
    assert found["matched"] == 11
    assert found["amodal_iou"] == found["inmodal_iou"] == found["order_agreement"] == 1


def test_consensus_of_a_category_that_no_file_lists() -> None:
    """Category 9 stays 9; for the second file's own name of that id there is another number."""
    mask = Mask.from_array(box(0, 10, 20, 20))
    scene = Scene(Image(1, "a.png", 40, 60), (Instance(1, 9, "9", mask, mask),))
    both = [Dataset.from_scenes([scene], CATEGORIES), Dataset.from_scenes([scene], {9: "tram"})]
    found = consensus(both)
    (instance,) = found[1]
    assert found.categories[instance.category_id] == instance.category == "9"
    assert "tram" in found.categories.values()
    (instance,) = consensus([both[0], both[0]])[1]
    assert (instance.category_id, instance.category) == (9, "9")
