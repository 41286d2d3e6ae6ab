"""The runs that a claim is tested on, one for each seed."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import whole_run
from sculptor_app.measures.claims import ClaimRequest


def runs_of(engine: Engine, asked: ClaimRequest, stop: threading.Event, forkable: bool) -> Iterator[Trajectory]:
    """The runs of all seeds, one after the other; each is closed when the next is asked for."""
    for number in range(asked.seeds):
        request = replace(asked.request, seed=asked.request.seed + number)
        run = whole_run(engine, request, stop, forkable=forkable)
        yield run
        run.close()


def steps_of_run(asked: ClaimRequest, at: Sequence[int]) -> int:
    """How many steps a run and its forks at some of its steps have together."""
    steps = asked.request.steps
    return steps + sum(asked.forks * (steps - step) for step in at)
