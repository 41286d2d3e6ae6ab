"""Export formats: one row for each kind of file that a run, or a grid of runs, is saved as.

The command line, the window and the tests read this table; a new format is a row here and a module that writes it.
Importing it needs neither numpy nor Pillow: writers are imported when they write.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Literal

from sculptor_app.core.texts import translate
from sculptor_app.exports.animation.options import AnimationOptions

if TYPE_CHECKING:
    from sculptor_app.exports.animation.plan import RunOrGrid
    from sculptor_app.measures.run_measures import RunMeasures

Kind = Literal["animation", "still", "table"]
"""What a file holds: all states one after the other, one of them, or the numbers of all."""

Progress = Callable[[int, int], None]
"""Called with the frames or states that are done, and with how many there are."""


@dataclass(frozen=True, slots=True)
class Export:
    """What is to be written."""

    source: RunOrGrid  # the run or runs; they may still grow, what comes later is left out
    options: AnimationOptions = field(default_factory=AnimationOptions)  # of animations and stills
    state: int = 0  # of stills, the one that is shown
    measures: RunMeasures | None = None  # a run's band energies; None has them measured where they are needed
    progress: Progress | None = None  # called after every frame of an animation, and every state of a grid's table
    stop: Event | None = None  # set to give up before the next one


@dataclass(frozen=True, slots=True)
class ExportFormat:
    """A kind of file.

    Attributes:
        write: makes or replaces the file; whole or untouched, whatever happens. Raises ExportError where it cannot be
            written or there is nothing to show, ExportCancelled where it was stopped.
        sheet_px: longer side up to which the pictures of a grid are made larger unless a person says otherwise; 0 for
            tables.
    """

    id: str  # short name, as in file names' endings
    label: str  # English name, marked for translation
    kind: Kind  # what it holds
    write: Callable[[Path, Export], None]
    sheet_px: int = 0

    @property
    def suffix(self) -> str:
        """The ending of its files, as ".gif"."""
        return f".{self.id}"

    def named(self, path: Path) -> Path:
        """The path with the ending of this format, added where it has another or none."""
        return path if path.suffix.lower() == self.suffix else path.with_name(path.name + self.suffix)


def _write_gif(path: Path, export: Export) -> None:
    from sculptor_app.exports.gif.writer import write_gif

    write_gif(path, export.source, export.measures, export.options, export.progress, export.stop)


def _write_png(path: Path, export: Export) -> None:
    from sculptor_app.exports.stills import write_png

    write_png(path, export.source, export.state, export.options)


def _write_csv(path: Path, export: Export) -> None:
    from sculptor_app.exports.numbers import write_csv

    write_csv(path, export.source, export.measures, export.progress, export.stop)


FORMATS = {
    row.id: row
    for row in (
        ExportFormat("gif", translate("names", "GIF animation"), "animation", _write_gif, sheet_px=900),
        ExportFormat("png", translate("names", "PNG picture"), "still", _write_png, sheet_px=2000),
        ExportFormat("csv", translate("names", "Comma-separated values"), "table", _write_csv),
    )
}
"""All formats by id; of a kind the first is the one that is offered first."""

PICTURE_FORMATS = tuple(row for row in FORMATS.values() if row.kind != "table")
"""Those that show what a run looks like."""


def picture_format(path: Path) -> ExportFormat | None:
    """The one of PICTURE_FORMATS that a path's ending names, in capitals or not; None where it names none of them."""
    return next((row for row in PICTURE_FORMATS if row.suffix == path.suffix.lower()), None)
