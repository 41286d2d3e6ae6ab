"""The optimizer of a training run."""

from __future__ import annotations

import torch
from torch import nn

from sculptor_app.training.recipe import Recipe


def make_optimizer(learner: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW over everything that learns; the trainer sets the learning rate before each step.

    Source: Loshchilov and Hutter 2019, algorithm 2.
    """
    return torch.optim.AdamW(
        learner.parameters(), lr=0.0, betas=(0.9, 0.999), weight_decay=recipe.weight_decay, fused=True
    )
