"""The table in docs/formats.md and the help name every format, and what they say of it is so."""

import inspect
import re
from pathlib import Path

import pytest
from tests.fuzz.readers import CORPUS
from typer.main import get_command

from kins.commands.cli import app
from kins.formats import FOLDERS, FORMATS, folders, instaorder, parquet, recognise, tools
from kins.formats.document import read_document

DOCS = Path(__file__).parents[2] / "docs" / "formats.md"
SECTION = DOCS.read_text().partition("## Read and written\n")[2].partition("\n## ")[0]
ROWS = {
    name: cells[1:]
    for line in re.findall(r"^\| (`.*) \|$", SECTION, re.MULTILINE)
    for cells in [line.split(" | ")]
    for name in re.findall("`(.*?)`", cells[0])
}
WRITTEN = {*FORMATS, *folders.WRITTEN, "parquet"}


def help_of(command: str, option: str) -> str:
    (found,) = (p for p in get_command(app).commands[command].params if option in p.opts)
    return found.help


def test_all_formats_are_there() -> None:
    assert ROWS.keys() == WRITTEN | {*FOLDERS, "instaorder"}
    assert {name for name, (read, _, _) in ROWS.items() if read == "yes"} == ROWS.keys()
    assert {name for name, (_, written, _) in ROWS.items() if written == "yes"} == WRITTEN
    named = set(re.findall(r"[a-z][a-z0-9-]+", help_of("convert", "--to").partition(":")[2])) - {"or"}
    assert named == WRITTEN
    assert set(FOLDERS) <= set(re.findall(r"\w+", help_of("convert", "--from")))


@pytest.mark.parametrize("name", sorted({*FORMATS, *FOLDERS}))
def test_it_is_recognised_by_what_the_table_says(name: str) -> None:
    module = {**FORMATS, **FOLDERS}[name]
    source = inspect.getsource(module)
    for word in re.findall("`(.*?)`", ROWS[name][2]):
        assert re.search(rf"\b{re.escape(word)}\b", source), word


def recognised(path: Path) -> str | None:
    """As `kins.load` does, with all kinds of folders that take it."""
    if parquet.matches(path):
        return "parquet"
    kinds = [name for name, module in FOLDERS.items() if module.matches(path)]
    if kinds:
        return ", ".join(kinds)
    if several := tools.find_many(path, None):
        return several[0]
    return recognise(read_document(path))


@pytest.mark.parametrize("name", sorted(WRITTEN | {*FOLDERS}))
def test_small_files_of_each_format_are_recognised(name: str) -> None:
    files = sorted(CORPUS.glob("table.parquet" if name == "parquet" else f"{name}.*"))
    files = [path for path in files if path.suffix != ".png"]
    assert files
    for path in files:
        assert recognised(path) == ("cocoa-cls" if name == "d2sa" else name)
        assert folders.find(path) == (name if name in FOLDERS else None)
    assert not instaorder.matches(read_document(CORPUS / "coco.json"))
