"""The theme in force: chosen or followed from the system, put on the application as palette and style sheet."""

from string import Template
from typing import Literal

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from sculptor_app.ui.theme import files, fonts
from sculptor_app.ui.theme.palette import palette_of
from sculptor_app.ui.theme.tokens import DARK, LIGHT, Tokens

Mode = Literal["system", "light", "dark"]
MODES: tuple[Mode, ...] = ("system", "light", "dark")


def system_is_dark() -> bool:
    """What the system asks for now; light where it does not say."""
    return QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark


def stylesheet(tokens: Tokens) -> str:
    """The application's style sheet for a theme, from the one template."""
    template = Template(files.style_file("sculptor.qss").read_text(encoding="utf-8"))
    colours = {key: getattr(tokens, key) for key in Tokens.__slots__ if isinstance(getattr(tokens, key), str)}
    return template.substitute(colours, pictures=files.style_file(tokens.name).as_posix())


class Theme(QObject):
    """What the application looks like now.

    Signals:
        changed(): tokens are others than before; who paints or tints by hand paints again.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._mode: Mode = "light"
        self._tokens = LIGHT
        self._followed: QObject | None = None

    @property
    def mode(self) -> Mode:
        """What the person chose."""
        return self._mode

    @property
    def tokens(self) -> Tokens:
        """The colours in force."""
        return self._tokens

    @property
    def is_dark(self) -> bool:
        """Whether the dark colours are in force."""
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
        if app.style().name().lower() != "fusion":
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
