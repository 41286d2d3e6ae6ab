"""The menus that run what is on screen again with one setting changed: from its noise, or from the step shown on."""

from __future__ import annotations

import functools
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any, cast

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QComboBox, QMenu, QWidget

from sculptor_app.core.requests.request import MAX_SEED, MAX_STEPS, Parting, RunRequest
from sculptor_app.core.requests.samplers import SAMPLERS, begins_anywhere, draws_noise
from sculptor_app.core.texts import number_text, plural
from sculptor_app.core.trajectory.levels import steps_through
from sculptor_app.session.session import Session
from sculptor_app.ui.carve.controls import Controls
from sculptor_app.ui.carve.run_control import RunControl
from sculptor_app.ui.widgets.names import explained

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sculptor_app.core.trajectory.levels import NoiseLevel
    from sculptor_app.core.trajectory.trajectory import Trajectory

STEPS = (5, 10, 20, 50, 100, 200)
STEPS_OFFERED = 8
"""Other numbers of steps for a fork, those nearest to the run's."""
GUIDANCES = (1.0, 1.5, 2.0, 3.0, 5.0, 7.5)


class RunAgainMenu(QMenu):
    """Submenus of samplers, steps, guidance and labels; the run before stays a key away."""

    judged = Signal()  # whether there is a run that it is for has changed
    _could = False

    def __init__(self, session: Session, run_control: RunControl, controls: Controls, parent: QWidget) -> None:
        super().__init__(parent)
        self.setTitle(self.tr("Run &again with"))
        self.setToolTipsVisible(True)
        self._session, self._run_control, self._controls = session, run_control, controls
        session.trajectory_changed.connect(self._judge)
        controls.edited.connect(self._judge)  # another model, perhaps
        self.aboutToShow.connect(self._fill)
        self._judge()

    @property
    def can_run(self) -> bool:
        """Whether there is a run that it is for."""
        return self._request is not None

    @property
    def _request(self) -> RunRequest | None:
        """What the run on screen was asked for, where that alone makes it again with the model that is open."""
        trajectory = self._session.trajectory
        if trajectory is None:
            return None
        info = trajectory.info
        is_whole = info.is_of_a_model and info.has_seed and not info.origin and not info.forks
        return info.request if is_whole and info.request.model == self._controls.model else None

    @Slot()
    def _judge(self) -> None:
        can = self.can_run
        self.menuAction().setEnabled(can)
        self.menuAction().setToolTip(self.why_not)
        if can != self._could:  # it is judged at every step
            self._could = can
            self.judged.emit()

    @property
    def why_not(self) -> str:
        """Why nothing can be chosen of it, where there is more to say than that there is no run."""
        return ""

    @Slot()
    def _fill(self) -> None:
        self.clear()
        request, controls = self._request, self._controls
        if request is None:
            return
        self._add(self.tr("&Sampler"), "sampler", request, _entries(controls.sampler))
        steps = [(str(count), count) for count in STEPS if count <= MAX_STEPS]
        self._add(self.tr("S&teps"), "steps", request, steps)
        self._add_conditions(request)
        if request.seed < MAX_SEED:
            self.addSeparator()
            following = self.addAction(self.tr("The next seed, {0}").format(request.seed + 1))
            following.triggered.connect(functools.partial(self._run, {"seed": request.seed + 1}))

    def _add_conditions(self, request: RunRequest) -> None:
        """Submenus of guidance, and of the labels that the model knows."""
        controls = self._controls
        if request.guidance is not None:
            guidances = [(number_text(each), each) for each in GUIDANCES]
            self._add(self.tr("&Guidance"), "guidance", request, guidances)
        for title, name, box in (
            (self.tr("&Form"), "form", controls.form), (self.tr("&Material"), "material", controls.material),
        ):  # fmt: skip
            if box.isVisibleTo(controls):
                self._add(title, name, request, _entries(box))

    def _add(self, title: str, name: str, request: RunRequest, entries: list[tuple[str, Any]]) -> QMenu:
        """A submenu of the values of one setting, with a tick at the run's own."""
        menu = self.addMenu(title)
        menu.setToolTipsVisible(True)
        for text, value in entries:
            action = menu.addAction(text.replace("&", "&&"))
            is_own = value == getattr(request, name)
            action.setCheckable(is_own)
            action.setChecked(is_own)
            action.setEnabled(not is_own)
            action.triggered.connect(functools.partial(self._run, {name: value}))
        return menu

    def _run(self, change: dict[str, Any], _: bool = False) -> None:
        request = self._request
        if request is not None:
            self._controls.use(replace(request, **change))  # or they would not be those of the run on screen
            self._run_control.sample(replace(request, **change))


class CompareAgainMenu(RunAgainMenu):
    """The same submenus, of which the new run is compared with the one that was on screen."""

    def __init__(self, session: Session, run_control: RunControl, controls: Controls, parent: QWidget) -> None:
        super().__init__(session, run_control, controls, parent)
        self.setTitle(self.tr("A &new run with"))

    def _run(self, change: dict[str, Any], _: bool = False) -> None:
        request = self._request
        if request is not None:
            self._controls.use(replace(request, **change))
            run = self._run_control.sample(replace(request, **change))
            run.started.connect(self._compare)

    @Slot()
    def _compare(self) -> None:
        self._session.compare_with(self._session.run_before)


class ForkMenu(RunAgainMenu):
    """Submenus of what a fork of the run on screen may have another one of, from the step shown on."""

    schedules_wanted = Signal(object)  # what levels other samplers would take for this request is to be known

    def __init__(self, session: Session, run_control: RunControl, controls: Controls, parent: QWidget) -> None:
        super().__init__(session, run_control, controls, parent)
        self.setTitle(self.tr("&Fork here with"))
        self._scheduled: RunRequest | None = None  # whose schedules are known, or were asked for
        self._schedules: Mapping[str, Sequence[NoiseLevel]] = {}  # the levels of other samplers, by their names
        self._samplers: list[tuple[str, QAction]] = []  # each with its entry, while the menu is filled
        controls.edited.connect(self.judged)
        session.step_changed.connect(self._judge)
        session.length_changed.connect(self._judge)

    @property
    def forkable_run(self) -> Trajectory | None:
        """The run on screen, where it can be forked at the state shown with the model that is open."""
        return self._run_of if self.can_run else None

    @property
    def _run_of(self) -> Trajectory | None:
        """The run on screen, as it was recorded, where it can be forked at the state shown."""
        shown = self._session.trajectory
        run = None if shown is None else shown.undecoded
        if run is None or getattr(run, "snapshots", None) is None:
            return None
        # At the end there is nothing left to be made in another way.
        return cast("Trajectory", run) if 1 <= self._session.state < run.planned_steps else None

    @property
    def _request(self) -> RunRequest | None:
        run = self._run_of
        if run is None or run.info.request.model != self._controls.model:
            return None
        return run.info.request

    @property
    def why_not(self) -> str:
        shown = self._session.trajectory
        if shown is None or self.can_run:
            return ""
        if self._session.state >= shown.planned_steps:
            return self.tr("No steps are left here: go back to an earlier one first.")
        if self._session.state == 0:
            return self.tr("Nothing has been carved yet at step 0: go on to a later one first.")
        return self.tr("Nothing was kept of this run to go on from: run it again first.")

    @property
    def can_fork_with_fields(self) -> bool:
        """Whether the fields have something that a fork can have another one of."""
        change = self._typed_change if self.can_run else {}
        if self._is_refused(str(change.get("sampler", ""))):
            return False
        return bool(change) and not ("seed" in change and not self._draws_noise and self._session.state <= 1)

    @property
    def _draws_noise(self) -> bool:
        run = self._run_of
        return run is not None and draws_noise(run.info.sampler_settings)

    @Slot()
    def fork_with_fields(self) -> None:
        """Fork with what the fields say, as far as a fork can have it."""
        self._run(self._typed_change)

    @property
    def _typed_change(self) -> dict[str, Any]:
        """What the fields have another one of, of what a fork can have; nothing while one of them is wrong."""
        own, typed = self._request, self._controls.request()
        if own is None or typed is None:
            return {}
        return {name: getattr(typed, name) for name in FORKED if getattr(typed, name) != getattr(own, name)}

    @Slot()
    def _fill(self) -> None:
        self._samplers = []
        self.clear()
        request = self._request
        if request is None:
            return
        at = self._session.state
        self._fill_samplers(request)
        self._add_steps(request)
        self._add_conditions(request)
        if request.seed < MAX_SEED:
            self.addSeparator()
            other = self.addAction(self.tr("Other &noise, of seed {0}").format(request.seed + 1))
            if not self._draws_noise:
                other.setText(self.tr("Other &noise, of seed {0}, laid on at this step").format(request.seed + 1))
                other.setToolTip(
                    self.tr("This sampler draws none: the state goes back by one level of noise, and on from there.")
                )
                other.setEnabled(at > 1)
            other.triggered.connect(functools.partial(self._run, {"seed": request.seed + 1}))
            turn = self.addAction(self.tr("&U-turn: its picture, drowned to this step in noise of seed {0}").format(
                request.seed + 1))  # fmt: skip
            turn.setToolTip(explained("u-turn"))
            turn.setEnabled(self._can_turn_back)
            turn.triggered.connect(functools.partial(self._turn_back, request.seed + 1))

    def _add_steps(self, request: RunRequest) -> None:
        """A submenu of how many steps more, of another number of steps with a state as noisy as that on screen."""
        run, k = self._run_of, self._session.state
        if run is None or run.info.forks or run.info.first_step > 1 or run.planned_steps != request.steps:
            return
        ends_at_zero = run.is_complete and run.step(run.last).timestep == 0
        entries = []
        for count, state in steps_through(request.steps, k, MAX_STEPS, ends_at_zero):
            left = plural(count - state, self.tr("1 step"), self.tr("{0} steps")).format(count - state)
            entries.append((self.tr("{0}, as of {1}").format(left, count), count))
        if entries:
            self._add(
                self.tr("S&teps from here on"), "steps", request, sorted(entries[:STEPS_OFFERED], key=itemgetter(1))
            )

    def _fill_samplers(self, request: RunRequest) -> None:
        """All samplers; those that would be refused are found out meanwhile, where they are not known yet."""
        entries = _entries(self._controls.sampler)
        actions = self._add(self.tr("&Sampler"), "sampler", request, entries).actions()
        self._samplers = [(str(value), action) for (_, value), action in zip(entries, actions, strict=True)]
        if request != self._scheduled:
            self._scheduled, self._schedules = request, {}
            self.schedules_wanted.emit(request)
        self._refuse_samplers()

    @Slot(object, object)
    def set_schedules(self, request: RunRequest, schedules: Mapping[str, Sequence[NoiseLevel]]) -> None:
        """The noise levels that other samplers would take for a request, by their names."""
        if request != self._scheduled:
            return
        self._schedules = schedules
        if not schedules:  # another model is loaded: it is asked again
            self._scheduled = None
        self._refuse_samplers()
        self.judged.emit()

    def _refuse_samplers(self) -> None:
        tip = self.tr("It takes other noise levels than the run, and comes to none as at step {0}.")
        for sampler, action in self._samplers:
            if self._is_refused(sampler):
                action.setEnabled(False)
                action.setToolTip(tip.format(self._session.state))

    def _is_refused(self, sampler: str) -> bool:
        """Whether a sampler is known to come to no noise level as that of the state on screen."""
        run, request = self._run_of, self._request
        if run is None or request is None or request != self._scheduled or sampler not in SAMPLERS:
            return False
        levels = self._schedules.get(SAMPLERS[sampler].label)
        own = run.levels[self._session.state]
        return levels is not None and not any(one.is_near(own) for one in levels)

    @property
    def _can_turn_back(self) -> bool:
        """Whether the picture of the run can be drowned to the level of the step on screen, and sculpted from there."""
        run, k = self._run_of, self._session.state
        if run is None or not run.is_complete or not 0 < k < run.last or not run.levels[k].is_known:
            return False
        return begins_anywhere(run.info.sampler_settings)

    def _turn_back(self, seed: int, _: bool = False) -> None:
        run, request = self._run_of, self._request
        if run is not None and request is not None and self._can_turn_back:
            self._controls.use(replace(request, seed=seed))
            self._run_control.fork(run, self._session.state, replace(request, seed=seed), Parting.U_TURN)

    def _run(self, change: dict[str, Any], _: bool = False) -> None:
        run, request = self._run_of, self._request
        if run is None or request is None or not change:
            return
        is_noised_back = "seed" in change and not self._draws_noise
        k = self._session.state
        if not is_noised_back or k > 1:
            self._controls.use(replace(request, **change))
            parting = Parting.NOISED_BACK if is_noised_back else Parting.OWN_STATE
            self._run_control.fork(run, k, replace(request, **change), parting)


FORKED = ("form", "material", "guidance", "sampler", "seed", "options", "loras")
"""What the fields may give a fork another one of: not another number of steps, of which few go on from a state."""


def _entries(box: QComboBox) -> list[tuple[str, Any]]:
    return [(box.itemText(row), box.itemData(row)) for row in range(box.count())]
