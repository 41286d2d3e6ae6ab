"""The listener of an evaluation: messages and progress; a command shows them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext


class EvaluationListener:
    """A listener that shows nothing."""

    def message(self, sentence: str) -> None:
        """A sentence about what goes on."""

    def progress(self, title: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """A context in which pictures are made or compared.

        Args:
            title: What goes on.
            total: Pictures in all.

        Returns:
            The context gives a function that is called with the number of pictures that are done.
        """
        return nullcontext(lambda done: None)
