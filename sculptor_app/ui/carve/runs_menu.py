"""The menu of all runs that were on screen and are still in memory."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import datetime

from PySide6.QtCore import QLocale, QTime, Slot
from PySide6.QtWidgets import QMenu, QWidget

from sculptor_app.session.session import Session, ShownRun
from sculptor_app.ui.carve.run_control import RunControl
from sculptor_app.ui.playback.texts import run_title


class RunsMenu(QMenu):
    """The runs in the order in which they were made, the newest first, with a tick at the one on screen.

    A run's forks stand below it, each further to the right than what it left.
    """

    def __init__(self, session: Session, run_control: RunControl, parent: QWidget) -> None:
        super().__init__(parent)
        self.setTitle(self.tr("R&uns"))
        self._session, self._run_control = session, run_control
        session.runs_before_changed.connect(self._judge)
        self.aboutToShow.connect(self._fill)
        self._judge()

    @Slot()
    def _judge(self) -> None:
        self.menuAction().setEnabled(bool(self._session.runs_before))

    @Slot()
    def _fill(self) -> None:
        self.clear()
        shown = self._session.run
        runs = [*self._session.runs_before, *([] if shown is None else [shown])]
        for run, depth in as_tree(runs):
            made = datetime.fromisoformat(run.trajectory.info.created).astimezone()
            when = QLocale().toString(QTime(made.hour, made.minute), QLocale.FormatType.ShortFormat)
            goes_on = (self.tr("goes on"),) if run.trajectory is self._run_control.going_on else ()
            parts = (*run_title(run.trajectory, run.source), *goes_on, when)
            branch = "" if not depth else "\N{EM SPACE}" * (depth - 1) + "└ "
            action = self.addAction(branch + " · ".join(parts).replace("&", "&&"))
            action.setCheckable(True)
            action.setChecked(run is shown)
            if run is not shown:
                action.triggered.connect(functools.partial(self._show, run.number))

    def _show(self, number: int, _: bool = False) -> None:
        self._run_control.show_number(number)


def as_tree(runs: Sequence[ShownRun]) -> list[tuple[ShownRun, int]]:
    """Runs with how deep they are in the tree of forks: the newest first, each followed by its forks, oldest first."""
    numbers = {run.number for run in runs}
    placed: list[tuple[ShownRun, int]] = []

    def place(run: ShownRun, depth: int) -> None:
        placed.append((run, depth))
        for fork in sorted(runs, key=lambda each: each.number):
            if fork.parent == run.number:
                place(fork, depth + 1)

    for run in sorted(runs, key=lambda each: each.number, reverse=True):
        if run.parent not in numbers:
            place(run, 0)
    return placed
