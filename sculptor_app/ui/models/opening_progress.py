"""The bar that says what is being done with a model that is opened, or that a run has to load first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Slot

from sculptor_app.session.models import ModelOpening
from sculptor_app.session.runner import RunState
from sculptor_app.ui.models.texts import loading_text
from sculptor_app.ui.widgets.bars import WorkBar

if TYPE_CHECKING:
    from sculptor_app.session.engine import LoadingProgress
    from sculptor_app.ui.shell.main_window import MainWindow

UNASKED_MS = 500
"""A run's loading shows from then on: the embedded model takes less."""


class OpeningProgress(QObject):
    """Fills the bar.

    Args:
        window: Has the runner, and the controls that name the model.
        opening: Opens what a person asks for.
        bar: Is filled.
    """

    def __init__(self, window: MainWindow, opening: ModelOpening, bar: WorkBar) -> None:
        super().__init__(bar)
        self._window, self._opening, self._bar = window, opening, bar
        self._name = self._progress_text = ""
        self._is_stopping = False
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(UNASKED_MS)
        self._patience.timeout.connect(self._show_unasked)
        opening.loading.connect(self._show)
        opening.busy_changed.connect(self._follow)
        window.runner.loading.connect(self._show_loading)
        window.runner.state_changed.connect(self._settle)

    def begin(self, name: str) -> None:
        """A person has asked for a model."""
        self._name, self._is_stopping = name, False
        self._patience.stop()
        self._tell(self.tr("Opening {0}…").format(name))

    def _tell(self, text: str) -> None:
        self._bar.show_work(text, [(self.tr("Stop"), self.stop)])

    @Slot()
    def stop(self) -> None:
        """End it, as soon as that can be done."""
        self._is_stopping = True
        self._bar.show_stopping(self.tr("Opening {0}: stopping…").format(self._name))
        if self._opening.is_busy:
            self._opening.stop()
        else:
            self._window.runner.stop()
            said = self.tr("Opening {0} was stopped; the next run opens it again.").format(self._name)
            self._window.messages.show_message(said, is_fault=False)

    @Slot(object)
    def _show(self, progress: LoadingProgress) -> None:
        if not self._is_stopping:
            self._bar.set_text(self.tr("Opening {0}: {1}").format(self._name, loading_text(progress)))

    @Slot(bool)
    def _follow(self, busy: bool) -> None:
        if not busy:
            self._bar.hide()

    # A run that has to load its model first ------------------------------------------------------------------------

    @Slot(object)
    def _show_loading(self, progress: LoadingProgress) -> None:
        if self._opening.is_busy:
            return
        controls = self._window.controls
        self._name = controls.model_name.text() or controls.model or self.tr("the model")
        self._progress_text = self.tr("Opening {0}: {1}").format(self._name, loading_text(progress))
        if not self._bar.isHidden() and not self._is_stopping:
            self._bar.set_text(self._progress_text)
        elif not self._patience.isActive() and self._bar.isHidden():
            self._is_stopping = False
            self._patience.start()

    @Slot()
    def _show_unasked(self) -> None:
        if self._window.runner.state in (RunState.PREPARING, RunState.STARTING):
            self._tell(self._progress_text)

    @Slot(object)
    def _settle(self, state: RunState) -> None:
        if state in (RunState.IDLE, RunState.RUNNING):
            self._patience.stop()
            if not self._opening.is_busy:
                self._bar.hide()

    def close(self) -> None:
        """Show nothing any more."""
        self._patience.stop()
