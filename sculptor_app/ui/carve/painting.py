"""Carving by hand: painting on the step on screen, and going on from there as a fork."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtWidgets import QWidget

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.requests.painting import MOST_POINTS, PaintedFrame, PaintStroke, StrokeKind
from sculptor_app.core.requests.request import MAX_SEED, Parting, Point
from sculptor_app.core.texts import plural
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.session.session import Session, ShownRun
from sculptor_app.ui.carve.controls import Controls
from sculptor_app.ui.carve.painting_bench import PaintingBench
from sculptor_app.ui.carve.run_again_menu import ForkMenu
from sculptor_app.ui.carve.run_control import RunControl
from sculptor_app.ui.playback.stage import Stage
from sculptor_app.ui.playback.texts import run_title
from sculptor_app.ui.widgets.bars import MessageBar
from sculptor_app.ui.widgets.frame_clock import FrameClock
from sculptor_app.ui.widgets.names import display
from sculptor_app.ui.widgets.picture_source import to_image

if TYPE_CHECKING:
    from sculptor_app.core.pictures.painting import Floats
    from sculptor_app.session.painting import PaintingDraft

MOST_SHIFT_PAINTED = 1.5
"""Standard deviations by which one stroke of full strength shifts the noise towards white, or any bright colour."""
FIRST_SEED = 1_000_003
"""What the noise of strokes is counted from, beyond the run's own seed."""
_APART = 0.15
"""A stroke takes a new point where the pointer has gone so many radii."""
_DIGITS = 4
"""Of a point: a ten-thousandth of the width is finer than anybody can aim."""


class HandCarving(QObject):
    """Covers the stage with a bench while a person paints, and keeps what was painted for the next time there."""

    changed = Signal()  # painting has begun or ended

    def __init__(
        self, session: Session, stage: Stage, fork: ForkMenu, run_control: RunControl, controls: Controls,
        messages: MessageBar, parent: QWidget,
    ) -> None:  # fmt: skip
        super().__init__(parent)
        self._session, self._stage, self._fork = session, stage, fork
        self._run_control, self._controls, self._messages = run_control, controls, messages
        self._drafts: list[PaintingDraft] = []  # that have strokes, or are being painted
        self._draft: PaintingDraft | None = None  # that is on the bench
        self._points: list[Point] = []
        self._squared: Floats | None = None  # distance of every pixel from the stroke that is being made
        self._source = 0  # of that stroke
        self._seeds = 0
        self.bench = PaintingBench(stage)
        self.clock = FrameClock(parent=self)
        self.clock.due.connect(self._draw)
        self._connect()

    def _connect(self) -> None:
        canvas, tools = self.bench.canvas, self.bench.tools
        canvas.begun.connect(self._begin_stroke)
        canvas.extended.connect(self._extend_stroke)
        canvas.ended.connect(self._end_stroke)
        canvas.picked.connect(self._pick_colour)
        tools.chosen.connect(self._show_brush)
        tools.frame_requested.connect(self._choose_frame)
        tools.undo_requested.connect(self._undo)
        tools.redo_requested.connect(self._redo)
        tools.clear_requested.connect(self._clear)
        tools.going_on_requested.connect(self.go_on)
        tools.cancel_requested.connect(self.leave)
        self.bench.escaped.connect(self._escape)
        session = self._session
        session.step_changed.connect(self.leave)
        session.trajectory_changed.connect(self.leave)
        session.runs_before_changed.connect(self._take_runs)
        self._run_control.begun.connect(self.leave)

    # Beginning and ending --------------------------------------------------------------------------------------------

    @property
    def is_on(self) -> bool:
        """Whether somebody paints."""
        return self._draft is not None

    @property
    def can_start(self) -> bool:
        """Whether the step on screen can be painted on, as far as can be said beforehand."""
        return self._fork.can_run and not self.is_on

    @property
    def draft(self) -> PaintingDraft | None:
        """What is being painted."""
        return self._draft

    @Slot()
    def start(self) -> None:
        """Paint on the step on screen, on what was painted there before; a message says why that cannot be."""
        run, k = self._fork.forkable_run, self._session.state
        if run is None or self.is_on:
            return
        from sculptor_app.session.painting import PaintingDraft  # numpy comes with it; there is a run by now

        self._session.go_to(self._session.position)  # a run that goes on does not move it any more
        draft = next((each for each in self._drafts if each.run is run and each.k == k), None)
        if draft is None:
            try:
                draft = PaintingDraft(run, k)
            except SculptorError as error:
                self._messages.show_error(error, self.tr("This step cannot be painted on ({0}: {1})."))
                return
            self._drafts.append(draft)
        self._draft = draft
        self._messages.clear()
        self._take_runs()
        self._stage.cover(self.bench)
        self.bench.canvas.zoom_to_fit()
        self.bench.canvas.setFocus()
        self._show()
        self.changed.emit()

    @Slot()
    def leave(self) -> None:
        """Show the run again; what was painted is kept, and a message says so."""
        draft = self._end()
        if draft is not None and draft.strokes:
            kept = self.tr("What you painted at step {0} is kept: Run > Carve by hand brings it back there.")
            self._messages.show_message(kept.format(draft.k), is_fault=False, passes=True)

    def _end(self) -> PaintingDraft | None:
        """Take the bench away; what was on it."""
        draft, self._draft = self._draft, None
        if draft is None:
            return None
        self.clock.stop()
        self.bench.canvas.drop_stroke()
        self._points, self._squared = [], None
        draft.forget_frames()
        if not draft.strokes:
            self._drafts.remove(draft)
        had_focus = self.bench.isAncestorOf(self.bench.window().focusWidget() or self.bench.window())
        self._stage.cover(None)
        if had_focus:
            self._stage.setFocus()
        self.changed.emit()
        return draft

    @Slot()
    def go_on(self) -> None:
        """A fork that goes on from what is painted."""
        draft = self._draft
        painting = None if draft is None else draft.painting
        if draft is None or painting is None:
            return
        self._end()
        request = draft.run.info.request
        self._controls.use(request)  # or they would not be those of the run on screen
        self._run_control.fork(draft.run, draft.k, request, Parting.PAINTED, painting)

    @Slot()
    def _escape(self) -> None:
        """Drop the stroke that is being made, or else leave."""
        if self._points:
            self.bench.canvas.drop_stroke()
            self._points, self._squared = [], None
            self._show()
        else:
            self.leave()

    # What is shown ---------------------------------------------------------------------------------------------------

    @Slot()
    def _take_runs(self) -> None:
        """Forget the drafts of runs that are gone, and offer the others to copy from."""
        runs = self._session.runs_before
        here = [run.trajectory for run in (*runs, self._session.run) if run is not None]
        self._drafts = [each for each in self._drafts if each is self._draft or any(each.run is run for run in here)]
        if self._draft is not None:
            self.bench.tools.set_runs([(" · ".join(run_title(run.trajectory)), run.number) for run in self._others])
            self._show_tools()

    @property
    def _others(self) -> list[ShownRun]:
        """Runs with frames of the painted one's size."""
        own = self._draft
        if own is None:
            return []
        return [
            run for run in self._session.runs_before
            if run.trajectory.shape == own.run.shape and run.trajectory.info.space == own.run.info.space
        ]  # fmt: skip

    def _show(self) -> None:
        """Show everything anew."""
        draft = self._draft
        if draft is None:
            return
        is_guess = draft.frame is PaintedFrame.GUESS
        title = self.tr("Current guess of step {0}") if is_guess else self.tr("Noisy state of step {0}")
        count = len(draft.strokes)
        note = plural(count, self.tr("1 stroke"), self.tr("{0} strokes")).format(count)
        self.bench.set_title(title.format(draft.k), note if count else self.tr("paint with the mouse"))
        _, height, width = draft.run.shape
        self.bench.set_aspect(width / height)
        self._show_tools()
        self._draw()

    def _show_tools(self) -> None:
        draft, tools = self._draft, self.bench.tools
        if draft is None:
            return
        why_fixed = self.tr("One fork is painted on one frame: take the strokes back to paint on the other.")
        is_alone = draft.ground.guess is None
        alone = self.tr("No exact guess is known at this step.")
        tools.set_frame(draft.frame, why_fixed if draft.strokes else alone if is_alone else "")
        is_guess = draft.frame is PaintedFrame.GUESS
        colour = StrokeKind.COLOUR if is_guess else StrokeKind.SHIFT
        of_state = self.tr("Noise belongs to the noisy state.")
        no_run = self.tr("There is no other run with frames of this size: make one first.")
        tools.set_brushes({
            "colour": display(draft.why_not(colour)),
            "noise": of_state if is_guess else display(draft.why_not(StrokeKind.NOISE)),
            "erase": "",
            "copy": "" if self._others else no_run,
        })  # fmt: skip
        tools.set_changes(bool(draft.strokes), draft.can_undo, draft.can_redo)

    @Slot()
    def _draw(self) -> None:
        """Show the frame with all that is painted on it, and the stroke that is being made."""
        draft = self._draft
        if draft is None:
            return
        from sculptor_app.core.pictures.painting import mask_of
        from sculptor_app.measures import pictures

        live = self._stroke(self._points[:1]) if self._points and self._squared is not None else None
        mask = mask_of(self._squared, live) if live is not None and self._squared is not None else None
        numbers = draft.values(live, mask).astype("float32")
        is_guess = draft.frame is PaintedFrame.GUESS
        if not is_guess:
            numbers = numbers / draft.ground.level.scale
        kind = FrameKind.CURRENT_GUESS if is_guess else FrameKind.NOISY_STATE
        info = draft.run.info
        self.bench.canvas.set_smooth(is_guess and self._stage.smooths)
        self.bench.canvas.set_picture(to_image(pictures.coloured(numbers, kind, info.space, info.latent_map)))

    @Slot()
    def _show_brush(self) -> None:
        self.bench.canvas.set_radius(self.bench.tools.brush.radius)

    # Strokes ---------------------------------------------------------------------------------------------------------

    def _stroke(self, points: list[Point]) -> PaintStroke:
        """A stroke of the chosen brush."""
        brush, draft = self.bench.tools.brush, self._draft
        assert draft is not None
        is_guess = draft.frame is PaintedFrame.GUESS
        kind = {
            "colour": StrokeKind.COLOUR if is_guess else StrokeKind.SHIFT, "noise": StrokeKind.NOISE,
            "erase": StrokeKind.ERASE, "copy": StrokeKind.COPY,
        }[brush.key]  # fmt: skip
        stroke = PaintStroke(StrokeKind.COLOUR, tuple(points), brush.radius, brush.strength, brush.colour)
        if kind is StrokeKind.COLOUR:
            return stroke
        red, green, blue = (round(MOST_SHIFT_PAINTED * value, 2) for value in stroke.rgb)
        seed = (draft.run.info.request.seed + FIRST_SEED + self._seeds) % MAX_SEED
        return PaintStroke(
            kind, tuple(points), brush.radius, brush.strength,
            shift=(red, green, blue) if kind is StrokeKind.SHIFT else (0.0, 0.0, 0.0),
            seed=seed if kind is StrokeKind.NOISE else 0, source=self._source if kind is StrokeKind.COPY else 0,
        )  # fmt: skip

    @Slot(object)
    def _begin_stroke(self, point: Point) -> None:
        draft = self._draft
        if draft is None:
            return
        import numpy as np

        from sculptor_app.core.pictures.painting import lower_distance

        if not self._take_source(draft):
            self.bench.canvas.drop_stroke()
            return
        point = _rounded(point)
        self._points, self._squared = [point], np.full(draft.run.shape[1:], np.inf)
        lower_distance(self._squared, point, point, self.bench.tools.brush.radius)
        self.clock.request()

    def _take_source(self, draft: PaintingDraft) -> bool:
        """Find what a stroke copies; False, and a message, where that cannot be."""
        brush = self.bench.tools.brush
        run = next((each for each in self._others if each.number == brush.run), None)
        if brush.key != "copy" or run is None:
            return brush.key != "copy"
        try:
            self._source = draft.source_of(run.trajectory)
        except SculptorError as error:
            self._messages.show_error(error, self.tr("That run cannot be copied from ({0}: {1})."))
            return False
        return True

    @Slot(object)
    def _extend_stroke(self, point: Point) -> None:
        if not self._points or self._squared is None or len(self._points) >= MOST_POINTS:
            return
        from sculptor_app.core.pictures.painting import lower_distance

        point, last, radius = _rounded(point), self._points[-1], self.bench.tools.brush.radius
        if (point[0] - last[0]) ** 2 + (point[1] - last[1]) ** 2 >= (_APART * radius) ** 2:
            self._points.append(point)
            lower_distance(self._squared, last, point, radius)
            self.clock.request()

    @Slot()
    def _end_stroke(self) -> None:
        points, self._points, self._squared = self._points, [], None
        draft = self._draft
        if draft is None or not points:
            return
        try:
            draft.add(self._stroke(points))
        except SculptorError as error:  # there are too many
            self._messages.show_error(error, self.tr("The stroke could not be made ({0}: {1})."))
        self._seeds += 1
        self._show()

    @Slot(int, int)
    def _pick_colour(self, column: int, row: int) -> None:
        image = self.bench.canvas.image
        if image is not None and column >= 0:
            self.bench.tools.set_colour(image.pixelColor(column, row).name())

    # What people ask for ---------------------------------------------------------------------------------------------

    @Slot(object)
    def _choose_frame(self, frame: PaintedFrame) -> None:
        if self._draft is not None:
            try:
                self._draft.choose(frame)
            except SculptorError as error:
                self._messages.show_error(error, self.tr("That frame cannot be painted on ({0}: {1})."))
            self._show()

    @Slot()
    def _undo(self) -> None:
        if self._draft is not None and not self._points:
            self._draft.undo()
            self._show()

    @Slot()
    def _redo(self) -> None:
        if self._draft is not None and not self._points:
            self._draft.redo()
            self._show()

    @Slot()
    def _clear(self) -> None:
        if self._draft is not None:
            self._draft.clear()
            self._show()


def _rounded(point: Point) -> Point:
    return round(point[0], _DIGITS), round(point[1], _DIGITS)
