"""Grids of finished runs with a known course, made without a model."""

from sculptor_app.core.requests.request import Cell, NoiseRecipe, Stroke
from sculptor_app.exports.animation.plan import RunGrid
from tests.helpers.runs import made_run

FORMS = ("bust", "figure", "seated", "head", "vase", "ring", "animal", "column")


def made_grid(count: int = 6, steps: int = 5, size: int = 16, captions: bool = True, **made: object) -> RunGrid:
    """Runs of different guidance, so that no two of them look alike.

    Args:
        count: of runs.
        steps: of each.
        size: edge of the pictures.
        captions: whether something is written under each.
        made: what else `made_run` takes.
    """
    runs = tuple(made_run(steps, size, fresh_noise=bool(number % 2), **made) for number in range(count))
    cells = tuple(Cell(NoiseRecipe(7), FORMS[number % len(FORMS)], "bronze") for number in range(count))
    return RunGrid(runs, cells, tuple(cell.form for cell in cells) if captions else ())


def painted_grid() -> RunGrid:
    """Two untouched noises over the same two painted on, with titles at the edges."""
    stroke = Stroke(((0.25, 0.5), (0.5, 0.75)), 0.2, (1.0, -1.0, 0.5))
    noises = [NoiseRecipe(seed, strokes=strokes) for strokes in ((), (stroke,)) for seed in (3, 4)]
    runs = tuple(made_run(4, 16, fresh_noise=bool(number % 2)) for number in range(4))
    cells = tuple(Cell(noise, "vase") for noise in noises)
    return RunGrid(runs, cells, (), 2, ("seed 3", "seed 4"), ("untouched", "painted"))
