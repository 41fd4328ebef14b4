"""Sessions that end, cookies under TLS, and what is written down of who did what."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient
from tests.annotate.helpers import PASSWORD, Person, add, exported, serving, team
from tests.annotate.test_uploads import picture

from kins.annotate import tables
from kins.annotate.app import API, application
from kins.annotate.security import IDLE, Limiter
from kins.annotate.server import LOOPBACK, Listening, Opened, _options

Place = tuple[str, Opened]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server with accounts."""
    with team(tmp_path_factory.mktemp("security"), count=2) as (address, opened):
        yield address, opened


def change_sessions(opened: Opened, **values: Any) -> None:
    with opened.shop.store.write() as connection:
        connection.execute(sa.update(tables.session).values(**values))


def test_a_session_ends_when_it_was_not_used_for_half_a_day(place: Place) -> None:
    address, opened = place
    with Person(address, "viewer") as viewer:
        change_sessions(opened, seen=tables.now() - IDLE + timedelta(minutes=10))
        assert viewer.get("/projects").status_code == 200  # which makes it a used one
        with opened.shop.store.read() as connection:
            (seen,) = connection.scalars(sa.select(tables.session.c.seen)).all()
        assert tables.now() - seen < timedelta(minutes=1)
        change_sessions(opened, seen=tables.now() - IDLE - timedelta(minutes=1))
        assert viewer.get("/projects").status_code == 401
        assert viewer.get("/me").json()["user"] is None


def test_the_cookie_goes_over_tls_alone_where_there_is_tls(place: Place) -> None:
    app = application(place[1].shop, LOOPBACK)
    for scheme, secure in (("https", True), ("http", False)):
        client = TestClient(app, base_url=f"{scheme}://127.0.0.1")
        answer = client.post(f"{API}/login", json={"name": "viewer", "password": PASSWORD})
        assert answer.status_code == 200
        assert ("secure" in answer.headers["set-cookie"].lower()) == secure


@pytest.mark.parametrize(("proxy", "apart"), [(None, False), ("10.0.0.1", False), ("127.0.0.1", True)])
def test_visitors_of_a_proxy_are_told_apart_only_where_it_is_trusted(
    place: Place, proxy: str | None, apart: bool
) -> None:
    shop = place[1].shop
    shop.logins = Limiter()
    options = _options(Listening(proxy=proxy))

    def login(person: httpx.Client, name: str, password: str, came: str) -> httpx.Response:
        headers = {"x-forwarded-for": came, "x-forwarded-proto": "https"}
        return person.post(f"{API}/login", json={"name": name, "password": password}, headers=headers)

    with serving(application(shop, LOOPBACK), **options) as address, httpx.Client(base_url=address) as person:
        for number in range(5):  # the proxy names the visitor last; what stands before is the visitor's own invention
            failed = login(person, f"nobody {number}", "not this one", f"198.51.100.{number}, 203.0.113.1")
            assert failed.status_code == 403
        assert login(person, "viewer", PASSWORD, "203.0.113.1").status_code == 429
        other = login(person, "viewer", PASSWORD, "203.0.113.1, 203.0.113.2")
        assert other.status_code == (200 if apart else 429)
        if apart:
            assert "secure" in other.headers["set-cookie"].lower()
    shop.logins = Limiter()
    with shop.store.read() as connection:
        query = sa.select(tables.event.c.address).where(tables.event.c.kind == "login failed")
        assert set(connection.scalars(query.order_by(tables.event.c.id.desc()).limit(5))) == {
            "203.0.113.1" if apart else "127.0.0.1"
        }


def test_a_reviewer_sets_an_image_aside_and_takes_it_up_again(place: Place) -> None:
    address, _ = place
    with Person(address, "annotator") as annotator, Person(address, "reviewer") as reviewer:
        car = annotator.post("/projects/1/categories", json={"name": "car"}).json()["id"]
        for person in (annotator, reviewer):
            layer = person.layer(1)["id"]
            person.do(layer, 0, add(car, 1, 1, 30, 30)).raise_for_status()
            person.post(f"/layers/{layer}/state", json={"state": "done"}).raise_for_status()
        consensus = reviewer.post("/images/1/consensus", json={}).json()["id"]
        for one in (layer, consensus):  # the reviewer's own, and the one of all
            url = f"/layers/{one}/state"
            assert annotator.post(url, json={"state": "set aside", "reason": "no"}).status_code == 403
            assert reviewer.post(url, json={"state": "set aside", "reason": " "}).json()["error"] == "no-reason"
            reviewer.post(url, json={"state": "set aside", "reason": "the lens is wet"}).raise_for_status()
            assert annotator.get("/images/1").json()["state"] == "set aside"
            reviewer.post(url, json={"state": "open"}).raise_for_status()
            assert annotator.get("/images/1").json()["state"] in ("in work", "done")
            reviewer.post(url, json={"state": "done"}).raise_for_status()
            assert annotator.get("/images/1").json()["state"] == "done"


def test_what_matters_is_written_down_with_who_and_from_where(place: Place) -> None:
    address, opened = place
    with Person(address, "owner") as owner:
        owner.post("/login", json={"name": "owner", "password": "not this one"})
        owner.post("/projects/1/members", json={"user": 5, "role": "annotator"}).raise_for_status()
        owner.delete("/projects/1/members?user=5").raise_for_status()
        owner.post("/projects/1/members", json={"user": 5, "role": "viewer"}).raise_for_status()
        owner.post("/projects/1/upload?name=x.png", content=picture(seed=3)).raise_for_status()
        category = owner.post("/projects/1/categories", json={"name": "cart"}).json()["id"]
        owner.delete(f"/projects/1/categories?category={category}").raise_for_status()
        owner.post("/projects", json={"name": "more", "folder": "more"}).raise_for_status()
        car = owner.post("/projects/1/categories", json={"name": "car"}).json()["id"]
        owner.do(owner.layer(1)["id"], 0, add(car, 1, 1, 9, 9)).raise_for_status()
        exported(owner, {"format": "coco", "layers": "mine"})
        owner.post("/logout").raise_for_status()
    with opened.shop.store.read() as connection:
        rows = connection.execute(sa.select(tables.event).where(tables.event.c.user == 1)).all()
    assert [row.kind for row in rows if row.kind != "role"] == [
        *("login", "login failed", "upload", "category removed", "project", "export", "logout")
    ]
    assert [row.detail for row in rows if row.kind == "role"] == [
        "viewer: annotator of project 1",
        "user 5: none in project 1",
        "viewer: viewer of project 1",
    ]
    assert {row.address for row in rows} == {"127.0.0.1"}
    assert not any(PASSWORD in row.detail for row in rows)


def test_a_viewer_sees_what_is_done_and_no_more(place: Place) -> None:
    address, _ = place
    with Person(address, "annotator") as annotator, Person(address, "viewer") as viewer:
        car = annotator.post("/projects/1/categories", json={"name": "car"}).json()["id"]
        layer = annotator.layer(2)["id"]
        annotator.do(layer, 0, add(car, 1, 1, 30, 30)).raise_for_status()
        assert viewer.get(f"/layers/{layer}").status_code == 404
        assert viewer.get("/images/2").json()["layers"] == []
        annotator.post(f"/layers/{layer}/state", json={"state": "done"}).raise_for_status()
        assert viewer.get(f"/layers/{layer}").json()["mine"] is False
        assert [one["id"] for one in viewer.get("/images/2").json()["layers"]] == [layer]
        assert viewer.get(f"/layers/{layer}/operations").status_code == 403
