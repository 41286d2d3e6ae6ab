"""Decisions measured by several workers: the units of work, which worker takes which, and the loop that hands them out.

A unit is one step of one run with all its forks. The run itself must be there in the process that forks it, and costs
N evaluations of the network, while each of its forks costs N - k: so a worker stays with the run that it has, then
takes one that nobody has, and joins another's run only where that ends sooner for it. Which worker measures a unit
changes no number: each unit has seeds of its own, and torch one thread. How many forks are made at once changes the
last bits of their pictures, and so does a device; each result says which it was.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sculptor_app.core.errors import Cancelled, WorkersLost
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.texts import translate
from sculptor_app.measures.likeness import Decision, coarse_to_fine, curves_of, step_to_look_at

Worker = Hashable
"""Name of a worker: the number of a process, or an address."""
POLL_S = 0.2
"""How long a stop may wait until it is noticed."""
MOST_DEATHS = 3
"""How often a unit is begun again whose worker died; a process that died so often in a row is not replaced."""


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """What is to be measured of several runs; `request` is that of the first."""

    request: RunRequest
    seeds: range
    steps: tuple[int, ...]
    forks: int
    u_turn: bool = False
    closer: bool = False  # whether more steps are looked at where something is decided between two of them
    threads: int = 1  # of torch, for each worker
    batch: int | None = None  # how many forks are made at once at most; None is what suits the device


@dataclass(frozen=True, slots=True)
class Unit:
    """What a worker measures at a time: the forks of one run at one of its steps. It is small, and can be pickled."""

    request: RunRequest  # of the run
    step: int
    forks: int
    u_turn: bool = False
    threads: int = 1
    batch: int | None = None

    @property
    def seed(self) -> int:
        """Of the run."""
        return self.request.seed


class Workers(Protocol):
    """Processes that measure units, each one at a time; left as a context, they are told to stop."""

    def idle(self) -> Collection[Worker]:
        """Those that can be given a unit now; `WorkersLost` if there is none left, and there will not be another."""

    def give(self, worker: Worker, unit: Unit) -> None:
        """Have an idle worker measure a unit."""

    def collect(self) -> tuple[Worker, Decision | None] | None:
        """A worker that is done with its unit and the result, None of one that died; None after POLL_S at most.

        Raises:
            Cancelled, SculptorError: What measuring raised, wherever that was.
        """


class Plan:
    """The units that are left, and those that were given to workers.

    Args:
        known: What was measured before; it is not measured again.
        largest_first: Whether a run's earliest steps come first, which take longest: then several workers end together.
            Else its curve soon has its shape.
    """

    def __init__(self, asked: DecisionRequest, known: Sequence[Decision], largest_first: bool) -> None:
        self._asked = asked
        self._found: dict[int, list[Decision]] = {}
        for each in known:
            self._found.setdefault(each.seed, []).append(each)
        self._left: dict[int, list[int]] = {}  # steps by seed, in the order in which they are measured
        self._given: dict[Worker, Unit] = {}
        self._has: dict[Worker, int] = {}  # the seed whose run a worker keeps
        order = sorted(asked.steps) if largest_first else coarse_to_fine(asked.steps)
        for seed in asked.seeds:
            there = {each.step for each in self._found.get(seed, ())}
            if steps := [step for step in order if step not in there]:
                self._left[seed] = steps
            else:
                self._look_closer(seed)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left, nor being measured."""
        return not self._left and not self._given

    @property
    def units(self) -> int:
        """How many are left that nobody has begun."""
        return sum(map(len, self._left.values()))

    @property
    def evaluations(self) -> int:
        """About how many evaluations of the network those take, their runs aside."""
        return sum(self._cost(step) for steps in self._left.values() for step in steps)

    def assign(self, idle: Collection[Worker]) -> Iterator[tuple[Worker, Unit]]:
        """Units for idle workers, as far as there are some worth their while; those that keep a run come first."""
        for worker in sorted(idle, key=lambda each: self._has.get(each) not in self._left):
            seed = self._seed_for(worker)
            if seed is None:
                continue
            step = self._left[seed].pop(0)
            if not self._left[seed]:
                del self._left[seed]
            asked = self._asked
            request = replace(asked.request, seed=seed)
            unit = Unit(request, step, asked.forks, asked.u_turn, asked.threads, asked.batch)
            self._given[worker], self._has[worker] = unit, seed
            yield worker, unit

    def note(self, worker: Worker, decision: Decision) -> None:
        """A worker has measured its unit."""
        seed = self._given.pop(worker).seed
        self._found.setdefault(seed, []).append(decision)
        if seed not in self._left and all(each.seed != seed for each in self._given.values()):
            self._look_closer(seed)

    def put_back(self, worker: Worker) -> Unit:
        """A worker has died, and its unit is to be measured by another; returns that."""
        unit = self._given.pop(worker)
        self._has.pop(worker, None)
        self._left.setdefault(unit.seed, []).insert(0, unit.step)
        return unit

    def _look_closer(self, seed: int) -> None:
        middle = step_to_look_at(curves_of(self._found[seed])) if self._asked.closer else None
        if middle is not None:
            self._left[seed] = [middle]

    def _cost(self, step: int) -> int:
        return self._asked.forks * (self._asked.request.steps - step)

    def _seed_for(self, worker: Worker) -> int | None:
        """The run whose forks a worker had best make next; None where others end sooner without it."""
        if self._has.get(worker) in self._left:
            return self._has[worker]
        taken = {unit.seed for unit in self._given.values()}
        fresh = next((seed for seed in self._left if seed not in taken), None)
        if fresh is not None:
            return fresh
        gains = {self._gain(seed): seed for seed in self._left}
        return gains[max(gains)] if gains and max(gains) > 0 else None

    def _gain(self, seed: int) -> float:
        """How many evaluations sooner a run's next unit is measured by one who must make the run first."""
        steps = self._left[seed]
        begun = max(self._cost(unit.step) for unit in self._given.values() if unit.seed == seed) / 2
        alone = begun + sum(map(self._cost, steps))
        return alone - (self._asked.request.steps + self._cost(steps[0]))


def measure_all(plan: Plan, workers: Workers, stop: threading.Event) -> Iterator[Decision]:
    """All that is left of a plan, as it comes.

    Raises:
        Cancelled: `stop` was set.
        WorkersLost: Those that measure one of the units die each time, or none is left.
        SculptorError: What measuring raised.
    """
    deaths: Counter[tuple[int, int]] = Counter()
    while not plan.is_over:
        if stop.is_set():
            raise Cancelled
        for worker, unit in plan.assign(workers.idle()):
            workers.give(worker, unit)
        found = workers.collect()
        if found is None:
            continue
        worker, decision = found
        if decision is not None:
            plan.note(worker, decision)
            yield decision
            continue
        unit = plan.put_back(worker)
        deaths[unit.seed, unit.step] += 1
        if deaths[unit.seed, unit.step] >= MOST_DEATHS:
            raise lost_often()


def lost_often() -> WorkersLost:
    """The error where workers died too often."""
    return WorkersLost(
        translate("errors", "Processes that measure ended by themselves {0} times.").format(MOST_DEATHS),
        translate("errors", "Mostly there is too little memory for them: let there be fewer, or close other programs."),
    )
