"""Prediction: pictures to scenes, and folders of pictures to files."""

from kins.predict.predictor import Predictor as Predictor
from kins.predict.predictor import with_categories as with_categories
