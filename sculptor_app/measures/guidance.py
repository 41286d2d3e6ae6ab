"""The two guesses that guidance is made of, and their difference, as a person may look at them.

Source: Ho and Salimans 2022, equation 6, in diffusers' counting: the guess is `unconditional + w (conditional -
unconditional)`. It holds for the guesses as well as for the network's answers wherever the sampler does not clip them.
"""

from __future__ import annotations

from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.core.trajectory.decoded import DECODED
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.measures.frame_kinds import FrameKind

NO_MODEL = "No model takes part here, so nothing is guided."
NOT_DECODED = "A decoded run holds guesses and states alone: see the two guesses of guidance in the latents."
NOT_KEPT = "This run did not keep the two guesses of guidance; one that is told to keep both does."


def halves(trajectory: AnyTrajectory, k: int) -> tuple[Frame, Frame] | None:
    """The unconditional guess of step k and the conditional one, (C, H, W) float32; None where there are not both."""
    if not isinstance(trajectory, Trajectory):
        return None
    free, conditional = trajectory.guess_unconditional(k), trajectory.guess_conditional(k)
    return None if free is None or conditional is None else (free, conditional)


def half(trajectory: AnyTrajectory, k: int, kind: FrameKind) -> Frame | None:
    """One of the two guesses of step k.

    Args:
        trajectory: the run.
        k: step, 0..trajectory.last.
        kind: UNCONDITIONAL_GUESS or CONDITIONAL_GUESS.

    Returns:
        (C, H, W) float32; None where there is none (`why_no_halves` says why).
    """
    pair = halves(trajectory, k)
    if pair is None:
        return None
    return pair[0] if kind is FrameKind.UNCONDITIONAL_GUESS else pair[1]


def why_no_halves(trajectory: AnyTrajectory, k: int) -> str:
    """In plain words, why there are not both at step k, 1..trajectory.last."""
    if trajectory.info.space == DECODED:
        return NOT_DECODED
    if not trajectory.info.is_of_a_model:
        return NO_MODEL
    return trajectory.step(k).guidance_note or NOT_KEPT
