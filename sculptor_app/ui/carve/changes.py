"""Changes along the next run of the page Carve: where they are kept, and how lane, timeline and menu set them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QPoint, Signal, Slot
from PySide6.QtWidgets import QMenu, QWidget

from sculptor_app.core.requests.changes import (
    NO_CHANGES,
    Change,
    Place,
    RunChanges,
    Segment,
    base_request,
    changes_between,
)
from sculptor_app.core.requests.request import OptionValue, RequestError, RunRequest, differing_fields
from sculptor_app.core.trajectory.levels import BORDERS, UNKNOWN, NoiseLevel
from sculptor_app.session.runner import SamplingRunner
from sculptor_app.session.session import Session
from sculptor_app.ui.carve.change_dialog import ChangeDialog, changing_settings
from sculptor_app.ui.carve.controls import Controls
from sculptor_app.ui.widgets.bars import MessageBar
from sculptor_app.ui.widgets.changes_lane import BAND, ChangesLane, Flag, GuidanceBand
from sculptor_app.ui.widgets.names import few_letters, ratio_name
from sculptor_app.ui.widgets.timeline import Timeline

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.base import AnyTrajectory

Settings = dict[str, OptionValue]
PlaceOf = Callable[[int], Place]


class ChangesControl(QObject):
    """Keeper of what changes along the next run, by steps of the run that the fields describe.

    When that has other noise levels, each change goes to the step that starts from the same signal-to-noise ratio.

    Signals:
        edited: something else changes, or elsewhere.
    """

    edited = Signal()

    def __init__(
        self,
        session: Session,
        runner: SamplingRunner,
        controls: Controls,
        timeline: Timeline,
        lane: ChangesLane,
        messages: MessageBar,
    ) -> None:
        super().__init__(lane)
        self._session, self._controls, self._lane, self._messages = session, controls, lane, messages
        self._levels: tuple[NoiseLevel, ...] = ()  # as planned last
        self._planned_for: RunRequest | None = None
        self._places: dict[int, Settings] = {}
        self._band: tuple[int, int] | None = None
        # As a person set it, on which levels: a number of steps that is being typed passes others, and loses nothing.
        self._as_set: tuple[tuple[NoiseLevel, ...], dict[int, Settings], tuple[int, int] | None] = ((), {}, None)
        self.menu = ChangesMenu(self, lane)
        runner.planned.connect(self._take_plan)
        controls.edited.connect(self._take_fields)
        controls.rebuilt.connect(self._take_model)
        lane.band_requested.connect(self.set_band)
        lane.flag_requested.connect(self._move_flag)
        lane.removal_requested.connect(self._remove)
        lane.edit_requested.connect(self._edit)
        timeline.menu_requested.connect(self._show_menu)
        timeline.offer_menu()

    # What changes ----------------------------------------------------------------------------------------------------

    @property
    def steps(self) -> int:
        """N of the run that the fields describe, as it was planned last; 0 before."""
        return max(0, len(self._levels) - 1)

    @property
    def band(self) -> tuple[int, int] | None:
        """Guidance counts after the first of these steps and up to the second only; None where it always does."""
        return self._band

    @property
    def places(self) -> dict[int, Settings]:
        """Other values of settings by the steps after which they hold."""
        return {step: dict(settings) for step, settings in sorted(self._places.items())}

    @property
    def changes(self) -> RunChanges:
        """All of it by steps."""
        return self._told(lambda step: Place("step", step))

    def changes_for(self, request: RunRequest) -> RunChanges:
        """All of it for a run; by noise levels where that is not the one that was planned last."""
        planned = self._planned_for
        if planned is None or (planned.steps, planned.sampler) == (request.steps, request.sampler):
            return self.changes
        return self._told(self._place_by_level)

    def _place_by_level(self, step: int) -> Place:
        level = self._levels[step] if step < len(self._levels) else None
        is_finite = level is not None and level.is_known and 0 < level.snr < float("inf")
        return Place("snr", level.snr) if level is not None and is_finite else Place("step", step)

    def _told(self, place: PlaceOf) -> RunChanges:
        band = None if self._band is None else (place(self._band[0]), place(self._band[1]))
        changes = [
            Change(place(step), name, value)
            for step, settings in sorted(self._places.items())
            for name, value in settings.items()
        ]
        return RunChanges(tuple(changes), band)

    @property
    def has_guidance_changes(self) -> bool:
        """Whether guidance changes at a step, so that it cannot be between two places only."""
        return any("guidance" in settings for settings in self._places.values())

    @property
    def can_have_band(self) -> bool:
        """Whether the model has guidance, and no change sets it."""
        return "guidance" in self._on_offer and not self.has_guidance_changes and self.steps > 1

    @property
    def step_here(self) -> int:
        """The step on screen, or else the end of the first phase: where a change is set from a menu."""
        shown = self._session.state if self._session.trajectory is not None else 0
        if 1 <= shown < self.steps:
            return shown
        return min(max(1, self._step_of(BORDERS[0], 0.1)), max(1, self.steps - 1))

    @property
    def _on_offer(self) -> frozenset[str]:
        return frozenset(setting.name for setting in changing_settings(self._controls))

    def _step_of(self, snr: float, share: float) -> int:
        """After how many steps states have come to an SNR; where none is known, a share of all."""
        try:
            return Place("snr", snr).step_in(self._levels)
        except RequestError:
            return round(share * self.steps)

    # Setting it ------------------------------------------------------------------------------------------------------

    def set_settings(self, after: int, settings: Settings) -> None:
        """Have these settings, and no others, hold from after a step on; none of them for no change there."""
        if settings:
            self._places[after] = dict(settings)
        else:
            self._places.pop(after, None)
        self._note()

    @Slot(int, int)
    def set_band(self, first: int, last: int) -> None:
        """Have guidance count after one step and up to another only."""
        self._band = (first, last)
        self._note()

    @Slot(bool)
    def set_has_band(self, wanted: bool) -> None:
        """Have guidance count between two places only, at first within structure and refinement; or always."""
        self._band = None
        if wanted and self.can_have_band:
            first, last = self._step_of(BORDERS[0], 0.1), self._step_of(BORDERS[2], 0.6)
            first = min(first, self.steps - 1)
            self._band = first, min(max(last, first + 1), self.steps)
        self._note()

    @Slot()
    def clear(self) -> None:
        """Have nothing change along the run."""
        self._places, self._band = {}, None
        self._note()

    def use(self, segments: tuple[Segment, ...]) -> RunRequest:
        """Take over what changed along a run of these stretches; returns what it was asked for, as if nothing did."""
        told = changes_between(segments) or NO_CHANGES
        request = base_request(segments) if told else segments[-1].request
        self.use_changes(told, request)
        return request

    def use_changes(self, told: RunChanges, request: RunRequest) -> None:
        """Take over these changes in place of all that are there; their places are told by steps of a request's run."""
        self._band, self._places = None, {}
        for change in told.changes:
            self._places.setdefault(int(change.place.value), {})[change.name] = change.value
        if told.guidance_between is not None:
            first, last = told.guidance_between
            self._band = int(first.value), int(last.value)
        planned = self._planned_for
        if planned is None or (planned.steps, planned.sampler) != (request.steps, request.sampler):
            self._levels, self._planned_for = (UNKNOWN,) * (request.steps + 1), None  # else they would be moved
        self._note()
        self._take_model()

    def are_those_of(self, run: AnyTrajectory) -> bool:
        """Whether a run's changes are these."""
        try:
            mine = self.changes_for(run.info.request).segments(base_request(run.segments), run.levels)
        except RequestError:
            return False
        return len(mine) == len(run.segments) and all(map(_is_alike, mine, run.segments))

    @Slot(int, int)
    def _move_flag(self, after: int, step: int) -> None:
        settings = self._places.pop(after, {})
        self._places[step] = self._places.get(step, {}) | settings  # on another one: the one that was dragged counts
        self._note()

    @Slot(object)
    def _remove(self, part: object) -> None:
        if part == BAND:
            self.set_has_band(False)
        elif isinstance(part, int):
            self.set_settings(part, {})

    @Slot(object)
    def _edit(self, part: object) -> None:
        if part == BAND:
            self._controls.guidance.setFocus()  # which is what the band says
            self._controls.guidance.selectAll()
        elif isinstance(part, int):
            self.ask(part)

    def ask(self, after: int) -> None:
        """Ask a person what changes after a step."""
        dialog = ChangeDialog(self._controls, after, self.steps, self._places.get(after, {}), self._lane.window())
        dialog.set_levels(self._level_names())
        dialog.set_has_band(self._band is not None)
        dialog.decided.connect(self._take_decision)
        dialog.open()

    @Slot(int, int, object)
    def _take_decision(self, was_after: int, after: int, settings: Settings) -> None:
        self._places.pop(was_after, None)
        self._lane.choose(after)
        there = self._places.get(after, {}) if settings else {}
        self.set_settings(after, there | settings)

    @Slot(int, QPoint)
    def _show_menu(self, step: int, place: QPoint) -> None:
        if self.steps > 1:
            self.menu.show_for(min(max(step, 1), self.steps - 1), place)

    # Other runs and models -------------------------------------------------------------------------------------------

    @Slot()
    def _take_fields(self) -> None:
        """Count the steps of a run that may never be planned, as of another model; the band tells the guidance."""
        request, planned = self._controls.request(), self._planned_for
        is_waited_for = planned is not None and request is not None and planned.model == request.model
        if request is not None and not (is_waited_for and self._levels[0].is_known) and self.steps != request.steps:
            self._take_plan(request, (UNKNOWN,) * (request.steps + 1))
        else:
            self._show()

    @Slot(object, object)
    def _take_plan(self, request: RunRequest, levels: tuple[NoiseLevel, ...]) -> None:
        if request != self._controls.request():
            return
        self._levels, self._planned_for = tuple(levels), request
        before, was_at, band = self._as_set
        if len(before) == len(self._levels) and not self._are_known(before):  # now they are
            self._as_set = self._levels, was_at, band
        self._go_along()

    def _go_along(self) -> None:
        """Put all at the steps that start from the levels where it was set."""
        before, was_at, band = self._as_set

        def moved(step: int, low: int, high: int) -> int:
            level = before[step] if step < len(before) and before != self._levels else None
            if level is not None and level.is_known and self._are_known(self._levels):
                nearest = min(range(len(self._levels)), key=lambda k: abs(_log_snr(self._levels[k]) - _log_snr(level)))
                step = nearest
            return min(max(step, low), high)

        self._places, self._band = {}, None
        if self.steps < 2:  # nothing can change then
            was_at, band = {}, None
        for step, settings in was_at.items():
            at = moved(step, 1, self.steps - 1)
            self._places[at] = self._places.get(at, {}) | settings
        if band is not None:
            first = moved(band[0], 0, self.steps - 1)
            last = self.steps if band[1] >= len(before) - 1 else moved(band[1], first + 1, self.steps)
            self._band = first, last
        self._show()
        self.edited.emit()

    @Slot()
    def _take_model(self) -> None:
        """Another model has been opened: what it cannot take goes, and that is said."""
        offered = {setting.name: setting for setting in changing_settings(self._controls)}
        levels, was_at, band = self._as_set
        gone: list[str] = []
        left: dict[int, Settings] = {}
        for step, settings in was_at.items():
            kept = {name: value for name, value in settings.items() if name in offered and offered[name].takes(value)}
            gone += [self._words(name, value) for name, value in settings.items() if name not in kept]
            left |= {step: kept} if kept else {}
        if band is not None and "guidance" not in offered:
            band = None
            gone.append(self.tr("guidance between two places"))
        self._as_set = levels, left, band
        if gone:
            self._messages.show_message(
                self.tr("This model does not take what was to change along the run: {0}.").format(", ".join(gone)),
                self.tr("The next run goes without."), is_fault=False,
            )  # fmt: skip
        self._go_along()

    # Showing it ------------------------------------------------------------------------------------------------------

    def _note(self) -> None:
        """It was set by a person, or what was set has been taken away."""
        self._as_set = self._levels, self.places, self._band
        self._show()
        self.edited.emit()

    @Slot()
    def _show(self) -> None:
        band = None if self._band is None else GuidanceBand(*self._band, self._controls.guidance.text().strip())
        flags = [
            Flag(step, " · ".join(self._words(name, value) for name, value in settings.items()))
            for step, settings in sorted(self._places.items())
        ]
        self._lane.show_changes(self.steps, band, flags, self._level_names())

    def _level_names(self) -> list[str]:
        """Signal-to-noise ratios of the states as words; none where they are not known."""
        return [ratio_name(level.snr) for level in self._levels] if self._are_known(self._levels) else []

    @staticmethod
    def _are_known(levels: Sequence[NoiseLevel]) -> bool:
        return all(level.is_known for level in levels)

    def _words(self, name: str, value: OptionValue) -> str:
        """As "form: Vase", in the words of the fields; a long text is cut."""
        setting = next((each for each in changing_settings(self._controls) if each.name == name), None)
        title = name.replace("_", " ") if setting is None else setting.title
        shown = str(value) if setting is None else setting.shown(value)
        return f"{title[:1].lower()}{title[1:]}: {few_letters(shown)}"


def _is_alike(one: Segment, other: Segment) -> bool:
    return one.after == other.after and not differing_fields(one.request, other.request)


def _log_snr(level: NoiseLevel) -> float:
    return max(-40.0, min(40.0, level.log_snr))


class ChangesMenu(QMenu):
    """Submenu "Changes along the run": one at a step, guidance between two places, none."""

    def __init__(self, control: ChangesControl, parent: QWidget) -> None:
        super().__init__(parent)
        self.setTitle(self.tr("Changes a&long the next run"))
        self.setToolTipsVisible(True)
        self._control, self._step = control, 0
        self.change = self.addAction(self.tr("Change something…"), self._ask)
        self.between = self.addAction(self.tr("&Guidance between two noise levels only"))
        self.between.setCheckable(True)
        self.between.triggered.connect(control.set_has_band)
        self.addSeparator()
        self.none = self.addAction(self.tr("&No changes"), control.clear)
        self.aboutToShow.connect(self._fill)
        self.aboutToHide.connect(self._forget)

    def show_for(self, step: int, place: QPoint) -> None:
        """Show it at a place of the screen, about a step."""
        self._step = step
        self.popup(place)

    @Slot()
    def _fill(self) -> None:
        control = self._control
        step = self._step or control.step_here
        self.change.setText(self.tr("&Change something after step {0}…").format(step))
        self.change.setData(step)
        self.change.setEnabled(control.steps > 1)
        self.between.setChecked(control.band is not None)
        self.between.setEnabled(control.band is not None or control.can_have_band)
        why = self.tr("Guidance changes at a step already.") if control.has_guidance_changes else ""
        self.between.setToolTip(why or self.tr("Outside it is 1; drag the ends of the band over the timeline."))
        self.none.setEnabled(bool(control.changes))

    @Slot()
    def _forget(self) -> None:
        self._step = 0

    @Slot()
    def _ask(self) -> None:
        self._control.ask(int(self.change.data()))
