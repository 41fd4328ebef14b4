"""Real renders that several test modules look at."""

from dataclasses import replace

import pytest

from kins.streets import Picture, Settings, make_picture

SETTINGS = Settings(seed=3, width=414, height=125, quality="fast")


@pytest.fixture(scope="session")
def pictures() -> list[Picture]:
    usual = [make_picture(SETTINGS, "training", index) for index in range(6)]
    return usual + [make_picture(replace(SETTINGS, variety="wide"), "training", index) for index in range(4)]
