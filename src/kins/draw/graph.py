"""Who hides whom as a picture: arrows on the image, and a graph with crops of the objects as nodes."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt
from PIL import Image as Picture
from PIL import ImageDraw

from kins.draw.choice import largest
from kins.draw.graph_layout import MARGIN, NODE_HEIGHT, NODE_WIDTH, Point, Way, layout
from kins.draw.palette import Color, Rgb
from kins.errors import KinsError
from kins.files.terminal import shown
from kins.limits import GRAPH
from kins.masks import Mask
from kins.occlusion import Edge, Occlusion, relations_of
from kins.records import Instance, Scene
from kins.statistics.numbers import percent

INK, GREY, RED = "#181818", "#6B6B6B", "#C0392B"


def draw_arrows(canvas: Rgb, scene: Scene, colors: Sequence[Color], scale: float) -> Rgb:
    """The picture with arrows: from an occluder, across the place where it hides another, into that.

    Left out are the weaker ones of two directions, and those that follow from others (a before b before c).

    Args:
        canvas: (height, width, 3) uint8 RGB, `scale` times the image's size.
        colors: of each instance; an arrow has its occluder's.

    Returns:
        A new array of the same shape.
    """
    scene = scene.clipped()
    relations = relations_of(scene)
    if relations is None:
        return canvas
    picture = Picture.fromarray(canvas)
    pen = ImageDraw.Draw(picture)
    for edge in sorted(_needed(relations), key=lambda edge: edge.pixels):
        at = _centre(_overlap(scene, edge))
        goal = _nearest(scene[edge.occluded], at)
        distance = math.dist(at, goal)
        along = ((goal[0] - at[0]) / distance, (goal[1] - at[1]) / distance) if distance else (0.0, 1.0)
        size = min(max(distance * scale / 40, 0.6), 1.0)
        tail, head = -14 * size, distance * scale + 18 * size
        ends = [(scale * at[0] + t * along[0], scale * at[1] + t * along[1]) for t in (tail, head)]
        _arrow(pen, ends[0], ends[1], colors[edge.occluder], size)
    return np.array(picture)


def graph_svg(scene: Scene, colors: Sequence[Color], image: Rgb | None = None) -> str:
    """The occlusion graph of an image as a self-contained SVG.

    Nodes are crops of the objects, dimmed around them, the hidden part striped; a row of columns for each cluster, the
    nearest objects left. An arrow leads from an object to one that it hides, with the pixels and their share of the
    hidden one's area. Grey and dashed: the weaker one of two directions. Red and dotted: left out to break a cycle.

    Args:
        colors: of each instance.
        image: (height, width, 3) uint8 RGB; None reads it; grey without an image folder.

    Raises:
        KinsError: an unusable picture or mask, or neither complete masks nor a stored order.
    """
    scene, chosen, note = largest(scene.clipped(), GRAPH)
    colors = [colors[index] for index in chosen]
    relations = relations_of(scene)
    if relations is None:
        raise KinsError(
            f"image {scene.image.file_name}: needs both masks of each instance, or a stored order; see kins order"
        )
    if image is None and scene.has_picture:
        image = scene.read_image()
    if image is None:
        image = np.full((scene.image.height, scene.image.width, 3), 150, np.uint8)
    places, ways, size = layout(relations)
    parts = [_arrow_path(way, relations) for way in ways]
    parts += [
        _node(instance, _thumbnail(image, instance, color), color, int(order), *places[index])
        for index, (instance, color, order) in enumerate(zip(scene, colors, relations.order, strict=True))
    ]
    parts += [_edge_label(way, relations) for way in ways]
    signs = "The number is the order, 0 is nearest; an arrow leads to what is hidden"
    if any(_style(edge, relations)[1] == "grey" for edge in relations.edges):
        signs += "; dashed: the weaker of two directions"
    if relations.cycles:
        signs += "; red: left out to break a cycle"
    signs += f". Drawn are {note}" if note else ""
    width, height = max(size[0], 790), size[1]
    markers = "".join(
        f'<marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0L10 5L0 10z" fill="{color}"/></marker>'
        for name, color in (("ink", INK), ("grey", GREY), ("red", RED))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="Helvetica, Arial, sans-serif"><defs>{markers}</defs>'
        f'<rect width="100%" height="100%" fill="#FFFFFF"/>'
        f'<text x="{MARGIN}" y="30" font-size="16" font-weight="bold" fill="{INK}">'
        f"Who hides whom: {escape(shown(scene.image.file_name))}</text>"
        f'<text x="{MARGIN}" y="50" font-size="12" fill="{GREY}">{signs}.</text>' + "\n".join(parts) + "</svg>\n"
    )


def _needed(relations: Occlusion) -> list[Edge]:
    """The edges that the order rests on, without those that follow from others."""
    import networkx as nx

    left_out = {cycle.removed for cycle in relations.cycles}
    kept = [edge for edge in relations.edges if edge[:2] in relations.ahead and edge not in left_out]
    reduced = nx.transitive_reduction(nx.DiGraph([(edge.occluder, edge.occluded) for edge in kept]))
    return [edge for edge in kept if reduced.has_edge(edge.occluder, edge.occluded)]


def _overlap(scene: Scene, edge: Edge) -> Mask:
    """The pixels that an edge counts."""
    front, back = scene[edge.occluder], scene[edge.occluded]
    if front.inmodal is not None and back.inmodal is not None and (found := front.inmodal & back.hidden):
        return found
    return front.require("amodal") & back.require("amodal")


def _nearest(instance: Instance, at: Point) -> Point:
    """The visible pixel of an instance that is nearest to a point."""
    seen = instance.inmodal if instance.inmodal else instance.require("amodal")
    x, top, bottom = (column.astype(np.float64) for column in seen.segments.T)
    x, y = x + 0.5, np.clip(at[1], top + 0.5, bottom - 0.5)
    best = np.hypot(x - at[0], y - at[1]).argmin()
    return float(x[best]), float(y[best])


def _centre(mask: Mask) -> Point:
    """Mean x, y of the pixels' centres; the image's corner for an empty mask."""
    x, top, bottom = (column.astype(np.float64) for column in mask.segments.T)
    if not x.size:
        return 0.0, 0.0
    weights = bottom - top
    return float(np.average(x + 0.5, weights=weights)), float(np.average((top + bottom) / 2, weights=weights))


def _arrow(pen: ImageDraw.ImageDraw, tail: Point, head: Point, color: Color, size: float) -> None:
    """An arrow with a white rim inside of a dark one, to be seen on anything."""
    length = math.dist(tail, head)
    along = (head[0] - tail[0]) / length, (head[1] - tail[1]) / length
    across = -along[1], along[0]
    for fill, grow in (((20, 20, 20), 3.5 * size), ((255, 255, 255), 2.0 * size), (color, 0.0)):
        tip = head[0] + along[0] * grow * 1.6, head[1] + along[1] * grow * 1.6
        neck = head[0] - along[0] * (13 * size + grow * 0.6), head[1] - along[1] * (13 * size + grow * 0.6)
        half = 7 * size + grow * 1.3
        pen.line([tail, neck], fill=fill, width=round(3 * size + 2 * grow))
        radius = 4 * size + grow
        pen.ellipse([tail[0] - radius, tail[1] - radius, tail[0] + radius, tail[1] + radius], fill=fill)
        wings = [(neck[0] + side * half * across[0], neck[1] + side * half * across[1]) for side in (1, -1)]
        pen.polygon([tip, *wings], fill=fill)


def _style(edge: Edge, relations: Occlusion) -> tuple[str, str, str]:
    """Colour, marker and dashes."""
    if any(edge == cycle.removed for cycle in relations.cycles):
        return RED, "red", "2 4"
    if edge[:2] not in relations.ahead:
        return GREY, "grey", "7 4"
    return INK, "ink", "none"


def _arrow_path(way: Way, relations: Occlusion) -> str:
    color, marker, dashes = _style(way.edge, relations)
    width = 1.2 + 2.3 * min(1.0, math.sqrt(_share(way.edge, relations) / 0.5))
    return (
        f'<path d="{way.path}" fill="none" stroke="{color}" stroke-width="{width:.1f}" '
        f'stroke-dasharray="{dashes}" marker-end="url(#{marker})"/>'
    )


def _share(edge: Edge, relations: Occlusion) -> float:
    return edge.pixels / max(relations.instances[edge.occluded].require("amodal").area, 1)


def _edge_label(way: Way, relations: Occlusion) -> str:
    """On the arrow, on a white ground."""
    x, y = way.label
    text = f"{way.edge.pixels} px, {percent(_share(way.edge, relations))}"
    width = 5.1 * len(text) + 6
    return (
        f'<rect x="{x - width / 2:.1f}" y="{y - 6.5:.1f}" width="{width:.1f}" height="13" fill="#FFFFFF"/>'
        f'<text x="{x:.1f}" y="{y + 3.5:.1f}" font-size="10" text-anchor="middle" '
        f'fill="{_style(way.edge, relations)[0]}">{text}</text>'
    )


def _node(instance: Instance, crop: Rgb, color: Color, order: int, x: float, y: float) -> str:
    buffer = io.BytesIO()
    Picture.fromarray(crop).save(buffer, "JPEG", quality=88)
    data = base64.b64encode(buffer.getvalue()).decode()
    frame = f"rgb{color}"
    known = instance.both_known
    hidden = f"{percent(instance.occlusion_rate)} hidden" if known and instance.occlusion_rate else "nothing hidden"
    return (
        f'<g transform="translate({x:.1f} {y:.1f})">'
        f'<rect width="{NODE_WIDTH}" height="{NODE_HEIGHT}" rx="6" fill="#F4F4F4" stroke="{frame}" stroke-width="3"/>'
        f'<image x="4" y="4" width="{NODE_WIDTH - 8}" height="{NODE_HEIGHT - 8}" '
        f'href="data:image/jpeg;base64,{data}"/>'
        f'<rect width="26" height="22" rx="5" fill="{INK}"/>'
        f'<text x="13" y="16" font-size="13" font-weight="bold" text-anchor="middle" fill="#FFFFFF">{order}</text>'
        f'<text x="2" y="{NODE_HEIGHT + 17}" font-size="13" fill="{INK}">{escape(_shorten(shown(instance.category)))} '
        f'<tspan fill="{GREY}" font-size="11">#{instance.id}</tspan></text>'
        f'<text x="2" y="{NODE_HEIGHT + 32}" font-size="11" fill="{GREY}">{hidden if known else ""}</text></g>'
    )


def _shorten(text: str) -> str:
    return text if len(text) <= 18 else text[:17] + "…"


def _thumbnail(image: Rgb, instance: Instance, color: Color) -> Rgb:
    """The object's box in twice the node's size: surroundings pale, hidden part striped, outline in its colour."""
    width, height = 2 * (NODE_WIDTH - 8), 2 * (NODE_HEIGHT - 8)
    result = np.full((height, width, 3), 244, np.uint8)
    if not instance.amodal:
        return result
    x, y, w, h = instance.amodal.box
    pad = 0.08 * max(w, h) + 2
    x0, y0 = max(int(x - pad), 0), max(int(y - pad), 0)
    x1, y1 = min(math.ceil(x + w + pad), image.shape[1]), min(math.ceil(y + h + pad), image.shape[0])
    scale = min(width / (x1 - x0), height / (y1 - y0))
    size = max(round((x1 - x0) * scale), 1), max(round((y1 - y0) * scale), 1)

    def enlarged(mask: Mask) -> npt.NDArray[np.bool_]:
        pixels = Picture.fromarray(mask.cropped(x0, y0, x1 - x0, y1 - y0).to_array().view(np.uint8) * np.uint8(255))
        return np.asarray(pixels.resize(size, Picture.Resampling.BICUBIC)) >= 128

    crop = np.array(Picture.fromarray(image[y0:y1, x0:x1]).resize(size, Picture.Resampling.BICUBIC)).astype(np.float64)
    whole = enlarged(instance.amodal)
    seen = whole if instance.inmodal is None else enlarged(instance.inmodal)
    rows, columns = np.mgrid[: size[1], : size[0]]
    stripes = (rows + columns) % 14 < 5
    crop[~whole] = 0.35 * crop[~whole] + 0.65 * 244
    hidden = whole & ~seen
    crop[hidden] = 0.55 * crop[hidden] + 0.45 * 255
    crop[hidden & stripes] = color
    crop[_rim(whole, 3)] = 24
    crop[_rim(whole, 2)] = color
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    result[top : top + size[1], left : left + size[0]] = crop.round().astype(np.uint8)
    return result


def _rim(mask: npt.NDArray[np.bool_], thickness: int) -> npt.NDArray[np.bool_]:
    """The pixels of a mask that are within `thickness` of its outline."""
    inner = np.pad(mask, 1)
    for _ in range(thickness):
        shrunk = inner.copy()
        shrunk[1:] &= inner[:-1]
        shrunk[:-1] &= inner[1:]
        shrunk[:, 1:] &= inner[:, :-1]
        shrunk[:, :-1] &= inner[:, 1:]
        inner = shrunk
    return mask & ~inner[1:-1, 1:-1]
