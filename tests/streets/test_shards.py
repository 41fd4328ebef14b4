"""Street scenes in Parquet shards are those in files, pictures and all."""

import numpy as np
import pytest
from typer.testing import CliRunner

import kins
from kins.commands.cli import app
from kins.errors import KinsError
from kins.files.sources import find_pictures
from kins.streets import Settings, generate
from kins.streets.shards import generate_shards
from kins.work.shards import How

pytest.importorskip("pyarrow")
SETTINGS = Settings(seed=1, width=192, height=64, quality="fast")
COUNTS = {"training": 3, "testing": 1}


def test_shards_hold_what_the_files_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generate("streets", COUNTS, SETTINGS, workers=1)
    command = ["synth", "streets.parquet", "--train", "3", "--test", "1", "--shard", "2", "--seed", "1"]
    done = CliRunner().invoke(app, [*command, "--size", "192x64", "--quality", "fast"])
    assert done.exit_code == 0, done.exception
    assert "streets.parquet/training: " in done.stdout
    for split, name in (("training", "train.json"), ("testing", "test.json")):
        files = kins.load(f"streets/{name}", images=f"streets/{split}/image_2")
        shards = kins.load(f"streets.parquet/{split}")
        assert shards.categories == files.categories
        for one, other in zip(files, shards, strict=True):
            assert one.image == other.image
            assert [(i.id, i.amodal, i.inmodal, i.order) for i in one] == [
                (i.id, i.amodal, i.inmodal, i.order) for i in other
            ]
            assert one.picture_bytes() == other.picture_bytes()
            assert np.array_equal(one.read_image(), other.read_image())
        found = find_pictures([f"streets.parquet/{split}"])
        assert [place.read() for place in found.values()] == [scene.picture_bytes() for scene in files]
    again = generate_shards("streets.parquet", COUNTS, SETTINGS, How(2))
    assert {split: (done.shards, done.before) for split, done in again.items()} == {
        "training": (2, 2),
        "testing": (1, 1),
    }
    with pytest.raises(KinsError, match=r"_plan\.json: the folder was made with another items"):
        generate_shards("streets.parquet", {"training": 4}, SETTINGS, How(2))
    with pytest.raises(KinsError, match="streets: holds pictures as files"):
        generate_shards("streets", COUNTS, SETTINGS, How(2))
    with pytest.raises(KinsError, match="folder of folders with Parquet; name one, such as testing"):
        kins.load("streets.parquet")
    pandas, duckdb = pytest.importorskip("pandas"), pytest.importorskip("duckdb")
    table = pandas.read_parquet("streets.parquet/training")
    assert [row["bytes"] for row in table["image"]] == [scene.picture_bytes() for scene in shards_of("training")]
    ((images,),) = duckdb.sql("select count(image.bytes) from 'streets.parquet/training/*.parquet'").fetchall()
    assert images == 3


def shards_of(split):
    return kins.load(f"streets.parquet/{split}")
