"""Prediction: pictures to scenes, and folders of pictures to files."""

from kins.predict.files import Summary as Summary
from kins.predict.files import predict_files as predict_files
from kins.predict.one_order import one_order as one_order
from kins.predict.predictor import Predictor as Predictor
from kins.predict.predictor import with_categories as with_categories
