"""Units of decisions: which worker gets which, counted in evaluations of the network, and what a death costs."""

import threading
from collections import Counter

import pytest

from sculptor_app.core.errors import Cancelled, WorkersLost
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.diffusion.studies.dispatch import MOST_DEATHS, DecisionRequest, Plan, Unit, Worker, measure_all
from sculptor_app.measures.likeness import Decision, coarse_to_fine, usual_steps

STEPS, FORKS = 50, 8
DECIDED_AT = 13


def asked(seeds: int = 1, closer: bool = False, at: tuple[int, ...] = usual_steps(STEPS)) -> DecisionRequest:
    return DecisionRequest(RunRequest(steps=STEPS, seed=0), range(seeds), at, FORKS, closer=closer)


def decision(unit: Unit) -> Decision:
    return Decision(unit.seed, unit.step, {"pixels": 0.99 if unit.step >= DECIDED_AT else 0.2})


class Simulated:
    """Workers whose time is counted in evaluations: a run has N, each of its forks at step k N - k."""

    def __init__(self, count: int, deadly: set[int] | None = None) -> None:
        self.time = 0
        self.evaluations = 0
        self.order: list[tuple[Worker, int, int]] = []
        self._deadly = Counter(deadly or ())  # steps whose measuring a worker does not survive, once each
        self._ends: dict[Worker, tuple[int, Unit]] = {}
        self._runs: dict[Worker, int | None] = dict.fromkeys(range(count))

    def idle(self) -> list[Worker]:
        return [each for each in self._runs if each not in self._ends]

    def give(self, worker: Worker, unit: Unit) -> None:
        cost = FORKS * (STEPS - unit.step) + (STEPS if self._runs[worker] != unit.seed else 0)
        self._runs[worker] = unit.seed
        self.evaluations += cost
        self.order.append((worker, unit.seed, unit.step))
        self._ends[worker] = self.time + cost, unit

    def collect(self) -> tuple[Worker, Decision | None]:
        worker = min(self._ends, key=lambda each: self._ends[each][0])
        self.time, unit = self._ends.pop(worker)
        if self._deadly[unit.step]:
            self._deadly[unit.step] -= 1
            self._runs[worker] = None
            return worker, None
        return worker, decision(unit)


def measured(request: DecisionRequest, workers: Simulated, known: tuple[Decision, ...] = ()) -> list[tuple[int, int]]:
    plan = Plan(request, known, largest_first=True)
    found = measure_all(plan, workers, threading.Event())
    return sorted((each.seed, each.step) for each in found)


def alone(seeds: int = 1) -> int:
    return seeds * (STEPS + sum(FORKS * (STEPS - k) for k in usual_steps(STEPS)))


@pytest.mark.parametrize(("workers", "seeds"), [(1, 1), (2, 1), (4, 1), (3, 5), (16, 4), (2, 8)])
def test_each_unit_is_measured_once_and_little_twice(workers: int, seeds: int) -> None:
    simulated = Simulated(workers)
    assert measured(asked(seeds), simulated) == [(seed, k) for seed in range(seeds) for k in usual_steps(STEPS)]
    twice = simulated.evaluations - alone(seeds)
    assert twice <= STEPS * max(0, workers - 1) * 2
    assert len(simulated.order) == seeds * len(usual_steps(STEPS))


@pytest.mark.parametrize(
    ("workers", "seeds", "least"), [(2, 1, 1.9), (2, 8, 1.95), (3, 1, 2.7), (8, 8, 7.9), (8, 20, 7)]
)
def test_workers_end_together(workers: int, seeds: int, least: float) -> None:
    simulated = Simulated(workers)
    measured(asked(seeds), simulated)
    assert alone(seeds) / simulated.time >= least


def test_one_worker_makes_one_run_after_the_other() -> None:
    simulated = Simulated(1)
    measured(asked(3), simulated)
    assert simulated.evaluations == alone(3)
    assert [seed for _, seed, _ in simulated.order] == sorted(seed for _, seed, _ in simulated.order)


def test_a_run_of_which_little_is_left_is_not_joined() -> None:
    simulated = Simulated(2)
    measured(asked(at=(48, 49)), simulated)  # 16 and 8 evaluations; a run has 50
    assert {worker for worker, *_ in simulated.order} == {0}


def test_the_curve_of_one_worker_soon_has_its_shape() -> None:
    plan = Plan(asked(at=(0, 2, 10, 49)), (), largest_first=False)
    order = []
    while not plan.is_over:
        ((worker, unit),) = plan.assign([0])
        order.append(unit.step)
        plan.note(worker, decision(unit))
    assert order == coarse_to_fine((0, 2, 10, 49)) == [0, 49, 10, 2]


def test_what_is_known_is_not_measured_again() -> None:
    known = tuple(Decision(0, k, {"pixels": 0.5}) for k in usual_steps(STEPS)[:-1])
    simulated = Simulated(2)
    assert measured(asked(2), simulated, known) == [(0, 49), *((1, k) for k in usual_steps(STEPS))]
    everything = tuple(Decision(0, k, {"pixels": 0.5}) for k in usual_steps(STEPS))
    assert Plan(asked(), everything, largest_first=True).is_over


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_looking_closer_finds_the_same_steps_however_many_look(workers: int) -> None:
    found = measured(asked(3, closer=True, at=(2, 49)), Simulated(workers))
    for seed in range(3):
        steps = [step for each, step in found if each == seed]
        assert {DECIDED_AT - 1, DECIDED_AT} <= set(steps)
        assert steps == [2, 7, 10, 11, 12, 13, 25, 49]  # by halves
    known = tuple(decision(Unit(RunRequest(steps=STEPS, seed=0), k, FORKS)) for k in (2, 49))
    assert not Plan(asked(closer=True, at=(2, 49)), known, largest_first=True).is_over


def test_others_take_over_what_a_worker_that_died_had_not_finished() -> None:
    simulated = Simulated(2, deadly={0, 10})
    assert measured(asked(2), simulated) == [(seed, k) for seed in range(2) for k in usual_steps(STEPS)]
    begun = Counter((seed, k) for _, seed, k in simulated.order)
    assert sorted(begun.values()) == [1] * 18 + [2, 2]  # of each that died, one


def test_a_unit_that_kills_each_worker_is_given_up_in_a_sentence() -> None:
    simulated = Simulated(2)
    simulated._deadly[0] = 100
    with pytest.raises(
        WorkersLost, match=f"ended by themselves {MOST_DEATHS} times. Mostly there is too little memory"
    ):
        measured(asked(), simulated)


def test_a_stop_ends_it_and_keeps_what_has_come() -> None:
    stop = threading.Event()
    found = measure_all(Plan(asked(), (), largest_first=True), Simulated(2), stop)
    assert next(found).seed == 0
    stop.set()
    with pytest.raises(Cancelled):
        next(found)


def test_the_work_that_is_sent_is_small() -> None:
    import pickle

    request = RunRequest(form="bust", model="a/model", options={"prompt": "a marble lion"})
    assert len(pickle.dumps(Unit(request, 3, 8))) < 1000
