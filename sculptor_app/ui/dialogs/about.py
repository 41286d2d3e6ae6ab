"""What this program is, in one small dialog."""

import platform

from PySide6 import __version__ as qt_version
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from sculptor_app import identity
from sculptor_app.ui.theme import fonts
from sculptor_app.ui.widgets.names import display


class AboutDialog(QDialog):
    """Name, version, what it does, licence; the versions can be copied into a bug report."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("About {0}").format(identity.NAME))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFixedWidth(520)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 22, 24, 16)
        column.setSpacing(12)
        column.addLayout(self._heading())
        for paragraph in identity.DESCRIPTION:
            text = QLabel(display(paragraph), self)
            text.setWordWrap(True)
            column.addWidget(text)
        self.versions = QLabel(self._versions(), self)
        self.versions.setProperty("tone", "muted")
        self.versions.setFont(fonts.small())
        self.versions.setWordWrap(True)
        self.versions.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column.addWidget(self.versions)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        copy = buttons.addButton(self.tr("Copy versions"), QDialogButtonBox.ButtonRole.ActionRole)
        copy.clicked.connect(self.copy_versions)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)

    def _heading(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(14)
        icon = self.windowIcon()
        if not icon.isNull():
            picture = QLabel(self)
            picture.setPixmap(icon.pixmap(QSize(56, 56), self.devicePixelRatioF()))
            row.addWidget(picture)
        name = QLabel(identity.NAME, self)
        font = fonts.title()
        font.setPointSizeF(font.pointSizeF() * 1.6)
        name.setFont(font)
        summary = QLabel(display(identity.SUMMARY), self)
        summary.setProperty("tone", "muted")
        texts = QVBoxLayout()
        texts.setSpacing(0)
        texts.addWidget(name)
        texts.addWidget(summary)
        row.addLayout(texts)
        row.addStretch(1)
        return row

    def _versions(self) -> str:
        own = f"{identity.NAME} {identity.VERSION} · {identity.LICENCE} · {identity.COPYRIGHT}"
        return f"{own}\nPython {platform.python_version()} · Qt for Python {qt_version} · {platform.platform()}"

    def copy_versions(self) -> None:
        QGuiApplication.clipboard().setText(self.versions.text())
