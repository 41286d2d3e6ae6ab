"""The context menu of every picture, filmstrip cell and plot: copy, save, open on another page, and what it shows."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtGui import QAction, QContextMenuEvent, QDrag, QGuiApplication, QImage, QPixmap
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from sculptor_app.ui.saving.files import Files
from sculptor_app.ui.widgets.basics import Pictured, Subject

DRAGGED_PX = 96
"""Longer side of a picture under the pointer that carries it."""


class PictureMenu(QObject):
    """Answers the window's context menu events, by mouse and by the keyboard's menu key; drags pictures out of it.

    Args:
        drown: opens a picture on the page Drown, given its name.
        explain: opens the glossary at a term.
        full_screen: the action that fills the screen.
        fork: the menu of forks at the step on screen.
        paint: the action that paints on the step on screen.
        go_to: goes to a state of the run on screen; None while another page is in front.
    """

    def __init__(
        self,
        files: Files,
        drown: Callable[[QImage, str], object],
        explain: Callable[[str], object],
        full_screen: QAction,
        fork: QMenu,
        paint: QAction,
        go_to: Callable[[], Callable[[int], object] | None],
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._files, self._drown, self._explain, self._full_screen = files, drown, explain, full_screen
        self._fork, self._paint, self._go_to = fork, paint, go_to
        self._window = window

    def show_for(self, event: QContextMenuEvent) -> bool:
        """Show the menu of what lies under the pointer, or has the focus; False where that has none."""
        by_keyboard = event.reason() is QContextMenuEvent.Reason.Keyboard
        widget = QApplication.focusWidget() if by_keyboard else self._window.childAt(event.pos())
        found = subject_of(widget, None if by_keyboard else event.globalPos())
        if found is None:
            return False
        subject, owner = found
        go_to = self._go_to()
        if subject.position is not None and go_to is not None:
            go_to(subject.position)  # what the menu offers besides is about the step on screen
        menu = self.menu_of(subject)
        menu.popup(owner.mapToGlobal(owner.rect().center()) if by_keyboard else event.globalPos())
        return True

    def drag(self, widget: QWidget, place: QPoint) -> None:
        """Carry the picture that a widget shows at a place of it to another program."""
        found = subject_of(widget, widget.mapToGlobal(place))
        if found is None or found[0].image is None or found[0].is_plot:
            return
        image = found[0].image
        carried = self._files.dragged(found[0])
        if carried is None:
            return
        drag = QDrag(self._window)
        drag.setMimeData(carried)
        small = QPixmap.fromImage(image).scaled(
            DRAGGED_PX, DRAGGED_PX, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        drag.setPixmap(small)
        drag.setHotSpot(QPoint(small.width() // 2, small.height() // 2))
        drag.exec(Qt.DropAction.CopyAction)

    def menu_of(self, subject: Subject) -> QMenu:
        """The menu of a picture or a plot; it goes when it is closed."""
        menu, image = QMenu(self._window), subject.image
        menu.aboutToHide.connect(menu.deleteLater)
        is_plot = subject.is_plot
        copy = menu.addAction(self.tr("&Copy plot") if is_plot else self.tr("&Copy picture"), lambda: self._copy(image))
        save = menu.addAction(
            self.tr("&Save plot…") if is_plot else self.tr("&Save picture…"),
            lambda: self._files.save_image(image, subject.name, subject.position, is_plot=is_plot),
        )
        menu.addSeparator()
        if subject.open_run is not None:
            menu.addAction(self.tr("&Open in Carve"), subject.open_run)
        if self._go_to() is not None and not is_plot:
            menu.addMenu(self._fork)
            menu.addAction(self._paint)
        if image is not None and not is_plot:
            menu.addAction(self.tr("Open in &Drown"), lambda: self._drown(image, subject.name))
        if subject.term:
            menu.addAction(self.tr("&What am I seeing?"), lambda: self._explain(subject.term))
        menu.addSeparator()
        menu.addAction(self._full_screen)
        for action in (copy, save):
            action.setEnabled(image is not None)
        return menu

    def _copy(self, image: QImage | None) -> None:
        if image is not None:
            QGuiApplication.clipboard().setImage(image)
            self._files.show_copied()


def subject_of(widget: QWidget | None, place: QPoint | None) -> tuple[Subject, QWidget] | None:
    """What a widget, or the nearest one around it that shows a picture, shows, and that one.

    Args:
        place: on screen; None for what has the keyboard's focus in it.
    """
    while widget is not None:
        if isinstance(widget, Pictured):
            subject = widget.subject_at(None if place is None else widget.mapFromGlobal(place))
            return None if subject is None else (subject, widget)
        widget = widget.parentWidget()
    return None
