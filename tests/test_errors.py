"""What is said where a part is not installed: which, and a line that brings it from where kins came."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from kins import errors
from kins.commands.cli import COMMANDS
from kins.demo.toys import write_shapes
from kins.validate.parts import SERVES

ROOT = Path(__file__).parents[1]
BLOCKED = "import sys; sys.modules[sys.argv.pop(1)] = None; from kins.commands.cli import main; main()"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("data")
    write_shapes(path / "training/image_2", 2, (64, 96)).save(path / "train.json")
    rows = json.loads((path / "train.json").read_text())["annotations"]
    keys = ("image_id", "category_id", "a_segm", "a_bbox", "i_segm", "i_bbox")
    (path / "pred.json").write_text(json.dumps([{key: row[key] for key in keys} | {"score": 0.9} for row in rows]))
    return path


TRAIN = ["train", "tiny", "--data", ".", "--out", "run", "train.steps=1"]
PREDICT = ["predict", "street", "training/image_2", "-o", "new.json"]
USES = [
    ("torch", "train", PREDICT),
    ("pydantic", "train", TRAIN),
    ("safetensors", "train", PREDICT),
    ("lightning_fabric", "train", TRAIN),
    ("tensorboard", "train", TRAIN),
    ("onnx", "export", ["export", "street", "street.onnx"]),
    ("mitsuba", "streets", ["synth", "streets", "--train", "1", "--size", "64x32"]),
    ("embreex", "streets", ["synth", "streets2", "--train", "1", "--size", "64x32", "--quality", "fast"]),
    ("jinja2", "report", ["eval", "train.json", "pred.json", "--report", "report"]),
    ("matplotlib", "report", ["eval", "train.json", "pred.json", "--report", "report"]),
    ("matplotlib", "report", ["stats", "train.json", "--no-shapes", "--plots", "plots"]),
    ("starlette", "annotate", ["annotate", "."]),
]


@pytest.mark.parametrize(("module", "extra", "arguments"), USES, ids=lambda value: str(value).split("'")[-1][:12])
def test_a_part_that_is_missing_is_named_with_the_line_that_brings_it(folder, module, extra, arguments):
    command = [sys.executable, "-c", BLOCKED, module, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"kins: {module} is not installed")
    words = shlex.split(line.partition("this brings it: ")[2])
    assert words[:4] == [sys.executable, "-m", "pip", "install"]
    assert words[-1].endswith(f"[{extra}]")


def test_the_table_of_parts_is_that_of_the_package():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    known = packages_distributions()
    for extra, modules in errors.EXTRAS.items():
        wanted = {re.split(r"[<>=]", line)[0].lower().replace("_", "-") for line in extras[extra]}
        listed = {name.lower().replace("_", "-") for module in modules for name in known.get(module, ())}
        assert wanted <= listed, extra
    assert extras.keys() - errors.EXTRAS.keys() == {"all", "dev"}


class Installed:
    """A stand-in for what the installer noted down."""

    def __init__(self, note):
        self.note = note

    def read_text(self, name):
        assert name == "direct_url.json"
        return self.note


def path_and_wheel(tmp_path):
    (tmp_path / "a clone").mkdir()
    wheel = tmp_path / "kins-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"")
    return tmp_path / "a clone", wheel


def test_the_line_fits_the_way_kins_was_installed(tmp_path, monkeypatch):
    clone, wheel = path_and_wheel(tmp_path)
    git = "https://example.org/kins.git"
    for note, words in (
        ({"url": clone.as_uri(), "dir_info": {"editable": True}}, ["-e", f"{clone}[train]"]),
        ({"url": clone.as_uri(), "dir_info": {}}, [f"{clone}[train]"]),
        ({"url": wheel.as_uri(), "archive_info": {}}, [f"{wheel}[train]"]),
        ({"url": git, "vcs_info": {"vcs": "git", "commit_id": "abc"}}, [f"kins[train] @ git+{git}@abc"]),
        ({"url": "https://example.org/kins.whl", "archive_info": {}}, ["kins[train] @ https://example.org/kins.whl"]),
        ({"url": (tmp_path / "gone.whl").as_uri(), "archive_info": {}}, ["kins[train]"]),
    ):
        monkeypatch.setattr("importlib.metadata.distribution", lambda name, note=note: Installed(json.dumps(note)))
        assert shlex.split(errors.install_line("train"))[4:] == words
    for damaged in ("", "[]", "{", '{"url": 3}'):
        monkeypatch.setattr("importlib.metadata.distribution", lambda name, note=damaged: Installed(note))
        assert "[train]" in errors.install_line("train")


def test_environments_of_uvs_tools_are_made_anew(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: Installed(None))
    monkeypatch.setattr(errors, "_source", lambda: ("kins", False))
    tool, once = tmp_path / "tools" / "kins", tmp_path / "archive-v0" / "cT2b"
    for prefix in (tool, once):
        prefix.mkdir(parents=True)
    (tool / "uv-receipt.toml").write_text("")
    monkeypatch.setattr(sys, "prefix", str(tool))
    assert errors.install_line("train") == 'uv tool install "kins[train]"'
    assert errors.install_line(again=True) == 'uv tool install --reinstall "kins"'
    monkeypatch.setattr(sys, "prefix", str(once))
    assert errors.install_line("train") == 'uvx --from "kins[train]" kins'
    assert errors.install_line(again=True) == 'uvx --reinstall --from "kins" kins'


def test_the_page_and_the_doctor_know_every_extra():
    """docs/install.md has a line for each, with what doctor says that it is for."""
    page = (ROOT / "docs" / "install.md").read_text()
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert SERVES.keys() == errors.EXTRAS.keys()
    for extra in extras.keys() - {"dev"}:
        assert re.search(rf'^\| [^|]+ \| `pip install "kins\[([a-z]+,)*{extra}\]"` \|$', page, re.MULTILINE), extra
    commands = {name for text in SERVES.values() for name in re.findall(r"kins ([a-z-]+)", text)}
    assert commands <= COMMANDS.keys()
    (everything,) = extras["all"]
    assert set(re.findall(r"[a-z]+", everything.partition("[")[2])) <= extras.keys() - {"all", "dev"}


def test_the_line_is_understood_by_pip(tmp_path, monkeypatch):
    """Each kind of line, up to the point at which pip would download: the requirement is one, with the extra."""
    pip = pytest.importorskip("pip._internal.req.constructors")
    clone, wheel = path_and_wheel(tmp_path)
    (clone / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    for note in (
        {"url": clone.as_uri(), "dir_info": {}},
        {"url": wheel.as_uri(), "archive_info": {}},
        {"url": "https://example.org/kins.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
        {},
    ):
        monkeypatch.setattr("importlib.metadata.distribution", lambda name, note=note: Installed(json.dumps(note)))
        requirement = pip.install_req_from_line(shlex.split(errors.install_line("train"))[-1])
        assert requirement.extras == {"train"}, note
    note = json.dumps({"url": clone.as_uri(), "dir_info": {"editable": True}})
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: Installed(note))
    assert pip.install_req_from_editable(shlex.split(errors.install_line("train"))[-1]).extras == {"train"}
