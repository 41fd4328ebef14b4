"""Damaged files: every reader and validate raise KinsError or succeed, and nothing else."""

import contextlib
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
from kins.statistics.agreement import compare, consensus
from kins.validate import validate

FORMATS = ["kins2020", "kins2019", "cocoa", "cocoa-cls", "coco", "predictions"]
HARD = settings(
    deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@cache
def original(name):
    """A small sound file, with masks as polygons and as RLE."""
    with TemporaryDirectory() as folder:
        dataset = write_shapes(folder, 2, size=(12, 16))
        polygon = kins.Mask.from_polygons([[1, 1, 9, 1, 9, 9.5]], 12, 16)

        def scored(scene):
            changed = [i.replace(score=0.5, occlusion_score=0.5) for i in scene if name == "predictions"] or list(scene)
            changed[0] = changed[0].replace(amodal=polygon, inmodal=polygon & changed[0].inmodal)
            return scene.replace(instances=tuple(changed))

        dataset = dataset.map(scored)
        dataset.save(Path(folder) / "out.json", format=name, masks="amodal")
        return (Path(folder) / "out.json").read_bytes(), dataset


def use(path, name, out):
    """All that a user would do with a file."""
    if name == "predictions":
        dataset = kins.load_predictions(path, original(name)[1])
    else:
        dataset = kins.load(path, format=name, masks="amodal")
    for scene in dataset:
        for instance in scene:
            for mask in (instance.amodal, instance.inmodal):
                if mask is not None:
                    assert 0 <= mask.area <= mask.height * mask.width
                    assert mask.box[2] * mask.box[3] >= mask.area
                    assert mask.to_array().sum() == mask.area
    with contextlib.suppress(KinsError):
        compare(dataset, dataset, ("one", "two"))
    with contextlib.suppress(KinsError):
        consensus([dataset, dataset]).save(out)
    for target in FORMATS:
        if target != "predictions" or name == target:
            dataset.save(out, format=target, masks="amodal")


def survives(tmp_path, name, content):
    path = tmp_path / "in.json"
    path.write_bytes(content)
    with contextlib.suppress(KinsError):
        use(path, name, tmp_path / "out.json")
    with contextlib.suppress(KinsError):
        kins.load(path, masks="inmodal")
    for format in (name, None):
        with contextlib.suppress(KinsError):
            report = validate(path, format=format, repaired=tmp_path / "fixed.json")
            json.dumps(report.as_json())
            report.as_text()


@pytest.mark.parametrize("name", FORMATS)
@HARD
@given(data=st.data())
def test_damage(tmp_path, name, data):
    survives(tmp_path, name, data.draw(damaged(original(name)[0])))


def nested(depth):
    return b"[" * depth + b"]" * depth


PLACES = {"annotation": b'"id"', "image": b'"file_name"', "category": b'"name"', "frame": b'"images"'}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("depth", [90, 300, 930, 970, 990, 1500])
def test_values_in_each_other(tmp_path, name, place, depth):
    """In a field that no format knows, at all depths at which Python's own limit may be reached sooner or later."""
    content, _ = original(name)
    start = content.index(b"annotations" if name != "predictions" else b"predictions") if place == "annotation" else 0
    key = b'"image_id"' if name in ("cocoa", "predictions") and place == "annotation" else PLACES[place]
    if key not in content[start:]:
        return
    content = content[:start] + content[start:].replace(key, b'"deep": ' + nested(depth) + b", " + key, 1)
    survives(tmp_path, name, content)
    kept = name != "predictions" or place != "annotation"  # of detections, fields without a name are not kept
    (tmp_path / "in.json").write_bytes(content)
    if depth > 100 and kept:
        with pytest.raises(KinsError, match="nested too deeply") as error:
            use(tmp_path / "in.json", name, tmp_path / "out.json")
        assert "\n" not in str(error.value)
    elif depth < 100:
        use(tmp_path / "in.json", name, tmp_path / "out.json")


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("value", [b"1e999", b'"\\ud800"'])
def test_values_that_json_can_not_say_in_fields_without_a_name(tmp_path, name, value):
    for key in (b'"id"', b'"image_id"', b'"name"'):
        content = original(name)[0]
        survives(tmp_path, name, content.replace(key, b'"other": ' + value + b", " + key))


@pytest.mark.parametrize("depth", [3, 970, 990, 1500])
def test_masks_of_values_in_each_other(tmp_path, depth):
    content = original("kins2020")[0].replace(b'"a_segm":', b'"a_segm": ' + nested(depth) + b', "old":', 1)
    survives(tmp_path, "kins2020", content)
    (tmp_path / "in.json").write_bytes(content)
    with pytest.raises(KinsError, match=r"a_segm|nested too deeply") as error:
        use(tmp_path / "in.json", "kins2020", tmp_path / "out.json")
    assert "\n" not in str(error.value)
