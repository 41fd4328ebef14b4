"""Going on with a run: only on the data it had; what a killed process left goes, and nothing else does."""

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from tests import helpers

from kins.config import Config, load_config
from kins.demo.toys import write_shapes
from kins.errors import KinsError
from kins.models import weights
from kins.records import Dataset
from kins.train.loop import train
from kins.train.resume import fingerprint, remove_leftovers

SMALL = [*helpers.SMALL, "train.log_every=1"]


def small(*overrides: str) -> Config:
    return load_config("tiny", [*SMALL, *overrides])


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_shapes(tmp_path_factory.mktemp("shapes"), 4, (64, 96))


@pytest.fixture(scope="module")
def run(shapes: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train(small("train.steps=1"), shapes, out)
    return out


def renamed(dataset: Dataset, number: int, **changes: object) -> Dataset:
    scenes = list(dataset)
    scenes[number] = scenes[number].replace(image=dataclasses.replace(scenes[number].image, **changes))
    return Dataset.from_scenes(scenes, dataset.categories, images_dir=dataset.images_dir)


def test_a_run_goes_on_with_its_own_data_only(shapes: Dataset, run: Path, tmp_path: Path) -> None:
    more = write_shapes(tmp_path, 5, (64, 96))
    objects = [sum(map(len, part)) for part in (shapes, more)]
    told = (
        rf"run\d*: holds a run on other data \(4 images with {objects[0]} objects; these are 5 images with {objects[1]}"
    )
    with pytest.raises(KinsError, match=told):
        train(small("train.steps=2"), more, run)
    with pytest.raises(KinsError, match=r"other data \(4 images.*; other names, sizes, boxes or areas\)"):
        train(small("train.steps=2"), renamed(shapes, 1, file_name="000002.jpg"), run)
    for setting, told in (("short_side=96", "short_side 64, not 96"), ("min_size=9", r"min_size 2\.0, not 9\.0")):
        with pytest.raises(KinsError, match=rf"holds a run with data\.{told}"):
            train(small("train.steps=2", f"data.{setting}"), shapes, run)


def test_the_data_may_lie_elsewhere_and_be_read_otherwise(shapes: Dataset, run: Path, tmp_path: Path) -> None:
    again = write_shapes(tmp_path / "moved", 4, (64, 96))
    train(small("train.steps=2", "data.root=moved", "data.workers=1"), again, run)
    assert weights.load(run / weights.LAST)[1]["step"] == 2


def test_a_run_from_before_its_data_was_kept_goes_on(shapes: Dataset, tmp_path: Path) -> None:
    train(small("train.steps=1"), shapes, tmp_path)
    tensors, facts = weights.load(tmp_path / weights.LAST)
    del facts["data"], facts["evaluated"]
    weights.save(tmp_path / weights.LAST, tensors, facts)
    train(small("train.steps=2"), shapes, tmp_path)


@pytest.mark.parametrize(
    ("tensor", "fact", "line"),
    [
        ("optimizer.0.exp_avg", None, "optimiser's state is damaged"),
        ("optimizer.0.exp_avg", (3,), "exp_avg of parameter 0 has another shape"),
        ("optimizer.x.exp_avg", (3,), "optimiser's state is damaged"),
        ("optimizer.99999.step", (), "optimiser's state is damaged"),
        ("", {"step": -3}, "-3 steps; its checkpoint is damaged"),
        ("", {"data": [4]}, "does not say on what data"),
        ("", {"scaler": "none"}, ""),
        ("", {"evaluated": "never"}, ""),
    ],
)
def test_checkpoints_that_were_tampered_with(
    shapes: Dataset, tmp_path: Path, tensor: str, fact: Any, line: str
) -> None:
    train(small("train.steps=1"), shapes, tmp_path)
    tensors, facts = weights.load(tmp_path / weights.LAST)
    if not tensor:
        facts |= fact
    elif fact is None:
        del tensors[tensor]
    else:
        tensors[tensor] = torch.zeros(fact)
    weights.save(tmp_path / weights.LAST, tensors, facts)
    with pytest.raises(KinsError, match=rf"^[^\n]*{line}[^\n]*$") if line else contextlib.nullcontext():
        train(small("train.steps=2"), shapes, tmp_path)


def test_what_a_data_set_is_known_by(shapes: Dataset) -> None:
    known = fingerprint(shapes)
    assert known["images"] == 4
    assert known["objects"] == sum(len(scene) for scene in shapes)
    assert fingerprint(Dataset(shapes.images, shapes.categories, {s.image.id: s.instances for s in shapes})) == known
    scenes = list(shapes)
    first = scenes[0][0]
    others = [
        renamed(shapes, 0, height=65),
        renamed(shapes, 0, id=99),
        *(
            Dataset.from_scenes([scenes[0].replace(instances=(changed, *scenes[0].instances[1:])), *scenes[1:]], {})
            for changed in (
                first.replace(category_id=first.category_id % 3 + 1),
                first.replace(crowd=True),
                first.replace(amodal_box=(0.0, 0.0, 1.0, 1.0)),
                first.replace(inmodal_area=3.0),
            )
        ),
    ]
    digests = {
        fingerprint(Dataset(d.images, shapes.categories, {s.image.id: s.instances for s in d}))["digest"]
        for d in others
    }
    assert len(digests | {known["digest"]}) == len(others) + 1


def test_data_without_anything_to_learn(shapes: Dataset, tmp_path: Path) -> None:
    bare = Dataset.from_scenes(
        [s.replace(instances=()) for s in shapes], shapes.categories, images_dir=shapes.images_dir
    )
    crowds = Dataset.from_scenes(
        [s.replace(instances=tuple(i.replace(crowd=True) for i in s)) for s in shapes], shapes.categories
    )
    for dataset in (bare, crowds):
        with pytest.raises(KinsError, match="no object of a listed category in 4 images; there is nothing to learn"):
            train(small("train.steps=1"), dataset, tmp_path)
    with pytest.raises(KinsError, match="lists no categories"):
        train(small("train.steps=1"), Dataset.from_scenes(list(shapes), {}, images_dir=shapes.images_dir), tmp_path)


def test_leftovers_of_a_killed_training_go_and_nothing_else(tmp_path: Path, run: Path) -> None:
    kept = [".last.backup.safetensors", ".tmp", ".tmpAbc123", ".last.abcdefgh.txt", "notes.txt", ".lock"]
    gone = [".last.ab_d3fgh.safetensors", ".best.abcdefg0.safetensors", ".log.12345678.csv", ".config.abcdefgh.json"]
    for name in [*kept, *gone]:
        (tmp_path / name).write_text("somebody's own")
    whole = (run / weights.LAST).read_bytes()  # safetensors writes to a name of its own first: here is half of it
    (tmp_path / ".tmpXyz789").write_bytes(whole[: len(whole) // 2])
    (tmp_path / ".tmp000000").touch()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".last.zzzzzzzz.safetensors").symlink_to(tmp_path / "notes.txt")
    remove_leftovers(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {*kept, "elsewhere", ".last.zzzzzzzz.safetensors"}
