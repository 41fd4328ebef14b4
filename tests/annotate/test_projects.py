"""Projects that an admin makes over HTTP: of folders inside of the one that is served, and of no others."""

import os
from pathlib import Path

from tests.annotate.helpers import PASSWORD, Person, alone, pictures, quick_passwords, served

from kins.annotate import accounts
from kins.annotate.server import open_folder


def test_a_project_of_a_folder_below_has_its_pictures_and_settings(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "all", 1)
    pictures(folder / "monday", 2)
    with alone(folder, 1) as (_, me):
        asked = {"name": "Monday", "folder": "monday", "guidelines": "whole cars", "settings": {"annotators": 3}}
        made = me.post("/projects", json=asked).json()
        assert (made["id"], made["role"], made["left_out"], made["guidelines"]) == (2, "owner", [], "whole cars")
        assert (made["settings"]["annotators"], made["counts"]["to do"]) == (3, 2)
        assert [(row["id"], row["name"]) for row in me.get("/projects").json()] == [(1, "all"), (2, "Monday")]
        listed = me.get("/projects/2/images").json()["images"]
        assert [image["file"] for image in listed] == ["a.png", "b.png"]
        assert me.get(f"/images/{listed[0]['id']}/file").status_code == 200
        pictures(folder / "monday", 3)
        assert me.post("/projects/1/images").json()["added"] == 0  # new pictures below are of the other project
        assert me.post("/projects/2/images").json()["added"] == 1
        empty = me.post("/projects", json={"name": "New", "folder": "streets/tuesday"}).json()
        assert (folder / "streets" / "tuesday").is_dir()
        sent = me.post(f"/projects/{empty['id']}/upload?name=x.png", content=(folder / "a.png").read_bytes())
        assert sent.json()["file"] == "x.png"
        assert (folder / "streets" / "tuesday" / "x.png").is_file()
    folder.rename(tmp_path / "moved")  # folders inside are named relative to the database
    again = open_folder(tmp_path / "moved" / "monday", f"sqlite:///{tmp_path}/moved/annotations.sqlite")
    assert again.project == 2
    again.shop.token = "t"
    with served(again) as address, Person(address, token="t") as me:
        assert me.get(f"/images/{listed[1]['id']}/file").status_code == 200
    again.shop.store.close()


def test_no_folder_leads_out_and_none_is_made_where_it_should_not_be(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "all", 1)
    os.symlink(tmp_path, folder / "out")
    (folder / "notes").write_text("some notes")
    with alone(folder, 1) as (_, me):
        me.post("/projects", json={"name": "once", "folder": "once"}).raise_for_status()
        before = sorted(tmp_path.rglob("*"))
        hostile = [
            "..",
            "../up",
            "a/../../up",
            "/tmp/up",
            "out",
            "out/up",
            "",
            ".",
            "a//b",
            "/",
            "a/",
            ".hidden",
            "a/.b",
        ]
        hostile += [
            "backups",
            "exports/x",
            "a\\b",
            "c:",
            "a\0b",
            "a\nb",
            "\u202eb",
            " a",
            "x" * 2000,
            "notes",
            "notes/x",
        ]
        hostile += ["annotations.sqlite", "once", "x" * 300]
        for name in hostile:
            answer = me.post("/projects", json={"name": "x", "folder": name})
            assert answer.status_code == 422, name
            assert "\n" not in answer.json()["detail"]
        for body in ({"name": "", "folder": "b"}, {"folder": "b"}, {"name": "b"}, {"name": "x" * 201, "folder": "b"}):
            assert me.post("/projects", json=body).status_code == 422
        wrong = {"name": "b", "folder": "b", "settings": {"annotators": 0}}
        assert me.post("/projects", json=wrong).status_code == 422
        assert sorted(tmp_path.rglob("*")) == before
        assert len(me.get("/projects").json()) == 2


def test_only_admins_make_projects_and_only_members_see_them(tmp_path: Path) -> None:
    opened = open_folder(pictures(tmp_path / "all", 1))
    quick_passwords()
    with opened.shop.store.write() as connection:
        accounts.add_first_user(connection, "Ann", PASSWORD)
        accounts.add_user(connection, "Bob", PASSWORD)
    opened.shop.accounts = True
    with served(opened) as address, Person(address, "Ann") as ann, Person(address, "Bob") as bob:
        assert bob.post("/projects", json={"name": "x", "folder": "x"}).status_code == 403
        assert not (tmp_path / "all" / "x").exists()
        made = ann.post("/projects", json={"name": "x", "folder": "x"}).json()["id"]
        assert bob.get(f"/projects/{made}").status_code == 404
        ann.post(f"/projects/{made}/members", json={"user": 2, "role": "owner"}).raise_for_status()
        assert [row["id"] for row in bob.get("/projects").json()] == [made]
    opened.shop.store.close()


def test_a_damaged_picture_is_told(tmp_path: Path) -> None:
    folder, name = pictures(tmp_path / "all", 1), "two"
    pictures(folder / name, 1)
    (folder / name / "broken.png").write_bytes(b"no picture")
    with alone(folder, 1) as (_, me):
        found = me.post("/projects", json={"name": name, "folder": name}).json()
        assert (found["counts"]["to do"], len(found["left_out"])) == (1, 1)
