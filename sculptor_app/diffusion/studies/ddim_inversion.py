"""Inversion of single DDIM steps by a fixed-point iteration with Anderson mixing; see `inversion`.

| in code | here |
| --- | --- |
| `y` | state k, which is known |
| `x` | state k-1, which is wanted |
| `cosine` | dF_k/dx with the network's velocity held: cosine of the angle between both states' levels (a, s) |

| in `AndersonMixing` | in Walker and Ni 2011 |
| --- | --- |
| `x` | x_k, the iterate |
| `residual` | f_k = g(x_k) - x_k |
| `shares` | gamma, of the least-squares problem below equation 2.2 |

Source: Walker and Ni 2011, algorithm AA, in its unconstrained form; Pan et al. 2023 (AIDI) for diffusion inversion.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from dataclasses import dataclass

import torch

from sculptor_app.core.errors import Cancelled, SamplerFailed
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.step import Frame, Step
from sculptor_app.diffusion.observe.frames import to_frame
from sculptor_app.diffusion.pipelines.sculptor import Network
from sculptor_app.diffusion.samplers.levels import plan_levels
from sculptor_app.diffusion.samplers.predictions import guess_of
from sculptor_app.diffusion.samplers.schedulers import EvenDDIMScheduler, make_inverse

MEMORY = 3
"""Earlier iterates that a new one is mixed of. More gained nothing on the embedded model."""


@dataclass(frozen=True, slots=True, eq=False)
class InvertedStep:
    """Step `step.number` as the run would take it, and the state that it starts from, (1, 3, S, S)."""

    step: Step
    state: torch.Tensor
    evaluations: int
    residual: float


class FixedPointInversion:
    """DDIM inversion from the picture to the noise, one step at a time; it plans `scheduler` itself."""

    def __init__(self, network: Network, pipeline: object, scheduler: EvenDDIMScheduler, steps: int,
                 stop: threading.Event) -> None:  # fmt: skip
        self._network, self._stop = network, stop
        self._place = {"device": pipeline.device, "dtype": pipeline.dtype}  # type: ignore[attr-defined]
        self._forward = EvenDDIMScheduler.from_config(scheduler.config, clip_sample=False, thresholding=False)
        self._inverse = make_inverse(self._forward)
        for each in (self._forward, self._inverse):
            each.set_timesteps(steps, device=pipeline.device)  # type: ignore[attr-defined]
        self.levels = plan_levels(self._forward)
        self._evaluations = 0
        self._outputs: list[torch.Tensor] = []  # of the two steps that were inverted last, at most

    def begin(self, picture: Frame, noise: Frame, grain: float) -> None:
        """Start from the picture (3, S, S); states whose noise share is up to `grain` are made of it and `noise`."""
        self._picture, self._noise = (
            torch.from_numpy(each.copy())[None].to(**self._place) for each in (picture, noise)
        )
        self._y = self._picture
        self.grain_steps = sum(level.noise / level.scale <= grain for level in self.levels[:-1])

    def invert_step(self, number: int, iterations: int, tolerance: float) -> InvertedStep:
        """Find the state that step `number` takes to the current one, or add its grain, and make it the current one."""
        begun, self._evaluations, y = time.perf_counter(), 0, self._y
        timestep, before, after = self._forward.timesteps[number - 1], *self.levels[number - 1 : number + 1]
        residual = math.nan
        if number > len(self.levels) - 1 - self.grain_steps:
            x = before.signal * self._picture + before.noise * self._noise
            output = self._evaluate(x, timestep)
        else:
            x, output = self._first_iterate(y, timestep, extrapolate=iterations > 0)
            if iterations:
                x, output, residual = self._solve(x, number, iterations, tolerance)
        if not torch.isfinite(x).all():
            raise SamplerFailed(
                translate("errors", "Step {0} could not be inverted: the model gave NaN or infinite values.").format(
                    number
                ),
                translate("errors", "Choose more steps or less guidance."),
            )
        self._y, self._outputs = x, [*self._outputs, output][-2:]
        guess = to_frame(guess_of(self._forward, x, output, before))
        seconds = time.perf_counter() - begun
        step = Step(number, 0, True, float(timestep), before, after, to_frame(y), guess, "", seconds)
        return InvertedStep(step, x, self._evaluations, residual)

    def _evaluate(self, x: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        if self._stop.is_set():
            raise Cancelled
        self._evaluations += 1
        return self._network(x, timestep)

    def _first_iterate(
        self, y: torch.Tensor, timestep: torch.Tensor, extrapolate: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """DDIM's inverse step, and the network's output that it was taken with.

        With `extrapolate` the outputs of the steps before are extended in a straight line: no evaluation is needed.
        """
        if not (extrapolate and self._outputs):
            output = self._evaluate(y, timestep)
        else:
            output = self._outputs[-1] * 2 - self._outputs[0] if len(self._outputs) == 2 else self._outputs[-1]
        return self._inverse.step(output, timestep, y, return_dict=False)[0], output

    def _solve(
        self, x: torch.Tensor, number: int, iterations: int, tolerance: float
    ) -> tuple[torch.Tensor, torch.Tensor, float]:
        """The x whose step comes nearest to the current state, the network's output there, and the residual."""
        timestep, (before, after) = self._forward.timesteps[number - 1], self.levels[number - 1 : number + 1]
        cosine = (before.signal * after.signal + before.noise * after.noise) / (before.scale * after.scale)
        y, mixing = self._y.to("cpu", torch.float64), AndersonMixing()
        best = (x, x, math.inf)
        for _ in range(iterations):
            output = self._evaluate(x, timestep)
            reached = self._forward.step(output, timestep, x, return_dict=False)[0].to("cpu", torch.float64)
            residual = (y - reached) / cosine
            size = float(residual.square().mean().sqrt())
            if size < best[2]:
                best = (x, output, size)
            if size <= tolerance or not math.isfinite(size):
                break
            x = mixing.next(x.to("cpu", torch.float64), residual).to(**self._place)
        if not math.isfinite(best[2]):
            return x * math.nan, x, best[2]
        return best


class AndersonMixing:
    """Anderson mixing: the next iterate of x = g(x) from the last ones and their residuals."""

    def __init__(self) -> None:
        self._past: deque[tuple[torch.Tensor, torch.Tensor]] = deque(maxlen=MEMORY + 1)

    def next(self, x: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """The iterate after x (any shape, float64), where the residual is g(x) - x."""
        self._past.append((x, residual))
        plain = x + residual
        if len(self._past) == 1:
            return plain
        xs, residuals = (torch.stack([pair[i].flatten() for pair in self._past], 1) for i in (0, 1))  # (n, m + 1)
        steps, changes = xs.diff(dim=1), residuals.diff(dim=1)  # (n, m)
        shares = torch.linalg.lstsq(changes, residual.flatten()[:, None]).solution  # (m, 1)
        mixed: torch.Tensor = plain - ((steps + changes) @ shares).reshape(x.shape)
        return mixed
