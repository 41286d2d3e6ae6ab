"""Two runs on one scrubber: the run on screen, another one beside it, and their difference or a wipe between them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QRect, Slot
from PySide6.QtGui import QActionGroup, QColor, QImage, QPainter
from PySide6.QtWidgets import QMenu, QWidget

from sculptor_app.core.errors import TrajectoryFileError
from sculptor_app.core.texts import amount_text
from sculptor_app.core.trajectory.levels import LOCKS
from sculptor_app.session.session import Session, ShownRun
from sculptor_app.ui.carve.run_again_menu import RunAgainMenu
from sculptor_app.ui.playback import texts
from sculptor_app.ui.playback.presenter import FramePresenter, is_guess
from sculptor_app.ui.playback.stage import DIFFERENCE, WIPE, Stage
from sculptor_app.ui.theme import theme
from sculptor_app.ui.widgets.filmstrip import Filmstrip
from sculptor_app.ui.widgets.names import display
from sculptor_app.ui.widgets.picture_source import PictureSource, Shown, to_image
from sculptor_app.ui.widgets.timeline import Timeline
from sculptor_app.ui.widgets.transport import TransportBar

translate = QCoreApplication.translate  # a name that lupdate knows

if TYPE_CHECKING:  # numpy comes with these, and the window is to be on screen before
    from sculptor_app.core.trajectory.base import AnyTrajectory
    from sculptor_app.core.trajectory.comparison import SettingDifference
    from sculptor_app.core.trajectory.step import Frame


class ComparingPresenter(FramePresenter):
    """Shows one run in three frames, or two runs and what they differ in."""

    def __init__(
        self, session: Session, stage: Stage, timeline: Timeline, transport: TransportBar, film: Filmstrip
    ) -> None:
        super().__init__(session, stage, timeline, transport, film)
        self._others = PictureSource()  # of the compared run
        self._contrast = DIFFERENCE
        self._divider = 0.5
        self._differences: list[SettingDifference] = []
        session.compared_changed.connect(self._show_compared)
        session.runs_before_changed.connect(self._show_compared)
        stage.compared_requested.connect(self._compare_with)
        stage.contrast_requested.connect(self._set_contrast)
        stage.wiped.connect(self._wipe)
        stage.title.end_requested.connect(self.end)

    @Slot()
    def end(self) -> None:
        """Compare no more."""
        self._session.compare_with(None)

    @Slot(object)
    def _compare_with(self, number: int) -> None:
        run = next((run for run in self._session.runs_before if run.number == number), None)
        if run is not None:
            self._session.compare_with(run)

    @Slot(object)
    def _set_contrast(self, contrast: str) -> None:
        self._contrast = contrast
        self._stage.panels[2].set_kind(contrast)
        self.clock.request()

    @Slot(float)
    def _wipe(self, share: float) -> None:
        if self._contrast == WIPE and share != self._divider:
            self._divider = share
            self.clock.request()

    @Slot()
    def _show_compared(self) -> None:
        session, compared = self._session, self._session.compared
        trajectory = session.trajectory
        self._others.set_trajectory(None if compared is None else compared.trajectory)
        if compared is None or trajectory is None:
            self._stage.end_comparing()
            self._stage.title.set_comparing()
            self._differences = []
        else:
            from sculptor_app.core.trajectory.comparison import differing_settings

            self._differences = differing_settings(trajectory.info, compared.trajectory.info)
            runs = list(session.runs_before)
            if all(run.number != compared.number for run in runs):  # there is no more room for it among them
                runs.append(compared)
            self._stage.compare([_entry(run) for run in runs], compared.number, self._contrast)
            self._stage.title.set_comparing(lock_name(session.lock))
        self.clock.request()

    def show_trajectory(self, trajectory: AnyTrajectory) -> None:
        super().show_trajectory(trajectory)
        self._show_compared()

    def draw_frames(self, trajectory: AnyTrajectory, step: int) -> None:
        compared = self._session.compared
        if compared is None:
            super().draw_frames(trajectory, step)
            return
        other, state, kind = compared.trajectory, self._session.compared_state, self._stage.kinds[0]
        one, two = self.pictures.shown(step, kind), self._others.shown(state, kind)
        contrast, note = self._contrasted(trajectory, step, other, state, one, two)
        own = self._told([each.one for each in self._differences])
        others = self._told([each.other for each in self._differences])
        smooth = is_guess(kind)
        guesses = [smooth and step > 0, smooth and state > 0, smooth and self._contrast == WIPE]
        self._stage.show_pictures([one, two, contrast], [own, others, note], guesses)
        self._stage.set_remark(self._compared_text(step, trajectory, state, other))

    def _compared_text(self, step: int, trajectory: AnyTrajectory, state: int, other: AnyTrajectory) -> str:
        """In what the two runs differ, how many steps they share, and which steps are seen."""
        from sculptor_app.core.trajectory.comparison import shared_steps

        differing = [display(each.name) for each in self._differences]
        said = self.tr("All the same but: {0}").format(", ".join(differing))
        parts = [said if differing else self.tr("The same settings")]
        shared = shared_steps(trajectory.info, other.info)
        if shared:
            parts.append(self.tr("the same run up to step {0}").format(shared))
        where = self.tr("step {0} of {1}")
        own, others = where.format(step, trajectory.planned_steps), where.format(state, other.planned_steps)
        if own != others:
            parts.append(self.tr("{0} beside {1}").format(own, others))
        return " · ".join((*parts, texts.level_text(other.levels[state])))

    def _told(self, values: list[str]) -> str:
        """What tells a run from the other, in a few words."""
        from sculptor_app.core.trajectory.comparison import SettingDifference, told_apart

        named = [SettingDifference(display(each.name), each.one, each.other) for each in self._differences]
        return told_apart(named, [display(value) for value in values]) or self.tr("the same settings")

    def _contrasted(
        self, trajectory: AnyTrajectory, step: int, other: AnyTrajectory, state: int, one: Shown, two: Shown
    ) -> tuple[Shown, str]:
        """The third picture, and the word beside its title."""
        if self._contrast == WIPE:
            why = display(one.why_empty) or display(two.why_empty)
            return Shown(wiped(one.image, two.image, self._divider), why_empty=why), ""
        from sculptor_app.measures import pictures

        kind = self._stage.kinds[0]
        try:
            picture = pictures.difference_picture(trajectory, step, other, state, kind)
            numbers = pictures.difference(trajectory, step, other, state, kind)
        except TrajectoryFileError as error:
            return Shown(None, why_empty=error.message), ""
        note = "" if numbers is None else self.tr("rms {0}").format(amount_text(pictures.rms(numbers)))
        return Shown(to_image(picture), picture.limit, picture.note, picture.seen), note

    def numbers_behind(self, trajectory: AnyTrajectory, panel_index: int) -> Frame | None:
        compared = self._session.compared
        if compared is None or not panel_index:
            return super().numbers_behind(trajectory, panel_index)
        from sculptor_app.measures import pictures

        kind, state = self._stage.kinds[0], self._session.compared_state
        try:
            if panel_index == 1:
                return pictures.frame(compared.trajectory, state, kind)
            if self._contrast == WIPE:
                return None
            return pictures.difference(trajectory, self._session.state, compared.trajectory, state, kind)
        except TrajectoryFileError:  # which the frame says
            return None


def wiped(one: QImage | None, other: QImage | None, share: float) -> QImage | None:
    """The one picture up to a share of its width, and from there on the other; None where there are not both."""
    if one is None or other is None:
        return None
    image = one.copy()
    column = round(share * one.width())
    painter = QPainter(image)
    right = QRect(column, 0, one.width() - column, one.height())
    painter.drawImage(right, other.scaled(one.size()) if other.size() != one.size() else other, right)
    painter.fillRect(QRect(column, 0, 1, one.height()), QColor(theme().tokens.accent))
    painter.end()
    return image


def _entry(run: ShownRun) -> tuple[object, str, str]:
    return run.number, " · ".join(texts.run_title(run.trajectory, run.source)), ""


def lock_name(lock: str) -> str:
    """How the states of two runs go together, for people."""
    return translate("Comparing", "Same step") if lock == "step" else translate("Comparing", "Same SNR")


class CompareMenu(QMenu):
    """The runs that can be compared with the one on screen, and how their states go together."""

    def __init__(self, session: Session, new_run: RunAgainMenu, parent: QWidget) -> None:
        super().__init__(parent)
        self.setTitle(self.tr("&Compare with"))
        self._session, self._new_run = session, new_run
        self.locks = QMenu(self)
        self.locks.setTitle(self.tr("States of both"))
        self._group = QActionGroup(self.locks)
        for lock in LOCKS:
            action = self.locks.addAction(lock_name(lock))
            action.setData(lock)
            action.setCheckable(True)
            action.setChecked(lock == session.lock)
            action.triggered.connect(functools.partial(self._lock, lock))
            self._group.addAction(action)
        for changed in (session.runs_before_changed, session.compared_changed, session.trajectory_changed):
            changed.connect(self._judge)
        self.aboutToShow.connect(self._fill)
        self._judge()

    @Slot()
    def _judge(self) -> None:
        session = self._session
        has_runs = bool(session.runs_before) or session.compared is not None
        self.menuAction().setEnabled(has_runs or self._new_run.can_run)
        for action in self.locks.actions():
            action.setChecked(action.data() == session.lock)

    @Slot()
    def _fill(self) -> None:
        self.clear()
        session, compared = self._session, self._session.compared
        for run in sorted(session.runs_before, key=lambda run: run.number, reverse=True):
            action = self.addAction(_entry(run)[1].replace("&", "&&"))
            action.setCheckable(True)
            action.setChecked(compared is not None and run.trajectory is compared.trajectory)
            action.triggered.connect(functools.partial(self._compare, run))
        self.addMenu(self._new_run)
        self.addSeparator()
        self.addMenu(self.locks)
        end = self.addAction(self.tr("Stop comparing"))
        end.setEnabled(compared is not None)
        end.triggered.connect(functools.partial(self._compare, None))

    def _compare(self, run: ShownRun | None, _: bool = False) -> None:
        self._session.compare_with(run)

    def _lock(self, lock: str, _: bool = False) -> None:
        self._session.set_lock(lock)
