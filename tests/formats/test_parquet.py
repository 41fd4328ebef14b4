"""Parquet: what is written is read again, by kins and by others; damage is named."""

import json
import random

import pytest
from typer.testing import CliRunner

import kins
from kins.commands.cli import app
from kins.demo.toys import write_shapes
from kins.errors import KinsError
from kins.formats import parquet

pq = pytest.importorskip("pyarrow.parquet")


def rows(dataset):
    return [(scene.image, scene.instances) for scene in dataset]


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toys")
    write_shapes(folder / "pictures", 150, (40, 60)).save(folder / "truth.json")
    return kins.load(folder / "truth.json", images=folder / "pictures")


@pytest.fixture
def written(truth, tmp_path):
    assert truth.save(tmp_path / "truth.parquet", format="parquet") == []
    return tmp_path / "truth.parquet"


def test_all_fields_come_back(truth, written):
    again = kins.load(written, images=truth.images_dir)
    assert again.categories == truth.categories
    assert again.extra == truth.extra
    for (image, instances), (image2, instances2) in zip(rows(truth), rows(again), strict=True):
        assert image == image2
        assert [i.replace(position=-1) for i in instances] == list(instances2)
    assert again[3].read_image().shape == (40, 60, 3)
    assert rows(again) == rows(again)  # what is kept decoded is not used up


def test_any_sequence_of_access_gives_the_same(written):
    dataset = kins.load(written)
    ids = list(dataset.images)
    wanted = {key: dataset[key].instances for key in ids}
    random.Random(1).shuffle(ids)
    assert {key: dataset[key].instances for key in ids} == wanted
    assert len(dataset._instances._groups) <= parquet.GROUPS_KEPT


def test_scores_and_what_is_not_known_come_back(tmp_path):
    mask = kins.Mask.from_box((1, 1, 3, 2), 6, 8)
    instances = (
        kins.Instance(1, 4, "car", inmodal=mask, score=0.25, occlusion_score=0.5, inmodal_box=(1.0, 1.0, 3.0, 2.0)),
        kins.Instance(2, 4, "car", amodal=kins.Mask.empty(6, 8), crowd=True, cluster=3, order=0, extra={"a": [1, {}]}),
        kins.Instance(3, 4, "car"),
    )
    scene = kins.Scene(kins.Image(9, "ü/a b.png", 6, 8, {"k": None}), instances)
    dataset = kins.Dataset.from_scenes([scene], {4: "car"}, extra={"info": {"year": 2026}})
    dataset.save(tmp_path / "x.parquet", format="parquet")
    again = kins.load(tmp_path / "x.parquet")
    assert rows(again) == rows(dataset)
    assert again.extra == dataset.extra


def test_a_folder_of_files_is_one_data_set(truth, tmp_path):
    first, second = truth.split(0.4)
    first.save(tmp_path / "a.parquet", format="parquet")
    second.save(tmp_path / "b.parquet", format="parquet")
    whole = kins.load(tmp_path)
    assert set(whole.images) == set(truth.images)
    assert all(whole[key].instances == kins.load(tmp_path / "b.parquet")[key].instances for key in second.images)
    first.save(tmp_path / "c.parquet", format="parquet")
    with pytest.raises(KinsError, match=r"c\.parquet: image id \d+ occurs twice"):
        kins.load(tmp_path)


def test_several_processes_read_it(written, truth):
    assert kins.load(written).each(len, workers=2) == [len(scene) for scene in truth]


def test_commands_take_it_and_write_it(written, tmp_path):
    def run(*arguments):
        done = CliRunner().invoke(app, [str(a) for a in arguments])
        assert done.exit_code == 0, done.output

    run("convert", written, tmp_path / "again.json", "--to", "kins2020")
    run("convert", tmp_path / "again.json", tmp_path / "new.parquet", "--to", "parquet")
    run(
        "convert", tmp_path / "again.json", tmp_path / "new.parquet", "--to", "parquet"
    )  # kins made it: may be replaced
    assert rows(kins.load(tmp_path / "new.parquet")) == rows(kins.load(written))
    (tmp_path / "foreign.parquet").write_bytes(b"PAR1" + bytes(100))
    done = CliRunner().invoke(app, ["convert", str(written), str(tmp_path / "foreign.parquet"), "--to", "parquet"])
    assert "was not written by kins" in str(done.exception)


def test_duckdb_and_hugging_face_open_it(truth, tmp_path):
    duckdb, datasets = pytest.importorskip("duckdb"), pytest.importorskip("datasets")
    path = tmp_path / "with.parquet"
    parquet.write(truth, path, pictures=True)
    ((images, instances),) = duckdb.sql(f"select count(*), sum(len(instances)) from '{path}'").fetchall()
    assert (images, instances) == (len(truth), sum(map(len, truth)))
    table = datasets.Dataset.from_parquet(str(path), cache_dir=str(tmp_path / "cache"))
    table = table.cast_column("image", datasets.Image())
    assert table[5]["image"].size == (60, 40)
    assert table[5]["instances"][0]["category"] in truth.categories.values()


@pytest.mark.parametrize("damage", ["cut", "foreign", "empty", "noise"])
def test_what_is_no_sound_file_is_named(written, tmp_path, damage):
    content, path = written.read_bytes(), tmp_path / f"{damage}.parquet"
    if damage == "foreign":
        import pyarrow as pa

        pq.write_table(pa.table({"a": [1]}), path)
    else:
        path.write_bytes({"cut": content[:-40], "empty": b"PAR1", "noise": b"PAR1" + bytes(range(256)) * 9}[damage])
    with pytest.raises(KinsError, match=str(path)) as error:
        kins.load(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("width", -5, "group 0"),
        ("height", 2**31 - 1, "group 0"),
        ("file_name", "../../etc/passwd", "leads out"),
        ("extra", "{", "group 0"),
    ],
)
def test_values_are_not_trusted(written, tmp_path, field, value, said):
    table = pq.read_table(written)
    column = table.column(field).to_pylist()
    column[1] = value
    index = table.schema.get_field_index(field)
    import pyarrow as pa

    table = table.set_column(index, table.schema.field(field), pa.array(column, table.schema.field(field).type))
    pq.write_table(table.replace_schema_metadata(pq.read_metadata(written).metadata), tmp_path / "x.parquet")
    with pytest.raises(KinsError, match=said):
        kins.load(tmp_path / "x.parquet", images=tmp_path)


def test_masks_are_not_trusted(written, tmp_path):
    import pyarrow as pa

    table = pq.read_table(written).replace_schema_metadata(pq.read_metadata(written).metadata)
    entries = table.column("instances").to_pylist()
    entries[0][0]["amodal"] = "zzzz"
    index = table.schema.get_field_index("instances")
    field = table.schema.field("instances")
    pq.write_table(table.set_column(index, field, pa.array(entries, field.type)), tmp_path / "x.parquet")
    with pytest.raises(KinsError, match=r"x\.parquet: row 0 of group 0: instances\[0\]"):
        next(iter(kins.load(tmp_path / "x.parquet")))[0].amodal.area  # noqa: B018
    said = json.loads(table.schema.metadata[b"kins"])
    said["categories"] = {"999": "x"}
    pq.write_table(table.replace_schema_metadata({"kins": json.dumps(said)}), tmp_path / "y.parquet")
    with pytest.raises(KinsError, match="none of the categories"):
        next(iter(kins.load(tmp_path / "y.parquet")))
