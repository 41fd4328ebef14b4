"""Sequences of operations against a plain model: a list of what counts, replayed by other code."""

import copy
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kins.annotate.checks import check, check_rings
from kins.annotate.operations import Frame, History, Operation, RefusedError, Ring

FRAME = Frame(80, 60, {1: False, 2: False, 3: True}, frozenset({7, 8}))
NAMES = [str(uuid.UUID(int=n)) for n in range(4)]
SQUARE = [0, 0, 1000, 0, 1000, 1000, 0, 1000]


def operation(kind: str, payload: dict[str, Any]) -> Operation:
    return Operation(str(uuid.uuid4()), kind, payload)


def ring(shift: int = 0) -> dict[str, Any]:
    return {"hole": False, "points": [n + 100 * shift for n in SQUARE]}


class Model:
    """What ought to hold, in dictionaries. Undo looks at a list of snapshots in place of replaying."""

    def __init__(self) -> None:
        self.now: dict[str, Any] = {"objects": {}, "pairs": {}, "exceptions": {}, "proposals": {}}
        self.past: list[tuple[str, dict[str, Any]]] = []
        self.future: list[tuple[str, str, dict[str, Any]]] = []

    def do(self, op: Operation) -> bool:
        """Whether it can be; then it is done."""
        if op.kind == "undo":
            return self._undo(op)
        new = copy.deepcopy(self.now)
        try:
            getattr(self, f"_{op.kind}")(new, op.payload)
        except (KeyError, AssertionError):
            return False
        self.past.append((op.id, self.now))
        self.now, self.future = new, []
        return True

    def _undo(self, op: Operation) -> bool:
        of = op.payload["of"]
        if self.past and of == self.past[-1][0]:
            name, before = self.past.pop()
            self.future.append((op.id, name, self.now))
            self.now = before
        elif self.future and of == self.future[-1][0]:
            _, name, after = self.future.pop()
            self.past.append((name, self.now))
            self.now = after
        else:
            return False
        return True

    def _add(self, s: Any, p: Any, origin: Any = None) -> None:
        assert p["object"] not in s["objects"]
        s["objects"][p["object"]] = {
            "category": p["category"],
            "rings": p["rings"],
            "outside": False,
            "guess": False,
            "origin": origin,
        }

    def _outline(self, s: Any, p: Any) -> None:
        s["objects"][p["object"]]["rings"] = p["rings"]

    def _class(self, s: Any, p: Any) -> None:
        s["objects"][p["object"]]["category"] = p["category"]

    def _flag(self, s: Any, p: Any) -> None:
        s["objects"][p["object"]][p["name"]] = p["value"]

    def _delete(self, s: Any, p: Any) -> None:
        gone = s["objects"].pop(p["object"])
        s["proposals"].pop(gone["origin"], None)
        s["pairs"] = {pair: front for pair, front in s["pairs"].items() if p["object"] not in pair}
        s["exceptions"] = {n: e for n, e in s["exceptions"].items() if p["object"] not in e[:2]}

    def _pair(self, s: Any, p: Any) -> None:
        assert p["nearer"] != p["farther"]
        s["objects"][p["nearer"]], s["objects"][p["farther"]]
        s["pairs"][frozenset((p["nearer"], p["farther"]))] = p["nearer"]

    def _exception(self, s: Any, p: Any) -> None:
        assert p["exception"] not in s["exceptions"]
        self._pair(s, p)
        s["exceptions"][p["exception"]] = (p["nearer"], p["farther"], p["points"])

    def _unexception(self, s: Any, p: Any) -> None:
        del s["exceptions"][p["exception"]]

    def _accept(self, s: Any, p: Any) -> None:
        assert s["proposals"].get(p["proposal"]) != "accepted"
        self._add(s, p, p["proposal"])
        s["proposals"][p["proposal"]] = "accepted"

    def _reject(self, s: Any, p: Any) -> None:
        assert s["proposals"].get(p["proposal"]) != "accepted"
        s["proposals"][p["proposal"]] = "rejected"


def plain(history: History) -> dict[str, Any]:
    """A state in the model's words."""
    state = history.state
    return {
        "objects": {
            name: {
                "category": thing.category,
                "rings": [{"hole": ring.hole, "points": list(ring.points)} for ring in thing.rings],
                "outside": thing.flags.outside,
                "guess": thing.flags.guess,
                "origin": thing.origin.proposal,
            }
            for name, thing in state.objects.items()
        },
        "pairs": {frozenset(pair): said.nearer for pair, said in state.pairs.items()},
        "exceptions": {n: (e.nearer, e.farther, list(e.points)) for n, e in state.exceptions.items()},
        "proposals": state.proposals,
    }


names = st.sampled_from(NAMES)
rings = st.integers(0, 9).map(lambda shift: [ring(shift)])
payloads = st.one_of(
    st.tuples(st.just("add"), st.fixed_dictionaries({"object": names, "category": st.just(1), "rings": rings})),
    st.tuples(st.just("outline"), st.fixed_dictionaries({"object": names, "rings": rings})),
    st.tuples(st.just("class"), st.fixed_dictionaries({"object": names, "category": st.sampled_from([1, 2, None])})),
    st.tuples(
        st.just("flag"),
        st.fixed_dictionaries({"object": names, "name": st.sampled_from(["outside", "guess"]), "value": st.booleans()}),
    ),
    st.tuples(st.just("delete"), st.fixed_dictionaries({"object": names})),
    st.tuples(st.just("pair"), st.fixed_dictionaries({"nearer": names, "farther": names})),
    st.tuples(
        st.just("exception"),
        st.fixed_dictionaries({"exception": names, "nearer": names, "farther": names, "points": st.just(SQUARE)}),
    ),
    st.tuples(st.just("unexception"), st.fixed_dictionaries({"exception": names})),
    st.tuples(
        st.just("accept"),
        st.fixed_dictionaries(
            {"proposal": st.sampled_from([7, 8]), "object": names, "category": st.just(2), "rings": rings}
        ),
    ),
    st.tuples(st.just("reject"), st.fixed_dictionaries({"proposal": st.sampled_from([7, 8])})),
    st.tuples(st.just("undo"), st.sampled_from(["undo", "redo", "other"])),
)


@settings(max_examples=60)
@given(st.lists(payloads, max_size=40))
def test_any_sequence_leads_where_the_plain_model_says(actions: list[tuple[str, Any]]) -> None:
    history, model, done = History(), Model(), []
    for kind, payload in actions:
        if kind == "undo":
            of = {"undo": history.undo, "redo": history.redo, "other": NAMES[0]}[payload]
            payload = {"of": of or NAMES[0]}
        op = operation(kind, payload)
        check(op, FRAME)
        possible = model.do(op)
        try:
            history.append(op)
            done.append(op)
            assert possible
        except RefusedError:
            assert not possible
        assert plain(history) == model.now
        assert list(history.state.objects) == list(model.now["objects"])
        assert history.undo == (model.past[-1][0] if model.past else None)
        assert history.redo == (model.future[-1][0] if model.future else None)
    assert History.of(done).state == history.state
    assert history.revision == len(done)


def test_everything_can_be_undone_and_done_again() -> None:
    history = History()
    for name in NAMES:
        history.append(operation("add", {"object": name, "category": 1, "rings": [ring()]}))
    history.append(operation("delete", {"object": NAMES[1]}))
    before = history.copy()
    while history.undo:
        history.append(operation("undo", {"of": history.undo}))
    assert not history.state.objects
    while history.redo:
        history.append(operation("undo", {"of": history.redo}))
    assert history.state == before.state
    assert list(history.state.objects) == [NAMES[0], *NAMES[2:]]


def test_what_was_imported_is_not_undone() -> None:
    thing = {"id": NAMES[0], "category": 1, "rings": [ring()]}
    history = History.of([operation("import", {"objects": [thing]})])
    assert history.undo is None
    with pytest.raises(RefusedError, match="newest"):
        history.append(operation("undo", {"of": NAMES[0]}))


@pytest.mark.parametrize(
    ("kind", "payload", "says"),
    [
        ("add", {"object": NAMES[0], "category": 9, "rings": [ring()]}, "no category"),
        ("add", {"object": "x", "category": 1, "rings": [ring()]}, "UUID"),
        ("add", {"object": NAMES[0], "category": 1, "rings": []}, "rings"),
        ("add", {"object": NAMES[0], "category": 1, "rings": [ring() | {"hole": True}]}, "holes"),
        ("add", {"object": NAMES[0], "category": 1, "rings": [{"points": [1, 2, 3, 4]}]}, "points"),
        ("add", {"object": NAMES[0], "category": 1, "rings": [{"points": [1, 2, 3, 4, 5, 6, 7]}]}, "points"),
        ("add", {"object": NAMES[0], "category": 1, "rings": [{"points": [1.5, 2, 3, 4, 5, 6]}]}, "int"),
        ("add", {"object": NAMES[0], "category": 1, "rings": [{"points": [1e999, 2, 3, 4, 5, 6]}]}, "int"),
        ("add", {"object": NAMES[0], "category": 1, "rings": [{"points": [True, 2, 3, 4, 5, 6]}]}, "int"),
        ("add", {"object": NAMES[0], "category": 1, "rings": [ring(400)]}, "farther"),
        ("add", {"object": NAMES[0], "category": 1, "rings": [{"points": [0] * 20002}]}, "points"),
        ("add", {"object": NAMES[0], "category": 1, "rings": [ring()], "more": 1}, "more"),
        ("add", {"object": NAMES[0], "category": 1, "rings": [ring()], "origin": {"proposal": 3}}, "no proposal"),
        ("import", {"objects": []}, "no kind"),
        ("__class__", {}, "no kind"),
        ("undo", {}, "of"),
        ("undo", {"of": [1]}, "of"),
        ("accept", {"proposal": 1, "object": NAMES[0], "category": 1, "rings": [ring()]}, "no proposal"),
        ("exception", {"exception": NAMES[0], "nearer": NAMES[1], "farther": NAMES[2], "points": [0] * 4}, "points"),
    ],
)
def test_what_is_malformed_is_refused(kind: str, payload: dict[str, Any], says: str) -> None:
    with pytest.raises(RefusedError, match=says):
        check(operation(kind, payload), FRAME)


def test_an_operation_needs_an_id_of_its_own_kind_and_a_time() -> None:
    with pytest.raises(RefusedError, match="UUID"):
        check(Operation("../1", "delete", {"object": NAMES[0]}), FRAME)
    with pytest.raises(RefusedError, match="milliseconds"):
        check(Operation(NAMES[0], "delete", {"object": NAMES[0]}, -1), FRAME)


def test_rings_are_limited_in_number() -> None:
    with pytest.raises(RefusedError, match="rings"):
        check_rings((Ring(False, tuple(SQUARE)),) * 1001, FRAME)
