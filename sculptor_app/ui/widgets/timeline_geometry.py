"""Where things lie on the timeline, free of any painting.

Every state 0..N has a cell of equal width, so the cursor of step k stands in the middle of a cell that belongs to one
phase alone, also at a border between two.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sculptor_app.core.trajectory.phases import PhaseSpan


@dataclass(frozen=True, slots=True)
class Axis:
    """The states 0..planned on a stretch of `width` pixels from `left`."""

    left: float
    width: float
    planned: int

    @property
    def cell(self) -> float:
        """Width of one state."""
        return self.width / (self.planned + 1)

    @property
    def right(self) -> float:
        """Right end of the last state."""
        return self.left + self.width

    def centre(self, step: int) -> float:
        """The x of a state's middle."""
        return self.left + (step + 0.5) * self.cell

    def start(self, step: int) -> float:
        """The x of a state's left edge; `planned + 1` gives the right end."""
        return self.left + step * self.cell

    def step_at(self, x: float) -> int:
        """The state whose cell x lies in, the nearest one outside."""
        return min(max(int((x - self.left) // self.cell), 0), self.planned)

    def stretch(self, span: PhaseSpan) -> tuple[float, float]:
        """Left and right of a phase."""
        return self.start(span.first_step), self.start(span.last_step + 1)


def spread(
    centres: Sequence[float], widths: Sequence[float], left: float, right: float, gap: float
) -> list[float] | None:
    """Left ends for labels near their centres, so that none overlaps another or leaves [left, right].

    Args:
        centres: where each label would best be centred, rising.
        widths: of the labels, in the same order.
        left: where the first may begin.
        right: where the last must end.
        gap: least distance between neighbours.

    Returns:
        Left ends in the same order, or None when there is no room for all.
    """
    if not widths or sum(widths) + gap * (len(widths) - 1) > right - left:
        return None if widths else []
    places: list[float] = []
    edge = left
    for centre, width in zip(centres, widths, strict=True):
        places.append(max(edge, centre - width / 2))
        edge = places[-1] + width + gap
    edge = right
    for index in range(len(places) - 1, -1, -1):
        places[index] = min(places[index], edge - widths[index])
        edge = places[index] - gap
    return places
