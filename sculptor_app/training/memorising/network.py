"""A small network that learns a few pictures on the CPU, step by step, and is sampled in between.

The network, the batches and the optimizer are those of every training run. Its loop is its own: accelerate keeps one
state for the whole process, and a run of the page Learn may go on meanwhile.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import pixel_unshuffle

from sculptor_app.core.errors import Cancelled
from sculptor_app.training.data.batches import draw_batch
from sculptor_app.training.evaluation.claims.samples import Plan, sample_batch
from sculptor_app.training.loop.optimizer import make_optimizer
from sculptor_app.training.network import (
    TrainableModule,
    contiguous_group_norms,
    new_pipeline,
    use_float32_attention,
    with_weights_of,
)
from sculptor_app.training.records.plan import Recipe, learning_rate_at

SIZE, PATCH, CHANNELS = 16, 2, (64, 64)
"""Edge of the pictures and of the network's patches in pixels, and its widths. Norms have 32 groups: with a channel in
each, narrower networks never learn how bright a picture is."""
BATCH = 8
RECIPE = Recipe(
    total_pictures=10**9, batch=BATCH, learning_rate=1e-3, optimizer="adamw", warmup_pictures=20 * BATCH,
    decay_share=0.0, ema_decay=0.99, label_dropout=0.0, weight_decay=0.0, flip=False, mixed_precision="no",
)  # fmt: skip
"""Plain: a constant rate, and nothing that works against memorising."""

SAMPLES = 64
SAMPLING_STEPS = 10
SAMPLING_SEED = 20_261_201
"""Of the noise that is sculpted each time."""


class SmallNetwork:
    """An unconditional network and the pictures that it learns.

    Args:
        pictures: (N, SIZE, SIZE, 3) uint8.
        seed: Of its first weights and of everything random while it learns.

    Attributes:
        steps: Taken so far.
    """

    def __init__(self, pictures: NDArray[np.uint8], seed: int) -> None:
        self.steps = 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self._pipeline = new_pipeline((), (), SIZE, PATCH, CHANNELS)
        self._recipe = replace(RECIPE, seed=seed)
        self._pictures = _FewPictures(pictures)
        self._learner = TrainableModule(self._pipeline).train().requires_grad_(True)
        use_float32_attention(self._learner)
        contiguous_group_norms(self._learner)
        self._average = copy.deepcopy(self._learner).eval().requires_grad_(False)
        self._optimizer = make_optimizer(self._learner, self._recipe)
        self._generator = torch.Generator().manual_seed(seed)

    def learn(self, until: int, is_stopped: Callable[[], bool]) -> None:
        """Go on until so many steps are taken.

        Args:
            is_stopped: Asked before each step.

        Raises:
            Cancelled: It was stopped.
        """
        while self.steps < until:
            if is_stopped():
                raise Cancelled
            self._step()

    def _step(self) -> None:
        table, levels = self._pipeline.label_embedding, self._pipeline.scheduler.alphas_cumprod
        batch = draw_batch(self._pictures, table, levels, self._recipe, self._generator, torch.device("cpu"))
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate_at(self._recipe, self.steps * BATCH)
        v = self._learner(pixel_unshuffle(batch.noisy, PATCH), batch.timesteps, batch.forms, batch.materials)
        (v - pixel_unshuffle(batch.target, PATCH)).square().mean().backward()
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.steps += 1
        decay = min(RECIPE.ema_decay, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            torch._foreach_lerp_(list(self._average.parameters()), list(self._learner.parameters()), 1 - decay)

    def samples(self, is_stopped: Callable[[], bool]) -> torch.Tensor:
        """Pictures (SAMPLES, 3, SIZE, SIZE) uint8 of the averaged weights, of the same noise each time.

        Raises:
            Cancelled: It was stopped.
        """
        generator = torch.Generator().manual_seed(SAMPLING_SEED)
        noise = torch.randn((SAMPLES, 3, SIZE, SIZE), generator=generator, dtype=torch.float32)
        labels = torch.zeros((2, SAMPLES), dtype=torch.int64)
        pipeline = with_weights_of(self._average, self._pipeline)
        return sample_batch(pipeline, "ddim", Plan(SAMPLING_STEPS), noise, labels, is_stopped)


class _FewPictures:
    """Pictures without labels as a training set."""

    def __init__(self, pictures: NDArray[np.uint8]) -> None:
        self._pictures = pictures

    @property
    def shard_names(self) -> list[str]:
        """They come from no shards."""
        return []

    def __len__(self) -> int:
        return len(self._pictures)

    def refresh(self, only: list[str] | None = None) -> None:
        """Nothing is added to them."""

    def take(self, indices: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        """Pictures (B, SIZE, SIZE, 3) uint8 at these places, each with the null labels."""
        none = np.zeros(len(indices), np.int64)
        return self._pictures[indices], none, none

    def provenance(self) -> dict[str, Any]:
        """Nothing is kept of them."""
        return {}
