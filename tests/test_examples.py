"""The examples in the docstrings of what the wings offer run."""

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
WINGS = [importlib.import_module(f"kins.{name}") for name in (*kins._WINGS, "evaluation.report")]


def public(module: ModuleType) -> dict[str, Any]:
    """What a wing offers: names without an underscore in front that are defined in it."""
    return {
        f"{module.__name__}.{name}": value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__.startswith(module.__name__)
    }


OFFERED = {name: value for wing in WINGS for name, value in public(wing).items()}
UNIQUE = {id(value): (name, value) for name, value in OFFERED.items()}
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
