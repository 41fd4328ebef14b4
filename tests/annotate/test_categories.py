"""Classes: made, renamed, removed, replaced by others, whatever operations say of them for ever."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from tests.annotate.helpers import Person, add, alone, exported, new, operation

import kins
from kins.annotate import tables
from kins.annotate.layers import derived, operations, rebuild
from kins.annotate.operations import History
from kins.annotate.server import Opened


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Opened, Person]]:
    """A server without accounts, and its user."""
    with alone(tmp_path_factory.mktemp("classes"), 6) as found:
        yield found


def made(me: Person, name: str, **more: bool) -> int:
    """The id of a class."""
    return int(me.post("/projects/1/categories", json={"name": name, **more}).json()["id"])


def remove(me: Person, category: int, into: int | None = None) -> tuple[int, str]:
    """The status of the answer, and its word for programs."""
    answer = me.delete(
        "/projects/1/categories", params={"category": category} | ({} if into is None else {"into": into})
    )
    return answer.status_code, "" if answer.status_code == 200 else answer.json()["error"]


def classes(me: Person, layer: int) -> list[int | None]:
    """Of a layer's objects."""
    return [thing["category"] for thing in me.get(f"/layers/{layer}").json()["objects"]]


def test_a_class_of_objects_is_not_removed_and_one_of_none_is(place: tuple[Opened, Person]) -> None:
    me, lorry = place[1], made(place[1], "lorry")
    layer, thing = me.layer(1)["id"], new()
    me.do(layer, 0, add(lorry, 1, 1, 9, 9, name=thing), add(lorry, 20, 1, 9, 9)).raise_for_status()
    answer = me.delete(f"/projects/1/categories?category={lorry}")
    assert (answer.status_code, answer.json().get("error"), answer.json().get("objects")) == (422, "in-use", 2), (
        answer.text
    )
    assert answer.json()["detail"] == "2 objects are of the class lorry; say which class takes its place"
    bus = made(me, "bus")
    me.delete(f"/projects/1/categories?category={bus}").raise_for_status()
    assert "bus" not in {row["name"] for row in me.get("/projects/1/categories").json()}
    assert made(me, "bus") != bus  # the name is free again
    for category in (999, bus):
        assert remove(me, category) == (404, "not-found")
        assert remove(me, lorry, category) == (404, "not-found")
    assert remove(me, lorry, lorry) == (422, "malformed")
    assert remove(me, lorry, made(me, "hedge", is_occluder=True)) == (422, "unlike")
    assert classes(me, layer) == [lorry, lorry]


def test_another_class_takes_the_place_of_a_removed_one_everywhere(
    place: tuple[Opened, Person], tmp_path: Path
) -> None:
    opened, me = place
    van, car, tram = made(me, "van"), made(me, "car"), made(me, "tram")
    layer, thing = me.layer(2)["id"], new()
    first = add(van, 1, 1, 9, 9, name=thing)
    again = operation("class", object=thing, category=van)
    me.do(layer, 0, first, operation("class", object=thing, category=car), again).raise_for_status()
    before = me.get(f"/layers/{layer}/masks").json()
    assert remove(me, van, tram) == (200, "")
    assert remove(me, tram, car) == (200, "")  # of two steps the last one counts
    assert classes(me, layer) == [car]
    assert me.get(f"/layers/{layer}/masks").json() == before
    told = me.get(f"/layers/{layer}/operations").json()["operations"]
    assert [one["payload"]["category"] for one in told] == [car, car, car]
    late = me.do(layer, 3, add(van, 20, 1, 9, 9))  # by a page that has not heard of it
    assert late.status_code == 200, late.text
    assert me.do(layer, 3, first).json()["revision"] == 4  # sent again, as after a lost answer
    for target in (late.json()["accepted"][0], again["id"]):
        me.do(layer, me.get(f"/layers/{layer}").json()["revision"], operation("undo", of=target)).raise_for_status()
    assert classes(me, layer) == [car]
    with opened.shop.store.read() as connection:
        written = connection.scalar(sa.select(tables.operation.c.payload).where(tables.operation.c.id == first["id"]))
        assert written["category"] == van  # what was done stays as it was
        assert derived(connection, layer) == History.of(operations(connection, layer)).state
    with opened.shop.store.write() as connection:
        rebuild(connection)
        assert derived(connection, layer) == History.of(operations(connection, layer)).state
    me.post(f"/layers/{layer}/state", json={"state": "done"}).raise_for_status()
    (tmp_path / "out.json").write_bytes(exported(me, {"format": "kins2020", "layers": "mine", "states": ["done"]}))
    assert [i.category for i in kins.load(tmp_path / "out.json")["b.png"]] == ["car"]


def test_an_object_whose_class_was_removed_comes_back_without_one(place: tuple[Opened, Person]) -> None:
    me, cart = place[1], made(place[1], "cart")
    layer, thing = me.layer(3)["id"], new()
    me.do(layer, 0, add(cart, 1, 1, 9, 9, name=thing)).raise_for_status()
    gone = operation("delete", object=thing)
    me.do(layer, 1, gone).raise_for_status()
    assert remove(me, cart) == (200, "")
    me.do(layer, 2, operation("undo", of=gone["id"])).raise_for_status()
    assert classes(me, layer) == [None]
    found = me.post(f"/layers/{layer}/state", json={"state": "done"}).json()["findings"]
    assert [finding["text"] for finding in found] == ["an object has no class"]


def test_occluders_replace_occluders_and_go_on_hiding(place: tuple[Opened, Person]) -> None:
    me = place[1]
    pole, post, person = made(me, "pole", is_occluder=True), made(me, "post", is_occluder=True), made(me, "person")
    layer = me.layer(4)["id"]
    me.do(layer, 0, add(person, 1, 1, 30, 30), add(pole, 10, 0, 3, 60)).raise_for_status()
    before = me.get(f"/layers/{layer}/masks").json()["objects"]
    assert remove(me, pole, post) == (200, "")
    after = me.get(f"/layers/{layer}/masks").json()["objects"]
    seen = kins.Mask.from_rle(after[0]["inmodal"]).to_array()
    assert after == before
    assert not np.any(seen[:, 10:13])


def test_proposals_of_a_replaced_class_are_of_the_new_one(place: tuple[Opened, Person]) -> None:
    opened, me = place
    wagon, train = made(me, "wagon"), made(me, "train")
    mask = kins.Mask.from_box((1, 1, 9, 9), 60, 80)
    row = {"image": 5, "source": "x", "category_name": "wagon", "amodal": {"size": [60, 80], "counts": mask.counts}}
    with opened.shop.store.write() as connection:
        connection.execute(sa.insert(tables.proposal), row)
    me.patch("/projects/1", json={"settings": {"assistance": 1.0}}).raise_for_status()
    assert me.get("/images/5/proposals").json()[0]["category"] == wagon
    assert remove(me, wagon, train) == (200, "")
    told = me.get("/images/5/proposals").json()[0]
    assert (told["category"], told["category_name"]) == (train, "train")


def test_categories_are_renamed(place: tuple[Opened, Person]) -> None:
    me = place[1]
    wrong, other = made(me, "taxy"), made(me, "other")
    address = f"/projects/1/categories?category={wrong}"
    answer = me.patch(address, json={"name": " taxi ", "key": "7"})
    assert [row for row in answer.json() if row["id"] == wrong] == [
        {"id": wrong, "name": "taxi", "key": "7", "colour": None, "is_occluder": False}
    ]
    for body in ({"name": "other"}, {"name": " "}, {"name": "x" * 201}, {"name": "taxi", "key": "x" * 21}, {}):
        assert me.patch(address, json=body).status_code == 422
    assert me.patch("/projects/1/categories?category=999", json={"name": "bus"}).status_code == 404
    assert {row["name"] for row in me.get("/projects/1/categories").json()} >= {"taxi", "other"}
    assert other != wrong
