"""What a linear look at latents costs beside decoding them, and how much of the decoded picture it shows.

    python -m tests.benchmarks.bench_latents                # the small trained autoencoder of the tests
    python -m tests.benchmarks.bench_latents --vae FOLDER   # an AutoencoderKL of your own
    python -m tests.benchmarks.bench_latents --wide         # also the time of a decoder as wide as Stable Diffusion's

Times are of one thread's own computing time, in milliseconds, the best of several. R² is the share of the variance of
the decoded pictures, averaged to the latents' resolution, that the map explains in pictures that it was not fitted to:
as the fit itself reports it, and on sculptures from seeds that nothing else uses.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from sculptor_app.core.trajectory.latent_map import LatentMap
from sculptor_app.diffusion.latents.codec import LatentCodec
from sculptor_app.diffusion.latents.map_fitting import fit_latent_map
from sculptor_app.measures.colours import byte_picture
from tests.diffusion.latents.networks import around, returned, small_vae
from tests.diffusion.latents.test_map_fitting import UNSEEN_SEED, explained, sculptures

WIDE = {
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}
"""As Stable Diffusion's: its time does not depend on what it has learned."""


def best_ms(act: Callable[[], object], rounds: int) -> float:
    """Least time of one call."""
    times = []
    for _ in range(rounds):
        started = time.thread_time()
        act()
        times.append((time.thread_time() - started) * 1e3)
    return min(times)


def made(channels: int, side: int) -> tuple[LatentMap, np.ndarray]:
    """A map with any weights, and latents for it."""
    generator = np.random.default_rng(0)
    weights = generator.standard_normal((3, channels, 3, 3)).astype(np.float32)
    latents = generator.standard_normal((channels, side, side)).astype(np.float32)
    return LatentMap(weights, np.zeros(3, np.float32), (1, 1, 1), 1), latents


def _coloured(seen: LatentMap, latents: np.ndarray) -> np.ndarray:
    return byte_picture(seen.to_rgb(latents))


def print_map_times() -> None:
    """Rows of the map alone, and with the colours that a window shows."""
    for channels, side in ((4, 64), (4, 128), (16, 64), (16, 128)):
        seen, latents = made(channels, side)
        mapped = best_ms(partial(seen.to_rgb, latents), 50)
        coloured = best_ms(partial(_coloured, seen, latents), 50)
        print(f"map, {channels:2d} × {side} × {side}: {mapped:.3f} ms, with 8-bit colours {coloured:.3f} ms")


def print_decoder_time(name: str, codec: LatentCodec, side: int, rounds: int) -> None:
    """A row of a decoder beside the map."""
    seen, latents = made(codec.layout.channels, side)
    mapped, decoded = best_ms(partial(seen.to_rgb, latents), 50), best_ms(partial(codec.decode, latents), rounds)
    size = " × ".join(str(edge) for edge in latents.shape)
    print(f"{name}, {size}: {decoded:,.1f} ms to decode, {decoded / mapped:,.0f} times the map")


def print_r2(codec: LatentCodec) -> None:
    """Rows of R², fitted to example pictures and to sculptures."""
    sources: dict[str, tuple[Iterable[np.ndarray] | None, int]] = {
        "example pictures": (None, 24),
        "sculptures": (sculptures(48, UNSEEN_SEED + 1000), 48),
    }
    print("\nfitted to             pictures  held out   red     green   blue    all     unseen sculptures   seconds")
    for name, (pictures, planned) in sources.items():
        started = time.thread_time()
        found = returned(fit_latent_map(codec, threading.Event(), pictures=pictures, planned=planned))
        taken_s = time.thread_time() - started
        shares = "  ".join(f"{share:6.3f}" for share in (*found.r2, found.r2_overall))
        unseen = explained(found, codec, sculptures(48))
        counts = f"{found.fitted_pictures:8d}  {found.held_out_pictures:8d}"
        print(f"{name:20s}  {counts}   {shares}   {unseen:17.3f}   {taken_s:7.1f}")


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vae", type=Path, help="folder of an AutoencoderKL")
    parser.add_argument("--wide", action="store_true", help="also decode as wide as Stable Diffusion: 10 seconds")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    vae = small_vae() if arguments.vae is None else AutoencoderKL.from_pretrained(arguments.vae, use_safetensors=True)
    codec = LatentCodec(around(vae.eval()))
    print_map_times()
    print_decoder_time("its decoder", codec, 16, 5)
    if arguments.wide:
        wide = LatentCodec(around(AutoencoderKL(**WIDE).eval()))
        print_decoder_time("a decoder as Stable Diffusion's", wide, 32, 2)
    print_r2(codec)


if __name__ == "__main__":
    main()
