"""The process of the command line: its signals, its end, and the last line of defence.

Whatever nobody caught becomes one sentence and an exit code.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from sculptor_app.commands import terminal

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_NO_MEMORY = (
    "cannot allocate memory",
    "failed to map segment",
    "can't start new thread",
    "bad_alloc",
    "not enough memory",
)
_TOO_LITTLE = (
    "There is too little memory for this. Close other programs, or raise the limit that this one was started with "
    "(`ulimit -v unlimited`)."
)
_NO_ROOM = "There is no room for what the program writes while it works. Free some space,"
_FULL = {
    errno.ENOSPC: "and try again.",
    getattr(errno, "EDQUOT", errno.ENOSPC): "and try again.",
    errno.EFBIG: "or raise the limit of a file's size (`ulimit -f unlimited`).",
}
_ended_by = 0
"""Number of the signal that ends the process; 0 before."""


def carry_out(work: Callable[[], int]) -> int:
    """Do the work of the process; whatever nobody caught becomes one sentence and an exit code.

    A signal ends the process at once, as an exception in the middle of an import can make C code abort, unless the work
    says otherwise (`interruptible`, `terminal.stop_on_signal`).
    """
    _handle_signals(_leave)
    _hold_standard_streams()
    try:
        _silence_python()
        code = work()
    except SystemExit as left:
        code = left.code if isinstance(left.code, int) else 0 if left.code is None else terminal.UNEXPECTED
    except BaseException as error:
        code = explained(error)
    return _flushed(code)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let a signal raise `KeyboardInterrupt` within the block, so that files in the making go; a second one leaves."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    _handle_signals(_interrupt)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in before.items():
                signal.signal(number, handler)


def _handle_signals(handler: Callable[[int, FrameType | None], Any]) -> None:
    if threading.current_thread() is not threading.main_thread():
        return
    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and not (name == "SIGHUP" and signal.getsignal(number) is signal.SIG_IGN):  # nohup
            signal.signal(number, handler)


def _leave(number: int, _: FrameType | None) -> None:
    with contextlib.suppress(Exception):  # a stream that is being written to
        terminal.say("Interrupted.", terminal.stderr())
    os._exit(128 + number)


def _interrupt(number: int, _: FrameType | None) -> None:
    global _ended_by
    if _ended_by:
        os._exit(128 + number)
    _ended_by = number
    raise KeyboardInterrupt


def _hold_standard_streams() -> None:
    """Open the null device where a standard stream is closed: the next file would take its number."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _silence_python() -> None:
    """Send what Python itself would print of threads, destructors and the end of the process to the log."""

    def log(error: BaseException | None) -> None:
        import logging

        if error is not None and not isinstance(error, KeyboardInterrupt | SystemExit):
            logging.getLogger("sculptor_app").error("Nobody caught this:", exc_info=error)

    sys.excepthook = lambda _, error, __: log(error)
    threading.excepthook = lambda happened: log(happened.exc_value)
    sys.unraisablehook = lambda happened: log(happened.exc_value)


def explained(error: BaseException) -> int:
    """The exit code of an error that nobody caught, after one sentence about it on the error stream."""
    if _ended_by or isinstance(error, KeyboardInterrupt):
        terminal.say("Interrupted.", terminal.stderr())
        return interrupted_code()
    if isinstance(error, BrokenPipeError):  # whoever read the output has gone, as `| head` does
        return terminal.DONE
    try:
        sentence, code = _sentence(error)
    except Exception:  # too little memory even for that, or what writes the log is missing itself
        sentence, code = _part_missing(error) if isinstance(error, ImportError) else _TOO_LITTLE, terminal.UNEXPECTED
    terminal.say(sentence, terminal.stderr())
    return code


def interrupted_code() -> int:
    """The exit code after a `KeyboardInterrupt`: that of the signal behind it."""
    return 128 + (_ended_by or signal.SIGINT)


def _sentence(error: BaseException) -> tuple[str, int]:
    if isinstance(error, terminal.OutputFailed):
        return f"The output could not be written ({error}).", terminal.NOT_WRITTEN
    is_out_of_memory = isinstance(error, OSError) and error.errno == errno.ENOMEM
    if isinstance(error, MemoryError) or is_out_of_memory or any(word in str(error).lower() for word in _NO_MEMORY):
        return _TOO_LITTLE, terminal.UNEXPECTED
    if isinstance(error, FileNotFoundError) and "temporary directory" in str(error):  # tempfile's own words
        return f"{_NO_ROOM} or name another folder with TMPDIR.", terminal.NOT_WRITTEN
    if isinstance(error, OSError) and error.errno in _FULL:
        return f"{_NO_ROOM} {_FULL[error.errno]}", terminal.NOT_WRITTEN
    from sculptor_app.core.errors import SculptorError

    if isinstance(error, SculptorError):
        from sculptor_app.commands.saving import code_of

        return str(error), code_of(error)
    from sculptor_app.resources import ResourceError

    if isinstance(error, ResourceError):
        return str(error), terminal.UNEXPECTED
    from sculptor_app import logs

    written = logs.file() or logs.start()
    where = f" The details are in {written}." if written is not None else ""
    import logging

    logging.getLogger("sculptor_app").critical("Nobody caught this:", exc_info=error)
    if isinstance(error, ImportError):
        return _part_missing(error) + where, terminal.UNEXPECTED
    return f"Something went wrong inside Sculptor ({type(error).__name__}: {error}).{where}", terminal.UNEXPECTED


def _part_missing(error: ImportError) -> str:
    return f"A part of the program cannot be loaded ({error}). `sh packaging/start.sh` installs what is missing."


def _flushed(code: int) -> int:
    """The exit code once all output has left the process; Python would complain about a full disk after its end."""
    for stream in {id(each): each for each in (terminal.stdout(), terminal.stderr(), sys.stdout, sys.stderr)}.values():
        if stream is None:
            continue
        try:
            stream.flush()
        except BrokenPipeError:
            _discard(stream)
        except (OSError, ValueError) as error:
            _discard(stream)
            if stream is not terminal.stderr() and code == terminal.DONE:
                code = explained(terminal.OutputFailed(getattr(error, "strerror", None) or error))
    return code


def _discard(stream: Any) -> None:
    """Let what a stream still holds go nowhere."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
    except (OSError, ValueError):
        pass
