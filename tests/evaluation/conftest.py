"""What several files of tests evaluate."""

import pytest
from tests.evaluation.workloads import completed

from kins import Dataset


@pytest.fixture(scope="session")
def completions() -> tuple[Dataset, Dataset]:
    """Objects and what completion made of them; see `completed`."""
    return completed()
