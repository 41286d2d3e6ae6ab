"""The command line: exit codes, a parser that answers a mistake in one sentence, messages, progress bars and signals.

A Windows program without a console has no streams: then nothing is written.
"""

import argparse
import math
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, TextIO

from sculptor_app.core.texts import decimal_text

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


def say(text: str, stream: TextIO | None) -> None:
    """Write a line, if there is somewhere to write it."""
    if stream is not None:
        stream.write(text + "\n")
        stream.flush()


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person looks at the stream."""
    return stream is not None and stream.isatty()


class ProgressBar:
    """A bar on the error stream if that is a terminal; silent otherwise.

    Args:
        is_scaled: whether the steps are counted in thousands and millions.
    """

    def __init__(self, what: str, total: int, unit: str, is_scaled: bool = False) -> None:
        from tqdm import tqdm

        self._bar: Any = tqdm(
            desc=what, total=total, unit=unit, file=sys.stderr, disable=not is_terminal(sys.stderr), dynamic_ncols=True,
            leave=False, unit_scale=is_scaled,
        )  # fmt: skip

    def move_to(self, done: int) -> None:
        """Show that so much is done."""
        self._bar.update(done - self._bar.n)

    def say(self, what: object) -> None:
        """Show beside it what is being done meanwhile; nothing where it goes on by itself."""
        self._bar.set_postfix_str(str(what))

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


class Interruption:
    """A request to stop: `event` is set, and `code` says with which exit code to leave."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.code = 0


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
        interruption.code = 128 + number
        interruption.event.set()

    if threading.current_thread() is not threading.main_thread():  # only the main thread receives signals
        yield interruption
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Parser(argparse.ArgumentParser):
    """An argument parser that says what is wrong and where help is, instead of printing its whole usage."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, in one line, and leave."""
        sentence = _ARGUMENT.sub("", message)
        sentence = sentence[:1].upper() + sentence[1:]
        say(f"{sentence.rstrip('.')}. `{self.prog} --help` lists what is known.", sys.stderr)
        raise SystemExit(BAD_INPUT)


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
