"""Measures of shape, statistics and their tables and plots."""

from __future__ import annotations

import json
import math
from pathlib import Path
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import Delaunay, QhullError
from typer.testing import CliRunner

import kins
from kins.commands.cli import app
from kins.masks import Mask, shape, spans
from kins.masks.shape import convexity, perimeter, simplicity
from kins.records import Dataset, Image, Instance, Scene
from kins.statistics import distinct_names, statistics

ROWS, COLUMNS = np.mgrid[:200, :240]


def rotated(degrees: float, width: float, height: float) -> npt.NDArray[np.bool_]:
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    along = (COLUMNS - 119.5) * cos + (ROWS - 99.5) * sin
    across = (ROWS - 99.5) * cos - (COLUMNS - 119.5) * sin
    return (abs(along) < width / 2) & (abs(across) < height / 2)


@pytest.mark.parametrize("radius", [10, 30, 80])
def test_disc_has_convexity_and_simplicity_1(radius: int) -> None:
    disc = Mask.from_array(radius**2 >= (COLUMNS - 120) ** 2 + (ROWS - 100) ** 2)
    assert convexity(disc) == 1
    assert simplicity(disc) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("degrees", [0, 10, 20, 26.6, 30, 45, 60, 90])
def test_rectangles_in_every_direction(degrees: float) -> None:
    mask = Mask.from_array(rotated(degrees, 140, 60))
    assert perimeter(mask) == pytest.approx(400, rel=0.025)
    assert simplicity(mask) == pytest.approx(math.sqrt(4 * math.pi * 8400) / 400, rel=0.025)
    assert convexity(mask) > 0.995


def test_a_notch_lowers_both() -> None:
    whole = rotated(0, 100, 60)
    notched = whole & ~((COLUMNS > 110) & (COLUMNS < 130) & (ROWS > 90))
    mask = Mask.from_array(notched)
    assert convexity(mask) == pytest.approx(notched.sum() / whole.sum())
    assert simplicity(mask) < 0.8 * simplicity(Mask.from_array(whole))


def test_empty_masks_have_no_shape() -> None:
    assert math.isnan(convexity(Mask.empty(4, 5)))
    assert math.isnan(simplicity(Mask.empty(4, 5)))
    assert perimeter(Mask.empty(4, 5)) == 0


@settings(max_examples=150, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_convexity_counts_the_pixels_of_the_hull(array: npt.NDArray[np.bool_]) -> None:
    points = np.argwhere(array)
    if not len(points):
        return
    value = convexity(Mask.from_array(array))
    try:
        inside = (Delaunay(points).find_simplex(np.argwhere(np.ones_like(array)), tol=1e-9) >= 0).sum()
    except (QhullError, ValueError):  # on a line
        first, last = points[0], points[-1]
        inside = math.gcd(*(last - first).tolist()) + 1
    assert value == pytest.approx(len(points) / inside)


@settings(max_examples=150, deadline=None)
@given(arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_perimeter_counts_crossings(array: npt.NDArray[np.bool_]) -> None:
    """Against the definition on padded arrays: pixels that leave the mask with each step."""
    padded = np.pad(array, 2)
    weights = {(1, 0): math.atan(0.5), (2, 1): math.pi / 8, (1, 1): (math.pi / 2 - 2 * math.atan(0.5)) / 2}
    total = 0.0
    for x, y in ((1, 0), (0, 1), (1, 1), (1, -1), (2, 1), (2, -1), (1, 2), (1, -2)):
        left = (padded & ~np.roll(padded, (y, x), (0, 1))).sum()
        total += weights[max(x, abs(y)), min(x, abs(y))] * left / math.hypot(x, y)
    assert perimeter(Mask.from_array(array)) == pytest.approx(total)


@pytest.mark.parametrize("together", [1, 40, 10**6])
@settings(max_examples=40, deadline=None)
@given(stack=arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 9), st.integers(1, 9))))
def test_masks_measured_together_are_measured_as_each_alone(stack: npt.NDArray[np.bool_], together: int) -> None:
    masks = [Mask.from_array(array) for array in stack]
    with mock.patch.object(shape, "TOGETHER", together):
        found = shape.forms(spans(masks)[0], *stack.shape[1:])
    np.testing.assert_array_equal(found, [(convexity(mask), simplicity(mask)) for mask in masks])


def make_dataset() -> Dataset:
    """Two images: a row of three cars and a person apart; one without anything; and a person alone."""

    def box(x: int, width: int, height: int = 60) -> npt.NDArray[np.bool_]:
        return (x <= COLUMNS) & (x + width > COLUMNS) & (ROWS >= 100) & (100 + height > ROWS)

    first, second, third, person = box(0, 60), box(54, 60), box(84, 60), box(200, 20, 30)
    masks = [
        (first, first, 1),
        (second, second & ~first, 1),  # 10 % hidden
        (third, third & ~second, 1),  # 50 % hidden
        (person, person, 2),
    ]
    categories = {1: "car", 2: "person", 3: "tram"}
    instances = tuple(
        Instance(k, category, categories[category], Mask.from_array(amodal), Mask.from_array(inmodal))
        for k, (amodal, inmodal, category) in enumerate(masks, 1)
    )
    scenes = [
        Scene(Image(1, "1.png", 200, 240), instances),
        Scene(Image(2, "2.png", 200, 240)),
        Scene(Image(3, "3.png", 200, 240), (instances[3].replace(id=5),)),
    ]
    return Dataset.from_scenes(scenes, categories)


def test_statistics_by_hand() -> None:
    found = statistics(make_dataset(), "mine").as_json()
    assert (found["images"], found["images_without_instances"], found["instances"]) == (3, 1, 5)
    assert found["instances_per_image_histogram"] == {"0": 1, "1": 1, "4": 1}
    assert found["levels"] == {"none": 3, "partial": 1, "heavy": 1}
    assert (found["occluded"], found["occluded_share"], found["mean_rate_of_occluded"]) == (1, 0.2, 0.5)
    assert found["classes"]["car"]["levels"] == {"none": 1, "partial": 1, "heavy": 1}
    assert found["classes"]["car"]["occluded"] == 1
    assert found["classes"]["tram"]["instances"] == 0
    assert (found["clusters"], found["cluster_sizes"]) == (3, {"1": 2, "3": 1})
    assert found["longest_order_per_cluster"] == {"0": 2, "2": 1}
    assert (found["cycles_broken"], found["pairs_hiding_parts_of_each_other"]) == (0, 0)
    assert found["sizes"] == {"small": 2, "medium": 3, "large": 0}
    assert (found["area"]["50%"], found["width"]["max"], found["height"]["mean"]) == (3600, 60, 48)
    assert found["convexity"] == {"amodal": 1, "inmodal": 1}
    shape = found["simplicity_of_occluded"]
    assert shape["inmodal"] < shape["amodal"] == pytest.approx(math.sqrt(math.pi) / 2, abs=0.02)
    json.dumps(found, allow_nan=False)


def test_data_set_with_one_kind_of_masks_has_no_occlusion(tmp_path: Path) -> None:
    path = tmp_path / "coco.json"
    make_dataset().save(path, format="coco", masks="inmodal")
    found = statistics(kins.load(path, masks="inmodal")).as_json()
    assert found["instances"] == 5
    assert found["levels"] is found["occluded"] is found["clusters"] is None
    assert found["convexity"] == {"amodal": None, "inmodal": 1}
    assert found["area"]["max"] == 3600
    json.dumps(found, allow_nan=False)


def test_command_puts_files_side_by_side(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    paths = [str(tmp_path / "a.json"), str(tmp_path / "other" / "a.json")]
    make_dataset().save(paths[0])
    make_dataset().select([1]).save(paths[1])
    plots = tmp_path / "plots"
    result = CliRunner().invoke(app, ["stats", *paths, "--plots", str(plots)])
    assert result.exit_code == 0, result.output
    assert "other/a.json" in result.stdout
    for heading in ("Instances per class", "Occlusion levels", "rate > 0.15", "Clusters by longest order", "convexity"):
        assert heading in result.stdout
    made = sorted(path.name for path in plots.iterdir())
    assert len(made) == 16
    assert all(path.stat().st_size > 2000 for path in plots.iterdir())
    result = CliRunner().invoke(app, ["stats", *paths, "--json", "--no-shapes"])
    found = json.loads(result.stdout)["files"]
    assert [one["instances"] for one in found] == [5, 4]
    assert found[0]["convexity"] is None


def test_empty_file_has_statistics_too(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    Dataset.from_scenes([Scene(Image(1, "1.png", 20, 24))], {1: "car"}).save(path)
    result = CliRunner().invoke(app, ["stats", str(path), "--from", "kins2020", "--plots", str(tmp_path / "plots")])
    assert result.exit_code == 0, result.output


def test_names_tell_files_apart() -> None:
    assert distinct_names([Path("a/x.json"), Path("b/y.json")]) == ["x.json", "y.json"]
    assert distinct_names([Path("a/x.json"), Path("b/x.json")]) == ["a/x.json", "b/x.json"]
    assert len(distinct_names([Path("x.json"), Path("x.json")])) == 2


def test_real_amodal_masks_are_simpler_and_more_convex(samples: Path) -> None:
    """What Zhu et al. found."""
    found = statistics(kins.load(samples / "2.json", images=samples)).as_json()
    for measure in ("convexity_of_occluded", "simplicity_of_occluded"):
        assert found[measure]["amodal"] > found[measure]["inmodal"]
