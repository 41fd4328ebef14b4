"""Conversion into shards: what the input holds, pictures too; one bad image is told, and the rest is done."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import kins
from kins.commands.cli import app
from kins.demo.toys import write_shapes
from kins.errors import KinsError
from kins.files.sources import find_pictures
from kins.work.conversion import Input, convert_shards
from kins.work.shards import How

pytest.importorskip("pyarrow")


@pytest.fixture
def given(tmp_path):
    """Seven pictures, one of them with a damaged mask, one of another size, one that is no picture."""
    write_shapes(tmp_path / "pictures", 7, (40, 60)).save(tmp_path / "truth.json")
    content = json.loads((tmp_path / "truth.json").read_text())
    next(row for row in content["annotations"] if row["image_id"] == 2)["a_segm"] = [[0, 0, 1e9, 5, 3, 3]]
    content["images"][4]["width"] = 61
    for row in content["annotations"]:
        if row["image_id"] == 4:
            row["a_segm"] = row["i_segm"] = [[1, 1, 9, 1, 9, 9]]
    content["licenses"] = [{"id": 1}]
    (tmp_path / "truth.json").write_text(json.dumps(content))
    (tmp_path / "pictures" / "000005.png").write_bytes(b"no picture")
    return Input(tmp_path / "truth.json", tmp_path / "pictures")


def rows(dataset):
    return [(scene.image, [i.replace(position=-1) for i in scene]) for scene in dataset]


def test_shards_hold_what_the_input_holds_but_for_bad_images(given, tmp_path):
    source = kins.load(given.source, images=given.images)
    for before in (0, 3):
        done = convert_shards(given, tmp_path / "with.parquet", How(3), pictures=True)
        assert (done.images, done.shards, done.before, done.left_out) == (4, 3, before, [])
    assert [any(text in line for line in done.failed) for text in ("a_segm[0]", "61 x 40", "000005.png")] == [True] * 3
    assert len(done.failed) == 3
    assert all(str(tmp_path) in line and "\n" not in line for line in done.failed)
    found = kins.load(tmp_path / "with.parquet")
    assert found.extra["licenses"] == [{"id": 1}]
    assert found.extra["info"]["made by"] == "convert"
    assert rows(found) == rows(source.select([0, 1, 3, 6]))
    assert all(np.array_equal(found[key].read_image(), source[key].read_image()) for key in found.images)
    assert rows(kins.load(tmp_path / "with.parquet", images=given.images)) == rows(found)

    pictures = find_pictures([tmp_path / "with.parquet"])  # as kins predict finds them
    assert [path.name for path in pictures] == [image.file_name for image in found.images.values()]
    contents = [(given.images / path.name).read_bytes() for path in pictures]
    assert [place.read() for place in pictures.values()] == contents


def test_pictures_stay_from_parquet_to_parquet_and_are_told_elsewhere(given, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        done = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert done.exit_code == 0, done.exception
        return done.stderr

    shards, parts = ("--to", "parquet", "--shard", 2), ("--to", "parquet")
    said = run("convert", "truth.json", "a.parquet", *shards, "--images", "pictures", "--pictures")
    assert said.count("skipped: ") == 3
    assert run("convert", "a.parquet", "b.parquet", *shards) == ""
    assert run("data", "filter", "b.parquet", "c.parquet", "--name", "00000[01]*", *parts) == ""
    assert run("data", "filter", "b.parquet", "d.parquet", "--name", "00000[36]*", *parts) == ""
    assert run("data", "merge", "c.parquet", "d.parquet", "-o", "e.parquet", *parts) == ""
    one, other = kins.load("a.parquet"), kins.load("e.parquet")
    assert rows(one) == rows(other)
    assert [s.picture_bytes() for s in one] == [s.picture_bytes() for s in other]
    lost = "pictures that lie in the file itself (4 images)"
    assert run("convert", "e.parquet", "f.json", "--to", "kins2020") == f"not kept: {lost}\n"
    assert lost in run("data", "crop", "e.parquet", "g.parquet", "--window", "5,5,50,30", *parts)
    assert not kins.load("g.parquet").contents
    with pytest.raises(KinsError, match=r"image 000000\.png: no image folder given"):
        kins.load("g.parquet")[0].read_image()
    run("complete", "a.parquet", "-o", "whole.parquet", "--with", "convex-order")
    assert (len(kins.load("whole.parquet")), len(kins.load("whole.parquet").contents)) == (4, 0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["out.parquet", "--to", "parquet", "--shard", "2", "--pictures"], "no image folder given"),
        (["out.json", "--to", "kins2020", "--shard", "2"], "shards are Parquet"),
        (["out.parquet", "--to", "parquet", "--shard", "2", "--polygons"], "leave out --polygons"),
        (["out.parquet", "--to", "parquet", "--workers", "2"], "goes with --ray"),
        (["out.json", "--to", "kins2020", "--pictures"], "no room for pictures"),
    ],
)
def test_what_does_not_go_together_is_told(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    write_shapes("pictures", 1, (40, 60)).save("truth.json")
    done = CliRunner().invoke(app, ["convert", "truth.json", *arguments])
    assert isinstance(done.exception, KinsError)
    assert said in str(done.exception)
    assert not list(tmp_path.glob("out*"))
