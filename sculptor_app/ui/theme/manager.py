"""The theme in force, chosen or followed from the system: palette, style sheet, and the colours of phases and bands."""

import re
from collections.abc import Sequence
from dataclasses import fields
from string import Template
from typing import Literal

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QPalette, QPen
from PySide6.QtWidgets import QAbstractSpinBox, QApplication

from sculptor_app import resources
from sculptor_app.core.colours import BAND_DASHES, PHASE_DASHES
from sculptor_app.ui.theme import fonts
from sculptor_app.ui.theme.tokens import DARK, LIGHT, Tokens

_Role = QPalette.ColorRole
_PICTURE = re.compile(r"pictures\}?/([\w-]+\.svg)")


def palette_of(tokens: Tokens) -> QPalette:
    """The palette of a theme; disabled ink is `tokens.disabled`."""
    roles = {
        _Role.Window: tokens.window,
        _Role.WindowText: tokens.text,
        _Role.Base: tokens.field,
        _Role.AlternateBase: tokens.well,
        _Role.Text: tokens.text,
        _Role.Button: tokens.field,
        _Role.ButtonText: tokens.text,
        _Role.BrightText: tokens.on_accent,
        _Role.ToolTipBase: tokens.bubble,
        _Role.ToolTipText: tokens.on_bubble,
        _Role.PlaceholderText: tokens.muted,
        _Role.Highlight: tokens.accent,
        _Role.HighlightedText: tokens.on_accent,
        _Role.Accent: tokens.accent,
        _Role.Link: tokens.accent_text,
        _Role.LinkVisited: tokens.accent_text,
        _Role.Light: tokens.field,
        _Role.Midlight: tokens.hover,
        _Role.Mid: tokens.hairline_strong,
        _Role.Dark: tokens.hairline_strong,
        _Role.Shadow: tokens.hairline_strong,
    }
    palette = QPalette()
    for role, colour in roles.items():
        palette.setColor(role, QColor(colour))
    for role in (_Role.WindowText, _Role.Text, _Role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(tokens.disabled))
    return palette


Mode = Literal["system", "light", "dark"]
MODES: tuple[Mode, ...] = ("system", "light", "dark")


def system_is_dark() -> bool:
    """What the system asks for now; light where it does not say."""
    return QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark


def stylesheet(tokens: Tokens) -> str:
    """The application's style sheet for a theme, from the one template; empty if that is missing."""
    file = resources.find("styles/sculptor.qss")
    if file is None:
        return ""
    text = file.read_text(encoding="utf-8")
    for name in _PICTURE.findall(text):
        resources.find(f"styles/{tokens.name}/{name}")  # Qt itself leaves out what it cannot read
    colours = {each.name: getattr(tokens, each.name) for each in fields(tokens)}  # a mapping is not asked for
    pictures = resources.root() / "styles" / tokens.name
    return Template(text).substitute(colours, window=tokens.window, pictures=pictures.as_posix())


class Theme(QObject):
    """What the application looks like now."""

    changed = Signal()  # tokens are others than before; who paints or tints by hand paints again

    def __init__(self) -> None:
        super().__init__()
        self._mode: Mode = "light"
        self._tokens = LIGHT
        self._followed: QObject | None = None

    @property
    def mode(self) -> Mode:
        return self._mode

    @property
    def tokens(self) -> Tokens:
        return self._tokens

    @property
    def is_dark(self) -> bool:
        return self._tokens is DARK

    def set_mode(self, app: QApplication, mode: str) -> None:
        """Chooses system, light or dark and puts it on the application.

        Raises:
            ValueError: another word.
        """
        if mode not in MODES:
            raise ValueError(f"a theme is one of {', '.join(MODES)}; got {mode!r}")
        self._mode = mode  # type: ignore[assignment]
        self._follow_system()
        self._put_on(app)

    def _follow_system(self) -> None:
        hints = QGuiApplication.styleHints()
        if self._followed is not hints:
            hints.colorSchemeChanged.connect(self._system_changed)
            self._followed = hints

    def _system_changed(self) -> None:
        app = QApplication.instance()
        if isinstance(app, QApplication):
            self._put_on(app)

    def _chosen(self) -> Tokens:
        if self._mode == "system":
            return DARK if system_is_dark() else LIGHT
        return DARK if self._mode == "dark" else LIGHT

    def _put_on(self, app: QApplication) -> None:
        tokens = self._chosen()
        if app.property("sculptor_theme") == tokens.name and tokens is self._tokens:
            return
        # WORKAROUND: a sheet put over another polishes each widget once for each of its parents (Qt 6.11,
        # `updateObjects` of qstylesheetstyle.cpp): half a second for all pages. Off and on again are two times.
        app.setStyleSheet("")
        if app.style().name().lower() != "fusion":  # without a sheet: a style that wears one has no name
            app.setStyle("Fusion")
        fonts.install(app)
        self._tokens = tokens
        app.setPalette(palette_of(tokens))
        app.setStyleSheet(stylesheet(tokens))
        app.setProperty("sculptor_theme", tokens.name)
        self.changed.emit()


_theme: Theme | None = None


def theme() -> Theme:
    """The one theme of this process."""
    global _theme
    if _theme is None:
        _theme = Theme()
    return _theme


def apply(app: QApplication, mode: str = "system") -> Theme:
    """Puts a theme on the application; "system" goes with the system from then on, also when it changes.

    Raises:
        ValueError: the mode is none of system, light, dark.
    """
    theme().set_mode(app, mode)
    return theme()


def phase_colour(key: str, opacity: float = 1.0) -> QColor:
    """Fill of a phase ("decisions", "structure", "refinement", "polish"), opacity 0..1."""
    colour = QColor(theme().tokens.phases[key])
    colour.setAlphaF(opacity)
    return colour


def band_colour(key: str) -> QColor:
    """Ink of a band ("layout", "structure", "detail", "polish"); readable as text too."""
    return QColor(theme().tokens.bands[key])


def phase_line_colour(key: str) -> QColor:
    """Ink of a phase's lines: the hue of its fill, strong enough to be seen on the paper."""
    return QColor(theme().tokens.phase_lines[key])


def band_pen(key: str, width_px: float = 1.6) -> QPen:
    """Pen of a band: its colour and its own dash pattern, of constant width on screen."""
    return _pen(band_colour(key), BAND_DASHES[key], width_px)


def phase_pen(key: str, width_px: float = 1.4) -> QPen:
    """Pen of a curve taken at the end of a phase: the phase's colour, and the longer strokes the later the phase."""
    return _pen(phase_line_colour(key), PHASE_DASHES[key], width_px)


def _pen(colour: QColor, dash: Sequence[float], width_px: float) -> QPen:
    pen = QPen(colour, width_px)
    pen.setCosmetic(True)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    pen.setJoinStyle(Qt.PenJoinStyle.BevelJoin)  # round ones take Qt ten times as long on a long curve
    if dash:
        pen.setDashPattern(list(dash))
    return pen


_INSET_PX = 9


def inset(box: QAbstractSpinBox) -> None:
    """Sets a number field's text in from its left edge, as that of the other fields.

    WORKAROUND: Qt 6.11's style sheets leave the left padding of a spin box out.
    """
    box.lineEdit().setTextMargins(_INSET_PX, 0, 0, 0)
