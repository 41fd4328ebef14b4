"""Runs side by side: what is measured, kept and shown."""

import dataclasses
import json
from pathlib import Path

import pytest
from tests.helpers import SMALL
from typer.testing import CliRunner

import kins
from kins.commands.cli import app
from kins.config import load_config
from kins.demo.toys import write_shapes
from kins.errors import KinsError
from kins.evaluation import PROTOCOLS
from kins.train.loop import train
from kins.train.results import (
    COLUMNS,
    PAPERS,
    Entry,
    add,
    augmentation,
    conditions,
    figures,
    measured,
    protocols,
    read,
    table,
)

CONDITIONS = {"train": {"images": 3}, "steps": 2, "start": None}


def entry(method: str, seed: int, value: float, **conditions: object) -> Entry:
    return Entry(method, seed, {**CONDITIONS, **conditions}, {"amodal AP": value}, {}, f"{method}{seed}{conditions}")


def test_runs_of_one_method_are_averaged_and_other_conditions_stand_apart() -> None:
    text = table([entry("asn", 0, 10), entry("asn", 1, 13), entry("orcnn", 0, 12.34), entry("asn", 0, 50, steps=9)])
    first, second = text.strip().split("\n\ntrain ")
    assert first.startswith("train 3 images, steps 2:\n")
    rows = {line.split(" | ")[0].strip("| "): line for line in first.splitlines() if line.startswith("| ")}
    assert rows["asn"] == "| asn | 2 |  | 11.5 ± 1.5 |  |  |  |  |"
    assert rows["orcnn"] == "| orcnn | 1 |  | 12.3 |  |  |  |  |"
    assert "steps 9" in second
    assert "| asn | 1 |  | 50.0 |" in second


def test_conditions_of_the_methods_own_do_not_part_a_table() -> None:
    runs = [entry("asn", 0, 10, frozen=["rpn"]), entry("panet", 0, 12, frozen=[])]
    assert table(runs).count("| method |") == 2
    assert table(runs, own=["frozen"]).count("| method |") == 1
    assert "frozen" not in table(runs, own=["frozen"])


def test_conditions_tell_what_figures_depend_on(tmp_path: Path) -> None:
    changes = ["train.init=runs/start.safetensors", "train.lr=0.003", "train.frozen=[backbone, rpn]"]
    config = load_config("tiny", [*changes, "model.occlusion_labels=region", "augment.scale=[0.8, 1.25]"])
    found = conditions(config, {"start": "1f2e", "step": 3}, write_shapes(tmp_path, 1))
    told = ("start", "learning rate", "optimizer", "occlusion labels", "augmentation", "frozen", "steps")
    assert {name: found[name] for name in told} == {
        "start": {"start.safetensors": "1f2e"},
        "learning rate": 0.003,
        "optimizer": "adamw",
        "occlusion labels": "region",
        "augmentation": {"mirror": 0.5, "scale": [0.8, 1.25]},
        "frozen": ["backbone", "rpn"],
        "steps": 3,
    }
    line = table([entry("asn", 0, 10, augmentation=found["augmentation"], start=found["start"])]).splitlines()[0]
    assert line == "train 3 images, steps 2, start 1f2e start.safetensors, augmentation 0.5 mirror 0.8 and 1.25 scale:"
    assert augmentation(load_config("tiny", ["augment.mirror=0"]).augment) == {}
    assert augmentation(load_config("tiny", ["augment.crop=0.5"]).augment)["crop_size"] == 0.6


def test_entries_of_the_same_weights_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    add([entry("asn", 0, 10), entry("orcnn", 0, 3)], path)
    add([entry("asn", 0, 11)], path)
    kept = read(path)
    assert [(e.method, dict(e.figures)) for e in kept] == [("asn", {"amodal AP": 11}), ("orcnn", {"amodal AP": 3})]
    (tmp_path / "other.json").write_text('{"results": [{"method": 3}]}')
    with pytest.raises(KinsError, match=r"other\.json: no file of results"):
        read(tmp_path / "other.json")


def test_perfect_predictions_get_full_marks(tmp_path: Path) -> None:
    truth = write_shapes(tmp_path, 3)
    found = truth.map(lambda scene: scene.replace(instances=tuple(i.replace(score=0.9) for i in scene)))
    values = figures(truth, list(found))
    assert set(values) <= set(COLUMNS)
    assert values["amodal AP"] == values["hidden IoU"] == values["order right"] == pytest.approx(100)
    kept, left_out = protocols(truth, found)
    assert {*kept, *left_out, "aisformer"} == set(PROTOCOLS)
    assert list(left_out) == ["whdr"]
    assert left_out["whdr"].startswith("no depth order is known")
    for title, columns in PAPERS.items():
        known = [path for path in columns.values() if path[0] != "whdr" and path[2] != "AR1"]
        values = [kept[protocol][part][figure] for protocol, part, figure in known]
        assert {value for value in values if value is not None} == {100.0}, title
    text = table([Entry("perfect", 0, {}, {}, kept, "", left_out)])
    assert all(f"{title}:" in text for title in PAPERS)
    assert "WHDR" not in text, "a column without a figure"


def test_figures_that_networks_without_visible_masks_have(tmp_path: Path) -> None:
    truth = write_shapes(tmp_path, 2)
    found = truth.map(lambda scene: scene.replace(instances=tuple(i.replace(score=0.9, inmodal=None) for i in scene)))
    kept, left_out = protocols(truth, found)
    assert list(kept) == ["amodalapi"]
    assert kept["amodalapi"]["all"]["AR100"] == 100
    assert left_out["pcnet"].startswith("looks for objects by their visible masks")
    assert "has no inmodal mask" in left_out["coco"]


def test_a_run_is_measured_and_kept_with_its_conditions(tmp_path: Path) -> None:
    dataset = write_shapes(tmp_path / "images", 2, (64, 96))
    kins.Dataset.save(dataset, tmp_path / "images" / "train.json")
    (tmp_path / "images" / "test.json").write_bytes((tmp_path / "images" / "train.json").read_bytes())
    small = [*SMALL, "train.steps=1", "model.name=bcnet", "model.score_threshold=0.0", "model.options.occluder='true'"]
    run = tmp_path / "run"
    train(load_config("tiny", [*small, "model.detections=5"]), dataset, run)
    file = tmp_path / "results.json"
    done = CliRunner().invoke(
        app, ["results", "add", str(run), "--data", str(tmp_path / "images"), "--file", str(file)]
    )
    assert done.exit_code == 0, done.output
    (kept,) = read(file)
    assert (kept.method, kept.seed, kept.conditions["steps"]) == ("bcnet (occluder true)", 0, 1)
    assert kept.conditions["test"]["images"] == kept.conditions["train"]["images"] == 2
    assert dataclasses.asdict(kept) == json.loads(json.dumps(dataclasses.asdict(measured(run, tmp_path / "images"))))
    assert "| bcnet (occluder true) | 1 |" in CliRunner().invoke(app, ["results", "show", "--file", str(file)]).output
    with pytest.raises(KinsError, match=r"name the folder with --data|has no test pictures"):
        measured(run)
