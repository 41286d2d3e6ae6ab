"""Shapes: a sculpture as a list of simple solids before it becomes tensors, and the random decisions behind it.

Sculpture space: y points up, the base stands at y = 0, the sculpture faces +z, and it is about one unit high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

Point = np.ndarray
FAR = -50.0


def vec(x: float, y: float, z: float) -> Point:
    """A point or direction."""
    return np.array([x, y, z], dtype=np.float64)


def rotation(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """(3, 3) matrix in radians: roll about z first, then pitch about x (positive bows forward), then yaw about y."""
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z)


@dataclass
class Shape:
    """Solids melted into each other.

    Attributes:
        cones: Rows (ax, ay, az, bx, by, bz, ra, rb): a thick line from a to b whose radius goes from ra to rb.
        ellipsoids: Rows (centre 3, rotation 9, radii 3); the rotation takes world directions into the ellipsoid's own.
    """

    sharpness: float = 40.0  # how tightly solids melt; about 1 / sharpness of a unit is the width of a seam
    cones: list[np.ndarray] = field(default_factory=list)
    ellipsoids: list[np.ndarray] = field(default_factory=list)
    carves: list[np.ndarray] = field(default_factory=list)  # rows (x, y, z, r): balls cut away
    boxes: list[np.ndarray] = field(default_factory=list)  # rows (centre 3, half edges 3)
    lathe: np.ndarray | None = None  # turned body (see `sdf.lathe_distance`), or None
    ring: np.ndarray | None = None  # ring (see `sdf.ring_distance`), or None
    low: Point = field(default_factory=lambda: vec(9, 9, 9))  # lower corner of a box around everything
    high: Point = field(default_factory=lambda: vec(-9, -9, -9))  # upper corner

    def include(self, low: Point, high: Point) -> None:
        """Let the surrounding box reach to these corners."""
        self.low, self.high = np.minimum(self.low, low), np.maximum(self.high, high)

    def cone(self, a: Point, b: Point, ra: float, rb: float) -> None:
        """Add a thick line from a to b."""
        self.cones.append(np.concatenate([a, b, [ra, rb]]))
        self.include(np.minimum(a - ra, b - rb), np.maximum(a + ra, b + rb))

    def chain(self, points: Sequence[Point], radii: Sequence[float]) -> None:
        """Add thick lines through all points."""
        for a, b, ra, rb in zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True):
            self.cone(a, b, ra, rb)

    def ball(self, centre: Point, radius: float) -> None:
        """Add a ball."""
        self.cone(centre, centre + vec(0, 1e-3, 0), radius, radius)

    def ellipsoid(self, centre: Point, radii: Point, frame: np.ndarray | None = None) -> None:
        """Add an ellipsoid; `frame`'s columns are its own axes in sculpture space."""
        frame = np.eye(3) if frame is None else frame
        self.ellipsoids.append(np.concatenate([centre, frame.T.ravel(), radii]))
        reach = np.sqrt(((frame * radii) ** 2).sum(axis=1))
        self.include(centre - reach, centre + reach)

    def carve(self, centre: Point, radius: float) -> None:
        """Cut a ball away."""
        self.carves.append(np.concatenate([centre, [radius]]))

    def box(self, centre: Point, half: Point) -> None:
        """Add an upright block."""
        self.boxes.append(np.concatenate([centre, half]))
        self.include(centre - half, centre + half)


def turn(shape: Shape, yaw: float, scale: float = 1.0) -> Shape:
    """The same solids scaled, turned about the upright axis and set down on y = 0; boxes are not turned."""
    matrix = rotation(yaw)
    lift = vec(0, -scale * shape.low[1], 0)
    turned = Shape(shape.sharpness)
    for row in shape.cones:
        turned.cone(scale * matrix @ row[:3] + lift, scale * matrix @ row[3:6] + lift, scale * row[6], scale * row[7])
    for row in shape.ellipsoids:
        frame = matrix @ row[3:12].reshape(3, 3).T
        turned.ellipsoid(scale * matrix @ row[:3] + lift, scale * row[12:15], frame)
    for row in shape.carves:
        turned.carve(scale * matrix @ row[:3] + lift, scale * row[3])
    for row in shape.boxes:
        turned.box(scale * row[:3] + lift, scale * row[3:6])
    return turned


SCENE, SHAPE, MATERIAL = 1, 100, 200


class RandomStream:
    """A stream of decisions.

    Streams of different purpose are independent: composition, camera, light and colours come from a stream that knows
    no label, so no label can be read from them.

    Args:
        seed: The picture's, 0 to 2^63 - 1.
        purpose: Which stream; SCENE, SHAPE + form, or MATERIAL + material.
    """

    def __init__(self, seed: int, purpose: int) -> None:
        self._generator = np.random.Generator(np.random.Philox(key=[seed, purpose]))

    def between(self, low: float, high: float) -> float:
        """A number evenly spread over [low, high)."""
        return low + (high - low) * float(self._generator.random())

    def around(self, middle: float, spread: float) -> float:
        """A number about `middle`, never further off than `spread`, most often close (triangular)."""
        return middle + spread * (float(self._generator.random()) + float(self._generator.random()) - 1)

    def happens(self, probability: float) -> bool:
        """True in this share of cases."""
        return bool(self._generator.random() < probability)

    def choice(self, count: int) -> int:
        """One of 0 to count - 1."""
        return min(int(self._generator.random() * count), count - 1)

    def sign(self) -> float:
        """-1 or 1."""
        return 1.0 if self._generator.random() < 0.5 else -1.0
