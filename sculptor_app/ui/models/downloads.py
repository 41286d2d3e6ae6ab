"""Downloads of models from the hub: asked for, offered with their size, fetched, opened."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from sculptor_app.session.engine import DownloadFailed, is_partial
from sculptor_app.session.models import ModelDownload
from sculptor_app.session.runner import SamplingRunner
from sculptor_app.ui.models.texts import TransferClock, offer_text, transfer_text
from sculptor_app.ui.widgets.bars import MessageBar, WorkBar

if TYPE_CHECKING:
    from sculptor_app.session.engine import Offer


class Downloads(QObject):
    """One download at a time, in a bar of its own: carving goes on meanwhile."""

    open_requested = Signal(str)  # A model that is here now, or was, is to be opened

    def __init__(self, runner: SamplingRunner, bar: WorkBar, messages: MessageBar) -> None:
        super().__init__(bar)
        self._runner, self._bar, self._messages = runner, bar, messages
        self._name, self._is_refused, self._is_wanted = "", False, False
        self._offer: Offer | None = None
        self._done, self._clock = 0, TransferClock(0)
        self.download = ModelDownload(self)
        self.download.offered.connect(self._show_offer)
        self.download.progressed.connect(self._show_progress)
        self.download.fetched.connect(self._end)
        self.download.stopped.connect(self._show_stopped)
        self.download.failed.connect(self._fail)

    @property
    def is_fetching(self) -> bool:
        return self.download.is_busy and self._offer is not None

    def suggest(self, name: str, *, is_refused: bool = False) -> None:
        """Offer to ask the hub for a model, which hears of it only when a person agrees.

        Args:
            is_refused: Whether what is here of it was refused, as it is where only a part has come.
        """
        if self.download.is_busy:
            return
        may_be_part = is_refused or is_partial(name)
        here = self.tr("{0} may be here in part only.") if may_be_part else self.tr("{0} is not on this computer.")
        asks = [(self.tr("Ask the hub"), lambda: self.ask(name, is_refused)), (self.tr("Cancel"), self.put_aside)]
        self._bar.show_work(here.format(name), asks, is_busy=False)

    def ask(self, name: str, is_refused: bool = False) -> None:
        """Ask the hub for a model, unless one is being fetched; a person has agreed to it."""
        if self.is_fetching:
            text = self.tr("{0} is being downloaded; one model is fetched at a time.").format(self._name)
            self._messages.show_message(text, self.tr("Wait until it is here, or stop it."), is_fault=False)
            return
        self._is_wanted = False
        self._ask(name, is_refused)

    def _ask(self, name: str, is_refused: bool = False) -> None:
        self._name, self._is_refused, self._offer = name, is_refused, None
        text = self.tr("Asking the hub how large {0} is…").format(name)
        self._bar.show_work(text, [(self.tr("Stop"), self.put_aside)])
        self.download.ask(name)

    @Slot()
    def put_aside(self) -> None:
        """No download after all."""
        self.download.stop()
        self._bar.hide()

    @Slot(object)
    def _show_offer(self, offer: Offer | None) -> None:
        self._bar.hide()
        if offer is None:
            if self._is_refused:  # opening it once more would end as before
                text = self.tr("All of {0} is here; the hub has nothing to add.").format(self._name)
                self._messages.show_message(text, is_fault=False)
            else:
                self.open_requested.emit(self._name)
            return
        self._offer = offer
        if offer.missing_bytes > offer.free_bytes:
            what_to_do = self.tr("Free some space, or set HF_HOME to a folder on another disk.")
            self._messages.show_message(
                offer_text(offer), what_to_do, action=self.tr("Ask again"), on_action=self._again
            )
        elif self._is_wanted:  # it was agreed to before, and broken off
            self.fetch()
        else:
            self._put_to_choice(offer)

    def _put_to_choice(self, offer: Offer) -> None:
        buttons = [(self.tr("Download"), self.fetch), (self.tr("Cancel"), self.put_aside)]
        self._bar.show_work(offer_text(offer), buttons, is_busy=False)
        self._bar.buttons[0].setFocus()

    @Slot()
    def _again(self) -> None:
        self._ask(self._name)

    @Slot()
    def fetch(self) -> None:
        """Fetch what was offered."""
        self._is_wanted = True
        self._messages.clear()
        offer = self._offer
        assert offer is not None  # it is what was agreed to
        self._done = offer.total_bytes - offer.missing_bytes
        self._clock = TransferClock(self._done)
        self._bar.show_work(self.tr("Downloading {0}").format(self._name), [(self.tr("Stop"), self.stop)])
        self._show_progress(self._done, offer.total_bytes)
        self.download.fetch(offer)

    @Slot()
    def stop(self) -> None:
        """Break it off; what has come stays."""
        self._bar.show_stopping(self.tr("Downloading {0}: stopping…").format(self._name))
        self.download.stop()

    @Slot(object, object)
    def _show_progress(self, done: int, total: int) -> None:
        self._done = done
        self._clock.add(time.monotonic(), done)
        self._bar.set_progress(done / max(1, total), transfer_text(done, total, self._clock.rate))

    # How it ends ------------------------------------------------------------------------------------------------

    @Slot(str)
    def _end(self, name: str) -> None:
        self._bar.hide()
        if self._runner.is_running:  # which opening would stop
            text, opens = self.tr("{0} is here now.").format(name), self.tr("Open it")
            self._messages.show_message(
                text, is_fault=False, action=opens, on_action=lambda: self.open_requested.emit(name)
            )
        else:
            self.open_requested.emit(name)

    @Slot()
    def _show_stopped(self) -> None:
        self._bar.hide()
        text = self.tr("The download of {0} was stopped; {1} are here and stay.")
        assert self._offer is not None  # it is what was being fetched
        there = transfer_text(self._done, self._offer.total_bytes, None)
        self._messages.show_message(
            text.format(self._name, there), is_fault=False, action=self.tr("Go on"), on_action=self._again
        )

    @Slot(object)
    def _fail(self, error: Exception) -> None:
        self._bar.hide()
        again = self.tr("Try again") if isinstance(error, DownloadFailed) and error.may_pass else ""
        unforeseen = self.tr("The model could not be fetched, for a reason that nobody foresaw ({0}: {1}).")
        self._messages.show_error(error, unforeseen, action=again, on_action=self._again)

    def close(self) -> None:
        """End the download with the window; what has come stays."""
        self.download.shutdown()
