"""Samples in batches, their distances and the errors of these, where all is known."""

import itertools
import threading
from typing import Any

import pytest
import torch

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.requests.samplers import NOISELESS_SAMPLERS
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.measures.claims import ClaimProgress, ClaimRequest
from sculptor_app.training.evaluation.claims import gaussian_start
from sculptor_app.training.evaluation.claims.gaussian_start import _flow, _sigma_at, late_plan
from sculptor_app.training.evaluation.claims.guidance_interval import within
from sculptor_app.training.evaluation.claims.samples import Bench, Plan, bootstrap_error, sample_batch
from sculptor_app.training.evaluation.figures import Gaussian, fit, frechet
from tests.training.evaluation.claims.exact import SIZE, ExactPipeline, plain_gaussian

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


class Brightness:
    """Stands for a judge: the features of a picture are the light of its halves."""

    reference = Gaussian(torch.zeros(2, dtype=torch.float64), torch.eye(2, dtype=torch.float64))


def bench_of(pipeline: Any, steps: int = 10, seeds: int = 4, sampler: str = "ddim", stop: Any = None) -> Bench:
    asked = ClaimRequest(RunRequest(steps=steps, seed=3, sampler=sampler), seeds)
    return Bench(pipeline, Brightness(), asked, stop or threading.Event())  # type: ignore[arg-type]


def pictures(pipeline: Any, plan: Plan, count: int = 64, sampler: str = "ddim") -> torch.Tensor:
    noise = torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    labels = torch.zeros(2, count, dtype=torch.int64)
    return sample_batch(pipeline, sampler, plan, noise, labels, lambda: False).double() / 127.5 - 1


# Distances ------------------------------------------------------------------------------------------------------------


def test_the_bootstrap_error_is_what_differences_of_distances_scatter_by() -> None:
    reference = Gaussian(torch.zeros(2, dtype=torch.float64), torch.eye(2, dtype=torch.float64))
    generator = torch.Generator().manual_seed(1)
    gains, errors = [], []
    for number in range(30):
        plain = torch.randn(200, 2, generator=generator, dtype=torch.float64)
        moved = plain + torch.tensor([1.0, 0.0]) + 0.5 * torch.randn(200, 2, generator=generator, dtype=torch.float64)
        gains.append(frechet(fit(moved), reference) - frechet(fit(plain), reference))
        errors.append(bootstrap_error(lambda one, other: other - one, plain, moved, reference, number))
    scatter, error = float(torch.tensor(gains).std()), float(torch.tensor(errors).mean())
    wanted = 1.0 + 2 * (1.25**0.5 - 1) ** 2  # of the means, and of both deviations
    assert sum(gains) / len(gains) == pytest.approx(wanted, abs=4 * scatter / 30**0.5 + 0.01)
    assert error == pytest.approx(scatter, rel=0.3)


def test_the_same_samples_have_no_difference_and_no_error() -> None:
    reference = Gaussian(torch.zeros(2, dtype=torch.float64), torch.eye(2, dtype=torch.float64))
    rows = torch.randn(40, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert bootstrap_error(lambda one, other: one - other, rows, rows, reference, 0) == 0


# Sampling -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", NOISELESS_SAMPLERS)
def test_steps_left_out_for_the_closed_form_change_nothing_where_the_data_is_that_gaussian(sampler: str) -> None:
    pipeline = ExactPipeline(plain_gaussian())
    whole = pictures(pipeline, Plan(60), sampler=sampler)
    short = pictures(pipeline, Plan(60, first=18, start=_flow(pipeline.gaussian)), sampler=sampler)
    assert float((whole - short).abs().mean()) < 0.03 * float(whole.std()) + 2 / 127.5
    noise = torch.randn(64, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    exact = pipeline.gaussian.flow(noise, NoiseLevel(0.0, 1.0), NoiseLevel(1.0, 0.0))
    assert float((short - exact).abs().mean()) < 0.03 * float(whole.std()) + 2 / 127.5


def test_few_steps_that_begin_late_spread_as_the_data_does_and_from_pure_noise_they_do_not() -> None:
    pipeline = ExactPipeline(plain_gaussian(power=60.0))
    bench = bench_of(pipeline)
    deviation = (60.0 / (3 * SIZE * SIZE)) ** 0.5  # of the light of a picture
    spread = {}
    for name, plan in (("noise", Plan(3)), ("late", late_plan(bench, pipeline.gaussian, 2.5, 3))):
        spread[name] = float(pictures(pipeline, plan, 400).mean(dim=(1, 2, 3)).std())
    assert spread["late"] == pytest.approx(deviation, rel=0.15)
    assert abs(spread["noise"] - deviation) > 2 * abs(spread["late"] - deviation)


@pytest.mark.parametrize("sigma", gaussian_start.STARTS)
def test_a_late_start_is_at_its_noise_level_and_takes_all_its_steps_below(sigma: float) -> None:
    pipeline = ExactPipeline(plain_gaussian())
    plan = late_plan(bench_of(pipeline), pipeline.gaussian, sigma, 7)
    assert _sigma_at(bench_of(pipeline), plan) == pytest.approx(sigma, rel=0.03)
    pictures(pipeline, plan, 1)
    timesteps = [t for t, _ in pipeline.asked]
    assert len(timesteps) == 7
    assert timesteps == sorted(timesteps, reverse=True)
    assert timesteps[-1] == 0


def test_guidance_works_within_its_interval_alone() -> None:
    pipeline = ExactPipeline(plain_gaussian())
    pictures(pipeline, Plan(20, within(3.0, 0.5, 5.0)), 2)
    alpha_bar = pipeline.scheduler.alphas_cumprod
    assert len(pipeline.asked) == 20
    for t, scale in pipeline.asked:
        sigma = float(((1 - alpha_bar[t]) / alpha_bar[t]) ** 0.5)
        assert scale == (3.0 if 0.5 < sigma <= 5.0 else 1.0), (t, sigma)
    assert {scale for _, scale in pipeline.asked} == {1.0, 3.0}


def test_without_guidance_no_labels_are_given() -> None:
    pipeline = ExactPipeline(plain_gaussian())
    pictures(pipeline, Plan(4), 2)
    assert pipeline.labels == [(None, None)]
    pictures(pipeline, Plan(4, lambda level: 2.0), 2)
    assert pipeline.labels[1] == ([0, 0], [0, 0])


# The bench ------------------------------------------------------------------------------------------------------------


def test_a_set_of_samples_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = ExactPipeline(plain_gaussian())
    bench = bench_of(pipeline, steps=4)
    read_by(monkeypatch)
    foretold = bench.foretell(72, 4 * 72)
    assert (foretold.done, foretold.planned) == (0, 72)
    assert 0 < foretold.seconds_left < 60
    *progress, features = drained(bench.draw(Plan(4), 48))
    assert [each.done for each in progress] == [8, 16, 24, 32, 40, 48]
    assert features.shape == (48, 2)
    *progress, others = drained(bench.draw(Plan(4), 24, search=True))
    assert progress[-1] == ClaimProgress(72, 72)
    *_, first_ones = drained(bench.draw(Plan(4), 24))
    assert torch.equal(first_ones, features[:24])  # more samples are the same and others
    assert not torch.allclose(others, first_ones)


def test_it_is_stopped_within_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline, stop = ExactPipeline(plain_gaussian()), threading.Event()
    bench = bench_of(pipeline, stop=stop)
    read_by(monkeypatch)
    real = pipeline.network

    def network(*given: Any) -> Any:
        predict, count = real(*given), itertools.count()

        def stopping(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            if next(count) == 2:
                stop.set()
            return predict(x, t)

        return stopping

    monkeypatch.setattr(pipeline, "network", network)
    with pytest.raises(Cancelled):
        list(bench.draw(Plan(10), 48))
    assert len(pipeline.asked) == 3


def drained(events: Any) -> list[Any]:
    """What a generator yields, and in the end what it returns."""
    found = []
    while True:
        try:
            found.append(next(events))
        except StopIteration as end:
            return [*found, end.value]


def read_by(monkeypatch: pytest.MonkeyPatch) -> None:
    from sculptor_app.training.evaluation.claims import samples

    class Reading:
        def __init__(self, shown: torch.Tensor) -> None:
            rows = shown.double() / 127.5 - 1
            self.features = torch.stack([rows[..., :8].mean(dim=(1, 2, 3)), rows[..., 8:].mean(dim=(1, 2, 3))], dim=1)

    monkeypatch.setattr(Brightness, "judge", None, raising=False)
    monkeypatch.setattr(samples, "read", lambda _, shown: Reading(shown))
    monkeypatch.setattr(samples, "workers_on", lambda device: 1)
