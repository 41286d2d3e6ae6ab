"""What a widget has on screen, against what it would paint anew."""

import numpy as np
from PySide6.QtCore import QPoint
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QWidget

MOST_DIFFERENCE = 24
"""Of a colour channel between two paintings of the same: an antialiased edge over another ground."""


def _pixels(image: QImage) -> np.ndarray:
    plain = image.convertToFormat(QImage.Format.Format_RGB32)
    rows = np.frombuffer(plain.constBits(), np.uint8).reshape(plain.height(), plain.bytesPerLine() // 4, 4)
    return rows[:, : plain.width(), :3].astype(np.int16)


def stale_pixels(widget: QWidget) -> int:
    """How many pixels of a widget on screen are none that it would paint now: what has been left behind."""
    for _ in range(3):
        QApplication.processEvents()
    kept = widget.window().backingStore().paintDevice()
    assert isinstance(kept, QImage)
    assert kept.devicePixelRatio() == 1
    seen = widget.visibleRegion().boundingRect()
    at = seen.translated(widget.mapTo(widget.window(), QPoint(0, 0)))
    shown, anew = _pixels(kept.copy(at)), _pixels(widget.grab(seen).toImage())
    return int((np.abs(shown - anew).max(axis=2) > MOST_DIFFERENCE).sum())
