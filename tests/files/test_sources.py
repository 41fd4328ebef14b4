"""Pictures from lists, tars and Parquet: the same bytes as from files; what is damaged or hostile is named."""

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

import kins
from kins.demo.toys import write_shapes
from kins.errors import KinsError
from kins.files.pictures import read_picture
from kins.files.sources import find_pictures, passed_over
from kins.formats import parquet

pa = pytest.importorskip("pyarrow")
import pyarrow.parquet as pq  # noqa: E402

COUNT = 5


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    write_shapes(folder, COUNT, (40, 60))
    return folder


def tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def read(names):
    """Pixels by name."""
    found = find_pictures(names)
    return {p.name: read_picture(p, content=place and place.read()) for p, place in found.items()}


def same(first, second):
    return list(first) == list(second) and all(np.array_equal(first[name], second[name]) for name in first)


def test_every_source_gives_the_same_pictures(pictures, tmp_path):
    wanted = read([pictures])
    assert len(wanted) == COUNT
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(map(str, sorted(pictures.iterdir()))) + "\n\n")
    members = {k: v for n, c in contents(pictures).items() for k, v in ((n, c), (n[:-4] + ".json", b"{}"))}
    whole = tar(tmp_path / "a.tar", members)
    rows = [{"file_name": name, "bytes": content} for name, content in contents(pictures).items()]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "b.parquet", row_group_size=2)
    images = [{"image": {"path": row["file_name"], "bytes": row["bytes"]}} for row in rows]
    pq.write_table(pa.Table.from_pylist(images), tmp_path / "c.parquet")
    parquet.write(kins.load(make_truth(pictures, tmp_path), images=pictures), tmp_path / "d.parquet", pictures=True)
    for source in (listed, whole, *(tmp_path / f"{name}.parquet" for name in "bcd")):
        assert same(read([source]), wanted), source
        assert passed_over([source]) == []
    together = tmp_path / "together"
    together.mkdir()
    for name in ("a.tar", "b.parquet"):
        (together / name).write_bytes((tmp_path / name).read_bytes())
    assert [str(path.relative_to(together)) for path in find_pictures([together])] == [
        f"{container}/{name}" for container in ("a.tar", "b.parquet") for name in wanted
    ]


def make_truth(pictures, folder):
    scenes = [kins.Scene(kins.Image(k, name, 40, 60)) for k, name in enumerate(contents(pictures))]
    kins.Dataset.from_scenes(scenes, {1: "car"}).save(folder / "truth.json")
    return folder / "truth.json"


def test_rows_are_read_in_any_sequence(tmp_path):
    values = [bytes([k]) * 3 for k in range(50)]
    pq.write_table(pa.table({"bytes": values}), tmp_path / "x.parquet", row_group_size=40)
    places = list(find_pictures([tmp_path / "x.parquet"]).values())
    for k in (0, 1, 39, 17, 49, 2, 20):
        assert places[k].read() == values[k]


def test_names_in_containers_lead_nowhere(pictures, tmp_path):
    content = (pictures / "000000.png").read_bytes()
    hostile = ["../../up.png", "/etc/root.png", "..\\x.png", "a/../b.png", "\udcff.png", "a.png", "a.png"]
    found = find_pictures([tar(tmp_path / "x.tar", dict.fromkeys(hostile[:-1], content))])
    assert all(os.path.abspath(path).startswith(f"{tmp_path}/x.tar/") for path in found)
    with tarfile.open(tmp_path / "y.tar", "w") as archive:
        for name in ("link.png", "hard.png", "folder.png"):
            member = tarfile.TarInfo(name)
            member.type = {"l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE, "f": tarfile.DIRTYPE}[name[0]]
            member.linkname = "/etc/passwd"
            archive.addfile(member)
    with pytest.raises(KinsError, match=r"y\.tar: holds no pictures"):
        find_pictures([tmp_path / "y.tar"])
    pq.write_table(pa.table({"path": ["a.png", "a.png", None], "bytes": [content] * 3}), tmp_path / "z.parquet")
    assert [path.name for path in find_pictures([tmp_path / "z.parquet"])] == ["a.png", "a.png#2", "0000-000002"]


def cut(path, end):
    path.write_bytes(path.read_bytes()[:end])


@pytest.mark.parametrize("damage", ["cut", "middle", "packed", "parquet", "no bytes", "list", "empty"])
def test_a_damaged_container_is_named(pictures, tmp_path, damage):
    path = tmp_path / ("x.parquet" if damage in ("parquet", "no bytes") else "x.txt" if damage == "list" else "x.tar")
    if path.suffix == ".tar":
        tar(path, contents(pictures), "w:gz" if damage == "packed" else "w")
    if damage == "cut":
        cut(path, 700)
    elif damage == "middle":
        second = [place for place in find_pictures([path]).values() if place][1]
        content = bytearray(path.read_bytes())
        content[second.first - 512 : second.first] = b"x" * 512
        path.write_bytes(content)
    elif damage in ("parquet", "no bytes"):
        pq.write_table(pa.table({"bytes" if damage == "parquet" else "a": [b"x"]}), path)
        if damage == "parquet":
            cut(path, -30)
    elif damage == "list":
        path.write_bytes(b"a\0b\n")
    elif damage == "empty":
        path.write_bytes(b"")
    with pytest.raises(KinsError, match=f"{path.name}: ") as error:
        find_pictures([path])
    assert "\n" not in str(error.value)
    assert ("unpack" in str(error.value)) == (damage == "packed")


def test_what_is_in_a_container_and_no_picture_is_named_by_itself(pictures, tmp_path):
    tar(tmp_path / "x.tar", {"a.png": (pictures / "000000.png").read_bytes(), "b.png": b"no picture"})
    pq.write_table(pa.table({"bytes": [b"", None]}), tmp_path / "y.parquet")
    for path, place in list(find_pictures([tmp_path / "x.tar", tmp_path / "y.parquet"]).items())[1:]:
        with pytest.raises(KinsError, match=r"b\.png|0000-000000|row 1 of group 0") as error:
            read_picture(path, content=place.read())
        assert "\n" not in str(error.value)
    places = list(find_pictures([tmp_path / "x.tar"]).values())
    cut(tmp_path / "x.tar", 600)
    with pytest.raises(KinsError, match=r"x\.tar: is cut short at byte 600"):
        places[0].read()


def test_pictures_are_made_at_most_as_large_as_files_may_be(tmp_path, monkeypatch):
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 20)
    content = io.BytesIO()
    PIL.Image.new("RGB", (9, 6)).save(content, "PNG")
    tar(tmp_path / "x.tar", {"a.png": content.getvalue()})
    with pytest.raises(KinsError, match=r"x\.tar/a\.png: has more pixels"):
        read([tmp_path / "x.tar"])
