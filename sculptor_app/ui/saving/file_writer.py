"""Files written in a background thread: pictures and tables of one run, or of many at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QGuiApplication, QImage

from sculptor_app.exports.animation.options import Disclosure
from sculptor_app.exports.files import ExportCancelled
from sculptor_app.exports.formats import FORMATS, Export, table_format
from sculptor_app.session.tasks import BackgroundTask, Progress
from sculptor_app.session.worker import Job
from sculptor_app.ui.playback.page import GridViews
from sculptor_app.ui.theme import theme
from sculptor_app.ui.widgets.bars import MessageBar, WorkBar

if TYPE_CHECKING:
    from sculptor_app.exports.animation.options import AnimationOptions
    from sculptor_app.exports.animation.plan import RunGrid

ReportProgress = Callable[[int, int], None]
Write = Callable[[Path, ReportProgress, threading.Event], object]


@dataclass(frozen=True, slots=True)
class _Written:
    path: Path
    size_bytes: int  # measured in the thread: the file may be gone at any time


class FileWriter(QObject):
    """Writes one file at a time in a thread of its own; call `shutdown` before its parent goes."""

    saved = Signal(object, object)  # a file that was written, and its size in bytes, which may outgrow a C int

    def __init__(self, messages: MessageBar, bar: WorkBar, parent: QObject) -> None:
        super().__init__(parent)
        self._messages, self._bar = messages, bar
        self._task = BackgroundTask("files", self, cancelled_by=(ExportCancelled,))
        self._task.produced.connect(self._take)
        self._task.finished.connect(self._end)
        self._task.cancelled.connect(self._show_stopped)
        self._task.failed.connect(self._fail)

    @property
    def is_busy(self) -> bool:
        return self._task.is_busy

    # Files -------------------------------------------------------------------------------------------------------

    def write_sheet(
        self,
        path: Path,
        views: GridViews,
        grid: RunGrid,
        step: int,
        size_px: int,
        disclosure: Disclosure = Disclosure.NAMES,
    ) -> None:
        """Write the grid at a step as one picture; `size_px` is the longer side of each in it."""
        options = replace(self._options(views, grid), size_px=size_px)

        def write(target: Path, progress: ReportProgress, stop: threading.Event) -> None:
            FORMATS["png"].write(target, Export(grid, options, step, disclosure=disclosure))

        self.write(path, write)

    def write_numbers(self, path: Path, export: Export) -> None:
        """Write a table; of many runs every state is measured first."""

        def write(target: Path, progress: ReportProgress, stop: threading.Event) -> None:
            table_format(target).write(target, replace(export, progress=progress, stop=stop))

        self.write(path, write)

    def write(self, path: Path, write: Write) -> None:
        """Write a file by a function that is called in the thread; `saved` follows, or a message."""

        def job(stop: threading.Event) -> Iterator[object]:
            write(path, self._task.report_progress, stop)
            yield _Written(path, path.stat().st_size)

        self._start(self.tr("Writing {0}").format(path.name), job)

    def copy(self, views: GridViews, grid: RunGrid, step: int) -> None:
        options = self._options(views, grid)

        def job(stop: threading.Event) -> Iterator[object]:
            from sculptor_app.exports.stills import grid_picture

            sheet = grid_picture(grid, step, options)
            pixels, (width, height) = sheet.tobytes(), sheet.size
            yield QImage(pixels, width, height, 3 * width, QImage.Format.Format_RGB888).copy()

        self._start(self.tr("Copying the picture…"), job)

    def stop(self) -> None:
        """Give up what is being written; the file that was there before stays."""
        self._bar.show_stopping(self.tr("Stopping…"))
        self._task.stop()

    def shutdown(self) -> None:
        """Give up, and wait for the thread."""
        self._task.shutdown()

    # Inside ------------------------------------------------------------------------------------------------------

    def _options(self, views: GridViews, grid: RunGrid) -> AnimationOptions:
        from sculptor_app.exports.animation.grid import fitting_size
        from sculptor_app.exports.animation.options import AnimationOptions

        return AnimationOptions(
            frames=views.frames(), size_px=fitting_size(grid, FORMATS["png"].sheet_px), dark=theme().is_dark
        )

    def _start(self, text: str, job: Job) -> None:
        if self._task.is_busy:
            message = self.tr("Another file is still being written.")
            self._messages.show_message(message, self.tr("Wait until it is there, or stop it."))
            return
        self._messages.clear()
        self._bar.show_work(text, [(self.tr("Stop"), self.stop)])
        self._task.start(job)

    @Slot(object)
    def _take(self, item: object) -> None:
        match item:
            case Progress():
                text = self.tr("{0} of {1}").format(item.done, item.total)
                self._bar.set_progress(item.done / item.total, text)
            case QImage():
                QGuiApplication.clipboard().setImage(item)
                self._messages.show_message(self.tr("Picture copied."), is_fault=False, passes=True)
            case _Written():
                self.saved.emit(item.path, item.size_bytes)

    @Slot()
    def _end(self) -> None:
        self._bar.hide()

    @Slot()
    def _show_stopped(self) -> None:
        self._bar.hide()
        self._messages.show_message(self.tr("Stopped; no file was written."), is_fault=False, passes=True)

    @Slot(object)
    def _fail(self, error: Exception) -> None:
        self._bar.hide()
        self._messages.show_error(error, self.tr("The file could not be made ({0}: {1})."))
