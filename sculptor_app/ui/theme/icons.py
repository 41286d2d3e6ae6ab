"""Icons: one-colour SVG drawings, tinted by the theme when painted: crisp, and right after a switch."""

from functools import lru_cache

from PySide6.QtCore import QByteArray, QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from sculptor_app import resources
from sculptor_app.ui.theme import manager


@lru_cache(maxsize=256)
def _renderer(name: str, colour: str) -> QSvgRenderer | None:
    """None for an icon that is missing or damaged."""
    file = resources.find(f"icons/{name}.svg")
    if file is None:
        return None
    renderer = QSvgRenderer(QByteArray(file.read_bytes().replace(b"currentColor", colour.encode())))
    if renderer.isValid():
        return renderer
    resources.miss(f"icons/{name}.svg")
    return None


def paint_icon(painter: QPainter, name: str, rect: QRectF, colour: QColor | str) -> None:
    """Draws an icon of resources/icons into `rect` in one colour (its alpha is kept); nothing if it is missing."""
    ink = QColor(colour)
    renderer = _renderer(name, ink.name())
    if renderer is not None:
        opacity = painter.opacity()
        painter.setOpacity(opacity * ink.alphaF())
        renderer.render(painter, rect)
        painter.setOpacity(opacity)


class ThemedIconEngine(QIconEngine):
    """Paints one SVG in the ink that the theme has at that moment."""

    def __init__(self, name: str, role: str) -> None:
        super().__init__()
        self._name, self._role = name, role

    def ink(self, mode: QIcon.Mode) -> str:
        """The colour for a mode of the icon."""
        tokens = manager.theme().tokens
        return tokens.disabled if mode == QIcon.Mode.Disabled else str(getattr(tokens, self._role))

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        side = min(rect.width(), rect.height())
        square = QRectF(rect.x() + (rect.width() - side) / 2, rect.y() + (rect.height() - side) / 2, side, side)
        paint_icon(painter, self._name, square, self.ink(mode))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return self.scaledPixmap(size, mode, state, 1.0)

    def scaledPixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float) -> QPixmap:
        # From Qt 6.8 on `size` is in logical pixels; QIcon sets the ratio on what it gets.
        result = QPixmap(size * scale)
        if result.isNull():  # for a button that a small window leaves no room
            return result
        result.fill(Qt.GlobalColor.transparent)
        painter = QPainter(result)
        self.paint(painter, QRect(QPoint(0, 0), result.size()), mode, state)
        painter.end()
        return result

    def clone(self) -> QIconEngine:
        return ThemedIconEngine(self._name, self._role)


def icon(name: str, role: str = "text") -> QIcon:
    """An icon of resources/icons, tinted with a token; a missing one is null, and its button shows its text.

    Args:
        role: a colour token: "text", "muted", "accent_text", "on_accent", ...

    Raises:
        AttributeError: there is no such token.
    """
    getattr(manager.theme().tokens, role)
    return QIcon() if resources.find(f"icons/{name}.svg") is None else QIcon(ThemedIconEngine(name, role))
