"""Work in shards, in this process: what is there is kept, and what is missing or damaged is made."""

import json
import resource

import pytest
from tests.work.driver import IMAGES, SIZE, made

import kins
from kins.demo.toys import write_shapes
from kins.errors import KinsError

pytest.importorskip("pyarrow")

SHARDS = IMAGES // SIZE


def times(out):
    return {path.name: path.stat().st_mtime_ns for path in out.glob("*.parquet")}


@pytest.fixture
def out(tmp_path):
    done = made(tmp_path / "out.parquet")
    assert (done.images, done.instances, done.shards, done.before) == (IMAGES, sum(k % 3 for k in range(IMAGES)), 10, 0)
    return tmp_path / "out.parquet"


def test_a_folder_of_shards_is_one_data_set(out):
    found = kins.load(out)
    assert list(found.images) == list(range(IMAGES))
    assert [len(scene) for scene in found] == [k % 3 for k in range(IMAGES)]
    assert found.extra["info"]["made by"] == "try"


def test_only_what_is_missing_or_damaged_is_made(out):
    before = times(out)
    names = sorted(before)
    wanted = {name: (out / name).read_bytes() for name in names}
    (out / names[2]).unlink()
    (out / names[5]).write_bytes(wanted[names[5]][:-30])
    (out / f".{names[2][:-8]}.abcd1234.parquet").write_bytes(b"begun")
    with pytest.raises(KinsError, match=rf"{names[5]}: not a readable Parquet file") as error:
        kins.load(out)
    assert "\n" not in str(error.value)
    done = made(out)
    assert (done.before, done.images) == (SHARDS - 2, IMAGES)
    (line,) = done.again
    assert names[5] in line
    assert "\n" not in line
    assert {name: (out / name).read_bytes() for name in names} == wanted
    assert {name for name in names if times(out)[name] != before[name]} == {names[2], names[5]}
    assert not list(out.glob(".*.parquet"))


def test_a_full_disk_is_one_line_and_loses_nothing(out):
    before = times(out)
    first = min(before)
    (out / first).unlink()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(KinsError, match=rf"{first}: can't be written") as error:
            made(out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(error.value)
    assert not list(out.glob(".*.parquet"))
    del before[first]
    assert times(out) == before
    assert made(out).before == SHARDS - 1
    assert times(out).items() >= before.items()


def test_what_fails_is_kept_with_its_shard(tmp_path):
    items = [0, 1000, 2, 3, 1001, 1002, 1003, 1004, 5]
    for _ in range(2):
        done = made(tmp_path / "out", items)
        assert done.images == 4
        assert done.failed == [f"image {k}: can't be read" for k in items if k >= 1000]
        assert json.loads((tmp_path / "out" / "_failed.json").read_text()) == done.failed
        assert list(kins.load(tmp_path / "out").images) == [0, 2, 3, 5]
    assert done.before == done.shards == 3
    with pytest.raises(KinsError, match=r"not one of 2 has a result; the first: image 1000"):
        made(tmp_path / "none", [1000, 1001])


def test_another_plan_and_foreign_folders_are_refused(out, tmp_path):
    with pytest.raises(KinsError, match=r"_plan\.json: the folder was made with another items; choose"):
        made(out, range(3, IMAGES + 3))
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "a.txt").write_text("a")
    with pytest.raises(KinsError, match="holds other files"):
        made(tmp_path / "foreign")
    (out / "_plan.json").write_text("[" * 100_000)
    with pytest.raises(KinsError, match=r"_plan\.json: is damaged"):
        made(out)


def test_pandas_duckdb_and_hugging_face_open_it(out):
    pandas, duckdb = pytest.importorskip("pandas"), pytest.importorskip("duckdb")
    datasets = pytest.importorskip("datasets")
    table = pandas.read_parquet(out)
    assert table["image_id"].tolist() == list(range(IMAGES))
    instances = sum(k % 3 for k in range(IMAGES))
    ((images, found),) = duckdb.sql(f"select count(*), sum(len(instances)) from '{out}/*.parquet'").fetchall()
    assert (images, found) == (IMAGES, instances)
    opened = datasets.Dataset.from_parquet([str(p) for p in sorted(out.glob("*.parquet"))], cache_dir=f"{out}.cache")
    assert len(opened) == IMAGES
    assert opened[2]["instances"][0]["category"] == "car"


def test_predictions_in_shards_are_evaluated_like_those_in_a_file(tmp_path):
    truth = write_shapes(tmp_path / "pictures", 6, (40, 60))
    other = {number + 10: name for number, name in truth.categories.items()}
    ids = {name: number for number, name in other.items()}
    scenes = [
        scene.replace(instances=tuple(i.replace(score=0.9, category_id=ids[i.category]) for i in scene))
        for scene in truth
    ]
    found = kins.Dataset.from_scenes(scenes[:5], other)
    found.save(tmp_path / "found.json", format="predictions")
    (tmp_path / "found.parquet").mkdir()
    for name, part in zip("ab", found.split(0.5), strict=True):
        part.save(tmp_path / "found.parquet" / f"{name}.parquet", format="parquet")
    one, two = (kins.load_predictions(tmp_path / f"found.{suffix}", truth) for suffix in ("json", "parquet"))
    assert sum(map(len, one)) == sum(map(len, found)) > 5
    for mine, theirs in zip(one, two, strict=True):
        assert [(i.category, i.amodal, i.inmodal, i.score, i.order) for i in mine] == [
            (i.category, i.amodal, i.inmodal, i.score, i.order) for i in theirs
        ]
    assert sorted(i.id for scene in two for i in scene) == sorted(i.id for scene in one for i in scene)
    truth.save(tmp_path / "truth.parquet", format="parquet")
    with pytest.raises(KinsError, match=r"truth\.parquet: image 0: score None is not between 0 and 1"):
        kins.load_predictions(tmp_path / "truth.parquet", truth)
    with pytest.raises(KinsError, match="is none of"):
        kins.load_predictions(tmp_path / "found.parquet", truth.select([0]))
