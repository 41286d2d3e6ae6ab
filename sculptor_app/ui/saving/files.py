"""Saving what is in front: a GIF, one picture, the numbers; and a copy to the clipboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QObject, QSettings, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication, QImage
from PySide6.QtWidgets import QFileDialog, QInputDialog, QStatusBar, QWidget

from sculptor_app import folders, identity
from sculptor_app.core.files import is_folder, temporary_folder
from sculptor_app.core.texts import Text, byte_text, without_secrets
from sculptor_app.exports.animation.options import Disclosure
from sculptor_app.exports.files import has_parquet
from sculptor_app.exports.formats import FORMATS, Export, ExportFormat, table_formats
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.session.worker import RetiredThreads
from sculptor_app.ui.playback.page import FigureViews, GridViews, Views
from sculptor_app.ui.saving.file_writer import FileWriter
from sculptor_app.ui.widgets.bars import MessageBar, WorkBar
from sculptor_app.ui.widgets.basics import Subject
from sculptor_app.ui.widgets.names import filter_text
from sculptor_app.ui.widgets.picture_source import png_of

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.base import AnyTrajectory, RunInfo
    from sculptor_app.exports.animation.plan import RunGrid
    from sculptor_app.session.latents import FrameDecoder
    from sculptor_app.ui.saving.gif_dialog import ExportGifDialog


USUAL_PICTURE_PX = 512
"""A saved picture is at least as large as this at first: one of 64 pixels is a stamp on a slide."""

MOST_NAMED = 30
"""Letters of a prompt in a suggested name."""


def suggested_name(
    trajectory: AnyTrajectory, ending: str, step: int | None = None, disclosure: Disclosure = Disclosure.NAMES
) -> str:
    """As "bust-bronze-7.gif", "bust-bronze-7-step-12.png", or of a drowned picture "holiday-drowned-7.gif".

    Of one that was carved out of a picture "holiday-carved-7.gif", of a prompt its first words.
    """
    info = trajectory.info
    parts = [*_named(info, disclosure), str(info.request.seed)]
    if step is not None:
        parts += ["step" if info.is_of_a_model else "layer", str(step)]
    return "-".join(parts) + ending


def _named(info: RunInfo, disclosure: Disclosure) -> list[str]:
    """The words for what a run was, as far as they may be told."""
    from sculptor_app.exports.settings import SOME_PICTURE, told_conditions, told_origin  # numpy comes with it

    name, how = told_origin(info, disclosure), "carved"
    if not info.is_of_a_model:
        how = info.origin.rsplit(", ", 1)[1]
        name = name.removesuffix(f", {how}")
    elif isinstance(info.origin, Text) and info.origin.facts and name != SOME_PICTURE:  # the noise found for a picture
        name = without_secrets(str(info.origin.facts[0]))
    if name:
        return _words(f"{PurePath(name.removeprefix('carved: ')).stem} {how}")
    labels = [word for word in (info.request.form, info.request.material) if word]
    if labels:
        return labels
    words = _words(told_conditions(info, disclosure)) or ["run"]
    while len(words) > 1 and len("-".join(words)) > MOST_NAMED:
        words.pop()
    return [word[:MOST_NAMED] for word in words]


def _words(text: str) -> list[str]:
    """What every file system takes of a text."""
    return re.findall(r"\w+", text)


def show_folder(folder: Path) -> None:
    """Open a folder in the system's file manager."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))


def write_picture(image: QImage, path: Path) -> None:
    """Write a PNG whole or not at all.

    Raises:
        ExportError: it cannot be written there.
    """
    from sculptor_app.exports.files import replacing

    content = png_of(image)
    with replacing(path) as file:
        file.write(content)


def at_size(image: QImage, longer_px: int) -> QImage:
    """A copy whose longer side is that, a whole multiple or fraction of what it is: pixels stay crisp."""
    longer = max(image.width(), image.height())
    if longer_px == longer:
        return image.copy()
    width, height = image.width() * longer_px // longer, image.height() * longer_px // longer
    how = Qt.TransformationMode.FastTransformation if longer_px > longer else Qt.TransformationMode.SmoothTransformation
    return image.scaled(max(1, width), max(1, height), Qt.AspectRatioMode.IgnoreAspectRatio, how)


class RunSaver:
    """What the File menu saves of a single run."""

    def __init__(self, views: Views, files: Files) -> None:
        self._views, self._session, self._files = views, views.session, files

    def gif_source(self) -> tuple[AnyTrajectory | RunGrid, str] | None:
        """The run, or it and the one that it is compared with, and a name for the GIF; None where there is none."""
        trajectory, compared = self._session.trajectory, self._session.compared
        if trajectory is None:
            return None
        name = suggested_name(trajectory, ".gif", disclosure=self._files.disclosure)
        if compared is None:
            return trajectory, name
        from sculptor_app.exports.animation.plan import compared_runs

        return compared_runs(trajectory, compared.trajectory, self._session.lock), f"compared-{name}"

    def save_picture(self) -> None:
        """Save what the first frame shows as a PNG, pixel for pixel."""
        image, trajectory = self._picture(), self._session.trajectory
        if image is None or trajectory is None:
            return
        step = self._session.position
        size_px = self._files.ask_picture_size(image)
        name = suggested_name(trajectory, ".png", step, self._files.disclosure)
        path = self._files.ask_picture(name) if size_px else None
        if path is not None and size_px is not None:
            from sculptor_app.exports.settings import settings_text

            image = at_size(image, size_px)
            told = {"state": self._session.state}
            text = settings_text(trajectory, told, self._session.measures, self._files.disclosure)
            image.setText("comment", text)
            self._files.writer.write(path, lambda target, progress, stop: write_picture(image, target))

    def save_numbers(self) -> None:
        trajectory, measures = self._session.trajectory, self._session.measures
        if trajectory is None:
            return
        path = self._files.ask_numbers(suggested_name(trajectory, ".csv", disclosure=self._files.disclosure))
        if path is not None:
            export = Export(trajectory, measures=measures, disclosure=self._files.disclosure)
            self._files.writer.write_numbers(path, export)

    def copy_picture(self) -> None:
        """Put what the first frame shows on the clipboard."""
        image = self._picture()
        if image is not None:
            QGuiApplication.clipboard().setImage(image)
            self._files.show_copied()

    def _picture(self) -> QImage | None:
        kinds = self._views.stage.kinds
        for kind in (kinds[0], FrameKind.NOISY_STATE):  # of pure noise there is no guess
            image = self._views.presenter.picture(kind)
            if image is not None:
                return image
        return None


class GridSaver:
    """What the File menu saves of many runs at once: a sheet with all of them, and a table."""

    def __init__(self, views: GridViews, files: Files, writer: FileWriter) -> None:
        self._views, self._files, self._writer = views, files, writer

    def gif_source(self) -> tuple[RunGrid, str] | None:
        """The runs and a name for their GIF; None where there are none."""
        grid = self._views.grid()
        return None if grid is None else (grid, self._views.name() + ".gif")

    def save_picture(self) -> None:
        """Save the sheet at the step shown as a PNG."""
        grid, step = self._views.grid(), self._views.session.position
        if grid is None:
            return
        size_px = self._files.ask_grid_size(grid)
        path = self._files.ask_picture(f"{self._views.name()}-step-{step}.png") if size_px else None
        if path is not None and size_px is not None:
            self._writer.write_sheet(path, self._views, grid, step, size_px, self._files.disclosure)

    def save_numbers(self) -> None:
        grid = self._views.grid()
        if grid is None:
            return
        path = self._files.ask_numbers(f"{self._views.name()}.csv")
        if path is not None:
            self._writer.write_numbers(path, Export(grid, disclosure=self._files.disclosure))

    def copy_picture(self) -> None:
        grid = self._views.grid()
        if grid is not None:
            self._writer.copy(self._views, grid, self._views.session.position)


class FigureSaver:
    """What the File menu saves of figures about a run: their plot, and themselves for a program to read."""

    def __init__(self, views: FigureViews, files: Files) -> None:
        self._views, self._files = views, files

    def gif_source(self) -> tuple[AnyTrajectory | RunGrid, str] | None:
        """The run itself, and a name for its GIF; None where there is none."""
        run = self._views.session.trajectory
        return None if run is None else (run, suggested_name(run, ".gif", disclosure=self._files.disclosure))

    def save_picture(self) -> None:
        image, run = self._views.plot(), self._views.session.trajectory
        if image is None or run is None:
            return
        path = self._files.ask_picture(self._name("decided.png"))
        if path is not None:
            self._files.writer.write(path, lambda target, progress, stop: write_picture(image, target))

    def save_numbers(self) -> None:
        """Save the figures in the file that `sculptor-app decide` writes, and goes on with."""
        figures = self._views.figures()
        if figures is None:
            return
        path = self._files.ask_figures(self._name("u-turns.json" if figures.u_turn else "decided.json"))
        if path is not None:
            from sculptor_app.exports.decisions import write_decisions

            told = self._files.disclosure
            self._files.writer.write(
                path,
                lambda target, progress, stop: write_decisions(target, figures, told),
            )

    def copy_picture(self) -> None:
        image = self._views.plot()
        if image is not None:
            QGuiApplication.clipboard().setImage(image)
            self._files.show_copied()

    def _name(self, ending: str) -> str:
        run = self._views.session.trajectory
        assert run is not None
        return f"{suggested_name(run, '', disclosure=self._files.disclosure)}-{ending}"


class Files(QObject):
    """The actions of the File menu that save what is in front.

    Attributes:
        disclosure: what saved files tell of prompts and paths, as a person has chosen.

    Signals:
        disclosure_changed: that.
    """

    disclosure_changed = Signal()

    def __init__(
        self,
        views: Callable[[], Views | GridViews | FigureViews | None],
        messages: MessageBar,
        status: QStatusBar,
        bar: WorkBar,
        settings: QSettings,
        parent: QWidget,
        decoder: FrameDecoder | None = None,
    ) -> None:
        super().__init__(parent)
        self._decoder = decoder
        self._views, self._messages, self._status = views, messages, status
        self._settings, self._parent = settings, parent
        self._gif_dialog: ExportGifDialog | None = None
        self._retired = RetiredThreads(self)
        self.disclosure = Disclosure.NAMES
        self._kept = ExitStack()
        self._dragged: Path | None = None  # folder of files that were dragged to other programs
        self.writer = FileWriter(messages, bar, self)
        self.writer.saved.connect(self._show_saved)

    def _saver(self) -> RunSaver | GridSaver | FigureSaver:
        """For one run or many, whichever is in front."""
        views = self._views()
        assert views is not None  # else the actions are disabled
        if isinstance(views, FigureViews):
            return FigureSaver(views, self)
        return GridSaver(views, self, self.writer) if isinstance(views, GridViews) else RunSaver(views, self)

    # Actions -----------------------------------------------------------------------------------------------------

    @Slot()
    def save_gif(self) -> None:
        """Open the dialog that saves a GIF; it leaves the window free. One that is saving comes to the front."""
        from sculptor_app.ui.saving.gif_dialog import ExportGifDialog

        if self._gif_dialog is not None and self._gif_dialog.is_saving:
            self._gif_dialog.raise_()
            self._gif_dialog.activateWindow()
            return
        from sculptor_app.exports.files import ExportError

        try:
            source, views = self._saver().gif_source(), self._views()
        except ExportError as error:
            self._messages.show_message(error.message, error.advice)
            return
        if source is None or views is None:
            return
        self._close_dialog()
        filmed, name = source
        session, path = views.session, self.folder() / name
        dialog = ExportGifDialog(
            filmed, session.measures, self._settings, path, session.state, self._retired, self._parent, self._decoder
        )
        dialog.set_disclosure(self.disclosure)
        dialog.disclosure_chosen.connect(self.set_disclosure)
        dialog.set_settling_rule(session.settling_rule)
        session.settling_rule_changed.connect(dialog.set_settling_rule)
        dialog.saved.connect(self._show_saved)
        dialog.closed.connect(self._forget_dialog)
        session.running_changed.connect(dialog.refresh)
        session.step_changed.connect(dialog.set_position)
        self._gif_dialog = dialog
        dialog.show()

    @Slot()
    def save_picture(self) -> None:
        self._saver().save_picture()

    @Slot()
    def save_numbers(self) -> None:
        self._saver().save_numbers()

    @Slot()
    def copy_picture(self) -> None:
        self._saver().copy_picture()

    @Slot(object)
    def set_disclosure(self, disclosure: Disclosure) -> None:
        """Tell so much of prompts and paths in whatever is saved from now on."""
        self.disclosure = Disclosure(disclosure)  # Qt's actions hand a plain str on
        if self._gif_dialog is not None:
            self._gif_dialog.set_disclosure(self.disclosure)
        self.disclosure_changed.emit()

    def save_image(
        self, image: QImage | None, what: str, position: int | None = None, *, is_plot: bool = False
    ) -> None:
        """Save a picture or a plot of the page in front, a picture in the size that is chosen.

        Args:
            what: it shows, as part of the file's name.
            position: of the state that it shows; None for that on screen.
        """
        if image is None:
            return
        size_px = None if is_plot else self.ask_picture_size(image)
        if size_px is None and not is_plot:
            return
        image = image.copy() if size_px is None else at_size(image, size_px)
        path = self.ask_picture(f"{self._told(image, position)}-{what}.png")
        if path is not None:
            self.writer.write(path, lambda target, progress, stop: write_picture(image, target))

    def _told(self, image: QImage, position: int | None) -> str:
        """Give a picture of the page in front the settings of its run; returns the beginning of a name for its file."""
        views = self._views()
        if isinstance(views, Views) and views.session.trajectory is not None:
            from sculptor_app.exports.settings import settings_text

            session, trajectory = views.session, views.session.trajectory
            shown = session.position if position is None else position
            state = session.state if position is None else session.state_at(position)
            text = settings_text(trajectory, {"state": state}, session.measures, self.disclosure)
            image.setText("comment", text)
            return suggested_name(trajectory, "", shown, self.disclosure)
        if isinstance(views, GridViews):
            return f"{views.name()}-step-{views.session.position}"
        return identity.NAME.lower()

    def dragged(self, subject: Subject) -> QMimeData | None:
        """A picture to be carried to another program, as itself and as a file, which stays until the program ends.

        The file is a PNG with the settings of its run; where there is no room for it, there is the picture alone.
        """
        if subject.image is None:
            return None
        image = subject.image.copy()
        name, carried = f"{self._told(image, subject.position)}-{subject.name}.png", QMimeData()
        carried.setImageData(image)
        try:
            if self._dragged is None:
                self._dragged = self._kept.enter_context(temporary_folder("sculptor-dragged-"))
            path = self._dragged / name
            path.write_bytes(png_of(image))
        except OSError:
            return carried
        carried.setUrls([QUrl.fromLocalFile(str(path))])
        return carried

    # Folders -----------------------------------------------------------------------------------------------------

    def folder(self) -> Path:
        """Where files were saved last; the person's pictures at first, or when that folder is gone."""
        remembered = Path(str(self._settings.value("files/folder", "")))
        return remembered if is_folder(remembered) and str(remembered) != "." else folders.pictures()

    def ask_picture_size(self, image: QImage) -> int | None:
        """The longer side that a picture is to be saved with, of the crisp ones; None where the saving was given up."""
        from sculptor_app.ui.saving.gif_form import sizes_of

        own_px = max(image.width(), image.height())
        sizes = sizes_of(own_px)
        own = [] if any(size == own_px for size, _ in sizes) else [(own_px, "1×")]  # larger than GIFs are made
        usual_px = own_px * max(1, -(-USUAL_PICTURE_PX // own_px))
        return self.ask_size(sizes + own, usual_px, "files/picture_size")

    def ask_grid_size(self, grid: RunGrid) -> int | None:
        """The longer side that each picture of many runs is to be saved with; None where the saving was given up."""
        from sculptor_app.exports.animation.grid import fitting_size
        from sculptor_app.ui.saving.gif_form import grid_sizes

        usual_px = fitting_size(grid, FORMATS["png"].sheet_px)
        return self.ask_size(grid_sizes(grid), usual_px, "files/grid_size", self.tr("The longer side of each picture"))

    def ask_size(self, sizes: list[tuple[int, str]], usual_px: int, key: str, label: str = "") -> int | None:
        """The longer side of a picture in pixels, chosen of what is on offer; None where the saving was given up.

        Args:
            sizes: in pixels, and their names, as `gif_form.sizes_of` has them.
            usual_px: the one that is offered first until another was chosen.
            key: where the multiple that was chosen last is remembered.
            label: which side is asked about; empty for that of the picture.
        """
        names = [name for _, name in sizes]
        remembered = str(self._settings.value(key, ""))
        usual = min(range(len(sizes)), key=lambda index: abs(sizes[index][0] - usual_px))
        first = names.index(remembered) if remembered in names else usual
        texts = [self.tr("{0} px · {1}").format(size, name) for size, name in sizes]
        title, label = (
            self.tr("Save picture"),
            label or self.tr("How large is the longer side of the picture in the file?"),
        )
        chosen, is_chosen = QInputDialog.getItem(self._parent, title, label, texts, first, False)
        if not is_chosen:
            return None
        size, name = sizes[texts.index(chosen)]
        self._settings.setValue(key, name)
        return size

    def ask_picture(self, name: str) -> Path | None:
        return self._ask(self.tr("Save picture"), name, FORMATS["png"])

    def ask_numbers(self, name: str) -> Path | None:
        rows = [row for row in table_formats() if row.id != "parquet" or has_parquet()]
        return self._ask(self.tr("Save numbers"), name, *rows)

    def ask_figures(self, name: str) -> Path | None:
        """A path for a JSON file; None where the saving was given up."""
        chosen, _ = QFileDialog.getSaveFileName(
            self._parent, self.tr("Save numbers"), str(self.folder() / name), self.tr("Figures (*.json)"),
            options=QFileDialog.Option.DontConfirmOverwrite,  # asked here, of the name with its ending
        )  # fmt: skip
        if not chosen:
            return None
        from sculptor_app.ui.saving.gif_form import may_replace

        target = Path(chosen)
        target = target if target.suffix.lower() == ".json" else target.with_name(f"{target.name}.json")
        return target if may_replace(target, self._parent) else None

    def ask_run(self, name: str) -> Path | None:
        return self._ask(self.tr("Save run"), name, FORMATS["sculpt"])

    def _ask(self, title: str, name: str, *rows: ExportFormat) -> Path | None:
        """A path with the right ending; None where none was chosen, or what is there under it is not to be replaced.

        Of several formats the ending says which, or else the filter that was chosen.
        """
        filters = [filter_text(row) for row in rows]
        chosen, filtered = QFileDialog.getSaveFileName(
            self._parent, title, str(self.folder() / name), ";;".join(filters),
            options=QFileDialog.Option.DontConfirmOverwrite,  # asked here, of the name with its ending
        )  # fmt: skip
        if not chosen:
            return None
        from sculptor_app.exports.files import ExportError
        from sculptor_app.ui.saving.gif_form import may_replace

        of_filter = rows[filters.index(filtered)] if filtered in filters else rows[0]
        row = next((each for each in rows if each.suffix == Path(chosen).suffix.lower()), of_filter)
        try:
            target = row.named(Path(chosen))
        except ExportError as error:
            self._messages.show_message(error.message, error.advice)
            return None
        return target if may_replace(target, self._parent) else None

    # What came of it ---------------------------------------------------------------------------------------------

    def show_copied(self) -> None:
        """Say that a picture is on the clipboard."""
        self._status.showMessage(self.tr("Picture copied"), 2000)

    @Slot(object, object)
    def _show_saved(self, path: Path, size_bytes: int) -> None:
        self._settings.setValue("files/folder", str(path.parent))
        self._messages.show_message(
            self.tr("Saved {0} ({1}).").format(path, byte_text(size_bytes)),
            is_fault=False, passes=True, action=self.tr("Show folder"), on_action=lambda: show_folder(path.parent),
        )  # fmt: skip

    @Slot()
    def _forget_dialog(self) -> None:
        if self.sender() is self._gif_dialog:
            self._gif_dialog = None

    def close(self) -> None:
        """Close the GIF dialog, and stop whatever is being written."""
        self._close_dialog()
        self.writer.shutdown()
        self._retired.finish()
        self._kept.close()

    def _close_dialog(self) -> None:
        if self._gif_dialog is not None:
            self._gif_dialog.close()
