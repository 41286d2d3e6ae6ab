"""The command line: exit codes, a parser that answers a mistake in one sentence, messages, progress bars and signals.

A Windows program without a console has no streams: then nothing is written.
"""

import argparse
import math
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TextIO

from sculptor_app.core.files import typed_path
from sculptor_app.core.texts import decimal_text, harmless, without_secrets

DONE = 0
UNEXPECTED = 1
BAD_INPUT = 2
NO_MODEL = 3
RUN_FAILED = 4
NOT_WRITTEN = 5
INTERRUPTED = 130

EXPLAINED = """exit codes:
  0    done
  1    the window cannot be opened, or a fault that nobody foresaw
  2    bad input: an option's value, a device or a target that is not there
  3    the model cannot be loaded
  4    the run failed
  5    a file could not be written
  130  interrupted with Ctrl-C (143: ended by a TERM signal)
"""

_ARGUMENT = re.compile(r"^argument [^:]*: (?=[A-Z])")  # before a sentence of ours, which names the thing itself


MOST_ERROR = 4_000
"""Letters that are written about one fault."""
MOST_ARGUMENT = 300
"""Letters of a sentence about an argument."""
_kept: dict[str, TextIO | None] = {}


class OutputFailed(Exception):
    """The output stream took no more; holds the system's reason."""


def stdout() -> TextIO | None:
    """The output stream, which libraries cannot write to once `keep_streams` was called; None where there is none."""
    return _kept["out"] if _kept else sys.stdout


def stderr() -> TextIO | None:
    """The error stream; as `stdout`."""
    return _kept["err"] if _kept else sys.stderr


def keep_streams() -> None:
    """Keep both streams for this program: what libraries print, and C code writes, goes to a log from now on."""
    from sculptor_app import logs

    if not _kept:
        logs.start()
        _kept["out"], _kept["err"] = logs.divert_libraries()


def say(text: str, stream: TextIO | None) -> None:
    """Write a line or several, if there is somewhere to write; control characters are made harmless, secrets left out.

    What is told of a fault is bounded, and an error stream that takes nothing is let be.

    Raises:
        OutputFailed: The output stream took it not; `BrokenPipeError` where its reader has gone.
    """
    if stream is None:
        return
    is_output = stream is stdout()
    text = without_secrets(text)
    text = harmless(text, len(text) if is_output else MOST_ERROR)
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()
    except BrokenPipeError:
        if is_output:
            raise
    except (OSError, ValueError) as error:  # ValueError: it is closed
        if is_output:
            raise OutputFailed(getattr(error, "strerror", None) or str(error)) from error


LEAST_ADDRESSES = 1 << 30
"""Bytes of addresses for a command that computes; with fewer, torch aborts the process without a word."""


def require_addresses(least: int) -> None:
    """Raise `MemoryError` if this process may have fewer bytes of addresses, as by `ulimit -v`."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < least:
        raise MemoryError


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person looks at the stream."""
    return stream is not None and not stream.closed and stream.isatty()


class ProgressBar:
    """A bar on the error stream if that is a terminal; silent otherwise.

    Args:
        is_scaled: whether the steps are counted in thousands and millions.
    """

    def __init__(self, what: str, total: int, unit: str, is_scaled: bool = False) -> None:
        from tqdm import tqdm

        self._bar: Any = tqdm(
            desc=what, total=total, unit=unit, file=stderr(), disable=not is_terminal(stderr()), dynamic_ncols=True,
            leave=False, unit_scale=is_scaled,
        )  # fmt: skip

    def plan(self, total: int) -> None:
        """Show that so much is to be done."""
        if self._bar.total != total:
            self._bar.total = total
            self._bar.refresh()

    def move_to(self, done: int) -> None:
        """Show that so much is done."""
        self._bar.update(done - self._bar.n)

    def say(self, what: object) -> None:
        """Show beside it what is being done meanwhile; nothing where it goes on by itself."""
        self._bar.set_postfix_str(str(what))

    def note(self, sentences: Iterable[str]) -> None:
        """Write sentences above the bar."""
        if sentences := tuple(sentences):
            self._bar.clear()
            for sentence in sentences:
                say(sentence, stderr())
            self._bar.refresh()

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


class Interruption:
    """A request to stop: `event` is set, and `code` says with which exit code to leave."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.code = 0
        self._leaves_at_once = False

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let a signal end the process within the block, which imports for seconds and holds nothing to tidy up."""
        self._leaves_at_once = True
        try:
            yield
        finally:
            self._leaves_at_once = False

    def ask(self, number: int) -> None:
        """Take a signal by its number."""
        self.code = 128 + number
        self.event.set()
        if self._leaves_at_once:
            say("Interrupted; nothing was written.", stderr())
            os._exit(self.code)


@contextmanager
def stop_on_signal(patient: bool = False) -> Iterator[Interruption]:
    """Turn Ctrl-C, and a TERM signal, into an event that is looked at between steps; a second one ends at once.

    Args:
        patient: A second one means nothing: of several processes each gets the terminal's signal and the launcher's.
    """
    interruption = Interruption()

    def ask(number: int, _: FrameType | None) -> None:
        if interruption.event.is_set() and not patient:
            raise KeyboardInterrupt
        interruption.ask(number)

    if threading.current_thread() is not threading.main_thread():  # only the main thread receives signals
        yield interruption
        return
    numbers = {signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}  # Windows has no SIGHUP
    before = {n: signal.signal(n, ask) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Parser(argparse.ArgumentParser):
    """An argument parser that says what is wrong and where help is, instead of printing its whole usage."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, in one line, and leave."""
        sentence = harmless(" ".join(_ARGUMENT.sub("", message).split()), MOST_ARGUMENT)
        sentence = sentence[:1].upper() + sentence[1:]
        say(f"{sentence.rstrip('.')}. `{self.prog} --help` lists what is known.", stderr())
        raise SystemExit(BAD_INPUT)

    def _print_message(self, message: str, file: Any = None) -> None:
        """Write help and version; argparse's own way lets a full disk pass for success."""
        say(message.rstrip("\n"), stdout())


def file_path(text: str) -> Path:
    """A converter for argparse: the path of a file or folder, "~" for the home, never empty."""
    try:
        return typed_path(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def model_address(text: str) -> str:
    """A converter for argparse: a model's folder, file, name or address as it was typed, never empty."""
    file_path(text)
    return text


def whole_number(name: str, low: int, high: int) -> Callable[[str], int]:
    """A converter for argparse: a whole number within bounds.

    Args:
        name: what the number is, as in "The number of steps is …".
    """

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"The {name} is {_short(text)}; choose a whole number, {low} to {high}")
        return value

    return convert


def number(name: str, low: float, high: float) -> Callable[[str], float]:
    """A converter for argparse: a number within bounds."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f"The {name} is {_short(text)}; choose a number, {decimal_text(low)} to {decimal_text(high)}"
            )
        return value

    return convert


class OneOf(argparse.Action):
    """One of some words; argparse's own message about it is hard to read."""

    def __init__(
        self, option_strings: Sequence[str], dest: str, known: Sequence[str], name: str,
        metavar: str = "", **others: Any,
    ) -> None:  # fmt: skip
        super().__init__(option_strings, dest, metavar=metavar or "|".join(known), **others)
        self._known, self._name = tuple(known), name

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Store the word, or refuse it."""
        if values not in self._known:
            parser.error(f"The {self._name} {_short(values)} is not known; choose one of {', '.join(self._known)}")
        setattr(namespace, self.dest, values)


def _short(text: str) -> str:
    """What was typed, bare if it is a number, and not all of it if it is long."""
    shown = text if len(text) <= 30 else text[:30] + "…"
    return shown if re.fullmatch(r"[-+]?[\d.]+…?", shown) else repr(shown)
