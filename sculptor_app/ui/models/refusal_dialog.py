"""Dialog with every reason for which a model is refused."""

from __future__ import annotations

import html
from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QTextBrowser, QVBoxLayout, QWidget

from sculptor_app.session.engine import Finding
from sculptor_app.ui.theme import fonts


class RefusalDialog(QDialog):
    """Findings of the inspection of a model that is refused, and why each matters.

    Args:
        model: Its folder, file or name.
        findings: Everything that was found.
        parent: The window.
    """

    def __init__(self, model: str, findings: Sequence[Finding], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Why this model is refused"))
        heading = QLabel(self.tr("This model was not opened"), self)
        heading.setFont(fonts.title())
        where = QLabel(model, self)
        where.setProperty("tone", "muted")
        where.setWordWrap(True)
        where.setTextFormat(Qt.TextFormat.PlainText)
        self.reasons = QTextBrowser(self)
        self.reasons.setAccessibleName(self.tr("Reasons"))
        items = "".join(
            f"<li style='margin-bottom: 8px'><b>{html.escape(each.message)}</b> {html.escape(each.explanation)}</li>"
            for each in findings
        )
        self.reasons.setHtml(f"<ul style='margin-left: -20px'>{items}</ul>")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(10)
        for widget in (heading, where, self.reasons, buttons):
            column.addWidget(widget)

    def sizeHint(self) -> QSize:
        return QSize(560, 380)
