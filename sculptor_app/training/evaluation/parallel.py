"""Doing many small pieces of work on all cores, each piece on one."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Piece = TypeVar("Piece")
Result = TypeVar("Result")


class Stopped(Exception):
    """A piece of work ended early, because nobody waits for it any more."""


def in_parallel(
    work: Callable[[Piece], Result],
    pieces: Iterable[Piece],
    workers: int,
    stopped: threading.Event | None = None,
) -> Iterator[Result]:
    """Do pieces of work at the same time, and give the results in the order of the pieces.

    Torch's own threads share each operation, and wait for each other after it. On the small ones that rendering and
    small networks consist of, two threads are hardly faster than one, and with anything else running on the machine
    many times slower; whole pieces in threads of their own lose nothing, and a result does not depend on the number of
    threads.

    Args:
        work: Does a piece; torch computes it in one thread if there is more than one worker.
        pieces: Taken when there is a worker for them, and few in advance.
        workers: Pieces at a time; 1 does them in this thread.
        stopped: Set when the results are not waited for any more, by Ctrl-C for one; `work` may then raise Stopped.

    Yields:
        The results.
    """
    if workers == 1:
        yield from map(work, pieces)
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for the threads that start from now on, too
    pool = ThreadPoolExecutor(workers)
    waiting: deque[Future[Result]] = deque()
    try:
        for piece in pieces:
            waiting.append(pool.submit(work, piece))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        if stopped is not None:
            stopped.set()
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(threads)


def workers_on(device: str) -> int:
    """How many pieces at a time a device does best: on a CPU as many as torch would use threads, on a GPU one."""
    return torch.get_num_threads() if device == "cpu" else 1
