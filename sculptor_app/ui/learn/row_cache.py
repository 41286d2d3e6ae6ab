"""Rows of growth as they are looked at: read from the run's folder when they are wanted, the recent ones kept."""

from __future__ import annotations

import logging
from collections import OrderedDict
from pathlib import Path

from PySide6.QtGui import QImage

from sculptor_app.training.loop.growth_rows import GrowthFolder, GrowthRow

GUESS, STATE = "guess", "state"
BUDGET_BYTES = 64 * 2**20

log = logging.getLogger(__name__)


class Shelf:
    """The rows of one run.

    Args:
        folder: Of the run.
        rows: Pictures seen at each row that is there.
    """

    def __init__(self, folder: Path, rows: tuple[int, ...]) -> None:
        self._growth = GrowthFolder(folder)
        self.rows = rows
        self._kept: OrderedDict[int, GrowthRow] = OrderedDict()
        self._lost: set[int] = set()

    def add(self, row: GrowthRow, rows: tuple[int, ...]) -> None:
        """A row has been made, and these are there now."""
        self.rows = rows
        self._keep(row)

    def row(self, pictures: int) -> GrowthRow | None:
        """A row; None where it cannot be read any more."""
        found = self._kept.get(pictures)
        if found is not None:
            self._kept.move_to_end(pictures)
        elif pictures not in self._lost:
            try:
                found = self._growth.read(pictures)
                self._keep(found)
            except (OSError, ValueError) as error:
                self._lost.add(pictures)
                log.warning("a row of growth cannot be read: %s", error)
        return found

    def image(self, pictures: int, state: int, noise: int, kind: str) -> QImage | None:
        """One picture of a row, Format_RGB32; None where the row cannot be read."""
        row = self.row(pictures)
        if row is None:
            return None
        pixels = (row.guesses if kind == GUESS else row.states)[noise, state]
        height, width, _ = pixels.shape
        borrowed = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        return borrowed.convertToFormat(QImage.Format.Format_RGB32)  # a copy of its own

    def _keep(self, row: GrowthRow) -> None:
        self._kept[row.pictures] = row
        self._kept.move_to_end(row.pictures)
        while len(self._kept) > 1 and sum(each.guesses.nbytes * 2 for each in self._kept.values()) > BUDGET_BYTES:
            self._kept.popitem(last=False)
