"""Every command line of the documentation: the program takes it, and a test runs it or says why not."""

import argparse
import importlib.util
import itertools
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import uvicorn
from tests.annotate.helpers import quick_passwords
from tests.command_lines import BEFORE, FOLLOWS, LISTED, PAGES, PROGRAM, ROOT, UsageError, lines, parse
from tests.line_data import make_data
from typer.testing import CliRunner

from kins.commands.cli import app

LINES = [line for page in PAGES for line in lines(page)]
OUTPUTS = ("-o", "--out", "--report", "--plots", "--graph", "--show")


def test_the_pages_have_command_lines():
    names = {line.page.stem for line in LINES if not line.inline}
    assert {"README", "annotate", "cluster", "completion", "data", "evaluation", "formats", "occlusion"} <= names
    assert {"results", "streets", "training", "view", "annotator", "engineer", "researcher"} <= names
    assert len(LINES) > 150
    assert len([line for line in LINES if not line.inline]) > 60


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_program_takes_the_lines(page):
    """Each command exists, has these options, and they take these values; nothing is run."""
    for line in lines(page):
        if line.inline and len(line.words) == 1:
            assert line.words[0] in PROGRAM.commands, line.text
        elif not line.mention:
            try:
                parse(line.words)
            except UsageError as error:
                pytest.fail(f"{line.text}: {error.format_message()}")


@pytest.mark.parametrize(
    "words", [["nothing"], ["eval", "a"], ["eval", "a", "b", "--no"], ["synth", "a", "--seed", "b"]]
)
def test_a_wrong_line_is_found(words):
    with pytest.raises((UsageError, AssertionError)):
        parse(words)


def test_what_is_listed_stands_in_a_page():
    for start in (*LISTED, *BEFORE):
        assert any(line.text.startswith(start) for line in LINES), start


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """The files that the lines name."""
    folder = tmp_path_factory.mktemp("lines") / "data"
    make_data(folder)
    return folder


@pytest.fixture
def kins(data, tmp_path, monkeypatch):
    """Runs words in a folder with the files; servers start and end at once."""

    async def ended(server):
        assert server.started

    quick_passwords()
    monkeypatch.setattr(uvicorn.Server, "main_loop", ended)
    shutil.copytree(data, tmp_path, dirs_exist_ok=True, symlinks=True)
    monkeypatch.chdir(tmp_path)

    def run(words, environment=None):
        if words[0] in ("synth", "train"):  # new, whatever is there
            folder = words[words.index("--out") + 1] if "--out" in words else f"runs/{words[1]}"
            shutil.rmtree(words[1] if words[0] == "synth" else folder, ignore_errors=True)
        with ThreadPoolExecutor(1) as thread:  # a browser of other tests may have the event loop of this one
            invoke = CliRunner().invoke
            done = thread.submit(invoke, app, words, input="a long password\n", env=environment).result()
        assert done.exit_code == 0, (words, done.output, done.exception)
        for option, name in itertools.pairwise(words):
            assert option not in OUTPUTS or Path(name).exists(), (words, name)
        return done.output

    return run


def runs(page):
    """The lines of a page that are run here, each once, and of the page that follows it."""
    found = [line for line in lines(page) if not (line.mention or line.why_not or line.runs_elsewhere)]
    if page.stem in FOLLOWS:
        found += runs(page.with_stem(FOLLOWS[page.stem]))
    return list({line.text: line for line in found}.values())


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.stem not in FOLLOWS.values() and runs(page)], ids=lambda page: page.stem
)
def test_the_lines_run(kins, page):
    """One after the other, in one folder."""
    for line in runs(page):
        if line.text in BEFORE:
            kins(BEFORE[line.text].split())
        words = line.smaller()
        said = kins(words, line.environment)
        assert "--port" not in words or "open http" in said


class Parsed(BaseException):
    """A script's options were taken."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_scripts_take_the_options_that_the_pages_give_them(page, monkeypatch):
    """Nothing but their parsers is run."""
    parse_args = argparse.ArgumentParser.parse_args

    def parsed(parser):
        parse_args(parser)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parsed)
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    text = page.read_text().replace("\\\n", " ")
    for called, script, rest in re.findall(r"(python )?\b((?:benchmarks|docs)/\w+\.py)\b([^`\n]*)", text):
        assert (ROOT / script).is_file(), script
        if called or rest.startswith(" --"):
            monkeypatch.setattr(sys, "argv", [script, *shlex.split(rest, comments=True)])
            with pytest.raises(Parsed):
                runpy.run_path(str(ROOT / script), run_name="__main__")


def test_what_is_run_by_python_exists():
    text = "".join(page.read_text() for page in PAGES)
    modules, codes = re.findall(r"\bpython -m ([\w.]+)", text), re.findall(r'\bpython -c "([^"]+)"', text)
    assert len(modules) > 1
    assert codes
    for module in modules:
        assert importlib.util.find_spec(module), module
    for code in codes:
        exec(code.partition(";")[0])  # what it imports


def test_extras_that_the_pages_name_exist():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = [
        name
        for page in PAGES
        for names in re.findall(r"(?:kins|\.|whl)\[([a-z,]+)\]", page.read_text())
        for name in names.split(",")
    ]
    assert len(named) > 10
    assert set(named) <= extras.keys()


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
