"""kins order: any format in, KINS 2020 with cluster and order out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import kins
from kins.commands.cli import app
from kins.masks import Mask
from kins.occlusion import disagreements
from kins.occlusion.datasets import derive_order, pair_masks
from kins.records import Dataset, Image, Instance, Scene


def make_dataset(**extra: list[Any]) -> Dataset:
    """Three cars in a row, the middle one nearest; ids 5, 6, 7."""
    arrays = np.zeros((3, 40, 80), bool)
    for k in range(3):
        arrays[k, 10:30, 20 * k : 20 * k + 30] = True
    seen = [arrays[0] & ~arrays[1], arrays[1], arrays[2] & ~arrays[1]]
    instances = tuple(
        Instance(
            k + 5,
            1,
            "car",
            Mask.from_array(arrays[k]),
            Mask.from_array(seen[k]),
            extra={name: values[k] for name, values in extra.items() if values[k] is not None},
        )
        for k in range(3)
    )
    return Dataset.from_scenes([Scene(Image(1, "a.png", 40, 80), instances)], {1: "car"})


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["order", *map(str, arguments)])
    return result.exit_code, result.output + str(result.exception or "")


def orders(path: Path) -> list[tuple[int | None, int | None]]:
    return [(instance.cluster, instance.order) for instance in kins.load(path, format="kins2020")[1]]


@pytest.mark.parametrize("format", ["kins2020", "kins2019", "cocoa", "cocoa-cls"])
def test_every_format_with_both_masks(tmp_path: Path, format: str) -> None:
    source, target = tmp_path / "in.json", tmp_path / "out.json"
    make_dataset().save(source, format=format)
    code, output = run(source, target)
    assert code == 0, output
    assert "1 images, 3 instances in 1 clusters, 2 occlusions" in output
    assert orders(target) == [(0, 1), (0, 0), (0, 1)]
    assert CliRunner().invoke(app, ["validate", str(target)]).exit_code == 0


def test_coco_pair(tmp_path: Path) -> None:
    paths = {kind: tmp_path / f"{kind}.json" for kind in ("amodal", "inmodal")}
    for kind, path in paths.items():
        make_dataset().save(path, format="coco", masks=kind)
    target = tmp_path / "out.json"
    code, output = run(paths["amodal"], target, "--inmodal", paths["inmodal"])
    assert code == 0, output
    assert orders(target) == [(0, 1), (0, 0), (0, 1)]
    assert kins.load(target)[1][0].inmodal == make_dataset()[1][0].inmodal
    fewer = kins.load(paths["inmodal"], masks="inmodal").filter(lambda instance: instance.id != 6)
    with pytest.raises(kins.KinsError, match="no annotation 6 in image 1"):
        pair_masks(kins.load(paths["amodal"], masks="amodal"), fewer)
    code, output = run(paths["amodal"], target, "--as", "amodal")
    assert f"{paths['amodal']}: image a.png: annotations[0]: annotation 5 has no inmodal mask" in output


def test_from_depth(tmp_path: Path) -> None:
    source, target = tmp_path / "in.json", tmp_path / "out.json"
    make_dataset(distance=[3.5, 9, 12]).save(source)
    code, output = run(source, target, "--from-depth", "distance")
    assert code == 0, output
    assert orders(target) == [(0, 0), (0, 1), (0, 2)]


@pytest.mark.parametrize("bad", [None, "far", True, [1]])
def test_depth_that_is_missing_or_no_number(bad: Any) -> None:
    with pytest.raises(kins.KinsError, match="annotation 6 of image 1 has no"):
        derive_order(make_dataset(distance=[3.5, bad, 12]), "distance")


def test_thresholds_and_json(tmp_path: Path) -> None:
    source, target = tmp_path / "in.json", tmp_path / "out.json"
    make_dataset().save(source)
    code, output = run(source, target, "--json")
    assert json.loads(output) == {
        "images": 1,
        "instances": 3,
        "clusters": 1,
        "edges": 2,
        "both_ways": 0,
        "cycles": [],
        "not_kept": [],
    }
    run(source, target, "--min-pixels", 201)
    assert [order for _, order in orders(target)] == [0, 0, 0]
    assert code == 0


def test_validate_reports_the_pairs_that_disagree(tmp_path: Path) -> None:
    path = tmp_path / "in.json"
    ordered, _ = derive_order(make_dataset())
    (scene,) = ordered
    wrong = scene.replace(instances=tuple(i.replace(order=3 - (i.order or 0)) for i in scene))
    Dataset.from_scenes([wrong], {1: "car"}).save(path)
    assert len(disagreements(wrong)) == 2
    result = CliRunner().invoke(app, ["validate", str(path)])
    assert result.exit_code == 0
    assert "0 errors, 2 warnings" in result.output
    assert "hides 200 pixels of annotations[0], but the file says order 3 against 2" in result.output


def test_samples_as_kins_2020(samples: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    code, output = run(samples / "2.json", target, "--images", samples)
    assert code == 0, output
    assert [order for _, order in _first(target)] == [0, 0, 1, 1, 2, 0, 0, 3, 0, 4, 0]


def _first(path: Path) -> list[tuple[int | None, int | None]]:
    (scene,) = kins.load(path)
    return [(instance.cluster, instance.order) for instance in scene]
