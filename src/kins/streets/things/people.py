"""Pedestrians and cyclists with limbs, clothes and poses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from kins.streets.things.mesh import MATTE, METAL, PAINT, Floats, Mesh, box, ellipsoid, join, loft, tube
from kins.streets.things.vehicles import BLACK, CHROME, RED_LAMP, RUBBER, paint_color

Color = tuple[float, float, float]

SKINS = [(0.62, 0.40, 0.29), (0.56, 0.34, 0.24), (0.50, 0.30, 0.20), (0.33, 0.19, 0.12), (0.14, 0.07, 0.045)]
HAIRS = [(0.02, 0.015, 0.01), (0.06, 0.03, 0.015), (0.12, 0.06, 0.03), (0.35, 0.24, 0.10), (0.35, 0.34, 0.33)]
TROUSERS = [
    (0.03, 0.05, 0.11), (0.06, 0.10, 0.2), (0.015, 0.015, 0.018), (0.10, 0.10, 0.11), (0.30, 0.24, 0.16),
    (0.14, 0.09, 0.05),
]  # fmt: skip
TOPS = [
    (0.02, 0.02, 0.025), (0.6, 0.6, 0.6), (0.45, 0.03, 0.03), (0.04, 0.1, 0.35), (0.08, 0.22, 0.09), (0.2, 0.2, 0.22),
    (0.5, 0.35, 0.06), (0.3, 0.16, 0.28), (0.1, 0.3, 0.4), (0.35, 0.25, 0.17), (0.6, 0.3, 0.35), (0.03, 0.05, 0.1),
]  # fmt: skip


def _any(rng: Generator, colors: list[Color]) -> Floats:
    chosen = np.array(colors[rng.integers(len(colors))])
    return np.clip(chosen * rng.uniform(0.75, 1.25), 0.006, 0.8)


@dataclass(frozen=True)
class Look:
    """What a person wears; `size` is the height as a share of 1.75 m, `girth` widens the body."""

    size: float
    girth: float
    skin: Floats
    hair: Floats
    top: Floats
    legs: Floats
    shoes: Floats
    long_hair: bool
    bare_arms: bool
    dress: float  # how far a skirt or coat reaches down the legs, 0 none, 1 ankle
    pack: Floats | None


def _look(rng: Generator, child: bool = True) -> Look:
    size = rng.normal(0.985, 0.05)
    if child and rng.random() < 0.12:
        size = rng.uniform(0.58, 0.85)
    return Look(
        size=float(np.clip(size, 0.55, 1.12)),
        girth=float(np.clip(rng.normal(1.0, 0.11), 0.8, 1.35)),
        skin=_any(rng, SKINS),
        hair=_any(rng, HAIRS),
        top=_any(rng, TOPS),
        legs=_any(rng, TROUSERS),
        shoes=_any(rng, [(0.02, 0.02, 0.02), (0.1, 0.06, 0.04), (0.6, 0.6, 0.6)]),
        long_hair=rng.random() < 0.4,
        bare_arms=rng.random() < 0.35,
        dress=float(rng.uniform(0.3, 0.75)) if rng.random() < 0.25 else 0.0,
        pack=_any(rng, TOPS) if rng.random() < 0.22 else None,
    )


def _limb(path: list[Floats], radii: list[float], color: Floats, sides: int = 7) -> Mesh:
    return tube(path, radii, color, sides)


def _head(at: Floats, look: Look, helmet: Floats | None = None) -> list[Mesh]:
    """Head with hair or helmet; `at` is the base of the skull."""
    x, y, z = at
    parts = [
        _limb([at - (0.01, 0, 0.10), at + (0.0, 0, 0.04)], [0.055, 0.05], look.skin),
        ellipsoid((x + 0.01, y, z + 0.11), (0.098, 0.075, 0.125), look.skin, 12),
    ]
    if helmet is not None:
        parts.append(ellipsoid((x - 0.005, y, z + 0.165), (0.135, 0.10, 0.095), helmet, 12, PAINT))
    else:
        parts.append(ellipsoid((x - 0.015, y, z + 0.145), (0.102, 0.085, 0.105), look.hair, 12))
        if look.long_hair:
            parts.append(ellipsoid((x - 0.055, y, z + 0.03), (0.06, 0.085, 0.17), look.hair, 10))
    return parts


def _torso(hip: Floats, neck: Floats, look: Look) -> Mesh:
    g = look.girth
    f = np.array([-0.06, 0.06, 0.3, 0.55, 0.8, 0.93, 1.0])
    path = hip + (neck - hip) * f[:, None]
    across = np.array([0.155, 0.17, 0.148, 0.168, 0.185, 0.13, 0.06]) * (1 + (g - 1) * 0.7)
    deep = np.array([0.10, 0.12, 0.105, 0.115, 0.11, 0.075, 0.055]) * g
    return tube(path, np.column_stack([across, deep]), look.top, 12)


def _shoe(ankle: Floats, toe_down: float, look: Look) -> Mesh:
    c, s = np.cos(toe_down), np.sin(toe_down)
    shape = ellipsoid((0.075, 0, -0.045), (0.135, 0.05, 0.05), look.shoes, 8)
    return shape.rotated([[c, 0, s], [0, 1, 0], [-s, 0, c]]).moved(*ankle)


def _two_bones(start: Floats, end: Floats, first: float, second: float, bend: Floats) -> Floats:
    """Middle joint of two bones from start to end, on the side of `bend`."""
    line = end - start
    d = min(float(np.linalg.norm(line)), (first + second) * 0.999)
    along = line / max(float(np.linalg.norm(line)), 1e-9)
    a = (first**2 - second**2 + d**2) / (2 * d)
    out = bend - along * (bend @ along)
    out = out / max(float(np.linalg.norm(out)), 1e-9)
    return np.asarray(start + along * a + out * np.sqrt(max(first**2 - a**2, 0.0)))


HANDS = [(0.05, 0.05, -0.53), (0.28, -0.06, -0.22), (0.16, 0.02, -0.42), (0.22, -0.02, 0.06)]
"""Where the left hand of somebody who stands may be, from the shoulder."""
HOW_OFTEN = [0.5, 0.15, 0.25, 0.1]


def pedestrian(rng: Generator, walking: bool | None = None) -> Mesh:
    """One person, walking along +x or standing."""
    look = _look(rng)
    walking = bool(rng.random() < 0.65) if walking is None else walking
    phase = rng.uniform(0, 2 * np.pi)
    stride = rng.uniform(0.28, 0.45) if walking else 0.0
    hip_z = (0.905 if walking else 0.93) - 0.05 * stride * abs(np.sin(phase))
    hip = np.array([0.0, 0.0, hip_z])
    neck = hip + (0.04 if walking else rng.uniform(-0.01, 0.03), 0.0, 0.56)
    parts = [_torso(hip, neck, look)]
    parts += _head(neck + (0.02, 0, 0.06), look)
    stance = rng.uniform(0.07, 0.13) if not walking else 0.075
    shorts = rng.random() < 0.1
    for s in (-1, 1):
        turn = phase + (0 if s > 0 else np.pi)
        swing = stride * np.sin(turn)
        lift = 0.13 * max(0.0, np.cos(turn)) if walking else 0.0
        ankle = np.array([swing + (rng.uniform(-0.05, 0.05) if not walking else -0.02), s * stance, 0.09 + lift])
        parts += _leg(hip + (0, s * 0.09, 0.0), ankle, lift, shorts, look)
        shoulder = neck + (-0.01, s * 0.175 * (1 + (look.girth - 1) * 0.6), -0.07)
        x, y, z = (-swing * 0.75 + 0.06, 0.06, -0.50) if walking else HANDS[rng.choice(4, p=HOW_OFTEN)]
        parts += _arm(shoulder, shoulder + (x, s * y, z), s, look)
    if look.dress:
        parts.append(_dress(rng, hip_z, stride, look))
    if look.pack is not None:
        parts.append(_pack(rng, neck, look.pack, look.girth))
    body = join(parts)
    return body.scaled(look.size, look.size, look.size)


def _leg(top: Floats, ankle: Floats, lift: float, shorts: bool, look: Look) -> list[Mesh]:
    knee = _two_bones(top, ankle, 0.43, 0.42, np.array([1.0, 0.0, 0.0]))
    bare = look.dress > 0 or shorts
    g = 0.5 + look.girth / 2
    path = [top, (top + knee) / 2, knee, (knee + ankle) / 2, ankle]
    radii = [0.088 * g, 0.08 * g, 0.058, 0.056 if bare else 0.062, 0.042 if bare else 0.055]
    parts = [_limb(path, radii, look.skin if bare else look.legs, 8)]
    if shorts:
        parts.append(_limb([top, top * 0.25 + knee * 0.75], [0.10 * g, 0.085 * g], look.legs, 8))
    return [*parts, _shoe(ankle, lift * 3.5, look)]


def _arm(shoulder: Floats, hand: Floats, side: int, look: Look) -> list[Mesh]:
    elbow = _two_bones(shoulder, hand, 0.29, 0.27, np.array([-1.0, side * 0.3, -0.2]))
    sleeve = look.skin if look.bare_arms else look.top
    middle = shoulder * 0.45 + elbow * 0.55
    return [
        _limb([shoulder + (0, -side * 0.02, 0.02), middle], [0.058, 0.052], look.top),
        _limb([middle, elbow, hand], [0.047, 0.044, 0.034], sleeve),
        ellipsoid(hand + (0.01, 0, -0.05), (0.035, 0.025, 0.06), look.skin, 6),
    ]


def _dress(rng: Generator, hip_z: float, stride: float, look: Look) -> Mesh:
    low = hip_z * (1 - 0.85 * look.dress)
    wide = 0.19 + abs(stride) * 0.45 * look.dress
    path = [(0, 0, hip_z + 0.12), (0, 0, hip_z - 0.05), (0, 0, low)]
    radii = np.array([[0.155, 0.12], [0.185, 0.15], [0.2, wide]]) * look.girth
    return tube(path, radii, look.top if rng.random() < 0.6 else look.legs, 12)


def _pack(rng: Generator, neck: Floats, color: Floats, girth: float) -> Mesh:
    """On the back or in the hand."""
    if rng.random() < 0.6:
        x = neck[0] - 0.11 * girth
        return box((x - 0.17, -0.15, neck[2] - 0.50), (x, 0.15, neck[2] - 0.06), color, MATTE, 0.05)
    return box((-0.15, 0.22, 0.45), (0.18, 0.32, 0.75), color, MATTE, 0.03)


def _ring(x: float, radius: float, thick: float, color: Color | Floats, surface: int = MATTE) -> Mesh:
    """Wheel rim or tyre in the x-z plane at y = 0, standing on the ground."""
    angle = np.arange(21) * 2 * np.pi / 20
    rings = []
    for a in angle:
        c, s = np.cos(a), np.sin(a)
        turn = np.arange(5) * 2 * np.pi / 5
        r = radius - thick + thick * np.cos(turn)
        rings.append(np.column_stack([x + r * c, -thick * np.sin(turn), radius + r * s]))
    return loft(rings, color, surface, caps=False)


WHEEL = 0.34
REAR, FRONT = np.array([-0.52, 0.0, WHEEL]), np.array([0.52, 0.0, WHEEL])
CRANK, SEAT = np.array([-0.08, 0.0, 0.29]), np.array([-0.24, 0.0, 0.92])
HEAD, BAR = np.array([0.33, 0.0, 0.78]), np.array([0.27, 0.0, 1.02])
"""A bicycle: radius of the wheels, axles, and what the frame joins; metres."""


def bicycle(rng: Generator, pedal: float) -> Mesh:
    """Bicycle heading for +x; `pedal` is the crank's angle."""
    frame = np.array(paint_color(rng))
    parts = _wheel(REAR, SEAT + (0.05, 0, -0.15), 0.03, frame) + _wheel(FRONT, HEAD + (0.03, 0, -0.08), 0.04, frame)
    for a, b in ((CRANK, HEAD - (0, 0, 0.1)), (CRANK, SEAT), (SEAT - (-0.03, 0, 0.12), HEAD), (REAR, CRANK)):
        parts.append(tube([a, b], [0.02] * 2, frame, 6, PAINT))
    parts.append(tube([HEAD - (0, 0, 0.1), HEAD, BAR], [0.02] * 3, frame, 6, PAINT))
    grips = [(-0.1, 0.29, 0.02), (0.05, 0.15, 0), (0.05, -0.15, 0), (-0.1, -0.29, 0.02)]
    parts.append(tube([BAR + at for at in grips], [0.014] * 4, BLACK, 5))
    parts.append(box(SEAT + (-0.15, -0.08, -0.02), SEAT + (0.12, 0.08, 0.04), BLACK, MATTE, 0.03))
    parts += _pedals(pedal)
    for (x, _, _), reach in ((REAR, (0.35, 2.3)), (FRONT, (0.9, 2.4))):
        guard = [(x + 0.37 * np.cos(t), 0, WHEEL + 0.37 * np.sin(t)) for t in np.linspace(*reach, 6)]
        parts.append(tube(guard, np.array([[0.028, 0.006]] * 6), frame * 0.6, 4, PAINT))
    return join([*parts, *_luggage(rng)])


def _wheel(axle: Floats, stay: Floats, half_width: float, frame: Floats) -> list[Mesh]:
    """Tyre, rim, spokes, and a stay on either side up to the frame."""
    x = float(axle[0])
    parts = [_ring(x, WHEEL, 0.022, RUBBER), _ring(x, WHEEL - 0.03, 0.012, CHROME, METAL)]
    for a in np.arange(8) * np.pi / 4 + 0.2:
        parts.append(tube([axle, axle + (0.31 * np.cos(a), 0, 0.31 * np.sin(a))], [0.005] * 2, CHROME, 3))
    for s in (-1, 1):
        parts.append(tube([axle + (0, s * 0.05, 0), stay + (0, s * half_width, 0)], [0.012] * 2, frame, 5, PAINT))
    return parts


def _pedals(angle: float) -> list[Mesh]:
    arm = 0.17 * np.array([np.cos(angle), 0.0, np.sin(angle)])
    parts = []
    for s in (-1, 1):
        inner, end = CRANK + (0, s * 0.06, 0), CRANK + s * arm
        parts.append(tube([inner, CRANK + (0, s * 0.08, 0) + s * arm], [0.012] * 2, CHROME, 4, METAL))
        parts.append(box(end + (-0.05, s * 0.12 - 0.05, -0.012), end + (0.05, s * 0.12 + 0.05, 0.012), BLACK))
    return parts


def _luggage(rng: Generator) -> list[Mesh]:
    """Lamp, perhaps a rack, bags on it, and a basket."""
    rear = float(REAR[0])
    parts = [box((rear - 0.31, -0.03, 0.58), (rear - 0.26, 0.03, 0.66), RED_LAMP)]
    if rng.random() < 0.35:
        parts.append(box((rear - 0.2, -0.15, 0.73), (rear + 0.2, 0.15, 0.76), BLACK))
        if rng.random() < 0.6:
            for y in (-0.17, 0.17):
                low, high = (rear - 0.15, y - 0.06, 0.42), (rear + 0.18, y + 0.06, 0.74)
                parts.append(box(low, high, _any(rng, TOPS), MATTE, 0.03))
    if rng.random() < 0.2:
        parts.append(box((0.42, -0.18, 0.8), (0.75, 0.18, 1.0), (0.2, 0.13, 0.07), MATTE, 0.03))
    return parts


def cyclist(rng: Generator) -> Mesh:
    """Person on a bicycle, pedalling along +x."""
    pedal = rng.uniform(0, 2 * np.pi)
    look = _look(rng, child=False)
    parts = [bicycle(rng, pedal)]
    crank, bar = np.array([-0.08, 0.0, 0.29]), np.array([0.27, 0.0, 1.02])
    hip = np.array([-0.25, 0.0, 1.02])
    lean = rng.uniform(0.12, 0.38)
    neck = hip + (lean, 0.0, np.sqrt(0.54**2 - lean**2))
    parts.append(_torso(hip, neck, look))
    helmet = np.array(paint_color(rng)) if rng.random() < 0.4 else None
    parts += _head(neck + (0.05, 0, 0.05), look, helmet)
    arm = 0.17 * np.array([np.cos(pedal), 0.0, np.sin(pedal)])
    for s in (-1, 1):
        ankle = crank + s * arm + (-0.06, s * 0.12, 0.11)
        top = hip + (0.02, s * 0.09, -0.03)
        knee = _two_bones(top, ankle, 0.43, 0.42, np.array([1.0, s * 0.1, 0.3]))
        parts.append(
            _limb(
                [top, (top + knee) / 2, knee, (knee + ankle) / 2, ankle],
                [0.095, 0.083, 0.06, 0.058, 0.048],
                look.legs,
                8,
            )
        )
        parts.append(_shoe(ankle, 0.15, look))
        shoulder = neck + (0.0, s * 0.17, -0.06)
        hand = bar + (-0.08, s * 0.27, 0.05)
        elbow = _two_bones(shoulder, hand, 0.29, 0.28, np.array([-0.2, s * 0.6, -1.0]))
        sleeve = look.skin if look.bare_arms else look.top
        parts.append(_limb([shoulder, shoulder * 0.5 + elbow * 0.5], [0.06, 0.05], look.top))
        parts.append(_limb([shoulder * 0.5 + elbow * 0.5, elbow, hand], [0.046, 0.043, 0.034], sleeve))
        parts.append(ellipsoid(hand, (0.05, 0.035, 0.035), look.skin, 6))
    if look.pack is not None:
        back = (hip + neck) / 2 + (-0.2, 0, 0.1)
        parts.append(box(back + (-0.1, -0.15, -0.2), back + (0.1, 0.15, 0.2), look.pack, MATTE, 0.05))
    return join(parts)
