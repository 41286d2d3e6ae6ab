"""The pages there are, in the order of their tabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from sculptor_app.ui.pages import CARVE, Entry

if TYPE_CHECKING:
    from sculptor_app.ui.main_window import MainWindow


def _tr(text: str) -> str:
    return QCoreApplication.translate("Pages", text)


def entries(window: MainWindow) -> list[Entry]:
    """Titles, tips and makers of the pages of a window."""
    return [Entry(CARVE, _tr("Carve"), _tr("Noise is taken away, step by step, until a picture is there"))]
