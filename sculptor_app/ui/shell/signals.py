"""Ctrl-C and TERM signals end the window as a click on its cross does, and the process soon after, whatever it does."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal, Slot

UNHEARD_GRACE_S = 3.0
"""How long the GUI thread may take to hear of a signal; its settings are saved then."""
GRACE_S = 0.5
"""How long the process may take to end after that; a step that is being computed, or an import, may take longer."""
CHECKPOINT_GRACE_S = 10.0
"""The same while a model learns: its checkpoint is worth it."""
_POLL_S = 0.05
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class EndSignals(QObject):
    """Watch over the signals that end the process.

    Python runs a handler between two of its own instructions in the GUI thread, of which there are none while Qt waits
    for events or C code computes. Its C handler, however, writes each signal's number into a socket at once, and a
    thread waits for that: it has the window closed, and ends the process if that takes too long. A second signal
    ends it at once.

    Args:
        close: Saves the settings and has the window closed, in the GUI thread; returns whether a checkpoint is worth
            waiting for.
        leave: Ends the process with an exit code.

    Attributes:
        code: 128 and the number of the signal that came; 0 before.
    """

    _came = Signal()

    def __init__(
        self, close: Callable[[], bool], parent: QObject | None = None, leave: Callable[[int], object] = os._exit
    ) -> None:
        super().__init__(parent)
        self.code = 0
        self._close, self._leave = close, leave
        self._deadline_s = 0.0
        self._ended = threading.Event()
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._thread = threading.Thread(target=self._wait, name="signals", daemon=True)
        self._came.connect(self._end, Qt.ConnectionType.QueuedConnection)

    def start(self) -> None:
        """Listen from now on; to be called in the main thread."""
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for name in _SIGNALS:
            number = getattr(signal, name, None)  # Windows has not all of them
            if number is not None and not (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):  # nohup
                signal.signal(number, _nothing)
        self._thread.start()

    def stop(self) -> None:
        """Listen no more, and let the thread end; without `start` only what was opened is closed."""
        if self._thread.ident is not None:  # it was started; after a signal it has ended by itself
            signal.set_wakeup_fd(-1)
        self._ended.set()
        self._writer.close()
        if self._thread.is_alive():
            self._thread.join()
        self._reader.close()

    def _wait(self) -> None:
        number = self._reader.recv(1)
        if not number:
            return
        self.code = 128 + number[0]
        self._deadline_s = time.monotonic() + UNHEARD_GRACE_S
        self._came.emit()
        while time.monotonic() < self._deadline_s and not self._is_asked_again(_POLL_S):
            pass
        if not self._ended.is_set():
            self._leave(self.code)

    def _is_asked_again(self, seconds: float) -> bool:
        """Whether another signal comes within so many seconds, or the listening ends."""
        self._reader.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            self._reader.recv(1)
            return True
        return False

    @Slot()
    def _end(self) -> None:
        grace_s = CHECKPOINT_GRACE_S if self._close() else GRACE_S
        self._deadline_s = time.monotonic() + grace_s


def _nothing(*_: object) -> None:
    """A handler, without which Python would not take note of the signal."""
