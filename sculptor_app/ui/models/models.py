"""Which model is carved with: opening another one, the ones opened before, and what is said of one that is refused."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QFileDialog, QMenu

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.requests.request import RequestError
from sculptor_app.session.engine import ModelRefused, NotInCache, OpenedModel, is_begun, is_of_the_hub, is_offline
from sculptor_app.session.models import ModelOpening
from sculptor_app.session.runner import Prepared
from sculptor_app.ui.models.downloads import Downloads
from sculptor_app.ui.models.opening_progress import OpeningProgress

if TYPE_CHECKING:
    from sculptor_app.session.engine import Engine
    from sculptor_app.ui.shell.main_window import MainWindow

log = logging.getLogger(__name__)

MOST_RECENT = 8


class Models(QObject):
    """The deeds about models in the File menu.

    Args:
        window: Has the controls that a model fills, and the runner that opens it.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self.opening = ModelOpening(window.runner, self)
        self.opening.opened.connect(self._take)
        self.opening.failed.connect(self._fail)
        self.opening.cancelled.connect(self._say_stopped)
        self.progress = OpeningProgress(window, self.opening, window.opening_bar)
        self.downloads = Downloads(window, window.download_bar)
        self.downloads.open_requested.connect(self._open_now)
        self._wanted: str | None = None
        self._recent_menu: QMenu | None = None
        window.runner.prepared.connect(self._prepared)

    def fill(self, menu: QMenu) -> None:
        """Put the deeds into a menu."""
        self._add(menu, self.tr("&Open model…"), self.ask_folder, "Ctrl+O")
        self._add(menu, self.tr("Open &checkpoint file…"), self.ask_file)
        self._add(menu, self.tr("Model from the &hub…"), self.ask_name)
        self._recent_menu = menu.addMenu(self.tr("&Recent models"))
        self._recent_menu.aboutToShow.connect(self._fill_recent)
        self._recent_menu.setEnabled(bool(self.recent()))
        self._add(menu, self.tr("The &embedded model"), lambda: self.open(None))
        self._add(menu, self.tr("&Unload the model"), self.unload)

    @staticmethod
    def _add(menu: QMenu, text: str, deed: object, key: str = "") -> QAction:
        action = menu.addAction(text)
        if key:
            action.setShortcut(QKeySequence(key))
        action.triggered.connect(deed)
        return action

    # Asking ------------------------------------------------------------------------------------------------------

    @Slot()
    def ask_folder(self) -> None:
        """Ask for a model's folder and open it."""
        chosen = QFileDialog.getExistingDirectory(self._window, self.tr("Open a model's folder"), self._folder())
        if chosen:
            self.open(chosen)

    @Slot()
    def ask_file(self) -> None:
        """Ask for a checkpoint file and open it."""
        kinds = self.tr("Checkpoints (*.safetensors)")
        chosen, _ = QFileDialog.getOpenFileName(self._window, self.tr("Open a checkpoint"), self._folder(), kinds)
        if chosen:
            self.open(chosen)

    @Slot()
    def ask_name(self) -> None:
        """Ask for a repository's name; open it from the hub's cache, or have it fetched."""
        from sculptor_app.ui.models.hub_dialog import HubDialog

        dialog = HubDialog(self._window)
        dialog.named.connect(self.open)
        dialog.open()

    def _folder(self) -> str:
        return str(self._window.settings.value("models/folder", str(Path.home())))

    # Opening -----------------------------------------------------------------------------------------------------

    @Slot(str)
    def open(self, model: str | None) -> None:
        """Open a model: a folder, a checkpoint file, a name on the hub; None is the embedded one."""
        self._window.messages.clear()
        if model is not None and is_of_the_hub(model) and not is_begun(model):
            self.downloads.ask(model)
        else:
            self._open_now(model)

    @Slot(str)
    def _open_now(self, model: str | None) -> None:
        self._wanted = model
        self.progress.begin(self.tr("the embedded model") if model is None else model)
        self.opening.open(model, self._window.controls.device.currentData())

    @Slot()
    def unload(self) -> None:
        """Give the model's memory back; the next run loads it again."""
        self._window.runner.submit(_unloaded)
        self._window.statusBar().showMessage(self.tr("The model is unloaded; the next run loads it again."), 4000)

    @Slot(object)
    def _prepared(self, prepared: Prepared) -> None:
        """A model named at the start is loaded: now its own controls can be had."""
        model = self._window.controls.model
        if prepared.model and prepared.error is None and model is not None:
            self._open_now(model)
        elif isinstance(prepared.error, NotInCache):
            self._window.messages.clear()
            self.downloads.ask(prepared.error.name)

    @Slot()
    def _say_stopped(self) -> None:
        wanted = self.tr("the embedded model") if self._wanted is None else self._wanted
        next_run = "" if self._window.runner.is_running else self._next_run()  # else that is why
        self._window.messages.show_message(self.tr("Opening {0} was stopped.").format(wanted), next_run, is_fault=False)

    def _next_run(self) -> str:
        """What the next run will be made with where a model was not opened: the one before may be gone."""
        controls = self._window.controls
        embedded = self.tr("the embedded model")
        before = embedded if controls.model is None else controls.model_name.text() or controls.model
        if self.opening.is_loaded:
            return self.tr("The next run is made with {0}, as before.").format(before)
        return self.tr("Nothing is loaded now; the next run loads {0} again.").format(before)

    @Slot(object)
    def _take(self, opened: OpenedModel) -> None:
        self._window.controls.set_model(opened)
        if opened.model is None:
            return
        self._remember(opened.model)
        unsupported = "\n".join(f"{each.name}: {each.why}" for each in opened.unsupported)
        log.info("opened %s (%s); not on offer:\n%s", opened.model, opened.kind, unsupported)

    @Slot(object)
    def _fail(self, error: Exception) -> None:
        messages = self._window.messages
        if isinstance(error, ModelRefused):
            from sculptor_app.ui.models.refusal_dialog import RefusalDialog

            findings = error.findings
            show = lambda: RefusalDialog(self._wanted or "", findings, self._window).show()  # noqa: E731
            why = f"{findings[0].explanation} {self._next_run()}"
            messages.show_message(findings[0].message, why, action=self.tr("All reasons"), on_action=show)
            if self._wanted is not None and is_of_the_hub(self._wanted) and not is_offline():
                self.downloads.ask(self._wanted, quietly=True)  # it may be here in part only
        elif isinstance(error, RequestError):
            messages.show_message(str(error), self._next_run())
        elif isinstance(error, SculptorError):
            messages.show_message(error.message, f"{error.advice} {self._next_run()}")
        else:
            log.error("a model could not be opened", exc_info=error)
            what = self.tr("The model could not be opened, for a reason that nobody foresaw ({0}: {1}).")
            messages.show_message(what.format(type(error).__name__, error), self.tr("Help > Show log has the details."))

    # Remembering -------------------------------------------------------------------------------------------------

    def recent(self) -> list[str]:
        """The models opened last, the newest first."""
        kept = self._window.settings.value("models/recent", [])
        return [str(model) for model in (kept if isinstance(kept, list) else [kept]) if model]

    def _remember(self, model: str) -> None:
        models = [model, *(each for each in self.recent() if each != model)][:MOST_RECENT]
        self._window.settings.setValue("models/recent", models)
        if Path(model).exists():
            self._window.settings.setValue("models/folder", str(Path(model).parent))
        if self._recent_menu is not None:
            self._recent_menu.setEnabled(True)

    @Slot()
    def _fill_recent(self) -> None:
        self._recent_menu.clear()
        for model in self.recent():
            action = self._recent_menu.addAction(model.replace("&", "&&"))
            action.triggered.connect(lambda _=False, model=model: self.open(model))

    def close(self) -> None:
        """End what goes on, with the window."""
        self.progress.close()
        self.downloads.close()


def _unloaded(engine: Engine, stop: threading.Event) -> Iterator[None]:
    engine.unload()
    yield None
