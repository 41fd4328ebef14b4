"""How numbers are shown to people: one sign for what is not defined, none before a zero, thousands apart."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

UNKNOWN = "–"
"""Stands for what is not defined or not known."""


def number(value: Any, digits: int = 1) -> str:
    """With so many decimals; integers without, in groups of three digits; UNKNOWN for None and NaN."""
    if value is None or math.isnan(value):
        return UNKNOWN
    if isinstance(value, (int, np.integer)):
        return f"{value:,}".replace(",", "\N{NO-BREAK SPACE}")
    return f"{value:z.{digits}f}"


def difference(value: float) -> str:
    """With a sign and one decimal; UNKNOWN for NaN."""
    return UNKNOWN if math.isnan(value) else f"{value:+z.1f}"


def percent(part: Any, whole: Any = 1) -> str:
    """A share of a whole in percent, with one decimal; UNKNOWN for None and of nothing."""
    return UNKNOWN if part is None or not whole else f"{number(100.0 * part / whole)} %"
