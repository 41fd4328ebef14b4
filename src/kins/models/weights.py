"""Weights and checkpoints: safetensors files, which hold numbers and text and run no code when they are read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from kins.config import Config, ModelConfig, stored
from kins.errors import KinsError
from kins.files import check_regular, read_bytes, reason, temporary_name
from kins.models import REPLACED
from kins.models.backbone import Backbone
from kins.models.checkpoints import check_numbers, check_shapes, shapes
from kins.models.heads import class_tensors
from kins.models.network import AmodalRCNN, make
from kins.models.ordernet import OrderNetwork

T = TypeVar("T")

BEST = "best.safetensors"
LAST = "last.safetensors"
SHIPPED = {
    "street": "street.safetensors",
    "completion": "completion.safetensors",
}
RUN_STATE = {"step": int, "seconds": float, "best": float}
"""Facts that a checkpoint has beside the network's; their types."""


def save(path: str | Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and facts (JSON values) atomically. Raises KinsError where the disk is full, for example."""
    contiguous = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    with temporary_name(path) as temporary:
        try:
            save_file(contiguous, temporary, {key: json.dumps(value) for key, value in facts.items()})
        except SafetensorError as error:
            raise KinsError(f"{path}: can't be written ({reason(error)})") from None


@dataclass(frozen=True)
class Header:
    """What a file says of itself, read without a tensor.

    Attributes:
        facts: JSON values: at least `config` and `categories` (name by id).
        shapes: of the tensors, by name.
    """

    path: Path
    facts: dict[str, Any]
    shapes: dict[str, Sequence[int]]


def read_header(path: str | Path) -> Header:
    """Raises KinsError if the file is none of ours, or holds anything but floating-point numbers of at most 32 bits."""
    path = Path(path)
    with _opened(path) as file:
        facts = {key: json.loads(value) for key, value in (file.metadata() or {}).items()}
        stated = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        sizes = {name: values.get_shape() for name, values in stated.items()}
        kinds = {name: values.get_dtype() for name, values in stated.items()}
    categories = facts.get("categories")
    if (
        "config" not in facts
        or not isinstance(categories, dict)
        or not all(_is_category(*item) for item in categories.items())
    ):
        raise KinsError(f"{path}: safetensors, but not written by kins train (no config, or no categories by id)")
    if not any(name.startswith("model.") for name in sizes):
        raise KinsError(f"{path}: holds no network")
    for name, kind in kinds.items():
        if kind not in ("F32", "F16", "BF16"):
            raise KinsError(f"{path}: {name} is of type {kind}, not F32, F16 or BF16; kins writes no such weights")
    return Header(path, facts, sizes)


def load(
    path: str | Path, state: Mapping[str, type] = MappingProxyType({})
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and facts of a file.

    Args:
        state: facts that are needed beside configuration and categories, with their types (`RUN_STATE`).

    Raises:
        KinsError: no such file, none of ours, or numbers that are not finite.
    """
    header = read_header(path)
    for name, kind in state.items():
        value: Any = header.facts.get(name)
        if not isinstance(value, int | kind) or isinstance(value, bool) or value != value:
            raise KinsError(f"{path}: its {name} is {json.dumps(value)[:40]}; the file is damaged, or not a run's last")
    with _opened(header.path) as file:
        tensors = {name: file.get_tensor(name) for name in header.shapes}
    check_numbers(header.path, tensors)
    return tensors, header.facts


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A safetensors file; what goes wrong with it inside is a KinsError."""
    try:
        check_regular(path)
        with safe_open(path, framework="pt") as file:
            yield file
    except FileNotFoundError:
        raise KinsError(f"{path}: no such file of weights") from None
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise KinsError(f"{path}: not a readable safetensors file ({reason(error)})") from None


def _is_category(key: str, name: Any) -> bool:
    return re.fullmatch(r"-?[0-9]{1,18}", key) is not None and isinstance(name, str)


def find(path: str | Path) -> Path:
    """The weights that a user names: a file, a run folder (its best weights, else its last), or one of SHIPPED.

    Raises KinsError for a folder without weights, and for those that came with kins before.
    """
    if str(path) in SHIPPED and not Path(path).exists():
        with resources.as_file(resources.files("kins.models") / "pretrained" / SHIPPED[str(path)]) as file:
            return file
    if str(path) in REPLACED and not Path(path).exists():
        raise KinsError(f"{path}: these weights no longer come with kins; '{REPLACED[str(path)]}' replaces them")
    path = Path(path)
    if path.is_dir():
        for name in (BEST, LAST):
            if (path / name).is_file():
                return path / name
        raise KinsError(f"{path}: holds neither {BEST} nor {LAST}; is it a folder that kins train wrote to?")
    return path


def digest(path: str | Path) -> str:
    """What the file is known by, whatever it is called: 16 hexadecimal digits of its SHA-256."""
    return hashlib.sha256(read_bytes(path)).hexdigest()[:16]


def model_state(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network's tensors of a weights file or a checkpoint; of the latter the averaged ones if there are any."""
    return {name: tensor.float() for name, tensor in part(tensors, _prefix(tensors)).items()}


def part(named: Mapping[str, T], prefix: str) -> dict[str, T]:
    """What the prefix stands before, without it."""
    return {name.removeprefix(prefix): value for name, value in named.items() if name.startswith(prefix)}


def _prefix(names: Iterable[str]) -> str:
    return "ema." if any(name.startswith("ema.") for name in names) else "model."


def restore(network: nn.Module, tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Load the tensors of a file into a network. Raises KinsError where their names or shapes differ."""
    check_shapes(Path(path), network.state_dict(), shapes(tensors), "the file is damaged, or of another configuration")
    network.load_state_dict(tensors)


def load_model(path: str | Path) -> tuple[AmodalRCNN, Config, dict[int, str]]:
    """A detector, its configuration and categories (name by id, in the order of the labels); see `load_network`.

    Raises KinsError, too, for a network of another kind.
    """
    network, config, categories = load_network(path)
    if not isinstance(network, AmodalRCNN):
        does, command = (
            ("tells order", "order") if isinstance(network, OrderNetwork) else ("completes masks", "complete")
        )
        raise KinsError(f"{path}: a network that {does}, not one that finds objects; see kins {command}")
    return network, config, categories


def load_network(path: str | Path) -> tuple[nn.Module, Config, dict[int, str]]:
    """Network, configuration and categories of a run or a weights file.

    Raises:
        KinsError: no such file, none of ours, or a network that is not the one which the configuration in it describes
            (found before memory is taken for it).
    """
    header = read_header(find(path))
    config = stored(header.facts["config"], str(header.path))
    categories = {int(key): name for key, name in header.facts["categories"].items()}
    with torch.device("meta"):
        expected = make(config.model, len(categories), blank=True).state_dict()
    found = part(header.shapes, _prefix(header.shapes))
    check_shapes(header.path, expected, found, "weights and configuration don't fit")
    model = make(config.model, len(categories), blank=True)
    restore(model, model_state(load(header.path)[0]), header.path)
    return model, config, categories


def fills(path: str | Path, config: ModelConfig, num_classes: int) -> bool:
    """Whether weights have all that torchvision's could give a network; all tensors, of one without a pyramid."""
    header = read_header(find(path))
    found = part(header.shapes, _prefix(header.shapes))
    with torch.device("meta"):
        own = make(config, num_classes, blank=True)
    given = [
        f"{name}.{kind}." for name, m in own.named_modules() if isinstance(m, Backbone) for kind in ("body", "fpn")
    ]
    given = [*given, "rpn."] if given else [""]
    needed = {name: value for name, value in own.state_dict().items() if name.startswith(tuple(given))}
    return all(tuple(found.get(name, ())) == tuple(value.shape) for name, value in needed.items())


def start_from(model: nn.Module, path: str | Path, categories: Mapping[int, str]) -> list[str]:
    """Load what fits of other weights; layers with a channel a class only if the categories are the same.

    Returns:
        The names of the model's tensors that keep their values.
    """
    tensors, facts = load(find(path))
    state = model_state(tensors)
    same = list(facts["categories"].values()) == list(categories.values())
    own = model.state_dict()
    other = set() if same else class_tensors(model)
    fitting = {
        name: value
        for name, value in state.items()
        if name in own and own[name].shape == value.shape and name not in other
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
