"""DDIM inversion: exact against a closed form, within tolerance on a real network, cancelled; Anderson mixing."""

import itertools
import json
import shutil
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sculptor_app.core.errors import Cancelled, SamplerFailed
from sculptor_app.core.requests.request import RequestError, RunRequest
from sculptor_app.core.trajectory.levels import phase_spans
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.samplers.schedulers import EvenDDIMScheduler, make_inverse, make_scheduler
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.noise import seed_noise
from sculptor_app.diffusion.sampling.sample import sample
from sculptor_app.diffusion.studies.ddim_inversion import AndersonMixing
from sculptor_app.diffusion.studies.inversion import Inversion, InversionStep, invert
from tests.diffusion.gaussian import COSINE, GaussianNetwork, GaussianPipeline, field_power
from tests.helpers.runs import solid

SIZE, STEPS = 16, 20


class InvertiblePipeline(GaussianPipeline):
    """The closed-form model with what an inversion asks of a pipeline."""

    picture_size = SIZE

    def network(self, form: object, material: object, guidance_scale: float) -> Any:
        return self.unet


def closed_form(prediction_type: str = "v_prediction") -> Engine:
    network = GaussianNetwork(prediction_type, size=SIZE)
    config = {**COSINE, "prediction_type": prediction_type}
    return Engine(lambda *_, **__: InvertiblePipeline(network, EvenDDIMScheduler.from_config(config)))


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="module")
def unclipped_model(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights guess far beyond a picture's range; clipped, which has no inverse, they would show nothing
    of how exact it is."""
    folder = shutil.copytree(tiny_model, tmp_path_factory.mktemp("models") / "unclipped")
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "clip_sample": False}))
    return folder


@pytest.fixture
def request_(unclipped_model: Path) -> RunRequest:
    return RunRequest("bust", "bronze", steps=STEPS, guidance=1.0, model=str(unclipped_model), device="cpu")


def finish(engine: Engine, request: RunRequest, picture: Frame, **options: Any) -> Inversion:
    *steps, inversion = invert(engine, request, picture, threading.Event(), **{"grain": 0, **options})
    assert [step.done for step in steps if isinstance(step, InversionStep)] == list(range(1, request.steps + 1))
    assert isinstance(inversion, Inversion)
    return inversion


def returned(engine: Engine, request: RunRequest, inversion: Inversion) -> Trajectory:
    trajectory: Trajectory = list(sample(engine, request, threading.Event(), start=inversion.start))[-1].trajectory
    return trajectory


def field(seed: int) -> Frame:
    """A picture of the closed-form model's kind."""
    white = np.fft.fft2(np.random.default_rng(seed).standard_normal((3, SIZE, SIZE)))
    return np.fft.ifft2(np.sqrt(field_power(SIZE)) * white).real.astype(np.float32)


def mode_gains(levels: Any) -> np.ndarray:
    """What a whole DDIM run multiplies each Fourier mode of its noise by, (SIZE, SIZE)."""
    power, gains = field_power(SIZE), np.ones((SIZE, SIZE))
    for before, after in itertools.pairwise(levels):
        a, s = before.signal, before.noise
        clean = a * power / (a * a * power + s * s)
        gains = gains * (after.signal * clean + after.noise * (1 - a * clean) / s)
    return gains


@pytest.mark.parametrize("prediction_type", ["v_prediction", "epsilon"])
@pytest.mark.parametrize("steps", [5, 20, 50])
def test_the_closed_form_inverse_is_found(prediction_type: str, steps: int, tmp_path: Path) -> None:
    """Every Fourier mode goes its own way: its noise is the picture's mode over the gain of the whole run."""
    picture = field(5)
    request = RunRequest(steps=steps, model=str(tmp_path))
    inversion = finish(closed_form(prediction_type), request, picture, tolerance=1e-6)
    gains = mode_gains(inversion.trajectory.levels)
    alive = np.abs(gains) > 1e-2  # of what a run wipes out its picture tells nothing
    found, want = np.fft.fft2(inversion.noise)[:, alive], np.fft.fft2(picture)[:, alive] / gains[alive]
    assert np.abs(found - want).max() < 1e-3 * np.sqrt(np.mean(np.abs(want) ** 2))
    assert alive.sum() > SIZE
    assert inversion.unsolved == 0


def test_more_exact_than_the_first_guess(tmp_path: Path) -> None:
    engine, request = closed_form(), RunRequest(steps=STEPS, model=str(tmp_path))
    naive = finish(engine, request, field(5), iterations=0)
    exact = finish(engine, request, field(5))
    gains = mode_gains(exact.trajectory.levels)
    errors = [
        np.abs(np.fft.ifft2(gains * np.fft.fft2(each.noise)).real - field(5)).max() for each in (naive, exact)
    ]  # fmt: skip
    assert errors[1] < 1e-3 < 0.1 < errors[0]
    assert naive.evaluations == (1,) * STEPS
    assert naive.unsolved == STEPS
    assert np.isnan(naive.residuals).all()


@pytest.mark.parametrize("unlabelled", [False, True])
@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_there_and_back_on_a_real_network(
    engine: Engine, request_: RunRequest, unlabelled: bool, guidance: float
) -> None:
    labels = {"form": None, "material": None} if unlabelled else {}
    request = RunRequest(**{**request_.as_dict(), **labels, "guidance": guidance})
    inversion = finish(engine, request, solid(SIZE), name="ball.png", tolerance=1e-6)
    back = returned(engine, request, inversion)
    assert inversion.error_db(back.state(STEPS)) > 60
    assert back.info.origin == "the noise found for ball.png"
    assert inversion.trajectory.info.origin == "ball.png, inverted"
    assert inversion.unsolved == 0
    for k in range(STEPS + 1):
        np.testing.assert_allclose(back.state(k), inversion.trajectory.state(k), atol=2e-3)


def test_an_inversion_is_read_like_a_run(engine: Engine, request_: RunRequest) -> None:
    """As the run from the noise goes: the same levels, phases, timesteps and guesses, the picture at its end."""
    inversion = finish(engine, request_, solid(SIZE), tolerance=1e-6)
    found, back = inversion.trajectory, returned(engine, request_, inversion)
    assert found.is_complete
    assert found.levels == back.levels == engine.plan(request_)
    assert found.spans == phase_spans(back.levels)
    np.testing.assert_array_equal(found.state(STEPS), solid(SIZE))
    np.testing.assert_array_equal(found.state(0), inversion.noise)
    for k in range(1, STEPS + 1):
        assert found.step(k).timestep == back.step(k).timestep
        assert found.step(k).duration_s > 0
        guess, other = found.guess(k), back.guess(k)
        assert guess is not None
        assert other is not None
        np.testing.assert_allclose(guess, other, atol=2e-3)
    assert not inversion.noise.flags.writeable
    assert (inversion.mean, inversion.deviation) == pytest.approx((inversion.noise.mean(), inversion.noise.std()))


def test_a_run_is_inverted_to_its_own_noise(tmp_path: Path) -> None:
    """All but the noise's mean, which this model, whose pictures have none, wipes out."""
    engine, request = closed_form(), RunRequest(steps=STEPS, model=str(tmp_path))
    made = list(sample(engine, request, threading.Event()))[-1].trajectory
    inversion = finish(engine, request, made.state(STEPS), tolerance=1e-7)
    error = inversion.noise - made.state(0)
    assert np.abs(error - error.mean((1, 2), keepdims=True)).max() < 1e-3


def test_clipping_has_no_inverse(engine: Engine, request_: RunRequest, tiny_model: Path) -> None:
    """The way to the noise is that of the model without clipping; the way back clips as every run of the model does."""
    clipping = RunRequest(**{**request_.as_dict(), "model": str(tiny_model)})
    inversion = finish(engine, clipping, solid(SIZE), tolerance=1e-6)
    np.testing.assert_array_equal(inversion.noise, finish(engine, request_, solid(SIZE), tolerance=1e-6).noise)
    errors = [inversion.error_db(returned(engine, r, inversion).state(STEPS)) for r in (clipping, request_)]
    assert 20 < errors[0] < 60 < errors[1]


@settings(max_examples=10)
@given(steps=st.integers(1, 60), start=st.floats(-1, 1))
def test_diffusers_inverse_inverts_a_step_with_the_same_output(steps: int, start: float) -> None:
    """Over the very timesteps of the way to the picture, whatever their strides are."""
    config = {**COSINE, "prediction_type": "epsilon"}
    forward = make_scheduler("ddim", config, max(steps, 2))
    inverse = make_inverse(forward)
    for each in (forward, inverse):
        each.set_timesteps(max(steps, 2))
    assert inverse.timesteps.tolist() == forward.timesteps.tolist()[::-1]
    x, answer = torch.full((1, 3, 2, 2), start, dtype=torch.float64), torch.full((1, 3, 2, 2), 0.3, dtype=torch.float64)
    for timestep in forward.timesteps[1:]:  # at the first one next to nothing is left of the signal
        after = forward.step(answer, timestep, x, return_dict=False)[0]
        assert torch.allclose(inverse.step(answer, timestep, after, return_dict=False)[0], x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("evaluation", [1, 2, 9])
def test_a_stop_is_obeyed_before_the_next_evaluation(evaluation: int, tmp_path: Path) -> None:
    engine, stop = closed_form(), threading.Event()
    request = RunRequest(steps=STEPS, model=str(tmp_path))
    pipeline, asked = engine.load(request.model, "cpu"), []

    def watch(module: Any, inputs: Any) -> None:
        asked.append(1)
        if len(asked) == evaluation:
            stop.set()

    pipeline.unet.register_forward_pre_hook(watch)
    with pytest.raises(Cancelled):
        list(invert(engine, request, field(5), stop, grain=0))
    assert len(asked) == evaluation
    assert pipeline.freed == 1


def test_closed_early_and_run_again(engine: Engine, request_: RunRequest) -> None:
    whole = finish(engine, request_, solid(SIZE))
    found = invert(engine, request_, solid(SIZE), threading.Event(), grain=0)
    assert isinstance(found, Generator)
    next(found)
    next(found)
    found.close()
    np.testing.assert_array_equal(finish(engine, request_, solid(SIZE)).noise, whole.noise)
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("iterations", [0, 5])
def test_nan_ends_the_inversion(iterations: int, tmp_path: Path) -> None:
    engine, request = closed_form(), RunRequest(steps=STEPS, model=str(tmp_path))
    asked: list[int] = []

    def spoil(module: Any, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        asked.append(1)
        return output * float("nan") if len(asked) > 8 else output

    engine.load(request.model, "cpu").unet.register_forward_hook(spoil)
    with pytest.raises(SamplerFailed, match=r"Step \d+ could not be inverted: .* Choose more steps or less guidance."):
        list(invert(engine, request, field(5), threading.Event(), iterations=iterations))


def test_unsolved_steps_are_counted(engine: Engine, request_: RunRequest) -> None:
    inversion = finish(engine, request_, solid(SIZE), iterations=1, tolerance=1e-9)
    assert inversion.unsolved == STEPS
    assert max(inversion.residuals) > 1e-9
    assert inversion.evaluations == (
        *(1,) * (STEPS - 1),
        2,
    )  # the first step inverted starts with one more


@pytest.mark.parametrize(("grain", "drawn"), [(0.0, 0), (0.01, 1), (0.2, 3), (0.5, 7)])
def test_grain_is_drawn_up_to_its_level(engine: Engine, request_: RunRequest, grain: float, drawn: int) -> None:
    """Those states are the picture with the seed's noise; from there on each step leads to the state after it."""
    inversion = finish(engine, request_, solid(SIZE), grain=grain, tolerance=1e-5)
    found, (noise, _) = inversion.trajectory, seed_noise(request_.seed, SIZE)
    assert inversion.grain_steps == sum(level.noise <= grain for level in found.levels[:-1]) == drawn
    for k in range(STEPS - drawn, STEPS):
        level = found.levels[k]
        np.testing.assert_allclose(found.state(k), level.signal * solid(SIZE) + level.noise * noise, atol=1e-6)
    assert inversion.evaluations[STEPS - drawn :] == (1,) * drawn
    assert np.isnan(inversion.residuals[STEPS - drawn :]).all()
    assert inversion.unsolved == 0
    back = returned(engine, request_, inversion)
    for k in range(STEPS - drawn + 1):
        np.testing.assert_allclose(back.state(k), found.state(k), atol=5e-3)


def test_another_seed_has_other_grain(engine: Engine, request_: RunRequest) -> None:
    other = RunRequest(**{**request_.as_dict(), "seed": 8})
    found = [finish(engine, request, solid(SIZE), grain=0.1).noise for request in (request_, request_, other)]
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[0] - found[2]).max() > 0.1


@pytest.mark.parametrize("grain", [-0.1, 0.6, float("nan")])
def test_grain_has_bounds(engine: Engine, request_: RunRequest, grain: float) -> None:
    with pytest.raises(RequestError, match=r"The grain is .*; choose 0 to 0.5."):
        next(invert(engine, request_, solid(SIZE), threading.Event(), grain=grain))


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 8])
def test_more_iterations_are_never_worse(engine: Engine, request_: RunRequest, limit: int) -> None:
    """Of a step's iterates the best is kept, also where the newest is worse."""
    request = RunRequest(**{**request_.as_dict(), "steps": 2})
    few, more = (finish(engine, request, solid(SIZE), iterations=n, tolerance=0) for n in (limit, limit + 1))
    assert more.residuals[-1] <= few.residuals[-1]


@pytest.mark.parametrize(
    ("changes", "picture", "sentence"),
    [
        ({"sampler": "euler"}, solid(SIZE), "The sampler 'euler' cannot be inverted; choose ddim."),
        ({"steps": 1}, solid(SIZE), "A run of 1 step cannot be inverted; choose 2 steps or more."),
        ({}, solid(8), "The picture has 8 by 8 pixels; bring it to the model's 16 by 16."),
        ({}, solid(SIZE) * np.float32(np.nan), "The picture holds NaN or infinity"),
        ({}, solid(SIZE) * np.float32(127), "The picture's values are"),
    ],
)  # fmt: skip
def test_what_is_refused(
    engine: Engine, request_: RunRequest, changes: dict[str, Any], picture: Frame, sentence: str
) -> None:
    request = RunRequest(**{**request_.as_dict(), **changes})
    with pytest.raises(RequestError, match=sentence):
        next(invert(engine, request, picture, threading.Event()))


def test_errors_in_db() -> None:
    """A tenth of the peak everywhere is 20 dB."""
    levels = make_scheduler("ddim", COSINE, 2)
    levels.set_timesteps(2)
    from sculptor_app.core.trajectory.base import RunInfo
    from sculptor_app.core.trajectory.step import Step
    from sculptor_app.diffusion.samplers.levels import plan_levels

    planned, picture = plan_levels(levels), solid(8)
    trajectory = Trajectory(RunInfo(RunRequest(steps=2)), picture, planned)
    for k in (1, 2):
        trajectory.append(Step(k, 0, True, 0.0, planned[k - 1], planned[k], picture, None, "", 0.0))
    inversion = Inversion(picture, trajectory, (1, 1), (0.0, 0.0), 0, 1e-4)
    assert inversion.error_db(picture + np.float32(0.2)) == pytest.approx(20, abs=1e-4)
    assert inversion.error_db(picture) == float("inf")


def iterations(matrix: torch.Tensor, wanted: torch.Tensor, mixing: AndersonMixing | None) -> int:
    """How many it takes to come within 1e-9 of the fixed point `wanted` of g(x) = matrix (x - wanted) + wanted."""
    x = torch.zeros_like(wanted)
    for count in range(200):
        residual = (matrix @ (x - wanted).flatten()).reshape(x.shape) + wanted - x
        if float((x - wanted).abs().max()) < 1e-9:
            return count
        x = x + residual if mixing is None else mixing.next(x, residual)
    return 200


@pytest.mark.parametrize("contraction", [0.3, 0.95, 1.4])
def test_a_linear_map_of_three_directions_is_solved_within_five(contraction: float) -> None:
    """Also one that stretches, on which plain iteration never arrives."""
    matrix = torch.diag(torch.tensor([contraction, -contraction / 2, contraction / 3, 0.0], dtype=torch.float64))
    wanted = torch.tensor([[1.0, -2.0], [3.0, 0.5]], dtype=torch.float64)
    assert iterations(matrix, wanted, AndersonMixing()) <= 5
    assert iterations(matrix, wanted, None) > 12


def test_the_first_iterate_is_the_plain_one() -> None:
    x, residual = torch.ones(2, 2, dtype=torch.float64), torch.full((2, 2), 0.25, dtype=torch.float64)
    assert torch.equal(AndersonMixing().next(x, residual), x + residual)
