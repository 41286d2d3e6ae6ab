"""The embedded model's network: a U-Net on patches of pixels whose output is finished at full resolution.

A U-Net that works on patches is cheap, but each of its positions says its pixels by itself: neighbouring patches do not
know of each other's borders, and flat grounds get a lattice of the patch's size. Two ways out of it are here.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import ConfigMixin, ModelMixin, UNet2DModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.unets.unet_2d import UNet2DOutput
from torch import nn
from torch.nn.functional import avg_pool2d, pad, pixel_shuffle, pixel_unshuffle, silu

PIXEL_CHANNELS = 3
FINISHES = ("head", "overlap")
FEATURES = 5
"""Channels that the U-Net says of each pixel beside its first guess, for the full-resolution head."""
GROUPS = 4
"""Of the head's group normalisation."""


class PixelUNet2DModel(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers ships no types
    """A `UNet2DModel` on patches, from pixels to pixels.

    Args:
        sample_size: Edge in pixels of the pictures that it learns from.
        patch_size: Edge in pixels of the patch that becomes one position of the U-Net.
        block_out_channels: Width of each level; each level but the last halves the edge. The lowest two, but never the
            first, have attention.
        layers_per_block: Residual blocks per level.
        time_embedding_dim: Width of the time embedding, to which the label embedding is added.
        finish: "head": residual blocks on pixels that see the state beside what the U-Net says. "overlap": each
            position says a patch of twice the edge, and what neighbours say of a pixel is added up.
        head_channels, head_blocks: Width and number of the head's residual blocks.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        sample_size: int = 128,
        patch_size: int = 4,
        block_out_channels: tuple[int, ...] = (64, 128, 192, 224),
        layers_per_block: int = 1,
        time_embedding_dim: int = 512,
        finish: str = "head",
        head_channels: int = 16,
        head_blocks: int = 2,
    ) -> None:
        super().__init__()
        if finish not in FINISHES:
            raise ValueError(f"finish is {finish!r}; allowed is one of {', '.join(FINISHES)}")
        self.unet = patch_unet(
            sample_size // patch_size, PIXEL_CHANNELS * patch_size**2,
            (PIXEL_CHANNELS + (FEATURES if finish == "head" else 0)) * patch_size**2,
            block_out_channels, layers_per_block, time_embedding_dim,
        )  # fmt: skip
        # Not called as the setting: diffusers would hand that out in its place.
        head = finish == "head"
        self.to_pixels: _Head | _Overlap = (
            _Head(patch_size, head_channels, head_blocks, time_embedding_dim) if head else _Overlap(patch_size)
        )

    @property
    def time_embedding(self) -> Any:
        """The U-Net's own, as diffusers calls it."""
        return self.unet.time_embedding

    def forward(
        self, sample: torch.Tensor, timestep: torch.Tensor | float | int, class_labels: torch.Tensor | None = None,
        return_dict: bool = True,
    ) -> Any:  # fmt: skip
        """Predicted v of states.

        Args:
            sample: (B, 3, H, W), edges multiples of patch_size · 2^(levels − 1).
            class_labels: (B, time_embedding_dim), of the label embedding.

        Returns:
            `UNet2DOutput` of (B, 3, H, W), or a tuple of it.
        """
        patches = pixel_unshuffle(sample, self.config.patch_size)
        said = self.unet(patches, timestep, class_labels=class_labels, return_dict=False)[0]
        v = self.to_pixels(said, sample, self._embedding(sample, timestep, class_labels))
        return UNet2DOutput(sample=v) if return_dict else (v,)

    def _embedding(
        self, sample: torch.Tensor, timestep: torch.Tensor | float | int, class_labels: torch.Tensor | None
    ) -> torch.Tensor:
        """(B, time_embedding_dim) of time and labels, as the U-Net makes it for its own blocks."""
        times = torch.as_tensor(timestep, device=sample.device).reshape(-1).expand(len(sample))
        embedding: torch.Tensor = self.unet.time_embedding(self.unet.time_proj(times).to(sample.dtype))
        return embedding if class_labels is None else embedding + class_labels.to(embedding.dtype)


def patch_unet(
    size: int, in_channels: int, out_channels: int, channels: tuple[int, ...] | list[int], layers: int, width: int
) -> UNet2DModel:
    """The U-Net on patches, for states of size × size positions."""
    has_attention = [0 < level >= len(channels) - 2 for level in range(len(channels))]
    return UNet2DModel(
        sample_size=size,
        in_channels=in_channels,
        out_channels=out_channels,
        block_out_channels=channels,
        layers_per_block=layers,
        down_block_types=tuple("AttnDownBlock2D" if attends else "DownBlock2D" for attends in has_attention),
        up_block_types=tuple("AttnUpBlock2D" if attends else "UpBlock2D" for attends in reversed(has_attention)),
        attention_head_dim=32,
        class_embed_type="identity",
        norm_num_groups=32,
        attn_norm_num_groups=32,  # else the middle block attends to what is not normalised, and saturates
        time_embedding_dim=width,
        resnet_time_scale_shift="scale_shift",
        num_train_timesteps=1000,
    )


def network_class(config: dict[str, Any]) -> type[PixelUNet2DModel] | type[UNet2DModel]:
    """The class of a network with these settings: ours, or the plain one of models on patches from before it."""
    kind: type[PixelUNet2DModel] | type[UNet2DModel] = PixelUNet2DModel if "finish" in config else UNet2DModel
    return kind


def _silence(layer: nn.Conv2d) -> None:
    """Have a layer say nothing at first, so that training begins with what the others say."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


class _Overlap(nn.Module):
    """Patches of twice the edge, added up where they overlap; it begins as plain patches."""

    def __init__(self, patch: int) -> None:
        super().__init__()
        inside = PIXEL_CHANNELS * patch**2
        self.spread = nn.ConvTranspose2d(inside, PIXEL_CHANNELS, 2 * patch, stride=patch, padding=patch // 2)
        plain = torch.zeros(inside, PIXEL_CHANNELS, 2 * patch, 2 * patch)
        margin = patch // 2
        for row in range(patch):
            for column in range(patch):
                for colour in range(PIXEL_CHANNELS):
                    plain[colour * patch**2 + row * patch + column, colour, margin + row, margin + column] = 1.0
        with torch.no_grad():
            self.spread.weight.copy_(plain + 0.02 * torch.randn_like(plain))
            self.spread.bias = nn.Parameter(torch.zeros(PIXEL_CHANNELS))

    def forward(self, said: torch.Tensor, state: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        spread: torch.Tensor = self.spread(said)
        return spread


def fine_grain(state: torch.Tensor) -> torch.Tensor:
    """What a state (B, C, H, W) has beside its mean over 3 × 3 pixels, with a root mean square of 1 in every picture.

    Where little noise is left it is hundreds of times weaker than the picture, and yet all that v asks for: a network
    that has to amplify it by its weights learns that last.
    """
    mean = avg_pool2d(pad(state, (1, 1, 1, 1), "replicate"), 3, stride=1)
    grain = state - mean
    strength = grain.float().square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return grain / (strength + 1e-4).to(grain.dtype)


class _Head(nn.Module):
    """Residual blocks on pixels, which see the state and what the U-Net says of each pixel; they add to its v.

    As in the U-Net's own blocks, the embedding of time and labels scales and shifts the features: what is to be done
    with a pixel's noise depends on its level.
    """

    def __init__(self, patch: int, channels: int, blocks: int, width: int) -> None:
        super().__init__()
        self._patch = patch
        self.enter = nn.Conv2d(3 * PIXEL_CHANNELS + FEATURES, channels, 3, padding=1)
        self.blocks = nn.ModuleList(
            ResnetBlock2D(
                in_channels=channels, temb_channels=width, groups=min(GROUPS, channels), eps=1e-5,
                time_embedding_norm="scale_shift",
            )
            for _ in range(blocks)
        )  # fmt: skip
        self.leave = nn.Conv2d(channels, PIXEL_CHANNELS, 3, padding=1)
        _silence(self.leave)

    def forward(self, said: torch.Tensor, state: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        shuffled = pixel_shuffle(said, self._patch)
        x = self.enter(torch.cat([shuffled, state, fine_grain(state)], dim=1))
        for block in self.blocks:
            x = block(x, embedding)
        v: torch.Tensor = shuffled[:, :PIXEL_CHANNELS] + self.leave(silu(x))
        return v
