"""The type scale: Inter in sizes relative to the system's font, with tabular figures where numbers change."""

from PySide6.QtGui import QFont, QFontDatabase
from PySide6.QtWidgets import QApplication

from sculptor_app import resources

FAMILY = "Inter"
_FILES = ("Inter-Regular.otf", "Inter-SemiBold.otf")
_LEAST_PT = 10.0
_SMALL = 0.88
_TITLE = 1.12


def install(app: QApplication) -> None:
    """Makes Inter the application's font; where it is missing or cannot be loaded, the system's font stays.

    The system's own family remains behind it, for scripts that Inter has not got.
    """
    if app.property("sculptor_font"):
        return
    app.setProperty("sculptor_font", True)
    files = [resources.find(f"styles/fonts/{name}") for name in _FILES]
    if None in files or -1 in [QFontDatabase.addApplicationFont(str(file)) for file in files]:
        return
    font = QFont(app.font())
    font.setFamilies([FAMILY, *font.families()])
    if font.pointSizeF() > 0:
        font.setPointSizeF(max(font.pointSizeF(), _LEAST_PT))
    app.setFont(font)


def body() -> QFont:
    """The interface's running text."""
    return QFont(QApplication.font())


def _scaled(factor: float, *, bold: bool = False) -> QFont:
    font = body()
    if font.pointSizeF() > 0:
        font.setPointSizeF(font.pointSizeF() * factor)
    else:
        font.setPixelSize(max(1, round(font.pixelSize() * factor)))
    if bold:
        font.setWeight(QFont.Weight.DemiBold)
    return font


def small() -> QFont:
    """Notes, axis numbers, captions; figures of one width."""
    return tabular(_scaled(_SMALL))


def strong_html(text: str) -> str:
    """A text in the weight of `strong` for rich text, whose own bold is none of the files: it would be smeared."""
    from html import escape  # with a table of thousands of names, which no first paint needs

    return f'<span style="font-weight: 600">{escape(text)}</span>'


def strong() -> QFont:
    """Titles of panels."""
    return _scaled(1.0, bold=True)


def title() -> QFont:
    """The heading of a dialog or an empty state."""
    return _scaled(_TITLE, bold=True)


def small_strong() -> QFont:
    """The current number in a row of small ones."""
    return tabular(_scaled(_SMALL, bold=True))


def tabular(font: QFont) -> QFont:
    """The same font with figures of one width, so that a running number does not jitter."""
    result = QFont(font)
    result.setFeature(QFont.Tag("tnum"), 1)
    return result
