"""A linear look at latents: against torch's own convolution, and what is said of how good it is."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from sculptor_app.core.trajectory.latent_map import LatentMap


def made_map(channels: int = 4, seed: int = 1, r2: float = 0.934, size: float = 0.1) -> LatentMap:
    generator = np.random.default_rng(seed)
    weights = generator.normal(0, size, (3, channels, 3, 3)).astype(np.float32)
    return LatentMap(weights, generator.normal(0, 0.1, 3).astype(np.float32), (r2, r2, r2), r2)


def noise(shape: tuple[int, ...], seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@given(st.integers(1, 17), st.integers(1, 9), st.integers(1, 9), st.integers(0, 1000))
def test_it_is_the_convolution_that_torch_computes(channels: int, height: int, width: int, seed: int) -> None:
    latent_map, latents = made_map(channels, seed), noise((channels, height, width), seed + 1)
    padded = functional.pad(torch.from_numpy(latents)[None], (1, 1, 1, 1), mode="replicate")
    wanted = functional.conv2d(padded, torch.from_numpy(latent_map.weights), torch.from_numpy(latent_map.bias))[0]
    np.testing.assert_allclose(latent_map.to_rgb(latents), wanted.clamp(-1, 1).numpy(), atol=2e-6)
    np.testing.assert_allclose(
        latent_map.linear(latents), wanted.numpy() - latent_map.bias[:, None, None], atol=2e-6
    )  # fmt: skip


def test_what_lies_beyond_black_and_white_is_clipped_and_differences_are_not() -> None:
    latent_map, latents = made_map(size=5.0), noise((4, 8, 8))
    rgb = latent_map.to_rgb(latents)
    assert rgb.dtype == np.float32
    assert rgb.min() == -1
    assert rgb.max() == 1
    assert np.abs(latent_map.linear(latents)).max() > 5


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 7))
def test_a_thumbnail_is_the_picture_with_rows_and_columns_left_out(height: int, width: int, every: int) -> None:
    latent_map, latents = made_map(), noise((4, height, width))
    wanted = latent_map.to_rgb(latents)[:, every // 2 :: every, every // 2 :: every]
    np.testing.assert_array_equal(latent_map.to_rgb(latents, every), wanted)


def test_the_linear_part_of_a_difference_is_the_difference_of_the_linear_parts() -> None:
    latent_map, one, other = made_map(), noise((4, 8, 8), 3), noise((4, 8, 8), 4)
    both = latent_map.linear(one) - latent_map.linear(other)
    np.testing.assert_allclose(latent_map.linear(one - other), both, atol=2e-6)
    assert not latent_map.linear(np.zeros((4, 8, 8), np.float32)).any()


def test_frames_are_left_as_they_are() -> None:
    latents = noise((4, 8, 8))
    latents.setflags(write=False)
    before = latents.copy()
    made_map().to_rgb(latents)
    np.testing.assert_array_equal(latents, before)


def test_latents_of_another_model_are_refused() -> None:
    with pytest.raises(ValueError, match=r"4 channels; got the shape \(16, 8, 8\)"):
        made_map().to_rgb(noise((16, 8, 8)))


@pytest.mark.parametrize(
    ("weights", "bias"),
    [((3, 4, 3, 2), 3), ((4, 4, 3, 3), 3), ((3, 4, 3), 3), ((3, 4, 5, 5), 3), ((3, 4, 3, 3), 4)],
)
def test_arrays_that_are_no_map_are_refused(weights: tuple[int, ...], bias: int) -> None:
    with pytest.raises(ValueError, match="a latent map has"):
        LatentMap(np.zeros(weights, np.float32), np.zeros(bias, np.float32), (1, 1, 1), 1)


@pytest.mark.parametrize(
    ("r2", "words"),
    [
        (0.934, "seen through a linear map, R² 0.93"),
        (0.8999, "seen through a linear map, R² 0.89"),
        (0.29, "a linear map shows little of these latents (R² 0.29): decode the step to see it"),
        (-0.2, "a linear map shows little of these latents (R² 0): decode the step to see it"),
        (1.0, "seen through a linear map, R² 1.00"),
    ],
)
def test_it_says_how_far_it_can_be_trusted(r2: float, words: str) -> None:
    assert made_map(r2=r2).words == words
