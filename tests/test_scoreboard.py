"""The scoreboard: what docs/results.md says of it follows from the kept figures, and the script runs to its end."""

import dataclasses
import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from kins.config import NETWORKS
from kins.evaluation import PROTOCOLS
from kins.train.results import read

ROOT = Path(__file__).parents[1]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("scoreboard_page")


def test_the_page_is_what_follows_from_the_kept_figures(page: ModuleType) -> None:
    data = json.loads(page.DATA.read_text())
    assert page.dumped(data) == page.DATA.read_text()
    text = page.PAGE.read_text()
    assert page.placed(text, page.section(data)) == text


def test_every_method_has_two_seeds_and_all_protocols(page: ModuleType) -> None:
    methods = importlib.import_module("scoreboard").METHODS
    data = json.loads(page.DATA.read_text())
    runs = {(run["method"], run["seed"]): run for run in data["results"]}
    for name in methods:
        for seed in (0, 1):
            run = runs[name, seed]
            assert {*run["protocols"], *run["left_out"], "aisformer"} == set(PROTOCOLS)
    starts = {json.dumps(run["conditions"]["start"]) for run in data["results"]}
    assert len(starts - {"null"}) == 1, "rows that begin elsewhere would stand in a table of their own"
    assert {one["ours"] for one in data["published"] if "ours" in one} <= set(methods)
    assert set(data["costs"]["networks"]) <= set(NETWORKS)


def test_runs_replace_those_of_the_same_row_seed_and_conditions(
    page: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DATA", "PAGE"):
        place = tmp_path / getattr(page, name).name
        place.write_text(getattr(page, name).read_text())
        monkeypatch.setattr(page, name, place)
    first, second, *_ = read(page.DATA)
    page.keep(
        [
            dataclasses.replace(first, figures={"amodal AP": 99.0}, weights="another"),
            dataclasses.replace(second, conditions={**second.conditions, "steps": 40000}),
        ]
    )
    runs = read(page.DATA)
    assert len(runs) == len(json.loads((ROOT / "benchmarks" / "scoreboard.json").read_text())["results"]) + 1
    assert (runs[0].method, runs[0].figures) == (first.method, {"amodal AP": 99.0})
    text = page.PAGE.read_text()
    assert "steps 40000" in text
    assert text.startswith("# Results")
    assert "## Learning by heart" in text


@pytest.mark.slow
@pytest.mark.parametrize("whole", [[], ["--whole"]])
def test_the_script_runs_to_its_end(whole: list[str], tmp_path: Path) -> None:
    """The command for a GPU, too, but on a CPU: everything is trained from random weights, then measured."""
    size = ["data.short_side=64", "data.long_side=214", "train.device=cpu"]
    methods = ["asn-mlc", "panet-asn-mlc", "vrsp"]
    command = [sys.executable, str(ROOT / "benchmarks" / "scoreboard.py"), "--out", str(tmp_path), "--steps", "2"]
    command += ["--train", "3", "--test", "2", "--seeds", "0", "--methods", *methods, *whole, "--settings", *size]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    found = read(tmp_path / "results.json")
    assert [run.method for run in found] == methods
    frozen = [["backbone", "rpn"], ["backbone.body", "backbone.fpn"], ["backbone", "rpn"]]
    assert [run.conditions["frozen"] for run in found] == ([[]] * 3 if whole else frozen)
    assert all({*run.protocols, *run.left_out, "aisformer"} == set(PROTOCOLS) for run in found)
    assert "| panet-asn-mlc | 1 |" in (tmp_path / "scoreboard.md").read_text()
