"""Evaluation of amodal instance segmentation: `evaluate` for whole data sets, `Evaluator` image by image."""

from kins.evaluation.evaluator import Evaluator, evaluate
from kins.evaluation.results import Precision, Results
from kins.evaluation.slices import SLICES, Slice

__all__ = ["SLICES", "Evaluator", "Precision", "Results", "Slice", "evaluate"]
