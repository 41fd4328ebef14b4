"""Annotations and proposals of any file that kins reads, taken into the database."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
import numpy as np
import sqlalchemy as sa

from kins.annotate import tables
from kins.annotate.checks import MOST_POINTS
from kins.annotate.contents import FORMER, MODEL, categories
from kins.annotate.layers import Layers
from kins.annotate.operations import MOST_OBJECTS, Exempt, Flags, Origin, Pair, Ring, State, Thing
from kins.annotate.operations import key as pair_key
from kins.annotate.painting import paint, rings_of
from kins.annotate.store import Store
from kins.errors import KinsError
from kins.files import read_bytes
from kins.masks import Mask, intersections, rasterise
from kins.masks.trace import trace
from kins.occlusion import ROUNDING
from kins.records import Dataset, Image, Scene
from kins.work import progress

UNLABELLED = "unlabelled occluder"
"""Category of what hides an object in an imported file without being an object there."""


@dataclasses.dataclass
class Imported:
    """What was taken: images and objects, and a line for each kind of thing that could not be."""

    images: int = 0
    objects: int = 0
    lines: list[str] = dataclasses.field(default_factory=list)


def import_layers(store: Store, layers: Layers, project_id: int, dataset: Dataset, user_id: int | None) -> Imported:
    """Each scene of a data set as the beginning of the user's layer of that image, where there is none yet; or without
    a user as the layer of a network, which is done and takes the place of an earlier one.

    What the file says of order, or else its masks, becomes confirmed pairs. Where the visible masks are others than
    follow from these, exceptions and occluders make up for it, but for strips as narrow as rounding leaves.
    """
    found, differing, pixels = Imported(), 0, 0
    with store.write() as connection:
        names = _categories(connection, project_id, dataset.categories)
    for image, scene in _matched(store, project_id, dataset, found):
        with store.write() as connection:
            if user_id is not None and _has_layer(connection, image.id, user_id):
                continue
            instances = [i for i in scene if i.whole is not None and i.whole]
            if len(instances) < len(scene):
                found.lines.append(f"{image.file}: left out {len(scene) - len(instances)} instances without pixels")
            if len(instances) > MOST_OBJECTS:
                found.lines.append(f"{image.file}: has more than {MOST_OBJECTS} objects; left out")
                continue
            payload = payload_of(connection, project_id, scene.replace(instances=tuple(instances)), names)
            layers.begin(connection, _new_layer(connection, image.id, user_id), payload)
            if user_id is not None:
                numbered = sa.update(tables.image).where(tables.image.c.id == image.id)
                connection.execute(numbered.values(external=scene.image.id))
        found.images, found.objects = found.images + 1, found.objects + len(instances)
        differing, pixels = differing + bool(payload["differs"]), pixels + payload["differs"]
    if differing:
        found.lines.append(f"visible masks of {differing} image(s) differ by {pixels} pixels in strips along outlines")
    return found


def import_proposals(store: Store, project_id: int, dataset: Dataset, source: str) -> Imported:
    """Each instance as a proposal, with the order of the file, and classes for them.

    Those of the same source are replaced, as long as nobody in the project took or put away any; after that images
    keep what they have.
    """
    found, left = Imported(), 0
    source = source[:200]
    with store.write() as connection:
        there = _without_proposals(connection, project_id, source)
    for image, scene in _matched(store, project_id, dataset, found):
        if image.id in there:
            left += 1
            continue
        found.images, found.objects = found.images + 1, found.objects + add_proposals(store, image, scene, source)
    if left:
        found.lines.append(f"{left} image(s) keep the proposals of {source} that they have")
    return found


def add_proposals(store: Store, image: Any, scene: Scene, source: str) -> int:
    """The instances of a scene as proposals for an image (row), and classes for them; returns how many."""
    scene = scene.replace(instances=tuple(i for i in scene if i.whole is not None and i.whole))
    rows = _proposals(image.id, source[:200], scene)
    with store.write() as connection:
        if rows:
            connection.execute(sa.insert(tables.proposal), rows)
            _categories(connection, image.project, {i.category_id: i.category for i in scene})
    return len(rows)


def _without_proposals(connection: sa.Connection, project_id: int, source: str) -> set[int]:
    """Remove those of the source if none of the project was looked at; the images that have some then."""
    table, operation, layer, image = tables.proposal, tables.operation, tables.layer, tables.image
    known = sa.select(image.c.id).where(image.c.project == project_id)
    used = sa.select(operation.c.id).join(layer, layer.c.id == operation.c.layer).where(layer.c.image.in_(known))
    own = (table.c.source == source, table.c.image.in_(known))
    if connection.execute(used.where(operation.c.kind.in_(("accept", "reject"))).limit(1)).first() is None:
        connection.execute(sa.delete(table).where(*own))
    return set(connection.scalars(sa.select(table.c.image).where(*own).distinct()))


def _proposals(image_id: int, source: str, scene: Scene) -> list[dict[str, Any]]:
    """Rows of the instances of a scene, all of which have pixels."""
    farther: dict[int, list[int]] = {}
    for nearer, other in _stated_pairs(scene):
        farther.setdefault(nearer, []).append(other)
    return [
        {
            "image": image_id,
            "source": source,
            "category_name": instance.category[:200],
            "score": instance.score,
            "amodal": _rle(instance.require("amodal") if instance.amodal is not None else instance.require("inmodal")),
            "inmodal": None if instance.inmodal is None else _rle(instance.inmodal),
            "number": number,
            "farther": farther.get(number, []),
        }
        for number, instance in enumerate(scene)
    ]


def _rle(mask: Mask) -> dict[str, Any]:
    return {"size": [mask.height, mask.width], "counts": mask.counts}


def _matched(store: Store, project_id: int, dataset: Dataset, found: Imported) -> Iterator[tuple[Any, Scene]]:
    """The project's images (rows) with the scenes of the same file name, or where no other has it of the same stem."""
    with store.read() as connection:
        image = tables.image
        rows = connection.execute(sa.select(image).where(image.c.project == project_id).order_by(image.c.id)).all()
    by_name = {record.file_name: record for record in reversed(dataset.images.values())}
    by_stem: dict[str, list[Any]] = {}
    for record in by_name.values():
        by_stem.setdefault(PurePosixPath(record.file_name).stem, []).append(record)
    missing = 0
    for row in progress(rows, "annotations"):
        close = by_stem.get(PurePosixPath(row.file).stem, [])
        match = by_name.get(row.file) or (close[0] if len(close) == 1 else None)
        if match is None:
            missing += 1
        elif (match.width, match.height) != (row.width, row.height):
            size = f"{match.width} x {match.height}"
            found.lines.append(f"{row.file}: is {row.width} x {row.height} pixels, in {dataset.path} {size}; left out")
        else:
            scene = dataset[match.id]
            rasterise([mask for i in scene for mask in (i.amodal, i.inmodal)])
            yield row, scene
    if missing == len(rows):
        raise KinsError(f"{dataset.path}: has none of the pictures in the folder; images are found by file name")


def _has_layer(connection: sa.Connection, image_id: int, user_id: int) -> bool:
    layer = tables.layer
    query = sa.select(layer.c.id).where(layer.c.image == image_id, layer.c.user == user_id, layer.c.kind == "person")
    return connection.scalar(query) is not None


def _new_layer(connection: sa.Connection, image_id: int, user_id: int | None) -> int:
    table, values = tables.layer, dict[str, Any](image=image_id, user=user_id)
    if user_id is None:
        before = sa.update(table).where(table.c.image == image_id, table.c.kind == MODEL)
        connection.execute(before.values(kind=FORMER))
        values |= {"kind": MODEL, "state": "done", "done": tables.now()}
    return int(connection.execute(sa.insert(table), values).inserted_primary_key[0])  # type: ignore[index]


def _categories(connection: sa.Connection, project_id: int, wanted: Mapping[int, str]) -> dict[str, int]:
    """Ids by name, those of a data set's categories among them."""
    known = {row.name: row.id for row in categories(connection, project_id).values()}
    for number, name in wanted.items():
        name = name[:200]
        if name not in known:
            values = {"project": project_id, "name": name, "external": number}
            known[name] = connection.execute(sa.insert(tables.category), values).inserted_primary_key[0]  # type: ignore[index]
    return known


def payload_of(connection: sa.Connection, project_id: int, scene: Scene, names: dict[str, int]) -> dict[str, Any]:
    """What the import operation holds: objects, pairs, exceptions, and how many pixels of visible masks differ."""
    state = State()
    for instance in scene:
        rings = rings_of(instance.require("amodal") if instance.amodal is not None else instance.require("inmodal"))
        thing = Thing(str(uuid.uuid4()), names[instance.category[:200]], rings, Flags(), Origin("import"))
        state.objects[thing.id] = thing
    ids = list(state.objects)
    for i, j in _stated_pairs(scene):
        state.pairs[pair_key(ids[i], ids[j])] = Pair(ids[i], ids[j])
    differs = 0
    if any(instance.both_known for instance in scene):
        _add_exceptions(state, scene)
        occluder = _add_occluders(state, scene, lambda: _occluder(connection, project_id, names))
        painted = paint(state, scene.image.width, scene.image.height, occluder)
        visible = zip(painted.inmodal, scene, strict=False)
        differs = sum(_differing(seen, i.inmodal) for seen, i in visible if i.inmodal is not None)
    built = msgspec.to_builtins({"objects": list(state.objects.values()), "pairs": list(state.pairs.values())})
    exceptions = msgspec.to_builtins(list(state.exceptions.values()))
    return built | {"exceptions": exceptions, "differs": differs}


def _occluder(connection: sa.Connection, project_id: int, names: dict[str, int]) -> int:
    if UNLABELLED not in names:
        values = {"project": project_id, "name": UNLABELLED, "is_occluder": True}
        names[UNLABELLED] = connection.execute(sa.insert(tables.category), values).inserted_primary_key[0]  # type: ignore[index]
    return names[UNLABELLED]


def _stated_pairs(scene: Scene) -> list[tuple[int, int]]:
    """Index pairs (nearer, farther) of instances with common pixels: as stated pair by pair, by order, by the masks."""
    whole = [i.whole for i in scene if i.whole is not None]
    shared = intersections(whole, whole)
    index = {instance.id: i for i, instance in enumerate(scene)}
    stated = {
        (index[front], index[back])
        for front, back in scene.image.extra.get("depth_constraint") or ()
        if front in index and back in index
    }
    ahead = scene.occlusion().matrix() if all(i.both_known for i in scene) and len(scene) else None
    pairs = []
    for i, j in np.argwhere(np.triu(shared, 1)).tolist():
        a, b = scene[i], scene[j]
        if ((i, j) in stated) != ((j, i) in stated):
            pairs.append((i, j) if (i, j) in stated else (j, i))
        elif a.order is not None and b.order is not None and a.cluster == b.cluster and a.order != b.order:
            pairs.append((i, j) if a.order < b.order else (j, i))
        elif ahead is not None and ahead[i, j]:
            pairs.append((i, j) if ahead[i, j] > 0 else (j, i))
    return pairs


def _add_exceptions(state: State, scene: Scene) -> None:
    """Where of two that overlap the farther one is visible in the file and the nearer one is not."""
    painted = paint(state, scene.image.width, scene.image.height)
    for i, j in np.argwhere(painted.ahead).tolist():
        near, far = scene[i].inmodal, scene[j].inmodal
        if near is None or far is None:
            continue
        region = painted.amodal[i] & painted.amodal[j] & far - near
        for ring in _solid_parts(region):
            name, pair = str(uuid.uuid4()), Pair(painted.ids[i], painted.ids[j])
            state.exceptions[name] = Exempt(name, pair.nearer, pair.farther, ring)
            state.pairs.setdefault(pair_key(pair.nearer, pair.farther), pair)


def _add_occluders(state: State, scene: Scene, category: Any) -> list[int]:
    """What nothing covers and the file hides all the same gets occluders; returns their category."""
    painted = paint(state, scene.image.width, scene.image.height)
    rest = Mask.empty(scene.image.height, scene.image.width)
    for seen, instance in zip(painted.inmodal, scene, strict=True):
        if instance.inmodal is not None:
            rest = rest | (seen - instance.inmodal)
    parts = _solid_parts(rest)[: MOST_OBJECTS - len(state.objects)]
    for ring in parts:
        thing = Thing(str(uuid.uuid4()), category(), (Ring(False, ring),), Flags(), Origin("import"))
        state.objects[thing.id] = thing
    return [category()] if parts else []


def _solid_parts(region: Mask) -> list[tuple[int, ...]]:
    """Outlines of the connected parts of a region that are more than strips along outlines (kins.occlusion.Slivers)."""
    if region.area < ROUNDING.pixels:
        return []
    found = []
    for polygon in trace(region):
        if len(polygon) <= 2 * MOST_POINTS and _solid(polygon):
            found.append(tuple(round(100 * number) for number in polygon))
    return found


def _solid(polygon: list[float]) -> bool:
    """Whether at least so many pixels lie in squares of 2 x 2 as an occlusion takes."""
    xs, ys = polygon[::2], polygon[1::2]
    x, y, width, height = min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)
    moved = [n - (y if k % 2 else x) for k, n in enumerate(polygon)]
    pixels = Mask.from_polygons([moved], int(height), int(width)).to_array()
    squares = pixels[1:, 1:] & pixels[:-1, 1:] & pixels[1:, :-1] & pixels[:-1, :-1]
    grown = np.zeros_like(pixels)
    for dy in (0, 1):
        for dx in (0, 1):
            grown[dy : pixels.shape[0] - 1 + dy, dx : pixels.shape[1] - 1 + dx] |= squares
    return int(grown.sum()) >= ROUNDING.pixels


def _differing(first: Mask, second: Mask) -> int:
    return (first - second).area + (second - first).area


def read_proposals(path: Path, folder: Path, like: Dataset) -> Dataset:
    """Predictions of kins, results of other detectors, or annotations.

    Args:
        folder: of the pictures.
        like: a data set of the project's images and categories, for files that list none.

    Raises KinsError for what is none of these.
    """
    from kins.formats import load, load_predictions
    from kins.formats.results import load_results

    ways = (
        lambda: load(path, images=folder),
        lambda: load_predictions(path, like),
        lambda: load_results(path, folder, None, like),
        lambda: _named_results(path, folder),
    )
    errors = []
    for way in ways:
        try:
            return way()
        except KinsError as error:
            errors.append(error)
    listed = path.is_file() and read_bytes(path)[:1] == b"["
    raise errors[2 if listed else 0]


def _named_results(path: Path, folder: Path) -> Dataset:
    """Results whose classes have names, which the project need not have yet, or none (SAM)."""
    from kins.formats.results import load_results

    dataset = load_results(path, folder)
    if any(name.isdecimal() for name in dataset.categories.values()):
        raise KinsError(f"{path}: numbers its classes, and nothing says which are meant")
    return dataset


def frame_dataset(store: Store, project_id: int, folder: Path) -> Dataset:
    """The project's images and categories without instances, with the ids that files know them by."""
    with store.read() as connection:
        rows = connection.execute(sa.select(tables.image).where(tables.image.c.project == project_id)).all()
        kinds = categories(connection, project_id).values()
    images = {}
    for row in rows:
        number = row.id if row.external is None else row.external
        images[number] = Image(number, row.file, row.height, row.width)
    names = {row.id if row.external is None else row.external: row.name for row in kinds if not row.is_occluder}
    return Dataset(images, names, {}, images_dir=folder)
