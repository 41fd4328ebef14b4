"""The pages of the documentation: their notebooks run, and the site builds without a broken link."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def cells(path):
    found = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] for cell in found), "notebooks are kept without outputs"
    return ["".join(cell["source"]) for cell in found]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space = {"__name__": "__main__"}
    shown = 0
    for source in cells(path):
        tree = ast.parse(source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, str(path), "exec"), space)
        if last is not None:  # what a notebook shows
            value = eval(compile(ast.Expression(last.value), str(path), "eval"), space)
            shown += hasattr(value, "_repr_html_") and "<img" in value._repr_html_()
    assert shown or path.stem == "own_detector"  # whose picture is one itself


def test_the_site_builds_without_a_broken_link(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr + done.stdout
    page = (tmp_path / "site" / "index.html").read_text()
    assert "install/" in page
    reference = (tmp_path / "site" / "reference" / "index.html").read_text()
    assert "kins.formats.load" in reference
    assert "Raises" in reference
