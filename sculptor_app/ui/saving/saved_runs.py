"""Runs kept as files, and opened again without their model."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QFileDialog, QWidget

from sculptor_app.core.errors import TrajectoryFileError
from sculptor_app.exports.files import ExportError
from sculptor_app.exports.formats import FORMATS, Export, settings_suffixes
from sculptor_app.session.session import Session
from sculptor_app.session.tasks import BackgroundTask, Progress
from sculptor_app.ui.playback.texts import title_parts
from sculptor_app.ui.saving.files import Files, suggested_name
from sculptor_app.ui.widgets.bars import MessageBar, WorkBar
from sculptor_app.ui.widgets.basics import FileDrop
from sculptor_app.ui.widgets.names import PICTURE_ENDINGS, run_filter

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.base import AnyTrajectory
    from sculptor_app.core.trajectory.file import SavedTrajectory
    from sculptor_app.core.trajectory.journal import JournalTrajectory


CHECKED_FIRST_BYTES = 64_000_000
"""Size of a file up to which all of it is read before it is shown: a moment."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A run that can be shown."""

    run: SavedTrajectory
    instead_of: SavedTrajectory | None = None  # the same that was shown, whose later frames are damaged
    damage: TrajectoryFileError | None = None  # why it is not all of the file


class SavedRuns(QObject):
    """The actions of the File menu that save a session's run and open one; call `shutdown` before its parent goes.

    Args:
        show: Puts a run on screen that was opened; it is given the name of its file, too.

    Signals:
        settings_found: What an exported file was made with, and its name.
        picture_found: The path of a picture that says nothing of a run, and that somebody wants to see drown.
    """

    settings_found = Signal(object, str)
    picture_found = Signal(object)

    def __init__(
        self,
        session: Session,
        files: Files,
        show: Callable[[AnyTrajectory, str], None],
        messages: MessageBar,
        bar: WorkBar,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._session, self._files, self._show = session, files, show
        self._messages, self._bar, self._parent = messages, bar, parent
        self._task = BackgroundTask("saved runs", self)
        self._task.produced.connect(self._take)
        self._task.finished.connect(bar.hide)
        self._task.cancelled.connect(self._show_stopped)
        self._task.failed.connect(self._fail)
        self._compares = False
        self._path = Path()  # of the file that is being opened
        self._leftovers: list[JournalTrajectory] = []
        self._opened_journals: list[JournalTrajectory] = []
        self._search = BackgroundTask("journals", self)
        self._search.produced.connect(self._offer)
        FileDrop(parent, FORMATS["sculpt"].suffix, *settings_suffixes()).dropped.connect(self.open)

    @property
    def is_busy(self) -> bool:
        """Whether a run is being opened."""
        return self._task.is_busy

    @Slot()
    def save(self) -> None:
        """Save the run on screen as far as it has come; of one that is seen decoded, its latents."""
        trajectory = self._session.trajectory
        if trajectory is None:
            return
        disclosure = self._files.disclosure
        path = self._files.ask_run(suggested_name(trajectory, FORMATS["sculpt"].suffix, disclosure=disclosure))
        if path is None:
            return

        def write(target: Path, progress: Callable[[int, int], None], stop: threading.Event) -> None:
            export = Export(trajectory, progress=progress, stop=stop, disclosure=disclosure)
            FORMATS["sculpt"].write(target, export)

        self._files.writer.write(path, write)

    @Slot()
    def ask(self) -> None:
        """Have a file chosen, and open it."""
        chosen, _ = QFileDialog.getOpenFileName(
            self._parent, self.tr("Open a run"), str(self._files.folder()), run_filter()
        )
        if chosen:
            self.open(Path(chosen))

    @Slot(object)
    def open(self, path: Path, compares: bool = False) -> None:
        """Open a saved run; of a damaged one what comes before the first damaged step.

        Every frame is read once, before it is shown or, where that would take long, while it is.

        Of an exported picture, film or page, the settings are read.

        Args:
            compares: Whether what is on screen stays there, and the opened run comes beside it.
        """
        self._compares = compares and self._session.trajectory is not None

        def job(stop: threading.Event) -> Iterator[object]:
            from sculptor_app.core.trajectory.file import open_run  # numpy comes with it

            run = open_run(path)
            is_shown = run.size_bytes > CHECKED_FIRST_BYTES
            if is_shown:
                yield _Opened(run)
            try:
                run.check_frames(stop, self._task.report_progress)
            except TrajectoryFileError as error:
                last = run.whole_steps()
                if last < 0:
                    run.close()
                    raise
                yield _Opened(run.cut(last), run if is_shown else None, error)
            except BaseException:
                if not is_shown:
                    run.close()
                raise
            else:
                if not is_shown:
                    yield _Opened(run)

        def settings_job(stop: threading.Event) -> Iterator[object]:
            from sculptor_app.exports.made_with import read_made_with  # numpy comes with it

            yield read_made_with(path)

        self._messages.clear()
        self._path = path
        text = self.tr("Opening {0}").format(path.name)
        self._bar.show_work(text, [(self.tr("Stop"), self.stop)])
        self._task.start(settings_job if path.suffix.lower() in settings_suffixes() else job)

    def offer_leftovers(self, folder: Path) -> None:
        """Look for journals of runs whose program died meanwhile, and offer to open them, the newest first."""

        def job(stop: threading.Event) -> Iterator[object]:
            from sculptor_app.core.trajectory.journal import leftovers, open_journal

            yield [open_journal(path) for path in leftovers(folder)]

        self._search.start(job)

    @Slot(object)
    def _offer(self, found: list[JournalTrajectory]) -> None:
        self._leftovers = found
        if not found:
            return
        run = found[0]
        what = " · ".join(title_parts(run.info)[:2])
        steps = self.tr("step {0} of {1}").format(run.last, run.planned_steps)
        self._messages.show_message(
            self.tr("A run was broken off when the program ended: {0}, {1}.").format(what, steps),
            self.tr("It is offered again at the next start, for two weeks."),
            action=self.tr("Open it"), on_action=self._open_leftover, is_fault=False,
        )  # fmt: skip

    def _open_leftover(self) -> None:
        run, *others = self._leftovers
        self._opened_journals.append(run)
        self._messages.clear()
        self._show(run, self.tr("a run that was broken off"))
        self._offer(others)

    @Slot()
    def stop(self) -> None:
        """Give up what is being opened."""
        self._bar.show_stopping(self.tr("Stopping…"))
        self._task.stop()

    def shutdown(self) -> None:
        """Give up, and wait for the threads; journals that were opened have done their work."""
        self._task.shutdown()
        self._search.shutdown()
        for run in self._leftovers:
            run.close()
        for run in self._opened_journals:
            run.close()
            with contextlib.suppress(OSError):
                run.path.unlink()

    @Slot(object)
    def _take(self, item: object) -> None:
        from sculptor_app.exports.made_with import MadeWith

        if isinstance(item, MadeWith):
            self.settings_found.emit(item, self._path.name)
        elif isinstance(item, Progress):
            self._bar.set_progress(item.done / item.total, self.tr("{0} of {1}").format(item.done, item.total))
        elif isinstance(item, _Opened):
            self._show_opened(item)

    def _show_opened(self, opened: _Opened) -> None:
        run, session = opened.run, self._session
        if opened.instead_of is None:
            self._show(run, run.path.name)
            before = session.run_before
            if self._compares and before is not None:
                session.show_again(before)
                session.compare_with(session.run_before)
        elif session.trajectory is opened.instead_of:
            step = min(session.state, run.last)
            self._show(run, run.path.name)
            session.go_to(step)
        if opened.instead_of is not None:
            session.forget(opened.instead_of)
        if opened.damage is not None:
            self._messages.show_message(
                opened.damage.message, self.tr("What comes before, up to step {0}, is shown.").format(run.last)
            )

    @Slot()
    def _show_stopped(self) -> None:
        self._bar.hide()
        if self._session.source == self._path.name:  # it is there, and was only to be read through
            return
        self._messages.show_message(self.tr("Stopped; no run was opened."), is_fault=False, passes=True)

    @Slot(object)
    def _fail(self, error: Exception) -> None:
        self._bar.hide()
        path = self._path
        if (
            isinstance(error, ExportError)
            and path.suffix.lower().removeprefix(".") in PICTURE_ENDINGS
            and path.exists()
        ):
            self._messages.show_message(
                error.message, action=self.tr("Open it in Drown"), on_action=lambda: self.picture_found.emit(path),
                is_fault=False,
            )  # fmt: skip
        else:
            self._messages.show_error(error, self.tr("The run could not be opened ({0}: {1})."))
