"""The choice of a decoder for latents: the model's own or a small, quick one; remembered for each model."""

from __future__ import annotations

import json
from pathlib import Path

from PySide6.QtCore import QObject, QSettings, Signal, Slot
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from sculptor_app.core.files import is_file, is_folder

DECODER_FOLDERS = ("taesd", "taesdxl", "taesd3", "taef1", "vae_tiny")
"""Folders that are looked for inside a model's folder and beside it."""


def find_small_decoders(model_folder: Path) -> tuple[Path, ...]:
    """Folders of small decoders inside a model's folder or beside it, by name; what is in them is not looked at."""
    places = [folder / name for folder in (model_folder, model_folder.parent) for name in DECODER_FOLDERS]
    return tuple(place for place in places if is_file(place / "config.json"))


REMEMBERED, AT_ONCE = "latents/decoders", "latents/look_at_once"
MOST_REMEMBERED = 32


class DecoderChoice(QObject):
    """A menu of the decoders there are for the model that is open."""

    changed = Signal()  # another one is chosen

    def __init__(self, settings: QSettings, parent: QWidget) -> None:
        super().__init__(parent)
        self._settings, self._parent = settings, parent
        self._model: str | None = None
        self._folder: Path | None = None
        self.menu = QMenu(self.tr("Decode &with"), parent)
        self.menu.aboutToShow.connect(self.list_decoders)
        self.menu.setToolTipsVisible(True)
        self.menu.setEnabled(False)
        self._group = QActionGroup(self.menu)

    @property
    def folder(self) -> Path | None:
        """Of the small decoder that is chosen; None is the model's own."""
        return self._folder

    @property
    def decodes_at_once(self) -> bool:
        """Whether the last step of a run is decoded by the small decoder as soon as the run is over."""
        return str(self._settings.value(AT_ONCE, "on")) == "on"

    def add_menu(self, menu: QMenu) -> None:
        menu.addMenu(self.menu)

    def set_model(self, model: str | None) -> None:
        """Another model is open: offer what was chosen for it before."""
        self._model = model
        kept = self._remembered().get(model or "", "")
        self._set(Path(kept) if kept and is_folder(kept) else None)
        self.menu.setEnabled(model is not None)

    @Slot()
    def list_decoders(self) -> None:
        """Fill the menu with what lies there now."""
        self.menu.clear()
        self._group = QActionGroup(self.menu)
        folders = list(find_small_decoders(Path(self._model))) if self._model else []
        if self._folder is not None and self._folder not in folders:
            folders.append(self._folder)
        self._offer(self.tr("The model's &own decoder"), None)
        for folder in folders:
            self._offer(folder.name.replace("&", "&&"), folder)
        self.menu.addSeparator()
        self.menu.addAction(self.tr("&Choose a folder…")).triggered.connect(self.ask_folder)
        self.menu.addSeparator()
        at_once = self.menu.addAction(self.tr("&Quick look after each run"))
        at_once.setCheckable(True)
        at_once.setChecked(self.decodes_at_once)
        at_once.setEnabled(self._folder is not None)
        at_once.setToolTip(self.tr("The last step is decoded by the small decoder as soon as the run is over."))
        at_once.toggled.connect(self._set_at_once)

    def _offer(self, text: str, folder: Path | None) -> None:
        action = self.menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(folder == self._folder)
        action.setData(folder)
        action.setToolTip(str(folder or ""))
        action.triggered.connect(self._chosen)
        self._group.addAction(action)

    @Slot()
    def _chosen(self) -> None:
        action = self.sender()
        if isinstance(action, QAction):
            self.choose(action.data())

    @Slot()
    def ask_folder(self) -> None:
        """Ask for the folder of a small decoder."""
        start = str(Path(self._model).parent) if self._model else ""
        title = self.tr("Open a small decoder's folder")
        chosen = QFileDialog.getExistingDirectory(self._parent, title, start)
        if chosen:
            self.choose(Path(chosen))

    def choose(self, folder: Path | None) -> None:
        """Decode with a small decoder, or with the model's own; it is tried when something is decoded next."""
        kept = self._remembered()
        kept.pop(self._model or "", None)
        if folder is not None:
            kept[self._model or ""] = str(folder)
        self._settings.setValue(REMEMBERED, json.dumps(dict(list(kept.items())[-MOST_REMEMBERED:])))
        self._set(folder)

    def _set(self, folder: Path | None) -> None:
        if folder != self._folder:
            self._folder = folder
            self.changed.emit()

    @Slot(bool)
    def _set_at_once(self, wanted: bool) -> None:
        self._settings.setValue(AT_ONCE, "on" if wanted else "off")

    def _remembered(self) -> dict[str, str]:
        try:
            kept = json.loads(str(self._settings.value(REMEMBERED, "{}")))
        except (ValueError, RecursionError):  # edited by hand
            return {}
        return {str(model): str(folder) for model, folder in kept.items()} if isinstance(kept, dict) else {}
