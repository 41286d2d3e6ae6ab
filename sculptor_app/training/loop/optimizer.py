"""The optimizer of a training run: orthogonalised momentum for matrices, AdamW for everything else.

| code | paper symbol |
| --- | --- |
| `momentum` | B_t, the running mean of the gradients (Jordan et al. 2024, "Muon", algorithm 1) |
| `orthogonalised` | O_t, the nearest matrix with singular values near 1, by five Newton-Schulz iterations |
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from sculptor_app.core.texts import translate
from sculptor_app.training.errors import Diverged
from sculptor_app.training.records.plan import Recipe

NOT_MATRICES = ("conv_in", "conv_out", "label_embedding", "time_embedding.linear_1")
"""Parameters between the network and the outside, which AdamW learns although they have two axes or more."""
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the Newton-Schulz iteration: steep at zero, so that five rounds are enough (Jordan et al. 2024)."""
LIKE_ADAM = 0.2
"""Makes an update's root mean square that of AdamW's: one learning rate serves both (Liu et al. 2025, equation 4)."""
OTHERS_SHARE = 0.5
"""AdamW's learning rate as a share of the matrices'."""


def make_optimizer(learner: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimizer over everything that learns; the trainer sets each group's learning rate before each step.

    A group's `share` says what part of the recipe's rate it takes.
    """
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(
            learner.parameters(), lr=0.0, betas=(0.9, 0.999), weight_decay=recipe.weight_decay, fused=True
        )
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in learner.named_parameters():
        is_matrix = parameter.ndim >= 2 and not any(part in name for part in NOT_MATRICES)
        (matrices if is_matrix else others).append(parameter)
    groups = [
        {"params": matrices, "matrix": True, "share": 1.0},
        {"params": others, "matrix": False, "share": OTHERS_SHARE},
    ]
    return Muon([group for group in groups if group["params"]], recipe.weight_decay)


class Muon(torch.optim.Optimizer):
    """Momentum whose matrices are orthogonalised before they are followed; a convolution is (out, in·k·k).

    Written here because PyTorch's own takes matrices alone, and most of a U-Net's weights have four axes.

    Args:
        groups: Each with `params` and whether they are a `matrix`; those that are not are learnt by AdamW.
        weight_decay: Decoupled, of all groups.

    Source: Jordan et al. 2024, algorithm 1; Liu et al. 2025, "Muon is scalable"; Loshchilov and Hutter 2019,
    algorithm 2.
    """

    def __init__(
        self, groups: list[dict[str, Any]], weight_decay: float, momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.99),
    ) -> None:  # fmt: skip
        super().__init__(groups, {"lr": 0.0, "weight_decay": weight_decay, "momentum": momentum, "betas": betas})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Follow the gradients; a parameter without one is left alone, and the closure is not used."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    follow = self._follow_matrix if group["matrix"] else self._follow
                    follow(parameter, parameter.grad, group)

    def _follow_matrix(self, parameter: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        state, beta = self.state[parameter], group["momentum"]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].lerp_(gradient, 1 - beta)
        update = gradient.lerp(state["momentum"], beta).flatten(1)  # Nesterov's look ahead; (out, in)
        scale = LIKE_ADAM * max(update.shape) ** 0.5
        parameter.add_(orthogonalised(update).view_as(parameter), alpha=-group["lr"] * scale)

    def _follow(self, parameter: torch.Tensor, gradient: torch.Tensor, group: dict[str, Any]) -> None:
        state, (beta1, beta2) = self.state[parameter], group["betas"]
        if not state:
            state["count"] = torch.zeros((), dtype=torch.float32)
            state["mean"], state["square"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        state["count"] += 1
        count = float(state["count"])
        state["mean"].lerp_(gradient, 1 - beta1)
        state["square"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        spread = (state["square"] / (1 - beta2**count)).sqrt_().add_(1e-8)
        parameter.addcdiv_(state["mean"], spread, value=-group["lr"] / (1 - beta1**count))


def orthogonalised(matrix: torch.Tensor, rounds: int = 5) -> torch.Tensor:
    """A matrix with the same singular vectors and singular values between about 0.7 and 1.2.

    Args:
        matrix: (M, N); singular values far below the greatest one stay small.
        rounds: Newton-Schulz iterations, in bfloat16.

    Returns:
        (M, N) in the matrix's own dtype.
    """
    a, b, c = COEFFICIENTS
    x = matrix.bfloat16()
    is_tall = x.shape[0] > x.shape[1]
    x = x.T if is_tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(rounds):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    even: torch.Tensor = (x.T if is_tall else x).to(matrix.dtype)
    return even


SPIKE = 4.0
"""A gradient so many times as long as usual is not followed."""
MOST_REFUSED = 40
"""So many in a row mean that the run has come apart; the weights before them are better."""
FOLLOWS = 0.02
"""How fast the usual length follows the lengths seen."""


class GradientGuard:
    """Remembers how long gradients usually are.

    Attributes:
        usual: Length of a usual gradient; 0 before the first.
        refused: Gradients refused in a row.
    """

    def __init__(self) -> None:
        self.usual, self.refused = 0.0, 0

    def is_usual(self, norm: float) -> bool:
        """Whether a gradient of this length may be followed; it is counted. `Diverged` if too many in a row may not."""
        if self.usual == 0.0 and math.isfinite(norm):
            self.usual = norm
        is_usual = norm <= SPIKE * self.usual
        if math.isfinite(norm):  # refused ones count, too: what a finished model is learned on with grows step by step
            self.usual += FOLLOWS * (min(norm, SPIKE * self.usual) - self.usual)
        if is_usual:
            self.refused = 0
            return True
        self.refused += 1
        if self.refused == MOST_REFUSED:
            raise Diverged(
                translate("errors", "{0} gradients in a row were more than {1:g} times as long as usual.").format(
                    MOST_REFUSED, SPIKE
                )
            )
        return False
