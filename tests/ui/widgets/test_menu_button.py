"""A button that opens a menu is at rest when the menu is closed elsewhere."""

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu, QToolButton
from pytestqt.qtbot import QtBot

from sculptor_app.ui.widgets.basics import give_menu


def test_it_is_not_lit_any_more_when_its_menu_closes_under_a_pointer_elsewhere(qtbot: QtBot) -> None:
    button = QToolButton()
    qtbot.addWidget(button)
    menu = QMenu(button)
    menu.addAction("one")
    give_menu(button, menu)
    button.show()
    qtbot.waitExposed(button)
    button.cursor().setPos(button.mapToGlobal(QPoint(5000, 5000)))
    button.setAttribute(Qt.WidgetAttribute.WA_UnderMouse)  # as Qt leaves it
    menu.popup(QPoint(0, 0))
    assert button.underMouse()
    menu.hide()
    qtbot.waitUntil(lambda: not button.underMouse())
