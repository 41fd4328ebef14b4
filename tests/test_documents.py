"""Every command line of the documentation: the program takes it, and those on data are run."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
import typer.main
from PIL import Image as Picture
from typer.testing import CliRunner

import kins
from kins.commands.cli import app
from kins.masks import Mask

ROOT = Path(__file__).parents[1]
UsageError = typer.BadParameter.__base__  # typer has a click of its own
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
RUN = ("data", "occlusion")
"""Pages whose lines are run here, one after the other; test_readme.py runs those of the README and of the guides."""


def lines(page: Path) -> list[list[str]]:
    """The lines that call kins, by words: in blocks of the shell, or indented; without comments."""
    text = page.read_text().replace("\\\n", " ")
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    indented = re.findall(
        r"^ {4}(.*)$", re.sub(r"^```\w*\n.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE
    )
    found = [line for language, block in fenced if language in ("", "sh") for line in block.splitlines()]
    calls = [re.search(r"(?:^|-m |[A-Z_]+=\S+ |nice -n \d+ )\bkins ([a-z].*)", line) for line in [*found, *indented]]
    return [shlex.split(call[1].rstrip("'"), comments=True) for call in calls if call]


LINES = [(page, words) for page in PAGES for words in lines(page)]


def test_the_pages_have_command_lines():
    names = {page.stem for page, _ in LINES}
    assert {"README", "annotate", "cluster", "completion", "data", "evaluation", "occlusion", "results"} <= names
    assert {"streets", "training", "view", "annotator", "engineer", "researcher"} <= names
    assert len(LINES) > 60


def parse(words: list[str]) -> None:
    """Take a line as the program does, and run nothing. Raises what it says of a line that it can't take."""
    command = typer.main.get_command(app)
    while hasattr(command, "commands") and words and words[0] in command.commands:
        command, *words = command.commands[words[0]], *words[1:]
    assert not hasattr(command, "commands"), f"no such command: {words}"
    command.make_context(command.name, list(words))


@pytest.mark.parametrize(("page", "words"), LINES, ids=lambda value: value.stem if isinstance(value, Path) else None)
def test_the_program_takes_the_line(page, words):
    """Its command exists, has these options, and they take these values; nothing is run."""
    try:
        parse(words)
    except UsageError as error:
        pytest.fail(f"{page}: kins {' '.join(words)}: {error.format_message()}")


@pytest.mark.parametrize(
    "words", [["nothing"], ["eval", "a"], ["eval", "a", "b", "--no"], ["synth", "a", "--seed", "b"]]
)
def test_a_wrong_line_is_found(words):
    with pytest.raises((UsageError, AssertionError)):
        parse(words)


def street(shift: float) -> kins.Dataset:
    """Two pictures of KITTI's size with four things each, ids from 10."""
    scenes = []
    for key in (10, 11):
        picture = kins.Image(key, f"{key:06}.png", 375, 1242)
        masks = [Mask.from_box((x + shift, 100, 150, 90), 375, 1242) for x in (300, 400, 700, 780)]
        seen = [mask - masks[k - 1] if k % 2 else mask for k, mask in enumerate(masks)]
        objects = [
            kins.Instance(
                10 * key + k, 4, "car", mask, visible, order=k % 2, cluster=k // 2, extra={"distance": 5.0 + k}
            )
            for k, (mask, visible) in enumerate(zip(masks, seen, strict=True))
        ]
        scenes.append(kins.Scene(picture, tuple(objects)))
    return kins.Dataset.from_scenes(scenes, {4: "car"})


@pytest.fixture
def data(tmp_path, monkeypatch):
    """The files that the lines name."""
    monkeypatch.chdir(tmp_path)
    dataset = street(0)
    (tmp_path / "image_2").mkdir()
    for image in dataset.images.values():
        Picture.fromarray(np.full((375, 1242, 3), 90, np.uint8)).save(tmp_path / "image_2" / image.file_name)
    for name in ("update_train_2020", "update_test_2020", "first", "in", "out"):
        dataset.save(f"{name}.json")
    for shift, name in enumerate(("second", "third"), 1):
        street(3 * shift).save(f"{name}.json")
    for name in ("monday", "tuesday"):
        scenes = [
            scene.replace(image=kins.Image(scene.image.id, f"{name}{scene.image.file_name}", 375, 1242))
            for scene in dataset
        ]
        kins.Dataset.from_scenes(scenes, dataset.categories).save(f"{name}.json")
        for scene in dataset:
            (tmp_path / "image_2" / f"{name}{scene.image.file_name}").symlink_to(scene.image.file_name)
    dataset.save("instances_train.json", format="kins2019")
    for kind, name in (("amodal", "amodal"), ("inmodal", "visible")):
        dataset.save(f"{name}.json", format="coco", masks=kind)
    return tmp_path


@pytest.mark.parametrize("name", RUN)
def test_the_lines_run(data, name):
    skipped = 0
    for words in lines(ROOT / "docs" / f"{name}.md"):
        if words[0] in ("train", "predict", "complete") or "--with" in words:
            skipped += 1  # networks: their lines run in the guides
            continue
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, (words, done.output, done.exception)
    assert skipped == {"data": 0, "occlusion": 4}[name]


def test_bash_completes_commands_options_and_names():
    asked = {
        "kins co": {"complete", "convert"},
        "kins eval t p --prot": {"--protocol"},
        "kins eval t p --protocol pc": {"pcnet"},
        "kins convert a b --to kins": {"kins2020", "kins2019"},
        "kins train vrsp": {"vrsp_r50"},
    }
    script = """
        eval "$(_KINS_COMPLETE=source_bash kins)"
        complete -p kins >&2
        asked() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kins_completion kins; echo "${COMPREPLY[@]}"; }
    """
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["bash", "-c", script + "".join(f"asked {line}\n" for line in asked)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert [set(line.split()) for line in done.stdout.splitlines()] == list(asked.values()), done.stderr
    assert "-F _kins_completion kins" in done.stderr
