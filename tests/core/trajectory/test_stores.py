"""Frames within a byte budget: the same frames come back wherever they are kept."""

import errno
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.errors import TrajectoryStorageError
from sculptor_app.core.trajectory import array_store
from sculptor_app.core.trajectory.array_store import FrameStore

SHAPE = (3, 4, 5)
FRAME_BYTES = 3 * 4 * 5 * 4


def frame(number: int) -> np.ndarray:
    return np.full(SHAPE, number, np.float32)


def filled(count: int, budget_bytes: int, folder: Path) -> FrameStore:
    store = FrameStore(SHAPE, budget_bytes, folder)
    assert [store.append(frame(number)) for number in range(count)] == list(range(count))
    return store


@given(st.integers(1, 40), st.integers(0, 30))
def test_every_frame_comes_back(tmp_path: Path, count: int, most: int) -> None:
    store = filled(count, most * FRAME_BYTES, tmp_path)
    assert len(store) == count
    assert store.bytes_in_memory == min(count, max(most, 1)) * FRAME_BYTES
    assert store.bytes_in_memory + store.bytes_on_disk == count * FRAME_BYTES
    for number in range(count):
        np.testing.assert_array_equal(store[number], frame(number))
    store.close()


def test_spilled_frames_are_readable_while_the_file_grows(tmp_path: Path) -> None:
    store = FrameStore(SHAPE, FRAME_BYTES, tmp_path)
    for number in range(200):  # over several pages of memory
        store.append(frame(number))
        for earlier in (0, number // 2, max(number - 1, 0), number):
            np.testing.assert_array_equal(store[earlier], frame(earlier))
    store.close()


def test_frames_are_read_only_wherever_they_are(tmp_path: Path) -> None:
    store = filled(4, 2 * FRAME_BYTES, tmp_path)
    for number in range(4):
        with pytest.raises(ValueError, match="read-only"):
            store[number][0, 0, 0] = 1
    store.close()


def test_nothing_is_written_within_the_budget(tmp_path: Path) -> None:
    store = filled(5, 5 * FRAME_BYTES, tmp_path / "spill")
    assert store.bytes_on_disk == 0
    assert not (tmp_path / "spill").exists()
    store.close()


def test_no_file_is_left_and_frames_in_hand_stay_valid(tmp_path: Path) -> None:
    store = filled(6, 2 * FRAME_BYTES, tmp_path)
    spilled, kept = store[1], store[5]
    store.close()
    store.close()
    assert list(tmp_path.iterdir()) == []
    np.testing.assert_array_equal(spilled, frame(1))
    np.testing.assert_array_equal(kept, frame(5))
    assert store.bytes_in_memory == store.bytes_on_disk == len(store) == 0


def test_full_disk_keeps_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(5, 3 * FRAME_BYTES, tmp_path)

    def refuse(file: Any, content: memoryview) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(array_store, "write_all", refuse)
        with pytest.raises(TrajectoryStorageError, match=r"No space left on device\)\. Free some disk space"):
            store.append(frame(5))
    assert len(store) == 5
    for number in range(5):
        np.testing.assert_array_equal(store[number], frame(number))
    assert store.append(frame(5)) == 5  # room again
    store.close()


def test_a_disk_that_takes_a_part_is_full_when_it_takes_nothing() -> None:
    class Disk:
        room = 10

        def write(self, content: memoryview) -> int:
            taken = min(len(content), self.room)
            self.room -= taken
            return taken

    array_store.write_all(Disk(), memoryview(bytes(10)))  # type: ignore[arg-type]
    with pytest.raises(OSError, match="no more"):
        array_store.write_all(Disk(), memoryview(bytes(11)))  # type: ignore[arg-type]


def test_unwritable_folder_is_told_plainly(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, no folder")
    store = filled(1, FRAME_BYTES, tmp_path / "taken")
    with pytest.raises(TrajectoryStorageError, match="taken"):
        store.append(frame(1))
    store.close()


def test_another_shape_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"shape \(1, 2, 2\)"):
        FrameStore(SHAPE, 10**6, tmp_path).append(np.zeros((1, 2, 2), np.float32))


def test_readers_see_whole_frames_while_they_move_to_disk(tmp_path: Path) -> None:
    store = FrameStore(SHAPE, 3 * FRAME_BYTES, tmp_path)
    store.append(frame(0))
    wrong: list[int] = []
    done = threading.Event()

    def read() -> None:
        generator = np.random.default_rng(0)
        while not done.is_set():
            number = int(generator.integers(len(store)))
            if not (store[number] == number).all():
                wrong.append(number)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(1, 400):
        store.append(frame(number))
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    store.close()
