"""The examples in docs/formats.md are read as it says."""

import re
from pathlib import Path

import pytest

import kins

DOCS = Path(__file__).parents[3] / "docs" / "formats.md"
EXAMPLES = {
    "labelme": [("car", 700, 500), ("van", 750, 750)],
    "ISAT": [("cup", 800, 800)],
    "CVAT": [("car", 700, 500), ("van", 750, 750)],
    "Label Studio": [("car", 480, 480), ("van", 1200, 1080)],
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_of_a_tool(tmp_path, name):
    section = DOCS.read_text().partition(f"### {name}\n")[2].partition("\n### ")[0]
    kind, text = re.search(r"```(json|xml)\n(.*?)```", section, re.DOTALL).groups()
    (tmp_path / f"a.{kind}").write_text(text)
    (scene,) = kins.load(tmp_path / f"a.{kind}", masks="amodal")
    assert [(i.category, i.amodal.area, i.inmodal.area) for i in scene] == EXAMPLES[name]
