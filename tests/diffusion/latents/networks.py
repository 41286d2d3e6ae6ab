"""Small autoencoders and pipelines for the tests of latents: real ones of diffusers, and two whose map is known."""

from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DDIMScheduler, DiTPipeline, DiTTransformer2DModel
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from torch import nn
from torch.nn import functional

SEED = 20_261_125
FACTOR = 4
SMALL_VAE = Path(__file__).parent / "small_vae"


class KnownVae(ModelMixin, ConfigMixin):
    """An autoencoder whose decoder is a 3×3 convolution of 4 latents, each pixel of it repeated 4×4.

    Its latents are the blocks' mean colours and how much brighter their left half is.
    """

    @register_to_config
    def __init__(
        self,
        latent_channels: int = 4,
        block_out_channels: tuple[int, ...] = (1, 1, 1),
        scaling_factor: float = 0.5,
        shift_factor: float = 0.25,
        reads_latents: bool = True,
    ) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            self.known = nn.Conv2d(4, 3, 3, padding=1, padding_mode="replicate")

    def encode(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        mean = functional.avg_pool2d(pixels, FACTOR)
        halves = functional.avg_pool2d(pixels.mean(1, keepdim=True), (FACTOR, FACTOR // 2))
        return {"latents": torch.cat([mean, halves[..., ::2] - halves[..., 1::2]], dim=1)}

    def decode(self, latents: torch.Tensor, return_dict: bool = True) -> tuple[torch.Tensor]:
        if not self.config.reads_latents:
            latents = torch.sin(torch.arange(latents.numel(), dtype=latents.dtype)).reshape(latents.shape)
        return (functional.interpolate(self.known(latents), scale_factor=FACTOR, mode="nearest"),)


def around(vae: Any, **more: Any) -> Any:
    """As much of a pipeline as a codec looks at."""
    return SimpleNamespace(vae=vae, **more)


def kl(channels: int = 4, **config: Any) -> AutoencoderKL:
    """16 times fewer latents than pixels, random weights that are always the same."""
    settings: dict[str, Any] = {
        "latent_channels": channels,
        "block_out_channels": (8, 16, 16),
        "down_block_types": ("DownEncoderBlock2D",) * 3,
        "up_block_types": ("UpDecoderBlock2D",) * 3,
        "norm_num_groups": 4,
        "sample_size": 32,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return AutoencoderKL(**settings | config).eval()


def small_vae() -> AutoencoderKL:
    """One that has learned rendered sculptures of 64 pixels (`train_small_vae.py`): 4×16×16 latents, 24 dB."""
    return AutoencoderKL.from_pretrained(SMALL_VAE, use_safetensors=True, torch_dtype=torch.float32).eval()


def tiny(channels: int = 4) -> AutoencoderTiny:
    """The kind of TAESD."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return AutoencoderTiny(
            latent_channels=channels,
            encoder_block_out_channels=(8, 8, 8),
            decoder_block_out_channels=(8, 8, 8),
            num_encoder_blocks=(1, 1, 1),
            num_decoder_blocks=(1, 1, 1),
        ).eval()


def dit() -> DiTPipeline:
    """A pipeline of its own kind: no text, latents of 8×8, classes as conditions."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        transformer = DiTTransformer2DModel(
            sample_size=8, num_layers=1, attention_head_dim=8, num_attention_heads=2, num_embeds_ada_norm=10,
            in_channels=4, out_channels=8, norm_type="ada_norm_zero", patch_size=2,
        )  # fmt: skip
        with torch.no_grad():  # DiT starts from zero, which would be a run without a picture
            for weight in transformer.parameters():
                weight.add_(0.05 * torch.randn_like(weight))
    pipeline = DiTPipeline(transformer.eval(), kl(), DDIMScheduler())
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def returned(steps: Generator[Any, None, Any]) -> Any:
    """The value that a generator returns at its end."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
