"""What the GIF dialog says, asks and remembers."""

import json
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QSettings, Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from sculptor_app.core.errors import SculptorError
from sculptor_app.exports.animation.grid import fitting_size
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.animation.plan import RunGrid, RunOrGrid
from sculptor_app.exports.formats import FORMATS, ExportFormat
from sculptor_app.ui import theme
from sculptor_app.ui.playback.texts import duration_text
from sculptor_app.ui.saving.gif_jobs import Preview

RUN, GRID = "gif/options", "gif/grid_options"
"""Where the choices are remembered: of a GIF of one run, and of many."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("GifWords", text)


def filter_text(row: ExportFormat) -> str:
    """A format as a file dialog lists it, as "PNG picture (*.png)"."""
    return f"{QCoreApplication.translate('names', row.label)} (*{row.suffix})"


def facts_text(options: AnimationOptions, shown: Preview, size: str) -> str:
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


def remember(settings: QSettings, options: AnimationOptions, key: str = RUN) -> None:
    """Offer these choices the next time; what a GIF of a drowned picture must show is no choice.

    Args:
        settings: where.
        options: the choices.
        key: RUN, or GRID for many runs, which are shown smaller.
    """
    chosen = options.as_dict()
    if options.into_noise:
        chosen |= {"into_noise": False, "frames": remembered(settings).frames}
    settings.setValue(key, json.dumps(chosen))


def remembered(settings: QSettings, key: str = RUN, size_px: int = AnimationOptions().size_px) -> AnimationOptions:
    """The choices of last time; the usual ones where there are none, or none that are understood.

    Args:
        settings: where.
        key: as for `remember`.
        size_px: of a picture, where nothing is remembered.
    """
    try:
        return AnimationOptions(**json.loads(str(settings.value(key, ""))))
    except (ValueError, TypeError, SculptorError):
        return AnimationOptions(size_px=size_px, dark=theme.theme().is_dark)


def key_of(filmed: RunOrGrid) -> str:
    """Where the choices for this are remembered."""
    return GRID if isinstance(filmed, RunGrid) else RUN


def remembered_for(settings: QSettings, filmed: RunOrGrid) -> AnimationOptions:
    """The choices of last time, or what suits one run or many."""
    if isinstance(filmed, RunGrid):
        return remembered(settings, GRID, fitting_size(filmed, FORMATS["gif"].sheet_px))
    return remembered(settings)
