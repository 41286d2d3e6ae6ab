"""The forward process against its closed form, and where training looks."""

import math

import pytest
import torch

from sculptor_app.training.data.batches import CENTRE, SPREAD, add_noise, draw_labels, draw_timesteps, levels
from sculptor_app.training.network import new_scheduler


@pytest.fixture
def alphas() -> torch.Tensor:
    return new_scheduler().alphas_cumprod


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_cosine_schedule_is_the_papers(alphas: torch.Tensor):
    """Nichol and Dhariwal 2021, equation 17, with s = 0.008, away from the end where betas are capped at 0.999."""

    def f(t: float) -> float:
        return math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2

    for t in (0, 100, 500, 900, 990):
        assert alphas[t].item() == pytest.approx(f(t + 1) / f(0), rel=2e-4)


@pytest.mark.parametrize("t", [0, 150, 500, 850, 999])
def test_noisy_states_have_the_closed_forms_mean_and_variance(alphas: torch.Tensor, t: int):
    clean = torch.linspace(-1, 1, 48).reshape(1, 3, 4, 4).expand(20_000, -1, -1, -1)
    noise = torch.randn(clean.shape, generator=seeded())
    noisy, _ = add_noise(clean, noise, alphas, torch.full((20_000,), t))
    a, s = math.sqrt(alphas[t]), math.sqrt(1 - alphas[t])
    assert torch.allclose(noisy.mean(dim=0), a * clean[0], atol=5 * s / math.sqrt(20_000))
    assert torch.allclose(noisy.var(dim=0), torch.full((3, 4, 4), s * s), rtol=0.06)


def test_the_target_gives_back_picture_and_noise(alphas: torch.Tensor):
    clean, noise = torch.rand(9, 3, 4, 4, generator=seeded(1)) * 2 - 1, torch.randn(9, 3, 4, 4, generator=seeded(2))
    timesteps = torch.arange(0, 1000, 120)
    noisy, v = add_noise(clean, noise, alphas, timesteps)
    a, s = levels(alphas, timesteps)
    assert torch.allclose(a * noisy - s * v, clean, atol=1e-5)
    assert torch.allclose(s * noisy + a * v, noise, atol=1e-5)


def test_the_target_is_what_diffusers_calls_velocity(alphas: torch.Tensor):
    clean, noise = torch.rand(4, 3, 4, 4, generator=seeded(1)), torch.randn(4, 3, 4, 4, generator=seeded(2))
    timesteps = torch.tensor([1, 300, 700, 999])
    scheduler = new_scheduler()
    noisy, v = add_noise(clean, noise, alphas, timesteps)
    assert torch.allclose(v, scheduler.get_velocity(clean, noise, timesteps), atol=1e-6)
    assert torch.allclose(noisy, scheduler.add_noise(clean, noise, timesteps), atol=1e-6)


def test_training_looks_where_it_says(alphas: torch.Tensor):
    timesteps = draw_timesteps(40_000, alphas, seeded())
    assert 0 <= timesteps.min() <= timesteps.max() <= 999
    log_snr = torch.log(alphas / (1 - alphas))[timesteps]
    assert log_snr.median().item() == pytest.approx(CENTRE, abs=0.1)
    quartiles = torch.quantile(log_snr, torch.tensor([0.25, 0.75]))
    assert (quartiles[1] - quartiles[0]).item() == pytest.approx(1.349 * SPREAD, rel=0.08)
    assert len(timesteps.unique()) > 950


def test_labels_are_left_free_as_often_as_said():
    forms, materials = torch.zeros(50_000, dtype=torch.int64), torch.ones(50_000, dtype=torch.int64)
    dropped_forms, dropped_materials = draw_labels(forms, materials, (8, 6), 0.1, seeded())
    assert set(dropped_forms.tolist()) == {0, 8}
    assert set(dropped_materials.tolist()) == {1, 6}
    form, material = dropped_forms == 8, dropped_materials == 6
    assert form.float().mean().item() == pytest.approx(0.19, abs=0.01)
    assert (form & material).float().mean().item() == pytest.approx(0.1 + 0.9 * 0.01, abs=0.01)
