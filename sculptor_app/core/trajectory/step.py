"""Records of steps: one call of `scheduler.step`, and a completed step without its pictures."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.trajectory.levels import NoiseLevel

Frame = NDArray[np.float32]
"""A state or a guess, (C, H, W) float32, in the pipeline's own scale (about [-1, 1] for clean pixels)."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The record of one call of `scheduler.step`.

    Second-order solvers call it more than once for a step that is shown: the calls share `number` and differ in
    `stage`; the last of them has `completes` set.

    Attributes:
        guess_unconditional: where guidance is watched, the guess of the answer without the condition, (C, H, W).
        guess_conditional: the guess of its answer with the condition, (C, H, W); `guess` is that of their mixture.
    """

    number: int  # the step it belongs to, 1..N; step k takes state k-1 to state k
    stage: int  # 0 for the first call of a step, 1 for the second of a second-order solver
    completes: bool  # whether this call brings state `number` about
    timestep: float  # the training timestep that the network saw
    before: NoiseLevel  # level of the state that the call was given
    after: NoiseLevel  # level of the state that it returned
    state: Frame  # noisy state after the call as the next evaluation was given it, (C, H, W)
    guess: Frame | None  # the clean picture that the model predicted, (C, H, W); None where no exact rule is known
    guess_note: str  # why there is no guess, in plain words; empty where there is one
    duration_s: float  # seconds since the call before it, network included
    guess_unconditional: Frame | None = None
    guess_conditional: Frame | None = None
    guidance: float | None = None  # the scale with which this step mixed them; None where they are not known
    guidance_note: str = ""  # where guidance is watched, why they are not known, in plain words
    returned: Frame | None = None  # what the sampler's step returned, where the pipeline changed that before it went on


@dataclass(frozen=True, slots=True)
class StepSummary:
    """A completed step without its pictures."""

    number: int  # 1..N
    calls: int  # how many calls of `scheduler.step` it took; 2 for most steps of a second-order solver
    timestep: float  # the training timestep that the network saw in the first call
    before: NoiseLevel  # level of the state that the first call was given; the step's phase is that of this level
    after: NoiseLevel  # level of state `number`
    duration_s: float  # seconds that all its calls took, network included; 0 where they were made with those of others
    guess_note: str  # why there is no guess, in plain words; empty where there is one
    guidance: float | None = None  # as in `Step`, of its last call
    guidance_note: str = ""  # as in `Step`, of its last call
