"""The noise that a model carves a given picture out of, found by undoing DDIM's steps one after the other.

DDIM's step k is a map F_k from state k-1 to state k. Song et al. 2021 (section 5.4) undo it with the network's answer
at state k in place of the unknown one at state k-1, which is exact for infinitely many steps only; with 50 steps the
way back leads to another picture. Here that is the first guess of an iteration that solves F_k(x) = state k itself, as
do Pan et al. 2023 (AIDI) and Garibi et al. 2024 (ReNoise): the noise found leads back to the picture as near as wanted.

| in code | here |
| --- | --- |
| `y` | state k, which is known |
| `x` | state k-1, which is wanted |
| `turn` | dF_k/dx with the network's velocity held: the cosine of the angle between the levels (a, s) of both states |
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from sculptor_app.diffusion.engine import cache_folder, run_info
from sculptor_app.diffusion.errors import Cancelled, SamplerFailed
from sculptor_app.diffusion.faults import run_told
from sculptor_app.diffusion.fixed_point import Mixing
from sculptor_app.diffusion.labels import label_of
from sculptor_app.diffusion.loading import Engine
from sculptor_app.diffusion.observer import to_frame
from sculptor_app.diffusion.predictions import guess_of
from sculptor_app.diffusion.request import RequestError, SculptRequest
from sculptor_app.diffusion.scheduler_levels import plan_levels
from sculptor_app.diffusion.schedulers import EvenDDIMScheduler, make_inverse
from sculptor_app.diffusion.start import Start
from sculptor_app.diffusion.step import Frame, Step
from sculptor_app.diffusion.trajectory import DEFAULT_BUDGET_BYTES, RunInfo, Trajectory

DEFAULT_ITERATIONS = 30
DEFAULT_TOLERANCE = 1e-4
"""Leaves an error of the order of rounding a picture to 8 bits, which is 59 dB; see bench_inversion.py."""
LEAST_STEPS = 2
"""One step makes the same picture of almost any noise."""
_PEAK = 2.0  # pictures reach from -1 to 1

Ask = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True, eq=False)
class InversionStep:
    """One more step has been undone.

    Attributes:
        done: how many have, 1 to `planned`.
        planned: N.
        state: noisy state N - `done`, (3, S, S) float32.
        evaluations: of the network, for this step.
        residual: root mean square of what the next iteration would still change; nan if none was made.
    """

    done: int
    planned: int
    state: Frame
    evaluations: int
    residual: float


@dataclass(frozen=True, slots=True, eq=False)
class Inversion:
    """What was found.

    Attributes:
        noise: (3, S, S) float32 of about unit variance, what `Start` takes.
        trajectory: state 0 is the noise, state N the picture; it is read like the run that carves the picture.
        evaluations: of the network for the steps 1..N.
        residuals: what was left of each step 1..N, as in `InversionStep`.
        tolerance: what was to be left at most.
        name: of the picture, for people.
    """

    noise: Frame
    trajectory: Trajectory
    evaluations: tuple[int, ...]
    residuals: tuple[float, ...]
    tolerance: float
    name: str = ""

    @property
    def mean(self) -> float:
        """Of the noise's values; 0 for the noise that the model was trained with."""
        return float(self.noise.mean(dtype=np.float64))

    @property
    def deviation(self) -> float:
        """Standard deviation of the noise's values; 1 for the noise that the model was trained with."""
        return float(self.noise.std(dtype=np.float64))

    @property
    def is_exact(self) -> bool:
        """Whether every step was solved within the tolerance."""
        return all(residual <= self.tolerance for residual in self.residuals)

    @property
    def start(self) -> Start:
        """What carves the picture again."""
        return Start(noise=self.noise, origin=f"the noise found for {self.name or 'a picture'}")

    def error_db(self, returned: Frame) -> float:
        """How near a picture comes to the one that was inverted: the peak signal-to-noise ratio in dB, peak 2.

        Args:
            returned: (3, S, S) float32, the last state of a run from `start`.
        """
        picture = self.trajectory.state(self.trajectory.planned_steps)
        square = float(np.mean((returned.astype(np.float64) - picture) ** 2))
        return math.inf if square == 0 else 10 * math.log10(_PEAK**2 / square)


def invert(
    engine: Engine,
    request: SculptRequest,
    picture: Frame,
    stop: threading.Event,
    name: str = "",
    iterations: int = DEFAULT_ITERATIONS,
    tolerance: float = DEFAULT_TOLERANCE,
    budget_bytes: int = DEFAULT_BUDGET_BYTES,
    spill_folder: Path | None = None,
) -> Generator[InversionStep | Inversion, None, None]:
    """Find the noise that a request's run carves into a picture; closing the generator early gives up.

    DDIM's clipping of the guess is left out on the way to the noise: clipped values cannot be told apart again. The
    way back clips them, which changes it less than 8 bits can tell.

    Args:
        engine: Loads the model where it has not.
        request: Whose noise; the sampler must be "ddim". With more guidance than 1 the steps are harder to undo.
        picture: (3, S, S) float32 in [-1, 1], of the model's size.
        stop: Set from any thread to give up before the next evaluation of the network.
        name: Of the picture, for people.
        iterations: Evaluations of the network per step at most, 1 and more; 0 leaves it at the first guess, at one
            evaluation per step.
        tolerance: Root mean square of what an iteration still changes, below which a step is solved. States have
            about unit variance.
        budget_bytes: Memory for the trajectory's frames.
        spill_folder: Where the frames beyond it go; None is the program's cache folder.

    Yields:
        An `InversionStep` for each step, and at last the `Inversion`. A step that was not solved within the iterations
        keeps the best that was found, and `Inversion.is_exact` says so.

    Raises:
        Cancelled: `stop` was set.
        SculptError: The model failed.
        RequestError: Sampler, picture or labels do not fit the model.
    """
    if request.sampler != "ddim":
        raise RequestError(f"The sampler {request.sampler!r} cannot be undone; choose ddim.")
    if request.steps < LEAST_STEPS:
        raise RequestError(f"A run of {request.steps} step cannot be undone; choose {LEAST_STEPS} steps or more.")
    pipeline = engine.load(request.model, request.device)
    Start(picture).check_fits(request.steps, pipeline.picture_size)
    device = engine.device
    assert device is not None
    info = replace(run_info(request, device), origin=f"{name or 'a picture'}, inverted")
    labels = label_of(pipeline, "form", request.form), label_of(pipeline, "material", request.material)
    with run_told(device.name), torch.no_grad():
        network = pipeline.network(*labels, request.guidance)
        walk = _Walk(network, pipeline, engine.scheduler(request), request.steps, stop)
    walk.begin(picture)
    undone: list[_Undone] = []
    try:
        for number in range(request.steps, 0, -1):
            with run_told(device.name), torch.no_grad():
                undone.append(walk.undo(number, iterations, tolerance))
            last = undone[-1]
            yield InversionStep(len(undone), request.steps, to_frame(last.state), last.evaluations, last.residual)
    finally:
        pipeline.maybe_free_model_hooks()
    yield _found(info, walk, undone[::-1], tolerance, name, budget_bytes, spill_folder or cache_folder())


@dataclass(frozen=True, slots=True, eq=False)
class _Undone:
    """Step `step.number` as the run would take it, and the state that it starts from, (1, 3, S, S)."""

    step: Step
    state: torch.Tensor
    evaluations: int
    residual: float


class _Walk:
    """Goes from the picture to the noise, one step at a time.

    Args:
        network: Of the run.
        pipeline: Whose device and dtype the network wants.
        scheduler: Of the run, before `set_timesteps`.
        steps: N.
        stop: Ends the walk before the next evaluation.
    """

    def __init__(self, network: Ask, pipeline: object, scheduler: EvenDDIMScheduler, steps: int,
                 stop: threading.Event) -> None:  # fmt: skip
        self._network, self._stop = network, stop
        self._place = {"device": pipeline.device, "dtype": pipeline.dtype}  # type: ignore[attr-defined]
        self._forward = EvenDDIMScheduler.from_config(scheduler.config, clip_sample=False, thresholding=False)
        self._inverse = make_inverse(self._forward)
        for each in (self._forward, self._inverse):
            each.set_timesteps(steps, device=pipeline.device)  # type: ignore[attr-defined]
        self.levels = plan_levels(self._forward)
        self._asked = 0
        self._answers: list[torch.Tensor] = []  # of the two steps that were undone last, at most

    def begin(self, picture: Frame) -> None:
        """Stand at the picture."""
        self._y = torch.from_numpy(picture.copy())[None].to(**self._place)

    def undo(self, number: int, iterations: int, tolerance: float) -> _Undone:
        """Find the state that step `number` takes to where the walk stands, and go there."""
        begun, self._asked, y = time.perf_counter(), 0, self._y
        timestep = self._forward.timesteps[number - 1]
        x, answer = self._first_guess(y, timestep, ahead=iterations > 0)
        residual = math.nan
        if iterations:
            x, answer, residual = self._solved(x, number, iterations, tolerance)
        if not torch.isfinite(x).all():
            raise SamplerFailed(
                f"Step {number} could not be undone: the model made values that are no numbers.",
                "Choose more steps or less guidance.",
            )
        self._y, self._answers = x, [*self._answers, answer][-2:]
        before, after = self.levels[number - 1 : number + 1]
        guess = to_frame(guess_of(self._forward, x, answer, before))
        seconds = time.perf_counter() - begun
        step = Step(number, 0, True, float(timestep), before, after, to_frame(y), guess, "", seconds)
        return _Undone(step, x, self._asked, residual)

    def _ask(self, x: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        if self._stop.is_set():
            raise Cancelled
        self._asked += 1
        return self._network(x, timestep)

    def _first_guess(self, y: torch.Tensor, timestep: torch.Tensor, ahead: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """DDIM's inverse step, and the answer it was taken with.

        Args:
            y: Where the walk stands.
            timestep: What the network is to see.
            ahead: Take the answers of the steps before, carried on in a straight line, which costs no evaluation.
        """
        if not (ahead and self._answers):
            answer = self._ask(y, timestep)
        else:
            answer = self._answers[-1] * 2 - self._answers[0] if len(self._answers) == 2 else self._answers[-1]
        return self._inverse.step(answer, timestep, y, return_dict=False)[0], answer

    def _solved(
        self, x: torch.Tensor, number: int, iterations: int, tolerance: float
    ) -> tuple[torch.Tensor, torch.Tensor, float]:
        """The x whose step comes nearest to where the walk stands, the network's answer there, and what is left."""
        timestep, (before, after) = self._forward.timesteps[number - 1], self.levels[number - 1 : number + 1]
        turn = (before.signal * after.signal + before.noise * after.noise) / (before.scale * after.scale)
        y, mixing = self._y.to("cpu", torch.float64), Mixing()
        best = (x, x, math.inf)
        for _ in range(iterations):
            answer = self._ask(x, timestep)
            reached = self._forward.step(answer, timestep, x, return_dict=False)[0].to("cpu", torch.float64)
            residual = (y - reached) / turn
            size = float(residual.square().mean().sqrt())
            if size < best[2]:
                best = (x, answer, size)
            if size <= tolerance or not math.isfinite(size):
                break
            x = mixing.next(x.to("cpu", torch.float64), residual).to(**self._place)
        if not math.isfinite(best[2]):
            return x * math.nan, x, best[2]
        return best


def _found(
    info: RunInfo, walk: _Walk, undone: list[_Undone], tolerance: float, name: str, budget_bytes: int, folder: Path
) -> Inversion:
    """The record of a whole walk, `undone` in the order of the steps 1..N."""
    state = to_frame(undone[0].state)
    trajectory = Trajectory(info, state, walk.levels, budget_bytes, folder)
    for each in undone:
        trajectory.append(each.step)
    noise = state.copy()  # DDIM starts from noise of unit variance as it is
    noise.setflags(write=False)
    evaluations, residuals = tuple(each.evaluations for each in undone), tuple(each.residual for each in undone)
    return Inversion(noise, trajectory, evaluations, residuals, tolerance, name)
