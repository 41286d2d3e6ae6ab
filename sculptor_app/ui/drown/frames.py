"""Frames of the forward process: what stands in them, and what is said of each, at every layer of noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from sculptor_app.core.trajectory.levels import phase_of
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.ui.playback.presenter import FramePresenter
from sculptor_app.ui.playback.stage import Stage
from sculptor_app.ui.playback.texts import level_text
from sculptor_app.ui.widgets.names import phase_name

if TYPE_CHECKING:
    from sculptor_app.core.trajectory.base import AnyTrajectory

translate = QCoreApplication.translate  # a name that lupdate knows


class ForwardStage(Stage):
    """Three frames at the same level: the noisy state, the clean picture, the noise."""

    first_kinds = (FrameKind.NOISY_STATE, FrameKind.CURRENT_GUESS, FrameKind.PREDICTED_NOISE)

    def empty_text(self) -> str:
        return self.tr("The picture is on its way…")

    def known_kinds(self) -> list[FrameKind]:
        return [*self.first_kinds, FrameKind.STATE_CHIPS]

    def kind_name(self, kind: FrameKind) -> str:
        return {
            FrameKind.NOISY_STATE: self.tr("Drowning picture"),
            FrameKind.CURRENT_GUESS: self.tr("Picture"),
            FrameKind.PREDICTED_NOISE: self.tr("Noise"),
            FrameKind.STATE_CHIPS: self.tr("Last layer"),
        }.get(kind, super().kind_name(kind))

    def kind_meaning(self, kind: FrameKind) -> str:
        return {
            FrameKind.NOISY_STATE: self.tr("The picture under all the noise that has been laid on it so far."),
            FrameKind.CURRENT_GUESS: self.tr("The picture itself, without noise."),
            FrameKind.PREDICTED_NOISE: self.tr("The noise that is laid on, alone."),
            FrameKind.STATE_CHIPS: self.tr("What the last layer changed, on a colour scale centred on zero."),
        }.get(kind, super().kind_meaning(kind))


class ForwardPresenter(FramePresenter):
    """Presenter of a forward process: the picture at the left end of the scrubber, pure noise at the right."""

    first_film_kind = FrameKind.NOISY_STATE

    def shown_step(self, kind: FrameKind, step: int) -> int:
        """Picture and noise are shown at state 0, too, although no step leads to it."""
        return max(1, step) if kind in (FrameKind.CURRENT_GUESS, FrameKind.PREDICTED_NOISE) else step

    def note(self, trajectory: AnyTrajectory, kind: FrameKind, step: int, limit: float | None) -> str:
        if kind is FrameKind.NOISY_STATE:
            return super().note(trajectory, kind, step, limit)
        return {
            FrameKind.CURRENT_GUESS: self.tr("original"),
            FrameKind.PREDICTED_NOISE: self.tr("pure noise"),
            FrameKind.STATE_CHIPS: self.tr("laid on last"),
        }[kind]

    def remark(self, trajectory: AnyTrajectory, step: int) -> str:
        level = trajectory.levels[step]
        share = level.signal**2 / level.scale**2
        if level.noise == 0:
            return self.tr("The picture, with no noise on it yet: press Play, or drag to the right, and it drowns.")
        picture, noise = _percents(share)
        remark = self.tr("{0} picture, {1} noise: the mixture that a model meets at this level.")
        return remark.format(picture[:1].upper() + picture[1:], noise)

    def caption(self, trajectory: AnyTrajectory, step: int) -> str:
        level = trajectory.levels[step]
        phase = phase_of(level)
        name = phase_name(phase.key) if phase else ""
        if step in (0, trajectory.planned_steps):
            name = self.tr("The picture") if step else self.tr("Pure noise")
        return " · ".join((name, level_text(level)))


def _percents(share: float) -> tuple[str, str]:
    """A share and the rest of it as percentages that add up: "99.7 %", "0.3 %"; "less than 0.1 %"."""
    percent = 100 * share
    least, most = translate("Drown", "less than 0.1 %"), translate("Drown", "more than 99.9 %")
    if percent < 0.1:
        return least, most
    if percent > 99.9:
        return most, least
    digits = 0 if 1 <= percent <= 99 else 1
    return f"{percent:.{digits}f} %", f"{100 - percent:.{digits}f} %"
