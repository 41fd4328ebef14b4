"""Training: one loop, from a configuration to a run folder.

A run is a function of its configuration and data alone: every random choice is seeded by the place of its image in the
endless training sequence. So a run that was killed and goes on gives the losses of an uninterrupted one, and the number
of processes does not matter either.

A run folder holds config.json, log.csv, evaluations.csv, tensorboard/, last.safetensors (the whole state) and
best.safetensors (the weights that evaluated best, or the final ones).
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision, Precision
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from kins.config import Config
from kins.errors import KinsError
from kins.files import only_one
from kins.models import weights
from kins.models.completion import MaskCompletion
from kins.models.network import make
from kins.models.ordernet import OrderNetwork
from kins.predict.predictor import Predictor
from kins.records import Dataset
from kins.train.log import Pace, Progress, RunLog
from kins.train.optimise import freeze, is_scaler, learning_rate, load_optimizer, make_optimizer, optimizer_tensors
from kins.train.processes import gather, launch, stop_if, together
from kins.train.resume import check_same, fingerprint, remove_leftovers
from kins.train.samples import Batches, arriving, collate, training_set
from kins.train.shapes import prepare
from kins.train.validation import completion_figures, evaluate_together, named_figures, order_figures

Part = tuple[list[Tensor], list[dict[str, Tensor]]]
"""Images and targets of one forward pass."""
Losses = dict[str, Tensor]


def train(
    config: Config,
    dataset: Dataset,
    out: str | Path,
    *,
    test: Dataset | None = None,
    progress: Callable[[Progress], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> Path:
    """Train a network, or go on with a run that was interrupted.

    Args:
        config: see `kins.config.load_config`.
        dataset: the training images, with an image folder.
        out: the run folder; if it holds a checkpoint, the run goes on from there.
        test: for evaluation at intervals and for choosing the best weights; None keeps the final ones.
        progress: called after each step, in the main process.
        say: called there, too, with each line that is worth knowing: where the run goes on, what starts at random.

    Returns:
        The weights file, for `kins.Predictor.load`.

    Raises:
        KinsError: unusable data, a folder with another run in it or where another training is at work, a disk that
            can't be written to, or a loss or gradient that is not finite (the images are named).

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> dataset = write_shapes("shapes", 4, size=(64, 96))
        >>> small = ["data.short_side=64", "model.regions=16", "train.steps=2", "train.device=cpu", "data.workers=0"]
        >>> path = kins.train(kins.config.load_config("tiny", small), dataset, "run")
        >>> path.name, len(kins.Predictor.load(path)(dataset[0].read_image())) <= 100
        ('best.safetensors', True)
    """
    fabric, precision = launch(config.train)
    with contextlib.ExitStack() as held:
        with together(fabric):
            if fabric.is_global_zero:
                held.enter_context(only_one(out))
                remove_leftovers(Path(out))
            run = Run(config, dataset, Path(out), fabric, precision, test, say or (lambda line: None))
            tensors = run.restore()
        run.set_up(tensors)
        run.loop(progress or (lambda now: None))
    return Path(out) / weights.BEST


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
        say: Callable[[str], None],
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
        self.scaled = isinstance(precision, MixedPrecision) and precision.scaler is not None
        self.say = say if fabric.is_global_zero else lambda line: None
        self.categories = {key: dataset.categories[key] for key in sorted(dataset.categories)}
        self.network = self._make()
        self.samples = training_set(self.network, config, dataset)
        self.data = fingerprint(dataset)
        freeze(self.network, settings.frozen)
        self.step, self.seconds, self.best, self.evaluated = 0, 0.0, -math.inf, 0
        self.start: str | None = None  # digest of the weights that it began with

    def _make(self) -> torch.nn.Module:
        """The network; torchvision's weights are read only where no others are loaded in their place by `restore`."""
        settings, init, classes = self.config.model, self.config.train.init, len(self.categories)
        blank = (self.out / weights.LAST).is_file()
        if settings.weights is not None and init is not None and not blank:
            blank = weights.fills(init, settings, classes)
        torch.manual_seed(self.config.train.seed)
        return make(settings, classes, blank)

    def restore(self) -> dict[str, Tensor]:
        """The place where the run stands, and the network, from the checkpoint if there is one, else `train.init`.

        Returns:
            The checkpoint's tensors; none where the run begins.
        """
        init, last = self.config.train.init, self.out / weights.LAST
        if not last.is_file():
            if init is not None:
                self._start_from(init)
            prepare(self.network, self.samples, self.config.train.seed)
            return {}
        tensors, facts = weights.load(last, weights.RUN_STATE)
        check_same(facts, self.config, self.categories, self.data, self.out)
        self.step, self.seconds, self.best = facts["step"], facts["seconds"], facts["best"]
        self.start = facts.get("start")
        evaluated = facts.get("evaluated", self.step if (self.out / weights.BEST).is_file() else 0)
        self.evaluated = evaluated if isinstance(evaluated, int) else 0
        weights.restore(self.network, weights.part(tensors, "model."), last)
        if self.scaled and is_scaler(facts.get("scaler")):  # none where the run had another precision before
            self.precision.load_state_dict(facts["scaler"])
        return tensors

    def _start_from(self, init: str) -> None:
        random = weights.start_from(self.network, init, self.categories)
        self.start = weights.digest(weights.find(init))
        if random:
            parts = list(dict.fromkeys(".".join(name.split(".")[:3]) for name in random))
            named = ", ".join(parts[:6]) + (f" and {len(parts) - 6} more" if len(parts) > 6 else "")
            count = len(self.network.state_dict())
            self.say(
                f"train.init={init}: {len(random)} of {count} tensors start at random, for they have other shapes, or "
                f"belong to other categories: {named}"
            )

    def set_up(self, tensors: dict[str, Tensor]) -> None:
        """Network, average and optimiser on their device, as the tensors of a checkpoint say, if there are any."""
        settings = self.config.train
        if len(set(gather(self.fabric, self.step))) > 1:
            stop_if(self.fabric, f"{self.out}: is not the same folder for all processes; choose one on a shared disk")
        if settings.channels_last:
            self.network.to(memory_format=torch.channels_last)
        self.network.to(self.fabric.device)
        self.average = None
        if settings.ema is not None:
            average = get_ema_multi_avg_fn(settings.ema)
            self.average = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)
            if tensors:
                weights.restore(self.average.module, weights.part(tensors, "ema."), self.out / weights.LAST)
                self.average.n_averaged.fill_(1)
        optimizer = make_optimizer(self.network, settings, self.scaled)
        if settings.compile:
            getattr(self.network, "backbone", self.network).compile()
        self.network.train()
        self.model, self.optimizer = self.fabric.setup(self.network, optimizer)
        if tensors:
            load_optimizer(optimizer, weights.part(tensors, "optimizer."), self.out / weights.LAST)

    def loop(self, report: Callable[[Progress], None]) -> None:
        """Train to the end of the schedule, with logs, checkpoints and evaluations on the way."""
        settings = self.config.train
        with together(self.fabric):
            log = RunLog(self.out, self.config, self.step, self.evaluated) if self.fabric.is_global_zero else None
        batches, pace = self._batches(), Pace(settings.batch)
        share, started = self._share(), time.monotonic() - self.seconds
        if self.step:
            more = "; a larger train.steps or train.minutes goes on with it" if share >= 1 else ""
            self.say(f"{self.out}: {'ended' if share >= 1 else 'goes on'} after step {self.step}{more}")
        if self._evaluation_due(share):  # it was stopped while it evaluated
            self._evaluate(log)
        while share < 1:
            begun = time.monotonic()
            lr = learning_rate(settings, self.step, share)
            losses = self._train_step(batches, lr)
            self.step += 1
            self.seconds = time.monotonic() - started
            share = self._share()
            speed, left = pace.step(time.monotonic() - begun, self.seconds, share)
            steps = settings.steps if settings.minutes is None else None
            now = Progress(self.step, steps, share, losses, lr, speed, left)
            with together(self.fabric) if self._saving(share) else contextlib.nullcontext():
                if log is not None:
                    log.step(now, self.seconds)
                if self._saving(share):
                    self._checkpoint()
            if self._evaluation_due(share):
                now = dataclasses.replace(now, evaluation=self._evaluate(log))
            if self.fabric.is_global_zero:
                report(now)
        if log is not None:
            log.close()
        self.fabric.barrier()

    def _share(self) -> float:
        """Of the schedule that is done."""
        settings = self.config.train
        if settings.minutes is None:
            return self.step / settings.steps
        return gather(self.fabric, self.seconds / (60 * settings.minutes))[0]

    def _saving(self, share: float) -> bool:
        return self.step % self.config.train.checkpoint_every == 0 or self._evaluation_due(share)

    def _evaluation_due(self, share: float) -> bool:
        every = self.config.train.evaluate_every
        return self.evaluated < self.step and (share >= 1 or bool(every and self.step % every == 0))

    def _batches(self) -> Iterator[Part]:
        workers = self.config.data.workers
        settings, fabric = self.config.train, self.fabric
        order = Batches(
            len(self.samples),
            settings.seed,
            settings.batch,
            self.micro_batch,
            fabric.global_rank,
            fabric.world_size,
            self.step,
        )
        pinned = fabric.device.type == "cuda"  # copies from there run beside the computation
        loader: DataLoader[Any] = DataLoader(
            self.samples, batch_sampler=order, num_workers=workers, collate_fn=collate, pin_memory=pinned
        )
        return arriving(loader)

    def _train_step(self, batches: Iterator[Part], lr: float) -> dict[str, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        parts = self.share // self.micro_batch
        found: list[Losses] = []
        used: list[Tensor] = []
        for part in range(parts):
            with together(self.fabric):
                images, targets = next(batches)
            found.append(self._backward(images, targets, parts, last=part == parts - 1))
            used += [target["image"] for target in targets]
        names = list(found[0])
        values = torch.stack([torch.stack([losses[name] for name in names]) for losses in found])
        self._check_finite(names, values, used)
        norm = self.fabric.clip_gradients(
            self.model, self.optimizer, max_norm=self.config.train.clip or math.inf, error_if_nonfinite=False
        )
        if not self.scaled and norm is not None and not norm.isfinite():  # a scaler leaves such a step out itself
            everywhere = [name for names in gather(self.fabric, self._names(used)) for name in names]
            stop_if(self.fabric, self._not_finite("the gradient", everywhere))
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self.network)
        means = values.mean(0)
        if self.fabric.world_size > 1:
            torch.distributed.all_reduce(means)
            means /= self.fabric.world_size
        return dict(zip(names, means.tolist(), strict=True))

    def _backward(self, images: list[Tensor], targets: list[dict[str, Tensor]], parts: int, last: bool) -> Losses:
        """Losses of one forward pass, of `parts`; gradients are exchanged after the last one."""
        device = self.fabric.device
        images = [image.to(device, non_blocking=True) for image in images]
        moved = [{name: value.to(device, non_blocking=True) for name, value in t.items()} for t in targets]
        with self.fabric.no_backward_sync(self.model, enabled=not last):
            losses: Losses = self.model(images, moved)
            loss = torch.stack(list(losses.values())).sum()
            self.fabric.backward(loss / parts)
        return {name: value.detach() for name, value in {"loss": loss, **losses}.items()}

    def _check_finite(self, names: list[str], values: Tensor, used: list[Tensor]) -> None:
        """All processes stop if one of them has a loss that is not finite.

        Args:
            values: (parts, names) losses of this process.
            used: the images of all parts, in sequence.
        """
        finite = values.isfinite()
        problem = None
        if not finite.all():
            part = int((~finite).any(1).nonzero()[0])
            bad = [name for name, fine in zip(names, finite[part].tolist(), strict=True) if not fine and name != "loss"]
            images = self._names(used[part * self.micro_batch : (part + 1) * self.micro_batch])
            problem = self._not_finite(", ".join(bad or ["loss"]), images)
        stop_if(self.fabric, problem)

    def _names(self, used: list[Tensor]) -> list[str]:
        images = list(self.dataset.images.values())
        return [images[int(index)].file_name for index in used]

    def _not_finite(self, what: str, images: list[str]) -> str:
        return (
            f"step {self.step + 1}: {what} is not finite on images {', '.join(images)}; lower train.lr or set "
            f"train.clip and start again (the last checkpoint in {self.out} is kept)"
        )

    def _evaluate(self, log: RunLog | None) -> dict[str, float] | None:
        """Figures on the test data, in the first process; the weights are kept if they are the best so far."""
        network = self.network if self.average is None else self.average.module
        figures = None if self.test is None else self._figures(network, self.test)
        network.train()
        self.evaluated = self.step
        with together(self.fabric):
            if log is not None:
                if figures is not None:
                    log.evaluation(self.step, self.seconds, figures)
                self._keep_best(network, figures)
                self._checkpoint()
        return figures

    def _figures(self, network: torch.nn.Module, test: Dataset) -> dict[str, float] | None:
        """In the first process."""
        settings = self.config.train
        if isinstance(network, MaskCompletion):
            return completion_figures(network, test, settings.evaluate_images, self.fabric)
        if isinstance(network, OrderNetwork):
            return order_figures(network, test, settings.evaluate_images, self.fabric)
        device, workers = str(self.fabric.device), self.config.data.workers
        predictor = Predictor(network, self.categories, self.config, device=device, precision=settings.precision)
        results = evaluate_together(predictor, test, self.fabric, settings.evaluate_images, workers)
        return None if results is None else named_figures(results)

    def _keep_best(self, network: torch.nn.Module, figures: dict[str, float] | None) -> None:
        score = -math.inf if figures is None else figures["score"]
        if figures is None or score > self.best or not (self.out / weights.BEST).is_file():
            self.best = max(self.best, score)
            tensors = {f"model.{name}": value for name, value in network.state_dict().items()}
            weights.save(self.out / weights.BEST, tensors, {**self._facts(), "evaluation": figures})

    def _checkpoint(self) -> None:
        if not self.fabric.is_global_zero:
            return
        tensors = {f"model.{name}": value for name, value in self.network.state_dict().items()}
        if self.average is not None:
            tensors |= {f"ema.{name}": value for name, value in self.average.module.state_dict().items()}
        tensors |= {f"optimizer.{name}": value for name, value in optimizer_tensors(self.optimizer).items()}
        weights.save(self.out / weights.LAST, tensors, {**self._facts(), "scaler": self.precision.state_dict()})

    def _facts(self) -> dict[str, Any]:
        return {
            "config": self.config.model_dump(mode="json"),
            "categories": self.categories,
            "data": self.data,
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "evaluated": self.evaluated,
            "start": self.start,
        }
