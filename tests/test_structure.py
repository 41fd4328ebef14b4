"""The house: which module imports which, and how many rooms there are."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import networkx as nx

SOURCE = Path(__file__).parents[1] / "src"
SUGAR = {
    ("kins.records.dataset", "kins.formats"),
    ("kins.records.scene", "kins.occlusion"),
    ("kins.records.scene", "kins.draw"),
}
"""The one exception: records import these inside of methods, for `dataset.save`, `scene.occlusion` and `scene.plot`."""


def modules() -> dict[str, Path]:
    """Every module of the package by its name."""
    found = {}
    for path in (SOURCE / "kins").rglob("*.py"):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path, known: dict[str, Path]) -> Iterator[str]:
    """The modules of the package that one imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module


def test_no_module_imports_itself_through_others() -> None:
    known = modules()
    graph = nx.DiGraph(
        (name, other) for name, path in known.items() if name != "kins" for other in imports(name, path, known)
    )
    assert len(graph) > 80
    graph.remove_edges_from(SUGAR)
    circles = [sorted(circle) for circle in nx.strongly_connected_components(graph) if len(circle) > 1]
    assert not circles


def test_the_top_of_the_package_is_seen_at_a_glance() -> None:
    rooms = [p for p in (SOURCE / "kins").iterdir() if (p.suffix == ".py" or p.is_dir()) and p.name != "__pycache__"]
    assert len(rooms) <= 24, sorted(p.name for p in rooms)


def test_every_dependency_is_imported() -> None:
    """Also those of the extras, but for the tools of development."""
    other_names = {"argon2-cffi": "argon2", "pillow": "PIL", "pyyaml": "yaml", "tensorboard": "torch.utils.tensorboard"}
    project = tomllib.loads((SOURCE.parent / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *(v for k, v in project["optional-dependencies"].items() if k != "dev")]
    named = {re.split(r"[\[<>=]", line)[0] for lines in lists for line in lines} - {"kins"}
    source = "\n".join(path.read_text() for path in modules().values())
    for name in named:
        module = other_names.get(name, name.replace("-", "_"))
        assert re.search(rf"^\s*(import|from) {re.escape(module)}\b", source, re.MULTILINE), name
