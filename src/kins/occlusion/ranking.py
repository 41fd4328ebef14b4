"""Clusters and relative order from the pairs that overlap: time and memory grow with these, not with all pairs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from kins.limits import COMPARED, CYCLES, PAIRS
from kins.masks.table import Spans
from kins.records import Instance

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

BLOCK = 2**20
"""Pairs of boxes that are looked at together."""


class Edge(NamedTuple):
    """`occluder` hides part of `occluded` (both indices in the scene): `pixels` of it."""

    occluder: int
    occluded: int
    pixels: int


@dataclasses.dataclass(frozen=True, slots=True)
class Cycle:
    """Instances of which each hides the next and the last the first, and the edge left out of the order for it."""

    members: tuple[int, ...]
    removed: Edge


@dataclasses.dataclass(frozen=True, slots=True)
class Weights:
    """Pixels that one instance hides of another, for the pairs where there are some; sorted by front, then back.

    Attributes:
        front, back: (P,) indices of the instances.
        pixels: (P,) above 0.
        count: n, of all instances.
    """

    front: Ints
    back: Ints
    pixels: Ints
    count: int

    @classmethod
    def of(cls, front: Ints, back: Ints, pixels: Ints, count: int) -> Weights:
        """From pairs in any sequence; of equal ones the largest counts, and nothing hides itself."""
        kept = np.flatnonzero((pixels > 0) & (front != back))
        kept = kept[np.lexsort((-pixels[kept], back[kept], front[kept]))]
        key = front[kept] * count + back[kept]
        kept = kept[np.append(True, key[1:] != key[:-1])[: key.size]]
        return cls(front[kept], back[kept], pixels[kept], count)

    def turned(self) -> Ints:
        """(P,) where the other direction of each pair stands, -1 where it has none."""
        key = self.front * self.count + self.back
        wanted = self.back * self.count + self.front
        at = np.minimum(np.searchsorted(key, wanted), max(key.size - 1, 0))
        return np.where(key[at] == wanted, at, -1) if key.size else at


def near(boxes: Floats, where: object) -> tuple[Ints, Ints]:
    """The pairs of boxes that overlap or touch: (P,) indices of either, in no certain sequence.

    Args:
        boxes: (n, 4) x0, y0, x1, y1; of what has no pixels infinite, so that it is near to nothing.
        where: for the message.

    Raises:
        KinsError: more pairs than are accepted.
    """
    order = np.argsort(boxes[:, 0], kind="stable")
    order = order[np.isfinite(boxes[order, 0])]
    x0, y0, x1, y1 = boxes[order].T
    found, total, start = [(order[:0], order[:0])], 0, 0
    while start < order.size:
        stop = min(start + max(1, BLOCK // (order.size - start)), order.size)
        last = int(
            np.searchsorted(x0, x1[start:stop].max(), side="right")
        )  # what begins later is near to none of these
        rows, others = slice(start, stop), slice(start, last)
        close = (x0[None, others] <= x1[rows, None]) & (y0[None, others] <= y1[rows, None])
        close &= (y1[None, others] >= y0[rows, None]) & (np.arange(start, last) > np.arange(start, stop)[:, None])
        i, j = np.nonzero(close)
        total += i.size
        PAIRS.check(total, where)
        found.append((order[i + start], order[j + start]))
        start = stop
    first, second = (np.concatenate(side) for side in zip(*found, strict=True))
    return first, second


def common(first: Spans, i: Ints, second: Spans, j: Ints, where: object) -> Ints:
    """(P,) pixels that first[i] and second[j] have in common. Raises KinsError where that compares too much."""
    lengths = first.stop - first.start, second.stop - second.start
    COMPARED.check(int((lengths[0][i] + lengths[1][j]).sum()), where)
    return first.common(i, second, j)


def decided(weights: Weights, instances: Sequence[Instance]) -> Bools:
    """(P,) where front counts as in front of back: more pixels, or else the larger share of back's area, or the lower
    id."""
    turned = weights.turned()
    other = np.where(turned >= 0, weights.pixels[turned], 0) if turned.size else weights.pixels
    ahead = weights.pixels > other
    for at in np.flatnonzero((weights.pixels == other) & (weights.front < weights.back)).tolist():
        i, j = int(weights.front[at]), int(weights.back[at])
        keys = [(-instances[b].require("amodal").area, -instances[a].id, -a) for a, b in ((i, j), (j, i))]
        ahead[at if keys[0] > keys[1] else turned[at]] = True
    return ahead


def components(count: int, i: Ints, j: Ints) -> Ints:
    """(count,) the lowest index among all that pairs connect with each, directly or through others."""
    lowest = np.arange(count)
    while True:
        a, b = lowest[i], lowest[j]
        if (a == b).all():
            return lowest
        np.minimum.at(lowest, np.maximum(a, b), np.minimum(a, b))
        while ((further := lowest[lowest]) != lowest).any():
            lowest = further


def relative_order(instances: Sequence[Instance], weights: Weights, where: object) -> tuple[Ints, tuple[Cycle, ...]]:
    """(n,) the length of the longest way from an instance that nothing occludes, and the cycles broken for it.

    Raises KinsError, naming the place, for more cycles than are accepted.
    """
    ahead = decided(weights, instances)
    front, back, pixels = weights.front[ahead], weights.back[ahead], weights.pixels[ahead]
    turned = weights.turned()[ahead]
    cycles = []
    if turned.size:
        for at in np.flatnonzero((turned >= 0) & (weights.pixels[turned] == pixels)).tolist():
            i, j = int(front[at]), int(back[at])
            cycles.append(Cycle((i, j), Edge(j, i, int(pixels[at]))))
    found = longest_ways(weights.count, front, back)
    if found is None:
        edges = [Edge(*edge) for edge in zip(front.tolist(), back.tolist(), pixels.tolist(), strict=True)]
        broken = list(_break_cycles(instances, edges, where))
        cycles += broken
        removed = {(cycle.removed.occluder, cycle.removed.occluded) for cycle in broken}
        left = np.array([edge[:2] for edge in edges if edge[:2] not in removed], np.int64).reshape(-1, 2)
        found = longest_ways(weights.count, left[:, 0], left[:, 1])
        assert found is not None
    return found, tuple(cycles)


def longest_ways(count: int, front: Ints, back: Ints) -> Ints | None:
    """(count,) edges on the longest way to each node, None if there is a cycle; edges are sorted by front."""
    order = np.zeros(count, np.int64)
    if not front.size:
        return order
    waiting = np.bincount(back, minlength=count)
    starts = np.searchsorted(front, np.arange(count + 1))
    ready, step, done = np.flatnonzero(waiting == 0), 0, 0
    while ready.size:
        order[ready] = step
        done, step = done + ready.size, step + 1
        lengths = starts[ready + 1] - starts[ready]
        at = np.repeat(starts[ready] - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
        reached = back[at]
        np.subtract.at(waiting, reached, 1)
        ready = np.unique(reached[waiting[reached] == 0])
    return order if done == count else None


def _break_cycles(instances: Sequence[Instance], edges: list[Edge], where: object) -> Iterator[Cycle]:
    """Takes the weakest edge that is on a cycle out, until there is none."""
    import networkx as nx

    def strength(edge: Edge) -> tuple[float, ...]:
        i, j, pixels = edge
        return (
            pixels,
            pixels / max(instances[j].require("amodal").area, 1),
            instances[i].id,
            instances[j].id,
            i,
            j,
        )

    rising = sorted(edges, key=strength)
    graph = nx.DiGraph()
    graph.add_edges_from((i, j) for i, j, _ in rising)
    for i, j, pixels in _weakest_on_cycles(rising, where):
        graph.remove_edge(i, j)
        yield Cycle(tuple(nx.shortest_path(graph, j, i)), Edge(i, j, pixels))


def _weakest_on_cycles(rising: list[Edge], where: object) -> list[Edge]:
    """Those that are on a cycle when all weaker ones that were on one have gone.

    Weaker ones that stay are on no cycle, so that an edge goes if its ends are in one strongly connected component of
    the edges that are no weaker. When each pair of ends gets into one, as edges are added from the strongest on, is
    found by halving: half of the edges, its components taken for one node each, then within and between them.
    """
    falling = rising[::-1]
    gone: list[int] = []
    member = _strong_components([edge[:2] for edge in falling])
    inside = [(at, i, j) for at, (i, j, _) in enumerate(falling) if i in member and member[i] == member.get(j)]
    waiting = [(0, len(falling), inside)]
    while waiting:
        low, high, edges = waiting.pop()
        if high - low == 1:
            gone += [at for at, _, _ in edges if at >= low]
        elif edges:
            middle = (low + high) // 2
            member = _strong_components([(i, j) for at, i, j in edges if at < middle])
            within, between = [], []
            for at, i, j in edges:
                a, b = member.get(i, i), member.get(j, j)
                if a != b:
                    between.append((at, a, b))
                elif at >= middle:
                    gone.append(at)
                else:
                    within.append((at, i, j))
            waiting += [(low, middle, within), (middle, high, between)]
        CYCLES.check(len(gone), where)
    return [falling[at] for at in sorted(gone, reverse=True)]


def _strong_components(edges: list[tuple[int, int]]) -> dict[int, int]:
    """A member of its strongly connected component for each node that is in one with others."""
    import networkx as nx

    graph = nx.DiGraph(edges)
    found = (list(nodes) for nodes in nx.strongly_connected_components(graph) if len(nodes) > 1)
    return {node: nodes[0] for nodes in found for node in nodes}
