"""The frames of a drowning picture, and the words for them."""

from __future__ import annotations

from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.ui.carve.stage import Stage
from sculptor_app.ui.shell import status_text
from sculptor_app.ui.shell.presenter import Presenter


class DrowningStage(Stage):
    """Three frames of the same level: the drowning picture, the picture itself, the static."""

    first_kinds = (FrameKind.NOISY_STATE, FrameKind.CURRENT_GUESS, FrameKind.PREDICTED_NOISE)

    def known_kinds(self) -> list[FrameKind]:
        return [*self.first_kinds, FrameKind.STATE_CHIPS]

    def kind_name(self, kind: FrameKind) -> str:
        return {
            FrameKind.NOISY_STATE: self.tr("Drowning picture"),
            FrameKind.CURRENT_GUESS: self.tr("Picture"),
            FrameKind.PREDICTED_NOISE: self.tr("Static"),
            FrameKind.STATE_CHIPS: self.tr("Last layer"),
        }.get(kind, super().kind_name(kind))


class DrowningPresenter(Presenter):
    """Shows a forward process: the scrubber's right end is the picture, its left end pure noise."""

    first_film_kind = FrameKind.NOISY_STATE

    def shown_step(self, kind: FrameKind, step: int) -> int:
        """Picture and static are there at pure noise, too, although no step leads to it."""
        return max(1, step) if kind in (FrameKind.CURRENT_GUESS, FrameKind.PREDICTED_NOISE) else step

    def note(self, kind: FrameKind, step: int, limit: float | None) -> str:
        if kind is FrameKind.NOISY_STATE:
            return super().note(kind, step, limit)
        return {
            FrameKind.CURRENT_GUESS: self.tr("the original"),
            FrameKind.PREDICTED_NOISE: self.tr("pure noise"),
            FrameKind.STATE_CHIPS: self.tr("laid on last"),
        }[kind]

    def remark(self, step: int) -> str:
        level = self._session.trajectory.levels[step]
        share = level.signal**2 / level.scale**2
        if level.noise == 0:
            return self.tr("The picture, with no static on it yet: press Play, or drag to the left, and it drowns.")
        picture, static = _percents(share)
        return self.tr(
            "{0} picture, {1} static: the same mixture that a model meets when it carves at this level."
        ).format(picture, static)

    def caption(self, step: int) -> str:
        trajectory = self._session.trajectory
        snr = status_text.ratio_text(trajectory.levels[step].snr)
        name = status_text.phase_name(trajectory, step)
        return self.tr("{0} · signal-to-noise {1}").format(name, snr)


def _percents(share: float) -> tuple[str, str]:
    """A share and the rest of it as percentages that add up: "99.7 %", "0.3 %"."""
    percent = 100 * share
    digits = 0 if 1 <= percent <= 99 else 1 if 0.1 <= percent <= 99.9 else 3
    return f"{percent:.{digits}f} %", f"{100 - percent:.{digits}f} %"
