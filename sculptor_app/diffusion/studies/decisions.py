"""What is decided by which step of a run, found by forks: several at one step, each with noise of its own.

What the pictures that come of them share was decided by that step: see `measures.likeness`. Of a sampler that draws no
noise, each fork's is laid on: the state goes back by one level and on from there.

Or what stays of a run's picture when it turns back: it is drowned to the level of a step, in noise of its own each
time, and sculpted from there (the U-turn of Sclocchi et al. 2024, arXiv:2402.16991).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import MAX_SEED, Parting, RunRequest
from sculptor_app.core.trajectory.events import ForkEnded
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import whole_run
from sculptor_app.diffusion.studies.fork import fork
from sculptor_app.diffusion.studies.parting import parted, parting_of_noise
from sculptor_app.measures.likeness import Decision, coarse_to_fine, curves_of, decision_of, kept_of, step_to_look_at

ReadLabels = Callable[[Sequence[Frame], Trajectory], Mapping[str, Sequence[str]]]
"""Reads labels off pictures, (C, H, W) in [-1, 1] each, of forks of a run; by kind of label, none where it cannot."""


def fork_seed(seed: int, step: int, number: int) -> int:
    """Seed of a fork: the same at every call, far from the seeds of the runs, and another for each step."""
    return (seed * 1_000_003 + step * 1_009 + number + 2**40) % (MAX_SEED + 1)


def fork_request(whole: Trajectory, step: int, number: int) -> RunRequest:
    """What a fork at a step is asked for."""
    request = whole.info.request
    return replace(request, seed=fork_seed(request.seed, step, number))


def parting_at(whole: Trajectory, u_turn: bool) -> Parting:
    """How the forks of a run part from it, or its U-turns do."""
    return Parting.U_TURN if u_turn else parting_of_noise(whole)


def measure_step(
    engine: Engine,
    whole: Trajectory,
    step: int,
    forks: int,
    stop: threading.Event,
    read_labels: ReadLabels,
    u_turn: bool = False,
) -> Iterator[ForkEnded | Decision]:
    """The picture of each fork of a complete run at one of its steps, as it comes; then how alike they are.

    Args:
        step: 0 for other runs with other noise altogether, or `FIRST_FORK_STEP` up to one before the last.
        forks: 2 or more.
        u_turn: The run's picture is drowned again to the level of that step, and compared with what comes of it.

    Raises:
        NotForkable, RequestError, Cancelled, SculptorError: As `fork`.
    """
    ends: list[Frame] = []
    for number in range(forks):
        made = _fork(engine, whole, step, number, stop, parting_at(whole, u_turn))
        if stop.is_set():
            raise Cancelled
        ends.append(_picture_of(made))
        made.close()
        yield ForkEnded(step, number, ends[-1])
    seed, space = whole.info.request.seed, whole.info.space
    if u_turn:
        own = _picture_of(whole)
        yield kept_of(seed, step, own, ends, space, read_labels([own, *ends], whole))
    else:
        yield decision_of(seed, step, ends, space, read_labels(ends, whole))


def _picture_of(whole: Trajectory) -> Frame:
    """The last state of a run, (C, H, W) float32 on the scale of pictures."""
    return np.divide(whole.state(whole.last), whole.levels[whole.last].scale, dtype=np.float32)


def measure_run(
    engine: Engine,
    whole: Trajectory,
    steps: Sequence[int],
    forks: int,
    stop: threading.Event,
    read_labels: ReadLabels,
    known: Sequence[Decision] = (),
    closer: bool = False,
    u_turn: bool = False,
) -> Iterator[ForkEnded | Decision]:
    """The same for several steps: first those that are far apart, then those between them.

    Args:
        known: What was measured before; it is not measured again.
        closer: Go on where something is decided between two steps, until no such gap is left.
    """
    found = list(known)
    for step in coarse_to_fine(steps):
        if all(each.step != step for each in found):
            yield from _noting(measure_step(engine, whole, step, forks, stop, read_labels, u_turn), found)
    while closer and (middle := step_to_look_at(curves_of(found))) is not None:
        yield from _noting(measure_step(engine, whole, middle, forks, stop, read_labels, u_turn), found)


def _noting(events: Iterator[ForkEnded | Decision], found: list[Decision]) -> Iterator[ForkEnded | Decision]:
    for event in events:
        if isinstance(event, Decision):
            found.append(event)
        yield event


def _fork(
    engine: Engine, whole: Trajectory, step: int, number: int, stop: threading.Event, parting: Parting
) -> Trajectory:
    request = fork_request(whole, step, number)
    if step == 0:
        return whole_run(engine, request, stop)
    k, state = parted(whole, step, parting, request.seed)
    made: Trajectory | None = None
    for event in fork(whole, k, engine, stop, request, state=state, parting=parting):
        made = event.trajectory
    if made is None:
        raise Cancelled
    return made
