"""Runs of the page Carve: from the Start button to the trajectory on screen, and the messages about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app.core.errors import OutOfDeviceMemory, SculptorError
from sculptor_app.core.requests.changes import NO_CHANGES, RunChanges, Segment, base_request
from sculptor_app.core.requests.request import Parting, RunRequest
from sculptor_app.session.grid_run import Measuring
from sculptor_app.session.runner import Prepared, RunState, SampleRun, SamplingRunner
from sculptor_app.session.session import Session, ShownRun
from sculptor_app.ui.carve.changes import ChangesControl
from sculptor_app.ui.carve.controls import Controls
from sculptor_app.ui.playback.run_panel import RunPanel, few_names
from sculptor_app.ui.playback.texts import StepClock, end_text, run_title, steps_took_text, time_taken_s
from sculptor_app.ui.widgets.bars import MessageBar
from sculptor_app.ui.widgets.frame_clock import FrameClock
from sculptor_app.ui.widgets.names import display

if TYPE_CHECKING:
    from sculptor_app.core.pictures.start import Start
    from sculptor_app.core.requests.painting import Painting
    from sculptor_app.core.trajectory.base import AnyTrajectory, RunInfo
    from sculptor_app.core.trajectory.trajectory import Trajectory
    from sculptor_app.exports.made_with import MadeWith
    from sculptor_app.measures.run_measures import RunMeasures
    from sculptor_app.session.engine import MakeStart


HIDDEN_MS = 100
"""Least time between two looks at how far a run is that is not on screen."""


class RunControl(QObject):
    """Starts and stops runs as people ask and shows how they go, also while another one is looked at."""

    busy_changed = Signal(bool)  # whether a run was asked for and has not ended
    begun = Signal()  # a run was asked for, now
    ended = Signal(object)  # a run has ended, whichever way; its trajectory
    planned = Signal(object)  # the noise levels of the states of the run that the controls describe
    pace_changed = Signal()  # a step has been timed
    model_wanted = Signal(object)  # the model of the run on screen is to be opened, for its settings
    judged = Signal(bool)  # whether the run that the controls describe can be started
    gone_on = Signal(
        object, object
    )  # the trajectory of a run that was stopped, and the `SampleRun` of what it had left

    def __init__(
        self,
        session: Session,
        runner: SamplingRunner,
        controls: Controls,
        panel: RunPanel,
        messages: MessageBar,
        changes: ChangesControl,
    ) -> None:
        super().__init__(panel)
        self._session, self._runner, self._changes = session, runner, changes
        self._controls, self._panel, self._messages = controls, panel, messages
        self._busy = self._is_starting = False
        self._run: SampleRun | None = None
        self._forked_from: AnyTrajectory | None = None  # what the run that is about to begin is a fork of
        self._to_use: tuple[Segment, ...] = ()  # of a run whose settings wait for their model
        self._file_to_use: tuple[MadeWith, str, str | None] | None = None  # likewise, of a file: its name, its model
        self._clock = StepClock()  # of the run that goes on
        self._newest = 0  # step of it
        self._hidden_clock = FrameClock(frame_ms=HIDDEN_MS, parent=self)
        self._hidden_clock.due.connect(self.show_progress)
        self._measured_s: float | None = None  # per step of the run on screen, where it is over
        self._measuring = Measuring(self)
        self._measuring.measured.connect(session.take_measures)
        runner.state_changed.connect(self._show_state)
        runner.prepared.connect(self._take_prepared)
        runner.planned.connect(self._take_plan)
        runner.plan_refused.connect(self._take_refusal)
        controls.edited.connect(self._judge)
        controls.submitted.connect(self.start)
        changes.edited.connect(self._compare)
        panel.start_requested.connect(self.start)
        panel.stop_requested.connect(self._stop_now)
        panel.going_on_requested.connect(self.show_going_on)
        panel.settings_requested.connect(self.use_settings)
        session.trajectory_changed.connect(self._show_own_time)
        session.trajectory_changed.connect(self._compare)
        panel.continuation_requested.connect(self.go_on)
        for changed in (session.trajectory_changed, session.running_changed, controls.edited):
            changed.connect(self._show_can_go_on)
        self._judge()

    @property
    def is_busy(self) -> bool:
        """Whether a run was asked for and has not ended."""
        return self._busy

    @property
    def pace_s(self) -> float | None:
        """Seconds per step of the run on screen, by its own steps; None where none was timed."""
        going_on = self.going_on
        return self._clock.mean_s if going_on and going_on is self._session.trajectory else self._measured_s

    @property
    def going_on(self) -> Trajectory | None:
        """The run that goes on here, on screen or not; None where none has begun."""
        return self._run.trajectory if self._busy and self._run is not None else None

    @property
    def is_hidden(self) -> bool:
        """Whether a run goes on here while another one is looked at."""
        return self.going_on is not None and self.going_on is not self._session.trajectory

    @Slot()
    def start(self) -> None:
        request = self._controls.request()
        if request is None:
            return
        self.sample(request, changes=self._changes.changes_for(request))

    def sample(
        self, request: RunRequest, start: MakeStart | None = None, changes: RunChanges = NO_CHANGES
    ) -> SampleRun:
        """Run a request, from another start than its seed's noise if there is one: see `SamplingRunner.start`."""
        return self._begin(lambda: self._runner.start(request, start, changes))

    def make_again(self, info: RunInfo, begun_with: Start | None) -> SampleRun:
        """Make a run again from what is told of it, and what it began with: see `SamplingRunner.make_again`."""
        return self._begin(lambda: self._runner.make_again(info, begun_with))

    def fork(
        self,
        trajectory: Trajectory,
        k: int,
        request: RunRequest,
        parting: Parting = Parting.OWN_STATE,
        painting: Painting | None = None,
    ) -> SampleRun:
        """Go on from state k of a run in another way: see `SamplingRunner.fork`."""
        run = self._begin(lambda: self._runner.fork(trajectory, k, request, parting, painting))
        self._forked_from = trajectory
        return run

    @property
    def _stopped(self) -> Trajectory | None:
        """The run on screen, where it was stopped and what is needed to go on with it was kept."""
        shown = self._session.trajectory
        run = None if shown is None or self._session.is_running else shown.undecoded
        if run is None or run.is_complete or getattr(run, "snapshots", None) is None or not run.last:
            return None
        return cast("Trajectory", run) if run.info.request.model == self._controls.model else None

    @Slot()
    def go_on(self) -> None:
        """Take the steps that a stopped run has left: a fork at its last state, with its own settings and changes."""
        run = self._stopped
        if run is not None:
            again = self._begin(lambda: self._runner.go_on(run))
            self._forked_from = run
            self.gone_on.emit(run, again)

    @Slot()
    def _show_can_go_on(self) -> None:
        self._panel.set_can_go_on(self._stopped is not None)

    def _begin(self, begin: Callable[[], SampleRun]) -> SampleRun:
        self._messages.clear()
        if self._run is not None:
            self._run.ignore()
            if self.is_hidden:
                self._session.end_run(self.going_on)
        newest = self._runner.newest
        is_of_another = self._runner.is_running and not self._is_mine and newest is not None and newest.was_asked_for
        self._is_starting, self._forked_from = True, None
        run = self._run = begin()
        self._is_starting = False
        run.started.connect(self._take_trajectory)
        run.step_taken.connect(self._take_step)
        run.finished.connect(self._finish)
        run.cancelled.connect(self._cancel)
        run.failed.connect(self._fail)
        self._show_state(self._runner.state)
        self.begun.emit()
        if is_of_another:
            self._messages.show_message(
                self.tr("What another page was making was stopped for this run."), is_fault=False, passes=True
            )
        return run

    def show_run(self, trajectory: AnyTrajectory, source: str = "") -> None:
        """Put a run on screen that was made elsewhere, at `source`; its measures follow."""
        self._session.show(trajectory, None, running=False, source=source)
        self._measure_shown()

    def _measure_shown(self) -> None:
        """Measure the run on screen where it came without measures, or has gone on since; it is seen meanwhile."""
        trajectory, measures = self._session.trajectory, self._session.measures
        if trajectory is None or self._session.is_running:
            return
        if measures is None or measures.last < trajectory.last:
            self._measuring.measure(trajectory)

    def shutdown(self) -> None:
        """End what goes on in the background, and wait for it; called when the window closes."""
        self._measuring.shutdown()

    @Slot()
    def show_run_before(self) -> None:
        """Put the run that was on screen before back; one that goes on does so, and is the one before then."""
        if self._session.run_before is not None:
            self.show_again(self._session.run_before)

    def show_again(self, run: ShownRun) -> None:
        """Put one of the session's `runs_before` back on screen."""
        self._messages.pass_by()  # perhaps that very run's
        self._session.show_again(run)
        self._measure_shown()

    def show_number(self, number: int) -> None:
        """Put a run back on screen by its number, if it has not been forgotten meanwhile."""
        for run in self._session.runs_before:
            if run.number == number:
                self.show_again(run)
                return

    @Slot()
    def show_going_on(self) -> None:
        """Put the run that goes on back on screen."""
        for run in self._session.runs_before:
            if run.trajectory is self.going_on:
                self.show_again(run)
                return

    @property
    def can_go_back(self) -> bool:
        """Whether there is a run before to go back to."""
        return self._session.run_before is not None

    @Slot()
    def stop(self) -> None:
        """Stop after the step that is being computed; a run that is not on screen comes there instead."""
        if self.is_hidden:
            self.show_going_on()
        else:
            self._stop_now()

    @Slot()
    def _stop_now(self) -> None:
        if self._is_mine:
            self._runner.stop()

    # The settings of the run on screen -------------------------------------------------------------------------------

    @Slot()
    def use_settings(self) -> None:
        """Fill the fields with the settings of the run on screen; its model is opened first where it is another."""
        trajectory = self._session.trajectory
        if trajectory is None:
            return
        model = trajectory.info.request.model
        if model == self._controls.model:
            self._controls.use(self._changes.use(trajectory.segments))
        else:
            self._to_use = trajectory.segments
            self.model_wanted.emit(model)

    def use_file(self, made: MadeWith, name: str, model: str | None) -> None:
        """Fill the fields with what a file was made with, and offer to start; its model is opened first.

        Args:
            name: of the file.
            model: that is to run it, None for the embedded one.
        """
        self._messages.clear()
        self._file_to_use = made, name, model
        if model == self._controls.model:
            self._fill_from_file()
        else:
            self.model_wanted.emit(model)

    def _fill_from_file(self) -> None:
        waiting, self._file_to_use = self._file_to_use, None
        if waiting is None or waiting[2] != self._controls.model:
            return
        made, name, model = waiting
        base = self._controls.request() or RunRequest(model=model)
        request = replace(made.over(base), model=model)
        self._changes.use_changes(made.changes, request)
        self._controls.use(request)
        left_out = [display(each) for each in made.left_out]
        left_out += self._controls.without_field(made.fields)
        said = [self.tr("The settings of {0} are in the fields.").format(name)]
        if left_out:
            said.append(self.tr("Without: {0}.").format(", ".join(left_out)))
        if not made.is_own:
            said.append(self.tr("{0} draws its noise otherwise: expect a picture of the kind.").format(made.program))
        self._messages.show_message(
            " ".join(said), action=self.tr("Start"), on_action=self.start, is_fault=False
        )  # fmt: skip

    @Slot()
    def take_model(self) -> None:
        """Another model has been opened, perhaps for the settings of a run."""
        segments, self._to_use = self._to_use, ()
        if segments and segments[0].request.model == self._controls.model:
            self._controls.use(self._changes.use(segments))
        self._fill_from_file()

    @Slot()
    def forget_settings(self) -> None:
        """The model was not opened that settings may wait for."""
        self._to_use, self._file_to_use = (), None

    @Slot()
    def _compare(self) -> None:
        """Say in what the fields differ from the run on screen."""
        trajectory = self._session.trajectory
        if trajectory is None:
            return
        info = trajectory.info
        names = self._controls.differences(info.request)
        if self._changes.changes:  # else what the run ended with is told, as of a fork that was made by hand
            names = self._controls.differences(base_request(trajectory.segments))
            if not self._changes.are_those_of(trajectory):
                names = (*names, self.tr("changes"))
        own_picture = str(info.request.option_values.get("image") or "")  # of img2img: one of the fields
        begins_otherwise = bool(info.origin) and not own_picture.endswith(info.origin)
        start = self.tr("Start begins with the noise of the seed; this run was carved out of {0}.")
        beginning = start.format(display(info.origin)) if begins_otherwise else ""
        if names:
            sentence = self.tr("Not the settings of the run on screen: {0}").format(few_names(names))
            tip = self.tr("These settings are not those of the run on screen: {0}.").format(", ".join(names))
            self._panel.set_difference(sentence, f"{tip}\n{beginning}".strip(), can_take_over=True)
        elif begins_otherwise:  # which no field can say
            sentence = self.tr("Start begins with the noise of the seed; this run began with a picture.")
            self._panel.set_difference(sentence, beginning)
        else:
            self._panel.set_difference("")

    @property
    def _is_mine(self) -> bool:
        """Whether the newest run is a run of this page, and not work for another one."""
        return self._run is not None and self._run.is_newest

    # What the runner says --------------------------------------------------------------------------------------------

    @Slot(object)
    def _show_state(self, state: RunState) -> None:
        if self._is_starting:  # whose run it is can be known when the runner has returned it
            return
        if not self._is_mine and state is not RunState.PREPARING:
            state = RunState.IDLE
        self._panel.set_state(state, self._is_mine and self._runner.is_waiting)
        busy = self._is_mine and self._runner.is_running
        if busy != self._busy:
            self._busy = busy
            self.busy_changed.emit(self._busy)

    @Slot(object)
    def _take_prepared(self, prepared: Prepared) -> None:
        if prepared.devices:
            self._controls.device.set_devices(prepared.devices)
            self._judge()
        if prepared.error is not None:
            self._show_error(prepared.error)

    @Slot(object, object)
    def _take_plan(self, request: object, levels: object) -> None:
        if request == self._controls.request() and self._session.trajectory is None:
            self.planned.emit(levels)

    @Slot(object, object)
    def _take_refusal(self, request: object, error: SculptorError) -> None:
        if request == self._controls.request():
            self._controls.show_refusal(f"{display(error.message)} {display(error.advice)}".strip())
            self._show_reason()

    def _show_reason(self) -> None:
        reason = self._controls.reason
        self._panel.set_reason(reason)
        self.judged.emit(not reason)

    @Slot(object, object)
    def _take_trajectory(self, trajectory: Trajectory, measures: RunMeasures) -> None:
        self._clock, self._newest = StepClock(), 0
        self._session.show(trajectory, measures, forked_from=self._forked_from)
        self._forked_from = None
        self._panel.set_progress(0, trajectory.planned_steps, None)
        if trajectory.info.note:
            self._messages.show_message(trajectory.info.note, is_fault=False)

    @Slot(int)
    def _take_step(self, k: int) -> None:
        assert self._run is not None
        assert self._run.trajectory is not None  # it has begun
        self._newest = k
        self._clock.add(self._run.trajectory.step(k).duration_s)
        if self.is_hidden:
            self._session.bound_memory()
            self._hidden_clock.request()
        else:
            self._session.grow(k)
            self.pace_changed.emit()

    @Slot()
    def show_progress(self) -> None:
        """Show how far the run is; asked for at most once per drawing, since steps can be shorter than that."""
        going_on = self.going_on
        if going_on is not None:
            self._panel.set_progress(self._newest, going_on.planned_steps, self._clock.mean_s)

    @Slot()
    def _finish(self) -> None:
        self._end()

    @Slot()
    def _cancel(self) -> None:
        self._end()

    @Slot(object)
    def _fail(self, error: Exception) -> None:
        failed = None if self._run is None else self._run.trajectory
        self._end()
        if failed is not None and failed is self._session.trajectory:
            self._panel.set_ended(end_text(failed, has_failed=True))
        self._show_error(error)

    def _end(self) -> None:
        """The run has ended; of one that is not on screen a message says so."""
        trajectory = None if self._run is None else self._run.trajectory
        self._run = None
        self._session.end_run(trajectory)
        self._show_own_time()
        self.pace_changed.emit()
        if trajectory is not None:
            self.ended.emit(trajectory)
        kept = next((run for run in self._session.runs_before if run.trajectory is trajectory), None)
        if kept is not None and trajectory is not None:
            what, number = " · ".join(run_title(trajectory, kept.source)), kept.number
            took = "" if end_text(trajectory) else steps_took_text(trajectory.last, time_taken_s(trajectory))
            self._messages.show_message(
                " · ".join(filter(None, [what, took])), action=self.tr("Show it"),
                on_action=lambda: self.show_number(number), is_fault=False, passes=True,
            )  # fmt: skip

    @Slot()
    def _show_own_time(self) -> None:
        """Say of a run that is over how long its steps took, or how it stopped, unless one goes on."""
        trajectory = self._session.trajectory
        if trajectory is None:
            return
        self._panel.set_hidden(self.is_hidden)
        run = trajectory.undecoded
        took = time_taken_s(run)
        self._measured_s = took / run.last if took else None
        if self.going_on is not None:
            self.show_progress()
        elif not self._busy:
            self._panel.set_pace(self._measured_s)
            self._panel.set_ended(steps_took_text(run.last, took) if took and run.is_complete else end_text(run))

    def _show_error(self, error: BaseException) -> None:
        action = self.tr("Use the CPU") if isinstance(error, OutOfDeviceMemory) else ""
        unforeseen = self.tr("The run failed with an error that nobody foresaw ({0}: {1}).")
        advice = self.tr("What was sculpted so far stays; Help > Show log has the details.")
        self._messages.show_error(error, unforeseen, advice=advice, action=action, on_action=self._use_cpu)

    def _use_cpu(self) -> None:
        if self._controls.device.choose("cpu"):
            self.start()

    @Slot()
    def _judge(self) -> None:
        self._show_reason()
        self._compare()
        self.plan()

    @Slot()
    def plan(self) -> None:
        """Have the run that the controls describe planned: its phases are shown before the first, its faults always."""
        request = self._controls.request()
        if request is not None:
            self._runner.plan(request)
