"""The training loop: exact resumption, the same result on several processes, and what it refuses."""

import csv
import itertools
import math
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests import helpers

from kins.config import Config, load_config
from kins.demo.toys import write_shapes
from kins.errors import KinsError
from kins.models import weights
from kins.models.network import AmodalRCNN, assemble
from kins.predict.predictor import Predictor
from kins.records import Dataset
from kins.train import processes
from kins.train.log import Progress
from kins.train.loop import train
from kins.train.optimise import learning_rate
from kins.train.processes import launch

SMALL = [*helpers.SMALL, "model.proposals_train=50", "model.proposals_test=50", "train.log_every=1", "train.warmup=2"]


SGD = ["train.optimizer=sgd", "train.lr=0.01"]
"""For comparisons up to rounding: AdamW's first steps have the size of the rate, however small the gradient.

They are made in double precision: in single precision, rounding now and then changes which of near-equal proposals
is suppressed.
"""


def small(*overrides: str) -> Config:
    return load_config("tiny", [*SMALL, *overrides])


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_shapes(tmp_path_factory.mktemp("shapes"), 6, (64, 96))


def logged(out: Path) -> dict[int, list[str]]:
    with (out / "log.csv").open(newline="") as file:
        header, *rows = list(csv.reader(file))
    columns = [header.index(name) for name in header if name.startswith("loss")] + [header.index("lr")]
    return {int(row[0]): [row[c] for c in columns] for row in rows}


def test_an_interrupted_run_gives_the_losses_of_an_uninterrupted_one(shapes: Dataset, tmp_path: Path) -> None:
    config = small("train.steps=6", "train.checkpoint_every=2", "augment.mirror=0.5", "augment.scale=[0.8,1.2]")
    whole: list[Progress] = []
    train(config, shapes, tmp_path / "whole", progress=whole.append)

    class KilledError(Exception):
        pass

    def kill(now: Progress) -> None:
        if now.step == 5:
            raise KilledError

    with pytest.raises(KilledError):
        train(config, shapes, tmp_path / "parts", progress=kill)
    rest: list[Progress] = []
    train(config, shapes, tmp_path / "parts", progress=rest.append)
    assert [now.step for now in rest] == [5, 6]  # step 5 was done, but not saved
    assert [now.losses for now in rest] == [now.losses for now in whole[4:]]
    assert logged(tmp_path / "parts") == logged(tmp_path / "whole")
    for name in (weights.LAST, weights.BEST):
        one, other = (weights.load(tmp_path / run / name)[0] for run in ("whole", "parts"))
        assert one.keys() == other.keys()
        assert all(torch.equal(value, other[key]) for key, value in one.items())


def test_a_process_killed_at_any_moment_goes_on(shapes: Dataset, tmp_path: Path) -> None:
    """A real SIGKILL while a checkpoint is written after every step: what stands in the folder is whole."""
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(f"""
        import torch; torch.set_num_threads(1)
        from kins.config import load_config
        from kins.demo.toys import write_shapes
        from kins.train.loop import train
        dataset = write_shapes({str(tmp_path / "images")!r}, 6, (64, 96))
        config = load_config("tiny", {[*SMALL, "train.steps=1000", "train.checkpoint_every=1"]!r})
        train(config, dataset, {str(tmp_path / "run")!r}, progress=lambda now: print(now.step, flush=True))
        """)
    )
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    done = next(int(line) for line in process.stdout if int(line) >= 3)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    steps: list[int] = []
    end = done + 4
    train(
        small(f"train.steps={end}", "train.checkpoint_every=1"),
        shapes,
        tmp_path / "run",
        progress=lambda now: steps.append(now.step),
    )
    assert steps[-1] == end
    assert steps[0] in (done + 1, done + 2, done + 3)
    assert list(logged(tmp_path / "run")) == list(range(1, end + 1))


def test_accumulation_changes_nothing(shapes: Dataset, tmp_path: Path) -> None:
    """Images of one size, so that padding is the same; gradients are averages over images either way."""
    losses = []
    torch.set_default_dtype(torch.float64)
    try:
        for micro in (4, 1):
            seen: list[Progress] = []
            config = small("train.steps=3", "train.batch=4", f"train.micro_batch={micro}", *SGD)
            train(config, shapes, tmp_path / str(micro), progress=seen.append)
            losses.append([list(now.losses.values()) for now in seen])
    finally:
        torch.set_default_dtype(torch.float32)
    torch.testing.assert_close(torch.tensor(losses[0]), torch.tensor(losses[1]), rtol=1e-5, atol=1e-6)


def test_two_processes_give_what_one_gives(tmp_path: Path) -> None:
    """torchrun with two CPU processes against this one with the same global batch."""
    overrides = [*SMALL, "train.steps=3", "train.batch=4", *SGD]
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(f"""
        import sys, torch; torch.set_num_threads(1); torch.set_default_dtype(torch.float64)
        from kins.config import load_config
        from kins.demo.toys import write_shapes
        from kins.train.loop import train
        dataset = write_shapes({str(tmp_path / "images")!r}, 6, (64, 96))
        train(load_config("tiny", {overrides!r}), dataset, sys.argv[1], test=dataset)
        """)
    )
    dataset = write_shapes(tmp_path / "images", 6, (64, 96))
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    two = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run([*two, str(script), str(tmp_path / "two")], check=True, env=environment, capture_output=True)
    torch.set_default_dtype(torch.float64)
    try:
        train(load_config("tiny", overrides), dataset, tmp_path / "one", test=dataset)
    finally:
        torch.set_default_dtype(torch.float32)
    one, both = (
        torch.tensor([[float(v) for v in row] for row in logged(tmp_path / run).values()]) for run in ("one", "two")
    )
    assert one.shape[0] == 3
    evaluated = [(tmp_path / run / "evaluations.csv").read_text().splitlines() for run in ("one", "two")]
    assert [len(rows) for rows in evaluated] == [2, 2]  # the names, and one row: only the first process writes
    assert evaluated[0][0] == evaluated[1][0]
    torch.testing.assert_close(one, both, rtol=1e-5, atol=1e-6)
    first, second = (
        load_file(tmp_path / run / weights.LAST) for run in ("one", "two")
    )  # kins reads no double precision
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], rtol=1e-4, atol=1e-6, msg=name)


def test_a_loss_that_is_not_finite_stops_and_names_the_images(shapes: Dataset, tmp_path: Path) -> None:
    with pytest.raises(KinsError, match=r"step \d+: .*loss_.* not finite on images 00000\d\.png, 00000\d\.png; lower"):
        train(small("train.steps=30", "train.lr=1e18", "train.clip=null", "train.warmup=0"), shapes, tmp_path)


def test_a_gradient_that_is_not_finite_stops_and_names_the_images(
    shapes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The square root's gradient is infinite at 0, its value is not."""

    def forward(self: AmodalRCNN, images: object, targets: object) -> dict[str, torch.Tensor]:
        return {"loss_odd": next(p for p in self.parameters() if p.requires_grad).sum().mul(0).abs().sqrt()}

    monkeypatch.setattr(AmodalRCNN, "forward", forward)
    for clip in ("null", "5"):
        with pytest.raises(
            KinsError, match=r"step 1: the gradient is not finite on images 00000\d\.png, 00000\d\.png; lo"
        ):
            train(small("train.steps=2", f"train.clip={clip}"), shapes, tmp_path / clip)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_steps_that_overflow_in_float16_are_left_out(
    shapes: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    """As on a GPU: the first steps find out what gradients can be scaled by. CPUs have the same scaler, but they are
    slow at the rest, which is a square here."""

    def forward(self: AmodalRCNN, images: object, targets: object) -> dict[str, torch.Tensor]:
        return {"loss_odd": next(p for p in self.parameters() if p.requires_grad).half().float().square().sum()}

    monkeypatch.setattr(AmodalRCNN, "forward", forward)
    monkeypatch.setattr(processes, "pick_precision", lambda device, name: "16")
    scaler = torch.amp.GradScaler
    monkeypatch.setattr(torch.amp, "GradScaler", lambda device: scaler(device, init_scale=2.0**40))
    overrides = ["train.steps=40", "train.clip=5", f"train.optimizer={optimizer}", "train.lr=0.001"]
    path = train(small(*overrides), shapes, tmp_path)
    facts = weights.load(tmp_path / weights.LAST)[1]
    assert 1 <= facts["scaler"]["scale"] < 2.0**40
    first = weights.load(path)[0]
    assert all(value.isfinite().all() for value in first.values())
    torch.manual_seed(0)
    fresh = assemble(small().model, len(shapes.categories)).state_dict()
    assert any(not torch.equal(value, first[f"model.{name}"]) for name, value in fresh.items())


def test_a_folder_with_another_run_is_refused(shapes: Dataset, tmp_path: Path) -> None:
    train(small("train.steps=1"), shapes, tmp_path)
    with pytest.raises(KinsError, match=r"holds a run with train\.lr 0\.0008, not 0\.1"):
        train(small("train.steps=2", "train.lr=0.1"), shapes, tmp_path)
    train(small("train.steps=2"), shapes, tmp_path)
    assert list(logged(tmp_path)) == [1, 2]


def test_a_run_from_before_a_setting_existed_goes_on(shapes: Dataset, tmp_path: Path) -> None:
    train(small("train.steps=1"), shapes, tmp_path)
    tensors, facts = weights.load(tmp_path / weights.LAST)
    del facts["config"]["train"]["frozen"]
    weights.save(tmp_path / weights.LAST, tensors, facts)
    with pytest.raises(KinsError, match=r"holds a run with train\.frozen \[\], not \["):
        train(small("train.steps=2", "train.frozen=[backbone]"), shapes, tmp_path)
    train(small("train.steps=2"), shapes, tmp_path)
    assert list(logged(tmp_path)) == [1, 2]


def test_negative_category_ids_train_and_predict(shapes: Dataset, tmp_path: Path) -> None:
    turned = [s.replace(instances=tuple(i.replace(category_id=-i.category_id) for i in s)) for s in shapes]
    categories = {-key: name for key, name in shapes.categories.items()}
    dataset = Dataset.from_scenes(turned, categories, images_dir=shapes.images_dir)
    path = train(small("train.steps=1", "model.score_threshold=0.0"), dataset, tmp_path)
    found = Predictor.load(path)(shapes[0].read_image())
    assert {i.category_id for i in found} <= {-1, -2, -3}
    assert len(found)
    train(small("train.steps=2", "model.score_threshold=0.0"), dataset, tmp_path)


def test_a_run_can_start_from_other_weights(shapes: Dataset, tmp_path: Path) -> None:
    path = train(small("train.steps=1"), shapes, tmp_path / "first")
    said: list[str] = []
    overrides = ["train.steps=1", f"train.init={path}", "train.lr=1e-12"]
    train(small(*overrides), shapes, tmp_path / "second", say=said.append)
    assert said == []  # nothing is left at random
    train(small(*overrides, "model.hidden=16"), shapes, tmp_path / "third", say=said.append)
    wide, narrow = (assemble(small(f"model.hidden={n}").model, 3).state_dict() for n in (32, 16))
    others = [name for name, value in narrow.items() if value.shape != wide[name].shape]
    assert len(said) == 1
    assert f"train.init={path}: {len(others)} of {len(narrow)} tensors start at random" in said[0]
    assert ".".join(others[0].split(".")[:3]) in said[0]
    assert weights.read_header(tmp_path / "second" / weights.BEST).facts["start"] == weights.digest(path)
    assert weights.read_header(path).facts["start"] is None
    first, second = (weights.model_state(weights.load(tmp_path / run / weights.BEST)[0]) for run in ("first", "second"))
    assert all(torch.allclose(value, second[key], atol=1e-6) for key, value in first.items())


def test_frozen_parts_keep_their_weights_and_the_others_learn(shapes: Dataset, tmp_path: Path) -> None:
    path = train(small("train.steps=1"), shapes, tmp_path / "first")
    settings = ["train.steps=1", "train.lr=0.01", f"train.init={path}", "train.frozen=[backbone, rpn.head]"]
    train(small(*settings), shapes, tmp_path / "second")
    first, second = (weights.model_state(weights.load(tmp_path / run / weights.BEST)[0]) for run in ("first", "second"))
    kept = {key for key, value in first.items() if torch.equal(value, second[key])}
    assert kept == {key for key in first if key.startswith(("backbone.", "rpn.head."))}


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ("[backbone.bodi]", r"no part 'backbone\.bodi'; did you mean 'backbone\.body'"),
        ("[backbone, rpn, roi_heads]", "nothing is left to train"),
    ],
)
def test_parts_that_can_not_be_frozen(shapes: Dataset, tmp_path: Path, parts: str, message: str) -> None:
    with pytest.raises(KinsError, match=message):
        train(small(f"train.frozen={parts}"), shapes, tmp_path)


def test_checkpoints_hold_no_code(shapes: Dataset, tmp_path: Path) -> None:
    path = train(small("train.steps=1"), shapes, tmp_path)
    assert path.read_bytes()[8:9] == b"{"  # safetensors: a length, then JSON
    path.write_bytes(b"garbage")
    with pytest.raises(KinsError, match="not a readable safetensors file"):
        Predictor.load(tmp_path)
    with pytest.raises(KinsError, match="no such file"):
        Predictor.load(tmp_path / "nothing.safetensors")
    (tmp_path / "empty").mkdir()
    with pytest.raises(KinsError, match="holds neither"):
        Predictor.load(tmp_path / "empty")


def test_learning_rates() -> None:
    steps = load_config("asn_mlc_r50").train
    assert learning_rate(steps, 0, 0) < 0.001
    assert learning_rate(steps, 5000, 0.5) == pytest.approx(steps.lr)
    assert learning_rate(steps, 10000, 10000 / 12000) == pytest.approx(steps.lr / 10)
    assert learning_rate(steps, 11000, 11000 / 12000) == pytest.approx(steps.lr / 100)
    cosine = load_config("tiny").train
    assert learning_rate(cosine, 10**6, 0.5) == pytest.approx(cosine.lr / 2)
    assert learning_rate(cosine, 10**6, 1) == pytest.approx(0)


def test_warm_up_follows_the_clock_where_the_schedule_does() -> None:
    """However slow the machine: all steps of a short budget would lie in the warm-up otherwise."""
    budget = load_config("tiny", ["train.minutes=1", "train.steps=1000", "train.warmup=50"]).train
    assert learning_rate(budget, 3, 0.06) == pytest.approx(budget.lr * 0.5 * (1 + math.cos(math.pi * 0.06)))
    assert learning_rate(budget, 10**6, 0.02) < 0.5 * budget.lr
    assert learning_rate(budget, 0, 0) > 0


def test_a_budget_in_minutes_ends_in_time(shapes: Dataset, tmp_path: Path) -> None:
    seen: list[Progress] = []
    train(small("train.minutes=0.03"), shapes, tmp_path, progress=seen.append)
    assert seen[-1].share >= 1
    assert all(a.share < b.share for a, b in itertools.pairwise(seen))
    assert (tmp_path / weights.BEST).is_file()


def test_a_batch_that_can_not_be_shared_is_refused(shapes: Dataset, tmp_path: Path) -> None:
    with pytest.raises(KinsError, match="no multiple of 3"):
        train(small("train.batch=4", "train.micro_batch=3"), shapes, tmp_path)


def test_coordinates_are_not_rounded_by_mixed_precision() -> None:
    class Echo(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert x.dtype == torch.float32
            assert x[0, 0] == torch.tensor(776.3)
            assert super().forward(x).dtype == torch.bfloat16
            return x

    fabric, _ = launch(small("train.precision=bf16").train)
    model = fabric.setup(Echo(4, 4))
    assert model(torch.full((1, 4), 776.3)).dtype == torch.float32


def test_a_run_that_had_a_setting_which_is_gone_goes_on_and_predicts(shapes: Dataset, tmp_path: Path) -> None:
    train(small("train.steps=1"), shapes, tmp_path)
    for name in (weights.LAST, weights.BEST):
        tensors, facts = weights.load(tmp_path / name)
        facts["config"]["train"]["devices"] = 4
        weights.save(tmp_path / name, tensors, facts)
    Predictor.load(tmp_path)
    train(small("train.steps=2"), shapes, tmp_path)
    assert list(logged(tmp_path)) == [1, 2]
