"""A saved run made again in the window, and compared with the file state by state."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.texts import number_text, plural
from sculptor_app.session.runner import SampleRun
from sculptor_app.session.session import Session
from sculptor_app.session.tasks import BackgroundTask
from sculptor_app.ui.carve.controls import Controls
from sculptor_app.ui.carve.run_control import RunControl
from sculptor_app.ui.widgets.bars import MessageBar
from sculptor_app.ui.widgets.names import display

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.file import SavedTrajectory
    from sculptor_app.core.trajectory.trajectory import Trajectory


class Reproduction(QObject):
    """Makes the saved run on screen again; call `shutdown` before its parent goes."""

    def __init__(
        self, session: Session, run_control: RunControl, controls: Controls, messages: MessageBar, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._session, self._run_control, self._controls, self._messages = session, run_control, controls, messages
        self._saved: SavedTrajectory | None = None
        self._run: SampleRun | None = None
        self._stopped: weakref.ref[Trajectory] | None = (
            None  # what was made before Stop, till what is left is asked for
        )
        self._compared: weakref.ref[Trajectory] | None = None  # of which the verdict will be
        run_control.gone_on.connect(self._go_on)
        self._task = BackgroundTask("comparison", self)
        self._task.produced.connect(self._say)
        self._task.failed.connect(self._fail)

    @property
    def can_start(self) -> bool:
        """Whether the run on screen came out of a file, and none goes on."""
        return self._shown is not None and not self._run_control.is_busy

    @property
    def _shown(self) -> SavedTrajectory | None:
        trajectory = self._session.trajectory
        if trajectory is None:
            return None
        from sculptor_app.core.trajectory.file import SavedTrajectory  # numpy is here by now

        run = trajectory.undecoded
        return run if isinstance(run, SavedTrajectory) else None

    @Slot()
    def start(self) -> None:
        """Begin, with the model that is open unless it was the embedded one's run; or say why it cannot be done."""
        from sculptor_app.core.pictures.start import start_of
        from sculptor_app.core.trajectory.comparison import why_not_repeatable, with_copied, with_model

        saved = self._shown
        if saved is None:
            return
        model = self._controls.model
        try:
            reason, begun_with, info = why_not_repeatable(saved), start_of(saved), with_copied(saved)
        except SculptorError as error:  # the file is damaged there
            self._messages.show_error(error, self.tr("The run cannot be made again ({0}: {1})."))
            return
        if reason:
            self._messages.show_message(
                display(reason), self.tr("Only a run whose file has what it began with can be made again.")
            )
            return
        if info.request.loras:
            self._messages.show_message(self.tr("This run has LoRAs, whose files its file does not hold."))
            return
        if info.request.model is not None and model is None:
            self._messages.show_message(
                self.tr("This run is of the model {0}.").format(info.model_name),
                self.tr("Open that model, then make the run again."),
            )
            return
        self._saved = saved
        told = with_model(info, None if info.request.model is None else model, info.request.device)
        self._follow(self._run_control.make_again(told, begun_with))

    def _follow(self, run: SampleRun) -> None:
        self._run, self._stopped = run, None
        run.finished.connect(self._compare)
        run.cancelled.connect(self._wait_for_rest)

    @Slot()
    def _wait_for_rest(self) -> None:
        """Who has stopped it may go on with it, and is told then."""
        made = None if self._run is None else self._run.trajectory
        self._run, self._stopped = None, None if made is None else weakref.ref(made)

    @Slot(object, object)
    def _go_on(self, stopped: Trajectory, rest: SampleRun) -> None:
        if self._saved is not None and self._stopped is not None and self._stopped() is stopped:
            self._follow(rest)

    def shutdown(self) -> None:
        """Give up what is being compared, and wait for the thread."""
        self._task.shutdown()

    @Slot()
    def _compare(self) -> None:
        saved, run = self._saved, self._run
        self._saved = self._run = None
        made = None if run is None else run.trajectory
        if saved is None or made is None:
            return
        self._compared = weakref.ref(made)

        def job(stop: threading.Event) -> Iterator[object]:
            from sculptor_app.core.trajectory.comparison import Comparison, changed_since

            found = Comparison(0)
            while found.states <= min(saved.last, made.last) and not stop.is_set():
                found = found.with_state(saved, made)
            yield found, saved.is_compact, changed_since(saved.info, made.info)

        self._task.start(job)

    @Slot(object)
    def _say(self, item: object) -> None:
        from sculptor_app.core.trajectory.comparison import Comparison

        assert isinstance(item, tuple)
        found, is_compact, changes = item
        assert isinstance(found, Comparison)
        states = plural(found.states, self.tr("1 state"), self.tr("{0} states")).format(found.states)
        advice = self.tr("Not as it was then: {0}.").format("; ".join(changes)) if changes else ""
        if found.parted is None:
            same, verdict = self.tr("The same as the saved run, bit for bit: {0}."), self.tr("as saved, bit for bit")
            if is_compact:
                same = self.tr("The same as the saved run, as rounded as its file is: {0}.")
                verdict = self.tr("as saved, but for the file's rounding")
            self._judge(verdict, same.format(states), advice)
            return
        where = self.tr("the noise itself") if found.parted == 0 else self.tr("step {0}").format(found.parted)
        parted = self.tr("Parts from the saved run at {0}: largest difference {1} there, {2} in the end.")
        first, last = (number_text(float(f"{each:.2g}")) for each in (found.difference, found.last_difference))
        self._judge(self.tr("parts from the saved run at {0}").format(where), parted.format(where, first, last), advice)

    def _judge(self, verdict: str, message: str, advice: str) -> None:
        """Say what was found at length for a while, and in the run's title in short as long as it is there."""
        made = None if self._compared is None else self._compared()
        if made is not None:
            self._session.take_verdict(made, verdict)
        self._messages.show_message(message, advice, is_fault=False, passes=True)

    @Slot(object)
    def _fail(self, error: Exception) -> None:
        self._messages.show_error(error, self.tr("The runs could not be compared ({0}: {1})."))
