"""Numbers as people see them."""

import numpy as np
import pytest

from kins.statistics.numbers import UNKNOWN, difference, number, percent


@pytest.mark.parametrize("value", [-0.0, -0.04, -1e-17, np.float64(-0.0)])
def test_zero_has_no_minus(value: float) -> None:
    assert number(value) == "0.0"
    assert number(value, 0) == "0"
    assert difference(value) == "+0.0"
    assert percent(value / 100) == "0.0 %"


def test_numbers() -> None:
    assert [number(v) for v in (7, np.int64(1234567), 12.34, -0.06, True)] == [
        "7",
        "1\xa0234\xa0567",
        "12.3",
        "-0.1",
        "1",
    ]
    assert number(0.12345, 3) == "0.123"
    assert [difference(v) for v in (1.25, -1.26)] == ["+1.2", "-1.3"]
    assert [percent(1, 3), percent(0.5), percent(np.int64(0), np.int64(4))] == ["33.3 %", "50.0 %", "0.0 %"]


def test_what_is_not_defined_has_one_sign() -> None:
    assert {number(None), number(np.nan, 3), difference(np.nan), percent(None), percent(0, 0)} == {UNKNOWN}
