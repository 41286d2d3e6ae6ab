"""Runs from a given picture or noise: the bare pipeline's, bit for bit, and refused where they make no sense."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.errors import Cancelled, SculptorError
from sculptor_app.core.pictures.start import Start, first_step_of
from sculptor_app.core.requests.request import RequestError, RunRequest
from sculptor_app.core.requests.samplers import EMBEDDED_SAMPLERS
from sculptor_app.core.trajectory.levels import phase_spans
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from tests.helpers.runs import solid

STEPS, FIRST = 8, 5
PICTURE = solid(16)
NOISE = np.random.default_rng(3).standard_normal((3, 16, 16)).astype(np.float32)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


@pytest.fixture
def request_(tiny_model: Path) -> RunRequest:
    return RunRequest(form="bust", material="bronze", seed=7, steps=STEPS, model=str(tiny_model), device="cpu")


def changed(request: RunRequest, **changes: object) -> RunRequest:
    return RunRequest(**{**request.as_dict(), **changes})


def finish(engine: Engine, request: RunRequest, start: Start | None = None) -> Trajectory:
    trajectory: Trajectory = list(sample(engine, request, threading.Event(), start=start))[-1].trajectory
    return trajectory


def bare(engine: Engine, request: RunRequest, **options: Any) -> Frame:
    """The picture of the pipeline alone, nobody watching."""
    pipeline: SculptorPipeline = engine.load(request.model, request.device)
    pipeline.scheduler = engine.scheduler(request)
    generator = torch.Generator("cpu").manual_seed(request.seed)
    result = pipeline(0, 1, request.steps, request.guidance, generator, output_type="pt", **options)
    picture: Frame = result.images[0].numpy()
    return picture


def shown(trajectory: Trajectory) -> Frame:
    """The last state in [0, 1], rounded as the pipeline rounds."""
    state = torch.from_numpy(trajectory.state(trajectory.last).copy())
    picture: Frame = (state / 2 + 0.5).clamp(0, 1).numpy()
    return picture


def batch(frame: Frame) -> torch.Tensor:
    return torch.from_numpy(frame.copy())[None]


@pytest.mark.parametrize("sampler", EMBEDDED_SAMPLERS)
@pytest.mark.parametrize("noise", [None, NOISE], ids=["drawn", "given"])
def test_a_run_from_a_picture(engine: Engine, request_: RunRequest, sampler: str, noise: Frame | None) -> None:
    """As the bare pipeline makes it; state 0 is the picture at the level of the run's own state; phases are cut."""
    request = changed(request_, sampler=sampler)
    trajectory = finish(engine, request, Start(PICTURE, noise, FIRST, "a ball"))
    given = {} if noise is None else {"noise": batch(noise)}
    want = bare(engine, request, picture=batch(PICTURE), first_step=FIRST, **given)
    np.testing.assert_array_equal(shown(trajectory), want)
    assert trajectory.levels == engine.plan(request)[FIRST - 1 :]
    assert trajectory.spans == phase_spans(trajectory.levels)
    assert [trajectory.step(k).number for k in range(1, STEPS - FIRST + 2)] == [1, 2, 3, 4]
    if noise is None:
        noise = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(7))[0].numpy()
    level = trajectory.levels[0]
    np.testing.assert_allclose(trajectory.state(0), level.signal * PICTURE + level.noise * noise, atol=1e-5)
    assert (trajectory.info.origin, trajectory.info.first_step) == ("a ball", FIRST)


@pytest.mark.parametrize("sampler", EMBEDDED_SAMPLERS)
def test_a_run_from_given_noise(engine: Engine, request_: RunRequest, sampler: str) -> None:
    request = changed(request_, sampler=sampler)
    trajectory = finish(engine, request, Start(noise=NOISE))
    np.testing.assert_array_equal(shown(trajectory), bare(engine, request, noise=batch(NOISE)))
    np.testing.assert_allclose(trajectory.state(0) / trajectory.levels[0].scale, NOISE, rtol=1e-4)
    assert trajectory.planned_steps == STEPS


def test_the_noise_of_the_seed_comes_first(engine: Engine, request_: RunRequest) -> None:
    """Given the noise that its seed would have drawn, a sampler without noise of its own makes the same run."""
    drawn = finish(engine, request_)
    again = finish(engine, request_, Start(noise=drawn.state(0)))
    for k in range(STEPS + 1):
        np.testing.assert_array_equal(again.state(k), drawn.state(k))


def test_whole_way_from_a_picture_is_nearly_the_run_of_the_seed(engine: Engine, request_: RunRequest) -> None:
    """Pure noise holds next to nothing of the picture; where the run starts, the picture is still to be seen."""
    plain = finish(engine, request_)
    first = finish(engine, request_, Start(PICTURE, first_step=1))
    np.testing.assert_allclose(first.state(0), plain.state(0), atol=1e-3)
    assert first.planned_steps == STEPS
    last = finish(engine, request_, Start(PICTURE, first_step=STEPS))
    assert last.planned_steps == 1
    assert np.abs(last.state(0) - PICTURE).max() < 0.1


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "heun"])
def test_cancelled_and_run_again(engine: Engine, request_: RunRequest, sampler: str) -> None:
    request, start = changed(request_, sampler=sampler), Start(PICTURE, first_step=FIRST)
    never_cancelled = finish(engine, request, start)
    stop, seen = threading.Event(), []

    def watch() -> None:
        for event in sample(engine, request, stop, start=start):
            seen.append(event.trajectory)
            if event.trajectory.last == 2:
                stop.set()

    with pytest.raises(Cancelled):
        watch()
    assert (seen[-1].last, seen[-1].ended) == (2, "cancelled")
    np.testing.assert_array_equal(finish(engine, request, start).state(4), never_cancelled.state(4))


def test_later_runs_know_nothing_of_a_start(engine: Engine, request_: RunRequest) -> None:
    before = finish(engine, request_)
    finish(engine, request_, Start(PICTURE, first_step=FIRST, origin="a ball"))
    after = finish(engine, request_)
    np.testing.assert_array_equal(before.state(STEPS), after.state(STEPS))
    assert (after.info.origin, after.info.first_step) == ("", 1)


def with_one(value: float) -> Frame:
    frame = PICTURE.copy()
    frame[1, 2, 3] = value
    return frame


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "neither a picture nor a noise"),
        ({"noise": NOISE, "first_step": 2}, "Step 2 cannot start from noise alone"),
        ({"picture": PICTURE, "first_step": 0}, "The first step is 0; choose a whole number, 1 and more."),
        ({"picture": PICTURE, "first_step": 2.0}, "The first step is 2.0"),
        ({"picture": PICTURE, "first_step": True}, "The first step is True"),
        ({"picture": with_one(np.nan)}, "The picture holds NaN or infinity"),
        ({"noise": with_one(-np.inf)}, "The noise holds NaN or infinity"),
        ({"picture": with_one(255)}, "The picture's values are -0.24 to 255; bring them to -1 to 1."),
        ({"picture": PICTURE.astype(np.float64)}, "The picture is of float64; give an array of float32."),
        ({"picture": PICTURE.tolist()}, "The picture is of list"),
        ({"picture": PICTURE[:, :8]}, r"The picture has the shape \(3, 8, 16\); give three channels of a square."),
        ({"noise": NOISE[0]}, r"The noise has the shape \(16, 16\)"),
        ({"noise": NOISE[:1]}, r"The noise has the shape \(1, 16, 16\)"),
        ({"noise": NOISE[:, :0, :0]}, r"The noise has the shape \(3, 0, 0\)"),
    ],
)  # fmt: skip
def test_what_makes_no_start(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RequestError, match=sentence) as caught:
        Start(**options)
    assert isinstance(caught.value, SculptorError)


def test_a_start_that_does_not_fit_the_run(engine: Engine, request_: RunRequest) -> None:
    for start, sentence in (
        (Start(PICTURE, first_step=STEPS + 1), "The first step is 9 of 8; choose 1 to 8."),
        (Start(solid(32)), "The picture has 32 by 32 pixels; bring it to the model's 16 by 16."),
        (Start(PICTURE, solid(8)), "The noise has 8 by 8 pixels; bring it to the model's 16 by 16."),
    ):
        with pytest.raises(RequestError, match=sentence):
            next(sample(engine, request_, threading.Event(), start=start))


def test_a_start_keeps_what_it_was_given() -> None:
    noise = NOISE.copy()
    start = Start(noise=noise)
    noise[:] = 0
    assert start.noise is not None
    np.testing.assert_array_equal(start.noise, NOISE)
    assert not start.noise.flags.writeable


@pytest.mark.parametrize(
    ("level", "steps", "first"),
    [(0.5, 50, 26), (1.0, 50, 1), (1.0, 1, 1), (0.02, 50, 50), (0.001, 50, 50), (0.5, 5, 3), (0.3, 10, 8),
     (0.07, 100, 94)],
)  # fmt: skip
def test_levels_are_counted_in_steps(level: float, steps: int, first: int) -> None:
    assert first_step_of(level, steps) == first


@given(level=st.floats(0, 1, exclude_min=True), steps=st.integers(1, 1000))
def test_every_level_has_its_step(level: float, steps: int) -> None:
    taken = steps + 1 - first_step_of(level, steps)
    assert 1 <= taken <= steps
    assert taken == 1 or abs(taken / steps - level) <= 0.5 / steps + 1e-9


@pytest.mark.parametrize("level", [0.0, -0.1, 1.01, float("nan")])
def test_levels_outside_are_refused(level: float) -> None:
    with pytest.raises(RequestError, match=r"The level is .*; choose above 0, where nothing would be carved, up to 1"):
        first_step_of(level, 50)
