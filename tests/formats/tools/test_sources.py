"""Folders, archives and what may be wrong with them."""

import json
import zipfile

import pytest
from tests.formats.tools.test_labelme import RIGHT, SQUARE, content, shape

import kins
from kins import KinsError
from kins.formats.tools import sources

ONE = json.dumps(content(shape("car", SQUARE), shape("van", RIGHT)))


def archive(path, **files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, text in files.items():
            opened.writestr(name, text)
    return path


def counts(dataset):
    return [(s.image.id, s.image.file_name, [(i.id, i.amodal.area, i.inmodal.area) for i in s]) for s in dataset]


def test_folders_and_archives_are_read_alike(tmp_path):
    names = ["b.json", "a/2.json", "a/10.json", ".hidden/x.json", "notes.json", "__MACOSX/._b.json", "pictures/1.jpg"]
    texts = {name: "{}" if name == "notes.json" else ONE for name in names}
    for name, text in texts.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(text)
    found = counts(kins.load(tmp_path / "in", masks="amodal"))
    assert found == [
        (1, "a/a.jpg", [(1, 100, 76), (2, 60, 60)]),
        (2, "a/a.jpg", [(3, 100, 76), (4, 60, 60)]),
        (3, "a.jpg", [(5, 100, 76), (6, 60, 60)]),
    ]
    dataset = kins.load(archive(tmp_path / "in.zip", **texts), masks="amodal")
    assert counts(dataset) == found
    assert dataset.left_out == ("1 JSON files that are not labelme's",)


def test_a_named_format_needs_files(tmp_path):
    with pytest.raises(KinsError, match="has no files of labelme"):
        kins.load(tmp_path, format="labelme")
    (tmp_path / "notes.json").write_text("{}")
    with pytest.raises(KinsError, match="is a folder; name the annotation file in it"):
        kins.load(tmp_path)


@pytest.mark.parametrize("name", ["../a.json", "/a.json", "x\\..\\..\\a.json", "C:\\a.json"])
def test_names_that_lead_out_of_an_archive(tmp_path, name):
    with pytest.raises(KinsError, match=r"in\.zip: has a file .* which leads out of the archive"):
        kins.load(archive(tmp_path / "in.zip", **{"b.json": ONE, name: ONE}), masks="amodal")


def test_damaged_archives(tmp_path, monkeypatch):
    path = archive(tmp_path / "in.zip", **{"a.json": ONE})
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(KinsError, match=r"in\.zip: is a damaged archive"):
        kins.load(path, masks="amodal")
    path.write_bytes(whole[:60] + b"\0\0\0\0" + whole[64:])
    with pytest.raises(KinsError, match=r"in\.zip/a\.json: can't be unpacked"):
        kins.load(path, masks="amodal")
    with pytest.raises(KinsError, match=r"bomb\.zip/a\.json: becomes 3000000 bytes of"):
        kins.load(archive(tmp_path / "bomb.zip", **{"a.json": "[" * 3_000_000}))
    with pytest.raises(KinsError, match=r"in\.zip/b\.json: is empty"):
        kins.load(archive(tmp_path / "in.zip", **{"b.json": ""}))
    monkeypatch.setattr(sources, "MOST_FILES", 1)
    with pytest.raises(KinsError, match="has more than 1 files"):
        kins.load(archive(tmp_path / "in.zip", **{"a.json": ONE, "b.json": ONE}))
    monkeypatch.setattr(sources, "MOST_BYTES", 10)
    with pytest.raises(KinsError, match="have more than 10 bytes"):
        kins.load(archive(tmp_path / "in.zip", **{"a.json": ONE}))


def test_a_damaged_file_in_a_folder_is_named(tmp_path):
    (tmp_path / "0.json").write_text('{"shapes": [')
    with pytest.raises(KinsError, match=r"0\.json: ends within shapes"):
        kins.load(tmp_path)
    (tmp_path / "0.json").write_bytes(b'{"\xff": 1}')
    with pytest.raises(KinsError, match=r"0\.json: is not UTF-8"):
        kins.load(tmp_path)


def test_what_lies_outside_of_the_image(tmp_path):
    """Whole outlines, and what follows of them, on a canvas."""
    left = [[-10, 2], [8, 2], [8, 12], [-10, 12]]
    (tmp_path / "a.json").write_text(
        json.dumps(content(shape("car", left), shape("van", [[-4, 0], [4, 0], [4, 9], [-4, 9]])))
    )
    (scene,) = kins.load(tmp_path / "a.json", masks="amodal")
    assert [(i.amodal.area, i.inmodal.area) for i in scene] == [(80, 52), (36, 36)]
    (scene,) = kins.load(tmp_path / "a.json", masks="amodal", canvas="whole")
    assert [(i.amodal.area, i.inmodal.area) for i in scene] == [(180, 124), (72, 72)]
    assert scene[0].inmodal.box == (-10, 2, 18, 10)
