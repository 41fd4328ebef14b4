"""Label Studio's tasks, written for correction: as predictions, which it takes for pre-annotations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from kins.formats.coco_layout import Losses
from kins.formats.tools import drawing
from kins.formats.tools.brush import write_brush
from kins.formats.tools.drawing import Drawn
from kins.masks import Mask
from kins.records import Dataset, Image

FILE, CONFIG = "tasks.json", "config.xml"


def names(dataset: Dataset) -> list[str]:
    """The files to write."""
    return [FILE, CONFIG]


def write(dataset: Dataset, traced: bool = False) -> tuple[dict[str, bytes], list[str]]:
    """The tasks and the labelling configuration for them, and what they can't hold."""
    losses = Losses()
    tasks = []
    for scene in dataset:
        image = scene.image
        result: list[dict[str, Any]] = []
        for number, thing in enumerate(drawing.drawn(scene, losses), 1):
            result += _entries(thing, number, image, traced, losses)
        prediction = {"model_version": "kins", "result": result}
        data = {"image": image.file_name, "kins_image_id": image.id}
        data |= {"kins_height": image.height, "kins_width": image.width}
        tasks.append({"data": data, "predictions": [prediction]})
    used = sorted({instance.category for scene in dataset for instance in scene})
    lines = drawing.note_losses(dataset, losses, ("annotator",)) + drawing.category_line(dataset, used)
    content = msgspec.json.format(msgspec.json.encode(tasks), indent=1) + b"\n"
    return {FILE: content, CONFIG: _config(used).encode()}, lines


def _entries(thing: Drawn, number: int, image: Image, traced: bool, losses: Losses) -> Iterator[dict[str, Any]]:
    """The regions of an object, what is said of them, and relations that join them."""
    extra = {} if thing.instance is None else thing.instance.extra
    if extra.keys() - {"text"}:
        losses.add("fields that Label Studio has no place for")
    if thing.instance is not None and thing.instance.crowd:
        losses.add("iscrowd")
    text = extra.get("text")
    note = f"{thing.note} {text if isinstance(text, str) else ''}".strip()
    size = {"original_width": image.width, "original_height": image.height, "image_rotation": 0, "to_name": "image"}
    first, count = "", 0
    for visible, mask in thing.parts:
        for kind, value in _values(mask, image, traced):
            count += 1
            key = f"kins-{image.id}-{number}-{count}"
            common = size | {"id": key, "meta": {"text": [note]}}
            geometry = value | {kind: [thing.category]}
            yield common | {"type": kind, "from_name": kind.removesuffix("labels"), "value": geometry}
            chosen = value | {"choices": ["visible" if visible else "amodal"]}
            yield common | {"type": "choices", "from_name": "part", "value": chosen}
            if first:
                yield {"type": "relation", "from_id": first, "to_id": key, "direction": "right", "labels": ["same"]}
            first = first or key


def _values(mask: Mask, image: Image, traced: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Kind and geometry of the regions that a mask becomes."""
    polygons = drawing.outlines(mask, traced)
    if polygons is None:
        yield "brushlabels", {"format": "rle", "rle": write_brush(mask.to_array())}
        return
    x, y = 100 / image.width, 100 / image.height
    for polygon in polygons:
        points = [(a * x, b * y) for a, b in zip(polygon[::2], polygon[1::2], strict=True)]
        yield "polygonlabels", {"points": points, "closed": True}


def _config(categories: list[str]) -> str:
    """A labelling configuration with all that the convention needs."""
    from xml.sax.saxutils import quoteattr  # as in cvat_writer

    labels = "".join(f"    <Label value={quoteattr(name)}/>\n" for name in [*categories, drawing.CONVENTION.occluder])
    return (
        "<View>\n"
        '  <Image name="image" value="$image" zoom="true" zoomControl="true"/>\n'
        f'  <PolygonLabels name="polygon" toName="image" strokeWidth="2">\n{labels}  </PolygonLabels>\n'
        f'  <BrushLabels name="brush" toName="image">\n{labels}  </BrushLabels>\n'
        '  <Choices name="part" toName="image" perRegion="true" choice="single">\n'
        '    <Choice value="amodal"/>\n    <Choice value="visible"/>\n  </Choices>\n'
        '  <Relations>\n    <Relation value="hides"/>\n    <Relation value="same"/>\n  </Relations>\n'
        "</View>\n"
    )
