"""A model whose decision is known: two clouds far apart, and the share of forks that end in the same one."""

import itertools
import statistics
import threading
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from numpy.typing import NDArray

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.events import ForkEnded
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.studies.decisions import measure_step
from sculptor_app.measures.likeness import shared_share
from tests.diffusion.gaussian import COSINE, GaussianNetwork, GaussianPipeline
from tests.helpers.any_pipeline import finish

SIZE, STEPS, SPREAD = 8, 20, 0.05
DISTANCE = 0.2 * np.sqrt(3 * SIZE * SIZE)
"""Of each cloud's middle from 0: a picture of ±0.2 all over."""


def guess(x: NDArray[Any], level: NoiseLevel, middle: NDArray[Any]) -> NDArray[np.float64]:
    """Posterior mean of two clouds of deviation SPREAD at ±middle; a vector, or rows of their projection on it."""
    a, s = level.signal, level.noise
    variance = (a * SPREAD) ** 2 + s**2
    along = x @ middle if middle.ndim and x.shape[-1:] == middle.shape else x * middle
    which = np.tanh(a * along / variance)[..., None] * middle if middle.ndim else np.tanh(a * along / variance) * middle
    found: NDArray[np.float64] = which + a * SPREAD**2 / variance * (x - a * which)
    return found


class Clouds(GaussianNetwork):
    """The perfect network for two clouds far apart."""

    def forward(self, x: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        """The v-prediction."""
        level = self.level(float(timestep))
        noisy = x.numpy().astype(np.float64).reshape(len(x), -1)
        clean = guess(noisy, level, np.full(noisy.shape[1], 0.2))
        noise = (noisy - level.signal * clean) / level.noise
        answer = level.signal * noise - level.noise * clean
        return torch.from_numpy(answer.reshape(x.shape)).to(x.dtype)


def expected(levels: tuple[NoiseLevel, ...], k: int, runs: int = 4000, forks: int = 12) -> float:
    """The share of pairs of forks at step k that end in one cloud, of the projection alone: it is a problem of its own.

    Every step of DDIM is linear in state and guess, and noise that is laid on is white in every direction.
    """
    generator, middle = np.random.default_rng(0), np.asarray(DISTANCE)

    def step(u: NDArray[Any], j: int) -> NDArray[Any]:
        here, after = levels[j], levels[j + 1]
        clean = guess(u, here, middle)
        return after.signal * clean + after.noise * (u - here.signal * clean) / here.noise

    u = generator.standard_normal(runs)
    for j in range(k):
        u = step(u, j)
    before, here = levels[k - 1], levels[k]
    share = before.signal / here.signal
    rest = np.sqrt(before.noise**2 - (share * here.noise) ** 2)
    u = share * u[:, None] + rest * generator.standard_normal((runs, forks))
    for j in range(k - 1, STEPS):
        u = step(u, j)
    ups = (u > 0).sum(axis=1)
    pairs = ups * (ups - 1) + (forks - ups) * (forks - ups - 1)
    return float(np.mean(pairs / (forks * (forks - 1))))


def expected_to_stay(levels: tuple[NoiseLevel, ...], k: int, runs: int = 20_000) -> float:
    """The share of U-turns to the level of state k that end in the cloud which they came from."""
    generator, middle = np.random.default_rng(0), np.asarray(DISTANCE)
    u = levels[k].signal * (DISTANCE + SPREAD * generator.standard_normal(runs))
    u = u + levels[k].noise * generator.standard_normal(runs)
    for j in range(k, STEPS):
        here, after = levels[j], levels[j + 1]
        clean = guess(u, here, middle)
        u = after.signal * clean + after.noise * (u - here.signal * clean) / here.noise
    return float((u > 0).mean())


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_u_turn_flips_the_cloud_as_often_as_it_must() -> None:
    pipeline = GaussianPipeline(Clouds("v_prediction", size=SIZE), DDIMScheduler(**COSINE))
    engine = Engine(lambda *_, **__: pipeline)
    go_on = threading.Event()
    kept: dict[int, list[bool]] = {}
    at = (1, 3, 5, 8)
    for seed in range(12):
        whole = finish(engine, RunRequest(steps=STEPS, seed=seed, device="cpu"))
        side = bool(whole.state(STEPS).mean() > 0)
        for k in at:
            for event in measure_step(engine, whole, k, 6, go_on, lambda *_: {}, u_turn=True):
                if isinstance(event, ForkEnded):
                    kept.setdefault(k, []).append(bool(event.picture.mean() > 0) == side)
        levels = whole.levels
    wanted = [expected_to_stay(levels, k) for k in at]
    assert wanted[0] < 0.75
    assert wanted[-1] > 0.97
    for k, share in zip(at, wanted, strict=True):
        assert statistics.fmean(kept[k]) == pytest.approx(share, abs=0.15), k


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_curve_finds_when_one_of_two_clouds_was_chosen() -> None:
    pipeline = GaussianPipeline(Clouds("v_prediction", size=SIZE), DDIMScheduler(**COSINE))
    engine = Engine(lambda *_, **__: pipeline)
    go_on = threading.Event()
    measured: dict[int, list[float]] = {}
    at = (2, 4, 6, 8, 11)
    for seed in range(14):
        whole = finish(engine, RunRequest(steps=STEPS, seed=seed, device="cpu"))
        for k in at:
            events = list(measure_step(engine, whole, k, 5, go_on, lambda *_: {}))
            ends = [event.picture for event in events if isinstance(event, ForkEnded)]
            assert all(abs(abs(end.mean()) - 0.2) < 0.03 for end in ends)  # each ends in one of the two
            measured.setdefault(k, []).append(shared_share([bool(end.mean() > 0) for end in ends]))
        levels = whole.levels
    curve = [expected(levels, k) for k in at]
    assert curve[0] < 0.75  # it is not decided yet
    assert curve[-1] > 0.97  # and here it is
    for k, wanted in zip(at, curve, strict=True):
        found = statistics.fmean(measured[k])
        assert found == pytest.approx(wanted, abs=0.17), k
    every = [expected(levels, k) for k in range(2, STEPS)]
    decided = 2 + next(place for place, share in enumerate(every) if share >= 0.9)
    first = next(k for k in at if statistics.fmean(measured[k]) >= 0.9)
    assert abs(first - decided) <= max(b - a for a, b in itertools.pairwise(at))
