"""Tiny decoders (TAESD and others) for a fast preview of latents: loaded, and checked against the full decoder.

Nothing in a tiny decoder's files says which model's latents it decodes: those of Stable Diffusion and of its XL have
the same shape. So it is checked: latents of a few pictures must decode to about what the full decoder makes of them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from diffusers import AutoencoderTiny

from sculptor_app.core.errors import ModelFolderError
from sculptor_app.core.texts import byte_text, translate
from sculptor_app.diffusion.latents.codec import LatentCodec, area_average
from sculptor_app.diffusion.latents.map_fitting import LATENT_SIDE, example_pictures
from sculptor_app.diffusion.pipelines.layout import Pipeline

WEIGHTS = "diffusion_pytorch_model.safetensors"
MOST_BYTES = 200 * 2**20
"""Of its weights; TAESD has 10 MB."""
BOUNDS = {"latent_channels": (1, 256), "in_channels": (3, 3), "out_channels": (3, 3)}
LEAST_R2 = 0.8
CHECKED_PICTURES = 2


def load_tiny_decoder(folder: Path, pipeline: Pipeline) -> LatentCodec:
    """Codec that decodes a pipeline's latents with a tiny decoder, checked against the pipeline's own.

    Args:
        folder: Holds config.json and diffusion_pytorch_model.safetensors of an AutoencoderTiny.
        pipeline: Whose latents it is to decode; the tiny decoder goes to the same device.

    Raises:
        ModelFolderError: It is no tiny decoder, it is broken, or it belongs to another model.
        NoPictureOfLatents: The pipeline works on no latents of a picture.
    """
    full = LatentCodec(pipeline)
    config = _read_config(folder)
    if config.get("latent_channels", 4) != full.layout.channels:
        raise ModelFolderError(
            translate(
                "errors", "The channels of what {0} decodes ({1}) are not those of this model's latents ({2})."
            ).format(folder, config.get("latent_channels", 4), full.layout.channels),
            translate("errors", "Choose the small decoder that was made for it."),
        )
    tiny = _load(folder, config).eval().to(full.vae.device)
    if tiny.dtype != full.vae.dtype:  # diffusers warns of a change even where there is none
        tiny = tiny.to(full.vae.dtype)
    codec = LatentCodec(pipeline, tiny)
    _check_fits(folder, full, codec)
    return codec


def stamp(folder: Path) -> tuple[int, ...]:
    """Sizes and times of a tiny decoder's files, to see whether they changed; empty where one is missing."""
    try:
        files = [(folder / name).stat() for name in ("config.json", WEIGHTS)]
    except OSError:
        return ()
    return tuple(number for file in files for number in (file.st_mtime_ns, file.st_size))


def _read_config(folder: Path) -> dict[str, Any]:
    path, weights = folder / "config.json", folder / WEIGHTS
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        size = weights.stat().st_size
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFolderError(
            translate("errors", "{0} holds no small decoder that can be read ({1}).").format(folder, error),
            translate("errors", "It needs config.json and {0}.").format(WEIGHTS),
        ) from error
    if not isinstance(config, dict) or config.get("_class_name") != "AutoencoderTiny":
        raise ModelFolderError(
            translate("errors", "{0} is not that of an AutoencoderTiny.").format(path),
            translate("errors", "Choose a folder with one, as TAESD."),
        )
    if size > MOST_BYTES:
        raise ModelFolderError(
            translate("errors", "{0} has {1}.").format(weights, byte_text(size)),
            translate("errors", "A small decoder has about 10 MB."),
        )
    for name, (low, high) in BOUNDS.items():
        value = config.get(name, low if name != "latent_channels" else 4)
        if type(value) is not int or not low <= value <= high:
            raise ModelFolderError(
                translate("errors", "{0} says {1} = {2!r}; {3} to {4} can be used.").format(
                    path, name, value, low, high
                ),
                translate("errors", "Choose another."),
            )
    widths = [*config.get("decoder_block_out_channels", ()), *config.get("encoder_block_out_channels", ())]
    blocks = [*config.get("num_decoder_blocks", ()), *config.get("num_encoder_blocks", ())]
    if any(type(count) is not int or not 1 <= count <= 512 for count in (*widths, *blocks)) or len(widths) > 16:
        raise ModelFolderError(
            translate("errors", "{0} says that it has {1} channels in {2} blocks.").format(path, widths, blocks),
            translate("errors", "Choose another."),
        )
    return config


def _load(folder: Path, config: dict[str, Any]) -> AutoencoderTiny:
    try:
        tiny = AutoencoderTiny.from_config({k: v for k, v in config.items() if k != "block_out_channels"})
        # Read, not mapped: mapped weights are misaligned, and change what is computed in the last figures.
        weights = safetensors.torch.load((folder / WEIGHTS).read_bytes())
        missing, other = tiny.load_state_dict(weights, strict=False)
    except Exception as error:  # torch, diffusers and safetensors raise many kinds
        raise ModelFolderError(
            translate("errors", "{0} cannot be loaded ({1}).").format(folder, error),
            translate("errors", "Fetch the small decoder again."),
        ) from error
    if missing or other:
        raise ModelFolderError(
            translate("errors", "{0}: weights are missing ({1}), or belong to something else ({2}).").format(
                folder, len(missing), len(other)
            ),
            translate("errors", "Fetch the small decoder again."),
        )
    if not all(bool(torch.isfinite(weight).all()) for weight in tiny.state_dict().values()):
        raise ModelFolderError(
            translate("errors", "{0} has NaN or infinite weights.").format(folder),
            translate("errors", "Fetch the small decoder again."),
        )
    return tiny


def _check_fits(folder: Path, full: LatentCodec, tiny: LatentCodec) -> None:
    r2 = agreement(full, tiny)
    if not r2 >= LEAST_R2:
        raise ModelFolderError(
            translate(
                "errors",
                "{0} does not decode this model's latents: its pictures are not those of the model (R² {1:.2f}).",
            ).format(folder, r2),
            translate("errors", "Choose the small decoder that was made for this model."),
        )


def agreement(full: LatentCodec, tiny: LatentCodec, count: int = CHECKED_PICTURES) -> float:
    """R² of a tiny decoder's pictures against the full decoder's, at the latents' size; 0 or less if unrelated."""
    factor = full.layout.factor
    full_colours, tiny_colours = [], []
    for picture in example_pictures(count, LATENT_SIDE * factor):
        latents = full.encode(picture)
        decoded = tiny.decode(latents)
        if decoded.shape[1:] != (latents.shape[1] * factor, latents.shape[2] * factor):
            return float("-inf")
        full_colours.append(area_average(full.decode(latents), factor))
        tiny_colours.append(area_average(decoded, factor))
    truth, shown = np.stack(full_colours), np.stack(tiny_colours)
    around = truth - truth.mean(axis=(0, 2, 3), keepdims=True)
    return float(1 - ((truth - shown) ** 2).sum() / max(float((around**2).sum()), 1e-12))
