"""Training batches: pictures at random noise levels of the forward process, with labels dropped at random.

| code | paper symbol |
| --- | --- |
| `a`, `s` | α_t = √ᾱ_t and σ_t = √(1 − ᾱ_t) |
| `v` | α_t·ε − σ_t·x0 (Salimans and Ho 2022, appendix D) |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from sculptor_app.diffusion.label_embedding import LabelEmbedding
from sculptor_app.training.records.plan import Recipe

CENTRE, SPREAD = 0.0, 2.6
"""Mean and standard deviation of the log-SNR trained at; about where composition turns into structure."""
EVEN_SHARE = 0.15
"""Share of pictures whose timestep is drawn evenly, so that no level is left out."""


def levels(alphas_cumprod: torch.Tensor, timesteps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, 1, 1, 1) signal and noise amplitudes a and s at timesteps (B,)."""
    a_squared = alphas_cumprod.to(timesteps.device)[timesteps].reshape(-1, 1, 1, 1)
    return a_squared.sqrt(), (1 - a_squared).sqrt()


def add_noise(
    clean: torch.Tensor, noise: torch.Tensor, alphas_cumprod: torch.Tensor, timesteps: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy states and what the network is to predict.

    Args:
        clean: x0, (B, 3, H, W) in [-1, 1].
        noise: n, the same shape, of unit variance.
        alphas_cumprod: ᾱ of the schedule, (T,).
        timesteps: (B,) int64.

    Returns:
        x_t = a·x0 + s·n and v = a·n − s·x0.

    Source: Ho et al. 2020, equation 4; Salimans and Ho 2022, appendix D.
    """
    a, s = levels(alphas_cumprod, timesteps)
    return a * clean + s * noise, a * noise - s * clean


def draw_timesteps(count: int, alphas_cumprod: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """(count,) timesteps whose log-SNR is normally distributed, with a share of evenly drawn ones.

    Source: the idea of Esser et al. 2024, section 3.1 (logit-normal times), on the log-SNR axis.
    """
    log_snr = torch.log(alphas_cumprod / (1 - alphas_cumprod))  # falls with t
    wanted = CENTRE + SPREAD * torch.randn(count, generator=generator, dtype=torch.float32)
    normal = torch.searchsorted(-log_snr.contiguous(), -wanted).clamp(max=len(log_snr) - 1)
    even = torch.randint(0, len(log_snr), (count,), generator=generator)
    return torch.where(torch.rand(count, generator=generator, dtype=torch.float32) < EVEN_SHARE, even, normal)


def draw_labels(
    forms: torch.Tensor, materials: torch.Tensor, null: tuple[int, int], rate: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels with some replaced by the null label: both at once at the rate, and each alone at the rate.

    Source: Ho and Salimans 2022, algorithm 1.
    """
    chance = torch.rand(3, len(forms), generator=generator, dtype=torch.float32)
    drop_form, drop_material = (chance[0] < rate) | (chance[1] < rate), (chance[0] < rate) | (chance[2] < rate)
    return torch.where(drop_form, null[0], forms), torch.where(drop_material, null[1], materials)


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
    """What one step sees."""

    noisy: torch.Tensor  # x_t, (B, 3, H, W)
    target: torch.Tensor  # v, the same shape
    timesteps: torch.Tensor  # (B,) int64
    forms: torch.Tensor  # (B,) int64, some null
    materials: torch.Tensor  # (B,) int64, some null


def draw_batch(
    pictures: PictureSet, table: LabelEmbedding, alphas_cumprod: torch.Tensor, recipe: Recipe,
    generator: torch.Generator, device: torch.device,
) -> Batch:  # fmt: skip
    """Pictures at random, mirrored at random, at random noise levels; everything random comes from the generator.

    Args:
        alphas_cumprod: ᾱ of the schedule, (T,), on the CPU.
        generator: On the CPU, so that a seed means the same on every device.
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
