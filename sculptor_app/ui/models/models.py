"""Opening models: the actions of the File menu, the models opened before, and why one was refused."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSettings, QTimer, Slot
from PySide6.QtWidgets import QFileDialog, QMenu, QStatusBar, QWidget

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.files import expanded, is_folder, is_there
from sculptor_app.session.engine import (
    LoadingProgress,
    ModelRefused,
    NotInCache,
    OpenedModel,
    from_address,
    is_begun,
    is_of_the_hub,
    is_offline,
)
from sculptor_app.session.models import ModelOpening
from sculptor_app.session.runner import Prepared, RunState, SamplingRunner
from sculptor_app.ui.carve.controls import Controls
from sculptor_app.ui.models.downloads import Downloads
from sculptor_app.ui.models.texts import loading_text, pickles_text
from sculptor_app.ui.widgets.actions import Action, MenuEntry
from sculptor_app.ui.widgets.bars import MessageBar, WorkBar
from sculptor_app.ui.widgets.names import display

if TYPE_CHECKING:
    from sculptor_app.session.engine import Engine

UNASKED_MS = 500
"""A run's loading shows from then on: the embedded model takes less."""


class OpeningProgress(QObject):
    """Progress of loading a model, in a bar."""

    def __init__(
        self, runner: SamplingRunner, controls: Controls, opening: ModelOpening, bar: WorkBar, messages: MessageBar
    ) -> None:
        super().__init__(bar)
        self._runner, self._controls, self._messages = runner, controls, messages
        self._opening, self._bar = opening, bar
        self._name = self._text = ""
        self._is_stopping = False
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(UNASKED_MS)
        self._patience.timeout.connect(self._show_unasked)
        opening.loading.connect(self._show)
        opening.busy_changed.connect(self._follow)
        runner.loading.connect(self._note_loading)
        runner.state_changed.connect(self._settle)

    def begin(self, name: str) -> None:
        """A person has asked for a model."""
        self._name, self._is_stopping = name, False
        self._patience.stop()
        self._show_work(self.tr("Opening {0}…").format(name))

    def _show_work(self, text: str) -> None:
        self._bar.show_work(text, [(self.tr("Stop"), self.stop)])

    @Slot()
    def stop(self) -> None:
        """End it, as soon as that can be done."""
        self._is_stopping = True
        self._bar.show_stopping(self.tr("Opening {0}: stopping…").format(self._name))
        if self._opening.is_busy:
            self._opening.stop()
        else:
            self._runner.stop()
            message = self.tr("Opening {0} was stopped; the next run opens it again.").format(self._name)
            self._messages.show_message(message, is_fault=False)

    @Slot(object)
    def _show(self, progress: LoadingProgress) -> None:
        if not self._is_stopping:
            self._bar.set_text(self.tr("Opening {0}: {1}").format(self._name, loading_text(progress)))

    @Slot(bool)
    def _follow(self, busy: bool) -> None:
        if not busy:
            self._bar.hide()

    # A run that has to load its model first ------------------------------------------------------------------------

    @Slot(object)
    def _note_loading(self, progress: LoadingProgress) -> None:
        if self._opening.is_busy:
            return
        controls = self._controls
        self._name = controls.model_name.text() or controls.model or self.tr("the model")
        self._text = self.tr("Opening {0}: {1}").format(self._name, loading_text(progress))
        if not self._bar.isHidden() and not self._is_stopping:
            self._bar.set_text(self._text)
        elif not self._patience.isActive() and self._bar.isHidden():
            self._is_stopping = False
            self._patience.start()

    @Slot()
    def _show_unasked(self) -> None:
        if self._runner.state in (RunState.PREPARING, RunState.STARTING):
            self._show_work(self._text)

    @Slot(object)
    def _settle(self, state: RunState) -> None:
        if state in (RunState.IDLE, RunState.RUNNING):
            self._patience.stop()
            if not self._opening.is_busy:
                self._bar.hide()

    def close(self) -> None:
        """Show nothing any more."""
        self._patience.stop()


log = logging.getLogger(__name__)

MOST_RECENT = 8


class Models(QObject):
    """The actions about models in the File menu: opening one, the ones opened before, and unloading."""

    def __init__(
        self,
        runner: SamplingRunner,
        controls: Controls,
        messages: MessageBar,
        status: QStatusBar,
        bars: tuple[WorkBar, WorkBar],
        settings: QSettings,
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._runner, self._controls, self._messages, self._status = runner, controls, messages, status
        self._settings, self._parent = settings, parent
        opening_bar, download_bar = bars
        self.opening = ModelOpening(runner, self)
        self.opening.opened.connect(self._take)
        self.opening.failed.connect(self._fail)
        self.opening.cancelled.connect(self._show_stopped)
        self.progress = OpeningProgress(runner, controls, self.opening, opening_bar, messages)
        self.downloads = Downloads(runner, download_bar, messages)
        self.downloads.open_requested.connect(self._open_now)
        self._wanted: str | None = None
        self._recent_menu: QMenu | None = None
        runner.prepared.connect(self._prepared)

    def entries(self) -> list[MenuEntry]:
        return [
            Action("open_model", self.tr("&Open model…"), self.ask_folder, ("Ctrl+O",)),
            Action("open_checkpoint", self.tr("Open &checkpoint file…"), self.ask_file),
            Action("open_hub_model", self.tr("Model from the &hub…"), self.ask_name),
            self._add_recent_menu,
            Action(
                "open_embedded",
                self.tr("The &embedded model"),
                lambda _=True: self.open(None),
                is_checked=lambda: self._controls.model is None,
            ),
            Action("unload", self.tr("&Unload the model"), self.unload),
        ]

    def _add_recent_menu(self, menu: QMenu) -> None:
        recent = self._recent_menu = menu.addMenu(self.tr("&Recent models"))
        recent.aboutToShow.connect(self._fill_recent)
        recent.setEnabled(bool(self.recent()))

    # Asking ------------------------------------------------------------------------------------------------------

    @Slot()
    def ask_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self._parent, self.tr("Open a model's folder"), self._folder())
        if chosen:
            self.open(chosen)

    @Slot()
    def ask_file(self) -> None:
        kinds = self.tr("Checkpoints (*.safetensors *.ckpt *.pt *.pth *.bin)")
        chosen, _ = QFileDialog.getOpenFileName(self._parent, self.tr("Open a checkpoint"), self._folder(), kinds)
        if chosen:
            self.open(chosen)

    @Slot()
    def ask_name(self) -> None:
        """Ask for a repository's name; open it from the hub's cache, or have it fetched."""
        from sculptor_app.ui.models.dialogs import HubDialog

        dialog = HubDialog(self._parent)
        dialog.named.connect(self.open)
        dialog.open()

    def _folder(self) -> str:
        remembered = str(self._settings.value("models/folder", ""))
        return remembered if remembered and is_folder(remembered) else str(expanded("~"))

    # Opening -----------------------------------------------------------------------------------------------------

    @Slot(str)
    def open(self, model: str | None) -> None:
        """Open a model: a folder, a checkpoint file, a name that a person has the hub asked for; None is embedded."""
        self._messages.clear()
        if model is not None:
            try:
                model = from_address(model)
            except SculptorError as error:
                self._messages.show_message(error.message, error.advice)
                return
        if model is not None and is_of_the_hub(model) and not is_begun(model):
            self.downloads.ask(model)
        else:
            self._open_now(model)

    def _open_recent(self, model: str) -> None:
        """Open a model once more; the hub is not asked for one that is gone before a person agrees."""
        if is_of_the_hub(model) and not is_begun(model):
            self._messages.clear()
            self.downloads.suggest(model)
        else:
            self.open(model)

    @Slot(str)
    def _open_now(self, model: str | None, convert_pickles: bool = False) -> None:
        self._wanted = model
        self.progress.begin(self.tr("the embedded model") if model is None else model)
        self.opening.open(model, self._controls.device.currentData(), convert_pickles=convert_pickles)

    @Slot()
    def unload(self) -> None:
        """Give the model's memory back; the next run loads it again."""
        self._runner.submit(_unloaded, was_asked_for=False)
        self._status.showMessage(self.tr("The model is unloaded; the next run loads it again."), 4000)

    @Slot(object)
    def _prepared(self, prepared: Prepared) -> None:
        """A model named at the start is loaded: now its own controls can be had."""
        model = self._controls.model
        if prepared.model and prepared.error is None and model is not None:
            self._open_now(model)
        elif isinstance(prepared.error, NotInCache):
            self._messages.clear()
            self.downloads.suggest(prepared.error.name)

    @Slot()
    def _show_stopped(self) -> None:
        wanted = self.tr("the embedded model") if self._wanted is None else self._wanted
        next_run = "" if self._runner.is_running else self._next_run()  # else that is why
        self._messages.show_message(self.tr("Opening {0} was stopped.").format(wanted), next_run, is_fault=False)

    def _next_run(self) -> str:
        """What the next run will be made with where a model was not opened: the one before may be gone."""
        controls = self._controls
        embedded = self.tr("the embedded model")
        before = embedded if controls.model is None else controls.model_name.text() or controls.model
        if self.opening.is_loaded:
            return self.tr("The next run is made with {0}, as before.").format(before)
        return self.tr("Nothing is loaded now; the next run loads {0} again.").format(before)

    @Slot(object)
    def _take(self, opened: OpenedModel) -> None:
        self._controls.set_model(opened)
        if opened.model is None:
            return
        self._remember(opened.model)
        unsupported = "\n".join(f"{each.name}: {each.why}" for each in opened.unsupported)
        log.info("opened %s (%s); not on offer:\n%s", opened.model, opened.kind, unsupported)
        if opened.notes:
            notes = " ".join(map(display, opened.notes))
            self._messages.show_message(self.tr("{0} is open.").format(opened.name), notes)

    @Slot(object)
    def _fail(self, error: Exception) -> None:
        messages = self._messages
        if isinstance(error, ModelRefused) and all(each.pickled_bytes for each in error.refusals):
            wanted = self._wanted
            messages.show_message(
                *pickles_text(wanted or "", error.refusals),
                action=self.tr("Convert and open"),
                on_action=lambda: self._open_now(wanted, convert_pickles=True),
            )
        elif isinstance(error, ModelRefused):
            from sculptor_app.ui.models.dialogs import RefusalDialog

            findings = error.findings
            show = lambda: RefusalDialog(self._wanted or "", findings, self._parent).show()  # noqa: E731
            why = f"{display(error.first.explanation)} {self._next_run()}"
            messages.show_message(error.first.message, why, action=self.tr("All reasons"), on_action=show)
            if self._wanted is not None and is_of_the_hub(self._wanted) and not is_offline():
                self.downloads.suggest(self._wanted, is_refused=True)
        elif isinstance(error, SculptorError):
            messages.show_message(error.message, f"{display(error.advice)} {self._next_run()}".strip())
        else:
            unforeseen = self.tr("The model could not be opened, for a reason that nobody foresaw ({0}: {1}).")
            messages.show_error(error, unforeseen)

    # Remembering -------------------------------------------------------------------------------------------------

    def find(self, name: str) -> str | None:
        """Where the model of that name is: the one that is open, or one of the recent ones; None if it is neither."""
        known = [self._controls.model, *self.recent()]
        wanted = (name, name.rpartition("/")[2].rpartition("\\")[2])
        for model in filter(None, known):
            path = Path(model)
            if model in wanted or path.name in wanted or (path.suffix == ".safetensors" and path.stem in wanted):
                return model
        return name if is_there(name) and is_folder(name) else None

    def recent(self) -> list[str]:
        """The models opened last, the newest first."""
        kept = self._settings.value("models/recent", [])
        return [str(model) for model in (kept if isinstance(kept, list) else [kept]) if model]

    def _remember(self, model: str) -> None:
        models = [model, *(each for each in self.recent() if each != model)][:MOST_RECENT]
        self._settings.setValue("models/recent", models)
        if is_there(model):
            self._settings.setValue("models/folder", str(Path(model).parent))
        if self._recent_menu is not None:
            self._recent_menu.setEnabled(True)

    @Slot()
    def _fill_recent(self) -> None:
        menu = self._recent_menu
        assert menu is not None  # it is the one that opens
        menu.clear()
        for model in self.recent():
            action = menu.addAction(model.replace("&", "&&"))
            action.setCheckable(True)
            action.setChecked(model == self._controls.model)
            action.triggered.connect(lambda _=False, model=model: self._open_recent(model))

    def close(self) -> None:
        """End what goes on, with the window."""
        self.progress.close()
        self.downloads.close()


def _unloaded(engine: Engine, stop: threading.Event) -> Iterator[object]:
    engine.unload()
    yield None
