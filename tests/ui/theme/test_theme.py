"""The theme is put on, followed and told of."""

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QComboBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from sculptor_app.ui import theme
from sculptor_app.ui.theme import fonts, manager
from sculptor_app.ui.theme.manager import stylesheet
from sculptor_app.ui.theme.tokens import DARK, LIGHT


@pytest.fixture(autouse=True)
def light_again(qapp: QApplication) -> Iterator[None]:
    theme.apply(qapp, "light")
    yield
    theme.apply(qapp, "light")


def test_dark_changes_palette_and_style_sheet_and_says_so(qapp: QApplication, qtbot: QtBot) -> None:
    with qtbot.waitSignal(theme.theme().changed):
        theme.apply(qapp, "dark")
    assert theme.theme().is_dark
    assert qapp.palette().color(QPalette.ColorRole.Window).name() == DARK.window
    assert DARK.accent in qapp.styleSheet()


def test_the_same_again_says_nothing(qapp: QApplication, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(theme.theme().changed):
        theme.apply(qapp, "light")


class System:
    """A system whose colours change; the offscreen platform has none of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.dark = False
        monkeypatch.setattr(manager, "system_is_dark", lambda: self.dark)

    def turn(self, dark: bool) -> None:
        self.dark = dark
        scheme = Qt.ColorScheme.Dark if dark else Qt.ColorScheme.Light
        QGuiApplication.styleHints().colorSchemeChanged.emit(scheme)


def test_system_goes_with_the_system_while_it_runs(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(monkeypatch)
    theme.apply(qapp, "system")
    for dark in (True, False, True):
        system.turn(dark)
        assert theme.theme().is_dark is dark
    assert theme.theme().mode == "system"


def test_a_chosen_theme_does_not_go_with_the_system(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    system = System(monkeypatch)
    theme.apply(qapp, "light")
    system.turn(dark=True)
    assert theme.theme().tokens is LIGHT


def test_another_word_is_refused(qapp: QApplication) -> None:
    with pytest.raises(ValueError, match="'sepia'"):
        theme.apply(qapp, "sepia")


@pytest.mark.parametrize("tokens", [LIGHT, DARK])
def test_the_template_is_filled_whole_and_its_pictures_are_there(tokens: theme.Tokens) -> None:
    import re
    from pathlib import Path

    sheet = stylesheet(tokens)
    assert "$" not in sheet
    found = set(re.findall(r'url\("([^"]+)"\)', sheet))
    assert len(found) >= 8
    assert [path for path in found if not Path(path).is_file()] == []


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_qt_understands_the_style_sheet(qapp: QApplication, qtbot: QtBot, mode: str) -> None:
    # Qt warns "Could not parse application stylesheet" and qt_log_level_fail makes that a failure.
    theme.apply(qapp, mode)
    button, combo = QPushButton("Start"), QComboBox()
    button.setProperty("kind", "primary")
    for widget in (button, combo):
        qtbot.addWidget(widget)
        widget.show()
        widget.grab()


def test_a_change_of_theme_polishes_no_widget_once_for_each_of_its_parents(qapp: QApplication, qtbot: QtBot) -> None:
    class Polished(QWidget):
        count = 0

        def changeEvent(self, event: QEvent) -> None:
            self.count += event.type() == QEvent.Type.StyleChange
            super().changeEvent(event)

    nested = [Polished()]
    qtbot.addWidget(nested[0])
    for _ in range(8):
        nested.append(Polished(nested[-1]))
    nested[0].show()
    before = [each.count for each in nested]
    theme.apply(qapp, "dark")
    assert [each.count - had for each, had in zip(nested, before, strict=True)] == [2] * 9  # sheet off, sheet on


def test_a_primary_button_wears_the_accent(qapp: QApplication, qtbot: QtBot) -> None:
    button = QPushButton("")
    button.setProperty("kind", "primary")
    qtbot.addWidget(button)
    button.resize(80, 40)
    assert button.grab().toImage().pixelColor(40, 8).name() == LIGHT.accent


def test_the_type_is_inter_with_figures_of_one_width(qapp: QApplication) -> None:
    assert qapp.font().families()[0] == fonts.FAMILY
    from PySide6.QtGui import QFontInfo, QFontMetricsF

    assert QFontInfo(qapp.font()).family() == fonts.FAMILY
    metrics = QFontMetricsF(fonts.small())
    assert metrics.horizontalAdvance("1111") == metrics.horizontalAdvance("8888")
    assert fonts.small().pointSizeF() < fonts.body().pointSizeF() < fonts.title().pointSizeF()
