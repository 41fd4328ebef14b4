"""What strangers send: too large, too slow, malformed, names that lead elsewhere."""

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import PIL.Image
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.annotate.helpers import Person, add, new, operation, pictures, rectangle, served
from tests.helpers import wait_for

from kins.annotate import calls, patience, tables
from kins.annotate.app import API, PUBLIC, ROUTES
from kins.annotate.security import HEADERS
from kins.annotate.server import LOOPBACK, Listening, Opened, _bound, open_folder, serve
from kins.errors import KinsError

NAMES = [
    "<img src=x onerror=alert(1)>",
    "'; DROP TABLE user; --",
    "\u202egnp.exe",
    "a\\b",
    "\x1b[2J",
    "a" * 150,
    "日本",
    "%2e%2e",
]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Opened, Person]]:
    """A server without accounts with pictures of hostile names, and its user."""
    folder = pictures(tmp_path_factory.mktemp("hostile"), 2)
    for name in NAMES:
        PIL.Image.new("L", (8, 6)).save(folder / f"{name}.png", "PNG")
    opened = open_folder(folder)
    opened.shop.token = "secret"
    with served(opened) as address, Person(address, token="secret") as person:
        yield address, opened, person


def test_names_come_through_as_they_are_and_do_nothing(alone: tuple[str, Opened, Person]) -> None:
    _, _, me = alone
    listed = me.get("/projects/1/images").json()["images"]
    assert {f"{name}.png" for name in NAMES} < {image["file"] for image in listed}
    for image in listed:
        answer = me.get(f"/images/{image['id']}/file")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    for name in NAMES:
        made = me.post("/projects/1/categories", json={"name": name})
        assert made.json()["name"] == name
        assert made.headers["content-type"] == "application/json"
    for name in ("", "  ", "x" * 201):
        assert me.post("/projects/1/categories", json={"name": name}).status_code == 422


@pytest.mark.parametrize(
    "path",
    [
        *("/static/../tables.py", "/static/%2e%2e/tables.py", "/static/..%2ftables.py", "/static//etc/passwd"),
        *(
            "/static/.hidden",
            "/static/%00.js",
            "/static/..%5ctables.py",
            "/static/x/../../server.py",
            "/static/",
            "/etc/x",
        ),
    ],
)
def test_no_address_leads_out_of_the_page(alone: tuple[str, Opened, Person], path: str) -> None:
    host, port = alone[0].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400"))
    assert b"import" not in answer


def test_pictures_outside_of_the_folder_are_never_read(tmp_path: Path) -> None:
    outside = tmp_path / "secret.png"
    PIL.Image.new("L", (8, 6)).save(outside)
    folder = pictures(tmp_path / "pictures", 1)
    os.symlink(outside, folder / "link.png")
    os.symlink(tmp_path, folder / "all")
    opened = open_folder(folder)
    assert [line for line in opened.lines if "leads out" in line]
    opened.shop.token = "t"
    with opened.shop.store.write() as connection:
        for name in ("../secret.png", str(outside), "link.png", "all/secret.png", "a.png/../../secret.png"):
            row = {"project": 1, "file": name, "width": 8, "height": 6}
            connection.execute(sa.insert(tables.image), row)
    with served(opened) as address, Person(address, token="t") as me:
        listed = me.get("/projects/1/images").json()["images"]
        assert [me.get(f"/images/{image['id']}/file").status_code for image in listed] == [200] + 5 * [422]


def test_what_is_too_large_is_refused(alone: tuple[str, Opened, Person]) -> None:
    _, _, me = alone
    large = b" " * (calls.MOST_BYTES + 1)
    for content in (large, iter([large[: 2**20]] * 9)):
        try:
            answer = me.post("/projects/1/categories", content=content)
            assert (answer.status_code, answer.json()["error"]) == (413, "too-large")
        except httpx.WriteError:
            pass  # it was refused before all was sent
    layer = me.layer(1)["id"]
    ring = rectangle(0, 0, 9, 9)[0]["points"]
    for rings in ([{"points": ring * 3000}], [{"points": ring}] * 1001, [{"points": [10**9] * 6}]):
        answer = me.do(layer, 0, operation("add", object=new(), category=None, rings=rings))
        assert answer.status_code == 422, answer.text
    assert me.get(f"/layers/{layer}").json()["revision"] == 0
    assert me.post("/projects/1/categories", content=b"[" * 100_000).status_code == 422
    assert me.get("/projects/1/images?limit=1001").status_code == 422


def test_a_request_that_never_ends_is_given_up(
    alone: tuple[str, Opened, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "SECONDS", 0.2)
    host, port = alone[0].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as raw:
        head = f"POST {API}/login HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\n"
        raw.sendall(head.encode() + b'{"name')
        assert raw.recv(65536).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("before", ["", f"GET {API}/me HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_headers_that_drip_are_given_up(
    alone: tuple[str, Opened, Person], monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    monkeypatch.setattr(patience, "SECONDS", 0.2)
    host, port = alone[0].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=0.02) as raw:
        raw.sendall(f"{before}GET / HTTP/1.1\r\nHost: {host}\r\nX-Long: ".encode())

        def gone() -> bool:
            """Whether the server has closed it, while another byte comes now and then."""
            try:
                raw.sendall(b"x")
                return raw.recv(65536) == b""
            except TimeoutError:
                return False
            except ConnectionError:
                return True

        assert wait_for(gone)


def test_who_is_quick_keeps_a_connection(alone: tuple[str, Opened, Person], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SECONDS", 0.2)
    host, port = alone[0].removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as raw:
        for _ in range(3):
            raw.sendall(f"GET {API}/me HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            answer = b""
            while not answer.endswith(b"}"):  # headers and body may come one after the other
                answer += raw.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200")
            time.sleep(0.3)


WORDS = (
    "name password role user users images each settings annotators base operations id kind payload object category "
    "rings hole points nearer farther of state answers reason layer verdict text x y format states layers again"
)
FIELDS = st.sampled_from(WORDS.split())
KINDS = ("add", "outline", "class", "flag", "delete", "pair", "exception", "unexception", "accept", "reject", "undo")
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from([new(), "add"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | FIELDS, inner, max_size=5),
    max_leaves=12,
)
EVERY = [(m, API + p) for m, p in ROUTES if p not in ("/logout", "/projects/{project}/exports")] + list(PUBLIC)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(EVERY), anything | st.dictionaries(FIELDS, anything, max_size=6), st.data())
def test_no_request_is_a_fault(alone: tuple[str, Opened, Person], route: tuple[str, str], body: Any, data: Any) -> None:
    address, _, me = alone
    path = route[1]
    for name in ("project", "image", "layer", "export", "comment", "user", "name:path"):
        path = path.replace(f"{{{name}}}", str(data.draw(st.integers(0, 3))))
    query = data.draw(
        st.dictionaries(st.sampled_from(["after", "limit", "state", "user"]), st.text(max_size=5), max_size=2)
    )
    content = json.dumps(body).encode() if route[0] != "GET" else None
    answer = me.request(route[0], address + path, content=content, params=query)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert {"error", "detail"} <= answer.json().keys()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(FIELDS, anything, max_size=5), min_size=1, max_size=2), st.data())
def test_no_operation_is_a_fault(alone: tuple[str, Opened, Person], payloads: list[Any], data: Any) -> None:
    me = alone[2]
    layer = me.layer(2)
    kinds = st.sampled_from(
        [
            "add",
            "outline",
            "class",
            "flag",
            "delete",
            "pair",
            "exception",
            "unexception",
            "accept",
            "reject",
            "undo",
            "import",
        ]
    )
    batch = [operation(data.draw(kinds)) | {"payload": payload} for payload in payloads]
    content = json.dumps({"base": layer["revision"], "operations": batch})
    answer = me.post(f"/layers/{layer['id']}/operations", content=content)
    assert answer.status_code in (200, 409, 422), answer.text


def test_others_reach_the_server_only_where_there_are_accounts(alone: tuple[str, Opened, Person]) -> None:
    for listening in (Listening("0.0.0.0"), Listening("::"), Listening("192.0.2.1"), Listening(proxy="127.0.0.1")):
        with pytest.raises(KinsError, match="needs accounts"):
            _bound(listening, alone[1].shop)
    with pytest.raises(KinsError, match="no such folder"):
        serve("/nowhere")
    assert "0.0.0.0" not in LOOPBACK


def test_the_policy_allows_nothing_from_elsewhere_and_no_inline_code() -> None:
    policy = dict(part.strip().split(" ", 1) for part in HEADERS["content-security-policy"].split(";"))
    assert policy["default-src"] == "'self'"
    assert "unsafe" not in HEADERS["content-security-policy"]
    assert "http" not in HEADERS["content-security-policy"]


def test_a_layer_takes_ten_thousand_points_but_not_more(alone: tuple[str, Opened, Person]) -> None:
    me = alone[2]
    layer = me.layer(3)
    many = [{"hole": False, "points": [100 * (n % 8) for n in range(20_000)]}]
    answer = me.do(layer["id"], 0, operation("add", object=new(), category=None, rings=many), add(None, 0, 0, 4, 4))
    assert answer.status_code == 200, answer.text
