"""kins: read, check, convert, look at, learn and evaluate amodal instance segmentation."""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from kins.errors import KinsError

if TYPE_CHECKING:
    from kins.complete import Completer as Completer
    from kins.draw import draw as draw
    from kins.evaluation import evaluate as evaluate
    from kins.formats import load as load
    from kins.formats import load_predictions as load_predictions
    from kins.masks import Mask as Mask
    from kins.predict import Predictor as Predictor
    from kins.records import Dataset as Dataset
    from kins.records import Image as Image
    from kins.records import Instance as Instance
    from kins.records import Scene as Scene
    from kins.streets.generate import generate as generate
    from kins.train import train as train

__version__ = "0.1.0"

_HOMES = {
    "Completer": "kins.complete",
    "Dataset": "kins.records",
    "Image": "kins.records",
    "Instance": "kins.records",
    "Mask": "kins.masks",
    "Predictor": "kins.predict",
    "Scene": "kins.records",
    "evaluate": "kins.evaluation",
    "generate": "kins.streets",
    "load": "kins.formats",
    "load_predictions": "kins.formats",
}
_WINGS = (
    "annotate",
    "complete",
    "config",
    "draw",
    "evaluation",
    "formats",
    "masks",
    "models",
    "occlusion",
    "predict",
    "records",
    "statistics",
    "streets",
    "synth_occlude",
    "train",
    "validate",
)

__all__ = [
    "Completer",
    "Dataset",
    "Image",
    "Instance",
    "KinsError",
    "Mask",
    "Predictor",
    "Scene",
    "draw",
    "evaluate",
    "generate",
    "load",
    "load_predictions",
    "train",
]


def __getattr__(name: str) -> Any:
    """Parts are imported when first used, so that the command line answers at once."""
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    try:
        return import_module(f"kins.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"kins.{name}":
            raise
        raise AttributeError(f"module 'kins' has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted({*__all__, *_WINGS, "__version__"})


def can_be_called(wing: str) -> None:
    """Lets a wing stand for its main function, which has its name: `kins.draw(scene)` is `kins.draw.draw(scene)`."""

    class Wing(ModuleType):
        def __call__(self, *arguments: Any, **options: Any) -> Any:
            return getattr(self, wing)(*arguments, **options)

    sys.modules[f"kins.{wing}"].__class__ = Wing
