"""Where training pictures come from, and one step's share of them, noised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from sculptor_app.diffusion.label_embedding import LabelEmbedding
from sculptor_app.training.loop.noise import add_noise, draw_labels, draw_timesteps
from sculptor_app.training.loop.recipe import Recipe


class PictureSet(Protocol):
    """Where training pictures come from."""

    @property
    def shard_names(self) -> list[str]:
        """What has been read, for a resumed run to read the same."""

    def __len__(self) -> int: ...

    def refresh(self, only: list[str] | None = None) -> None:
        """Look for new pictures, or read exactly those named."""

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pictures (B, H, W, 3) uint8, forms (B,) and materials (B,)."""

    def provenance(self) -> dict[str, Any]:
        """What the model was learned from, for its `training.json`."""


@dataclass(frozen=True)
class Batch:
    """What one step sees.

    Attributes:
        noisy: x_t, (B, 3, H, W).
        target: v, the same shape.
        timesteps: (B,) int64.
        forms: (B,) int64, some left free.
        materials: (B,) int64, some left free.
    """

    noisy: torch.Tensor
    target: torch.Tensor
    timesteps: torch.Tensor
    forms: torch.Tensor
    materials: torch.Tensor


def draw_batch(
    pictures: PictureSet, table: LabelEmbedding, alphas_cumprod: torch.Tensor, recipe: Recipe,
    generator: torch.Generator, device: torch.device,
) -> Batch:  # fmt: skip
    """Pictures at random, mirrored at random, at random noise levels; everything random comes from the generator.

    Args:
        pictures: The training set.
        table: Knows which labels stand for "left free".
        alphas_cumprod: ᾱ of the schedule, (T,), on the CPU.
        recipe: How many, whether mirrored, how often without labels.
        generator: On the CPU, so that a seed means the same on every device.
        device: Where the batch goes.
    """
    count = recipe.batch
    indices = torch.randint(0, len(pictures), (count,), generator=generator).numpy()
    array, forms, materials = pictures.take(indices)
    clean = torch.from_numpy(array).permute(0, 3, 1, 2).float() / 127.5 - 1
    if recipe.flip:
        mirrored = torch.rand(count, generator=generator, dtype=torch.float32) < 0.5
        clean = torch.where(mirrored.reshape(-1, 1, 1, 1), clean.flip(3), clean)
    labels = draw_labels(torch.from_numpy(forms), torch.from_numpy(materials),
                         (table.null_form, table.null_material), recipe.label_dropout, generator)  # fmt: skip
    timesteps = draw_timesteps(count, alphas_cumprod, generator)
    noise = torch.randn(clean.shape, generator=generator, dtype=torch.float32)
    clean, timesteps, noise = clean.to(device), timesteps.to(device), noise.to(device)
    noisy, target = add_noise(clean, noise, alphas_cumprod, timesteps)
    return Batch(noisy, target, timesteps, labels[0].to(device), labels[1].to(device))
