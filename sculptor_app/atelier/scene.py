"""Scenes: composition, camera, light, colours and material of a picture, and batches of them as tensors.

Composition, camera and light are decided without knowing form or material, so that no label can be read from them.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sculptor_app.atelier import people, things
from sculptor_app.atelier.sdf import Points, Solids
from sculptor_app.atelier.shape import FAR, MATERIAL, SCENE, SHAPE, Point, RandomStream, Shape, vec

HALF_VIEW = 0.26
"""Tangent of half the camera's angle of view."""


def _colour(chance: RandomStream, hue: float, saturation: tuple[float, float], value: tuple[float, float]) -> Point:
    rgb = colorsys.hsv_to_rgb(hue % 1.0, chance.between(*saturation), chance.between(*value))
    return np.array(rgb) ** 2.2  # to linear light


def _direction(azimuth: float, elevation: float) -> Point:
    return vec(np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation))


def compose(seed: int, shape: Shape) -> dict[str, np.ndarray]:
    """Everything but the sculpture, as named vectors in sculpture space with linear colours.

    The decisions come from the seed alone; the shape's surrounding box is used only to fit pedestal and camera to it.
    """
    chance = RandomStream(seed, SCENE)
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


def _place_camera(chance: RandomStream, shape: Shape) -> dict[str, np.ndarray]:
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


def _light_it(chance: RandomStream, azimuth: float) -> dict[str, np.ndarray]:
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


def _paint(chance: RandomStream) -> dict[str, np.ndarray]:
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


# Colour and second colour (linear), their spread, gloss, shine, metal, weights of veins, grain, layers and patina.
TABLE: tuple[tuple[tuple[float, ...], tuple[float, ...], float, float, float, float, tuple[float, ...]], ...] = (
    ((0.74, 0.71, 0.66), (0.13, 0.14, 0.18), 0.06, 0.45, 50, 0.0, (1.15, 0.03, 0.0, 0.0)),  # marble
    ((0.46, 0.21, 0.06), (0.16, 0.07, 0.03), 0.10, 1.30, 45, 1.0, (0.0, 0.05, 0.0, 0.35)),  # bronze
    ((0.13, 0.43, 0.33), (0.05, 0.12, 0.07), 0.14, 0.15, 12, 0.0, (0.0, 0.20, 0.0, 0.9)),  # verdigris
    ((0.56, 0.17, 0.07), (0.36, 0.11, 0.06), 0.10, 0.05, 8, 0.0, (0.0, 0.13, 0.0, 0.3)),  # terracotta
    ((0.022, 0.023, 0.027), (0.07, 0.07, 0.075), 0.15, 0.40, 30, 0.0, (0.0, 0.55, 0.0, 0.1)),  # basalt
    ((0.66, 0.49, 0.27), (0.36, 0.21, 0.09), 0.08, 0.03, 6, 0.0, (0.0, 0.30, 0.95, 0.0)),  # sandstone
)


def choose_material(seed: int, material: int) -> dict[str, np.ndarray]:
    """A piece of a material, by its label in the order of `MATERIALS`: named vectors."""
    colour, second, spread, gloss, shine, metal, weights = TABLE[material]
    chance = RandomStream(seed, MATERIAL + material)
    light = 1 + chance.around(0, 1.6 * spread)
    tint = np.array([1 + chance.around(0, spread) for _ in range(3)])
    return {
        "colour": np.clip(np.array(colour) * light * tint, 0.0, 0.92),
        "second": np.array(second) * (1 + chance.around(0, 0.3)),
        "gloss": np.array([gloss * chance.between(0.75, 1.25), shine * chance.between(0.8, 1.3), metal]),
        "weights": np.array([w * chance.between(0.65, 1.3) for w in weights]),
        "grain": np.array(
            [chance.between(0, 60) for _ in range(3)] + [chance.between(0.8, 1.35), chance.between(0, 6.28)]
        ),
    }


def _swirl(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """Smooth noise in about [-1, 1] made of sines whose arguments are bent by sines."""
    u = x + 0.8 * torch.sin(1.3 * y + 0.7 * z)
    v = y + 0.8 * torch.sin(1.1 * z + 0.9 * x)
    w = z + 0.8 * torch.sin(1.2 * x + 0.5 * y)
    return 0.6 * (
        torch.sin(u) * torch.sin(1.1 * v) + torch.sin(0.9 * v + 1.3) * torch.sin(1.05 * w)
        + torch.sin(0.95 * w + 2.1) * torch.sin(1.07 * u + 0.5)
    )  # fmt: skip


def albedo(scene: dict[str, torch.Tensor], p: Points, hollow: torch.Tensor) -> torch.Tensor:
    """(B, P, 3) linear colour of the material at surface points.

    Args:
        hollow: (B, P) in [0, 1]; 1 where the surface is open to the sky, less in its folds.
    """
    g, weights = scene["grain"], scene["weights"]
    scale = g[:, 3:4]
    x, y, z = (c * scale + g[:, i : i + 1] for i, c in enumerate(p))
    broad = _swirl(5 * x, 5 * y, 5 * z)
    fine = _swirl(43 * x + 2 * broad, 39 * z, 41 * y) + 0.6 * _swirl(83 * z, 79 * x, 89 * y)
    slant = torch.cos(g[:, 4:5]) * x + torch.sin(g[:, 4:5]) * z
    veins = (torch.sin(9 * (slant + 0.9 * y) + 3.2 * broad + 0.35 * fine).abs() * 3.5).clamp(max=1.0)
    thin = (torch.sin(17 * (y - 0.7 * slant) + 2.2 * broad + 2.0).abs() * 4.5).clamp(max=1.0)
    vein = 1 - veins * (0.45 + 0.55 * thin)
    layer = 0.5 + 0.5 * torch.sin(44 * y + 2.0 * broad + 3 * slant)
    patina = ((0.75 - hollow) * 1.6 + 0.55 * broad + 0.1).clamp(0.0, 1.0)
    mix = (weights[:, 0:1] * vein * 0.75 + weights[:, 2:3] * layer * 0.6 + weights[:, 3:4] * patina).clamp(0.0, 1.0)
    mix = (mix + weights[:, 1:2] * 0.5 * fine).clamp(-0.25, 1.0)
    first, second = scene["colour"].unsqueeze(1), scene["second"].unsqueeze(1)
    return (first + (second - first) * mix.unsqueeze(2)).clamp(0.004, 0.95)


SCULPTORS: tuple[Callable[[RandomStream], Shape], ...] = (
    people.bust, people.figure, people.seated, people.head, things.vase, things.ring, things.animal, things.column,
)  # fmt: skip
"""In the order of `FORMS`."""
ROWS: tuple[tuple[int, int, int, int], ...] = (
    (16, 6, 2, 0), (19, 6, 0, 1), (19, 6, 0, 2), (12, 3, 2, 1), (8, 0, 0, 0), (1, 0, 0, 0), (21, 3, 0, 0), (2, 0, 0, 2),
)  # fmt: skip
"""Most cones, ellipsoids, carves and boxes of each form; lists are padded to it: a form has one tensor shape."""


@dataclass
class RenderBatch:
    """B pictures of one form."""

    solids: Solids
    scene: dict[str, torch.Tensor]  # named (B, n) tensors; see `compose` and `choose_material`


def sculpt(seed: int, form: int) -> Shape:
    """The sculpture of a seed, as solids."""
    return SCULPTORS[form](RandomStream(seed, SHAPE + form))


def _padded(rows: list[np.ndarray], count: int, width: int) -> np.ndarray:
    if len(rows) > count:
        raise ValueError(f"{len(rows)} solids of width {width} where a form has at most {count}")
    table = np.full((count, width), FAR)
    table[:, width - 1 if width != 15 else 12 :] = 1e-3
    if width == 15:
        table[:, 3:12] = np.eye(3).ravel()
    for i, row in enumerate(rows):
        table[i] = row
    return table


def pack(seeds: Sequence[int], form: int, materials: Sequence[int], device: torch.device) -> RenderBatch:
    """Sculpt and compose a batch of one form."""
    shapes = [sculpt(seed, form) for seed in seeds]
    cones, ellipsoids, carves, boxes = ROWS[form]

    def stack(rows: list[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.stack(rows).astype(np.float32)).to(device)

    none = np.zeros(0)
    solids = Solids(
        cones=stack([_padded(s.cones, cones, 8) for s in shapes]),
        ellipsoids=stack([_padded(s.ellipsoids, ellipsoids, 15) for s in shapes]),
        carves=stack([_padded(s.carves, carves, 4) for s in shapes]),
        boxes=stack([_padded(s.boxes, boxes, 6) for s in shapes]),
        sharpness=stack([np.array([s.sharpness]) for s in shapes]),
        lathe=stack([none if s.lathe is None else s.lathe for s in shapes]),
        ring=stack([none if s.ring is None else s.ring for s in shapes]),
    )
    scenes = [compose(seed, s) | choose_material(seed, m) for seed, s, m in zip(seeds, shapes, materials, strict=True)]
    return RenderBatch(solids, {name: stack([scene[name] for scene in scenes]) for name in scenes[0]})
