"""Telling how a run goes: a bar on a terminal, lines in a pipe, and nothing can stop the run by not listening."""

from __future__ import annotations

import contextlib
import sys
from types import TracebackType
from typing import Any, TextIO

from tqdm import tqdm

from sculptor_app.commands.terminal import is_terminal
from sculptor_app.training.loop.pace import duration
from sculptor_app.training.loop.report import Report

BAR = "Learning {percentage:3.0f}%|{bar}| {desc}"


class Progress:
    """Where a run's words go.

    Args:
        out: Sentences, and in a pipe the reports; None for nowhere.
        err: The bar, if it is a terminal; None for nowhere.
    """

    def __init__(self, out: TextIO | None, err: TextIO | None) -> None:
        self._out, self._err = out, err
        self._bar: Any = None
        self._levels: Any = None

    @classmethod
    def of_process(cls, first: bool) -> Progress:
        """The streams of this process if it speaks for all of a run, else none."""
        return cls(sys.stdout, sys.stderr) if first else cls(None, None)

    def __enter__(self) -> Progress:
        if is_terminal(self._err):
            self._bar = tqdm(total=1.0, bar_format=BAR, file=self._err, dynamic_ncols=True, mininterval=0.2, miniters=0)
            self._levels = tqdm(bar_format="{desc}", file=self._err, position=1, leave=False)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for bar in (self._levels, self._bar):
            if bar is not None:
                bar.close()
        self._bar = self._levels = None

    def say(self, sentence: str) -> None:
        """Write a line; a reader that has gone, as `| head` does, is no reason to stop."""
        if self._out is None:
            return
        encoding = self._out.encoding or "utf-8"
        printable = sentence.encode(encoding, "replace").decode(encoding)  # names of files hold any letters
        with contextlib.suppress(OSError, ValueError):
            tqdm.write(printable, file=self._out)  # above the bars that are there
            self._out.flush()

    def move_to(self, share: float, seen: int, rate: float, loss: float, left_s: float) -> None:
        """Show where the run is.

        Args:
            share: Of the run, 0 to 1.
            seen: Pictures.
            rate: Pictures per second.
            loss: Mean since the last report.
            left_s: Seconds until the end.
        """
        if self._bar is None:
            return
        text = f"{seen:,} pictures, {rate:.1f}/s, loss {loss:.4f}, {duration(left_s)} left"
        self._bar.set_description_str(text, refresh=False)
        self._bar.update(share - self._bar.n)

    def report(self, report: Report) -> None:
        """Show a report: the loss per noise level below the bar, or all of it as a line where there is no terminal."""
        if self._levels is not None:
            self._levels.set_description_str(report.levels())
        if not (self._bar is not None and is_terminal(self._out)):
            self.say(report.line())
