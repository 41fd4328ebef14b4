"""What is installed: kins's parts, processors and devices, weights on disk. Nothing is fetched, no network asked."""

from __future__ import annotations

import os
import platform
import sys
from importlib import resources
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import NamedTuple

from kins import __version__
from kins.errors import EXTRAS, KinsError, install_line

PACKAGES = {"lightning_fabric": "lightning-fabric", "argon2": "argon2-cffi"}
"""Package of a module where its name is another one."""
SERVES = {
    "train": "kins train, predict, and the learned ways of kins complete and order",
    "export": "kins export",
    "streets": "kins synth",
    "report": "kins eval --report, stats --plots",
    "annotate": "kins annotate and view",
    "parquet": "Parquet files, as input and output",
    "ray": "kins predict, complete and synth --ray",
}
"""What each extra of the package is there for."""


class Line(NamedTuple):
    """One finding: of what, whether it is as it should be (None: that is a matter of taste), and what was found."""

    of: str
    good: bool | None
    said: str


def installation() -> list[Line]:
    """Version, compiled part, extras, processors, devices and weights, a line each.

    Example:
        >>> from kins.validate.parts import installation
        >>> [line.of for line in installation()][:3]
        ['kins', 'compiled part', 'train']
        >>> all(line.good for line in installation()[:2])
        True
    """
    python = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    lines = [Line("kins", sys.version_info >= (3, 11), f"{__version__}, {python}"), _compiled()]
    lines += [_extra(name, modules) for name, modules in EXTRAS.items()]
    lines.append(Line("processors", True, f"{_processors()} for this process"))
    return lines + (_devices() if find_spec("torch") else []) + _weights()


def _compiled() -> Line:
    try:
        from kins.masks import Mask

        Mask.from_polygons([[0, 0, 2, 0, 2, 2, 0, 2]], 4, 4).area  # noqa: B018 (drawn by the compiled part)
    except KinsError as error:
        return Line("compiled part", False, str(error))
    return Line("compiled part", True, "masks are drawn by it")


def _extra(name: str, modules: tuple[str, ...]) -> Line:
    absent = [module for module in modules if find_spec(module) is None]
    serves = SERVES[name]
    if absent:
        return Line(name, None, f"without {', '.join(absent)}, which {serves} need: {install_line(name)}")
    return Line(name, True, f"{', '.join(map(_with_version, modules))}: for {serves}")


def _with_version(module: str) -> str:
    package = PACKAGES.get(module, module)
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return package


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _devices() -> list[Line]:
    try:
        import torch

        from kins.models.devices import pick_device, pick_precision

        device = pick_device("auto")
        precision = pick_precision(device, "auto")
    except (ImportError, OSError, RuntimeError) as error:
        return [Line("device", False, f"torch does not start ({' '.join(str(error).split())[:200]})")]
    lines = [Line("device", True, f"{device}, precision {precision} unless another is asked for")]
    if device.type == "cuda":
        for index in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(index)
            memory = f"{facts.total_memory / 2**30:.0f} GiB"
            lines.append(Line(f"cuda:{index}", True, f"{facts.name}, {memory}, capability {facts.major}.{facts.minor}"))
    return lines


def _weights() -> list[Line]:
    folder = resources.files("kins.models") / "pretrained"
    shipped = sorted(p.name for p in folder.iterdir() if p.name.endswith(".safetensors")) if folder.is_dir() else []
    lines = [Line("weights", bool(shipped), f"with kins: {', '.join(shipped) or 'none'}")]
    if all(find_spec(name) for name in ("torch", "torchvision")):
        lines.append(_coco())
    return lines


def _coco() -> Line:
    try:
        from kins.models.checkpoints import place_of
        from kins.predict.coco import WEIGHTS_URL

        place = place_of(WEIGHTS_URL)
    except (ImportError, OSError, RuntimeError):
        return Line("coco", None, "torchvision does not start; it has the weights of kins predict coco")
    if place.is_file():
        return Line("coco", True, f"{place}, {place.stat().st_size / 1e6:.0f} MB")
    return Line("coco", None, f"not on disk; kins predict coco fetches {WEIGHTS_URL} to {place}")
