"""Pictures of scenes: what is visible (filled), what is hidden (hatched), the outlines of both, names and order.

Drawn with Pillow and NumPy, which every installation has: an array comes out, at any size, in a fraction
of a second. Neighbours get different colours.
"""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image as Picture
from PIL import ImageDraw, ImageFilter, ImageFont

from kins.draw.choice import largest
from kins.draw.frames import framed
from kins.draw.palette import COLORS, DARK, Color, Rgb
from kins.draw.placing import Label, Owner, place_labels
from kins.errors import KinsError
from kins.files import EXIF, write_atomic
from kins.limits import DRAWN
from kins.masks import Mask
from kins.records import Instance, Scene

What = Literal["amodal", "inmodal", "hidden", "order"]
WHAT: tuple[What, ...] = get_args(What)
Bools = npt.NDArray[np.bool_]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

LONG_SIDE = 1920
"""Pixels to which smaller pictures are enlarged, so that labels are legible and outlines fine."""
MAX_SCALE = 8.0
FONT_SIZE = 17


@dataclasses.dataclass
class _Part:
    """An instance on the enlarged picture, within the window of its box.

    Attributes:
        window: rows and columns of the picture.
        whole, seen: amodal and inmodal mask within the window.
    """

    instance: Instance
    color: Color
    window: tuple[slice, slice]
    whole: Bools
    seen: Bools


def draw(
    scene: Scene,
    what: Collection[str] = WHAT,
    *,
    image: Rgb | None = None,
    scale: float | None = None,
    colors: Sequence[Color] | None = None,
    labels: bool = True,
    legend: bool = True,
    arrows: bool = False,
) -> Rgb:
    """The scene's picture with its instances; of more than kins.limits says the largest, and a line that says so.

    Objects that are boxes alone are drawn as frames.

    Args:
        what: any of `amodal` (outline of the whole object, dashed where it is hidden), `inmodal` (the visible part,
            filled), `hidden` (hatched), `order` (number of the relative order, smaller is nearer).
        image: (height, width, 3) uint8 RGB of the image's size; None reads it; grey without an image folder.
        scale: enlargement; None enlarges small pictures to LONG_SIDE.
        colors: of each instance; None takes those of `colors_of`.
        labels: class names, scores and order numbers.
        legend: a line below that explains the signs.
        arrows: from each occluder into what it hides, by the masks.

    Returns:
        (height x scale (+ legend), width x scale, 3) uint8 RGB.

    Raises:
        KinsError: an unusable picture or mask, an unknown word in `what`, or not one color for each instance.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> scene = write_shapes("pictures", 1)[0]
        >>> picture = kins.draw.draw(scene, ["inmodal", "hidden"], scale=2, legend=False)
        >>> picture.shape, picture.dtype
        ((320, 480, 3), dtype('uint8'))
        >>> kins.draw.write_picture(picture, "drawn.png")
    """
    if unknown := set(what) - set(WHAT):
        raise KinsError(f"can't draw {', '.join(sorted(unknown))}; there are {', '.join(WHAT)}")
    scene = framed(scene.clipped())
    if colors is not None and len(colors) != len(scene):
        raise KinsError(f"image {scene.image.file_name}: {len(colors)} colors for {len(scene)} instances")
    scale = scale or min(max(1.0, LONG_SIDE / max(scene.image.width, scene.image.height)), MAX_SCALE)
    scene, chosen, note = largest(scene, DRAWN, scale)
    colors = colors_of(scene) if colors is None else [colors[index] for index in chosen]
    canvas = _background(scene, image, scale)
    parts = _parts(scene, colors, canvas.shape[:2], scale)
    for part in parts:
        _fill(canvas, part, what)
    if "hidden" in what:
        for index, part in enumerate(parts):
            _hatch(canvas, part, index)
    for part in sorted(parts, key=lambda part: -int(part.whole.sum())):
        _outline(canvas, part, what)
    if arrows:
        from kins.draw.graph import draw_arrows

        canvas = draw_arrows(canvas, scene, colors, scale)
    if labels:
        canvas = _write_labels(canvas, parts, "order" in what)
    if note:
        line = _strip(canvas.shape[1], note)
        canvas[: line.shape[0]] = line[: canvas.shape[0]]
    return np.concatenate([canvas, _legend(canvas.shape[1], what)]) if legend else canvas


def side_by_side(pictures: Sequence[Rgb], titles: Sequence[str]) -> Rgb:
    """Pictures with a title above each: beside each other, or one above the other if they are wide.

    All are to be of the same size, as `draw` makes them for scenes of one image.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> scene = write_shapes("pictures", 1)[0]
        >>> parts = [kins.draw.draw(scene, [what], legend=False, scale=1) for what in ("amodal", "inmodal")]
        >>> kins.draw.side_by_side(parts, ["whole objects", "what is seen"]).shape
        (193, 488, 3)
    """
    titled = [np.concatenate([_strip(p.shape[1], title), p]) for p, title in zip(pictures, titles, strict=True)]
    height, width = titled[0].shape[:2]
    if any(picture.shape != titled[0].shape for picture in titled):
        raise KinsError("pictures beside each other must have the same size")
    if width > 1.5 * height:
        return np.concatenate(titled)
    gap = np.full((height, 8, 3), 255, np.uint8)
    return np.concatenate([row for picture in titled for row in (picture, gap)][:-1], axis=1)


def write_picture(picture: Rgb, path: str | Path) -> None:
    """Write a picture file; the suffix says which kind (.png, .jpg, .webp). Raises KinsError.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> kins.draw.write_picture(kins.draw(write_shapes("pictures", 1)[0]), "first.webp")
    """
    kind = Picture.registered_extensions().get(Path(path).suffix.lower())
    if kind not in ("PNG", "JPEG", "WEBP"):
        raise KinsError(f"{path}: is no picture name; end it with .png, .jpg or .webp")
    buffer = io.BytesIO()
    Picture.fromarray(picture).save(buffer, kind, exif=EXIF, **({"quality": 92} if kind != "PNG" else {}))
    write_atomic(path, buffer.getvalue())


def _background(scene: Scene, image: Rgb | None, scale: float) -> Rgb:
    size = scene.image.height, scene.image.width
    if image is None and scene.has_picture:
        image = scene.read_image()
    if image is None:
        image = np.full((*size, 3), 96, np.uint8)
    if image.shape != (*size, 3):
        raise KinsError(f"image {scene.image.file_name}: picture of shape {image.shape}, not {(*size, 3)}")
    if scale == 1:
        return image.copy()
    new = max(1, round(size[1] * scale)), max(1, round(size[0] * scale))
    return np.array(Picture.fromarray(image).resize(new, Picture.Resampling.BICUBIC))


def _parts(scene: Scene, colors: Sequence[Color], shape: tuple[int, int], scale: float) -> list[_Part]:
    """Every instance that has pixels, with its masks enlarged smoothly, within a window around them."""
    parts = []
    for instance, color in zip(scene, colors, strict=True):
        whole, seen = instance.whole, instance.seen
        if whole is None or seen is None or not (both := whole if seen is whole else whole | seen):
            continue
        x, y, width, height = (int(value) for value in both.box)
        x0, y0 = max(x - 2, 0), max(y - 2, 0)
        x1, y1 = min(x + width + 2, scene.image.width), min(y + height + 2, scene.image.height)
        top, left = min(round(y0 * scale), shape[0] - 1), min(round(x0 * scale), shape[1] - 1)
        bottom, right = min(max(round(y1 * scale), top + 1), shape[0]), min(max(round(x1 * scale), left + 1), shape[1])
        crop, size = (x0, y0, x1 - x0, y1 - y0), (right - left, bottom - top)
        window = (slice(top, bottom), slice(left, right))
        parts.append(_Part(instance, color, window, _enlarge(whole, crop, size), _enlarge(seen, crop, size)))
    return parts


def _enlarge(mask: Mask, crop: tuple[int, int, int, int], size: tuple[int, int]) -> Bools:
    """The mask's pixels within a crop (x, y, width, height), scaled to (width, height); some stay if there are any."""
    pixels = mask.cropped(*crop).to_array()
    if size == (pixels.shape[1], pixels.shape[0]):
        return pixels
    grey = Picture.fromarray(pixels.view(np.uint8) * np.uint8(255)).resize(size, Picture.Resampling.BILINEAR)
    steps = size[0] / pixels.shape[1]  # the outline's steps are as long as a pixel; blurring as much rounds them
    smooth = np.asarray(grey.filter(ImageFilter.BoxBlur(0.8 * steps))) >= 128
    if not smooth.any():  # too thin to be left by smoothing, or by making it smaller: wherever it has a share
        smooth = np.asarray(Picture.fromarray(pixels.astype(np.float32)).resize(size, Picture.Resampling.BOX)) > 0
    return smooth


def colors_of(scene: Scene, given: Mapping[int, Color] | None = None) -> list[Color]:
    """A color of COLORS for each instance, unlike those of instances close to it as far as there are enough.

    Args:
        given: colors of COLORS that some instances, named by their index, have already; the others avoid these
            wherever the instances lie.

    Example:
        >>> from kins.demo.toys import write_shapes
        >>> chosen = kins.draw.colors_of(write_shapes("pictures", 1)[0])
        >>> len(chosen), len(set(chosen))
        (3, 3)
    """
    boxes = np.array([(0, 0, 0, 0) if i.whole is None else i.whole.box for i in scene], np.float64).reshape(-1, 4)
    low, high = boxes[:, :2] - 8, boxes[:, :2] + boxes[:, 2:] + 8
    palette = np.array(COLORS, np.float64)
    alike = np.exp(-np.linalg.norm(palette[:, None] - palette[None], axis=2) / 60)
    chosen = np.full(len(boxes), -1)
    for index, color in (given or {}).items():
        chosen[index] = COLORS.index(color)
    used = 200.0 * np.bincount(chosen[chosen >= 0], minlength=len(COLORS))
    for index in np.flatnonzero(chosen < 0).tolist():
        near = np.all((low[index] < high) & (low < high[index]), axis=1)
        close = chosen[near & (chosen >= 0)]
        cost = 1000 * alike[close].sum(0) + used
        chosen[index] = int(cost.argmin())
        used[chosen[index]] += 1
    return [COLORS[index] for index in chosen]


def _blend(canvas: Rgb, window: tuple[slice, slice], where: Bools, color: Color, alpha: float) -> None:
    """Mix a colour into the pixels of a window, by a table of the 256 values that each channel can have."""
    region = canvas[window]
    values = np.arange(256)
    tables = [(values * (1 - alpha) + channel * alpha).astype(np.uint8) for channel in color]
    for channel, table in enumerate(tables):
        np.copyto(region[..., channel], table[region[..., channel]], where=where)


def _fill(canvas: Rgb, part: _Part, what: Collection[str]) -> None:
    if "inmodal" in what:
        _blend(canvas, part.window, part.seen, part.color, 0.38)
    elif "amodal" in what:
        _blend(canvas, part.window, part.whole, part.color, 0.38)


def _hatch(canvas: Rgb, part: _Part, index: int) -> None:
    """Diagonal lines over the hidden part, leaning to the left or to the right in turn."""
    hidden = part.whole & ~part.seen
    rows, columns = np.ogrid[part.window]
    phase = (columns + rows if index % 2 else columns - rows) % 12
    _blend(canvas, part.window, hidden, DARK, 0.25)
    _blend(canvas, part.window, hidden & (phase < 4), part.color, 0.95)


def _outline(canvas: Rgb, part: _Part, what: Collection[str]) -> None:
    """The visible part's outline solid, the whole object's dashed where it is hidden."""
    rows, columns = np.ogrid[part.window]
    if "inmodal" in what:
        _line(canvas, part, part.seen, np.ones_like(part.seen))
    if "amodal" in what or "hidden" in what:
        hidden = part.whole & ~part.seen
        dashes = (rows // 12 + columns // 12) % 2 == 0
        where = hidden & dashes if "inmodal" in what or "amodal" not in what else np.ones_like(hidden)
        _line(canvas, part, part.whole, where)


def _line(canvas: Rgb, part: _Part, mask: Bools, where: Bools) -> None:
    """The inner border of a mask in the instance's colour, with a dark rim inside that lifts it off any background."""
    small = min(mask.shape) < 60
    thin, thick = (_border(mask, 3), _border(mask, 5)) if small else (_border(mask, 5), _border(mask, 9))
    _blend(canvas, part.window, thick & ~thin & where, DARK, 0.55)
    _blend(canvas, part.window, thin & where, part.color, 1.0)


def _border(mask: Bools, size: int) -> Bools:
    """Pixels of a mask within (size - 1) / 2 pixels of its edge."""
    padded = Picture.fromarray(np.pad(mask.view(np.uint8) * np.uint8(255), size))
    blurred = np.asarray(padded.filter(ImageFilter.BoxBlur(size // 2)))  # 255 where all pixels around are set
    return np.asarray(mask & (blurred[size:-size, size:-size] < 255))


def _write_labels(canvas: Rgb, parts: list[_Part], ordered: bool) -> Rgb:
    """Names beside the objects, so that no label covers another; a thin line leads to an object further away."""
    picture = Picture.fromarray(canvas)
    pen = ImageDraw.Draw(picture, "RGBA")
    font = ImageFont.load_default(FONT_SIZE)
    placed = place_labels(*_labels(parts, (canvas.shape[0], canvas.shape[1]), ordered, font))
    for label, (x, y) in placed:
        _leader(pen, parts[label.index].color, label, x, y)
    for label, (x, y) in placed:
        _label(pen, font, parts[label.index].color, label, x, y)
    return np.array(picture)


def _labels(parts: list[_Part], shape: tuple[int, int], ordered: bool, font: Font) -> tuple[list[Label], Owner]:
    """What is to be written beside each part, and which one is seen in each pixel of the canvas."""
    owner = np.full(shape, -1, np.int32)
    labels = []
    for index, part in enumerate(parts):
        owner[part.window][part.seen] = index
        number = str(part.instance.order) if ordered and part.instance.order is not None else ""
        number_width = round(font.getlength(number)) + 12 if number else 0
        text = part.instance.category or "?"
        if part.instance.score is not None:
            text += f" {part.instance.score:.0%}"
        width = number_width + round(font.getlength(text)) + 12
        rows, columns = part.window
        box = (columns.start, rows.start, columns.stop, rows.stop)
        labels.append(Label(index, text, number, number_width, (width, FONT_SIZE + 8), box, _middle(part)))
    return labels, owner


def _middle(part: _Part) -> tuple[int, int]:
    """A pixel (x, y) of the visible part, or else of the whole: the middle of its longest row near the middle."""
    mask = part.seen if part.seen.any() else part.whole
    counts = mask.sum(1)
    row = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
    columns = np.flatnonzero(mask[row])
    return part.window[1].start + int(columns[len(columns) // 2]), part.window[0].start + row


def _leader(pen: ImageDraw.ImageDraw, color: Color, label: Label, x: int, y: int) -> None:
    if label.touches(x, y):
        return
    width, height = label.size
    target = label.anchor
    start = (min(max(target[0], x), x + width), min(max(target[1], y), y + height))
    pen.line([start, target], fill=(*DARK, 200), width=4)
    pen.line([start, target], fill=color, width=2)
    pen.ellipse([target[0] - 4, target[1] - 4, target[0] + 4, target[1] + 4], fill=color, outline=DARK)


def _label(
    pen: ImageDraw.ImageDraw,
    font: Font,
    color: Color,
    label: Label,
    x: int,
    y: int,
) -> None:
    width, height = label.size
    pen.rounded_rectangle([x, y, x + width, y + height], 4, fill=(*color, 235), outline=DARK)
    middle = y + height / 2
    if label.number:
        pen.rounded_rectangle([x, y, x + label.number_width, y + height], 4, fill=(*DARK, 255), outline=DARK)
        pen.text((x + label.number_width / 2, middle), label.number, font=font, fill=(255, 255, 255), anchor="mm")
    pen.text((x + label.number_width + 6, middle), label.text, font=font, fill=_ink(color), anchor="lm")


def _ink(color: Color) -> Color:
    """Black or white, whichever is easier to read on a colour."""
    return DARK if 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] > 110 else (255, 255, 255)


def _strip(width: int, text: str) -> Rgb:
    picture = Picture.new("RGB", (width, FONT_SIZE + 16), (255, 255, 255))
    ImageDraw.Draw(picture).text((10, 8), text, font=ImageFont.load_default(FONT_SIZE), fill=DARK)
    return np.array(picture)


def _legend(width: int, what: Collection[str]) -> Rgb:
    """A line that explains the signs, as far as they occur and there is room."""
    strip = _strip(width, "")
    color, height = COLORS[0], strip.shape[0]
    font = ImageFont.load_default(FONT_SIZE)
    texts = {
        "inmodal": "visible",
        "hidden": "hidden",
        "amodal": "outline of the whole object",
        "order": "order: smaller is nearer",
    }
    x = 10
    for name, text in texts.items():
        length = 50 + round(font.getlength(text))
        if name not in what or x + length > width:
            continue
        swatch = np.ones((height - 14, 34), bool)
        window = (slice(7, height - 7), slice(x, x + 34))
        part = _Part(None, color, window, swatch, swatch if name == "inmodal" else ~swatch)  # type: ignore[arg-type]
        strip[window] = 150
        if name == "inmodal":
            _fill(strip, part, {"inmodal"})
        elif name == "hidden":
            _hatch(strip, part, 1)
        picture = Picture.fromarray(strip)
        pen = ImageDraw.Draw(picture)
        if name == "order":
            pen.rectangle([x, 7, x + 33, height - 8], fill=DARK)
            pen.text((x + 17, height / 2), "0", font=font, fill=(255, 255, 255), anchor="mm")
        elif name == "amodal":
            for start in range(x, x + 34, 14):
                pen.line([start, height / 2, start + 7, height / 2], fill=DARK, width=3)
        pen.text((x + 42, height / 2), text, font=font, fill=DARK, anchor="lm")
        strip = np.array(picture)
        x += length + 24
    return strip
