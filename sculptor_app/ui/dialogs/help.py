"""The Help menu: the glossary, keyboard shortcuts, read from the menus, published findings, the log, and About."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSize, Qt, QTimer, QUrl, Slot
from PySide6.QtGui import QAction, QDesktopServices, QKeySequence, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QScrollArea,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from sculptor_app import logs
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.measures.glossary import CHAPTERS, matches
from sculptor_app.session.runner import SamplingRunner
from sculptor_app.ui.theme import fonts, theme
from sculptor_app.ui.widgets.bars import MessageBar
from sculptor_app.ui.widgets.names import display

if TYPE_CHECKING:
    from sculptor_app.ui.dialogs.claims import ClaimsDialog
    from sculptor_app.ui.dialogs.instrument import InstrumentDialog


class Help(QObject):
    """Opens the dialogs of the Help menu, and the check of the instrument.

    Args:
        messages: Says what cannot be shown.
        parent: The window.
        runner: Does the model's work, where a published finding, or the instrument, is tested.
        request: What it is tested with; None while something in the fields is wrong.
    """

    def __init__(
        self,
        messages: MessageBar,
        parent: QWidget,
        runner: SamplingRunner,
        request: Callable[[], RunRequest | None],
    ) -> None:
        super().__init__(parent)
        self._messages, self._parent, self._runner, self._request = messages, parent, runner, request
        self._glossary: GlossaryDialog | None = None
        self._claims: ClaimsDialog | None = None
        self._instrument: InstrumentDialog | None = None

    def show_shortcuts(self, menus: Sequence[QMenu]) -> None:
        """Every shortcut of the window, read from its menus."""
        ShortcutsDialog(menus, self._parent).open()

    @Slot()
    def show_glossary(self, key: str = "") -> None:
        """What everything on screen means, beside the window.

        Args:
            key: of the term to begin at, or "chapter-" and a chapter's; empty is the beginning.
        """
        if self._glossary is None:
            self._glossary = GlossaryDialog(self._parent)
            self._glossary.destroyed.connect(self._forget_glossary)
        self._glossary.show()
        self._glossary.raise_()
        self._glossary.activateWindow()
        self._glossary.go_to(key)

    @Slot()
    def _forget_glossary(self) -> None:
        self._glossary = None

    @Slot()
    def show_claims(self) -> None:
        """Published findings, beside the window, to be tested on the model that is open."""
        if self._claims is None:
            from sculptor_app.ui.dialogs.claims import ClaimsDialog

            self._claims = ClaimsDialog(self._runner, self._request, self._parent)
        self._claims.show()
        self._claims.raise_()
        self._claims.activateWindow()

    @Slot()
    def show_instrument(self) -> None:
        """A check of what is measured, beside the window, with the sampler and the steps of the page Carve."""
        if self._instrument is None:
            from sculptor_app.ui.dialogs.instrument import InstrumentDialog  # numpy and pyqtgraph come with it

            self._instrument = InstrumentDialog(self._runner, self._request, self._parent)
        if not self._instrument.isVisible():
            self._instrument.take_settings()
        self._instrument.show()
        self._instrument.raise_()
        self._instrument.activateWindow()

    @Slot()
    def show_about(self) -> None:
        from sculptor_app.ui.dialogs.about import AboutDialog

        AboutDialog(self._parent).open()

    @Slot()
    def show_log(self) -> None:
        """Open the log in the system's text viewer."""
        file = logs.file()
        if file is None:
            self._messages.show_message(
                self.tr("There is no log file."), self.tr("Its folder cannot be written; messages go to the terminal.")
            )
        elif not QDesktopServices.openUrl(QUrl.fromLocalFile(str(file))):
            self._messages.show_message(self.tr("The log is in {0}.").format(file), is_fault=False)


class GlossaryDialog(QDialog):
    """All terms in chapters, with a line that leaves those that have a word in them; the window stays free."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("What am I seeing?"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.word_line = QLineEdit(self)
        self.word_line.setPlaceholderText(self.tr("Find a word"))
        self.word_line.setClearButtonEnabled(True)
        self.word_line.setAccessibleName(self.tr("Find a word"))
        self.text = QTextBrowser(self)
        self.text.setFrameShape(QTextBrowser.Shape.NoFrame)
        self.text.setAccessibleName(self.windowTitle())
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 16, 20, 16)
        column.setSpacing(10)
        self.close_button = QPushButton(self.tr("Close"), self)
        self.close_button.setAutoDefault(False)
        self.close_button.clicked.connect(self.close)
        column.addWidget(self.word_line)
        column.addWidget(self.text, 1)
        column.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignRight)
        self._soon = QTimer(self, interval=0, singleShot=True)  # once for keys that come faster than it is shown
        self._soon.timeout.connect(self._show)
        self.word_line.textChanged.connect(self._soon.start)
        theme().changed.connect(self._show)
        self.resize(QSize(560, 620).boundedTo(parent.window().screen().availableGeometry().size() * 0.85))
        self._show()

    def go_to(self, key: str) -> None:
        """Bring a term or chapter to the top; nothing for an empty key, so that a reader's place is kept."""
        if key:
            self.word_line.clear()
            self._show()
            self.text.scrollToAnchor(key)

    @Slot()
    def _show(self) -> None:
        self._soon.stop()
        word, tokens, parts = self.word_line.text(), theme().tokens, []
        if not word.strip():
            look = f'style="color: {tokens.accent_text}"'
            ways = [f'<a href="#chapter-{each.key}" {look}>{escape(display(each.title))}</a>' for each in CHAPTERS]
            parts.append(f"<p>{' · '.join(ways)}</p>")
        for chapter in CHAPTERS:
            terms = [term for term in chapter.terms if matches(term, word, display)]
            if terms:
                heading = fonts.strong_html(display(chapter.title))
                anchor = f'<a name="chapter-{chapter.key}"></a>'
                parts.append(f'<h3 style="color: {tokens.accent_text}">{anchor}{heading}</h3>')
            for term in terms:
                title, text = display(term.title), escape(display(term.text))
                title = fonts.strong_html(title[:1].upper() + title[1:])
                parts.append(f'<p><a name="{term.key}"></a>{title}<br>{text}</p>')
        nothing = self.tr("No term has “{0}” in it.").format(escape(word))
        self.text.setHtml("".join(parts) or f"<p>{nothing}</p>")


def _shortcuts(menus: Sequence[QMenu]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Per menu its title and, per action that has keys, the keys and its title."""
    found = []
    for menu in menus:
        rows = [(_keys(action), _plain(action.text())) for action in menu.actions() if action.shortcuts()]
        if rows:
            found.append((_plain(menu.title()), rows))
    return found


def _keys(action: QAction) -> str:
    form = QKeySequence.SequenceFormat.NativeText
    return ", ".join(keys.toString(form) for keys in action.shortcuts() if keys.toString() != "Ctrl+Enter")


def _plain(text: str) -> str:
    return text.replace("&", "").rstrip("…")


class ShortcutsDialog(QDialog):
    """Two columns of keys and actions, and what the mouse does."""

    def __init__(self, menus: Sequence[QMenu], parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keyboard shortcuts"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        sections = [*_shortcuts(menus), (self.tr("Over a picture"), self._mouse())]
        sections.sort(key=lambda section: -len(section[1]))
        columns = [QVBoxLayout(), QVBoxLayout()]
        lines = [0, 0]
        for title, rows in sections:  # the longest first, each into the shorter column
            shorter = lines.index(min(lines))
            lines[shorter] += len(rows) + 2
            columns[shorter].addWidget(self._section(title, rows))
        self._content = QWidget(self)
        beside = QHBoxLayout(self._content)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.setSpacing(40)
        for column in columns:
            column.setSpacing(16)
            column.addStretch(1)
            beside.addLayout(column)
        close = QPushButton(self.tr("Close"), self)
        close.clicked.connect(self.close)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(24, 20, 24, 16)
        outer.setSpacing(12)
        self._scroll = QScrollArea(self)  # a small screen has no room for all of them
        self._scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        self._scroll.setWidgetResizable(True)
        self._scroll.setWidget(self._content)
        outer.addWidget(self._scroll, 1)
        outer.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)

    def _mouse(self) -> list[tuple[str, str]]:
        return [
            (self.tr("Wheel"), self.tr("Zoom all frames")),
            (self.tr("Drag"), self.tr("Move the zoomed picture")),
            (self.tr("Double click"), self.tr("Fit")),
        ]

    def _section(self, title: str, rows: list[tuple[str, str]]) -> QWidget:
        section = QWidget(self)
        grid = QGridLayout(section)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(28)
        grid.setVerticalSpacing(6)
        grid.setColumnMinimumWidth(0, 170)
        heading = QLabel(title, section)
        heading.setFont(fonts.strong())
        grid.addWidget(heading, 0, 0, 1, 2)
        for line, (keys, action) in enumerate(rows, start=1):
            pressed = QLabel(keys, section)
            pressed.setProperty("tone", "muted")
            grid.addWidget(QLabel(action, section), line, 0)
            grid.addWidget(pressed, line, 1)
        return section

    def showEvent(self, event: QShowEvent) -> None:
        whole = self.sizeHint() - self._scroll.sizeHint() + self._content.sizeHint()
        self.resize(whole.boundedTo(self.screen().availableGeometry().size() * 0.85))
        super().showEvent(event)
