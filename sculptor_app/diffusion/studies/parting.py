"""The states that forks of a run go on from: its own, noised back, drowned again for a U-turn, or painted on."""

from __future__ import annotations

import math

import numpy as np

from sculptor_app.core.pictures.painting import Ground
from sculptor_app.core.pictures.painting import painted_state as state_of_painting
from sculptor_app.core.requests.painting import Painting
from sculptor_app.core.requests.request import Parting, RequestError
from sculptor_app.core.requests.samplers import begins_anywhere, draws_noise
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.base import RunInfo
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.sampling.noise import white_noise
from sculptor_app.diffusion.sampling.snapshots import NotForkable, RunSnapshots


def check_begins(info: RunInfo) -> None:
    """Refuse a sampler that needs the steps before (`NotForkable`)."""
    if not begins_anywhere(info.sampler_settings):
        raise NotForkable(
            translate("errors", "{0} needs the steps before, and cannot begin in the middle of a run.").format(
                info.sampler_name
            ),
            translate("errors", "Choose another sampler."),
        )


def check_changed(trajectory: Trajectory, k: int, state: Frame) -> None:
    """Refuse a state that a fork cannot go on from in place of state k of a run.

    Raises:
        RequestError: It has another shape, or values that are not finite.
        NotForkable: k is 0.
    """
    if state.shape != trajectory.shape or not np.isfinite(state).all():
        raise RequestError(
            translate("errors", "The state to go on from does not fit the run; give {0} finite values.").format(
                " × ".join(map(str, trajectory.shape))
            )
        )
    if not k:
        raise NotForkable(
            translate("errors", "The noise that a run starts from cannot be changed in a fork of it."),
            translate("errors", "Choose a later step."),
        )


def parting_of_noise(trajectory: Trajectory) -> Parting:
    """How forks with other noise leave a run: where its sampler draws none, the noise is laid on."""
    return Parting.OWN_STATE if draws_noise(trajectory.info.sampler_settings) else Parting.NOISED_BACK


def parted(
    trajectory: Trajectory, step: int, parting: Parting, seed: int, painting: Painting | None = None
) -> tuple[int, Frame | None]:
    """What `fork` is given to part from a run at a step: the k of its own, and the state to go on from.

    Args:
        step: the last one before which nothing is changed.
        seed: of the noise that is laid on.
        painting: what is painted, where that is how it parts.

    Raises:
        NotForkable: A run is not whole, or its sampler cannot begin there.
        RequestError: There is no such step, or a level is not known; nothing is painted, or it cannot be.
    """
    match parting:
        case Parting.NOISED_BACK:
            return step - 1, noised_back(trajectory, step, seed)
        case Parting.U_TURN:
            return step, drowned_again(trajectory, step, seed)
        case Parting.PAINTED:
            return step, painted_state(trajectory, step, painting)
        case Parting.OWN_STATE:
            return step, None


def check_paintable(trajectory: Trajectory, k: int) -> Ground:
    """The frames of a step, if a fork can go on from what is painted on them.

    Raises:
        NotForkable: The state cannot be changed, or the pipeline changes it itself.
        RequestError: There is no such step, or its level is not known.
    """
    ground = Ground.of(trajectory, k)
    if isinstance(trajectory.snapshots, RunSnapshots):
        check_changed(trajectory, k, ground.state)
    if trajectory.returned(k) is not None:
        raise NotForkable(
            translate("errors", "The pipeline lays a picture over the state of step {0} itself.").format(k),
            translate("errors", "Choose a model that does not."),
        )
    return ground


def painted_state(trajectory: Trajectory, k: int, painting: Painting | None) -> Frame | None:
    """State k of a run with a painting on it, or on its guess; None where that is the run's own, bit for bit.

    Raises:
        NotForkable: As `check_paintable`.
        RequestError: Nothing is painted, or a stroke cannot be made there.
    """
    if painting is None:
        raise RequestError(translate("errors", "Nothing is painted; give at least one stroke."))
    ground = check_paintable(trajectory, k)
    made = state_of_painting(ground, painting, lambda seed: white_noise(seed, trajectory.shape))
    return None if np.array_equal(made, ground.state) else made


def drowned_again(trajectory: Trajectory, k: int, seed: int) -> Frame:
    """The finished picture of a run in fresh noise of a seed, at the level of state k: a_k x_0 + s_k e.

    Args:
        k: 1 to one before the last.

    Raises:
        NotForkable: The run is not whole, or its sampler cannot begin in the middle.
        RequestError: There is no such step, or its level is not known.
    """
    if not trajectory.is_complete:
        raise NotForkable(
            translate("errors", "The run is not finished, so there is no picture to turn back from."),
            translate("errors", "Go on with it first."),
        )
    check_begins(trajectory.info)
    if not 1 <= k < trajectory.last:
        raise RequestError(
            translate("errors", "There is no U-turn at step {0}; choose 1 to {1}.").format(k, trajectory.last - 1)
        )
    level, end = trajectory.levels[k], trajectory.levels[trajectory.last]
    if not level.is_known or not end.is_known:
        raise RequestError(translate("errors", "The noise levels of this run are not known; choose another sampler."))
    clean = trajectory.state(trajectory.last) / np.float32(end.scale)
    made: Frame = np.asarray(
        np.float32(level.signal) * clean + np.float32(level.noise) * white_noise(seed, trajectory.shape), np.float32
    )
    return made


def noised_back(trajectory: Trajectory, k: int, seed: int) -> Frame:
    """State k of a run with fresh noise of a seed, back at the level of state k - 1: it can be denoised otherwise.

    From x_k = a_k x_0 + s_k n it is (a / a_k) x_k + sqrt(s^2 - (a s_k / a_k)^2) e with a, s of state k - 1 and white e
    of variance 1: one step of the forward process.

    Args:
        k: 2 or more, so that the noise at the start stays.

    Raises:
        RequestError: There is no such step, a level is not known, or the noise is that of the run, of which there would
            be too much.
    """
    if not 2 <= k <= trajectory.last:
        raise RequestError(
            translate("errors", "Step {0} cannot be noised back; choose 2 to {1}.").format(k, trajectory.last)
        )
    if seed == trajectory.info.request.seed and trajectory.info.has_seed and trajectory.start_noise() is None:
        raise RequestError(
            translate("errors", "The noise of seed {0} is that of the run itself; choose another seed.").format(seed)
        )
    before, here = trajectory.levels[k - 1], trajectory.levels[k]
    if not before.is_known or not here.is_known or not here.signal:
        raise RequestError(translate("errors", "The noise levels of this run are not known; choose another sampler."))
    share = before.signal / here.signal
    rest = math.sqrt(max(0.0, before.noise**2 - (share * here.noise) ** 2))
    noise = white_noise(seed, trajectory.shape)
    made: Frame = np.asarray(np.float32(share) * trajectory.state(k) + np.float32(rest) * noise, np.float32)
    return made
