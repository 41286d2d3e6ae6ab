"""Which runs each experiment sets side by side."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.requests.request import FORMS, MATERIALS, MAX_SEED, NoiseRecipe, RequestError, RunRequest, Stroke
from sculptor_app.ui.why.axes import KnownLabels
from sculptor_app.ui.why.experiments import (
    Arrangement,
    Choices,
    Experiment,
    GridPlan,
    GridPlanner,
    Labels,
    arrange,
    grid_title,
)


def made(experiment: Experiment, **choices) -> Arrangement:
    return arrange(Choices(experiment, **choices), FORMS, MATERIALS)


def test_one_noise_under_all_forms() -> None:
    arrangement = made(Experiment.LABELS, material="bronze", seed=5)
    assert {cell.noise for cell in arrangement.cells} == {NoiseRecipe(5)}
    assert [cell.form for cell in arrangement.cells] == list(FORMS)
    assert {cell.material for cell in arrangement.cells} == {"bronze"}
    assert arrangement.captions[1] == "Standing figure"


def test_one_noise_under_all_materials_and_under_both() -> None:
    materials = made(Experiment.LABELS, labels=Labels.MATERIALS, form="vase")
    assert [(cell.form, cell.material) for cell in materials.cells] == [("vase", each) for each in MATERIALS]
    both = made(Experiment.LABELS, labels=Labels.BOTH)
    assert len(both.cells) == len(set(both.cells)) == 48
    assert (both.columns, len(both.column_titles), len(both.row_titles)) == (8, 8, 6)
    assert (both.cells[9].form, both.cells[9].material) == ("figure", "bronze")


def test_two_settings_are_columns_and_rows() -> None:
    choices = {"x_axis": "sampler", "x_values": ("ddim", "heun"), "y_axis": "steps", "y_values": (5, 50, 10)}
    arrangement = made(Experiment.SETTINGS, form="bust", seed=5, **choices)
    assert [(cell.sampler, cell.steps) for cell in arrangement.cells] == [
        (sampler, steps) for steps in (5, 50, 10) for sampler in ("ddim", "heun")
    ]
    assert {(cell.noise, cell.form, cell.guidance) for cell in arrangement.cells} == {(NoiseRecipe(5), "bust", None)}
    assert (arrangement.columns, arrangement.column_titles) == (2, ("DDIM", "Heun"))
    assert arrangement.row_titles == ("5 steps", "50 steps", "10 steps")
    assert grid_title(arrangement.cells) == "Bust · seed 5 · 2 samplers · 3 step counts"


def test_one_setting_alone_has_captions() -> None:
    arrangement = made(Experiment.SETTINGS, x_axis="guidance", x_values=(0.0, 1.0, 7.5), y_axis="", seed=5)
    assert [cell.guidance for cell in arrangement.cells] == [0, 1, 7.5]
    assert (arrangement.captions, arrangement.row_titles) == (("guidance 0", "guidance 1", "guidance 7.5"), ())


def test_labels_and_seeds_as_axes_take_the_place_of_the_fields() -> None:
    choices = {"x_axis": "form", "x_values": ("vase", "ring"), "y_axis": "seed", "y_values": (1, 2)}
    cells = made(Experiment.SETTINGS, form="bust", material="marble", seed=5, **choices).cells
    assert [(cell.form, cell.material, cell.noise.seed) for cell in cells] == [
        ("vase", "marble", 1), ("ring", "marble", 1), ("vase", "marble", 2), ("ring", "marble", 2),
    ]  # fmt: skip


KNOWN = KnownLabels(FORMS, MATERIALS)


@pytest.mark.parametrize(
    ("key", "text", "values"),
    [
        ("sampler", "ddim, HEUN,DPM-Solver++ 2M", ("ddim", "heun", "dpmpp-2m")),
        ("steps", " 5; 10 ,20,", (5, 10, 20)),
        ("guidance", "0, 1.5", (0.0, 1.5)),
        ("form", "Bust, standing figure", ("bust", "figure")),
        ("material", "marble", ("marble",)),
        ("seed", "7", (7,)),
    ],
)
def test_values_are_read_as_people_write_them(key: str, text: str, values: tuple) -> None:
    assert KNOWN.read(key, text) == values
    assert KNOWN.read(key, KNOWN.written(key, values)) == values


@pytest.mark.parametrize(
    ("key", "text", "sentence"),
    [
        ("sampler", "ddim, plms", "“plms” is not known; there are DDIM, "),
        ("steps", "5, ten", "“ten” is no number; write them with commas between them, as in 5, 10, 20, 50."),
        ("steps", "2.5", "“2.5” is no number"),
        ("seed", " , ", "An axis has no values"),
        ("guidance", "1, 1.0", "“1.0” is there twice"),
        ("seed", ",".join(map(str, range(99))), "An axis has 99 values; 64 are the most."),
        ("form", "lion", "“lion” is not known"),
    ],
)
def test_what_is_no_value_is_said(key: str, text: str, sentence: str) -> None:
    with pytest.raises(RequestError) as refused:
        KNOWN.read(key, text)
    assert sentence in refused.value.message


@given(st.sampled_from(["sampler", "steps", "guidance", "seed", "form", "material"]), st.text(max_size=60))
def test_no_text_does_more_than_be_refused(key: str, text: str) -> None:
    try:
        values = KNOWN.read(key, text)
    except RequestError:
        return
    assert len(values) == len(set(values)) > 0


def test_first_values_can_be_read_and_a_model_offers_what_it_knows() -> None:
    for key in KNOWN.axes:
        assert KNOWN.read(key, KNOWN.first_values(key))
    assert KnownLabels((), ()).axes == ("sampler", "steps", "seed")
    assert KnownLabels(("bust", "vase"), ("bronze",)).axes == ("sampler", "steps", "guidance", "seed", "form")


def test_neighbouring_seeds() -> None:
    arrangement = made(Experiment.NOISES, form="bust", seed=40, count=6)
    assert [cell.noise.seed for cell in arrangement.cells] == [40, 41, 42, 43, 44, 45]
    assert arrangement.captions[-1] == "seed 45"
    with pytest.raises(RequestError, match="no seed"):
        made(Experiment.NOISES, seed=MAX_SEED, count=6)


def test_a_blend_goes_evenly_and_ends_at_both_seeds() -> None:
    arrangement = made(Experiment.BLEND, seed=3, towards=9, count=6)
    assert [cell.noise.share for cell in arrangement.cells] == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert arrangement.captions == ("seed 3", "20 %", "40 %", "60 %", "80 %", "seed 9")


def test_painted_noises_stand_under_untouched_ones() -> None:
    stroke = Stroke(((0.5, 0.5),), 0.2, (1.0, 1.0, 1.0))
    arrangement = made(Experiment.PAINT, seed=3, count=2, strokes=(stroke,), stays_noise=False)
    assert [(cell.noise.seed, len(cell.noise.strokes)) for cell in arrangement.cells] == [
        (3, 0),
        (4, 0),
        (3, 1),
        (4, 1),
    ]
    assert not arrangement.cells[2].noise.stays_noise
    assert (arrangement.columns, len(arrangement.row_titles)) == (2, 2)


STROKE = Stroke(((0.5, 0.5),), 0.2, (1.0, 1.0, 1.0))


@pytest.mark.parametrize(("experiment", "choices", "title"), [
    (Experiment.LABELS, {"material": "bronze", "seed": 5}, "8 forms · Bronze · seed 5"),
    (Experiment.LABELS, {"labels": Labels.MATERIALS, "form": "vase"}, "Vase · 6 materials · seed 7"),
    (Experiment.LABELS, {"labels": Labels.BOTH}, "8 forms × 6 materials · seed 7"),
    (Experiment.NOISES, {"form": "bust", "seed": 12, "count": 6}, "Bust · seeds 12–17"),
    (Experiment.BLEND, {"seed": 3, "towards": 9}, "from seed 3 to seed 9"),
    (Experiment.PAINT, {"seed": 3, "count": 1, "strokes": (STROKE,)}, "seed 3 · painted with 1 stroke"),
    (Experiment.PAINT, {"count": 2, "strokes": (STROKE, STROKE)}, "seeds 7–8 · painted with 2 strokes"),
])  # fmt: skip
def test_a_grid_has_a_title(experiment: Experiment, choices: dict, title: str) -> None:
    assert grid_title(made(experiment, **choices).cells) == title


def planned(experiment: Experiment, steps: int = 20, model: str | None = None, **choices: object) -> GridPlan:
    return GridPlanner(lambda: model).plan(RunRequest(steps=steps), Choices(experiment, **choices))


@pytest.mark.parametrize(("experiment", "choices", "keys"), [
    (Experiment.LABELS, {"form": "vase"}, ()),  # all forms are in it, whatever the field says
    (Experiment.LABELS, {"material": "bronze"}, ("material",)),
    (Experiment.LABELS, {"labels": Labels.BOTH}, ("labels",)),
    (Experiment.NOISES, {"seed": 8, "count": 6, "steps": 5}, ("seed", "count", "steps")),
    (Experiment.NOISES, {"towards": 80}, ()),
    (Experiment.BLEND, {"towards": 80}, ("towards",)),
    (Experiment.PAINT, {"strokes": (STROKE,)}, ("painting",)),
    (Experiment.NOISES, {"model": "/elsewhere"}, ("model",)),
])  # fmt: skip
def test_in_what_two_grids_differ(experiment: Experiment, choices: dict, keys: tuple[str, ...]) -> None:
    assert planned(experiment, **choices).differences(planned(experiment)) == keys
