"""What the GIF dialog says, asks and remembers."""

import json
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QSettings, Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from sculptor_app.diffusion.errors import SculptError
from sculptor_app.exports.gif_options import GifOptions
from sculptor_app.ui import theme
from sculptor_app.ui.dialogs.gif_jobs import Preview
from sculptor_app.ui.run_progress import duration_text


def _tr(text: str) -> str:
    return QCoreApplication.translate("GifWords", text)


def facts_text(options: GifOptions, shown: Preview, size: str) -> str:
    """As "51 frames · 5.4 s · 256 × 305 · about 840 KB"."""
    held = min(shown.frames, 2 if options.into_noise else 1)
    seconds = (options.delay_ms * (shown.frames - held) + max(options.hold_ms, options.delay_ms) * held) / 1000
    measure = f"{shown.width_px} × {shown.height_px}"
    return " · ".join((_tr("{0} frames").format(shown.frames), duration_text(seconds), measure, size))


def ask_to_replace(target: Path, accept: Callable[[], None], parent: QWidget) -> None:
    """Ask whether a file that is there may go; leaves the event loop running and calls `accept` if it may."""
    question = QMessageBox(parent)
    question.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    question.setIcon(QMessageBox.Icon.Question)
    question.setWindowTitle(_tr("Replace the file?"))
    question.setText(_tr("{0} is there already.").format(target.name))
    question.setInformativeText(_tr("Replace it? If the saving fails, the old file stays as it is."))
    replace = question.addButton(_tr("Replace"), QMessageBox.ButtonRole.AcceptRole)
    question.addButton(QMessageBox.StandardButton.Cancel)
    replace.clicked.connect(accept)
    question.open()


def remember(settings: QSettings, options: GifOptions) -> None:
    """Offer these choices the next time; what a GIF of a drowned picture must show is no choice."""
    chosen = options.as_dict()
    if options.into_noise:
        chosen |= {"into_noise": False, "frames": remembered(settings).frames}
    settings.setValue("gif/options", json.dumps(chosen))


def remembered(settings: QSettings) -> GifOptions:
    """The choices of last time; the usual ones where there are none, or none that are understood."""
    try:
        return GifOptions(**json.loads(str(settings.value("gif/options", ""))))
    except (ValueError, TypeError, SculptError):
        return GifOptions(dark=theme.theme().is_dark)
