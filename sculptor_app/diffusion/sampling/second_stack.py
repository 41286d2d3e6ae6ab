"""A second stack in the same thread, for a call that is to be left in the middle and gone on with later."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
from greenlet import getcurrent, greenlet

from sculptor_app.core.errors import Cancelled


class SecondStack:
    """Runs a function up to each item that it hands over; torch's grad mode belongs to each side.

    Args:
        function: Is called at the first `resume`, in the thread that calls it; hands items over with `hand_over`.
    """

    def __init__(self, function: Callable[[], object]) -> None:
        self._worker: Any = greenlet(function)

    @property
    def is_over(self) -> bool:
        """Whether the function has returned or raised."""
        return bool(self._worker.dead)

    def resume(self, error: BaseException | None = None) -> Any:
        """Let the function run on until it hands something over or ends.

        Args:
            error: Is raised in the function where it stands.

        Returns:
            What it handed over, or returned.
        """
        self._worker.parent = getcurrent()  # whoever asks for the next item, which may change
        grad = torch.is_grad_enabled()
        try:
            return self._worker.switch() if error is None else self._worker.throw(error)
        finally:
            torch.set_grad_enabled(grad)

    def close(self) -> None:
        """End the function where it stands, if it has not ended."""
        if not self.is_over:
            with contextlib.suppress(Cancelled):
                self.resume(Cancelled())


def hand_over(item: object) -> None:
    """In the function of a SecondStack: give an item to whoever resumed it, and wait until it is resumed again."""
    grad = torch.is_grad_enabled()
    getcurrent().parent.switch(item)
    torch.set_grad_enabled(grad)  # the other side has its own
