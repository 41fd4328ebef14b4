"""CVAT for images 1.1, written for correction: z_order counts from the back."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import msgspec
import numpy as np

from kins.formats.coco_layout import Losses
from kins.formats.tools import drawing, shapes
from kins.formats.tools.drawing import Drawn
from kins.masks import Mask
from kins.records import Dataset

FILE = "annotations.xml"
ATTRIBUTES = [
    {"name": "part", "input_type": "select", "mutable": False, "values": ["amodal", "visible"], "default": "amodal"},
    {"name": "kins", "input_type": "text", "mutable": False, "values": [""], "default": ""},
]


def names(dataset: Dataset) -> list[str]:
    """The files to write."""
    return [FILE]


def write(dataset: Dataset, traced: bool = False) -> tuple[dict[str, bytes], list[str]]:
    """The file, and what it can't hold."""
    losses = Losses()
    listed = _labels(dataset)
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "  <version>1.1</version>"]
    lines += _meta(listed, len(dataset))
    for scene in dataset:
        image = scene.image
        subset = image.extra.get("subset")
        fields = {"id": image.id, "name": image.file_name, "width": image.width, "height": image.height}
        lines.append(f"  <image{_fields(fields | ({'subset': subset} if isinstance(subset, str) else {}))}>")
        for layer, thing in enumerate(drawing.drawn(scene, losses), 1):
            lines += _elements(thing, layer, traced, losses)
        lines.append("  </image>")
    lines.append("</annotations>\n")
    said = drawing.note_losses(dataset, losses, ("subset",)) + drawing.category_line(dataset, listed)
    return {FILE: "\n".join(lines).encode()}, said


def _labels(dataset: Dataset) -> list[str]:
    used = {instance.category for scene in dataset for instance in scene}
    return list(dict.fromkeys([*dataset.categories.values(), *sorted(used)]))


def raw_labels(dataset: Dataset) -> str:
    """The labels that a task must have to take the file, as the raw form of CVAT's label constructor has them."""
    fields = [
        {k: a[k] for k in ("name", "input_type", "mutable", "values")} | {"default_value": a["default"]}
        for a in ATTRIBUTES
    ]
    labels = [{"name": name, "attributes": fields} for name in [*_labels(dataset), drawing.CONVENTION.occluder]]
    return msgspec.json.encode(labels).decode()


def _meta(listed: list[str], count: int) -> list[str]:
    lines = ["  <meta>", "    <task>", f"      <size>{count}</size>", "      <mode>annotation</mode>", "      <labels>"]
    for name in [*listed, drawing.CONVENTION.occluder]:
        lines += ["        <label>", f"          <name>{_text(name)}</name>", "          <attributes>"]
        for attribute in ATTRIBUTES:
            values = "\n".join(attribute["values"])  # type: ignore[arg-type]
            parts = attribute | {"mutable": "False", "values": values}
            tags = {"default": "default_value"}
            inner = "".join(f"<{tags.get(k, k)}>{_text(str(v))}</{tags.get(k, k)}>" for k, v in parts.items())
            lines.append(f"            <attribute>{inner}</attribute>")
        lines += ["          </attributes>", "        </label>"]
    return [*lines, "      </labels>", "    </task>", "  </meta>"]


def _elements(thing: Drawn, layer: int, traced: bool, losses: Losses) -> Iterator[str]:
    instance = thing.instance
    extra = {} if instance is None else instance.extra
    stated = extra.get("attributes")
    attributes = {k: v for k, v in stated.items() if isinstance(v, str)} if isinstance(stated, dict) else {}
    if extra.keys() - {"attributes", "occluded"}:
        losses.add("fields that CVAT has no place for")
    if instance is not None and instance.crowd:
        losses.add("iscrowd")
    found = [(visible, *shape) for visible, mask in thing.parts for shape in _shapes(mask, traced)]
    common = {"label": thing.category, "source": "file", "occluded": int(extra.get("occluded") is True)}
    for visible, tag, geometry in found:
        fields = common | geometry | {"z_order": layer} | ({"group_id": layer} if len(found) > 1 else {})
        own = {"part": "visible" if visible else "amodal", "kins": thing.note}
        if isinstance(text := attributes.get("kins"), str):
            own["kins"] = f"{thing.note} {text}".strip()
        yield f"    <{tag}{_fields(fields)}>"
        for name, value in (attributes | own).items():
            yield f"      <attribute name={_quoted(name)}>{_text(value)}</attribute>"
        yield f"    </{tag}>"


def _shapes(mask: Mask, traced: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Tag and geometry of the elements that a mask becomes."""
    polygons = drawing.outlines(mask, traced)
    if polygons is not None:
        for polygon in polygons:
            pairs = zip(polygon[::2], polygon[1::2], strict=True)
            yield "polygon", {"points": ";".join(f"{x!r},{y!r}" for x, y in pairs)}
        return
    pixels, left, top = shapes.cut_out(mask)
    flat = pixels.ravel()
    changes = np.flatnonzero(np.diff(flat.astype(np.int8), prepend=0))
    runs = np.diff(changes, prepend=0, append=flat.size).tolist()
    rows, columns = pixels.shape
    text = ", ".join(map(str, runs))
    yield "mask", {"rle": text, "left": left, "top": top, "width": columns, "height": rows}


def _fields(fields: dict[str, Any]) -> str:
    return "".join(f" {name}={_quoted(str(value))}" for name, value in fields.items())


def _quoted(text: str) -> str:
    from xml.sax.saxutils import quoteattr  # brings urllib.request: a tenth of the time that kins takes to start

    return quoteattr(_clean(text), {"\n": "&#10;", "\t": "&#9;", "\r": "&#13;"})


def _text(text: str) -> str:
    return escape(_clean(text), quote=False)


def _clean(text: str) -> str:
    """Without control characters and lone surrogates, which XML can't hold."""
    return "".join(c for c in text if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c < "\ufffe"))
