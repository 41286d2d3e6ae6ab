"""What the File menu saves of the page: the grid that is seen, as it is now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sculptor_app.measures.frame_kinds import FrameKind
from sculptor_app.ui.shell.page_views import GridViews
from sculptor_app.ui.why.experiments import Experiment

if TYPE_CHECKING:
    from sculptor_app.exports.animation.plan import RunGrid
    from sculptor_app.ui.why.page import WhyPage

_NAMES = {
    Experiment.LABELS: "one-block",
    Experiment.NOISES: "many-blocks",
    Experiment.BLEND: "block-to-block",
    Experiment.PAINT: "painted-block",
}


def views_of(page: WhyPage) -> GridViews:
    """What is looked at on a page."""

    def grid() -> RunGrid | None:
        from sculptor_app.exports.animation.plan import RunGrid

        shown, runs = page.grid.arrangement, page.grid.runs
        if not runs or len(runs) != len(shown.cells):
            return None
        result = page.results.of(page.experiment)
        lead = result.lead if result is not None and result.runs == runs else 0
        titles = shown.column_titles, shown.row_titles
        return RunGrid(runs, shown.cells, shown.captions, shown.columns, *titles, lead)

    def frames() -> str:
        return "guess" if page.header.kind is FrameKind.CURRENT_GUESS else "noisy"

    def name() -> str:
        cells = page.grid.arrangement.cells
        common = [{cell.form for cell in cells}, {cell.material for cell in cells}]
        words = [next(iter(values)) for values in common if len(values) == 1]
        seed = str(cells[0].noise.seed) if cells else ""
        return "-".join(word for word in (_NAMES[page.experiment], *words, seed) if word)

    return GridViews(page.session, grid, frames, name)
