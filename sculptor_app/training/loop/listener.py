"""The listener of a training run: messages, progress and reports; a command or a window shows them."""

from __future__ import annotations

from types import TracebackType

from sculptor_app.training.loop.events import Stepped
from sculptor_app.training.loop.report import Report


class RunListener:
    """A listener that shows nothing; the context is open while the run takes steps."""

    def __enter__(self) -> RunListener:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """The steps are over."""

    def message(self, sentence: str) -> None:
        """A sentence about the run."""

    def stepped(self, step: Stepped) -> None:
        """Where the run is after a step."""

    def report(self, report: Report) -> None:
        """The losses since the report before."""
