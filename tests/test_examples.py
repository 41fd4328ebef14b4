"""Every public function shows how it is used, and the example in its docstring runs."""

import contextlib
import doctest
import importlib
import inspect
import io
import sys
from types import ModuleType
from typing import Any

import pytest

import kins

RUNNER = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
WINGS = [
    importlib.import_module(f"kins.{name}")
    for name in (*kins._WINGS, "evaluation.report", "formats.exchange", "formats.parquet")
]


def public(module: ModuleType) -> dict[str, Any]:
    """What a wing offers: `__all__`, or names without an underscore in front that are defined in it."""
    offered = getattr(module, "__all__", None)
    return {
        f"{module.__name__}.{name}": value
        for name, value in vars(module).items()
        if (name in offered if offered else not name.startswith("_"))
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__.startswith(module.__name__)
    }


OFFERED = {name: value for wing in WINGS for name, value in public(wing).items()}
UNIQUE = {id(value): (name, value) for name, value in OFFERED.items()}
FUNCTIONS = sorted(name for name, value in UNIQUE.values() if inspect.isfunction(value))
MODULES = {sys.modules[value.__module__]: None for _, value in UNIQUE.values()} | dict.fromkeys(WINGS)
EXAMPLES = [
    test
    for thing in [*(value for _, value in UNIQUE.values()), *MODULES]
    for test in doctest.DocTestFinder(recurse=inspect.isclass(thing)).find(thing, globs={"kins": kins})
    if test.examples
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_the_example_runs(example: doctest.DocTest, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        failed = doctest.DocTestRunner(optionflags=RUNNER).run(example, out=said.write).failed
    assert not failed, said.getvalue()


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if not name.startswith("kins.evaluation.report.")])
def test_a_public_function_has_an_example(name: str) -> None:
    assert ">>>" in (inspect.getdoc(OFFERED[name]) or "")
