"""Damage to a file as a Hypothesis strategy: bytes replaced, inserted and cut off; values of JSON and YAML replaced."""

import json
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

TOKENS = st.sampled_from(
    [
        *(b"", b"\0", b"\xff", b"\n", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\x1b[31m", "²".encode(), "\u202e".encode()),
        *(b"NaN", b"-Infinity", b"1e400", b"-1", b"null", b"true", b"1.5", b"9" * 30, b"9" * 5000, b"0" * 400, b"1e5"),
        *(b"{}", b"[]", b'""', b",,", b"[" * 3000, b'{"a":' * 2000, b'"\\ud800"', b'"', b"\\", b"\xff\xff\xff\x7f"),
        *(b"!!python/object:os.system", b"!!int abc", b"2026-01-01", b"&a [*a]", b"<<: *b", b"? ", b"---"),
        *(b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"</image>", b"<image>"),
    ]
)
RLES: list[Any] = [{"size": [12, 16], "counts": "zzz"}, {"size": [-1, 2], "counts": [1]}, {"size": [12, 16]}, {"a": {}}]
NUMBERS: list[Any] = [
    *(-1, 0, 1, 5, 0.5, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 2**70, 10**400, 1e9, 1e300, -1e300, 50_000),
]
TEXTS: list[Any] = [
    *("", "7", "../x", "/etc/passwd", "a\0b", "\ud800", "\x1b]0;x\x07", "a\nb", "\u202eab", "9" * 5000, "²"),
]
OTHERS: list[Any] = [None, True, [], {}, [[]], [None], [[1, 2]], [[0, 0, 1e5, 0, 0, 1e5]], [1, 2, 3, 4], {"1": 2}]
VALUES = st.sampled_from([*NUMBERS, *TEXTS, *OTHERS, *RLES])


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """The content with one to three places damaged."""
    try:
        value = json.loads(content)
    except ValueError:
        value = None
    if value is not None and draw(st.booleans()):
        return json.dumps(draw(changed(value))).encode()
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(found)))
        end = at + draw(st.integers(0, 8))
        found[at:end] = draw(TOKENS | st.binary(max_size=4))
    if draw(st.integers(0, 3)) == 0:
        del found[draw(st.integers(0, len(found))) :]
    return bytes(found)


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """A JSON value with a few values in it replaced, removed or repeated."""
    value = deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        node, parent, key = value, None, None
        while isinstance(node, dict | list) and node and (parent is None or draw(st.integers(0, 6))):
            parent, key = node, draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            node = node[key]
        if parent is None:
            continue
        action = draw(st.sampled_from(["replace", "replace", "remove", "repeat"]))
        if action == "replace":
            parent[key] = deepcopy(draw(VALUES))
        elif action == "remove":
            del parent[key]
        elif isinstance(parent, list):
            parent.append(deepcopy(node))
    return value
