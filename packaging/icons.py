"""Renders the application's icon from its SVG: `python packaging/icons.py`, after the drawing was changed."""

import os
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtGui import QGuiApplication, QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

APP_ID = "io.github.sculptor_app.Sculptor"
FOLDER = Path(__file__).resolve().parent.parent / "resources" / "icons" / "app"
SIZES = (16, 22, 24, 32, 48, 64, 128, 256, 512)


def main() -> None:
    _application = QGuiApplication([])
    drawing = QSvgRenderer(str(FOLDER / "scalable" / "apps" / f"{APP_ID}.svg"))
    for size in SIZES:
        target = FOLDER / f"{size}x{size}" / "apps" / f"{APP_ID}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        picture = QImage(size, size, QImage.Format.Format_ARGB32)
        picture.fill(0)
        painter = QPainter(picture)
        drawing.render(painter)
        painter.end()
        picture.save(str(target))


if __name__ == "__main__":
    main()
