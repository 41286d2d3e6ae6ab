"""The menu of all runs that were on screen and are still in memory."""

from __future__ import annotations

import functools
from datetime import datetime

from PySide6.QtCore import QLocale, QTime, Slot
from PySide6.QtWidgets import QMenu, QWidget

from sculptor_app.session.session import Session
from sculptor_app.ui.carve.run_control import RunControl
from sculptor_app.ui.playback.texts import run_title


class RunsMenu(QMenu):
    """The runs in the order in which they were made, the newest first, with a tick at the one on screen."""

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
        for run in sorted(runs, key=lambda run: run.number, reverse=True):
            made = datetime.fromisoformat(run.trajectory.info.created).astimezone()
            when = QLocale().toString(QTime(made.hour, made.minute), QLocale.FormatType.ShortFormat)
            goes_on = (self.tr("goes on"),) if run.trajectory is self._run_control.going_on else ()
            parts = (*run_title(run.trajectory, run.source), *goes_on, when)
            action = self.addAction(" · ".join(parts).replace("&", "&&"))
            action.setCheckable(True)
            action.setChecked(run is shown)
            if run is not shown:
                action.triggered.connect(functools.partial(self._show, run.number))

    def _show(self, number: int, _: bool = False) -> None:
        self._run_control.show_number(number)
