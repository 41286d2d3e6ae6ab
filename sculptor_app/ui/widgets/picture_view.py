"""A zoomable picture with crisp pixels: fit or whole-number zoom, wheel at the pointer, drag to pan.

Scales are device pixels per picture pixel. A picture that fits its place seldom does so by a whole number: its pixels
then have two neighbouring widths, which the eye sees up to about 5; below that the picture is smoothed, a small one
only at the borders between its pixels.
"""

import math
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QWheelEvent
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from sculptor_app.ui.theme import fonts, theme
from sculptor_app.ui.widgets.basics import DragSource, paint_frame

STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64)
_UNEVEN_FROM = 5.0
_SHARPENED_AT_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class View:
    """A part of a picture, free of any widget's size, so that views of other sizes can show the same part."""

    magnification: float = 1.0  # over the scale that fits the widget; 1 and less mean fit
    x: float = 0.5  # x, y: the middle of the view as a fraction 0..1 of the picture
    y: float = 0.5

    @property
    def is_fit(self) -> bool:
        """Whether the whole picture is shown."""
        return self.magnification <= 1.0


FIT = View()
"""The whole picture."""


def fit_scale(picture_width: int, picture_height: int, width: float, height: float) -> float:
    """The scale at which a picture fills width x height device pixels; below 1 for a picture larger than that.

    Raises:
        ValueError: a picture without pixels.
    """
    if picture_width < 1 or picture_height < 1:
        raise ValueError(f"a picture has at least one pixel; got {picture_width} x {picture_height}")
    return max(min(width / picture_width, height / picture_height), 1e-3)


def looks_better_smooth(scale: float) -> bool:
    """Whether pixels of uneven width would show at this scale."""
    return scale < _UNEVEN_FROM and abs(scale - round(scale)) > 1e-6


def is_worth_sharpening(picture_width: int, picture_height: int, scale: float) -> bool:
    """Whether a smoothed picture's own pixels can still be seen, and enlarging it first costs little."""
    return scale > 1 and picture_width * picture_height * math.ceil(scale) ** 2 <= _SHARPENED_AT_MOST


def scale_of(view: View, fit: float) -> float:
    """The scale of a view in a widget whose fitting scale is `fit`; whole numbers unless it fits."""
    return fit if view.is_fit else float(max(1, round(fit * view.magnification)))


def stepped(scale: float, steps: int, fit: float) -> int | None:
    """The next whole scale, `steps` further in (+) or out (-); None when that is no more than fitting."""
    wanted = scale
    for _ in range(abs(steps)):
        if steps > 0:
            wanted = min((step for step in STEPS if step > wanted + 1e-6), default=STEPS[-1])
        else:
            wanted = max((step for step in STEPS if step < wanted - 1e-6), default=0)
    return None if wanted <= fit else int(wanted)


@dataclass(frozen=True, slots=True)
class _Placement:
    """Where the picture lies: its top left corner and its size on screen, in widget coordinates."""

    rect: QRectF
    scale: float


class PictureView(QWidget):
    """Shows one picture on an area of its own; what is zoomed can be shared with other views."""

    view_changed = Signal(object)  # the person zoomed or panned
    pixel_hovered = Signal(int, int)  # column and row under the pointer, or -1, -1 when it left

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: QImage | None = None
        self._empty_text = ""
        self._smooth = False
        self._view = FIT
        self._marker: tuple[int, int] | None = None
        self._hovered = (-1, -1)
        self._grip: QPointF | None = None
        self._pressed: QPointF | None = None  # where a picture that fits was taken hold of
        self._wheel = 0
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._shows_focus = False  # Tab led here
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        theme().changed.connect(self.update)

    # What it shows

    def set_picture(self, image: QImage | None, empty_text: str = "") -> None:
        """Shows a picture (Format_RGB32 paints quickest), or `empty_text` where there is none."""
        shown = image if image is not None and not image.isNull() else None
        if shown is self._image and empty_text == self._empty_text:
            return
        self._image, self._empty_text = shown, empty_text
        tip = empty_text if shown is None else ""
        if tip != self.toolTip():
            self.setToolTip(tip)
        self.update()

    def set_smooth(self, smooth: bool) -> None:
        """Whether a picture that fits is enlarged smoothly; one that is zoomed has its own pixels."""
        if smooth != self._smooth:
            self._smooth = smooth
            self.update()

    def set_view(self, view: View) -> None:
        """Zooms and pans as another view did; emits nothing."""
        if view != self._view:
            self._view = view
            self._update_cursor()
            self.update()

    def set_marker(self, column: int, row: int) -> None:
        """Outlines one pixel of the picture, as found in another view; -1, -1 for none."""
        marker = None if column < 0 or row < 0 else (column, row)
        if marker != self._marker:
            self._marker = marker
            self.update()

    @property
    def image(self) -> QImage | None:
        return self._image

    @property
    def view(self) -> View:
        """What part of the picture is shown."""
        return self._view

    @property
    def device_scale(self) -> float:
        """Device pixels per picture pixel now; 0 without a picture."""
        return self._device_scale(self._view) if self._image is not None else 0.0

    # Asked by people

    def zoom_by(self, steps: int, anchor: QPointF | None = None) -> None:
        """Zooms in (+) or out (-) by whole-number steps; what is under `anchor` (widget coordinates) stays there."""
        if self._image is None:
            return
        here = anchor if anchor is not None else QPointF(self.rect().center())
        fraction = self._fraction_at(here)
        fit = self._fit()
        scale = stepped(self.device_scale, steps, fit)
        if scale is None:
            self._ask(FIT)
            return
        logical = scale / self.devicePixelRatioF()
        size = QPointF(self._image.width() * logical, self._image.height() * logical)
        middle = QPointF(self.width() / 2, self.height() / 2)
        centre_x = fraction.x() + (middle.x() - here.x()) / size.x()
        centre_y = fraction.y() + (middle.y() - here.y()) / size.y()
        self._ask(View(scale / fit, centre_x, centre_y))

    def zoom_to_fit(self) -> None:
        """Shows the whole picture."""
        self._ask(FIT)

    def zoom_to(self, scale: int) -> None:
        """Shows `scale` device pixels per picture pixel, around the present middle."""
        if self._image is not None:
            self._ask(View(scale / self._fit(), self._view.x, self._view.y))

    def _ask(self, view: View) -> None:
        view = self._kept_inside(view)
        if view != self._view:
            self._view = view
            self._update_cursor()
            self.update()
            self.view_changed.emit(view)

    # Geometry

    def _fit(self) -> float:
        assert self._image is not None
        ratio = self.devicePixelRatioF()
        return fit_scale(self._image.width(), self._image.height(), self.width() * ratio, self.height() * ratio)

    def _device_scale(self, view: View) -> float:
        return scale_of(view, self._fit())

    def _kept_inside(self, view: View) -> View:
        if self._image is None or view.is_fit:
            return FIT
        logical = self._device_scale(view) / self.devicePixelRatioF()
        half_x = min(0.5, self.width() / (2 * self._image.width() * logical))
        half_y = min(0.5, self.height() / (2 * self._image.height() * logical))
        x, y = min(max(view.x, half_x), 1 - half_x), min(max(view.y, half_y), 1 - half_y)
        return View(view.magnification, x, y)

    def _placement(self) -> _Placement:
        assert self._image is not None
        ratio = self.devicePixelRatioF()
        view = self._kept_inside(self._view)
        scale = self._device_scale(view) / ratio
        width, height = self._image.width() * scale, self._image.height() * scale
        left, top = self.width() / 2 - view.x * width, self.height() / 2 - view.y * height
        # On whole device pixels, or the picture would swim when it is panned.
        left, top = round(left * ratio) / ratio, round(top * ratio) / ratio
        return _Placement(QRectF(left, top, width, height), scale)

    def _fraction_at(self, point: QPointF) -> QPointF:
        rect = self._placement().rect
        return QPointF((point.x() - rect.x()) / rect.width(), (point.y() - rect.y()) / rect.height())

    def pixel_at(self, point: QPointF) -> tuple[int, int]:
        """Column and row of the picture under a point of the widget, or (-1, -1)."""
        if self._image is None:
            return -1, -1
        fraction = self._fraction_at(point)
        if not (0 <= fraction.x() < 1 and 0 <= fraction.y() < 1):
            return -1, -1
        return int(fraction.x() * self._image.width()), int(fraction.y() * self._image.height())

    def _update_cursor(self) -> None:
        self.setCursor(Qt.CursorShape.CrossCursor if self._view.is_fit else Qt.CursorShape.OpenHandCursor)

    def _hover(self, pixel: tuple[int, int]) -> None:
        if pixel != self._hovered:
            self._hovered = pixel
            self.pixel_hovered.emit(*pixel)

    # Painting

    def _paint_picture(self, painter: QPainter) -> None:
        assert self._image is not None
        placement = self._placement()
        scale = placement.scale * self.devicePixelRatioF()
        is_smooth = self._smooth and self._view.is_fit and scale > 1
        image, smooth = self._image, is_smooth or looks_better_smooth(scale)
        if smooth and not is_smooth and is_worth_sharpening(image.width(), image.height(), scale):
            # Pixels of whole size first, then a little smaller: sharp, and all of one width to the eye.
            whole = math.ceil(scale)
            image = image.scaled(image.width() * whole, image.height() * whole)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.drawImage(placement.rect, image, QRectF(image.rect()))
        if self._marker is not None:
            column, row = self._marker
            side = max(placement.scale, 4.0)
            centre = placement.rect.topLeft() + QPointF(column + 0.5, row + 0.5) * placement.scale
            square = QRectF(centre.x() - side / 2, centre.y() - side / 2, side, side)
            painter.setPen(QPen(QColor(0, 0, 0, 150), 1))
            painter.drawRect(square.adjusted(-1, -1, 1, 1))
            painter.setPen(QPen(QColor("white"), 1))
            painter.drawRect(square)

    def _paint_empty(self, painter: QPainter) -> None:
        tokens = theme().tokens
        painter.fillRect(self.rect(), QColor(tokens.field))
        painter.setPen(QColor(tokens.muted))
        painter.setFont(fonts.body())
        inner = self.rect().adjusted(20, 12, -20, -12)
        painter.drawText(inner, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._empty_text)

    def sizeHint(self) -> QSize:
        return QSize(256, 256)

    def minimumSizeHint(self) -> QSize:
        return QSize(96, 96)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        tokens = theme().tokens
        if self._image is None:
            self._paint_empty(painter)
        else:
            painter.fillRect(event.rect(), QColor(tokens.field))
            self._paint_picture(painter)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        paint_frame(painter, QRectF(self.rect()), tokens.focus if self._shows_focus else tokens.hairline_strong)
        painter.end()

    def wheelEvent(self, event: QWheelEvent) -> None:
        # Touchpads send many small angles; a zoom step is one notch of a wheel.
        self._wheel += event.angleDelta().y()
        steps = math.trunc(self._wheel / 120)
        self._wheel -= steps * 120
        if steps:
            self.zoom_by(steps, event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and not self._view.is_fit:
            self._grip = event.position()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        else:
            if event.button() == Qt.MouseButton.LeftButton and self._image is not None:
                self._pressed = event.position()
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._grip is not None and self._image is not None:
            moved = event.position() - self._grip
            self._grip = event.position()
            rect = self._placement().rect
            view = self._kept_inside(self._view)
            self._ask(View(view.magnification, view.x - moved.x() / rect.width(), view.y - moved.y() / rect.height()))
        if self._pressed is not None and event.buttons() & Qt.MouseButton.LeftButton:
            moved = event.position() - self._pressed
            if moved.manhattanLength() >= QApplication.startDragDistance():
                self._drag_out()
                return
        self._hover(self.pixel_at(event.position()))

    def _drag_out(self) -> None:
        """Have the window carry the picture to another program."""
        pressed, self._pressed = self._pressed, None
        window = self.window()
        if pressed is not None and isinstance(window, DragSource):
            window.drag_picture(self, pressed.toPoint())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._grip = self._pressed = None
        self._update_cursor()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self.zoom_to_fit()

    def focusInEvent(self, event: QFocusEvent) -> None:
        self._shows_focus = event.reason() in (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        super().focusInEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self._shows_focus = False
        super().focusOutEvent(event)

    def leaveEvent(self, event: object) -> None:
        self._hover((-1, -1))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        match event.key():
            case Qt.Key.Key_Plus | Qt.Key.Key_Equal:
                self.zoom_by(1)
            case Qt.Key.Key_Minus:
                self.zoom_by(-1)
            case Qt.Key.Key_0:
                self.zoom_to_fit()
            case _:
                super().keyPressEvent(event)
