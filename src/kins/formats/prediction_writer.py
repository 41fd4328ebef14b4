"""Prediction files written image by image."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from kins.errors import KinsError
from kins.files import hold, reason, write_json
from kins.formats.coco_layout import image_entry
from kins.formats.document import Raw, encode
from kins.formats.predictions import ROW, UNFINISHED, detection, head
from kins.records import Scene


class PredictionWriter:
    """Writes a prediction file image by image, so that memory stays small and an interrupted run loses one image.

    Until the end of the `with` block, all is in `PATH.part`, which `kins.load` reads as well: what was interrupted is
    left out there. An error in the block leaves that file if it holds an image, and `resume` goes on with it.

    Example:
        with PredictionWriter("pred.json", {1: "car"}) as writer:
            for scene in scenes:
                writer.add(scene)

    Attributes:
        path, part: the file to write, and the one that is written until then.
        done: ids of the images that are written.
        detections: how many are written.
    """

    def __init__(
        self, path: str | Path, categories: Mapping[int, str], info: dict[str, Any] | None = None, resume: bool = False
    ) -> None:
        """Open the file.

        Args:
            categories: name by id.
            info: what else to say about the predictions, JSON values; becomes the file's `info`.
            resume: go on with an interrupted file, if there is one.

        Raises:
            KinsError: the file can't be written, another process writes it, or it is resumed with other categories or
                info.
        """
        self.path = Path(path)
        self.part = self.path.with_name(self.path.name + ".part")
        self.done: set[int] = set()
        self.detections = 0
        self._frame: dict[str, Any] = {} if info is None else {"info": info}
        self._categories = {"categories": [{"id": key, "name": name} for key, name in categories.items()]}
        self._known = set(categories)
        first = msgspec.json.encode({"unfinished": True, **self._frame, **self._categories}) + b"\n"
        try:
            self.part.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(os.open(self.part, os.O_RDWR | os.O_CREAT, 0o666), "r+b")  # noqa: SIM115  # by __exit__
            hold(self._file.fileno(), self.part)
            end = self._check(first, resume)
            self._file.truncate(end)
            self._file.seek(end)
            if not end:
                self._file.write(first)
        except OSError as error:
            raise KinsError(f"{self.part}: can't be written ({reason(error)})") from None

    def add(self, scene: Scene) -> None:
        """Write the detections of an image. Raises KinsError for an image written before, or one without scores."""
        if scene.image.id in self.done:
            raise KinsError(f"image {scene.image.id} is predicted twice")
        lines = []
        for instance in scene:
            if instance.category_id not in self._known:
                raise KinsError(f"image {scene.image.id}: no category {instance.category_id}")
            fields = detection(instance, scene.image)
            lines.append(msgspec.json.encode(fields | instance.extra | fields))
        lines.append(msgspec.json.encode(image_entry(scene.image)))
        try:
            self._file.write(b"\n".join(lines) + b"\n")
            self._file.flush()
        except OSError as error:
            raise KinsError(f"{self.part}: can't be written ({reason(error)})") from None
        self.done.add(scene.image.id)
        self.detections += len(scene)

    def close(self) -> None:
        """Make the whole file of what is written, and remove the other."""
        self._file.close()
        images, rows = (self._lines(rows=rows) for rows in (False, True))
        write_json(
            self.path, encode(head() | self._frame | {"images": images} | self._categories | {"predictions": rows})
        )
        self.part.unlink()

    def __enter__(self) -> PredictionWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        self._file.close()
        if not self.done:
            self.part.unlink(missing_ok=True)

    def _check(self, first: bytes, resume: bool) -> int:
        """Where to go on writing, 0 for a new file. Fills `done`."""
        with open(self.part, "rb") as file:
            begun = file.readline()
            if not begun.startswith(UNFINISHED) and not UNFINISHED.startswith(begun):
                raise KinsError(f"{self.part}: is needed for writing {self.path.name}, but was not written by kins")
            if not resume or not begun.endswith(b"\n"):
                return 0
            if begun != first:
                raise KinsError(f"{self.part}: was begun with {_difference(begun, first)}; remove it to begin anew")
            position = end = len(begun)
            rows = 0
            for line in file:
                position += len(line)
                rows += line.startswith(ROW)
                if line.endswith(b"\n") and not line.startswith(ROW):
                    self.done.add(self._image_id(line))
                    end, self.detections = position, rows
        return end

    def _image_id(self, line: bytes) -> int:
        try:
            return msgspec.json.decode(line, type=dict[str, Any])["id"]
        except (msgspec.DecodeError, KeyError):
            raise KinsError(f"{self.part}: is damaged; remove it to begin anew") from None

    def _lines(self, rows: bool) -> Iterator[Raw]:
        with open(self.part, "rb") as file:
            file.readline()
            yield from (Raw(line[:-1]) for line in file if line.startswith(ROW) == rows)


def _difference(begun: bytes, first: bytes) -> str:
    """What differs between two first lines."""
    try:
        old, new = (msgspec.json.decode(line, type=dict[str, Any]) for line in (begun, first))
        infos = old.get("info", {}), new.get("info", {})
        changed = sorted(key for key in infos[0].keys() | infos[1].keys() if infos[0].get(key) != infos[1].get(key))
        changed += ["categories"] if old["categories"] != new["categories"] else []
    except (msgspec.DecodeError, KeyError, AttributeError):
        changed = []
    return f"other {', '.join(changed) or 'settings'}"
