"""Actions as records: title, keys, what they call and when they are enabled; menus are filled from tables of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, QSettings
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu


@dataclass(frozen=True, slots=True)
class Action:
    """A command of a menu."""

    key: str
    title: str  # in the menu, with its mnemonic
    call: Callable[..., object]  # what it does; an action with a tick is given whether it is on
    shortcuts: tuple[str, ...] = ()
    is_enabled: Callable[[], bool] | None = None  # whether it can be chosen now; None where it always can
    is_checked: Callable[[], bool] | None = None  # whether its tick is on now; None for an action without a tick
    current_title: Callable[[], str] | None = None  # its title now, where that changes
    tip: str = ""
    role: QAction.MenuRole = QAction.MenuRole.TextHeuristicRole  # where macOS puts it
    repeats: bool = True  # whether a key that is held down calls it again and again


@dataclass(frozen=True, slots=True)
class Switch:
    """Something that is on or off, and remembered as `choices/KEY`."""

    key: str
    title: str  # in the menu
    is_on: bool  # at first
    call: Callable[[bool], object]  # given whether it is on
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values, remembered as `choices/KEY`."""

    key: str
    values: Sequence[tuple[str, Any]]  # title and value of each
    first: object  # value that is ticked at first
    call: Callable[[Any], object]  # given the value that a person, or the memory, has ticked
    title: str = ""  # of a menu of its own; empty where the values stand among the other actions
    is_enabled: Callable[[], bool] | None = None  # whether it can be chosen now; None where it always can
    current: Callable[[], object] | None = None  # value that is ticked now, where others change it, too
    tip: str = ""  # of each value
    current_word: Callable[[str], str] = str  # what is remembered for it now, given what older programs remembered


Fill = Callable[[QMenu], object]
"""Puts into a menu what no record can be made of beforehand."""

MenuEntry = Action | Switch | Choice | Fill | None
"""A row of a menu's table; None is a separator."""


class ActionTable(QObject):
    """The actions of a window's menus: made from records, kept enabled and ticked as those say, and remembered."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.actions: dict[str, QAction] = {}  # of `Action` and `Switch`, by key
        self.groups: dict[str, QActionGroup] = {}  # of `Choice`, by key
        self._records: list[Action] = []
        self._switches: list[Switch] = []
        self._choices: list[Choice] = []

    def fill(self, menu: QMenu, entries: Sequence[MenuEntry]) -> None:
        """Put the rows of a table into a menu."""
        for entry in entries:
            match entry:
                case None:
                    menu.addSeparator()
                case Action():
                    self._add_action(menu, entry)
                case Switch():
                    self._add_switch(menu, entry)
                case Choice():
                    self._add_choice(menu, entry)
                case _:
                    entry(menu)

    def _add_action(self, menu: QMenu, record: Action) -> None:
        action = menu.addAction(record.title)
        action.setShortcuts([QKeySequence(keys) for keys in record.shortcuts])
        action.setMenuRole(record.role)
        action.setAutoRepeat(record.repeats)
        if record.tip:
            action.setToolTip(record.tip)
        if record.is_checked is None:
            action.triggered.connect(lambda _=False: record.call())
        else:
            action.setCheckable(True)
            action.triggered.connect(record.call)
            action.triggered.connect(self.refresh)  # Qt has turned the tick by itself
        self.actions[record.key] = action
        self._records.append(record)

    def _add_switch(self, menu: QMenu, switch: Switch) -> None:
        action = menu.addAction(switch.title)
        action.setCheckable(True)
        action.setChecked(switch.is_on)
        action.toggled.connect(switch.call)
        if switch.tip:
            action.setToolTip(switch.tip)
        self.actions[switch.key] = action
        self._switches.append(switch)

    def _add_choice(self, menu: QMenu, choice: Choice) -> None:
        into = menu.addMenu(choice.title) if choice.title else menu
        if choice.title and choice.tip:
            into.setToolTipsVisible(True)
        group = self.groups[choice.key] = QActionGroup(into)
        for title, value in choice.values:
            action = into.addAction(title)
            action.setCheckable(True)
            action.setData(value)
            if choice.tip:
                action.setToolTip(choice.tip)
            group.addAction(action)
        group.triggered.connect(lambda action: choice.call(action.data()))
        self._choices.append(choice)
        _tick(group, choice.first)

    def refresh(self) -> None:
        """Enable, tick and name everything as it is now."""
        for record in self._records:
            action = self.actions[record.key]
            if record.is_enabled is not None:
                action.setEnabled(record.is_enabled())
            if record.is_checked is not None:
                action.setChecked(record.is_checked())
            if record.current_title is not None:
                action.setText(record.current_title())
        for choice in self._choices:
            if choice.is_enabled is not None:
                self.groups[choice.key].setEnabled(choice.is_enabled())
            if choice.current is not None:
                _tick(self.groups[choice.key], choice.current())

    def save(self, settings: QSettings) -> None:
        """Remember what is ticked."""
        for choice in self._choices:
            ticked = self.groups[choice.key].checkedAction()
            if ticked is not None:  # a value that is none of the menu's is remembered by whoever holds it
                settings.setValue(f"choices/{choice.key}", _text(ticked.data()))
        for switch in self._switches:
            settings.setValue(f"choices/{switch.key}", "on" if self.actions[switch.key].isChecked() else "off")

    def restore(self, settings: QSettings) -> None:
        """Tick what was remembered; what is not known any more stays as it is."""
        for choice in self._choices:
            remembered = choice.current_word(str(settings.value(f"choices/{choice.key}", "")))
            for action in self.groups[choice.key].actions():
                if _text(action.data()) == remembered and not action.isChecked():
                    action.setChecked(True)
                    choice.call(action.data())
        for switch in self._switches:
            remembered = str(settings.value(f"choices/{switch.key}", ""))
            if remembered in ("on", "off"):
                self.actions[switch.key].setChecked(remembered == "on")


def _tick(group: QActionGroup, value: object) -> None:
    """Show a value as chosen; nothing is called for it."""
    for action in group.actions():
        action.setChecked(action.data() == value)


def _text(value: object) -> str:
    return str(getattr(value, "value", value))
