"""Evaluation of amodal instance segmentation: `evaluate` for whole data sets, `Evaluator` image by image."""

from kins.evaluation.analysis import analyse
from kins.evaluation.completion import Completion, evaluate_completion
from kins.evaluation.errors import Analysis
from kins.evaluation.evaluator import Evaluator, evaluate, evaluate_shards
from kins.evaluation.protocols import PROTOCOLS, evaluate_protocol
from kins.evaluation.results import Precision, Results
from kins.evaluation.slices import COCOA_SLICES, SLICES, Slice

__all__ = [
    "COCOA_SLICES",
    "PROTOCOLS",
    "SLICES",
    "Analysis",
    "Completion",
    "Evaluator",
    "Precision",
    "Results",
    "Slice",
    "analyse",
    "evaluate",
    "evaluate_completion",
    "evaluate_protocol",
    "evaluate_shards",
]
