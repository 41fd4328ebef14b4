"""Pictures that are sent: looked at, named anew, put beside the others, and nothing else."""

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import PIL.Image
import pytest
from tests.annotate.helpers import Person, pictures, served

from kins.annotate import folders
from kins.annotate.server import Opened, open_folder
from kins.annotate.uploads import KINDS, LONGEST, safe_name
from kins.files.pictures import FORMATS, SUFFIXES


def picture(kind: str = "PNG", seed: int = 0, size: tuple[int, int] = (16, 12)) -> bytes:
    """Noise of one kind."""
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)
    made = io.BytesIO()
    PIL.Image.fromarray(pixels).save(made, kind)
    return made.getvalue()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Opened, Person]]:
    """A server of one person, with its folder."""
    folder = pictures(tmp_path_factory.mktemp("uploads"), 1)
    opened = open_folder(folder)
    opened.shop.token = "secret"
    with served(opened) as address, Person(address, token="secret") as person:
        yield folder, opened, person


def send(person: Person, name: str, content: bytes) -> httpx.Response:
    return person.post("/projects/1/upload", params={"name": name}, content=content)


def files(folder: Path) -> set[str]:
    """What lies in the folder beside the database, hidden files too."""
    return {path.name for path in folder.iterdir() if not path.name.startswith("annotations.sqlite")}


def test_a_sent_picture_is_an_image_like_the_others(alone: tuple[Path, Opened, Person]) -> None:
    folder, _, me = alone
    content = picture("JPEG", size=(40, 30))
    made = send(me, "street.jpeg", content).json()
    assert made == {"id": made["id"], "file": "street.jpeg", "width": 40, "height": 30, "known": False}
    assert (folder / "street.jpeg").read_bytes() == content
    assert me.get(f"/images/{made['id']}/file").content == content
    assert made["id"] in [image["id"] for image in me.get("/projects/1/images").json()["images"]]
    before = files(folder)
    assert send(me, "again.jpg", content).json() == {**made, "known": True}  # sent twice, as after a lost answer
    assert files(folder) == before
    assert me.post("/projects/1/images").json() == {"added": 0, "left_out": []}


@pytest.mark.parametrize("kind", FORMATS)
def test_kinds_are_known_by_their_content(alone: tuple[Path, Opened, Person], kind: str) -> None:
    name = f"of kind {kind}.exe"
    made = send(alone[2], name, picture(kind, seed=ord(kind[0]))).json()
    assert made["file"] == name + KINDS[kind][0]
    assert me_shows(alone[2], made["id"])


def me_shows(person: Person, image: int) -> bool:
    return person.get(f"/images/{image}/file").headers["content-type"].startswith("image/")


def test_nothing_is_ever_replaced(alone: tuple[Path, Opened, Person], tmp_path: Path) -> None:
    folder, _, me = alone
    (folder / "taken.png").write_text("some notes")
    os.symlink(tmp_path / "nowhere.png", folder / "taken-2.png")
    os.symlink(tmp_path, folder / "taken-4.png")
    assert send(me, "taken.png", picture(seed=10)).json()["file"] == "taken-3.png"
    assert (folder / "taken.png").read_text() == "some notes"
    assert list(tmp_path.iterdir()) == []
    lost = send(me, "lost.png", picture(seed=12)).json()
    (folder / lost["file"]).unlink()
    assert send(me, "lost.png", picture(seed=13)).json()["file"] == "lost-2.png"  # the annotations are of another one


HOSTILE = [
    *(
        "../../etc/passwd.png",
        "..\\..\\x.png",
        "/etc/cron.d/x",
        "C:\\windows\\x.png",
        "a/b/c.png",
        "..",
        ".",
        "",
        "..png",
    ),
    *(
        ".htaccess",
        "con.png",
        "NUL",
        "lpt1.txt.png",
        "x.png\0.html",
        "x\n.png",
        "\x1b[2J.png",
        "\u202egnp.exe",
        " .png ",
    ),
    *("<img src=x onerror=alert(1)>.svg", "$(reboot).png", "a`b`.png", "%2e%2e%2fx.png", "--help.png", "日本 🚗.png"),
    *("é" * 300, "x" * 5000 + ".png", "\ud83d.png", "annotations.sqlite", "annotations.sqlite-wal", "a:b.png"),
]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_made_safe(name: str) -> None:
    stem, suffix = safe_name(name, picture())
    made = stem + suffix
    assert suffix == ".png"
    assert made == Path(made).name
    assert not set(made) & set("/\\\0\n\x1b\u202e<>:\"'`$%|?*;&#")
    assert made[0] not in ".- "
    assert stem[-1] not in ". "
    assert len(made.encode()) <= LONGEST + 5
    assert stem.split(".")[0].lower() not in ("con", "nul", "lpt1")
    assert safe_name(made, picture()) == (stem, suffix)


def test_safe_names_keep_what_can_be_kept() -> None:
    kept = [safe_name(name, picture()) for name in ("日本 🚗.png", "a.b (2).PNG", "नमस्ते.jpg", "IMG_0001.JPEG")]
    assert kept == [("日本 🚗", ".png"), ("a.b (2)", ".png"), ("नमस्ते", ".png"), ("IMG_0001", ".png")]
    assert set(KINDS) == set(FORMATS)
    assert {suffix for known in KINDS.values() for suffix in known} == set(SUFFIXES)


def test_hostile_names_stay_in_the_folder(alone: tuple[Path, Opened, Person]) -> None:
    folder, _, me = alone
    above = set(folder.parent.iterdir())
    for seed, name in enumerate(("../up.png", "a/b.png", "\x1b[2J\u202e.png", "annotations.sqlite", "", ".hidden")):
        made = send(me, name, picture(seed=100 + seed)).json()
        assert (folder / made["file"]).is_file()
        assert made["file"].endswith(".png")
    assert set(folder.parent.iterdir()) == above


DAMAGED = {
    "empty": b"",
    "text": b"some text",
    "page": b"<html><script>alert(1)</script>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "postscript": b"%!PS-Adobe-3.0",
    "cut": picture("PNG")[:200],
    "cut jpeg": picture("JPEG")[:300],
    "head alone": b"\x89PNG\r\n\x1a\n",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_what_is_no_whole_picture_is_refused_and_leaves_nothing(
    alone: tuple[Path, Opened, Person], content: bytes
) -> None:
    folder, _, me = alone
    before = files(folder)
    answer = send(me, "photo.png", content)
    assert (answer.status_code, answer.json()["error"]) == (422, "unusable")
    assert "photo.png: " in answer.json()["detail"]
    assert files(folder) == before


def test_what_is_too_large_is_refused(alone: tuple[Path, Opened, Person], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _, me = alone
    before, content = files(folder), picture(seed=40)
    monkeypatch.setenv("KINS_MAX_UPLOAD_PIXELS", str(16 * 12 - 1))
    assert "KINS_MAX_UPLOAD_PIXELS" in send(me, "a.png", content).json()["detail"]
    monkeypatch.setenv("KINS_MAX_UPLOAD", str(len(content) - 1))
    assert send(me, "a.png", content).status_code == 413
    in_pieces = me.post("/projects/1/upload?name=a.png", content=iter([content[:100], content[100:]]))
    assert in_pieces.status_code == 413
    assert files(folder) == before
    monkeypatch.undo()
    assert send(me, "a.png", content).status_code == 200


def test_more_than_other_requests_may_have_comes_through(alone: tuple[Path, Opened, Person]) -> None:
    content = picture("BMP", size=(1800, 1600))
    assert len(content) > 8 * 2**20
    assert send(alone[2], "large.bmp", content).json()["width"] == 1800


def test_a_picture_that_the_disk_refuses_is_no_image(
    alone: tuple[Path, Opened, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, opened, me = alone
    before = len(me.get("/projects/1/images?limit=1000").json()["images"])
    monkeypatch.setattr("kins.annotate.routes.uploads.folder_of", lambda *args: folder / "a.png" / "below")
    answer = send(me, "b.png", picture(seed=50))
    assert (answer.status_code, answer.json()["error"]) == (422, "unusable")
    monkeypatch.undo()
    assert len(me.get("/projects/1/images?limit=1000").json()["images"]) == before
    assert folders.find_new(opened.shop.store, 1, folder)[0] == 0


def test_a_picture_has_a_name_by_which_browsers_keep_it(alone: tuple[Path, Opened, Person]) -> None:
    folder, _, me = alone
    content = picture(seed=60, size=(200, 100))
    made = send(me, "kept.png", content).json()
    address = f"/images/{made['id']}/file"
    first = me.get(address)
    assert first.headers["etag"] == f'"{hashlib.sha256(content).hexdigest()}"'
    for known in (first.headers["etag"], f"W/{first.headers['etag']}", f'"x", {first.headers["etag"]}', "*"):
        again = me.get(address, headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    (folder / "kept.png").write_bytes(picture(seed=61, size=(200, 100)))  # changed in place
    changed = me.get(address, headers={"if-none-match": first.headers["etag"]})
    assert (changed.status_code, changed.headers["etag"] != first.headers["etag"]) == (200, True)


def test_a_picture_comes_in_other_widths(alone: tuple[Path, Opened, Person]) -> None:
    me = alone[2]
    content = picture(seed=70, size=(200, 100))
    address = f"/images/{send(me, 'wide.png', content).json()['id']}/file"
    small = me.get(f"{address}?w=50")
    assert PIL.Image.open(io.BytesIO(small.content)).size == (50, 25)
    assert small.headers["content-type"] == "image/jpeg"
    assert me.get(f"{address}?w=50", headers={"if-none-match": small.headers["etag"]}).status_code == 304
    assert me.get(f"{address}?w=51", headers={"if-none-match": small.headers["etag"]}).status_code == 200
    assert me.get(address, headers={"if-none-match": small.headers["etag"]}).content == content
    for width in ("200", "4096", "0", ""):
        assert me.get(f"{address}?w={width}").content == content
    for width in ("4097", "-1", "x", "1e3"):
        assert me.get(f"{address}?w={width}").status_code == 422
    assert PIL.Image.open(io.BytesIO(me.get(f"{address}?w=1").content)).size == (1, 1)


def test_the_files_of_the_page_are_kept_by_browsers(alone: tuple[Path, Opened, Person]) -> None:
    me = alone[2]
    root = str(me.base_url).split("/api")[0]
    for path in ("/", "/static/app.js"):
        first = me.get(root + path)
        assert first.headers["cache-control"] == "no-cache"  # asked for each time, sent once
        again = me.get(root + path, headers={"if-none-match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert "content-security-policy" in again.headers
