"""Predictions in shards are those of a file, whatever the pictures lie in."""

import tarfile

import pytest

import kins
from kins.demo.toys import write_shapes
from kins.errors import KinsError
from kins.predict.files import predict_files
from kins.predict.shards import predict_shards
from kins.work.shards import How

pytest.importorskip("pyarrow")


def told(dataset):
    return {
        scene.image.file_name: [
            (i.category, i.score, i.amodal, i.inmodal, i.cluster, i.order, i.occlusion_score) for i in scene
        ]
        for scene in dataset
    }


def test_shards_of_a_tar_are_as_the_file_of_its_pictures(tmp_path):
    folder = tmp_path / "pictures"
    truth = write_shapes(folder, 4, (48, 64))
    truth.save(tmp_path / "truth.json")
    with tarfile.open(tmp_path / "pictures.tar", "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name)
        (tmp_path / "bad.png").write_bytes(b"no picture")
        archive.add(tmp_path / "bad.png", "000003.png")  # a second one of that name: an image of its own
    options = {"batch": 1, "device": "cpu", "precision": "32", "score": 0.05}
    predict_files("street", [folder], tmp_path / "found.json", **options)
    done = predict_shards("street", [tmp_path / "pictures.tar"], tmp_path / "found.parquet", How(2), **options)
    assert (done.images, done.shards, done.before) == (4, 3, 0)
    (line,) = done.failed
    assert "pictures.tar/000003.png#2: can't be read as an image" in line
    one, two = told(kins.load(tmp_path / "found.json")), told(kins.load(tmp_path / "found.parquet"))
    assert sum(map(len, one.values())) > 0
    assert one == two
    with pytest.raises(KinsError, match="was made with another score"):
        predict_shards("street", [tmp_path / "pictures.tar"], tmp_path / "found.parquet", How(2), device="cpu")
    with pytest.raises(KinsError, match=r"truth\.json: has not one class of street"):
        predict_shards(
            *("street", [folder], tmp_path / "classes.parquet", How(2)),
            annotations=tmp_path / "truth.json",
            device="cpu",
        )
