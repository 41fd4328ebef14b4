"""Puts a street together: ground, houses, trees, traffic, parked rows, people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from kins.streets import large, people, surroundings, vehicles
from kins.streets.camera import Camera
from kins.streets.mesh import MATTE, TEXTURED, Floats, Mesh, join
from kins.streets.sky import Weather, weather
from kins.streets.textures import Texture, texture

KERB = 0.12
FAR = 85.0  # nothing is placed farther ahead


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
    parked: float = 0.5
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
    name = rng.choice(["residential", "urban", "avenue", "suburb"], p=[0.36, 0.3, 0.16, 0.18])
    side = lambda p: tuple(str(rng.choice(["", "along", "across"], p=p)) for _ in range(2))  # noqa: E731
    two = lambda a, b: (float(rng.uniform(a, b)), float(rng.uniform(a, b)))  # noqa: E731
    if name == "residential":
        return Kind(rng.random() < 0.6, 1, rng.uniform(2.5, 2.9), side([0.1, 0.75, 0.15]), two(1.6, 2.6), (0.0, 0.0), two(0.2, 4.5), False, 0.5, False)  # fmt: skip
    if name == "urban":
        return Kind(True, 1, rng.uniform(3.0, 3.5), side([0.25, 0.65, 0.1]), two(2.4, 4.5), (0.0, 0.0), two(0.0, 0.6), False, 0.45, True)  # fmt: skip
    if name == "avenue":
        rails = bool(rng.random() < traffic.tram)
        return Kind(True, 2 if not rails else 1, rng.uniform(3.1, 3.4), side([0.3, 0.7, 0.0]), two(3.0, 5.5), (0.0, 0.0), two(0.0, 2.0), rails, 0.8, True)  # fmt: skip
    return Kind(False, 1, rng.uniform(3.0, 3.6), side([0.5, 0.35, 0.15]), two(1.5, 2.5), two(0.0, 3.0), two(4.0, 10.0), False, 0.9, bool(rng.random() < 0.6))  # fmt: skip


def make_street(rng: Generator, camera: Camera, traffic: Traffic | None = None) -> Street:
    """A street drawn from `rng`; the same generator state gives the same street on any machine."""
    return _Builder(rng, camera, traffic or Traffic()).build()


def _cells(first: float, last: float, step: float) -> Floats:
    return np.linspace(first, last, max(2, int((last - first) / step) + 1))


class _Builder:
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

    # -- placing --------------------------------------------------------------------------------------

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

    # -- the street itself ----------------------------------------------------------------------------

    def build(self) -> Street:
        sky = weather(self.rng)
        self.lay_ground()
        self.build_houses()
        self.traffic_lanes()
        self.park()
        self.cross_traffic()
        self.furnish()
        self.walk()
        return Street(self.things, join(self.ground), self.textures, sky)

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
        """Ground from s0 to s1 between t0 (right) and t1 (left)."""
        s = _cells(s0, s1, 4.0 if abs(self.bend) > 1e-6 else 200.0)
        lines = []
        for t, height in ((t1, z if z1 is None else z1), (t0, z)):
            xy = self.world(s, t)
            lines.append(np.column_stack([xy, np.full(len(s), height)]))
        self.ground.append(surroundings.strips(lines, np.asarray(color, float), surface, scale))

    def lay_ground(self) -> None:
        rng, k = self.rng, self.kind
        grey = rng.uniform(0.07, 0.17)
        tone = np.array([1.0, 0.985, 0.96]) * grey
        asphalt = self.texture("asphalt", tone)
        bay = self.texture("cobbles" if rng.random() < 0.35 else "asphalt", tone * rng.uniform(0.75, 1.3))
        paving = self.texture(
            "paving" if rng.random() < 0.75 else "asphalt", np.array([1.0, 0.97, 0.92]) * rng.uniform(0.16, 0.32)
        )
        grass = self.texture("grass", self.green * 0.5 + np.array([0.075, 0.085, 0.03]) * rng.uniform(0.6, 1.1))
        field_size = 400.0
        flat = np.array([[-20, -field_size], [field_size, -field_size], [field_size, field_size], [-20, field_size]])
        left, right = flat[[3, 2]], flat[[0, 1]]
        self.ground.append(
            surroundings.strips(
                [np.column_stack([left, [-0.03, -0.03]]), np.column_stack([right, [-0.03, -0.03]])],
                (0, 0, 0),
                TEXTURED + grass,
                3.0,
            )
        )
        begin, end = -4.0, 160.0
        self.strip(begin, end, -self.road_half, self.road_half, 0.0, (0, 0, 0), TEXTURED + asphalt, 5.0)
        j0, j1 = self.junction - self.cross_half, self.junction + self.cross_half
        pieces = [(begin, end)] if self.junction > 1e5 else [(begin, j0), (j1, end)]
        if self.junction < 1e5:
            for t0, t1 in ((-120.0, -self.road_half), (self.road_half, 120.0)):
                self.strip(j0, j1, t0, t1, -0.002, (0, 0, 0), TEXTURED + asphalt, 5.0)
        stone = np.array([0.30, 0.29, 0.28]) * rng.uniform(0.7, 1.2)
        for sign, i in ((1, 0), (-1, 1)):
            for s0, s1 in pieces:
                a, b = self.road_half, self.edge[i]
                if b > a:
                    self.strip(
                        s0, s1, min(sign * a, sign * b), max(sign * a, sign * b), -0.001, (0, 0, 0), TEXTURED + bay, 3.0
                    )
                    self.strip(s0, s1, *sorted((sign * (a - 0.08), sign * (a + 0.12))), 0.004, stone, MATTE)
                near, far = sign * b, sign * (b + 0.16)
                if sign > 0:
                    self.strip(s0, s1, near, near + 0.01, 0.0, stone * 0.7, MATTE, z1=KERB)
                    self.strip(s0, s1, near + 0.01, far, KERB, stone, MATTE)
                else:
                    self.strip(s0, s1, near - 0.01, near, KERB, stone * 0.7, MATTE, z1=0.0)
                    self.strip(s0, s1, far, near - 0.01, KERB, stone, MATTE)
                outer = b + k.pavement[i]
                self.strip(s0, s1, *sorted((far, sign * outer)), KERB, (0, 0, 0), TEXTURED + paving, 2.4)
                lawn = paving if k.town and k.setback[i] < 1.5 else grass
                self.strip(
                    s0,
                    s1,
                    *sorted((sign * outer, sign * (self.front[i] + 14))),
                    KERB - 0.005,
                    (0, 0, 0),
                    TEXTURED + lawn,
                    3.0,
                )
        self.mark_road(begin, end, rng)

    def mark_road(self, begin: float, end: float, rng: Generator) -> None:
        k = self.kind
        white = np.array([0.62, 0.62, 0.60]) * rng.uniform(0.6, 1.1)
        z = 0.006

        def line(t: float, on: float, off: float, width: float = 0.12) -> None:
            s = begin + rng.uniform(0, 3)
            while s < 110:
                e = min(s + on, 110)
                if not self.in_junction(s, 1) and not self.in_junction(e, 1) and not s < self.junction < e:
                    self.strip(s, e, t - width / 2, t + width / 2, z, white, MATTE)
                s = e + off

        if k.markings:
            if k.rails:
                for t in (-self.rail_half * 2, self.rail_half * 2):
                    line(t, 8.0, 0.05) if rng.random() < 0.5 else line(t, 3.0, 5.0)
            else:
                line(0.0, *((8.0, 0.05) if rng.random() < 0.2 else (3.0, 5.0)))
            for n in range(1, k.lanes):
                for sign in (-1, 1):
                    line(sign * (self.rail_half * 2 + n * k.lane), 3.0, 5.0)
            for sign, i in ((1, 0), (-1, 1)):
                if not self.bay[i] and rng.random() < 0.5:
                    line(sign * (self.road_half - 0.25), 8.0, 0.02)
        if k.rails:
            steel = (0.22, 0.21, 0.2)
            for middle in (-self.rail_half, self.rail_half):
                for rail in (-0.72, 0.72):
                    self.strip(begin, end, middle + rail - 0.04, middle + rail + 0.04, 0.005, steel, MATTE)
                    self.strip(begin, end, middle + rail + 0.04, middle + rail + 0.09, 0.003, (0.02, 0.02, 0.02), MATTE)
        self.zebra = None
        spot = self.junction - self.cross_half - 3.5 if self.junction < 1e5 else rng.uniform(12, 40)
        if rng.random() < (0.6 if self.junction < 1e5 else 0.25) and spot > 6:
            self.zebra = float(spot)
            for t in np.arange(-self.road_half + 0.4, self.road_half - 0.5, 1.0):
                self.strip(spot - 1.5, spot + 1.5, t, t + 0.5, z + 0.001, white, MATTE)
            self.strip(
                spot - 2.8, spot - 2.4, -self.road_half + 0.1, -self.rail_half * 2 - 0.1, z + 0.001, white, MATTE
            )
        for _ in range(int(rng.integers(0, 5))):  # repairs
            s, t = rng.uniform(3, 40), rng.uniform(-self.road_half, self.road_half - 1)
            shade = rng.uniform(0.03, 0.14)
            self.strip(
                s, s + rng.uniform(1, 9), t, t + rng.uniform(0.5, 1.6), 0.002, (shade, shade, shade * 0.97), MATTE
            )

    def build_houses(self) -> None:
        rng, k = self.rng, self.kind
        tones = [
            (0.55, 0.50, 0.40),
            (0.60, 0.58, 0.54),
            (0.52, 0.42, 0.27),
            (0.42, 0.33, 0.28),
            (0.45, 0.47, 0.45),
            (0.60, 0.50, 0.42),
            (0.35, 0.36, 0.37),
        ]
        walls = []
        for _ in range(5):
            tone = np.array(tones[rng.integers(len(tones))]) * rng.uniform(0.75, 1.15)
            if rng.random() < 0.25:
                walls.append(self.texture("bricks", np.array([0.30, 0.13, 0.09]) * rng.uniform(0.7, 1.2)))
            else:
                walls.append(self.texture("plaster", tone))
        roofs = [self.texture("tiles", c) for c in ((0.24, 0.09, 0.055), (0.09, 0.075, 0.07))]
        for sign, i in ((1, 0), (-1, 1)):
            s = rng.uniform(-6, 2)
            open_country = not k.town and rng.random() < 0.35
            while s < FAR + 20:
                width = rng.uniform(8, 16)
                gap = 0.02 if k.town and rng.random() < 0.85 else rng.uniform(2, 7)
                mid = s + width / 2
                if abs(mid - self.junction) < width / 2 + self.cross_half + 3.0:
                    s = (
                        self.junction + self.cross_half + 3.0 + rng.uniform(0, 1)
                        if mid < self.junction or self.in_junction(s, 3)
                        else s + 1
                    )
                    if abs(s + width / 2 - self.junction) < width / 2 + self.cross_half + 3.0:
                        s = self.junction + self.cross_half + 3.5
                    continue
                if open_country and rng.random() < 0.75:
                    s += width
                    continue
                corner = abs(mid - self.junction) < width / 2 + self.cross_half + 12
                at, turn = (self.front[0], 0.0) if sign > 0 else (-self.front[1], np.pi)
                self.house(mid, at, turn, width, rng.uniform(8, 11), walls, roofs, corner or gap > 1)
                s += width + gap
        self.side_street(walls, roofs)
        self.background(walls, roofs)

    def house(
        self,
        s: float,
        t: float,
        turn: float,
        width: float,
        depth: float,
        walls: list[int],
        roofs: list[int],
        sides: bool,
    ) -> None:
        """One house whose front is centred at (s, t), if it may be in view."""
        rng = self.rng
        x, y = self.world(s, t)
        if x < -width or abs(y) > x + 25:
            return
        wall, roof = int(rng.choice(walls)), int(rng.choice(roofs))
        built = surroundings.house(rng, width, depth, wall, roof, self.kind.town, bool(x < 50), sides)
        self.place(None, built.moved(-width / 2), s, t, turn, 0.05, solid=False)

    def side_street(self, walls: list[int], roofs: list[int]) -> None:
        """Houses along the crossing road, as far as they are in view."""
        rng, k = self.rng, self.kind
        if self.junction > 1e5:
            return
        for side, i in ((1, 0), (-1, 1)):
            for along, turn in ((1, 0.0), (-1, np.pi)):
                t = self.front[i] + 11.5
                while t < 75:
                    width = rng.uniform(8, 15)
                    if k.town or rng.random() < 0.6:
                        s = self.junction + along * (self.cross_half + 3.0)
                        self.house(s, side * (t + width / 2), -np.pi / 2 + turn, width, 9.0, walls, roofs, not k.town)
                    t += width + (0.05 if k.town else rng.uniform(3, 9))

    def background(self, walls: list[int], roofs: list[int]) -> None:
        """What closes the view: houses across the end of the street and behind its rows, and green."""
        rng, k = self.rng, self.kind
        if rng.random() < (0.6 if k.town else 0.3):
            s, t = FAR + 24.0, -70.0
            while t < 70:
                width = rng.uniform(9, 16)
                self.house(s, t + width / 2, -np.pi / 2, width, 9.0, walls, roofs, False)
                t += width + rng.uniform(0, 4)
        for _ in range(26):
            a, r = rng.uniform(-0.85, 0.85), rng.uniform(110, 190)
            self.grove(r * np.cos(a), r * np.sin(a), rng.uniform(5, 10))
        for side, i in ((1, 0), (-1, 1)):
            for _ in range(int(rng.integers(3, 10))):
                s, t = rng.uniform(15, 90), self.front[i] + rng.uniform(14, 45)
                if abs(s - self.junction) > 18:
                    x, y = self.world(s, side * t)
                    self.grove(float(x), float(y), rng.uniform(3.5, 7.5))

    def grove(self, x: float, y: float, size: float) -> None:
        if x < 5 or abs(y) > 1.1 * x + 10:
            return
        rng = self.rng
        centers = np.array([[x, y, size * 0.62]]) + rng.normal(0, size * 0.35, (7, 3)) * (1, 1, 0.55)
        tint = self.green * rng.uniform(0.45, 0.95)
        self.ground.append(surroundings.far_green(rng, centers, size, tint))

    # -- what moves and what is parked ----------------------------------------------------------------

    def vehicle(self, shares: dict[str, float] | None = None) -> tuple[str, Mesh]:
        mix = shares or self.traffic.vehicles
        weights = np.array(list(mix.values()))
        name = str(list(mix)[self.rng.choice(len(weights), p=weights / weights.sum())])
        return name, MAKERS[name](self.rng)

    def traffic_lanes(self) -> None:
        rng, k = self.rng, self.kind
        base = self.rail_half * 2
        for sign in (-1, 1):
            for n in range(k.lanes):
                t = sign * (base + k.lane * (n + 0.5))
                turn = 0.0 if sign < 0 else np.pi
                mode = rng.choice(
                    ["empty", "flow", "queue"], p=[0.45 - 0.2 * self.traffic.flow, 0.45, 0.1 + 0.2 * self.traffic.flow]
                )
                mine = abs(t - self.ego) < 1.2
                s = rng.uniform(9, 30) if mine else rng.uniform(4, 22)
                while s < FAR and mode != "empty":
                    name, mesh = self.vehicle()
                    length = mesh.length
                    spot = s + length / 2
                    if not (name == "misc"):
                        self.place(name, mesh, spot, t + rng.normal(0, 0.12), turn + rng.normal(0, 0.012))
                        s += length
                        if name == "car" and rng.random() < 0.03:  # towing
                            tow = large.trailer(rng)
                            half = tow.length / 2
                            if sign > 0:
                                self.place("misc", tow, s + half + 0.2, t, turn)
                            s += 2 * half + 0.4
                    s += rng.uniform(1.5, 5) if mode == "queue" else rng.uniform(9, 42)
        if k.rails:
            for t, turn in ((-self.rail_half, 0.0), (self.rail_half, np.pi)):
                if rng.random() < 0.75:
                    mesh = large.tram(rng)
                    half = mesh.length / 2
                    self.place("tram", mesh, rng.uniform(7, 48) + half, t, turn)

    def park(self) -> None:
        rng, k = self.rng, self.kind
        shares = {"car": 0.87, "van": 0.075, "misc": 0.045, "truck": 0.01}
        for sign, i in ((1, 0), (-1, 1)):
            if not self.bay[i]:
                continue
            full = np.clip(rng.normal(1, 0.5) * self.traffic.parked, 0, 0.97)
            mid = sign * (self.road_half + self.bay[i] / 2)
            s = rng.uniform(0.5, 4)
            reach = rng.uniform(18, 65)
            while s < reach:
                blocked = self.in_junction(s, 4.5) or (self.zebra is not None and abs(s - self.zebra) < 5)
                if blocked or rng.random() > full:
                    s += 5.3 if k.parking[i] == "along" else 2.6
                    continue
                name, mesh = self.vehicle(shares)
                length, wide = mesh.length, mesh.width
                if k.parking[i] == "along":
                    turn = (0.0 if sign < 0 else np.pi) + (np.pi if rng.random() < 0.1 else 0.0)
                    if wide < 2.2:
                        self.place(name, mesh, s + length / 2, mid + rng.normal(0, 0.06), turn + rng.normal(0, 0.02))
                    s += length + rng.uniform(0.5, 1.6)
                else:
                    if length < 5.4:
                        out = np.pi / 2 * (1 if rng.random() < 0.6 else -1)
                        self.place(
                            name,
                            mesh,
                            s + 1.25,
                            sign * (self.road_half + length / 2 + rng.uniform(0.05, 0.25)),
                            out + rng.normal(0, 0.03),
                        )
                    s += 2.6

    def cross_traffic(self) -> None:
        rng = self.rng
        if self.junction > 1e5:
            return
        for lane, turn in ((-self.cross_half / 2, np.pi / 2), (self.cross_half / 2, -np.pi / 2)):
            t = -38.0
            if rng.random() < 0.3:
                continue
            while t < 38:
                name, mesh = self.vehicle()
                length = mesh.length
                if name != "misc" and rng.random() < 0.4:
                    self.place(name, mesh, self.junction - lane, t + length / 2, turn + rng.normal(0, 0.03))
                t += length + rng.uniform(2, 14)

    # -- people and street furniture ------------------------------------------------------------------

    def furnish(self) -> None:
        rng, k = self.rng, self.kind
        green = self.green
        for sign, i in ((1, 0), (-1, 1)):
            inner, outer = self.edge[i], self.edge[i] + k.pavement[i]
            if rng.random() < k.trees:
                s, every = rng.uniform(3, 12), rng.uniform(7, 14)
                back = rng.random() < 0.4
                while s < FAR:
                    t = outer + min(1.2, k.setback[i] + k.verge[i]) * 0.5 if back else inner + 0.55
                    if not self.in_junction(s, 3):
                        self.place(
                            None,
                            surroundings.tree(rng, green, _leaf_count(s)),
                            s,
                            sign * t,
                            rng.uniform(0, 6),
                            KERB,
                        )
                    s += every * rng.uniform(0.8, 1.25)
            s, every = rng.uniform(4, 25), rng.uniform(18, 32)
            while s < FAR:
                if not self.in_junction(s, 1):
                    self.place(None, surroundings.lamp_post(rng), s, sign * (inner + 0.35), -sign * np.pi / 2, KERB)
                s += every
            for _ in range(int(rng.integers(1, 5))):
                s = rng.uniform(4, 45)
                maker = (
                    surroundings.sign_post,
                    surroundings.sign_post,
                    surroundings.bin_,
                    surroundings.bollard,
                    surroundings.advertising_column,
                )[rng.choice(5, p=[0.35, 0.15, 0.2, 0.2, 0.1])]
                if maker is surroundings.bollard:
                    for n in range(int(rng.integers(2, 7))):
                        if not self.in_junction(s + n * 1.5, 0.5):
                            self.place(None, maker(rng), s + n * 1.5, sign * (inner + 0.3), 0.0, KERB)
                elif not self.in_junction(s, 1):
                    at = outer - 0.8 if maker is surroundings.advertising_column else inner + 0.4
                    self.place(None, maker(rng), s, sign * at, 0.0 if sign < 0 or rng.random() < 0.6 else np.pi, KERB)
            if self.junction < 1e5 and rng.random() < 0.5:
                self.place(
                    None,
                    surroundings.traffic_light(rng),
                    self.junction - self.cross_half - 1.2,
                    sign * (inner + 0.4),
                    0.0,
                    KERB,
                )
            room = k.setback[i] + k.verge[i]
            if room > 1.2:
                kind = rng.choice(["fence", "hedge", "open"], p=[0.4, 0.4, 0.2])
                s = 2.0
                while s < 70 and kind != "open":
                    length = rng.uniform(4, 9)
                    if not (self.in_junction(s, 1) or self.in_junction(s + length, 1)) and rng.random() < 0.85:
                        maker_mesh = (
                            surroundings.fence(rng, length)
                            if kind == "fence"
                            else surroundings.bush(
                                rng, green, length, rng.uniform(0.9, 1.7), int(_leaf_count(s) / 12 * length)
                            )
                        )
                        self.place(None, maker_mesh, s + length / 2, sign * (outer + 0.4), 0.0, KERB)
                    s += length + 0.3
                for _ in range(int(rng.integers(0, 6))):
                    s = rng.uniform(4, 70)
                    t = outer + rng.uniform(1.0, max(1.1, room - 0.5))
                    plant = (
                        surroundings.bush(rng, green, rng.uniform(1, 2.5), rng.uniform(0.8, 1.8))
                        if rng.random() < 0.6
                        else surroundings.tree(rng, green, _leaf_count(s))
                    )
                    if not self.in_junction(s, 2):
                        self.place(None, plant, s, sign * t, rng.uniform(0, 3), KERB)
            elif rng.random() < 0.12:  # railing at the kerb
                s = rng.uniform(5, 20)
                for _ in range(int(rng.integers(1, 4))):
                    if not self.in_junction(s, 4):
                        self.place(None, surroundings.fence(rng, 5.0), s, sign * (inner + 0.3), 0.0, KERB)
                    s += 5.1

    def person(self, s: float, t: float, turn: float, z: float, walking: bool | None = None) -> None:
        self.place("pedestrian", people.pedestrian(self.rng, walking), s, t, turn, z, margin=0.03)

    def walk(self) -> None:
        rng, k = self.rng, self.kind
        busy = rng.gamma(1.2, self.traffic.walkers * (1.3 if k.town else 0.7))
        for sign, i in ((1, 0), (-1, 1)):
            inner, outer = self.edge[i] + 0.35, self.edge[i] + k.pavement[i] - 0.3
            for _ in range(rng.poisson(busy)):
                s, t = rng.uniform(5, 55), sign * rng.uniform(inner, max(inner + 0.1, outer))
                if self.in_junction(s, 1):
                    continue
                size = int(rng.choice([1, 2, 3, 4, 6], p=[0.45, 0.28, 0.13, 0.09, 0.05]))
                turn = 0.0 if rng.random() < 0.5 else np.pi
                walking = bool(rng.random() < 0.7)
                for n in range(size):
                    ds, dt = (0.0, 0.0) if n == 0 else (rng.normal(0, 0.6), rng.normal(0, 0.5))
                    tt = sign * np.clip(abs(t + dt), inner, max(inner + 0.1, outer))
                    face = turn + rng.normal(0, 0.15) if walking else rng.uniform(0, 2 * np.pi)
                    self.person(s + ds, tt, face, KERB, walking)
        if self.zebra is not None and rng.random() < self.traffic.walkers:
            for _ in range(1 + rng.poisson(1.2)):
                face = np.pi / 2 * (1 if rng.random() < 0.5 else -1)
                self.person(
                    self.zebra + rng.uniform(-1.2, 1.2),
                    rng.uniform(-self.road_half, self.road_half),
                    face + rng.normal(0, 0.1),
                    0.0,
                    True,
                )
        for _ in range(
            rng.poisson(0.5 * self.traffic.walkers)
        ):  # stepping out between parked cars, or crossing anywhere
            self.person(
                rng.uniform(8, 40), rng.uniform(-self.edge[1], self.edge[0]), rng.choice([-1, 1]) * np.pi / 2, 0.0, True
            )
        for _ in range(rng.poisson(self.traffic.cyclists)):
            sign = -1 if rng.random() < 0.6 else 1
            if rng.random() < 0.75:
                t, z = sign * (self.road_half - rng.uniform(0.4, 0.8)), 0.0
            else:
                i = 0 if sign > 0 else 1
                t, z = sign * (self.edge[i] + k.pavement[i] * rng.uniform(0.3, 0.7)), KERB
            s = rng.uniform(5, 45)
            if self.in_junction(s, 1) and z:
                continue
            self.place(
                "cyclist", people.cyclist(rng), s, t, (0.0 if sign < 0 else np.pi) + rng.normal(0, 0.06), z, margin=0.05
            )
        if self.junction < 1e5 and rng.random() < 0.3:
            self.place(
                "cyclist",
                people.cyclist(rng),
                self.junction + rng.uniform(-2, 2),
                rng.uniform(-12, 12),
                rng.choice([-1, 1]) * np.pi / 2,
                0.0,
            )


def _leaf_count(distance: float) -> int:
    return int(np.clip(45000 / distance, 350, 3000))


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


MAKERS: dict[str, Callable[[Generator], Mesh]] = {
    "car": vehicles.car,
    "van": large.van,
    "truck": large.truck,
    "misc": large.trailer,
}
