"""Real renders that several test modules look at."""

import pytest

from kins.streets import Picture, Settings, make_picture

SETTINGS = Settings(seed=3, width=414, height=125, quality="fast")


@pytest.fixture(scope="session")
def pictures() -> list[Picture]:
    return [make_picture(SETTINGS, "training", index) for index in range(6)]
