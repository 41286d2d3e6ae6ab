"""The sign of a noise: a colour that belongs to its seed, so that who is carved out of which block is seen at once."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter, QPainterPath

from sculptor_app.core.requests.noise_recipe import NoiseRecipe
from sculptor_app.ui.theme import paint_icon, theme

_GOLDEN = 0.618033988749895
"""Seeds that follow one another get hues that are far apart."""

_BORDER = 3.0


def seed_colour(seed: int) -> QColor:
    """The colour of a seed, the same wherever it is shown; in the dark theme a lighter one."""
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
