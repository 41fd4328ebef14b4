"""Where the nodes and arrows of an occlusion graph go: columns by order, arrows around the nodes between them.

After Sugiyama, Tagawa and Toda (1981): an arrow over several columns gets a place of its own in each, and the places of
a column are sorted by the mean height of their neighbours, a few times there and back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from kins.occlusion import Edge, Occlusion

Point = tuple[float, float]

NODE_WIDTH, NODE_HEIGHT, CAPTION = 150, 104, 38
COLUMN_GAP, ROW_GAP, MARGIN, TOP = 130, 26, 24, 74
LANE = 26
"""Height of an arrow's place in a column that it only passes."""
SWEEPS = 8


class Way(NamedTuple):
    """An edge's arrow: an SVG path, and the middle of its label."""

    edge: Edge
    path: str
    label: Point


class _Place:
    """Something in a column: a node, or the lane of an arrow that passes."""

    def __init__(self, column: int, height: float) -> None:
        self.column = column
        self.height = height
        self.y = 0.0
        self.left: list[_Place] = []
        self.right: list[_Place] = []


def layout(relations: Occlusion) -> tuple[list[Point], list[Way], tuple[int, int]]:
    """Corner (x, y) of each node, the arrows, and the width and height of the picture.

    Clusters stand below each other, the largest first; those of one instance share the last rows.
    """
    nodes = [_Place(int(order), NODE_HEIGHT + CAPTION) for order in relations.order]
    members = [np.flatnonzero(relations.clusters == k).tolist() for k in range(relations.clusters.max(initial=-1) + 1)]
    chains: dict[Edge, list[_Place]] = {}
    top = float(TOP)
    for cluster in sorted((c for c in members if len(c) > 1), key=len, reverse=True):
        places = [nodes[index] for index in cluster]
        for edge in relations.edges:
            if edge.occluder in cluster and nodes[edge.occluder].column < nodes[edge.occluded].column:
                chains[edge] = _chain(nodes[edge.occluder], nodes[edge.occluded])
                places += chains[edge][1:-1]
        top += _stack(places, top) + ROW_GAP
    columns = 1 + max((place.column for place in nodes), default=0)
    width = columns * (NODE_WIDTH + COLUMN_GAP) - COLUMN_GAP
    per_row = max(4, (width + 30) // (NODE_WIDTH + 30))
    xs = [float(MARGIN + place.column * (NODE_WIDTH + COLUMN_GAP)) for place in nodes]
    alone = [cluster[0] for cluster in members if len(cluster) == 1]
    for k, index in enumerate(alone):
        xs[index] = float(MARGIN + k % per_row * (NODE_WIDTH + 30))
        nodes[index].y = top + k // per_row * (NODE_HEIGHT + CAPTION + ROW_GAP)
    top += -(-len(alone) // per_row) * (NODE_HEIGHT + CAPTION + ROW_GAP)
    width = max(width, min(per_row, len(alone)) * (NODE_WIDTH + 30) - 30)
    corners = [(x, place.y) for x, place in zip(xs, nodes, strict=True)]
    ways = [_forward(edge, chains[edge]) if edge in chains else _backward(edge, corners) for edge in relations.edges]
    return corners, ways, (math.ceil(width + 2 * MARGIN), math.ceil(top))


def _chain(start: _Place, end: _Place) -> list[_Place]:
    """The places of an arrow, with a lane in each column between, all linked to their neighbours."""
    chain = [start, *(_Place(column, LANE) for column in range(start.column + 1, end.column)), end]
    for left, right in pairwise(chain):
        left.right.append(right)
        right.left.append(left)
    return chain


def _stack(places: Sequence[_Place], top: float) -> float:
    """Sets the heights of a cluster's places so that few arrows cross; returns the cluster's height."""
    columns: dict[int, list[_Place]] = {}
    for place in places:
        columns.setdefault(place.column, []).append(place)
    heights = {k: sum(p.height for p in column) + ROW_GAP * (len(column) - 1) for k, column in columns.items()}
    tallest = max(heights.values())

    def settle(column: int) -> None:
        y = top + (tallest - heights[column]) / 2
        for place in columns[column]:
            place.y = y
            y += place.height + ROW_GAP

    for column in columns:
        settle(column)
    for sweep in range(SWEEPS):
        for column in sorted(columns, reverse=sweep % 2 == 1):

            def wanted(place: _Place, back: bool = sweep % 2 == 1) -> float:
                near = place.right if back else place.left
                return sum(p.y + p.height / 2 for p in near) / len(near) if near else place.y + place.height / 2

            columns[column].sort(key=wanted)
            settle(column)
    return tallest


def _forward(edge: Edge, chain: list[_Place]) -> Way:
    """Out of the right side of the occluder, through the lanes, into the left side of the occluded."""
    points = [(_side(chain[0]) + NODE_WIDTH, _port(chain[0], chain[1], chain[0].right))]
    for lane in chain[1:-1]:
        points += [(_side(lane), lane.y + LANE / 2), (_side(lane) + NODE_WIDTH, lane.y + LANE / 2)]
    points.append((_side(chain[-1]) - 2, _port(chain[-1], chain[-2], chain[-1].left)))
    path = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for k, ((x0, y0), (x1, y1)) in enumerate(pairwise(points)):
        if k % 2:
            path += f"L{x1:.1f} {y1:.1f}"
        else:
            pull = (x1 - x0) * 0.5
            path += f"C{x0 + pull:.1f} {y0:.1f} {x1 - pull:.1f} {y1:.1f} {x1:.1f} {y1:.1f}"
    if len(chain) > 2:
        lane = chain[len(chain) // 2]
        return Way(edge, path, (_side(lane) + NODE_WIDTH / 2, lane.y + LANE / 2))
    return Way(edge, path, ((points[0][0] + points[1][0]) / 2, (points[0][1] + points[1][1]) / 2))


def _side(place: _Place) -> float:
    return float(MARGIN + place.column * (NODE_WIDTH + COLUMN_GAP))


def _port(place: _Place, neighbour: _Place, neighbours: list[_Place]) -> float:
    """The height at which an arrow meets a node's side: spread over it in the sequence of the other ends."""
    ranked = sorted(neighbours, key=lambda other: other.y + other.height / 2)
    rank = next(k for k, other in enumerate(ranked) if other is neighbour)
    return place.y + NODE_HEIGHT * (rank + 1) / (len(ranked) + 1)


def _backward(edge: Edge, corners: Sequence[Point]) -> Way:
    """Against the columns, below the nodes' middle: the weaker of two directions, or an edge that broke a cycle."""
    (x0, y0), (x1, y1) = corners[edge.occluder], corners[edge.occluded]
    low = NODE_HEIGHT - 10
    start, end = (x0 + 2, y0 + low), (x1 + NODE_WIDTH + 2 if x1 < x0 else x1 - 2, y1 + low)
    reach = 70 if x1 < x0 else -70
    dip = 84 if x0 - x1 > NODE_WIDTH + COLUMN_GAP else 30  # past other nodes below their captions
    first, second = (start[0] - 70, start[1] + dip), (end[0] + reach, end[1] + dip)
    path = f"M{start[0]:.1f} {start[1]:.1f}C{first[0]:.1f} {first[1]:.1f} {second[0]:.1f} {second[1]:.1f} "
    label = tuple((start[k] + 3 * first[k] + 3 * second[k] + end[k]) / 8 for k in (0, 1))
    return Way(edge, f"{path}{end[0]:.1f} {end[1]:.1f}", (label[0], label[1]))
