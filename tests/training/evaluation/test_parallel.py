"""Work on all cores."""

import threading
from collections.abc import Iterator

import pytest
import torch

from sculptor_app.training.evaluation.parallel import in_parallel, workers_on


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_come_in_the_order_of_the_pieces(workers: int):
    assert list(in_parallel(lambda n: n * n, range(40), workers)) == [n * n for n in range(40)]


def test_pieces_are_worked_on_at_the_same_time():
    meeting = threading.Barrier(3, timeout=30)  # passes when three wait for each other
    assert len(list(in_parallel(lambda _: meeting.wait(), range(3), 3))) == 3


@pytest.mark.parametrize("workers", [1, 3])
def test_pieces_are_taken_few_in_advance(workers: int):
    taken: list[int] = []

    def pieces() -> Iterator[int]:
        for n in range(100):
            taken.append(n)
            yield n

    results = in_parallel(lambda n: n, pieces(), workers)
    next(results)
    assert len(taken) <= 2 * workers + 1
    results.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_fault_in_a_piece_is_raised_here(workers: int):
    def work(n: int) -> int:
        if n == 3:
            raise ValueError("three")
        return n

    with pytest.raises(ValueError, match="three"):
        list(in_parallel(work, range(50), workers))


def test_torch_computes_a_piece_in_one_thread_and_has_its_threads_back_afterwards():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert set(in_parallel(lambda _: torch.get_num_threads(), range(6), 2)) == {1}
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_work_that_nobody_waits_for_is_told_so():
    stopped = threading.Event()
    results = in_parallel(lambda n: n, range(10), 2, stopped)
    next(results)
    assert not stopped.is_set()
    results.close()
    assert stopped.is_set()


def test_a_gpu_does_one_piece_at_a_time():
    assert workers_on("cuda:0") == workers_on("mps") == 1
    assert workers_on("cpu") == torch.get_num_threads()
