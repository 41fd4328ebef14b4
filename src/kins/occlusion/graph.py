"""What is known of an image's occlusion: edges, clusters, order, levels."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import numpy as np
import numpy.typing as npt

from kins.masks import Mask
from kins.occlusion.ranking import Cycle, Edge, Weights, decided
from kins.records import Instance

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LEVELS = ("none", "partial", "heavy")
PARTIAL, HEAVY = 0.01, 0.25
"""Occlusion levels: none below 0.01, partial up to and with 0.25, heavy above. COCOA's evaluation (Zhu et al., Semantic
Amodal Segmentation, CVPR 2017) has the same upper bound, but calls objects unoccluded up to 0.00001 only, which is
less than what rounded outlines leave."""
OCCLUDED = 0.15
"""An instance counts as occluded above this rate, as later papers on KINS have it."""


@dataclasses.dataclass(frozen=True)
class Occlusion:
    """Who hides whom among the n instances of a scene.

    Attributes:
        instances: those of the scene.
        edges: every edge, both directions where two hide parts of each other; sorted by occluder, then occluded.
        clusters: (n,) int64, 0-based, numbered by the lowest annotation id in each.
        order: (n,) int64, 0 is nearest.
        cycles: those that were broken to get an order.
    """

    instances: tuple[Instance, ...]
    edges: tuple[Edge, ...]
    clusters: Ints
    order: Ints
    cycles: tuple[Cycle, ...]

    @cached_property
    def rates(self) -> Floats:
        """(n,) |H| / |A| of each instance; NaN where it has no inmodal mask."""
        return np.array([i.occlusion_rate if i.both_known else np.nan for i in self.instances], np.float64)

    @property
    def levels(self) -> list[str]:
        """The occlusion level of each instance: one of LEVELS."""
        return [level(rate) for rate in self.rates]

    @property
    def occluded(self) -> npt.NDArray[np.bool_]:
        """(n,) whether the rate is above OCCLUDED."""
        return np.asarray(self.rates > OCCLUDED)

    @property
    def hidden(self) -> list[Mask]:
        """The hidden region of each instance."""
        return [instance.hidden for instance in self.instances]

    @property
    def weights(self) -> Ints:
        """(n, n) the edges' pixels, 0 where there is none: weights[i, j] of j are hidden by i."""
        weights = np.zeros((len(self.instances),) * 2, np.int64)
        for edge in self.edges:
            weights[edge.occluder, edge.occluded] = edge.pixels
        return weights

    @cached_property
    def ahead(self) -> frozenset[tuple[int, int]]:
        """The pairs of which the first occludes the second; where both do, the larger weight decides."""
        front, back, pixels = np.array(self.edges, np.int64).reshape(-1, 3).T
        weights = Weights.of(front, back, pixels, len(self.instances))
        chosen = decided(weights, self.instances)
        return frozenset(zip(weights.front[chosen].tolist(), weights.back[chosen].tolist(), strict=True))

    def matrix(self) -> npt.NDArray[np.int8]:
        """(n, n) 1 where i occludes j, -1 where j occludes i, 0 where neither does; the larger weight decides.

        This is the form that order-recovery code uses (Zhan et al., Self-Supervised Scene De-occlusion, CVPR 2020).
        """
        matrix = np.zeros((len(self.instances),) * 2, np.int8)
        for front, back in self.ahead:
            matrix[front, back], matrix[back, front] = 1, -1
        return matrix

    def occluders(self, index: int) -> list[int]:
        """Those that hide part of an instance, most pixels first."""
        found = sorted((-edge.pixels, edge.occluder) for edge in self.edges if edge.occluded == index)
        return [occluder for _, occluder in found]


def level(rate: float) -> str:
    """The name of an occlusion rate's level.

    Example:
        >>> [kins.occlusion.level(rate) for rate in (0.0, 0.1, 0.6)]
        ['none', 'partial', 'heavy']
    """
    return LEVELS[0] if not rate >= PARTIAL else LEVELS[1] if rate <= HEAVY else LEVELS[2]
