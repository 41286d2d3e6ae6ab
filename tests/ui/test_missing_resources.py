"""A copy of the program with a part of its resources missing: it goes on without, or says in a sentence what to do."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from sculptor_app import cli, logs, resources
from sculptor_app.ui import theme
from sculptor_app.ui.shell import app
from sculptor_app.ui.theme import icons
from tests.helpers.window import Driver

WHOLE = resources.root()
OTHERS = ("models", "screenshots", "page")
"""Folders that the window's look takes nothing from."""
FOLDERS = sorted(
    each.relative_to(WHOLE).as_posix()
    for each in WHOLE.rglob("*")
    if each.is_dir() and each.relative_to(WHOLE).parts[0] not in OTHERS
)
SENTENCE = r"is missing: this copy of Sculptor is not whole\. Install it again\.\n"
JUDGE = r"Install the program again, or make a judge with --train-judge\.\n"
AGAIN = r"is missing\. This copy of Sculptor is not whole: install it again\.( There (is|are) .* more; .*)?\n"


@pytest.fixture
def lose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qapp: QApplication) -> Iterator[Callable[[str], None]]:
    """Makes the program use a copy of the resources that lacks a file or folder, "." for all."""

    def without(part: str) -> None:
        copy = tmp_path / "copy"
        shutil.copytree(WHOLE, copy, copy_function=_link)
        gone = copy / part
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
        monkeypatch.setattr(resources, "_IN_CHECKOUT", copy)
        _forget_the_look(qapp)

    monkeypatch.setattr(resources, "_missed", {})
    font = qapp.font()
    yield without
    monkeypatch.undo()
    logs.stop()
    qapp.setFont(font)
    _forget_the_look(qapp)
    theme.apply(qapp, "light")


def _forget_the_look(qapp: QApplication) -> None:
    icons._renderer.cache_clear()
    for name in ("sculptor_font", "sculptor_theme"):
        qapp.setProperty(name, None)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copyfile(source, target)


def _said_at_the_start(driver: Driver, qapp: QApplication) -> str:
    """What the window says once it is painted."""
    hook = app.UncaughtErrors(qapp, driver.window, pytest.fail)
    app._AfterFirstPaint(qapp, driver.window, hook).begin()
    return driver.window.panels.messages.message


def test_a_whole_copy_has_nothing_to_say(
    lose: Callable[[str], None], open_window: Callable[..., Driver], qapp: QApplication
) -> None:
    lose("screenshots")
    assert _said_at_the_start(open_window(), qapp) == ""


@pytest.mark.qt_log_ignore("Cannot open file")
@pytest.mark.parametrize("part", [".", *FOLDERS, "styles/sculptor.qss", "styles/welcome.png", "icons/play.svg"])
def test_the_window_opens_without_a_part_of_its_look_and_says_so(
    lose: Callable[[str], None], open_window: Callable[..., Driver], qapp: QApplication, part: str
) -> None:
    lose(part)
    theme.apply(qapp, "dark" if part.endswith("dark") else "light")
    driver = open_window()
    if part.startswith("icons/app/") and "scalable" not in part:  # for the start menu alone
        assert _said_at_the_start(driver, qapp) == ""
        return
    said = _said_at_the_start(driver, qapp)
    assert said.startswith("This copy of Sculptor is not whole: ")
    assert f"{resources.root() / part}" in said
    assert said.endswith(" missing. Everything works, but it may look bare; install it again.")
    assert not driver.window.grab().isNull()


def test_a_damaged_icon_is_as_good_as_none(lose: Callable[[str], None], qapp: QApplication) -> None:
    lose("screenshots")
    damaged = resources.root() / "icons" / "play.svg"
    damaged.unlink()
    damaged.touch()
    assert not theme.icon("play").pixmap(16, 16).isNull()
    assert resources.missed() == (damaged,)


@pytest.mark.parametrize(
    ("part", "command", "code", "sentence"),
    [
        (".", "sculpt --out x.gif", 3, f"/models/atelier-128 {SENTENCE}"),
        ("models", "sculpt --out x.gif", 3, f"/models/atelier-128 {SENTENCE}"),
        ("models/atelier-128", "evaluate", 3, f"/models/atelier-128 {SENTENCE}"),
        ("models/atelier-128/unet", "sculpt --out x.gif", 3, f"/unet {AGAIN}"),
        ("models/atelier-128/scheduler", "sculpt --out x.gif", 3, f"/scheduler_config.json {AGAIN}"),
        ("models/atelier-128/label_embedding", "sculpt --out x.gif", 3, f"/label_embedding {AGAIN}"),
        ("models/atelier-128/model_index.json", "sculpt --out x.gif", 3, f"/model_index.json {AGAIN}"),
        ("models/judge-128", "evaluate --samples 2", 3, f"/judge-128 is missing: .* is not whole. {JUDGE}"),
        ("models/judge-128/judge.json", "evaluate --samples 2", 3, f"/judge.json is missing. {JUDGE}"),
        ("models/judge-128/judge.safetensors", "evaluate --samples 2", 3, f"/judge.safetensors is missing. {JUDGE}"),
        ("page", "forward --render bust --steps 2 --out x.html", 5, f"/page.css {SENTENCE}"),
        ("styles/fonts", "forward --render bust --steps 2 --out x.pdf", 5, f"/Inter-Regular.otf {SENTENCE}"),
        ("icons", "menu install", 0, "It has no icon there: .*/icons/app is missing. Install Sculptor again.\n"),
    ],
)  # fmt: skip
def test_a_command_ends_in_a_sentence(
    lose: Callable[[str], None], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    part: str, command: str, code: int, sentence: str,
) -> None:  # fmt: skip
    import re

    lose(part)
    monkeypatch.chdir(tmp_path)
    assert cli.main(command.split()) == code
    said = capfd.readouterr().err
    assert re.search(f"{sentence}$", said)
    assert said.count("\n") == 1


def test_an_entry_without_icons_is_removed_with_the_icons_that_it_had(lose: Callable[[str], None]) -> None:
    from sculptor_app.commands import menu

    written = menu.install()
    lose("icons")
    assert sorted(menu.remove()) == sorted(written)
