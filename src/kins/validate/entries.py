"""Reading entries of an annotation file that may be damaged."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from kins.formats.document import Raw, describe, value_of
from kins.limits import ID
from kins.validate.report import Report

Entry = dict[str, Any]


def read_object(report: Report, raw: Raw, place: str, code: str) -> Entry | None:
    """A raw entry, if it is an object; a fault of this code if not."""
    try:
        value = value_of(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        report.add(code, place, describe(error).removeprefix(": "))
        return None
    if not isinstance(value, dict):
        report.add(code, place, "is not an object {...}")
        return None
    return value


def whole_number(report: Report, repair: bool, entry: Entry, name: str, place: str, code: str) -> int | None:
    """A whole number that the entry must have."""
    value = entry.get(name)
    if type(value) is int and -ID.default <= value <= ID.default:
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        report.add("id-as-text", f"{place}.{name}", repr(value))
        if repair:
            entry[name] = int(value)
            report.repairs.append((f"{place}.{name}", f"{value!r} became {int(value)}"))
        return int(value)
    report.add(code, f"{place}.{name}", "is missing" if name not in entry else f"{value!r}"[:60])
    return None
