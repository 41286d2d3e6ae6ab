"""Six materials: colours, gloss, and the veins, grain, layers or patina in them."""

from __future__ import annotations

import numpy as np
import torch

from sculptor_app.atelier.randomness import MATERIAL, Chance
from sculptor_app.atelier.sdf import Points

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
    """A piece of a material: named vectors.

    Args:
        seed: The picture's seed.
        material: Label, in the order of `labels.MATERIALS`.
    """
    colour, second, spread, gloss, shine, metal, weights = TABLE[material]
    chance = Chance(seed, MATERIAL + material)
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
        scene: Named (B, n) tensors with the material in them.
        p: Surface points in sculpture space.
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
