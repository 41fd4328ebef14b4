"""Runs of no pixels, which some tools write, change nothing: neither a mask nor anything that is computed with it."""

import json

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as oracle
from tests.helpers import touch

import kins
from kins.evaluation import evaluate
from kins.masks import Mask, hull, intersections, ious, rasterise, spans, union
from kins.masks.shape import convexity, perimeter, simplicity
from kins.masks.trace import trace
from kins.occlusion import occlusion
from kins.records import Image, Instance, Scene

SIZE = (7, 9)
FORMS = ("list", "text", "Python", "raw", "raw list", "together")


@st.composite
def runs(draw):
    """Run lengths of a random mask, and the same with some of no pixels in between."""
    array = draw(arrays(bool, SIZE))
    plain = Mask.from_array(array).runs.tolist()
    for at in sorted(draw(st.lists(st.integers(0, len(plain)), min_size=1, max_size=4)), reverse=True):
        if at == len(plain):
            padded = [*plain, 0]
        elif plain[at] > 1 and draw(st.booleans()):
            part = draw(st.integers(1, plain[at] - 1))
            padded = [*plain[:at], part, 0, plain[at] - part, *plain[at + 1 :]]
        else:
            padded = [*plain[:at], 0, 0, *plain[at:]]
        plain = padded
    return array, plain


def read(counts, form):
    height, width = SIZE
    packed = oracle.frPyObjects({"size": list(SIZE), "counts": counts}, height, width)["counts"].decode()
    rle = {"size": list(SIZE), "counts": counts if "list" in form else packed}
    if form in ("list", "text"):
        return Mask.from_rle(rle)
    if form == "Python":
        return Mask.from_segmentation(rle, height, width)
    mask = Mask.from_segmentation(msgspec.Raw(json.dumps(rle).encode()), height, width)
    if form == "together":
        rasterise([mask])
    return mask


def facts(a, b):
    """All that can be asked about two masks."""
    height, width = SIZE
    masks = [a, b, ~a, a & b, a | b, a - b, a.mirrored(), a.cropped(1, 2, 5, 4), union([a, b], height, width), hull(a)]
    values = [value for mask in masks for value in (mask.rle, mask.area, mask.box, mask.runs.tolist())]
    values += [m.segments.tolist() for m in masks] + [np.stack(m.intervals).tolist() for m in masks]
    values += [m.to_array().tolist() for m in masks] + [trace(m) for m in masks]
    values += [str(measure(m)) for m in (a, b) for measure in (convexity, simplicity, perimeter)]
    values += [a == b, a.iou(b), intersections([a], [b, a]).tolist(), ious([a, b], [b]).tolist(), touch(a, b)]
    table, areas, boxes = spans([a, None, b])
    return [*values, *(array.tolist() for array in (table.places, table.start, table.stop, areas, boxes))]


@given(runs(), runs(), st.sampled_from(FORMS))
def test_every_function_gives_the_same(first, second, form):
    plain = facts(*(Mask.from_array(array) for array, _ in (first, second)))
    assert facts(*(read(counts, form) for _, counts in (first, second))) == plain


def scene(*masks):
    instances = [Instance(n + 1, 1, "car", m, m, amodal_area=m.area, inmodal_area=m.area) for n, m in enumerate(masks)]
    return Scene(Image(1, "a.png", masks[0].height, masks[0].width), tuple(instances))


@given(st.lists(runs(), min_size=1, max_size=4), st.sampled_from(FORMS))
def test_occlusion_and_evaluation_give_the_same(values, form):
    results = []
    for masks in ([Mask.from_array(array) for array, _ in values], [read(counts, form) for _, counts in values]):
        truth = scene(*masks)
        found = truth.replace(instances=tuple(i.replace(score=0.5, inmodal=i.amodal & masks[0]) for i in truth))
        hiding = occlusion(found.replace(instances=tuple(i.replace(score=None) for i in found)))
        sets = [kins.Dataset.from_scenes([part], {1: "car"}) for part in (truth, found)]
        value = evaluate(*sets).to_dict()
        results.append((hiding.edges, hiding.clusters.tolist(), hiding.order.tolist(), str(hiding.rates), value))
    assert results[0] == results[1]


@pytest.mark.parametrize("counts", [[53, 2, 113], [46, 0, 7, 2, 113]])
def test_two_files_of_equal_pixels_have_the_same_clusters(counts):
    masks = [Mask.from_rle({"size": [12, 14], "counts": c}) for c in (counts, [43, 3, 122])]
    assert occlusion(scene(*masks)).clusters.tolist() == [0, 1]


def test_no_run_of_no_pixels_is_left():
    mask = Mask.from_rle({"size": [2, 3], "counts": [1, 0, 0, 2, 0, 0, 3, 0]})
    assert mask.runs.tolist() == [1, 2, 3]
    assert (~mask).runs.tolist() == [0, 1, 2, 3]
