"""The default model's architecture, untrained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from diffusers import DDIMScheduler, UNet2DModel

from sculptor_app.diffusion.label_embedding import LabelEmbedding
from sculptor_app.diffusion.pipelines import networks
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline


def new_scheduler() -> DDIMScheduler:
    """The cosine noise schedule with v-prediction (Nichol and Dhariwal 2021, equation 17; Salimans and Ho 2022).

    Evenly spaced timesteps ("linspace") put the sculptor's phases at steps 5, 15 and 30 of 50.
    """
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        timestep_spacing="linspace",
        clip_sample=True,
    )


def new_pipeline(
    form_names: Sequence[str],
    material_names: Sequence[str],
    size: int = 64,
    patch_size: int = 2,
    channels: tuple[int, ...] = (64, 128, 192, 224),
    layers: int = 1,
) -> SculptorPipeline:
    """An untrained pipeline.

    Args:
        form_names: English ids of the forms.
        material_names: English ids of the materials.
        size: Edge of the pictures in pixels.
        patch_size: Edge in pixels of the patch that becomes one position of the U-Net.
        channels: Width of each level; each level but the last halves the edge. The lowest two, but never the first,
            have attention.
        layers: Residual blocks per level.
    """
    has_attention = [0 < level >= len(channels) - 2 for level in range(len(channels))]
    width = 4 * channels[min(1, len(channels) - 1)]
    with networks.BUILD_LOCK:
        unet = UNet2DModel(
            sample_size=size // patch_size,
            in_channels=3 * patch_size**2,
            out_channels=3 * patch_size**2,
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
        table = LabelEmbedding(len(form_names), len(material_names), width=width)
    return SculptorPipeline(unet, table, new_scheduler(), patch_size, list(form_names), list(material_names))


def fixed_settings(pipeline: SculptorPipeline) -> dict[str, Any]:
    """The settings of a network that stay as they are while it learns, by the names that checkpoints keep them by."""
    unet = pipeline.unet.config
    return {
        "--size": pipeline.picture_size,
        "--patch": pipeline.config.patch_size,
        "--channels": list(unet.block_out_channels),
        "--layers": unet.layers_per_block,
    }
