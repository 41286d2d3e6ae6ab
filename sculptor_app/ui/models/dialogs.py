"""Dialogs about models: the name of one on the Hugging Face hub, and the reasons why one is refused."""

from __future__ import annotations

import html
from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QTextBrowser, QVBoxLayout, QWidget

from sculptor_app.core.errors import SculptorError
from sculptor_app.session.engine import Finding, cached_names, from_address, is_name, is_offline, is_partial, listed
from sculptor_app.ui.fields.inputs import ChoiceBox
from sculptor_app.ui.theme import fonts
from sculptor_app.ui.widgets.bars import BarText
from sculptor_app.ui.widgets.names import display


class HubDialog(QDialog):
    """Asks for a name."""

    named = Signal(str)  # the name of a repository, "owner/name", that is to be opened

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Model from the hub"))
        self._cached, self._may_ask = cached_names(), not is_offline()
        heading = QLabel(self.tr("Which model of the hub?"), self)
        heading.setFont(fonts.title())
        self.name = ChoiceBox([(name, name) for name in self._cached], self)
        self.name.setEditable(True)
        self.name.setInsertPolicy(ChoiceBox.InsertPolicy.NoInsert)
        line = self.name.lineEdit()
        assert line is not None  # it is editable
        line.setPlaceholderText("owner/name")
        line.setMaxLength(500)  # an address may be pasted
        self.name.setAccessibleName(self.tr("Name of the model"))
        self.state = BarText(self)
        self.state.setProperty("tone", "muted")
        self.state.setMinimumHeight(2 * self.state.fontMetrics().lineSpacing() + 4)
        buttons = QDialogButtonBox(self)
        self.accepting = buttons.addButton(self.tr("Open"), QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self.name.editTextChanged.connect(self._judge)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(10)
        for widget in (heading, self.name, self.state):
            column.addWidget(widget)
        column.setAlignment(self.state, Qt.AlignmentFlag.AlignTop)  # else of two lines, whatever it needs
        column.addStretch(1)
        column.addWidget(buttons)
        self._judge()

    @property
    def text(self) -> str:
        """The name; that of its repository for an address on the hub."""
        text = self.name.currentText().strip()
        try:
            return from_address(text)
        except SculptorError:
            return text

    @Slot()
    def _judge(self) -> None:
        is_here, is_valid = self.text in self._cached, is_name(self.text)
        self.accepting.setEnabled(is_here or (is_valid and self._may_ask))
        self.accepting.setText(self.tr("Ask the hub") if is_valid and not is_here else self.tr("Open"))
        self.state.setText(self._said(is_here, is_valid))

    def _said(self, is_here: bool, is_valid: bool) -> str:
        if is_valid and is_partial(self.text):
            return self._said_of_a_part()
        if is_here:
            return self.tr("It is on this computer and opens without a network.")
        if not self.text:
            return self._invitation()
        if not is_valid:
            try:
                from_address(self.text)
            except SculptorError as error:
                return f"{display(error.message)} {display(error.advice)}"
            return self.tr("A name has the form owner/name, with letters, digits, “-”, “_” and “.”.")
        if not self._may_ask:
            return self.tr(
                "It is not on this computer, and Sculptor works offline: the hub is not asked while the environment "
                "variable HF_HUB_OFFLINE is set."
            )
        return self.tr("It is not on this computer. The hub is asked how large it is before anything is downloaded.")

    def _said_of_a_part(self) -> str:
        if not self._may_ask:
            return self.tr(
                "Only a part of it is on this computer, and Sculptor works offline: the hub is not asked while the "
                "environment variable HF_HUB_OFFLINE is set."
            )
        return self.tr("Only a part of it is on this computer. The hub is asked for the rest when you agree.")

    def _invitation(self) -> str:
        """What may be done while the field is empty."""
        if not self._may_ask:
            here = self.tr("Choose one that is here.") if self._cached else self.tr("None is here.")
            return self.tr(
                "{0} Sculptor works offline: the hub is not asked while the environment variable HF_HUB_OFFLINE is set."
            ).format(here)
        if not self._cached:
            return self.tr("None is on this computer yet. Type the name of the one to fetch.")
        return self.tr("Choose one that is on this computer, or type the name of any other.")

    def accept(self) -> None:
        if self.accepting.isEnabled():
            name = self.text
            super().accept()
            self.named.emit(name)

    def sizeHint(self) -> QSize:
        return QSize(480, 210)


class RefusalDialog(QDialog):
    """What was found in a model that was refused, and why each of it matters."""

    def __init__(self, model: str, findings: Sequence[Finding], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Why this model is refused"))
        heading = QLabel(self.tr("This model was not opened"), self)
        heading.setFont(fonts.title())
        where = BarText(self)
        where.setProperty("tone", "muted")
        where.setText(model)
        self.reasons = QTextBrowser(self)
        self.reasons.setAccessibleName(self.tr("Reasons"))
        findings, left_out = listed(findings)
        items = "".join(
            "<li style='margin-bottom: 8px'>"
            f"{fonts.strong_html(display(each.message))} {html.escape(display(each.explanation))}</li>"
            for each in findings
            if each.severity.value != "note"
        )
        notes = [html.escape(display(each.message)) for each in findings if each.severity.value == "note"]
        if notes:
            notes_title = self.tr("No reasons, but found, too:")
            items += f"<li>{html.escape(notes_title)} {' '.join(notes)}</li>"
        if left_out:
            more = self.tr("And {0} more.").format(f"{left_out:,}")
            items += f"<li>{html.escape(more)}</li>"
        self.reasons.setHtml(f"<ul style='margin-left: -20px'>{items}</ul>")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, self)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 16)
        column.setSpacing(10)
        for widget in (heading, where, self.reasons, buttons):
            column.addWidget(widget)
        column.setAlignment(where, Qt.AlignmentFlag.AlignTop)  # else of one line, whatever it needs

    def sizeHint(self) -> QSize:
        return QSize(560, 380)
