"""The log file, and the one exception hook: it logs first and shows a message second. Knows nothing of Qt."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import threading
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from sculptor_app import folders, identity
from sculptor_app.core.files import make_private, open_private
from sculptor_app.core.texts import without_secrets

FILE_NAME = "sculptor.log"
LIBRARIES_FILE_NAME = "libraries.log"
MOST_BYTES = 1_000_000
OLDER_FILES = 3

ShowError = Callable[[str, BaseException], None]
"""Shows a sentence and the error behind it to a person. It may be called from any thread."""

_log = logging.getLogger(__name__)
_library_log = logging.getLogger("sculptor_app.libraries")
_package_log = logging.getLogger("sculptor_app")
_package_log.addHandler(logging.NullHandler())  # Python's last resort would print to the terminal


def start(folder: Path | None = None, level: int = logging.INFO) -> Path | None:
    """Log to a rotating file from now on; a second call moves the log to the new folder.

    Args:
        folder: Where the file goes; None is the platform's log folder.
        level: Least level that is written.

    Returns:
        The file, or None where none can be written; the program then runs without one.
    """
    stop()
    try:
        file = (folders.logs() if folder is None else folder) / FILE_NAME
        handler = _LogFile(
            file, maxBytes=MOST_BYTES, backupCount=OLDER_FILES, encoding="utf-8", errors="backslashreplace"
        )
        for older in file.parent.glob(f"{FILE_NAME}.*"):
            make_private(older)
    except OSError as error:
        _package_log.warning("No log file can be written (%s); going on without one.", error)
        return None
    handler.setFormatter(_WithoutSecrets("%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"))
    _package_log.addHandler(handler)
    _package_log.setLevel(level)
    _log.info("%s %s on Python %s, %s", identity.NAME, identity.VERSION, sys.version.split()[0], sys.platform)
    return file


def stop() -> None:
    """Write out and close the log file; without one nothing happens."""
    for handler in [item for item in _package_log.handlers if isinstance(item, RotatingFileHandler)]:
        _package_log.removeHandler(handler)
        with contextlib.suppress(OSError):  # of a full disk: what was not written yet has nowhere to go
            handler.close()


class _LogFile(RotatingFileHandler):
    """The log file, which its owner alone may read; on a disk that is full it loses a message instead of printing."""

    def _open(self) -> Any:
        return open_private(Path(self.baseFilename), self.mode, self.encoding, self.errors)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's own name)
        """Let it be: there is nowhere to write to."""


def divert_libraries() -> tuple[TextIO | None, TextIO | None]:
    """Send what libraries print, and what C code writes to the standard streams, to a log file from now on.

    A file, not a pipe: it holds what was written before a crash, and nobody has to keep reading it. It begins anew when
    it is large; where it cannot be written, what libraries print is lost.

    Returns:
        Output and error stream as they were, for the program's own use alone; None for one that there is not.
    """
    kept = _duplicate(sys.stdout), _duplicate(sys.stderr)
    try:
        path = folders.logs() / LIBRARIES_FILE_NAME
        large = path.is_file() and path.stat().st_size > MOST_BYTES
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_TRUNC if large else 0), 0o600)
        make_private(path)
    except OSError:
        number = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    for standard in (1, 2):
        os.dup2(number, standard)
    sys.stdout = sys.stderr = _Chatter(number)
    return kept


def _duplicate(stream: TextIO | None) -> TextIO | None:
    """The stream under a number of its own; None if there is none."""
    try:
        number = os.dup(stream.fileno()) if stream is not None else -1
        return None if number < 0 else os.fdopen(number, "w", encoding=stream.encoding, errors="backslashreplace")  # type: ignore[union-attr]
    except (OSError, ValueError):
        return None


class _Chatter(io.TextIOBase):
    """A stream for what libraries print: never a terminal, never an error, and at most `MOST_BYTES` a process."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number
        self._left = MOST_BYTES

    def write(self, text: str) -> int:
        """Write at once, as C code does."""
        content = without_secrets(text).encode(self.encoding, self.errors)[: self._left]
        self._left -= len(content)
        with contextlib.suppress(OSError):
            os.write(self._number, content)
        return len(text)

    def writable(self) -> bool:
        """Yes."""
        return True

    def fileno(self) -> int:
        """Number of the file, for subprocesses."""
        return self._number


class _WithoutSecrets(logging.Formatter):
    """Lines and tracebacks without passwords and tokens."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        return without_secrets(super().format(record))


class _ToLog(logging.Handler):
    """Handler that writes another library's messages into the log, and nowhere else."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message, as information: what a library warns of is nothing that a person can mend."""
        _library_log.info("%s: %s", record.name, record.getMessage())


def take_over(*libraries: str) -> None:
    """Send the messages of libraries to the log instead of the terminal, those of diffusers and transformers."""
    for name in libraries:
        log = logging.getLogger(name)
        if not any(isinstance(each, _ToLog) for each in log.handlers):
            log.handlers[:] = [_ToLog()]
            log.propagate = False


def file() -> Path | None:
    """The file that is written now, for "show the log"; None where there is none."""
    names = [item.baseFilename for item in _package_log.handlers if isinstance(item, RotatingFileHandler)]
    return Path(names[0]) if names else None


class ExceptionHook:
    """Every exception that nobody caught, of any thread: logged with its traceback, then shown.

    Args:
        show: Shows the sentence to a person; None writes it to the standard error stream.
    """

    def __init__(self, show: ShowError | None = None) -> None:
        self._show = show or _write_to_terminal
        self._before = (sys.excepthook, threading.excepthook, sys.unraisablehook)

    def install(self) -> None:
        """Take over from Python's own hooks; what destructors raise is logged alone."""
        self._before = (sys.excepthook, threading.excepthook, sys.unraisablehook)
        sys.excepthook = self._uncaught
        threading.excepthook = self._uncaught_in_thread
        sys.unraisablehook = self._unraisable

    def remove(self) -> None:
        """Hand back to the hooks that were there before."""
        sys.excepthook, threading.excepthook, sys.unraisablehook = self._before

    def report(self, error: BaseException) -> None:
        """Log an error with its traceback, then show it; showing may fail, logging has happened by then."""
        _log.critical("Nobody caught this:", exc_info=error)
        written = file()
        where = f" The details are in {written}." if written else ""
        what = without_secrets(f"{type(error).__name__}: {error}")
        sentence = f"Something went wrong inside {identity.NAME} ({what}).{where}"
        try:
            self._show(sentence, error)
        except Exception:
            _log.exception("The error could not be shown:")

    def _uncaught(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if not issubclass(kind, KeyboardInterrupt):  # Ctrl+C is a wish, not a fault
            self.report(error.with_traceback(trace))

    def _uncaught_in_thread(self, happened: threading.ExceptHookArgs) -> None:
        if happened.exc_value is not None and not issubclass(happened.exc_type, SystemExit):
            self.report(happened.exc_value.with_traceback(happened.exc_traceback))

    @staticmethod
    def _unraisable(happened: sys.UnraisableHookArgs) -> None:
        _log.error("Python cannot raise this (%s):", happened.err_msg, exc_info=happened.exc_value)


def _write_to_terminal(sentence: str, error: BaseException) -> None:
    if sys.stderr is not None:  # a windowed program on Windows has none
        sys.stderr.write(f"{sentence}\n")
