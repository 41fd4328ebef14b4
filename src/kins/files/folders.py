"""Folders that a command makes, and goes on with when it is given again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kins.errors import KinsError
from kins.files import leftovers, read_bytes, write_json


def claim(folder: Path, mark: str, wanted: Mapping[str, Any], usual: Mapping[str, Any] | None = None) -> None:
    """Makes the folder with a file `mark` that says what is wanted, or makes sure that it is one that says the same.

    Args:
        wanted: JSON values.
        usual: what folders that don't say it were made with.

    Raises:
        KinsError: it is a file, holds something else, was made with other values, or can't be written.
    """
    path = folder / mark
    if folder.exists() and not folder.is_dir():
        raise KinsError(f"{folder}: is a file; name a folder")
    if not path.exists():
        unfinished = leftovers(folder, path.stem)
        if folder.exists() and any(other not in unfinished for other in folder.iterdir()):
            raise KinsError(f"{folder}: holds other files; choose a new or empty folder")
        write_json(path, json.dumps(wanted, indent=2) + "\n")
        return
    try:
        found = json.loads(read_bytes(path))
    except (ValueError, RecursionError):
        raise KinsError(f"{path}: is damaged; choose another folder") from None
    if isinstance(found, dict):
        found = {**(usual or {}), **found}
    other = [key for key in wanted if not isinstance(found, dict) or found.get(key) != wanted[key]]
    if other:
        raise KinsError(
            f"{path}: the folder was made with another {', '.join(other)}; choose another folder, or those settings"
        )
