"""The page's files: all there, none too long, and none with what its content policy forbids."""

import re
from pathlib import Path

import pytest

import kins

STATIC = Path(kins.__file__).parent / "annotate" / "static"
VIEWER = STATIC.parent / "view" / "static"
FILES = {path.name: path for folder in (STATIC, VIEWER) for path in folder.iterdir()}
MODULES = sorted(name for name in FILES if name.endswith(".js"))
FROM = re.compile(r'^import .* from "\./([a-z]+\.js)"', re.MULTILINE)
IMPORT = re.compile(r'import \{([^}]*)\} from "\./([a-z]+\.js)"')


def needed(name: str) -> set[str]:
    """A module and all that it imports, through others too."""
    found, left = set(), {name}
    while left:
        found |= left
        left = {other for one in left for other in FROM.findall(FILES[one].read_text())} - found
    return found


def test_the_browser_is_told_of_every_module_at_once() -> None:
    named = re.findall(r'(?:href|src)="/static/([^"]+)"', FILES["index.html"].read_text())
    assert sorted(name for name in named if name.endswith(".js")) == sorted(needed("app.js"))
    assert all(name in FILES for name in named)


def test_no_module_is_there_twice_or_for_nothing() -> None:
    assert len(FILES) == sum(1 for folder in (STATIC, VIEWER) for _ in folder.iterdir())
    assert sorted(needed("app.js") | needed("viewer.js")) == MODULES


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_what_others_export_and_keeps_to_the_policy(name: str) -> None:
    text = FILES[name].read_text()
    assert text.startswith("// ")
    assert len(text.splitlines()) < 450
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|https?://", text
    )
    for names, other in IMPORT.findall(text):
        exported = FILES[other].read_text()
        for imported in (part.strip() for part in names.split(",")):
            pattern = rf"export (async )?(function|class|const) {re.escape(imported)}\b"
            assert re.search(pattern, exported), f"{imported} of {other}"
            assert len(re.findall(rf"\b{re.escape(imported)}\b", text)) > 1, f"{imported} is not used"
