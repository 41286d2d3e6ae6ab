"""Playback state that all views share: which trajectory, which step, playing or not, following the run or pinned.

State lives here once; widgets render it and ask for changes. Every signal is emitted on a real change only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from sculptor_app.core.trajectory.levels import DEFAULT_SETTLING_RULE, SETTLING_RULES, PhaseSpan, layer_spans

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
    position: int = 0  # the state shown when another run took its place


class Session(QObject):
    """The state that all views share.

    Positions are those of playing forward: the states 0..N from the noise to the picture; `into_noise`, the layers of
    noise 0..N from the picture to the noise, as an animation into noise counts them.

    Signals:
        trajectory_changed: another trajectory (or none) is shown; position and length have been set for it.
        length_changed: the newest state that can be shown.
        step_changed: the state shown, 0..last.
        following_changed: whether the view goes along with a run (else it is pinned).
        playback_changed: direction, loop mode or speed.
        running_changed: whether a run still adds states to the trajectory shown.
        settling_rule_changed: by which rule marks say that a band has settled.
        run_before_changed: whether there is a run before this one to go back to.
        measured: what is shown came without measures, and has them now.
    """

    trajectory_changed = Signal()
    length_changed = Signal(int)
    step_changed = Signal(int)
    following_changed = Signal(bool)
    playback_changed = Signal()
    running_changed = Signal(bool)
    settling_rule_changed = Signal(str)
    run_before_changed = Signal(bool)
    measured = Signal()

    def __init__(self, parent: QObject | None = None, into_noise: bool = False) -> None:
        super().__init__(parent)
        self.into_noise = into_noise
        self._trajectory: AnyTrajectory | None = None
        self._measures: RunMeasures | None = None
        self._run: ShownRun | None = None  # on screen, as it was before it was decoded
        self._run_before: ShownRun | None = None
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
    def run_before(self) -> ShownRun | None:
        """The run that was on screen before this one, while the memory for a run holds both; else None."""
        return self._run_before

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
        self, trajectory: AnyTrajectory, measures: RunMeasures | None, running: bool = True, source: str = ""
    ) -> None:
        """Put another trajectory on screen, at its newest state; a run that adds to it is followed.

        The run that was there is kept as `run_before`; the same run decoded, or not any more, takes no other's place.

        Args:
            source: where it was opened from, for people.
        """
        self.pause()
        if self._run is None or self._run.trajectory is not trajectory.undecoded:
            self._keep(ShownRun(trajectory, measures, source))
        self._trajectory, self._measures = trajectory, measures
        self._last = trajectory.last
        self._position = 0 if self.into_noise else self._last
        self.trajectory_changed.emit()
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
        self._bound_memory()
        self.length_changed.emit(last)
        if self._following and not self._direction:
            self._move_to(last)

    def take_measures(self, trajectory: AnyTrajectory, measures: RunMeasures) -> None:
        """Take what was measured on a run that is on screen, or was before it."""
        run, before = self._run, self._run_before
        if run is not None and run.trajectory is trajectory:
            self._run = replace(run, measures=measures)
        if before is not None and before.trajectory is trajectory:
            self._run_before = replace(before, measures=measures)
        if self._trajectory is trajectory:
            self._measures = measures
            self.measured.emit()

    @Slot()
    def show_run_before(self) -> None:
        """Put the run before this one on screen, where it was left, and this one in its place."""
        before = self._run_before
        if before is not None:
            self.show(before.trajectory, before.measures, running=False, source=before.source)
            self._move_to(before.position)

    def _keep(self, run: ShownRun) -> None:
        """Take a run as the one on screen, and the one that was there as the one before."""
        shown, self._run = self._run, run
        if self.into_noise or shown is None or not shown.trajectory.last:
            return
        self._set_run_before(replace(shown, position=self._position))
        self._bound_memory()

    def _bound_memory(self) -> None:
        """Forget the run before where it and this one are more than the memory for a run."""
        before, run = self._run_before, self._run
        if before is None or run is None:
            return
        both = before.trajectory.bytes_in_memory + run.trajectory.bytes_in_memory
        if both > run.trajectory.budget_bytes:
            self._set_run_before(None)

    def _set_run_before(self, run: ShownRun | None) -> None:
        was_there = self._run_before is not None
        self._run_before = run
        if was_there is (run is None):
            self.run_before_changed.emit(run is not None)

    def end_run(self) -> None:
        """No more states will come."""
        self._set_running(False)

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
