"""Side panels that fold to a rail where a window is too narrow for them, or when a person folds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from PySide6.QtCore import QEvent, QObject, QSettings, QSize, Qt, Signal, Slot
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QSizePolicy, QStyle, QStyleOption, QToolButton, QWidget

from sculptor_app.ui.theme import fonts, icon
from sculptor_app.ui.widgets.basics import QWIDGETSIZE_MAX, LayoutBarrier

RAIL_PX, BUTTON_PX, FROM_EDGE_PX = 28, 22, 12
"""Width of a folded panel, and of the button that folds one, and how far that is from the edge."""

WISHED_LEAVES_PX = 280
"""What a panel that a person has unfolded leaves to what is beside it; in less room it folds nevertheless."""

Side = Literal["left", "right"]


class _Rail(QAbstractButton):
    """What is left of a folded panel: an arrow and its title, upright; a click unfolds it."""

    def __init__(self, title: str, side: Side, parent: QWidget) -> None:
        super().__init__(parent)
        self.setText(title)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setToolTip(self.tr("Unfold: {0}").format(title))
        self.setAccessibleName(self.toolTip())
        self._arrow = icon("fold-right" if side == "left" else "fold-left", "muted")
        self.hide()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        option = QStyleOption()
        option.initFrom(self)
        palette = self.palette()
        if option.state & (QStyle.StateFlag.State_MouseOver | QStyle.StateFlag.State_HasFocus):
            painter.fillRect(self.rect(), palette.midlight())
        side = 16
        self._arrow.paint(painter, (self.width() - side) // 2, 12, side, side)
        painter.setFont(fonts.strong())
        painter.setPen(palette.windowText().color())
        painter.translate(0, self.height())
        painter.rotate(-90)
        length = self.height() - 44
        text = QFontMetrics(fonts.strong()).elidedText(self.text(), Qt.TextElideMode.ElideRight, length)
        painter.drawText(0, 0, length, self.width(), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()

    def sizeHint(self) -> QSize:
        return QSize(RAIL_PX, 120)

    def minimumSizeHint(self) -> QSize:
        return QSize(RAIL_PX, 60)


class _FoldButton(QToolButton):
    """The button at the end of a heading's line; it goes where the heading goes."""

    def __init__(self, heading: QWidget, title: str, side: Side) -> None:
        around = heading.parentWidget()
        assert around is not None  # a heading stands in a panel
        super().__init__(around)
        self._heading, self._around = heading, around
        self.setIcon(icon("fold-left" if side == "left" else "fold-right", "muted"))
        self.setIconSize(QSize(14, 14))
        self.setFixedSize(BUTTON_PX, BUTTON_PX)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setToolTip(self.tr("Fold: {0}").format(title))
        self.setAccessibleName(self.toolTip())
        for watched in (heading, around):
            watched.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Move, QEvent.Type.Show):
            middle = self._heading.geometry().center().y()
            self.move(self._around.width() - FROM_EDGE_PX - BUTTON_PX, max(0, middle - BUTTON_PX // 2))
            self.raise_()
        return False


class FoldingPanel(QWidget):
    """A panel at the side of a page: open, or a rail.

    Args:
        headings: In the first line of what it may show; a button that folds it stands at the end of each.
        least_px: Width that it needs when it is open, if what is in it needs no more.
        leaves_px: Where less than this is left for what is beside it, it folds by itself.
        most_px: Width that it takes at most.
    """

    folding_asked = Signal(bool)  # a person wants it folded, or open
    unfolded = Signal()

    def __init__(
        self, content: QWidget, headings: Sequence[QWidget], title: str, side: Side, least_px: int, leaves_px: int,
        most_px: int = QWIDGETSIZE_MAX, parent: QWidget | None = None,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._own_px, self._most_px, self.leaves_px = least_px, most_px, leaves_px
        self.wish: bool | None = None  # of a person: open or folded; None leaves it to the room
        self.is_held_open = False  # floating, hidden or elsewhere: it takes no room at the side, and does not fold
        self.open_px = 0  # width that it had when it was open last
        self.is_open = True
        self.content = content
        self.rail = _Rail(title, side, self)
        self.fold_buttons = [_FoldButton(heading, title, side) for heading in headings]
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(self.rail)
        row.addWidget(content, 1)
        self.rail.clicked.connect(self._ask_to_open)
        for button in self.fold_buttons:
            button.clicked.connect(self._ask_to_fold)
        self._take_widths()

    @property
    def least_px(self) -> int:
        """Width that it needs when it is open."""
        content = self.content
        needs = content.needs_px if isinstance(content, LayoutBarrier) else content.minimumSizeHint().width()
        return max(self._own_px, needs)

    def set_open(self, is_open: bool) -> None:
        """Show the panel, or its rail."""
        if is_open != self.is_open:
            self.is_open = is_open
            self.content.setVisible(is_open)
            self.rail.setVisible(not is_open)
            self._take_widths()
            if is_open:
                self.unfolded.emit()

    def set_width(self, least_px: int, most_px: int) -> None:
        """Let it be so wide when it is open."""
        if (least_px, most_px) != (self._own_px, self._most_px):
            self._own_px, self._most_px = least_px, most_px
            self._take_widths()

    def _take_widths(self) -> None:
        least, most = (self.least_px, max(self.least_px, self._most_px)) if self.is_open else (RAIL_PX, RAIL_PX)
        if (self.minimumWidth(), self.maximumWidth()) != (least, most):
            self.setMinimumWidth(least)
            self.setMaximumWidth(most)

    @Slot()
    def _ask_to_open(self) -> None:
        self.folding_asked.emit(False)

    @Slot()
    def _ask_to_fold(self) -> None:
        self.folding_asked.emit(True)

    # Qt overrides ------------------------------------------------------------------------------------------------

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.LayoutRequest:
            self._take_widths()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self.is_open and self.isVisible():
            self.open_px = self.width()


class Folds(QObject):
    """Which side panels of a page are open: those a person opened, and of the others as many as there is room for.

    Args:
        key: Of the page, for the settings.
        panels: By name, the most important first: the last folds first.
    """

    changed = Signal()  # a person folded or unfolded one

    def __init__(self, key: str, panels: dict[str, FoldingPanel], parent: QObject) -> None:
        super().__init__(parent)
        self._key, self.panels = key, panels
        self._width_px = 0
        for panel in panels.values():
            panel.folding_asked.connect(self._take_wish)

    def fit(self, width_px: int) -> None:
        """Fold and unfold for a page this wide."""
        self._width_px = width_px
        for panel, is_open in zip(self.panels.values(), self._which_open(width_px), strict=True):
            panel.set_open(is_open)
            for button in panel.fold_buttons:
                button.setVisible(not panel.is_held_open)

    def _which_open(self, width_px: int) -> list[bool]:
        panels = list(self.panels.values())
        found = [panel.is_held_open for panel in panels]
        beside = [number for number, held in enumerate(found) if not held]
        left = width_px - RAIL_PX * len(beside)
        is_wished = any(panel.wish for panel in panels)  # what a person unfolds folds no other as long as it can be
        for number in sorted(beside, key=lambda at: panels[at].wish is not True):
            panel = panels[number]
            after = left + RAIL_PX - panel.least_px
            leaves = WISHED_LEAVES_PX if is_wished else panel.leaves_px
            if panel.wish is not False and after >= leaves:
                found[number], left = True, after
        return found

    @Slot(bool)
    def _take_wish(self, folded: bool) -> None:
        panel = self.sender()
        assert isinstance(panel, FoldingPanel)  # they alone are connected
        panel.wish = not folded
        self.fit(self._width_px)
        self.changed.emit()

    def forget(self) -> None:
        """Leave everything to the room again."""
        for panel in self.panels.values():
            panel.wish = None
        self.fit(self._width_px)

    def save(self, settings: QSettings) -> None:
        """Remember the person's wishes."""
        for name, panel in self.panels.items():
            settings.setValue(f"folded/{self._key}/{name}", _WORDS[panel.wish])

    def restore(self, settings: QSettings) -> None:
        """Take up the remembered wishes."""
        for name, panel in self.panels.items():
            panel.wish = _wish(settings, f"folded/{self._key}/{name}")


_WORDS = {True: "open", False: "folded", None: "as there is room"}


LEAST_FILM_PX, WISHED_FILM_PX = 760, 520
"""A window lower than this has no filmstrip, by itself and where a person wants one: the frames need the room more."""


class FilmSwitch(QObject):
    """Whether a page shows its filmstrip: as its button was pressed, else as the window's height allows.

    Args:
        key: Of the page, for the settings.
        button: Checked while the filmstrip is there.
        show: Shows or hides it.
    """

    fitted = Signal(int)  # into a window of this height

    def __init__(self, key: str, button: QAbstractButton, show: Callable[[bool], object], parent: QObject) -> None:
        super().__init__(parent)
        self._key, self._button, self._show = key, button, show
        self._height_px = 0
        self.wish: bool | None = None
        button.clicked.connect(self.take_wish)

    def fit(self, height_px: int) -> None:
        """Show or hide it in a window of this height."""
        self._height_px = height_px
        is_shown = height_px >= (WISHED_FILM_PX if self.wish else LEAST_FILM_PX) and self.wish is not False
        self.fitted.emit(height_px)
        self._button.setChecked(is_shown)
        self._show(is_shown)

    @Slot(bool)
    def take_wish(self, wish: bool) -> None:
        """Do as a person wants."""
        self.wish = wish
        self.fit(self._height_px)

    def forget(self) -> None:
        """Leave it to the room again."""
        self.wish = None
        self.fit(self._height_px)

    def save(self, settings: QSettings) -> None:
        """Remember the person's wish."""
        settings.setValue(f"folded/{self._key}/film", _WORDS[self.wish])

    def restore(self, settings: QSettings) -> None:
        """Take up the remembered wish."""
        self.wish = _wish(settings, f"folded/{self._key}/film")


def _wish(settings: QSettings, key: str) -> bool | None:
    return {word: wish for wish, word in _WORDS.items()}.get(str(settings.value(key, "")))
