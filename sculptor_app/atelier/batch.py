"""From labelled seeds to tensors: one `Job` is a batch of pictures of one form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from sculptor_app.atelier import people, things
from sculptor_app.atelier.materials import choose_material
from sculptor_app.atelier.randomness import SHAPE, Chance
from sculptor_app.atelier.scene import compose
from sculptor_app.atelier.sdf import Solids
from sculptor_app.atelier.shape import FAR, Shape

SCULPTORS: tuple[Callable[[Chance], Shape], ...] = (
    people.bust, people.figure, people.seated, people.head, things.vase, things.ring, things.animal, things.column,
)  # fmt: skip
"""In the order of `labels.FORMS`."""
ROWS: tuple[tuple[int, int, int, int], ...] = (
    (16, 6, 2, 0), (19, 6, 0, 1), (19, 6, 0, 2), (12, 3, 2, 1), (8, 0, 0, 0), (1, 0, 0, 0), (21, 3, 0, 0), (2, 0, 0, 2),
)  # fmt: skip
"""Most cones, ellipsoids, carves and boxes of each form; lists are padded to it: a form has one tensor shape."""


@dataclass
class Job:
    """B pictures of one form.

    Attributes:
        solids: The sculptures.
        scene: Named (B, n) tensors; see `scene.compose` and `materials.choose_material`.
    """

    solids: Solids
    scene: dict[str, torch.Tensor]


def sculpt(seed: int, form: int) -> Shape:
    """The sculpture of a seed, as solids."""
    return SCULPTORS[form](Chance(seed, SHAPE + form))


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


def pack(seeds: Sequence[int], form: int, materials: Sequence[int], device: torch.device) -> Job:
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
    return Job(solids, {name: stack([scene[name] for scene in scenes]) for name in scenes[0]})
