"""Pictures, traced and lit in one go, 2 × 2 pixels of four samples each at a time; compiled by numba, see `kernels`.

A function writes into the arrays that it is given, LANES long each. Lanes that are not alive are left as they are.
"""

from __future__ import annotations

import math

import numpy as np

from sculptor_app.atelier import kernel_light as light
from sculptor_app.atelier import scene
from sculptor_app.atelier.kernels import LANES, NEVER, F, choose, clip, distance, kernel
from sculptor_app.atelier.trace import MARCH_STEPS, SHADOW_ROUND, SHADOW_STEPS

HALF_VIEW = F(scene.HALF_VIEW)
SLACK = F(0.03)
"""How far rays go before the solids that count are looked for anew."""


@kernel
def park(alive, x, y, z):
    """Put the points that do not count where one is that does.

    Returns:
        Whether there is any.
    """
    first = -1
    for i in range(LANES):
        if alive[i]:
            first = i
            break
    if first < 0:
        return False
    for i in range(LANES):
        if not alive[i]:
            x[i], y[i], z[i] = x[first], y[first], z[first]
    return True


@kernel
def march(solids, near, o, r, alive, t, far, p, d, scratch):
    """Distance at which each living ray meets the sculpture, or NEVER; as `trace.march`. `t` is where they start."""
    cones, ellipsoids, k = solids[0], solids[1], solids[6]
    x, y, z = p[0], p[1], p[2]
    n = m = 0
    gone = NEVER
    for _ in range(MARCH_STEPS):
        for i in range(LANES):
            x[i], y[i], z[i] = o[0][i] + r[0][i] * t[i], o[1][i] + r[1][i] * t[i], o[2][i] + r[2][i] * t[i]
        if not park(alive, x, y, z):
            break
        if gone > SLACK:
            n, m = choose(cones, ellipsoids, k, x, y, z, SLACK, near[0], near[1])
            gone = F(0.0)
        distance(solids, near[0], n, near[1], m, x, y, z, d, scratch)
        most = F(0.0)
        for i in range(LANES):
            if alive[i]:
                if d[i] <= F(0.0012):
                    alive[i] = False
                    far[i] = t[i]
                else:
                    step = F(0.93) * d[i]
                    t[i] += step
                    most = max(most, step)
                    if t[i] >= far[i]:
                        alive[i] = False
                        far[i] = NEVER
        gone += most
    for i in range(LANES):
        if alive[i]:
            far[i] = NEVER


@kernel
def shadow(solids, near, o, r, alive, t, stop, left, hardness, p, d, scratch):
    """Share of the key light that arrives; as `trace.shadow`. `t` is where the living rays start, `stop` their end."""
    cones, ellipsoids, k = solids[0], solids[1], solids[6]
    x, y, z = p[0], p[1], p[2]
    n = m = 0
    gone = NEVER
    for step in range(SHADOW_STEPS):
        for i in range(LANES):
            x[i], y[i], z[i] = o[0][i] + r[0][i] * t[i], o[1][i] + r[1][i] * t[i], o[2][i] + r[2][i] * t[i]
        if not park(alive, x, y, z):
            break
        if gone > SLACK:
            n, m = choose(cones, ellipsoids, k, x, y, z, SLACK, near[0], near[1])
            gone = F(0.0)
        distance(solids, near[0], n, near[1], m, x, y, z, d, scratch)
        most = F(0.0)
        for i in range(LANES):
            if alive[i]:
                left[i] = min(left[i], hardness * d[i] / t[i])
                on = clip(d[i], F(0.012), F(0.12))
                t[i] += on
                most = max(most, on)
                alive[i] = left[i] > F(0.02) and ((step + 1) % SHADOW_ROUND != 0 or t[i] < stop[i])
        gone += most
    for i in range(LANES):
        a = clip(left[i], F(0.0), F(1.0))
        left[i] = a * a * (F(3.0) - F(2.0) * a)


@kernel
def normals(solids, near, at, alive, n, p, d, scratch):
    """Unit normals of the sculpture at the living points; as `trace.surface`."""
    x, y, z = p[0], p[1], p[2]
    e = F(0.003)
    for i in range(LANES):
        x[i], y[i], z[i] = at[0][i], at[1][i], at[2][i]
    if not park(alive, x, y, z):
        return
    listed, more = choose(solids[0], solids[1], solids[6], x, y, z, F(0.006), near[0], near[1])
    for i in range(LANES):
        if alive[i]:
            n[0][i] = n[1][i] = n[2][i] = F(0.0)
    for tap in range(4):
        sx, sy, sz = F(1 if tap % 3 == 0 else -1), F(1 if tap > 1 else -1), F(1 if tap % 2 == 1 else -1)
        for i in range(LANES):
            x[i], y[i], z[i] = at[0][i] + sx * e, at[1][i] + sy * e, at[2][i] + sz * e
        park(alive, x, y, z)
        distance(solids, near[0], listed, near[1], more, x, y, z, d, scratch)
        for i in range(LANES):
            if alive[i]:
                n[0][i] += sx * d[i]
                n[1][i] += sy * d[i]
                n[2][i] += sz * d[i]
    for i in range(LANES):
        if alive[i]:
            norm = F(1.0) / math.sqrt(n[0][i] ** 2 + n[1][i] ** 2 + n[2][i] ** 2 + F(1e-20))
            n[0][i] *= norm
            n[1][i] *= norm
            n[2][i] *= norm


@kernel
def openness(solids, near, at, n, alive, sky, p, d, scratch):
    """How open to the sky the living points are; as `trace.openness`."""
    x, y, z = p[0], p[1], p[2]
    for i in range(LANES):
        if alive[i]:
            sky[i] = F(0.0)
    for tap in range(3):
        height = F(0.025) if tap == 0 else F(0.07) if tap == 1 else F(0.16)
        weight = F(1.0) if tap == 0 else F(0.7) if tap == 1 else F(0.45)
        for i in range(LANES):
            x[i], y[i], z[i] = at[0][i] + n[0][i] * height, at[1][i] + n[1][i] * height, at[2][i] + n[2][i] * height
        if not park(alive, x, y, z):
            return
        listed, more = choose(solids[0], solids[1], solids[6], x, y, z, F(0.0), near[0], near[1])
        distance(solids, near[0], listed, near[1], more, x, y, z, d, scratch)
        for i in range(LANES):
            if alive[i]:
                sky[i] += weight * clip(F(1.0) - d[i] / height, F(0.0), F(1.0))
    for i in range(LANES):
        if alive[i]:
            sky[i] = clip(F(1.0) - F(0.62) * sky[i], F(0.0), F(1.0))


@kernel
def directions_to_lamp(s):
    """(4, 3) directions to the lamp from the samples of a pixel; as `shading._key_light`."""
    found = np.empty((4, 3), F)
    x, y, z = s[light.LIGHT], s[light.LIGHT + 1], s[light.LIGHT + 2]
    flat = F(1.0) / math.sqrt(x * x + z * z)
    for row in range(2):
        for column in range(2):
            angle = F(row * 2 + (column ^ row)) * F(1.5708) + F(0.6)
            a = s[light.SOFTNESS] * math.cos(angle) * F(0.9)
            b = s[light.SOFTNESS] * math.sin(angle) * F(0.9)
            lx = x + a * z * flat - b * x * y * flat
            ly = y + b * (x * x * flat + z * z * flat)
            lz = z - a * x * flat - b * z * y * flat
            norm = F(1.0) / math.sqrt(lx * lx + ly * ly + lz * lz)
            sample = found[row * 2 + column]
            sample[0], sample[1], sample[2] = lx * norm, ly * norm, lz * norm
    return found


@kernel
def aim(s, size, y, x, u, v, r):
    """Rays of a block of pixels whose upper left is (y, x), and their places in the picture; as `renderer._rays`.

    Lanes are the four samples of a pixel, pixel by pixel. Beyond the edge of a picture the last pixel is repeated.
    """
    step = F(1.0) / F(size)
    for i in range(LANES):
        row, column = min(y + i // 8, size - 1) * 2 + i // 2 % 2, min(x + i // 4 % 2, size - 1) * 2 + i % 2
        u[i] = (F(column) + F(0.5)) * step - F(1.0) + (F(row % 2) - F(0.5)) * F(0.25) * step
        v[i] = F(1.0) - (F(row) + F(0.5)) * step - (F(column % 2) - F(0.5)) * F(0.25) * step
        a, b = u[i] * HALF_VIEW, v[i] * HALF_VIEW
        dx = s[light.FORWARD] + a * s[light.RIGHT] + b * s[light.UP]
        dy = s[light.FORWARD + 1] + a * s[light.RIGHT + 1] + b * s[light.UP + 1]
        dz = s[light.FORWARD + 2] + a * s[light.RIGHT + 2] + b * s[light.UP + 2]
        norm = F(1.0) / math.sqrt(dx * dx + dy * dy + dz * dz)
        r[0][i], r[1][i], r[2][i] = dx * norm, dy * norm, dz * norm


@kernel
def enter_box(s, o, r, alive, t, far, hidden, top):
    """Where rays meet the pedestal, and from where to where the sculpture may be met before that."""
    for i in range(LANES):
        o[0][i], o[1][i], o[2][i] = s[light.EYE], s[light.EYE + 1], s[light.EYE + 2]
        hidden[i], _, top[i] = light.meet(s, o[0][i], o[1][i], o[2][i], r[0][i], r[1][i], r[2][i])
        entry, leave = light.slab(o[0][i], o[1][i], o[2][i], r[0][i], r[1][i], r[2][i], s, F(0.0))
        t[i], far[i] = max(entry, F(0.0)), min(leave, hidden[i])
        alive[i] = t[i] < far[i]
        if not alive[i]:
            far[i] = NEVER


@kernel
def see(s, o, r, met, hidden, top, at, n, statue, stone, near_statue, sky, fog):
    """What each ray sees: where, with its normal and openness but for the sculpture's, and how far the wall covers it.

    `near_statue` tells where the sculpture may close the sky.
    """
    for i in range(LANES):
        down = (s[light.FLOOR] - o[1][i]) / r[1][i] if r[1][i] < F(-1e-4) else NEVER
        statue[i], stone[i] = met[i] < min(hidden[i], down), hidden[i] < min(met[i], down)
        reach = min(min(min(met[i], hidden[i]), down), F(30.0))
        x, y, z = o[0][i] + r[0][i] * reach, o[1][i] + r[1][i] * reach, o[2][i] + r[2][i] * reach
        at[0][i], at[1][i], at[2][i] = x, y, z
        n[0][i], n[1][i], n[2][i] = F(0.0), F(1.0), F(0.0)
        fog[i], sky[i], near_statue[i] = F(0.0), F(1.0), statue[i]
        if stone[i]:
            n[0][i], n[1][i], n[2][i] = light.pedestal_normal(s, x, y, z, top[i])
            near_statue[i] = (
                x > s[light.LOW] - F(0.16) and x < s[light.HIGH] + F(0.16)
                and y > s[light.LOW + 1] - F(0.16) and y < s[light.HIGH + 1] + F(0.16)
                and z > s[light.LOW + 2] - F(0.16) and z < s[light.HIGH + 2] + F(0.16)
            )  # fmt: skip
        elif not statue[i]:
            sky[i], fog[i] = light.floor_openness(s, x, z), F(1.0)
            if down < F(0.5) * NEVER:
                fog[i] = clip((reach - F(1.5)) / F(5.5), F(0.0), F(1.0)) ** F(0.7)


@kernel
def face_lamp(s, at, n, statue, fog, lamps, lamp, start, alive, t, far, left):
    """Rays from what is seen to the lamp, those past the sculpture's box alive; the pedestal's shadow is in `left`."""
    for i in range(LANES):
        sample = i % 4
        lx, ly, lz = lamps[sample, 0], lamps[sample, 1], lamps[sample, 2]
        lamp[0][i], lamp[1][i], lamp[2][i] = lx, ly, lz
        for j in range(3):
            start[j][i] = at[j][i] + F(0.009) * n[j][i]
        x, y, z = start[0][i], start[1][i], start[2][i]
        left[i], alive[i], blocked = F(1.0), False, NEVER
        if fog[i] >= F(1.0):
            continue
        if not statue[i]:  # its foot may be sunk into the pedestal, which never shades it
            blocked, _, _ = light.meet(s, x, y, z, lx, ly, lz)
        if blocked < F(0.5) * NEVER:
            left[i] = F(0.0)
        elif n[0][i] * lx + n[1][i] * ly + n[2][i] * lz > F(0.0):
            entry, leave = light.slab(x, y, z, lx, ly, lz, s, F(0.05))
            t[i], far[i] = max(entry, F(0.015)), leave
            alive[i] = t[i] < leave


@kernel
def develop(s, u, v, r, at, n, lamp, statue, stone, fog, sky, left, paint, colour, linear):
    """The film's response (LANES, 3) to what each ray sees; `paint` and `colour` are scratch."""
    for i in range(LANES):
        wall = (F(0.0), F(0.0), F(0.0))
        colour[0] = colour[1] = colour[2] = F(0.0)
        x, y, z = at[0][i], at[1][i], at[2][i]
        if fog[i] > F(0.0):
            wall = light.wall(s, u[i], v[i])
        if fog[i] < F(1.0):
            if statue[i]:
                sky[i] *= F(0.72) + F(0.28) * clip(y * F(7.0) + F(0.3), F(0.0), F(1.0))
                paint[0], paint[1], paint[2] = light.albedo(s, x, y, z, sky[i])
            else:
                shade = light.stone_shade(x, y, z) if stone[i] else light.floor_shade(s, x, z)
                first = light.STONE if stone[i] else light.FLOOR_COLOUR
                for j in range(3):
                    paint[j] = s[first + j] * shade
            light.light_surface(s, statue[i], n[0][i], n[1][i], n[2][i], r[0][i], r[1][i], r[2][i],
                                lamp[0][i], lamp[1][i], lamp[2][i], left[i], sky[i], paint, colour)  # fmt: skip
        for j in range(3):
            linear[i, j] = light.film(colour[j] + (wall[j] - colour[j]) * fog[i])


def rows(solids, s, size, first, last, out):
    """Render rows of a picture: from `first`, which is even, to `last`, into `out` (3, size, size) in [-1, 1].

    `compiled` compiles it, with all that it calls.

    Args:
        solids: Cones, ellipsoids, carves, boxes, lathe, ring and sharpness; see `compiled._tables_of`.
        s: The scene's vector.
    """
    table = np.zeros((32, LANES), F)
    p, o, r, n = table[0:3], table[3:6], table[6:9], table[9:12]
    at, lamp, start = table[12:15], table[15:18], table[18:21]
    d, scratch, t, far, hidden, top = table[21], table[22], table[23], table[24], table[25], table[26]
    sky, left, u, v, fog = table[27], table[28], table[29], table[30], table[31]
    flags = np.zeros((3, LANES), np.bool_)
    alive, statue, stone = flags[0], flags[1], flags[2]
    near = (np.zeros(len(solids[0]) + 1, np.int32), np.zeros(len(solids[1]) + 1, np.int32))
    paint, colour, linear = np.zeros(3, F), np.zeros(3, F), np.zeros((LANES, 3), F)
    lamps = directions_to_lamp(s)
    for y in range(first, last, 2):
        for x in range(0, size, 2):
            aim(s, size, y, x, u, v, r)
            enter_box(s, o, r, alive, t, far, hidden, top)
            march(solids, near, o, r, alive, t, far, p, d, scratch)
            see(s, o, r, far, hidden, top, at, n, statue, stone, alive, sky, fog)
            normals(solids, near, at, statue, n, p, d, scratch)
            openness(solids, near, at, n, alive, sky, p, d, scratch)
            face_lamp(s, at, n, statue, fog, lamps, lamp, start, alive, t, far, left)
            shadow(solids, near, start, lamp, alive, t, far, left, F(1.0) / s[light.SOFTNESS], p, d, scratch)
            develop(s, u, v, r, at, n, lamp, statue, stone, fog, sky, left, paint, colour, linear)
            for i in range(0, LANES, 4):
                row, column = min(y + i // 8, size - 1), min(x + i // 4 % 2, size - 1)
                for j in range(3):
                    mean = (linear[i, j] + linear[i + 1, j] + linear[i + 2, j] + linear[i + 3, j]) * F(0.25)
                    out[j, row, column] = light.srgb(mean)
