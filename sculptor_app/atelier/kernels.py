"""The arithmetic of `sdf` and `trace` for 16 points at a time, compiled by numba for the processor that it runs on.

Importing this imports numba; `compiled` does it when something is rendered. Arrays named x, y, z and d hold LANES
float32 each. Every number is float32: a bare literal would make a whole expression float64.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from sculptor_app.atelier import trace

F = np.float32
I32 = np.int32
LANES = 16
FAST = {"nnan", "ninf", "nsz", "contract", "reassoc", "arcp"}
"""What the compiler may assume and reorder: no NaN and no infinity comes up."""
kernel = njit(fastmath=FAST, error_model="numpy", nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""Compiles a function that only other kernels call."""
entry = njit(fastmath=FAST, error_model="numpy", nogil=True, no_cfunc_wrapper=True)
"""Compiles a function that Python calls, too, without its lock."""
NEVER = F(trace.NEVER)
TINY = F(1e-12)
NEGLIGIBLE = F(7.0)
"""A solid that is further than the nearest by this over the sharpness adds less than a thousandth to what melts."""


@kernel
def exp(x):
    """e^x with a relative error of 2e-7; unlike the C library's, the compiler can do many of them at once."""
    x = min(max(x, F(-87.0)), F(87.0))
    n = F(math.floor(x * F(1.44269504) + F(0.5)))
    r = x - n * F(0.693359375) + n * F(2.12194440e-4)
    p = F(1.9875691500e-4) * r + F(1.3981999507e-3)
    p = (((p * r + F(8.3334519073e-3)) * r + F(4.1665795894e-2)) * r + F(1.6666665459e-1)) * r + F(5.0000001201e-1)
    return (p * r * r + r + F(1.0)) * I32((I32(n) + I32(127)) << I32(23)).view(F)


@kernel
def log(x):
    """Natural logarithm of a positive number, to 1e-7."""
    bits = F(x).view(I32)
    e = (bits - I32(0x3F3504F3)) >> I32(23)
    m = I32(bits - (e << I32(23))).view(F) - F(1.0)
    p = F(7.0376836292e-2) * m - F(1.1514610310e-1)
    p = (p * m + F(1.1676998740e-1)) * m - F(1.2420140846e-1)
    p = (p * m + F(1.4249322787e-1)) * m - F(1.6668057665e-1)
    p = (p * m + F(2.0000714765e-1)) * m - F(2.4999993993e-1)
    p = p * m + F(3.3333331174e-1)
    z = m * m
    return m - F(0.5) * z + z * m * p + F(e) * F(0.693147181)


@kernel
def cos(x):
    """Cosine of an angle of some turns, to 1e-6."""
    turns = x * F(0.159154943)
    turns = abs(turns - F(math.floor(turns + F(0.5))))  # 0 to a half
    a = F(0.25) - turns  # the cosine is the sine of this, -a quarter to a quarter
    a = a * F(6.28318531)
    q = a * a
    p = F(2.7525562e-6) * q - F(1.9840874e-4)
    p = ((p * q + F(8.3333310e-3)) * q - F(1.6666667e-1)) * q
    return a + a * p


@kernel
def atan2(y, x):
    """Angle of a direction, to 1e-6."""
    ax, ay = abs(x), abs(y)
    t = min(ax, ay) / max(max(ax, ay), F(1e-20))
    q = t * t
    p = F(2.8662257e-3) * q - F(1.6165737e-2)
    p = (p * q + F(4.2909614e-2)) * q - F(7.5289640e-2)
    p = (p * q + F(1.0656264e-1)) * q - F(1.4208899e-1)
    p = (p * q + F(1.9993551e-1)) * q - F(3.3333145e-1)
    a = t + t * q * p
    a = F(1.57079633) - a if ay > ax else a
    a = F(3.14159265) - a if x < F(0.0) else a
    return -a if y < F(0.0) else a


@kernel
def clip(x, low, high):
    """`x` held between two bounds."""
    return min(max(x, low), high)


@kernel
def add_cone(c, k, x, y, z, total):
    """Add a thick line's share to what melts together; `c`: a, b - a, 1 / length², radius at a, what b's is more."""
    ax, ay, az, dx, dy, dz = c[0], c[1], c[2], c[3], c[4], c[5]
    inverse, ra, more = c[6], c[7], c[8]
    for i in range(LANES):
        px, py, pz = x[i] - ax, y[i] - ay, z[i] - az
        h = clip((px * dx + py * dy + pz * dz) * inverse, F(0.0), F(1.0))
        qx, qy, qz = px - dx * h, py - dy * h, pz - dz * h
        total[i] += exp(k * (ra + more * h - math.sqrt(qx * qx + qy * qy + qz * qz + TINY)))


@kernel
def add_ellipsoid(e, k, x, y, z, total):
    """Add an ellipsoid's share; `e`: centre, rotation divided by the radii, 1 / radii."""
    cx, cy, cz = e[0], e[1], e[2]
    a, b, c, d, f, g, h, m, n = e[3], e[4], e[5], e[6], e[7], e[8], e[9], e[10], e[11]
    ru, rv, rw = e[12], e[13], e[14]
    for i in range(LANES):
        px, py, pz = x[i] - cx, y[i] - cy, z[i] - cz
        u, v, w = a * px + b * py + c * pz, d * px + f * py + g * pz, h * px + m * py + n * pz
        level = math.sqrt(u * u + v * v + w * w + TINY)
        u, v, w = u * ru, v * rv, w * rw
        slope = math.sqrt(u * u + v * v + w * w + TINY)
        total[i] += exp(k * level * (F(1.0) - level) / slope)


@kernel
def add_lathe(r, k, x, y, z, total, radius):
    """Add a turned body's share; `radius` is scratch."""
    for i in range(LANES):
        radius[i] = r[12]
    for j in range(11):
        low, inverse, step = r[j], F(1.0) / (r[j + 1] - r[j]), r[13 + j] - r[12 + j]
        for i in range(LANES):
            h = clip((y[i] - low) * inverse, F(0.0), F(1.0))
            radius[i] += step * h * h * (F(3.0) - F(2.0) * h)
    depth, count, low, high, wall, hollow, top = r[24], r[25], r[26], r[27], r[28], r[29], r[11]
    if depth != F(0.0):
        for i in range(LANES):
            fluted = clip((y[i] - low) * F(30.0), F(0.0), F(1.0)) * clip((high - y[i]) * F(30.0), F(0.0), F(1.0))
            radius[i] *= F(1.0) - depth * fluted * (F(0.5) + F(0.5) * cos(count * atan2(z[i], x[i])))
    for i in range(LANES):
        beside = math.sqrt(x[i] * x[i] + z[i] * z[i] + TINY) - radius[i]
        outside = max(beside, max(y[i] - top, -y[i]))
        inner = max(beside + wall, top - hollow - y[i])
        outside = max(outside, -inner) if wall > F(0.0) else outside
        total[i] += exp(F(-0.7) * k * outside)


@kernel
def add_ring(r, k, x, y, z, total):
    """Add a ring's share."""
    cx, cy, cz, oval, across, wave, waves = r[0], r[1], r[2], r[13], r[12], r[21], r[22]
    a, b, c, d, f, g, h, m, n = r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10], r[11]
    twist, offset, wide, tall, roundness, swelling = r[15], r[16], r[17], r[18], r[19], r[20]
    sector = F(6.2831853) / r[14]
    inverse = F(1.0) / sector
    for i in range(LANES):
        px, py, pz = x[i] - cx, y[i] - cy, z[i] - cz
        u, v, w = a * px + b * py + c * pz, (d * px + f * py + g * pz) * oval, h * px + m * py + n * pz
        around = atan2(v, u)
        radial = math.sqrt(u * u + v * v + TINY) - across * (F(1.0) + wave * cos(waves * around))
        section = atan2(w, radial) - twist * around
        section -= sector * F(math.floor(section * inverse + F(0.5)))
        away = math.sqrt(radial * radial + w * w + TINY)
        p, q = away * cos(section) - offset, away * cos(section - F(1.57079633))
        swell = F(1.0) + swelling * cos(around)
        half_a, half_b = wide * swell, tall * swell
        corner = roundness * min(half_a, half_b)
        qa, qb = abs(p) - half_a + corner, abs(q) - half_b + corner
        oa, ob = max(qa, F(0.0)), max(qb, F(0.0))
        outer = math.sqrt(oa * oa + ob * ob + TINY) + min(max(qa, qb), F(0.0)) - corner
        total[i] += exp(F(-0.6) * k * outer)


@kernel
def choose(cones, ellipsoids, k, x, y, z, slack, near_cones, near_ellipsoids):
    """List the solids that count anywhere within `slack` of these points.

    Returns:
        How many cones and ellipsoids are listed.
    """
    lx, hx, ly, hy, lz, hz = x[0], x[0], y[0], y[0], z[0], z[0]
    for i in range(1, LANES):
        lx, ly, lz = min(lx, x[i]), min(ly, y[i]), min(lz, z[i])
        hx, hy, hz = max(hx, x[i]), max(hy, y[i]), max(hz, z[i])
    cx, cy, cz = (lx + hx) * F(0.5), (ly + hy) * F(0.5), (lz + hz) * F(0.5)
    reach = math.sqrt((hx - lx) ** 2 + (hy - ly) ** 2 + (hz - lz) ** 2) * F(0.5) + slack
    least = NEVER
    for j in range(len(cones)):
        c = cones[j]
        px, py, pz = cx - c[0], cy - c[1], cz - c[2]
        h = clip((px * c[3] + py * c[4] + pz * c[5]) * c[6], F(0.0), F(1.0))
        qx, qy, qz = px - c[3] * h, py - c[4] * h, pz - c[5] * h
        c[9] = math.sqrt(qx * qx + qy * qy + qz * qz) - c[7] - c[8] * h
        least = min(least, c[9])
    for j in range(len(ellipsoids)):
        e = ellipsoids[j]
        px, py, pz = cx - e[0], cy - e[1], cz - e[2]
        away = math.sqrt(px * px + py * py + pz * pz)
        e[17] = away - e[15]
        least = min(least, away - e[16])
    border = least + F(2.0) * reach + NEGLIGIBLE / k
    n = m = 0
    for j in range(len(cones)):
        if cones[j, 9] < border:
            near_cones[n] = j
            n += 1
    for j in range(len(ellipsoids)):
        if ellipsoids[j, 17] < border:
            near_ellipsoids[m] = j
            m += 1
    return n, m


@kernel
def distance(solids, near_cones, n, near_ellipsoids, m, x, y, z, d, scratch):
    """Signed distances of 16 points to what the listed solids melt into; as `sdf.distance`."""
    cones, ellipsoids, carves, boxes, lathe, ring, k = solids
    for i in range(LANES):
        d[i] = F(0.0)
    for j in range(n):
        add_cone(cones[near_cones[j]], k, x, y, z, d)
    for j in range(m):
        add_ellipsoid(ellipsoids[near_ellipsoids[j]], k, x, y, z, d)
    if len(lathe):
        add_lathe(lathe, k, x, y, z, d, scratch)
    if len(ring):
        add_ring(ring, k, x, y, z, d)
    inverse = F(-1.0) / k
    for i in range(LANES):
        d[i] = log(max(d[i], F(1e-30))) * inverse
    for j in range(len(carves)):
        cx, cy, cz, r = carves[j, 0], carves[j, 1], carves[j, 2], carves[j, 3]
        for i in range(LANES):
            px, py, pz = x[i] - cx, y[i] - cy, z[i] - cz
            hole = r - math.sqrt(px * px + py * py + pz * pz + TINY)
            h = max(F(0.02) - abs(d[i] - hole), F(0.0)) * F(50.0)
            d[i] = max(d[i], hole) + h * h * F(0.005)
    for j in range(len(boxes)):
        cx, cy, cz, hx, hy, hz = boxes[j, 0], boxes[j, 1], boxes[j, 2], boxes[j, 3], boxes[j, 4], boxes[j, 5]
        for i in range(LANES):
            qx, qy, qz = abs(x[i] - cx) - hx, abs(y[i] - cy) - hy, abs(z[i] - cz) - hz
            ox, oy, oz = max(qx, F(0.0)), max(qy, F(0.0)), max(qz, F(0.0))
            outside = math.sqrt(ox * ox + oy * oy + oz * oz + TINY)
            d[i] = min(d[i], outside + min(max(qx, max(qy, qz)), F(0.0)) - F(0.004))
