"""The log file, and the exception hook that writes to it before it tells anybody."""

import logging
import sys
import threading
from pathlib import Path

import pytest

from sculptor_app import logs


@pytest.fixture(autouse=True)
def closed_afterwards():
    yield
    logs.stop()


@pytest.fixture
def told():
    return []


@pytest.fixture
def hook(told):
    hook = logs.ExceptionHook(lambda sentence, error: told.append((sentence, error)))
    hook.install()
    yield hook
    hook.remove()


def test_the_log_lies_in_the_platforms_folder(own_folders):
    file = logs.start()
    assert file is not None
    assert file.is_relative_to(own_folders)
    assert logs.file() == file
    logging.getLogger("sculptor_app.anything").info("carved %d steps", 12)
    assert "carved 12 steps" in file.read_text(encoding="utf-8")


def test_starting_twice_writes_once(tmp_path):
    logs.start(tmp_path)
    file = logs.start(tmp_path)
    logging.getLogger("sculptor_app").info("only once")
    assert file.read_text(encoding="utf-8").count("only once") == 1


def test_it_rotates_and_keeps_a_few(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "MOST_BYTES", 200)
    logs.start(tmp_path)
    for number in range(50):
        logging.getLogger("sculptor_app").info("line %d, long enough to fill a small file soon", number)
    assert len(list(tmp_path.iterdir())) == 1 + logs.OLDER_FILES


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path, caplog):
    (tmp_path / "file").touch()
    assert logs.start(tmp_path / "file") is None
    assert "going on without one" in caplog.text


def test_logged_first_then_told(tmp_path, hook, told):
    file = logs.start(tmp_path)
    try:
        raise ZeroDivisionError("by nought")
    except ZeroDivisionError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    (sentence, error), written = told[0], file.read_text(encoding="utf-8")
    assert isinstance(error, ZeroDivisionError)
    assert str(file) in sentence
    assert "by nought" in sentence
    assert "test_logs.py" in written  # the traceback


def test_threads_are_heard(hook, told):
    def fail() -> None:
        raise RuntimeError("in a thread")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert "in a thread" in told[0][0]


def test_a_failure_to_tell_is_logged_too(tmp_path):
    def tell(sentence: str, error: BaseException) -> None:
        raise OSError("no window")

    file = logs.start(tmp_path)
    logs.ExceptionHook(tell).report(ValueError("first"))
    written = file.read_text(encoding="utf-8")
    assert written.index("first") < written.index("no window")


def test_ctrl_c_is_no_fault(hook, told, capsys):
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert told == []
    assert capsys.readouterr().err == ""


def test_remove_gives_the_old_hooks_back():
    before = (sys.excepthook, threading.excepthook)
    hook = logs.ExceptionHook()
    hook.install()
    assert sys.excepthook != before[0]
    hook.remove()
    assert (sys.excepthook, threading.excepthook) == before


def test_messages_of_libraries_go_to_the_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    library = logging.getLogger("some_library")
    library.addHandler(logging.StreamHandler())
    logs.start(tmp_path)
    logs.take_over("some_library")
    logs.take_over("some_library")
    logging.getLogger("some_library.models").warning("something is %s", "deprecated")
    logs.stop()
    assert capsys.readouterr().err == ""
    assert (tmp_path / logs.FILE_NAME).read_text().count("some_library.models: something is deprecated") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full: /dev/full of Linux")
def test_a_log_on_a_disk_that_is_full_can_be_closed_and_begun_again(tmp_path: Path) -> None:
    assert logs.start(tmp_path) is not None
    handler = next(each for each in logging.getLogger("sculptor_app").handlers if hasattr(each, "maxBytes"))
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        handler.stream.close()
        handler.stream = full
        full.write("what was logged")
        assert logs.start(tmp_path) is not None
