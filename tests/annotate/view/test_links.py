"""Every cell of a report's tables, and of its confusion, leads to a list of just as many objects."""

import re
from collections import defaultdict
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient
from tests.evaluation.workloads import workload

from kins import Dataset, Instance, Mask
from kins.annotate.view.index import index_of
from kins.annotate.view.routes import Shelf, application
from kins.evaluation import SLICES, Slice, evaluate
from kins.evaluation.columns import KINDS
from kins.evaluation.report import write_report
from kins.evaluation.slices import parse_slices, slice_of, word_of

OWN = Slice("mine, <b>", 0.1, 0.55)
NO_OBJECTS = ("difference", "as TIDE")
"""Columns that are of no list."""


class Page(HTMLParser):
    """Cells of tables as (heading, names of row and column, text, words of the link), and links in charts."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[tuple[str, str, str, str, str]] = []
        self.charts: list[tuple[str, str]] = []
        self.heading = self.tag = self.text = self.words = ""
        self.head: list[str] = []
        self.row: list[str] = []
        self.drawing = self.small = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag in ("h2", "h3", "th", "td", "text"):
            self.tag, self.text = tag, ""
            self.words = "" if tag != "text" else self.words
        if tag == "text":
            self.small = "8px" in (given.get("style") or "")
        if tag == "table":
            self.head = []
        if tag == "tr":
            self.row = []
        if tag == "a":
            self.words = given.get("data-view") or ""
        if tag == "svg":
            self.drawing = True

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_endtag(self, tag: str) -> None:
        text = self.text.strip()
        if tag in ("h2", "h3") and not self.drawing:
            self.heading = text
        if tag == "th":
            self.head.append(text)
        if tag == "td":
            name = self.head[len(self.row)]
            self.row.append(text)
            self.cells.append((self.heading, " ".join(self.row[:1]), name, text, self.words))
        if tag == "text" and self.words and self.small:
            self.charts.append((text, self.words))
        if tag == "a":
            self.words = self.words if self.tag == "td" else ""
        if tag == "svg":
            self.drawing = False


def spoiled(seed: int) -> tuple[Dataset, Dataset]:
    """With crowds and ties; some detections lack their hidden part or lie elsewhere; two classes share a name."""
    truth, found = workload(seed, images=10, objects=10, ties=seed % 2 == 1, crowds=True)
    rng = np.random.default_rng(seed)

    def worse(i: Instance) -> Instance:
        what = rng.random()
        if what < 0.2:
            i = i.replace(amodal=i.inmodal)
        elif what < 0.5:
            far = int(rng.integers(3, 50))
            i = i.replace(**{kind: Mask.from_array(np.roll(getattr(i, kind).to_array(), far, 1)) for kind in KINDS[1:]})
        return i.replace(occlusion_score=None) if rng.random() < 0.2 else i

    scenes = [scene.replace(instances=tuple(map(worse, scene))) for scene in found]
    found = Dataset.from_scenes(scenes, found.categories)
    for side in (truth, found):
        side.categories = {**side.categories, 9: "car"}
    return truth, found


@pytest.fixture(scope="module", params=[2, 3])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Page, Any]:
    """A report of one run, or of two and of the classes with the most objects; and what answers its links."""
    truth, found = spoiled(request.param)
    runs = {"a/found.json": found}
    if request.param == 3:
        runs["b/found.json"] = found.filter(lambda i: i.score > 0.3)
    slices = (*SLICES, *parse_slices("cocoa,0.2-0.6"), OWN)
    with pytest.MonkeyPatch.context() as patched:
        if request.param == 3:
            patched.setenv("KINS_MAX_CLASSES", "2")
        results = {name: (part, evaluate(truth, part, slices)) for name, part in runs.items()}
        path = write_report(tmp_path_factory.mktemp("report"), truth, results, 1, samples=2)
    page = Page()
    page.feed(path.read_text())
    shelf = Shelf(index_of(truth, list(runs.items()), workers=1))
    client = TestClient(application(shelf, ["127.0.0.1"]), "http://127.0.0.1", cookies={shelf.cookie: shelf.session})
    return page, client


def listed(client: TestClient, words: str, count: int = 0) -> dict[str, Any]:
    answer = client.get(f"/api/v1/cases?{words}&count={count}")
    assert answer.status_code == 200, (words, answer.text)
    return answer.json()


def test_each_count_of_a_report_is_that_of_its_list(opened: tuple[Page, TestClient]) -> None:
    page, client = opened
    seen: dict[str, int] = defaultdict(int)
    for heading, row, column, text, words in page.cells:
        value = text.replace("\N{NO-BREAK SPACE}", "")
        if not column or column in NO_OBJECTS or not re.match(r"\d", value):
            continue
        if value == "0":
            assert not words, "nothing is there to look at"
            continue
        assert words, f"{heading}: {row}, {column} leads nowhere"
        total = listed(client, words)["total"]
        if value.isdigit():
            assert total == int(value), (heading, row, column, words)
            seen[column] += 1
    columns = {"objects", "right", "class", "extent", "place", "missed", "low score", "too many", "invented"}
    columns |= {"duplicate", "others", "found", "order wrong", "matched", "with hidden region", "occluded", "pairs"}
    assert columns == set(seen) or "run=" not in page.cells[-1][-1]
    assert sum(seen.values()) > 80


def test_each_count_of_the_confusion_is_that_of_its_list(opened: tuple[Page, TestClient]) -> None:
    page, client = opened
    assert len(page.charts) >= 10
    for text, words in page.charts:
        assert listed(client, words)["total"] == int(text.replace(",", "")), words
    assert {"missed", "background"} <= {
        case["kind"] for _, words in page.charts for case in listed(client, words, 1)["cases"]
    }


def test_each_mean_of_a_report_is_that_of_its_list(opened: tuple[Page, TestClient]) -> None:
    page, client = opened
    names = {"box": "box", "whole object": "amodal", "visible part": "inmodal", "hidden part": "hidden"}
    names |= {"amodal": "amodal", "inmodal": "inmodal"}
    names |= dict.fromkeys(("hidden", "hidden, partial", "hidden, heavy"), "hidden")
    means = [cell for cell in page.cells if cell[2] in names and cell[4]]
    assert len(means) > 30
    for heading, row, column, text, words in means:
        values = [case["iou"][names[column]] for case in listed(client, words, 200)["cases"]]
        mean = np.mean([value for value in values if value is not None])
        assert 100 * mean == pytest.approx(float(text), abs=0.06), (heading, row, column, words)


@pytest.mark.parametrize(
    "part", [*SLICES, *parse_slices("cocoa,0-0.3,0.2-0.6"), OWN, Slice("heavy", 0.5, 1.0)], ids=str
)
def test_a_word_names_the_very_slice(part: Slice) -> None:
    named = slice_of(word_of(part))
    assert (named.low, named.high) == (part.low, part.high)
