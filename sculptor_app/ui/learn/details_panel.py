"""The right panel of the page Learn: the chosen cell enlarged, the share learned per noise level, and the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from sculptor_app.core.texts import pictures_text
from sculptor_app.ui.learn import texts
from sculptor_app.ui.learn.cells import GUESS, STATE
from sculptor_app.ui.theme import fonts
from sculptor_app.ui.widgets.frame_panel import FramePanel
from sculptor_app.ui.widgets.names import display, explained

if TYPE_CHECKING:
    from sculptor_app.training.records.events import Report

WIDTH_PX, LEAST_WIDTH_PX = 360, 280
EARLIER = 4
"""The faint line is of a time at which so many times fewer pictures had been seen."""


class DetailsPanel(QWidget):
    """An enlarged frame over two plots, which `load` adds."""

    kind_requested = Signal(object)  # GUESS or STATE
    pictures_requested = Signal(float)  # a training time, in pictures

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumWidth(LEAST_WIDTH_PX)
        self._reports: list[Report] = []
        self._seen = 0
        self.learned: Any = None
        self.loss: Any = None
        self.frame = FramePanel(self)
        kinds = (GUESS, self.tr("Current guess"), "guess"), (STATE, self.tr("Noisy state"), "noisy")
        self.frame.set_kinds([(kind, name, explained(key)) for kind, name, key in kinds])
        self.frame.kind_requested.connect(self.kind_requested)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(14, 10, 14, 10)
        self._column.setSpacing(10)
        self.title = QLabel(self.tr("Up close"), self)
        self.title.setFont(fonts.strong())
        self._column.addWidget(self.title)
        self._column.addWidget(self.frame, 5)
        self.clear()

    def sizeHint(self) -> QSize:
        return QSize(WIDTH_PX, 600)

    def load(self) -> None:
        """Import pyqtgraph and put the plots in, once; called when the page is entered."""
        if self.loss is not None:
            return
        from sculptor_app.ui.learn.plots import LearnedPlot, LossPlot

        self.learned, self.loss = LearnedPlot(self), LossPlot(self)
        self._column.addWidget(self.learned, 4)
        self._column.addWidget(self.loss, 4)
        self.loss.pictures_requested.connect(self.pictures_requested)
        self.set_reports(self._reports)

    def set_kind(self, kind: str) -> None:
        """Set the kind that the enlarged frame is titled with."""
        self.frame.set_kind(kind)

    def clear(self) -> None:
        """Show that there is no run."""
        self.frame.set_picture(None, "", self.tr("One cell of the grid, enlarged"))
        self.set_reports([])

    def set_reports(self, reports: list[Report]) -> None:
        """Show all reports of a run, the oldest first."""
        self._reports = reports
        if self.loss is not None:
            self.loss.set_reports(reports)
            self._show_learned()

    def show_cell(self, image: QImage | None, seen: int, state: int) -> None:
        """Show a cell of the grid: its picture, the pictures seen by then, and the denoising step."""
        note = self.tr("after {0} · step {1}").format(texts.count_text(seen), state)
        self.frame.set_picture(image, note, self.tr("This row cannot be read any more."))

    def show_time(self, seen: int) -> None:
        self._seen = seen
        if self.loss is not None:
            self.loss.set_time(seen)
            self._show_learned()

    def _show_learned(self) -> None:
        from sculptor_app.ui.learn.plots import learned_at

        if not self._reports:
            self.learned.set_shares([None] * 9, [None] * 9, "")
            return
        earlier = self._seen // EARLIER
        before = learned_at(self._reports, earlier) if self._reports[0].pictures <= earlier else [None] * 9
        at = self.tr("after {0}").format(display(pictures_text(self._seen)))
        shares = learned_at(self._reports, self._seen)
        is_seen = any(share is not None and share != now for share, now in zip(before, shares, strict=True))
        line = self.tr("dashed: after {0:,}").format(earlier)
        self.learned.set_shares(shares, before, f"{at} · {line}" if is_seen else at)
