"""A canvas for strokes on noise, its brushes, and the text form in which strokes are remembered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSettings, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QImage, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QRadialGradient
from PySide6.QtWidgets import QButtonGroup, QSizePolicy, QSlider, QToolButton, QVBoxLayout, QWidget

from sculptor_app.core.requests.request import RequestError, Stroke
from sculptor_app.ui.theme import icon, theme
from sculptor_app.ui.widgets.basics import paint_frame

_APART = 0.4
"""Dabs of a stroke are so many radii apart, so that few of them make a smooth line."""

_MOST_POINTS = 250

_CLEAR = QImage.Format.Format_ARGB32_Premultiplied

STRENGTH = 1.2
"""Standard deviations of the noise by which one stroke shifts it where it is strongest."""

BUTTON_PX = 28

OTHER = "other"

_COLOURS = {
    "light": ("#ffffff", (1.0, 1.0, 1.0)),
    "dark": ("#141210", (-1.0, -1.0, -1.0)),
    "red": ("#d8452e", (1.2, -0.6, -0.6)),
    "gold": ("#e0a52e", (1.0, 0.3, -1.0)),
    "green": ("#3f9a5b", (-0.7, 0.9, -0.4)),
    "blue": ("#3b74c9", (-0.8, -0.1, 1.2)),
}
"""Of each brush, its colour on the canvas and the direction in which it shifts red, green and blue."""

BRUSHES = (*_COLOURS, OTHER)
"""Keys of all brushes."""

_OTHER_COLOUR = "#9a8f80"

MOST_TEXT = 100_000
"""Characters; of a longer painting the first strokes that fit are kept, as later ones lie over them."""

DIGITS = 4
"""Decimal digits of a coordinate: a ten-thousandth of the width is finer than anybody can aim."""

Painted = tuple[Stroke, str]
"""A stroke and the key of its brush."""


@dataclass(frozen=True, slots=True)
class Brush:
    """Colour, effect and size of a brush."""

    colour: QColor  # shown on the canvas
    shift: tuple[float, float, float] | None  # of RGB in standard deviations; None puts other noise there
    radius: float  # as a share of the block's width


class NoiseCanvas(QWidget):
    """Shows noise as pixels; a drag over it is a stroke."""

    painted = Signal(object)  # points of a finished stroke, each a pair of shares of width and height

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: QImage | None = None
        self._overlays: list[QImage] = []  # of the first stroke, of the first two, …: a stroke more or less is quick
        self._live = QImage()  # of the stroke that is being made
        self._strokes: tuple[tuple[Stroke, QColor], ...] = ()
        self._points: list[tuple[float, float]] = []
        self._pointer: QPointF | None = None
        self.brush = Brush(QColor("white"), (1.0, 1.0, 1.0), 0.15)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setAccessibleName(self.tr("Block of noise to paint on"))
        theme().changed.connect(self.update)

    def set_noise(self, image: QImage | None) -> None:
        self._image = image
        self.update()

    def set_strokes(self, strokes: Sequence[tuple[Stroke, QColor]]) -> None:
        """Show where has been painted, in colours that let the noise through."""
        kept = 0
        while kept < min(len(strokes), len(self._strokes)) and strokes[kept] == self._strokes[kept]:
            kept += 1
        self._strokes, self._overlays = tuple(strokes), self._overlays[:kept]
        for stroke, colour in self._strokes[kept:]:
            overlay = QImage(self._overlays[-1]) if self._overlays else self._empty_overlay()
            self._paint_dabs(overlay, stroke.points, stroke.radius, colour, len(stroke.points))
            self._overlays.append(overlay)
        self.update()

    @property
    def square(self) -> QRectF:
        """The rectangle of the noise."""
        side = min(self.width(), self.height())
        return QRectF(0, 0, side, side)

    @property
    def is_painting(self) -> bool:
        """Whether a stroke is unfinished."""
        return bool(self._points)

    def drop_stroke(self) -> None:
        """Drop the unfinished stroke."""
        self._points = []
        self.update()

    def point_of(self, share: tuple[float, float]) -> QPointF:
        """The widget coordinates of a point, given as shares of the width and height."""
        square = self.square
        return QPointF(square.left() + share[0] * square.width(), square.top() + share[1] * square.height())

    # Inside

    def _share_of(self, point: QPointF) -> tuple[float, float]:
        square = self.square
        across, down = (point.x() - square.left()) / square.width(), (point.y() - square.top()) / square.height()
        return min(1.0, max(0.0, across)), min(1.0, max(0.0, down))

    def _extend(self, point: QPointF) -> None:
        share = self._share_of(point)
        last = self._points[-1]
        far = (share[0] - last[0]) ** 2 + (share[1] - last[1]) ** 2 >= (_APART * self.brush.radius) ** 2
        if far and len(self._points) < _MOST_POINTS:
            self._points.append(share)
            self._paint_dabs(self._live, [share], self.brush.radius, self.brush.colour, _MOST_POINTS)

    def _empty_overlay(self) -> QImage:
        square, ratio = self.square, self.devicePixelRatioF()
        overlay = QImage(QSize(max(1, int(square.width() * ratio)), max(1, int(square.height() * ratio))), _CLEAR)
        overlay.setDevicePixelRatio(ratio)
        overlay.fill(Qt.GlobalColor.transparent)
        return overlay

    def _paint_dabs(
        self, overlay: QImage, points: Sequence[tuple[float, float]], radius: float, colour: QColor, of: int
    ) -> None:
        """Paint dabs on an overlay; they are fainter where a stroke has many (`of`), as those lie over one another."""
        painter = QPainter(overlay)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(-self.square.topLeft())
        painter.setPen(Qt.PenStyle.NoPen)
        reach = radius * self.square.width() * 1.5
        for share in points:
            centre = self.point_of(share)
            gradient = QRadialGradient(centre, reach)
            for place, fall in ((0.0, 1.0), (0.33, 0.78), (0.67, 0.37), (1.0, 0.0)):
                tint = QColor(colour)
                tint.setAlphaF((0.5 if of < 3 else 0.24) * fall)
                gradient.setColorAt(place, tint)
            painter.setBrush(gradient)
            painter.drawEllipse(centre, reach, reach)
        painter.end()

    # Qt overrides

    def sizeHint(self) -> QSize:
        return QSize(340, 340)

    def minimumSizeHint(self) -> QSize:
        return QSize(160, 160)

    def resizeEvent(self, event: object) -> None:
        strokes, self._strokes = self._strokes, ()
        self.set_strokes(strokes)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        square = self.square
        painter.setClipRect(square)
        if self._image is None:
            painter.fillRect(square, QColor(theme().tokens.field))
        else:
            painter.drawImage(square, self._image, QRectF(self._image.rect()))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._overlays:
            painter.drawImage(square.topLeft(), self._overlays[-1])
        if self._points:
            painter.drawImage(square.topLeft(), self._live)
        if self._pointer is not None:
            reach = self.brush.radius * square.width()
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for colour, width in (("black", 3.0), ("white", 1.4)):
                painter.setPen(QPen(QColor(colour), width))
                painter.drawEllipse(self._pointer, reach, reach)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
        paint_frame(painter, square, theme().tokens.hairline_strong)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self.square.contains(event.position()):
            self._points = [self._share_of(event.position())]
            self._live = self._empty_overlay()
            self._paint_dabs(self._live, self._points, self.brush.radius, self.brush.colour, 1)
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._pointer = event.position() if self.square.contains(event.position()) else None
        if self._points:
            self._extend(event.position())
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._points:
            points, self._points = tuple(self._points), []
            self.painted.emit(points)

    def leaveEvent(self, event: object) -> None:
        self._pointer = None
        self.update()


def brush_colour(key: str) -> QColor:
    """The colour of a brush's strokes on the canvas."""
    return QColor(_OTHER_COLOUR if key == OTHER else _COLOURS[key][0])


class BrushBox(QWidget):
    """A column of brush buttons; the page lays out the slider for their size."""

    chosen = Signal()  # another brush or size

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        group = QButtonGroup(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        self.buttons: dict[str, QToolButton] = {}
        for key, name in self._brush_names().items():
            button = self.buttons[key] = self._button(key, name)
            group.addButton(button)
            column.addWidget(button)
        column.addStretch(1)
        self.buttons["light"].setChecked(True)
        self.reach = QSlider(Qt.Orientation.Horizontal, self)
        self.reach.setRange(5, 40)
        self.reach.setValue(18)
        self.reach.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.reach.setToolTip(self.tr("Size of the brush"))
        self.reach.setAccessibleName(self.tr("Size of the brush"))
        self.reach.valueChanged.connect(lambda _: self.chosen.emit())

    def _brush_names(self) -> dict[str, str]:
        return {
            "light": self.tr("Light"),
            "dark": self.tr("Dark"),
            "red": self.tr("Red"),
            "gold": self.tr("Gold"),
            "green": self.tr("Green"),
            "blue": self.tr("Blue"),
            OTHER: self.tr("Other noise"),
        }

    def _button(self, key: str, name: str) -> QToolButton:
        button = QToolButton(self)
        button.setCheckable(True)
        button.setFixedSize(BUTTON_PX, BUTTON_PX)
        button.setIconSize(QSize(18, 18))
        button.setIcon(icon("dice") if key == OTHER else _dot(_COLOURS[key][0]))
        button.setToolTip(name)
        button.setAccessibleName(name)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda _: self.chosen.emit())
        return button

    @property
    def chosen_key(self) -> str:
        """The brush that is chosen: "light", "dark", a colour, or OTHER."""
        return next(key for key, button in self.buttons.items() if button.isChecked())

    @property
    def brush(self) -> Brush:
        radius = self.reach.value() / 100
        if self.chosen_key == OTHER:
            return Brush(brush_colour(OTHER), None, radius)
        shift = _COLOURS[self.chosen_key][1]
        red, green, blue = (STRENGTH * value for value in shift)
        return Brush(brush_colour(self.chosen_key), (red, green, blue), radius)

    def save(self, settings: QSettings) -> None:
        settings.setValue("why/paint/brush", self.chosen_key)
        settings.setValue("why/paint/reach", self.reach.value())

    def restore(self, settings: QSettings) -> None:
        """Restore the remembered choices; values that are no longer offered are ignored."""
        button = self.buttons.get(str(settings.value("why/paint/brush", "")))
        if button is not None:
            button.setChecked(True)
        reach = str(settings.value("why/paint/reach", ""))
        if reach.isdecimal() and len(reach) < 4:
            self.reach.setValue(int(reach))
        self.chosen.emit()


def _dot(colour: str) -> QIcon:
    """A round spot of a colour with an edge that shows on any ground."""
    pixmap = QPixmap(36, 36)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(QColor(colour))
    painter.setPen(QPen(QColor("#8a8378"), 2))
    painter.drawEllipse(3, 3, 30, 30)
    painter.end()
    return QIcon(pixmap)


def strokes_text(painted: Sequence[Painted]) -> str:
    """The strokes in the order in which they were made."""
    kept, length = [], 2
    for stroke, brush in painted:
        each = [brush, stroke.radius, list(stroke.shift), stroke.seed, [list(point) for point in stroke.points]]
        length += len(json.dumps(each)) + 2
        if length > MOST_TEXT:
            break
        kept.append(each)
    return json.dumps(kept)


def read_strokes(text: str) -> tuple[Painted, ...]:
    """The strokes of a text; none where any of it cannot be understood."""
    if len(text) > MOST_TEXT:
        return ()
    try:
        return tuple(_painted(*each) for each in json.loads(text))
    except (ValueError, TypeError, OverflowError, RecursionError, RequestError):
        return ()


def _painted(brush: str, radius: float, shift: list[float], seed: int | None, points: list[list[float]]) -> Painted:
    if brush not in BRUSHES:
        raise ValueError(f"{brush!r} is no brush")
    red, green, blue = map(_number, shift)
    places = tuple((_share(across), _share(down)) for across, down in points)
    return Stroke(places, _number(radius), (red, green, blue), seed), brush


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _share(value: object) -> float:
    share = _number(value)
    if not 0 <= share <= 1:  # NaN is not either
        raise ValueError(f"{share} is not between 0 and 1")
    return share
