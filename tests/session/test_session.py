"""Playback state while a run grows, is scrubbed and played, with a real trajectory of tiny frames."""

import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytestqt.qtbot import QtBot

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.base import RunInfo
from sculptor_app.core.trajectory.levels import CLEAN, NoiseLevel, cosine_snr
from sculptor_app.core.trajectory.step import Step
from sculptor_app.core.trajectory.trajectory import DecodedTrajectory, Trajectory
from sculptor_app.measures.run_measures import RunMeasures
from sculptor_app.session.session import LoopMode, Move, Session, next_move, start_position

STEPS = 50
FRAME = np.zeros((3, 4, 4), np.float32)


def levels() -> list[NoiseLevel]:
    ratios = [cosine_snr(999 - k * 999 / (STEPS - 1)) for k in range(STEPS)]
    return [*(NoiseLevel((r / (1 + r)) ** 0.5, (1 / (1 + r)) ** 0.5) for r in ratios), CLEAN]


def trajectory(taken: int) -> Trajectory:
    run = Trajectory(RunInfo(RunRequest()), FRAME, levels())
    take(run, taken)
    return run


def take(run: Trajectory, up_to: int) -> None:
    for k in range(run.last + 1, up_to + 1):
        run.append(Step(k, 0, True, 0.0, run.levels[k - 1], run.levels[k], FRAME, FRAME, "", 0.0))


class Log:
    def __init__(self, session: Session) -> None:
        self.entries: list[tuple] = []
        session.trajectory_changed.connect(lambda: self.entries.append(("trajectory",)))
        session.length_changed.connect(lambda last: self.entries.append(("length", last)))
        session.step_changed.connect(lambda k: self.entries.append(("step", k)))
        session.following_changed.connect(lambda on: self.entries.append(("following", on)))
        session.running_changed.connect(lambda on: self.entries.append(("running", on)))

    def since(self) -> list[tuple]:
        taken, self.entries = self.entries, []
        return taken


@pytest.fixture
def session(qapp) -> Session:
    made = Session()
    yield made
    made.pause()


def running(session: Session, taken: int = 10) -> tuple[Trajectory, Log]:
    run = trajectory(taken)
    session.show(run, RunMeasures.of(run))
    return run, Log(session)


def test_a_run_that_is_followed_moves_the_view(session: Session) -> None:
    _run, log = running(session)
    session.grow(11)
    assert log.since() == [("length", 11), ("step", 11)]
    session.grow(11)
    assert log.since() == []


def test_a_run_never_moves_a_pinned_view(session: Session) -> None:
    _run, log = running(session)
    session.go_to(4)
    assert log.since() == [("following", False), ("step", 4)]
    for last in range(11, 40):
        session.grow(last)
    assert session.position == 4
    assert {entry[0] for entry in log.since()} == {"length"}
    session.end_run()
    assert log.since() == [("running", False)]
    assert session.position == 4


def test_going_where_the_view_is_pins_it_too(session: Session) -> None:
    _run, log = running(session)
    session.go_to(10)
    assert log.since() == [("following", False)]


def test_follow_live_returns_to_the_newest_state(session: Session) -> None:
    running(session)
    session.go_to(4)
    session.grow(12)
    session.set_following(True)
    assert (session.position, session.is_following) == (12, True)


def test_end_follows_a_run_and_pins_nothing_afterwards(session: Session) -> None:
    running(session)
    session.go_first()
    session.go_last()
    assert session.is_following
    session.end_run()
    session.go_first()
    assert session.is_following  # there is nothing to be pinned against


@pytest.mark.parametrize(("asked", "shown"), [(-5, 0), (0, 0), (7, 7), (10, 10), (11, 10), (10**9, 10)])
def test_positions_are_kept_inside_what_there_is(session: Session, asked: int, shown: int) -> None:
    running(session)
    session.go_to(asked)
    assert session.position == shown


@pytest.mark.parametrize(
    ("position", "towards", "shown"),
    [(0, 1, 1), (1, 1, 6), (5, 1, 6), (6, 1, 16), (16, 1, 31), (31, 1, 50), (50, 1, 50),
     (50, -1, 31), (31, -1, 16), (20, -1, 16), (6, -1, 1), (1, -1, 0), (0, -1, 0)],
)  # fmt: skip
def test_phases_of_the_cosine_schedule_begin_at_1_6_16_and_31(session, position, towards, shown) -> None:
    running(session, STEPS)
    session.end_run()
    session.go_to(position)
    session.go_phase(towards)
    assert session.position == shown


def test_another_trajectory_starts_followed_and_unplayed(session: Session) -> None:
    running(session)
    session.go_to(3)
    session.play(1)
    run = trajectory(0)
    session.show(run, RunMeasures.of(run))
    assert (session.position, session.last, session.direction, session.is_following) == (0, 0, 0, True)


def test_playing_forward_goes_on_to_the_end_and_stops(session: Session, qtbot: QtBot) -> None:
    running(session)
    session.end_run()
    session.set_speed(60)
    session.go_to(6)
    seen = []
    session.step_changed.connect(seen.append)
    session.play(1)
    qtbot.waitUntil(lambda: session.direction == 0)
    assert seen == [7, 8, 9, 10]


def test_playing_at_the_live_edge_waits_for_the_next_state(session: Session, qtbot: QtBot) -> None:
    running(session)
    session.set_speed(60)
    session.set_loop_mode(LoopMode.LOOP)
    session.go_to(9)
    session.play(1)
    qtbot.waitUntil(lambda: session.position == 10)
    session._tick()
    assert (session.position, session.direction) == (10, 1)
    session.grow(12)
    assert session.position == 10  # by its own clock, not the run's
    qtbot.waitUntil(lambda: session.position == 12)


def test_going_somewhere_stops_playing(session: Session) -> None:
    running(session)
    session.play(-1)
    session.go_to(2)
    assert session.direction == 0


@pytest.mark.parametrize("speed", [0, 0.4, 60.5, -3])
def test_a_speed_out_of_range_is_refused(session: Session, speed: float) -> None:
    with pytest.raises(ValueError, match=r"choose 0\.5 to 60"):
        session.set_speed(speed)


def test_nothing_happens_without_a_trajectory(session: Session) -> None:
    session.play(1)
    session.go_to(3)
    session.go_phase(1)
    session.go_last()
    assert (session.position, session.direction) == (0, 0)


ONCE, LOOP, PING_PONG = LoopMode.ONCE, LoopMode.LOOP, LoopMode.PING_PONG


@pytest.mark.parametrize(
    ("position", "direction", "last", "mode", "growing", "move"),
    [
        (3, 1, 9, ONCE, False, Move(4, 1)),
        (3, -1, 9, ONCE, False, Move(2, -1)),
        (9, 1, 9, ONCE, False, Move(9, 0)),
        (0, -1, 9, ONCE, False, Move(0, 0)),
        (9, 1, 9, LOOP, False, Move(0, 1)),
        (0, -1, 9, LOOP, False, Move(9, -1)),
        (9, 1, 9, PING_PONG, False, Move(8, -1)),
        (0, -1, 9, PING_PONG, False, Move(1, 1)),
        # at the live edge playing forward waits
        (9, 1, 9, ONCE, True, Move(9, 1)),
        (9, 1, 9, LOOP, True, Move(9, 1)),
        (9, 1, 9, PING_PONG, True, Move(9, 1)),
        (0, -1, 9, LOOP, True, Move(9, -1)),
        (0, -1, 9, ONCE, True, Move(0, 0)),
        # nothing to play
        (0, 1, 0, LOOP, False, Move(0, 0)),
        (0, 1, 0, PING_PONG, False, Move(0, 0)),
        (0, -1, 0, PING_PONG, True, Move(0, 0)),
    ],
)
def test_next_move(position, direction, last, mode, growing, move) -> None:
    assert next_move(position, direction, last, mode, growing) == move


@pytest.mark.parametrize(
    ("position", "direction", "last", "growing", "start"),
    [
        (9, 1, 9, False, 0),
        (9, 1, 9, True, 9),
        (4, 1, 9, False, 4),
        (0, -1, 9, False, 9),
        (4, -1, 9, False, 4),
        (0, 1, 0, False, 0),
    ],
)
def test_start_position(position, direction, last, growing, start) -> None:
    assert start_position(position, direction, last, growing) == start


@given(st.data())
def test_playing_moves_by_one_or_to_the_other_end_and_stays_inside(data: st.DataObject) -> None:
    last = data.draw(st.integers(0, 1000))
    position = data.draw(st.integers(0, last))
    direction = data.draw(st.sampled_from([-1, 1]))
    move = next_move(position, direction, last, data.draw(st.sampled_from(LoopMode)), data.draw(st.booleans()))
    assert 0 <= move.position <= last
    assert abs(move.position - position) in (0, 1, last)


@given(st.integers(1, 30))
def test_ping_pong_shows_every_state_twice_a_round_but_the_ends_once(last: int) -> None:
    seen, position, direction = [], 0, 1
    for _ in range(2 * last):
        move = next_move(position, direction, last, PING_PONG, False)
        position, direction = move.position, move.direction
        seen.append(position)
    assert sorted(seen) == sorted([0, last, *range(1, last), *range(1, last)])


def test_a_session_into_noise_begins_at_the_picture_and_counts_layers(qtbot: QtBot) -> None:
    session = Session(into_noise=True)
    session.show(trajectory(STEPS), None, running=False)
    assert (session.position, session.state) == (0, 50)
    session.go_by(12)
    assert (session.position, session.state) == (12, 38)
    assert [(span.first_step, span.last_step) for span in session.spans] == [(1, 20), (21, 35), (36, 45), (46, 50)]
    session.go_phase(1)
    assert session.position == 21
    session.go_last()
    assert session.state == 0


def test_the_run_before_is_one_step_away_and_back_again(session: Session) -> None:
    first, second, told = trajectory(10), trajectory(5), []
    session.runs_before_changed.connect(lambda: told.append(session.run_before))
    session.show(first, RunMeasures.of(first), running=False, source="cell (3, 2)")
    session.go_to(4)
    assert (session.run_before, session.source) == (None, "cell (3, 2)")
    session.show(second, RunMeasures.of(second), running=False)
    assert (session.run_before.trajectory, session.source) == (first, "")
    session.show_run_before()
    assert (session.trajectory, session.position, session.source) == (first, 4, "cell (3, 2)")
    assert session.measures is not None
    session.show_run_before()
    assert (session.trajectory, session.run_before.trajectory) == (second, first)
    assert [run.trajectory for run in told] == [first, second, first]


def test_a_run_that_is_looked_at_decoded_takes_no_others_place(session: Session) -> None:
    first, second = trajectory(3), trajectory(4)
    session.show(first, None, running=False)
    session.show(second, None, running=False)
    session.show(DecodedTrajectory(second), None, running=False)
    assert session.run_before.trajectory is first
    session.show_run_before()
    assert session.run_before.trajectory is second  # as it was before it was decoded


def test_measures_that_come_later_find_their_run_wherever_it_is(session: Session) -> None:
    told: list[object] = []
    session.measured.connect(lambda: told.append(session.measures))
    first, second = trajectory(3), trajectory(4)
    session.show(first, None, running=False)
    session.go_to(1)
    measures = RunMeasures.of(first)
    session.take_measures(first, measures)
    assert (told, session.measures, session.position) == ([measures], measures, 1)  # it is where it was
    session.show(second, None, running=False)
    later = RunMeasures.of(first)
    session.take_measures(first, later)  # of the run before
    assert (session.measures, session.run_before.measures, len(told)) == (None, later, 1)


def test_the_run_before_goes_where_both_are_more_than_the_memory_for_a_run(session: Session) -> None:
    first = trajectory(10)
    second = Trajectory(RunInfo(RunRequest()), FRAME, levels(), budget_bytes=first.bytes_in_memory + 5 * FRAME.nbytes)
    session.show(first, None, running=False)
    session.show(second, None)
    for k in (1, 2):  # state 0, then a state and a guess each
        take(second, k)
        session.grow(k)
        assert session.run_before is not None
    take(second, 3)
    session.grow(3)
    assert session.run_before is None
    session.end_run()
    session.show(trajectory(2), None, running=False)
    assert session.run_before.trajectory is second


def test_all_runs_are_kept_as_far_as_the_memory_for_one_holds_them_and_those_go_that_were_left_first(
    session: Session,
) -> None:
    small = trajectory(3)  # 4 states, 3 guesses
    room = 4 * small.bytes_in_memory
    runs = [Trajectory(RunInfo(RunRequest()), FRAME, levels(), budget_bytes=room) for _ in range(5)]
    for run in runs:
        for k in (1, 2, 3):
            take(run, k)
        session.show(run, None, running=False)
    assert [run.trajectory for run in session.runs_before] == [runs[3], runs[2], runs[1]]
    session.show_again(session.runs_before[2])
    assert [run.trajectory for run in session.runs_before] == [runs[4], runs[3], runs[2]]
    assert [run.number for run in session.runs_before] == [5, 4, 3]
    gone = weakref.ref(runs[2])
    del runs, run
    last = Trajectory(RunInfo(RunRequest()), FRAME, levels(), budget_bytes=room)
    session.show(last, None, running=False)
    assert gone() is None  # and its frames, in memory or in a file, with it


def test_a_cell_of_a_grid_whose_share_of_memory_is_small_takes_no_other_runs_place() -> None:
    room = [10**6]
    session = Session(memory_bytes=lambda: room[0])
    runs = [trajectory(3) for _ in range(3)]
    for run in runs:
        session.show(run, None, running=False)
    cell = Trajectory(RunInfo(RunRequest()), FRAME, levels(), budget_bytes=3 * FRAME.nbytes)
    take(cell, 1)
    session.show(cell, None, running=False, source="opened from cell (1, 1)")
    assert [run.trajectory for run in session.runs_before] == [runs[2], runs[1], runs[0]]
    session.show_run_before()
    assert [run.trajectory for run in session.runs_before] == [cell, runs[1], runs[0]]
    room[0] = runs[2].bytes_in_memory + cell.bytes_in_memory  # a person allows less
    session.bound_memory()
    assert [run.trajectory for run in session.runs_before] == [cell]


def test_a_run_that_goes_on_unseen_is_kept_whatever_it_takes_and_followed_when_it_comes_back(session: Session) -> None:
    first = trajectory(3)
    long = Trajectory(RunInfo(RunRequest()), FRAME, levels(), budget_bytes=first.bytes_in_memory + 3 * FRAME.nbytes)
    session.show(first, None, running=False)
    session.show(long, None)
    session.show_run_before()
    for k in (1, 2, 3):
        take(long, k)
        session.bound_memory()
    assert (session.last, session.is_running, session.run_before.trajectory) == (3, False, long)
    session.show_run_before()
    assert (session.trajectory, session.last, session.position, session.is_running) == (long, 3, 3, True)
    assert session.run_before is None  # both are too much
    session.end_run()
    session.show(first, None, running=False)
    session.show_run_before()
    assert not session.is_running


def compared(session: Session) -> list[object]:
    told: list[object] = []
    session.compared_changed.connect(lambda: told.append(session.compared))
    return told


def test_a_run_is_compared_with_whatever_comes_on_screen(session: Session) -> None:
    one, other, third = trajectory(STEPS), trajectory(30), trajectory(STEPS)
    session.show(one, None, running=False)
    session.show(other, None, running=False)
    told = compared(session)
    session.compare_with(session.run_before)
    assert session.compared.trajectory is one
    session.go_to(12)
    assert session.compared_state == 12
    session.show(third, None, running=False)
    assert session.compared.trajectory is one
    assert len(told) == 1
    session.compare_with(None)
    assert told[1:] == [None]
    assert session.compared is None


def test_a_run_and_the_one_compared_with_it_change_places(session: Session) -> None:
    one, other = trajectory(STEPS), trajectory(STEPS)
    session.show(one, None, running=False)
    session.show(other, None, running=False)
    session.compare_with(session.run_before)
    told = compared(session)
    session.show_run_before()
    assert (session.trajectory, session.compared.trajectory) == (one, other)
    assert len(told) == 1


def test_a_run_is_not_compared_with_itself(session: Session) -> None:
    session.show(trajectory(STEPS), None, running=False)
    session.compare_with(session.run)
    assert session.compared is None


def test_measures_of_the_compared_run_may_come_later(session: Session) -> None:
    one = trajectory(STEPS)
    session.show(one, None, running=False)
    session.show(trajectory(STEPS), None, running=False)
    session.compare_with(session.run_before)
    measures = RunMeasures.of(one)
    session.take_measures(one, measures)
    assert session.compared.measures is measures


def test_states_go_together_by_number_or_by_level(session: Session) -> None:
    told = compared(session)
    session.set_lock("snr")
    session.set_lock("snr")
    assert len(told) == 1
    with pytest.raises(ValueError, match="'time'"):
        session.set_lock("time")
