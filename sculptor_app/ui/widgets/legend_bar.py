"""The colour scale of the chips: a narrow bar centred on zero with its two limits in figures."""

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from sculptor_app.ui.theme import fonts, theme
from sculptor_app.ui.widgets.hairline import paint_frame

_BAR_WIDTH = 88
_LEAST_BAR_WIDTH = 28
_BAR_HEIGHT = 7
_GAP = 6
_MINUS = "\N{MINUS SIGN}"


def signed(value: float) -> str:
    """A number with its sign, as in +0.21, to two significant digits."""
    if value == 0:
        return "0"
    return f"{'+' if value > 0 else _MINUS}{abs(value):.2g}"


class LegendBar(QWidget):
    """Shows which colour means which amount; hidden without colours."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colours: tuple[QColor, ...] = ()
        self._limit = 0.0
        self._key: tuple[tuple[QColor | str, ...], float | None] = ((), None)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setFont(fonts.small())
        theme().changed.connect(self.update)
        self.hide()

    def set_scale(self, colours: Sequence[QColor | str], limit: float | None) -> None:
        """Colours evenly spaced from -limit to +limit; no colours or no limit hide the bar."""
        key = (tuple(colours), limit)
        if key == self._key:
            return
        if key[0] != self._key[0]:
            self._colours = tuple(QColor(colour) for colour in colours)
        self._key, self._limit = key, limit or 0.0
        shown = bool(self._colours) and limit is not None
        self.setVisible(shown)
        self.setAccessibleName(
            self.tr("colour scale from %1 to %2").replace("%1", signed(-self._limit)).replace("%2", signed(self._limit))
        )
        self.setToolTip(
            self.tr("Amount taken off, centred on zero: %1 to %2")
            .replace("%1", signed(-self._limit))
            .replace("%2", signed(self._limit))
        )
        self.updateGeometry()
        self.update()

    @property
    def texts(self) -> tuple[str, str]:
        """The two numbers at the ends."""
        return signed(-self._limit), signed(self._limit)

    def _gradient(self, bar: QRectF) -> QLinearGradient:
        gradient = QLinearGradient(bar.topLeft(), bar.topRight())
        for index, colour in enumerate(self._colours):
            gradient.setColorAt(index / max(1, len(self._colours) - 1), colour)
        return gradient

    def _paint_narrow(self, painter: QPainter) -> None:
        """The limits alone, where there is no room for a bar."""
        painter.setPen(QColor(theme().tokens.muted))
        text = f"±{abs(self._limit):.2g}"
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text)

    def _number_width(self) -> int:
        # Wide enough for any limit, so that the bar stands still while the numbers change.
        usual = f"{_MINUS}0.88"
        return max(self.fontMetrics().horizontalAdvance(text) for text in (usual, *self.texts))

    def sizeHint(self) -> QSize:
        return QSize(2 * (self._number_width() + _GAP) + _BAR_WIDTH, self.fontMetrics().height() + 2)

    def minimumSizeHint(self) -> QSize:
        return QSize(self._number_width() + _GAP, self.fontMetrics().height() + 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._colours:
            return
        painter = QPainter(self)
        tokens = theme().tokens
        left, right = self.texts
        if self.width() < 2 * (self._number_width() + _GAP) + _LEAST_BAR_WIDTH:
            self._paint_narrow(painter)
            return
        width = min(_BAR_WIDTH, self.width() - 2 * (self._number_width() + _GAP))
        bar = QRectF((self.width() - width) // 2, (self.height() - _BAR_HEIGHT) // 2, width, _BAR_HEIGHT)
        painter.fillRect(bar, self._gradient(bar))
        paint_frame(painter, bar, tokens.hairline_strong)
        painter.setPen(QColor(tokens.text))
        middle = bar.center().x()
        painter.drawLine(QPointF(middle, bar.bottom()), QPointF(middle, bar.bottom() + 2))
        painter.setPen(QColor(tokens.muted))
        side = QRectF(0, 0, bar.left() - _GAP, self.height())
        painter.drawText(side, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, left)
        side.moveLeft(bar.right() + _GAP)
        painter.drawText(side, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, right)
        painter.end()
