"""The pedestal: base, die and cap, square or round, met in closed form."""

from __future__ import annotations

import torch

from sculptor_app.atelier.sdf import Points
from sculptor_app.atelier.trace import NEVER

Scene = dict[str, torch.Tensor]


def parts(scene: Scene) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Half width, bottom and top of base, die and cap, (B, 1) each; the cap's top is y = 0."""
    half, base, base_height, cap, cap_height, _ = (scene["pedestal"][:, i : i + 1] for i in range(6))
    floor = scene["floor"]
    return [(base, floor, floor + base_height), (half, floor, -0.5 * cap_height), (cap, -cap_height, 0 * floor)]


def meet(scene: Scene, origin: Points, ray: Points) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Entry (B, P) into each part and which part is first.

    Returns:
        Distance (NEVER where nothing is met), half width of the part met, and its top.
    """
    best = torch.full_like(ray[0], NEVER)
    width, top = torch.ones_like(best), torch.zeros_like(best)
    for half, low, high in parts(scene):
        t = _enter(scene, origin, ray, half, low, high)
        closer = t < best
        best, width, top = (
            torch.where(closer, t, best),
            torch.where(closer, half, width),
            torch.where(closer, high, top),
        )
    return best, width, top


def _enter(
    scene: Scene, origin: Points, ray: Points, half: torch.Tensor, low: torch.Tensor, high: torch.Tensor
) -> torch.Tensor:
    (ox, oy, oz), (dx, dy, dz) = origin, (torch.where(c.abs() < 1e-7, torch.full_like(c, 1e-7), c) for c in ray)
    y0, y1 = (low - oy) / dy, (high - oy) / dy
    x0, x1, z0, z1 = (-half - ox) / dx, (half - ox) / dx, (-half - oz) / dz, (half - oz) / dz
    entry = torch.maximum(torch.minimum(x0, x1), torch.minimum(z0, z1))
    leave = torch.minimum(torch.maximum(x0, x1), torch.maximum(z0, z1))
    a, b = dx * dx + dz * dz, ox * dx + oz * dz
    root = b * b - a * (ox * ox + oz * oz - half * half)
    spread = torch.sqrt(root.clamp(min=0.0))
    missed = torch.full_like(root, NEVER)
    round_entry = torch.where(root > 0, (-b - spread) / a, missed)
    round_leave = torch.where(root > 0, (-b + spread) / a, -missed)
    is_round = scene["pedestal"][:, 5:6] > 0.5
    entry = torch.maximum(torch.where(is_round, round_entry, entry), torch.minimum(y0, y1))
    leave = torch.minimum(torch.where(is_round, round_leave, leave), torch.maximum(y0, y1))
    return torch.where((entry < leave) & (entry > 1e-3), entry, torch.full_like(entry, NEVER))


def normal(scene: Scene, p: Points, width: torch.Tensor, top: torch.Tensor) -> Points:
    """Outward unit normal at points on the pedestal."""
    x, y, z = p
    up = (y > top - 2e-3).to(y.dtype)
    rho = torch.rsqrt(x * x + z * z + 1e-12)
    flat = (x.abs() > z.abs()).to(x.dtype)
    is_round = scene["pedestal"][:, 5:6] > 0.5
    nx = torch.where(is_round, x * rho, flat * x.sign())
    nz = torch.where(is_round, z * rho, (1 - flat) * z.sign())
    return nx * (1 - up), up, nz * (1 - up)


def distance_aside(scene: Scene, p: Points) -> torch.Tensor:
    """How far points of the floor are from the pedestal's base, (B, P)."""
    base = scene["pedestal"][:, 1:2]
    square = torch.sqrt((p[0].abs() - base).clamp(min=0) ** 2 + (p[2].abs() - base).clamp(min=0) ** 2)
    round_one = (torch.sqrt(p[0] * p[0] + p[2] * p[2]) - base).clamp(min=0)
    return torch.where(scene["pedestal"][:, 5:6] > 0.5, round_one, square)
