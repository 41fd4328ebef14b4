"""The README's lines run as they stand, in the sequence in which they stand there; then those of the guides.

Those of the other pages: tests/test_documents.py.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from kins.commands.cli import app, main
from kins.demo.toys import write_shapes

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def run(text, call):
    """Every block of shell or Python in a page, each line of it by a function; returns the languages."""
    blocks = re.findall(r"```(sh|python)\n(.*?)```", text, re.DOTALL)
    blocks = [(language, block) for language, block in blocks if "make " not in block]
    for language, block in blocks:
        for line in [["python", "-c", block]] if language == "python" else map(shlex.split, block.splitlines()):
            call(line)
    return [language for language, _ in blocks]


def by_process(line):
    """As a user does it."""
    programs = {"python": sys.executable, "kins": str(Path(sys.executable).parent / "kins")}
    command = [programs.get(line[0], line[0]), *line[1:]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{line}: {done.stderr or done.stdout}"


def at_once(line):
    """Without a process for each line of kins, which would take seconds to start."""
    if line[0] != "kins":
        by_process(line)
        return
    done = CliRunner().invoke(app, line[1:])
    assert done.exit_code == 0, (line, done.output, done.exception)


def test_lines_of_the_readme_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(README, by_process) == ["sh", "sh", "sh", "python"]
    for name in ("street.png", "ordered.json", "found.json", "report/index.html", "pictures/000000.png", "out.json"):
        assert (tmp_path / name).is_file(), name
    guides = {path.stem: run(path.read_text(), at_once) for path in sorted((ROOT / "docs" / "guides").glob("*.md"))}
    assert {name: len(blocks) for name, blocks in guides.items()} == {"annotator": 2, "engineer": 3, "researcher": 3}


def test_the_line_that_needs_a_network_is_there_and_says_what_to_do_without_one(tmp_path, monkeypatch, capsys):
    """Its detector is fetched: nothing is run here but the message."""
    (line,) = re.findall(r"^    kins (predict coco .*)$", README, re.MULTILINE)
    write_shapes(tmp_path / "PHOTOS", 1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))

    def refuse(*args, **options):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr(sys, "argv", ["kins", *line.split()])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth is not on disk" in err
    assert str(tmp_path / "torch" / "hub" / "checkpoints") in err
    assert not (tmp_path / "found.json").exists()


def test_pictures_and_pages_of_the_readme_exist():
    for target in re.findall(r"\]\(((?!http)[^)#]+)", README):
        assert (ROOT / target).is_file(), target
