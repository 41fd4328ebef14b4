"""A detector whose weights do not matter, as a way to complete masks."""

from pathlib import Path

import pytest
from tests.helpers import random_detector

from kins.complete import Completer


@pytest.fixture(scope="session")
def on_boxes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Completer]:
    """Its weights file, and the completer that comes of it."""
    path = random_detector(tmp_path_factory.mktemp("detector") / "random.safetensors")
    return path, Completer.load(path)
