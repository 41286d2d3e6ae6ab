"""Painting of the grid's cells: pictures, captions with a swatch of the noise, titles, and descriptions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetrics, QImage, QPainter, QPainterPath

from sculptor_app.core.requests.request import NoiseRecipe
from sculptor_app.ui.theme import fonts, paint_icon, theme
from sculptor_app.ui.why.axes import value_title
from sculptor_app.ui.why.experiments import Arrangement
from sculptor_app.ui.widgets.basics import paint_frame
from sculptor_app.ui.widgets.names import form_name, material_name
from sculptor_app.ui.widgets.picture_view import is_worth_sharpening, looks_better_smooth

_GOLDEN = 0.618033988749895
"""Seeds that follow one another get hues that are far apart."""

_BORDER = 3.0

translate = QCoreApplication.translate  # a name that lupdate knows

CAPTION, SWATCH, HEAD = 32.0, 22.0, 22.0
"""Heights of a caption, of the swatch in it, and of the titles over the columns, with the usual type."""


def seed_colour(seed: int) -> QColor:
    """The colour of a seed; lighter in the dark theme."""
    hue = (seed % 2**20) * _GOLDEN % 1.0
    return QColor.fromHslF(hue, 0.55, 0.62 if theme().is_dark else 0.46)


def paint_swatch(painter: QPainter, rect: QRectF, noise: NoiseRecipe, picture: QImage | None) -> None:
    """A small block of noise in the colour of its seed; of a blend, split where it stands between both."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    outline = QPainterPath()
    outline.addRoundedRect(rect, 5, 5)
    painter.setClipPath(outline)
    painter.fillRect(rect, seed_colour(noise.seed))
    if noise.towards is not None and noise.share > 0:
        part = rect.width() * noise.share
        painter.fillRect(QRectF(rect.right() - part, rect.top(), part, rect.height()), seed_colour(noise.towards))
    inner = rect.adjusted(_BORDER, _BORDER, -_BORDER, -_BORDER)
    if picture is not None:
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, False)
        painter.drawImage(inner, picture)
    if noise.strokes:
        painter.fillRect(inner, QColor(theme().tokens.field))
        paint_icon(painter, "brush", inner, theme().tokens.text)
    painter.restore()


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
    """The caption under a cell, in the painter's font: a swatch of its noise, and the text that sets it apart.

    Where only one of the two has room, and the text of every cell has it, that is what is there.
    """
    side = SWATCH / CAPTION * box.height()
    longest_px = max(map(painter.fontMetrics().horizontalAdvance, arrangement.captions))
    room = box.adjusted(side + 7, 0, 0, 0)
    if room.width() < longest_px <= box.width():
        room = box
    else:
        square = QRectF(box.left(), box.top() + (box.height() - side) / 2, side, side)
        paint_swatch(painter, square, arrangement.cells[cell].noise, block)
    text = painter.fontMetrics().elidedText(arrangement.captions[cell], Qt.TextElideMode.ElideRight, int(room.width()))
    painter.setPen(QColor(theme().tokens.text))
    painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)


def paint_titles(painter: QPainter, arrangement: Arrangement, boxes: Sequence[QRectF], columns: int) -> None:
    """Column titles over the first row, row titles left of the first column, in the painter's font."""
    painter.setPen(QColor(theme().tokens.muted))
    metrics = painter.fontMetrics()
    head = HEAD * metrics.height() / QFontMetrics(fonts.small()).height()
    between = boxes[1].left() - boxes[0].right() if columns > 1 else 0.0
    for box, title in zip(boxes, arrangement.column_titles, strict=False):
        room = QRectF(box.left(), box.top() - head, box.width(), head - 2).adjusted(
            3 - between / 2, 0, between / 2 - 3, 0
        )
        text = metrics.elidedText(title, Qt.TextElideMode.ElideRight, int(room.width()))
        painter.drawText(room, Qt.AlignmentFlag.AlignCenter, text)
    for box, title in zip(boxes[::columns], arrangement.row_titles, strict=False):
        width = widest((title,), metrics)
        room = QRectF(box.left() - width - 2, box.top(), width - 8, box.height())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, title)


def widest(titles: Sequence[str], metrics: QFontMetrics) -> int:
    """The width of the longest title with its margin, in pixels."""
    return max(metrics.horizontalAdvance(title) for title in titles) + 14


def cell_description(arrangement: Arrangement, cell: int) -> str:
    """The description of a cell: its labels and its noise."""
    chosen, noise = arrangement.cells[cell], arrangement.cells[cell].noise
    parts = []
    if chosen.form is not None:
        parts.append(form_name(chosen.form))
    if chosen.material is not None:
        parts.append(material_name(chosen.material))
    if noise.towards is not None and noise.share > 0:
        blend = translate("Why", "{0:.0f} % of the way from seed {1} to seed {2}")
        parts.append(blend.format(100 * noise.share, noise.seed, noise.towards))
    else:
        parts.append(translate("Why", "seed {0}").format(noise.seed))
    if noise.strokes:
        parts.append(translate("Why", "painted"))
    own = [(key, getattr(chosen, key)) for key in ("sampler", "steps", "guidance")]
    parts += [value_title(key, value) for key, value in own if value is not None]
    return " · ".join(parts)
