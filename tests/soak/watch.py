"""The watch over a random person at the window: faults of the log, Qt and Python, sizes, pauses, threads and memory."""

from __future__ import annotations

import collections
import contextlib
import faulthandler
import gc
import logging
import os
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

BEAT_MS = 100
LONGEST_PAUSE_MS = 500
LOOK_S = 0.05
HANG_S = 60
MOST_GROWTH_MB = 1_500  # a run's own budget is 512 MB, and a second run may replace the first
MOST_THREADS = 48
_OWN_MESSAGES = ("This plugin does not support", "Mouse event at")
"""What Qt says of a platform without a window manager, and of a click on what a click before has made smaller."""


@dataclass(frozen=True)
class Clock:
    """Times of the thread that reads it, and of what it may have to wait for, in seconds since some moment each.

    Attributes:
        wall: of the wall.
        worked: processor time of this thread.
        queued: this thread could have run, and the machine ran something else; 0 where Linux does not tell.
        others: processor time of all other threads of this process.
        queues: the same as `queued`, of each other thread, which may hold a lock, and of the X server, by its number.
    """

    wall: float
    worked: float
    queued: float
    others: float
    queues: Mapping[str, float]

    @classmethod
    def read(cls, server: int | None) -> Clock:
        worked, own = time.thread_time(), str(threading.get_native_id())
        paths = {path.name: path for path in Path("/proc/self/task").glob("*")}
        if server:
            paths["X"] = Path(f"/proc/{server}")
        queues = {name: _queued_s(path) for name, path in paths.items()}
        return cls(time.perf_counter(), worked, queues.pop(own, 0.0), time.process_time() - worked, queues)

    def since(self, before: Clock) -> Clock:
        """Times that have passed; `queues` of what was there before."""
        return Clock(
            self.wall - before.wall, self.worked - before.worked, self.queued - before.queued,
            self.others - before.others,
            {name: queued - before.queues[name] for name, queued in self.queues.items() if name in before.queues},
        )  # fmt: skip

    @property
    def waited(self) -> float:
        """Neither worked nor queued: for an event, a lock, the screen, or a disk."""
        return self.wall - self.worked - self.queued

    @property
    def own(self) -> float:
        """The wall's time, without that in which the machine ran neither this thread nor what it waited for."""
        return self.wall - self.queued - min(self.waited, max(self.queues.values(), default=0.0))


def _queued_s(process: Path) -> float:
    try:
        return int((process / "schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        return 0.0


def _x_server() -> int | None:
    """Number of the process that paints the screen, if it is an X server of this machine."""
    display = os.environ.get("DISPLAY", "").partition(".")[0].removeprefix(":")
    with contextlib.suppress(OSError, AttributeError), socket.socket(socket.AF_UNIX) as link:
        link.connect(f"/tmp/.X11-unix/X{display}")
        return struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]  # type: ignore[no-any-return]
    return None


@dataclass
class Pause:
    """One beat that came late by more than half a second.

    Attributes:
        ms: how late it was by the wall's clock. own_ms: without the time in which the machine ran something else.
        worked_ms: processor time of the GUI thread. waited_ms: for a lock, the screen or a disk.
        others_ms: processor time of the program's other threads.
        load: processes that wanted to run on the machine, the mean of a minute.
        collected_ms: time that went into collecting garbage, in any thread.
        stacks: where the GUI thread stood, innermost call first, with the number of looks that saw it there.
    """

    action: int
    ms: float
    own_ms: float
    worked_ms: float
    waited_ms: float
    others_ms: float
    load: float
    collected_ms: float
    stacks: collections.Counter[str] = field(default_factory=collections.Counter)

    def __str__(self) -> str:
        told = (
            f"{self.ms:.0f} ms by the wall, {self.own_ms:.0f} of them the program's own; the GUI thread worked "
            f"{self.worked_ms:.0f} and waited {self.waited_ms:.0f}, other threads worked {self.others_ms:.0f}, "
            f"garbage was collected for {self.collected_ms:.0f}; load {self.load:.1f}"
        )
        return "\n".join([told, *(f"    {count}× {stack}" for stack, count in self.stacks.most_common(4))])


class Watch:
    """Everything that may not happen, and the figures of the run.

    Args:
        longest_pause_ms: a beat that comes later is a fault, once the time that the machine took is taken off.
        settle_beats: how long a window may be too large, as a window manager takes its time to give it another size.
        says: prints a line of figures now and then.
    """

    def __init__(self, longest_pause_ms: float = LONGEST_PAUSE_MS, settle_beats: int = 10, says: bool = False) -> None:
        from PySide6.QtCore import QTimer

        self._allowed_pause_ms, self._settle_beats, self._says = longest_pause_ms, settle_beats, says
        self._too_large_since: dict[str, int] = {}
        self.faults: list[str] = []
        self.pauses: list[Pause] = []
        self.done = 0
        self.beats = 0
        self.last: collections.deque[str] = collections.deque(maxlen=6)
        self.tally: collections.Counter[str] = collections.Counter()
        self.longest_pause_ms = 0.0
        self.most_threads = 0
        self.widest = (0, "")
        self.memory_mb = [memory_mb()]
        self._gui_thread = threading.get_ident()
        self._begun = time.monotonic()
        self._server = _x_server()
        self._beaten, self._collected_s, self._collecting = Clock.read(self._server), 0.0, 0.0
        self._stacks: collections.Counter[str] = collections.Counter()
        self._over = threading.Event()
        self._beat = QTimer()
        self._beat.setInterval(BEAT_MS)
        self._beat.timeout.connect(self._beats)
        self._guard = threading.Thread(target=self._look_for_pauses, name="soak-guard")

    def note(self, what: str) -> None:
        """Note what the person does."""
        self.last.append(what)
        self.tally[what] += 1

    def fault(self, what: str) -> None:
        """Note a fault with what was done before it; the same one once."""
        if not any(what.splitlines()[0] in known for known in self.faults):
            self.faults.append(f"after action {self.done} ({' · '.join(self.last)}): {what}")
            if self._says:
                print(self.faults[-1], flush=True)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Hooks of log, Qt, garbage collector and uncaught exceptions, put back at the end."""
        from PySide6.QtCore import QtMsgType, qInstallMessageHandler

        quiet = (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg)
        qt_before = qInstallMessageHandler(
            lambda kind, _context, text: (
                None if kind in quiet or text.startswith(_OWN_MESSAGES) else self.fault(f"Qt: {text}")
            )
        )
        handler = _Listening(self)
        log = logging.getLogger("sculptor_app")
        log.addHandler(handler)
        hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
        sys.excepthook = lambda kind, error, trace: self.raised(error)  # type: ignore[assignment]
        sys.unraisablehook = lambda args: self.raised(args.exc_value)  # type: ignore[assignment]
        threading.excepthook = lambda args: self.raised(args.exc_value)  # type: ignore[assignment]
        gc.callbacks.append(self._collects)
        self._beaten = Clock.read(self._server)
        self._beat.start()
        self._guard.start()
        try:
            yield
        finally:
            self._over.set()
            self._guard.join()
            self._beat.stop()
            gc.callbacks.remove(self._collects)
            sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
            log.removeHandler(handler)
            qInstallMessageHandler(qt_before)

    def look(self) -> None:
        """What is to be looked at after each action: sizes, now and then threads and memory."""
        from PySide6.QtWidgets import QApplication

        for widget in QApplication.topLevelWidgets():
            if widget.isVisible() and widget.isWindow():
                self._measure(widget)
        if self.done % 50 == 0:
            self.most_threads = max(self.most_threads, threading.active_count())
            self.memory_mb.append(memory_mb())
            if self.most_threads > MOST_THREADS:
                self.fault(f"threads: {self.most_threads}, {sorted(each.name for each in threading.enumerate())}")
            if max(self.memory_mb) - self.memory_mb[0] > MOST_GROWTH_MB:
                self.fault(f"memory grew from {self.memory_mb[0]} to {max(self.memory_mb)} MB")
            if self._says and self.done % 250 == 0:
                widgets, objects = len(QApplication.allWidgets()), len(gc.get_objects())
                print(f"  {self.figures()}; {widgets:,} widgets, {objects:,} objects of Python", flush=True)

    def _measure(self, widget: QWidget) -> None:
        name = type(widget).__name__
        room, size = widget.screen().availableGeometry().size(), widget.frameGeometry().size()
        self.widest = max(self.widest, (size.width(), name))
        fits = size.width() <= room.width() and size.height() <= room.height()
        if fits or widget.isMaximized() or widget.isFullScreen():  # then the window manager has chosen its size
            self._too_large_since.pop(name, None)
        elif self.beats - self._too_large_since.setdefault(name, self.beats) >= self._settle_beats:
            self.fault(f"{name} larger than the screen: {size.width()}×{size.height()} on a screen of "
                       f"{room.width()}×{room.height()}")  # fmt: skip

    def figures(self) -> str:
        """The run so far, in one line."""
        own = sum(pause.own_ms > LONGEST_PAUSE_MS for pause in self.pauses)
        worked = sum(pause.worked_ms > LONGEST_PAUSE_MS for pause in self.pauses)
        longest = max((pause.own_ms for pause in self.pauses), default=self.longest_pause_ms)
        first, *_, last = self.memory_mb[0], *self.memory_mb
        return (
            f"{self.done:,} actions in {time.monotonic() - self._begun:,.0f} s; pauses over {LONGEST_PAUSE_MS} ms: "
            f"{len(self.pauses)} by the wall, {own} of the program's own ({worked} of work alone), the longest "
            f"{longest:.0f} ms; memory {first} MB at first, {last} at last, {max(self.memory_mb)} at most; "
            f"{self.most_threads} threads at most; widest {self.widest[1]} {self.widest[0]} px; load {_load():.1f}"
        )

    def raised(self, error: BaseException | None) -> None:
        """Note an exception that nobody caught."""
        if error is not None:
            self.fault("".join(traceback.format_exception(error)[-1:]) + "".join(traceback.format_exception(error)))

    def _collects(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._collecting = time.perf_counter()
        else:
            self._collected_s += time.perf_counter() - self._collecting

    def _beats(self) -> None:
        now = Clock.read(self._server)
        took, self._beaten = now.since(self._beaten), now
        pause_ms, own_ms = 1000 * took.wall - BEAT_MS, 1000 * took.own - BEAT_MS
        self.longest_pause_ms = max(self.longest_pause_ms, own_ms)
        stacks, self._stacks = self._stacks, collections.Counter()
        collected_ms, self._collected_s = 1000 * self._collected_s, 0.0
        if pause_ms > LONGEST_PAUSE_MS:
            self._note(Pause(self.done, pause_ms, own_ms, 1000 * took.worked, 1000 * took.waited, 1000 * took.others,
                             _load(), collected_ms, stacks))  # fmt: skip
        self.beats += 1

    def _note(self, pause: Pause) -> None:
        self.pauses.append(pause)
        where = next(iter(pause.stacks.most_common(1)), ("nowhere to be seen", 0))[0]
        if pause.own_ms > self._allowed_pause_ms:
            self.fault(f"the window paused in {where}\n{pause}")
        elif self._says:
            print(f"the machine paused the window after action {self.done}: {pause}", flush=True)

    def _look_for_pauses(self) -> None:
        """In a thread of its own: where the GUI thread stands while it is late."""
        looked = time.perf_counter()
        while not self._over.wait(LOOK_S):
            late_s, looked = time.perf_counter() - looked, time.perf_counter()
            since_beat_s = time.perf_counter() - self._beaten.wall
            if since_beat_s > HANG_S:
                faulthandler.dump_traceback()
                print(f"hangs after action {self.done} ({' · '.join(self.last)})", *self.faults, sep="\n", flush=True)
                os._exit(3)
            if since_beat_s > (BEAT_MS + LONGEST_PAUSE_MS / 4) / 1000:
                frames = sys._current_frames()
                self._stacks[_calls(frames.pop(self._gui_thread, None))] += 1
                if late_s > LONGEST_PAUSE_MS / 2000:  # another thread kept the interpreter's lock, or the machine did
                    for number, frame in frames.items():
                        if number != threading.get_ident():
                            self._stacks[f"(this thread late by {1000 * late_s:.0f} ms) {_calls(frame)}"] += 1


def _calls(frame: FrameType | None) -> str:
    """The innermost call, and the last four of the program's own."""
    calls = traceback.extract_stack(frame)
    own = [each for each in calls[:-1] if "sculptor_app" in each.filename]
    return " < ".join(f"{Path(each.filename).name}:{each.lineno}:{each.name}" for each in [*calls[-1:], *own[:-5:-1]])


class _Listening(logging.Handler):
    """Faults from the program's log: warnings, errors, tracebacks."""

    def __init__(self, watch: Watch) -> None:
        super().__init__(logging.WARNING)
        self._watch = watch

    def emit(self, record: logging.LogRecord) -> None:
        trace = "".join(traceback.format_exception(record.exc_info[1])) if record.exc_info else ""
        self._watch.fault(f"log, {record.levelname.lower()}: {record.getMessage()}\n{trace}")


def memory_mb() -> int:
    """What this process has in memory now; 0 where that is not known."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20
    except (OSError, ValueError):
        return 0


def _load() -> float:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
