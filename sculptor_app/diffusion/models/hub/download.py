"""Fetching a model from the Hugging Face hub into its cache, piece by piece."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.texts import byte_text
from sculptor_app.diffusion.models.hub import cache
from sculptor_app.diffusion.models.hub.errors import DownloadFailed, told
from sculptor_app.diffusion.models.hub.file_download import fetch_file
from sculptor_app.diffusion.models.hub.offer import Offer

Progress = Callable[[int, int], None]
"""Is told how many bytes of how many are there."""


def download(what: Offer, progress: Progress | None = None, stop: threading.Event | None = None) -> Path:
    """Fetch what was offered into the cache.

    Args:
        what: From `offer`.
        progress: Told at every piece.
        stop: Ends it at the next piece; what was fetched stays, and is gone on with.

    Returns:
        The folder, as `hub.find_cached` finds it from now on.

    Raises:
        Cancelled: It was stopped.
        DownloadFailed: The network or the disk failed.
    """
    if what.missing_bytes > what.free_bytes:
        raise DownloadFailed(
            f"{what.name} takes {byte_text(what.missing_bytes)} more, and the disk of {what.cache} has "
            f"{byte_text(what.free_bytes)} left.",
            "Free some space, or set HF_HOME to a folder on another disk.",
        )
    counter = _Counter(what.total_bytes, progress or (lambda *_: None), stop)
    with told(what.name, what.cache):
        for file, size in what.files:
            counter.begin(size)
            fetch_file(what, file, size, counter.add)
            counter.end()
        cache.note_main(what.name, what.commit, what.cache)
    return what.folder


class _Counter:
    """Adds up pieces of files; raises `Cancelled` when it is asked to stop."""

    def __init__(self, total: int, progress: Progress, stop: threading.Event | None) -> None:
        self._total, self._progress, self._stop = total, progress, stop
        self._whole = self._size = self._piece = 0
        self.add(0)

    def begin(self, size: int) -> None:
        """A file begins."""
        self._size, self._piece = size, 0
        self.add(0)

    def add(self, count: int) -> None:
        """So many bytes more of the file are there."""
        self._end_if_stopped()
        self._piece = min(self._size, max(0, self._piece + count))
        self._progress(self._whole + self._piece, self._total)
        self._end_if_stopped()  # the next piece may be long in coming

    def _end_if_stopped(self) -> None:
        if self._stop is not None and self._stop.is_set():
            raise Cancelled

    def end(self) -> None:
        """The file is whole, whether it was fetched or had been there."""
        self._whole, self._size, self._piece = self._whole + self._size, 0, 0
        self.add(0)
