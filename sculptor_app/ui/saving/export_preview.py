"""The picture of what is exported: reduced without losing a line, and whole in a window of its own on a click."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QHelpEvent, QImage, QMouseEvent, QPainter
from PySide6.QtWidgets import QDialog, QVBoxLayout, QWidget

from sculptor_app.ui.widgets.basics import show_tip
from sculptor_app.ui.widgets.picture_view import PictureView

LEAST_PX = 300


class ExportPreview(PictureView):
    """A PictureView for pages that are larger than their place.

    Qt's painter looks at four pixels for each that it paints, so of a page reduced further it would leave out lines and
    parts of letters; here each painted pixel is the mean of all those that it stands for.
    """

    clicked = Signal()  # a picture that is shown reduced

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._reduced: tuple[QImage, QSize, QImage] | None = None  # the picture, the wanted size, the reduced one

    @property
    def is_reduced(self) -> bool:
        """Whether the picture is shown whole and smaller than it is."""
        return self.view.is_fit and 0 < self.device_scale < 1

    def _paint_picture(self, painter: QPainter) -> None:
        if not self.is_reduced or self.image is None:
            super()._paint_picture(painter)
            return
        place = self._placement().rect
        ratio = self.devicePixelRatioF()
        size = QSize(max(1, round(place.width() * ratio)), max(1, round(place.height() * ratio)))
        if self._reduced is None or self._reduced[0] is not self.image or self._reduced[1] != size:
            freely, smoothly = Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
            self._reduced = self.image, size, self.image.scaled(size, freely, smoothly)
        reduced = self._reduced[2]
        whole = QRectF(place.topLeft(), size.toSizeF() / ratio)  # pixel on pixel
        painter.drawImage(whole, reduced, QRectF(reduced.rect()))

    def _update_cursor(self) -> None:
        super()._update_cursor()
        if self.is_reduced:
            self.setCursor(Qt.CursorShape.PointingHandCursor)

    def set_picture(self, image: QImage | None, empty_text: str = "") -> None:
        super().set_picture(image, empty_text)
        self._update_cursor()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self.is_reduced:
            show_tip(event.globalPos(), self.tr("Click to see it larger; the wheel zooms."), self, QRect())
            return True
        return super().event(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        is_click = self._pressed is not None and self.is_reduced and self.rect().contains(event.position().toPoint())
        super().mouseReleaseEvent(event)
        if is_click:
            self.clicked.emit()


class WholePicture(QDialog):
    """A picture at its full size, or as large as the screen; it can be zoomed."""

    def __init__(self, image: QImage, title: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.picture = ExportPreview(self)
        self.picture.set_picture(image)
        self.picture.clicked.connect(self._zoom)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.picture)
        room = self.screen().availableSize() - QSize(40, 80)  # the frame of the window, and something of what is behind
        ratio = self.devicePixelRatioF()
        wanted = QSize(round(image.width() / ratio), round(image.height() / ratio))
        self.resize(wanted if _has_room(wanted, room) else wanted.scaled(room, Qt.AspectRatioMode.KeepAspectRatio))

    @Slot()
    def _zoom(self) -> None:
        self.picture.zoom_to(1)


def _has_room(size: QSize, room: QSize) -> bool:
    return size.width() <= room.width() and size.height() <= room.height()
