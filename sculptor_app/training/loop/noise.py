"""The forward process at chosen noise levels, and which levels to train at.

| code | paper symbol |
| --- | --- |
| `a`, `s` | α_t = √ᾱ_t and σ_t = √(1 − ᾱ_t) |
| `v` | α_t·ε − σ_t·x0 (Salimans and Ho 2022, appendix D) |
"""

from __future__ import annotations

import torch

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
    """Noisy states and what the network is to say about them.

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
    forms: torch.Tensor, materials: torch.Tensor, free: tuple[int, int], rate: float, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels with some left free: both at once at the rate, and each alone at the rate.

    Source: Ho and Salimans 2022, algorithm 1.
    """
    chance = torch.rand(3, len(forms), generator=generator, dtype=torch.float32)
    drop_form, drop_material = (chance[0] < rate) | (chance[1] < rate), (chance[0] < rate) | (chance[2] < rate)
    return torch.where(drop_form, free[0], forms), torch.where(drop_material, free[1], materials)
