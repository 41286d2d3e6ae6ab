"""Signed distances of whole batches: negative inside, about the distance to the surface outside.

Every function takes points as three tensors (B, P) and the solids of B sculptures, and returns (B, P). They are plain
element-wise torch, so that they run on any device.

Source: Inigo Quilez, "Distance functions", https://iquilezles.org/articles/distfunctions/ (the ideas, not the code).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

Points = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
LATHE_KNOTS = 12


@dataclass
class Solids:
    """The shapes of B sculptures as tensors; see `shape.Shape` for the rows."""

    cones: torch.Tensor  # (B, N, 8)
    ellipsoids: torch.Tensor  # (B, M, 15)
    carves: torch.Tensor  # (B, C, 4)
    boxes: torch.Tensor  # (B, K, 6)
    sharpness: torch.Tensor  # (B, 1)
    lathe: torch.Tensor  # (B, L) or (B, 0)
    ring: torch.Tensor  # (B, R) or (B, 0)


def cone_distances(cones: torch.Tensor, p: Points) -> torch.Tensor:
    """(B, N, P) distances to thick lines; exact where both radii are equal."""
    x, y, z = (c.unsqueeze(1) for c in p)  # (B, 1, P)
    ax, ay, az, bx, by, bz, ra, rb = (cones[:, :, i : i + 1] for i in range(8))  # (B, N, 1)
    dx, dy, dz = bx - ax, by - ay, bz - az
    length = 1.0 / (dx * dx + dy * dy + dz * dz + 1e-12)
    px, py, pz = x - ax, y - ay, z - az
    h = ((px * dx + py * dy + pz * dz) * length).clamp(0.0, 1.0)
    qx, qy, qz = px - dx * h, py - dy * h, pz - dz * h
    return torch.sqrt(qx * qx + qy * qy + qz * qz + 1e-12) - (ra + (rb - ra) * h)


def ellipsoid_distances(ellipsoids: torch.Tensor, p: Points) -> torch.Tensor:
    """(B, M, P) first-order distances to turned ellipsoids; exact for balls."""
    e = [ellipsoids[:, :, i : i + 1] for i in range(15)]  # (B, M, 1)
    x, y, z = p[0].unsqueeze(1) - e[0], p[1].unsqueeze(1) - e[1], p[2].unsqueeze(1) - e[2]
    u = (e[3] * x + e[4] * y + e[5] * z) / e[12]
    v = (e[6] * x + e[7] * y + e[8] * z) / e[13]
    w = (e[9] * x + e[10] * y + e[11] * z) / e[14]
    level = torch.sqrt(u * u + v * v + w * w + 1e-12)
    slope = torch.sqrt((u / e[12]) ** 2 + (v / e[13]) ** 2 + (w / e[14]) ** 2 + 1e-12)
    return level * (level - 1.0) / slope


def box_distances(boxes: torch.Tensor, p: Points) -> torch.Tensor:
    """(B, K, P) exact distances to upright blocks."""
    b = [boxes[:, :, i : i + 1] for i in range(6)]  # (B, K, 1)
    qx, qy, qz = ((c.unsqueeze(1) - b[i]).abs() - b[i + 3] for i, c in enumerate(p))
    ox, oy, oz = qx.clamp(min=0.0), qy.clamp(min=0.0), qz.clamp(min=0.0)
    return torch.sqrt(ox * ox + oy * oy + oz * oz + 1e-12) + torch.maximum(qx, torch.maximum(qy, qz)).clamp(max=0.0)


def smooth_maximum(a: torch.Tensor, b: torch.Tensor, width: float) -> torch.Tensor:
    """Polynomial smooth maximum with a seam of `width`."""
    h = (width - (a - b).abs()).clamp(min=0.0) / width
    return torch.maximum(a, b) + h * h * width * 0.25


def lathe_distance(lathe: torch.Tensor, p: Points) -> torch.Tensor:
    """Turned bodies: vases and columns.

    Row: heights of 12 knots, radii of 12 knots (the profile goes smoothly from knot to knot), then flute depth, flute
    count, lowest and highest fluted height, wall (0 is solid), depth of the hollow.
    """
    x, y, z = p
    n = LATHE_KNOTS
    heights = [lathe[:, i : i + 1] for i in range(n)]
    radii = [lathe[:, n + i : n + i + 1] for i in range(n)]
    depth, count, low, high, wall, hollow = (lathe[:, 2 * n + i : 2 * n + i + 1] for i in range(6))
    radius = radii[0].expand_as(y)
    for i in range(n - 1):
        h = ((y - heights[i]) / (heights[i + 1] - heights[i])).clamp(0.0, 1.0)
        radius = radius + (radii[i + 1] - radii[i]) * h * h * (3.0 - 2.0 * h)
    fluted = ((y - low) * 30.0).clamp(0.0, 1.0) * ((high - y) * 30.0).clamp(0.0, 1.0)
    radius = radius * (1.0 - depth * fluted * (0.5 + 0.5 * torch.cos(count * torch.atan2(z, x))))
    rho = torch.sqrt(x * x + z * z + 1e-12)
    top = heights[n - 1]
    outside = torch.maximum(rho - radius, torch.maximum(y - top, -y))
    inner = torch.maximum(rho - (radius - wall), top - hollow - y)
    return torch.where(wall > 0.0, torch.maximum(outside, -inner), outside) * 0.7


def ring_distance(ring: torch.Tensor, p: Points) -> torch.Tensor:
    """Rings, twisted bands and torus knots.

    Row: centre 3, rotation 9 (world into ring space, where the ring lies around its z axis), ring radius, oval factor,
    strands, twist (turns of the section per turn of the ring, times 1), offset of the strand from the ring's circle,
    section half width, section half height, roundness 0 to 1, swell of the thickness, wave of the radius, waves.
    """
    r = [ring[:, i : i + 1] for i in range(23)]
    x, y, z = p[0] - r[0], p[1] - r[1], p[2] - r[2]
    u, v, w = (r[3 + 3 * i] * x + r[4 + 3 * i] * y + r[5 + 3 * i] * z for i in range(3))
    v = v * r[13]
    around = torch.atan2(v, u)
    radial = torch.sqrt(u * u + v * v + 1e-12) - r[12] * (1.0 + r[21] * torch.cos(r[22] * around))
    section = torch.atan2(w, radial) - r[15] * around
    sector = 6.2831853 / r[14]
    section = section - sector * torch.round(section / sector)
    away = torch.sqrt(radial * radial + w * w + 1e-12)
    a, b = away * torch.cos(section) - r[16], away * torch.sin(section)
    swell = 1.0 + r[20] * torch.cos(around)
    half_a, half_b = r[17] * swell, r[18] * swell
    corner = r[19] * torch.minimum(half_a, half_b)
    qa, qb = a.abs() - half_a + corner, b.abs() - half_b + corner
    outer = torch.sqrt(qa.clamp(min=0.0) ** 2 + qb.clamp(min=0.0) ** 2 + 1e-12)
    return (outer + torch.maximum(qa, qb).clamp(max=0.0) - corner) * 0.6


def distance(solids: Solids, p: Points) -> torch.Tensor:
    """(B, P) signed distance to the melted sculptures."""
    k = solids.sharpness.unsqueeze(1)  # (B, 1, 1)
    total = None
    if solids.cones.shape[1]:
        total = torch.exp(-k * cone_distances(solids.cones, p)).sum(dim=1)
    if solids.ellipsoids.shape[1]:
        more = torch.exp(-k * ellipsoid_distances(solids.ellipsoids, p)).sum(dim=1)
        total = more if total is None else total + more
    if solids.lathe.shape[1]:
        more = torch.exp(-solids.sharpness * lathe_distance(solids.lathe, p))
        total = more if total is None else total + more
    if solids.ring.shape[1]:
        more = torch.exp(-solids.sharpness * ring_distance(solids.ring, p))
        total = more if total is None else total + more
    assert total is not None
    d = -torch.log(total.clamp(min=1e-30)) / solids.sharpness
    if solids.carves.shape[1]:
        for i in range(solids.carves.shape[1]):
            cx, cy, cz, cr = (solids.carves[:, i, j : j + 1] for j in range(4))
            hole = cr - torch.sqrt((p[0] - cx) ** 2 + (p[1] - cy) ** 2 + (p[2] - cz) ** 2 + 1e-12)
            d = smooth_maximum(d, hole, 0.02)
    if solids.boxes.shape[1]:
        d = torch.minimum(d, box_distances(solids.boxes, p).amin(dim=1) - 0.004)
    return d
