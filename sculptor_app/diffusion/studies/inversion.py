"""DDIM inversion: the noise from which a model samples a given picture, found by inverting DDIM's steps.

DDIM's step k is a map F_k from state k-1 to state k. Song et al. 2021 (section 5.4) invert it with the network's output
at state k in place of the unknown one at state k-1, which is exact for infinitely many steps only; with 50 steps the
noise found gives another picture. Here that is the first iterate of a fixed-point iteration that solves F_k(x) = state
k itself, as do Pan et al. 2023 (AIDI) and Garibi et al. 2024 (ReNoise): the noise found gives the picture to any
accuracy.

A clean picture has less noise (grain) than the states that the model knows at its last levels. In exact inversion that
lack grows from step to step, and the picture's outlines show in the noise found (Staniszewski et al. 2024). So the last
few states are the picture with random grain on it, unless the grain is 0.

DDIM's clipping of the guess has no inverse, so that it is left out on the way to the noise. The run from the noise
clips, which changes it by less than a step of 8 bits.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from sculptor_app.core.pictures.start import Start
from sculptor_app.core.requests.request import RequestError, RunRequest, label_of
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.base import DEFAULT_BUDGET_BYTES, RunInfo
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.observe.frames import to_frame
from sculptor_app.diffusion.pipelines.call import check_takes_noise
from sculptor_app.diffusion.pipelines.devices import Device
from sculptor_app.diffusion.pipelines.errors import run_errors
from sculptor_app.diffusion.sampling.engine import Engine, Pipeline
from sculptor_app.diffusion.sampling.noise import seed_noise
from sculptor_app.diffusion.sampling.run import run_info
from sculptor_app.diffusion.sampling.sample import StorageBudget
from sculptor_app.diffusion.studies.ddim_inversion import FixedPointInversion, InvertedStep

DEFAULT_ITERATIONS = 30
DEFAULT_TOLERANCE = 1e-4
"""Leaves an error of the order of rounding a picture to 8 bits, which is 59 dB; see bench_inversion.py."""
DEFAULT_GRAIN = 0.05
"""Two of 50 steps: the picture comes back at 41 dB instead of 67, but the noise found is like drawn noise."""
MOST_GRAIN = 0.5
LEAST_STEPS = 2
"""One step makes the same picture of almost any noise."""
_PEAK = 2.0  # pictures reach from -1 to 1


@dataclass(frozen=True, slots=True, eq=False)
class InversionStep:
    """Event of one more inverted step."""

    done: int  # how many are inverted, 1 to `planned`
    planned: int  # N
    state: Frame  # noisy state N - `done`, (3, S, S) float32
    evaluations: int  # of the network, for this step
    residual: float  # root mean square of what the next iteration would change; NaN if none was made, and for grain


@dataclass(frozen=True, slots=True, eq=False)
class Inversion:
    """Result of an inversion."""

    noise: Frame  # (3, S, S) float32 of about unit variance, what `Start` takes
    # State 0 is the noise, state N the picture; it is read like the run that samples the picture
    trajectory: Trajectory
    evaluations: tuple[int, ...]  # of the network for the steps 1..N
    residuals: tuple[float, ...]  # of each step 1..N, as in `InversionStep`
    grain_steps: int  # how many of the last steps were not inverted, as they start from the picture with random grain
    tolerance: float  # largest residual of a solved step
    name: str = ""

    @property
    def mean(self) -> float:
        """Mean of the noise's values; 0 for the noise that the model was trained with."""
        return float(self.noise.mean(dtype=np.float64))

    @property
    def deviation(self) -> float:
        """Standard deviation of the noise's values; 1 for the noise that the model was trained with."""
        return float(self.noise.std(dtype=np.float64))

    @property
    def unsolved(self) -> int:
        """How many of the inverted steps are not solved within the tolerance."""
        inverted = self.residuals[: len(self.residuals) - self.grain_steps]
        return sum(not residual <= self.tolerance for residual in inverted)

    @property
    def start(self) -> Start:
        """Start of a run that samples the picture again."""
        return Start(
            noise=self.noise, origin=translate("errors", "the noise found for {0}").format(self.name or "a picture")
        )

    def error_db(self, returned: Frame) -> float:
        """Peak signal-to-noise ratio in dB (peak 2) of the last state of a run from `start`, (3, S, S) float32."""
        picture = self.trajectory.state(self.trajectory.planned_steps)
        square = float(np.mean((returned.astype(np.float64) - picture) ** 2))
        return math.inf if square == 0 else 10 * math.log10(_PEAK**2 / square)


def invert(
    engine: Engine,
    request: RunRequest,
    picture: Frame,
    stop: threading.Event,
    name: str = "",
    iterations: int = DEFAULT_ITERATIONS,
    tolerance: float = DEFAULT_TOLERANCE,
    grain: float = DEFAULT_GRAIN,
    budget_bytes: int = DEFAULT_BUDGET_BYTES,
    spill_folder: Path | None = None,
) -> Generator[InversionStep | Inversion, None, None]:
    """Invert a request's run: find the noise from which it samples a picture; closing the generator early gives up.

    Args:
        request: Whose noise; the sampler must be "ddim". With more guidance than 1 the steps are harder to invert.
        picture: (3, S, S) float32 in [-1, 1], of the model's size.
        stop: Set from any thread to give up before the next evaluation of the network.
        iterations: Evaluations of the network per step at most; 0 leaves it at the first iterate, at one evaluation.
        tolerance: Residual (see `InversionStep`) below which a step is solved. States have about unit variance.
        grain: Share of noise in a state, 0 to MOST_GRAIN, up to which it is the picture with grain from the request's
            seed, instead of solved for; 0 solves for every state.
        budget_bytes, spill_folder: As for `sample`.

    Yields:
        An `InversionStep` for each step, and at last the `Inversion`. A step that is not solved keeps its best iterate.

    Raises:
        Cancelled: `stop` was set.
        SculptorError: The model failed.
        RequestError: Sampler, picture or labels do not fit the model.
    """
    _check(request, grain)
    pipeline = engine.load(request.model, request.device, stop)
    solver = _solver(engine, pipeline, request, picture, stop)
    info = replace(run_info(request, engine), origin=f"{name or 'a picture'}, inverted")
    solver.begin(picture, seed_noise(request.seed, pipeline.picture_size)[0], grain)
    inverted: list[InvertedStep] = []
    try:
        for number in range(request.steps, 0, -1):
            with run_errors(_device(engine).name), torch.no_grad():
                last = solver.invert_step(number, iterations, tolerance)
            inverted.append(last)
            yield InversionStep(len(inverted), request.steps, to_frame(last.state), last.evaluations, last.residual)
    finally:
        pipeline.maybe_free_model_hooks()
    yield _result(info, solver, inverted[::-1], tolerance, name, StorageBudget(budget_bytes, spill_folder))


def _check(request: RunRequest, grain: float) -> None:
    if request.sampler != "ddim":
        raise RequestError(
            translate("errors", "The sampler {0!r} cannot be inverted; choose ddim.").format(request.sampler)
        )
    if request.steps < LEAST_STEPS:
        raise RequestError(
            translate("errors", "A run of {0} step cannot be inverted; choose {1} steps or more.").format(
                request.steps, LEAST_STEPS
            )
        )
    if not 0 <= grain <= MOST_GRAIN:
        raise RequestError(translate("errors", "The grain is {0:g}; choose 0 to {1:g}.").format(grain, MOST_GRAIN))


def _solver(
    engine: Engine, pipeline: Pipeline, request: RunRequest, picture: Frame, stop: threading.Event
) -> FixedPointInversion:
    check_takes_noise(pipeline, translate("errors", "Finding the noise of a picture"))
    Start(picture).check_fits(request.steps, pipeline.picture_size)
    labels = label_of(pipeline, "form", request.form), label_of(pipeline, "material", request.material)
    with run_errors(_device(engine).name), torch.no_grad():
        network = pipeline.network(*labels, request.guidance)
        return FixedPointInversion(network, pipeline, engine.scheduler(request), request.steps, stop)


def _device(engine: Engine) -> Device:
    assert engine.device is not None  # a model is loaded
    return engine.device


def _result(
    info: RunInfo,
    solver: FixedPointInversion,
    steps: list[InvertedStep],
    tolerance: float,
    name: str,
    budget: StorageBudget,
) -> Inversion:
    """The inversion of all steps, given in the order 1..N."""
    state = to_frame(steps[0].state)
    trajectory = Trajectory(info, state, solver.levels, budget.budget_bytes, budget.folder)
    for each in steps:
        trajectory.append(each.step)
    noise = state.copy()  # DDIM starts from noise of unit variance as it is
    noise.setflags(write=False)
    evaluations, residuals = tuple(each.evaluations for each in steps), tuple(each.residual for each in steps)
    return Inversion(noise, trajectory, evaluations, residuals, solver.grain_steps, tolerance, name)
