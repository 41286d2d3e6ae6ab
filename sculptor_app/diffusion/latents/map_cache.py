"""Latent maps kept between sessions: one small file for each autoencoder, named by a hash of all that makes it up."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import secrets
import threading
from collections.abc import Generator
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from sculptor_app import folders
from sculptor_app.core.trajectory.latent_map import LatentMap
from sculptor_app.diffusion.latents.codec import LatentCodec
from sculptor_app.diffusion.latents.map_fitting import Progress, finished, fitting

FOLDER = "latent-maps"
RECIPE = "1"
"""Goes into the hash: changes with the pictures, their number or the arithmetic, so that older maps are fitted anew."""
MOST_BYTES = 2**20
"""A map of 256 channels has 28 KB; a larger file is none."""

log = logging.getLogger(__name__)


def latent_map_of(
    codec: LatentCodec,
    stop: threading.Event,
    on_progress: Progress = lambda done, planned: None,
    folder: Path | None = None,
) -> LatentMap:
    """`mapping` in one call; `on_progress` is called after every picture, where a map is fitted."""
    return finished(mapping(codec, stop, folder), on_progress)


def mapping(
    codec: LatentCodec, stop: threading.Event, folder: Path | None = None
) -> Generator[tuple[int, int], None, LatentMap]:
    """The map of an autoencoder: the one that was kept, or else fitted now and kept.

    Where it can be neither read nor written it is fitted, and the log says why.

    Args:
        codec: Of the model at hand.
        stop: Set from any thread to give up.
        folder: Where maps are kept; None is a folder in the program's cache.

    Yields:
        How many of how many pictures are done; nothing where a map was kept.

    Returns:
        The map.

    Raises:
        Cancelled: `stop` was set.
        NoPictureOfLatents: As for `fitting`.
        OutOfDeviceMemory: As for `fitting`.
    """
    key = key_of(codec)
    try:
        path = (folders.cache() / FOLDER if folder is None else folder) / f"{key}.safetensors"
        found = read_map(path, key, codec.layout.channels)
    except OSError as error:
        log.warning("No latent maps can be kept (%s).", error)
        return (yield from fitting(codec, stop))
    if found is None:
        found = yield from fitting(codec, stop)
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
    """The map in a file, or None where there is none, or a broken one, or that of something else.

    Args:
        path: The file.
        key: What the file must say that it belongs to.
        channels: How many channels the latents have.

    Raises:
        OSError: The folder cannot be read.
    """
    if not path.is_file():
        return None
    try:
        return _checked(path, key, channels)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        log.warning("The latent map %s is not used (%s); it is fitted anew.", path, error)
        return None


def _checked(path: Path, key: str, channels: int) -> LatentMap:
    """The map in a file; ValueError where it is not as it was written."""
    if path.stat().st_size > MOST_BYTES:
        raise ValueError("it is too large")
    with safe_open(path, framework="numpy") as file:
        told = file.metadata() or {}
        arrays = {name: file.get_tensor(name) for name in ("weights", "bias", "r2")}
    if told.get("key") != key:
        raise ValueError("it belongs to another autoencoder")
    if not all(array.dtype == np.float32 and np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("it holds values that are no numbers")
    if arrays["weights"].shape != (3, channels, 3, 3):
        raise ValueError("it has another shape")
    red, green, blue, overall = (float(share) for share in arrays["r2"])
    counts = (int(told["fitted_pictures"]), int(told["held_out_pictures"]))
    return LatentMap(arrays["weights"], arrays["bias"], (red, green, blue), overall, *counts)


def write_map(path: Path, key: str, kept: LatentMap) -> None:
    """Keep a map; the file is whole or not there.

    Args:
        path: The file; its folder is made where it is missing.
        key: What it belongs to.
        kept: The map.

    Raises:
        OSError: The disk or the folder did not take it.
    """
    arrays = {
        "weights": np.ascontiguousarray(kept.weights),
        "bias": np.ascontiguousarray(kept.bias),
        "r2": np.array([*kept.r2, kept.r2_overall], np.float32),
    }
    told = {
        "key": key,
        "fitted_pictures": str(kept.fitted_pictures),
        "held_out_pictures": str(kept.held_out_pictures),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem[:16]}.{secrets.token_hex(4)}.part")
    try:
        with temporary.open("xb") as file:
            file.write(save(arrays, told))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folders.sync(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
