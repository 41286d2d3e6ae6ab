"""Light on surfaces: one key light, a sky of the wall's colour, a rim from behind, and the eye's response."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sculptor_app.atelier import pedestal
from sculptor_app.atelier.scene import RenderBatch, albedo
from sculptor_app.atelier.sdf import Points
from sculptor_app.atelier.trace import NEVER, gather, openness, select, shadow, slab, surface

Scene = dict[str, torch.Tensor]


@dataclass
class Camera:
    """Rays of B pictures."""

    eye: Points  # (B, 1) each
    ray: Points  # unit directions, (B, P) each
    u: torch.Tensor  # (B, P) place across the picture, -1 to 1
    v: torch.Tensor  # (B, P) place up the picture, -1 to 1


@dataclass
class Hits:
    """What every ray sees; (B, P) each."""

    p: Points
    n: Points  # unit normals
    open_sky: torch.Tensor  # openness in [0, 1]
    statue: torch.Tensor  # true on the sculpture
    stone: torch.Tensor  # true on the pedestal; the rest is floor or wall
    paint: torch.Tensor  # (B, P, 3) linear colour


def _dot(a: Points, b: Points) -> torch.Tensor:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _columns(values: torch.Tensor) -> Points:
    return values[:, 0:1], values[:, 1:2], values[:, 2:3]


def light_surfaces(job: RenderBatch, camera: Camera, met: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """(B, P, 3) linear light that reaches the eye; `met`, `hidden`: distance to sculpture and pedestal, or NEVER."""
    scene = job.scene
    wall = _wall(scene, camera)
    down = (scene["floor"] - camera.eye[1]) / camera.ray[1].clamp(max=-1e-4)
    down = torch.where(camera.ray[1] < -1e-4, down, torch.full_like(down, NEVER))
    statue, stone = met < torch.minimum(hidden, down), hidden < torch.minimum(met, down)
    t = torch.minimum(torch.minimum(met, hidden), down).clamp(max=30.0)
    p: Points = tuple(o + r * t for o, r in zip(camera.eye, camera.ray, strict=True))  # type: ignore[assignment]
    hits = _describe(job, camera, p, statue, stone)
    lit = _illuminate(job, camera, hits, wall)
    far = ((t - 1.5) / 5.5).clamp(0.0, 1.0) ** 0.7 * (~(statue | stone)).to(t.dtype)
    far = torch.where(down < NEVER / 2, far, torch.where(statue | stone, torch.zeros_like(far), torch.ones_like(far)))
    return lit + (wall - lit) * far.unsqueeze(2)


def _wall(scene: Scene, camera: Camera) -> torch.Tensor:
    rise = (camera.v * 0.6 + 0.5).clamp(0.0, 1.0).unsqueeze(2)
    colour = scene["wall"].unsqueeze(1) * (1 - rise) + scene["zenith"].unsqueeze(1) * rise
    glow = scene["glow"]
    away = (camera.u - glow[:, 0:1]) ** 2 + (camera.v - glow[:, 1:2]) ** 2
    return colour * (1.0 + glow[:, 2:3] * torch.exp(-1.6 * away) - 0.12 * (camera.u**2 + camera.v**2)).unsqueeze(2)


def _describe(job: RenderBatch, camera: Camera, p: Points, statue: torch.Tensor, stone: torch.Tensor) -> Hits:
    scene = job.scene
    _, width, top = pedestal.meet(scene, camera.eye, camera.ray)
    upright = pedestal.normal(scene, p, width, top)
    n = [torch.where(stone, a, torch.full_like(a, float(i == 1))) for i, a in enumerate(upright)]
    beside = pedestal.distance_aside(scene, p)
    open_sky = torch.where(stone, torch.ones_like(beside), 1.0 - 0.6 * torch.exp(-beside * 6.0))
    paint = torch.where(stone.unsqueeze(2), _stone(scene, p), _floor(scene, p))

    index, living = select(statue)
    at: Points = tuple(gather(c, index) for c in p)  # type: ignore[assignment]
    *normals, sky = surface(job.solids, at)
    for i in range(3):
        n[i] = n[i].scatter(1, index, torch.where(living, normals[i], gather(n[i], index)))
    # The pedestal's top also closes the sky to what stands on it.
    sky = sky * (0.72 + 0.28 * (at[1] * 7.0 + 0.3).clamp(0.0, 1.0))
    open_sky = open_sky.scatter(1, index, torch.where(living, sky, gather(open_sky, index)))
    colours = torch.where(living.unsqueeze(2), albedo(scene, at, sky), _rows(paint, index))
    paint = paint.scatter(1, index.unsqueeze(2).expand(-1, -1, 3), colours)

    low, high = scene["low"] - 0.16, scene["high"] + 0.16
    inside = torch.stack([(c > low[:, i : i + 1]) & (c < high[:, i : i + 1]) for i, c in enumerate(p)]).all(dim=0)
    index, living = select(stone & inside)
    spots: Points = tuple(gather(c, index) for c in p)  # type: ignore[assignment]
    sides: Points = tuple(gather(c, index) for c in n)  # type: ignore[assignment]
    sky = openness(job.solids, spots, sides)
    open_sky = open_sky.scatter(1, index, torch.where(living, sky, gather(open_sky, index)))
    return Hits(p, (n[0], n[1], n[2]), open_sky, statue, stone, paint)


def _rows(values: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    return torch.gather(values, 1, index.unsqueeze(2).expand(-1, -1, values.shape[2]))


def _stone(scene: Scene, p: Points) -> torch.Tensor:
    grain = torch.sin(61 * p[0] + 7 * torch.sin(31 * p[1])) * torch.sin(
        67 * p[2] + 5 * torch.sin(23 * p[0] + 41 * p[1])
    )
    broad = torch.sin(7 * p[0] + 3 * p[1] + 2 * torch.sin(9 * p[1])) * torch.sin(8 * p[2] - 2 * p[1])
    return scene["stone"].unsqueeze(1) * (1.0 + 0.10 * grain + 0.08 * broad).unsqueeze(2)


def _floor(scene: Scene, p: Points) -> torch.Tensor:
    kind, edge, strength, yaw = (scene["pattern"][:, i : i + 1] for i in range(4))
    x, z = p[0] * torch.cos(yaw) + p[2] * torch.sin(yaw), p[2] * torch.cos(yaw) - p[0] * torch.sin(yaw)
    i, j = torch.floor(x / edge), torch.floor(z / edge)
    checker = torch.remainder(i + j, 2.0)
    plank = torch.frac(torch.sin(i * 12.9) * 43.7).abs()
    shade = torch.where(kind == 1, checker, torch.where(kind == 2, plank, torch.zeros_like(plank)))
    return scene["floor_colour"].unsqueeze(1) * (1.0 - strength * shade).unsqueeze(2)


def _key_light(scene: Scene, samples: int) -> Points:
    """Each of a pixel's samples sees another point of the lamp, which softens what is in closed form."""
    edge = int(samples**0.5)
    step = torch.arange(edge, device=scene["light"].device) % 2
    angle = (step[:, None] * 2 + (step[None, :] ^ step[:, None])).reshape(1, -1) * 1.5708 + 0.6
    x, y, z = _columns(scene["light"])
    flat = torch.rsqrt(x * x + z * z)
    side, lift = (z * flat, -x * flat), (-x * y * flat, x * x * flat + z * z * flat, -z * y * flat)
    a, b = scene["softness"] * torch.cos(angle) * 0.9, scene["softness"] * torch.sin(angle) * 0.9
    lx, ly, lz = x + a * side[0] + b * lift[0], y + b * lift[1], z + a * side[1] + b * lift[2]
    norm = torch.rsqrt(lx * lx + ly * ly + lz * lz)
    return lx * norm, ly * norm, lz * norm


def _visible_light(job: RenderBatch, hits: Hits, light: Points, facing: torch.Tensor) -> torch.Tensor:
    scene = job.scene
    start: Points = tuple(c + 0.009 * n for c, n in zip(hits.p, hits.n, strict=True))  # type: ignore[assignment]
    entry, leave = slab(start, light, scene["low"] - 0.05, scene["high"] + 0.05)
    leave = torch.where(facing > 0.0, leave, torch.full_like(leave, -NEVER))
    left = shadow(job.solids, start, light, entry.clamp(min=0.015), leave, 1.0 / scene["softness"])
    blocked, _, _ = pedestal.meet(scene, start, light)
    inside_cap = hits.statue  # a statue's foot may be sunk into the cap; the cap never shades it
    return torch.where((blocked < NEVER / 2) & ~inside_cap, torch.zeros_like(left), left)


def _illuminate(job: RenderBatch, camera: Camera, hits: Hits, wall: torch.Tensor) -> torch.Tensor:
    scene, n = job.scene, hits.n
    light = _key_light(scene, camera.u.shape[1])
    facing = _dot(n, light)
    left = _visible_light(job, hits, light, facing)
    key = (facing.clamp(min=0.0) * left).unsqueeze(2) * scene["light_colour"].unsqueeze(1)
    sky = 0.35 + 0.65 * (0.25 * scene["wall"] + 0.75 * scene["zenith"]).unsqueeze(1)
    ground = 0.25 + 0.75 * scene["floor_colour"].unsqueeze(1)
    up = (0.5 + 0.5 * n[1]).unsqueeze(2)
    fill = (ground * 0.55 + (sky - ground * 0.55) * up) * (scene["fill"] * hits.open_sky).unsqueeze(2)
    eye_facing = -_dot(n, camera.ray)
    edge = (1.0 - eye_facing.clamp(0.0, 1.0)) ** 3
    behind = (-_dot(n, _columns(scene["light"]))).clamp(min=0.0)
    rim = (scene["rim"] * edge * (0.4 + behind) * hits.open_sky).unsqueeze(2) * sky
    matte = hits.paint * (key + fill + 0.6 * rim)
    polished = _gloss(scene, camera, hits, light, left, eye_facing, wall)
    metal = scene["gloss"][:, 2:3].unsqueeze(2)
    statue = matte * (1.0 - 0.65 * metal) + polished
    return torch.where(hits.statue.unsqueeze(2), statue, matte)


def _gloss(
    scene: Scene,
    camera: Camera,
    hits: Hits,
    light: Points,
    left: torch.Tensor,
    eye_facing: torch.Tensor,
    wall: torch.Tensor,
) -> torch.Tensor:
    gloss, shine, metal = (scene["gloss"][:, i : i + 1] for i in range(3))
    mirrored: Points = tuple(r + 2 * eye_facing * n for r, n in zip(camera.ray, hits.n, strict=True))  # type: ignore[assignment]
    spark = _dot(mirrored, light).clamp(min=1e-4) ** shine * left * gloss * 1.6
    glance = 0.04 + 0.96 * (1.0 - eye_facing.clamp(0.0, 1.0)) ** 5
    rise = ((mirrored[1] + 0.1) * 3.0).clamp(0.0, 1.0).unsqueeze(2)
    sky = 0.35 + 1.2 * scene["zenith"].unsqueeze(1)
    room = (0.45 * scene["floor_colour"].unsqueeze(1) * (1 - rise) + sky * rise) * hits.open_sky.unsqueeze(2)
    tint = 1.0 + metal.unsqueeze(2) * (hits.paint * 1.7 - 1.0)
    mirror = room * tint * (metal * 1.15 + (1 - metal) * gloss * glance * 0.6).unsqueeze(2)
    return spark.unsqueeze(2) * tint * scene["light_colour"].unsqueeze(1) + mirror


def expose(linear: torch.Tensor, size: int, samples: int) -> torch.Tensor:
    """Film: highlights roll off, samples of a pixel are averaged, sRGB encoding.

    Args:
        linear: (B, P, 3) light.
        size: Edge of the picture in pixels.
        samples: Samples along each edge of a pixel.

    Returns:
        (B, 3, size, size) in [-1, 1].

    Source: Reinhard et al. 2002, equation 4; IEC 61966-2-1 for sRGB.
    """
    x = linear.clamp(min=0.0) * 1.05
    film = (x * (1.0 + x / 5.0) / (1.0 + x * 0.8)).clamp(max=1.0)
    mean = film.reshape(-1, size, samples, size, samples, 3).mean(dim=(2, 4))
    coded = torch.where(mean <= 0.0031308, 12.92 * mean, 1.055 * mean.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)
    return coded.permute(0, 3, 1, 2) * 2 - 1
