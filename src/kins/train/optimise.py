"""What changes the weights: which of them are trained, by what optimiser, at what rate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kins.config import TrainConfig, suggest
from kins.errors import KinsError


def freeze(network: nn.Module, parts: Sequence[str]) -> None:
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
    """The rate of a step (0 is the first): linear warm-up, then drops or a half cosine over the schedule's share.

    With a budget in minutes the warm-up follows the clock, too: a slow machine would never come to its end otherwise.
    """
    if settings.schedule == "cosine":
        rate = settings.lr * 0.5 * (1 + math.cos(math.pi * min(share, 1)))
    else:
        rate = settings.lr * 0.1 ** sum(share >= drop for drop in settings.drops)
    place = step if settings.minutes is None else share * settings.steps
    return rate * min(1.0, (place + 1) / (settings.warmup + 1))


def make_optimizer(network: nn.Module, settings: TrainConfig, scaled: bool) -> torch.optim.Optimizer:
    """Weight decay is for matrices and convolutions only, not for biases and normalisation.

    Args:
        scaled: whether gradients are scaled (float16); fused optimisers undo it by themselves, too late for clipping.
    """
    trained = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.momentum)
    return torch.optim.AdamW(groups, lr=settings.lr, fused=not scaled)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state by "<number of the parameter>.<name>"."""
    return {
        f"{index}.{name}": value
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
        if value is not None
    }


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], path: Path) -> None:
    """Takes over what `optimizer_tensors` gave. Raises KinsError, naming the file, for what is no such state."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, _, key = name.partition(".")
        state.setdefault(int(number) if number.isdecimal() and len(number) < 10 else -1, {})[key] = value
    parameters: list[Tensor] = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    kept = {"momentum_buffer"} if isinstance(optimizer, torch.optim.SGD) else {"step", "exp_avg", "exp_avg_sq"}
    for index, values in state.items():
        if not 0 <= index < len(parameters) or values.keys() != kept:
            raise KinsError(f"{path}: the optimiser's state is damaged (parameter {index}); remove it to begin anew")
        for key, value in values.items():
            if value.shape != (torch.Size() if key == "step" else parameters[index].shape):
                raise KinsError(
                    f"{path}: the optimiser's state is damaged ({key} of parameter {index} has another shape)"
                )
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    for parameter, moments in optimizer.state.items():
        for key, value in moments.items():
            if value.shape == parameter.shape:  # in the parameter's memory layout: another one rounds differently
                moments[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def is_scaler(state: Any) -> bool:
    """Whether this is the state of a gradient scaler (float16)."""
    names = ("scale", "growth_factor", "backoff_factor", "growth_interval", "_growth_tracker")
    return isinstance(state, dict) and all(isinstance(state.get(name), int | float) for name in names)
