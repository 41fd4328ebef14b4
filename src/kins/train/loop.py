"""Training: one loop, from a configuration to a run folder.

A run is a function of its configuration and data alone: every random choice is seeded by the place of its image in the
endless training sequence. So a run that was killed and goes on gives the losses of an uninterrupted one, and the number
of processes does not matter either.

A run folder holds config.json, log.csv, evaluations.csv, tensorboard/, last.safetensors (the whole state) and
best.safetensors (the weights that evaluated best, or the final ones).
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision, Precision
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from kins.config import NETWORKS, Config, TrainConfig, stored, suggest
from kins.errors import KinsError
from kins.evaluation import Evaluator
from kins.files import only_one
from kins.models import weights
from kins.models.devices import check_compiling, fabric_devices, pick_device, pick_precision
from kins.models.network import AmodalRCNN, assemble
from kins.predict.predictor import Predictor, with_categories
from kins.records import Dataset
from kins.train.log import Progress, RunLog
from kins.train.samples import Batches, TrainingSet, collate


class Mixed(MixedPrecision):
    """Fabric's mixed precision, but what goes into the network stays as it is: coordinates rounded to bfloat16 would be
    off by pixels."""

    def convert_input(self, data: Any) -> Any:
        return data


Report = Callable[[Progress], None]


def train(
    config: Config,
    dataset: Dataset,
    out: str | Path,
    *,
    test: Dataset | None = None,
    progress: Report | None = None,
) -> Path:
    """Train a network, or go on with a run that was interrupted.

    Args:
        config: see `kins.config.load_config`.
        dataset: the training images, with an image folder.
        out: the run folder; if it holds a checkpoint, the run goes on from there.
        test: for evaluation at intervals and for choosing the best weights; None keeps the final ones.
        progress: called after each step, in the main process.

    Returns:
        The weights file, for `kins.predict.Predictor.load`.

    Raises:
        KinsError: unusable data, a folder with another run in it or where another training is at work, or a loss
            that is not finite (the images are named).
    """
    out = Path(out)
    fabric, precision = _fabric(config.train)
    run = Run(config, dataset, out, fabric, precision, test)
    with only_one(out) if fabric.is_global_zero else contextlib.nullcontext():
        run.resume()
        run.loop(progress)
    return out / weights.BEST


def _fabric(settings: TrainConfig) -> tuple[Fabric, Precision]:
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    device = pick_device(settings.device)
    precision = pick_precision(device, settings.precision)
    if settings.compile:
        check_compiling(device)
    plugin = Precision() if precision == "32" else Mixed(f"{precision}-mixed", device.type)  # type: ignore[arg-type]
    world = int(os.environ.get("WORLD_SIZE", "1"))  # torchrun's
    local = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    fabric = Fabric(
        accelerator=device.type,
        devices=fabric_devices(device, local),
        num_nodes=world // local,
        strategy="ddp" if world > 1 else "auto",
        plugins=plugin,
    )
    fabric.launch()
    return fabric, plugin


class Run:
    """The state of one training run: network, optimiser, average, place in the sequence."""

    def __init__(
        self,
        config: Config,
        dataset: Dataset,
        out: Path,
        fabric: Fabric,
        precision: Precision,
        test: Dataset | None,
    ) -> None:
        settings = config.train
        if not len(dataset):
            raise KinsError("the training data holds no images")
        if settings.batch % fabric.world_size:
            raise KinsError(f"train.batch: {settings.batch} images can't be shared by {fabric.world_size} processes")
        self.share = settings.batch // fabric.world_size
        self.micro_batch = min(settings.micro_batch or self.share, self.share)
        if self.share % self.micro_batch:
            raise KinsError(f"train.micro_batch: {self.share} images a process are no multiple of {self.micro_batch}")
        self.config, self.dataset, self.test, self.out = config, dataset, test, out
        self.fabric, self.precision = fabric, precision
        self.categories = {key: dataset.categories[key] for key in sorted(dataset.categories)}
        torch.manual_seed(settings.seed)
        self.network = assemble(config.model, len(self.categories))
        freeze(self.network, settings.frozen)
        self.step, self.seconds, self.best = 0, 0.0, -math.inf

    def resume(self) -> None:
        """Prepare network, optimiser and average; from the checkpoint if there is one, else from `train.init`."""
        settings, last = self.config.train, self.out / weights.LAST
        tensors: dict[str, Tensor] = {}
        facts: dict[str, Any] = {}
        if last.is_file():
            tensors, facts = weights.load(last)
            self._check_same(facts)
            self.step, self.seconds, self.best = facts["step"], facts["seconds"], facts["best"]
            self.network.load_state_dict(_part(tensors, "model."))
        elif settings.init is not None:
            weights.start_from(self.network, settings.init, self.categories)
        if settings.channels_last:
            self.network.to(memory_format=torch.channels_last)
        self.network.to(self.fabric.device)
        self.average = None
        if settings.ema is not None:
            average = get_ema_multi_avg_fn(settings.ema)
            self.average = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)
            if tensors:
                self.average.module.load_state_dict(_part(tensors, "ema."))
                self.average.n_averaged.fill_(1)
        optimizer = _optimizer(self.network, settings)
        if settings.compile:
            self.network.backbone.compile()
        self.network.train()
        self.model, self.optimizer = self.fabric.setup(self.network, optimizer)
        if tensors:
            _load_optimizer(optimizer, _part(tensors, "optimizer."))
            self.precision.load_state_dict(facts.get("scaler", {}))

    def loop(self, report: Report | None = None) -> None:
        """Train to the end of the schedule, with logs, checkpoints and evaluations on the way."""
        settings = self.config.train
        log = RunLog(self.out, self.step, self.config) if self.fabric.is_global_zero else None
        batches = self._batches()
        started, first = time.monotonic() - self.seconds, self.step
        while self._share() < 1:
            begun = time.monotonic()
            lr = learning_rate(settings, self.step, self._share())
            losses = self._train_step(batches, lr)
            self.step += 1
            self.seconds = time.monotonic() - started
            share = self._share()
            if self.step - first == 3:  # the first steps are slow and would spoil the estimate
                first_seconds, first_share, counted = self.seconds, share, self.step
            if self.step - first > 3:
                took = self.seconds - first_seconds
                rate = (self.step - counted) * settings.batch / max(took, 1e-6)
                left = took / max(share - first_share, 1e-9) * (1 - share)
            else:
                rate, left = settings.batch / max(time.monotonic() - begun, 1e-6), math.inf
            every = settings.evaluate_every
            evaluation = self._evaluate() if share >= 1 or (every and self.step % every == 0) else None
            if share >= 1 or self.step % settings.checkpoint_every == 0:
                self._checkpoint()
            now = Progress(self.step, share, losses, lr, rate, left, evaluation)
            if log is not None:
                log.write(now, self.seconds)
            if report is not None and self.fabric.is_global_zero:
                report(now)
        if log is not None:
            log.close()
        self.fabric.barrier()

    def _share(self) -> float:
        settings = self.config.train
        if settings.minutes is None:
            return self.step / settings.steps
        share = torch.tensor(self.seconds / (60 * settings.minutes))
        return float(self.fabric.broadcast(share)) if self.fabric.world_size > 1 else float(share)

    def _batches(self) -> Iterator[tuple[list[Tensor], list[dict[str, Tensor]]]]:
        settings, data = self.config.train, self.config.data
        samples = TrainingSet(
            self.dataset, data, self.config.augment, settings.seed, "inmodal" in NETWORKS[self.config.model.name].masks
        )
        order = Batches(
            len(samples),
            settings.seed,
            settings.batch,
            self.micro_batch,
            self.fabric.global_rank,
            self.fabric.world_size,
            self.step,
        )
        return iter(DataLoader(samples, batch_sampler=order, num_workers=data.workers, collate_fn=collate))

    def _train_step(
        self, batches: Iterator[tuple[list[Tensor], list[dict[str, Tensor]]]], lr: float
    ) -> dict[str, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        parts = self.share // self.micro_batch
        totals: dict[str, Tensor] = {}
        for part in range(parts):
            images, targets = next(batches)
            device = self.fabric.device
            images = [image.to(device, non_blocking=True) for image in images]
            moved = [{name: value.to(device, non_blocking=True) for name, value in t.items()} for t in targets]
            with self.fabric.no_backward_sync(self.model, enabled=part < parts - 1):
                losses: dict[str, Tensor] = self.model(images, moved)
                loss = torch.stack(list(losses.values())).sum()
                losses = {"loss": loss, **losses}
                if not torch.isfinite(loss):
                    self._stop(losses, targets)
                self.fabric.backward(loss / parts)
            for name, value in losses.items():
                totals[name] = totals.get(name, 0) + value.detach() / parts
        if self.config.train.clip is not None:
            self.fabric.clip_gradients(self.model, self.optimizer, max_norm=self.config.train.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self.network)
        means = torch.stack(list(totals.values()))
        if self.fabric.world_size > 1:
            torch.distributed.all_reduce(means)
            means /= self.fabric.world_size
        return dict(zip(totals, means.tolist(), strict=True))

    def _stop(self, losses: Mapping[str, Tensor], targets: list[dict[str, Tensor]]) -> None:
        bad = [name for name, value in losses.items() if name != "loss" and not torch.isfinite(value)]
        images = list(self.dataset.images.values())
        names = [images[int(t["image"])].file_name for t in targets]
        raise KinsError(
            f"step {self.step + 1}: {', '.join(bad)} is not finite on images {', '.join(names)}; "
            f"lower train.lr or set train.clip and start again (the last checkpoint in {self.out} is kept)"
        )

    def _evaluate(self) -> dict[str, float] | None:
        if not self.fabric.is_global_zero:
            return None
        network = self.network if self.average is None else self.average.module
        figures = None
        if self.test is not None:
            figures = self._figures(network, self.test)
            network.train()
        score = -math.inf if figures is None else figures["score"]
        if figures is None or score > self.best or not (self.out / weights.BEST).is_file():
            self.best = max(self.best, score)
            tensors = {f"model.{name}": value for name, value in network.state_dict().items()}
            weights.save(self.out / weights.BEST, tensors, {**self._facts(), "evaluation": figures})
        return figures

    def _figures(self, network: torch.nn.Module, test: Dataset) -> dict[str, float]:
        """AP of boxes and masks in percent; `score`, which chooses the best weights, is the mean over the masks."""
        settings = self.config.train
        predictor = Predictor(
            network, self.categories, self.config, device=str(self.fabric.device), precision=settings.precision
        )
        evaluator = Evaluator(test.categories, slices=())
        for scene in itertools.islice(test, settings.evaluate_images):
            found = predictor(scene.read_image()).replace(image=scene.image)
            evaluator.update(scene, with_categories(found, test.categories))
        kinds = evaluator.results().kinds
        figures = {f"{kind}_{name}": kinds[kind][name] for kind in kinds for name in ("AP", "AP50", "AP75")}
        scores = [kinds[kind]["AP"] for kind in kinds if kind != "box" and not math.isnan(kinds[kind]["AP"])]
        return {**figures, "score": sum(scores) / len(scores) if scores else 0.0}

    def _checkpoint(self) -> None:
        if self.fabric.is_global_zero:
            tensors = {f"model.{name}": value for name, value in self.network.state_dict().items()}
            if self.average is not None:
                tensors |= {f"ema.{name}": value for name, value in self.average.module.state_dict().items()}
            for index, state in self.optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items() if value is not None}
            weights.save(self.out / weights.LAST, tensors, {**self._facts(), "scaler": self.precision.state_dict()})

    def _facts(self) -> dict[str, Any]:
        return {
            "config": self.config.model_dump(mode="json"),
            "categories": self.categories,
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
        }

    def _check_same(self, facts: Mapping[str, Any]) -> None:
        """A run goes on only as what it was; the length of the schedule and where it computes may change."""
        free = {"steps", "minutes", "device", "compile", "channels_last", "checkpoint_every", "evaluate_every"}
        free |= {"evaluate_images", "log_every", "init", "micro_batch", "precision"}
        held = stored(facts["config"], str(self.out))
        was, now = (config.model_dump(mode="json") for config in (held, self.config))
        pairs = [
            (f"{section}.{key}", was[section][key], value)
            for section in ("model", "augment", "train")
            for key, value in now[section].items()
            if section != "train" or key not in free
        ]
        pairs.append(("categories", list(facts["categories"].values()), list(self.categories.values())))
        for place, before, value in pairs:
            if before != value:
                raise KinsError(
                    f"{self.out}: holds a run with {place} {json.dumps(before)}, not {json.dumps(value)}; "
                    "give another --out, or the settings of that run to go on with it"
                )


def freeze(network: AmodalRCNN, parts: Sequence[str]) -> None:
    """Parts of the network, by the place where they stand in it ("backbone.body"), keep their weights in training.

    Raises:
        KinsError: no such part, or nothing left to train.
    """
    for name in parts:
        try:
            part = network.get_submodule(name)
        except AttributeError:
            known = [child for child, _ in network.named_modules() if len(child) > 0 and child.count(".") < 2]
            raise KinsError(f"train.frozen: the network has no part '{name}'{suggest(name, known)}") from None
        part.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise KinsError("train.frozen: nothing is left to train; name fewer parts, for example [backbone, rpn]")


def learning_rate(settings: TrainConfig, step: int, share: float) -> float:
    """The rate of a step (0 is the first): linear warm-up, then drops or a half cosine over the schedule's share."""
    if settings.schedule == "cosine":
        rate = settings.lr * 0.5 * (1 + math.cos(math.pi * min(share, 1)))
    else:
        rate = settings.lr * 0.1 ** sum(share >= drop for drop in settings.drops)
    return rate * min(1.0, (step + 1) / (settings.warmup + 1))


def _optimizer(network: AmodalRCNN, settings: TrainConfig) -> torch.optim.Optimizer:
    """Weight decay is for matrices and convolutions only, not for biases and normalisation."""
    trained = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.momentum)
    return torch.optim.AdamW(groups, lr=settings.lr, fused=True)


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    for parameter, moments in optimizer.state.items():
        for key, value in moments.items():
            if value.shape == parameter.shape:  # in the parameter's memory layout: another one rounds differently
                moments[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
