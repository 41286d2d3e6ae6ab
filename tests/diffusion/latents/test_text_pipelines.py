"""Pipelines that read text are decoded as they do it, bit for bit; given embeddings they need no encoders."""

from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKLFlux2,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    FluxPipeline,
    FluxTransformer2DModel,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)

from sculptor_app.diffusion.latents.codec import LatentCodec
from sculptor_app.diffusion.latents.map_fitting import example_pictures
from sculptor_app.diffusion.pipelines.layout import StateLayout
from tests.diffusion.latents.networks import SEED, kl
from tests.diffusion.latents.test_codec import as_output

TOKENS, WIDTH = 3, 8


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


def unet(**more: Any) -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, cross_attention_dim=WIDTH,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=4, **more,
    )  # fmt: skip


def stable_diffusion() -> tuple[Any, dict[str, Any]]:
    pipeline = StableDiffusionPipeline(
        kl(),
        None,
        None,
        unet(),
        DDIMScheduler(steps_offset=1, clip_sample=False),
        None,
        None,
        requires_safety_checker=False,
    )
    return pipeline, {"prompt_embeds": numbers(1, TOKENS, WIDTH), "negative_prompt_embeds": numbers(1, TOKENS, WIDTH)}


def stable_diffusion_xl(**vae: Any) -> tuple[Any, dict[str, Any]]:
    added = {"addition_embed_type": "text_time", "addition_time_embed_dim": 4, "transformer_layers_per_block": 1}
    network = unet(projection_class_embeddings_input_dim=24 + WIDTH, **added)
    pipeline = StableDiffusionXLPipeline(
        kl(**vae), None, None, None, None, network, EulerDiscreteScheduler(), add_watermarker=False
    )
    embeds = {"prompt_embeds": numbers(1, TOKENS, WIDTH), "pooled_prompt_embeds": numbers(1, WIDTH)}
    return pipeline, embeds | {"guidance_scale": 1.0}


def stable_diffusion_3() -> tuple[Any, dict[str, Any]]:
    transformer = SD3Transformer2DModel(
        sample_size=8, patch_size=1, in_channels=4, num_layers=1, attention_head_dim=8, num_attention_heads=2,
        joint_attention_dim=WIDTH, caption_projection_dim=16, pooled_projection_dim=WIDTH, out_channels=4,
    )  # fmt: skip
    vae = kl(scaling_factor=1.5305, shift_factor=0.0609)
    none = (None,) * 6
    pipeline = StableDiffusion3Pipeline(transformer, FlowMatchEulerDiscreteScheduler(), vae, *none)
    embeds = {"prompt_embeds": numbers(1, TOKENS, WIDTH), "pooled_prompt_embeds": numbers(1, WIDTH)}
    return pipeline, embeds | {"guidance_scale": 1.0}


def flux() -> tuple[Any, dict[str, Any]]:
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=WIDTH, pooled_projection_dim=WIDTH, axes_dims_rope=(4, 4, 8),
    )  # fmt: skip
    vae = kl(scaling_factor=0.3611, shift_factor=0.1159)
    pipeline = FluxPipeline(FlowMatchEulerDiscreteScheduler(), vae, None, None, None, None, transformer)
    return pipeline, {"prompt_embeds": numbers(1, TOKENS, WIDTH), "pooled_prompt_embeds": numbers(1, WIDTH)}


def flux_2() -> tuple[Any, dict[str, Any]]:
    transformer = Flux2Transformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=WIDTH, axes_dims_rope=(4, 4, 4, 4), guidance_embeds=False, timestep_guidance_channels=8,
    )  # fmt: skip
    vae = AutoencoderKLFlux2(
        block_out_channels=(8, 16, 16), down_block_types=("DownEncoderBlock2D",) * 3, norm_num_groups=4,
        up_block_types=("UpDecoderBlock2D",) * 3, latent_channels=4,
    ).eval()  # fmt: skip
    vae.bn.running_mean.copy_(numbers(16))
    vae.bn.running_var.copy_(numbers(16, 1)[:, 0] ** 2 + 0.1)
    pipeline = Flux2KleinPipeline(
        FlowMatchEulerDiscreteScheduler(), vae, None, None, transformer.eval(), is_distilled=True
    )
    return pipeline, {"prompt_embeds": numbers(1, TOKENS, WIDTH)}


def final_state(pipeline: Any, call: dict[str, Any]) -> tuple[torch.Tensor, np.ndarray]:
    """What the scheduler's last step returned, and the pipeline's own picture (3, H, W)."""
    pipeline.set_progress_bar_config(disable=True)
    states: list[torch.Tensor] = []
    real = pipeline.scheduler.step

    def step(*arguments: Any, **more: Any) -> Any:
        result = real(*arguments, **more)
        states.append(result[0] if isinstance(result, tuple) else result.prev_sample)
        return result

    pipeline.scheduler.step = step
    generator = torch.Generator().manual_seed(1)
    made = pipeline(num_inference_steps=3, height=32, width=48, generator=generator, output_type="pt", **call)
    return states[-1], made.images[0].numpy()


MEANS = {"latents_mean": [1.0, 0.5, 0.0, -1.0], "latents_std": [2.0, 1.0, 0.5, 3.0]}


@pytest.mark.parametrize(
    "make",
    [stable_diffusion, stable_diffusion_xl, lambda: stable_diffusion_xl(**MEANS), stable_diffusion_3],
    ids=["Stable Diffusion", "XL", "XL with means", "Stable Diffusion 3"],
)
def test_the_last_state_decodes_to_the_pipelines_own_picture(make: Any) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        pipeline, call = make()
    state, made = final_state(pipeline, call)
    codec = LatentCodec(pipeline)
    assert codec.layout == StateLayout("latents", 4, 4)
    np.testing.assert_array_equal(as_output(codec.decode(state[0].numpy())), made)
    assert made.std() > 0.01


@pytest.mark.parametrize("make", [flux, flux_2], ids=["Flux", "Flux 2"])
def test_packed_latents_are_unpacked_and_decode_to_the_pipelines_own_picture(make: Any) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        pipeline, call = make()
    tokens, made = final_state(pipeline, call)
    codec = LatentCodec(pipeline)
    assert codec.layout == StateLayout("latents", 4, 4, patch=2)
    frame = codec.layout.unpack(tokens[0].numpy(), 32, 48)
    assert frame.shape == (4, 8, 12)
    np.testing.assert_array_equal(as_output(codec.decode(frame)), made)
    state = codec.encode(next(example_pictures(1, 32)))
    latents = codec.scaling.from_state(torch.from_numpy(state)[None])
    np.testing.assert_allclose(codec.scaling.to_state(latents)[0].numpy(), state, atol=1e-5)
