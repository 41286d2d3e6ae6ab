"""What is known of the forks of one run, or of its U-turns: the figures, the pictures, and what they say in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QImage

from sculptor_app.core.texts import decimal_text
from sculptor_app.core.trajectory.levels import FIRST_FORK_STEP, LEAST_CORRELATION, phase_of
from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.ui.widgets.names import band_name, phase_name
from sculptor_app.ui.widgets.picture_source import shrunk, to_image

if TYPE_CHECKING:  # numpy comes with these, and the window is to be on screen before
    from sculptor_app.core.trajectory.base import AnyTrajectory
    from sculptor_app.core.trajectory.events import ForkEnded
    from sculptor_app.core.trajectory.step import Frame
    from sculptor_app.measures.likeness import Curve, Decision

MOST_PX = 384
"""Longer side of a fork's picture that is kept: there are hundreds of them."""

translate = QCoreApplication.translate  # a name that lupdate knows


@dataclass
class Study:
    """What is known of the forks of one run, or of its U-turns."""

    forks: int  # at each step
    u_turn: bool = False  # whether they are U-turns: its picture drowned to that step, and sculpted again
    decisions: list[Decision] = field(default_factory=list)
    pictures: dict[int, list[QImage | None]] = field(default_factory=dict)  # of the forks at each step
    batches: dict[int, int] = field(default_factory=dict)  # how many of a step's forks were made at once, at most
    ending: str = ""  # how the measuring ended

    @property
    def steps(self) -> set[int]:
        """Those that were measured."""
        return {each.step for each in self.decisions}

    @property
    def curves(self) -> Mapping[str, Curve]:
        """How alike the forks are, by the step at which they part."""
        from sculptor_app.measures.likeness import curves_of

        return curves_of(self.decisions)

    @property
    def steps_left(self) -> int:
        """How many more steps it takes at most until every decision is known exactly."""
        from sculptor_app.measures.likeness import steps_left_to_look_at

        return steps_left_to_look_at(self.curves)

    def add(self, ended: ForkEnded, image: QImage | None) -> None:
        """Keep the picture of a fork."""
        if ended.number == 0:  # the step is measured anew
            self.batches[ended.step] = 1
        self.pictures.setdefault(ended.step, [None] * self.forks)[ended.number] = image
        self.batches[ended.step] = max(self.batches[ended.step], ended.batch)

    def drop_unfinished(self) -> None:
        """Forget the pictures of a step whose forks are not all there."""
        self.pictures = {step: images for step, images in self.pictures.items() if step in self.steps}

    def end(self, outcome: str) -> None:
        """Note how the measuring ended: "finished", "cancelled" or "failed"."""
        self.drop_unfinished()
        forks = {
            "finished": translate("When", "all {0} forks are there"),
            "cancelled": translate("When", "stopped after {0} forks"),
        }
        turns = {
            "finished": translate("When", "all {0} U-turns are there"),
            "cancelled": translate("When", "stopped after {0} U-turns"),
        }
        failed = translate("When", "failed after {0} U-turns") if self.u_turn else translate(
            "When", "failed after {0} forks")  # fmt: skip
        said = (turns if self.u_turn else forks).get(outcome, failed)
        self.ending = said.format(len(self.steps) * self.forks)

    # In words

    def answer(self, is_growing: bool) -> str:
        """By which step each band was decided, or from which on it stays; empty while too little is known."""
        if is_growing and len(self.decisions) < 2:
            return ""
        told = []
        for key, curve in self._band_curves():
            by, after = curve.decided_by()
            if by is None:
                told.append(translate("When", "{0} after {1}").format(band_name(key), after))
            elif _is_exact(by, after):
                told.append(f"{band_name(key)} {by}")
            else:
                told.append(translate("When", "{0} {1}–{2}").format(band_name(key), after + 1, by))
        if self.u_turn:
            said = translate("When", "Stays in U-turns from step: {0} · layout and pose are coarse")
        else:
            said = translate("When", "Decided by step: {0} · layout and pose are coarse")
        return said.format(" · ".join(told)) if told else ""

    def marks(self, is_growing: bool) -> list[tuple[str, int]]:
        """Each band's key and the step of its answer; while more comes in, those that are exact alone."""
        found = []
        for key, curve in self._band_curves():
            by, after = curve.decided_by()
            if by and (_is_exact(by, after) or not is_growing):
                found.append((key, by))
        return found

    @property
    def bounds(self) -> set[str]:
        """Keys of the bands whose answer is known to be that step or one before: nothing between was measured."""
        found = [(key, *curve.decided_by()) for key, curve in self._band_curves()]
        return {key for key, by, after in found if by is not None and not _is_exact(by, after)}

    def about(self, run: AnyTrajectory, step: int, is_here: bool) -> str:
        """What the forks that part at a step share, and what they do not.

        Args:
            is_here: whether the run is seen at that step; else at one near it.
        """
        if self.u_turn:
            where = translate("When", "These U-turns go back to step {0}") if is_here else translate(
                "When", "The nearest U-turns go back to step {0}")  # fmt: skip
        else:
            where = translate("When", "These forks part at step {0}") if is_here else translate(
                "When", "The nearest forks part at step {0}")  # fmt: skip
        where = where.format(step)
        if step == 0:
            where = translate("When", "Other noise altogether")
        elif (phase := phase_of(run.levels[step - 1])) is not None:
            where += f" ({phase_name(phase.key)})"
        parts = [where]
        decision = next((each for each in self.decisions if each.step == step), None)
        if decision is not None:
            likeness = [(band_name(key), decision.likeness.get(name)) for key, name in _bands()]
            known = [(name, value) for name, value in likeness if value is not None and math.isfinite(value)]
            shared = [name for name, value in known if value >= LEAST_CORRELATION]
            others = [name for name, value in known if value < LEAST_CORRELATION]
            same, other = translate("When", "decided by then: {0}"), translate("When", "still open: {0}")
            if self.u_turn:
                same, other = translate("When", "stays: {0}"), translate("When", "comes back otherwise: {0}")
            if shared:
                parts.append(same.format(", ".join(shared)))
            if others:
                parts.append(other.format(", ".join(others)))
        return " · ".join(parts)

    def _band_curves(self) -> list[tuple[str, Curve]]:
        """The bands' keys and curves, the coarsest first, as far as there are any."""
        curves = self.curves
        return [(key, curves[name]) for key, name in _bands() if name in curves and curves[name].steps]


def hint_text(u_turn: bool) -> str:
    """What forks are, or U-turns, for who chooses between them."""
    if u_turn:
        return translate(
            "When",
            "A U-turn drowns the finished picture in other noise, as deep as a step of the run, and sculpts it "
            "again. What stays did not drown there.",
        )
    return translate(
        "When",
        "A fork goes on from a step of the run with other noise. What all forks of a step share was decided by then.",
    )


def mark_text(u_turn: bool, is_bound: bool = False) -> str:
    """What a mark on the timeline means, with "{0}" for the band.

    Args:
        is_bound: nothing was measured between that step and one at which it was not so yet.
    """
    if u_turn and is_bound:
        said = translate(
            "When", "{{0}} stays from here on at the latest: U-turns are alike to the picture to {0}. No step shortly "
            "before was looked at.")  # fmt: skip
    elif u_turn:
        said = translate("When", "{{0}} stays from here on: U-turns are alike to the picture to {0}.")
    elif is_bound:
        said = translate(
            "When", "{{0}} was decided by here at the latest: forks from here on are alike to {0}. No step shortly "
            "before was looked at.")  # fmt: skip
    else:
        said = translate(
            "When",
            "{{0}} was decided here: forks from here on are alike to {0}. When it settles in one run, the page Carve "
            "tells.",
        )
    return said.format(decimal_text(LEAST_CORRELATION))


def _is_exact(by: int, after: int) -> bool:
    """Whether the step of a decision cannot be known better: before the first fork's there is nothing to measure."""
    return by - after <= 1 or after < 0 or by == FIRST_FORK_STEP


def _bands() -> list[tuple[str, str]]:
    """Key and name of each band, the coarsest first."""
    from sculptor_app.measures.spectrum import BANDS

    return [(band.key, band.name) for band in BANDS]


def image_of(picture: Frame, run: AnyTrajectory) -> QImage | None:
    """A clean picture of a run's as it is shown, no larger than is kept."""
    from sculptor_app.measures.pictures import coloured

    image = to_image(coloured(picture, FrameKind.CURRENT_GUESS, run.info.space, run.info.latent_map))
    if image is not None and max(image.width(), image.height()) > MOST_PX:
        return shrunk(image, MOST_PX)
    return image
