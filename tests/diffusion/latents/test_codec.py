"""From latents to pixels and back: the pipelines' own pictures, bit for bit."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AsymmetricAutoencoderKL, DDIMScheduler, UNet2DConditionModel, VQModel

from sculptor_app.core.errors import OutOfDeviceMemory
from sculptor_app.core.trajectory.step import Step
from sculptor_app.diffusion.latents.codec import LatentCodec, area_average
from sculptor_app.diffusion.latents.map_fitting import example_pictures
from sculptor_app.diffusion.observe.observer import Observer, observed
from sculptor_app.diffusion.pipelines.layout import NoPictureOfLatents
from tests.diffusion.latents.networks import SEED, KnownVae, around, dit, kl, tiny
from tests.diffusion.pipelines.test_layout import Packed, dc, qwen, vq
from tests.helpers.diffusers_models import ldm


def picture(size_px: int = 32) -> np.ndarray:
    return next(example_pictures(1, size_px))


def last_state(pipeline: Any, **call: Any) -> tuple[np.ndarray, np.ndarray]:
    """The last state of a run, as it is recorded, and the pipeline's own picture as it is handed out."""
    steps: list[Step] = []
    with observed(pipeline.scheduler, Observer(lambda frame, plan: None, steps.append)):
        generator = torch.Generator().manual_seed(1)
        made = pipeline(**{"generator": generator, "num_inference_steps": 3, "output_type": "pt"} | call)
    return steps[-1].state, np.asarray(made.images[0])


def as_output(decoded: np.ndarray) -> np.ndarray:
    """Pixels as diffusers hands them out, [0, 1]."""
    return (torch.from_numpy(decoded) / 2 + 0.5).clamp(0, 1).numpy()


def kandinsky() -> Any:
    from diffusers.pipelines.kandinsky2_2.pipeline_kandinsky2_2 import KandinskyV22Pipeline

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        unet = UNet2DConditionModel(
            in_channels=4, out_channels=8, addition_embed_type="image", block_out_channels=(8, 16), layers_per_block=1,
            down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"), norm_num_groups=4,
            up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"), encoder_hid_dim=8,
            mid_block_type="UNetMidBlock2DSimpleCrossAttn", encoder_hid_dim_type="image_proj", cross_attention_dim=8,
            attention_head_dim=4, resnet_time_scale_shift="scale_shift",
        )  # fmt: skip
        movq = VQModel(
            block_out_channels=(32, 32), latent_channels=4, norm_type="spatial", num_vq_embeddings=12,
            down_block_types=("DownEncoderBlock2D", "AttnDownEncoderBlock2D"), vq_embed_dim=4,
            up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D"),
        )  # fmt: skip
    pipeline = KandinskyV22Pipeline(unet.eval(), DDIMScheduler(), movq.eval())
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_the_last_state_decodes_to_the_pipelines_own_picture_bit_for_bit() -> None:
    pipeline = dit()
    state, made = last_state(pipeline, class_labels=[3], guidance_scale=1.0)
    np.testing.assert_array_equal(as_output(LatentCodec(pipeline).decode(state)), made)
    assert made.std() > 0.01


def test_latents_of_a_codebook_decode_to_the_pipelines_own_picture() -> None:
    pipeline = ldm()
    pipeline.set_progress_bar_config(disable=True)
    state, made = last_state(pipeline, output_type="np")
    np.testing.assert_array_equal(as_output(LatentCodec(pipeline).decode(state)), made.transpose(2, 0, 1))


def test_a_codebook_is_left_out_where_the_pipeline_leaves_it_out() -> None:
    pipeline, embeds = kandinsky(), torch.ones(1, 8)
    call = {"image_embeds": embeds, "negative_image_embeds": -embeds, "height": 32, "width": 32}
    state, made = last_state(pipeline, **call)
    decoded = LatentCodec(pipeline).decode(state)
    np.testing.assert_array_equal(decoded, made)  # this pipeline hands out what was decoded, untouched


@pytest.mark.parametrize(
    ("config", "unscaled"),
    [
        ({"scaling_factor": 0.3611, "shift_factor": 0.1159}, lambda x, c: x / c.scaling_factor + c.shift_factor),
        ({"scaling_factor": 0.18215}, lambda x, c: x / c.scaling_factor),
        (
            {"scaling_factor": 0.13, "latents_mean": [1.0, 0.5, 0.0, -1.0], "latents_std": [2.0, 1.0, 0.5, 3.0]},
            lambda x, c: (
                x * torch.tensor(c.latents_std).view(1, 4, 1, 1) / c.scaling_factor
                + torch.tensor(c.latents_mean).view(1, 4, 1, 1)
            ),
        ),
    ],
    ids=["Flux and Stable Diffusion 3", "Stable Diffusion", "XL with means"],
)
def test_states_are_unscaled_in_the_pipelines_own_order(config: dict[str, Any], unscaled: Any) -> None:
    vae = kl(**config)
    state = torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        wanted = vae.decode(unscaled(state[None], vae.config), return_dict=False)[0][0].numpy()
    np.testing.assert_array_equal(LatentCodec(around(vae)).decode(state.numpy()), wanted)


@pytest.mark.parametrize("name", ["DiTPipeline", "LDMTextToImagePipeline"])
def test_two_pipelines_multiply_by_the_reciprocal(name: str) -> None:
    vae, state = kl(scaling_factor=0.18215), torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(4))
    codec = LatentCodec(type(name, (), {"vae": vae})())
    unscaled = codec.scaling.from_state(state[None])
    assert (unscaled == 1 / 0.18215 * state).all()
    assert not (unscaled == state / 0.18215).all()


def test_one_pipeline_scales_nothing() -> None:
    state = torch.randn(1, 3, 8, 8)
    codec = LatentCodec(type("LDMSuperResolutionPipeline", (), {"vqvae": vq()})())
    assert codec.scaling.from_state(state) is state


@pytest.mark.parametrize(
    "pipeline",
    [
        around(kl(scaling_factor=0.36, shift_factor=0.1)),
        around(kl(scaling_factor=0.13, latents_mean=[1.0, 0.5, 0.0, -1.0], latents_std=[2.0, 1.0, 0.5, 3.0])),
        around(kl(16)),
        around(tiny()),
        around(KnownVae()),
        around(AsymmetricAutoencoderKL(down_block_out_channels=(8,), up_block_out_channels=(8,), norm_num_groups=4)),
        SimpleNamespace(vqvae=vq()),
        SimpleNamespace(movq=vq()),
        around(dc()),
    ],
    ids=["shift", "means", "16 channels", "tiny", "known", "asymmetric", "VQ", "MoVQ", "DC"],
)
def test_decoding_inverts_encoding_and_scaling(pipeline: Any) -> None:
    codec = LatentCodec(pipeline)
    state = codec.encode(picture())
    assert state.shape == codec.layout.shape(32, 32)
    assert state.dtype == np.float32
    latents = codec.scaling.from_state(torch.from_numpy(state)[None])
    again = codec.scaling.to_state(latents)[0].numpy()
    np.testing.assert_allclose(again, state, atol=1e-5 * max(1.0, np.abs(state).max()))
    decoded = codec.decode(state)
    assert decoded.shape == (3, 32, 32)
    assert decoded.dtype == np.float32


def test_an_autoencoder_for_videos_decodes_one_frame() -> None:
    pipeline = Packed(qwen().eval())
    pipeline.vae_scale_factor = 2
    codec = LatentCodec(pipeline)
    state = codec.encode(picture())
    assert state.shape == (2, 16, 16)
    vae, latents = pipeline.vae, torch.from_numpy(state)[None, :, None]
    mean, std = (torch.tensor(numbers).view(1, 2, 1, 1, 1) for numbers in ([0.5, -0.5], [2.0, 0.5]))
    with torch.no_grad():
        wanted = vae.decode(latents / (1 / std) + mean, return_dict=False)[0][0, :, 0].numpy()
    np.testing.assert_array_equal(codec.decode(state), wanted)


class Upcasting:
    """A pipeline that decodes in float32 what overflows in float16, as Stable Diffusion XL does."""

    def __init__(self, vae: Any) -> None:
        self.vae = vae

    def upcast_vae(self) -> None:
        self.vae.to(dtype=torch.float32)


@pytest.mark.parametrize("heeds", [True, False])
def test_float16_is_decoded_in_float32_where_the_pipeline_does_so(heeds: bool) -> None:
    vae = kl(force_upcast=heeds).half()
    codec = LatentCodec(Upcasting(vae))
    state = np.random.default_rng(1).standard_normal((4, 8, 8)).astype(np.float16).astype(np.float32)
    decoded = codec.decode(state)
    assert vae.dtype == torch.float16
    in_halves = (decoded == decoded.astype(np.float16)).all()
    assert in_halves == (not heeds)
    assert codec.encode(picture()).shape == (4, 8, 8)
    assert vae.dtype == torch.float16


def short_of_memory(vae: Any, most_latents: int) -> list[int]:
    """Make an autoencoder's decoder run out of memory beyond a size; the sizes that it was asked for."""
    asked: list[int] = []
    real = vae.decoder.forward

    def forward(latents: torch.Tensor, *others: Any) -> torch.Tensor:
        asked.append(latents.shape[-1])
        if latents.shape[-1] > most_latents:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(latents, *others)

    vae.decoder.forward = forward
    return asked


def test_where_memory_is_short_it_decodes_in_tiles_and_says_so() -> None:
    vae = kl()
    state = np.random.default_rng(1).standard_normal((4, 16, 16)).astype(np.float32)
    codec = LatentCodec(around(vae))
    whole = codec.decode(state)
    assert not codec.is_in_tiles
    asked = short_of_memory(vae, 8)
    tiled = codec.decode(state)
    assert codec.is_in_tiles
    assert asked[0] == 16
    assert max(asked[1:]) <= 8
    assert tiled.shape == whole.shape
    assert np.corrcoef(tiled.ravel(), whole.ravel())[0, 1] > 0.8
    assert not vae.use_tiling


def test_where_even_tiles_are_too_large_it_says_what_to_do() -> None:
    vae = kl()
    short_of_memory(vae, 0)
    with pytest.raises(OutOfDeviceMemory, match="not enough memory on CPU"):
        LatentCodec(around(vae)).decode(np.zeros((4, 16, 16), np.float32))
    assert not vae.use_tiling


def test_what_cannot_be_decoded_is_refused() -> None:
    with pytest.raises(NoPictureOfLatents, match="are pixels already"):
        LatentCodec(SimpleNamespace())
    with pytest.raises(NoPictureOfLatents, match=r"decodes to other channels \(4\)"):
        LatentCodec(around(kl(out_channels=4)))


def test_an_average_over_blocks() -> None:
    pixels = np.arange(3 * 4 * 6, dtype=np.float32).reshape(3, 4, 6)
    assert area_average(pixels, 2)[0].tolist() == [[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]]
