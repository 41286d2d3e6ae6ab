"""A painting that is being made on a step of a run: its strokes, taken back and made again, and their frame."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sculptor_app.core.requests.painting import MOST_SOURCES, PaintedFrame, Painting, PaintStroke, StrokeKind
from sculptor_app.core.requests.request import RequestError
from sculptor_app.core.texts import translate
from sculptor_app.session import engine

if TYPE_CHECKING:
    from sculptor_app.core.pictures.painting import Floats
    from sculptor_app.core.trajectory.base import AnyTrajectory
    from sculptor_app.core.trajectory.step import Frame
    from sculptor_app.core.trajectory.trajectory import Trajectory

KEPT_BYTES = 96 * 2**20
"""Most bytes of frames that are kept, so that a stroke can be taken back without making all others again."""


@dataclass(frozen=True, slots=True)
class _Source:
    """What is copied from: a run, and the frame of it that belongs to the painted one."""

    run: weakref.ref[AnyTrajectory]
    frame: PaintedFrame
    copied: Frame


class PaintingDraft:
    """Strokes on one frame of a step, the last of them first to be taken back.

    Args:
        run: that is painted on.
        k: step of it.

    Raises:
        NotForkable, RequestError: No fork can go on from what would be painted there.
    """

    def __init__(self, run: Trajectory, k: int) -> None:
        self.run, self.k = run, k
        self.ground = engine.check_paintable(run, k)
        self.frame = PaintedFrame.STATE if self.ground.guess is None else PaintedFrame.GUESS
        self.strokes: tuple[PaintStroke, ...] = ()
        self._undone: tuple[tuple[PaintStroke, ...], ...] = ()  # what was there before it was taken back, last first
        self._before: tuple[tuple[PaintStroke, ...], ...] = ()  # what was there before each change, last first
        self._sources: list[_Source] = []
        self._made: dict[tuple[PaintStroke, ...], Floats] = {}
        self._noises: dict[int, Frame] = {}

    # What can be painted ---------------------------------------------------------------------------------------------

    def choose(self, frame: PaintedFrame) -> None:
        """Paint on the other frame; only while there are no strokes.

        Raises:
            RequestError: There are strokes, or the run has no such frame.
        """
        if frame is self.frame:
            return
        if self.strokes:
            raise RequestError(
                translate("errors", "Something is painted on the other frame; take it back first, or go on from it.")
            )
        self.ground.own(frame)
        self.frame, self._made = frame, {}
        self._undone = self._before = ()

    def why_not(self, kind: StrokeKind) -> str:
        """Why a kind of stroke cannot be made on this frame; empty where it can."""
        try:
            self.ground.check(self.frame, kind)
        except RequestError as error:
            return error.message
        return ""

    def source_of(self, run: AnyTrajectory) -> int:
        """The number under which strokes copy from another run.

        Raises:
            RequestError: It has no frame that goes with the painted one, or there are too many runs.
            TrajectoryFileError: It comes from a file that is damaged.
        """
        from sculptor_app.core.pictures.painting import frame_to_copy

        for number, each in enumerate(self._sources):
            if each.run() is run and each.frame is self.frame:
                return number
        copied = frame_to_copy(self.run, self.k, run, self.frame)
        if len(self._sources) == MOST_SOURCES:
            raise RequestError(
                translate("errors", "One painting copies from {0} other runs at most.").format(MOST_SOURCES)
            )
        self._sources.append(_Source(weakref.ref(run), self.frame, copied))
        return len(self._sources) - 1

    # Strokes ---------------------------------------------------------------------------------------------------------

    @property
    def painting(self) -> Painting | None:
        """What was painted, with what it copies; None where nothing was."""
        copied = tuple(each.copied for each in self._sources)
        return Painting(self.frame, self.strokes, copied[: self._used]) if self.strokes else None

    @property
    def _used(self) -> int:
        return max((each.source + 1 for each in self.strokes if each.kind is StrokeKind.COPY), default=0)

    @property
    def can_undo(self) -> bool:
        """Whether there is something to take back."""
        return bool(self._before)

    @property
    def can_redo(self) -> bool:
        """Whether something was taken back."""
        return bool(self._undone)

    def add(self, stroke: PaintStroke) -> None:
        """Make a stroke; what was taken back is then gone. `RequestError` if there are too many."""
        strokes = (*self.strokes, stroke)
        Painting(self.frame, strokes)
        self._change(strokes)

    def clear(self) -> None:
        """Take all strokes back at once; they come back at once, too."""
        if self.strokes:
            self._change(())

    def _change(self, strokes: tuple[PaintStroke, ...]) -> None:
        self._before, self._undone = (self.strokes, *self._before), ()
        self.strokes = strokes

    def undo(self) -> None:
        """Take the last change back."""
        if self._before:
            self._undone = (self.strokes, *self._undone)
            self.strokes, self._before = self._before[0], self._before[1:]

    def redo(self) -> None:
        """Make the change again that was taken back last."""
        if self._undone:
            self._before = (self.strokes, *self._before)
            self.strokes, self._undone = self._undone[0], self._undone[1:]

    # What they make --------------------------------------------------------------------------------------------------

    def values(self, live: PaintStroke | None = None, mask: Floats | None = None) -> Floats:
        """The frame with all strokes on it, (C, H, W) float64.

        Args:
            live: one more, which is being made.
            mask: its own, if it is there already.
        """
        made = self._values_of(self.strokes)
        return made if live is None else self._with(made, live, mask)

    def _values_of(self, strokes: tuple[PaintStroke, ...]) -> Floats:
        known = len(strokes)
        while known and strokes[:known] not in self._made:
            known -= 1
        values = self._made[strokes[:known]] if known else self.ground.own(self.frame).astype("float64")
        for number in range(known, len(strokes)):
            values = self._with(values, strokes[number])
            self._keep(strokes[: number + 1], values)
        return values

    def _with(self, values: Floats, stroke: PaintStroke, mask: Floats | None = None) -> Floats:
        from sculptor_app.core.pictures.painting import with_stroke

        copied = self._sources[stroke.source].copied if stroke.kind is StrokeKind.COPY else None
        return with_stroke(values, self.ground, self.frame, stroke, copied, self._noise_of, mask)

    def _keep(self, strokes: tuple[PaintStroke, ...], values: Floats) -> None:
        self._made[strokes] = values
        while len(self._made) > 2 and len(self._made) * values.nbytes > KEPT_BYTES:
            self._made.pop(next(iter(self._made)))

    def _noise_of(self, seed: int) -> Frame:
        if seed not in self._noises:  # one at a time: a brush that moves asks for it again and again
            self._noises = {seed: engine.white_noise(seed, self.run.shape)}
        return self._noises[seed]

    def forget_frames(self) -> None:
        """Keep the strokes alone: what they make is made again when it is asked for."""
        self._made, self._noises = {}, {}
