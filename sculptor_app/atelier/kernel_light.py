"""The arithmetic of `pedestal` and `shading` for one ray at a time, compiled by numba; see `kernels`.

A picture's scene is one vector of float32: the fields of `scene.compose` and `scene.choose_material` in a row.
"""

from __future__ import annotations

import math
from itertools import accumulate

from sculptor_app.atelier.kernels import NEVER, TINY, F, clip, kernel

FIELDS = {
    "eye": 3, "right": 3, "up": 3, "forward": 3, "floor": 1, "light": 3, "light_colour": 3, "softness": 1, "fill": 1,
    "rim": 1, "wall": 3, "zenith": 3, "floor_colour": 3, "stone": 3, "glow": 3, "pattern": 4, "pedestal": 6, "low": 3,
    "high": 3, "colour": 3, "second": 3, "gloss": 3, "weights": 4, "grain": 5,
}  # fmt: skip
"""What a scene's vector holds, in this order, and how many numbers each."""
(
    EYE, RIGHT, UP, FORWARD, FLOOR, LIGHT, LIGHT_COLOUR, SOFTNESS, FILL, RIM, WALL, ZENITH, FLOOR_COLOUR, STONE, GLOW,
    PATTERN, PEDESTAL, LOW, HIGH, COLOUR, SECOND, GLOSS, WEIGHTS, GRAIN,
) = (end - count for end, count in zip(accumulate(FIELDS.values()), FIELDS.values(), strict=True))  # fmt: skip


@kernel
def safe(c):
    """A ray's component that can be divided by."""
    return F(1e-7) if abs(c) < F(1e-7) else c


@kernel
def slab(ox, oy, oz, dx, dy, dz, s, margin):
    """Where a ray enters and leaves the sculpture's box, made larger by a margin; as `trace.slab`."""
    x, y, z = F(1.0) / safe(dx), F(1.0) / safe(dy), F(1.0) / safe(dz)
    ax, bx = (s[LOW] - margin - ox) * x, (s[HIGH] + margin - ox) * x
    ay, by = (s[LOW + 1] - margin - oy) * y, (s[HIGH + 1] + margin - oy) * y
    az, bz = (s[LOW + 2] - margin - oz) * z, (s[HIGH + 2] + margin - oz) * z
    entry = max(max(min(ax, bx), min(ay, by)), max(min(az, bz), -NEVER))
    return entry, min(min(max(ax, bx), max(ay, by)), min(max(az, bz), NEVER))


@kernel
def enter(s, ox, oy, oz, dx, dy, dz, half, low, high):
    """Where a ray enters one part of the pedestal, or NEVER."""
    up = F(1.0) / dy
    y0, y1 = (low - oy) * up, (high - oy) * up
    entry, leave = min(y0, y1), max(y0, y1)
    if s[PEDESTAL + 5] > F(0.5):
        a, b = dx * dx + dz * dz, ox * dx + oz * dz
        root = b * b - a * (ox * ox + oz * oz - half * half)
        if root <= F(0.0):
            return NEVER
        spread = math.sqrt(root)
        entry, leave = max(entry, (-b - spread) / a), min(leave, (-b + spread) / a)
    else:
        across, deep = F(1.0) / dx, F(1.0) / dz
        x0, x1, z0, z1 = (-half - ox) * across, (half - ox) * across, (-half - oz) * deep, (half - oz) * deep
        entry = max(entry, max(min(x0, x1), min(z0, z1)))
        leave = min(leave, min(max(x0, x1), max(z0, z1)))
    return entry if entry < leave and entry > F(1e-3) else NEVER


@kernel
def meet(s, ox, oy, oz, dx, dy, dz):
    """Where a ray meets the pedestal, the half width of the part that it meets, and that one's top."""
    dx, dy, dz = safe(dx), safe(dy), safe(dz)
    floor, cap_height = s[FLOOR], s[PEDESTAL + 4]
    best, width, top = NEVER, F(1.0), F(0.0)
    t = enter(s, ox, oy, oz, dx, dy, dz, s[PEDESTAL + 1], floor, floor + s[PEDESTAL + 2])
    if t < best:
        best, width, top = t, s[PEDESTAL + 1], floor + s[PEDESTAL + 2]
    t = enter(s, ox, oy, oz, dx, dy, dz, s[PEDESTAL], floor, F(-0.5) * cap_height)
    if t < best:
        best, width, top = t, s[PEDESTAL], F(-0.5) * cap_height
    t = enter(s, ox, oy, oz, dx, dy, dz, s[PEDESTAL + 3], -cap_height, F(0.0))
    if t < best:
        best, width, top = t, s[PEDESTAL + 3], F(0.0)
    return best, width, top


@kernel
def pedestal_normal(s, x, y, z, top):
    """Outward unit normal at a point on the pedestal."""
    if y > top - F(2e-3):
        return F(0.0), F(1.0), F(0.0)
    if s[PEDESTAL + 5] > F(0.5):
        near = F(1.0) / math.sqrt(x * x + z * z + TINY)
        return x * near, F(0.0), z * near
    if abs(x) > abs(z):
        return F(1.0) if x > F(0.0) else F(-1.0), F(0.0), F(0.0)
    return F(0.0), F(0.0), F(1.0) if z > F(0.0) else F(-1.0)


@kernel
def floor_openness(s, x, z):
    """How open to the sky a point of the floor is beside the pedestal."""
    base = s[PEDESTAL + 1]
    if s[PEDESTAL + 5] > F(0.5):
        beside = max(math.sqrt(x * x + z * z) - base, F(0.0))
    else:
        beside = math.sqrt(max(abs(x) - base, F(0.0)) ** 2 + max(abs(z) - base, F(0.0)) ** 2)
    return F(1.0) - F(0.6) * math.exp(F(-6.0) * beside)


@kernel
def wall(s, u, v):
    """The wall's colour at a place of the picture."""
    rise = clip(v * F(0.6) + F(0.5), F(0.0), F(1.0))
    away = (u - s[GLOW]) ** 2 + (v - s[GLOW + 1]) ** 2
    bright = F(1.0) + s[GLOW + 2] * math.exp(F(-1.6) * away) - F(0.12) * (u * u + v * v)
    first, second = (F(1.0) - rise) * bright, rise * bright
    return (s[WALL] * first + s[ZENITH] * second, s[WALL + 1] * first + s[ZENITH + 1] * second,
            s[WALL + 2] * first + s[ZENITH + 2] * second)  # fmt: skip


@kernel
def stone_shade(x, y, z):
    """How bright the pedestal's stone is at a point."""
    sin = math.sin
    grain = sin(F(61.0) * x + F(7.0) * sin(F(31.0) * y)) * sin(F(67.0) * z + F(5.0) * sin(F(23.0) * x + F(41.0) * y))
    broad = sin(F(7.0) * x + F(3.0) * y + F(2.0) * sin(F(9.0) * y)) * sin(F(8.0) * z - F(2.0) * y)
    return F(1.0) + F(0.10) * grain + F(0.08) * broad


@kernel
def floor_shade(s, x, z):
    """How bright the floor is at a point."""
    kind, edge, strength, yaw = s[PATTERN], s[PATTERN + 1], s[PATTERN + 2], s[PATTERN + 3]
    if kind != F(1.0) and kind != F(2.0):
        return F(1.0)
    c, d = math.cos(yaw), math.sin(yaw)
    i = F(math.floor((x * c + z * d) / edge))
    if kind == F(1.0):
        both = i + F(math.floor((z * c - x * d) / edge))
        shade = both - F(2.0) * F(math.floor(both * F(0.5)))
    else:
        plank = abs(math.sin(i * F(12.9)) * F(43.7))
        shade = plank - F(math.floor(plank))
    return F(1.0) - strength * shade


@kernel
def swirl(x, y, z):
    """Smooth noise; as `scene._swirl`."""
    sin = math.sin
    u = x + F(0.8) * sin(F(1.3) * y + F(0.7) * z)
    v = y + F(0.8) * sin(F(1.1) * z + F(0.9) * x)
    w = z + F(0.8) * sin(F(1.2) * x + F(0.5) * y)
    return F(0.6) * (
        sin(u) * sin(F(1.1) * v) + sin(F(0.9) * v + F(1.3)) * sin(F(1.05) * w)
        + sin(F(0.95) * w + F(2.1)) * sin(F(1.07) * u + F(0.5))
    )  # fmt: skip


@kernel
def albedo(s, x, y, z, hollow):
    """Colour of the material at a surface point; as `scene.albedo`."""
    scale, angle = s[GRAIN + 3], s[GRAIN + 4]
    x, y, z = x * scale + s[GRAIN], y * scale + s[GRAIN + 1], z * scale + s[GRAIN + 2]
    broad = swirl(F(5.0) * x, F(5.0) * y, F(5.0) * z)
    fine = swirl(F(43.0) * x + F(2.0) * broad, F(39.0) * z, F(41.0) * y)
    fine += F(0.6) * swirl(F(83.0) * z, F(79.0) * x, F(89.0) * y)
    slant = math.cos(angle) * x + math.sin(angle) * z
    mix = F(0.0)
    if s[WEIGHTS] > F(0.0):
        veins = min(abs(math.sin(F(9.0) * (slant + F(0.9) * y) + F(3.2) * broad + F(0.35) * fine)) * F(3.5), F(1.0))
        thin = min(abs(math.sin(F(17.0) * (y - F(0.7) * slant) + F(2.2) * broad + F(2.0))) * F(4.5), F(1.0))
        mix += s[WEIGHTS] * (F(1.0) - veins * (F(0.45) + F(0.55) * thin)) * F(0.75)
    if s[WEIGHTS + 2] > F(0.0):
        layer = F(0.5) + F(0.5) * math.sin(F(44.0) * y + F(2.0) * broad + F(3.0) * slant)
        mix += s[WEIGHTS + 2] * layer * F(0.6)
    mix += s[WEIGHTS + 3] * clip((F(0.75) - hollow) * F(1.6) + F(0.55) * broad + F(0.1), F(0.0), F(1.0))
    mix = clip(clip(mix, F(0.0), F(1.0)) + s[WEIGHTS + 1] * F(0.5) * fine, F(-0.25), F(1.0))
    return (
        clip(s[COLOUR] + (s[SECOND] - s[COLOUR]) * mix, F(0.004), F(0.95)),
        clip(s[COLOUR + 1] + (s[SECOND + 1] - s[COLOUR + 1]) * mix, F(0.004), F(0.95)),
        clip(s[COLOUR + 2] + (s[SECOND + 2] - s[COLOUR + 2]) * mix, F(0.004), F(0.95)),
    )


@kernel
def light_surface(s, statue, nx, ny, nz, rx, ry, rz, lx, ly, lz, left, sky, paint, colour):
    """Light from a surface towards the eye; as `shading._illuminate`.

    Args:
        statue: Whether it is the sculpture; pedestal and floor have no gloss.
        left: Share of the key light that arrives.
        sky: How open to the sky it is.
        paint: Colour of the surface.
        colour: Receives the light.
    """
    facing, eye_facing = nx * lx + ny * ly + nz * lz, -(nx * rx + ny * ry + nz * rz)
    turned = F(1.0) - clip(eye_facing, F(0.0), F(1.0))
    key, up = max(facing, F(0.0)) * left, F(0.5) + F(0.5) * ny
    behind = max(-(nx * s[LIGHT] + ny * s[LIGHT + 1] + nz * s[LIGHT + 2]), F(0.0))
    rim = F(0.6) * s[RIM] * turned * turned * turned * (F(0.4) + behind) * sky
    gloss, metal = s[GLOSS], s[GLOSS + 2]
    spark = reflected = rise = F(0.0)
    if statue:
        mx, my, mz = rx + F(2.0) * eye_facing * nx, ry + F(2.0) * eye_facing * ny, rz + F(2.0) * eye_facing * nz
        if left > F(0.0):
            spark = max(mx * lx + my * ly + mz * lz, F(1e-4)) ** s[GLOSS + 1] * left * gloss * F(1.6)
        glance = F(0.04) + F(0.96) * turned * turned * turned * turned * turned
        reflected = (metal * F(1.15) + (F(1.0) - metal) * gloss * glance * F(0.6)) * sky
        rise = clip((my + F(0.1)) * F(3.0), F(0.0), F(1.0))
    for i in range(3):
        above = F(0.35) + F(0.65) * (F(0.25) * s[WALL + i] + F(0.75) * s[ZENITH + i])
        ground = (F(0.25) + F(0.75) * s[FLOOR_COLOUR + i]) * F(0.55)
        fill = (ground + (above - ground) * up) * s[FILL] * sky
        matte = paint[i] * (key * s[LIGHT_COLOUR + i] + fill + rim * above)
        if statue:
            room = F(0.45) * s[FLOOR_COLOUR + i] * (F(1.0) - rise) + (F(0.35) + F(1.2) * s[ZENITH + i]) * rise
            tint = F(1.0) + metal * (paint[i] * F(1.7) - F(1.0))
            matte = matte * (F(1.0) - F(0.65) * metal) + tint * (spark * s[LIGHT_COLOUR + i] + room * reflected)
        colour[i] = matte


@kernel
def film(x):
    """Highlights roll off; as in `shading.expose`."""
    x = max(x, F(0.0)) * F(1.05)
    return min(x * (F(1.0) + x * F(0.2)) / (F(1.0) + x * F(0.8)), F(1.0))


@kernel
def srgb(mean):
    """Encode light as sRGB, in [-1, 1]."""
    coded = F(12.92) * mean if mean <= F(0.0031308) else F(1.055) * mean ** F(1.0 / 2.4) - F(0.055)
    return coded * F(2.0) - F(1.0)
