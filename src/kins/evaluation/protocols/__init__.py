"""Figures under the names that papers give them: each protocol counts as the published program of its name does.

docs/evaluation.md has a table of them: formulas, who uses which, and where they differ.
"""

from __future__ import annotations

from collections.abc import Callable

from kins.errors import KinsError
from kins.evaluation.protocols.completion import c2f_seg, pcnet
from kins.evaluation.protocols.order import deocclusion, instaorder, whdr
from kins.evaluation.protocols.parts import Figures, blamed_on
from kins.evaluation.protocols.precision import aistron, amodalapi, coco, vrsp
from kins.evaluation.protocols.uoais import uoais
from kins.records import Dataset

__all__ = ["PROTOCOLS", "Figures", "evaluate_protocol"]

PROTOCOLS: dict[str, Callable[[Dataset, Dataset, int | None], Figures]] = {
    "coco": coco,
    "vrsp": vrsp,
    "aisformer": vrsp,
    "aistron": aistron,
    "amodalapi": amodalapi,
    "c2f-seg": c2f_seg,
    "pcnet": pcnet,
    "deocclusion": deocclusion,
    "instaorder": instaorder,
    "whdr": whdr,
    "uoais": uoais,
}
"""By name; AISFormer's evaluator is VRSP's."""


def evaluate_protocol(name: str, dataset: Dataset, predictions: Dataset, workers: int | None = 1) -> Figures:
    """The figures of one protocol, in percent (counts are integers), by row and name as `kins eval --protocol` prints.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> dataset = write_shapes("pictures", 10)
        >>> def visible_only(scene):
        ...     return scene.replace(instances=tuple(i.replace(amodal=i.inmodal, score=0.9) for i in scene))
        >>> figures = kins.evaluation.evaluate_protocol("c2f-seg", dataset, dataset.map(visible_only))
        >>> figures["missing skipped"]["occluded"], round(figures["missing skipped"]["full"], 1)
        (0.0, 79.9)

    Args:
        name: one of PROTOCOLS.
        predictions: instances with scores, as kins.load_predictions reads them.
        workers: most processes to share the work, None for one a core; where forking is safe (kins.work).

    Raises:
        KinsError: no such protocol, a damaged mask, or one that is missing where the protocol needs it.
    """
    if name not in PROTOCOLS:
        raise KinsError(f"no protocol {name!r}; there are {', '.join(PROTOCOLS)}")
    try:
        return PROTOCOLS[name](dataset, predictions, workers)
    except KinsError as error:
        if dataset.path is not None and str(dataset.path) in str(error):
            raise
        with blamed_on(predictions):
            raise
