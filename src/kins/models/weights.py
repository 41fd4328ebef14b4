"""Weights and checkpoints: safetensors files, which hold numbers and text and run no code when they are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from kins.config import Config, stored
from kins.errors import KinsError
from kins.files import temporary_name
from kins.models.network import AmodalRCNN, assemble

BEST = "best.safetensors"
LAST = "last.safetensors"
SHIPPED = {"street": "street.safetensors"}


def save(path: str | Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and facts (JSON values) atomically."""
    contiguous = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with temporary_name(path) as temporary:
        save_file(contiguous, temporary, {key: json.dumps(value) for key, value in facts.items()})


def load(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts of a file. Raises KinsError if it is none of ours."""
    path = Path(path)
    if not path.is_file():
        raise KinsError(f"{path}: no such file of weights")
    try:
        with safe_open(path, framework="pt") as file:
            facts = {key: json.loads(value) for key, value in (file.metadata() or {}).items()}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, ValueError) as error:
        raise KinsError(f"{path}: not a readable safetensors file ({' '.join(str(error).split())})") from None
    categories = facts.get("categories")
    if "config" not in facts or not isinstance(categories, dict) or not all(key.isdecimal() for key in categories):
        raise KinsError(f"{path}: safetensors, but not written by kins train (no config, or no categories by id)")
    if not any(name.startswith("model.") for name in tensors):
        raise KinsError(f"{path}: holds no network")
    return tensors, facts


def find(path: str | Path) -> Path:
    """The weights that a user names: a file, a run folder (its best weights, else its last), or "street" (shipped)."""
    if str(path) in SHIPPED and not Path(path).exists():
        with resources.as_file(resources.files("kins.models") / "pretrained" / SHIPPED[str(path)]) as file:
            return file
    path = Path(path)
    if path.is_dir():
        for name in (BEST, LAST):
            if (path / name).is_file():
                return path / name
        raise KinsError(f"{path}: holds neither {BEST} nor {LAST}; is it a folder that kins train wrote to?")
    return path


def model_state(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network's tensors of a weights file or a checkpoint; of the latter the averaged ones if there are any."""
    prefix = "ema." if any(name.startswith("ema.") for name in tensors) else "model."
    return {n.removeprefix(prefix): t.float() for n, t in tensors.items() if n.startswith(prefix)}


def load_model(path: str | Path) -> tuple[AmodalRCNN, Config, dict[int, str]]:
    """Network, configuration and categories (name by id, in the order of the labels) of a run or a weights file."""
    file = find(path)
    tensors, facts = load(file)
    config = stored(facts["config"], str(file))
    categories = {int(key): name for key, name in facts["categories"].items()}
    model = assemble(config.model.model_copy(update={"weights": None, "norm": _norm(config)}), len(categories))
    try:
        model.load_state_dict(model_state(tensors))
    except RuntimeError as error:
        raise KinsError(
            f"{file}: weights and configuration don't fit ({str(error).splitlines()[-1].strip()})"
        ) from None
    return model, config, categories


def _norm(config: Config) -> str:
    return config.model.norm or ("frozen-batch" if config.model.weights else "group")


def start_from(model: torch.nn.Module, path: str | Path, categories: Mapping[int, str]) -> list[str]:
    """Load what fits of other weights; layers with a channel a class only if the categories are the same.

    Returns:
        The names of the model's tensors that keep their values.
    """
    tensors, facts = load(find(path))
    state = model_state(tensors)
    same = list(facts["categories"].values()) == list(categories.values())
    own = model.state_dict()
    classed = ("box_predictor.", ".logits.")
    fitting = {
        name: value
        for name, value in state.items()
        if name in own and own[name].shape == value.shape and (same or not any(part in name for part in classed))
    }
    if not fitting:
        raise KinsError(f"{path}: nothing in these weights fits the network; is it the same kind?")
    model.load_state_dict(fitting, strict=False)
    return sorted(own.keys() - fitting.keys())


def ship(run: str | Path, out: str | Path) -> None:
    """Weights of a run for distribution: the network in half precision, its configuration and categories."""
    tensors, facts = load(find(run))
    state = {f"model.{name}": value.half() for name, value in model_state(tensors).items()}
    save(out, state, {key: facts[key] for key in ("config", "categories", "step", "evaluation") if key in facts})
