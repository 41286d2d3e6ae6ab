"""Makes the small autoencoder that the tests of latents use, from rendered sculptures.

    python tests/diffusion/latents/train_small_vae.py --store RENDERS --out tests/diffusion/latents/small_vae

64×64 pixels become 4×16×16 latents. A few minutes on one core; the same seed gives the same weights on the same
machine. What was learned is written in 16 bits, with a scaling factor that gives its latents unit variance.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch.nn import functional

from sculptor_app.training.data.shards import SHARD, read_shard, write_shard

SEED = 20_261_125
FIRST_SEED, SHARDS = 10_000_000, 4
BATCH = 16
KL_WEIGHT = 1e-4
CONFIG = {
    "sample_size": 64,
    "latent_channels": 4,
    "block_out_channels": (8, 16, 16),
    "down_block_types": ("DownEncoderBlock2D",) * 3,
    "up_block_types": ("UpDecoderBlock2D",) * 3,
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "mid_block_add_attention": False,
}


def tell(line: str) -> None:
    """Print at once, also into a file."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def renders(store: Path) -> torch.Tensor:
    """(SHARDS · 480, 3, 64, 64) of all forms and materials, from seeds that the tests do not use."""
    shards = [read_shard(write_shard(store, FIRST_SEED + number * SHARD, 64))[0] for number in range(SHARDS)]
    return torch.from_numpy(np.concatenate(shards)).permute(0, 3, 1, 2) / 127.5 - 1


def learn(vae: AutoencoderKL, pictures: torch.Tensor, steps: int) -> None:
    """Adam on the absolute error, with a cosine decay and a light pull of the latents towards unit variance."""
    generator = torch.Generator().manual_seed(SEED)
    optimizer = torch.optim.Adam(vae.parameters(), lr=4e-3)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    started = time.monotonic()
    for step in range(1, steps + 1):
        batch = pictures[torch.randint(len(pictures), (BATCH,), generator=generator)]
        if step < 0.8 * steps:  # quarters cost a quarter, and the network is the same everywhere
            top, left = torch.randint(33, (2,), generator=generator).tolist()
            batch = batch[..., top : top + 32, left : left + 32]
        if step % 2:
            batch = batch.flip(-1)
        posterior = vae.encode(batch).latent_dist
        shown = vae.decode(posterior.sample(generator)).sample
        loss = functional.l1_loss(shown, batch) + KL_WEIGHT * posterior.kl().mean() / posterior.mean[0].numel()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        decay.step()
        if step % 250 == 0:
            tell(f"step {step}: loss {loss.item():.4f}, {time.monotonic() - started:.0f} s")


def main() -> None:
    """Render, learn, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--store", type=Path, required=True, help="folder of rendered shards; missing ones are made")
    parser.add_argument("--steps", type=int, default=2_000)
    arguments = parser.parse_args()
    torch.manual_seed(SEED)
    vae = AutoencoderKL(**CONFIG)
    pictures = renders(arguments.store)
    tell(f"{len(pictures)} renders, {sum(weight.numel() for weight in vae.parameters())} weights")
    learn(vae, pictures, arguments.steps)
    with torch.no_grad():
        spread = float(vae.encode(pictures[:256]).latent_dist.mode().std())
        shown = vae.decode(vae.encode(pictures[:256]).latent_dist.mode()).sample
    vae.register_to_config(scaling_factor=round(1 / spread, 4))
    psnr = 10 * np.log10(4 / float(((shown - pictures[:256]) ** 2).mean()))
    tell(f"PSNR {psnr:.1f} dB, spread {spread:.3f}")
    vae.half().save_pretrained(arguments.out)


if __name__ == "__main__":
    main()
