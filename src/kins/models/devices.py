"""Which device computes, and in what precision."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from kins.errors import KinsError

TYPES = {"bf16": torch.bfloat16, "16": torch.float16}


def pick_device(name: str) -> torch.device:
    """ "auto" is the first of cuda, mps, cpu that is there; "cuda:3" the fourth GPU.

    Raises KinsError if the device is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind = name.split(":")[0]
    if kind not in ("cpu", "cuda", "mps") or (kind != "cpu" and not getattr(torch, kind).is_available()):
        raise KinsError(f"device: '{name}' is not on this machine; use cpu or auto")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise KinsError(f"device: '{name}' is no device; write for example cpu, cuda or cuda:1") from None
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if (device.index or 0) >= count:
        raise KinsError(f"device: '{name}' is not on this machine; the last one is {kind}:{count - 1}")
    return device


def fabric_devices(device: torch.device, processes: int) -> int | list[int]:
    """What Fabric takes as `devices`: the number of processes on this machine, or the one GPU that was asked for.

    Raises KinsError where several processes are to share one GPU.
    """
    if device.type != "cuda" or device.index is None:
        return processes
    if processes > 1:
        raise KinsError(
            f"train.device: '{device}' is one GPU, but there are {processes} processes; write cuda and choose GPUs "
            "by the environment variable CUDA_VISIBLE_DEVICES"
        )
    return [device.index]


def pick_precision(device: torch.device, name: str) -> str:
    """ "auto" is bf16 where the hardware multiplies bfloat16 matrices fast (recent GPUs, CPUs with AMX), else 32.

    Raises KinsError for a precision that does not exist, or does not work on the device.
    """
    if name not in ("auto", "32", *TYPES):
        raise KinsError(f"precision: '{name}' does not exist; use auto, 32, bf16 or 16")
    if name == "16" and device.type == "cpu":
        raise KinsError("precision: 16 (float16) needs a GPU; on a CPU use bf16, 32 or auto")
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


def check_compiling(device: torch.device) -> None:
    """Raises KinsError if torch.compile lacks the C++ compiler that it calls for code on CPUs."""
    usual = {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    compiler = os.environ.get("CXX") or usual
    if device.type == "cpu" and shutil.which(compiler) is None:
        raise KinsError(
            f"train.compile: there is no C++ compiler ('{compiler}') on this machine; install one, name it in the "
            "environment variable CXX, or leave train.compile=false"
        )
