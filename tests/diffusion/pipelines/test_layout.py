"""What a pipeline's states are, said from its components; packed latents are unpacked as the pipeline does it."""

import inspect
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    AmusedScheduler,
    AutoencoderDC,
    AutoencoderKLQwenImage,
    AutoencoderKLWan,
    BriaFiboPipeline,
    ErnieImagePipeline,
    Flux2KleinPipeline,
    FluxPipeline,
    Krea2Pipeline,
    NucleusMoEImagePipeline,
    VQModel,
)
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.diffusion.observe.frames import FrameConverter
from sculptor_app.diffusion.pipelines.layout import StateLayout, latent_layout_of
from tests.diffusion.latents.networks import KnownVae, around, dit, kl, tiny


class Packed:
    """A pipeline that packs 2×2 latents into a token: Flux's own lines, which need transformers to be imported."""

    vae_scale_factor = 4

    def __init__(self, vae: Any) -> None:
        self.vae = vae

    @staticmethod
    def _unpack_latents(latents: torch.Tensor, height: int, width: int, vae_scale_factor: int) -> torch.Tensor:
        batch_size, _, channels = latents.shape
        height = 2 * (int(height) // (vae_scale_factor * 2))
        width = 2 * (int(width) // (vae_scale_factor * 2))
        latents = latents.view(batch_size, height // 2, width // 2, channels // 4, 2, 2)
        latents = latents.permute(0, 3, 1, 4, 2, 5)
        return latents.reshape(batch_size, channels // (2 * 2), height, width)


class PackedOtherwise(Packed):
    """It puts the channels of a token last."""

    @staticmethod
    def _unpack_latents(latents: torch.Tensor, height: int, width: int, vae_scale_factor: int) -> torch.Tensor:
        batch_size, _, channels = latents.shape
        rows, columns = height // (vae_scale_factor * 2), width // (vae_scale_factor * 2)
        latents = latents.view(batch_size, rows, columns, 2, 2, channels // 4).permute(0, 5, 1, 3, 2, 4)
        return latents.reshape(batch_size, channels // 4, 2 * rows, 2 * columns)


class PackedWithPlaces(Packed):
    """It has Flux 2's methods, and one of them does something else."""

    @staticmethod
    def _prepare_latent_ids(latents: torch.Tensor) -> torch.Tensor:
        return Flux2KleinPipeline._prepare_latent_ids(latents)

    @staticmethod
    def _unpack_latents_with_ids(tokens: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        return Flux2KleinPipeline._unpack_latents_with_ids(tokens.flip(1), places)

    @staticmethod
    def _unpatchify_latents(latents: torch.Tensor) -> torch.Tensor:
        return Flux2KleinPipeline._unpatchify_latents(latents)


class PackedByClass(Packed):
    """Its way needs more than the tokens."""

    def _unpack_latents(self, latents: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return latents


def vq() -> VQModel:
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    return VQModel(block_out_channels=(8, 8), norm_num_groups=4, latent_channels=3, num_vq_embeddings=16, **blocks)


def dc() -> AutoencoderDC:
    return AutoencoderDC(
        latent_channels=4, attention_head_dim=2, encoder_block_types="ResBlock", decoder_block_types="ResBlock",
        encoder_block_out_channels=(8, 8, 8), decoder_block_out_channels=(8, 8, 8), encoder_layers_per_block=(1, 1, 1),
        decoder_layers_per_block=(1, 1, 1), encoder_qkv_multiscales=((), (), ()), decoder_qkv_multiscales=((), (), ()),
        upsample_block_type="interpolate", downsample_block_type="stride_conv", decoder_norm_types="rms_norm",
        decoder_act_fns="silu", encoder_out_shortcut=False,
    )  # fmt: skip


def qwen() -> AutoencoderKLQwenImage:
    return AutoencoderKLQwenImage(base_dim=4, z_dim=2, dim_mult=[1, 2], num_res_blocks=1, temperal_downsample=[False],
                                  latents_mean=[0.5, -0.5], latents_std=[2.0, 0.5])  # fmt: skip


def test_a_pipeline_without_an_autoencoder_works_on_pixels() -> None:
    layout = latent_layout_of(SimpleNamespace(unet=None))
    assert layout == StateLayout("pixels")
    assert layout.is_picture


@pytest.mark.parametrize(
    ("pipeline", "channels", "factor"),
    [
        (dit(), 4, 4),
        (around(kl(16)), 16, 4),
        (around(tiny()), 4, 4),
        (SimpleNamespace(vqvae=vq()), 3, 2),
        (SimpleNamespace(movq=vq()), 3, 2),
        (around(dc()), 4, 4),
    ],
    ids=["DiT", "KL of 16 channels", "tiny", "VQ", "MoVQ", "DC"],
)
def test_latents_as_they_are(pipeline: Any, channels: int, factor: int) -> None:
    layout = latent_layout_of(pipeline)
    assert layout == StateLayout("latents", channels, factor)
    assert layout.shape(64, 96) == (channels, 64 // factor, 96 // factor)
    with pytest.raises(ValueError, match="not packed"):
        layout.unpack(np.zeros((4, 4), np.float32), 8, 8)


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 7))
def test_packed_latents_are_unpacked_as_the_pipeline_does_it(rows: int, columns: int, extra_px: int) -> None:
    layout = latent_layout_of(Packed(kl()))
    assert layout == StateLayout("latents", 4, 4, patch=2)
    height_px, width_px = rows * 8 + extra_px, columns * 8 + extra_px  # sizes are rounded down to whole tokens
    tokens = torch.randn(1, rows * columns, 16, generator=torch.Generator().manual_seed(rows * columns))
    frame = layout.unpack(tokens[0].numpy(), height_px, width_px)
    np.testing.assert_array_equal(frame, Packed._unpack_latents(tokens, height_px, width_px, 4)[0].numpy())
    assert frame.shape == layout.shape(height_px, width_px) == (4, 2 * rows, 2 * columns)


def test_tokens_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="no picture of 32 × 16 pixels"):
        latent_layout_of(Packed(kl())).unpack(np.zeros((9, 16), np.float32), 16, 32)


def test_an_autoencoder_for_videos_that_is_given_pictures() -> None:
    pipeline = Packed(qwen())
    pipeline.vae_scale_factor = 2
    assert latent_layout_of(pipeline) == StateLayout("latents", 2, 2, patch=2, has_time=True)
    assert latent_layout_of(around(qwen())) == StateLayout("latents", 2, 2, has_time=True)


@pytest.mark.parametrize(
    ("pipeline", "words"),
    [
        (PackedOtherwise(kl()), "PackedOtherwise packs its latents in a way that Sculptor does not know."),
        (PackedWithPlaces(kl()), "PackedWithPlaces packs its latents in a way that Sculptor does not know."),
        (PackedByClass(kl()), "PackedByClass packs its latents in a way that Sculptor does not know."),
        (around(KnownVae(block_out_channels=())), "Its KnownVae does not say how its latents are laid out."),
        (around(kl(out_channels=4)), "Its AutoencoderKL decodes to other channels (4) than red, green and blue."),
        (around(torch.nn.Linear(1, 1)), "Its Linear does not both encode and decode."),
        (SimpleNamespace(vocoder=1), "decoded by a vocoder, which Sculptor does not know."),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
)
def test_what_is_no_picture_is_told_in_plain_words(pipeline: Any, words: str) -> None:
    layout = latent_layout_of(pipeline)
    assert not layout.is_picture
    assert layout.space == ""
    assert words in layout.why_not


def test_flux_itself() -> None:
    class Flux(Packed):
        _unpack_latents = staticmethod(FluxPipeline._unpack_latents)

    assert latent_layout_of(Flux(kl(16))) == StateLayout("latents", 16, 4, patch=2)


def test_states_that_are_tokens_are_no_pictures() -> None:
    pipeline = SimpleNamespace(vqvae=VQModel(3, 3, norm_num_groups=4, block_out_channels=(8,)), scheduler=None)
    assert latent_layout_of(pipeline).is_picture
    pipeline.scheduler = AmusedScheduler(mask_token_id=15)
    assert "are tokens, numbers of entries in a table, not pictures" in latent_layout_of(pipeline).why_not


OF_PAIRS = SimpleNamespace(config=SimpleNamespace(patch_size=2))


def packing_of(kind: Any, *methods: str, **settings: Any) -> Any:
    """As much of a pipeline class as its packing needs."""
    own = {name: inspect.getattr_static(kind, name) for name in methods}
    return type(kind.__name__, (), own | {"vae": kl(), "vae_scale_factor": 4} | settings)()


@pytest.mark.parametrize(
    ("pipeline", "patch"),
    [
        (packing_of(Krea2Pipeline, "_unpack_latents", patch_size=2), 2),
        (packing_of(NucleusMoEImagePipeline, "_unpack_latents", transformer=OF_PAIRS), 2),
        (packing_of(BriaFiboPipeline, "_unpack_latents", "_unpack_latents_no_patch"), 1),
        (packing_of(ErnieImagePipeline, "_unpatchify_latents"), 2),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_packings_that_ask_settings_of_their_own(pipeline: Any, patch: int) -> None:
    assert latent_layout_of(pipeline) == StateLayout("latents", 4, 4, patch=patch)


def test_an_autoencoder_that_puts_its_patches_of_pixels_together() -> None:
    vae = AutoencoderKLWan(base_dim=4, z_dim=2, dim_mult=[1, 1], num_res_blocks=1, temperal_downsample=[False],
                           latents_mean=[0.0] * 2, latents_std=[1.0] * 2, in_channels=12, out_channels=12,
                           patch_size=2, scale_factor_spatial=4)  # fmt: skip
    assert latent_layout_of(around(vae)) == StateLayout("latents", 2, 4, has_time=True)


LATENTS = torch.randn(2, 4, 6, 10, generator=torch.Generator().manual_seed(3))
PATCHES = torch.nn.functional.pixel_unshuffle(LATENTS, 2)


@pytest.mark.parametrize(
    ("layout", "batch"),
    [
        (StateLayout("latents", 4, 4), LATENTS),
        (StateLayout("latents", 4, 4), LATENTS[:, :, None]),
        (StateLayout("latents", 4, 4), LATENTS[:, None].permute(0, 1, 3, 4, 2)),
        (StateLayout("latents", 4, 4, patch=2), PATCHES.flatten(2).transpose(1, 2)),
        (StateLayout("latents", 4, 4, patch=2), PATCHES),
        (
            StateLayout("latents", 4, 4, patch=2, channels_last=True),
            PATCHES.unflatten(1, (4, 4)).permute(0, 3, 4, 2, 1).flatten(3).flatten(1, 2),
        ),
        (StateLayout("latents", 4, 4, repeats=2), torch.cat([-LATENTS, LATENTS], dim=1)[:, :, None]),
    ],
    ids=[
        "(B, C, h, w)",
        "(B, C, 1, h, w)",
        "(B, 1, h, w, C)",
        "tokens",
        "a grid of tokens",
        "tokens, channels last",
        "two frames in one",
    ],
)
def test_states_in_every_layout_are_the_same_frames(layout: StateLayout, batch: torch.Tensor) -> None:
    converter = FrameConverter(layout, (24, 40))
    assert converter.is_state(batch)
    np.testing.assert_array_equal(converter.frames(batch), LATENTS.numpy())


@pytest.mark.parametrize("batch", [LATENTS[:, None], torch.zeros(1, 2, 6, 10, 4)], ids=["another", "two frames"])
def test_videos_and_other_channels_are_no_states(batch: torch.Tensor) -> None:
    assert not FrameConverter(StateLayout("latents", 4, 4)).is_state(batch)
