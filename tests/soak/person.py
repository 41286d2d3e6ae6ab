"""A random person at the window: clicks, keys, drags, wheel, drops, menus, resizing, pages, starts and stops."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.soak.watch import Watch

_HOSTILE_TEXTS = (
    "", "-1", "0", "1e999", "nan", "3,5", "99999999999999999999", "ü𝔘\u202e", "a" * 400, "{0}%s", "7", "12", "50",
)  # fmt: skip
LONGEST_TYPED = 40  # letters in one action; who enters more pastes it
ANSWERS_AFTER_S, DRAGS_S, STUCK_S = 0.2, 1.0, 30.0
_PICTURES = (
    "PictureView",
    "Filmstrip",
    "Canvas",
    "CellGrid",
    "SampleGrid",
    "Timeline",
    "DenoisingTimeline",
    "NoiseCanvas",
)
"""Classes of what shows pictures and plots: few among hundreds of widgets, and with menus of their own."""


def odd_files(folder: Path) -> list[Path]:
    """Files that somebody may drop onto a window by mistake."""
    from PIL import Image

    folder.mkdir(exist_ok=True)
    kept = {
        "empty.png": b"", "text.png": b"no picture", "cut.jpg": b"\xff\xd8\xff\xe0\0\x10JFIF", "script.ps": b"%!PS\n",
        "model.safetensors": b"\xff" * 64, "run.npz": b"PK\3\4", "nothing.ckpt": b"\x80\4.",
        "long" * 50 + ".gif": b"GIF89a",
        "line\nbreak.png": b"\x89PNG\r\n\x1a\n", "model_index.json": b"{", "film.mp4": b"\0\0\0\x18ftypmp42",
    }  # fmt: skip
    for name, data in kept.items():
        (folder / name).write_bytes(data)
    Image.new("RGBA", (300, 7), (200, 80, 40, 90)).save(folder / "thin.png")
    Image.new("1", (1, 1)).save(folder / "dot.bmp")
    Image.new("CMYK", (64, 64)).save(folder / "ink.jpg")
    with contextlib.suppress(OSError, AttributeError):
        (folder / "itself.png").symlink_to(folder / "itself.png")
        os.mkfifo(folder / "pipe.png")
    return [*sorted(folder.iterdir()), folder, folder / "not-there.png", Path("/"), Path("/dev/zero")]


def _is_open(handle: Any) -> bool:
    """Whether a window is still there: a press may have closed it, and Qt's tests would crash."""
    from PySide6.QtGui import QGuiApplication

    return any(each is handle for each in QGuiApplication.topLevelWindows())


class Person:
    """Random actions, each done in the event loop by a timer, also while a dialog or a menu is open."""

    def __init__(self, window: Any, watch: Watch, seed: int, files: list[Path], is_over: Callable[[], bool]) -> None:
        from PySide6.QtCore import QEventLoop, QTimer

        self._window, self._watch, self._random, self._is_over = window, watch, random.Random(seed), is_over
        self._loop, self._files = QEventLoop(), files
        self._timer = QTimer(singleShot=True)
        self._timer.timeout.connect(self._act)
        self._depth, self._begun = 0, time.monotonic()
        self._typed_into: Any = None  # what keys are sent to just now
        self._actions = (
            (self._click, 22), (self._key, 16), (self._drag, 7), (self._wheel, 7), (self._type, 7), (self._resize, 5),
            (self._switch_page, 6), (self._start_or_stop, 6), (self._use_menu, 7), (self._press, 10),
            (self._ask_for_menu, 5), (self._pull, 3), (self._drop, 3), (self._change_colours, 1), (self._paste, 1),
            (self._full_screen, 2),
        )  # fmt: skip

    def work(self) -> None:
        """Act until it is over."""
        self._next()
        self._loop.exec()
        self._timer.stop()

    def _next(self) -> None:
        self._timer.start(self._random.choice((0, 0, 1, 5, 20, 60)))

    def _act(self) -> None:
        self._next()
        if self._is_over():
            self._leave()
            return
        if self._depth:  # an action lets events through, or has opened a menu or a dialog that it waits for
            self._answer()
            return
        self._depth += 1
        self._begun = time.monotonic()
        actions, weights = zip(*self._actions, strict=True)
        action = self._random.choices(actions, weights)[0]
        self._watch.done += 1
        try:
            action()
        except RuntimeError as error:
            if "already deleted" not in str(error):  # what is clicked away while it is clicked
                self._watch.raised(error)
        finally:
            self._depth -= 1
        self._watch.look()

    def _answer(self) -> None:
        """Choose of a menu, or let go of it or of a choice of files: the action under way waits for an answer.

        Not at once: Qt's tests let events through between a modifier and its key, and go on with a window of theirs.
        """
        from PySide6.QtGui import QAction, QDrag
        from PySide6.QtWidgets import QApplication, QFileDialog, QMenu

        if time.monotonic() - self._begun < ANSWERS_AFTER_S:
            return
        popup, dialog = QApplication.activePopupWidget(), QApplication.activeModalWidget()
        if self._typed_into is not None and self._typed_into in (popup, dialog):
            return  # however slow the machine is
        if isinstance(popup, QMenu) and self._random.random() < 0.5:
            entries: list[QAction] = [each for each in popup.actions() if each.isEnabled() and each.menu() is None]
            if entries:
                entry = self._random.choice(entries)
                self._note(f"chose {entry.text()!r}")
                popup.close()
                entry.trigger()
                return
        if popup is not None:
            popup.close()
        elif isinstance(dialog, QFileDialog) and self._random.random() < 0.3:
            self._note("cancelled the choice of files")
            dialog.reject()
        elif time.monotonic() - self._begun > DRAGS_S:  # text or a file is carried, and no real mouse lets go of it
            QDrag.cancel()
            if time.monotonic() - self._begun > STUCK_S:
                self._watch.fault("the person waits for something that never ends")
                self._loop.quit()

    def _leave(self) -> None:
        """Close what is open over the window, one after another, and end."""
        from PySide6.QtWidgets import QApplication

        above = QApplication.activePopupWidget() or QApplication.activeModalWidget()
        if above is not None:
            above.close()
        else:
            self._loop.quit()

    # What it can do

    def _target(self) -> Any:
        """The window that takes what a person does now: an open menu, a dialog, or the main window."""
        from PySide6.QtWidgets import QApplication

        popup = QApplication.activePopupWidget()
        if popup is not None and self._random.random() < 0.2:
            popup.close()  # a person lets go of a menu; it could hold what is random for long
        return QApplication.activePopupWidget() or QApplication.activeModalWidget() or self._window

    def _seen(self) -> list[Any]:
        """Every widget in what takes what a person does now."""
        from PySide6.QtWidgets import QWidget

        found = self._target().findChildren(QWidget)
        return [w for w in found if w.isVisible() and not w.isWindow() and w.width() and w.height()]

    def _place(self, among: list[Any] | None = None) -> tuple[Any, Any, str]:
        """A window, a place in it, and what lies there; every visible widget is as likely."""
        from PySide6.QtCore import QPoint

        widget = self._random.choice(among or [self._target(), *self._seen()])
        top = widget.window()
        box = widget.visibleRegion().boundingRect() & widget.rect()
        x, y = (
            low + self._random.randrange(max(1, size))
            for low, size in ((box.x(), box.width()), (box.y(), box.height()))
        )
        point = QPoint(x, y)
        text = getattr(widget, "text", str)
        said = text() if callable(text) else ""
        name = widget.objectName() or (said if isinstance(said, str) else "")
        return top.windowHandle(), widget.mapTo(top, point), f"{type(widget).__name__} {name[:24]!r}"

    def _note(self, what: str) -> None:
        self._watch.note(what)

    def _modifier(self, none: int = 8) -> Any:
        from PySide6.QtCore import Qt

        held = self._random.choices(("No", "Shift", "Control", "Alt", "Meta"), (none, 1, 1, 1, 0.2))[0]
        return Qt.KeyboardModifier[f"{held}Modifier"]

    def _click(self) -> None:
        from PySide6.QtCore import Qt

        button = self._random.choices((Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton,
                                       Qt.MouseButton.MiddleButton), (9, 1, 0.3))[0]  # fmt: skip
        self._press_at(*self._place(), button, is_double=self._random.random() < 0.12)

    def _press_at(self, handle: Any, point: Any, name: str, button: Any, is_double: bool = False) -> None:
        from PySide6.QtTest import QTest

        modifier = self._modifier()
        held = modifier.name.removesuffix("Modifier").replace("No", "")
        self._note(f"{'double ' if is_double else ''}{held} {button.name.lower()[:-6]} click on {name}".strip())
        for send in (QTest.mousePress, QTest.mouseRelease) * (2 if is_double else 1):
            if _is_open(handle):
                send(handle, button, modifier, point)

    def _press(self) -> None:
        """A button that can be pressed: they start, stop, carve, learn, choose and fold."""
        from PySide6.QtCore import Qt
        from PySide6.QtWidgets import QAbstractButton

        buttons = [w for w in self._seen() if isinstance(w, QAbstractButton) and w.isEnabled()]
        if buttons:
            self._press_at(*self._place(buttons), Qt.MouseButton.LeftButton, is_double=self._random.random() < 0.1)

    def _ask_for_menu(self) -> None:
        """The context menu of a picture, a plot or a cell."""
        from PySide6.QtCore import Qt

        pictures = [w for w in self._seen() if type(w).__name__ in _PICTURES]
        if pictures:
            self._press_at(*self._place(pictures), Qt.MouseButton.RightButton)

    def _drag(self) -> None:
        handle, start, name = self._place()
        _, end, onto = self._place()
        self._drag_to(handle, start, end, f"drag from {name} to {onto}")

    def _pull(self) -> None:
        """A splitter, the edge between two panels, or a panel by its title."""
        from PySide6.QtCore import QPoint
        from PySide6.QtWidgets import QDockWidget, QSplitterHandle

        top = self._target()
        docks = [w for w in self._window.findChildren(QDockWidget) if w.isVisible() and not w.isFloating()]
        splitters = [w for w in self._seen() if isinstance(w, QSplitterHandle)]
        far = QPoint(self._random.randint(-400, 400), self._random.randint(-300, 300))
        if top is self._window and docks and self._random.random() < 0.7:
            dock = self._random.choice(docks)
            box = dock.geometry()
            starts = {"right edge": QPoint(box.right() + 1, box.center().y()), "title": box.topLeft() + QPoint(60, 12),
                      "left edge": QPoint(box.left() - 1, box.center().y()),
                      "upper edge": QPoint(box.center().x(), box.top() - 1)}  # fmt: skip
            part = self._random.choice(list(starts))
            start = starts[part]
            self._drag_to(top.windowHandle(), start, start + far, f"pull {dock.objectName()} by its {part}")
        elif splitters:
            handle, start, name = self._place(splitters)
            self._drag_to(handle, start, start + far, f"pull {name}")
        else:
            self._drag()

    def _drag_to(self, handle: Any, start: Any, end: Any, said: str) -> None:
        from PySide6.QtCore import Qt
        from PySide6.QtTest import QTest

        self._note(said)
        if handle is None:
            return
        places = [start, *(start + (end - start) * part / 5 for part in range(1, 6))]
        held = self._modifier(20)
        sends = [lambda place: QTest.mousePress(handle, Qt.MouseButton.LeftButton, held, place)]
        sends += [lambda place: QTest.mouseMove(handle, place)] * 5
        for send, place in zip(sends, places, strict=True):
            if _is_open(handle):
                send(place)
        if _is_open(handle):
            QTest.mouseRelease(handle, Qt.MouseButton.LeftButton, held, end)

    def _drop(self) -> None:
        """Odd files, pages of the web, text or pixels, dropped onto whatever lies at a place."""
        from PySide6.QtCore import QMimeData, QPointF, Qt
        from PySide6.QtGui import QDragEnterEvent, QDropEvent
        from PySide6.QtWidgets import QApplication

        places = [w for w in [self._target(), *self._seen()] if w.acceptDrops()]
        if not places:
            return
        widget, data = self._random.choice(places), self._odd_data()
        self._note(f"dropped {data.text()[-40:]!r} onto {type(widget).__name__}")
        middle, copy, left = QPointF(widget.rect().center()), Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
        none = Qt.KeyboardModifier.NoModifier
        enter = QDragEnterEvent(middle.toPoint(), copy, data, left, none)
        QApplication.sendEvent(widget, enter)
        if enter.isAccepted():
            QApplication.sendEvent(widget, QDropEvent(middle, copy, data, left, none))
        assert isinstance(data, QMimeData)

    def _odd_data(self) -> Any:
        from PySide6.QtCore import QMimeData, QUrl
        from PySide6.QtGui import QColor, QImage

        data = QMimeData()
        files = [
            QUrl.fromLocalFile(str(self._random.choice(self._files))) for _ in range(self._random.choice((1, 1, 3)))
        ]
        match self._random.choice(("files", "files", "files", "web", "text", "pixels")):
            case "files":
                data.setUrls(files)
            case "web":
                data.setUrls([QUrl("https://example.invalid/a.png"), QUrl("x:y")])
            case "text":
                data.setText(self._random.choice(_HOSTILE_TEXTS))
            case _:
                image = QImage(self._random.choice((1, 40)), 30, QImage.Format.Format_ARGB32)
                image.fill(QColor(200, 90, 10, 70))
                data.setImageData(image)
        return data

    def _paste(self) -> None:
        from PySide6.QtCore import Qt
        from PySide6.QtWidgets import QApplication

        data = self._odd_data()
        self._note(f"pasted {data.text()[-40:]!r}")
        QApplication.clipboard().setMimeData(data)
        self._send(Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)

    def _change_colours(self) -> None:
        """The system turns dark or light, or the person asks for it."""
        from PySide6.QtCore import Qt
        from PySide6.QtWidgets import QApplication

        scheme = self._random.choice((Qt.ColorScheme.Dark, Qt.ColorScheme.Light, Qt.ColorScheme.Unknown))
        self._note(f"the system turns {scheme.name.lower()}")
        QApplication.styleHints().setColorScheme(scheme)

    def _full_screen(self) -> None:
        from PySide6.QtCore import Qt

        self._note("full screen or back")
        self._send(Qt.Key.Key_F11, Qt.KeyboardModifier.NoModifier)

    def _wheel(self) -> None:
        from PySide6.QtCore import QPoint
        from PySide6.QtTest import QTest

        handle, point, name = self._place()
        notches = self._random.choice((-600, -120, -120, 120, 120, 600))
        self._note(f"wheel {notches} on {name}")
        if handle is not None:
            QTest.wheelEvent(handle, point.toPointF(), QPoint(0, notches))

    def _send(self, key: Any, modifier: Any) -> None:
        from PySide6.QtTest import QTest

        self._typed_into = self._target()
        handle = self._typed_into.windowHandle()
        try:
            for send in (QTest.keyPress, QTest.keyRelease):
                if _is_open(handle):
                    send(handle, key, modifier)
        finally:
            self._typed_into = None

    def _key(self) -> None:
        from PySide6.QtCore import Qt

        names = ("Space", "Left", "Right", "Up", "Down", "Home", "End", "PageUp", "PageDown", "Escape", "Return", "Tab",
                 "Backtab", "Delete", "F1", "F11", "L", "P", "R", "B", "F", "N", "1", "9")  # fmt: skip
        name = self._random.choice(names)
        held = self._random.choices(("No", "Shift", "Control"), (8, 1, 2))[0]
        modifier = Qt.KeyboardModifier[f"{held}Modifier"]
        self._note(f"{held}+{name}".removeprefix("No+"))
        self._send(Qt.Key[f"Key_{name}"], modifier)

    def _type(self) -> None:
        from PySide6.QtTest import QTest
        from PySide6.QtWidgets import QApplication, QComboBox, QLineEdit, QPlainTextEdit, QSpinBox, QWidget

        kinds = (QLineEdit, QPlainTextEdit, QSpinBox, QComboBox)
        fields = [
            w for w in self._target().findChildren(QWidget) if isinstance(w, kinds) and w.isVisible() and w.isEnabled()
        ]
        if not fields:
            return self._key()
        field, text = self._random.choice(fields), self._random.choice(_HOSTILE_TEXTS)
        self._note(f"{text[:12]!r} into {type(field).__name__}")
        field.setFocus()
        if hasattr(field, "selectAll"):
            field.selectAll()
        if text.isascii() and len(text) <= LONGEST_TYPED:
            QTest.keyClicks(QApplication.focusWidget() or field, text)
        elif isinstance(field, QLineEdit):
            field.insert(text)  # pasted: Qt's tests know no keys for other letters, and abort
        return None

    def _resize(self) -> None:
        """Any size, maximised, minimised, or a half or a quarter of the screen as window managers offer them."""
        room = self._window.screen().availableGeometry()
        chance = self._random.random()
        if self._window.isMinimized():
            self._note("restored")
            self._window.showNormal()
        elif self._window.isMaximized() or self._window.isFullScreen():  # nobody can pull at its edges now
            self._note("back from the whole screen")
            self._window.showNormal()
        elif chance < 0.2:
            self._note("maximised")
            self._window.showMaximized()
        elif chance < 0.3:
            self._note("minimised")
            self._window.showMinimized()
        elif chance < 0.5:
            across, down = self._random.choice(((2, 1), (1, 2), (2, 2), (3, 1)))
            self._note(f"a tile of {across}×{down}")
            self._window.setGeometry(room.x(), room.y() + 24, room.width() // across - 8, room.height() // down - 40)
        else:
            width, height = self._random.randint(400, room.width() - 8), self._random.randint(300, room.height() - 40)
            self._note(f"resized to {width}×{height}")
            self._window.resize(width, height)

    def _switch_page(self) -> None:
        from PySide6.QtCore import Qt

        page = self._random.randint(1, 4)
        self._note(f"page {page}")
        self._send(Qt.Key[f"Key_{page}"], Qt.KeyboardModifier.ControlModifier)

    def _start_or_stop(self) -> None:
        from PySide6.QtCore import Qt

        self._note("start or stop")
        self._send(Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)

    def _use_menu(self) -> None:
        """Any entry of any menu but the one that ends the program."""
        from PySide6.QtGui import QAction

        def is_usable(action: QAction) -> bool:
            word = action.text().replace("&", "")
            return action.isEnabled() and action.isVisible() and bool(word) and action.menu() is None and word != "Quit"

        if self._target() is not self._window:
            return self._key()
        # pyqtgraph has actions of its own that stand in no menu
        found, more = [], list(self._window.menuBar().actions())
        while more:
            action = more.pop()
            menu = action.menu()
            more += menu.actions() if menu is not None else []
            found += [action] if is_usable(action) else []
        action = self._random.choice(found)
        self._note(f"menu {action.text()!r}")
        action.trigger()
        return None
