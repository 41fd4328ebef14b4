"""Operations: what an annotator did, one by one, and the state of a layer that follows from them. No files, no server.

A layer is one annotator's objects in one image: whole outlines, and for pairs of them who is nearer. Its truth is a
list of operations that only grows. Undo is an operation, too: it takes the newest one that counts back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal, TypeVar

import msgspec

from kins.errors import KinsError

MOST_OBJECTS = MOST_EXCEPTIONS = 2_000
"""Of a layer."""
UNIT = 100
"""Coordinates are whole numbers, hundredths of a pixel."""

S = TypeVar("S", bound=msgspec.Struct)


class RefusedError(KinsError):
    """An operation that can't be. `code` is a word for programs."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class Ring(msgspec.Struct, frozen=True, gc=False):
    """A closed line: x, y in turn, in hundredths of a pixel. A hole takes away from the other rings of its object."""

    hole: bool = False
    points: tuple[int, ...] = ()


class Flags(msgspec.Struct, frozen=True, gc=False):
    """Whether the object goes on outside of the image, and whether its hidden part is a guess."""

    outside: bool = False
    guess: bool = False


class Origin(msgspec.Struct, frozen=True, gc=False):
    """Where an object came from, and for a proposal how far it was kept (IoU)."""

    kind: Literal["hand", "proposal", "import"] = "hand"
    proposal: int | None = None
    iou: float | None = None


class Thing(msgspec.Struct, frozen=True, gc=False):
    """An object: its whole outline, seen or not."""

    id: str
    category: int | None
    rings: tuple[Ring, ...]
    flags: Flags = Flags()
    origin: Origin = Origin()


class Pair(msgspec.Struct, frozen=True, gc=False):
    """Who of two is nearer, as an annotator said."""

    nearer: str
    farther: str


class Exempt(msgspec.Struct, frozen=True, gc=False):
    """A region in which the order of a pair is the other way round."""

    id: str
    nearer: str
    farther: str
    points: tuple[int, ...]


class Operation(msgspec.Struct, frozen=True, gc=False):
    """One finished action. `time` is in milliseconds since 1970, `pause` in milliseconds since the action before."""

    id: str
    kind: str
    payload: dict[str, Any]
    time: int = 0
    pause: int = 0


class State:
    """What holds after some operations.

    Attributes:
        objects: by id, in the order of adding.
        pairs: what was said about two objects, by their ids in sorted order.
        exceptions: by id.
        proposals: of those that were looked at, "accepted" or "rejected".
    """

    __slots__ = ("exceptions", "objects", "pairs", "proposals")

    def __init__(self) -> None:
        self.objects: dict[str, Thing] = {}
        self.pairs: dict[tuple[str, str], Pair] = {}
        self.exceptions: dict[str, Exempt] = {}
        self.proposals: dict[int, str] = {}

    def copy(self) -> State:
        """Another one that can be changed on its own."""
        other = State()
        other.objects, other.pairs = dict(self.objects), dict(self.pairs)
        other.exceptions, other.proposals = dict(self.exceptions), dict(self.proposals)
        return other

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, State):
            return NotImplemented
        same = list(self.objects.items()) == list(other.objects.items()) and self.pairs == other.pairs
        return same and self.exceptions == other.exceptions and self.proposals == other.proposals

    __hash__ = None  # type: ignore[assignment]


class Frame(msgspec.Struct, frozen=True):
    """What operations of a layer may refer to: the image's size, categories (and whether they only hide), proposals
    (and which is in front of which, by their file)."""

    width: int
    height: int
    categories: Mapping[int, bool]
    proposals: Collection[int] = ()
    ahead: frozenset[tuple[int, int]] = frozenset()


class _Add(msgspec.Struct, forbid_unknown_fields=True):
    object: str
    category: int | None
    rings: tuple[Ring, ...]
    flags: Flags = Flags()
    origin: Origin = Origin()


class _Outline(msgspec.Struct, forbid_unknown_fields=True):
    object: str
    rings: tuple[Ring, ...]


class _Class(msgspec.Struct, forbid_unknown_fields=True):
    object: str
    category: int | None


class _Flag(msgspec.Struct, forbid_unknown_fields=True):
    object: str
    name: Literal["outside", "guess"]
    value: bool


class _Delete(msgspec.Struct, forbid_unknown_fields=True):
    object: str


class _Pair(msgspec.Struct, forbid_unknown_fields=True):
    nearer: str
    farther: str


class _Exception(msgspec.Struct, forbid_unknown_fields=True):
    exception: str
    nearer: str
    farther: str
    points: tuple[int, ...]


class _Unexception(msgspec.Struct, forbid_unknown_fields=True):
    exception: str


class _Accept(msgspec.Struct, forbid_unknown_fields=True):
    proposal: int
    object: str
    category: int | None
    rings: tuple[Ring, ...]
    iou: float | None = None


class _Reject(msgspec.Struct, forbid_unknown_fields=True):
    proposal: int


class _Import(msgspec.Struct):
    """Made by the server alone: a layer's beginning, which is not undone.

    Attributes:
        differs: pixels of visible masks that are others than in the file.
    """

    objects: tuple[Thing, ...]
    pairs: tuple[Pair, ...] = ()
    exceptions: tuple[Exempt, ...] = ()
    differs: int = 0


def key(first: str, second: str) -> tuple[str, str]:
    """How a pair is found, whichever way round it is named."""
    return (first, second) if first < second else (second, first)


def _added(state: State, thing: Thing) -> None:
    if thing.id in state.objects:
        raise RefusedError("object-exists", f"there is an object {thing.id} already")
    if len(state.objects) >= MOST_OBJECTS:
        raise RefusedError("too-many", f"an image has at most {MOST_OBJECTS} objects")
    state.objects[thing.id] = thing


def _thing(state: State, object_id: str) -> Thing:
    if object_id not in state.objects:
        raise RefusedError("no-object", f"there is no object {object_id}; was it deleted?")
    return state.objects[object_id]


def _add(state: State, given: _Add) -> None:
    _added(state, Thing(given.object, given.category, given.rings, given.flags, given.origin))


def _outline(state: State, given: _Outline) -> None:
    state.objects[given.object] = msgspec.structs.replace(_thing(state, given.object), rings=given.rings)


def _class(state: State, given: _Class) -> None:
    state.objects[given.object] = msgspec.structs.replace(_thing(state, given.object), category=given.category)


def _flag(state: State, given: _Flag) -> None:
    thing = _thing(state, given.object)
    flags = msgspec.structs.replace(thing.flags, **{given.name: given.value})
    state.objects[given.object] = msgspec.structs.replace(thing, flags=flags)


def _delete(state: State, given: _Delete) -> None:
    thing = _thing(state, given.object)
    if thing.origin.proposal is not None:
        state.proposals.pop(thing.origin.proposal, None)
    del state.objects[given.object]
    state.pairs = {pair: said for pair, said in state.pairs.items() if given.object not in pair}
    state.exceptions = {
        name: known for name, known in state.exceptions.items() if given.object not in (known.nearer, known.farther)
    }


def _pair(state: State, given: _Pair | _Exception) -> None:
    _thing(state, given.nearer)
    _thing(state, given.farther)
    if given.nearer == given.farther:
        raise RefusedError("same-object", "an object is neither nearer nor farther than itself")
    state.pairs[key(given.nearer, given.farther)] = Pair(given.nearer, given.farther)


def _exception(state: State, given: _Exception) -> None:
    if len(state.exceptions) >= MOST_EXCEPTIONS:
        raise RefusedError("too-many", f"an image has at most {MOST_EXCEPTIONS} exceptions")
    if given.exception in state.exceptions:
        raise RefusedError("exception-exists", f"there is an exception {given.exception} already")
    _pair(state, given)
    state.exceptions[given.exception] = Exempt(given.exception, given.nearer, given.farther, given.points)


def _unexception(state: State, given: _Unexception) -> None:
    if given.exception not in state.exceptions:
        raise RefusedError("no-exception", f"there is no exception {given.exception}; was it removed?")
    del state.exceptions[given.exception]


def _accept(state: State, given: _Accept) -> None:
    if state.proposals.get(given.proposal) == "accepted":
        raise RefusedError("proposal-accepted", f"proposal {given.proposal} was accepted before")
    origin = Origin("proposal", given.proposal, given.iou)
    _added(state, Thing(given.object, given.category, given.rings, Flags(), origin))
    state.proposals[given.proposal] = "accepted"


def _reject(state: State, given: _Reject) -> None:
    if state.proposals.get(given.proposal) == "accepted":
        raise RefusedError("proposal-accepted", f"proposal {given.proposal} was accepted before")
    state.proposals[given.proposal] = "rejected"


def _import(state: State, given: _Import) -> None:
    for thing in given.objects:
        _added(state, thing)
    for pair in given.pairs:
        state.pairs[key(pair.nearer, pair.farther)] = pair
    for known in given.exceptions:
        state.exceptions[known.id] = known


KINDS: dict[str, tuple[type[msgspec.Struct], Callable[[State, Any], None]]] = {
    "add": (_Add, _add),
    "outline": (_Outline, _outline),
    "class": (_Class, _class),
    "flag": (_Flag, _flag),
    "delete": (_Delete, _delete),
    "pair": (_Pair, _pair),
    "exception": (_Exception, _exception),
    "unexception": (_Unexception, _unexception),
    "accept": (_Accept, _accept),
    "reject": (_Reject, _reject),
    "import": (_Import, _import),
}
"""Of operations but for undo: the shape of their payload, and how they change a state."""


class History:
    """The operations of a layer and what follows from them.

    Attributes:
        state: what holds now. Not to be changed from outside.
        revision: how many operations there are.
        differs: pixels of visible masks that were others in the file that the layer began with.
        gone: the removed classes that its operations were read with (see `renewed`).
    """

    def __init__(self) -> None:
        self.state = State()
        self.gone: Mapping[int, int | None] = {}
        self.revision = self.differs = 0
        self._counting: list[Operation] = []
        self._undone: list[tuple[Operation, str]] = []

    @classmethod
    def of(cls, operations: Iterable[Operation]) -> History:
        """Replayed from the first operation on."""
        history = cls()
        for operation in operations:
            history.append(operation)
        return history

    @property
    def undo(self) -> str | None:
        """The operation that an undo would take back, if there is one."""
        last = self._counting[-1] if self._counting else None
        return None if last is None or last.kind == "import" else last.id

    @property
    def redo(self) -> str | None:
        """The undo that would be taken back, if there is one."""
        return self._undone[-1][1] if self._undone else None

    def copy(self) -> History:
        """Another one that can go on on its own."""
        other = History()
        other.state, other.revision, other.differs = self.state.copy(), self.revision, self.differs
        other._counting, other._undone, other.gone = list(self._counting), list(self._undone), self.gone
        return other

    def append(self, operation: Operation) -> None:
        """One more. Raises RefusedError, and stays as it was, where it contradicts what holds."""
        if operation.kind == "undo":
            self._take_back(operation)
        else:
            apply(self.state, operation)
            self._counting.append(operation)
            self._undone.clear()
            self.differs += operation.payload.get("differs", 0) if operation.kind == "import" else 0
        self.revision += 1

    def _take_back(self, operation: Operation) -> None:
        of = operation.payload.get("of")
        if of is not None and of == self.undo:
            self._undone.append((self._counting.pop(), operation.id))
            self.state = State()
            for kept in self._counting:
                apply(self.state, kept)
        elif of is not None and of == self.redo:
            again, _ = self._undone.pop()
            apply(self.state, again)
            self._counting.append(again)
        else:
            raise RefusedError(
                "not-newest", "only the newest operation can be undone, and only the newest undo taken back"
            )


def apply(state: State, operation: Operation) -> None:
    """Change a state by one operation that is no undo. Raises RefusedError, and leaves the state, where it can't be."""
    kind, change = KINDS[operation.kind]
    change(state, decoded(operation, kind))


def renewed(operation: Operation, gone: Mapping[int, int | None]) -> Operation:
    """The operation with the classes that took the place of removed ones; None where none did."""
    if not gone:
        return operation
    payload = _renewed(operation.payload, gone)
    if operation.kind == "import":
        payload = {**payload, "objects": [_renewed(thing, gone) for thing in payload["objects"]]}
    return msgspec.structs.replace(operation, payload=payload)


def _renewed(fields: dict[str, Any], gone: Mapping[int, int | None]) -> dict[str, Any]:
    named = fields.get("category")
    return {**fields, "category": gone[named]} if type(named) is int and named in gone else fields


def decoded(operation: Operation, kind: type[S]) -> S:
    """What an operation is about. Raises RefusedError where that is malformed."""
    try:
        return msgspec.convert(operation.payload, kind)
    except msgspec.ValidationError as error:
        raise RefusedError("malformed", f"{operation.kind}: {error}") from None
