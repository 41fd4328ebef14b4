"""What is handed out: a wheel that an index takes, a source archive that installs, and the lines that bring parts."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


def run(*command, cwd=ROOT):
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    run("make", "wheel", f"DIST={folder}")
    return folder


@pytest.mark.slow
def test_the_wheel_fits_many_linuxes_and_any_python(dist):
    (wheel,) = dist.glob("*.whl")
    assert re.fullmatch(r"kins-[0-9.]+-py3-none-.*manylinux.*\.whl", wheel.name)
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.startswith("kins/masks/libspans") for name in names)
    assert "kins/models/pretrained/street.safetensors" in names
    assert not [name for name in names if name.startswith("tests/")]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wheel", "source", "index"])
def test_it_installs_and_names_the_line_for_a_missing_part(dist, tmp_path, kind):
    python = tmp_path / "env" / "bin" / "python"
    run(BIN / "uv", "venv", "-q", tmp_path / "env", "--python", sys.executable, "--seed")
    found = next(dist.glob("*.tar.gz" if kind == "source" else "*.whl"))
    what = ["kins", "--find-links", dist] if kind == "index" else [found]
    run(BIN / "uv", "pip", "install", "-q", "--python", python, "-c", ROOT / "constraints.txt", *what, cwd=tmp_path)
    kins = python.with_name("kins")
    assert "convert" in run(kins, "--help", cwd=tmp_path)
    said = run(kins, "doctor", cwd=tmp_path)
    assert "ok  compiled part" in said
    line = re.search(r"which kins synth need: (.*)", said)[1]
    wanted = {"wheel": f"{found}[streets]", "source": f"{found}[streets]", "index": "kins[streets]"}[kind]
    assert wanted in line
    assert run(python, "-m", "kins", "--version", cwd=tmp_path).strip()
