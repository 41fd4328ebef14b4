"""`kins train completion`, and its weights in use."""

import pytest

import kins
from kins import KinsError
from kins.complete import Completer
from kins.config import load_config
from kins.demo.toys import write_shapes
from kins.train.samples import find_data

SMALL = ["model.channels=8", "train.batch=4", "train.device=cpu", "train.precision=32", "data.workers=0"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("completion")
    dataset = write_shapes(folder / "pictures", 6)
    config = load_config("completion", [*SMALL, "train.steps=3", "train.evaluate_every=3", "train.log_every=1"])
    kins.train(config, dataset, folder / "run", test=dataset)
    return folder, dataset


def test_a_run_has_figures_and_goes_on(run):
    folder, dataset = run
    header, *rows = (folder / "run" / "evaluations.csv").read_text().split()
    assert header == "step,seconds,full,hidden,score"
    assert len(rows) == 1
    more = load_config("completion", [*SMALL, "train.steps=4", "train.evaluate_every=3", "train.log_every=1"])
    kins.train(more, dataset, folder / "run", test=dataset)
    assert (folder / "run" / "log.csv").read_text().count("\n") == 5


def test_weights_complete_scenes(run):
    folder, dataset = run
    completer = Completer.load(folder / "run")
    assert not completer.needs_image
    for scene in dataset:
        for before, after in zip(scene, completer(None, scene), strict=True):
            assert not (before.inmodal - after.amodal)


def test_each_kind_of_network_in_its_place(run, on_boxes):
    folder, _ = run
    with pytest.raises(KinsError, match="see kins complete"):
        kins.Predictor.load(folder / "run")
    assert Completer.load(on_boxes[0]).needs_image  # boxes
    with pytest.raises(KinsError, match="nowhere: no method"):
        Completer.load("nowhere")
    with pytest.raises(KinsError, match="street-tiny: these weights no longer come with kins; 'street' replaces them"):
        Completer.load("street-tiny")


def test_pcnet_learns_from_modal_masks_alone(tmp_path):
    dataset = write_shapes(tmp_path / "pictures", 3)
    dataset.save(tmp_path / "train.json", format="coco", masks="inmodal")
    config = load_config("pcnet", [*SMALL, "model.window=32", "train.steps=2", f"data.root={tmp_path}"])
    train, test = find_data(config.data)
    assert test is None
    assert all(i.amodal is None for scene in train for i in scene)
    kins.train(config, train, tmp_path / "run", test=train)  # nothing to evaluate on
    completer = Completer.load(tmp_path / "run")
    assert not completer.needs_image
    for before, after in zip(dataset[0], completer(None, dataset[0]), strict=True):
        assert not (before.inmodal - after.amodal)
    plain = load_config("completion", [*SMALL, f"data.root={tmp_path}"])
    with pytest.raises(KinsError, match="plain COCO"):
        find_data(plain.data)
