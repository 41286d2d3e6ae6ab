"""How a pipeline's states are scaled against what its autoencoder takes: the pipelines' own arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

_UNSCALED = ("LDMSuperResolutionPipeline",)
"""They decode their states as they are, though their autoencoder's config names a factor."""
_RECIPROCAL = ("DiTPipeline", "LDMTextToImagePipeline")
"""They multiply by 1/factor; all others divide by the factor, which rounds differently in the last bit."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """State = (latents − shift) · factor, or (latents − mean) / std · factor with a mean and a std for each channel.

    With `patch` there is one of both for each channel and place in a patch (Flux 2): c · patch² + row · patch + column.

    Attributes:
        factor: None where there is none.
        shift: added after dividing by the factor.
        mean: the numbers, or nothing.
        std: the numbers, or nothing.
        patch: edge of the patches that mean and std are for; 1 where they are for channels.
        is_reciprocal: whether the pipeline multiplies by 1/factor.
        skips_codebook: whether latents are decoded without being moved to the nearest entry of a codebook.
    """

    factor: float | None = None
    shift: float | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    patch: int = 1
    is_reciprocal: bool = False
    skips_codebook: bool = False

    def from_state(self, state: torch.Tensor) -> torch.Tensor:
        """What the autoencoder is to decode, in the pipelines' order of operations, so that not a bit differs.

        Args:
            state: (B, C, h, w).
        """
        if self.patch > 1:
            patches = pixel_unshuffle(state, self.patch)
            return pixel_shuffle(patches * self._each(self.std, state) + self._each(self.mean, state), self.patch)
        if self.mean and self.factor is not None:  # Stable Diffusion XL
            return state * self._each(self.std, state) / self.factor + self._each(self.mean, state)
        if self.mean:  # Qwen-Image
            return state / (1.0 / self._each(self.std, state)) + self._each(self.mean, state)
        if self.factor is None:
            return state
        unscaled = 1 / self.factor * state if self.is_reciprocal else state / self.factor
        return unscaled if self.shift is None else unscaled + self.shift

    def to_state(self, latents: torch.Tensor) -> torch.Tensor:
        """The clean state of latents that the autoencoder encoded, (B, C, h, w)."""
        if self.patch > 1:
            patches = pixel_unshuffle(latents, self.patch)
            return pixel_shuffle((patches - self._each(self.mean, patches)) / self._each(self.std, patches), self.patch)
        if self.mean:
            latents = (latents - self._each(self.mean, latents)) / self._each(self.std, latents)
        elif self.shift is not None:
            latents = latents - self.shift
        return latents if self.factor is None else latents * self.factor

    def _each(self, numbers: tuple[float, ...], like: torch.Tensor) -> torch.Tensor:
        return torch.tensor(numbers).view(1, -1, 1, 1).to(like.device, like.dtype)


def scaling_of(pipeline: Any, vae: Any) -> Scaling:
    """The scaling that a pipeline uses, from its kind and the config of its autoencoder."""
    name = type(pipeline).__name__
    if getattr(pipeline, "movq", None) is not None:  # Kandinsky
        return Scaling(skips_codebook=True)
    if name in _UNSCALED:
        return Scaling()
    config = vae.config
    if getattr(vae, "bn", None) is not None:
        return _of_patches(vae)
    mean, std = (getattr(config, which, None) for which in ("latents_mean", "latents_std"))
    return Scaling(
        factor=getattr(config, "scaling_factor", None),
        shift=getattr(config, "shift_factor", None),
        mean=tuple(mean) if mean and std else (),
        std=tuple(std) if mean and std else (),
        is_reciprocal=name in _RECIPROCAL,
    )


def _of_patches(vae: Any) -> Scaling:
    """The running mean and deviation that an autoencoder keeps of its latents' patches of 2×2."""
    std = torch.sqrt(vae.bn.running_var + vae.config.batch_norm_eps)
    return Scaling(mean=tuple(vae.bn.running_mean.tolist()), std=tuple(std.tolist()), patch=2)
