"""Evaluation during training: the same figures however many processes share it, and none is lost."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

from kins.config import load_config
from kins.demo.toys import CATEGORIES, draw_shapes, write_shapes
from kins.draw.scene import write_picture
from kins.evaluation import Evaluator
from kins.models import weights
from kins.models.network import make
from kins.predict.predictor import Predictor
from kins.records import Dataset
from kins.train import loop
from kins.train.log import Progress
from kins.train.loop import train
from kins.train.validation import completion_figures, equal_batches, named_figures, order_figures

SMALL = ["model.channels=16", "model.head_channels=16", "model.hidden=32", "model.regions=16", "data.short_side=64"]
SMALL += ["data.workers=0", "train.precision='32'", "train.device=cpu", "train.batch=2", "train.warmup=2"]


def mixed(folder: Path) -> Dataset:
    """Nine pictures of two sizes; the file has them as its first two, next five, last two."""
    sizes = [(64, 96)] * 2 + [(48, 96)] * 5 + [(64, 96)] * 2
    scenes = []
    for index, size in enumerate(sizes):
        picture, scene = draw_shapes(np.random.default_rng([7, index]), index, size)
        write_picture(picture, folder / scene.image.file_name)
        scenes.append(scene)
    return Dataset.from_scenes(scenes, CATEGORIES, images_dir=folder)


def test_batches_are_of_one_size_and_in_sequence(tmp_path: Path) -> None:
    assert equal_batches(mixed(tmp_path), None) == [[0, 1], [2, 3, 4, 5], [6], [7, 8]]
    assert equal_batches(mixed(tmp_path), 4) == [[0, 1], [2, 3]]


def test_processes_that_share_it_get_the_figures_of_one(tmp_path: Path) -> None:
    """torchrun with two CPU processes against one image after the other here."""
    test = mixed(tmp_path / "images")
    learned = train(load_config("tiny", [*SMALL, "train.steps=80", "train.lr=0.002"]), test, tmp_path / "run")
    script = tmp_path / "share.py"
    script.write_text(
        textwrap.dedent(f"""
        import importlib.util, json, pathlib, sys, torch; torch.set_num_threads(1)
        spec = importlib.util.spec_from_file_location("here", {__file__!r})
        here = importlib.util.module_from_spec(spec); spec.loader.exec_module(here)
        from kins.train.processes import launch
        from kins.train.validation import completion_figures, evaluate_together, order_figures
        folder = pathlib.Path({str(tmp_path)!r})
        predictor = here.Predictor(*here.order(folder / "run"), device="cpu", precision="32")
        fabric, _ = launch(predictor.config.train)
        test = here.mixed(folder / str(fabric.global_rank))
        results = evaluate_together(predictor, test, fabric, workers=1)
        completed = completion_figures(here.random_network("completion"), test, fabric=fabric)
        ordered = order_figures(here.random_network("instaordernet"), test, fabric=fabric)
        assert [found is None for found in (results, completed, ordered)] == [fabric.global_rank == 1] * 3
        if results is not None:
            found = [here.named_figures(results), completed, ordered]
            (folder / "figures.json").write_text(json.dumps(found))
        """)
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True)
    shared, *others = json.loads((tmp_path / "figures.json").read_text())
    assert others[0] == completion_figures(random_network("completion"), test)
    assert others[1] == order_figures(random_network("instaordernet"), test)
    assert others[0]["full"] > 0
    assert others[1]["bordering"] > 0

    predictor = Predictor(*order(learned), device="cpu", precision="32")
    evaluator = Evaluator(test.categories, slices=())
    for scene in test:
        evaluator.update(scene, predictor(scene.read_image()).replace(image=scene.image))
    assert shared == pytest.approx(named_figures(evaluator.results()), abs=1e-6)
    assert shared["score"] > 0


def random_network(name: str) -> torch.nn.Module:
    """A network that completes or tells order, which has learnt nothing, always the same one."""
    torch.manual_seed(0)
    options = ["model.window=32", "model.rgb=false"] if name == "instaordernet" else []
    return make(load_config(name, options).model, 3, blank=True).eval()


def order(path: Path) -> tuple:
    """Network, categories, configuration, as Predictor takes them."""
    network, config, categories = weights.load_model(path)
    return network, categories, config


def test_a_run_that_is_killed_while_it_evaluates_evaluates_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = write_shapes(tmp_path / "images", 3, (64, 96))
    config = load_config("tiny", [*SMALL, "train.steps=4", "train.evaluate_every=2", "train.log_every=1"])

    class KilledError(Exception):
        pass

    def kill(*_: object) -> None:
        raise KilledError

    for step in (2, 4):  # in the middle, and at the end
        with monkeypatch.context() as patch:
            patch.setattr(loop, "evaluate_together", kill)
            with pytest.raises(KilledError):
                train(config, dataset, tmp_path / "run", test=dataset)
        assert weights.load(tmp_path / "run" / weights.LAST)[1]["step"] == step
        steps = config.model_copy(update={"train": config.train.model_copy(update={"steps": 4 if step == 4 else 3})})
        if step == 2:
            train(steps, dataset, tmp_path / "run", test=dataset)
    seen: list[Progress] = []
    train(config, dataset, tmp_path / "run", test=dataset, progress=seen.append)
    assert (tmp_path / "run" / weights.BEST).is_file()
    rows = (tmp_path / "run" / "evaluations.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "2", "3", "4"]
    rows = (tmp_path / "run" / "log.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "1", "2", "3", "4"]
    train(config, dataset, tmp_path / "run", test=dataset, progress=seen.append)  # nothing is left to do
    assert seen == []
