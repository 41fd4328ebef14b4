"""Damaged files of annotation tools: reading raises KinsError of one line or succeeds, and nothing else."""

import json
from copy import deepcopy
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.formats.test_fuzz import TOKENS, VALUES

import kins
from kins import KinsError
from kins.demo.toys import write_shapes
from kins.formats.tools import TOOLS
from kins.validate import validate

HARD = settings(
    deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
FILES = {
    "labelme": "000000.json",
    "isat": "000000.json",
    "cvat": "annotations.xml",
    "datumaro": "annotations/default.json",
    "label-studio": "tasks.json",
}


@cache
def original(name):
    """A small sound file, with outlines, patches and a visible part."""
    with TemporaryDirectory() as folder:
        dataset = write_shapes(folder, 1, size=(12, 16))
        outline = kins.Mask.from_polygons([[1, 1, 9, 1, 9, 9.5]], 12, 16)

        def changed(scene):
            first, *others = scene
            return scene.replace(instances=(first.replace(amodal=outline, inmodal=outline & others[0].amodal), *others))

        dataset.map(changed).save(Path(folder) / "out", format=name)
        return (Path(folder) / "out" / FILES[name]).read_bytes()


def use(path, format, out, name):
    """All that a user would do with a file."""
    dataset = kins.load(path, format=format, masks="amodal")
    for scene in dataset:
        for instance in scene:
            assert instance.amodal.to_array().sum() == instance.amodal.area
            assert 0 <= instance.occlusion_rate <= 1
    dataset.save(out, format=name)


def survives(tmp_path, name, content):
    path = tmp_path / f"in{Path(FILES[name]).suffix}"
    path.write_bytes(content)
    for format in (name, None):
        said = ""
        try:
            use(path, format, tmp_path / "out.zip", name)
        except KinsError as error:
            said = str(error)
        assert "\n" not in said
    report = validate(path, format=name)
    json.dumps(report.as_json())


@pytest.mark.parametrize("name", sorted(TOOLS))
@HARD
@given(data=st.data())
def test_damaged_bytes(tmp_path, name, data):
    content = bytearray(original(name))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        end = at + data.draw(st.integers(0, 8))
        content[at:end] = data.draw(
            TOKENS | st.binary(max_size=4) | st.sampled_from([b'"0"', b"&#1;", b"<", b"/>", b"-"])
        )
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    survives(tmp_path, name, bytes(content))


@pytest.mark.parametrize("name", sorted(set(TOOLS) - {"cvat"}))
@HARD
@given(data=st.data())
def test_damaged_values(tmp_path, name, data):
    """JSON that is sound, with a few values replaced, removed, or repeated."""
    content = json.loads(original(name))
    for _ in range(data.draw(st.integers(1, 3))):
        node, parent, key = content, None, None
        for _ in range(data.draw(st.integers(1, 8))):
            if not isinstance(node, (dict, list)) or not node:
                break
            parent = node
            key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            node = node[key]
        if parent is None:
            continue
        action = data.draw(st.sampled_from(["replace", "remove", "repeat"]))
        if action == "replace":
            parent[key] = deepcopy(data.draw(VALUES))
        elif action == "remove":
            del parent[key]
        elif isinstance(parent, list):
            parent.append(deepcopy(node))
    survives(tmp_path, name, json.dumps(content).encode())
