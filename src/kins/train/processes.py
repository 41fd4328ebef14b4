"""One training in several processes: what computes, and how all of them stop when one has to."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.precision import MixedPrecision, Precision

from kins.config import TrainConfig
from kins.errors import KinsError
from kins.models.devices import check_compiling, fabric_devices, pick_device, pick_precision

T = TypeVar("T")

HEARD = 10
"""Seconds in which the first process can say why all stop; torchrun ends the others as soon as one of them is gone."""


class Mixed(MixedPrecision):
    """Fabric's mixed precision, but what goes into the network stays as it is: coordinates rounded to bfloat16 would be
    off by pixels."""

    def convert_input(self, data: Any) -> Any:
        return data


def first_process() -> bool:
    """Whether this is the one that speaks, of those that torchrun started; known before they have met."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def heard_once() -> Iterator[None]:
    """Of an error that all processes find before they have met, the first one speaks, and the others only if it is
    silent."""
    try:
        yield
    except KinsError:
        if not first_process():
            time.sleep(HEARD)
        raise


def launch(settings: TrainConfig) -> tuple[Fabric, Precision]:
    """The processes meet. Raises KinsError for a device or precision that is not there."""
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


def gather(fabric: Fabric, value: T) -> list[T]:
    """The values of all processes, by rank; all have to call this."""
    if fabric.world_size == 1:
        return [value]
    values: list[Any] = [None] * fabric.world_size
    torch.distributed.all_gather_object(values, value)
    return values


@contextmanager
def together(fabric: Fabric) -> Iterator[None]:
    """Done by all processes, or else all of them stop, with the message of one that failed; nobody waits for it.

    Raises:
        KinsError: what one of the processes raised, in the first of them; the others end silently.
    """
    problem = None
    try:
        yield
    except KinsError as error:
        problem = str(error)
        if fabric.world_size == 1:
            raise
    stop_if(fabric, problem)


def stop_if(fabric: Fabric, problem: str | None) -> None:
    """Ends all processes if one of them has a problem: all have to call this. Raises as `together`."""
    if fabric.world_size > 1:
        failed = torch.tensor([float(problem is not None)], device=fabric.device)
        torch.distributed.all_reduce(failed)
        if failed.item():
            problem = next(found for found in gather(fabric, problem) if found is not None)
    if problem is None:
        return
    if not fabric.is_global_zero:
        time.sleep(HEARD)
        raise SystemExit(2)
    raise KinsError(problem)
