"""Fixtures that several test modules use."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run in several processes; threads on top only wait for each other
signal.signal(signal.SIGINT, signal.default_int_handler)  # or what a job in the background starts ignores it
settings.register_profile(  # a busy machine is no fault; the same examples each time, others with KINS_FUZZ
    "kins", deadline=None, derandomize="KINS_FUZZ" not in os.environ
)
settings.load_profile("kins")

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def samples() -> Path:
    """Folder of three real COCOA samples (1, 2, 4: .jpg and .json)."""
    folder = SHARED / "cocoa"
    if not folder.is_dir():
        pytest.skip("the real COCOA samples are not on this machine")
    return folder


@pytest.fixture(scope="session")
def street_photo() -> Path:
    """One real street photo of 1242 x 375 pixels."""
    photo = SHARED / "kitti" / "street.png"
    if not photo.is_file():
        pytest.skip("the real street photo is not on this machine")
    return photo
