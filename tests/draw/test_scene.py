"""Pictures: pixels are where the masks are, labels cover neither each other nor the picture's edge."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Picture
from PIL import ImageDraw, ImageFont
from tests.helpers import box

from kins import Image, Instance, KinsError, Mask, Scene
from kins.draw.placing import Label, place_labels
from kins.draw.scene import COLORS, FONT_SIZE, _labels, _Part, colors_of, draw, side_by_side, write_picture


def box_mask(x, y, width, height, size=(120, 200)):
    return Mask.from_array(box(x, y, width, height, size))


def scene():
    """One object in front, at the left, of another, of which it hides the left 20 columns."""
    front, back = box_mask(20, 30, 60, 60), box_mask(60, 30, 90, 60)
    return Scene(
        Image(1, "1.png", 120, 200),
        (
            Instance(1, 1, "car", front, front, cluster=0, order=0),
            Instance(2, 1, "van", back, back - front, cluster=0, order=1),
        ),
    )


GREY = np.full((120, 200, 3), 100, np.uint8)


def plain(*what):
    return draw(scene(), what, image=GREY, scale=1, legend=False, labels=False)


def test_visible_parts_are_filled_and_nothing_else_is_touched():
    visible = scene()[0].inmodal | scene()[1].inmodal
    assert ((plain("inmodal") != 100).any(2) == visible.to_array()).all()
    whole = scene()[0].amodal | scene()[1].amodal
    assert ((plain("amodal", "inmodal", "hidden") != 100).any(2) <= whole.to_array()).all()


def test_what_is_hidden_looks_different_from_what_is_visible():
    picture = plain("inmodal", "hidden")
    hidden = scene()[1].hidden.to_array()
    differs = (picture != plain("inmodal")).any(2)
    assert not differs[~hidden].any()
    assert differs[hidden].mean() > 0.8, "all but the outline of the object in front"
    lines = (np.abs(picture.astype(int) - np.array(colors_of(scene())[1])).sum(2) < 40) & hidden
    assert 0.15 < lines.sum() / hidden.sum() < 0.6, "hatched: some pixels in the object's colour, not all"


def test_the_outline_of_the_whole_object_is_dashed_where_it_is_hidden():
    edge = np.zeros((120, 200), bool)
    edge[31:89, 60:62] = True  # the hidden left edge of the object behind
    share = (plain("amodal", "inmodal") != plain("inmodal")).any(2)[edge].mean()
    assert 0.2 < share < 0.8


@pytest.fixture
def placed(monkeypatch):
    """What `draw` places: (label, corner) pairs of the last picture."""
    found = []

    def watched(labels, owner):
        found[:] = place_labels(labels, owner)
        return found

    monkeypatch.setattr("kins.draw.scene.place_labels", watched)
    return found


def written(picture, label, corner, text):
    """Whether this text stands on a label, in ink that differs from the label's colour."""
    x, y = corner
    expected = Picture.new("L", picture.shape[1::-1])
    at = (x + label.number_width + 6, y + label.size[1] / 2)
    ImageDraw.Draw(expected).text(at, text, 255, ImageFont.load_default(FONT_SIZE), "lm")
    strokes = np.array(expected)
    paper = np.zeros(strokes.shape, bool)
    paper[y + 3 : y + label.size[1] - 3, x + label.number_width + 3 : x + label.size[0] - 3] = True
    ink, color = picture[strokes == 255], picture[paper & (strokes == 0)]
    return bool((ink == ink[0]).all() and (color == color[0]).all() and (ink[0] != color[0]).any())


def test_labels_name_class_and_order(placed):
    picture = draw(scene(), ("inmodal",), image=GREY, scale=1, legend=False)
    assert sorted((label.index, label.text, label.number) for label, _ in placed) == [(0, "car", ""), (1, "van", "")]
    for label, corner in placed:
        assert written(picture, label, corner, scene()[label.index].category)
        assert not written(picture, label, corner, "can")
    picture = draw(scene(), ("inmodal", "order"), image=GREY, scale=1, legend=False)
    assert sorted((label.index, label.text, label.number) for label, _ in placed) == [(0, "car", "0"), (1, "van", "1")]
    for label, corner in placed:
        assert written(picture, label, corner, scene()[label.index].category)
    detected = scene().replace(instances=tuple(i.replace(score=0.875) for i in scene()))
    draw(detected, image=GREY, scale=1)
    assert sorted(label.text for label, _ in placed) == ["car 88%", "van 88%"]


def test_more_instances_than_sixteen_bits_count():
    window = (slice(0, 1), slice(0, 1))
    part = _Part(scene()[0], COLORS[0], window, np.ones((1, 1), bool), np.ones((1, 1), bool))
    labels, owner = _labels([part] * 33_000, (2, 2), False, ImageFont.load_default(FONT_SIZE))
    assert labels[-1].index == owner[0, 0] == 32_999
    assert owner[1, 1] == -1


def test_size_scale_and_legend():
    assert draw(scene(), image=GREY).shape[1] == 200 * 8
    picture = draw(scene(), image=GREY, scale=2)
    assert picture.shape[1:] == (400, 3)
    assert picture.shape[0] == 240 + FONT_SIZE + 16
    assert picture.dtype == np.uint8
    assert GREY.min() == GREY.max() == 100, "the image given is not drawn on"


def test_what_there_is_when_a_mask_or_the_picture_is_missing():
    lone = None
    one = scene()[1]
    for instance in (
        one.replace(amodal=lone),
        one.replace(inmodal=lone),
        one.replace(amodal=Mask.empty(120, 200), inmodal=Mask.empty(120, 200)),
    ):
        assert draw(scene().replace(instances=(instance,)), scale=1).shape[1] == 200
    assert draw(scene().replace(instances=()), scale=1).shape[1] == 200


@st.composite
def tiny_scenes(draw):
    """Up to three thin or small masks, at borders too, of which some are hidden or empty."""
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    instances = []
    for k in range(draw(st.integers(1, 3))):
        x, y = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        columns, rows = draw(st.sampled_from([(1, 1), (1, height), (width, 1), (2, 1), (0, 0), (3, 3)]))
        amodal = box_mask(x, y, columns, rows, (height, width))
        seen = draw(st.sampled_from([amodal, Mask.empty(height, width), box_mask(x, y, 1, 1, (height, width))]))
        instances.append(Instance(k, 1, "car", amodal, seen, score=0.9, cluster=0, order=k))
    return Scene(Image(1, "1.png", height, width), tuple(instances))


def test_an_arrow_into_the_middle_of_what_it_crosses():
    """The hidden part lies around the visible one, so that both have the same middle."""
    ring = box_mask(49, 49, 5, 5) - box_mask(51, 51, 1, 1)
    instances = (
        Instance(1, 1, "car", ring, ring),
        Instance(2, 1, "van", box_mask(49, 49, 5, 5), box_mask(51, 51, 1, 1)),
    )
    pair = Scene(Image(1, "1.png", 120, 200), instances)
    assert (draw(pair, image=GREY, scale=1, arrows=True) != draw(pair, image=GREY, scale=1)).any()


@settings(deadline=None, max_examples=150)
@given(tiny_scenes(), st.sampled_from([None, 0.1, 0.3, 0.99, 1, 1.5, 2, 7.3]))
def test_tiny_masks_are_drawn_at_every_scale(tiny, scale):
    assert draw(tiny, scale=scale, arrows=True).shape[2] == 3
    if scale and scale >= 1:  # at smaller ones another one's pixels may lie over all of a mask
        for instance in tiny:
            for what, mask in (("inmodal", instance.inmodal), ("hidden", instance.hidden)):
                lone = tiny.replace(instances=(instance,))
                drawn = (draw(lone, [what], scale=scale, labels=False, legend=False) != 96).any()
                assert drawn or not mask


def test_bad_arguments(tmp_path):
    with pytest.raises(KinsError, match="can't draw depth"):
        draw(scene(), ["depth"])
    with pytest.raises(KinsError, match="shape"):
        draw(scene(), image=GREY[:10])
    for name in ("out", "out.txt", "out.svg"):
        with pytest.raises(KinsError, match="picture name"):
            write_picture(GREY, tmp_path / name)


def test_side_by_side():
    wide, tall = np.zeros((100, 300, 3), np.uint8), np.zeros((300, 200, 3), np.uint8)
    title = FONT_SIZE + 16
    assert side_by_side([wide, wide], ["truth", "prediction"]).shape == (2 * (100 + title), 300, 3)
    assert side_by_side([tall, tall], ["truth", "prediction"]).shape == (300 + title, 408, 3)
    with pytest.raises(KinsError, match="same size"):
        side_by_side([wide, tall], ["truth", "prediction"])


def test_neighbours_get_different_colours():
    row = tuple(Instance(k, 1, "car", box_mask(20 * k, 30, 30, 30), box_mask(20 * k, 30, 30, 30)) for k in range(8))
    chosen = colors_of(Scene(Image(1, "1.png", 120, 200), row))
    assert all(a != b for a, b in pairwise(chosen))
    assert len(set(COLORS)) == len(COLORS) == 7


def test_given_colours_stay_and_the_others_avoid_them():
    masks = [box_mask(5 + 60 * k, 20, 20, 20) for k in range(3)]
    row = tuple(Instance(k, 1, "car", mask, mask) for k, mask in enumerate(masks))
    lone = Scene(Image(1, "1.png", 120, 200), row)
    chosen = colors_of(lone, {0: COLORS[3], 2: COLORS[0]})
    assert chosen[::2] == [COLORS[3], COLORS[0]]
    assert chosen[1] not in chosen[::2]
    assert len(set(chosen)) == 3
    picture = draw(lone, image=GREY, scale=1, labels=False, colors=chosen)
    for mask, color in zip(masks, chosen, strict=True):
        assert (picture[:120][mask.to_array()] == color).all(1).any(), "the outline has the colour itself"
    with pytest.raises(KinsError, match="2 colors for 3 instances"):
        draw(lone, image=GREY, colors=chosen[:2])


def simulate(color, kind):
    """What a reader without one kind of cones sees (Viénot, Brettel and Mollon 1999), as linear RGB."""
    linear = (np.array(color) / 255) ** 2.2
    to_lms = np.array([[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.0299566, 0.184309, 1.46709]])
    loss = {
        "protan": np.array([[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]]),
        "deutan": np.array([[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]]),
    }[kind]
    return np.clip(np.linalg.inv(to_lms) @ loss @ to_lms @ linear, 0, 1) ** (1 / 2.2) * 255


@pytest.mark.parametrize("kind", ["protan", "deutan"])
def test_colours_can_be_told_apart_without_red_or_green_cones(kind):
    seen = [simulate(color, kind) for color in COLORS]
    distances = [np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i]]
    assert min(distances) > 25


@settings(deadline=None, max_examples=40)
@given(
    boxes=st.lists(
        st.tuples(
            st.integers(0, 560), st.integers(0, 170), st.integers(1, 80), st.integers(1, 60), st.integers(20, 130)
        ),
        max_size=40,
    )
)
def test_labels_never_cover_each_other_or_leave_the_picture(boxes):
    owner = np.full((240, 640), -1, np.int32)
    labels = []
    for index, (x, y, width, height, text_width) in enumerate(boxes):
        owner[y : y + height, x : x + width] = index
        anchor = (x + width // 2, y + height // 2)
        labels.append(Label(index, "car", "", 0, (text_width, 24), (x, y, x + width, y + height), anchor))
    placed = place_labels(labels, owner)
    rectangles = [(x, y, x + label.size[0], y + label.size[1]) for label, (x, y) in placed]
    for i, (x0, y0, x1, y1) in enumerate(rectangles):
        assert 0 <= x0 < x1 <= 640
        assert 0 <= y0 < y1 <= 240
        assert all(x1 <= a or c <= x0 or y1 <= b or d <= y0 for a, b, c, d in rectangles[:i])
    if len(boxes) <= 15:
        assert len(placed) == len(boxes)
