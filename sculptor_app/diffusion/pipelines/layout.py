"""Layout of a pipeline's states: pixels, latents of a picture, packed latents, or no picture at all."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.step import Frame

Pipeline = Any
"""A pipeline of diffusers, and `Autoencoder` one of its autoencoders; they ship no types."""
Autoencoder = Any

AUTOENCODERS = ("vae", "vqvae", "movq")
"""Names that pipelines have for the network that turns latents into pixels."""
_UNKNOWN_DECODERS = ("vqgan", "vocoder", "image_decoder")
"""Names of networks that also turn states into something, and are not used here."""

_OF_TOKENS = ("AmusedScheduler", "VQDiffusionScheduler", "BlockRefinementScheduler", "DiscreteDDIMScheduler")
"""Schedulers of discrete states: whole numbers that no linear map makes a picture of."""
_PER_LATENT = "_unpack_latents_no_patch"  # of pipelines whose tokens are single latents unless they are asked otherwise
_UNPACKING = ("_unpack_latents", "_unpatchify_latents", "_unpack_latents_with_ids")


class NoPictureOfLatents(SculptorError):
    """The states of a model cannot be turned into a picture here."""


@dataclass(frozen=True, slots=True)
class StateLayout:
    """Layout of the states of a pipeline."""

    space: str  # "pixels" or "latents"; empty where they are not a picture
    channels: int = 0  # C of the latents as their autoencoder takes them; 0 where `space` is not "latents"
    factor: int = 1  # pixels for each latent, along an edge; 1 for pixels
    # Packed states are tokens (B, h/patch · w/patch, C · patch²), or these as a grid (B, C · patch², h/patch, w/patch);
    # 0 where they are (B, C, h, w) as they are
    patch: int = 0
    has_time: bool = False  # whether its autoencoder was made for videos and takes a picture as one of a single frame
    channels_last: bool = False  # whether a token holds patch² times C numbers, not C times patch²
    repeats: int = 1  # how often a state holds its latents, one behind the other along its channels; the last count
    why_not: str = ""  # in plain words, why they are not a picture; empty where they are one

    @property
    def is_picture(self) -> bool:
        """Whether a state can be looked at as a picture."""
        return not self.why_not

    def shape(self, height_px: int, width_px: int) -> tuple[int, int, int]:
        """(C, h, w) of the latents of a picture of this size."""
        grain = self.factor * max(1, self.patch)  # pipelines round a size down to whole tokens
        rows, columns = height_px // grain, width_px // grain
        return self.channels, rows * max(1, self.patch), columns * max(1, self.patch)

    def unpack(self, tokens: NDArray[np.float32], height_px: int, width_px: int) -> Frame:
        """Packed latents of one picture as a frame, (C, h, w) float32.

        Args:
            tokens: (h/patch · w/patch, C · patch²).
            height_px, width_px: of the picture that the run makes.

        Raises:
            ValueError: The states are not packed, or the tokens do not belong to that size.
        """
        channels, height, width = self.shape(height_px, width_px)
        if not self.patch:
            raise ValueError("these states are not packed")
        rows, columns, patch = height // self.patch, width // self.patch, self.patch
        if tokens.shape != (rows * columns, channels * patch**2):
            raise ValueError(f"tokens of the shape {tokens.shape} are no picture of {width_px} × {height_px} pixels")
        grid = tokens.reshape(rows, columns, channels, patch, patch)
        if self.channels_last:
            grid = tokens.reshape(rows, columns, patch, patch, channels).transpose(0, 1, 4, 2, 3)
        return np.ascontiguousarray(grid.transpose(2, 0, 3, 1, 4)).reshape(channels, height, width)


def latent_layout_of(pipeline: Pipeline) -> StateLayout:
    """Layout of the states that a pipeline hands to its scheduler, from its components; nothing is computed.

    A pipeline without an autoencoder works on pixels. A packing is accepted when the pipeline's own way to undo it
    gives, on numbers that are all different, what `StateLayout.unpack` gives.
    """
    name = type(pipeline).__name__
    vae = autoencoder_of(pipeline)
    if type(getattr(pipeline, "scheduler", None)).__name__ in _OF_TOKENS:
        return StateLayout(
            "",
            why_not=translate(
                "errors", "The states of {0} are tokens, numbers of entries in a table, not pictures."
            ).format(name),
        )
    if vae is None:
        why_not = why_unknown_decoder(name, [part for part in _UNKNOWN_DECODERS if hasattr(pipeline, part)])
        return StateLayout("" if why_not else "pixels", why_not=why_not)
    why_not = _why_no_picture(vae)
    if why_not:
        return StateLayout("", why_not=why_not)
    channels, factor = _channels(vae), _factor(vae)
    if not any(hasattr(pipeline, method) for method in _UNPACKING):
        patch = _patch_in_call(pipeline, vae)
        if patch:
            return StateLayout("latents", channels, factor, patch, channels_last=True)
        repeats = 2 if hasattr(pipeline, "_restore_image_tokens_order") else 1
        return StateLayout("latents", channels, factor, has_time=_is_for_videos(vae), repeats=repeats)
    for patch in (1, 2):
        layout = StateLayout("latents", channels, factor, patch, _is_for_videos(vae))
        if _is_native(pipeline, layout):
            return layout
    return StateLayout(
        "", why_not=translate("errors", "{0} packs its latents in a way that Sculptor does not know.").format(name)
    )


def why_unknown_decoder(name: str, parts: Iterable[str]) -> str:
    """The sentence that a pipeline's states are decoded by a network of another kind; empty where none is among parts.

    Args:
        name: Of the pipeline's class.
        parts: The names of its components.
    """
    known = set(parts)
    found = next((each for each in _UNKNOWN_DECODERS if each in known and not known & {*AUTOENCODERS}), "")
    message = translate("errors", "What {0} works on is decoded by a {1}, which Sculptor does not know.")
    return message.format(name, found) if found else ""


def autoencoder_of(pipeline: Pipeline) -> Autoencoder | None:
    """The network that turns a pipeline's latents into pixels; None where it works on pixels."""
    found = (getattr(pipeline, name, None) for name in AUTOENCODERS)
    return next((vae for vae in found if vae is not None), None)


def _why_no_picture(vae: Autoencoder) -> str:
    name = type(vae).__name__
    if not (callable(getattr(vae, "encode", None)) and callable(getattr(vae, "decode", None))):
        return translate("errors", "Its {0} does not both encode and decode.").format(name)
    outputs = getattr(vae.config, "out_channels", 3)
    patch = getattr(vae.config, "patch_size", None)
    outputs //= patch**2 if isinstance(patch, int) else 1  # it puts its patches of pixels together itself
    if outputs != 3:
        return translate("errors", "Its {0} decodes to other channels ({1}) than red, green and blue.").format(
            name, outputs
        )
    if not _channels(vae) or not _factor(vae):
        return translate("errors", "Its {0} does not say how its latents are laid out.").format(name)
    return ""


def _patch_in_call(pipeline: Pipeline, vae: Autoencoder) -> int:
    """Edge of the patches that a pipeline packs and unpacks in its call, with no method for it; 0 if it packs none.

    It is known by what the network takes and by how many means of latents the autoencoder keeps.
    """
    patch = getattr(pipeline, "patch_size", None)
    means = getattr(getattr(vae, "bn", None), "running_mean", ())
    taken = getattr(getattr(getattr(pipeline, "transformer", None), "config", None), "in_channels", None)
    return patch if isinstance(patch, int) and len(means) == taken == _channels(vae) * patch**2 else 0


def _channels(vae: Autoencoder) -> int:
    return int(getattr(vae.config, "latent_channels", None) or getattr(vae.config, "z_dim", None) or 0)


def _factor(vae: Autoencoder) -> int:
    """Pixels for each latent, from whichever of the ways to say it this autoencoder has; 0 where it has none."""
    ratio = getattr(vae, "spatial_compression_ratio", None) or getattr(vae.config, "spatial_compression_ratio", None)
    if isinstance(ratio, int):
        return ratio
    if hasattr(vae, "temperal_downsample"):  # so spelt in diffusers
        return int(2 ** len(vae.temperal_downsample))
    blocks = getattr(vae.config, "block_out_channels", None) or ()
    return int(2 ** (len(blocks) - 1)) if blocks else 0


def _is_for_videos(vae: Autoencoder) -> bool:
    return any(isinstance(module, nn.Conv3d) for module in vae.modules())


def _is_native(pipeline: Pipeline, layout: StateLayout) -> bool:
    """Whether the pipeline itself undoes its packing as the layout does."""
    rows, columns, patch = 2, 3, layout.patch
    height_px, width_px = rows * patch * layout.factor, columns * patch * layout.factor
    tokens = torch.arange(rows * columns * layout.channels * patch**2, dtype=torch.float32)
    tokens = tokens.reshape(1, rows * columns, -1)
    try:
        theirs = _unpacked_by(pipeline, tokens, (rows, columns), (height_px, width_px))
    except Exception:  # an unknown pipeline may raise anything: it is then not this packing
        return False
    ours = layout.unpack(tokens[0].numpy(), height_px, width_px)
    return tuple(theirs.shape) in ((1, *ours.shape), (1, len(ours), 1, *ours.shape[1:])) and bool(
        (theirs.reshape(ours.shape).numpy() == ours).all()
    )


def _unpacked_by(
    pipeline: Pipeline, tokens: torch.Tensor, grid: tuple[int, int], size_px: tuple[int, int]
) -> torch.Tensor:
    """Tokens unpacked by the pipeline itself: from the picture's size, or from the place of each token (Flux 2)."""
    if hasattr(pipeline, _PER_LATENT):
        single: torch.Tensor = pipeline._unpack_latents_no_patch(tokens, *size_px, pipeline.vae_scale_factor)
        return single
    if not any(hasattr(pipeline, name) for name in _UNPACKING if name.startswith("_unpack")):  # its states are a grid
        patches: torch.Tensor = pipeline._unpatchify_latents(tokens.transpose(1, 2).reshape(1, -1, *grid))
        return patches
    if not hasattr(pipeline, "_unpack_latents_with_ids"):
        takes = inspect.signature(pipeline._unpack_latents).parameters  # what it does not take is a setting of its own
        patch = getattr(getattr(getattr(pipeline, "transformer", None), "config", None), "patch_size", None)
        more = {"patch_size": patch, "vae_scale_factor": getattr(pipeline, "vae_scale_factor", None)}
        more = {name: value for name, value in more.items() if name in takes}
        unpacked: torch.Tensor = pipeline._unpack_latents(tokens, *size_px, **more)
        return unpacked
    places = pipeline._prepare_latent_ids(torch.empty(1, 1, *grid))
    takes_grid = len(inspect.signature(pipeline._unpack_latents_with_ids).parameters) > 2
    spread = pipeline._unpack_latents_with_ids(tokens, places, *(grid if takes_grid else ()))
    latents: torch.Tensor = pipeline._unpatchify_latents(spread)
    return latents
