"""The pictures of forks that part at one step, beside that of the run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontInfo,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from sculptor_app.ui.theme import fonts, theme
from sculptor_app.ui.why.cell_layout import GridSpace, cell_layout
from sculptor_app.ui.widgets.basics import Subject, paint_frame

MARGIN, GAP, CAPTION_PX = 2, 12, 22.0


class Fan(QWidget):
    """The run's picture first, then those of its forks; a fork that is still to come is an empty field."""

    open_requested = Signal(int)  # number of the fork that is to be opened by itself

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._whole: QImage | None = None
        self._forks: tuple[QImage | None, ...] = ()
        self._are_u_turns = False
        self._batch = 1
        self._hovered = -1
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName(self.tr("Pictures of the forks"))
        theme().changed.connect(self.update)

    def set_pictures(
        self, whole: QImage | None, forks: Sequence[QImage | None], are_u_turns: bool = False, batch: int = 1
    ) -> None:
        """Show other pictures; None for one that is not there yet.

        Args:
            batch: how many of the forks were made at once, at most.
        """
        self._whole, self._forks, self._are_u_turns, self._batch = whole, tuple(forks), are_u_turns, batch
        self.update()

    @property
    def pictures(self) -> tuple[QImage | None, ...]:
        """Those of the forks."""
        return self._forks

    def cell_rect(self, cell: int) -> QRectF:
        """Where a picture is: 0 is that of the run, 1 the first fork's."""
        return self._boxes()[cell]

    def caption(self, cell: int) -> str:
        """What stands below a picture."""
        if cell == 0:
            return self.tr("the run")
        return (self.tr("U-turn {0}") if self._are_u_turns else self.tr("fork {0}")).format(cell)

    def subject_at(self, place: QPoint | None) -> Subject | None:
        """The picture at a place, for a context menu; the first fork's for the keyboard."""
        cell = 1 if place is None else self._cell_at(QPointF(place))
        image = self._image(cell)
        if image is None:
            return None
        opens: Callable[[], object] | None = functools.partial(self.open_requested.emit, cell - 1) if cell else None
        return Subject(image, f"fork-{cell}" if cell else "run", "fork", open_run=opens)

    @property
    def tip(self) -> str:
        """What a click on a fork's picture does."""
        if self._batch == 1:
            return self.tr("Open this run in Carve, with all its steps")
        return self.tr(
            "Open this run in Carve, with all its steps.\n"
            "This picture was made together with others, {0} at once. Opened, the run is made again\n"
            "by itself, and may differ a little from this picture, as sums are rounded otherwise."
        ).format(self._batch)

    # Inside

    def _image(self, cell: int) -> QImage | None:
        return self._whole if cell == 0 else self._forks[cell - 1] if 0 < cell <= len(self._forks) else None

    def _boxes(self) -> list[QRectF]:
        space = GridSpace(self.width() - 2 * MARGIN, self.height() - 2 * MARGIN, GAP, self._caption_px)
        return [QRectF(*rect).translated(MARGIN, MARGIN) for rect in cell_layout(1 + len(self._forks), space).pictures]

    @property
    def _type_scale(self) -> float:
        """How much larger than usual its type is: it fills the screen of a lecture room, too."""
        return self.fontInfo().pointSizeF() / QFontInfo(fonts.body()).pointSizeF()

    @property
    def _caption_px(self) -> float:
        return round(CAPTION_PX * self._type_scale)

    def _scaled(self, font: QFont) -> QFont:
        font.setPointSizeF(QFontInfo(font).pointSizeF() * self._type_scale)
        return font

    def _cell_at(self, point: QPointF) -> int:
        return next((cell for cell, box in enumerate(self._boxes()) if box.contains(point)), -1)

    def _hover(self, cell: int) -> None:
        if cell != self._hovered:
            self._hovered = cell
            can_open = cell > 0 and self._image(cell) is not None
            self.setCursor(Qt.CursorShape.PointingHandCursor if can_open else Qt.CursorShape.ArrowCursor)
            self.update()

    # Qt overrides

    def sizeHint(self) -> QSize:
        return QSize(640, 260)

    def minimumSizeHint(self) -> QSize:
        return QSize(200, 110)

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme().tokens
        painter = QPainter(self)
        for cell, box in enumerate(self._boxes()):
            image = self._image(cell)
            if image is None:
                painter.setPen(QPen(QColor(tokens.hairline_strong), 1, Qt.PenStyle.DashLine))
                painter.drawRect(box.adjusted(0.5, 0.5, -0.5, -0.5))
            else:
                painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)  # they are clean pictures
                painter.drawImage(_fitted(box, image), image)
                paint_frame(painter, _fitted(box, image), tokens.hairline_strong)
            if cell == self._hovered and cell and image is not None:
                painter.setPen(QPen(QColor(tokens.focus), 2))
                painter.drawRect(_fitted(box, image).adjusted(-2, -2, 2, 2))
            painter.setFont(self._scaled(fonts.small() if cell else fonts.small_strong()))
            painter.setPen(QColor(tokens.text if cell == 0 else tokens.muted))
            below = QRectF(box.left(), box.bottom() + 2, box.width(), self._caption_px - 4)
            painter.drawText(below, Qt.AlignmentFlag.AlignCenter, self.caption(cell))
        painter.end()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover(self._cell_at(event.position()))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        cell = self._cell_at(event.position())
        if event.button() == Qt.MouseButton.LeftButton and cell > 0 and self._image(cell) is not None:
            self.open_requested.emit(cell - 1)

    def leaveEvent(self, event: QEvent) -> None:
        self._hover(-1)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.ignore()  # keys move the run

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            cell = self._cell_at(QPointF(event.pos()))
            tip = ""
            if cell > 0 and self._image(cell) is not None:
                tip = self.tip
            QToolTip.showText(event.globalPos(), tip, self)
            return True
        return super().event(event)


def _fitted(box: QRectF, image: QImage | None) -> QRectF:
    """The largest place in a box that has the shape of a picture."""
    if image is None or image.width() == image.height():
        return box
    scale = min(box.width() / image.width(), box.height() / image.height())
    place = QRectF(0, 0, image.width() * scale, image.height() * scale)
    place.moveCenter(box.center())
    return place
