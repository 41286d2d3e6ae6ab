"""What is decided by which step of a run, found by forks: several at one step, each with noise of its own.

What the pictures that come of them share was decided by that step: see `measures.likeness`. Of a sampler that draws no
noise, each fork's is laid on: the state goes back by one level and on from there.

Or what stays of a run's picture when it turns back: it is drowned to the level of a step, in noise of its own each
time, and sculpted from there (the U-turn of Sclocchi et al. 2024, arXiv:2402.16991).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from sculptor_app.core.errors import Cancelled, OutOfDeviceMemory, SamplerFailed
from sculptor_app.core.requests.request import MAX_SEED, Parting, RequestError, RunRequest
from sculptor_app.core.trajectory.events import ForkEnded
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.pipelines.batch import NoBatch
from sculptor_app.diffusion.pipelines.devices import find_device
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import whole_run
from sculptor_app.diffusion.studies.fork import fork
from sculptor_app.diffusion.studies.fork_batch import fork_batch, run_batch
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
    batch: int | None = None,
) -> Iterator[ForkEnded | Decision]:
    """The picture of each fork of a complete run at one of its steps, as it comes; then how alike they are.

    Args:
        step: 0 for other runs with other noise altogether, or `FIRST_FORK_STEP` up to one before the last.
        forks: 2 or more.
        u_turn: The run's picture is drowned again to the level of that step, and compared with what comes of it.
        batch: How many are made at once at most, where the model can do so; None is what suits the device.

    Raises:
        NotForkable, RequestError, Cancelled, SculptorError: As `fork`.
    """
    ends: list[Frame] = []
    largest = 1
    maker = ForkMaker(engine, whole, step, parting_at(whole, u_turn), stop)
    while len(ends) < forks:
        made = maker.next_ones(range(len(ends), forks), batch)
        largest = max(largest, len(made))
        for picture in made:
            ends.append(picture)
            yield ForkEnded(step, len(ends) - 1, picture, len(made))
    seed, space = whole.info.request.seed, whole.info.space
    if u_turn:
        own = _picture_of(whole)
        found = kept_of(seed, step, own, ends, space, read_labels([own, *ends], whole))
    else:
        found = decision_of(seed, step, ends, space, read_labels(ends, whole))
    yield replace(found, batch=largest)


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
    batch: int | None = None,
) -> Iterator[ForkEnded | Decision]:
    """The same for several steps: first those that are far apart, then those between them.

    Args:
        known: What was measured before; it is not measured again.
        closer: Go on where something is decided between two steps, until no such gap is left.
    """
    found = list(known)
    for step in coarse_to_fine(steps):
        if all(each.step != step for each in found):
            yield from _noting(measure_step(engine, whole, step, forks, stop, read_labels, u_turn, batch), found)
    while closer and (middle := step_to_look_at(curves_of(found))) is not None:
        yield from _noting(measure_step(engine, whole, middle, forks, stop, read_labels, u_turn, batch), found)


def _noting(events: Iterator[ForkEnded | Decision], found: list[Decision]) -> Iterator[ForkEnded | Decision]:
    for event in events:
        if isinstance(event, Decision):
            found.append(event)
        yield event


class ForkMaker:
    """Maker of the pictures of a step's forks, as many at once as the model and the memory allow.

    Args:
        whole: The run, complete.
        step: 0 for other runs with other noise altogether.
        parting: How they leave it.
    """

    def __init__(self, engine: Engine, whole: Trajectory, step: int, parting: Parting, stop: threading.Event) -> None:
        self._engine, self._whole, self._step, self._parting, self._stop = engine, whole, step, parting, stop

    def next_ones(self, numbers: Sequence[int], batch: int | None) -> list[Frame]:
        """The pictures of the first of some forks, one or more, (C, H, W) float32 each on the scale of pictures.

        Args:
            numbers: of those that are left.
            batch: how many at most; None is all of them on a GPU, and one on the CPU, where processes share the cores.

        Raises:
            NotForkable, RequestError, Cancelled, SculptorError: As `fork`.
        """
        size = self._limited(len(numbers) if batch is None else min(batch, len(numbers)), batch)
        while size > 1:
            try:
                return self._together(numbers[:size])
            except OutOfDeviceMemory:
                size = self._engine.cache[self._key] = size // 2
            except (NoBatch, RequestError, SamplerFailed):  # what is wrong with one alone, making that says
                size = self._engine.cache[self._key] = 1
        return [self._alone(numbers[0])]

    def _alone(self, number: int) -> Frame:
        """The picture of one fork, to the last bit that of the run which `fork` makes."""
        request = fork_request(self._whole, self._step, number)
        if self._step == 0:
            made = whole_run(self._engine, request, self._stop)
        else:
            k, state = parted(self._whole, self._step, self._parting, request.seed)
            events = fork(self._whole, k, self._engine, self._stop, request, state=state, parting=self._parting)
            made = [event.trajectory for event in events][-1]
        if self._stop.is_set():
            raise Cancelled
        picture = _picture_of(made)
        made.close()
        return picture

    def _together(self, numbers: Sequence[int]) -> list[Frame]:
        requests = [fork_request(self._whole, self._step, number) for number in numbers]
        seeds = [request.seed for request in requests]
        if self._step == 0:
            return run_batch(self._engine, requests[0], seeds, self._stop)
        parts = [parted(self._whole, self._step, self._parting, seed) for seed in seeds]
        states = [state for _, state in parts if state is not None]
        return fork_batch(self._whole, parts[0][0], self._engine, self._stop, requests[0], seeds, states, self._parting)

    def _limited(self, size: int, batch: int | None) -> int:
        """A size of a batch that is as suits the device, and no larger than one that failed before."""
        if batch is None and find_device(self._whole.info.request.device).id == "cpu":
            return 1
        fitting: int = self._engine.cache.get(self._key, size)
        return min(size, fitting)

    @property
    def _key(self) -> Hashable:
        """Of the largest size that a kind of fork allows, in the engine's cache; there while none has failed."""
        return "batch of forks", replace(self._whole.info.request, seed=0), self._step == 0
