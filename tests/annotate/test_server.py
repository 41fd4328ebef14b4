"""One person's way through the server: pictures, outlines, order, masks, done, export."""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import PIL.Image
import pytest
import sqlalchemy as sa
from tests.annotate.helpers import Person, add, exported, new, operation, pictures, rectangle, served
from tests.annotate.helpers import alone as by_oneself

import kins
from kins.annotate import tables
from kins.annotate.exports import give_up, suffix_of
from kins.annotate.routes.exports import WRITTEN
from kins.annotate.server import Opened, open_folder
from kins.masks import Mask


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Opened, Person]]:
    """A server without accounts, and its user."""
    folder = pictures(tmp_path_factory.mktemp("alone"), 9)
    opened = open_folder(folder)
    opened.shop.token = "secret"
    with served(opened) as address, Person(address, token="secret") as person:
        yield address, opened, person


@pytest.fixture(scope="module")
def car(alone: tuple[str, Opened, Person]) -> int:
    """A category."""
    return alone[2].post("/projects/1/categories", json={"name": "car"}).json()["id"]


def test_the_printed_address_works_once(alone: tuple[str, Opened, Person]) -> None:
    address, _, person = alone
    assert person.get("/me").json()["user"]["name"] == "me"
    assert httpx.get(f"{address}/?token=secret").status_code == 403
    assert httpx.get(f"{address}/api/v1/projects").status_code == 401
    answer = httpx.get(f"{address}/")
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]


Masks = list[np.ndarray[Any, Any]]


def street(me: Person, car: int, image: int) -> tuple[int, Masks, Masks]:
    """Two cars, one before the other but for a corner, behind a pole: the layer, the cars' whole and visible pixels."""
    pole = me.post("/projects/1/categories", json={"name": "pole", "is_occluder": True}).json()["id"]
    layer = me.layer(image)["id"]
    first, second = new(), new()
    things = add(car, 5, 5, 40, 30, name=first), add(car, 30, 10, 40, 30, name=second), add(pole, 50, 0, 3, 60)
    answer = me.do(layer, 0, *things)
    assert answer.json()["pairs"] == [{"nearer": second, "farther": first, "confirmed": False}]
    refused = me.post(f"/layers/{layer}/state", json={"state": "done"})
    assert (refused.status_code, refused.json()["findings"][0]["object"]) == (422, second)
    region = rectangle(30, 10, 5, 5)[0]["points"]
    answer = me.do(
        layer,
        3,
        operation("pair", nearer=first, farther=second),
        operation("exception", exception=new(), nearer=first, farther=second, points=region),
    )
    assert answer.json()["pairs"] == [{"nearer": first, "farther": second, "confirmed": True}]
    whole = [np.zeros((60, 80), bool) for _ in range(2)]
    whole[0][5:35, 5:45], whole[1][10:40, 30:70] = True, True
    turned = np.zeros((60, 80), bool)
    turned[10:15, 30:35] = True
    seen = [whole[0] & ~turned, whole[1] & ~(whole[0] & ~turned)]
    seen[1][:, 50:53] = False
    return layer, whole, seen


def test_from_outlines_to_a_kins_file(tmp_path: Path) -> None:
    with by_oneself(tmp_path / "pictures", 2) as (_, me):
        car = me.post("/projects/1/categories", json={"name": "car"}).json()["id"]
        layer, whole, expected = street(me, car, 1)
        assert me.post("/projects/1/categories", json={"name": " car "}).json()["id"] == car
        masks = me.get(f"/layers/{layer}/masks").json()
        for found, amodal, inmodal in zip(masks["objects"], whole, expected, strict=False):
            assert np.array_equal(Mask.from_rle(found["amodal"]).to_array(), amodal)
            assert np.array_equal(Mask.from_rle(found["inmodal"]).to_array(), inmodal)
        assert masks["findings"] == []
        assert me.post(f"/layers/{layer}/state", json={"state": "done"}).json()["state"] == "done"
        assert me.get("/projects").json()[0]["counts"]["done"] == 1
        assert me.get("/projects/1/next").json() == {"image": 2}
        content = exported(me, {"format": "kins2020", "layers": "mine", "states": ["done"]})
    (tmp_path / "out.json").write_bytes(content)
    scene = kins.load(tmp_path / "out.json")["a.png"]
    for instance, amodal, inmodal in zip(scene, whole, expected, strict=True):
        assert np.array_equal(instance.amodal.to_array(), amodal)
        assert np.array_equal(instance.inmodal.to_array(), inmodal)
    assert [i.order for i in scene] == [0, 1]
    assert kins.validate.validate(tmp_path / "out.json").valid


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Person, Masks, Masks]]:
    """A server with one image that is done: its folder, its user, whole and visible pixels."""
    folder = tmp_path_factory.mktemp("drawn")
    with by_oneself(folder, 1) as (_, me):
        layer, whole, seen = street(me, me.post("/projects/1/categories", json={"name": "car"}).json()["id"], 1)
        me.post(f"/layers/{layer}/state", json={"state": "done"}).raise_for_status()
        yield folder, me, whole, seen


@pytest.mark.parametrize("name", WRITTEN)
def test_every_format_is_written(drawn: tuple[Path, Person, Masks, Masks], name: str, tmp_path: Path) -> None:
    folder, me, whole, _ = drawn
    wanted = {"format": name, "layers": "mine", "states": ["done"]}
    content = exported(me, wanted)
    assert content == exported(me, wanted)
    again = read_again(content, name, "amodal" if name in ("coco", "yolo") else None, folder, tmp_path)
    assert sorted(again, key=lambda mask: mask.box) == [Mask.from_array(mask) for mask in whole]


def read_again(content: bytes, name: str, masks: Any, folder: Path, place: Path) -> list[Mask]:
    """The whole masks in an exported file of a format, or those of the one kind that it has."""
    path = place / f"out{suffix_of(name)}"
    path.write_bytes(content)
    if name == "yolo":
        with zipfile.ZipFile(path) as archive:
            archive.extractall(place / "out")
        path = place / "out"
    scene = kins.load(path, images=folder, masks=masks)["a.png"]
    return [mask for i in scene if (mask := i.inmodal if masks == "inmodal" else i.amodal)]


@pytest.mark.parametrize("name", ["coco", "yolo"])
def test_a_format_with_one_mask_has_the_one_that_is_asked_for(
    drawn: tuple[Path, Person, Masks, Masks], name: str, tmp_path: Path
) -> None:
    folder, me, _, seen = drawn
    content = exported(me, {"format": name, "layers": "mine", "states": ["done"], "masks": "inmodal"})
    found = read_again(content, name, "inmodal", folder, tmp_path)
    assert sorted(found, key=lambda mask: mask.box) == [Mask.from_array(mask) for mask in seen]
    assert "amodal mask (2 instances)" in me.get("/projects/1/exports").json()[0]["losses"]


def test_an_export_of_nothing_says_so(alone: tuple[str, Opened, Person]) -> None:
    with alone[1].shop.store.write() as connection:
        row = {"project": 1, "user": 1, "format": "coco", "options": {"layers": "mine"}, "state": "working"}
        left = connection.execute(sa.insert(tables.export), row).inserted_primary_key[0]  # type: ignore[index]
    give_up(alone[1].shop.store)
    assert alone[2].get(f"/exports/{left}").json()["state"] == "failed"
    begun = alone[2].post("/projects/1/exports", json={"format": "kins2020", "layers": "consensus"}).json()
    while (state := alone[2].get(f"/exports/{begun['id']}").json())["state"] == "working":
        time.sleep(0.02)
    assert state["state"] == "failed"
    assert "nothing to export" in state["error"]
    assert alone[2].get(f"/exports/{begun['id']}/file").status_code == 404
    answer = alone[2].post("/projects/1/exports", json={"format": "pickle"})
    assert (answer.status_code, answer.json()["error"]) == (422, "malformed")


def test_the_same_operation_again_changes_nothing_and_a_stale_one_gets_what_is_missing(
    alone: tuple[str, Opened, Person], car: int
) -> None:
    me = alone[2]
    layer = me.layer(2)["id"]
    one, two = add(car, 1, 1, 9, 9), add(car, 20, 20, 9, 9)
    first = me.do(layer, 0, one, two)
    assert me.do(layer, 0, one, two).json() == first.json()
    assert me.do(layer, 2, one).json()["revision"] == 2
    stale = me.do(layer, 1, add(car, 1, 1, 5, 5))
    assert stale.status_code == 409
    assert [op["id"] for op in stale.json()["missing"]] == [two["id"]]
    assert stale.json()["revision"] == 2
    assert me.do(layer, 9, add(car, 1, 1, 5, 5)).status_code == 409
    assert [op["revision"] for op in me.get(f"/layers/{layer}/operations").json()["operations"]] == [1, 2]
    assert [op["id"] for op in me.get(f"/layers/{layer}/operations?after=1").json()["operations"]] == [two["id"]]


def test_a_layer_that_the_browser_has_is_not_sent_again(alone: tuple[str, Opened, Person], car: int) -> None:
    me = alone[2]
    layer = me.layer(9)
    address = f"/layers/{layer['id']}"

    def anew() -> str:
        """The ETag, once the layer is another than the one that was asked for last."""
        answer = me.get(address, headers={"if-none-match": tags[-1]})
        assert answer.status_code == 200
        assert answer.headers["etag"] not in tags
        again = me.get(address, headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        return str(answer.headers["etag"])

    tags = ["none"]
    tags.append(anew())
    me.do(layer["id"], layer["revision"], add(car, 1, 1, 30, 30)).raise_for_status()
    tags.append(anew())
    assert tags[-1].startswith(f'"{layer["revision"] + 1}-')
    for state in ("done", "open"):
        me.post(f"{address}/state", json={"state": state}).raise_for_status()
        if state == "done":
            tags.append(anew())
    assert me.get(address, headers={"if-none-match": tags[-2]}).status_code == 304  # as it was before
    me.post("/projects/1/categories", json={"name": "hedge", "is_occluder": True}).raise_for_status()
    tags.append(anew())
    assert me.get(address).headers["cache-control"] == "private, no-cache"


def test_a_batch_is_taken_whole_or_not_at_all(alone: tuple[str, Opened, Person], car: int) -> None:
    me = alone[2]
    layer = me.layer(3)["id"]
    bad = operation("delete", object=new())
    refused = me.do(layer, 0, add(car, 1, 1, 9, 9), bad)
    assert (refused.status_code, refused.json()["which"], refused.json()["error"]) == (422, bad["id"], "no-object")
    assert me.get(f"/layers/{layer}").json()["revision"] == 0
    assert me.do(layer, 0, *[add(car, 1, 1, 9, 9)] * 101).status_code == 422
    taken = add(car, 1, 1, 9, 9)
    assert me.do(layer, 0, taken).status_code == 200
    assert me.do(me.layer(4)["id"], 0, taken).json()["error"] == "id-taken"


def test_undo_and_redo_are_told(alone: tuple[str, Opened, Person], car: int) -> None:
    me = alone[2]
    layer = me.layer(5)["id"]
    one = add(car, 1, 1, 9, 9)
    assert me.do(layer, 0, one).json()["undo"] == one["id"]
    back = operation("undo", of=one["id"])
    assert (me.do(layer, 1, back).json()["undo"], me.get(f"/layers/{layer}").json()["redo"]) == (None, back["id"])
    assert me.get(f"/layers/{layer}").json()["objects"] == []
    assert me.do(layer, 2, operation("undo", of=back["id"])).json()["undo"] == one["id"]
    assert me.do(layer, 3, operation("undo", of=new())).json()["error"] == "not-newest"


def test_a_layer_that_is_done_takes_nothing_until_it_is_opened(alone: tuple[str, Opened, Person], car: int) -> None:
    me = alone[2]
    layer = me.layer(6)["id"]
    me.do(layer, 0, add(car, 1, 1, 9, 9))
    assert me.post(f"/layers/{layer}/state", json={"state": "done"}).status_code == 200
    assert me.do(layer, 1, add(car, 1, 1, 9, 9)).json()["error"] == "closed"
    assert me.post(f"/layers/{layer}/state", json={"state": "open"}).status_code == 200
    assert me.get("/images/6").json()["state"] == "in work"
    assert me.do(layer, 1, add(car, 30, 1, 9, 9)).status_code == 200
    refused = me.post(f"/layers/{layer}/state", json={"state": "set aside"})
    assert refused.json()["error"] == "no-reason"
    me.post(f"/layers/{layer}/state", json={"state": "set aside", "reason": "too dark"})
    assert me.get("/images/6").json()["state"] == "set aside"


def test_what_keeps_a_layer_from_being_done(alone: tuple[str, Opened, Person], car: int) -> None:
    me = alone[2]
    layer = me.layer(7)["id"]
    outside = new()
    me.do(layer, 0, add(None, 1, 1, 9, 9), add(car, 100, 1, 9, 9, name=outside), add(car, 40, 1, 9, 9))
    found = me.post(f"/layers/{layer}/state", json={"state": "done"}).json()["findings"]
    assert sorted(f["text"].split(";")[0] for f in found) == [
        "an object has no class",
        "an object has no pixel inside of the image",
    ]
    me.do(layer, 3, operation("delete", object=outside))
    me.patch("/projects/1", json={"settings": {"questions": ["Is everything outlined?"]}})
    assert me.get("/images/7").json()["questions"] == ["Is everything outlined?"]
    assert me.post(f"/layers/{layer}/state", json={"state": "done"}).json()["error"] == "questions"
    answer = me.post(f"/layers/{layer}/state", json={"state": "done", "answers": [True]})
    assert answer.json()["error"] == "unfinished"
    me.patch("/projects/1", json={"settings": {}})


def test_a_circle_keeps_a_layer_from_being_done_and_what_is_hidden_entirely_does_not(tmp_path: Path) -> None:
    with by_oneself(tmp_path, 1) as (_, me):
        car = me.post("/projects/1/categories", json={"name": "car"}).json()["id"]
        layer, ids = me.layer(1)["id"], [new() for _ in range(4)]
        boxes = ((5, 5, 30, 30), (20, 5, 30, 30), (12, 20, 30, 30), (22, 22, 3, 3))
        me.do(layer, 0, *(add(car, *box, name=name) for name, box in zip(ids, boxes, strict=True))).raise_for_status()
        pairs = ((0, 1), (1, 2), (2, 0), (0, 3), (1, 3), (2, 3))
        said = [operation("pair", nearer=ids[i], farther=ids[j]) for i, j in pairs]
        me.do(layer, 4, *said).raise_for_status()
        answer = me.post(f"/layers/{layer}/state", json={"state": "done"})
        found = {finding["severity"]: finding["text"] for finding in answer.json()["findings"]}
        assert answer.status_code == 422
        assert found["error"].startswith("3 objects are each nearer than the next, in a circle")
        assert found["warning"] == "an object is hidden entirely"
        me.do(layer, 10, operation("pair", nearer=ids[0], farther=ids[2])).raise_for_status()
        assert me.post(f"/layers/{layer}/state", json={"state": "done"}).json()["state"] == "done"


def test_pictures_come_upright_and_are_known_again(tmp_path: Path) -> None:
    picture = PIL.Image.fromarray(np.arange(24, dtype=np.uint8).reshape(4, 6).repeat(3).reshape(4, 6, 3))
    turned = PIL.Image.Exif()
    turned[274] = 6
    picture.save(tmp_path / "turned.png", exif=turned)
    picture.save(tmp_path / "plain.png")
    (tmp_path / "below").mkdir()
    picture.convert("I;16").save(tmp_path / "below" / "deep.tif")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    opened = open_folder(tmp_path)
    assert len(opened.lines) == 1
    opened.shop.token = "t"
    with served(opened) as address, Person(address, token="t") as me:
        listed = {i["file"]: i for i in me.get("/projects/1/images").json()["images"]}
        assert {n: (i["width"], i["height"]) for n, i in listed.items()} == {
            "below/deep.tif": (6, 4),
            "plain.png": (6, 4),
            "turned.png": (4, 6),
        }
        for name, image in listed.items():
            answer = me.get(f"/images/{image['id']}/file")
            with PIL.Image.open(io.BytesIO(answer.content)) as got:
                assert got.getexif().get(274, 1) == 1
                pixels = np.asarray(got.convert("RGB"))
            assert np.array_equal(pixels, kins.files.pictures.read_picture(tmp_path / name))
            again = me.get(f"/images/{image['id']}/file", headers={"if-none-match": answer.headers["etag"]})
            assert again.status_code == 304
        picture.save(tmp_path / "new.png")
        assert me.post("/projects/1/images").json()["added"] == 1
        assert me.post("/projects/1/images").json()["added"] == 0
        (tmp_path / "plain.png").unlink()
        assert me.get(f"/images/{listed['plain.png']['id']}/file").status_code == 422


def test_the_list_of_images_comes_in_parts(alone: tuple[str, Opened, Person]) -> None:
    me, found, after = alone[2], [], 0
    while after is not None:
        part = me.get(f"/projects/1/images?limit=3&after={after}").json()
        found += [image["file"] for image in part["images"]]
        after = part["next"]
    assert found == [f"{letter}.png" for letter in "abcdefghi"]
    assert all(i["state"] == "to do" for i in me.get("/projects/1/images?state=to do").json()["images"])


def test_completion_adds_only_what_lies_under_others(alone: tuple[str, Opened, Person], car: int) -> None:
    from kins.complete import Completer

    _, opened, me = alone
    opened.shop.completer = Completer.load("convex-order")
    layer = me.layer(8)["id"]
    me.do(layer, 0, add(car, 30, 10, 10, 40))
    left, right = rectangle(10, 20, 20, 20), rectangle(40, 20, 20, 20)
    answer = me.post(f"/layers/{layer}/complete", json={"rings": left + right})
    rings = answer.json()["rings"]
    assert len(answer.json()["nearer"]) == 1
    assert rings[:2] == left + right
    added = Mask.from_polygons([[n / 100 for n in r["points"]] for r in rings[2:]], 60, 80)
    assert added == Mask.from_box((30, 20, 10, 20), 60, 80)
    assert me.post(f"/layers/{layer}/complete", json={"rings": rectangle(100, 0, 9, 9)}).status_code == 422
    front, behind = answer.json()["nearer"][0], new()
    me.do(layer, 1, operation("add", object=behind, category=car, rings=left + right)).raise_for_status()
    asked = {"object": behind, "rings": left + right}
    assert me.post(f"/layers/{layer}/complete", json=asked).json() == answer.json()
    me.do(layer, 2, operation("pair", nearer=behind, farther=front)).raise_for_status()
    assert me.post(f"/layers/{layer}/complete", json=asked).json() == {"rings": left + right, "nearer": []}


def test_what_was_sent_is_in_the_database_when_it_is_answered(alone: tuple[str, Opened, Person], car: int) -> None:
    _, opened, me = alone
    layer = me.layer(1)["id"]
    me.do(layer, 0, add(car, 5, 5, 40, 30)).raise_for_status()
    sent = json.dumps(me.get(f"/layers/{layer}/operations").json())
    other = open_folder(opened.shop.exports.parent)
    other.shop.token = "t"
    with served(other) as address, Person(address, token="t") as again:
        assert json.dumps(again.get(f"/layers/{layer}/operations").json()) == sent
    other.shop.store.close()


def test_a_folder_can_be_moved_with_its_database(tmp_path: Path) -> None:
    opened = open_folder(pictures(tmp_path / "before"))
    opened.shop.store.close()
    (tmp_path / "before").rename(tmp_path / "after")
    opened = open_folder(tmp_path / "after")
    assert opened.project == 1
    opened.shop.token = "t"
    with served(opened) as address, Person(address, token="t") as me:
        assert me.get("/images/1/file").status_code == 200
        assert len(me.get("/projects").json()) == 1
    elsewhere = open_folder(pictures(tmp_path / "other"), f"sqlite:///{tmp_path}/after/annotations.sqlite")
    assert elsewhere.project == 2
