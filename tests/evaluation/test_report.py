"""The report, error shares, confusion and bootstrap intervals."""

import csv
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import hotcoco
import numpy as np
import pytest
from tests.evaluation.workloads import CATEGORIES, coco_truth, workload

from kins import Dataset, Image, Instance, KinsError, Mask, Scene
from kins.evaluation import Analysis, analyse, evaluate
from kins.evaluation.bootstrap import bootstrap, interval
from kins.evaluation.errors import ERRORS
from kins.evaluation.evaluator import matched_instances
from kins.evaluation.precision import RECALLS
from kins.evaluation.report import report_paths, write_report
from kins.evaluation.report.charts import bars_chart, confusion_chart, curves_chart
from kins.evaluation.report.papers import PaperTable, as_csv, as_latex, paper_tables
from kins.evaluation.report.pictures import draw_pair
from kins.files import check_output


def changed(dataset: Dataset, change) -> Dataset:  # type: ignore[no-untyped-def]
    """Perfect predictions but for `change`, which returns the instances that take the place of one."""

    def apply(scene: Scene) -> Scene:
        found = (item for i in scene for item in change(i.replace(score=0.9 - 0.001 * (i.id % 100))))
        return scene.replace(instances=tuple(found))

    return dataset.map(apply)


@pytest.fixture(scope="module")
def truth() -> Dataset:
    return workload(4, images=30)[0]


def analysed(truth: Dataset, found: Dataset) -> Analysis:
    analysis = analyse(truth, found, evaluate(truth, found))
    assert analysis is not None
    return analysis


def gains(truth: Dataset, found: Dataset) -> dict[str, dict[str, float]]:
    return analysed(truth, found).errors["0.5"]


def test_errors_of_one_kind_are_told_from_the_others(truth: Dataset) -> None:
    other = {2: 4, 4: 7, 7: 2}
    cases = {
        "missed": lambda i: [] if i.id % 3 == 0 else [i],
        "class": lambda i: [i.replace(category_id=other[i.category_id])] if i.id % 3 == 0 else [i],
    }
    for name, change in cases.items():
        shares = gains(truth, changed(truth, change))["all"]
        assert max(ERRORS, key=lambda error: shares[error]) == name
        assert shares["AP"] + shares[name] == pytest.approx(100, abs=4), "some hit another object by chance"


def test_duplicates(truth: Dataset) -> None:
    shares = gains(truth, changed(truth, lambda i: [i, i.replace(score=i.score - 0.0005)]))["all"]
    assert shares["AP"] < 100
    assert shares["AP"] + shares["duplicate"] == pytest.approx(100)


def test_hidden_parts_left_out_are_errors_of_extent(truth: Dataset) -> None:
    found = changed(truth, lambda i: [i.replace(amodal=i.inmodal) if i.occlusion_rate > 0.5 else i])
    table = gains(truth, found)
    assert table["none"]["AP"] == pytest.approx(100)
    assert table["heavy"]["AP"] < 100
    assert max(ERRORS, key=lambda error: table["heavy"][error]) == "extent"
    assert table["heavy"]["AP"] + table["heavy"]["extent"] == pytest.approx(100)


def test_objects_that_are_all_missed_are_the_whole_loss(truth: Dataset) -> None:
    """Of all classes, or of one: nothing is left that could be wrong once they are mended."""
    nothing = gains(truth, changed(truth, lambda i: []))["all"]
    assert nothing == {"AP": 0} | {name: 100 * (name == "missed") for name in ERRORS}
    no_cars = gains(truth, changed(truth, lambda i: [] if i.category == "car" else [i]))["all"]
    assert no_cars["AP"] == pytest.approx(200 / 3)
    assert no_cars["missed"] == pytest.approx(100 / 3)


def test_without_ground_truth_there_is_nothing_to_gain() -> None:
    dataset, found = workload(2, images=3)
    analysis = analysed(dataset.map(lambda scene: scene.replace(instances=())), found)
    assert np.isnan(list(analysis.errors["0.5"]["all"].values())).all()
    assert set(analysis.tide["0.5"].values()) == {0}


TIDE_NAMES = {
    "class": "Cls",
    "place": "Loc",
    "both": "Both",
    "duplicate": "Dupe",
    "background": "Bkg",
    "missed": "Miss",
}


@pytest.mark.parametrize("threshold", ["0.5", "0.75"])
@pytest.mark.parametrize("options", [{}, {"objects": 30, "images": 6}, {"scores": 0.4}])
def test_errors_as_tide_counts_them(monkeypatch: pytest.MonkeyPatch, threshold: str, options: dict[str, Any]) -> None:
    """Against another implementation, which reads precision at COCO's recalls."""
    monkeypatch.setattr("kins.evaluation.errors.TIDE_RECALLS", RECALLS)
    for seed in (0, 2, 4):
        dataset, found = workload(seed, **options)
        truth = coco_truth(dataset, "amodal").dataset
        results = [
            {
                "image_id": scene.image.id,
                "category_id": item.category_id,
                "score": item.score,
                "segmentation": item.amodal.rle,
            }
            for scene in found
            for item in scene
        ]
        coco = hotcoco.COCO(json.loads(json.dumps(truth, default=bytes.decode)))
        oracle = hotcoco.COCOeval(coco, coco.loadRes(json.loads(json.dumps(results, default=bytes.decode))), "segm")
        oracle.evaluate()
        expected = oracle.tide_errors(pos_thr=float(threshold), bg_thr=0.1)
        shares = analysed(dataset, found).tide[threshold]
        assert shares["AP"] == pytest.approx(100 * expected["ap_base"])
        assert {name: shares[name] for name in TIDE_NAMES} == pytest.approx(
            {name: 100 * expected["delta_ap"][theirs] for name, theirs in TIDE_NAMES.items()}
        )
        assert shares["place"] + shares["missed"] > 1


def test_tide_mends_one_detection_for_an_object() -> None:
    """Of a wrong class and a wrong place, which want the same object, only the better-scored one counts."""
    image = Image(1, "1.png", 40, 40)
    square = Mask.from_box((0, 0, 20, 20), 40, 40)
    half = Mask.from_box((0, 0, 20, 6), 40, 40)
    rest = Mask.from_box((30, 30, 5, 5), 40, 40)
    truth = [Instance(1, 2, "pedestrian", square, square), Instance(2, 4, "car", rest, rest)]
    found = [
        Instance(1, 4, "car", square, square, score=0.9),
        Instance(2, 2, "pedestrian", half, half, score=0.5),
        Instance(3, 4, "car", rest, rest, score=0.3),
    ]
    datasets = [
        Dataset.from_scenes([Scene(image, tuple(side))], {2: "pedestrian", 4: "car"}) for side in (truth, found)
    ]
    analysis = analysed(datasets[0], datasets[1])
    ours, theirs = analysis.errors["0.5"]["all"], analysis.tide["0.5"]
    assert ours["AP"] == theirs["AP"] == pytest.approx(25)
    assert ours["class"] == theirs["class"] == pytest.approx(75)
    assert ours["place"] == pytest.approx(50)
    assert theirs["place"] == 0


def test_base_of_the_error_table_is_ap50() -> None:
    dataset, predictions = workload(1, ties=True)
    results = evaluate(dataset, predictions)
    table = analyse(dataset, predictions, results).errors
    assert table["0.5"]["all"]["AP"] == pytest.approx(results.amodal["AP50"], abs=0.5), "ties may fall otherwise"
    assert table["0.75"]["all"]["AP"] == pytest.approx(results.amodal["AP75"], abs=0.5)


def test_confusion(truth: Dataset) -> None:
    found = changed(truth, lambda i: [i.replace(category_id=4)] if i.category_id == 7 else [i])
    table = np.array(analysed(truth, found).confusion)
    counts = [sum(i.category_id == key for scene in truth for i in scene) for key in CATEGORIES]
    expected = np.zeros((4, 4), int)
    expected[0, 0], expected[1, 1], expected[2, 1] = counts
    np.testing.assert_array_equal(table, expected)


def test_bootstrap_over_the_images_themselves_is_the_figure() -> None:
    """With every image drawn once the sample is AP itself; intervals hold it."""
    dataset, predictions = workload(0, images=20)
    results = evaluate(dataset, predictions)
    for kind in ("box", "amodal", "inmodal"):
        low, high = interval(bootstrap(results, kind, 100)["AP"])
        assert low < results.kinds[kind]["AP"] < high
    one = workload(3, images=1, objects=25)
    only = evaluate(*one)
    np.testing.assert_allclose(bootstrap(only, "amodal", 5)["AP"], only.amodal["AP"], atol=1e-9)


def test_bootstrap_of_doubled_images_equals_evaluating_them_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset, predictions = workload(1, images=6)
    results = evaluate(dataset, predictions)
    drawn = np.random.default_rng(0).multinomial(6, np.full(6, 1 / 6), 3)
    samples = bootstrap(results, "amodal", 3)["AP"]
    for times, value in zip(drawn, samples, strict=True):
        scenes, found = [], []
        for count, image_id in zip(times, sorted(dataset.images), strict=True):
            for _ in range(count):
                for source, target in ((dataset, scenes), (predictions, found)):
                    scene = source[image_id]
                    image = type(scene.image)(len(target) + 1, "x", scene.image.height, scene.image.width)
                    target.append(scene.replace(image=image))
        again = evaluate(Dataset.from_scenes(scenes, CATEGORIES), Dataset.from_scenes(found, CATEGORIES))
        assert value == pytest.approx(again.amodal["AP"], abs=0.2), "copies of an image share their scores"


def test_a_detection_has_the_colour_of_its_object() -> None:
    """Whatever the sequence of the detections; what is matched with nothing has the colour of no object."""
    image = Image(1, "1.png", 60, 120)
    masks = [Mask.from_box((10 + 30 * k, 10, 20, 20), 60, 120) for k in range(3)]
    lost = Mask.from_box((70, 35, 20, 20), 60, 120)
    scene = Scene(image, tuple(Instance(k, 2, "car", mask, mask) for k, mask in enumerate(masks)))
    found = [instance.replace(id=0, score=0.5 + 0.1 * k) for k, instance in enumerate(scene)]
    found = [found[2], Instance(0, 2, "car", lost, lost, score=0.9), found[0].replace(category_id=4), found[1]]
    prediction = Scene(image, tuple(found))
    assert matched_instances(scene, prediction) == {0: 2, 3: 1}
    truth, guess = draw_pair(scene, prediction, ("inmodal",), scale=1, labels=False, legend=False)
    colors = [truth[15, 20 + 30 * k].tolist() for k in range(3)]
    assert [guess[15, 20 + 30 * k].tolist() == colors[k] for k in range(3)] == [False, True, True]
    assert guess[45, 80].tolist() not in colors


class Links(HTMLParser):
    """Whatever a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href")]


@pytest.mark.parametrize("runs", [1, 2])
def test_report_is_one_page_without_a_network(tmp_path: Path, runs: int) -> None:
    dataset, predictions = workload(2)
    other = predictions.filter(lambda instance: (instance.score or 0) > 0.4)
    all_runs = {"a<b>.json": predictions, "runs/other.json": other}
    chosen = {name: (found, evaluate(dataset, found)) for name, found in list(all_runs.items())[:runs]}
    page = write_report(tmp_path / "report", dataset, chosen, most_pictures=1, samples=20)
    text = page.read_text()
    links = Links()
    links.feed(text)
    assert links.found
    assert all(link.startswith(("data:", "#")) for link in links.found)
    assert not re.search(r"https?://(?!www\.w3\.org/(2000/svg|1999/xlink))", text)
    assert "<b>.json" not in text.replace("&lt;b&gt;", ""), "names are escaped"
    numbers = json.loads((page.parent / "figures.json").read_text())
    assert (
        numbers["runs"]["a<b>"]["amodal"]["overall"] == (evaluate(dataset, predictions).to_dict()["amodal"]["overall"])
    )
    figures = sorted((page.parent / "figures").glob("*.svg"))
    assert len(figures) >= 6
    for figure in figures:
        ElementTree.fromstring(figure.read_text())
        assert "var(" not in figure.read_text()
        assert "#1c2024" in figure.read_text()
    assert text.count("var(--ink, #1c2024)") > 10 * len(figures), "charts follow the page's colours"


def test_every_run_is_in_the_legend() -> None:
    """Also one whose name starts as what matplotlib leaves out, or is mathematics to it."""
    names = ["_first", "$x^2$", "<b>"]
    for svg in (
        bars_chart(["a"], {name: [50.0] for name in names}, "AP", "AP").svg,
        curves_chart([(name, np.linspace(1, 0, 101)) for name in names], RECALLS, "recall", "precision", "AP").svg,
    ):
        texts = [element.text.strip() for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")]
        assert [text for text in texts if text in names] == names


@pytest.mark.parametrize(("classes", "times"), [(3, 1), (14, 2)])
def test_the_confusion_of_many_classes_has_their_names_at_all_sides(classes: int, times: int) -> None:
    names = [f"<class {k}>" for k in range(classes)]
    counts = np.diag([*range(1, classes + 1), 0])
    chart = confusion_chart(names, counts.tolist(), "confusion", lambda row, column: f"class={row}&taken={column}")
    elements = list(ElementTree.fromstring(chart.svg).iter())
    texts = [element.text.strip() for element in elements if element.tag.endswith("text")]
    assert all(texts.count(name) == 2 * times for name in names), "of rows and of columns"
    told = {element.text for element in elements if element.tag.endswith("title")}
    assert told == {f"{name}: {k} of {k} detected as {name}" for k, name in enumerate(names, 1)}
    assert "data-view" not in chart.standalone()
    assert "<title>" not in chart.standalone()
    ElementTree.fromstring(chart.standalone())


def test_report_without_masks_or_detections(tmp_path: Path) -> None:
    dataset, predictions = workload(2, images=4)
    nothing = predictions.map(lambda scene: scene.replace(instances=()))
    page = write_report(tmp_path, dataset, {"none": (nothing, evaluate(dataset, nothing))}, samples=5)
    assert "there is no detection at all" in page.read_text()


def test_tables_for_papers_hold_the_figures(truth: Dataset, tmp_path: Path) -> None:
    found = changed(truth, lambda i: [] if i.id % 4 == 0 else [i])
    results = evaluate(truth, found)
    write_report(tmp_path, truth, {"a_b": (found, results), "all": (changed(truth, lambda i: [i]), results)}, samples=5)
    with (tmp_path / "tables" / "overall.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["run"], row["mask"]) for row in rows] == [
        (run, kind) for run in ("a_b", "all") for kind in results.kinds
    ]
    for row in rows:
        for name in ("AP", "APs", "AR100"):
            value = results.kinds[row["mask"]].overall[name]
            assert row[name] == "" if math.isnan(value) else float(row[name]) == value
        assert float(row["AP low"]) <= float(row["AP high"])
    with (tmp_path / "tables" / "confusion.csv").open(newline="") as file:
        counts = list(csv.reader(file))
    names = list(truth.categories.values())
    assert counts[0] == ["run", "ground truth", *names, "missed"]
    analysis = analysed(truth, found)
    assert [list(map(int, row[2:])) for row in counts[1 : len(names) + 2]] == analysis.confusion
    latex = (tmp_path / "tables" / "classes.tex").read_text()
    assert latex.count(r"\\") == 1 + 2 * len(results.kinds) * len(names)
    assert r"a\_b" in latex
    assert (tmp_path / "figures" / "overall.pdf").read_bytes().startswith(b"%PDF")
    names = {path.stem for path in (tmp_path / "figures").glob("*.svg")}
    assert names == {path.stem for path in (tmp_path / "figures").glob("*.pdf")}


def test_latex_gets_no_command_from_a_name() -> None:
    hostile = PaperTable("50% of {it}", ["na&me", "n"], [["\\input{/etc/passwd}\n%x", math.nan], ["~^#$_", 3]])
    latex = as_latex(hostile)
    assert r"\textbackslash{}input\{/etc/passwd\} \%x & -- \\" in latex
    assert r"\textasciitilde{}\textasciicircum{}\#\$\_ & 3 \\" in latex
    assert r"\begin{tabular}{lr}" in latex


def test_what_a_page_does_not_hold_is_printed_otherwise() -> None:
    """Rows on several pages; of the confusion of many classes the mistakes, most frequent first."""
    rows = [[f"a{k}", k] for k in range(46)]
    long, short = (as_latex(PaperTable("c", ["name", "n"], part)) for part in (rows, rows[:45]))
    assert (long.count("{longtable}"), short.count("longtable")) == (2, 0)
    assert [long.count(rf"a{k} & {k} \\") for k in range(46)] == [1] * 46
    assert long.index(r"\endfirsthead") < long.index(r"\endhead") < long.index(r"\endlastfoot") < long.index("a0 &")
    assert long.count(r"name & n \\") == 2, "once more on each page"
    names = [f"n{k}" for k in range(13)]
    counts = np.diag([5] * 13 + [0])
    counts[2, 7], counts[4, 13], counts[13, 0] = 3, 5, 2
    analysis = Analysis({}, {}, counts.tolist(), names, {}, {}, {})
    table = paper_tables({}, {}, {"run": analysis})["confusion"]
    assert len(as_csv(table).splitlines()) == 15
    latex = as_latex(table)
    lines = [line for line in latex.splitlines() if line.startswith("run &")][1:]
    expected = [r"n4 & missed & 5 & 50.0", r"n2 & n7 & 3 & 37.5", r"nothing & n0 & 2 & 100.0"]
    assert lines == [rf"run & {line} \\" for line in expected]


def test_a_report_replaces_itself_and_no_foreign_table(truth: Dataset, tmp_path: Path) -> None:
    found = changed(truth, lambda i: [i])
    results = evaluate(truth, found)
    write_report(tmp_path / "report", truth, {"a": (found, results)}, samples=2)
    check_output(report_paths(tmp_path / "report"))
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "overall.csv").write_text("mine")
    with pytest.raises(KinsError, match="was not written by kins"):
        check_output(report_paths(tmp_path))
