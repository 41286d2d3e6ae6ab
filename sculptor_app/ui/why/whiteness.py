"""How far a noise is from white: its power at every frequency, against what noise can have."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from sculptor_app.ui.theme import fonts, theme

_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 8.0, 8.0, 18.0
_LOW, _HIGH = 0.25, 256.0
"""Powers at both ends of the scale; white noise has 1."""


class Whiteness(QWidget):
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
        self.setToolTip(self.text)
        self.update()

    @property
    def excess(self) -> float:
        """The greatest power over its band's upper edge; 1 and less is inside."""
        pairs = zip(self._power, self._band, strict=True)
        return max((power / high for power, (_, high) in pairs), default=0.0)

    @property
    def text(self) -> str:
        """What the plot says, in a sentence."""
        if not self._power:
            return ""
        slow = sum(self._power[:2]) / len(self._power[:2])
        if self.excess <= _ROUNDING:
            said = self.tr("Noise like any other: its slowest waves have {0:.1f} times white noise's power.")
        else:
            said = self.tr("No noise is like this: its slowest waves have {0:.1f} times white noise's power.")
        return said.format(slow)

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
            band = QColor(tokens.phases["refinement"])
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
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, self.tr("slow"))
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, self.tr("fine"))

    def _at(self, area: QRectF, frequency: float, power: float) -> QPointF:
        most = max(2, len(self._power))
        across = math.log(frequency) / math.log(most)
        up = math.log(max(power, 1e-9) / _LOW) / math.log(_HIGH / _LOW)
        return QPointF(area.left() + across * area.width(), area.bottom() - up * area.height())


_ROUNDING = 1.1
"""Painting holds the rings before the variance is made 1 again, so that they may be a little over."""
