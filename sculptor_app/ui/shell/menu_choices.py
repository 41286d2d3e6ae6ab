"""The choices of the menus, one out of several each: made, ticked and remembered by name."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QSettings
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu

from sculptor_app.measures.frame_kinds import current_word


class Choices(QObject):
    """Keeps the groups of actions of which one is ticked, and the switches that are on or off."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._groups: dict[str, tuple[QActionGroup, Callable[[QAction], None]]] = {}
        self._switches: dict[str, QAction] = {}

    def add(
        self, name: str, menu: QMenu, items: list[tuple[str, object]], deed: Callable[[QAction], None]
    ) -> QActionGroup:
        """Put a choice into a menu.

        Args:
            name: it is remembered by.
            menu: where its items go.
            items: text and value of each; the value is the action's data.
            deed: is called with the action that a person, or the memory, has ticked.
        """
        group = QActionGroup(menu)
        for text, value in items:
            action = menu.addAction(text)
            action.setCheckable(True)
            action.setData(value)
            group.addAction(action)
        group.triggered.connect(deed)
        self._groups[name] = (group, deed)
        return group

    def add_switch(self, name: str, menu: QMenu, text: str, is_on: bool, deed: Callable[[bool], None]) -> QAction:
        """Put something into a menu that is on or off; arguments as for `add`."""
        action = menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(is_on)
        action.toggled.connect(deed)
        self._switches[name] = action
        return action

    @staticmethod
    def tick(group: QActionGroup, value: object) -> None:
        """Show a value as chosen; nothing is done for it."""
        for action in group.actions():
            action.setChecked(action.data() == value)

    def save(self, settings: QSettings) -> None:
        """Remember what is ticked."""
        for name, (group, _) in self._groups.items():
            settings.setValue(f"choices/{name}", _word(group.checkedAction().data()))
        for name, action in self._switches.items():
            settings.setValue(f"choices/{name}", "on" if action.isChecked() else "off")

    def restore(self, settings: QSettings) -> None:
        """Tick what was remembered; what is not known any more stays as it is."""
        for name, (group, deed) in self._groups.items():
            word = current_word(str(settings.value(f"choices/{name}", "")))
            for action in group.actions():
                if _word(action.data()) == word and not action.isChecked():
                    action.setChecked(True)
                    deed(action)
        for name, action in self._switches.items():
            word = str(settings.value(f"choices/{name}", ""))
            if word in ("on", "off"):
                action.setChecked(word == "on")


def _word(value: object) -> str:
    return str(getattr(value, "value", value))
