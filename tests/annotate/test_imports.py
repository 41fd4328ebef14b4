"""Files taken in as layers and as proposals, against the masks in them."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import PIL.Image
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.annotate.helpers import Person, add, new, operation, pictures, served
from tests.helpers import box

import kins
from kins.annotate import tables
from kins.annotate.contents import assisted
from kins.annotate.exports import Wanted, write
from kins.annotate.imports import UNLABELLED
from kins.annotate.server import Opened, open_folder
from kins.demo.toys import write_shapes
from kins.errors import KinsError


def layer_of(opened: Opened, number: int = 1) -> Any:
    """History and masks of a layer."""
    from kins.annotate.contents import frame_of

    with opened.shop.store.read() as connection:
        layer = connection.execute(sa.select(tables.layer).where(tables.layer.c.id == number)).one()
        image = connection.execute(sa.select(tables.image).where(tables.image.c.id == layer.image)).one()
        history = opened.shop.layers.history(connection, number)
        frame = frame_of(connection, image)
    return history, opened.shop.layers.painted(number, history, frame)


def exported(opened: Opened, path: Path, format: str = "kins2020") -> kins.Dataset:
    """What was taken in, written and read again."""
    written, _ = write(opened.shop, opened.project, Wanted(format, [], "user:me"), path.with_suffix(""))
    assert written == path
    return kins.load(path, images=opened.shop.exports.parent)


def test_a_data_set_comes_back_as_it_was(tmp_path: Path) -> None:
    truth = write_shapes(tmp_path / "pictures", 3)
    truth.save(tmp_path / "truth.json")
    opened = open_folder(tmp_path / "pictures", annotations=tmp_path / "truth.json")
    assert opened.lines == [f"{tmp_path}/truth.json: 14 objects in 3 images"]
    again = exported(opened, tmp_path / "again.json")
    assert again.categories == truth.categories
    for scene in truth:
        other = again[scene.image.id]
        assert other.image.file_name == scene.image.file_name
        for one, two in zip(scene, other, strict=True):
            assert (one.amodal, one.inmodal, one.category) == (two.amodal, two.inmodal, two.category)
        assert [i.order for i in other] == kins.occlusion.occlusion(scene).order.tolist()
    (tmp_path / "once.json").write_bytes((tmp_path / "again.json").read_bytes())
    opened.shop.store.close()
    shutil.rmtree(tmp_path / "pictures" / "exports", ignore_errors=True)
    (tmp_path / "pictures" / "annotations.sqlite").unlink()
    opened = open_folder(tmp_path / "pictures", annotations=tmp_path / "once.json")
    exported(opened, tmp_path / "again.json")
    assert (tmp_path / "once.json").read_bytes() == (tmp_path / "again.json").read_bytes()
    assert (
        open_folder(tmp_path / "pictures", annotations=tmp_path / "once.json")
        .lines[-1]
        .endswith("0 objects in 0 images")
    )


def test_real_annotations_open_as_they_are(samples: Path, tmp_path: Path) -> None:
    for path in samples.glob("*.jpg"):
        shutil.copy(path, tmp_path)
    for number in (1, 2, 4):
        opened = open_folder(tmp_path, annotations=samples / f"{number}.json")
        truth = next(iter(kins.load(samples / f"{number}.json", images=tmp_path)))
        with opened.shop.store.read() as connection:
            layer = connection.scalar(sa.select(sa.func.max(tables.layer.c.id)))
        _, painted = layer_of(opened, layer)
        objects = [k for k, hides in enumerate(painted.occluders) if not hides]
        assert [painted.amodal[k] for k in objects] == truth.masks("amodal")
        assert [painted.inmodal[k] for k in objects] == truth.masks("inmodal")
        assert all(pair.confirmed for pair in painted.pairs)
        opened.shop.store.close()


def scene(*instances: tuple[Any, Any]) -> kins.Scene:
    """Of pairs of arrays."""
    masks = [tuple(kins.Mask.from_array(array) for array in pair) for pair in instances]
    found = tuple(kins.Instance(n, 1, "car", *pair) for n, pair in enumerate(masks, 1))
    return kins.Scene(kins.Image(1, "a.png", 40, 60), found)


def opened_with(folder: Path, given_scene: kins.Scene) -> Opened:
    """The scene, taken in."""
    folder.mkdir()
    PIL.Image.new("L", (60, 40)).save(folder / "a.png")
    kins.Dataset.from_scenes([given_scene], {1: "car"}).save(folder / "truth.json")
    return open_folder(folder, annotations=folder / "truth.json")


def test_interlocked_objects_get_an_exception_and_what_is_hidden_by_nothing_an_occluder(tmp_path: Path) -> None:
    one, two = box(5, 5, 40, 12), box(20, 0, 12, 40)
    left, gap = box(20, 5, 4, 12), box(6, 6, 5, 5)
    opened = opened_with(tmp_path / "x", scene((one, one & ~(two & ~left) & ~gap), (two, two & ~left)))
    history, painted = layer_of(opened)
    assert [known.nearer for known in history.state.exceptions.values()] == [painted.ids[1]]
    assert painted.occluders == (False, False, True)
    assert np.array_equal(painted.inmodal[0].to_array(), one & ~(two & ~left) & ~gap)
    assert np.array_equal(painted.inmodal[1].to_array(), two & ~left)
    with opened.shop.store.read() as connection:
        names = connection.scalars(sa.select(tables.category.c.name).where(tables.category.c.is_occluder)).all()
    assert names == [UNLABELLED]
    again = exported(opened, tmp_path / "again.json")["a.png"]
    assert [i.inmodal for i in again] == [painted.inmodal[0], painted.inmodal[1]]


def test_strips_along_outlines_stay_as_painted_and_are_told(tmp_path: Path) -> None:
    one, two, strip = box(5, 5, 20, 20), box(20, 0, 20, 40), box(19, 5, 1, 20)
    opened = opened_with(tmp_path / "x", scene((one, one & ~two & ~strip), (two, two)))
    history, painted = layer_of(opened)
    assert (len(history.state.objects), len(history.state.exceptions), history.differs) == (2, 0, 20)
    assert np.array_equal(painted.inmodal[0].to_array(), one & ~two)
    assert opened.lines[0] == "visible masks of 1 image(s) differ by 20 pixels in strips along outlines"
    opened.shop.token = "t"
    with served(opened) as address, Person(address, token="t") as me:
        assert "differ" in me.get("/layers/1/masks").json()["findings"][0]["text"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1))
def test_whatever_the_visible_masks_are_what_differs_is_counted(tmp_path: Path, seed: int) -> None:
    chance = np.random.default_rng(seed)
    pairs = []
    taken = np.zeros((40, 60), bool)
    for _ in range(3):
        whole = box(*chance.integers(0, 20, 2), *chance.integers(8, 20, 2))
        seen = whole & ~taken & np.kron(chance.random((10, 15)) < 0.8, np.ones((4, 4), bool))
        taken |= seen
        pairs.append((whole, seen))
    folder = tmp_path / str(seed)
    if folder.exists():
        return
    opened = opened_with(folder, scene(*pairs))
    history, painted = layer_of(opened)
    differs = sum(int((mask.to_array() ^ seen).sum()) for mask, (_, seen) in zip(painted.inmodal, pairs, strict=False))
    assert differs == history.differs
    for mask, (whole, _) in zip(painted.amodal, pairs, strict=False):
        assert np.array_equal(mask.to_array(), whole)
    opened.shop.store.close()


def test_a_file_of_other_pictures_is_refused_and_of_other_sizes_left_out(tmp_path: Path) -> None:
    write_shapes(tmp_path / "shapes", 1).save(tmp_path / "truth.json")
    with pytest.raises(KinsError, match="none of the pictures"):
        open_folder(pictures(tmp_path / "other"), annotations=tmp_path / "truth.json")
    folder = tmp_path / "small"
    folder.mkdir()
    PIL.Image.new("L", (8, 6)).save(folder / "000000.png")
    assert "left out" in open_folder(folder, annotations=tmp_path / "truth.json").lines[0]


def test_proposals_are_told_accepted_and_rejected(tmp_path: Path) -> None:
    truth = write_shapes(tmp_path / "shapes", 2)
    scored = truth.map(lambda scene: scene.replace(instances=tuple(i.replace(score=0.5) for i in scene)))
    scored.save(tmp_path / "found.json", format="predictions")
    opened = open_folder(tmp_path / "shapes", proposals=tmp_path / "found.json")
    assert opened.lines[0] == f"{tmp_path}/found.json: 8 proposals for 2 images"
    assert opened.lines[1:] == ["10% of images show none, to compare both ways (the project's settings)"]
    opened.shop.token = "t"
    with served(opened) as address, Person(address, token="t") as me:
        names = [row for row in me.get("/projects/1/categories").json() if row["name"] == "disc"]
        first, second, *_ = found = me.get("/images/1/proposals").json()
        assert {one["category_name"]: one["category"] for one in found}["disc"] == names[0]["id"]
        assert [one["score"] for one in found] == [0.5] * 3
        layer, thing = me.layer(1)["id"], new()
        taken = operation("accept", proposal=first["id"], object=thing, category=names[0]["id"], rings=first["rings"])
        answer = me.do(layer, 0, taken, operation("reject", proposal=second["id"]))
        assert answer.status_code == 200, answer.text
        states = [one["state"] for one in me.get("/images/1/proposals").json()]
        assert states == ["accepted", "rejected", "open"]
        mask = kins.Mask.from_rle(me.get(f"/layers/{layer}/masks").json()["objects"][0]["amodal"])
        assert mask == truth[0][0].amodal
        other = operation("accept", proposal=found[-1]["id"] + 1, object=new(), category=None, rings=first["rings"])
        assert me.do(layer, 2, other).json()["error"] == "no-proposal"  # it is of another image
        me.do(layer, 2, operation("delete", object=thing), add(None, 1, 1, 9, 9)).raise_for_status()
        assert [one["state"] for one in me.get("/images/1/proposals").json()] == ["open", "rejected", "open"]
        assert me.get("/images/1").json()["withheld"] == 0
        me.patch("/projects/1", json={"settings": {"assistance": 0.0}})
        assert me.get("/images/1/proposals").json() == []
        assert me.get("/images/1").json()["withheld"] == 3
    opened.shop.store.close()
    lines = open_folder(tmp_path / "shapes", proposals=tmp_path / "found.json").lines
    assert lines[0] == "2 image(s) keep the proposals of found.json that they have"
    assert lines[1].endswith("0 proposals for 0 images")


def test_one_image_of_ten_shows_no_proposals_unless_the_project_says_otherwise(tmp_path: Path) -> None:
    store = open_folder(pictures(tmp_path / "pictures", 1)).shop.store
    table, images = tables.project, [SimpleNamespace(id=number, project=1) for number in range(1, 1001)]
    for values, expected in (({}, 900), ({"assistance": 0.25}, 250), ({"assistance": 1.0}, 1000)):
        with store.write() as connection:
            connection.execute(sa.update(table).values(settings=values))
        with store.read() as connection:
            count = sum(assisted(connection, image) for image in images)
            assert abs(count - expected) <= 5
            assert count == sum(assisted(connection, image) for image in images)


def test_results_of_other_detectors_are_proposals(tmp_path: Path) -> None:
    truth = write_shapes(tmp_path / "shapes", 1)
    rle = truth[0][0].amodal.rle
    result = {"image_id": 1, "category_id": 1, "score": 0.9, "segmentation": {**rle, "counts": rle["counts"].decode()}}
    import json

    (tmp_path / "results.json").write_text(json.dumps([result]))
    opened = open_folder(tmp_path / "shapes")
    with opened.shop.store.write() as connection:
        connection.execute(sa.insert(tables.category), {"project": 1, "name": "car"})
    opened.shop.store.close()
    opened = open_folder(tmp_path / "shapes", proposals=tmp_path / "results.json")
    assert opened.lines[0] == f"{tmp_path}/results.json: 1 proposals for 1 images"
