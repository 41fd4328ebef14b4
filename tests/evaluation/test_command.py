"""kins eval: tables, JSON, other toolboxes' results, bad input."""

import collections
import dataclasses
import io
import json
import re
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from tests.evaluation.workloads import coco_evaluation, workload

from kins import Dataset, load, load_predictions
from kins.commands.cli import main
from kins.evaluation import PROTOCOLS, analyse, evaluate, evaluate_protocol
from kins.evaluation.results import without_nan
from kins.statistics.numbers import number


@dataclasses.dataclass
class Done:
    returncode: int
    stdout: str
    stderr: str


def run(*arguments: object) -> Done:
    """The command as `main` runs it, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["kins", "eval", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
    return Done(int(left.value.code or 0), out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("eval")
    dataset, predictions = workload(1)
    dataset.save(folder / "truth.json")
    predictions.save(folder / "found.json", format="predictions")
    return folder / "truth.json", folder / "found.json"


def test_tables_and_json(files: tuple[Path, Path]) -> None:
    printed = run(*files, "--per-class")
    assert printed.returncode == 0
    assert "amodal masks by occlusion" in printed.stdout
    assert "pedestrian" in printed.stdout
    value = json.loads(run(*files, "--json").stdout)
    dataset, predictions = workload(1)
    assert value["amodal"]["overall"]["AP"] == pytest.approx(evaluate(dataset, predictions).amodal["AP"])


def test_a_protocol_prints_its_figures_alone(files: tuple[Path, Path]) -> None:
    printed = run(*files, "--protocol", "vrsp")
    assert printed.returncode == 0, printed.stderr
    assert "AP hidden15" in printed.stdout
    assert "who hides whom" not in printed.stdout
    value = json.loads(run(*files, "--protocol", "vrsp", "--json").stdout)
    dataset, predictions = workload(1)
    assert value["protocol"] == "vrsp"
    assert value["figures"] == without_nan(evaluate_protocol("vrsp", dataset, predictions))
    several = json.loads(run(*files, files[1], "--protocol", "pcnet", "--json").stdout)
    assert "mIoU" in several["figures"]["objects"], "the same file twice is one run"


@pytest.fixture(scope="module")
def ordered(files: tuple[Path, Path]) -> tuple[Path, Path]:
    """With a depth order of the first two objects of each image."""
    truth = json.loads(files[0].read_text())
    for image in truth["images"]:
        image["instaorder"] = {"depth": [{"order": "0<1", "overlap": True, "count": 2}]}
    counts = collections.Counter(entry["image_id"] for entry in truth["annotations"])
    truth["images"] = [image for image in truth["images"] if counts[image["id"]] > 1]
    known = {image["id"] for image in truth["images"]}
    truth["annotations"] = [entry for entry in truth["annotations"] if entry["image_id"] in known]
    path = files[0].with_name("ordered.json")
    path.write_text(json.dumps(truth))
    found = load_predictions(files[1], load(files[0])).select(known)
    found.save(path.with_name("found-of-ordered.json"), format="predictions")
    return path, path.with_name("found-of-ordered.json")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_prints_exactly_its_figures(protocol: str, ordered: tuple[Path, Path]) -> None:
    dataset = load(ordered[0])
    figures = evaluate_protocol(protocol, dataset, load_predictions(ordered[1], dataset))
    assert json.loads(run(*ordered, "--protocol", protocol, "--json").stdout)["figures"] == without_nan(figures)
    printed = run(*ordered, "--protocol", protocol).stdout
    cells: dict[str, list[str]] = {}
    for line in printed.splitlines():
        name, *values = re.split(r"\s{2,}", line.strip())
        cells.setdefault(name, []).extend(values)
    for name in {name for row in figures.values() for name in row}:
        values = [number(row[name]) for row in figures.values() if name in row]
        assert sorted(cells[name.replace("_", " ")]) == sorted(values), name


def test_shards_give_the_figures_of_the_whole(files: tuple[Path, Path], tmp_path: Path) -> None:
    _, predictions = workload(1)
    ids = [s.image.id for s in predictions if len(s)]
    paths = [tmp_path / f"{k}.json" for k in range(3)]
    for k, path in enumerate(paths):
        predictions.select(ids[k::3]).save(path, format="predictions")
    value = json.loads(run(files[0], *paths, "--shards", "--json").stdout)
    whole = json.loads(run(*files, "--json").stdout)
    assert value.pop("predictions") == f"{paths[0]} and 2 more"
    assert value == {name: part for name, part in whole.items() if name != "predictions"}
    done = run(files[0], paths[0], files[1], "--shards")
    assert done.returncode == 2
    assert f"{files[1]}: image {min(ids[::3])} has detections in another shard" in done.stderr
    assert "leave out --errors" in run(files[0], *paths, "--shards", "--errors").stderr


def test_protocols_with_other_options_or_unusable_files(files: tuple[Path, Path], tmp_path: Path) -> None:
    done = run(*files, "--protocol", "vrsp", "--errors")
    assert done.returncode == 2
    assert "prints the figures of vrsp alone; leave out --errors" in done.stderr
    assert "no protocol 'orcnn'" in run(*files, "--protocol", "orcnn").stderr
    truth = json.loads(files[0].read_text())
    for entry in truth["annotations"]:
        del entry["i_segm"]
    (tmp_path / "blind.json").write_text(json.dumps(truth))
    for protocol in ("vrsp", "c2f-seg", "deocclusion"):
        done = run(tmp_path / "blind.json", files[1], "--protocol", protocol)
        assert done.returncode == 2
        assert done.stderr.startswith(f"kins: {tmp_path / 'blind.json'}: ")
        assert "no inmodal mask" in done.stderr


def test_errors_are_printed_and_in_the_json(files: tuple[Path, Path]) -> None:
    assert "AP lost by amodal masks" not in run(*files).stdout
    printed = run(*files, "--errors").stdout
    assert "AP lost by amodal masks at an IoU of 0.75" in printed
    value = json.loads(run(*files, "--json", "--errors").stdout)["analysis"]
    dataset, predictions = workload(1)
    expected = analyse(dataset, predictions, evaluate(dataset, predictions))
    assert expected is not None
    assert value["errors"]["0.5"]["all"] == pytest.approx(expected.errors["0.5"]["all"])
    assert value["tide"] == {threshold: pytest.approx(shares) for threshold, shares in expected.tide.items()}
    assert value["confusion"] == expected.confusion


def test_several_runs_and_a_report(files: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_bytes(files[1].read_bytes())
    done = run(files[0], files[1], other, "--json", "--report", tmp_path / "report")
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 2
    assert (tmp_path / "report" / "index.html").is_file()


def test_several_runs_are_compared(files: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text("[]")
    printed = run(*files, other).stdout
    dataset, predictions = workload(1)
    assert f"(-{evaluate(dataset, predictions).amodal['AP']:.1f})" in printed


@pytest.mark.parametrize("format", ["kins2019", "kins2020", "cocoa-cls", "d2sa"])
@pytest.mark.parametrize("polygons", [False, True])
def test_plain_coco_results_against_every_ground_truth(tmp_path: Path, format: str, polygons: bool) -> None:
    dataset, predictions = workload(3)
    dataset.save(tmp_path / "truth.json", format=format)
    results = []
    for scene in predictions:
        for item in scene:
            x, y, w, h = item.amodal.box
            rle = {"size": item.amodal.rle["size"], "counts": item.amodal.rle["counts"].decode()}
            segmentation = [[x, y, x + w, y, x + w, y + h, x, y + h]] if polygons else rle
            results.append(
                {
                    "image_id": scene.image.id,
                    "category_id": item.category_id,
                    "score": item.score,
                    "bbox": [x, y, w, h],
                    "segmentation": segmentation,
                }
            )
    (tmp_path / "found.json").write_text(json.dumps(results))
    done = run(tmp_path / "truth.json", tmp_path / "found.json", "--json", "--masks", "amodal")
    assert done.returncode == 0, done.stderr
    value = json.loads(done.stdout)
    loaded = load(tmp_path / "truth.json")
    found = load_predictions(tmp_path / "found.json", loaded, masks="amodal")
    for kind in ("box", "amodal"):
        expected = 100 * coco_evaluation(loaded, found, kind).stats[0]
        assert value[kind]["overall"]["AP"] == pytest.approx(expected, abs=1e-6)
    assert "inmodal" not in value
    assert any("unmatched" in note for note in value["notes"])


def test_inmodal_results_have_no_amodal_figures(files: tuple[Path, Path], tmp_path: Path) -> None:
    detections = json.loads(files[1].read_text())["predictions"]
    plain = [
        {"segmentation": d["i_segm"], **{k: d[k] for k in ("image_id", "category_id", "score")}} for d in detections
    ]
    (tmp_path / "found.json").write_text(json.dumps(plain))
    value = json.loads(run(files[0], tmp_path / "found.json", "--json", "--masks", "inmodal").stdout)
    assert set(value) & {"box", "amodal", "inmodal"} == {"inmodal"}
    assert value["inmodal"]["overall"]["AP"] == json.loads(run(*files, "--json").stdout)["inmodal"]["overall"]["AP"]


FAULTS = {
    "image": ({"image_id": 99}, "[1].image_id: no image 99"),
    "category": ({"category_id": 77}, "[1].category_id: no category 77"),
    "score": ({"score": 1.5}, "[1].score: 1.5"),
    "size": ({"a_segm": {"size": [9, 9], "counts": [81]}}, "[1].a_segm: RLE is of size 9 x 9"),
    "runs": ({"a_segm": {"size": [60, 80], "counts": [81]}}, "[1].a_segm: RLE"),
    "box": ({"a_bbox": [1, 2, -3, 4]}, "[1]: box"),
    "occlusion": ({"occlusion_score": 7}, "[1]: occlusion score"),
    "missing": ({"i_segm": None, "i_bbox": None}, "[1]: there is no inmodal mask"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_predictions_are_one_line_with_the_place(files: tuple[Path, Path], tmp_path: Path, fault: str) -> None:
    change, message = FAULTS[fault]
    detections = json.loads(files[1].read_text())["predictions"]
    detections[1] |= change
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(detections))
    done = run(files[0], path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"{path}: {message}" in done.stderr


@pytest.mark.parametrize("content", ["", "{}", "[", '[{"image_id": 1}]', '[{"score": NaN}]', "\x89PNG"])
def test_other_files_are_refused(files: tuple[Path, Path], tmp_path: Path, content: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    done = run(files[0], path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert str(path) in done.stderr


def test_an_empty_list_scores_nothing(files: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "empty.json"
    path.write_text("[]")
    done = run(files[0], path, "--json")
    assert done.returncode == 0
    value = json.loads(done.stdout)
    assert value["amodal"]["overall"]["AP"] == 0
    assert "there is no detection at all" in value["notes"]


def test_ground_truth_in_the_place_of_predictions(files: tuple[Path, Path]) -> None:
    done = run(files[0], files[0])
    assert done.returncode == 2
    assert "list of detections" in done.stderr


def test_slices_can_be_chosen(files: tuple[Path, Path]) -> None:
    value = json.loads(run(*files, "--json", "--slices", "heavy,0-0.5").stdout)
    assert list(value["amodal"]["slices"]) == ["heavy", "0-0.5"]
    assert "no slice" in run(*files, "--slices", "light").stderr


def test_merged_categories_are_not_needed() -> None:
    """Images that the predictions don't know have no detections."""
    dataset, predictions = workload(1)
    some = predictions.select(list(predictions.images)[:5])
    expected = predictions.map(lambda s: s if s.image.id in some.images else s.replace(instances=()))
    assert evaluate(dataset, some).to_dict() == evaluate(dataset, expected).to_dict()
    assert isinstance(some, Dataset)
