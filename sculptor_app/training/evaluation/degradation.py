"""Pictures made worse on purpose, so that the judge reads samples that are rougher than renders."""

from __future__ import annotations

import torch
from torch.nn.functional import conv2d, interpolate, pad

MOST_NOISE = 0.25
"""Largest standard deviation of added noise, for pictures in [-1, 1]."""
MOST_BLUR_PX = 1.2
"""Largest standard deviation of the blur at 64 pixels; it grows with the picture."""
CLEAN_SHARE = 0.3
"""Share of the pictures that get neither noise nor blur."""
SHIFT, CONTRAST = 0.12, 0.15
"""Brightness moves by so much at most, contrast by such a share."""


def wear(pictures: torch.Tensor, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Mirror, blur, dim or brighten, and add noise; every picture by another amount.

    Args:
        pictures: (B, 3, H, W) in [-1, 1].
        generator: Source of all chance, on the CPU.

    Returns:
        The worn pictures, in [-1, 1], and their roughness (B, 2): noise and blur, each 0 to 1.
    """
    count = len(pictures)
    chance = torch.rand(count, 6, generator=generator)
    rough = (chance[:, 0] >= CLEAN_SHARE).float()
    noise, blur = chance[:, 1].square() * rough, chance[:, 2] * rough
    worn = torch.where(_column(chance[:, 3] < 0.5), pictures.flip(3), pictures)
    worn = _blurred(worn, blur * MOST_BLUR_PX * pictures.shape[3] / 64)
    middle = worn.mean(dim=(1, 2, 3), keepdim=True)
    contrast, shift = _column(1 + CONTRAST * (2 * chance[:, 4] - 1)), _column(SHIFT * (2 * chance[:, 5] - 1))
    worn = middle + contrast * (worn - middle) + shift
    worn = worn + _column(noise * MOST_NOISE) * _mixed_noise(worn.shape, generator)
    return worn.clamp(-1, 1), torch.stack([noise, blur], dim=1)


def _column(values: torch.Tensor) -> torch.Tensor:
    return values.reshape(-1, 1, 1, 1)


def _mixed_noise(shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """Noise of unit variance: fine grain and blotches of 4 pixels in a ratio of its own for every picture.

    A model that works on patches of 4 by 4 errs at both scales.
    """
    fine = torch.randn(shape, generator=generator)
    coarse = interpolate(torch.randn(*shape[:2], shape[2] // 4, shape[3] // 4, generator=generator), shape[2:])
    turn = _column(torch.rand(shape[0], generator=generator) * torch.pi / 2)
    return turn.cos() * fine + turn.sin() * coarse


def _blurred(pictures: torch.Tensor, sigma_px: torch.Tensor) -> torch.Tensor:
    """Pictures (B, 3, H, W) under a Gaussian of the given widths (B,); 0 leaves a picture as it is."""
    count, channels, height, width = pictures.shape
    reach = max(1, round(3 * MOST_BLUR_PX * width / 64))
    steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (steps / sigma_px.clamp(min=0.05)[:, None]).square())
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)  # (3B, 2·reach + 1)
    lined = pad(pictures, (reach, reach, reach, reach), mode="replicate").reshape(
        1, -1, height + 2 * reach, width + 2 * reach
    )
    lined = conv2d(lined, kernel[:, None, :, None], groups=len(kernel))
    lined = conv2d(lined, kernel[:, None, None, :], groups=len(kernel))
    return lined.reshape(count, channels, height, width)
