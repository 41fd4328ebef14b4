"""The server of kins view: read-only, for the one with the token, and nothing outside of the folder."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.annotate.helpers import serving

import kins
from kins import KinsError
from kins.annotate.view.routes import PUBLIC, ROUTES, application
from kins.annotate.view.server import linked_report, open_files
from kins.demo.toys import write_shapes
from kins.files import write_markup


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """truth.json, found.json, and pictures, of which one is gone; led.json names one outside of the folder."""
    folder = tmp_path_factory.mktemp("view")
    dataset = write_shapes(folder / "pictures", 4)
    dataset.save(folder / "truth.json")
    found = dataset.map(lambda s: s.replace(instances=tuple(i.replace(score=0.9) for i in s.instances[1:])))
    found.save(folder / "found.json", format="predictions")
    content = json.loads((folder / "truth.json").read_text())
    content["images"][2]["file_name"] = "../secret.png"
    (folder / "led.json").write_text(json.dumps(content))
    (folder / "pictures" / "000003.png").unlink()
    return folder


@pytest.fixture(scope="module")
def me(files: Path) -> Iterator[httpx.Client]:
    """The one who came with the token."""
    shelf = open_files(files / "truth.json", pictures=files / "pictures")
    shelf.token = "a token"
    with serving(application(shelf, ["127.0.0.1"])) as address, httpx.Client(base_url=address) as client:
        assert client.get("/api/v1/open").status_code == 401
        assert client.get("/?token=another").status_code == 403
        assert client.get("/?token=a token").status_code == 303
        yield client


def test_the_printed_address_works_once(me: httpx.Client) -> None:
    assert me.get("/api/v1/open").json()["images"] == 4
    assert me.get("/?token=a token").status_code == 303  # with the cookie
    other = httpx.get(f"{me.base_url}/?token=a token")
    assert (other.status_code, other.json()["error"]) == (403, "token")
    assert httpx.get(f"{me.base_url}/api/v1/cases", cookies={"kins_view": "x"}).status_code == 401


def test_nothing_but_reading_is_taken(me: httpx.Client) -> None:
    for path in (*PUBLIC, *ROUTES):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = me.request(method, path.replace("{image}", "0").replace("{name:path}", "dom.js"))
            assert answer.status_code == 405, (method, path)


def test_answers_have_the_headers_and_hosts_are_checked(me: httpx.Client) -> None:
    for path in ("/", "/static/dom.js", "/static/viewer.js", "/api/v1/cases", "/api/v1/images/0/crop"):
        answer = me.get(path)
        assert answer.status_code == 200
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"].startswith("no-")
    assert me.get("/", headers={"host": "evil.example"}).status_code == 403


@pytest.mark.parametrize("name", ["../view/server.py", "%2e%2e/server.py", "/etc/passwd", "server.py"])
def test_files_of_the_page_are_opened_by_name_alone(me: httpx.Client, name: str) -> None:
    assert me.get(f"/static/{name}").status_code == 404


def test_pictures_lie_in_the_folder(me: httpx.Client, files: Path) -> None:
    picture = (files / "pictures" / "000000.png").read_bytes()
    assert me.get("/api/v1/images/0/file").content == picture
    assert me.get("/api/v1/images/3/file").status_code == 422
    assert "no such image" in me.get("/api/v1/images/3/crop").json()["detail"]
    for place in ("4", "-1", "x", "1e9", "99999999999"):
        assert me.get(f"/api/v1/images/{place}/file").status_code == 404


def test_a_crop_is_that_part_of_the_picture(me: httpx.Client, files: Path) -> None:
    answer = me.get("/api/v1/images/0/crop?x=100&y=20&width=40&height=50")
    part = np.array(PIL.Image.open(io.BytesIO(answer.content)), float)
    whole = np.array(PIL.Image.open(files / "pictures" / "000000.png").convert("RGB"), float)
    assert part.shape == (50, 40, 3)
    assert np.abs(part - whole[20:70, 100:140]).mean() < 8
    assert me.get("/api/v1/images/0/crop?x=100000").status_code == 422


@pytest.mark.parametrize(
    "query",
    ["kind=odd", "level=x", "size=x", "sort=x", "iou=0.6", "score=2", "score=nan", "image=77", "from=-1", "count=999"],
)
def test_words_that_are_none_are_refused(me: httpx.Client, query: str) -> None:
    answer = me.get(f"/api/v1/cases?{query}")
    assert answer.status_code in (404, 422)
    assert set(answer.json()) == {"error", "detail"}


WORDS = (
    "run",
    "kind",
    "of",
    "class",
    "taken",
    "level",
    "size",
    "image",
    "score",
    "most",
    "iou",
    "matching",
    "sort",
    "from",
    "count",
    "x",
    "y",
    "width",
    "height",
    "token",
)
VALUES = st.text(max_size=20) | st.integers(-(10**12), 10**12).map(str) | st.floats().map(str)
VALUES |= st.sampled_from(("missed", "wrong", "heavy", "large", "0", "1", "2", "0.5", "0.75"))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(sorted(ROUTES)), image=VALUES, query=st.dictionaries(st.sampled_from(WORDS), VALUES))
def test_whatever_is_asked_is_answered(me: httpx.Client, path: str, image: str, query: dict[str, str]) -> None:
    answer = me.get(path.replace("{image}", quote(image, safe="")), params=query)
    assert answer.status_code < 500, answer.text
    assert answer.status_code < 400 or set(answer.json()) == {"error", "detail"}


def test_a_class_that_is_none_has_no_cases(me: httpx.Client) -> None:
    assert me.get("/api/v1/cases", params={"class": "<b>"}).json()["cases"] == []


def test_what_cannot_be_opened_is_said_in_one_line(files: Path) -> None:
    (files / "text.json").write_text("no JSON")
    (files / "other.json").write_text(
        '[{"image_id": 99, "category_id": 1, "score": 0.5, "bbox": [0, 0, 1, 1], "a_segm": [[0, 0, 9, 0, 9, 9]]}]'
    )
    (files / "none.json").write_text('{"images": [], "annotations": [], "categories": []}')
    write_markup(files / "page.html", "<p>no report</p>\n")
    truth = files / "truth.json"
    for message, arguments in (
        ("text.json: ", (truth, [files / "text.json"])),
        ("other.json: .*99", (truth, [files / "other.json"])),
        ("gone.json: no such file", (truth, [files / "gone.json"])),
        ("nowhere", (truth, [], files / "nowhere")),
        ("led.json: .*secret.png': leads out of", (files / "led.json", [], files / "pictures")),
        ("none.json: ", (files / "none.json", [])),
        ("page.html: is no report", (truth, [], None, None, None, files / "page.html")),
    ):
        with pytest.raises(KinsError, match=message) as caught:
            open_files(*arguments)
        assert "\n" not in str(caught.value)


def test_a_report_is_served_with_links_and_without_scripts(files: Path, tmp_path: Path) -> None:
    write_markup(tmp_path / "index.html", '<td><a data-view="kind=missed&amp;class=%3Cb%3E">3</a></td>\n')
    assert '<a href="/#kind=missed&amp;class=%3Cb%3E">3</a>' in linked_report(tmp_path)
    shelf = open_files(files / "truth.json", [files / "found.json"], report=tmp_path)
    with serving(application(shelf, ["127.0.0.1"])) as address:
        assert httpx.get(f"{address}/report").status_code == 401
        answer = httpx.get(f"{address}/report", cookies={shelf.cookie: shelf.session})
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "script-src" not in answer.headers["content-security-policy"]
        missed = httpx.get(f"{address}/api/v1/cases?kind=missed", cookies={shelf.cookie: shelf.session}).json()
    assert missed["total"] == len(kins.load(files / "truth.json"))
