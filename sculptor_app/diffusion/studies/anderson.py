"""Solving x = g(x) by iterating it, helped by the iterates before: Anderson's acceleration.

| in code | in Walker and Ni 2011 |
| --- | --- |
| `x` | x_k, the iterate |
| `residual` | f_k = g(x_k) - x_k |
| `shares` | gamma, of the least-squares problem below equation 2.2 |

Source: Walker and Ni 2011, algorithm AA, in its unconstrained form; Pan et al. 2023 (AIDI) for diffusion inversion.
"""

from __future__ import annotations

from collections import deque

import torch

MEMORY = 3
"""Earlier iterates that a new one is mixed of. More gained nothing on the embedded model."""


class AndersonMixing:
    """Makes the next iterate from the one before it and its residual."""

    def __init__(self) -> None:
        self._past: deque[tuple[torch.Tensor, torch.Tensor]] = deque(maxlen=MEMORY + 1)

    def next(self, x: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """The iterate after x.

        Args:
            x: any shape, float64.
            residual: g(x) - x.
        """
        self._past.append((x, residual))
        plain = x + residual
        if len(self._past) == 1:
            return plain
        xs, residuals = (torch.stack([pair[i].flatten() for pair in self._past], 1) for i in (0, 1))  # (n, m + 1)
        steps, changes = xs.diff(dim=1), residuals.diff(dim=1)  # (n, m)
        shares = torch.linalg.lstsq(changes, residual.flatten()[:, None]).solution  # (m, 1)
        mixed: torch.Tensor = plain - ((steps + changes) @ shares).reshape(x.shape)
        return mixed
