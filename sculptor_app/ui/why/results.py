"""Grids of runs of each experiment, their progress and how they ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app.core.requests.request import Cell, GridRequest
from sculptor_app.core.texts import pictures_text
from sculptor_app.session.grid_run import GridRunner
from sculptor_app.session.runner import RunState, SamplingRunner
from sculptor_app.ui.playback.run_panel import RunPanel, few_names
from sculptor_app.ui.playback.texts import StepClock, duration_text
from sculptor_app.ui.why.experiments import Experiment, GridPlan, grid_title
from sculptor_app.ui.widgets.names import display

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.trajectory import Trajectory


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Result:
    """The grid of runs of an experiment."""

    plan: GridPlan  # of all cells
    runs: tuple[Trajectory, ...]  # of all cells, complete or not
    new: tuple[int, ...] = (0,)  # numbers of the cells that were run this time; the others had been there before

    @property
    def request(self) -> GridRequest:
        """The request with all cells."""
        return self.plan.request

    @property
    def lead(self) -> int:
        """Number of a cell that was run this time: the first of those with the most steps."""
        return max(self.new, key=lambda number: self.runs[number].planned_steps if self.runs else 0)

    @property
    def title_parts(self) -> tuple[str, ...]:
        """What it shows, and what made it: sampler, steps, and the model where it is not the embedded one."""
        told = [run.info.title.facts for run in self.runs]
        shared = [fact for fact in told[self.lead] if all(fact in each for each in told)]
        return (grid_title(self.request.cells), *map(display, shared))

    @property
    def memory_bytes(self) -> dict[int, int]:
        """Memory that each of its runs takes, by the run's identity: grids may share runs."""
        return {id(run): run.bytes_in_memory for run in self.runs}


class Results(QObject):
    """Runs grids for the experiments, one at a time, and keeps of each experiment the grid before the newest."""

    busy_changed = Signal(bool)  # whether a grid is being made
    appeared = Signal(object)  # an Experiment that has a new Result
    went_on = Signal(int, int)  # number of a step, and how many cells have taken it
    stepped = Signal(int)  # number of a step that all cells have taken
    ended = Signal(object, str, object)  # Experiment, "finished", "cancelled" or "failed", and the exception or None

    def __init__(self, runner: SamplingRunner, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._grid_run = GridRunner(runner, self)
        self._results: dict[Experiment, Result] = {}
        self._before: dict[Experiment, Result] = {}
        self._asked: tuple[Experiment, Result] | None = None
        self._taken_over: dict[Cell, Trajectory] = {}
        self.running: Experiment | None = None
        self._grid_run.busy_changed.connect(self.busy_changed)
        self._grid_run.started.connect(self._start)
        self._grid_run.went_on.connect(self.went_on)
        self._grid_run.stepped.connect(self._take_step)
        self._grid_run.ended.connect(self._end)

    @property
    def is_busy(self) -> bool:
        return self._grid_run.is_busy

    def of(self, experiment: Experiment) -> Result | None:
        """The newest grid of an experiment."""
        return self._results.get(experiment)

    def before(self, experiment: Experiment) -> Result | None:
        """The grid that was there before the newest, while the memory for a grid holds both; else None."""
        return self._before.get(experiment)

    def show_before(self, experiment: Experiment) -> None:
        """Put the grid before in the place of the newest, and that one in its; one that is running is stopped."""
        before = self._before.get(experiment)
        if before is None:
            return
        if self.running is experiment:
            self.running = None
            self._grid_run.drop()
        self._keep(experiment)
        self._results[experiment] = before
        self._bound_memory(experiment)
        self.appeared.emit(experiment)

    def take_model(self, model: str | None) -> None:
        """Another model is at hand: grids of others are kept as those before, its own come back."""
        for experiment in Experiment:
            before, shown = self._before.get(experiment), self._results.get(experiment)
            if shown is not None and shown.request.model != model:
                self._keep(experiment)
                del self._results[experiment]
            if before is not None and before.request.model == model and experiment not in self._results:
                self._results[experiment] = before
                if self._before[experiment] is before:
                    del self._before[experiment]

    def make(self, plan: GridPlan, reuse: bool = False) -> None:
        """Run a grid; one that is running is cancelled. `reuse` keeps finished cells that would come out the same."""
        experiment, request = plan.choices.experiment, plan.request
        kept = self._complete_runs(experiment, request) if reuse else {}
        wanted = tuple(dict.fromkeys(cell for cell in request.cells if cell not in kept))
        if not wanted:
            wanted, kept = tuple(dict.fromkeys(request.cells)), {}
        new = tuple(number for number, cell in enumerate(request.cells) if cell in wanted)
        self._asked = experiment, Result(plan, (), new)
        self._taken_over = kept
        self.running = experiment
        self._grid_run.start(replace(request, cells=wanted))

    def stop(self) -> None:
        """Stop after the step that is being computed."""
        self._grid_run.stop()

    def _complete_runs(self, experiment: Experiment, request: GridRequest) -> dict[Cell, Trajectory]:
        """Finished runs of the grid before that would come out the same."""
        before = self._results.get(experiment)
        if before is None or replace(before.request, cells=request.cells) != request:
            return {}
        return {
            cell: run
            for cell, run in zip(before.request.cells, before.runs, strict=True)
            if run.is_complete and cell in request.cells
        }

    @Slot(object)
    def _start(self, trajectories: tuple[Trajectory, ...]) -> None:
        assert self._asked is not None
        experiment, asked = self._asked
        new = [cell for cell in dict.fromkeys(asked.request.cells) if cell not in self._taken_over]
        runs = self._taken_over | dict(zip(new, trajectories, strict=True))
        self._keep(experiment)
        self._results[experiment] = replace(asked, runs=tuple(runs[cell] for cell in asked.request.cells))
        self._bound_memory(experiment)
        self.appeared.emit(experiment)

    def _keep(self, experiment: Experiment) -> None:
        """Take the newest grid as the one before, if it has any step."""
        shown = self._results.get(experiment)
        if shown is not None and shown.runs[shown.lead].last:
            self._before[experiment] = shown

    def _bound_memory(self, experiment: Experiment) -> None:
        """Forget the grid before where it and the newest are more than the memory for a grid."""
        before, shown = self._before.get(experiment), self._results.get(experiment)
        if before is None or shown is None:
            return
        if sum((before.memory_bytes | shown.memory_bytes).values()) > self._grid_run.budget_bytes:
            del self._before[experiment]

    @Slot(int)
    def _take_step(self, number: int) -> None:
        if self.running is not None:
            self._bound_memory(self.running)
        self.stepped.emit(number)

    @Slot(str, object)
    def _end(self, outcome: str, error: object) -> None:
        experiment, self.running = self.running, None
        self.ended.emit(experiment, outcome, error)


class GridRunPanel(RunPanel):
    """Start, Stop and the progress of many runs, within a step, too."""

    def set_grid_progress(self, steps: int, planned: int, cells: int, of: int, mean_s: float | None) -> None:
        """Show the progress of a grid, of which `cells` have taken one step more; `mean_s` is for a step of all."""
        self.set_progress(steps, planned, mean_s)
        self.bar.setUpdatesEnabled(False)
        self.bar.setRange(0, planned * of)
        self.bar.setValue(steps * of + cells)
        self.bar.setUpdatesEnabled(True)

    def set_differing(self, keys: Sequence[str], names: Sequence[str]) -> None:
        """Say in what the fields differ from the grid on screen, by key and by name; empty for nothing."""
        sentence = self.tr("Not the settings of the grid on screen: {0}").format(few_names(names)) if names else ""
        tip = self.tr("These settings are not those of the grid on screen: {0}.").format(", ".join(names))
        self.set_difference(sentence, tip, can_take_over=tuple(keys) != ("painting",))

    def set_grid_ended(self, text: str) -> None:
        """Show how the shown grid ended; the pace was that of the last one."""
        self.pace.setText("")
        self.set_ended(text)


class GridProgress(QObject):
    """Shows the progress of grids on a run panel."""

    def __init__(self, runner: SamplingRunner, results: Results, panel: GridRunPanel) -> None:
        super().__init__(panel)
        self._runner, self._results, self._panel = runner, results, panel
        self._began_s = self._stepped_s = 0.0
        self._pace = StepClock()
        self._shown = Experiment.LABELS
        self._begun: Result | None = None  # the grid that is running
        self._endings: WeakKeyDictionary[Result, str] = WeakKeyDictionary()
        runner.state_changed.connect(self._show_state)
        results.busy_changed.connect(self._show_state)
        results.appeared.connect(self._begin)
        results.went_on.connect(self._take_part)
        results.stepped.connect(self._take_step)
        results.ended.connect(self._end)

    def show_experiment(self, experiment: Experiment) -> None:
        """Show how the grid of another experiment ended, while none is running."""
        self._shown = experiment
        if not self._results.is_busy:
            self._panel.set_grid_ended(self._shown_ending)

    @property
    def _shown_ending(self) -> str:
        result = self._results.of(self._shown)
        if result is None:
            return ""
        is_stopped = not result.runs[result.lead].is_complete  # for another grid, which is not reported
        return self._endings.get(result) or (self._ending(result, "cancelled") if is_stopped else "")

    @Slot()
    def _show_state(self) -> None:
        if self._results.is_busy:
            self._panel.set_state(self._runner.state, self._runner.is_waiting)
        elif self.sender() is self._results:
            self._panel.set_state(RunState.IDLE, waiting=False)

    @Slot(object)
    def _begin(self, experiment: Experiment) -> None:
        if self._results.running is not experiment:  # one that was there before has come back
            return
        self._begun = self._results.of(experiment)
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
            planned = result.runs[result.lead].planned_steps
            self._panel.set_grid_progress(steps, planned, cells, of, self._pace.mean_s)

    @Slot(object, str, object)
    def _end(self, experiment: Experiment, outcome: str, error: object) -> None:
        result = self._results.of(experiment)
        if result is not None and result is self._begun:  # one may end before its grid has come in its place
            self._endings[result] = self._ending(result, outcome)
        self._begun = None
        self._panel.set_grid_ended(self._shown_ending)

    def _ending(self, result: Result, outcome: str) -> str:
        """The text about how a grid ended."""
        lead = result.runs[result.lead]
        if outcome == "finished":
            took = duration_text(time.monotonic() - self._began_s)
            return self.tr("{0} in {1}").format(display(pictures_text(len(result.new))), took)
        if outcome == "cancelled":
            return self.tr("Stopped at step {0} of {1}").format(lead.last, lead.planned_steps)
        return self.tr("Failed after step {0} of {1}").format(lead.last, lead.planned_steps)
