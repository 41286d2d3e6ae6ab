"""The page "Why noise?": grids of runs that start from related noises, under one scrubber."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QSettings, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from sculptor_app.core.requests.request import GridRequest, RequestError
from sculptor_app.session.grid_run import NoisePreview
from sculptor_app.session.runner import SamplingRunner
from sculptor_app.ui.playback.page import GridViews, Page, scrubber_column
from sculptor_app.ui.playback.run_panel import BlockPanel, block_fold
from sculptor_app.ui.why.cell_grid import CellGrid, GridPresenter
from sculptor_app.ui.why.controls import ControlsStack
from sculptor_app.ui.why.experiment_chooser import ExperimentChooser, Invitation, invitation, story
from sculptor_app.ui.why.experiments import Experiment, GridPlan, GridPlanner, file_name
from sculptor_app.ui.why.grid_header import GridHeader
from sculptor_app.ui.why.paint_panel import PaintingBench, PaintPanel
from sculptor_app.ui.why.results import GridProgress, GridRunPanel, Results
from sculptor_app.ui.widgets.bars import MessageBar
from sculptor_app.ui.widgets.folding import Folds
from sculptor_app.ui.widgets.names import display
from sculptor_app.ui.widgets.timeline import Timeline
from sculptor_app.ui.widgets.transport import TransportBar

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.trajectory import Trajectory
    from sculptor_app.exports.animation.plan import RunGrid
    from sculptor_app.session.engine import ModelFacts


class WhyPage(Page):
    """Five experiments with noise, each a grid of runs that one scrubber moves.

    Args:
        runner: Does the model's work.
        model: Says which model is at hand, as a request names it; None is the embedded one.
    """

    open_requested = Signal(object, str)  # the trajectory of one cell, to be opened by itself, and which cell it is
    model_wanted = Signal(object)  # the model of the grid on screen is to be opened, for its settings

    def __init__(
        self,
        runner: SamplingRunner,
        model: Callable[[], str | None],
        settings: QSettings,
        messages: MessageBar,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(settings, messages, parent)
        self._planner = GridPlanner(model)
        self._model = model()  # the one that the page shows
        self._pixel = ""  # what is under the pointer, in words
        self._obstacle = ""  # why the model at hand makes no grids; empty where it does
        self._to_use: GridPlan | None = None  # settings that wait for their model
        self.results = Results(runner, self)
        self.noise_preview = NoisePreview(self)
        self.chooser = ExperimentChooser(self)
        self.header = GridHeader(self)
        self.grid = CellGrid(self)
        self.paint_panel = PaintPanel(self)
        self.invitation = Invitation(self.grid)
        self.timeline, self.transport = Timeline(self), TransportBar(self)
        self.transport.leave_out_film()
        self.run_panel = GridRunPanel(self)
        self.controls_stack = ControlsStack(self)
        self.controls = self.controls_stack.controls
        self._lay_out()
        self.presenter = GridPresenter(self.session, self.grid, self.timeline, self.transport)
        self.progress = GridProgress(runner, self.results, self.run_panel)
        frames = lambda: self.header.kind.value  # noqa: E731
        name = lambda: file_name(self.experiment, self.grid.arrangement.cells)  # noqa: E731
        self.views = GridViews(self.session, self._shown_runs, frames, name, self._title_parts)
        self._restore()
        self._connect()
        self._show_experiment()

    def _lay_out(self) -> None:
        block = BlockPanel(self.controls_stack, self.controls_stack.fit_into, self.run_panel, self)
        left = block_fold(
            block, [controls.title for controls in self.controls.values()], self.tr("The experiment"), self
        )
        self.folds = Folds("why", {"block": left}, self)
        self.folds.restore(self.settings)
        middle = QWidget(self)
        middle.setProperty("ground", "well")
        middle.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        upper = QHBoxLayout()
        upper.addWidget(left)
        upper.addWidget(middle, 1)
        stacked = QVBoxLayout(middle)
        stacked.addWidget(self.chooser)
        stacked.addWidget(self.header)
        stacked.addWidget(PaintingBench(self.paint_panel, self.grid, middle), 1)
        column = QVBoxLayout(self)
        column.addLayout(upper, 1)
        column.addLayout(scrubber_column(self.transport, self.timeline))
        for layout in (upper, stacked, column):
            layout.setContentsMargins(0, 0, 0, 0)
            layout.setSpacing(0)

    def _connect(self) -> None:
        self.chooser.chosen.connect(self._show_experiment)
        self.header.kind_chosen.connect(self.grid.set_kind)
        self.header.back_requested.connect(self._show_all)
        self.header.open_requested.connect(lambda: self._open(self.grid.enlarged))
        self.header.title.back_requested.connect(self.show_run_before)
        self.grid.pixel_hovered.connect(self._show_pixel)
        self.grid.enlarge_requested.connect(self.enlarge)
        self.grid.open_requested.connect(self._open)
        self.invitation.start_requested.connect(self.start)
        for controls in self.controls.values():
            controls.edited.connect(self._take_edit)
            controls.submitted.connect(self.start)
        self.paint_panel.edited.connect(self._take_painting)
        self.run_panel.start_requested.connect(self.start)
        self.run_panel.stop_requested.connect(self.results.stop)
        self.run_panel.settings_requested.connect(self.use_settings)
        self.noise_preview.drawn.connect(self._take_noises)
        self.noise_preview.facts_known.connect(self._take_facts)
        self.noise_preview.failed.connect(self._take_failure)
        self.results.busy_changed.connect(self._show_invitation)
        self.results.busy_changed.connect(self.ability_changed)
        self.results.appeared.connect(self._take_result)
        self.results.stepped.connect(self._take_step)
        self.results.ended.connect(self._take_end)

    # Page ---------------------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        return self.results.is_busy

    @property
    def status_text(self) -> str:
        if self._pixel or self.grid.lock == "step" or self.session.trajectory is None:
            return self._pixel or story(self.experiment)
        told = self.tr("{0} · The scrubber counts the steps of the longest runs, {1}; the others go along by SNR.")
        return told.format(story(self.experiment), self.session.trajectory.planned_steps)

    @property
    def can_start(self) -> bool:
        return self._planned() is not None and not self._obstacle

    @property
    def can_go_back(self) -> bool:
        return self.results.before(self.experiment) is not None

    def full_screen_parts(self) -> tuple[QWidget, ...]:
        return self.grid, self.timeline

    def enter(self) -> None:
        """Draw the noises; for another model than before, those of that one."""
        screen = self.screen()
        if screen is not None:
            self.presenter.clock.set_frame_rate(screen.refreshRate())
        self._follow_model()

    @Slot()
    def take_model(self) -> None:
        """Another model has been opened; while another page is in front it is looked at by `enter`."""
        if self.isVisible():
            self._follow_model()

    def _follow_model(self) -> None:
        if self._planner.model == self._model:
            self._draw_noises()
            return
        self._model = self._planner.model
        self._set_obstacle("")
        self.results.take_model(self._model)
        self._show_experiment()
        plan, self._to_use = self._to_use, None
        if plan is not None and plan.request.model == self._model:
            self.controls_stack.use(plan)
        self.noise_preview.draw(self._model, self._wanted_noises())  # whatever is shown: labels may be others now

    @Slot()
    def start(self) -> None:
        """Run all cells of the experiment that is shown; another run is cancelled for it."""
        self._run(reuse=False)

    def _run(self, reuse: bool) -> None:
        try:
            planned = self._plan_or_raise()
        except RequestError as error:
            self.messages.show_message(error.message, error.advice)
            return
        if planned is not None and not self._obstacle:
            self.messages.clear()
            self.results.make(planned, reuse=reuse)

    @Slot()
    def show_run_before(self) -> None:
        """Put the grid before back, and this one in its place; one that is running is stopped."""
        self.results.show_before(self.experiment)
        self.progress.show_experiment(self.experiment)

    @Slot()
    def stop(self) -> None:
        """Drop the unfinished stroke, or stop the runs, or show all cells again."""
        if self.paint_panel.canvas.is_painting:
            self.paint_panel.canvas.drop_stroke()
        elif self.results.is_busy:
            self.results.stop()
        else:
            self._show_all()

    def save_choices(self) -> None:
        super().save_choices()
        self.controls_stack.save(self.settings)
        self.paint_panel.save(self.settings)
        self.chooser.save(self.settings)
        self.header.save(self.settings)

    def _restore(self) -> None:
        self.controls_stack.restore(self.settings)
        self.paint_panel.restore(self.settings)
        self.chooser.restore(self.settings)
        self.header.restore(self.settings)
        self.grid.set_kind(self.header.kind)

    def shutdown(self) -> None:
        self.presenter.clock.stop()
        self.noise_preview.shutdown()

    # Planning -----------------------------------------------------------------------------------------------------

    @property
    def experiment(self) -> Experiment:
        return self.chooser.experiment

    def _planned(self) -> GridPlan | None:
        """The grid that Start would run; None while a field is wrong."""
        try:
            return self._plan_or_raise()
        except RequestError:
            return None

    def _plan_or_raise(self) -> GridPlan | None:
        strokes, stays_noise = self.paint_panel.strokes, self.paint_panel.stays_noise.isChecked()
        controls = self.controls[self.experiment]
        common, choices = controls.request(), controls.choices(strokes, stays_noise)
        return None if common is None or choices is None else self._planner.plan(common, choices)

    @Slot()
    def _take_edit(self) -> None:
        controls = self.controls[self.experiment]
        if self._obstacle and not controls.reason:
            controls.show_refusal(self._obstacle)
        self.run_panel.set_reason(controls.reason)
        self._compare()
        self._draw_noises()
        self.ability_changed.emit()

    def _set_obstacle(self, sentence: str) -> None:
        """Say why the model at hand makes no grids; empty where it does."""
        if sentence != self._obstacle:
            self._obstacle = sentence
            self.controls_stack.show_refusal(sentence)
            self.run_panel.set_reason(self.controls[self.experiment].reason)
            self._show_invitation()
            self.ability_changed.emit()

    @Slot()
    def _compare(self) -> None:
        """Say in what the fields differ from the grid on screen."""
        result, planned = self.results.of(self.experiment), self._planned()
        keys = () if result is None or planned is None else planned.differences(result.plan)
        self.run_panel.set_differing(keys, self.controls[self.experiment].names_of(keys))

    @Slot()
    def use_settings(self) -> None:
        """Fill the fields with the settings of the grid on screen; its model is opened first where it is another."""
        result = self.results.of(self.experiment)
        if result is None:
            return
        if result.request.model == self._model:
            self.controls_stack.use(result.plan)
        else:
            self._to_use = result.plan
            self.model_wanted.emit(result.request.model)

    @Slot()
    def forget_settings(self) -> None:
        self._to_use = None  # their model was not opened

    @Slot()
    def _take_painting(self) -> None:
        """A stroke was made or undone: run the grid for the painting as it is now."""
        self._draw_noises()
        self._run(reuse=True)

    def _draw_noises(self) -> None:
        """Draw the noises that the next run would start from, where they are shown."""
        wanted = self._wanted_noises()
        if wanted is not None:
            self.noise_preview.draw(self._model, wanted)

    def _wanted_noises(self) -> GridRequest | None:
        planned = self._planned()
        if planned is None or (self.results.of(self.experiment) and self.experiment is not Experiment.PAINT):
            return None
        return planned.request

    @Slot(object, object)
    def _take_noises(self, request: GridRequest, runs: tuple[Trajectory, ...]) -> None:
        planned = self._planned()
        if planned is None or planned.request != request:
            return
        if self.experiment is Experiment.PAINT:
            self.paint_panel.set_noise(runs[len(runs) // 2].state(0) / runs[0].levels[0].scale)
        if self.results.of(self.experiment) is None:
            lead = max(range(len(runs)), key=lambda number: runs[number].planned_steps)
            self.session.show(runs[lead], None, running=False)
            self.grid.set_grid(planned.arrangement, runs, lead)

    @Slot(object)
    def _take_failure(self, error: Exception) -> None:
        """A model of another kind is no fault: the page says what it needs."""
        if isinstance(error, RequestError):
            self._set_obstacle(f"{display(error.message)} {display(error.advice)}".strip())
        else:
            self._show_error(error)

    @Slot(object)
    def _take_facts(self, facts: ModelFacts) -> None:
        self._set_obstacle("")
        if not self._planner.take_labels(facts.forms, facts.materials):
            return
        self.chooser.set_has_labels(any(self._planner.labels))
        self.controls_stack.set_labels(*self._planner.labels)

    def set_device(self, device: str) -> None:
        """Set the device for the next grids; its id as in a `RunRequest`."""
        self._planner.device = device

    # Display ------------------------------------------------------------------------------------------------------

    @Slot()
    def _show_experiment(self) -> None:
        """Show the grid of the chosen experiment, or the noises it would start from."""
        experiment = self.experiment
        self.controls_stack.show_controls(experiment)
        self.paint_panel.setVisible(experiment is Experiment.PAINT)
        self.header.set_story(story(experiment))
        self.invitation.set_heading(invitation(experiment))
        self.run_panel.set_reason(self.controls[experiment].reason)
        self.progress.show_experiment(experiment)
        self._show_all()
        planned = self._planned()
        if self.results.of(experiment) is not None:
            self._show_result()
        elif planned is not None:
            self.grid.set_grid(planned.arrangement, ())  # until the noises are there
        self._draw_noises()
        self._show_title()
        self._show_invitation()
        self.ability_changed.emit()

    def _show_title(self) -> None:
        """Say which grid is on screen, in what the fields differ from it, and which was before it."""
        before = self.results.before(self.experiment)
        self.header.set_titles(self._title_parts(), () if before is None else before.title_parts)
        self._compare()

    def _title_parts(self) -> tuple[str, ...]:
        result = self.results.of(self.experiment)
        return () if result is None else result.title_parts

    def _show_result(self) -> None:
        result = self.results.of(self.experiment)
        assert result is not None
        running = self.results.running is self.experiment
        self.session.show(result.runs[result.lead], None, running=running)
        self.grid.set_grid(result.plan.arrangement, result.runs, result.lead)

    @Slot()
    def _show_invitation(self) -> None:
        is_starting = self.results.is_busy and self.results.running is self.experiment
        is_empty = self.results.of(self.experiment) is None and not is_starting
        self.invitation.setVisible(is_empty and not self._obstacle)
        self.invitation.place()

    @Slot(int)
    def enlarge(self, cell: int) -> None:
        """Show a cell large; -1 for none."""
        self.grid.set_enlarged(cell)
        self.header.set_enlarged(self.grid.describe(cell) if self.grid.enlarged >= 0 else "")

    @Slot(str)
    def _show_pixel(self, text: str) -> None:
        """Name the pixel under the pointer, and its values, in the status bar, which has room for them."""
        if text != self._pixel:
            self._pixel = text
            self.status_changed.emit()

    @Slot()
    def _show_all(self) -> None:
        self.enlarge(-1)

    @Slot(int)
    def _open(self, cell: int) -> None:
        if 0 <= cell < len(self.grid.runs) and self.grid.runs[cell].last:
            self.session.pause()
            row, column = divmod(cell, self.grid.columns)
            place = self.tr("opened from cell ({0}, {1}) of “Why noise?”").format(column + 1, row + 1)
            self.open_requested.emit(self.grid.runs[cell], place)

    # Results ------------------------------------------------------------------------------------------------------

    @Slot(object)
    def _take_result(self, experiment: Experiment) -> None:
        if experiment is self.experiment:
            self._show_result()
            self._show_title()
            self._show_invitation()
            self.ability_changed.emit()

    @Slot(int)
    def _take_step(self, number: int) -> None:
        if self.results.running is self.experiment:
            self.session.grow(number)

    @Slot(object, str, object)
    def _take_end(self, experiment: Experiment, outcome: str, error: Exception | None) -> None:
        if experiment is self.experiment:
            self.session.end_run()
        self._show_title()  # the one before may have gone
        if error is not None:
            self._show_error(error)

    @Slot(object)
    def _show_error(self, error: Exception) -> None:
        self.messages.show_error(error, self.tr("The runs failed with an error that nobody foresaw ({0}: {1})."))

    # What the File menu saves --------------------------------------------------------------------------------------

    def _shown_runs(self) -> RunGrid | None:
        result = self.results.of(self.experiment)
        return self.grid.run_grid(result.lead if result is not None and result.runs == self.grid.runs else 0)

    # Qt overrides

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.stop()
        else:
            super().keyPressEvent(event)
