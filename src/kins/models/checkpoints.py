"""Tensors of files: torchvision's weights, and checks of names, shapes and numbers before anything is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights, MaskRCNN_ResNet50_FPN_Weights

from kins.config import BACKBONES
from kins.errors import KinsError
from kins.models.backbone import Backbone, FrozenNorm, MobileBody

COCO_WEIGHTS = {"resnet50": MaskRCNN_ResNet50_FPN_Weights.COCO_V1}
NO_EPSILON = {
    weights.url.rsplit("/", 1)[-1]
    for weights in (MaskRCNN_ResNet50_FPN_Weights.COCO_V1, FasterRCNN_ResNet50_FPN_Weights.COCO_V1)
}
"""Files whose frozen normalisation was trained without an epsilon; torchvision's builders know them, too."""
FORMER_NAMES = (
    (re.compile(r"(fpn\.(?:inner|layer)_blocks\.\d+)\.(weight|bias)"), r"\1.0.\2"),
    (re.compile(r"(rpn\.head\.conv)\.(weight|bias)"), r"\1.0.0.\2"),
)
"""Tensors that torchvision names otherwise today than in the files it published."""

_CLASSIFIER = ("fc.", "classifier.")


@dataclass(frozen=True)
class Checkpoint:
    """Weights of torchvision's, of a classification or of a detection network.

    Attributes:
        backbone: its name.
        body: tensors by their name in the body (`Backbone.body`).
        pyramid: by their name in the pyramid; empty for classification networks.
        proposals: by their name in the region proposal network; likewise.
    """

    path: Path
    backbone: str
    body: dict[str, Tensor]
    pyramid: dict[str, Tensor]
    proposals: dict[str, Tensor]

    def load_backbone(self, network: Backbone) -> None:
        """Body and, of detection networks, the pyramid; all of it has to fit, or KinsError is raised."""
        body = network.body
        left_out = (*_CLASSIFIER, f"features.{len(body.features)}.") if isinstance(body, MobileBody) else _CLASSIFIER
        state = {
            name: value
            for name, value in self.body.items()
            if not name.startswith(left_out) and not name.endswith("num_batches_tracked")
        }
        check_shapes(self.path, body.state_dict(), shapes(state), f"is it a {self.backbone}?")
        if self.pyramid:
            check_shapes(self.path, network.fpn.state_dict(), shapes(self.pyramid), "is model.channels 256?")
        check_numbers(self.path, state | self.pyramid)
        if self.path.name in NO_EPSILON:
            state = without_epsilon(body, state)
        body.load_state_dict(state)
        if self.pyramid:
            network.fpn.load_state_dict(self.pyramid)

    def load_proposals(self, network: nn.Module) -> None:
        """What fits of the region proposal network."""
        own = network.state_dict()
        fitting = {name: v for name, v in self.proposals.items() if name in own and own[name].shape == v.shape}
        check_numbers(self.path, fitting)
        network.load_state_dict(fitting, strict=False)


def without_epsilon(body: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state` so changed that the body's normalisation, which adds its epsilon, gives what it gave without one."""
    changed = dict(state)
    for name, module in body.named_modules():
        if isinstance(module, FrozenNorm):
            variance = state[f"{name}.running_var"]
            changed[f"{name}.weight"] = state[f"{name}.weight"] * ((variance + module.eps) / variance).sqrt()
    return changed


def checkpoint(backbone: str, weights: str) -> Checkpoint:
    """Read weights for a backbone.

    Args:
        backbone: one of `kins.config.BACKBONES`.
        weights: "imagenet", "coco" (resnet50 only), a name by torchvision's `get_model_weights` ("IMAGENET1K_V2"), or a
            file of torchvision weights.

    Raises:
        KinsError: weights that are neither on disk nor downloadable, unreadable, or of a network with other parts.
    """
    if backbone not in BACKBONES or backbone == "tiny":
        raise KinsError(f"weights: the {backbone} backbone has no pretrained weights; leave 'weights' empty")
    path = _find(backbone, weights)
    state = read_state(path)
    if not any(name.startswith("backbone.") for name in state):
        return Checkpoint(path, backbone, state, {}, {})
    for former, name in FORMER_NAMES:
        state = {former.sub(name, key): value for key, value in state.items()}
    found = Checkpoint(path, backbone, *(_part(state, p) for p in ("backbone.body.", "backbone.fpn.", "rpn.")))
    normalised = next((name for name in found.pyramid if name.endswith("running_var")), None)
    if normalised is not None:
        raise KinsError(
            f"{path}: normalises its pyramid (backbone.fpn.{normalised}), as version 2 of torchvision's Mask R-CNN "
            "does; the networks of kins don't: use version 1 (weights: coco)"
        )
    return found


def check_shapes(path: Path, own: Mapping[str, Tensor], found: Mapping[str, Sequence[int]], hint: str) -> None:
    """Raises KinsError unless a file has the same tensors, by name and shape, as a network; `hint` ends the line."""
    absent = [name for name in own if name not in found]
    if absent:
        more = f" and {len(absent) - 1} more tensors" if len(absent) > 1 else ""
        raise KinsError(f"{path}: lacks {absent[0]}{more}; {hint}")
    for name, shape in found.items():
        if name not in own:
            raise KinsError(f"{path}: holds {name}, which the network does not have; {hint}")
        if tuple(shape) != tuple(own[name].shape):
            raise KinsError(f"{path}: {name} has shape {tuple(shape)}, not {tuple(own[name].shape)}; {hint}")


def check_numbers(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Raises KinsError for tensors of anything but finite floating-point numbers of at most 32 bits."""
    for name, value in tensors.items():
        if value.dtype not in (torch.float32, torch.float16, torch.bfloat16):
            kind = str(value.dtype).removeprefix("torch.")
            raise KinsError(f"{path}: {name} is of type {kind}, not float32, float16 or bfloat16")
        if not torch.isfinite(value).all():
            raise KinsError(f"{path}: {name} holds numbers that are not finite; was its training broken?")


def shapes(tensors: Mapping[str, Tensor]) -> dict[str, Sequence[int]]:
    return {name: value.shape for name, value in tensors.items()}


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _find(backbone: str, weights: str) -> Path:
    """The file, fetched if need be."""
    if weights == "coco":
        if backbone not in COCO_WEIGHTS:
            raise KinsError(f"weights: torchvision has no COCO weights for {backbone}; use 'imagenet' or a file")
        return downloaded(COCO_WEIGHTS[backbone].url)
    known = torchvision.models.get_model_weights(backbone).__members__
    wanted = "IMAGENET1K_V1" if weights == "imagenet" else weights
    if wanted in known:
        return downloaded(str(known[wanted].value.url))
    path = Path(weights)
    if not path.is_file():
        raise KinsError(
            f"{path}: no such file of weights, nor weights that torchvision has for {backbone} ({', '.join(known)})"
        )
    return path


def place_of(url: str) -> Path:
    """Where torchvision keeps a file of weights, be it there or not."""
    return Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]


def downloaded(url: str, otherwise: str = ", or set weights to null") -> Path:
    """Where torchvision keeps a file of weights; fetched if it is not there.

    Raises KinsError, saying which file to put where, if it can't be fetched; `otherwise` ends the line.
    """
    path = place_of(url)
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), progress=False)
        except OSError as error:
            raise KinsError(
                f"weights: {path.name} is not on disk and could not be downloaded ({error}); "
                f"fetch {url} on a machine with a network and put it at {path}{otherwise}"
            ) from None
    return path


def read_state(path: Path) -> dict[str, Tensor]:
    """A state dict from a file of torch's or a safetensors file. Raises KinsError if it is none, or could run code."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        if "GLOBAL" in str(error):  # what pickles name functions and classes by
            problem = "refused, for it holds more than tensors and could run code; give a file with a state dict alone"
        else:
            problem = f"not a readable file of weights, or not all of it ({type(error).__name__}); fetch it again"
        raise KinsError(f"{path}: {problem}") from None
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise KinsError(f"{path}: not a state dict (names and tensors)")
    return state
