"""The whole way in one go: annotated pictures, a trained network, predictions, figures and pictures."""

from __future__ import annotations

import dataclasses
import math
import shlex
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kins.errors import KinsError
from kins.files import check_output, only_one
from kins.records import Dataset
from kins.work import progress

if TYPE_CHECKING:
    from kins.evaluation import Results

Say = Callable[[str], None]
SEED = 1
"""Of the demo's street scenes: not one that the shipped weights have been trained with."""
FINE_TUNING = [
    *("train.lr=2.0e-4", "train.steps=400", "train.warmup=40", "train.ema=0.98"),  # of the time 10 % warm up
    *("augment.scale=[0.8,1.25]", "augment.color=0.3", "augment.gamma=0", "augment.hue=0"),
    *("augment.noise=0", "augment.blur=0", "augment.jpeg=0"),
]
"""What the demo changes of the configuration `street`: gentle steps, and no other camera than that of its scenes."""
KEPT_BACK = 1 / 8
"""Share of the training pictures by which trained weights are compared with those that they started from."""
TRAINING = 0.8
"""Share of the time after the pictures are there that goes into training; the rest predicts, evaluates and draws."""
LEAST = 1 / 3
"""Share of all of the time that training gets even where making the pictures took longer than it should."""


@dataclasses.dataclass(frozen=True)
class Material:
    """What a demo works on: annotation files (KINS 2020) and picture folders to learn from and to be tested on.

    Attributes:
        config, settings: of the training.
        note: what the figures are worth.
        start: weights that the training starts from, if any.
    """

    train: Path
    train_images: Path
    test: Path
    test_images: Path
    config: str
    settings: list[str]
    note: str
    start: str | None = None


def demo(
    out: str | Path,
    material: str | Path = "streets",
    minutes: float = 10.0,
    say: Say = print,
    photos: str | Path | None = None,
) -> dict[str, float]:
    """Make or take pictures, train on them, predict, evaluate, and draw.

    Args:
        out: folder for everything that is made; it may exist, finished files in it are made anew.
        material: "streets" (synthetic street scenes, tested on unseen ones), "shapes" (simple overlapping shapes), or a
            folder of annotated pictures of your own, which are learnt by heart.
        minutes: about how long all of it takes on a laptop with 2 cores.
        say: is called with each line of the story.
        photos: a photograph, or a folder of them, on which the weights that come with kins are shown at the end.

    Returns:
        The figures that were printed, by name, in percent.
    """
    from kins.demo.photos import DETECTOR, photo_targets, show_photos

    out = Path(out)
    check_outputs(out, material)
    targets = photo_targets(photos, out / "photos")
    begun = time.monotonic()
    made = _material(out, material, minutes, say)
    figures = learn_and_show(out, made, minutes, begun, say)
    if targets:
        say(f"6. show what the weights '{DETECTOR}' that come with kins find on photographs: {out / 'photos'}")
        show_photos(targets, say)
    return figures


def learn_and_show(out: Path, made: Material, minutes: float, begun: float, say: Say) -> dict[str, float]:
    """What follows when the pictures are there; `minutes` count from the clock's `begun`. Returns as `demo`."""
    from kins.evaluation import evaluate
    from kins.evaluation.report import write_report
    from kins.evaluation.tables import print_results
    from kins.formats import load, load_predictions
    from kins.predict.files import predict_files

    truth, dataset = load(made.test, images=made.test_images), load(made.train, images=made.train_images)
    before, start = None, ""
    if made.start is not None:
        before, start = headline(evaluate(truth, predicted(made.start, truth))), ", from these weights,"
        say(f"The weights '{made.start}' that come with kins, {made.note}: {listed(before)}")
        held, dataset = dataset.split(max(KEPT_BACK, 1 / len(dataset)))
    left = minutes - (time.monotonic() - begun) / 60
    budget = max(left * TRAINING, minutes * LEAST, 0.1)
    say(f"2. train a network ({made.config}) on {len(dataset)} pictures{start} for {budget:.1f} minutes")
    trained, steps = learn(made, dataset, out / "run", budget)
    weights = trained if made.start is None else better(made.start, trained, held, say)

    predictions = out / "predictions.json"
    say(f"3. after {counted(steps)}, predict boxes, both masks, occlusion and order: {predictions}")
    predict_files(weights, [made.test_images], predictions, annotations=made.test, resume=False)

    say(f"4. evaluate {made.note}")
    found = load_predictions(predictions, truth)
    results = evaluate(truth, found)
    print_results({made.config: results}, per_class=True)

    say(f"5. draw truth beside prediction for each picture: {out / 'pictures'}")
    draw_pairs(truth, found, out / "pictures")
    page = write_report(out / "report", truth, {made.config: (found, results)})
    figures = headline(results)
    say(f"{made.note[:1].upper()}{made.note[1:]}: {listed(figures)}")
    if before is not None:
        say(what_training_added(before, figures if weights == trained else None, steps, budget))
    say(f"The report, with curves and pictures: {page}")
    files = [str(made.test), str(predictions), "--pictures", str(made.test_images), "--report", str(out / "report")]
    say(f"What is missed, invented or of wrong extent, object by object: kins view {shlex.join(files)}")
    return figures


def learn(made: Material, dataset: Dataset, run: Path, minutes: float) -> tuple[Path, int]:
    """The weights after training on a data set for some minutes, and after how many steps."""
    from kins.config import load_config
    from kins.train.log import Progress, training_bar
    from kins.train.loop import train

    settings = [*made.settings, *([f"train.init={made.start}"] if made.start else []), f"train.minutes={minutes}"]
    steps = 0
    with training_bar() as show:

        def count(now: Progress) -> None:
            nonlocal steps
            steps = now.step
            show(now)

        return train(load_config(made.config, settings), dataset, _fresh(run), progress=count), steps


def better(start: str | Path, trained: Path, held: Dataset, say: Say) -> str | Path:
    """Of two weights those that are better on pictures which neither has learnt from, as `kins train` chooses."""
    from kins.evaluation import evaluate
    from kins.statistics.numbers import number
    from kins.train.validation import named_figures

    before, after = (named_figures(evaluate(held, predicted(weights, held)))["score"] for weights in (start, trained))
    kept, name = (trained, "the trained weights") if after > before else (start, "those from before")
    say(
        f"On {number(len(held))} training pictures kept back to choose by, AP of both masks is {number(before)} "
        f"without and {number(after)} with training: {name} are used"
    )
    return kept


def headline(results: Results) -> dict[str, float]:
    """The figures that the story ends with, in percent."""
    figures = {f"{name} AP50": kind["AP50"] for name, kind in results.kinds.items()}
    if "amodal" in results.kinds and "car" in results.amodal.classes:
        figures["amodal AP50 of cars"] = results.amodal.classes["car"]["AP50"]
    return figures


def listed(figures: Mapping[str, float]) -> str:
    """ "box AP50 59.1, amodal AP50 56.9"."""
    from kins.statistics.numbers import number

    return ", ".join(f"{key} {number(value)}" for key, value in figures.items())


def what_training_added(
    before: Mapping[str, float], after: Mapping[str, float] | None, steps: int, minutes: float
) -> str:
    """Whether the demo's own training helped the weights that it started from, honestly.

    Args:
        before, after: figures in percent, as `headline` gives them; None where the trained weights are not used.
        steps, minutes: that the training took.
    """
    from kins.statistics.numbers import difference

    if after is None:
        return (
            f"Training did not help in {minutes:.1f} minutes ({counted(steps)}): "
            "these are the figures of the weights that come with kins, alone"
        )
    added = {name: value - before[name] for name, value in after.items() if name in before}
    alone = f"the weights that come with kins, alone, have {listed(before)} there"
    known = [value for value in added.values() if not math.isnan(value)]
    if known and sum(known) > 0:
        return f"Of this, {counted(steps)} of training added {', '.join(map(difference, added.values()))}: {alone}"
    return (
        f"Training did not help in {minutes:.1f} minutes ({counted(steps)}): {alone}; "
        "on this machine it needs more time (--minutes)"
    )


def counted(steps: int) -> str:
    """ "1 step", "1 040 steps"."""
    from kins.statistics.numbers import number

    return f"{number(steps)} step{'s' if steps != 1 else ''}"


def predicted(weights: str | Path, truth: Dataset) -> Dataset:
    """Predictions for the pictures of a data set."""
    from kins.predict.predictor import Predictor, with_categories

    predictor = Predictor.load(weights)
    scenes = [
        with_categories(predictor(scene.read_image()).replace(image=scene.image), truth.categories)
        for scene in progress(truth, "predicting")
    ]
    return Dataset.from_scenes(scenes, truth.categories)


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
        "street",
        FINE_TUNING,
        "on synthetic street scenes that they have not seen",
        "street",
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
