"""Vases, rings, animals and columns."""

from __future__ import annotations

import numpy as np

from sculptor_app.atelier.sdf import LATHE_KNOTS
from sculptor_app.atelier.shape import Point, RandomStream, Shape, rotation, turn, vec


def _turned(knots: list[tuple[float, float]], extra: list[float]) -> np.ndarray:
    """A lathe row; a profile of fewer than 12 knots gets hair-thin ones on top."""
    top_height, top_radius = knots[-1]
    padding = [(top_height + 1e-4 * (i + 1), top_radius) for i in range(LATHE_KNOTS - len(knots))]
    profile = knots + padding
    return np.array([h for h, _ in profile] + [r for _, r in profile] + extra)


def vase(chance: RandomStream) -> Shape:
    """A hollow turned vase; about half of them have two handles, some are fluted."""
    shape = Shape(sharpness=60)
    height = chance.between(0.75, 1.1)
    belly, belly_at = chance.between(0.2, 0.36), height * chance.between(0.38, 0.68)
    neck, neck_at = belly * chance.between(0.3, 0.62), height * chance.between(0.78, 0.9)
    foot = belly * chance.between(0.4, 0.75)
    lip = neck * chance.between(1.15, 1.9)
    knots = [(0.0, foot * 1.1), (0.04, foot), (0.09, foot * chance.between(0.55, 0.95)), (belly_at, belly),
             (neck_at, neck), (height - 0.035, lip * 0.92), (height, lip)]  # fmt: skip
    depth = chance.between(0.06, 0.16) if chance.happens(0.35) else 0.0
    flutes = [depth, float(8 + chance.choice(9)), 0.12, belly_at + 0.4 * (neck_at - belly_at)]
    shape.lathe = _turned(knots, [*flutes, 0.03, height - 0.12])
    reach = max(belly, lip, foot * 1.1)
    shape.include(vec(-reach, 0, -reach), vec(reach, height, reach))
    if chance.happens(0.55):
        _add_handles(shape, chance, (belly, belly_at), (neck, neck_at), height)
    return shape


def _add_handles(
    shape: Shape, chance: RandomStream, belly: tuple[float, float], neck: tuple[float, float], height: float
) -> None:
    yaw, thick, out = chance.around(0, 0.9), chance.between(0.022, 0.035), chance.between(0.06, 0.16)
    low, top = belly[1] + 0.02, neck[1] + chance.between(-0.02, 0.08) * height
    for side in (-1, 1):
        profile = [(belly[0] * 0.93, low), (belly[0] + out * 0.8, low + 0.25 * (top - low)),
                   (belly[0] * 0.9 + out, low + 0.6 * (top - low)), (neck[0] + out, top + 0.01),
                   (neck[0] * 0.9, top - 0.01)]  # fmt: skip
        points = [rotation(yaw) @ vec(side * x, y, 0) for x, y in profile]
        shape.chain(points, [thick] * len(points))


def column(chance: RandomStream) -> Shape:
    """A fluted column on a plinth, with a Doric, Ionic or bell-shaped capital."""
    shape = Shape(sharpness=70)
    height, foot = chance.between(0.95, 1.15), chance.between(0.12, 0.17)
    neck = foot * chance.between(0.78, 0.92)
    capital = height * chance.between(0.80, 0.86)
    order = chance.choice(3)
    spread = neck * chance.between(1.35, 1.75)
    base = 0.07 + chance.between(0, 0.04)
    lower = [(0.0, foot * 1.05), (0.05, foot * 1.2), (base, foot * 1.3), (base + 0.03, foot * 1.02),
             (base + 0.05, foot * 1.12), (base + 0.09, foot)]  # fmt: skip
    upper = [(capital - 0.02, neck), (capital, neck * 1.14), (capital + 0.025, neck * 1.02),
             (height - 0.055, spread if order != 1 else neck * 1.1), (height - 0.03, spread * 1.02),
             (height, spread * 0.95)]  # fmt: skip
    count = float(10 + 2 * chance.choice(5))
    shape.lathe = _turned(lower + upper, [chance.between(0.1, 0.2), count, base + 0.1, capital - 0.03, 0.0, 0.0])
    reach = max(spread * 1.02, foot * 1.3)
    shape.include(vec(-reach, 0, -reach), vec(reach, height, reach))
    slab = max(spread, neck * 1.3) * 1.12
    shape.box(vec(0, height - 0.01, 0), vec(slab, 0.025, slab))
    shape.box(vec(0, 0.03, 0), vec(foot * 1.42, 0.03, foot * 1.42))
    if order == 1:  # Ionic: a scroll under each edge of the slab
        for side in (-1, 1):
            centre = vec(side * slab * 0.92, height - 0.085, 0)
            shape.cone(centre - vec(0, 0, slab * 0.8), centre + vec(0, 0, slab * 0.8), 0.055, 0.055)
    return shape


def ring(chance: RandomStream) -> Shape:
    """An upright ring, a twisted band, or a knot."""
    shape = Shape(sharpness=60)
    kind = chance.choice(4)
    radius, thick = chance.between(0.30, 0.38), chance.between(0.06, 0.12)
    strands, twist, offset, half = 1.0, 0.0, 0.0, (thick, thick * chance.between(0.8, 1.3))
    corner, swell, wave, waves = 1.0, chance.between(-0.3, 0.3), 0.0, 3.0
    if kind == 1:  # a band with an edge, turned on its way around
        twist = 0.5 * (1 + chance.choice(4)) * chance.sign()
        half, corner, swell = (thick * 1.2, thick * chance.between(0.35, 0.6)), chance.between(0.1, 0.6), 0.0
    if kind == 2:  # a torus knot or link
        strands, twist = (2.0, 1.5 * chance.sign()) if chance.happens(0.6) else (3.0, 4 / 3 * chance.sign())
        offset, thick = chance.between(0.10, 0.14), chance.between(0.045, 0.065)
        half, swell, radius = (thick, thick), 0.0, chance.between(0.27, 0.31)
    if kind == 3:  # a wavy ring
        wave, waves, swell = chance.between(0.06, 0.14), float(2 + chance.choice(4)), 0.0
    oval = chance.around(1.0, 0.12)
    reach = radius * (1 + wave) + offset + max(half) * (1 + abs(swell)) * 1.05
    tall = reach / oval
    foot = chance.between(0.02, 0.06)
    frame = rotation(chance.around(0, 0.9), chance.around(0, 0.2), chance.around(0, 3.1))
    centre = vec(0, tall + foot * 0.7, 0)
    shape.ring = np.concatenate([centre, frame.T.ravel(), [radius, oval, strands, twist, offset, *half, corner,
                                 swell, wave, waves]])  # fmt: skip
    side = np.array([reach, max(reach, tall), reach])
    shape.include(centre - side, centre + side)
    shape.cone(vec(-0.07, foot * 0.5, 0), vec(0.07, foot * 0.5, 0), foot + 0.03, foot + 0.03)
    shape.low[1] = 0.0
    return shape


def animal(chance: RandomStream) -> Shape:
    """A four-legged animal seen mostly from its side: horse, bull, hound or big cat, and everything between."""
    shape = Shape(sharpness=55)
    long, leg, bulk = chance.between(0.24, 0.34), chance.between(0.26, 0.42), chance.between(0.10, 0.145)
    back = leg + bulk
    chest, rump = vec(0, back + 0.01, long), vec(0, back, -long)
    shape.ellipsoid(chest - vec(0, 0, 0.04), vec(bulk * 0.88, bulk * 1.12, bulk * 1.25))
    shape.ellipsoid(rump + vec(0, 0, 0.04), vec(bulk * 0.9, bulk * 1.05, bulk * 1.2))
    shape.cone(chest, rump, bulk * 0.82, bulk * 0.78)
    for z, side in ((long, -1), (long, 1), (-long, -1), (-long, 1)):
        _add_leg(shape, chance, vec(side * bulk * 0.55, back - 0.02, z), leg, bulk, rear=z < 0)
    rise, neck = chance.between(0.15, 1.15), chance.between(0.18, 0.32)
    crown = chest + vec(0, bulk * 0.4, 0.05) + neck * vec(0, np.sin(rise), np.cos(rise))
    _add_animal_head(shape, chance, chest + vec(0, bulk * 0.3, 0.03), crown, bulk)
    hang = chance.between(-1.1, 0.7)
    tip = rump + vec(chance.around(0, 0.06), 0.05 + 0.2 * np.sin(hang), -bulk - 0.2 * np.cos(hang))
    shape.cone(rump + vec(0, bulk * 0.5, -bulk * 0.7), tip, 0.03, chance.between(0.018, 0.04))
    facing = chance.sign() * np.pi / 2 + chance.around(0, 0.75)
    return turn(shape, facing, chance.between(1.0, 1.12))


def _add_leg(shape: Shape, chance: RandomStream, hip: Point, leg: float, bulk: float, rear: bool) -> None:
    swing = chance.around(0, 0.45)
    knee_bend = chance.between(0.3, 1.2) if swing > 0.2 else chance.between(0.02, 0.25)
    upper = vec(0, -np.cos(swing), np.sin(swing))
    lower = vec(0, -np.cos(swing - knee_bend), np.sin(swing - knee_bend))
    if rear:
        lower = vec(0, -np.cos(swing - 0.1), np.sin(swing - 0.1) * 0.6)
    knee = hip + upper * leg * 0.5
    foot = knee + lower * leg * 0.5
    shape.chain([hip, knee, foot], [bulk * 0.55, bulk * 0.30, bulk * 0.22])
    shape.cone(foot, foot + vec(0, -0.01, 0.03), bulk * 0.26, bulk * 0.24)


def _add_animal_head(shape: Shape, chance: RandomStream, root: Point, crown: Point, bulk: float) -> None:
    shape.cone(root, crown, bulk * 0.85, bulk * 0.55)
    dip, snout = chance.between(-0.1, 0.9), chance.between(0.10, 0.2)
    nose = crown + snout * vec(0, -np.sin(dip), np.cos(dip))
    shape.ball(crown + vec(0, 0.01, 0.02), bulk * 0.66)
    shape.cone(crown + vec(0, 0, 0.03), nose, bulk * 0.56, bulk * 0.36)
    horned = chance.happens(0.3)
    for side in (-1, 1):
        if horned:
            start = crown + vec(side * bulk * 0.4, bulk * 0.5, 0.02)
            bow = start + vec(side * 0.07, 0.02, 0.03)
            shape.chain([start, bow, bow + vec(side * 0.01, 0.08, 0.02)], [0.022, 0.018, 0.008])
        else:
            start = crown + vec(side * bulk * 0.35, bulk * 0.5, -0.01)
            shape.cone(start, start + vec(side * 0.02, chance.between(0.03, 0.07), 0), 0.026, 0.012)
    if chance.happens(0.35):  # a mane
        middle = (root + crown) / 2
        shape.ellipsoid(middle + vec(0, 0.02, -0.03), vec(bulk * 0.95, bulk * 1.35, bulk * 1.15))
