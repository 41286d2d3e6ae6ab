"""Journals: what a run recorded is read again whatever became of its process, up to the last whole step."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sculptor_app.core.errors import TrajectoryFileError
from sculptor_app.core.trajectory import array_store, journal
from sculptor_app.core.trajectory.base import AnyTrajectory
from sculptor_app.core.trajectory.file import open_run, write_run
from sculptor_app.core.trajectory.journal import Journal, leftovers, new_journal, open_journal
from sculptor_app.core.trajectory.trajectory import Trajectory
from tests.helpers.runs import made_run, solid

ROOT = Path(__file__).parents[3]


def begun(folder: Path) -> Journal:
    made = new_journal(folder)
    assert made is not None
    return made


def journaled(folder: Path, **made: object) -> tuple[Trajectory, Path]:
    """A run with its journal, and where that is."""
    kept = begun(folder)
    return made_run(**{"steps": 6, "journal": kept} | made), kept.path


def assert_same(one: AnyTrajectory, other: AnyTrajectory, last: int) -> None:
    """As far as state `last`."""
    assert (one.info, one.levels, one.shape) == (other.info, other.levels, other.shape)
    for name in ("start_picture", "start_noise"):
        np.testing.assert_array_equal(getattr(one, name)(), getattr(other, name)())
    for k in range(last + 1):
        for name in ("state", "guess", "guess_unconditional", "guess_conditional", "returned"):
            mine, theirs = getattr(one, name)(k), getattr(other, name)(k)
            assert (mine is None) == (theirs is None), (name, k)
            assert mine is None or np.array_equal(mine, theirs), (name, k)
        assert k == 0 or one.step(k) == other.step(k)


@pytest.mark.parametrize(
    "made",
    [
        {},
        {"guidance": 3.0},
        {"guesses": False},
        {"taken": 2},
        {"channels": 4, "space": "latents"},
        {"start_picture": solid(16, 3)},
        {"start_picture": solid(16, 3), "start_noise": solid(16, 3) / 3},
    ],
)
def test_everything_is_read_again(tmp_path: Path, made: dict[str, object]) -> None:
    run, path = journaled(tmp_path, **made)
    again = open_journal(path)
    assert again.last == run.last
    assert_same(again, run, run.last)
    assert bool(again.ended) == (not run.is_complete)
    run.close()


def test_a_damaged_beginning_leaves_a_run_that_can_be_saved(tmp_path: Path) -> None:
    picture = np.full((3, 16, 16), 0.123, np.float32)
    run, path = journaled(tmp_path, start_picture=picture.copy())
    content = path.read_bytes()
    path.write_bytes(content.replace(picture.tobytes(), picture.tobytes()[::-1]))
    again = open_journal(path)
    assert again.start_picture() is None
    with (tmp_path / "x.sculpt").open("w+b") as file:
        write_run(file, again)
    assert open_run(tmp_path / "x.sculpt").last == run.last


def test_it_grows_step_by_step(tmp_path: Path) -> None:
    kept = begun(tmp_path)
    found = []

    class Watched(Trajectory):
        def append(self, step: object) -> None:
            super().append(step)
            found.append(open_journal(kept.path).last)

    from tests.helpers import runs

    original, runs.Trajectory = runs.Trajectory, Watched
    try:
        made_run(steps=4, journal=kept)
    finally:
        runs.Trajectory = original
    assert found == [1, 2, 3, 4]


def test_frames_beyond_the_memory_are_read_from_it(tmp_path: Path) -> None:
    """The journal is the file that they are spilled to: there is no second one."""
    whole = made_run(steps=12)
    run, path = journaled(tmp_path / "journals", steps=12, budget_bytes=1, spill_folder=tmp_path / "spill")
    assert run.bytes_in_memory == 3 * 16 * 16 * 4
    assert run.bytes_on_disk == 24 * 3 * 16 * 16 * 4
    assert not (tmp_path / "spill").exists()
    assert_same(run, whole, 12)
    run.finish_journal()
    assert not path.exists() or os.name != "posix"
    assert_same(run, whole, 12)  # as long as the run is there
    state = run.state(3)
    run.close()
    assert np.array_equal(state, whole.state(3))
    assert not path.exists()


def test_a_run_that_ended_well_leaves_nothing(tmp_path: Path) -> None:
    run, _ = journaled(tmp_path)
    run.finish_journal()
    run.close()
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_ended_and_is_in_memory_takes_no_room_on_the_disk(tmp_path: Path) -> None:
    kept = begun(tmp_path / "journals")
    run = made_run(steps=6, journal=kept, spill_folder=tmp_path / "spill")
    run.finish_journal()
    assert kept._file is None
    assert_same(run, made_run(steps=6), 6)
    run.shrink(1)  # what goes out of memory later goes where it always did
    assert (tmp_path / "spill").exists()
    assert_same(run, made_run(steps=6), 6)
    run.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[AnyTrajectory, bytes]:
    run, path = journaled(tmp_path_factory.mktemp("whole"), size=8, guidance=2.0)
    return run, path.read_bytes()


@settings(deadline=None, max_examples=150)
@given(share=st.floats(0, 1))
def test_what_is_cut_off_is_read_up_to_the_last_whole_step(
    tmp_path_factory: pytest.TempPathFactory, whole: tuple[AnyTrajectory, bytes], share: float
) -> None:
    run, content = whole
    path = tmp_path_factory.mktemp("cut") / "x.journal"
    path.write_bytes(content[: int(share * len(content))])
    try:
        again = open_journal(path)
    except TrajectoryFileError:
        assert share < 0.3  # there is no state yet
        return
    assert again.last <= int(share * 6 + 0.5) + 1
    assert_same(again, run, again.last)
    again.close()


@settings(deadline=None, max_examples=200)
@given(place=st.floats(0, 1), bit=st.integers(0, 7), zeros=st.integers(0, 600))
def test_what_is_damaged_is_never_shown(
    tmp_path_factory: pytest.TempPathFactory, whole: tuple[AnyTrajectory, bytes], place: float, bit: int, zeros: int
) -> None:
    """A bit that flips, or a stretch that never reached the disk: the steps before it are what they were."""
    run, content = whole
    damaged = bytearray(content)
    at = min(int(place * len(content)), len(content) - 1)
    damaged[at] ^= 1 << bit
    damaged[at + 1 : at + 1 + zeros] = bytes(len(damaged[at + 1 : at + 1 + zeros]))
    path = tmp_path_factory.mktemp("damaged") / "x.journal"
    path.write_bytes(damaged)
    try:
        again = open_journal(path)
    except TrajectoryFileError:
        return
    for k in range(again.last + 1):
        for name in ("state", "guess"):
            try:
                frame = getattr(again, name)(k)
            except TrajectoryFileError:
                continue
            assert frame is None or np.array_equal(frame, getattr(run, name)(k))
    again.close()


@pytest.mark.parametrize("content", [b"", b"no journal at all", b"FRAM" + bytes(12) + b"RUN ", os.urandom(4096)])
def test_what_is_none_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.journal"
    path.write_bytes(content)
    with pytest.raises(TrajectoryFileError):
        open_journal(path)


def test_a_full_disk_ends_the_journal_and_not_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = [40_000]
    write_all = array_store.write_all

    def full(file: object, content: memoryview) -> None:
        room[0] -= len(content)
        if room[0] < 0:
            raise OSError(28, "No space left on device")
        write_all(file, content)

    monkeypatch.setattr(journal, "write_all", full)
    run, path = journaled(tmp_path, steps=20)
    assert_same(run, made_run(steps=20), 20)
    kept = open_journal(path)
    assert 1 <= kept.last < 20
    assert_same(kept, run, 0)
    for k in range(1, kept.last + 1):
        assert np.array_equal(kept.state(k), run.state(k))


def test_steps_that_are_counted_as_they_come(tmp_path: Path) -> None:
    run, path = journaled(tmp_path, steps=8, taken=3)
    run.plan_again(3)
    again = open_journal(path)
    assert (again.planned_steps, again.is_complete, again.ended) == (3, True, "")


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    _, path = journaled(tmp_path / "journals")
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_without_a_folder_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("")
    assert new_journal(tmp_path / "in the way" / "journals") is None


# Leftovers ------------------------------------------------------------------------------------------------------------

PROGRAM = """
import os, signal, sys
from pathlib import Path
from sculptor_app.core.trajectory.journal import new_journal
from sculptor_app.core.trajectory.trajectory import Trajectory
from tests.helpers import runs

class Killed(Trajectory):
    def append(self, step):
        super().append(step)
        if step.number == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)

runs.Trajectory = Killed
runs.made_run(steps=9, journal=new_journal(Path(sys.argv[1])))
"""


@pytest.mark.skipif(os.name != "posix", reason="there are no signals")
@pytest.mark.parametrize("step", [1, 5, 9])
def test_a_killed_run_is_found_again(tmp_path: Path, step: int) -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM, tmp_path, str(step)], cwd=ROOT)
    assert ended.returncode == -signal.SIGKILL
    (path,) = leftovers(tmp_path)
    again = open_journal(path)
    assert again.last == step
    assert_same(again, made_run(steps=9), step)


def test_what_a_living_process_writes_is_no_leftover(tmp_path: Path) -> None:
    run, path = journaled(tmp_path)
    assert leftovers(tmp_path) == []
    assert path.exists()
    run.close()


def left(folder: Path, name: str, age_days: float = 0, content: bytes | None = None) -> Path:
    """A journal without a process."""
    run, path = journaled(folder, size=8)
    target = folder / f"run-{name}-999999999.journal"
    target.write_bytes(path.read_bytes() if content is None else content)
    run.finish_journal()
    run.close()
    then = time.time() - age_days * 24 * 3600
    os.utime(target, (then, then))
    return target


def test_leftovers_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [left(tmp_path, f"{number:020d}") for number in range(7)]
    old, empty = (
        left(tmp_path, "00000000000000000099", age_days=20),
        left(tmp_path, "00000000000000000098", content=b"x"),
    )
    assert leftovers(tmp_path) == paths[:1:-1]
    assert [path.exists() for path in (*paths[:2], old, empty)] == [False] * 4
    monkeypatch.setattr(journal, "MOST_KEPT_BYTES", 2 * paths[6].stat().st_size)
    assert leftovers(tmp_path) == [paths[6], paths[5]]
    assert leftovers(tmp_path / "nowhere") == []
