"""Evaluation of amodal instance segmentation: `evaluate` for whole data sets, `Evaluator` image by image."""

from kins.evaluation.completion import Completion, evaluate_completion
from kins.evaluation.evaluator import Evaluator, evaluate
from kins.evaluation.results import Precision, Results
from kins.evaluation.slices import SLICES, Slice

__all__ = ["SLICES", "Completion", "Evaluator", "Precision", "Results", "Slice", "evaluate", "evaluate_completion"]
