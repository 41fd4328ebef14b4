"""Damaged files of annotation tools: reading raises KinsError of one line or succeeds, and nothing else."""

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.mutate import damaged

import kins
from kins import KinsError
from kins.demo.toys import write_shapes
from kins.formats.tools import TOOLS
from kins.validate import validate

HARD = settings(
    deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
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
def test_damage(tmp_path, name, data):
    survives(tmp_path, name, data.draw(damaged(original(name))))
