"""Principal components of pictures: planted ones are found, and the Gaussian's flow is that of its own noised self."""

import itertools
import threading

import numpy as np
import pytest
import torch

from sculptor_app.atelier.components import (
    LabelledRenders,
    between_power,
    fit_gaussian,
    main_power,
    render_rounds,
)
from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import FORMS, MATERIALS
from sculptor_app.core.trajectory.levels import NoiseLevel


def planted(count: int, power: float, generator: torch.Generator, rest: float = 0.01) -> torch.Tensor:
    """Pictures (N, 3, 4, 4) that spread by `power` along one direction, and by `rest` along all."""
    along = torch.ones(48) / 48**0.5
    scores = power**0.5 * torch.randn(count, 1, generator=generator)
    return (scores * along + rest**0.5 * torch.randn(count, 48, generator=generator)).reshape(-1, 3, 4, 4) + 0.3


def test_the_main_power_is_the_largest_eigenvalue_with_its_error() -> None:
    generator = torch.Generator().manual_seed(1)
    found = [main_power(planted(200, 5.0, generator)) for _ in range(60)]
    powers, errors = np.array(found).T
    assert powers.mean() == pytest.approx(5.01, rel=0.05)
    assert errors.mean() == pytest.approx(5.0 * (2 / 200) ** 0.5, rel=0.15)  # of a Gaussian's variance
    assert powers.std() == pytest.approx(errors.mean(), rel=0.3)
    pictures = planted(40, 5.0, generator)
    assert main_power(pictures)[0] == pytest.approx(
        np.linalg.eigvalsh(np.cov(pictures.flatten(1).numpy().T))[-1], rel=1e-4
    )


def test_pictures_of_one_scene_count_as_one() -> None:
    generator = torch.Generator().manual_seed(5)
    pictures = planted(100, 5.0, generator)
    alone, error = main_power(pictures)
    power, error_of_scenes = main_power(pictures.repeat_interleave(8, dim=0), 8)
    assert power == pytest.approx(alone, rel=0.02)  # N - 1 is another
    assert error_of_scenes == pytest.approx(error, rel=0.02)
    assert main_power(pictures.repeat_interleave(8, dim=0))[1] < 0.5 * error


def test_what_class_means_scatter_by_chance_is_no_power_between_them() -> None:
    generator = torch.Generator().manual_seed(2)
    middles = 2.0 * torch.eye(48)[:2]  # the distance of two classes is √8, and each is √2 from their mean
    found = []
    for _ in range(80):
        rounds = middles.repeat(4, 1, 1).repeat_interleave(2, dim=1)  # four classes in two pairs
        found.append(between_power(rounds + 3 * torch.randn(4, 4, 48, generator=generator)))
    plain = [
        float(
            torch.linalg.eigvalsh((middles - middles.mean(0)).double() @ (middles - middles.mean(0)).double().T / 2)[-1]
        )
    ]
    assert plain == pytest.approx([2.0])
    assert np.mean(found) < 2.0 + 9 * 48 / 4 / 4 / 4  # far less than by chance alone
    still = between_power(middles.repeat(3, 1, 1))
    assert still == pytest.approx(2.0)


def test_the_flow_of_white_noise_is_the_gaussian_at_a_level() -> None:
    generator = torch.Generator().manual_seed(3)
    gaussian = fit_gaussian(planted(60, 5.0, generator))
    noise = torch.randn(20_000, 3, 4, 4, generator=generator)
    level = NoiseLevel(0.6, 0.8)
    moved = gaussian.flow(noise, NoiseLevel(0.0, 1.0), level).flatten(1)
    covariance = gaussian.components.T @ torch.diag(gaussian.powers) @ gaussian.components
    wanted = 0.36 * covariance + 0.64 * torch.eye(48)
    assert torch.allclose(torch.cov(moved.T), wanted, atol=0.06)
    assert torch.allclose(moved.mean(0), 0.6 * gaussian.mean.flatten(), atol=0.05)


def test_the_flow_is_that_of_many_small_steps_of_the_exact_denoiser() -> None:
    generator = torch.Generator().manual_seed(4)
    gaussian = fit_gaussian(planted(30, 2.0, generator).double().float())
    sigmas = np.geomspace(20, 0.5, 4001)
    x = start = gaussian.mean + 20 * torch.randn(2, 3, 4, 4, generator=generator)
    for here, after in itertools.pairwise(sigmas):  # Euler in σ, of states x_0 + σ n
        rows = (x - gaussian.mean).flatten(1)
        along = rows @ gaussian.components.T
        slope = (rows - (along * gaussian.powers / (gaussian.powers + here**2)) @ gaussian.components) / here
        x = x + (after - here) * slope.reshape(x.shape)
    exact = gaussian.flow(start, NoiseLevel(1.0, 20.0), NoiseLevel(1.0, 0.5))
    assert torch.allclose(x, exact, atol=0.02 * float(exact.std()))
    there_and_back = gaussian.flow(exact, NoiseLevel(1.0, 0.5), NoiseLevel(1.0, 20.0))
    assert torch.allclose(there_and_back, start, atol=1e-3)


@pytest.mark.parametrize("material", [None, "bronze"])
def test_renders_come_in_rounds_of_every_form(material: str | None) -> None:
    *rounds, renders = render_rounds(16, material, 2, 5, threading.Event())
    assert rounds == [1, 2]
    assert isinstance(renders, LabelledRenders)
    materials = 1 if material else len(MATERIALS)
    assert renders.pictures.shape == (2 * materials * len(FORMS), 3, 16, 16)
    again = list(render_rounds(16, material, 1, 5, threading.Event(), shared_scenes=True))[-1]
    corners = again.pictures[: len(FORMS), :, 0, 0]  # of one wall and one light
    assert float(corners.std(dim=0).max()) < 0.1 < float(renders.pictures[: len(FORMS), :, 0, 0].std(dim=0).max())
    means = renders.means_of_forms
    assert means.shape == (2, len(FORMS), 3 * 16 * 16)
    wanted = renders.pictures[2 :: len(FORMS)][:materials].mean(dim=0)  # the third form of the first round
    assert torch.allclose(means[0, 2], wanted.flatten(), atol=1e-6)
    assert not torch.equal(means[0], means[1])


def test_rendering_is_stopped_between_two_rounds() -> None:
    stop = threading.Event()
    events = render_rounds(16, "bronze", 5, 0, stop)
    next(events)
    stop.set()
    with pytest.raises(Cancelled):
        next(events)
