"""What a person saves of a run: a GIF, one picture, the numbers; and a copy to the clipboard."""

from __future__ import annotations

import logging
import re
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QUrl, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication, QImage
from PySide6.QtWidgets import QFileDialog

from sculptor_app import folders
from sculptor_app.core.errors import SculptorError
from sculptor_app.exports.formats import FORMATS, Export, ExportFormat
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.ui.playback.page import GridViews, Views
from sculptor_app.ui.playback.texts import file_size_text
from sculptor_app.ui.saving.gif_texts import filter_text
from sculptor_app.ui.saving.grid_files import GridFiles

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.trajectory import Trajectory
    from sculptor_app.ui.shell.main_window import MainWindow
    from sculptor_app.ui.shell.workbench import Workbench

log = logging.getLogger(__name__)


def suggested_name(trajectory: Trajectory, ending: str, step: int | None = None) -> str:
    """As "bust-bronze-7.gif", or with a step "bust-bronze-7-step-12.png": what it is, and the seed.

    Of a drowned picture "holiday-drowned-7.gif".
    """
    request = trajectory.info.request
    if not trajectory.info.is_of_a_model:
        name, how = trajectory.info.origin.rsplit(", ", 1)
        words = re.findall(r"\w+", f"{PurePath(name).stem} {how}")  # what every file system takes
        parts = [*words, str(request.seed)]
    else:
        parts = [word for word in (request.form, request.material, str(request.seed)) if word]
    if step is not None:
        parts += ["step", str(step)]
    return "-".join(parts) + ending


def show_folder(folder: Path) -> None:
    """Open a folder in the system's file manager."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


class Files(QObject):
    """The deeds of the File menu."""

    def __init__(self, window: MainWindow, bench: Workbench) -> None:
        super().__init__(bench)
        self._window, self._bench = window, bench
        self._gif_dialog: QObject | None = None
        self.grid_files = GridFiles(window, self)
        self.grid_files.saved.connect(self._saved)

    @property
    def _views(self) -> Views | GridViews:
        """What is looked at: files are made of it."""
        page = self._bench.pages.page
        return self._bench.views if page is None else page.views

    # Folders -----------------------------------------------------------------------------------------------------

    def folder(self) -> Path:
        """Where files were saved last; the person's pictures at first, or when that folder is gone."""
        remembered = Path(str(self._window.settings.value("files/folder", "")))
        return remembered if remembered.is_dir() and str(remembered) != "." else folders.pictures()

    def remember_folder(self, path: Path) -> None:
        """Offer this file's folder the next time."""
        self._window.settings.setValue("files/folder", str(path.parent))

    def _ask(self, title: str, name: str, row: ExportFormat) -> Path | None:
        """A path with the right ending; asking about a file that is there already is the file dialog's own."""
        chosen, _ = QFileDialog.getSaveFileName(self._window, title, str(self.folder() / name), filter_text(row))
        return row.named(Path(chosen)) if chosen else None

    # Deeds -------------------------------------------------------------------------------------------------------

    @Slot()
    def save_gif(self) -> None:
        """Open the dialog that saves the run as a GIF; it leaves the window free."""
        from sculptor_app.ui.saving.gif_dialog import ExportGifDialog

        views = self._views
        session, is_grid = views.session, isinstance(views, GridViews)
        filmed = views.grid() if is_grid else session.trajectory
        if filmed is None:
            return
        self._close_dialog()
        path = self.folder() / (views.name() + ".gif" if is_grid else suggested_name(filmed, ".gif"))
        dialog = ExportGifDialog(filmed, session.measures, self._window.settings, path, session.position, self._window)
        dialog.saved.connect(self._gif_saved)
        dialog.destroyed.connect(self._forget_dialog)
        session.running_changed.connect(dialog.refresh)
        session.step_changed.connect(dialog.set_position)
        self._gif_dialog = dialog
        dialog.show()

    @Slot()
    def save_picture(self) -> None:
        """Save what the first frame shows as a PNG, pixel for pixel; of many runs a sheet with all of them."""
        if isinstance(self._views, GridViews):
            self._save_sheet(self._views)
            return
        image, trajectory = self._picture(), self._views.session.trajectory
        if image is None or trajectory is None:
            return
        step = self._views.session.position
        name = suggested_name(trajectory, ".png", step)
        path = self._ask(self.tr("Save picture"), name, FORMATS["png"])
        if path is not None:
            from sculptor_app.exports.settings import settings_text

            image = image.copy()
            image.setText("comment", settings_text(trajectory, {"state": step}))
            self._write(path, lambda target: self.write_picture(image, target))

    @Slot()
    def save_numbers(self) -> None:
        """Save energy per band and step as CSV."""
        if isinstance(self._views, GridViews):
            self._save_table(self._views)
            return
        trajectory, measures = self._views.session.trajectory, self._views.session.measures
        if trajectory is None:
            return
        name = suggested_name(trajectory, ".csv")
        path = self._ask(self.tr("Save numbers"), name, FORMATS["csv"])
        if path is not None:
            self._write(path, lambda target: FORMATS["csv"].write(target, Export(trajectory, measures=measures)))

    @Slot()
    def copy_picture(self) -> None:
        """Put what the first frame shows on the clipboard; of many runs a sheet with all of them."""
        if isinstance(self._views, GridViews):
            grid = self._views.grid()
            if grid is not None:
                self.grid_files.copy(self._views, grid, self._views.session.position)
            return
        image = self._picture()
        if image is not None:
            QGuiApplication.clipboard().setImage(image)
            self._window.statusBar().showMessage(self.tr("Picture copied"), 2000)

    def _save_sheet(self, views: GridViews) -> None:
        grid, step = views.grid(), views.session.position
        if grid is None:
            return
        name = f"{views.name()}-step-{step}.png"
        path = self._ask(self.tr("Save picture"), name, FORMATS["png"])
        if path is not None:
            self.grid_files.write_sheet(path, views, grid, step)

    def _save_table(self, views: GridViews) -> None:
        grid = views.grid()
        if grid is None:
            return
        path = self._ask(self.tr("Save numbers"), f"{views.name()}.csv", FORMATS["csv"])
        if path is not None:
            self.grid_files.write_numbers(path, grid)

    def _picture(self) -> QImage | None:
        kinds = self._views.stage.kinds
        for kind in (kinds[0], FrameKind.NOISY_STATE):  # of pure noise there is no guess
            image = self._views.presenter.picture(kind)
            if image is not None:
                return image
        return None

    @staticmethod
    def write_picture(image: QImage, path: Path) -> None:
        """Write a PNG whole or not at all.

        Raises:
            ExportError: it cannot be written there.
        """
        from PySide6.QtCore import QBuffer, QIODevice

        from sculptor_app.exports.files import replacing

        buffer = QBuffer()
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        image.save(buffer, "PNG")
        with replacing(path) as file:
            file.write(bytes(buffer.data().data()))

    def _write(self, path: Path, write: object) -> None:
        try:
            write(path)
        except SculptorError as error:
            self._window.messages.show_message(error.message, error.advice)
        else:
            self._saved(path)

    @Slot(object)
    def _saved(self, path: Path) -> None:
        self.remember_folder(path)
        self._tell_saved(path, file_size_text(path.stat().st_size))

    @Slot(str, int)
    def _gif_saved(self, path: str, size_bytes: int) -> None:
        self.remember_folder(Path(path))
        self._tell_saved(Path(path), file_size_text(size_bytes))

    def _tell_saved(self, path: Path, size: str) -> None:
        self._window.messages.show_message(
            self.tr("Saved {0} ({1}).").format(path, size),
            is_fault=False, action=self.tr("Show folder"), on_action=lambda: show_folder(path.parent),
        )  # fmt: skip

    @Slot()
    def _forget_dialog(self) -> None:
        self._gif_dialog = None

    def close(self) -> None:
        """Close the GIF dialog, and stop whatever is being written."""
        self._close_dialog()
        self.grid_files.shutdown()

    def _close_dialog(self) -> None:
        if self._gif_dialog is not None:
            self._gif_dialog.close()
            self._forget_dialog()
