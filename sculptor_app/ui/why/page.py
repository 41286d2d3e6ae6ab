"""Why one starts from noise: many runs at once, from noises that have something to do with one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSettings, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget

from sculptor_app.core.requests.grid import GridRequest
from sculptor_app.core.requests.request import RequestError
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.session.grid_run import NoisePreview
from sculptor_app.session.runner import SamplingRunner
from sculptor_app.ui.shell.page import Page
from sculptor_app.ui.why import page_parts, page_views
from sculptor_app.ui.why.experiments import Arrangement, Experiment, Plan
from sculptor_app.ui.why.results import GridProgress, Results, fault_words
from sculptor_app.ui.widgets.bars import MessageBar

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.trajectory import Trajectory


class WhyPage(Page):
    """Four experiments with noise, each a grid of runs that one scrubber moves.

    Args:
        runner: Does the model's work.
        settings: Where its choices are remembered.
        messages: Tells what went wrong or well.
        parent: The window.

    Signals:
        open_requested: a trajectory, the run of one cell, is to be looked at by itself.
    """

    open_requested = Signal(object)

    def __init__(
        self, runner: SamplingRunner, settings: QSettings, messages: MessageBar, parent: QWidget | None = None
    ) -> None:
        super().__init__(settings, messages, parent)
        self._runner = runner
        self._plan = Plan(runner.model)
        self.results = Results(runner, self)
        self.noise_maker = NoisePreview(self)
        page_parts.build(self)
        self.views = page_views.views_of(self)
        self.progress = GridProgress(runner, self.results, self.run_panel)
        self._restore()
        self._connect()
        self._show_experiment()

    def _connect(self) -> None:
        self.chooser.chosen.connect(self._show_experiment)
        self.header.kind_chosen.connect(self.grid.set_kind)
        self.header.back_requested.connect(self._show_all)
        self.header.open_requested.connect(lambda: self._open(self.grid.enlarged))
        self.grid.enlarge_requested.connect(self.enlarge)
        self.grid.open_requested.connect(self._open)
        self.invitation.start_requested.connect(self.start)
        for controls in self.controls.values():
            controls.edited.connect(self._take_edit)
            controls.submitted.connect(self.start)
        self.paint_panel.edited.connect(self._take_painting)
        self.run_panel.start_requested.connect(self.start)
        self.run_panel.stop_requested.connect(self.results.stop)
        self.noise_maker.drawn.connect(self._take_noises)
        self.noise_maker.facts_known.connect(self._take_facts)
        self.noise_maker.failed.connect(self._tell)
        self.results.busy_changed.connect(self._show_invitation)
        self.results.busy_changed.connect(self.ability_changed)
        self.results.appeared.connect(self._take_result)
        self.results.stepped.connect(self._take_step)
        self.results.ended.connect(self._take_end)

    # A page ------------------------------------------------------------------------------------------------------

    @property
    def is_busy(self) -> bool:
        return self.results.is_busy

    @property
    def can_start(self) -> bool:
        return self._planned() is not None

    def enter(self) -> None:
        """Draw the blocks, anew if the model is another one now."""
        screen = self.screen()
        if screen is not None:
            self.presenter.clock.set_frame_rate(screen.refreshRate())
        if self._runner.model != self._plan.model:
            self._plan.model = self._runner.model
            self.results.forget()
            self._show_experiment()
        else:
            self._draw_noises()

    @Slot()
    def start(self) -> None:
        """Carve all cells of the experiment that is shown; what the model does now is stopped for it."""
        self._make(anew=True)

    def _make(self, anew: bool) -> None:
        try:
            planned = self._plan_or_refusal()
        except RequestError as error:
            self.messages.tell(str(error))
            return
        if planned is not None:
            self.messages.clear()
            self.results.make(self.experiment, *planned, anew=anew)

    @Slot()
    def stop(self) -> None:
        """Drop the stroke that is being made, or stop the runs, or show all cells again."""
        if self.paint_panel.canvas.is_painting:
            self.paint_panel.canvas.drop_stroke()
        elif self.results.is_busy:
            self.results.stop()
        else:
            self._show_all()

    def save_choices(self) -> None:
        self.settings.setValue("why/experiment", self.experiment.value)
        self.settings.setValue("why/kind", self.header.kind.value)
        for controls in self.controls.values():
            controls.save(self.settings)
        self.paint_panel.save(self.settings)

    def _restore(self) -> None:
        for controls in self.controls.values():
            controls.restore(self.settings)
        self.paint_panel.restore(self.settings)
        remembered = str(self.settings.value("why/experiment", ""))
        if remembered in [experiment.value for experiment in Experiment]:
            self.chooser.choose(Experiment(remembered))
        if self.settings.value("why/kind") == FrameKind.NOISY_STATE.value:
            self.header.choose_kind(FrameKind.NOISY_STATE)
            self.grid.set_kind(FrameKind.NOISY_STATE)

    def shutdown(self) -> None:
        self.presenter.clock.stop()
        self.noise_maker.shutdown()

    # What is planned ---------------------------------------------------------------------------------------------

    @property
    def experiment(self) -> Experiment:
        """The one that is shown."""
        return self.chooser.experiment

    def _planned(self) -> tuple[Arrangement, GridRequest] | None:
        """What Start would make; None while something is wrong."""
        try:
            return self._plan_or_refusal()
        except RequestError:
            return None

    def _plan_or_refusal(self) -> tuple[Arrangement, GridRequest] | None:
        strokes, stays_noise = self.paint_panel.strokes, self.paint_panel.stays_noise.isChecked()
        controls = self.controls[self.experiment]
        common, choices = controls.request(), controls.choices(strokes, stays_noise)
        return None if common is None or choices is None else self._plan.of(common, choices)

    @Slot()
    def _take_edit(self) -> None:
        self.run_panel.set_reason(self.controls[self.experiment].reason)
        self._draw_noises()
        self.ability_changed.emit()

    @Slot()
    def _take_painting(self) -> None:
        """A stroke has been made or taken back: carve what is painted now."""
        self._draw_noises()
        self._make(anew=False)

    def _draw_noises(self) -> None:
        """Have the blocks drawn that the next run would start from, where they are to be seen."""
        planned = self._planned()
        if planned is None or (self.results.of(self.experiment) and self.experiment is not Experiment.PAINT):
            return
        self.noise_maker.draw(planned[1])

    @Slot(object, object)
    def _take_noises(self, request: GridRequest, runs: tuple[Trajectory, ...]) -> None:
        planned = self._planned()
        if planned is None or planned[1] != request:
            return
        if self.experiment is Experiment.PAINT:
            self.paint_panel.set_noise(runs[len(runs) // 2].state(0) / runs[0].levels[0].scale)
        if self.results.of(self.experiment) is None:
            self.session.show(runs[0], None, running=False)
            self.grid.set_grid(planned[0], runs)

    @Slot(object)
    def _take_facts(self, facts: Any) -> None:
        if not self._plan.take_labels(facts.forms, facts.materials):
            return
        has_labels = self._plan.has_labels
        why_not = self.tr("This model knows no forms and no materials.")
        self.chooser.set_available(Experiment.LABELS, has_labels, why_not)
        if not has_labels and self.experiment is Experiment.LABELS:
            self.chooser.choose(Experiment.NOISES)
        for controls in self.controls.values():
            controls.set_has_labels(has_labels)

    def set_device(self, device: str) -> None:
        """Have grids run on a device from now on; its id as in a `RunRequest`."""
        self._plan.device = device

    # What is shown -----------------------------------------------------------------------------------------------

    @Slot()
    def _show_experiment(self) -> None:
        """Show the grid of the experiment that is chosen, or the blocks it would start from."""
        experiment = self.experiment
        self.panels.setCurrentWidget(self.controls[experiment])
        self.panels.updateGeometry()
        self.paint_panel.setVisible(experiment is Experiment.PAINT)
        self.header.set_story(page_parts.story(experiment))
        self.invitation.set_heading(page_parts.invitation(experiment))
        self.run_panel.set_reason(self.controls[experiment].reason)
        self.progress.show_experiment(experiment)
        self._show_all()
        planned = self._planned()
        if self.results.of(experiment) is not None:
            self._show_result()
        elif planned is not None:
            self.grid.set_grid(planned[0], ())  # until the noises are there
        self._draw_noises()
        self._show_invitation()
        self.ability_changed.emit()

    def _show_result(self) -> None:
        result = self.results.of(self.experiment)
        assert result is not None
        running = self.results.running is self.experiment
        self.session.show(result.runs[result.lead], None, running=running)
        self.grid.set_grid(result.arrangement, result.runs)

    @Slot()
    def _show_invitation(self) -> None:
        is_asked_for = self.results.is_busy and self.results.running is self.experiment
        self.invitation.setVisible(self.results.of(self.experiment) is None and not is_asked_for)

    @Slot(int)
    def enlarge(self, cell: int) -> None:
        """Show a cell large; -1 for none."""
        self.grid.set_enlarged(cell)
        self.header.set_enlarged(self.grid.describe(cell) if self.grid.enlarged >= 0 else "")

    @Slot()
    def _show_all(self) -> None:
        self.enlarge(-1)

    @Slot(int)
    def _open(self, cell: int) -> None:
        if 0 <= cell < len(self.grid.runs) and self.grid.runs[cell].last:
            self.session.pause()
            self.open_requested.emit(self.grid.runs[cell])

    # What comes of it --------------------------------------------------------------------------------------------

    @Slot(object)
    def _take_result(self, experiment: Experiment) -> None:
        if experiment is self.experiment:
            self._show_result()
            self._show_invitation()

    @Slot(int)
    def _take_step(self, number: int) -> None:
        if self.results.running is self.experiment:
            self.session.grow(number)

    @Slot(object, str, object)
    def _take_end(self, experiment: Experiment, outcome: str, error: Exception | None) -> None:
        if experiment is self.experiment:
            self.session.end_run()
        if error is not None:
            self._tell(error)

    @Slot(object)
    def _tell(self, error: Exception) -> None:
        self.messages.tell(*fault_words(error))

    # Qt overrides

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.stop()
        else:
            super().keyPressEvent(event)
