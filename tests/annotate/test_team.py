"""Several people: roles, assignments, layers of their own, agreement, consensus, review."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.annotate.helpers import PASSWORD, ROLES, Person, add, exported, new, operation, team

import kins
from kins.annotate.app import API, PUBLIC, ROUTES
from kins.annotate.server import Opened
from kins.masks import Mask

People = dict[str, Person]
IDS = {name: number for number, name in enumerate((*ROLES, "stranger"), 1)}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Opened, People]]:
    """A server and everyone logged in: image 1 has the annotator's layer 1."""
    with team(tmp_path_factory.mktemp("team"), count=6) as (address, opened):
        people = {name: Person(address, name) for name in (*ROLES, "stranger")}
        people["nobody"] = Person(address)
        people["owner"].post("/projects/1/categories", json={"name": "car"})
        people["owner"].post("/projects/1/categories", json={"name": "van"})
        people["annotator"].layer(1)
        people["annotator"].post("/images/1/comments", json={"text": "hm"})
        people["owner"].post("/projects/1/exports", json={"format": "coco"})
        yield address, opened, people


ADDRESSES = {"project": 1, "image": 1, "layer": 1, "export": 1, "comment": 1, "user": 3}
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/projects/{project}/categories"): {"name": "car"},
    ("PATCH", "/projects/{project}/categories"): {"name": "car"},
    ("DELETE", "/projects/{project}/categories"): {},
    ("POST", "/projects"): {},
    ("POST", "/layers/{layer}/operations"): {"base": 0, "operations": []},
    ("POST", "/layers/{layer}/state"): {"state": "open"},
    ("POST", "/layers/{layer}/complete"): {"rings": []},
    ("PATCH", "/projects/{project}"): {},
    ("POST", "/projects/{project}/members"): {"user": 3, "role": "annotator"},
    ("DELETE", "/projects/{project}/members"): {},
    ("POST", "/projects/{project}/assign"): {"users": []},
    ("POST", "/projects/{project}/exports"): {"format": "coco"},
    ("POST", "/users"): {"name": "", "password": ""},
    ("PATCH", "/users/{user}"): {},
    ("POST", "/images/{image}/consensus"): {},
    ("POST", "/images/{image}/review"): {"layer": 1, "verdict": "send back"},
    ("POST", "/images/{image}/comments"): {"text": "x"},
    ("PATCH", "/comments/{comment}"): {"resolved": False},
}
LEAST = {
    ("GET", "/projects"): "anyone",
    ("POST", "/projects"): "admin",
    ("GET", "/projects/{project}"): "viewer",
    ("GET", "/projects/{project}/categories"): "viewer",
    ("POST", "/projects/{project}/categories"): "annotator",
    ("PATCH", "/projects/{project}/categories"): "owner",
    ("DELETE", "/projects/{project}/categories"): "owner",
    ("GET", "/projects/{project}/images"): "viewer",
    ("POST", "/projects/{project}/images"): "owner",
    ("POST", "/projects/{project}/upload"): "owner",
    ("POST", "/projects/{project}/proposals"): "owner",
    ("GET", "/projects/{project}/next"): "annotator",
    ("PATCH", "/projects/{project}"): "owner",
    ("GET", "/projects/{project}/members"): "reviewer",
    ("POST", "/projects/{project}/members"): "owner",
    ("DELETE", "/projects/{project}/members"): "owner",
    ("POST", "/projects/{project}/assign"): "owner",
    ("GET", "/projects/{project}/statistics"): "reviewer",
    ("GET", "/projects/{project}/exports"): "owner",
    ("POST", "/projects/{project}/exports"): "owner",
    ("GET", "/exports/{export}"): "owner",
    ("GET", "/exports/{export}/file"): "owner",
    ("GET", "/users"): "admin",
    ("POST", "/users"): "admin",
    ("PATCH", "/users/{user}"): "admin",
    ("GET", "/images/{image}"): "viewer",
    ("GET", "/images/{image}/file"): "viewer",
    ("POST", "/images/{image}/layers"): "annotator",
    ("GET", "/images/{image}/proposals"): "annotator",
    ("POST", "/images/{image}/proposals"): "annotator",
    ("GET", "/images/{image}/agreement"): "reviewer",
    ("POST", "/images/{image}/consensus"): "reviewer",
    ("POST", "/images/{image}/review"): "reviewer",
    ("GET", "/images/{image}/comments"): "annotator",
    ("POST", "/images/{image}/comments"): "annotator",
    ("PATCH", "/comments/{comment}"): "annotator",
    ("GET", "/layers/{layer}"): "its",
    ("GET", "/layers/{layer}/operations"): "its",
    ("POST", "/layers/{layer}/operations"): "its own",
    ("GET", "/layers/{layer}/masks"): "its",
    ("POST", "/layers/{layer}/state"): "its own",
    ("POST", "/layers/{layer}/complete"): "its own",
}
RANK = {"viewer": 0, "annotator": 1, "other": 1, "reviewer": 2, "owner": 3}


def expected(who: str, least: str) -> set[int]:
    """The answers that are right: 0 stands for anything that is no refusal."""
    if who == "nobody":
        return {401}
    if least == "anyone":
        return {0}
    if least == "admin":
        return {0} if who == "owner" else {403}
    if who == "stranger":
        return {404}
    if least in ("its", "its own"):
        if who == "annotator" or (least == "its" and who in ("reviewer", "owner")):
            return {0}
        return {403} if who in ("reviewer", "owner") else {404}
    return {0} if RANK[who] >= RANK[least] else {403}


@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route != ("POST", "/logout")])
def test_each_route_takes_those_roles_and_no_others(place: tuple[str, Opened, People], method: str, path: str) -> None:
    for who, person in place[2].items():
        least = LEAST[method, path]
        body = BODIES.get((method, path)) if method != "GET" else None
        answer = person.request(method, path.format(**ADDRESSES), json=body)
        found = answer.status_code
        refused = {401, 403} | ({404} if who != "owner" or least != "owner" else set())
        assert ({found} if found in refused else {0}) == expected(who, least), (who, answer.text)
        if found in refused:
            assert set(answer.json()) == {"error", "detail"}


def test_foreign_and_unusable_ids_are_not_found(place: tuple[str, Opened, People]) -> None:
    for method, path in ROUTES:
        if "{" not in path:
            continue
        for number in ("999", "99999999999999999999", "%00", "١"):
            url = path.format(**dict.fromkeys(ADDRESSES, number))
            body = BODIES.get((method, path)) if method != "GET" else None
            answer = place[2]["owner"].request(method, url, json=body)
            assert answer.status_code == 404, (method, url, answer.text)


def test_every_change_needs_the_token_of_the_session(place: tuple[str, Opened, People]) -> None:
    owner = place[2]["owner"]
    for method, path in ROUTES:
        if method == "GET":
            continue
        for token in ("", "wrong", place[2]["reviewer"].headers["x-csrf-token"]):
            answer = owner.request(method, path.format(**ADDRESSES), json={}, headers={"x-csrf-token": token})
            assert (answer.status_code, answer.json()["error"]) == (403, "csrf")


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "127.0.0.1.evil.example:80"},
        {"host": ""},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_requests_that_other_pages_make_are_refused(place: tuple[str, Opened, People], headers: dict[str, str]) -> None:
    owner = place[2]["owner"]
    answer = owner.post("/projects/1/categories", json={"name": "evil"}, headers=headers)
    assert answer.status_code in (400, 403)
    if "host" in headers:
        assert owner.get("/projects", headers=headers).status_code in (400, 403)
    assert "evil" not in owner.get("/projects/1/categories").text


def test_every_answer_carries_the_headers(place: tuple[str, Opened, People]) -> None:
    address, _, people = place
    urls = [f"{address}/", f"{address}/nowhere", f"{address}/static/none.js", f"{address}{API}/projects"]
    urls += [f"{address}{API}/images/1/file", f"{address}{API}/me"]
    for url in urls:
        for method in ("GET", "POST", "OPTIONS"):
            answer = people["owner"].request(method, url)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert not any(name.startswith("access-control") for name in answer.headers)
    assert people["owner"].get("/images/1/file").headers["cache-control"].startswith("private")
    assert people["owner"].get("/me").headers["cache-control"] == "no-store"


def test_the_session_is_a_cookie_that_scripts_do_not_see_and_ends(place: tuple[str, Opened, People]) -> None:
    address, opened, _ = place
    with Person(address) as guest:
        assert guest.get("/me").json() == {"user": None, "csrf": "", "accounts": True, "store": None}
        answer = guest.post("/login", json={"name": "viewer", "password": PASSWORD})
        cookie = answer.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        token = guest.cookies[opened.shop.cookie]
        with opened.shop.store.read() as connection:
            kept = "".join(map(str, connection.exec_driver_sql("SELECT * FROM session").all()))
        assert token not in kept
        guest.headers["x-csrf-token"] = answer.json()["csrf"]
        guest.post("/login", json={"name": "viewer", "password": PASSWORD})
        assert guest.cookies[opened.shop.cookie] != token
        guest.headers["x-csrf-token"] = guest.get("/me").json()["csrf"]
        assert guest.post("/logout").status_code == 200
        assert guest.get("/projects").status_code == 401
        again = httpx.get(f"{address}{API}/projects", cookies={opened.shop.cookie: token})
        assert again.status_code == 401


def test_wrong_passwords_and_unknown_names_are_answered_alike_and_limited(
    place: tuple[str, Opened, People],
) -> None:
    address, opened, _ = place
    opened.shop.logins.__init__()  # type: ignore[misc]
    with Person(address) as guest:
        answers = [guest.post("/login", json={"name": n, "password": "no such one"}) for n in ("viewer", "nobody")]
        assert {(a.status_code, a.text) for a in answers} == {(403, answers[0].text)}
        for _ in range(3):
            guest.post("/login", json={"name": "viewer", "password": "no such one"})
        answer = guest.post("/login", json={"name": "viewer", "password": PASSWORD})
        assert (answer.status_code, answer.json()["error"]) == (429, "too-often")
    opened.shop.logins.__init__()  # type: ignore[misc]


def test_accounts_are_made_changed_and_closed(place: tuple[str, Opened, People]) -> None:
    address, _, people = place
    owner = people["owner"]
    for name, password in (("", PASSWORD), ("a\nb", PASSWORD), ("x" * 101, PASSWORD), ("new", "short")):
        assert owner.post("/users", json={"name": name, "password": password}).status_code == 422
    made = owner.post("/users", json={"name": "Renée <b>", "password": PASSWORD}).json()
    assert owner.post("/users", json={"name": "Renée <b>", "password": PASSWORD}).status_code == 422
    with Person(address, "Renée <b>") as fresh:
        assert fresh.get("/projects").json() == []
        owner.post("/projects/1/members", json={"user": made["id"], "role": "viewer"})
        assert fresh.get("/projects").json()[0]["role"] == "viewer"
        owner.delete("/projects/1/members", params={"user": made["id"]})
        assert fresh.get("/projects/1").status_code == 404
        owner.patch(f"/users/{made['id']}", json={"active": False})
        assert fresh.get("/projects").status_code == 401
        assert fresh.post("/login", json={"name": "Renée <b>", "password": PASSWORD}).status_code == 403
    assert owner.patch("/users/1", json={"admin": False}).json()["error"] == "yourself"
    assert owner.post("/projects/1/members", json={"user": 1, "role": "viewer"}).json()["error"] == "last-owner"
    assert owner.delete("/projects/1/members?user=1").json()["error"] == "last-owner"


def car(person: Person, image: int, *box: int, more: tuple[dict[str, Any], ...] = (), category: int = 1) -> int:
    """A layer with a rectangle and more, done."""
    layer = person.layer(image)
    person.do(layer["id"], layer["revision"], add(category, *box), *more).raise_for_status()
    person.post(f"/layers/{layer['id']}/state", json={"state": "done"}).raise_for_status()
    return int(layer["id"])


def test_three_annotators_to_a_consensus_that_is_reviewed(place: tuple[str, Opened, People], tmp_path: Path) -> None:
    _, _, people = place
    owner, reviewer = people["owner"], people["reviewer"]
    owner.patch("/projects/1", json={"settings": {"annotators": 3}}).raise_for_status()
    users = [IDS[name] for name in ("annotator", "other", "reviewer")]
    assert owner.post("/projects/1/assign", json={"users": users, "images": [2]}).json() == {"assigned": 3}
    assert owner.post("/projects/1/assign", json={"users": users, "images": [2]}).json() == {"assigned": 0}
    assert people["annotator"].get("/projects/1/next").json() == {"image": 2}
    assert [i["id"] for i in owner.get(f"/projects/1/images?user={users[0]}").json()["images"]] == [2]
    back, front = new(), new()
    pair = (add(2, 30, 20, 30, 30, name=front), operation("pair", nearer=front, farther=back))
    layer = people["annotator"].layer(2)["id"]
    first = [add(1, 10, 10, 30, 30, name=back), *pair]
    people["annotator"].do(layer, 0, *first).raise_for_status()
    assert people["other"].get(f"/layers/{layer}").status_code == 404
    people["annotator"].post(f"/layers/{layer}/state", json={"state": "done"}).raise_for_status()
    others = [car(people["other"], 2, 10, 10, 30, 32), car(people["reviewer"], 2, 10, 10, 30, 30)]
    assert people["other"].get(f"/layers/{layer}").status_code == 200
    assert owner.get("/images/2").json()["state"] == "done"

    found = reviewer.get("/images/2/agreement").json()
    assert [one["id"] for one in found["layers"]] == [layer, *others]
    both, alone = found["objects"]
    assert (both["agree"], both["iou"], both["classes"]) == (True, 30 / 32, ["car"] * 3)
    assert both["members"][str(layer)] == back
    assert (alone["agree"], alone["members"], alone["iou"]) == (False, {str(layer): front}, None)
    assert found["pairs"] == [{"a": 0, "b": 1, "says": {str(layer): "b>a"}}]

    made = reviewer.post("/images/2/consensus", json={}).json()
    assert (made["kind"], made["user"], len(made["objects"])) == ("consensus", None, 1)
    masks = reviewer.get(f"/layers/{made['id']}/masks").json()["objects"]
    assert np.array_equal(Mask.from_rle(masks[0]["amodal"]).to_array()[10:40, 10:40], np.ones((30, 30), bool))
    assert reviewer.post("/images/2/consensus", json={}).json()["id"] == made["id"]
    assert people["annotator"].do(made["id"], 1, add(1, 1, 1, 5, 5)).status_code == 403
    reviewer.do(made["id"], 1, add(2, 60, 0, 10, 10)).raise_for_status()

    sent = reviewer.post("/images/2/review", json={"layer": layer, "verdict": "send back", "text": "the van?"})
    assert sent.json()["state"] == "in work"
    assert people["annotator"].get("/images/2/comments").json()[0]["text"] == "the van?"
    assert people["annotator"].get(f"/layers/{layer}").json()["state"] == "open"
    assert reviewer.post("/images/2/review", json={"layer": layer, "verdict": "accept"}).json()["error"] == "not-done"
    accepted = reviewer.post("/images/2/review", json={"layer": made["id"], "verdict": "accept"}).json()
    assert accepted["state"] == "reviewed"
    assert people["annotator"].do(layer, 3, add(1, 1, 1, 5, 5)).json()["error"] == "closed"
    assert people["annotator"].post(f"/layers/{layer}/state", json={"state": "done"}).json()["error"] == "closed"

    (tmp_path / "out.json").write_bytes(exported(owner, {"format": "kins2020", "layers": "reviewed"}))
    assert [i.category for i in kins.load(tmp_path / "out.json")["b.png"]] == ["car", "van"]
    archive = zipfile.ZipFile(io.BytesIO(exported(owner, {"format": "coco", "layers": "all", "states": ["reviewed"]})))
    assert archive.namelist() == ["2-reviewer.json", "3-annotator.json", "4-other.json"]
    told = reviewer.get("/projects/1/statistics").json()
    objects = {row["name"]: row["objects"] for row in told["annotators"] if row["objects"]}
    assert objects == {"annotator": 2, "other": 1, "reviewer": 1}
    assert [(one["first"], one["amodal_iou"]) for one in told["agreement"]] == [("reviewer", 30 / 32)]


def test_images_are_shared_out_evenly(place: tuple[str, Opened, People]) -> None:
    owner = place[2]["owner"]
    users = [IDS["annotator"], IDS["other"]]
    answer = owner.post("/projects/1/assign", json={"users": users, "images": [3, 4, 5, 6], "each": 1})
    assert answer.json() == {"assigned": 4}
    counts = [len(owner.get(f"/projects/1/images?user={user}").json()["images"]) for user in users]
    assert abs(counts[0] - counts[1]) <= 1
    assert owner.post("/projects/1/assign", json={"users": [IDS["viewer"]]}).json()["error"] == "no-user"
    assert owner.post("/projects/1/assign", json={"users": users, "images": [99]}).status_code == 404


def test_more_annotators_reopen_what_was_done(place: tuple[str, Opened, People]) -> None:
    owner = place[2]["owner"]
    owner.patch("/projects/1", json={"settings": {"annotators": 1}}).raise_for_status()
    owner.post("/projects/1/assign", json={"users": [IDS["annotator"]], "images": [5], "each": 1}).raise_for_status()
    for name in ("annotator", "other"):
        car(place[2][name], 5, 10, 10, 30, 30)
    assert owner.get("/images/5").json()["state"] == "done"
    owner.patch("/projects/1", json={"settings": {"annotators": 3}}).raise_for_status()
    assert owner.get("/images/5").json()["state"] == "in work"
    owner.patch("/projects/1", json={"settings": {"annotators": 2}}).raise_for_status()
    assert owner.get("/images/5").json()["state"] == "done"


def test_two_tabs_of_one_person_never_write_over_each_other(place: tuple[str, Opened, People]) -> None:
    address, _, people = place
    with Person(address, "other") as tab:
        layer = people["other"].layer(6)["id"]
        one, two = add(1, 0, 0, 9, 9), add(1, 20, 0, 9, 9)
        assert people["other"].do(layer, 0, one).status_code == 200
        stale = tab.do(layer, 0, two)
        assert stale.status_code == 409
        assert [op["id"] for op in stale.json()["missing"]] == [one["id"]]
        assert tab.do(layer, 1, two).json()["revision"] == 2


def test_public_routes_are_few() -> None:
    assert set(PUBLIC) == {
        ("GET", "/"),
        ("GET", "/static/{name:path}"),
        ("GET", "/healthz"),
        ("GET", f"{API}/me"),
        ("POST", f"{API}/login"),
    }
    assert set(LEAST) == set(ROUTES) - {("POST", "/logout")}
