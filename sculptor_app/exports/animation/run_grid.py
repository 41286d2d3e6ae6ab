"""Many runs side by side, as files show them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sculptor_app.core.requests.grid import Cell
from sculptor_app.core.trajectory.base import AnyTrajectory

_LIKED_SHAPE = 1.5  # columns over rows, as on a page or a screen


@dataclass(frozen=True, slots=True, eq=False)
class RunGrid:
    """Runs of one model that differ in noise and labels, in reading order.

    Attributes:
        runs: at least one; some may be a step behind while they are being made.
        cells: what each of them was made from.
        captions: what is written under each; as many as there are runs, or none.
        columns: how many stand in a row; 0 for as many as make a well shaped sheet.
        column_titles, row_titles: at the edges; as many as there are columns and rows, or none.
        lead: number of the run whose steps are counted.
    """

    runs: tuple[AnyTrajectory, ...]
    cells: tuple[Cell, ...]
    captions: tuple[str, ...] = ()
    columns: int = 0
    column_titles: tuple[str, ...] = ()
    row_titles: tuple[str, ...] = ()
    lead: int = 0

    @property
    def lead_run(self) -> AnyTrajectory:
        """The run whose steps are counted; those of the others are alike."""
        return self.runs[self.lead]

    @property
    def shape_in_cells(self) -> tuple[int, int]:
        """Columns and rows."""
        count = len(self.runs)
        columns = self.columns or min(range(1, count + 1), key=lambda each: _misfit(count, each))
        return columns, math.ceil(count / columns)

    @property
    def common_words(self) -> str:
        """In plain English, what all runs have in common: labels, seed."""
        parts = []
        for values in ({cell.form for cell in self.cells}, {cell.material for cell in self.cells}):
            word = values.pop()
            if not values and word is not None:
                parts.append(word)
        noises = {(cell.noise.seed, cell.noise.towards) for cell in self.cells}
        seed, towards = noises.pop()
        if not noises:
            parts.append(f"seed {seed}" if towards is None else f"seed {seed} to {towards}")
        return ", ".join(parts)


def _misfit(count: int, columns: int) -> float:
    """How far a sheet of so many columns is from the liked shape, and how much of its last row is empty."""
    rows = math.ceil(count / columns)
    return abs(math.log(columns / rows / _LIKED_SHAPE)) + 2 * (rows * columns - count) / count
