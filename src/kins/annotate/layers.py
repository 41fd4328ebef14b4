"""Layers in the database: reading one, adding operations to it, deriving tables from these."""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from kins.annotate import tables
from kins.annotate.checks import MOST_OPERATIONS, check
from kins.annotate.operations import Frame, History, Operation, RefusedError, State, renewed
from kins.annotate.painting import Direction, Painted, paint, pairs_of

KEPT = 256
"""Layers whose histories are kept in memory."""


class StaleError(Exception):
    """Operations were made on an older revision than the newest one."""

    def __init__(self, missing: list[dict[str, Any]], revision: int) -> None:
        super().__init__(f"{len(missing)} operations are missing")
        self.missing, self.revision = missing, revision


class Accepted(NamedTuple):
    """What a batch led to."""

    history: History
    ids: list[str]
    pairs: tuple[Direction, ...]


class Layers:
    """The histories of layers, kept in memory as far as they were used lately; the database decides."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._histories: OrderedDict[int, History] = OrderedDict()
        self._painted: OrderedDict[tuple[Any, ...], Painted] = OrderedDict()

    def history(self, connection: sa.Connection, layer_id: int) -> History:
        """All of a layer. Not to be changed: it is shared."""
        revision = connection.scalar(sa.select(tables.layer.c.revision).where(tables.layer.c.id == layer_id)) or 0
        with self._lock:
            known = self._histories.get(layer_id)
        gone = removed_classes(connection, layer_id)
        if known is not None and known.revision == revision and known.gone == gone:
            return known
        history = History.of(operations(connection, layer_id))
        history.gone = gone
        self._keep(layer_id, history)
        return history

    def append(
        self, connection: sa.Connection, layer: Any, frame: Frame, base: int, batch: Sequence[Operation]
    ) -> Accepted:
        """Add operations within a transaction that writes; `keep` what this returns once it is committed.

        What is there already counts as added. Raises StaleError where others were added since `base`, and RefusedError
        (with an attribute `which`) where one can't be.
        """
        if len(batch) > MOST_OPERATIONS:
            raise RefusedError("too-many", f"a batch has at most {MOST_OPERATIONS} operations")
        history = self.history(connection, layer.id)
        batch = [renewed(operation, history.gone) for operation in batch]
        ids = [operation.id for operation in batch]
        there = _owners(connection, ids)
        _check_base(connection, layer.id, base, history.revision, set(ids))
        before, fresh, new = history.state, history.copy(), []
        for operation in batch:
            if there.get(operation.id) == layer.id:
                continue
            try:
                if operation.id in there:
                    raise RefusedError("id-taken", "the id of this operation is taken; make another")
                check(operation, frame)
                fresh.append(operation)
            except RefusedError as refused:
                refused.which = operation.id  # type: ignore[attr-defined]
                raise
            there[operation.id] = layer.id
            new.append((operation, fresh.revision))
        if new:
            _insert(connection, layer.id, new)
            derive(connection, layer.id, before, fresh.state)
        hiding = [name for name, only_hides in frame.categories.items() if only_hides]
        return Accepted(fresh, ids, pairs_of(fresh.state, frame.width, frame.height, hiding, frame.ahead))

    def begin(self, connection: sa.Connection, layer_id: int, payload: dict[str, Any]) -> History:
        """The first operation of an empty layer: what a file or a consensus has. Made by the server alone."""
        operation = Operation(str(uuid.uuid4()), "import", payload)
        history = History.of([operation])
        _insert(connection, layer_id, [(operation, 1)])
        derive(connection, layer_id, State(), history.state)
        return history

    def keep(self, layer_id: int, history: History) -> None:
        """Remember a history that is in the database now."""
        self._keep(layer_id, history)

    def painted(self, layer_id: int, history: History, frame: Frame) -> Painted:
        """The layer's masks."""
        hiding = tuple(sorted(name for name, only_hides in frame.categories.items() if only_hides))
        wanted = (layer_id, history.revision, hiding, frame.ahead)
        with self._lock:
            known = self._painted.get(wanted)
        if known is None:
            known = paint(history.state, frame.width, frame.height, hiding, frame.ahead)
            with self._lock:
                self._painted[wanted] = known
                while len(self._painted) > KEPT // 4:
                    self._painted.popitem(last=False)
        return known

    def _keep(self, layer_id: int, history: History) -> None:
        with self._lock:
            known = self._histories.get(layer_id)
            if known is None or known.revision <= history.revision or known.gone != history.gone:
                self._histories[layer_id] = history
                self._histories.move_to_end(layer_id)
            while len(self._histories) > KEPT:
                self._histories.popitem(last=False)


def operations(connection: sa.Connection, layer_id: int, after: int = 0) -> list[Operation]:
    """The operations of a layer from a revision on, in sequence, without classes that were removed since."""
    table, gone = tables.operation, removed_classes(connection, layer_id)
    rows = connection.execute(
        sa.select(table).where(table.c.layer == layer_id, table.c.revision > after).order_by(table.c.revision)
    )
    return [renewed(Operation(row.id, row.kind, row.payload, row.time, row.pause), gone) for row in rows]


def removed_classes(connection: sa.Connection, layer_id: int) -> dict[int, int | None]:
    """What took the place of each removed class of a layer's project; None where nothing did."""
    layer, image, category = tables.layer, tables.image, tables.category
    query = (
        sa.select(category.c.id, category.c.gone)
        .join(image, image.c.project == category.c.project)
        .join(layer, layer.c.image == image.c.id)
        .where(layer.c.id == layer_id, category.c.gone.is_not(None))
    )
    return {row.id: row.gone or None for row in connection.execute(query)}


def told(connection: sa.Connection, layer_id: int, after: int = 0) -> list[dict[str, Any]]:
    """The same as JSON, with revisions."""
    found = operations(connection, layer_id, after)
    return [msgspec.to_builtins(operation) | {"revision": after + n} for n, operation in enumerate(found, 1)]


def rebuild(connection: sa.Connection) -> int:
    """Derive the tables of all layers anew from their operations; returns how many layers there are."""
    layers = connection.scalars(sa.select(tables.layer.c.id)).all()
    for table in (tables.object_, tables.pair, tables.exception):
        connection.execute(sa.delete(table))
    for layer_id in layers:
        derive(connection, layer_id, State(), History.of(operations(connection, layer_id)).state)
    return len(layers)


def derived(connection: sa.Connection, layer_id: int) -> State:
    """The state of a layer as the derived tables have it, without the proposals, which have no table."""
    from kins.annotate.operations import Exempt, Pair, Thing, key

    state = State()
    objects = sa.select(tables.object_).where(tables.object_.c.layer == layer_id).order_by(tables.object_.c.place)
    for row in connection.execute(objects):
        fields = {name: row._mapping[name] for name in ("id", "category", "rings", "flags", "origin")}
        state.objects[row.id] = msgspec.convert(fields, Thing)
    for row in connection.execute(sa.select(tables.pair).where(tables.pair.c.layer == layer_id)):
        state.pairs[key(row.nearer, row.farther)] = Pair(row.nearer, row.farther)
    for row in connection.execute(sa.select(tables.exception).where(tables.exception.c.layer == layer_id)):
        state.exceptions[row.id] = Exempt(row.id, row.nearer, row.farther, tuple(row.points))
    return state


def derive(connection: sa.Connection, layer_id: int, before: State, after: State) -> None:
    """Bring objects, pairs and exceptions from one state to another: only what differs is written."""
    places = {name: place for place, name in enumerate(before.objects)}
    old = {name: (places[name], thing) for name, thing in before.objects.items()}
    new = {name: (place, thing) for place, (name, thing) in enumerate(after.objects.items())}
    _replace(connection, tables.object_, layer_id, old, new, _object_row)
    _replace(connection, tables.exception, layer_id, before.exceptions, after.exceptions, msgspec.to_builtins)
    table = tables.pair
    gone = [pair for pair in before.pairs.values() if after.pairs.get(_both(pair)) != pair]
    come = [pair for pair in after.pairs.values() if before.pairs.get(_both(pair)) != pair]
    for pair in gone:
        connection.execute(
            sa.delete(table).where(
                table.c.layer == layer_id, table.c.nearer == pair.nearer, table.c.farther == pair.farther
            )
        )
    if come:
        connection.execute(sa.insert(table), [msgspec.to_builtins(pair) | {"layer": layer_id} for pair in come])


def _both(pair: Any) -> tuple[str, str]:
    first, second = sorted((pair.nearer, pair.farther))
    return first, second


def _object_row(value: Any) -> dict[str, Any]:
    place, thing = value
    return msgspec.to_builtins(thing) | {"place": place}


def _replace(
    connection: sa.Connection, table: sa.Table, layer_id: int, old: dict[str, Any], new: dict[str, Any], row: Any
) -> None:
    changed = [name for name in old if new.get(name) != old[name]]
    fresh = [name for name in new if old.get(name) != new[name]]
    for start in range(0, len(changed), 500):
        some = changed[start : start + 500]
        connection.execute(sa.delete(table).where(table.c.layer == layer_id, table.c.id.in_(some)))
    if fresh:
        connection.execute(sa.insert(table), [row(new[name]) | {"layer": layer_id} for name in fresh])


def _owners(connection: sa.Connection, ids: Sequence[str]) -> dict[str, int]:
    table = tables.operation
    rows = connection.execute(sa.select(table.c.id, table.c.layer).where(table.c.id.in_(ids)))
    return {row.id: row.layer for row in rows}


def _check_base(connection: sa.Connection, layer_id: int, base: int, revision: int, batch: set[str]) -> None:
    """Raises StaleError where the layer has operations after `base` that are not among the batch's own."""
    if base > revision or base < 0:
        raise StaleError([], revision)
    if base < revision:
        missing = told(connection, layer_id, base)
        if any(operation["id"] not in batch for operation in missing):
            raise StaleError(missing, revision)


def _insert(connection: sa.Connection, layer_id: int, new: Sequence[tuple[Operation, int]]) -> None:
    rows = [msgspec.to_builtins(operation) | {"layer": layer_id, "revision": revision} for operation, revision in new]
    connection.execute(sa.insert(tables.operation), rows)
    layer = tables.layer
    connection.execute(sa.update(layer).where(layer.c.id == layer_id).values(revision=new[-1][1]))
