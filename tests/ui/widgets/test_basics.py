"""Elided labels give way sensibly; a menu button is at rest once its menu is closed; a message has one action."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu, QToolButton
from pytestqt.qtbot import QtBot

from sculptor_app.ui.widgets.bars import MessageBar
from sculptor_app.ui.widgets.basics import ElidedLabel, give_menu


def test_it_is_not_lit_any_more_when_its_menu_closes_under_a_pointer_elsewhere(qtbot: QtBot) -> None:
    button = QToolButton()
    qtbot.addWidget(button)
    menu = QMenu(button)
    menu.addAction("one")
    give_menu(button, menu)
    button.move(200, 200)
    button.show()
    qtbot.waitExposed(button)
    button.cursor().setPos(button.mapToGlobal(QPoint(-50, -50)))
    button.setAttribute(Qt.WidgetAttribute.WA_UnderMouse)  # as Qt leaves it
    menu.popup(QPoint(0, 0))
    assert button.underMouse()
    menu.hide()
    qtbot.waitUntil(lambda: not button.underMouse())


@pytest.mark.parametrize(
    ("text", "room", "shown"),
    [
        ("SNR 0.16 · σ 2.5", "SNR 0.16 · σ 2.5", "SNR 0.16 · σ 2.5"),
        ("SNR 0.16 · σ 2.5", "SNR 0.16 · σ", "SNR 0.16"),
        ("what the model sees", "what the mode…", "what the mode…"),
        ("SNR 0.16", "SNR", ""),
        ("", "anything", ""),
    ],
)
def test_shown_text(qtbot: QtBot, text: str, room: str, shown: str) -> None:
    label = ElidedLabel()
    qtbot.addWidget(label)
    label.resize(label.fontMetrics().horizontalAdvance(room) + 1, 20)
    label.setText(text)
    assert label.shown_text == shown
    assert label.toolTip() == ("" if shown == text else text)
    assert label.text() == text
    label.grab()


def test_the_message_bar_shows_one_message_and_its_action(qtbot: QtBot) -> None:
    bar = MessageBar()
    qtbot.addWidget(bar)
    done = []
    bar.show_message("The disk is full.", "Free some space.", action="Retry", on_action=lambda: done.append(1))
    assert bar.message == "The disk is full. Free some space."
    bar._action.click()
    assert done == [1]
    assert bar.message == ""
    bar.show_message("Saved.", is_fault=False)
    assert not bar._action.isVisibleTo(bar)


@pytest.mark.parametrize("text", ["One line.", "Many words that need more lines than one. " * 6])
@pytest.mark.parametrize("action", ["", "Do it"])
def test_mark_and_cross_of_a_message_stand_on_its_first_line(qtbot: QtBot, text: str, action: str) -> None:
    bar = MessageBar()
    qtbot.addWidget(bar)
    bar.resize(420, 40)
    bar.show_message(text, action=action, on_action=lambda: None)
    bar.resize(420, bar.heightForWidth(420))
    bar.layout().activate()
    label, line_px = bar._text, bar._text.fontMetrics().lineSpacing()
    inner = label.contentsRect().translated(label.pos())
    is_one_line = label.heightForWidth(label.width()) < 2 * line_px
    first_line = inner.center().y() if is_one_line else inner.top() + line_px / 2
    for widget in (bar._mark, bar._close):
        assert abs(widget.geometry().center().y() - first_line) <= 3
