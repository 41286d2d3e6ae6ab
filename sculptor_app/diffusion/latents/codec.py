"""Latent codec: decoding a pipeline's latents to pixels and encoding pixels, with its own autoencoder and scaling."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers.utils.torch_utils import get_module_execution_device
from numpy.typing import NDArray
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.diffusion.pipelines.errors import is_out_of_memory, memory_errors, release_memory
from sculptor_app.diffusion.pipelines.layout import (
    Autoencoder,
    NoPictureOfLatents,
    Pipeline,
    StateLayout,
    autoencoder_of,
    latent_layout_of,
)

_UNSCALED = ("LDMSuperResolutionPipeline",)
"""They decode their states as they are, though their autoencoder's config names a factor."""
_RECIPROCAL = ("DiTPipeline", "LDMTextToImagePipeline")
"""They multiply by 1/factor; all others divide by the factor, which rounds differently in the last bit."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """Scaling of states against the autoencoder's latents, in the pipelines' own arithmetic.

    State = (latents − shift) · factor, or (latents − mean) / std · factor with a mean and a std for each channel. With
    `patch` there is one of both for each channel and place in a patch (Flux 2): c · patch² + row · patch + column.
    """

    factor: float | None = None  # None where there is none
    shift: float | None = None  # added after dividing by the factor
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    patch: int = 1  # edge of the patches that mean and std are for; 1 where they are for channels
    is_reciprocal: bool = False  # whether the pipeline multiplies by 1/factor
    skips_codebook: bool = False  # whether latents are decoded without being moved to the nearest entry of a codebook

    def from_state(self, state: torch.Tensor) -> torch.Tensor:
        """Latents (B, C, h, w) for the autoencoder, in the pipelines' order of operations: not a bit differs."""
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
    if getattr(vae, "bn", None) is not None:  # it keeps the running mean and variance of its latents' patches of 2×2
        deviation = torch.sqrt(vae.bn.running_var + config.batch_norm_eps)
        means = vae.bn.running_mean
        if latent_layout_of(pipeline).channels_last:
            means, deviation = (each.view(4, -1).T.flatten() for each in (means, deviation))
        return Scaling(mean=tuple(means.tolist()), std=tuple(deviation.tolist()), patch=2)
    mean, std = (getattr(config, which, None) for which in ("latents_mean", "latents_std"))
    return Scaling(
        factor=getattr(config, "scaling_factor", None),
        shift=getattr(config, "shift_factor", None),
        mean=tuple(mean) if mean and std else (),
        std=tuple(std) if mean and std else (),
        is_reciprocal=name in _RECIPROCAL,
    )


class LatentCodec:
    """Codec between states, or guesses, of a pipeline and pixels.

    What it decodes equals the pipeline's own picture bit for bit: the autoencoder is called with the same numbers, in
    the same type, on the same device. It is looked up again for each picture, as a run may have moved it.

    Args:
        vae: An autoencoder to use instead of the pipeline's own, as TAESD; on the same device.

    Attributes:
        is_in_tiles: whether memory was too short for whole pictures, so that they are decoded in blended tiles.

    Raises:
        NoPictureOfLatents: Its states are pixels already, or no picture.
    """

    def __init__(self, pipeline: Pipeline, vae: Autoencoder | None = None) -> None:
        self.layout: StateLayout = latent_layout_of(pipeline)
        if self.layout.why_not:
            raise NoPictureOfLatents(
                self.layout.why_not, translate("errors", "Its latents cannot be decoded; choose another model.")
            )
        if self.layout.space == "pixels":
            raise NoPictureOfLatents(
                translate("errors", "The states of this model are pixels already."),
                translate("errors", "There is nothing to decode."),
            )
        self._pipeline = pipeline
        self._vae = vae
        self.is_in_tiles = False

    @property
    def vae(self) -> Autoencoder:
        """The autoencoder that is used."""
        return self._vae if self._vae is not None else autoencoder_of(self._pipeline)

    @property
    def scaling(self) -> Scaling:
        """Scaling of states against the autoencoder's latents."""
        return scaling_of(self._pipeline, self.vae)

    def decode(self, state: Frame) -> Frame:
        """Decode one frame to pixels, (3, H, W) float32, about -1 to 1, not clipped.

        Args:
            state: (C, h, w), divided by its level's scale, or a guess.

        Raises:
            OutOfDeviceMemory: There is too little even for tiles.
            NoPictureOfLatents: The decoder's output is no picture.
        """
        with self._ready() as (vae, device):
            latents = self.scaling.from_state(torch.from_numpy(state.copy())[None].to(device, vae.dtype))
            pixels = self._decoded(vae, latents)
        if pixels.ndim != 4 or pixels.shape[1] != 3:
            raise NoPictureOfLatents(
                translate("errors", "The decoder gave the shape {0}, which is no picture.").format(tuple(pixels.shape)),
                translate("errors", "Choose another model."),
            )
        frame: Frame = pixels[0].to("cpu", torch.float32).contiguous().numpy()
        return frame

    def encode(self, picture: Frame) -> Frame:
        """Encode one picture to its clean state, (C, h, w) float32: the scaled mean of the posterior.

        Args:
            picture: (3, H, W) float32 in [-1, 1], H and W multiples of the layout's factor.

        Raises:
            OutOfDeviceMemory: There is too little.
        """
        with self._ready() as (vae, device):
            pixels = torch.from_numpy(picture.copy())[None].to(device, vae.dtype)
            if self.layout.has_time:
                pixels = pixels[:, :, None]
            latents = _mean(vae.encode(pixels))
            latents = self.scaling.to_state(latents[:, :, 0] if self.layout.has_time else latents)
        frame: Frame = latents[0].to("cpu", torch.float32).contiguous().numpy()
        return frame

    def _decoded(self, vae: Autoencoder, latents: torch.Tensor) -> torch.Tensor:
        arguments: dict[str, Any] = {"return_dict": False}
        if self.scaling.skips_codebook:
            arguments["force_not_quantize"] = True
        if self.layout.has_time:
            latents = latents[:, :, None]
        decoded = self._with_tiles_at_need(vae, lambda: vae.decode(latents, **arguments)[0])
        return decoded[:, :, 0] if self.layout.has_time else decoded

    def _with_tiles_at_need(self, vae: Autoencoder, decode: Callable[[], torch.Tensor]) -> torch.Tensor:
        try:
            return decode()
        except Exception as error:
            if not is_out_of_memory(error) or getattr(vae, "use_tiling", True):
                raise
        release_memory()
        vae.enable_tiling()  # blended borders differ a little from the whole picture: only where there is no other way
        self.is_in_tiles = True
        try:
            return decode()
        finally:
            vae.disable_tiling()

    @contextlib.contextmanager
    def _ready(self) -> Iterator[tuple[Autoencoder, torch.device]]:
        """The autoencoder in the type that its pipeline decodes in, and its device.

        Some overflow in float16 and say so in their config; the pipelines that heed it decode those in float32.
        """
        vae = self.vae
        wider = (
            vae.dtype == torch.float16
            and getattr(vae.config, "force_upcast", False)
            and hasattr(self._pipeline, "upcast_vae")
        )
        if wider:
            vae.to(dtype=torch.float32)
        device = get_module_execution_device(vae)
        try:
            with torch.no_grad(), memory_errors("CPU" if device.type == "cpu" else "the GPU"):
                yield vae, device
        finally:
            if wider:
                vae.to(dtype=torch.float16)


def _mean(encoded: Any) -> torch.Tensor:
    """Mean of an encoder's output, whichever of diffusers' forms that has."""
    if hasattr(encoded, "latent_dist"):
        encoded = {"latents": encoded.latent_dist.mode()}
    for name in ("latents", "latent"):
        if name in encoded:
            found: torch.Tensor = encoded[name]
            return found
    raise NoPictureOfLatents(
        translate("errors", "The encoder gave a {0}, which Sculptor does not know.").format(type(encoded).__name__),
        translate("errors", "Choose another model."),
    )


def area_average(pixels: Frame, factor: int) -> NDArray[np.float64]:
    """A picture (3, H, W) shrunk to the latents' resolution (3, H/factor, W/factor), each block its mean."""
    _, height, width = pixels.shape
    blocks = pixels.reshape(3, height // factor, factor, width // factor, factor)
    average: NDArray[np.float64] = blocks.mean(axis=(2, 4), dtype=np.float64)
    return average
