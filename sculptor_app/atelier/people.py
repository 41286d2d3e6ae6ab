"""Heads, busts and bodies, with joints that bend as people's do. Lengths are in body heights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sculptor_app.atelier.shape import Point, RandomStream, Shape, rotation, turn, vec


def add_head(shape: Shape, chance: RandomStream, centre: Point, frame: np.ndarray, h: float, detail: bool) -> None:
    """A head of height h that looks along the frame's third axis; `detail` adds sockets, lips, ears and cheeks."""

    def at(x: float, y: float, z: float) -> Point:
        return np.asarray(centre + frame @ (h * vec(x, y, z)))

    wide, jaw, nose = chance.around(1, 0.1), chance.around(1, 0.12), chance.around(1, 0.3)
    shape.ellipsoid(at(0, 0.10, -0.05), h * vec(0.35 * wide, 0.38, 0.43), frame)
    shape.ellipsoid(at(0, -0.16, 0.08), h * vec(0.27 * wide * jaw, 0.34, 0.31), frame)
    shape.cone(at(0, 0.06, 0.37), at(0, -0.13, 0.42 + 0.09 * nose), 0.04 * h, 0.07 * h)
    shape.cone(at(-0.19, 0.10, 0.32), at(0.19, 0.10, 0.32), 0.06 * h, 0.06 * h)
    shape.ball(at(0, -0.41, 0.25 + 0.04 * jaw), 0.10 * h)
    _add_hair(shape, chance, at, frame, h, detail)
    if detail:
        shape.cone(at(-0.08, -0.255, 0.355), at(0.08, -0.255, 0.355), 0.035 * h, 0.035 * h)
        for side in (-1, 1):
            shape.ball(at(side * 0.19 * wide, -0.08, 0.27), 0.09 * h)
            shape.cone(at(side * 0.35 * wide, 0.06, -0.02), at(side * 0.33 * wide, -0.12, 0.0), 0.06 * h, 0.035 * h)
            shape.carve(at(side * 0.145, 0.005, 0.46), 0.105 * h)


def _add_hair(shape: Shape, chance: RandomStream, at, frame: np.ndarray, h: float, detail: bool) -> None:  # type: ignore[no-untyped-def]
    style = chance.choice(5)
    full = chance.around(1, 0.08)
    if style > 0:  # 0 is bald
        shape.ellipsoid(at(0, 0.17, -0.13), h * full * vec(0.39, 0.38, 0.40), frame)
    if style == 2:  # a bun
        shape.ball(at(0, chance.between(0.15, 0.5), -0.5), 0.17 * h)
    if style == 3:  # long hair
        for side in (-1, 1):
            shape.cone(at(side * 0.30, 0.12, -0.1), at(side * 0.34, -0.5, -0.05), 0.13 * h, 0.10 * h)
    if style == 4:  # a crest
        shape.cone(at(0, 0.55, 0.12), at(0, 0.42, -0.42), 0.09 * h, 0.10 * h)
    if detail and chance.happens(0.3):  # a beard
        shape.cone(at(0, -0.36, 0.22), at(0, -0.36 - chance.between(0.12, 0.3), 0.2), 0.19 * h, 0.08 * h)


def head(chance: RandomStream) -> Shape:
    """A head on its neck on a small foot, about one unit high."""
    shape = Shape(sharpness=48)
    tilt = rotation(chance.around(0, 0.35), chance.around(0.0, 0.22), chance.around(0, 0.18))
    h, neck = 0.80, chance.between(0.24, 0.32)
    middle = vec(0, neck + 0.42 * h, 0.02)
    add_head(shape, chance, middle, tilt, h, detail=True)
    shape.cone(vec(0, 0.05, -0.03), vec(0, neck + 0.12, -0.02), chance.between(0.19, 0.25), 0.16)
    shape.box(vec(0, 0.03, -0.02), vec(0.2, 0.03, 0.18))
    return turn(shape, 0, chance.between(0.9, 1.1))


def bust(chance: RandomStream) -> Shape:
    """Head, neck, shoulders and chest on a turned foot, about one unit high."""
    shape = Shape(sharpness=46)
    tilt = rotation(chance.around(0, 0.6), chance.around(0.0, 0.2), chance.around(0, 0.15))
    h, wide, foot = 0.42, chance.between(0.21, 0.29), chance.between(0.08, 0.14)
    chest = foot + 0.17
    neck = chest + 0.22
    add_head(shape, chance, vec(0, neck + 0.44 * h, 0.03), tilt, h, detail=True)
    shape.cone(vec(0, neck - 0.06, -0.02), vec(0, neck + 0.12, -0.005), 0.105, 0.085)
    shape.cone(vec(-wide, chest + 0.10, -0.01), vec(0, chest + 0.17, -0.02), 0.095, 0.09)
    shape.cone(vec(wide, chest + 0.10, -0.01), vec(0, chest + 0.17, -0.02), 0.095, 0.09)
    shape.ellipsoid(vec(0, chest + 0.03, 0.0), vec(wide * 0.95, 0.20, 0.15))
    for side in (-1.0, 1.0):
        shape.ellipsoid(vec(side * 0.11, chest + 0.05, 0.08), vec(0.12, 0.10, 0.08))
    shape.cone(vec(0, 0.0, 0), vec(0, foot + 0.06, 0), 0.105, 0.06)
    if chance.happens(0.4):  # a cloak over one shoulder
        side = chance.sign()
        shape.cone(vec(side * wide, chest + 0.14, 0.05), vec(-side * 0.12, chest - 0.08, 0.13), 0.075, 0.06)
    return turn(shape, 0, chance.between(0.95, 1.08))


@dataclass
class Pose:
    """Directions of all limbs, unit vectors; side 0 is x < 0."""

    hips: np.ndarray
    chest: np.ndarray
    head: np.ndarray
    thighs: list[Point]
    shins: list[Point]
    uppers: list[Point]
    forearms: list[Point]
    feet: list[Point]


def _unit(v: Point) -> Point:
    return np.asarray(v / np.linalg.norm(v))


def bend(along: Point, towards: Point, angle: float) -> Point:
    """A unit direction turned by `angle` radians towards another."""
    side = _unit(towards - along * float(towards @ along) + vec(1e-6, 0, 0))
    return _unit(along * np.cos(angle) + side * np.sin(angle))


def random_arm(chance: RandomStream, side: float, chest: np.ndarray, lowest: float = 0.12) -> tuple[Point, Point]:
    """Upper arm and forearm: hanging, raised, reaching or on the hip; an elbow only bends forwards."""
    lift = chance.between(lowest, 0.6) if chance.happens(0.5) else chance.between(0.6, 2.7)
    swing = chance.between(-0.3, 1.2)
    upper = chest @ vec(side * np.sin(lift) * np.cos(swing), -np.cos(lift), np.sin(lift) * np.sin(swing))
    front = chest @ vec(-side * chance.between(0.0, 0.9), chance.between(-0.1, 0.9), 1.0)
    return _unit(upper), bend(_unit(upper), front, chance.between(0.15, 1.9))


def add_body(shape: Shape, chance: RandomStream, pose: Pose, robe: bool) -> None:
    """A body whose pelvis is at the origin; the height of a standing one is about 1."""
    bulk, wide = chance.between(0.95, 1.25), chance.between(0.10, 0.125)
    up, loin = pose.chest @ vec(0, 1, 0), pose.hips @ vec(0, 1, 0)
    belly = 0.08 * loin
    breast = belly + 0.12 * up
    neck = breast + 0.13 * up
    shape.ellipsoid(vec(0, 0, 0), bulk * vec(0.085, 0.07, 0.066), pose.hips)
    shape.ellipsoid(belly, bulk * vec(0.073, 0.09, 0.055), pose.chest)
    shape.ellipsoid(breast, bulk * vec(0.095, 0.10, 0.063), pose.chest)
    shape.cone(neck - 0.03 * up, neck + 0.05 * up, 0.04 * bulk, 0.034 * bulk)
    skull = neck + 0.055 * up + pose.head @ vec(0, 0.065, 0.012)
    add_head(shape, chance, skull, pose.head, 0.155, detail=False)
    for i, side in enumerate((-1.0, 1.0)):
        shoulder = neck - 0.035 * up + pose.chest @ vec(side * wide, 0, 0)
        elbow = shoulder + 0.165 * pose.uppers[i]
        wrist = elbow + 0.145 * pose.forearms[i]
        hand = wrist + 0.045 * pose.forearms[i]
        shape.chain([shoulder, elbow, wrist, hand], [0.040 * bulk, 0.030 * bulk, 0.022 * bulk, 0.024 * bulk])
        hip = pose.hips @ vec(side * 0.052, -0.015, 0)
        knee = hip + 0.235 * pose.thighs[i]
        ankle = knee + 0.235 * pose.shins[i]
        shape.chain([hip, knee, ankle], [0.062 * bulk, 0.042 * bulk, 0.027 * bulk])
        shape.cone(ankle, ankle + 0.075 * pose.feet[i], 0.028 * bulk, 0.022 * bulk)
    if robe:
        hem = 0.235 * (pose.thighs[0] + pose.thighs[1] + pose.shins[0] + pose.shins[1]) / 2
        shape.cone(0.06 * loin, hem * 0.96, 0.075 * bulk, chance.between(0.10, 0.15))


def figure(chance: RandomStream) -> Shape:
    """A standing figure with one leg bearing the weight, limbs in a random pose."""
    shape = Shape(sharpness=65)
    sway, twist = chance.around(0, 0.12), chance.around(0, 0.5)
    hips = rotation(twist * 0.3, 0, sway)
    chest = rotation(twist, chance.around(0.03, 0.2), -sway * 1.3)
    look = chest @ rotation(chance.around(0, 0.8), chance.around(0, 0.3), chance.around(0, 0.15))
    thighs, shins, feet = [], [], []
    free = chance.choice(2)
    for i, side in enumerate((-1.0, 1.0)):
        forward = chance.between(0.1, 0.65) if i == free else chance.around(-0.05, 0.12)
        apart, knee = chance.between(0.03, 0.25), chance.between(0.1, 0.9) if i == free else chance.between(0, 0.12)
        thighs.append(_unit(vec(side * np.sin(apart), -np.cos(forward), np.sin(forward))))
        shins.append(bend(thighs[i], vec(0, 0, -1), knee))
        feet.append(_unit(vec(side * 0.35, -0.12, 1)))
    arms = [random_arm(chance, side, chest) for side in (-1.0, 1.0)]
    pose = Pose(hips, chest, look, thighs, shins, [a[0] for a in arms], [a[1] for a in arms], feet)
    add_body(shape, chance, pose, robe=chance.happens(0.3))
    if chance.happens(0.5):  # standing on a slab of its own
        foot = shape.low[1]
        shape.box(vec(0, foot, 0.03), vec(chance.between(0.14, 0.22), chance.between(0.02, 0.05), 0.15))
    return turn(shape, 0, chance.between(1.0, 1.1))


def seated(chance: RandomStream) -> Shape:
    """A figure that sits on a block or reclines on a slab."""
    shape = Shape(sharpness=60)
    if chance.happens(0.35):
        _recline(shape, chance)
        return turn(shape, chance.around(0, 0.5) + (np.pi if chance.happens(0.15) else 0), chance.between(1.05, 1.2))
    twist = chance.around(0, 0.4)
    chest = rotation(twist, chance.around(0.12, 0.35), chance.around(0, 0.15))
    look = chest @ rotation(chance.around(0, 0.7), chance.around(0.1, 0.4), 0)
    thighs, shins, feet = [], [], []
    for side in (-1.0, 1.0):
        lift = chance.between(-0.1, 0.35)
        thighs.append(_unit(vec(side * chance.between(0.05, 0.5), np.sin(lift), np.cos(lift))))
        shins.append(bend(thighs[-1], vec(0, -1, -0.3), chance.between(1.25, 1.75)))
        feet.append(vec(side * 0.2, -0.05, 0.95))
    arms = [random_arm(chance, side, chest) for side in (-1.0, 1.0)]
    pose = Pose(rotation(), chest, look, thighs, shins, [a[0] for a in arms], [a[1] for a in arms], feet)
    add_body(shape, chance, pose, robe=False)
    base = shape.low[1]
    wide, deep = chance.between(0.11, 0.17), chance.between(0.10, 0.14)
    shape.box(vec(0, (base - 0.05) / 2, -0.01), vec(wide, -(base + 0.05) / 2, deep))
    if chance.happens(0.35):  # a chair's back
        shape.box(vec(0, 0.1, -deep - 0.02), vec(wide, 0.16, 0.025))
    return turn(shape, chance.around(0, 0.7), chance.between(1.2, 1.35))


def _recline(shape: Shape, chance: RandomStream) -> None:
    along = rotation(np.pi / 2)  # legs towards +x, and the body then leans back towards -x
    lean = chance.between(0.5, 1.0)
    chest = along @ rotation(chance.around(0, 0.3), -lean, 0) @ rotation(chance.around(-0.3, 0.3))
    look = along @ rotation(-0.9 + chance.around(0, 0.6), chance.around(0, 0.2), 0)
    thighs, shins, feet = [], [], []
    for side in (-1.0, 1.0):
        lift = chance.between(0.05, 0.85)
        thighs.append(_unit(along @ vec(side * 0.15, np.sin(lift), np.cos(lift))))
        shins.append(bend(thighs[-1], vec(0.2, -1, 0), lift * chance.between(1.3, 1.9)))
        feet.append(_unit(vec(0.8, 0.3, 0.1)))
    prop, rest = (_unit(vec(-0.35, -1, -0.1)), _unit(vec(0.8, -0.35, 0.3))), random_arm(chance, 1.0, chest)
    arms = [rest, prop] if chance.happens(0.5) else [prop, rest]
    pose = Pose(along, chest, look, thighs, shins, [a[0] for a in arms], [a[1] for a in arms], feet)
    add_body(shape, chance, pose, robe=False)
    middle = (shape.low[0] + shape.high[0]) / 2
    shape.box(vec(middle, -0.10, 0), vec((shape.high[0] - shape.low[0]) / 2 * 0.95, 0.05, 0.14))
