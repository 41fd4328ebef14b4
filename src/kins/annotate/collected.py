"""Layers as kins's records: scenes and data sets of annotators, for exports, agreement and consensus."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from kins.annotate import tables
from kins.annotate.contents import MODEL, assistance, categories, frame_of
from kins.annotate.layers import Layers
from kins.annotate.painting import Painted, scene_of
from kins.records import Dataset, Image, Instance, Scene
from kins.statistics.agreement import ASSISTANCE

OCCLUDER = "occluder"
"""Name of the class of occluders where they are wanted as objects."""


class Kept(NamedTuple):
    """A layer's scene, with the object's id of each instance."""

    layer: Any
    scene: Scene
    objects: list[str]
    painted: Painted


class Names(NamedTuple):
    """A project's categories as files have them: names by id of the table, and the file's number of each."""

    names: dict[int, str]
    numbers: dict[int, int]


def names_of(connection: sa.Connection, project_id: int) -> Names:
    """Without occluders. Numbers are those of the file that the categories came from; others get new ones."""
    rows = {key: row for key, row in categories(connection, project_id).items() if not row.is_occluder}
    taken = {row.external for row in rows.values() if row.external is not None}
    free = (number for number in itertools.count(1) if number not in taken)
    numbers = {row.id: next(free) if row.external is None else row.external for row in rows.values()}
    return Names({row.id: row.name for row in rows.values()}, numbers)


def kept(
    connection: sa.Connection,
    layers: Layers,
    layer: Any,
    image: Any,
    names: Names,
    first_id: int = 1,
    occluders: bool = False,
) -> Kept:
    """A layer as a scene.

    Args:
        layer, image: rows.
        first_id: of the instances.
        occluders: keep them as objects of the class OCCLUDER.

    Raises KinsError where an object has no pixel.
    """
    frame = frame_of(connection, image)
    history = layers.history(connection, layer.id)
    painted = layers.painted(layer.id, history, frame)
    number = image.id if image.external is None else image.external
    shown = assistance(connection, image)
    extra = {} if shown is None else {ASSISTANCE: shown}
    record = Image(number, image.file, image.height, image.width, extra)
    scene = scene_of(history.state, painted, record, names.names, first_id)
    things = [
        thing.id
        for index, thing in enumerate(history.state.objects.values())
        if not painted.occluders[index] and thing.category is not None
    ]
    instances = [i.replace(category_id=names.numbers[i.category_id]) for i in scene]
    if occluders:
        instances += _occluders(painted, first_id + len(instances), names)
        things += [name for name, hides in zip(painted.ids, painted.occluders, strict=True) if hides]
    return Kept(layer, scene.replace(instances=tuple(instances)), things, painted)


def _occluders(painted: Painted, first_id: int, names: Names) -> list[Instance]:
    """Each in a cluster of its own: in front of whatever it overlaps."""
    number = 1 + max(names.numbers.values(), default=0)
    found = zip(painted.occluders, painted.amodal, painted.inmodal, strict=True)
    masks = [(whole, seen) for hides, whole, seen in found if hides and whole]
    return [
        Instance(first_id + k, number, OCCLUDER, whole, seen, order=0, cluster=None)
        for k, (whole, seen) in enumerate(masks)
    ]


def person_layers(connection: sa.Connection, image_id: int) -> list[Any]:
    """Rows of the layers of people that are done, or where fewer than two are, of all that have something."""
    layer = tables.layer
    query = sa.select(layer).where(layer.c.image == image_id, layer.c.kind == "person", layer.c.revision > 0)
    rows = list(connection.execute(query.order_by(layer.c.id)))
    done = [row for row in rows if row.state == "done"]
    return done if len(done) >= 2 else rows


def network_layers(connection: sa.Connection, image_id: int) -> list[Any]:
    """The row of the layer of a network, if there is one."""
    layer = tables.layer
    return list(connection.execute(sa.select(layer).where(layer.c.image == image_id, layer.c.kind == MODEL)))


def dataset_of(scenes: Iterable[Scene], names: Names, folder: Path, occluders: bool = False) -> Dataset:
    """A data set with the project's categories, occluders as a category of their own if there may be any."""
    listed = {names.numbers[key]: name for key, name in names.names.items()}
    if occluders:
        listed[1 + max(names.numbers.values(), default=0)] = OCCLUDER
    return Dataset.from_scenes(scenes, listed, images_dir=folder)
