"""The whole way in one go: annotated pictures, a trained network, predictions, figures and pictures."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

from kins.errors import KinsError
from kins.files import check_output, only_one
from kins.records import Dataset
from kins.work import progress

Say = Callable[[str], None]
SEED = 1
"""Of the demo's street scenes: not one that the shipped weights have been trained with."""
TRAINING = 0.8
"""Share of the time after the pictures are there that goes into training; the rest predicts, evaluates and draws."""


@dataclasses.dataclass(frozen=True)
class Material:
    """What a demo works on: annotation files (KINS 2020) and picture folders to learn from and to be tested on."""

    train: Path
    train_images: Path
    test: Path
    test_images: Path
    config: str
    settings: list[str]
    note: str


def demo(
    out: str | Path, material: str | Path = "streets", minutes: float = 10.0, say: Say = print
) -> dict[str, float]:
    """Make or take pictures, train on them, predict, evaluate, and draw.

    Args:
        out: folder for everything that is made; it may exist, finished files in it are made anew.
        material: "streets" (synthetic street scenes, tested on unseen ones), "shapes" (simple overlapping shapes), or a
            folder of annotated pictures of your own, which are learnt by heart.
        minutes: about how long all of it takes on a laptop with 2 cores.
        say: is called with each line of the story.

    Returns:
        The figures that were printed, by name, in percent.
    """
    from kins.config import load_config
    from kins.evaluation import evaluate
    from kins.evaluation.report import write_report
    from kins.evaluation.tables import print_results
    from kins.formats import load, load_predictions
    from kins.predict.files import predict_files
    from kins.statistics.numbers import number
    from kins.train.log import training_bar
    from kins.train.loop import train

    out = Path(out)
    check_outputs(out, material)
    ends = time.monotonic() + 60 * minutes
    made = _material(out, material, minutes, say)
    dataset = load(made.train, images=made.train_images)
    budget = max((ends - time.monotonic()) / 60 * TRAINING, 0.1)
    say(f"2. train a network ({made.config}) on {len(dataset)} pictures for {budget:.1f} minutes")
    config = load_config(made.config, [*made.settings, f"train.minutes={budget}"])
    with training_bar() as show:
        weights = train(config, dataset, _fresh(out / "run"), progress=show)

    predictions = out / "predictions.json"
    say(f"3. predict boxes, both masks, occlusion and order: {predictions}")
    predict_files(weights, [made.test_images], predictions, annotations=made.test, resume=False)

    say(f"4. evaluate {made.note}")
    truth = load(made.test, images=made.test_images)
    found = load_predictions(predictions, truth)
    results = evaluate(truth, found)
    print_results({made.config: results}, per_class=True)

    say(f"5. draw truth beside prediction for each picture: {out / 'pictures'}")
    draw_pairs(truth, found, out / "pictures")
    page = write_report(out / "report", truth, {made.config: (found, results)})
    figures = {f"{name} AP50": kind["AP50"] for name, kind in results.kinds.items()}
    if "car" in results.amodal.classes:
        figures["amodal AP50 of cars"] = results.amodal.classes["car"]["AP50"]
    say(f"{made.note[:1].upper()}{made.note[1:]}: " + ", ".join(f"{key} {number(value)}" for key, value in figures.items()))
    say(f"The report, with curves and pictures: {page}")
    return figures


def draw_pairs(truth: Dataset, found: Dataset, folder: Path, lowest_score: float = 0.5) -> None:
    """A picture for each image: the truth, and in the same colors the detections of at least this score."""
    from kins.draw.scene import side_by_side, write_picture
    from kins.evaluation.report.pictures import draw_pair

    for scene in progress(truth, "drawing"):
        sure = tuple(i for i in found[scene.image.id] if (i.score or 0) >= lowest_score)
        pair = draw_pair(scene, scene.replace(instances=sure))
        name = f"{Path(scene.image.file_name).stem}.png"
        write_picture(side_by_side(pair, ["truth", "prediction"]), folder / name)


def check_outputs(out: Path, material: str | Path) -> None:
    """Raises KinsError if the demo would replace what no demo made, or what it is to learn from."""
    from kins.evaluation.report import report_paths
    from kins.train.log import check_run_folder

    paths = [out / "predictions.json", *(out / "pictures").glob("*.png"), *report_paths(out / "report")]
    inputs = []
    if material == "shapes":
        paths += [out / "shapes.json", *(out / "shapes").glob("*.png")]
    elif material != "streets":
        paths.append(out / "samples.json")
        inputs = [Path(material), *Path(material).glob("*.json")]
    check_run_folder(out / "run", inputs)
    check_output(paths, inputs)


def _fresh(folder: Path) -> Path:
    """The run folder, without the leftovers of an earlier demo: its run would be continued, and has ended."""
    with only_one(folder):
        for name in ("last.safetensors", "best.safetensors", "log.csv", "evaluations.csv"):
            (folder / name).unlink(missing_ok=True)
    return folder


def _material(out: Path, material: str | Path, minutes: float, say: Say) -> Material:
    if material == "streets":
        return _streets(out, minutes, say)
    if material == "shapes":
        from kins.demo.toys import write_shapes

        say("1. draw simple overlapping shapes")
        folder = out / "shapes"
        return by_heart(write_shapes(folder, 6), folder, out / "shapes.json")
    say(f"1. read {material} and convert it to KINS 2020")
    return by_heart(merged(Path(material)), Path(material), out / "samples.json")


def _streets(out: Path, minutes: float, say: Say) -> Material:
    from kins.streets import Settings, generate

    train, test = max(2, round(8 * minutes)), max(2, round(2 * minutes))
    folder = out / f"streets-{train}-{test}"  # a folder of scenes can't be made smaller by a shorter demo
    say(f"1. make {train} street scenes for training and {test} for testing: {folder}")
    generate(folder, {"training": train, "testing": test}, Settings(seed=SEED, width=640, height=192, quality="fast"))
    return Material(
        folder / "train.json",
        folder / "training" / "image_2",
        folder / "test.json",
        folder / "testing" / "image_2",
        "tiny",
        ["train.init=street", "train.lr=2.0e-4"],
        "on synthetic street scenes that it has not seen",
    )


def by_heart(dataset: Dataset, images: Path, annotations: Path) -> Material:
    """Learn and be tested on the same pictures; writes their annotations as KINS 2020."""
    dataset.save(annotations)
    note = "on the very pictures it was trained on, which shows that the parts agree, and nothing more"
    return Material(annotations, images, annotations, images, "samples", [], note)


def merged(folder: Path) -> Dataset:
    """All annotation files of a folder, of any format, with the pictures beside them, as one data set."""
    from kins.formats import load

    files = sorted(folder.glob("*.json"))
    if not files:
        raise KinsError(f"{folder}: holds no annotation file (*.json)")
    dataset = load(files[0], images=folder)
    for file in files[1:]:
        dataset = dataset.merge(load(file, images=folder))
    return dataset
