"""A hand-made shape as tensors."""

import torch

from sculptor_app.atelier.sdf import Solids
from sculptor_app.atelier.shape import Shape


def table(rows) -> torch.Tensor:
    """Rows of one sculpture as (1, N, width)."""
    return torch.tensor([[list(map(float, row)) for row in rows]], dtype=torch.float32)


def solids(shape: Shape) -> Solids:
    """A batch of one; neither lathe nor ring."""

    def rows(items, width: int) -> torch.Tensor:
        return table(items) if items else torch.zeros(1, 0, width)

    return Solids(rows(shape.cones, 8), rows(shape.ellipsoids, 15), rows(shape.carves, 4), rows(shape.boxes, 6),
                  torch.tensor([[shape.sharpness]]), torch.zeros(1, 0), torch.zeros(1, 0))  # fmt: skip
