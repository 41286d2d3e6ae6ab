"""The panel for painting on noise: canvas, brushes, and how far the painted noise is from white noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QLineF, QPointF, QRectF, QSettings, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QImage, QKeySequence, QPainter, QPaintEvent, QPen, QPolygonF, QResizeEvent, QShortcut
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from sculptor_app.core.requests.request import Stroke
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.ui.theme import fonts, icon, theme
from sculptor_app.ui.why.canvas import (
    BUTTON_PX,
    DIGITS,
    BrushBox,
    NoiseCanvas,
    brush_colour,
    read_strokes,
    strokes_text,
)
from sculptor_app.ui.widgets.names import explained
from sculptor_app.ui.widgets.picture_source import to_image

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.step import Frame

_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 8.0, 8.0, 18.0
_LOW, _HIGH = 0.25, 256.0
"""Powers at both ends of the scale; white noise has 1."""

_ROUNDING = 1.1
"""Painting holds the rings before the variance is made 1 again, so that they may be a little over."""

OTHER_SEED = 1_000_003
"""The noise that the brush "other noise" brings, another one with every stroke."""

_MARGIN, _GAP, _RIGHT_PX = 16, 10, 156

MOST_CANVAS_PX = 440


class WhitenessPlot(QWidget):
    """A small plot with a band, where 98 of 100 noises are, and the line of the noise that is painted on."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._power: tuple[float, ...] = ()
        self._band: tuple[tuple[float, float], ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("How far the noise is from white"))
        theme().changed.connect(self.update)

    def set_power(self, power: Sequence[float], band: Sequence[tuple[float, float]]) -> None:
        """Show a noise.

        Args:
            power: Mean power at 1, 2, … cycles per image, white noise being 1.
            band: Of each, between what 98 of 100 noises have.
        """
        self._power, self._band = tuple(power), tuple(band)
        self.setAccessibleDescription(self.text)
        self.setToolTip("\n\n".join(filter(None, (self.text, explained("whiteness")))))
        self.update()

    @property
    def excess(self) -> float:
        """The greatest power over its band's upper edge; 1 and less is inside."""
        pairs = zip(self._power, self._band, strict=True)
        return max((power / high for power, (_, high) in pairs), default=0.0)

    @property
    def text(self) -> str:
        """A sentence about the plot."""
        if not self._power:
            return ""
        coarse = sum(self._power[:2]) / len(self._power[:2])
        if self.excess <= _ROUNDING:
            sentence = self.tr("Noise like any other: its coarsest waves have {0:.1f} times white noise's power.")
        else:
            sentence = self.tr("No noise is like this: its coarsest waves have {0:.1f} times white noise's power.")
        return sentence.format(coarse)

    # Qt overrides

    def sizeHint(self) -> QSize:
        return QSize(156, 92)

    def minimumSizeHint(self) -> QSize:
        return QSize(140, 92)

    def paintEvent(self, event: QPaintEvent) -> None:
        tokens = theme().tokens
        painter = QPainter(self)
        area = QRectF(self.rect()).adjusted(_LEFT, _TOP, -_RIGHT, -_BOTTOM)
        painter.fillRect(area, QColor(tokens.field))
        self._paint_scale(painter, area)
        if self._power:
            painter.setClipRect(area.adjusted(-1, -1, 1, 1))
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            lows = [self._at(area, number, low) for number, (low, _) in enumerate(self._band, start=1)]
            highs = [self._at(area, number, high) for number, (_, high) in enumerate(self._band, start=1)]
            band = QColor(tokens.hairline_strong)  # what is usual, of no phase
            band.setAlphaF(0.6)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(band)
            painter.drawPolygon(QPolygonF([*lows, *reversed(highs)]))
            painter.setPen(QPen(QColor(tokens.accent if self.excess > _ROUNDING else tokens.text), 1.8))
            painter.drawPolyline(QPolygonF([self._at(area, n, power) for n, power in enumerate(self._power, start=1)]))
        painter.end()

    def _paint_scale(self, painter: QPainter, area: QRectF) -> None:
        tokens = theme().tokens
        painter.setFont(fonts.small())
        for power, label in ((1, "1×"), (16, "16×"), (256, "256×")):
            y = self._at(area, 1, power).y()
            painter.setPen(QPen(QColor(tokens.hairline), 1))
            painter.drawLine(QLineF(area.left(), y, area.right(), y))
            painter.setPen(QColor(tokens.muted))
            painter.drawText(
                QRectF(0, y - 8, _LEFT - 5, 16), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, label
            )
        below = QRectF(area.left(), area.bottom() + 2, area.width(), _BOTTOM)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, self.tr("coarse"))
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, self.tr("fine"))

    def _at(self, area: QRectF, frequency: float, power: float) -> QPointF:
        most = max(2, len(self._power))
        across = math.log(frequency) / math.log(most)
        up = math.log(max(power, 1e-9) / _LOW) / math.log(_HIGH / _LOW)
        return QPointF(area.left() + across * area.width(), area.bottom() - up * area.height())


class Thumbnail(QWidget):
    """A small square picture."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._image: QImage | None = None
        self.setFixedSize(88, 88)
        theme().changed.connect(self.update)

    def set_image(self, image: QImage | None) -> None:
        """Show a picture."""
        self._image = image
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        if self._image is not None:
            painter.drawImage(self.rect(), self._image)
        painter.setPen(QPen(QColor(theme().tokens.hairline_strong), 1))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.end()


class PaintPanel(QWidget):
    """Canvas, brushes and whiteness plot; it holds the strokes."""

    edited = Signal()  # the strokes, or whether their strength is kept within that of noise

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.strokes: tuple[Stroke, ...] = ()
        self._brushes: tuple[str, ...] = ()  # of each stroke the key of its brush
        self.canvas = NoiseCanvas(self)
        self.whiteness = WhitenessPlot(self)
        self.blurred = Thumbnail(self)
        self.blurred.setAccessibleName(self.tr("The noise seen from afar"))
        self.blurred.setToolTip(self.tr("The block seen from afar: what is left when its fine grain is blurred away."))
        self.brushes = BrushBox(self)
        self.brushes.chosen.connect(self._take_brush)
        self._make_actions()
        self._lay_out()
        self._take_brush()
        self._render()

    # Making

    def _make_actions(self) -> None:
        self.undo_button = self._action_button("undo", self.tr("Undo"), self.tr("Take the last stroke back (Ctrl+Z)"))
        self.clear_button = self._action_button(None, self.tr("Clear"), self.tr("Take all strokes back"))
        self.undo_button.clicked.connect(self.undo)
        self.clear_button.clicked.connect(self.clear)
        keys = QShortcut(QKeySequence(QKeySequence.StandardKey.Undo), self)
        keys.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        keys.activated.connect(self.undo)
        self.stays_noise = QCheckBox(self.tr("Keep it noise"), self)
        self.stays_noise.setChecked(True)
        self.stays_noise.setToolTip(
            self.tr("Strokes decide where light and colour go; how strong they are stays within what noise can have.")
        )
        self.stays_noise.toggled.connect(self._notify)
        self.canvas.painted.connect(self._add)

    def _action_button(self, name: str | None, text: str, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setProperty("kind", "outlined")
        button.setText(text)
        if name is not None:
            button.setIcon(icon(name))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setToolTip(tip)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        return button

    def _lay_out(self) -> None:
        block = QVBoxLayout()
        block.setSpacing(8)
        block.addWidget(self.canvas)
        size = QLabel(self.tr("Brush size"), self)
        size.setProperty("tone", "muted")
        size.setFont(fonts.small())
        size.setBuddy(self.brushes.reach)
        reach = QHBoxLayout()
        reach.setSpacing(10)
        reach.addWidget(size)
        reach.addWidget(self.brushes.reach, 1)
        block.addLayout(reach)
        block.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(_MARGIN, 16, 0, 12)
        row.setSpacing(_GAP)
        row.addWidget(self.brushes)
        row.addLayout(block, 1)
        row.addWidget(self._right_column())

    def _right_column(self) -> QWidget:
        """The right column: effect of the strokes on the noise, undo and clear."""
        self.verdict = QLabel(self)
        self.verdict.setProperty("tone", "muted")
        self.verdict.setFont(fonts.small())
        self.verdict.setWordWrap(True)
        self.verdict.setMinimumHeight(4 * self.verdict.fontMetrics().lineSpacing())  # so that nothing jumps below it
        self.verdict.setAlignment(Qt.AlignmentFlag.AlignTop)
        caption = QLabel(self.tr("seen from afar"), self)
        caption.setProperty("tone", "muted")
        caption.setFont(fonts.small())
        actions = QHBoxLayout()
        actions.setSpacing(6)
        actions.addWidget(self.undo_button, 1)
        actions.addWidget(self.clear_button, 1)
        right = QWidget(self)
        right.setFixedWidth(_RIGHT_PX)
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        for widget in (self.blurred, caption, self.whiteness, self.verdict):
            column.addWidget(widget)
        column.addSpacing(8)
        column.addWidget(self.stays_noise)
        column.addLayout(actions)
        column.addStretch(1)
        return right

    def fit_into(self, width_px: int, height_px: int) -> None:
        """Make the canvas a square of the height, but leave about half of the width for the results."""
        others = _MARGIN + BUTTON_PX + 2 * _GAP + _RIGHT_PX
        high = height_px - 16 - 12 - 8 - self.brushes.reach.sizeHint().height()
        edge_px = max(160, min(high, MOST_CANVAS_PX, int(0.52 * width_px) - others))
        self.canvas.setFixedSize(edge_px, edge_px)
        self.setFixedWidth(others + edge_px)

    # Display

    def set_noise(self, noise: Frame) -> None:
        """Show the noise with the strokes on it, (3, H, W)."""
        from sculptor_app.measures import pictures, spectrum  # numpy comes with them; there is a picture by now

        def image_of(frame: Frame) -> QImage | None:
            return to_image(pictures.coloured(frame, FrameKind.NOISY_STATE, "pixels"))

        self.canvas.set_noise(image_of(noise))
        self.blurred.set_image(image_of(spectrum.from_afar(noise)))
        self.whiteness.set_power(*spectrum.noise_power(noise))
        self.verdict.setText(self.whiteness.text)

    # Strokes

    @Slot()
    def undo(self) -> None:
        if self.strokes:
            self.strokes, self._brushes = self.strokes[:-1], self._brushes[:-1]
            self._notify()

    @Slot()
    def clear(self) -> None:
        if self.strokes:
            self.strokes, self._brushes = (), ()
            self._notify()

    @Slot(object)
    def _add(self, points: tuple[tuple[float, float], ...]) -> None:
        brush = self.canvas.brush
        points = tuple((round(across, DIGITS), round(down, DIGITS)) for across, down in points)  # as it is kept
        if brush.shift is None:
            stroke = Stroke(points, brush.radius, seed=OTHER_SEED + len(self.strokes))
        else:
            stroke = Stroke(points, brush.radius, brush.shift)
        self.strokes = (*self.strokes, stroke)
        self._brushes = (*self._brushes, self.brushes.chosen_key)
        self._notify()

    @Slot()
    def _take_brush(self) -> None:
        self.canvas.brush = self.brushes.brush
        self.canvas.update()

    @Slot()
    def _notify(self) -> None:
        self._render()
        self.edited.emit()

    def _render(self) -> None:
        colours = map(brush_colour, self._brushes)
        self.canvas.set_strokes(list(zip(self.strokes, colours, strict=True)))
        self.undo_button.setEnabled(bool(self.strokes))
        self.clear_button.setEnabled(bool(self.strokes))

    # Remembering

    def save(self, settings: QSettings) -> None:
        self.brushes.save(settings)
        settings.setValue("why/paint/stays_noise", int(self.stays_noise.isChecked()))
        settings.setValue("why/paint/strokes", strokes_text(list(zip(self.strokes, self._brushes, strict=True))))

    def restore(self, settings: QSettings) -> None:
        """Restore the brush and the strokes; each of them can be undone."""
        self.brushes.restore(settings)
        self.stays_noise.setChecked(str(settings.value("why/paint/stays_noise", "1")) != "0")
        painted = read_strokes(str(settings.value("why/paint/strokes", "[]")))
        self.strokes = tuple(stroke for stroke, _ in painted)
        self._brushes = tuple(brush for _, brush in painted)
        self._render()


class PaintingBench(QWidget):
    """The canvas, as large as its height allows, and the grid beside it."""

    def __init__(self, paint_panel: PaintPanel, grid: QWidget, parent: QWidget) -> None:
        super().__init__(parent)
        self._paint_panel = paint_panel
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addWidget(paint_panel)
        row.addWidget(grid, 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._paint_panel.fit_into(self.width(), self.height())
