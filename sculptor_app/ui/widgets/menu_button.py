"""Buttons that open a menu."""

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QMenu, QToolButton


def give_menu(button: QToolButton, menu: QMenu) -> None:
    """Have a button open a menu when it is pressed, and look at rest when that is closed.

    Args:
        button: Keeps the menu.
        menu: Opens under it.
    """
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    button.setMenu(menu)
    menu.aboutToHide.connect(lambda: QTimer.singleShot(0, button, lambda: _let_go(button)))


def _let_go(button: QToolButton) -> None:
    # WORKAROUND: Qt 6.11 does not tell a button that the pointer has left it while its menu was open: it stays lit.
    if not button.rect().contains(button.mapFromGlobal(button.cursor().pos())):
        button.setAttribute(Qt.WidgetAttribute.WA_UnderMouse, False)
        button.update()
