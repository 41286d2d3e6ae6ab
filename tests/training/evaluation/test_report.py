"""What an evaluation says."""

import torch

from sculptor_app.training.evaluation.report import Evaluation, Measured, as_table, count_confusions

NAMES = ("bust", "figure", "seated", "head", "vase", "ring", "animal", "column")
PERFECT = Measured(form_accuracy=1.0, material_accuracy=1.0, frechet=0.05, nearest=0.15, noise=0.03, blur=0.09)


def some_evaluation() -> Evaluation:
    samples = Measured(form_accuracy=0.625, material_accuracy=1.0, frechet=12.34567, nearest=None, noise=0.5, blur=0.25)
    asked, read = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2]), torch.tensor([0, 3, 3, 1, 1, 0, 2, 2])
    materials = {"marble": {"marble": 8}}
    settings = {"model": "m", "samples": 8, "steps": 50, "guidance": 2.0, "seed": 7}
    return Evaluation(settings, samples, PERFECT, 0, (count_confusions(NAMES, asked, read), materials),
                      {"judge": "judge-64 abc"}, "sculptor-app evaluate", "a machine", 3.21)  # fmt: skip


def test_confusions_are_counted_by_what_was_asked_and_what_was_read():
    forms, _ = some_evaluation().confusions
    assert forms == {"bust": {"bust": 1, "head": 2}, "figure": {"bust": 1, "figure": 2}, "seated": {"seated": 2}}


def test_the_json_has_shares_per_label_and_rounded_figures():
    figures = some_evaluation().as_dict()
    assert figures["accuracy_by_form"] == {"bust": 0.3333, "figure": 0.6667, "seated": 1.0}
    assert figures["accuracy_by_material"] == {"marble": 1.0}
    assert (figures["frechet_samples"], figures["frechet_renders"]) == (12.3457, 0.05)
    assert (figures["nearest_train"], figures["nearest_renders"]) == (None, 0.15)
    assert (figures["noise_samples"], figures["blur_samples"], figures["noise_renders"]) == (0.5, 0.25, 0.03)
    assert (figures["form_accuracy"], figures["form_accuracy_renders"]) == (0.625, 1.0)


def test_the_table_names_the_mistakes_and_not_what_was_right():
    table = as_table(some_evaluation())
    assert "Forms read wrongly most often: bust as head (2), figure as bust (1)." in table
    assert "Materials read wrongly most often: none." in table
    assert "62.5 %   100.0 %" in table
    assert "12.346" in table
    assert "it has no training.json" in table
    assert "nearest" not in table
