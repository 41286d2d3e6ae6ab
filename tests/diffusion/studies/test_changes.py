"""A run whose settings change along it is what forks by hand make, bit for bit, in one trajectory."""

import functools
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sculptor_app.core.errors import Cancelled, SculptorError
from sculptor_app.core.pictures.start import Start
from sculptor_app.core.requests.changes import Change, Place, RunChanges
from sculptor_app.core.requests.request import RequestError, RunRequest
from sculptor_app.core.trajectory.events import Started
from sculptor_app.core.trajectory.journal import open_journal
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.pipelines.networks import networks_of
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from sculptor_app.diffusion.studies.changes import go_on, sample_with_changes
from sculptor_app.diffusion.studies.fork import fork, make_again
from tests.helpers.any_pipeline import engine_of, finish, request_for, write_pictures
from tests.helpers.runs import solid

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

STEPS = 9


@pytest.fixture
def request_of(tiny_model: Path) -> Any:
    return functools.partial(RunRequest, form="bust", steps=STEPS, model=str(tiny_model), device="cpu")


def after(step: int, name: str, value: Any) -> Change:
    return Change(Place("step", step), name, value)


def changed(engine: Engine, request: RunRequest, *changes: Change, **options: Any) -> Trajectory:
    events = list(sample_with_changes(engine, request, RunChanges(changes), threading.Event(), **options))
    made: Trajectory = events[-1].trajectory
    assert isinstance(events[0], Started)
    assert all(event.trajectory is made for event in events)
    assert [event.step.number for event in events[1:]] == list(range(1, made.planned_steps + 1))
    return made


def by_hand(whole: Trajectory, k: int, engine: Engine, request: RunRequest) -> Trajectory:
    made: Trajectory = list(fork(whole, k, engine, threading.Event(), request))[-1].trajectory
    return made


def check_same(one: Trajectory, other: Trajectory) -> None:
    assert (one.last, one.planned_steps) == (other.last, other.planned_steps)
    assert one.has_levels_of(other, one.planned_steps)
    for k in range(one.last + 1):
        np.testing.assert_array_equal(one.state(k), other.state(k), err_msg=f"state {k}")
        if k:
            np.testing.assert_array_equal(one.guess(k), other.guess(k), err_msg=f"guess {k}")


@pytest.mark.parametrize("sampler", ["unipc", "ddpm", "heun", "dpmpp-2m", "euler-a"])
def test_it_is_what_forks_by_hand_make(sampler: str, request_of: Any) -> None:
    engine, request = Engine(), request_of(sampler=sampler)
    made = changed(engine, request, after(5, "form", "vase"), after(2, "guidance", 1.0), after(5, "guidance", 3.0))
    whole = finish(engine, request)
    second = by_hand(whole, 2, engine, replace(request, guidance=1.0))
    third = by_hand(second, 5, engine, replace(request, guidance=3.0, form="vase"))
    check_same(made, third)
    assert [(each.step, each.request.guidance) for each in made.info.forks] == [(2, 2.0), (5, 1.0)]
    assert replace(made.info, created="") == replace(third.info, created="")
    check_same(made, list(make_again(engine, made.info, threading.Event()))[-1].trajectory)


@pytest.mark.parametrize("kind", ["stable_diffusion", "sd3", "inpaint"])
def test_a_prompt_gives_way_to_another(kind: str, tmp_path: Path) -> None:
    write_pictures(tmp_path)
    engine, request = engine_of(kind), request_for(kind, folder=tmp_path, steps=6)
    made = changed(engine, request, after(3, "prompt", "a horse"))
    other = replace(request, options=request.option_values | {"prompt": "a horse"})
    check_same(made, by_hand(finish(engine, request), 3, engine, other))
    assert made.info.conditions.startswith("a horse")


def test_without_a_change_that_counts_it_is_the_plain_run(request_of: Any) -> None:
    engine, request = Engine(), request_of()
    made = changed(engine, request, after(4, "form", "bust"), after(6, "guidance", 2.0))
    check_same(made, finish(engine, request))
    assert made.info.forks == ()
    check_same(changed(engine, request), made)


def test_guidance_between_two_levels_is_none_outside(request_of: Any) -> None:
    engine, request = Engine(), request_of(guidance=3.0)
    plain, without = finish(engine, request), finish(engine, replace(request, guidance=1.0))
    low, high = plain.levels[3].snr, plain.levels[6].snr
    between = RunChanges(guidance_between=(Place("snr", low), Place("snr", high)))
    events = list(sample_with_changes(engine, request, between, threading.Event(), watch_guidance=True))
    made = events[-1].trajectory
    for k in range(4):
        np.testing.assert_array_equal(made.state(k), without.state(k))
    forked = by_hand(by_hand(without, 3, engine, request), 6, engine, replace(request, guidance=1.0))
    check_same(made, forked)
    seen = [made.step(k).guidance for k in range(1, 10)]
    assert seen[:3] == seen[6:] == [None] * 3
    assert seen[3:6] == pytest.approx([3.0] * 3, rel=1e-5)
    assert not np.array_equal(made.state(9), without.state(9))


def test_the_network_is_evaluated_once_for_each_step(request_of: Any) -> None:
    engine, request = Engine(), request_of()
    seen: list[int] = []
    network = next(iter(networks_of(engine.load(request.model, "cpu")).values()))
    hook = network.register_forward_hook(lambda *given: seen.append(int(given[2][0].count_nonzero() > 0)))
    changed(engine, request, after(2, "guidance", 1.0), after(5, "form", "vase"), after(7, "guidance", 2.0))
    assert sum(seen) == STEPS
    seen.clear()
    changed(engine, request, after(1, "form", "vase"), after(8, "form", "bust"))
    hook.remove()
    assert sum(seen) == STEPS + 1  # after one step alone it is not known yet how to do without the network


def test_another_sampler_of_the_same_levels_and_one_of_others(request_of: Any) -> None:
    engine, request = Engine(), request_of(sampler="ddim")
    made = changed(engine, request, after(4, "sampler", "unipc"))
    check_same(made, by_hand(finish(engine, request), 4, engine, replace(request, sampler="unipc")))
    events = sample_with_changes(engine, request, RunChanges((after(4, "sampler", "heun"),)), threading.Event())
    with pytest.raises(RequestError, match="Heun takes other noise levels than the run did up to step 4"):
        next(events)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (RunChanges((after(9, "form", "vase"),)), "There is no change after step 9 of this run; choose 1 to 8."),
        (RunChanges((after(3, "prompt", "x"),)), "This model knows no option 'prompt'"),
        (RunChanges((after(3, "form", "vase"), after(3, "form", "ring"))), "The form changes twice after step 3"),
        (RunChanges((Change(Place("snr", 1e-9), "form", "vase"),)), "This run begins beyond SNR"),
    ],
)
def test_nonsense_is_refused_before_the_first_step(request_of: Any, changes: RunChanges, sentence: str) -> None:
    events = sample_with_changes(Engine(), request_of(), changes, threading.Event())
    with pytest.raises(RequestError, match=sentence):
        next(events)


def test_a_run_from_a_picture_counts_the_steps_that_it_takes(request_of: Any) -> None:
    engine, request = Engine(), request_of()
    start = Start(solid(16), first_step=5)
    made = changed(engine, request, after(2, "form", "vase"), start=start)
    assert (made.planned_steps, made.info.first_step) == (5, 5)
    whole = list(sample(engine, request, threading.Event(), start=start))[-1].trajectory
    check_same(made, by_hand(whole, 2, engine, replace(request, form="vase")))
    snr = whole.levels[2].snr
    by_level = RunChanges((Change(Place("snr", snr), "form", "vase"),))
    check_same(
        made, list(sample_with_changes(engine, request, by_level, threading.Event(), start=start))[-1].trajectory
    )


@pytest.mark.parametrize("at", [2, 4, 6])
def test_a_stopped_run_keeps_its_steps_and_goes_on_with_the_rest(request_of: Any, at: int, tmp_path: Path) -> None:
    engine, request, stop = Engine(), request_of(), threading.Event()
    changes = (after(4, "form", "vase"), after(7, "guidance", 1.0))
    whole = changed(engine, request, *changes)
    events = sample_with_changes(engine, request, RunChanges(changes), stop, journal_folder=tmp_path / "journals")
    made = next(event.trajectory for event in events if event.trajectory.last == at)
    stop.set()
    with pytest.raises(Cancelled):
        next(events)
    assert (made.last, made.ended) == (at, "cancelled")
    assert list((tmp_path / "journals").iterdir()) == []
    assert [each.after for each in made.snapshots.rest] == ([4, 7] if at <= 4 else [7])
    stop.clear()
    done = list(go_on(engine, made, stop))[-1].trajectory
    check_same(done, whole)
    assert (made.last, done.snapshots.rest) == (at, ())
    assert done.info.segments[-1].request == whole.info.request


def test_the_journal_of_a_process_that_died_tells_the_changes(request_of: Any, tmp_path: Path) -> None:
    engine, request, folder = Engine(), request_of(), tmp_path / "journals"
    events = sample_with_changes(
        engine, request, RunChanges((after(3, "form", "vase"),)), threading.Event(), journal_folder=folder
    )
    for event in events:
        if event.trajectory.last == 5:
            break
    (path,) = folder.iterdir()
    copy = tmp_path / "copy.journal"
    copy.write_bytes(path.read_bytes())  # as it is when the process dies here
    events.close()
    read = open_journal(copy)
    assert (read.last, read.info.request.form, [each.step for each in read.info.forks]) == (5, "vase", [3])
    np.testing.assert_array_equal(read.state(5), event.trajectory.state(5))
    read.close()


def test_frames_beyond_the_budget_are_kept_in_a_file(request_of: Any, tmp_path: Path) -> None:
    engine, request = Engine(), request_of()
    small = changed(
        engine, request, after(3, "form", "vase"), after(6, "form", "ring"), budget_bytes=20_000, spill_folder=tmp_path
    )
    assert small.bytes_on_disk
    check_same(small, changed(engine, request, after(3, "form", "vase"), after(6, "form", "ring")))


def test_a_network_that_fails_later_leaves_the_steps(request_of: Any) -> None:
    engine, request = Engine(), request_of()
    network = next(iter(networks_of(engine.load(request.model, "cpu")).values()))
    events = sample_with_changes(engine, request, RunChanges((after(3, "form", "vase"),)), threading.Event())
    made = next(event.trajectory for event in events if event.trajectory.last == 5)

    def fail(*_: Any) -> None:
        raise ZeroDivisionError("no more")

    hook = network.register_forward_pre_hook(fail)
    with pytest.raises(SculptorError, match="no more"):
        next(events)
    hook.remove()
    assert (made.last, made.ended.startswith("failed: ")) == (5, True)
    check = finish(engine, request)
    np.testing.assert_array_equal(made.state(3), check.state(3))


def test_the_same_run_comes_again_after_one_that_paused(request_of: Any) -> None:
    engine, request = Engine(), request_of(sampler="ddpm")
    before = torch.random.get_rng_state()
    first = changed(engine, request, after(4, "form", "vase"))
    assert torch.equal(before, torch.random.get_rng_state())
    check_same(first, changed(engine, request, after(4, "form", "vase")))
