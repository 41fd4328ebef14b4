"""Which device computes, and in what precision."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from kins.errors import KinsError

TYPES = {"bf16": torch.bfloat16, "16": torch.float16}


def pick_device(name: str) -> torch.device:
    """ "auto" is the first of cuda, mps, cpu that is there. Raises KinsError if the device is not."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind = name.split(":")[0]
    if kind not in ("cpu", "cuda", "mps") or (kind != "cpu" and not getattr(torch, kind).is_available()):
        raise KinsError(f"device: '{name}' is not on this machine; use cpu or auto")
    return torch.device(name)


def pick_precision(device: torch.device, name: str) -> str:
    """ "auto" is bf16 where the hardware multiplies bfloat16 matrices fast (recent GPUs, CPUs with AMX), else 32."""
    if name != "auto":
        return name
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "32"
    if device.type == "cpu":
        fast = getattr(torch.cpu, "_is_amx_tile_supported", None)
        return "bf16" if fast is not None and fast() else "32"
    return "32"


def autocast(device: torch.device, precision: str) -> Callable[[], AbstractContextManager[Any]]:
    """A maker of the context to compute in."""
    name = pick_precision(device, precision)
    return nullcontext if name == "32" else lambda: torch.autocast(device.type, dtype=TYPES[name])
