"""kins: read, check, convert, look at, learn and evaluate amodal instance segmentation."""

from typing import TYPE_CHECKING, Any

from kins.errors import KinsError

if TYPE_CHECKING:
    from kins.formats import load as load
    from kins.formats import load_predictions as load_predictions
    from kins.masks import Mask as Mask
    from kins.records import Dataset as Dataset
    from kins.records import Image as Image
    from kins.records import Instance as Instance
    from kins.records import Scene as Scene

__version__ = "0.1.0"

_HOMES = {
    "Dataset": "kins.records",
    "Image": "kins.records",
    "Instance": "kins.records",
    "Mask": "kins.masks",
    "Scene": "kins.records",
    "load": "kins.formats",
    "load_predictions": "kins.formats",
}

__all__ = ["Dataset", "Image", "Instance", "KinsError", "Mask", "Scene", "load", "load_predictions"]


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
