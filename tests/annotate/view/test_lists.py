"""Lists of cases and images against a plain computation with arrays of pixels."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
from tests.evaluation.workloads import CATEGORIES, workload

from kins import Dataset, KinsError, Scene
from kins.annotate.view.index import Index, index_of
from kins.annotate.view.lists import KINDS, SORTS, Query, listed, listed_images
from kins.annotate.view.told import told_cases, told_image, what_is_open
from kins.evaluation import analyse, evaluate
from kins.evaluation.cases import OUTCOMES
from kins.masks import Mask

NEAR = 0.1


@pytest.fixture(scope="module")
def data() -> tuple[Dataset, Dataset]:
    truth, found = workload(3, images=20)
    return truth, Dataset.from_scenes([spoiled(scene) for scene in found], found.categories)


def spoiled(scene: Scene) -> Scene:
    """Some detections without their hidden parts, and some moved away."""
    changed = []
    for k, i in enumerate(scene):
        if k % 4 == 0:
            i = i.replace(amodal=i.inmodal)
        elif k % 4 == 1:
            far = int(i.amodal.box[2] / 2 if k % 8 == 1 else 40)
            i = i.replace(
                **{n: Mask.from_array(np.roll(getattr(i, n).to_array(), far, 1)) for n in ("amodal", "inmodal")}
            )
        changed.append(i)
    return scene.replace(instances=tuple(changed))


@pytest.fixture(scope="module")
def index(data: tuple[Dataset, Dataset]) -> Index:
    return index_of(data[0], [("one/a.json", data[1]), ("two/b.json", data[0].map(perfect))], workers=1)


def perfect(scene: Scene) -> Scene:
    return scene.replace(instances=tuple(i.replace(score=0.9) for i in scene))


def iou(first: Mask, second: Mask) -> float:
    a, b = first.to_array(), second.to_array()
    return float((a & b).sum() / max((a | b).sum(), 1))


class Plain:
    """One image, with loops."""

    def __init__(self, truth: Scene, found: Scene, threshold: float, score: float) -> None:
        self.truth, self.found = truth, found
        self.whole = np.array([[iou(d.amodal, t.amodal) for t in truth] for d in found]).reshape(len(found), len(truth))
        self.seen = np.array([[iou(d.inmodal, t.inmodal) for t in truth] for d in found]).reshape(self.whole.shape)
        self.matched = self._matched(threshold)
        told = [self._told(d, threshold) for d in range(len(found))]
        sure = [d for d in self.ranked() if found[d].score >= score]
        stands: dict[int, int] = {self.matched[d]: d for d in sure if d in self.matched}
        for d in sure:
            kind, aim = told[d]
            if kind in ("extent", "class", "place") and aim not in stands:
                stands[aim] = d
        self.cases = {}
        for t in range(len(truth)):
            d = stands.get(t)
            kind = "missed" if d is None else "right" if d in self.matched else told[d][0]
            self.cases[t, d, True] = kind
        for d in sure:
            if d not in self.matched and d not in stands.values():
                self.cases[told[d][1], d, False] = told[d][0]

    def ranked(self) -> list[int]:
        return sorted(range(len(self.found)), key=lambda d: -self.found[d].score)

    def _same(self, d: int) -> np.ndarray:
        return np.array([t.category_id == self.found[d].category_id for t in self.truth], bool)

    def _matched(self, threshold: float) -> dict[int, int]:
        taken: dict[int, int] = {}
        for d in self.ranked():
            free = [t for t in np.flatnonzero(self._same(d)) if t not in taken.values()]
            best = max(free, key=lambda t: self.whole[d, t], default=None)
            if best is not None and self.whole[d, best] >= threshold:
                taken[d] = int(best)
        return taken

    def _told(self, d: int, threshold: float) -> tuple[str, int | None]:
        same, whole = self._same(d), self.whole[d]

        def nearest(values: np.ndarray, which: np.ndarray) -> tuple[float, int | None]:
            places = [t for t in np.flatnonzero(which) if whole[t] >= NEAR]
            best = max(places, key=lambda t: values[t], default=None)
            return (-1.0, None) if best is None else (float(values[best]), int(best))

        mine, other, seen = nearest(whole, same), nearest(whole, ~same), nearest(self.seen[d], same)
        partly = seen[1] is not None and self.truth[seen[1]].occlusion_rate > 0
        for kind, holds, aim in (
            ("duplicate", mine[0] >= threshold, mine[1]),
            ("extent", seen[0] >= threshold and partly, seen[1]),
            ("class", other[0] >= threshold, other[1]),
            ("place", mine[0] >= NEAR, mine[1]),
            ("both", other[0] >= NEAR, other[1]),
        ):
            if holds:
                return kind, aim
        return "background", None


def plain(data: tuple[Dataset, Dataset], query: Query) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The cases of a query with what decides about their place."""
    kept = {}
    for place, key in enumerate(sorted(data[0].images)):
        one = Plain(data[0][key], data[1][key], query.iou, query.score)
        for (t, d, own), kind in one.cases.items():
            thing = one.truth[t] if own else one.found[d]
            detection = None if d is None else one.found[d]
            rate, area = thing.occlusion_rate, thing.amodal.area
            level = "none" if rate < 0.01 else "partial" if rate <= 0.25 else "heavy"
            size = "small" if area <= 32**2 else "medium" if area <= 96**2 else "large"
            shared = one.whole[d, t] if d is not None and t is not None else np.nan
            bad = 1.0 if d is None else 1 - shared if own else detection.score
            fits = [
                not query.kind or kind == query.kind or (query.kind == "wrong" and kind != "right"),
                not query.category or CATEGORIES[thing.category_id] == query.category,
                not query.taken or (detection is not None and CATEGORIES[detection.category_id] == query.taken),
                not query.level or level == query.level,
                not query.size or size == query.size,
                query.image is None or place == query.image,
                detection is None or detection.score <= query.most,
            ]
            if all(fits):
                kept[place, t, d, own, kind] = {"bad": bad, "area": area, "rate": rate, "iou": shared}
    return kept


def keys(index: Index, query: Query) -> list[tuple[Any, ...]]:
    """The cases of a list in its sequence, as `plain` names them."""
    found = listed(index, query)
    told = told_cases(index, index.run(query.run), found, 0, 10**6)["cases"]
    return [(c["image"], c["object"], c["detection"], c["own"], c["kind"]) for c in told]


QUERIES = [
    Query(),
    Query(score=0.0, iou=0.75),
    *(Query(kind=kind, score=0.2) for kind in (*OUTCOMES, "wrong")),
    Query(category="car", level="heavy", score=0.3),
    Query(taken="van", size="small", score=0.1, most=0.8),
    Query(image=3, score=0.0, sort="best"),
    Query(kind="wrong", sort="large"),
    Query(kind="right", sort="amodal"),
    Query(sort="hidden-most", level="partial"),
]


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_a_list_has_what_a_plain_computation_finds(index: Index, data: tuple[Dataset, Dataset], query: Query) -> None:
    expected, found = plain(data, query), keys(index, query)
    assert sorted(found, key=str) == sorted(expected, key=str)
    measure = {
        "worst": lambda case: -case["bad"],
        "best": lambda case: case["bad"],
        "large": lambda case: -case["area"],
        "hidden-most": lambda case: -case["rate"],
        "amodal": lambda case: case["iou"],
    }[query.sort]
    values = [(round(measure(expected[key]), 9), -expected[key]["area"]) for key in found]
    assert values == sorted(values)


def test_every_outcome_occurs_and_the_numbers_beside_the_kinds_are_those_of_the_lists(index: Index) -> None:
    numbers = listed(index, Query(score=0.1)).kinds
    assert not [kind for kind in KINDS if not numbers[kind]]
    for kind in KINDS:
        assert listed(index, Query(kind=kind, score=0.1)).rows.size == numbers[kind]
    assert numbers["wrong"] + numbers["right"] == numbers[""]


def test_pages_are_parts_of_the_list_and_every_sequence_has_all(index: Index) -> None:
    run = index.run("a")
    everything = set(listed(index, Query()).rows.tolist())
    assert all(set(listed(index, Query(sort=sort)).rows.tolist()) == everything for sort in SORTS)
    found = listed(index, Query(kind="wrong", sort="hidden"))
    whole = told_cases(index, run, found, 0, 30)["cases"]
    parts = [told_cases(index, run, found, start, 15)["cases"] for start in (0, 15)]
    assert [case for part in parts for case in part] == whole
    assert [case["at"] for case in whole] == list(range(30))


def test_the_report_counts_what_the_lists_have(index: Index, data: tuple[Dataset, Dataset]) -> None:
    analysis = analyse(*data, evaluate(*data))
    assert analysis is not None
    for group, word in (("all", ""), ("class", "category"), ("size", "size"), ("level", "level")):
        for name, row in analysis.outcomes[group].items():
            narrowed = Query(**{word: name} if word else {})
            counts = listed(index, dataclasses.replace(narrowed, of="objects")).kinds
            assert {kind: row[kind] for kind in ("right", "class", "extent", "place", "missed")} == {
                kind: number
                for kind, number in counts.items()
                if kind in ("right", "class", "extent", "place", "missed")
            }
            extra = listed(index, dataclasses.replace(narrowed, of="detections")).kinds
            assert (row["objects"], row["extra"]) == (counts[""], extra[""])
            assert (row["background"], row["duplicate"]) == (extra["background"], extra["duplicate"])
            low = dataclasses.replace(narrowed, kind="right", score=0.0, most=math.nextafter(0.5, 0))
            assert row["low"] == listed(index, low).rows.size
            assert row["others"] == extra["class"] + extra["extent"] + extra["place"] + extra["both"]
    for name, row in analysis.taken.items():
        for other, count in row.items():
            assert listed(index, Query(kind="class", category=name, taken=other)).rows.size == count
    matched = listed(index, Query(kind="right", score=0.0))
    shared = matched.iou[:, matched.rows]
    shared[3, matched.cases.rate[matched.rows] < 0.01] = np.nan
    for kind, values in zip(("box", "amodal", "inmodal", "hidden"), shared, strict=True):
        assert analysis.found["all"]["all"][kind] == pytest.approx(100 * np.nanmean(values))
    assert analysis.found["all"]["all"]["pairs"] == matched.rows.size


def test_images_are_sorted_by_quality_or_by_what_the_list_has(index: Index, data: tuple[Dataset, Dataset]) -> None:
    all_images = listed_images(index, Query())
    quality = all_images.quality[all_images.rows]
    known = quality[~np.isnan(quality)]
    assert all_images.rows.size == len(data[0])
    assert (np.diff(known) >= 0).all()
    assert not np.isnan(quality[: known.size]).any()
    missed = listed_images(index, Query(kind="missed"))
    counts = missed.inside[missed.rows].tolist()
    assert counts == sorted(counts, reverse=True)
    assert min(counts) > 0
    assert sum(counts) == listed(index, Query(kind="missed")).rows.size


def test_perfect_predictions_have_nothing_wrong(index: Index) -> None:
    assert listed(index, Query(run="b", kind="wrong", score=0.0)).rows.size == 0
    assert listed(index, Query(run="b", kind="order", score=0.0)).rows.size == 0
    with pytest.raises(KinsError, match="no predictions 'c' are open; there are a, b"):
        listed(index, Query(run="c"))


def test_an_image_has_its_objects_with_exact_outlines(index: Index, data: tuple[Dataset, Dataset]) -> None:
    at = int(listed(index, Query(kind="extent", score=0.1)).cases.image[0])
    told = told_image(index, at, Query(score=0.0))
    truth, found = data[0][index.images[at].id], data[1][index.images[at].id]
    assert len(told["runs"][0]["detections"]) == len(found)
    for one, instance in zip(told["truth"], truth, strict=True):
        assert filled(one["masks"]["whole"], instance.amodal) == instance.amodal.area
        assert filled(one["masks"]["hidden"], instance.hidden) == instance.hidden.area
    for one in told["runs"][0]["detections"]:
        instance = found[one["detection"]]
        assert filled(one["masks"]["seen"], instance.inmodal) == instance.inmodal.area


def filled(rings: list[dict[str, Any]], expected: Mask) -> int:
    """Pixels inside of outlines and not of holes, which must be those of a mask."""
    if not rings:
        return 0
    shape = expected.height, expected.width
    total = np.zeros(shape, bool)
    for hole in (False, True):
        polygons = [[v / 100 for v in ring["points"]] for ring in rings if ring["hole"] == hole]
        inside = Mask.from_polygons(polygons, *shape).to_array() if polygons else np.zeros(shape, bool)
        total = total & ~inside if hole else total | inside
    assert np.array_equal(total, expected.to_array())
    return int(total.sum())


def test_pairs_are_those_of_the_order_figures(index: Index, data: tuple[Dataset, Dataset]) -> None:
    figures = evaluate(*data).order
    told = told_cases(index, index.run("a"), listed(index, Query(kind="pairs", score=0.0)), 0, 200)["cases"]
    assert len(told) == figures["pairs"]
    said = [case["front"]["said"] for case in told]
    assert 100 * said.count("right") / len(said) == pytest.approx(figures["accuracy"])
    assert {"right", "neither"} <= set(said) <= {"right", "reversed", "neither"}
    for case in told:
        truth = data[0][index.images[case["image"]].id]
        front, behind = truth[case["front"]["object"]], truth[case["object"]]
        assert (front.inmodal & behind.hidden).area > (behind.inmodal & front.hidden).area
        assert all(case["front"]["masks"])
    wrong = told_cases(index, index.run("a"), listed(index, Query(kind="order", score=0.0)), 0, 200)["cases"]
    assert {"neither", "invented"} <= {case["front"]["said"] for case in wrong} <= {"reversed", "neither", "invented"}


def test_a_missed_object_says_which_detection_scored_too_low(index: Index) -> None:
    told = told_cases(index, index.run("a"), listed(index, Query(kind="missed")), 0, 200)["cases"]
    known = {
        (c["image"], c["object"]): c
        for c in told_cases(index, index.run("a"), listed(index, Query(score=0.0)), 0, 500)["cases"]
        if c["own"]
    }
    assert any(case["below"] for case in told)
    for case in told:
        same = known[case["image"], case["object"]]
        below = None if same["kind"] == "missed" else {"kind": same["kind"], "score": same["score"]}
        assert case["below"] == below
        assert below is None or below["score"] < 0.5


def test_annotations_alone_have_no_kinds(data: tuple[Dataset, Dataset]) -> None:
    index = index_of(data[0], [], workers=1)
    assert what_is_open(index)["runs"] == []
    found = listed(index, Query(sort="hidden-most", kind="missed"))
    told = told_cases(index, index.runs[0], found, 0, 1000)
    rates = [case["rate"] for case in told["cases"]]
    assert told["total"] == sum(map(len, data[0]))
    assert rates == sorted(rates, reverse=True)
    assert {case["kind"] for case in told["cases"]} == {""}


def test_visible_masks_alone_are_compared_as_they_are(data: tuple[Dataset, Dataset]) -> None:
    def seen(scene: Scene) -> Scene:
        return scene.replace(instances=tuple(i.replace(amodal=None, amodal_box=None) for i in scene))

    index = index_of(data[0].map(seen), [("a", data[0].map(perfect).map(seen))], workers=1)
    assert listed(index, Query(kind="wrong")).rows.size == 0
    assert told_image(index, 0, Query())["truth"][0]["rate"] is None
