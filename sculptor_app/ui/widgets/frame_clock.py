"""Drawing is throttled, computing is not: many changes become one drawing per frame of the display."""

import time

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

PAINTED_MS = 10
"""When what was set on widgets has been painted: Qt gathers updates of a window for 5 ms before it paints them."""

MOST_PAUSE_S = 2.0
"""Longest pause after a drawing. The first ones of a run take far longer than those after them (fonts, first pictures):
in proportion, one view would stand at its first step for half a minute while another went on."""


class FrameClock(QObject):
    """Turns any number of requests into at most one `due` per frame, and never loses the last of them.

    A drawing that takes long is followed by a pause in proportion, so that a slow display costs the run no more than a
    fixed share of the interpreter's time. What counts is the processor time of this thread until the painting is over.

    Args:
        frame_ms: least time between the beginnings of two drawings.
        share: greatest share of time that drawing may take, 0..1; 1 is no limit.
    """

    due = Signal()  # draw now what is newest

    def __init__(self, frame_ms: float = 16, share: float = 1.0, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._share = share
        self._frame_s = frame_ms / 1000
        self._begun_s = self._next_s = self._cpu_s = self._spent_s = 0.0
        self._alarm = QTimer(self)
        self._alarm.setSingleShot(True)
        self._alarm.setTimerType(Qt.TimerType.PreciseTimer)
        self._alarm.timeout.connect(self._draw)

    @property
    def share(self) -> float:
        """Greatest share of time that drawing may take; a drawing that waits comes when the new one allows it."""
        return self._share

    @share.setter
    def share(self, share: float) -> None:
        if share != self._share:
            self._share = share
            self._plan_next()

    def set_frame_rate(self, hertz: float) -> None:
        """Follow a display's refresh rate."""
        self._frame_s = 1 / max(1.0, hertz)

    @Slot()
    def request(self) -> None:
        """Something changed: draw at the next frame."""
        if not self._alarm.isActive():
            self._alarm.start(max(0, round((self._next_s - time.monotonic()) * 1000)))

    @Slot()
    def flush(self) -> None:
        """Draw what is asked for now instead of later; nothing if nothing is."""
        if self._alarm.isActive():
            self._alarm.stop()
            self._draw()

    def stop(self) -> None:
        """Forget what was asked for."""
        self._alarm.stop()

    @Slot()
    def _draw(self) -> None:
        self._begun_s, self._cpu_s, self._spent_s = time.monotonic(), time.thread_time(), 0.0
        self._next_s = self._begun_s + self._frame_s
        QTimer.singleShot(PAINTED_MS, self._painted)
        self.due.emit()

    @Slot()
    def _painted(self) -> None:
        self._spent_s = time.thread_time() - self._cpu_s
        self._plan_next()

    def _plan_next(self) -> None:
        """Time of the next drawing, and the alarm of one that waits."""
        self._next_s = self._begun_s + max(self._frame_s, min(MOST_PAUSE_S, self._spent_s / self._share))
        if self._alarm.isActive():
            self._alarm.stop()
            self.request()
