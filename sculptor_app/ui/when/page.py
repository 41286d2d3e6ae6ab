"""The page "Decided when?": forks of the run on the page Carve at each of its steps or U-turns, and what they share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary

from PySide6.QtCore import QSettings, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.trajectory.events import ForkEnded
from sculptor_app.session import engine as access
from sculptor_app.session.grid_run import ForkRunner
from sculptor_app.session.runner import RunState, SamplingRunner
from sculptor_app.ui.fields.field_grid import FieldGrid
from sculptor_app.ui.fields.inputs import ChoiceBox
from sculptor_app.ui.playback.page import FigureViews, Page, scrubber_column
from sculptor_app.ui.playback.presenter import PlaybackPresenter
from sculptor_app.ui.playback.run_panel import BlockPanel, RunPanel, block_fold
from sculptor_app.ui.playback.stage import StageTitle
from sculptor_app.ui.playback.texts import StepClock, duration_text, run_title, time_taken_s
from sculptor_app.ui.theme import fonts
from sculptor_app.ui.when.fan import Fan
from sculptor_app.ui.when.study import Study, hint_text, image_of, mark_text
from sculptor_app.ui.widgets.bars import MessageBar
from sculptor_app.ui.widgets.basics import ElidedLabel
from sculptor_app.ui.widgets.folding import Folds
from sculptor_app.ui.widgets.names import display
from sculptor_app.ui.widgets.timeline import Timeline
from sculptor_app.ui.widgets.transport import TransportBar

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.base import AnyTrajectory
    from sculptor_app.core.trajectory.trajectory import Trajectory
    from sculptor_app.exports.decisions import DecisionSet
    from sculptor_app.measures.likeness import Curve, Decision
    from sculptor_app.ui.plots.decision_plot import DecisionPlot

FORKS_ASKED, U_TURNS_ASKED = "forks", "u-turns"
FORKS = (3, 4, 6, 8, 12, 16)
USUAL_FORKS = 4


@dataclass(frozen=True, slots=True)
class CarveRuns:
    """The page Carve as this page needs it."""

    run: Callable[[], Trajectory | None]  # the one on screen there, where it can be forked
    why_not: Callable[[], str]  # why the one on screen there cannot be; empty where there is none
    start: Callable[[], object]  # makes one with the settings there, if they are right
    is_busy: Callable[[], bool]  # whether one is being made


class WhenPage(Page):
    """Forks of a run, or U-turns, under its own scrubber, and curves of how alike they come out.

    Args:
        runner: Does the model's work.
        carve: The runs that are forked.
    """

    open_requested = Signal(object, int, object, object)  # run, step, request of a fork, its `Parting`

    def __init__(
        self,
        runner: SamplingRunner,
        carve: CarveRuns,
        settings: QSettings,
        messages: MessageBar,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(settings, messages, parent)
        self._carve = carve
        self._runner = runner
        self._forking = ForkRunner(runner, self)
        self._studies: WeakKeyDictionary[AnyTrajectory, dict[bool, Study]] = WeakKeyDictionary()  # whether of U-turns
        self._measured: Trajectory | None = None  # the run that is being forked
        self._growing: Study | None = None  # what becomes known of it
        self._waits_for_run = False  # it is to be forked as soon as Carve has made it
        self._done = self._asked = 0
        self._pace, self._stepped_s = StepClock(), 0.0
        self._whole: QImage | None = None  # the picture of the run on screen
        self._is_led = False  # by the forks as they come, until a person chooses a step
        self.plot: DecisionPlot | None = None
        self._make_parts()
        self._lay_out()
        self.presenter = _WhenPresenter(self)
        self.views = FigureViews(self.session, self._figures, self._plot_image)
        self._restore()
        self._connect()
        self._render()

    # Making

    def _make_parts(self) -> None:
        self.header = StageTitle(self)
        self.answer, self.about = ElidedLabel("", self), ElidedLabel("", self)
        self.answer.setFont(fonts.title())
        self.about.setProperty("tone", "muted")
        self.fan = Fan(self)
        self.timeline, self.transport = Timeline(self), TransportBar(self)
        self.transport.leave_out_film()
        self.transport.leave_out_following()
        self.run_panel = ForkPanel(self)
        self.question = ChoiceBox(
            [(self.tr("Forks: what is decided"), FORKS_ASKED), (self.tr("U-turns: what stays"), U_TURNS_ASKED)], self
        )
        self.forks = ChoiceBox([(str(count), str(count)) for count in FORKS], self)
        self.forks.setCurrentIndex(FORKS.index(USUAL_FORKS))
        self.forks.setToolTip(self.tr("More of them make the curves surer, and take longer."))
        self.closer = QCheckBox(self.tr("Look closer where\nsomething is decided"), self)
        self.closer.setChecked(True)
        self.closer.setToolTip(
            self.tr("Goes on between two steps, until it is known to the step when each band was decided.")
        )

    def _lay_out(self) -> None:
        controls = QWidget(self)
        column = QVBoxLayout(controls)
        column.setContentsMargins(16, 14, 16, 0)
        column.setSpacing(10)
        self.title = QLabel(self.tr("What is asked"), controls)
        self.title.setFont(fonts.strong())
        self.grid = FieldGrid(
            [[(self.tr("Question"), self.question)], [(self.tr("Runs at each step"), self.forks)]], controls
        )
        self.hint = QLabel(controls)
        self.hint.setWordWrap(True)
        self.hint.setProperty("tone", "muted")
        for widget in (self.title, self.grid, self.closer, self.hint):
            column.addWidget(widget)
        column.addStretch(1)
        block = BlockPanel(controls, lambda height_px: None, self.run_panel, self)
        left = block_fold(block, [self.title], self.tr("What is asked"), self)
        self.folds = Folds("when", {"block": left}, self)
        self.folds.restore(self.settings)
        middle = QWidget(self)
        middle.setProperty("ground", "well")
        middle.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        stacked = QVBoxLayout(middle)
        stacked.setContentsMargins(16, 12, 16, 0)
        stacked.setSpacing(6)
        for line in (self.header, self.answer, self.about):
            stacked.addWidget(line)
        stacked.addWidget(self.fan, 4)
        ground = QWidget(self)  # the plot's is that of the window
        self._plot_place = QVBoxLayout(ground)
        self._plot_place.setContentsMargins(16, 10, 16, 6)
        below = QVBoxLayout()
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(0)
        below.addWidget(middle, 5)
        below.addWidget(ground, 5)
        upper = QHBoxLayout()
        upper.addWidget(left)
        upper.addLayout(below, 1)
        whole = QVBoxLayout(self)
        whole.addLayout(upper, 1)
        whole.addLayout(scrubber_column(self.transport, self.timeline))
        for layout in (upper, whole):
            layout.setContentsMargins(0, 0, 0, 0)
            layout.setSpacing(0)

    def _connect(self) -> None:
        self.run_panel.start_requested.connect(self.start)
        self.run_panel.stop_requested.connect(self.stop)
        self.fan.open_requested.connect(self._open)
        self._forking.fork_ended.connect(self._take_fork)
        self._forking.decided.connect(self._take_decision)
        self._forking.ended.connect(self._end)
        self._forking.busy_changed.connect(self._show_state)
        self._runner.state_changed.connect(self._show_state)
        self.forks.currentIndexChanged.connect(self._render)
        self.question.currentIndexChanged.connect(self._render)
        for view in (self.timeline, self.transport):
            view.step_requested.connect(self._let_lead_go)

    # Page ---------------------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        return self._forking.is_busy or self._waits_for_run

    @property
    def can_start(self) -> bool:
        return not self.is_busy and not self._why_not()

    @property
    def status_text(self) -> str:
        return self.about.text()

    def full_screen_parts(self) -> tuple[QWidget, ...]:
        return self.fan, self.timeline

    def enter(self) -> None:
        """Show the run that the page Carve has, and build the plot."""
        screen = self.screen()
        if screen is not None:
            self.presenter.clock.set_frame_rate(screen.refreshRate())
        self.take_run()
        if self.plot is None:
            QTimer.singleShot(0, self.build_plot)

    @Slot()
    def build_plot(self) -> None:
        """Load pyqtgraph and build the plot; once."""
        if self.plot is None:
            from sculptor_app.ui.plots.decision_plot import DecisionPlot

            self.plot = DecisionPlot(self)
            self._plot_place.addWidget(self.plot)
            self.plot.step_requested.connect(self._let_lead_go)
            self.plot.step_requested.connect(self.session.go_to)
            self._show_run_in_plot()
            self._render()

    @Slot()
    def take_run(self) -> None:
        """Another run is on the page Carve: show it, unless forks of one are being made here, or nobody looks."""
        if not self.isVisible() and not self._waits_for_run:
            return
        run = self._carve.run()
        if run is not None and run is not self.session.trajectory and not self._forking.is_busy:
            self._whole = image_of(run.state(run.last) / run.levels[run.last].scale, run)
            self.session.show(run, None, running=False)
            self._show_run_in_plot()
            self.presenter.clock.flush()
        if self._waits_for_run and not self._carve.is_busy():  # it is there, or was stopped, or failed
            self._waits_for_run = False
            if run is not None:
                self.start()
        self._render()

    @Slot()
    def start(self) -> None:
        """Fork the run at its steps; where there is none, the page Carve makes one first."""
        if self.is_busy:
            return
        run = self._run
        self.messages.clear()
        if run is None:
            self._wait_for_run()
            return
        if not access.decision_steps(run):
            self.messages.show_message(self.tr("This run has too few steps to be forked at one."))
            return
        count, u_turn = int(self.forks.currentData()), self.asks_for_u_turns
        study = self._studies.setdefault(run, {}).get(u_turn)
        if study is None or study.forks != count:
            study = self._studies[run][u_turn] = Study(count, u_turn)
        study.drop_unfinished()
        self._measured, self._growing, self._is_led = run, study, True
        self._done = len(study.steps) * count
        self._asked = len({*access.decision_steps(run), *study.steps}) * count
        self._pace, self._stepped_s = StepClock(), time.monotonic()
        self._forking.start(run, count, tuple(study.decisions), self.closer.isChecked(), u_turn)
        self.run_panel.begin()
        self._render()

    def _wait_for_run(self) -> None:
        """Fork the run that is being made in Carve when it is whole; where none is, begin one."""
        if reason := self._why_not():
            self.messages.show_message(reason)
            return
        if not self._carve.is_busy():
            self._carve.start()
        self._waits_for_run = self._carve.is_busy()
        if not self._waits_for_run:
            self.messages.show_message(self.tr("No run can be begun: the page Carve says what to correct."))
        self._render()

    def _why_not(self) -> str:
        """Why nothing can be forked, and no run be made for it; empty where it can."""
        return "" if self._carve.run() is not None or self._carve.is_busy() else self._carve.why_not()

    @Slot()
    def stop(self) -> None:
        """Stop forking, or no longer wait for the run that is to be forked."""
        if self._waits_for_run:
            self._waits_for_run = False
            self._render()
        self._forking.stop()

    def save_choices(self) -> None:
        super().save_choices()
        self.settings.setValue("when/forks", self.forks.currentData())
        self.settings.setValue("when/question", self.question.currentData())
        self.settings.setValue("when/closer", self.closer.isChecked())

    def _restore(self) -> None:
        for box, name in ((self.forks, "when/forks"), (self.question, "when/question")):
            row = box.findData(str(self.settings.value(name, "")))
            if row >= 0:
                box.setCurrentIndex(row)
        self.closer.setChecked(bool(self.settings.value("when/closer", True, type=bool)))

    def shutdown(self) -> None:
        self.presenter.clock.stop()

    # What comes of it ---------------------------------------------------------------------------------------------

    @property
    def _run(self) -> Trajectory | None:
        """The run on screen, where it is that of the page Carve and can be forked."""
        run = self._carve.run()
        return run if run is not None and run is self.session.trajectory else None

    @property
    def asks_for_u_turns(self) -> bool:
        """Whether the question is what U-turns keep; else what forks share."""
        return bool(self.question.currentData() == U_TURNS_ASKED)

    @property
    def study(self) -> Study | None:
        """What is known of the run on screen, for the question that is asked."""
        run = self.session.trajectory
        return None if run is None else self._studies.get(run, {}).get(self.asks_for_u_turns)

    @Slot(object)
    def _take_fork(self, ended: ForkEnded) -> None:
        run, study = self._measured, self._growing
        if run is None or study is None:
            return
        study.add(ended, image_of(ended.picture, run))
        self._done += 1
        self._asked = max(self._asked, -(-self._done // study.forks) * study.forks)
        if self._is_refining:
            self._asked = max(self._done, (self._done // study.forks + study.steps_left) * study.forks)
        now = time.monotonic()
        self._pace.add(now - self._stepped_s)
        self._stepped_s = now
        self.run_panel.set_forks(self._done, self._asked, self._pace.mean_s, self._is_refining)
        if self._is_led and self.session.position != ended.step:
            self.session.go_to(ended.step)
        self.presenter.clock.request()

    @property
    def _is_refining(self) -> bool:
        """Whether all steps that were asked for are there, and it is looked closer between them."""
        run, study = self._measured, self._growing
        return run is not None and study is not None and study.steps >= set(access.decision_steps(run))

    @Slot(object)
    def _take_decision(self, decision: Decision) -> None:
        study = self._growing
        if study is not None:
            study.decisions.append(decision)
            self._render()

    @Slot(str, object)
    def _end(self, outcome: str, error: Exception | None) -> None:
        study, self._measured, self._growing = self._growing, None, None
        if study is not None:
            study.end(outcome)
        if outcome == "failed":
            told = error if isinstance(error, SculptorError) else None
            self.messages.show_message(
                display(told.message) if told else self.tr("The run cannot be forked: {0}.").format(error),
                display(told.advice) if told else self.tr("Make another run, and try it with that."),
            )
        self.take_run()  # another one may be on the page Carve by now
        self.ability_changed.emit()

    @Slot(int)
    def _let_lead_go(self, _: int = 0) -> None:
        self._is_led = False

    @Slot(int)
    def _open(self, number: int) -> None:
        run, step = self.session.trajectory, self.shown_step
        if run is not None and step is not None:
            whole = cast("Trajectory", run)  # no other is shown
            request, parting = access.fork_at(whole, step, number, self.asks_for_u_turns)
            self.open_requested.emit(run, step, request, parting)

    def _figures(self) -> DecisionSet | None:
        from sculptor_app.exports.decisions import DecisionSet  # numpy comes with it

        run, study = self.session.trajectory, self.study
        if run is None or study is None or not study.decisions:
            return None
        forked = [self.tr("forked at step {0}").format(each.step) for each in run.info.forks]
        beginning = ", ".join(filter(None, [str(run.info.origin), *forked]))
        return DecisionSet(run.info.request, study.forks, list(study.decisions), study.u_turn, beginning)

    def _plot_image(self) -> QImage | None:
        return None if self.plot is None or self.plot.is_empty else self.plot.grab().toImage()

    # Display ------------------------------------------------------------------------------------------------------

    @property
    def shown_step(self) -> int | None:
        """The step whose forks are shown: of those that have any the nearest to the one on the scrubber."""
        study, here = self.study, self.session.position
        if study is None or not study.pictures:
            return None
        return min(study.pictures, key=lambda step: (abs(step - here), step))

    def show_step(self) -> None:
        """Show the forks of the step on the scrubber."""
        study, step = self.study, self.shown_step
        count = study.forks if study is not None else int(self.forks.currentData())
        images: list[QImage | None] = [None] * count if study is None or step is None else study.pictures[step]
        batch = 1 if study is None or step is None else study.batches.get(step, 1)
        self.fan.set_pictures(self._whole, images, self.asks_for_u_turns, batch)
        about = self._about(step)
        if about != self.about.text():
            self.about.setText(about)
            self.status_changed.emit()
        if self.plot is not None:
            self.plot.set_step(self.session.position)

    def _about(self, step: int | None) -> str:
        """What the forks on screen share, in a sentence."""
        study, run = self.study, self.session.trajectory
        if study is None or run is None or step is None:
            return self._story()
        return study.about(run, step, is_here=step == self.session.position)

    def _story(self) -> str:
        if self._waits_for_run:
            return self.tr("The run itself is carved first…")
        if self.is_busy:
            first = self.tr("The first U-turn is on its way…")
            return first if self.asks_for_u_turns else self.tr("The first fork is on its way…")
        if reason := self._why_not():
            return reason
        if self.session.trajectory is None:
            return self.tr("No run has been carved yet: Start makes one first.")
        if self.asks_for_u_turns:
            return self.tr("Start drowns this run's picture to its steps, sculpts it again, and shows what stays.")
        return self.tr("Start forks this run at its steps, and shows what the forks share.")

    def _curves(self) -> dict[str, Curve]:
        """What is known of the run on screen; of labels that it was asked for all pictures have the same."""
        run, study = self.session.trajectory, self.study
        if run is None or study is None:
            return {}
        asked = run.info.request.asked_labels
        return {name: curve for name, curve in study.curves.items() if name not in asked}

    @Slot()
    def _render(self) -> None:
        run, study = self.session.trajectory, self.study
        self.header.set_parts(() if run is None else run_title(run))
        u_turn = self.asks_for_u_turns
        if self.plot is not None:
            self.plot.set_u_turns(u_turn)
            self.plot.set_curves(self._curves())
        is_growing = study is not None and study is self._growing
        said = "" if study is None else study.answer(is_growing)
        self.answer.setText(said or (self.tr("What stays?") if u_turn else self.tr("When was it decided?")))
        self.hint.setText(hint_text(u_turn))
        self.timeline.set_mark_word(self.tr("stays from:") if u_turn else self.tr("decided:"))
        if run is not None:
            marks = [] if study is None else study.marks(is_growing)
            bounds = {} if study is None else dict.fromkeys(study.bounds, mark_text(u_turn, is_bound=True))
            self.timeline.set_settled(marks, mark_text(u_turn), bounds=bounds)
        self._show_state()
        self.show_step()
        self.status_changed.emit()

    @Slot()
    def _show_state(self) -> None:
        busy = self.is_busy
        self.forks.setEnabled(not busy)
        self.question.setEnabled(not busy)
        self.closer.setEnabled(not busy)
        state = self._runner.state if busy else RunState.IDLE
        if state is RunState.STARTING:  # till the first fork is there
            state = RunState.RUNNING
        self.run_panel.set_state(state, busy and self._runner.is_waiting)
        self.run_panel.set_reason(self._why_not())
        if not busy:
            self.run_panel.pace.setText("")
            self.run_panel.set_ended(self._estimate() if self.study is None else self.study.ending)
        self.ability_changed.emit()

    def _estimate(self) -> str:
        """How long the forks take, by the steps of the run itself; empty where they were not timed."""
        run = self._run
        if run is None or not (pace_s := time_taken_s(run) / max(1, run.last)):
            return ""
        back = 0 if self.asks_for_u_turns else 1  # noise is laid on a level before
        evaluated = sum(run.planned_steps - max(0, step - back) for step in access.decision_steps(run))
        return self.tr("takes about {0}").format(duration_text(evaluated * int(self.forks.currentData()) * pace_s))

    def _show_run_in_plot(self) -> None:
        run = self.session.trajectory
        if self.plot is not None and run is not None:
            self.plot.set_plan(self.session.spans, run.planned_steps)


class _WhenPresenter(PlaybackPresenter):
    """Timeline and transport of the run, and the forks of the step on the scrubber."""

    def __init__(self, page: WhenPage) -> None:
        super().__init__(page.session, page.timeline, page.transport, page)
        self._page = page

    def draw_views(self, trajectory: AnyTrajectory, step: int, last: int) -> None:
        self._page.show_step()


class ForkPanel(RunPanel):
    """Start, Stop and the progress of forks."""

    def _render(self) -> None:
        super()._render()
        if self._reason and not self._running:
            self.line.setText("")  # the page says why, and no field is wrong

    def begin(self) -> None:
        """Forks are about to be made."""
        self.pace.setText("")

    def set_forks(self, done: int, asked: int, mean_s: float | None, is_refining: bool) -> None:
        """Show how many forks there are; while it is looked closer, how many there will be at most."""
        self.set_progress(done, asked, mean_s)
        self.pace.setText(self.tr("looking closer: so many at most") if is_refining else "")
