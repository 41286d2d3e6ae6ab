"""Samples of a model with every pair of form and material, as equally often as their number allows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from sculptor_app.atelier.labels import FORMS, MATERIALS
from sculptor_app.diffusion.schedulers import make_scheduler
from sculptor_app.training.samples import sample_labelled

PAIRS = len(FORMS) * len(MATERIALS)
AT_ONCE = 24
"""Pictures that are sampled together; part of what a seed means, so that it is the same on every device."""
_ORDER_SEED = 20_261_125


def cycle_labels(count: int) -> tuple[list[int], list[int]]:
    """Forms and materials of samples 0 to count - 1: all 48 pairs in a fixed shuffled order, again and again."""
    order = np.random.default_rng(_ORDER_SEED).permutation(PAIRS)
    pairs = [int(order[i % PAIRS]) for i in range(count)]
    return [pair % len(FORMS) for pair in pairs], [pair // len(FORMS) for pair in pairs]


def draw_samples(
    pipeline: Any, forms: list[int], materials: list[int], seed: int, steps: int, guidance: float
) -> Iterator[torch.Tensor]:
    """Sample a picture for each pair of labels with DDIM.

    The first n of many samples are the same as n samples alone.

    Args:
        pipeline: A SculptorPipeline; its scheduler is replaced.
        forms: Labels.
        materials: Labels.
        seed: Of the noise.
        steps: Reverse steps.
        guidance: Scale of the classifier-free guidance.

    Yields:
        (n, 3, H, W) uint8, n up to 24, in the order of the labels.
    """
    pipeline.scheduler = make_scheduler("ddim", dict(pipeline.scheduler.config), steps)
    for start in range(0, len(forms), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        noise_seed = int(np.random.default_rng([seed, start]).integers(2**63))
        array = sample_labelled(pipeline, forms[part], materials[part], noise_seed, steps, guidance)
        yield torch.from_numpy(array).permute(0, 3, 1, 2)
