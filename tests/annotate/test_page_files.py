"""The page's files: all there, none too long, and none with what its content policy forbids."""

import re
from pathlib import Path

import pytest

import kins

STATIC = Path(kins.__file__).parent / "annotate" / "static"
MODULES = sorted(path.name for path in STATIC.glob("*.js"))


def test_the_browser_is_told_of_every_module_at_once() -> None:
    page = (STATIC / "index.html").read_text()
    named = re.findall(r'(?:href|src)="/static/([^"]+)"', page)
    assert sorted(name for name in named if name.endswith(".js")) == MODULES
    assert all((STATIC / name).is_file() for name in named)


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_what_others_export_and_keeps_to_the_policy(name: str) -> None:
    text = (STATIC / name).read_text()
    assert text.startswith("// ")
    assert len(text.splitlines()) < 450
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|https?://", text
    )
    for names, other in re.findall(r'import \{([^}]*)\} from "\./([a-z]+\.js)"', text):
        exported = (STATIC / other).read_text()
        for imported in (part.strip() for part in names.split(",")):
            pattern = rf"export (async )?(function|class|const) {re.escape(imported)}\b"
            assert re.search(pattern, exported), f"{imported} of {other}"
            assert len(re.findall(rf"\b{re.escape(imported)}\b", text)) > 1, f"{imported} is not used"
