"""Where the program keeps what it writes."""

import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings

from sculptor_app import folders, logs
from sculptor_app.diffusion.models import sandbox
from sculptor_app.identity import COMMAND


def test_what_outgrows_its_memory_goes_beside_the_cache_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert folders.spill() == folders.cache()
    assert folders.spill().is_dir()

    def full() -> Path:
        raise OSError("no such place")

    monkeypatch.setattr(folders, "cache", full)
    assert folders.spill() == Path(tempfile.gettempdir())


# Who may read what the program keeps ----------------------------------------------------------------------------------


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def wide_open(own_folders: Path) -> Iterator[None]:
    """Nothing is left there by tests before, and what is made is open to everybody."""
    for place in (folders.cache(), folders.logs(), folders.runs().parent):
        shutil.rmtree(place)
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such rights")
@pytest.mark.parametrize("place", [folders.cache, folders.logs, lambda: folders.runs().parent])
def test_folders_of_the_programs_own_are_closed_whatever_they_were(place: Callable[[], Path], wide_open: None) -> None:
    made = place()
    assert mode(made) == 0o700
    made.chmod(0o777)
    assert mode(place()) == 0o700
    if made.parent.name == COMMAND:
        assert mode(made.parent) == 0o700


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such rights")
def test_logs_are_read_by_their_owner_alone(tmp_path: Path, wide_open: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "MOST_BYTES", 300)
    for name in (logs.FILE_NAME, f"{logs.FILE_NAME}.1"):
        (tmp_path / name).write_text("a prompt\n")
        (tmp_path / name).chmod(0o666)
    logs.start(tmp_path)
    try:
        for number in range(9):
            logging.getLogger("sculptor_app").info("opened /home/ada/models/%d with a long name to fill it", number)
    finally:
        logs.stop()
    assert [mode(each) for each in sorted(tmp_path.iterdir())] == [0o600] * (1 + logs.OLDER_FILES)


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps settings in the registry")
@pytest.mark.parametrize("before", [None, 0o666])
def test_settings_are_read_by_their_owner_alone(tmp_path: Path, wide_open: None, before: int | None) -> None:
    file = tmp_path / COMMAND / "settings.ini"
    if before is not None:
        file.parent.mkdir()
        file.write_text("[models]\nrecent=/home/ada\n")
        file.chmod(before)
    folders.close_settings(file)
    assert (mode(file), mode(file.parent)) == (0o600, 0o700)
    settings = QSettings(str(file), QSettings.Format.IniFormat)
    settings.setValue("models/told", "a prompt")
    settings.sync()
    assert (mode(file), b"a prompt" in file.read_bytes()) == (0o600, True)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such rights")
def test_what_notes_a_models_path_is_read_by_its_owner_alone(tmp_path: Path, wide_open: None) -> None:
    sandbox._remember(tmp_path / "models" / "x.json", tmp_path, [])
    assert mode(tmp_path / "models" / "x.json") == 0o600
