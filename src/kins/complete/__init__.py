"""Completion: whole objects and order from visible masks, whatever found them."""

from kins.complete.completer import METHODS as METHODS
from kins.complete.completer import Completer as Completer
from kins.complete.completer import occlusion_score as occlusion_score
from kins.complete.detections import from_detections as from_detections
from kins.complete.order import PairOrder as PairOrder
