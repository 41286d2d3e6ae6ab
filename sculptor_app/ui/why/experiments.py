"""The five experiments with noise: the runs that each compares, their captions, and the requests for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from PySide6.QtCore import QCoreApplication

from sculptor_app.core.requests.request import FORMS, MATERIALS, Cell, GridRequest, NoiseRecipe, RunRequest, Stroke
from sculptor_app.core.texts import plural
from sculptor_app.ui.why.axes import NONE, value_title, with_value
from sculptor_app.ui.widgets.names import form_name, material_name

translate = QCoreApplication.translate  # a name that lupdate knows


class Experiment(Enum):
    """An experiment: one noise under many labels, many noises, a blend of two, painted noise, other settings."""

    LABELS = "labels"
    NOISES = "noises"
    BLEND = "blend"
    PAINT = "paint"
    SETTINGS = "settings"


class Labels(Enum):
    """The labels that vary over one noise."""

    FORMS = "forms"
    MATERIALS = "materials"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The cells of a grid with captions and titles."""

    cells: tuple[Cell, ...]  # in reading order
    captions: tuple[str, ...] = ()  # under each cell; as many as there are cells, or none
    columns: int = 0  # how many there are in a row; 0 for as many as fit best
    column_titles: tuple[str, ...] = ()  # one for each column, or none
    row_titles: tuple[str, ...] = ()  # one for each row, or none


@dataclass(frozen=True, slots=True)
class Choices:
    """The choices for an experiment."""

    experiment: Experiment
    form: str | None = None  # form, material: label of all cells, where labels do not vary
    material: str | None = None
    labels: Labels = Labels.FORMS  # those that vary, of `Experiment.LABELS`
    seed: int = 7  # of the (first) noise
    towards: int = 8  # of the noise at the end of a blend
    count: int = 12  # cells, of `NOISES` and `BLEND`; noises that are painted on, of `PAINT`
    strokes: tuple[Stroke, ...] = field(default=())  # of `PAINT`
    stays_noise: bool = True  # of `PAINT`, see `NoiseRecipe`
    x_axis: str = "sampler"  # the setting that differs from column to column, of `SETTINGS`
    x_values: tuple[Any, ...] = ()
    y_axis: str = NONE  # and from row to row
    y_values: tuple[Any, ...] = ()


def arrange(choices: Choices, forms: tuple[str, ...], materials: tuple[str, ...]) -> Arrangement:
    """The grid of an experiment."""
    if choices.experiment is Experiment.LABELS:
        return _labels(choices, forms, materials)
    if choices.experiment is Experiment.NOISES:
        return _noises(choices)
    if choices.experiment is Experiment.BLEND:
        return _blend(choices)
    if choices.experiment is Experiment.SETTINGS:
        return _settings(choices)
    return _paint(choices)


def _labels(choices: Choices, forms: tuple[str, ...], materials: tuple[str, ...]) -> Arrangement:
    noise = NoiseRecipe(choices.seed)
    if choices.labels is Labels.FORMS:
        cells = tuple(Cell(noise, form, choices.material) for form in forms)
        return Arrangement(cells, tuple(map(form_name, forms)))
    if choices.labels is Labels.MATERIALS:
        cells = tuple(Cell(noise, choices.form, material) for material in materials)
        return Arrangement(cells, tuple(map(material_name, materials)))
    cells = tuple(Cell(noise, form, material) for material in materials for form in forms)
    titles = tuple(map(form_name, forms)), tuple(map(material_name, materials))
    return Arrangement(cells, (), len(forms), *titles)


def _noises(choices: Choices) -> Arrangement:
    seeds = range(choices.seed, choices.seed + choices.count)
    cells = tuple(Cell(NoiseRecipe(seed), choices.form, choices.material) for seed in seeds)
    return Arrangement(cells, tuple(translate("Why", "seed {0}").format(seed) for seed in seeds))


def _blend(choices: Choices) -> Arrangement:
    shares = [number / (choices.count - 1) for number in range(choices.count)]
    noises = [NoiseRecipe(choices.seed, choices.towards, share) for share in shares]
    captions = [f"{100 * share:.0f} %" for share in shares]
    captions[0] = translate("Why", "seed {0}").format(choices.seed)
    captions[-1] = translate("Why", "seed {0}").format(choices.towards)
    return Arrangement(tuple(Cell(noise, choices.form, choices.material) for noise in noises), tuple(captions))


def _paint(choices: Choices) -> Arrangement:
    seeds = range(choices.seed, choices.seed + choices.count)
    plain = [NoiseRecipe(seed) for seed in seeds]
    painted = [NoiseRecipe(seed, strokes=choices.strokes, stays_noise=choices.stays_noise) for seed in seeds]
    cells = tuple(Cell(noise, choices.form, choices.material) for noise in (*plain, *painted))
    rows = (translate("Why", "untouched"), translate("Why", "painted"))
    titles = tuple(translate("Why", "seed {0}").format(seed) for seed in seeds)
    return Arrangement(cells, (), choices.count, titles, rows)


def _settings(choices: Choices) -> Arrangement:
    plain = Cell(NoiseRecipe(choices.seed), choices.form, choices.material)
    rows = [with_value(plain, choices.y_axis, value) for value in choices.y_values] if choices.y_axis else [plain]
    cells = tuple(with_value(row, choices.x_axis, value) for row in rows for value in choices.x_values)
    columns = tuple(value_title(choices.x_axis, value) for value in choices.x_values)
    titles = tuple(value_title(choices.y_axis, value) for value in choices.y_values) if choices.y_axis else ()
    if not titles:
        return Arrangement(cells, columns)
    return Arrangement(cells, (), len(columns), columns, titles)


def grid_title(cells: Sequence[Cell]) -> str:
    """What a grid shows, for people: "8 forms · Bronze · seed 21", "Bust · seeds 12–17"."""
    forms, materials = [dict.fromkeys(each.form for each in cells), dict.fromkeys(each.material for each in cells)]
    if len(forms) > 1 and len(materials) > 1:
        parts = [translate("Why", "{0} forms × {1} materials").format(len(forms), len(materials))]
    else:
        parts = [
            _shared([*forms], form_name, translate("Why", "{0} forms")),
            _shared([*materials], material_name, translate("Why", "{0} materials")),
        ]
    first, last = cells[0].noise, cells[-1].noise
    if last.towards is not None:
        parts.append(translate("Why", "from seed {0} to seed {1}").format(first.seed, last.towards))
    elif first.seed != last.seed:
        parts.append(translate("Why", "seeds {0}–{1}").format(first.seed, last.seed))
    else:
        parts.append(translate("Why", "seed {0}").format(first.seed))
    counts = (
        ("sampler", translate("Why", "{0} samplers")), ("steps", translate("Why", "{0} step counts")),
        ("guidance", translate("Why", "{0} weights of guidance")),
    )  # fmt: skip
    for name, many in counts:
        count = len({getattr(cell, name) for cell in cells})
        parts += [many.format(count)] if count > 1 else []
    if last.strokes:
        count = len(last.strokes)
        painted = plural(count, translate("Why", "painted with 1 stroke"), translate("Why", "painted with {0} strokes"))
        parts.append(painted.format(count))
    return " · ".join(filter(None, parts))


_FILE_NAMES = {
    Experiment.LABELS: "one-block",
    Experiment.NOISES: "many-blocks",
    Experiment.BLEND: "block-to-block",
    Experiment.PAINT: "painted-block",
    Experiment.SETTINGS: "settings",
}


def file_name(experiment: Experiment, cells: Sequence[Cell]) -> str:
    """What a file of a grid is called: the experiment, the labels that all cells share, and the first seed."""
    labels = [{cell.form for cell in cells}, {cell.material for cell in cells}]
    shared = [next(iter(values)) for values in labels if len(values) == 1]
    seed = str(cells[0].noise.seed) if cells else ""
    return "-".join(part for part in (_FILE_NAMES[experiment], *shared, seed) if part)


def _shared(words: Sequence[str | None], name_of: Callable[[str], str], many: str) -> str:
    """The one label of all cells, or how many there are; empty where the model chooses."""
    if len(words) > 1:
        return many.format(len(words))
    return "" if words[0] is None else name_of(words[0])


@dataclass(frozen=True, slots=True)
class GridPlan:
    """A grid that can be run: what was chosen, its cells, and the request for them."""

    choices: Choices
    arrangement: Arrangement
    request: GridRequest

    def differences(self, other: GridPlan) -> tuple[str, ...]:
        """Keys of the settings in which two plans of one experiment ask for other pictures; the device is none."""
        mine, others = self.request, replace(other.request, device=self.request.device)
        runs = [(cell.noise, mine.single(cell)) for cell in mine.cells]
        if runs == [(cell.noise, others.single(cell)) for cell in others.cells]:
            return ()
        shared = ("model", "steps", "guidance", "sampler")
        of_all = [key for key in shared if getattr(mine, key) != getattr(others, key)]
        own, theirs = self.choices, other.choices
        chosen = [key for key in self._own_keys if getattr(own, key) != getattr(theirs, key)]
        is_repainted = (own.strokes, own.stays_noise) != (theirs.strokes, theirs.stays_noise)
        return (*chosen, *(["painting"] if is_repainted else []), *of_all)

    @property
    def _own_keys(self) -> tuple[str, ...]:
        """Keys of the choices that its experiment has a field for, one that counts."""
        choices = self.choices
        if choices.experiment is Experiment.LABELS:
            kept = {Labels.FORMS: ("material",), Labels.MATERIALS: ("form",)}.get(choices.labels, ())
            return ("labels", *kept, "seed")
        if choices.experiment is Experiment.SETTINGS:
            own = [key for key in ("form", "material", "seed") if key not in (choices.x_axis, choices.y_axis)]
            return ("x_axis", "x_values", "y_axis", "y_values", *own)
        ends = ("towards",) if choices.experiment is Experiment.BLEND else ()
        return ("form", "material", "seed", *ends, "count")


class GridPlanner:
    """Requests for grids of runs that share model, labels and device.

    Args:
        model: Says which model is at hand, as a request names it; None is the embedded one.
    """

    def __init__(self, model: Callable[[], str | None]) -> None:
        self._model = model
        self.device = "auto"
        self._forms: tuple[str, ...] = FORMS
        self._materials: tuple[str, ...] = MATERIALS

    @property
    def model(self) -> str | None:
        """The model at hand."""
        return self._model()

    @property
    def labels(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Forms and materials that the model knows."""
        return self._forms, self._materials

    def take_labels(self, forms: tuple[str, ...], materials: tuple[str, ...]) -> bool:
        """Set the labels that the model has; whether they have changed."""
        before = self._forms, self._materials
        self._forms = tuple(form for form in FORMS if form in forms)
        self._materials = tuple(material for material in MATERIALS if material in materials)
        return before != (self._forms, self._materials)

    def plan(self, common: RunRequest, choices: Choices) -> GridPlan:
        """The grid of an experiment.

        Raises:
            RequestError: The fields are right one by one, but not together.
        """
        arrangement = arrange(choices, self._forms, self._materials)
        assert common.guidance is not None  # the page has a field for it
        cells, steps, sampler, guidance = arrangement.cells, common.steps, common.sampler, common.guidance
        request = GridRequest(cells, steps, sampler, guidance, self.device, self.model)
        return GridPlan(choices, arrangement, request)
