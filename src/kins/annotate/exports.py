"""Files of what was annotated, in every format that kins writes."""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import sqlalchemy as sa

from kins.annotate import tables
from kins.annotate.calls import Shop
from kins.annotate.collected import Kept, dataset_of, kept, names_of
from kins.annotate.contents import CONSENSUS, MODEL
from kins.annotate.folders import folder_of
from kins.annotate.store import Store
from kins.errors import KinsError
from kins.files import check_output, temporary_name
from kins.files.terminal import shown
from kins.formats import SEVERAL

NETWORK = "network"
"""Name of the annotator that is a network."""
log = logging.getLogger("kins.annotate")


class Wanted(NamedTuple):
    """What an export is to hold.

    Attributes:
        format: one of kins.formats.FORMATS.
        states: of the images, all if empty.
        layers: reviewed (what a reviewer accepted), consensus, network, all (a file for each annotator and the network)
            or user:NAME.
        masks: which, where the format has one an instance.
        polygons: outlines in place of run lengths.
        occluders: as objects of a class of their own, where the format is COCOA's.
    """

    format: str
    states: list[str]
    layers: str
    masks: Literal["amodal", "inmodal"] = "amodal"
    polygons: bool = False
    occluders: bool = False


def make(shop: Shop, export_id: int, project_id: int, wanted: Wanted) -> None:
    """Write the file of an export, and in its row what became of it."""
    values: dict[str, Any]
    try:
        path, losses = write(shop, project_id, wanted, shop.exports / f"export-{export_id}-{wanted.format}")
        values = {"state": "done", "file": str(path), "losses": losses}
    except KinsError as error:
        values = {"state": "failed", "error": str(error)}
    except Exception:
        log.exception("a fault of kins in export %s", export_id)
        values = {"state": "failed", "error": "this is a fault of kins; the server's output says more"}
    with shop.store.write() as connection:
        connection.execute(sa.update(tables.export).where(tables.export.c.id == export_id).values(**values))


def give_up(store: Store) -> None:
    """Exports that a server was making when it ended will never be done."""
    table = tables.export
    values = {"state": "failed", "error": "the server ended before this was written; begin it again"}
    with store.write() as connection:
        connection.execute(sa.update(table).where(table.c.state == "working").values(**values))


def write(shop: Shop, project_id: int, wanted: Wanted, stem: Path) -> tuple[Path, list[str]]:
    """The file, or for all layers a zip of one for each annotator; and what the format can't hold.

    Raises KinsError where nothing is to be written, or an annotator has no such name.
    """
    with shop.store.read() as connection:
        if wanted.layers != "all":
            path = stem.with_name(stem.name + suffix_of(wanted.format))
            return path, _write(shop, connection, project_id, wanted, path)
        users, suffix = _annotators(connection, project_id), suffix_of(wanted.format)
        losses: list[str] = []
        target = stem.with_name(f"{stem.name}.zip" if suffix != ".zip" else f"{stem.name}-all.zip")
        with temporary_name(target) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            chosen = [(f"user:{name}", name, _file_name(name, number)) for number, name in users]
            if next(_chosen(connection, project_id, wanted._replace(layers=NETWORK)), None):
                chosen.append((NETWORK, NETWORK, NETWORK))
            for number, (layers, name, file) in enumerate(chosen):
                path = stem.with_name(f"{stem.name}-{number}{suffix}")
                found = _write(shop, connection, project_id, wanted._replace(layers=layers), path)
                losses += [f"{shown(name)}: {line}" for line in found]
                inside = zipfile.ZipInfo(file + suffix)  # of 1980: the same bytes each time
                inside.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(inside, path.read_bytes())
                path.unlink()
        return target, losses


def suffix_of(format: str) -> str:
    """Of the file: annotation tools have many, which an archive holds."""
    return ".zip" if format in SEVERAL else ".parquet" if format == "parquet" else ".json"


def _file_name(name: str, number: int) -> str:
    """A name that can't lead anywhere."""
    kept_letters = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in name)[:50]
    return f"{number}-{kept_letters}"


def _write(shop: Shop, connection: sa.Connection, project_id: int, wanted: Wanted, path: Path) -> list[str]:
    names = names_of(connection, project_id)
    occluders = wanted.occluders and wanted.format == "cocoa"
    found, following, hiding = [], 1, 0
    for layer, image in _chosen(connection, project_id, wanted):
        one: Kept = kept(connection, shop.layers, layer, image, names, following, occluders)
        found.append(one.scene)
        following += len(one.scene)
        hiding += sum(one.painted.occluders)
    if not found:
        raise KinsError("there is nothing to export: no image has such a state and such a layer")
    check_output(path)
    dataset = dataset_of(found, names, folder_of(shop.store, connection, project_id), occluders)
    masks = wanted.masks if wanted.format in ("coco", "yolo") else None
    losses = dataset.save(path, wanted.format, masks, wanted.polygons)
    if hiding and not occluders:
        losses.append(f"occluders, which are no objects (of {hiding} the pixels that they hide are missing)")
    return losses


def _chosen(connection: sa.Connection, project_id: int, wanted: Wanted) -> Iterator[tuple[Any, Any]]:
    """Rows of a layer and its image, in the sequence of the images."""
    image, layer = tables.image, tables.layer
    query = sa.select(image).where(image.c.project == project_id).order_by(image.c.id)
    if wanted.states:
        query = query.where(image.c.state.in_(wanted.states))
    elif wanted.layers == "reviewed":
        query = query.where(image.c.state == "reviewed")
    user = _user(connection, wanted.layers.removeprefix("user:")) if wanted.layers.startswith("user:") else None
    for picture in connection.execute(query).all():
        own = sa.select(layer).where(layer.c.image == picture.id)
        if wanted.layers == "reviewed":
            own = own.where(layer.c.id == _accepted(connection, picture.id))
        elif wanted.layers in (CONSENSUS, NETWORK):
            own = own.where(layer.c.kind == (MODEL if wanted.layers == NETWORK else CONSENSUS))
        else:
            own = own.where(layer.c.kind == "person", layer.c.user == user, layer.c.revision > 0)
        row = connection.execute(own).one_or_none()
        if row is not None:
            yield row, picture


def _accepted(connection: sa.Connection, image_id: int) -> int:
    """The layer that was accepted last, 0 where none was."""
    review = tables.review
    query = sa.select(review.c.layer).where(review.c.image == image_id, review.c.verdict == "accept")
    return connection.scalar(query.order_by(review.c.id.desc()).limit(1)) or 0


def _annotators(connection: sa.Connection, project_id: int) -> list[tuple[int, str]]:
    image, layer, user = tables.image, tables.layer, tables.user
    query = (
        sa.select(user.c.id, user.c.name)
        .join(layer, layer.c.user == user.c.id)
        .join(image, image.c.id == layer.c.image)
        .where(image.c.project == project_id, layer.c.kind == "person", layer.c.revision > 0)
        .distinct()
        .order_by(user.c.id)
    )
    return [(row.id, row.name) for row in connection.execute(query)]


def _user(connection: sa.Connection, name: str) -> int:
    found = connection.scalar(sa.select(tables.user.c.id).where(tables.user.c.name == name))
    if found is None:
        raise KinsError(f"there is no annotator {shown(name)[:100]!r}")
    return int(found)
