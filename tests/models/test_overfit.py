"""Every network learns four street scenes by heart: targets, losses, decoding and evaluation agree. Minutes each."""

from pathlib import Path

import pytest

import kins
from kins.config import NETWORKS, load_config
from kins.evaluation import Evaluator
from kins.masks import ious
from kins.predict.predictor import Predictor
from kins.records import Dataset, Scene
from kins.train.loop import train

SETTINGS = [
    "train.steps=600",
    "train.batch=1",
    "train.lr=1.0e-3",
    "train.ema=null",
    "augment.mirror=0",
    "data.workers=1",
]
SETTINGS += ["data.short_side=128", "data.long_side=416"]


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Four pictures, without the specks in the distance of which a few pixels are seen."""
    from kins.streets import Settings, generate

    folder = tmp_path_factory.mktemp("streets") / "set"
    generate(folder, {"training": 4}, Settings(seed=5, width=416, height=128, quality="fast"), workers=1)
    dataset = kins.load(folder / "train.json", folder / "training" / "image_2")
    return dataset.filter(lambda instance: instance.amodal.box[3] >= 16 and instance.inmodal.area >= 80)


def right_about_occlusion(truth: Scene, found: Scene) -> list[bool]:
    """For each instance that is found, whether its occlusion score is on the right side of one half."""
    right = []
    overlaps = ious([i.amodal for i in truth], [i.amodal for i in found])
    for instance, row in zip(truth, overlaps, strict=True):
        best = int(row.argmax())
        if row[best] >= 0.5:
            score = found[best].occlusion_score
            assert score is not None
            right.append((score > 0.5) == (instance.occlusion_rate >= 0.01))
    return right


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_learns_four_scenes_by_heart(name: str, streets: Dataset, tmp_path: Path) -> None:
    predictor = Predictor.load(train(load_config("tiny", [*SETTINGS, f"model.name={name}"]), streets, tmp_path))
    evaluator = Evaluator(streets.categories, slices=())
    occlusion: list[bool] = []
    for scene in streets:
        found = predictor(scene.read_image()).replace(image=scene.image)
        evaluator.update(scene, found)
        if NETWORKS[name].occlusion:
            occlusion += right_about_occlusion(scene, found)
    results = evaluator.results()
    for mask in NETWORKS[name].masks:
        assert results.kinds[mask]["AP50"] > 90, (mask, results.kinds[mask]["AP50"])
    if NETWORKS[name].occlusion:
        assert sum(occlusion) > 0.95 * len(occlusion)
