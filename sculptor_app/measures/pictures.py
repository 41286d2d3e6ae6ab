"""The pictures of a run: the numbers behind every kind of frame, and how they become colours.

The two predictions of guidance: Ho and Salimans 2022, equation 6, in diffusers' counting: the guess is
`unconditional + w (conditional - unconditional)`. It holds for the guesses as well as for the network's answers
wherever the sampler does not clip them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.core.trajectory.forward import ForwardTrajectory
from sculptor_app.core.trajectory.latent_map import LatentMap
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.core.trajectory.trajectory import DECODED
from sculptor_app.measures.colours import Bytes, Rgb32, bands_of, diverging_rgb32, rgb32_picture, rgb_of, robust_limit
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.measures.spectrum import luminance

NO_MODEL = translate("errors", "No model takes part here, so nothing is guided.")
NOT_DECODED = translate(
    "errors", "A decoded run holds guesses and states alone: see the two guesses of guidance in the latents."
)
NOT_KEPT = translate(
    "errors", "This run did not keep the two guesses of guidance; one that is asked to keep both does."
)


LATENT_RANGE = 2.5
"""Latents have about unit variance: without a map to colours they are shown from −2.5 to 2.5, pixels from −1 to 1."""

UNIT_SCALE = 1e-6
"""A scale so near to 1 is 1: schedulers that keep the variance give a² + s² = 1 with a last figure of rounding."""

OTHER_SIZE = translate("errors", "The two runs have frames of different sizes, so there is no difference to be seen.")
NO_STEP_YET = translate("errors", "No step has been taken yet: this is the untouched block.")
SUB_STAGES = translate(
    "errors", "This sampler asks the network more than once in a step, so no one noise goes with the guess."
)
NO_LEVEL = translate("errors", "The step starts from a state without noise.")
NOT_FINISHED = translate("errors", "The twin is the finished picture, and this run is not finished.")
TWIN_SUB_STAGES = translate(
    "errors",
    "This sampler asks the network more than once in a step, so no one noise goes with the guess, and none with a "
    "twin.",
)
NO_DECODED_NOISE = translate(
    "errors", "Noise is added to the latents, and no decoder makes a picture of it: see it in the latents."
)
NOT_DECODED_STEP = translate(
    "errors", "A decoded run holds guesses and states alone: see what the sampler returned in the latents."
)
NO_TWIN_NOISE = translate(
    "errors", "The twin takes the noise that the model sees here, and the next step does not show it."
)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture to show, or why there is none."""

    rgb32: Rgb32 | None  # (H, W), 0xffRRGGBB each, as a screen takes it; None where there is nothing to show
    limit: float | None = None  # of chips, the value at either end of the colour scale; None for other kinds
    note: str = ""  # why it is empty, in plain words; empty where there is a picture
    seen: str = ""  # of latents, how their numbers became colours, in plain words; empty for pixels

    @property
    def rgb(self) -> Bytes | None:
        """(H, W, 3) uint8, C-contiguous, made anew at each call: what files are made of."""
        return None if self.rgb32 is None else rgb_of(self.rgb32)


def frame(trajectory: AnyTrajectory, k: int, kind: FrameKind) -> Frame | None:
    """The numbers behind a picture.

    Noisy states are divided by their level's scale. Chips of step k are what the step removed: state k−1 less state k,
    both so divided. Chips of the guess are what the step added to it: guess k less guess k−1.

    What the sampler returned in step k is state k, except where the pipeline changed that before it went on.

    The twin of state k is the finished picture with noise of the same level, a·x_N + s·n, divided by the level's
    scale. Its noise n is what the model takes for noise in state k, the predicted noise of step k+1, brought to the
    power of the level's noise, 1: a guess that is an average leaves some noise out, ever more of it towards the end.
    Side by side, the two differ by what the rest of the run decides. The twin of state N is the finished picture.

    The guidance direction of step k is its conditional guess less its unconditional one: where the sampler clips
    nothing, the guess is the unconditional one and so many times this as the step's guidance says.

    Args:
        k: state or step, 0..trajectory.last.

    Returns:
        (C, H, W) float32; None where there is none (`why_empty` says why).
    """
    if kind is FrameKind.NOISY_STATE:
        return _state(trajectory, k)
    if kind is FrameKind.AFTER_STEP and trajectory.info.space != DECODED:
        returned = trajectory.returned(k)
        return _state(trajectory, k) if returned is None else _in_unit_scale(returned, trajectory.levels[k].scale)
    if _is_decoded_noise(trajectory, kind):
        return None
    if kind is FrameKind.TWIN:
        return _twin(trajectory, k)
    if k == 0:
        return None
    if kind.is_signed:
        pair = _compared(trajectory, k, kind)
        return None if pair is None else pair[0] - pair[1]
    if kind.is_of_guidance:
        pair = guidance_guesses(trajectory, k)
        return None if pair is None else pair[kind is FrameKind.CONDITIONAL_GUESS]
    guess = trajectory.guess(k)
    if kind is FrameKind.CURRENT_GUESS:
        return guess
    return _predicted_noise(trajectory, k, guess)


_IN_LATENTS = (FrameKind.PREDICTED_NOISE, FrameKind.TWIN, FrameKind.AFTER_STEP)


def is_same_throughout(trajectory: AnyTrajectory, kind: FrameKind) -> bool:
    """Whether a kind of frame is the same at every step from 1 on, as picture and noise of a forward process are."""
    if not isinstance(trajectory, ForwardTrajectory):
        return False
    return kind is FrameKind.CURRENT_GUESS or (kind is FrameKind.PREDICTED_NOISE and trajectory.noise is not None)


def why_empty(trajectory: AnyTrajectory, k: int, kind: FrameKind) -> str:
    """In plain words, why there is no such frame at step k."""
    if _is_decoded_noise(trajectory, kind):
        return NOT_DECODED_STEP if kind is FrameKind.AFTER_STEP else NO_DECODED_NOISE
    if kind is FrameKind.TWIN:
        return _why_no_twin(trajectory, k)
    if k == 0:
        return NO_STEP_YET
    if kind.is_of_guidance:
        return why_no_guidance_guesses(trajectory, k)
    summary = trajectory.step(k)
    if summary.guess_note:
        return summary.guess_note
    if kind is FrameKind.GUESS_CHIPS and k == 1:
        return translate("errors", "This is the first guess: there is none before it to compare with.")
    if kind is FrameKind.PREDICTED_NOISE:
        return SUB_STAGES if summary.calls > 1 else NO_LEVEL
    return translate("errors", "The model's guess was not recorded for this step.")


def picture(trajectory: AnyTrajectory, k: int, kind: FrameKind) -> Picture:
    """A frame as colours: pixels and noise as they are, chips on a colour scale centred on zero.

    Args:
        trajectory: the run; its latents are seen through the map that its info carries.
    """
    if kind.is_signed and trajectory.info.space != "latents":
        pair = _compared(trajectory, k, kind) if k else None
        return Picture(None, note=why_empty(trajectory, k, kind)) if pair is None else _chips(*pair)
    shown = frame(trajectory, k, kind)
    if shown is None:
        return Picture(None, note=why_empty(trajectory, k, kind))
    return coloured(shown, kind, trajectory.info.space, trajectory.info.latent_map)


def coloured(
    numbers: Frame, kind: FrameKind, space: str, latent_map: LatentMap | None = None, every: int = 1
) -> Picture:
    """The numbers behind a picture, as `frame` gives them, as colours.

    Chips and noise go through the linear part of a latent map alone: their zero is no colour.

    Args:
        space: "pixels", "pixels (decoded)" or "latents".
        latent_map: of latents, how they are seen; None shows their first three channels.
        every: only each n-th row and column, from n // 2 on.
    """
    if space == "latents" and latent_map is not None:
        colours = latent_map.to_rgb(numbers, every) if kind.is_picture else latent_map.linear(numbers, every)
        return replace(_coloured(colours, kind, 1.0), seen=latent_map.words)
    numbers = numbers[:, every // 2 :: every, every // 2 :: every]
    if space != "latents":
        return _coloured(numbers, kind, 1.0)
    mean = translate("errors", "the mean over the channels of the latents")
    first = translate("errors", "the first three of {0} channels of latents").format(len(numbers))
    seen = mean if kind.is_signed or len(numbers) < 3 else first
    return replace(_coloured(numbers, kind, LATENT_RANGE), seen=seen)


def _coloured(numbers: Frame, kind: FrameKind, reach: float) -> Picture:
    return _chips(numbers, None) if kind.is_signed else Picture(rgb32_picture(numbers, reach))


def _is_decoded_noise(trajectory: AnyTrajectory, kind: FrameKind) -> bool:
    """Whether a decoded run is asked for what is only there in its latents."""
    return trajectory.info.space == DECODED and kind in _IN_LATENTS


def _chips(more: Frame, less: Frame | None) -> Picture:
    """The luminance of a difference (of one frame alone if there is no second) on the scale centred on zero."""
    plane = np.empty(more.shape[1:], np.float32)  # a window shows it at every step; a spectrum needs more figures
    for rows in bands_of(plane.shape):
        part = more[:, rows] if less is None else more[:, rows] - less[:, rows]
        plane[rows] = luminance(part, np.float32)
    limit = robust_limit(plane)
    return Picture(diverging_rgb32(plane, limit), limit)


def _compared(trajectory: AnyTrajectory, k: int, kind: FrameKind) -> tuple[Frame, Frame] | None:
    """The two frames whose difference the chips of step k are, k >= 1; None where there are not both."""
    if kind is FrameKind.STATE_CHIPS:
        return _state(trajectory, k - 1), _state(trajectory, k)
    if kind is FrameKind.GUIDANCE_DIRECTION:
        pair = guidance_guesses(trajectory, k)
        return None if pair is None else pair[::-1]
    guess, before = trajectory.guess(k), trajectory.guess(k - 1) if k > 1 else None
    return None if guess is None or before is None else (guess, before)


def _state(trajectory: AnyTrajectory, k: int) -> Frame:
    return _in_unit_scale(trajectory.state(k), trajectory.levels[k].scale)


def _in_unit_scale(state: Frame, scale: float) -> Frame:
    return state if abs(scale - 1) < UNIT_SCALE else np.divide(state, scale, dtype=np.float32)


def _predicted_noise(trajectory: AnyTrajectory, k: int, guess: Frame | None) -> Frame | None:
    """(x − a·x̂0)/s of step k; the guess of a later sub-stage belongs to a state that the trajectory does not keep."""
    if isinstance(trajectory, ForwardTrajectory) and trajectory.noise is not None:
        return trajectory.noise
    level = trajectory.levels[k - 1]
    if guess is None or level.noise == 0 or trajectory.step(k).calls > 1:
        return None
    rest = trajectory.state(k - 1) - np.float32(level.signal) * guess
    return np.divide(rest, level.noise, dtype=np.float32)


def _twin(trajectory: AnyTrajectory, k: int) -> Frame | None:
    if not trajectory.is_complete:
        return None
    last, level = trajectory.planned_steps, trajectory.levels[k]
    if k == last:
        return _state(trajectory, last)
    noise = _predicted_noise(trajectory, k + 1, trajectory.guess(k + 1))
    if noise is None:
        return None
    a, s = level.signal / level.scale, level.noise / level.scale
    if not isinstance(trajectory, ForwardTrajectory):  # that one's noise is noise, and no prediction
        s /= math.sqrt(float(np.mean(np.square(noise, dtype=np.float64))) or 1.0)
    return np.float32(a) * trajectory.state(last) + np.float32(s) * noise


def _why_no_twin(trajectory: AnyTrajectory, k: int) -> str:
    if not trajectory.is_complete:
        return NOT_FINISHED
    summary = trajectory.step(k + 1)
    if summary.guess_note:
        return summary.guess_note
    return TWIN_SUB_STAGES if summary.calls > 1 else NO_TWIN_NOISE


def difference(one: AnyTrajectory, k: int, other: AnyTrajectory, j: int, kind: FrameKind) -> Frame | None:
    """The numbers of a kind of frame of one run at k less those of another run at j; None where there are not both."""
    first, second = frame(one, k, kind), frame(other, j, kind)
    return None if first is None or second is None or first.shape != second.shape else first - second


def rms(numbers: Frame) -> float:
    """Root mean square over all elements of a frame."""
    flat = numbers.ravel().astype(np.float64)
    return math.sqrt(float(flat @ flat) / flat.size)


def difference_picture(one: AnyTrajectory, k: int, other: AnyTrajectory, j: int, kind: FrameKind) -> Picture:
    """The same as colours on the scale centred on zero; the note says why there is none."""
    numbers = difference(one, k, other, j, kind)
    if numbers is not None:
        return coloured(numbers, FrameKind.STATE_CHIPS, one.info.space, one.info.latent_map)
    for run, state in ((one, k), (other, j)):
        if frame(run, state, kind) is None:
            return Picture(None, note=why_empty(run, state, kind))
    return Picture(None, note=OTHER_SIZE)


def guidance_guesses(trajectory: AnyTrajectory, k: int) -> tuple[Frame, Frame] | None:
    """The unconditional guess of step k and the conditional one, (C, H, W) float32; None where there are not both."""
    unconditional, conditional = trajectory.guess_unconditional(k), trajectory.guess_conditional(k)
    return None if unconditional is None or conditional is None else (unconditional, conditional)


def why_no_guidance_guesses(trajectory: AnyTrajectory, k: int) -> str:
    """In plain words, why there are not both at step k, 1..trajectory.last."""
    if trajectory.info.space == DECODED:
        return NOT_DECODED
    if not trajectory.info.is_of_a_model:
        return NO_MODEL
    return trajectory.step(k).guidance_note or NOT_KEPT
