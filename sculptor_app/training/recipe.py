"""How to learn: everything that a person may choose about a training run."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """How to learn.

    Attributes:
        total_pictures: Pictures to see in all, repeats counted; the learning rate's decay ends here.
        batch: Pictures per step.
        learning_rate: Highest.
        warmup_pictures: The rate rises over so many pictures.
        decay_share: The last share of the run in which the rate falls as a cosine to nothing.
        ema_decay: Of the averaged weights, per step.
        label_dropout: See `noise.draw_labels`.
        weight_decay: Of AdamW.
        clip: Largest norm of the gradient.
        flip: Mirror half of the pictures.
        mixed_precision: "bf16", "fp16" or "no".
        seed: Of everything random.
        report_every: Pictures between reports.
        checkpoint_every: Pictures between checkpoints.
        sample_every: Pictures between sample sheets.
    """

    total_pictures: int
    batch: int = 16
    learning_rate: float = 2.5e-4
    warmup_pictures: int = 4800
    decay_share: float = 0.8
    ema_decay: float = 0.999
    label_dropout: float = 0.07
    weight_decay: float = 0.02
    clip: float = 0.5
    flip: bool = True
    mixed_precision: str = "bf16"
    seed: int = 0
    report_every: int = 3200
    checkpoint_every: int = 9600
    sample_every: int = 24000


def learning_rate_at(recipe: Recipe, pictures: int) -> float:
    """Warm-up, then constant, then a cosine to nothing over the run's last share."""
    rise = min(1.0, (pictures + recipe.batch) / max(recipe.warmup_pictures, 1))
    start = recipe.total_pictures * (1 - recipe.decay_share)
    fall = min(1.0, max(0.0, (pictures - start) / max(recipe.total_pictures - start, 1)))
    return recipe.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * fall))
