"""The library's files: what is kept, for how long, under which name, and what comes back."""

import os
import stat
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.errors import Cancelled, TrajectoryFileError
from sculptor_app.core.trajectory.file import open_run
from sculptor_app.core.trajectory.library import REMOVED, Library, check_name
from tests.helpers.runs import made_run

ROOM = 10**7


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "library", ROOM)


def keep(library: Library, **run: int) -> Path:
    path = library.keep(made_run(**run))
    assert path is not None
    return path


def age(path: Path, seconds: int) -> None:
    os.utime(path, (path.stat().st_mtime - seconds,) * 2)


def test_a_run_is_kept_compact_under_a_name_that_says_what_it_is(library: Library) -> None:
    run = made_run()
    path = library.keep(run)
    assert path.name.startswith("bust-bronze-7 20")
    assert path.suffix == ".sculpt"
    saved = open_run(path)
    assert saved.is_compact
    np.testing.assert_allclose(saved.guess(8), run.guess(8), atol=1e-3)
    assert saved.info.request == run.info.request
    assert not library.runs()[0].is_named


@pytest.mark.skipif(os.name != "posix", reason="Windows has other rights")
def test_nobody_else_may_look_into_it(library: Library) -> None:
    path = keep(library)
    assert stat.S_IMODE(library.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_runs_of_one_second_have_names_of_their_own(library: Library) -> None:
    paths = {keep(library) for _ in range(4)}
    assert len(paths) == 4
    assert [run.is_named for run in library.runs()] == [False] * 4


def test_a_run_whose_values_half_the_figures_cannot_hold_is_kept_whole(library: Library) -> None:
    run = made_run(channels=1)
    large = made_run(channels=1)
    large.state = lambda k: np.full(run.shape, 1e6, np.float32)  # type: ignore[method-assign]
    saved = open_run(library.keep(large))
    assert not saved.is_compact
    assert saved.state(3)[0, 0, 0] == 1e6


def test_the_oldest_go_where_the_budget_is_full_and_named_ones_stay(library: Library) -> None:
    paths = [keep(library) for _ in range(4)]
    for number, path in enumerate(paths):
        age(path, 100 - number)
    named = library.rename(paths[0], "My first bust")
    size = named.stat().st_size
    library.budget_bytes = 3 * size + size // 2
    newest = keep(library)
    assert {run.path for run in library.runs()} == {named, paths[2], paths[3], newest}
    library.budget_bytes = 0
    library.bound()
    assert [run.path for run in library.runs()] == [named]


def test_a_run_larger_than_the_budget_is_not_kept_and_lets_none_go(library: Library) -> None:
    path = keep(library)
    library.budget_bytes = 2 * path.stat().st_size
    assert library.keep(made_run(size=64)) is None
    assert [run.path for run in library.runs()] == [path]


def test_nothing_is_kept_of_a_run_without_a_step(library: Library) -> None:
    assert library.keep(made_run(taken=0)) is None
    assert not library.folder.exists()


def test_a_stop_leaves_nothing(library: Library) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        library.keep(made_run(), stop)
    assert list(library.folder.iterdir()) == []


def test_the_newest_come_first_and_other_files_are_left_out(library: Library) -> None:
    one, two = keep(library), keep(library)
    age(one, 50)
    (library.folder / "notes.txt").touch()
    (library.folder / ".hidden.sculpt").touch()
    (library.folder / "folder.sculpt").mkdir()
    assert [run.path for run in library.runs()] == [two, one]
    assert Library(library.folder / "none", 1).runs() == []


def test_what_was_removed_comes_back_and_goes_for_good(library: Library) -> None:
    path = keep(library)
    content = path.read_bytes()
    removed = library.remove(path)
    assert library.runs() == []
    path.touch()  # its name has been taken meanwhile
    back = library.restore(removed)
    assert back.read_bytes() == content
    assert back != path
    library.remove(back)
    library.forget_removed()
    assert not (library.folder / REMOVED).exists()
    with pytest.raises(TrajectoryFileError, match="not there any more"):
        library.restore(removed)


def test_a_name_is_given_and_found(library: Library) -> None:
    path = library.rename(keep(library), "  My   first bust.sculpt ")
    assert path.name == "My first bust.sculpt"
    assert library.find("My first bust").is_named
    assert library.find(str(path)).path == path
    assert library.rename(path, "My first bust") == path
    other = keep(library)
    with pytest.raises(TrajectoryFileError, match="called My first bust already"):
        library.rename(other, "My first bust")
    with pytest.raises(TrajectoryFileError, match="no run called nothing"):
        library.find("nothing")
    other.unlink()
    with pytest.raises(TrajectoryFileError, match="not there any more"):
        library.rename(other, "x")


@pytest.mark.parametrize(
    "name", ["", "  ", "a/b", "..", ".x", "a\\b", "x.", "a\0b", "a:b", "CON", "nul.sculpt", "x" * 101]
)
def test_what_names_of_files_cannot_hold_is_refused(library: Library, name: str) -> None:
    path = keep(library)
    with pytest.raises(TrajectoryFileError, match="cannot be the name"):
        library.rename(path, name)
    assert path.exists()


@given(st.text(max_size=120))
def test_a_name_that_is_taken_is_one_file_in_the_folder(name: str) -> None:
    try:
        checked = check_name(name)
    except TrajectoryFileError:
        return
    assert Path("folder", f"{checked}.sculpt").parent == Path("folder")
    assert check_name(checked) == checked
