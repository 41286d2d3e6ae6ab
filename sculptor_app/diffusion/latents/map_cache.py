"""Cache of latent maps: one small file for each autoencoder, named by a hash of its class, config and weights."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
from collections.abc import Generator
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from sculptor_app import folders
from sculptor_app.core.files import atomic_file
from sculptor_app.core.trajectory.latent_map import LatentMap, MapFittingProgress
from sculptor_app.diffusion.latents.codec import LatentCodec
from sculptor_app.diffusion.latents.map_fitting import fit_latent_map

FOLDER = "latent-maps"
RECIPE = "1"
"""Part of the hash: changes with the pictures, their number or the arithmetic, so that older maps are fitted again."""
MOST_BYTES = 2**20
"""A map of 256 channels has 28 KB; a larger file is none."""

log = logging.getLogger(__name__)


def load_or_fit_map(
    codec: LatentCodec, stop: threading.Event, folder: Path | None = None
) -> Generator[MapFittingProgress, None, LatentMap]:
    """Latent map of an autoencoder: from the cache, or else fitted now, with progress, and cached.

    Where it can be neither read nor written it is fitted, and the log says why. Errors are those of `fit_latent_map`.

    Args:
        folder: Of the cache; None is one in the program's cache folder.
    """
    key = key_of(codec)
    try:
        path = (folders.cache() / FOLDER if folder is None else folder) / f"{key}.safetensors"
        found = read_map(path, key, codec.layout.channels)
    except OSError as error:
        log.warning("No latent maps can be kept (%s).", error)
        return (yield from fit_latent_map(codec, stop))
    if found is None:
        found = yield from fit_latent_map(codec, stop)
        try:
            write_map(path, key, found)
        except OSError as error:
            log.warning("The latent map could not be kept (%s); it will be fitted again next time.", error)
    return found


def key_of(codec: LatentCodec) -> str:
    """A hash of the autoencoder's class, config and weights, of how states are scaled, and of the way of fitting."""
    vae = codec.vae
    config = {name: value for name, value in dict(vae.config).items() if not name.startswith("_")}
    described = [RECIPE, type(vae).__name__, config, repr(codec.scaling), codec.layout.factor]
    digest = hashlib.sha256(json.dumps(described, sort_keys=True, default=str).encode())
    for name, tensor in sorted(vae.state_dict().items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        if tensor.is_meta:  # weights that are only loaded while they are used; name and config must do
            continue
        digest.update(tensor.detach().to("cpu").contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def read_map(path: Path, key: str, channels: int) -> LatentMap | None:
    """The map in a file; None if it is missing, broken or another key's. `OSError` if the folder cannot be read."""
    if not path.is_file():
        return None
    try:
        return _checked(path, key, channels)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        log.warning("The latent map %s is not used (%s); it is fitted again.", path, error)
        return None


def _checked(path: Path, key: str, channels: int) -> LatentMap:
    """The map in a file; ValueError where it is not as it was written."""
    if path.stat().st_size > MOST_BYTES:
        raise ValueError("it is too large")
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata() or {}
        arrays = {name: file.get_tensor(name) for name in ("weights", "bias", "r2")}
    if metadata.get("key") != key:
        raise ValueError("it belongs to another autoencoder")
    if not all(array.dtype == np.float32 and np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("it holds NaN or infinite values")
    if arrays["weights"].shape != (3, channels, 3, 3):
        raise ValueError("it has another shape")
    red, green, blue, overall = (float(share) for share in arrays["r2"])
    counts = (int(metadata["fitted_pictures"]), int(metadata["held_out_pictures"]))
    return LatentMap(arrays["weights"], arrays["bias"], (red, green, blue), overall, *counts)


def write_map(path: Path, key: str, kept: LatentMap) -> None:
    """Write a map; the file is whole or not there. `OSError` if the disk or the folder does not take it."""
    arrays = {
        "weights": np.ascontiguousarray(kept.weights),
        "bias": np.ascontiguousarray(kept.bias),
        "r2": np.array([*kept.r2, kept.r2_overall], np.float32),
    }
    metadata = {
        "key": key,
        "fitted_pictures": str(kept.fitted_pictures),
        "held_out_pictures": str(kept.held_out_pictures),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        file.write(save(arrays, metadata))
