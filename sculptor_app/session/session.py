"""Playback state that all views share: which trajectory, which step, playing or not, following the run or pinned.

State lives here once; widgets render it and ask for changes. Every signal is emitted on a real change only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from sculptor_app.core.trajectory.levels import (
    DEFAULT_SETTLING_RULE,
    LOCKS,
    SETTLING_RULES,
    PhaseSpan,
    layer_spans,
    matching_state,
)

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.base import AnyTrajectory
    from sculptor_app.measures.run_measures import RunMeasures


class LoopMode(Enum):
    """Behaviour of playback at the end of the states."""

    ONCE = "once"
    LOOP = "loop"
    PING_PONG = "ping_pong"


MIN_SPEED = 0.5
MAX_SPEED = 60.0
"""Steps per second; a display shows no more than its frame rate."""

DEFAULT_SPEED = 12.0


@dataclass(frozen=True, slots=True)
class Move:
    """Result of one tick of the playback clock."""

    position: int  # the state to show, 0..last
    direction: int  # -1 or 1 while playing goes on, 0 when it has come to its end


def next_move(position: int, direction: int, last: int, mode: LoopMode, growing: bool) -> Move:
    """The next state to show.

    At the live edge of a run that still goes on, playing forward waits for the next state, whatever the mode: to jump
    back there would make a person miss what they are waiting for.

    Args:
        position: the state shown now, 0..last.
        direction: -1 (backward) or 1 (forward).
        growing: whether a run still adds states.
    """
    ahead = position + direction
    if 0 <= ahead <= last:
        return Move(ahead, direction)
    if growing and direction > 0:
        return Move(position, direction)
    if mode is LoopMode.LOOP and last > 0:
        return Move(0 if direction > 0 else last, direction)
    if mode is LoopMode.PING_PONG and last > 0:
        return Move(position - direction, -direction)
    return Move(position, 0)


def start_position(position: int, direction: int, last: int, growing: bool) -> int:
    """Where playing begins when a person presses play: at the other end if there is nothing left to play."""
    if direction > 0 and position == last and not growing:
        return 0
    return last if direction < 0 and position == 0 else position


@dataclass(frozen=True, slots=True, eq=False)
class ShownRun:
    """A run as it is, or was, on screen."""

    trajectory: AnyTrajectory
    measures: RunMeasures | None
    source: str  # where it was opened from, for people; empty for a run that was made here
    number: int = 0  # in the order in which they came on screen first
    position: int = 0  # the state shown when another run took its place
    parent: int = 0  # number of the run that it is a fork of; 0 for none
    verdict: str = ""  # of a run that was made again: what came of holding it against the saved one, for people


class Session(QObject):
    """The state that all views share.

    Positions are those of playing forward: the states 0..N from the noise to the picture; `into_noise`, the layers of
    noise 0..N from the picture to the noise, as an animation into noise counts them.

    Args:
        memory_bytes: tells what all runs that can be gone back to may take; None is what the one on screen may.

    Signals:
        trajectory_changed: another trajectory (or none) is shown; position and length have been set for it.
        length_changed: the newest state that can be shown.
        step_changed: the state shown, 0..last.
        following_changed: whether the view goes along with a run (else it is pinned).
        playback_changed: direction, loop mode or speed.
        running_changed: whether a run still adds states to the trajectory shown.
        settling_rule_changed: by which rule marks say that a band has settled.
        runs_before_changed: there are other runs to go back to than before.
        compared_changed: another run, or none, is compared with that on screen, or by another lock.
        measured: what is shown came without measures, and has them now.
        verdict_changed: more is known of a run: what came of holding it against the one that it was made again from.
    """

    trajectory_changed = Signal()
    length_changed = Signal(int)
    step_changed = Signal(int)
    following_changed = Signal(bool)
    playback_changed = Signal()
    running_changed = Signal(bool)
    settling_rule_changed = Signal(str)
    runs_before_changed = Signal()
    compared_changed = Signal()
    measured = Signal()
    verdict_changed = Signal()

    def __init__(
        self,
        parent: QObject | None = None,
        into_noise: bool = False,
        memory_bytes: Callable[[], int] | None = None,
    ) -> None:
        super().__init__(parent)
        self.into_noise = into_noise
        self._memory_bytes = memory_bytes
        self._trajectory: AnyTrajectory | None = None
        self._measures: RunMeasures | None = None
        self._run: ShownRun | None = None  # on screen, as it was before it was decoded
        self._runs_before: list[ShownRun] = []  # the one that was on screen last comes first
        self._compared: ShownRun | None = None
        self._lock = LOCKS[0]
        self._growing: AnyTrajectory | None = None  # the run that goes on, on screen or not
        self._shown_runs = 0
        self._last = 0
        self._position = 0
        self._following = True
        self._running = False
        self._settling_rule = DEFAULT_SETTLING_RULE
        self._direction = 0
        self._loop_mode = LoopMode.ONCE
        self._speed = DEFAULT_SPEED
        self._clock = QTimer(self)
        self._clock.setTimerType(Qt.TimerType.PreciseTimer)
        self._clock.timeout.connect(self._tick)
        self.set_speed(DEFAULT_SPEED)

    @property
    def trajectory(self) -> AnyTrajectory | None:
        """What is shown; None before the first run."""
        return self._trajectory

    @property
    def measures(self) -> RunMeasures | None:
        """What was measured on the trajectory."""
        return self._measures

    @property
    def source(self) -> str:
        """Where what is shown was opened from, for people; empty for a run that was made here."""
        return "" if self._run is None else self._run.source

    @property
    def verdict(self) -> str:
        """What is said of the run on screen besides its title, for people; empty for nothing."""
        return "" if self._run is None else self._run.verdict

    @property
    def run_before(self) -> ShownRun | None:
        """The run that was on screen before this one, while the memory for a run holds both; else None."""
        return self._runs_before[0] if self._runs_before else None

    @property
    def run(self) -> ShownRun | None:
        """The run on screen, as it was before it was decoded."""
        return self._run

    @property
    def runs_before(self) -> tuple[ShownRun, ...]:
        """All other runs that were on screen, as far as the memory for one holds them; the last one first."""
        return tuple(self._runs_before)

    @property
    def compared(self) -> ShownRun | None:
        """The run that is compared with that on screen; None for none."""
        return self._compared

    @property
    def lock(self) -> str:
        """How the states of both go together, one of `LOCKS`."""
        return self._lock

    @property
    def compared_state(self) -> int:
        """The state of the compared run that goes with the one shown; it is to be there."""
        assert self._compared is not None
        assert self._trajectory is not None
        other = self._compared.trajectory
        return matching_state(self._trajectory.levels, self.state, other.levels, other.last, self._lock)

    def compare_with(self, run: ShownRun | None) -> None:
        """Compare a run with whatever is on screen from now on; None for none, as is the run on screen itself."""
        if run is not None and self._run is not None and run.trajectory is self._run.trajectory:
            run = None
        if run is not self._compared:
            before, self._compared = self._compared, run
            is_another = run is not None and (before is None or before.trajectory is not run.trajectory)
            if run is not None and is_another and self._trajectory is not None:  # else its measures have come
                # Of runs of other lengths, states of one number are at other levels of noise.
                is_alike = run.trajectory.planned_steps == self._trajectory.planned_steps
                self._lock = LOCKS[0] if is_alike else "snr"
            self.compared_changed.emit()

    @Slot(str)
    def set_lock(self, lock: str) -> None:
        """Have the states of both runs go together by another rule; `ValueError` if there is no such."""
        if lock not in LOCKS:
            raise ValueError(f"{lock!r} is none of {LOCKS}")
        if lock != self._lock:
            self._lock = lock
            self.compared_changed.emit()

    @property
    def last(self) -> int:
        """Newest state that has been announced; never more than the trajectory holds."""
        return self._last

    @property
    def position(self) -> int:
        """The place shown, 0 (pure noise, or the picture where playing goes into the noise) to `last`."""
        return self._position

    @property
    def state(self) -> int:
        """The trajectory's state that is shown."""
        return self.state_at(self._position)

    def state_at(self, position: int) -> int:
        """The trajectory's state at a position; of a forward process all are there."""
        return self._last - position if self.into_noise else position

    @property
    def spans(self) -> tuple[PhaseSpan, ...]:
        """The phases by positions; none where nothing is shown."""
        if self._trajectory is None:
            return ()
        spans = self._trajectory.spans
        return layer_spans(spans, self._trajectory.planned_steps) if self.into_noise else spans

    @property
    def is_following(self) -> bool:
        """Whether the next state of a run is shown when it comes; False is called pinned."""
        return self._following

    @property
    def is_running(self) -> bool:
        """Whether a run still adds states to the trajectory shown."""
        return self._running

    @property
    def settling_rule(self) -> str:
        """By which rule marks say that a band has settled, a key of `SETTLING_RULES`."""
        return self._settling_rule

    @Slot(str)
    def set_settling_rule(self, rule: str) -> None:
        """Settle by another rule; `KeyError` if it is not known."""
        if SETTLING_RULES[rule].key != self._settling_rule:
            self._settling_rule = rule
            self.settling_rule_changed.emit(rule)

    @property
    def direction(self) -> int:
        """Playing: -1 backward, 1 forward, 0 not at all."""
        return self._direction

    @property
    def loop_mode(self) -> LoopMode:
        """What playing does at an end."""
        return self._loop_mode

    @property
    def speed(self) -> float:
        """Steps per second while playing."""
        return self._speed

    def show(
        self,
        trajectory: AnyTrajectory,
        measures: RunMeasures | None,
        running: bool = True,
        source: str = "",
        forked_from: AnyTrajectory | None = None,
    ) -> None:
        """Put another trajectory on screen, at its newest state; a run that adds to it is followed.

        The run that was there is kept in `runs_before`; the same run decoded, or not any more, takes no other's place.

        Args:
            source: where it was opened from, for people.
            forked_from: the run that it is a fork of.
        """
        self.pause()
        is_same_run = self._run is not None and self._run.trajectory is trajectory.undecoded
        if running and (not is_same_run or trajectory is trajectory.undecoded):  # else it is decoded, and is over
            self._growing = trajectory
        compared = self._compared
        if not is_same_run:
            self._keep(trajectory, measures, source, forked_from)
        self._trajectory, self._measures = trajectory, measures
        self._last = trajectory.last
        self._position = 0 if self.into_noise else self._last
        self.trajectory_changed.emit()
        if self._compared is not compared:
            self.compared_changed.emit()
        self._set_running(running)
        if not self.into_noise:
            self.set_following(True)
        self.length_changed.emit(self._last)
        self.step_changed.emit(self._position)

    def grow(self, last: int) -> None:
        """A run has added states up to `last`; moves the view only where it follows."""
        if last <= self._last:
            return
        self._last = last
        self.bound_memory()
        self.length_changed.emit(last)
        if self._following and not self._direction:
            self._move_to(last)

    def take_measures(self, trajectory: AnyTrajectory, measures: RunMeasures) -> None:
        """Take what was measured on a run that is on screen, or was before it."""
        if self._run is not None and self._run.trajectory is trajectory:
            self._run = replace(self._run, measures=measures)
        for place, before in enumerate(self._runs_before):
            if before.trajectory is trajectory:
                self._runs_before[place] = replace(before, measures=measures)
        if self._compared is not None and self._compared.trajectory is trajectory:
            self.compare_with(replace(self._compared, measures=measures))
        if self._trajectory is trajectory:
            self._measures = measures
            self.measured.emit()

    def take_verdict(self, trajectory: AnyTrajectory, verdict: str) -> None:
        """Say of a run that is on screen, or was before it, what came of holding it against the saved one."""
        if self._run is not None and self._run.trajectory is trajectory:
            self._run = replace(self._run, verdict=verdict)
        for place, before in enumerate(self._runs_before):
            if before.trajectory is trajectory:
                self._runs_before[place] = replace(before, verdict=verdict)
        self.verdict_changed.emit()

    @Slot()
    def show_run_before(self) -> None:
        """Put the run before this one on screen, where it was left, and this one in its place."""
        if self._runs_before:
            self.show_again(self._runs_before[0])

    def show_again(self, run: ShownRun) -> None:
        """Put one of `runs_before` on screen, where it was left; one that goes on is followed."""
        goes_on = run.trajectory is self._growing
        self.show(run.trajectory, run.measures, running=goes_on, source=run.source)
        if not goes_on:
            self._move_to(run.position)

    def _keep(
        self, trajectory: AnyTrajectory, measures: RunMeasures | None, source: str, forked_from: AnyTrajectory | None
    ) -> None:
        """Take a run as the one on screen, and the one that was there as the one before."""
        shown = self._run
        there = next((run for run in self._runs_before if run.trajectory is trajectory), None)
        self._shown_runs += there is None
        number = self._shown_runs if there is None else there.number
        known = [run for run in (*self._runs_before, shown) if run is not None]
        parents = [run.number for run in known if run.trajectory is forked_from]
        parent = there.parent if there is not None else next(iter(parents), 0)
        verdict = "" if there is None else there.verdict
        self._run = ShownRun(trajectory, measures, source, number, parent=parent, verdict=verdict)
        if self._compared is not None and self._compared.trajectory is trajectory:  # the two change places
            self._compared = shown
        if self.into_noise or shown is None:
            return
        runs = [run for run in self._runs_before if run is not there]
        goes_on = shown.trajectory is self._growing
        if shown.trajectory.last or goes_on:
            is_followed = goes_on and self._following  # then it comes back at what is its newest state by then
            position = shown.trajectory.planned_steps if is_followed else self._position
            runs.insert(0, replace(shown, position=position))
        self._set_runs_before(self._within_memory(runs))

    def bound_memory(self) -> None:
        """Forget the runs that were looked at longest ago where all are more than the memory for a run."""
        runs = self._within_memory(self._runs_before)
        if len(runs) < len(self._runs_before):
            self._set_runs_before(runs)

    def _within_memory(self, runs: list[ShownRun]) -> list[ShownRun]:
        """As many runs as the memory for one holds beside that on screen; one that goes on is always kept."""
        if self._run is None or not runs:
            return runs
        trajectory = self._run.trajectory
        room = trajectory.budget_bytes if self._memory_bytes is None else self._memory_bytes()
        left = room - trajectory.bytes_in_memory
        left -= sum(run.trajectory.bytes_in_memory for run in runs if run.trajectory is self._growing)
        kept, is_full = [], False
        for run in runs:
            if run.trajectory is not self._growing:
                left -= run.trajectory.bytes_in_memory
                is_full = is_full or left < 0
            if not is_full or run.trajectory is self._growing:
                kept.append(run)
        return kept

    def _set_runs_before(self, runs: list[ShownRun]) -> None:
        were, self._runs_before = self._runs_before, runs
        if len(runs) != len(were) or any(run is not other for run, other in zip(runs, were, strict=True)):
            self.runs_before_changed.emit()

    def forget(self, trajectory: AnyTrajectory) -> None:
        """Keep a run no longer that was on screen before."""
        self._set_runs_before([run for run in self._runs_before if run.trajectory is not trajectory])

    def end_run(self, trajectory: AnyTrajectory | None = None) -> None:
        """No more states will come to a run; None is that on screen."""
        if trajectory is None or trajectory is self._trajectory:
            self._set_running(False)
        if trajectory is None or trajectory is self._growing:
            self._growing = None

    @Slot(int)
    def go_to(self, position: int) -> None:
        """Show a state, the nearest one there is; during a run this pins the view."""
        self.pause()
        self._look_at(position)

    @Slot(int)
    def go_by(self, steps: int) -> None:
        """Show the state so many steps away."""
        self.go_to(self._position + steps)

    @Slot()
    def go_first(self) -> None:
        """Show what playing begins with."""
        self.go_to(0)

    @Slot()
    def go_last(self) -> None:
        """Show the newest state; during a run, follow it from there."""
        self.pause()
        if self._running:
            self.set_following(True)
        self._move_to(self._last)

    @Slot(int)
    def go_phase(self, towards: int) -> None:
        """Show the first step of the next phase (towards > 0), or of this phase or the one before."""
        if self._trajectory is None:
            return
        starts = [0, *(span.first_step for span in self.spans), self._trajectory.planned_steps]
        if towards > 0:
            self.go_to(next((start for start in starts if start > self._position), self._last))
        else:
            self.go_to(next((start for start in reversed(starts) if start < self._position), 0))

    @Slot(bool)
    def set_following(self, following: bool) -> None:
        """Follow the run (and jump to its newest state) or pin the view where it is."""
        if following:
            self.pause()
        if following != self._following:
            self._following = following
            self.following_changed.emit(following)
        if following:
            self._move_to(self._last)

    @Slot(int)
    def play(self, direction: int) -> None:
        """Play forward (1) or backward (-1) from the state shown; pins the view during a run."""
        if self._trajectory is None or self._last == 0:
            return
        self._look_at(start_position(self._position, direction, self._last, self._running))
        if direction != self._direction:
            self._direction = direction
            self.playback_changed.emit()
        self._clock.start()

    @Slot()
    def pause(self) -> None:
        """Stop playing where it is."""
        self._clock.stop()
        if self._direction:
            self._direction = 0
            self.playback_changed.emit()

    @Slot()
    def toggle_play(self) -> None:
        """Play forward, or pause what plays."""
        if self._direction:
            self.pause()
        else:
            self.play(1)

    @Slot(float)
    def set_speed(self, steps_per_second: float) -> None:
        """Set the playing speed; `ValueError` outside MIN_SPEED..MAX_SPEED."""
        if not MIN_SPEED <= steps_per_second <= MAX_SPEED:
            raise ValueError(f"the speed is {steps_per_second} steps/s; choose {MIN_SPEED:g} to {MAX_SPEED:g}")
        self._clock.setInterval(round(1000 / steps_per_second))
        if steps_per_second != self._speed:
            self._speed = steps_per_second
            self.playback_changed.emit()

    def set_loop_mode(self, mode: LoopMode) -> None:
        """Choose what playing does at an end."""
        if mode is not self._loop_mode:
            self._loop_mode = mode
            self.playback_changed.emit()

    @Slot()
    def _tick(self) -> None:
        move = next_move(self._position, self._direction, self._last, self._loop_mode, self._running)
        self._move_to(move.position)
        if not move.direction:
            self.pause()
        elif move.direction != self._direction:
            self._direction = move.direction
            self.playback_changed.emit()

    def _look_at(self, position: int) -> None:
        """A person looks somewhere: where a run goes on, it no longer moves the view."""
        if self._running and self._following:
            self._following = False
            self.following_changed.emit(False)
        self._move_to(position)

    def _move_to(self, position: int) -> None:
        position = max(0, min(self._last, position))
        if position != self._position:
            self._position = position
            self.step_changed.emit(position)

    def _set_running(self, running: bool) -> None:
        if running != self._running:
            self._running = running
            self.running_changed.emit(running)
