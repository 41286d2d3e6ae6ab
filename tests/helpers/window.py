"""Drives the real window the way a person does: keys, clicks and typed text."""

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from sculptor_app.session.runner import ModelRun, RunState, SampleRun
from sculptor_app.ui.shell.main_window import MainWindow

RUN_MS = 60_000
"""Patience for a run on a busy machine."""


class Driver:
    """A person at the window."""

    def __init__(self, qtbot: QtBot, window: MainWindow) -> None:
        self.qtbot, self.window = qtbot, window
        self.session, self.runner = window.panels.session, window.panels.runner
        self.ends: list[str] = []
        """How the carvings ended; other work of the same thread, such as opening a model, is left out."""
        for name in ("finished", "cancelled", "failed"):
            getattr(window.panels.runner, name).connect(lambda run, *_, name=name: self._note_end(run, name))

    def _note_end(self, run: ModelRun, name: str) -> None:
        if isinstance(run, SampleRun) and run.trajectory is not None:
            self.ends.append(name)

    def prepare(self) -> None:
        """Wait for plots and engine, as they come after the first paint."""
        self.window.prepare()
        self.qtbot.waitUntil(lambda: self.runner.is_ready and self.runner.state is RunState.IDLE, timeout=RUN_MS)

    def type_into(self, field: QWidget, text: str) -> None:
        """Replace a field's text by typing."""
        field.setFocus()
        field.selectAll()
        QTest.keyClicks(field, text)

    def set_steps(self, steps: int) -> None:
        self.type_into(self.window.panels.controls.steps, str(steps))

    def click_start(self) -> None:
        QTest.mouseClick(self.window.panels.run_panel.button, Qt.MouseButton.LeftButton)

    click_stop = click_start

    def run(self, steps: int = 12) -> None:
        """A whole run from Start to its end."""
        self.set_steps(steps)
        is_its_own = lambda run: isinstance(run, SampleRun)  # noqa: E731
        with self.qtbot.waitSignal(self.runner.finished, timeout=RUN_MS, check_params_cb=is_its_own):
            self.click_start()
        self.flush()

    def start_long_run(self, steps: int = 1000, until: int = 3) -> None:
        """Start a run that will not end by itself soon, and wait for its first steps."""
        self.set_steps(steps)
        self.click_start()
        self.wait_for_step(until)

    def wait_for_step(self, k: int) -> None:
        """Wait until the run that is shown has taken step k."""
        self.qtbot.waitUntil(lambda: self.session.is_running and self.session.last >= k, timeout=RUN_MS)

    def wait_for_end(self) -> None:
        self.qtbot.waitUntil(lambda: not self.runner.is_running, timeout=RUN_MS)
        self.flush()

    def flush(self) -> None:
        """Have drawn what is due."""
        self.window.bench.flush()

    def press(self, key: Qt.Key, widget: QWidget | None = None, modifier=Qt.KeyboardModifier.NoModifier) -> None:
        """Press a key where the focus is; menus' shortcuts get what the focused widget leaves."""
        target = widget or QApplication.focusWidget() or self.window
        QTest.keyClick(target, key, modifier)

    def click(self, widget: QWidget, x: int, y: int) -> None:
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=QPoint(x, y))
