"""How far a grid of runs is, how long it still takes, and how it ended."""

from __future__ import annotations

import logging
import time

from PySide6.QtCore import QCoreApplication, QObject, Slot

from sculptor_app.core.errors import SculptorError
from sculptor_app.session.runner import RunState, SamplingRunner
from sculptor_app.ui.carve.run_panel import RunPanel
from sculptor_app.ui.carve.run_progress import StepClock, duration_text
from sculptor_app.ui.why.experiments import Experiment
from sculptor_app.ui.why.results import Result, Results

translate = QCoreApplication.translate  # a name that lupdate knows

log = logging.getLogger(__name__)


def fault_words(error: Exception) -> tuple[str, str]:
    """What happened and what to do, of a grid that failed; what nobody foresaw goes to the log."""
    if isinstance(error, SculptorError):
        return error.what, error.what_to_do
    log.error("a grid of runs failed", exc_info=error)
    what = translate("Why", "The runs failed with an error that nobody foresaw ({0}: {1}).")
    return what.format(type(error).__name__, error), translate("Why", "Help > Show log has the details.")


class GridRunPanel(RunPanel):
    """Start, Stop and the progress of many runs, within a step, too."""

    def set_grid_progress(self, steps: int, planned: int, cells: int, of: int, mean_s: float | None) -> None:
        """Show how far a grid is.

        Args:
            steps: That all cells have taken.
            planned: Steps of the whole.
            cells: How many of them have taken the next one.
            of: All of them.
            mean_s: Seconds for a step of all cells; None while that is not known.
        """
        self.set_progress(steps, planned, mean_s)
        self.bar.setUpdatesEnabled(False)
        self.bar.setRange(0, planned * of)
        self.bar.setValue(steps * of + cells)
        self.bar.setUpdatesEnabled(True)

    def set_grid_ended(self, text: str) -> None:
        """Say how the grid that is shown ended; the pace was that of the grid made last."""
        self.pace.setText("")
        self.set_ended(text)


class GridProgress(QObject):
    """Keeps a run panel in step with what comes of the grids.

    Args:
        runner: Does the model's work, for other pages, too.
        results: Of the experiments.
        panel: Shows it.
    """

    def __init__(self, runner: SamplingRunner, results: Results, panel: GridRunPanel) -> None:
        super().__init__(panel)
        self._runner, self._results, self._panel = runner, results, panel
        self._began_s = self._stepped_s = 0.0
        self._pace = StepClock()
        self._shown = Experiment.LABELS
        self._endings: dict[Experiment, str] = {}
        runner.state_changed.connect(self._show_state)
        results.busy_changed.connect(self._show_state)
        results.appeared.connect(self._begin)
        results.went_on.connect(self._take_part)
        results.stepped.connect(self._take_step)
        results.ended.connect(self._end)

    def show_experiment(self, experiment: Experiment) -> None:
        """Say how the grid of another experiment ended, while none is being made."""
        self._shown = experiment
        if not self._results.is_busy:
            self._panel.set_grid_ended(self._endings.get(experiment, ""))

    @Slot()
    def _show_state(self) -> None:
        if self._results.is_busy:
            self._panel.set_state(self._runner.state, self._runner.is_waiting)
        elif self.sender() is self._results:
            self._panel.set_state(RunState.IDLE, waiting=False)

    @Slot(object)
    def _begin(self, experiment: Experiment) -> None:
        self._pace = StepClock()
        self._began_s = self._stepped_s = time.monotonic()
        self._show(0, 0)

    @Slot(int, int)
    def _take_part(self, number: int, cells: int) -> None:
        self._show(number - 1, cells)

    @Slot(int)
    def _take_step(self, number: int) -> None:
        now = time.monotonic()
        self._pace.add(now - self._stepped_s)
        self._stepped_s = now
        self._show(number, 0)

    def _show(self, steps: int, cells: int) -> None:
        running = self._results.running
        result = self._results.of(running) if running is not None else None
        if result is not None:
            of = len(result.new)
            self._panel.set_grid_progress(steps, result.request.steps, cells, of, self._pace.mean_s)

    @Slot(object, str, object)
    def _end(self, experiment: Experiment, outcome: str, error: object) -> None:
        result = self._results.of(experiment)
        if result is not None:
            self._endings[experiment] = self._ending(result, outcome)
        self._panel.set_grid_ended(self._endings.get(self._shown, ""))

    def _ending(self, result: Result, outcome: str) -> str:
        """How a grid ended, in a few words."""
        lead = result.runs[result.lead]
        if outcome == "finished":
            took = duration_text(time.monotonic() - self._began_s)
            return self.tr("{0} pictures in {1}").format(len(result.new), took)
        if outcome == "cancelled":
            return self.tr("Stopped at step {0} of {1}").format(lead.last, lead.planned_steps)
        return self.tr("Failed after step {0} of {1}").format(lead.last, lead.planned_steps)
