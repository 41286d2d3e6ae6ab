"""Where rays meet things: pedestal and floor in closed form, the sculpture by sphere tracing.

Source: Hart 1996, "Sphere tracing: a geometric method for the antialiased ray tracing of implicit surfaces".
"""

from __future__ import annotations

import torch

from sculptor_app.atelier.sdf import Points, Solids, distance

NEVER = 1e4
MARCH_STEPS, MARCH_ROUND = 48, 6
SHADOW_STEPS, SHADOW_ROUND = 20, 5
GRANULE = 64
"""Compacted rays are padded to a multiple of this: whole vectors for the processor, few different shapes."""


def slab(origin: Points, ray: Points, low: torch.Tensor, high: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Entry and exit of rays through upright blocks.

    Args:
        origin: (B, P) or (B, 1) each.
        ray: (B, P) each.
        low: (B, 3) corners.
        high: (B, 3) corners.

    Returns:
        Distances (B, P) at which the ray enters and leaves; it misses where entry > exit.
    """
    entry, leave = torch.full_like(ray[0], -NEVER), torch.full_like(ray[0], NEVER)
    for axis in range(3):
        safe = torch.where(ray[axis].abs() < 1e-7, torch.full_like(ray[axis], 1e-7), ray[axis])
        a = (low[:, axis : axis + 1] - origin[axis]) / safe
        b = (high[:, axis : axis + 1] - origin[axis]) / safe
        entry = torch.maximum(entry, torch.minimum(a, b))
        leave = torch.minimum(leave, torch.maximum(a, b))
    return entry, leave


def gather(values: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """(B, K) of (B, P) or of (B, 1), which every ray shares."""
    return values.expand(-1, index.shape[1]) if values.shape[1] == 1 else torch.gather(values, 1, index)


def select(alive: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The rays to go on with.

    Returns:
        Index (B, K) with the living first, and which of them really live (B, K); the others only fill the table.
    """
    most = int(alive.sum(dim=1).max())
    width = min(alive.shape[1], -(-max(most, 1) // GRANULE) * GRANULE)
    index = torch.argsort((~alive).to(torch.uint8), dim=1, stable=True)[:, :width]
    return index, torch.gather(alive, 1, index)


def advance(solids: Solids, origin: Points, ray: Points, t: torch.Tensor) -> torch.Tensor:
    """One step of sphere tracing; a ray closer than 0.0012 has arrived and stays."""
    d = distance(solids, (origin[0] + ray[0] * t, origin[1] + ray[1] * t, origin[2] + ray[2] * t))
    return torch.where(d > 0.0012, t + 0.93 * d, t)


def march(solids: Solids, origin: Points, ray: Points, near: torch.Tensor, far: torch.Tensor) -> torch.Tensor:
    """Distance (B, P) at which each ray meets the sculpture, or NEVER. Rays with near >= far are not traced."""
    out = torch.full_like(near, NEVER)
    t, place = near, None
    alive = near < far
    for _ in range(0, MARCH_STEPS, MARCH_ROUND):
        if not bool(alive.any()):
            break
        index, living = select(alive)
        place = index if place is None else torch.gather(place, 1, index)
        origin = tuple(gather(c, index) for c in origin)  # type: ignore[assignment]
        ray = tuple(gather(c, index) for c in ray)  # type: ignore[assignment]
        t, far = gather(t, index), gather(far, index)
        for _ in range(MARCH_ROUND - 1):
            t = advance(solids, origin, ray, t)
        before = t
        t = advance(solids, origin, ray, t)
        arrived = living & (t == before) & (t < far)
        out = out.scatter(1, place, torch.where(arrived, t, torch.gather(out, 1, place)))
        alive = living & ~arrived & (t < far)
    return out


def darken(
    solids: Solids, origin: Points, light: Points, t: torch.Tensor, shade: torch.Tensor, hardness: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """One step of a shadow ray: next distance and how much light is left."""
    d = distance(solids, (origin[0] + light[0] * t, origin[1] + light[1] * t, origin[2] + light[2] * t))
    return t + d.clamp(0.012, 0.12), torch.minimum(shade, hardness * d / t)


def shadow(
    solids: Solids, origin: Points, light: Points, near: torch.Tensor, far: torch.Tensor, hardness: torch.Tensor
) -> torch.Tensor:
    """Share (B, P) of the key light that reaches each point past the sculpture.

    Source: Inigo Quilez, "Soft shadows in raymarched SDFs", https://iquilezles.org/articles/rmshadows/.
    """
    shade = torch.ones_like(near)
    index, living = select(near < far)
    origin = tuple(gather(c, index) for c in origin)  # type: ignore[assignment]
    light = tuple(gather(c, index) for c in light)  # type: ignore[assignment]
    t, left, stop = gather(near, index), torch.ones_like(living, dtype=near.dtype), gather(far, index)
    out, place = shade, index
    for _ in range(0, SHADOW_STEPS, SHADOW_ROUND):
        for _ in range(SHADOW_ROUND):
            t, left = darken(solids, origin, light, t, left, hardness)
        kept = torch.where(living, left.clamp(0.0, 1.0), torch.gather(out, 1, place))
        out = out.scatter(1, place, kept)
        alive = living & (t < stop) & (left > 0.02)
        if not bool(alive.any()):
            break
        index, living = select(alive)
        place = torch.gather(place, 1, index)
        origin = tuple(gather(c, index) for c in origin)  # type: ignore[assignment]
        light = tuple(gather(c, index) for c in light)  # type: ignore[assignment]
        t, left, stop = gather(t, index), gather(left, index), gather(stop, index)
    return out * out * (3.0 - 2.0 * out)


def surface(solids: Solids, p: Points) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Unit normal (three of (B, P)) and openness in [0, 1] (ambient occlusion) at surface points."""
    e = 0.003
    nx, ny, nz = torch.zeros_like(p[0]), torch.zeros_like(p[0]), torch.zeros_like(p[0])
    for sx, sy, sz in ((1, -1, -1), (-1, -1, 1), (-1, 1, -1), (1, 1, 1)):
        d = distance(solids, (p[0] + sx * e, p[1] + sy * e, p[2] + sz * e))
        nx, ny, nz = nx + sx * d, ny + sy * d, nz + sz * d
    norm = torch.rsqrt(nx * nx + ny * ny + nz * nz + 1e-20)
    nx, ny, nz = nx * norm, ny * norm, nz * norm
    return nx, ny, nz, openness(solids, p, (nx, ny, nz))


def openness(solids: Solids, p: Points, n: Points) -> torch.Tensor:
    """How open to the sky points are, in [0, 1]: the sculpture is looked for at three heights above them."""
    closed = torch.zeros_like(p[0])
    for height, weight in ((0.025, 1.0), (0.07, 0.7), (0.16, 0.45)):
        d = distance(solids, (p[0] + n[0] * height, p[1] + n[1] * height, p[2] + n[2] * height))
        closed = closed + weight * (1.0 - d / height).clamp(0.0, 1.0)
    return (1.0 - 0.62 * closed).clamp(0.0, 1.0)
