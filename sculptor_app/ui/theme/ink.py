"""Colours and pens of phases and bands in the theme in force."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPen

from sculptor_app.ui.theme.manager import theme
from sculptor_app.ui.theme.tokens import BAND_DASHES, BAND_KEYS, PHASE_KEYS


def phase_colour(key: str, opacity: float = 1.0) -> QColor:
    """Fill of a phase ("decisions", "structure", "refinement", "polish"), opacity 0..1."""
    colour = QColor(theme().tokens.phases[key])
    colour.setAlphaF(opacity)
    return colour


def band_colour(key: str) -> QColor:
    """Ink of a band ("layout", "structure", "detail", "polish"); readable as text too."""
    return QColor(theme().tokens.bands[key])


def band_pen(key: str, width_px: float = 1.6) -> QPen:
    """Pen of a band: its colour and its own dash pattern, of constant width on screen."""
    return _pen(band_colour(key), key, width_px)


def phase_pen(key: str, width_px: float = 1.4) -> QPen:
    """Pen of a curve taken at the end of a phase: the colour and dash of the band that this phase brings out."""
    return band_pen(BAND_KEYS[PHASE_KEYS.index(key)], width_px)


def _pen(colour: QColor, key: str, width_px: float) -> QPen:
    pen = QPen(colour, width_px)
    pen.setCosmetic(True)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    pen.setJoinStyle(Qt.PenJoinStyle.BevelJoin)  # round ones take Qt ten times as long on a long curve
    if BAND_DASHES[key]:
        pen.setDashPattern(list(BAND_DASHES[key]))
    return pen
