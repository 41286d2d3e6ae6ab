"""Fitting of a latent map: autoencoders with a known map, one that ignores its latents, one trained on sculptures."""

import threading
from collections.abc import Iterable, Iterator

import numpy as np
import pytest
import torch

from sculptor_app.atelier import FORMS, MATERIALS, render
from sculptor_app.core.errors import Cancelled
from sculptor_app.core.trajectory.latent_map import LatentMap, MapFittingProgress
from sculptor_app.diffusion.latents.codec import LatentCodec, area_average
from sculptor_app.diffusion.latents.map_fitting import LEAST_PICTURES, Sums, example_pictures, fit_latent_map, solve
from sculptor_app.diffusion.pipelines.layout import NoPictureOfLatents
from tests.diffusion.latents.networks import KnownVae, around, kl, returned, small_vae

UNSEEN_SEED = 2**40


def fitted(vae: object, planned: int = 8, **more: object) -> LatentMap:
    steps = fit_latent_map(LatentCodec(around(vae)), threading.Event(), planned=planned, **more)  # type: ignore[arg-type]
    return returned(steps)


def sculptures(count: int, first_seed: int = UNSEEN_SEED) -> Iterator[np.ndarray]:
    """Renders of 64 pixels from seeds that the small autoencoder has not seen."""
    numbers = range(count)
    forms, materials = [n % len(FORMS) for n in numbers], [n // len(FORMS) % len(MATERIALS) for n in numbers]
    yield from render([first_seed + n for n in numbers], forms, materials, 64).numpy()


def explained(latent_map: LatentMap, codec: LatentCodec, pictures: Iterable[np.ndarray]) -> float:
    """R² over pictures, computed from the pictures themselves, as a reader of the definition would."""
    wanted, shown = [], []
    for picture in pictures:
        latents = codec.encode(picture)
        wanted.append(area_average(codec.decode(latents), codec.layout.factor))
        shown.append(latent_map.linear(latents) + latent_map.bias[:, None, None])
    truth, seen = np.stack(wanted), np.stack(shown)
    around_mean = truth - truth.mean(axis=(0, 2, 3), keepdims=True)
    return float(1 - ((truth - seen) ** 2).sum() / (around_mean**2).sum())


def test_a_decoder_that_is_a_linear_map_is_found_again() -> None:
    vae = KnownVae()
    found = fitted(vae)
    # state = (latents − shift) · factor, so the map of states has 1/factor of the weights, and the shift in its bias
    wanted = vae.known.weight.detach().numpy() / 0.5
    bias = vae.known.bias.detach().numpy() + 0.25 * vae.known.weight.detach().sum(dim=(1, 2, 3)).numpy()
    np.testing.assert_allclose(found.weights, wanted, atol=1e-5)
    np.testing.assert_allclose(found.bias, bias, atol=1e-5)
    assert found.r2 == pytest.approx((1, 1, 1), abs=1e-9)
    assert found.r2_overall == pytest.approx(1, abs=1e-9)
    assert (found.fitted_pictures, found.held_out_pictures) == (6, 2)


def test_a_decoder_that_ignores_its_latents_is_found_out() -> None:
    found = fitted(KnownVae(reads_latents=False))
    assert abs(found.r2_overall) < 0.1
    assert "shows little" in found.words


def test_a_decoder_that_paints_one_colour_explains_nothing() -> None:
    vae = KnownVae()
    with torch.no_grad():
        vae.known.weight.zero_()
    found = fitted(vae)
    assert found.r2 == (0, 0, 0)
    assert found.r2_overall == 0
    np.testing.assert_allclose(found.bias, vae.known.bias.detach().numpy(), atol=1e-6)


def test_a_channel_that_says_nothing_or_the_same_as_another_does_no_harm() -> None:
    generator, fit, held_out = np.random.default_rng(3), Sums.empty(3), Sums.empty(3)
    for sums in (fit, held_out):
        plane = generator.standard_normal((1, 12, 12)).astype(np.float32)
        sums.add(np.concatenate([plane, plane, np.zeros_like(plane)]), np.repeat(plane, 3, 0).astype(np.float64))
    found = solve(fit, held_out)
    assert np.isfinite(found.weights).all()
    assert found.r2_overall == pytest.approx(1, abs=1e-6)


def test_r2_from_sums_is_r2_from_pictures() -> None:
    codec = LatentCodec(around(kl()))
    pictures = list(example_pictures(12, 48, seed=5))
    found = returned(fit_latent_map(codec, threading.Event(), pictures=pictures, planned=12))
    held_out = [pictures[number] for number in (2, 6, 10)]
    assert found.held_out_pictures == 3
    assert found.r2_overall == pytest.approx(explained(found, codec, held_out), abs=1e-5)


@pytest.fixture(scope="module")
def unseen() -> list[np.ndarray]:
    """Every form twice."""
    return list(sculptures(16))


def test_a_trained_autoencoder_is_seen_through_the_map_from_example_pictures_alone(unseen: list[np.ndarray]) -> None:
    codec = LatentCodec(around(small_vae()))
    found = returned(fit_latent_map(codec, threading.Event()))
    assert found.r2_overall >= 0.9
    assert explained(found, codec, unseen) >= 0.9


def test_a_trained_autoencoder_is_seen_through_the_map_from_its_own_kind_of_pictures(unseen: list[np.ndarray]) -> None:
    codec = LatentCodec(around(small_vae()))
    pictures = sculptures(16, UNSEEN_SEED + 1000)
    found = returned(fit_latent_map(codec, threading.Event(), pictures=pictures, planned=16))
    assert found.r2_overall >= 0.9
    assert explained(found, codec, unseen) >= 0.9


@pytest.mark.parametrize("channels", [1, 4, 16])
def test_any_number_of_channels(channels: int) -> None:
    found = fitted(kl(channels))
    assert found.weights.shape == (3, channels, 3, 3)
    assert found.r2_overall <= 1


def test_progress_is_reported_until_a_stop() -> None:
    stop = threading.Event()
    steps = fit_latent_map(LatentCodec(around(KnownVae())), stop, planned=9)
    assert [next(steps) for _ in range(3)] == [MapFittingProgress(done, 9) for done in (1, 2, 3)]
    stop.set()
    with pytest.raises(Cancelled):
        next(steps)


def test_it_makes_do_with_fewer_pictures_when_time_is_up() -> None:
    found = fitted(KnownVae(), planned=50, budget_s=0.0)
    assert found.fitted_pictures + found.held_out_pictures == LEAST_PICTURES
    assert found.r2_overall == pytest.approx(1, abs=1e-6)


def test_too_few_pictures_are_refused() -> None:
    with pytest.raises(NoPictureOfLatents, match=f"needs {LEAST_PICTURES} pictures; there were 2"):
        fitted(KnownVae(), pictures=example_pictures(2, 32))


def test_pictures_of_any_size_are_cut_to_whole_latents() -> None:
    pictures = [picture[:, :35, :42] for picture in example_pictures(8, 48)]
    assert fitted(KnownVae(), pictures=pictures).r2_overall == pytest.approx(1, abs=1e-6)


def test_nan_is_refused() -> None:
    vae = KnownVae()
    with torch.no_grad():
        vae.known.bias[1] = torch.nan
    with pytest.raises(NoPictureOfLatents, match="NaN"):
        fitted(vae)


def test_example_pictures_are_the_same_each_time_and_within_range() -> None:
    one, other = (list(example_pictures(6, 32)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert np.stack(one).dtype == np.float32
    assert np.abs(np.stack(one)).max() <= 1
    assert not (one[0] == one[3]).all()
