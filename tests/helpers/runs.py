"""Finished runs with a known course, made without a model: DDIM's own path from fixed noise to a given picture."""

from typing import Any

import numpy as np

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.base import RunInfo
from sculptor_app.core.trajectory.forward import cosine_levels as cosine_levels  # also read from here
from sculptor_app.core.trajectory.step import Frame, Step
from sculptor_app.core.trajectory.trajectory import Trajectory


def solid(size: int, channels: int = 3) -> Frame:
    """A smooth picture of a ball on a two-coloured ground, (C, size, size) in [-1, 1]."""
    y, x = np.mgrid[0:size, 0:size] / size * 2 - 1
    ball = np.clip(1.2 - 2.4 * np.hypot(x, y), 0, 1) * (0.7 - 0.4 * x)
    ground = np.where(y > 0.5, -0.2, 0.3 * x)
    planes = [(ground * (0.4 + 0.2 * channel) + ball * (1 - 0.25 * channel)) for channel in range(channels)]
    return np.clip(np.array(planes), -1, 1).astype(np.float32)


def made_run(steps: int = 8, size: int = 16, channels: int = 3, fresh_noise: bool = False, taken: int | None = None,
             guesses: bool = True, space: str = "pixels", guidance: float | None = None,
             **kept: Any) -> Trajectory:  # fmt: skip
    """A run whose guesses sharpen towards `solid` and whose noise is the same at every level, or new at each.

    Args:
        steps: N.
        size: edge of the pictures.
        channels: of the pictures.
        fresh_noise: as DDPM has it.
        taken: steps that were taken; None is all of them.
        guesses: without them the run is that of a scheduler that is not known.
        space: "pixels" or "latents".
        guidance: with it the run keeps the two guesses of guidance, whose mixture each guess is.
        kept: how it is kept, as `Trajectory` takes it.
    """
    generator = np.random.default_rng(7)
    levels, picture = cosine_levels(steps), solid(size, channels)
    noise = generator.standard_normal(picture.shape).astype(np.float32)
    info = RunInfo(RunRequest("bust", "bronze", steps=steps), "made", "CPU, 1 thread", "DDIM", space, "bust · bronze")
    trajectory = Trajectory(info, noise, levels, **kept)
    for k in range(1, (steps if taken is None else taken) + 1):
        if fresh_noise:
            noise = generator.standard_normal(picture.shape).astype(np.float32)
        guess = picture * np.float32(0.2 + 0.8 * k / steps)
        state = np.float32(levels[k].signal) * guess + np.float32(levels[k].noise) * noise
        note = "" if guesses else "No rule is known for this scheduler."
        trajectory.append(
            Step(
                k,
                0,
                True,
                999 * (1 - k / steps),
                levels[k - 1],
                levels[k],
                state,
                guess if guesses else None,
                note,
                0.03,
                **_halves_of(guess, picture, guidance),
            )
        )
    return trajectory


def _halves_of(guess: Frame, picture: Frame, guidance: float | None) -> dict[str, Any]:
    """Two guesses that differ by a tenth of the picture turned upside down."""
    if guidance is None:
        return {}
    direction = picture[:, ::-1] * np.float32(0.1)
    free = guess - np.float32(guidance) * direction
    return {"guess_unconditional": free, "guess_conditional": free + direction, "guidance": guidance}
