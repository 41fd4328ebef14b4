"""Outlines in place of run lengths."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as oracle

import kins
from kins import Dataset, Image, Instance, KinsError, Mask, Scene
from kins.demo.toys import write_shapes
from kins.formats import POLYGONS

FIELDS = {
    "kins2020": ("a_segm", "i_segm"),
    "kins2019": ("segmentation", "inmodal_seg"),
    "cocoa-cls": ("segmentation", "visible_mask"),
    "d2sa": ("segmentation", "visible_mask"),
}


def filled(polygons, height, width):
    return oracle.decode(oracle.merge(oracle.frPyObjects(polygons, height, width))).astype(bool)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(amodal=arrays(bool, (7, 9)), name=st.sampled_from(sorted(FIELDS)))
def test_outlines_give_the_same_pixels(tmp_path, amodal, name):
    inmodal = amodal & (np.arange(9) > 2)
    instance = Instance(1, 1, "car", Mask.from_array(amodal), Mask.from_array(inmodal))
    dataset = Dataset.from_scenes([Scene(Image(1, "1.png", 7, 9), (instance,))], {1: "car"})
    dataset.save(tmp_path / "out.json", format=name, polygons=True)
    (row,) = json.loads((tmp_path / "out.json").read_text())["annotations"]
    for field, kind, pixels in zip(FIELDS[name], ("amodal", "inmodal"), (amodal, inmodal), strict=True):
        if kind not in POLYGONS[name]:
            assert (oracle.decode(row[field]).astype(bool) == pixels).all()
        elif pixels.any():
            assert (filled(row[field], 7, 9) == pixels).all()
        else:
            assert row[field] == []
    again = kins.load(tmp_path / "out.json", format=name)[1][0]
    assert (again.amodal.to_array() == amodal).all()
    assert (again.inmodal.to_array() == inmodal).all()


def test_polygons_of_a_file_and_crowds_stay(tmp_path):
    polygons = [[1.5, 1, 6, 1.25, 6, 5]]
    drawn, runs = Mask.from_polygons(polygons, 8, 8), Mask.from_box((0, 0, 3, 3), 8, 8)
    made = (Instance(1, 1, "car", drawn, drawn), Instance(2, 1, "car", runs, runs, crowd=True))
    dataset = Dataset.from_scenes([Scene(Image(1, "1.png", 8, 8), made)], {1: "car"})
    dataset.save(tmp_path / "out.json", polygons=True)
    rows = json.loads((tmp_path / "out.json").read_text())["annotations"]
    assert rows[0]["a_segm"] == polygons
    assert set(rows[1]["a_segm"]) == {"size", "counts"}


@pytest.mark.parametrize(("name", "options"), [("coco", {"masks": "inmodal"}), ("cocoa", {})])
def test_formats_with_one_outlined_mask(tmp_path, name, options):
    dataset = write_shapes(tmp_path, 2)
    dataset.save(tmp_path / "out.json", format=name, polygons=True, **options)
    rows = json.loads((tmp_path / "out.json").read_text())["annotations"]
    regions = [region for row in rows for region in row.get("regions", [row])]
    assert regions
    assert all(isinstance(region["segmentation"], list) for region in regions)
    again = kins.load(tmp_path / "out.json", **options)
    kind = options.get("masks", "amodal")
    assert [getattr(i, kind) for s in again for i in s] == [getattr(i, kind) for s in dataset for i in s]


def test_predictions_hold_run_lengths(tmp_path):
    with pytest.raises(KinsError, match="has run lengths; polygons are for kins2020"):
        write_shapes(tmp_path, 1).save(tmp_path / "out.json", format="predictions", polygons=True)
