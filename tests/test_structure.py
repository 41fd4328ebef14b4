"""The house: which module imports which, and how many rooms there are."""

import ast
from collections.abc import Iterator
from pathlib import Path

import networkx as nx

SOURCE = Path(__file__).parents[1] / "src"
SUGAR = {("kins.records", "kins.formats"), ("kins.records", "kins.occlusion"), ("kins.records", "kins.draw")}
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
