"""Frames of one hairline that lie on the very edge at every screen scale."""

import math

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QPainter


def paint_frame(painter: QPainter, rect: QRectF, ink: QColor | str) -> None:
    """Paints a frame along the inside of `rect`, as many whole device pixels wide as fit into one logical pixel.

    QPainter.drawRect would leave a strip of half a pixel outside the frame on a dense screen.
    """
    ratio = painter.device().devicePixelRatioF()
    width = max(1, math.floor(ratio)) / ratio
    colour = QColor(ink)
    painter.fillRect(QRectF(rect.left(), rect.top(), rect.width(), width), colour)
    painter.fillRect(QRectF(rect.left(), rect.bottom() - width, rect.width(), width), colour)
    painter.fillRect(QRectF(rect.left(), rect.top(), width, rect.height()), colour)
    painter.fillRect(QRectF(rect.right() - width, rect.top(), width, rect.height()), colour)
