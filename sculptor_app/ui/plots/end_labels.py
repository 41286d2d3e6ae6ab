"""Names of the curves at their right ends, spread so that none covers another."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from sculptor_app.ui.theme import fonts
from sculptor_app.ui.widgets.timeline_geometry import spread

_OFFSET = 9.0


@dataclass(frozen=True, slots=True)
class EndLabel:
    """A name beside the place (in units of the y axis) where its curve ends."""

    text: str
    value: float
    colour: QColor


class EndLabels(pg.AxisItem):
    """Stands in the right axis' place; a hair leads from a label to its curve's end where it had to give way."""

    def __init__(self) -> None:
        super().__init__("right", showValues=False, maxTickLength=0)
        self.setPen(QPen(Qt.PenStyle.NoPen))
        self._labels: tuple[EndLabel, ...] = ()

    def reserve(self, texts: Sequence[str]) -> None:
        """Keeps room for these names, so that the plot stands still when they come."""
        metrics = QFontMetricsF(fonts.small())
        self.setWidth(_OFFSET + max(metrics.horizontalAdvance(text) for text in texts) + 4)

    def set_labels(self, labels: Sequence[EndLabel]) -> None:
        """Which names stand where."""
        self._labels = tuple(labels)
        self.picture = None
        self.update()

    def places(self, height: float) -> list[tuple[EndLabel, float, float]]:
        """Each label with its text's middle and its curve's end, in pixels from the top of a plot this high."""
        low, high = self.range
        ends = [(label, (high - label.value) / (high - low) * height) for label in self._labels]
        ends.sort(key=lambda pair: pair[1])
        line = QFontMetricsF(fonts.small()).height()
        tops = spread([y for _, y in ends], [line] * len(ends), 0, height, 0)
        if tops is None:
            return []
        return [(label, top + line / 2, y) for (label, y), top in zip(ends, tops, strict=True)]

    def paint(self, painter: QPainter, *_: object) -> None:
        box = self.mapRectFromParent(self.geometry())  # boundingRect() has margins of its own
        line = QFontMetricsF(fonts.small()).height()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(fonts.small())
        for label, middle, end in self.places(box.height()):
            painter.setPen(QPen(label.colour, 1))
            painter.drawLine(
                QPointF(box.left() + 1, box.top() + end), QPointF(box.left() + _OFFSET - 3, box.top() + middle)
            )
            place = QRectF(box.left() + _OFFSET, box.top() + middle - line / 2, box.width(), line)
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextDontClip, label.text)
