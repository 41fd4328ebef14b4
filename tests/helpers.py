"""What tests of several parts use."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from kins.masks import Mask, spans
from kins.occlusion.contact import touching
from kins.records import Image, Instance, Scene

T = TypeVar("T")
SMALL = [
    *("model.channels=16", "model.head_channels=16", "model.hidden=32", "model.regions=16", "data.short_side=64"),
    *("data.workers=0", "train.batch=2", "train.device=cpu", "train.precision='32'"),
]
"""Settings with which the configuration `tiny` trains a step on the CPU in a fraction of a second."""
HEIGHT, WIDTH = 60, 90
"""Of the painted scenes."""


def box(x: int, y: int, width: int, height: int, shape: tuple[int, int] = (40, 60)) -> npt.NDArray[np.bool_]:
    """A mask of (height, width) `shape` that is a rectangle."""
    array = np.zeros(shape, bool)
    array[y : y + height, x : x + width] = True
    return array


def painted(seed: int) -> tuple[Scene, np.ndarray]:
    """Three overlapping ellipses, the last one in front; instance k shows the grey value 50 k."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    picture = np.zeros((HEIGHT, WIDTH), np.uint8)
    shapes = []
    for k in range(3):
        cx, cy, rx, ry = rng.uniform([20, 15, 8, 8], [70, 45, 25, 20])
        shapes.append(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1)
        picture[shapes[-1]] = 50 * (k + 1)
    instances = tuple(
        Instance(k + 1, 4, "car", Mask.from_array(shape), Mask.from_array(picture == 50 * (k + 1)))
        for k, shape in enumerate(shapes)
        if (picture == 50 * (k + 1)).any()
    )
    return Scene(Image(1, "x.png", HEIGHT, WIDTH), instances), np.repeat(picture[..., None], 3, axis=2)


def random_detector(path: Path) -> Path:
    """Writes the weights of a small detector of both masks that has learnt nothing; its classes: 4 car, 7 van."""
    import torch

    from kins.config import load_config
    from kins.models import weights
    from kins.models.network import assemble

    torch.manual_seed(0)
    config = load_config("tiny", SMALL)
    state = {f"model.{name}": value for name, value in assemble(config.model, 2).state_dict().items()}
    facts = {"config": config.model_dump(mode="json"), "categories": {"4": "car", "7": "van"}, "step": 1}
    weights.save(path, state, facts)
    return path


def touch(first: Mask, second: Mask) -> bool:
    """Whether kins.occlusion takes two masks for one cluster though they may have no pixel in common."""
    pixels, one = first.height * first.width, np.zeros(1, np.int64)
    return bool(touching(spans([first, second])[0], one, one + 1, first.height, pixels, "")[0])


def running(process: int) -> bool:
    """Whether there is such a process, other than one that has ended and that nobody has asked about."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition: Callable[[], T]) -> T:
    """What a function gives once it is true; the last it gives after half a minute."""
    end = time.monotonic() + 30
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.01)
    return found
