"""InstaOrder's orders with COCO's masks."""

import json

import pytest
from tests.commands.test_formats import run

import kins
from kins import KinsError
from kins.formats import load_instaorder


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    boxes = [[[2 * k, 0, 2 * k + 4, 0, 2 * k + 4, 6, 2 * k, 6]] for k in range(4)]
    rows = [{"id": 900 + k, "image_id": 7, "category_id": 4, "segmentation": box} for k, box in enumerate(boxes)]
    images = [{"id": k, "file_name": f"{k}.jpg", "height": 8, "width": 14} for k in (7, 8)]
    value = {"images": images, "annotations": rows, "categories": [{"id": 4, "name": "car"}]}
    (tmp_path / "instances.json").write_text(json.dumps(value))

    def write(occlusion=(), depth=(), ids=(900, 901, "902"), image_id=7):
        rows = [
            [{"order": order, "count": 2, "overlap": "=" in order} for order in orders] for orders in (occlusion, depth)
        ]
        entry = {"image_id": image_id, "instance_ids": list(ids), "occlusion": rows[0], "depth": rows[1]}
        (tmp_path / "orders.json").write_text(json.dumps({"annotations": [entry]}))
        return "orders.json", "instances.json"

    return write


def test_orders_and_masks(files):
    dataset = load_instaorder(*files(["1<0", "0<2 & 2<0"], ["1=2", "0<1"]))
    assert list(dataset.images) == [7]
    (scene,) = dataset
    assert [(i.id, i.amodal, i.inmodal.area) for i in scene] == [(900, None, 24), (901, None, 24), (902, None, 24)]
    assert scene.image.extra["depth_constraint"] == [[901, 900], [900, 902], [902, 900]]
    said = scene.image.extra["instaorder"]
    assert said["instance_ids"] == [900, 901, 902]
    assert [pair["order"] for pair in said["depth"]] == ["1=2", "0<1"]
    assert load_instaorder(*files(ids=(900, 5))).left_out == ("1 instances that instances.json does not have",)


def test_depth_orders_are_scored_by_position_in_instance_ids(files):
    """The ids stand in another sequence than COCO's file has them, and one of them is not there."""
    files(depth=["1<0", "2<0", "1=2", "3<0"], ids=(902, 900, 901, 77))  # 900 and 901 as near, 902 behind them
    run(
        "convert",
        "orders.json",
        "truth.json",
        *("--to", "kins2020", "--from", "instaorder", "--masks", "instances.json"),
    )
    scene = kins.load("truth.json")[7]
    assert [i.id for i in scene] == [900, 901, 902]

    def figures(*orders):
        said = (
            i.replace(score=1.0, cluster=0, order=order, extra={"annotation_id": i.id})
            for i, order in zip(scene, orders, strict=True)
        )
        guess = scene.replace(instances=tuple(said))
        kins.Dataset.from_scenes([guess], {4: "car"}).save("pred.json", "predictions")
        said, _ = run("eval", "truth.json", "pred.json", "--protocol", "whdr", "--json")
        return json.loads(said)["figures"]["all"]

    assert figures(0, 0, 1) == {"WHDR": 0, "WHDR_unequal": 0, "WHDR_equal": 0}
    assert figures(0, 1, 2) == {"WHDR": pytest.approx(100 / 3), "WHDR_unequal": 0, "WHDR_equal": 100}
    assert figures(1, 1, 0) == {"WHDR": pytest.approx(200 / 3), "WHDR_unequal": 100, "WHDR_equal": 0}


def test_convert(files):
    files(["1<0"])
    message, _ = run("convert", "orders.json", "out.json", "--to", "kins2020", code=2)
    assert "holds InstaOrder's orders alone" in message
    run("convert", "orders.json", "out.json", "--to", "kins2020", "--from", "instaorder", "--masks", "instances.json")
    assert kins.load("out.json", format="kins2020").images[7].extra["depth_constraint"] == [[901, 900]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"occlusion": ["1<3"]}, r"annotations\[0\]\.occlusion\[0\]\.order: '1<3' is no order of two of 3 instances"),
        ({"depth": ["0=1", "nearer"]}, r"annotations\[0\]\.depth\[1\]\.order: 'nearer' is no order"),
        ({"occlusion": ["1<1"]}, "is no order"),
        ({"ids": (900, "x")}, r"instance_ids\[1\]: 'x' is not a whole number"),
        ({"image_id": 9}, r"annotations\[0\]\.image_id: no image 9 in instances\.json"),
    ],
)
def test_bad_orders(files, changes, message):
    with pytest.raises(KinsError, match=rf"orders\.json: .*{message}"):
        load_instaorder(*files(**changes))


def test_other_files(files):
    files()
    with pytest.raises(KinsError, match=r"instances\.json: holds no orders"):
        load_instaorder("instances.json", "instances.json")
    with pytest.raises(KinsError, match="with COCO's masks, and not written"):
        kins.load("orders.json", format="instaorder")
