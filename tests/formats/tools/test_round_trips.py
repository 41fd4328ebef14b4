"""Files written for correction and read again without a change: nothing changes."""

import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.formats.tools.scenes import datasets, hidden_pixels, masks, relations

import kins
from kins.files import made_by_kins
from kins.formats.tools import TOOLS

FORMATS = sorted(TOOLS)
ROOMY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)


def rows(dataset):
    return [(s.image, [(i.id, i.category_id, i.category, i.order, i.cluster, i.extra) for i in s]) for s in dataset]


@ROOMY
@given(dataset=datasets(), archive=st.booleans(), traced=st.booleans())
@pytest.mark.parametrize("format", FORMATS)
def test_written_and_read_again(tmp_path, format, dataset, archive, traced):
    shutil.rmtree(tmp_path)
    out = tmp_path / ("out.zip" if archive else "out")
    dataset.save(out, format=format, polygons=traced)
    for path in kins.formats.outputs(dataset, out, format):
        assert made_by_kins(path)
    if not any(len(scene) for scene in dataset):
        return
    again = kins.load(out)
    assert masks(again) == masks(dataset)
    assert hidden_pixels(again) == hidden_pixels(dataset)
    assert relations(again) == relations(dataset)
    assert again.left_out == ()
    second = tmp_path / "second"
    again.save(second, format=format)
    third = kins.load(second)
    assert rows(third) == rows(again)
    assert masks(third) == masks(again)
