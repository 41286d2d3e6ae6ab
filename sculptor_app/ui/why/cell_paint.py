"""How the cells of the grid are painted, and what is said of them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QImage, QPainter

from sculptor_app.ui.theme import fonts, theme
from sculptor_app.ui.why.experiments import Arrangement
from sculptor_app.ui.why.swatch import paint_swatch
from sculptor_app.ui.widgets.basics import paint_frame
from sculptor_app.ui.widgets.names import form_name, material_name
from sculptor_app.ui.widgets.picture_view import is_worth_sharpening, looks_better_smooth

translate = QCoreApplication.translate  # a name that lupdate knows

SWATCH = 22.0
_HARDLY_WORTH_SMOOTHING = 8.0


def paint_picture(painter: QPainter, box: QRectF, image: QImage | None) -> None:
    """A picture with the crispness that its scale allows; an empty field where there is none."""
    tokens = theme().tokens
    if image is None:
        painter.fillRect(box, QColor(tokens.field))
    else:
        scale = box.width() * painter.device().devicePixelRatioF() / image.width()
        smooth = looks_better_smooth(scale)
        if smooth and is_worth_sharpening(image.width(), image.height(), scale):
            whole = math.ceil(scale)
            image = image.scaled(image.width() * whole, image.height() * whole)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.drawImage(box, image, QRectF(image.rect()))
    paint_frame(painter, box, tokens.hairline_strong)


def paint_caption(painter: QPainter, box: QRectF, arrangement: Arrangement, cell: int, block: QImage | None) -> None:
    """Under a cell: its block in small, and the word for what sets it apart."""
    square = QRectF(box.left(), box.top() + (box.height() - SWATCH) / 2, SWATCH, SWATCH)
    paint_swatch(painter, square, arrangement.cells[cell].noise, block)
    room = box.adjusted(SWATCH + 7, 0, 0, 0)
    text = painter.fontMetrics().elidedText(arrangement.captions[cell], Qt.TextElideMode.ElideRight, int(room.width()))
    painter.setPen(QColor(theme().tokens.text))
    painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)


def paint_titles(painter: QPainter, arrangement: Arrangement, boxes: Sequence[QRectF], columns: int) -> None:
    """Column titles over the first row, row titles left of the first column."""
    painter.setFont(fonts.small())
    painter.setPen(QColor(theme().tokens.muted))
    metrics = painter.fontMetrics()
    between = boxes[1].left() - boxes[0].right() if columns > 1 else 0.0
    for box, title in zip(boxes, arrangement.column_titles, strict=False):
        room = QRectF(box.left(), box.top() - 22, box.width(), 20).adjusted(3 - between / 2, 0, between / 2 - 3, 0)
        text = metrics.elidedText(title, Qt.TextElideMode.ElideRight, int(room.width()))
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, text)
    for box, title in zip(boxes[::columns], arrangement.row_titles, strict=False):
        width = widest((title,), metrics)
        room = QRectF(box.left() - width - 2, box.top(), width - 8, box.height())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, title)


def widest(titles: Sequence[str], metrics: QFontMetrics) -> int:
    """Room for the longest of some titles, with what keeps it off the cells."""
    return max(metrics.horizontalAdvance(title) for title in titles) + 14


def words_of(arrangement: Arrangement, cell: int) -> str:
    """A cell in words: labels and noise."""
    what, noise = arrangement.cells[cell], arrangement.cells[cell].noise
    parts = []
    if what.form is not None:
        parts.append(form_name(what.form))
    if what.material is not None:
        parts.append(material_name(what.material))
    if noise.towards is not None and noise.share > 0:
        blend = translate("Why", "{0:.0%} of the way from seed {1} to seed {2}")
        parts.append(blend.format(noise.share, noise.seed, noise.towards))
    else:
        parts.append(translate("Why", "seed {0}").format(noise.seed))
    if noise.strokes:
        parts.append(translate("Why", "painted"))
    return " · ".join(parts)
