"""The ground plan of one street: its cross-section, its curve, and what stands where."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from kins.streets.camera.camera import Camera
from kins.streets.things import surroundings
from kins.streets.things.mesh import Floats, Mesh
from kins.streets.world.sky import Weather
from kins.streets.world.textures import Texture, texture

KERB = 0.12
FAR = 85.0  # nothing is placed much farther ahead


@dataclass(frozen=True)
class Thing:
    """One solid object in the world frame. category: a KINS name, or None for what is never labelled.
    The box is the object's tight one, turned by yaw about its own middle `center`; `size` is length,
    width, height."""

    category: str | None
    mesh: Mesh
    center: Floats
    size: Floats
    yaw: float

    def corners(self) -> Floats:
        """(8, 3) corners of the 3D box."""
        signs = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]) / 2
        c, s = np.cos(self.yaw), np.sin(self.yaw)
        local = signs * self.size
        return np.asarray(self.center + local @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]))


@dataclass(frozen=True)
class Street:
    """Everything that a renderer needs, but the camera."""

    things: list[Thing]
    ground: Mesh
    textures: list[Texture]
    weather: Weather


class Plan:
    """Which places are taken: upright boxes, looked up by the separating-axis test."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, ...]] = []

    def free(
        self, x: float, y: float, yaw: float, half: tuple[float, float], z: tuple[float, float], margin: float
    ) -> bool:
        if not self._rows:
            return True
        r = np.array(self._rows)
        dx, dy = r[:, 0] - x, r[:, 1] - y
        reach = r[:, 7] + np.hypot(*half) + margin
        near = (dx * dx + dy * dy < reach * reach) & (r[:, 5] < z[1]) & (r[:, 6] > z[0])
        if not near.any():
            return True
        r, dx, dy = r[near], dx[near], dy[near]
        c, s, oc, os = np.cos(yaw), np.sin(yaw), np.cos(r[:, 2]), np.sin(r[:, 2])
        cos, sin = np.abs(c * oc + s * os), np.abs(s * oc - c * os)
        a, b = half[0] + margin, half[1] + margin
        apart = np.abs(dx * c + dy * s) > a + r[:, 3] * cos + r[:, 4] * sin
        apart |= np.abs(dy * c - dx * s) > b + r[:, 3] * sin + r[:, 4] * cos
        apart |= np.abs(dx * oc + dy * os) > r[:, 3] + a * cos + b * sin
        apart |= np.abs(dy * oc - dx * os) > r[:, 4] + a * sin + b * cos
        return bool(apart.all())

    def take(self, x: float, y: float, yaw: float, half: tuple[float, float], z: tuple[float, float]) -> None:
        self._rows.append((x, y, yaw, half[0], half[1], z[0], z[1], float(np.hypot(*half))))


@dataclass(frozen=True)
class Traffic:
    """How much of everything; what `kins synth` leaves at its defaults.

    vehicles: shares of the classes in the lanes; the others are probabilities or mean numbers.
    """

    vehicles: dict[str, float] = field(default_factory=lambda: {"car": 0.8, "van": 0.085, "truck": 0.065, "misc": 0.05})
    parked: float = 0.53
    flow: float = 0.3
    walkers: float = 0.7
    cyclists: float = 0.8
    tram: float = 0.75
    junction: float = 0.45


@dataclass(frozen=True)
class Kind:
    """Cross-section of one street, metres."""

    town: bool
    lanes: int
    lane: float
    parking: tuple[str, str]  # left, right: "", "along" or "across"
    pavement: tuple[float, float]
    verge: tuple[float, float]  # green strip between pavement and houses
    setback: tuple[float, float]
    rails: bool
    trees: float
    markings: bool


def _kind(rng: Generator, traffic: Traffic) -> Kind:

    def parking(*shares: float) -> tuple[str, str]:
        left, right = rng.choice(["", "along", "across"], 2, p=shares)
        return str(left), str(right)

    def two(low: float, high: float) -> tuple[float, float]:
        return float(rng.uniform(low, high)), float(rng.uniform(low, high))

    none = (0.0, 0.0)
    name = rng.choice(["residential", "urban", "avenue", "suburb"], p=[0.36, 0.3, 0.16, 0.18])
    if name == "residential":
        town, lane = rng.random() < 0.6, rng.uniform(2.5, 2.9)
        return Kind(town, 1, lane, parking(0.1, 0.75, 0.15), two(1.6, 2.6), none, two(0.2, 4.5), False, 0.5, False)
    if name == "urban":
        lane = rng.uniform(3.0, 3.5)
        return Kind(True, 1, lane, parking(0.25, 0.65, 0.1), two(2.4, 4.5), none, two(0.0, 0.6), False, 0.45, True)
    if name == "avenue":
        rails, lane = bool(rng.random() < traffic.tram), rng.uniform(3.1, 3.4)
        lanes = 1 if rails else 2
        return Kind(True, lanes, lane, parking(0.3, 0.7, 0.0), two(3.0, 5.5), none, two(0.0, 2.0), rails, 0.8, True)
    lane, markings = rng.uniform(3.0, 3.6), bool(rng.random() < 0.6)
    verge, setback = two(0.0, 3.0), two(4.0, 10.0)
    return Kind(False, 1, lane, parking(0.5, 0.35, 0.15), two(1.5, 2.5), verge, setback, False, 0.9, markings)


def _cells(first: float, last: float, step: float) -> Floats:
    return np.linspace(first, last, max(2, int((last - first) / step) + 1))


class Site:
    """Street coordinates: s along the road from the camera, t to the left of the road's middle."""

    def __init__(self, rng: Generator, camera: Camera, traffic: Traffic) -> None:
        self.rng, self.camera, self.traffic = rng, camera, traffic
        self.kind = k = _kind(rng, traffic)
        self.bend = float(rng.normal(0, 0.0018)) if rng.random() < 0.6 else 0.0
        self.rail_half = 1.75 if k.rails else 0.0
        self.road_half = self.rail_half * 2 + k.lanes * k.lane
        self.bay = tuple({"": 0.0, "along": 2.15, "across": 5.0}[p] for p in k.parking)
        self.edge = (self.road_half + self.bay[0], self.road_half + self.bay[1])
        self.front = tuple(self.edge[i] + k.pavement[i] + k.verge[i] + k.setback[i] for i in (0, 1))
        self.ego = -(self.rail_half * 2 + k.lane * (0.5 if k.lanes == 1 or rng.random() < 0.5 else 1.5)) + rng.normal(
            0, 0.15
        )
        self.heading = float(rng.normal(0, np.radians(1.6)))
        has_junction = rng.random() < traffic.junction
        self.junction = float(rng.uniform(15, 42)) if has_junction else 1e6
        self.cross_half = float(rng.uniform(3.0, 4.5))
        self.zebra: float | None = None  # where a crossing is, along s
        self.plan = Plan()
        self.things: list[Thing] = []
        self.ground: list[Mesh] = []
        self.textures: list[Texture] = []
        self.green = surroundings.leaf_color(rng)

    # -- frames ---------------------------------------------------------------------------------------

    def world(self, s: float | Floats, t: float | Floats) -> Floats:
        """(..., 2) world x, y of street coordinates."""
        s, t = np.broadcast_arrays(np.asarray(s, float), np.asarray(t, float))
        k = self.bend if abs(self.bend) > 1e-6 else 1e-6
        x = np.sin(k * s) / k - t * np.sin(k * s)
        y = (1 - np.cos(k * s)) / k + t * np.cos(k * s) - self.ego
        c, h = np.cos(-self.heading), np.sin(-self.heading)
        return np.stack([c * x - h * y, h * x + c * y], -1)

    def direction(self, s: float) -> float:
        return self.bend * s - self.heading

    def texture(self, name: str, color: object) -> int:
        self.textures.append(texture(name, np.asarray(color, float)))
        return len(self.textures) - 1

    def place(
        self, category: str | None, mesh: Mesh, s: float, t: float, turn: float = 0.0, z: float = 0.0,
        margin: float = 0.1, solid: bool = True,
    ) -> Thing | None:  # fmt: skip
        """Puts an object there if it is ahead of the camera, may be seen, and nothing else is there."""
        x, y = self.world(s, t)
        yaw = self.direction(s) + turn
        low, high = mesh.bounds()
        c, sn = np.cos(yaw), np.sin(yaw)
        mid = (low + high) / 2
        center = np.array([x + c * mid[0] - sn * mid[1], y + sn * mid[0] + c * mid[1], z + mid[2]])
        size = high - low
        thing = Thing(category, mesh, center, size, float((yaw + np.pi) % (2 * np.pi) - np.pi))
        corners = thing.corners()
        near = corners[:, 0].min()
        if near < 0.8 or center[0] > FAR + 30:
            return None
        pixel = self.camera.project(corners)[:, 0]
        spare = 0.0 if category else 0.25 * self.camera.width
        if pixel.max() < -spare or pixel.min() > self.camera.width + spare:
            return None
        layers = [(low, high)] if category else _layers(mesh)
        boxes = []
        for lo, hi in layers:
            m = (lo + hi) / 2
            at = (x + c * m[0] - sn * m[1], y + sn * m[0] + c * m[1])
            boxes.append((*at, yaw, ((hi[0] - lo[0]) / 2, (hi[1] - lo[1]) / 2), (z + lo[2], z + hi[2])))
        if solid and not all(self.plan.free(*b, margin) for b in boxes):
            return None
        for b in boxes:
            self.plan.take(*b)
        placed = Thing(category, mesh.moved(x, y, z, yaw), center, size, thing.yaw)
        self.things.append(placed)
        return placed

    def in_junction(self, s: float, spare: float = 0.0) -> bool:
        return abs(s - self.junction) < self.cross_half + spare

    def strip(
        self,
        s0: float,
        s1: float,
        t0: float,
        t1: float,
        z: float,
        color: object,
        surface: int,
        scale: float = 0.0,
        z1: float | None = None,
    ) -> None:
        """Ground from s0 to s1 between t0 and t1, at height z, or sloping from z on the right to z1 on the left."""
        t0, t1 = min(t0, t1), max(t0, t1)
        s = _cells(s0, s1, 4.0 if abs(self.bend) > 1e-6 else 200.0)
        lines = []
        for t, height in ((t1, z if z1 is None else z1), (t0, z)):
            xy = self.world(s, t)
            lines.append(np.column_stack([xy, np.full(len(s), height)]))
        self.ground.append(surroundings.strips(lines, np.asarray(color, float), surface, scale))


def _layers(mesh: Mesh) -> list[tuple[Floats, Floats]]:
    """Bounds below and above head height: crowns and arms of lamps leave room below."""
    points = mesh.vertices
    high = points[:, 2] > 2.45
    layers = []
    for part, ceiling in ((points[~high], True), (points[high], False)):
        if len(part):
            lo, hi = part.min(0), part.max(0)
            if ceiling and high.any():
                hi = np.array([hi[0], hi[1], 2.45])
            layers.append((lo, hi))
    return layers
