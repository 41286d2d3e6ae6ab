"""Composition, camera, light and colours of one picture: decided without knowing what is shown or of what."""

from __future__ import annotations

import colorsys

import numpy as np

from sculptor_app.atelier.randomness import SCENE, Chance
from sculptor_app.atelier.shape import Point, Shape, vec

HALF_VIEW = 0.26
"""Tangent of half the camera's angle of view."""


def _colour(chance: Chance, hue: float, saturation: tuple[float, float], value: tuple[float, float]) -> Point:
    rgb = colorsys.hsv_to_rgb(hue % 1.0, chance.between(*saturation), chance.between(*value))
    return np.array(rgb) ** 2.2  # to linear light


def _direction(azimuth: float, elevation: float) -> Point:
    return vec(np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation))


def compose(seed: int, shape: Shape) -> dict[str, np.ndarray]:
    """Everything but the sculpture, as named vectors in sculpture space with linear colours.

    The decisions come from the seed alone; the shape's surrounding box is used only to fit pedestal and camera to it.

    Args:
        seed: The picture's seed.
        shape: The sculpture that is to stand on the pedestal.
    """
    chance = Chance(seed, SCENE)
    scene = _place_camera(chance, shape)
    scene |= _light_it(chance, float(scene["azimuth"][0]))
    scene |= _paint(chance)
    foot = float(np.abs(np.concatenate([shape.low[[0, 2]], shape.high[[0, 2]]])).max())
    foot = min(foot, 0.34) * chance.between(0.95, 1.3)
    scene["pedestal"] = np.array([
        max(foot, 0.16), max(foot, 0.16) * chance.between(1.0, 1.18), chance.between(0.03, 0.07),
        max(foot, 0.16) * chance.between(1.0, 1.25), chance.between(0.04, 0.1), float(chance.happens(0.35)),
    ])  # fmt: skip
    scene["low"], scene["high"] = shape.low - 0.02, shape.high + 0.02
    return scene


def _place_camera(chance: Chance, shape: Shape) -> dict[str, np.ndarray]:
    block = chance.between(0.15, 0.95)  # height of the pedestal
    shown = min(block + 0.2, chance.between(0.15, 0.75))
    azimuth, elevation = chance.around(0, 1.15), chance.between(0.0, 0.34)
    right = vec(np.cos(azimuth), 0, -np.sin(azimuth))
    tall, wide = float(shape.high[1]), 0.95 * float(np.abs(right) @ (shape.high - shape.low))
    extent = max(tall + shown, wide) * chance.between(1.1, 1.4)
    spare = (extent - tall - shown) / 2
    middle = (tall - shown) / 2 + spare * chance.between(-0.6, 0.5)
    slack = max(extent - wide, 0) / 2
    target = vec(0, middle, 0) + right * slack * chance.around(0, 0.75)
    towards = _direction(azimuth, elevation)
    up = np.cross(towards, right)
    eye = target + towards * extent / 2 / HALF_VIEW
    return {"eye": eye, "right": right, "up": up, "forward": -towards, "floor": vec(-block, 0, 0)[:1],
            "azimuth": np.array([azimuth])}  # fmt: skip


def _light_it(chance: Chance, azimuth: float) -> dict[str, np.ndarray]:
    side = azimuth + chance.sign() * chance.between(0.35, 1.5)
    key = _direction(side, chance.between(0.4, 1.1))
    warmth = chance.around(0, 0.14)
    tint = np.array([1 + warmth, 1.0, 1 - warmth])
    return {
        "light": key,
        "light_colour": tint * chance.between(1.5, 2.2),
        "softness": np.array([chance.between(0.03, 0.12)]),
        "fill": np.array([chance.between(0.3, 0.6)]),
        "rim": np.array([chance.between(0.0, 0.5)]),
    }


def _paint(chance: Chance) -> dict[str, np.ndarray]:
    hue = chance.between(0, 1)
    bright = chance.between(0.1, 0.85)
    vivid = chance.between(0.05, 0.6)
    second = hue + (chance.around(0, 0.12) if chance.happens(0.65) else 0.5 + chance.around(0, 0.1))
    wall = _colour(chance, hue, (vivid * 0.7, vivid), (bright, min(bright + 0.12, 1)))
    high = _colour(chance, second, (vivid * 0.5, vivid), (bright * chance.between(0.25, 0.9), bright))
    floor = _colour(chance, hue + chance.around(0, 0.5), (0.0, 0.45), (0.18, 0.8))
    stone = _colour(chance, chance.between(0, 1), (0.0, 0.28), (0.16, 0.85))
    pattern = chance.choice(4)
    glow = [chance.around(0, 0.7), chance.between(-0.3, 0.7), chance.between(0.0, 0.9)]
    return {
        "wall": wall,
        "zenith": high,
        "floor_colour": floor,
        "stone": stone,
        "glow": np.array(glow),
        "pattern": np.array(
            [float(pattern), chance.between(0.16, 0.4), chance.between(0.25, 0.6), chance.between(0, 1.5)]
        ),
    }
