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
        optimizer: "muon" or "adamw"; see `optimizer`.
        warmup_pictures: The rate rises over so many pictures.
        decay_share: The last share of the run in which the rate falls as a cosine to nothing.
        ema_decay: Of the averaged weights, per step.
        label_dropout: See `noise.draw_labels`.
        weight_decay: Decoupled from the gradient, as in AdamW.
        clip: Largest norm of the gradient.
        flip: Mirror half of the pictures.
        mixed_precision: "bf16", "fp16" or "no".
        seed: Of everything random.
        report_every: Pictures between reports.
        checkpoint_every: Pictures between checkpoints.
        sample_every: Pictures between sample sheets; 0 draws none.
        minutes: Time to learn for; unless it is 0 the run and the decay end by time, whatever `total_pictures` says.
    """

    total_pictures: int
    batch: int = 32
    learning_rate: float = 1e-3
    optimizer: str = "muon"
    warmup_pictures: int = 4800
    decay_share: float = 0.8
    ema_decay: float = 0.999
    label_dropout: float = 0.07
    weight_decay: float = 0.01
    clip: float = 1.0
    flip: bool = True
    mixed_precision: str = "bf16"
    seed: int = 0
    report_every: int = 3200
    checkpoint_every: int = 9600
    sample_every: int = 24000
    minutes: float = 0.0


def learning_rate_at(recipe: Recipe, pictures: int, elapsed_s: float = 0.0) -> float:
    """Warm-up, then constant, then a cosine to nothing over the run's last share.

    Args:
        recipe: How high, how long.
        pictures: Seen so far.
        elapsed_s: Seconds spent so far; they count if the run ends by time.
    """
    rise = min(1.0, (pictures + recipe.batch) / max(recipe.warmup_pictures, 1))
    place, end = (elapsed_s, 60 * recipe.minutes) if recipe.minutes else (pictures, recipe.total_pictures)
    start = end * (1 - recipe.decay_share)
    fall = min(1.0, max(0.0, (place - start) / max(end - start, 1)))
    return recipe.learning_rate * rise * 0.5 * (1 + math.cos(math.pi * fall))
