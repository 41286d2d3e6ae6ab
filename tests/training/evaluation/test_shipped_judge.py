"""The judge that comes with the program."""

import torch

from sculptor_app.training.evaluation import evaluate, renders, sampling
from sculptor_app.training.evaluation.judge_folder import WEIGHTS, read_judge
from sculptor_app.training.evaluation.judge_selection import find_judge


def test_the_judge_that_comes_with_the_program_is_found_and_good():
    """Its own word about itself is checked on 48 renders that it has not seen."""
    folder = find_judge(64)
    assert folder is not None
    kept = read_judge(folder)
    assert min(kept.form_accuracy, kept.material_accuracy) >= 0.97
    labels = sampling.cycle_labels(48)
    pictures = torch.cat(list(renders.fresh_renders(20_261_125, *labels, 64)))
    measured = evaluate.measure(kept, evaluate.read(kept.judge, pictures), labels, torch.zeros(48))
    assert measured.form_accuracy >= 0.93
    assert measured.material_accuracy >= 0.93
    assert (folder / WEIGHTS).stat().st_size < 1_500_000
