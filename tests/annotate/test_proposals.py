"""Proposals: files of them that are sent, what objects keep of them, and the order that they bring."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.annotate.helpers import Person, add, alone, exported, new, operation, rectangle, team

import kins
from kins.annotate.server import Opened
from kins.files import read_bytes

Place = tuple[Opened, Person]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server without accounts, and its user."""
    with alone(tmp_path_factory.mktemp("proposals"), 10) as (opened, me):
        me.patch("/projects/1", json={"settings": {"assistance": 1.0}}).raise_for_status()
        yield opened, me


def box(x: int, y: int, width: int, height: int) -> Any:
    """The pixels of a rectangle in a picture."""
    return kins.Mask.from_box((x, y, width, height), 60, 80).to_array()


def found(letter: str, *masks: Any, order: tuple[int, ...] = (), score: float | None = None) -> kins.Dataset:
    """Cars in the picture of that letter, visible where no later one is; or with whole masks and an order alone."""
    whole = [kins.Mask.from_array(mask) for mask in masks]
    seen = [None if order else mask for mask in whole]
    cars = tuple(
        kins.Instance(
            n + 1, 1, "car", mask, seen[n], score=score, **({"order": order[n], "cluster": 0} if order else {})
        )
        for n, mask in enumerate(whole)
    )
    return kins.Dataset.from_scenes([kins.Scene(kins.Image(1, f"{letter}.png", 60, 80), cars)], {1: "car"})


def content(dataset: kins.Dataset, folder: Path, format: str = "kins2020", name: str = "found.json") -> bytes:
    """A file of it."""
    dataset.save(folder / name, format)
    return read_bytes(folder / name)


def send(me: Person, name: str, body: bytes) -> httpx.Response:
    return me.post("/projects/1/proposals", params={"name": name}, content=body)


def proposed(me: Person, image: int) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = me.get(f"/images/{image}/proposals").json()
    return answer


@pytest.mark.parametrize(
    ("image", "format", "name"), [(1, "kins2020", "x.json"), (2, "predictions", "x.json"), (3, "labelme", "x.zip")]
)
def test_files_of_any_format_are_taken(place: Place, tmp_path: Path, image: int, format: str, name: str) -> None:
    letter, me = "abc"[image - 1], place[1]
    sent = content(found(letter, box(5, 5, 20, 20), score=0.5), tmp_path, format, name)
    assert send(me, f"{format} {name}", sent).json() == {"images": 1, "objects": 1, "lines": []}
    (one,) = proposed(me, image)
    (category,) = [row["id"] for row in me.get("/projects/1/categories").json() if row["name"] == "car"]
    assert (one["category"], one["score"]) == (category, 0.5 if format == "predictions" else None)
    outline = [[n / 100 for n in ring["points"]] for ring in one["rings"]]
    assert np.array_equal(kins.Mask.from_polygons(outline, 60, 80).to_array(), box(5, 5, 20, 20))


def test_results_of_one_picture_are_found_by_the_name_of_the_file(place: Place) -> None:
    rle = kins.Mask.from_box((5, 5, 20, 20), 60, 80).rle
    entry = {"segmentation": {**rle, "counts": rle["counts"].decode()}, "predicted_iou": 0.9, "bbox": [5, 5, 20, 20]}
    answer = send(place[1], "some folder/d.json", json.dumps([entry]).encode())
    assert answer.json().get("images") == 1, answer.text
    assert [one["category_name"] for one in proposed(place[1], 4)] == ["object"]


def test_what_is_sent_again_replaces_until_someone_looked_at_it(tmp_path: Path) -> None:
    sent = content(found("a", box(5, 5, 20, 20)), tmp_path)
    with alone(tmp_path / "pictures", 1) as (_, me):
        me.patch("/projects/1", json={"settings": {"assistance": 1.0}}).raise_for_status()
        for _ in range(2):
            assert send(me, "found.json", sent).json()["objects"] == 1
        (one,) = proposed(me, 1)
        me.do(me.layer(1)["id"], 0, operation("reject", proposal=one["id"])).raise_for_status()
        again = send(me, "found.json", sent).json()
        assert again == {
            "images": 0,
            "objects": 0,
            "lines": ["1 image(s) keep the proposals of found.json that they have"],
        }
        assert send(me, "other.json", sent).json()["objects"] == 1
        assert [other["state"] for other in proposed(me, 1)] == ["rejected", "open"]


DAMAGED = {
    "empty": (b"", "x.json"),
    "text": (b"some text", "x.json"),
    "cut": (b'{"images": [{"id": 1, "file_na', "x.json"),
    "other pictures": (b'[{"image_id": 99, "category_id": 1, "score": 1, "bbox": [1, 1, 5, 5]}]', "x.json"),
    "a pickle": (b"\x80\x04\x95\x00", "x.pkl"),
    "a damaged archive": (b"PK\3\4 and so on", "x.zip"),
    "hostile name": (b"{}", "../../etc/passwd\n.json"),
}


@pytest.mark.parametrize(("body", "name"), DAMAGED.values(), ids=DAMAGED)
def test_what_is_no_file_of_proposals_is_refused_in_one_line(
    place: Place, tmp_path: Path, body: bytes, name: str
) -> None:
    before = me_files(place[0])
    answer = send(place[1], name, body)
    assert (answer.status_code, answer.json()["error"]) == (422, "unusable")
    detail = answer.json()["detail"]
    assert "\n" not in detail
    assert "/tmp" not in detail  # the place where it was read is nobody's business
    assert me_files(place[0]) == before


def me_files(opened: Opened) -> set[str]:
    """What lies in the folder beside the database."""
    return {path.name for path in opened.shop.folder.iterdir() if not path.name.startswith("annotations.sqlite")}


def test_archives_that_grow_and_files_that_are_too_large_are_refused(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.json", b" " * 5_000_000)
    assert "unpack it" in send(place[1], "x.zip", bomb.getvalue()).json()["detail"]
    sent = content(found("e", box(5, 5, 20, 20)), tmp_path)
    monkeypatch.setenv("KINS_MAX_PROPOSALS", str(len(sent) - 1))
    assert send(place[1], "x.json", sent).status_code == 413
    monkeypatch.undo()
    padded = sent + b" " * (9 * 2**20)  # more than other requests may have
    assert send(place[1], "large.json", padded).json()["objects"] == 1


def accepted(me: Person, image: int) -> tuple[int, list[str], dict[str, Any]]:
    """The own layer with all proposals of an image accepted: its id, the objects, the layer as told."""
    layer, ids = me.layer(image)["id"], []
    for base, one in enumerate(proposed(me, image)):
        ids.append(new())
        taken = operation("accept", proposal=one["id"], object=ids[-1], category=one["category"], rings=one["rings"])
        me.do(layer, base, taken).raise_for_status()
    return layer, ids, me.get(f"/layers/{layer}").json()


def test_an_object_keeps_how_like_its_proposal_it_is(place: Place, tmp_path: Path) -> None:
    me = place[1]
    send(me, "six.json", content(found("f", box(10, 10, 20, 20)), tmp_path)).raise_for_status()
    layer, (thing,), told = accepted(me, 6)
    assert told["objects"][0]["origin"]["iou"] == 1.0
    edited = operation("outline", object=thing, rings=rectangle(10, 10, 20, 40))
    me.do(layer, 1, edited, add(1, 60, 1, 9, 9)).raise_for_status()
    first, second = (one["origin"] for one in me.get(f"/layers/{layer}").json()["objects"])
    assert (first["kind"], first["iou"], second["kind"], second["iou"]) == ("proposal", 0.5, "hand", None)
    row = me.get("/projects/1/statistics").json()["annotators"][0]
    assert (row["from_proposals"], row["iou_with_proposals"]) == (1, 0.5)
    me.do(layer, 3, operation("undo", of=me.get(f"/layers/{layer}").json()["undo"])).raise_for_status()
    me.do(layer, 4, operation("undo", of=edited["id"])).raise_for_status()
    assert me.get(f"/layers/{layer}").json()["objects"][0]["origin"]["iou"] == 1.0
    me.do(layer, 5, operation("outline", object=thing, rings=rectangle(100, 10, 9, 9))).raise_for_status()
    assert me.get(f"/layers/{layer}").json()["objects"][0]["origin"]["iou"] == 0.0


@pytest.mark.parametrize(("image", "order"), [(7, (0, 1)), (8, (1, 0))])
def test_the_order_of_a_file_is_the_first_guess(
    place: Place, tmp_path: Path, image: int, order: tuple[int, int]
) -> None:
    me, letter = place[1], "abcdefgh"[image - 1]
    high, low = box(5, 5, 30, 20), box(20, 10, 30, 30)  # the second one ends lower
    sent = content(found(letter, high, low, order=order), tmp_path)
    send(me, f"{letter}.json", sent).raise_for_status()
    first, second = proposed(me, image)
    assert (first["farther"], second["farther"]) == (([second["id"]], []) if order == (0, 1) else ([], [first["id"]]))
    layer, ids, told = accepted(me, image)
    front, back = (ids[order.index(n)] for n in (0, 1))
    assert told["pairs"] == [{"nearer": front, "farther": back, "confirmed": False}]
    masks = {one["id"]: one for one in me.get(f"/layers/{layer}/masks").json()["objects"]}
    assert (masks[front]["hidden"], masks[back]["hidden"] > 0) == (0, True)
    flipped = me.do(layer, 2, operation("pair", nearer=back, farther=front)).json()
    assert flipped["pairs"] == [{"nearer": back, "farther": front, "confirmed": True}]  # what a person says counts


def test_masks_of_a_file_say_who_is_in_front_as_well(place: Place, tmp_path: Path) -> None:
    me, high, low = place[1], box(5, 5, 30, 20), box(20, 10, 30, 30)
    masks = [(high, high), (low, low & ~high)]
    cars = tuple(
        kins.Instance(n, 1, "car", *(kins.Mask.from_array(mask) for mask in pair)) for n, pair in enumerate(masks, 1)
    )
    dataset = kins.Dataset.from_scenes([kins.Scene(kins.Image(1, "i.png", 60, 80), cars)], {1: "car"})
    send(me, "i.json", content(dataset, tmp_path)).raise_for_status()
    _, ids, told = accepted(me, 9)
    assert told["pairs"] == [{"nearer": ids[0], "farther": ids[1], "confirmed": False}]


def test_annotators_are_compared_apart_where_proposals_are_shown_and_where_not(tmp_path: Path) -> None:
    with team(tmp_path / "pictures", count=2) as (address, _), Person(address, "owner") as owner:
        owner.patch("/projects/1", json={"settings": {"assistance": 0.5}}).raise_for_status()  # image 2 shows some
        car = owner.post("/projects/1/categories", json={"name": "car"}).json()["id"]
        for name, width in (("annotator", 20), ("other", 40)):
            with Person(address, name) as one:
                for image in (1, 2):
                    layer = one.layer(image)["id"]
                    one.do(layer, 0, add(car, 5, 5, width if image == 1 else 30, 20)).raise_for_status()
                    one.post(f"/layers/{layer}/state", json={"state": "done"}).raise_for_status()
        assert "by_assistance" not in owner.get("/projects/1/statistics").json()["agreement"][0]  # nothing to show
        for letter in "ab":
            sent = content(found(letter, box(5, 5, 20, 20)), tmp_path)
            send(owner, f"{letter}.json", sent).raise_for_status()
        (told,) = owner.get("/projects/1/statistics").json()["agreement"]
        apart = told["by_assistance"]
        assert {key: (one["images"], one["amodal_iou"]) for key, one in apart.items()} == {
            "with": (1, 1.0),
            "without": (1, 0.5),
        }
        wanted = {"format": "kins2020", "layers": "all"}
        zipfile.ZipFile(io.BytesIO(exported(owner, wanted))).extractall(tmp_path / "all")
        names = sorted(path.name for path in (tmp_path / "all").iterdir())
        first, second = (kins.load(tmp_path / "all" / name) for name in names)
        assert kins.statistics.compare(first, second, (told["first"], told["second"])).as_json() == told


def test_a_network_is_an_annotator_that_others_are_compared_with(tmp_path: Path) -> None:
    with team(tmp_path / "pictures", count=2) as (address, _), Person(address, "owner") as owner:
        for width in (10, 40):  # the second takes the place of the first
            sent = content(found("a", box(5, 5, width, 20), box(60, 30, 10, 10)), tmp_path)
            answer = owner.post("/projects/1/proposals?name=net.json&layer=1", content=sent)
            assert answer.json() == {"images": 1, "objects": 2, "lines": []}
        assert proposed(owner, 1) == []
        assert owner.get("/images/1").json()["state"] == "to do"
        (layer,) = [one["id"] for one in owner.get("/images/1").json()["layers"] if one["kind"] == "model"]
        car = owner.get("/projects/1/categories").json()[0]["id"]
        people = []
        for name in ("annotator", "other"):
            with Person(address, name) as one:
                assert one.get(f"/layers/{layer}").status_code == 404  # until the own one is done
                people.append(one.layer(1)["id"])
                one.do(people[-1], 0, add(car, 5, 5, 20, 20)).raise_for_status()
                one.post(f"/layers/{people[-1]}/state", json={"state": "done"}).raise_for_status()
                assert one.get(f"/layers/{layer}").json()["mine"] is False
        assert owner.do(layer, 1, add(car, 1, 1, 9, 9)).status_code == 403
        accept = {"layer": layer, "verdict": "accept"}
        assert owner.post("/images/1/review", json=accept).json()["error"] == "network"

        told = owner.get("/images/1/agreement").json()
        assert [(one["id"], one["kind"]) for one in told["layers"]] == [
            *((n, "person") for n in people),
            (layer, "model"),
        ]
        both, alone = told["objects"]
        assert (both["iou"], list(alone["members"])) == (0.5, [str(layer)])
        consensus = owner.post("/images/1/consensus", json={}).json()  # of people: all agree
        assert [max(thing["rings"][0]["points"]) for thing in consensus["objects"]] == [2500]
        pairs = owner.get("/projects/1/statistics").json()["agreement"]
        assert [(one["first"], one["second"], one["amodal_iou"]) for one in pairs] == [
            ("network", "annotator", 0.5),
            ("network", "other", 0.5),
            ("annotator", "other", 1.0),
        ]
        archive = zipfile.ZipFile(io.BytesIO(exported(owner, {"format": "kins2020", "layers": "all"})))
        assert archive.namelist() == ["3-annotator.json", "4-other.json", "network.json"]
        assert archive.read("network.json") == exported(owner, {"format": "kins2020", "layers": "network"})
        archive.extractall(tmp_path / "all")
        assert [i.amodal.area for i in kins.load(tmp_path / "all" / "network.json")["a.png"] if i.amodal] == [800, 100]


def test_a_network_is_asked_once_for_an_image(tmp_path: Path) -> None:
    asked = []

    def finds(pixels: Any) -> kins.Scene:
        """A bus on the right half of the picture, and one that has no pixel."""
        asked.append(pixels.shape)
        whole = kins.Mask.from_box((40, 0, 40, 60), 60, 80)
        masks = (whole, kins.Mask.empty(60, 80))
        buses = tuple(kins.Instance(n, 7, "bus", mask, mask, score=0.5) for n, mask in enumerate(masks, 1))
        return kins.Scene(kins.Image(1, "x", 60, 80), buses)

    with alone(tmp_path / "pictures", 2) as (opened, me):
        me.patch("/projects/1", json={"settings": {"assistance": 1.0}}).raise_for_status()
        assert me.get("/images/1").json()["network"] is False
        assert me.post("/images/1/proposals").json()["error"] == "no-network"
        opened.shop.network = str(tmp_path / "no such weights.safetensors")
        answer = me.post("/images/1/proposals")
        assert (answer.status_code, answer.json()["error"]) == (422, "no-network")
        assert "no such" in answer.json()["detail"]
        opened.shop.predictor = finds
        assert me.get("/images/1").json()["network"] is True
        for _ in range(2):
            (one,) = me.post("/images/1/proposals").json()
        assert (one["category_name"], one["score"], one["state"], len(asked)) == ("bus", 0.5, "open", 1)
        assert one["category"] == me.get("/projects/1/categories").json()[0]["id"]
        assert me.get("/images/1").json()["network"] is False
        assert proposed(me, 2) == []
        me.patch("/projects/1", json={"settings": {"assistance": 0.0}}).raise_for_status()
        assert (me.get("/images/2").json()["network"], me.post("/images/2/proposals").json()) == (False, [])
        assert len(asked) == 1
