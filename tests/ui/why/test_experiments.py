"""Which runs each experiment sets side by side."""

import pytest

from sculptor_app.core.requests.request import FORMS, MATERIALS, MAX_SEED, NoiseRecipe, RequestError, Stroke
from sculptor_app.ui.why.experiments import Arrangement, Choices, Experiment, Labels, arrange


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
