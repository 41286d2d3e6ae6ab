"""The judge learns, reads, and comes back from its folder as it was."""

import json
import shutil
from pathlib import Path

import pytest
import safetensors.torch
import torch

from sculptor_app.atelier import FORMS, MATERIALS
from sculptor_app.core.errors import ModelFolderError
from sculptor_app.training.errors import JudgeError
from sculptor_app.training.evaluation import evaluate
from sculptor_app.training.evaluation.figures import fit, frechet
from sculptor_app.training.evaluation.judge import (
    FACTS,
    MOST_BYTES,
    WEIGHTS,
    Judge,
    Standard,
    read,
    read_judge,
    scaled,
    write_judge,
)
from sculptor_app.training.evaluation.judge_training import (
    SHIPPED_SIZE,
    JudgeRecipe,
    Pictures,
    degrade,
    find_judge,
    finish,
    train_judge,
)
from sculptor_app.training.evaluation.pictures import cycle_labels, fresh_renders

SIZE = 16
RECIPE = JudgeRecipe(renders=480, held_out=96, passes=5, batch=24, learning_rate=5e-3)


def simple_set(count: int, seed: int) -> Pictures:
    """A bar whose height on the picture is the form, on a ground whose colour is the material."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count)
    forms, materials = labels % len(FORMS), labels // len(FORMS) % len(MATERIALS)
    colours = torch.tensor([[200, 40, 40], [40, 200, 40], [40, 40, 200], [40, 200, 200], [200, 40, 200], [40, 40, 40]])
    pictures = colours[materials][:, :, None, None].expand(-1, -1, SIZE, SIZE).clone()
    for i, form in enumerate(forms.tolist()):
        pictures[i, :, 2 * form : 2 * form + 2] = 240
    pictures = pictures + torch.randint(-10, 11, pictures.shape, generator=generator)
    return Pictures(pictures.to(torch.uint8), forms, materials)


@pytest.fixture(scope="module")
def standard() -> Standard:
    return finish(train_judge(simple_set(480, 0), RECIPE), simple_set(96, 1), SIZE, RECIPE)


@pytest.fixture
def folder(standard: Standard, tmp_path: Path) -> Path:
    (tmp_path / "judge").mkdir()
    write_judge(tmp_path / "judge", standard)
    return tmp_path / "judge"


def test_a_simple_set_is_learned(standard: Standard):
    assert standard.form_accuracy >= 0.98
    assert standard.material_accuracy == 1.0
    assert standard.material_accuracy_worn > 0.9
    assert 1 / len(FORMS) < standard.form_accuracy_worn <= standard.form_accuracy


def test_the_same_recipe_makes_the_same_judge():
    recipe = JudgeRecipe(passes=1, batch=24)
    one, two = (train_judge(simple_set(48, 0), recipe) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_features_of_clean_pictures_have_mean_nought_and_variance_one(standard: Standard):
    assert standard.reference.mean.abs().max() < 0.02  # what rounding to 16 bits leaves
    assert torch.allclose(standard.reference.covariance.diagonal(), torch.ones(64, dtype=torch.float64), atol=0.02)


def test_standardising_changes_no_reading():
    torch.manual_seed(0)
    judge, pictures = Judge().eval(), scaled(simple_set(8, 0).pictures)
    with torch.no_grad():
        before = judge(pictures)
        judge.standardise(torch.linspace(-1, 2, 64), torch.linspace(0.5, 3, 64))
        after = judge(pictures)
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(before, after, strict=True))


def test_rough_pictures_are_far_away(standard: Standard):
    clean = simple_set(96, 2).pictures
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)) * 25
    rough = (clean.float() + noise).clamp(0, 255).to(torch.uint8)
    near, far = (
        frechet(fit(read(standard.judge, pictures).features), standard.reference) for pictures in (clean, rough)
    )
    assert near < far


def test_reading_in_parts_changes_nothing(standard: Standard):
    pictures = simple_set(10, 3).pictures
    whole, parts = read(standard.judge, pictures), read(standard.judge, pictures, at_once=3)
    assert torch.allclose(whole.features, parts.features, atol=1e-4)
    assert whole.forms.tolist() == parts.forms.tolist()


def test_worn_pictures_say_how_worn_they_are():
    clean = torch.zeros(400, 3, 16, 16)
    worn, roughness = degrade(clean, torch.Generator().manual_seed(0))
    assert worn.shape == clean.shape
    assert worn.abs().max() <= 1
    assert 0 <= roughness.min() <= roughness.max() <= 1
    assert 0.2 < (roughness == 0).all(dim=1).float().mean() < 0.4
    spread = worn.std(dim=(1, 2, 3))
    assert torch.corrcoef(torch.stack([spread, roughness[:, 0]]))[0, 1] > 0.98
    assert spread[roughness[:, 0] == 0].max() < 1e-5


def test_blur_smooths_and_keeps_the_mean():
    stripes = torch.tensor([-0.4, 0.4]).repeat(32).expand(60, 3, 64, 64)
    worn, roughness = degrade(stripes, torch.Generator().manual_seed(0))
    blur = roughness[:, 1]
    contrast = worn[:, :, 8:-8, 8:-8].mean(dim=(1, 2)).std(dim=1)  # over rows, where noise is averaged out
    assert contrast[blur == 0].min() > 0.3
    assert contrast[blur > 0.7].max() < 0.1
    assert worn.mean(dim=(1, 2, 3)).abs().max() < 0.15  # brightness alone


def test_a_judge_comes_back_as_it_was(folder: Path, standard: Standard):
    again = read_judge(folder)
    pictures = simple_set(12, 4).pictures
    assert torch.equal(read(again.judge, pictures).features, read(standard.judge, pictures).features)
    assert torch.allclose(again.reference.covariance, standard.reference.covariance, atol=1e-5)
    facts = {name: value for name, value in vars(standard).items() if name not in ("judge", "reference")}
    assert {name: getattr(again, name) for name in facts} == facts
    assert (folder / WEIGHTS).stat().st_size < 1_500_000


def change_facts(folder: Path, **changes: object) -> None:
    path = folder / FACTS
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def change_weights(folder: Path, change) -> None:
    tensors = safetensors.torch.load((folder / WEIGHTS).read_bytes())
    change(tensors)
    safetensors.torch.save_file(tensors, folder / WEIGHTS)


BREAKS = {
    "no facts": lambda f: (f / FACTS).unlink(),
    "facts cut off": lambda f: (f / FACTS).write_text("{"),
    "facts that are a list": lambda f: (f / FACTS).write_text("[]"),
    "other forms": lambda f: change_facts(f, forms=["cat"]),
    "an accuracy above 1": lambda f: change_facts(f, form_accuracy=1.5),
    "a size that is a word": lambda f: change_facts(f, size="large"),
    "no weights": lambda f: (f / WEIGHTS).unlink(),
    "weights cut off": lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:5000]),
    "weights that are a pickle": lambda f: torch.save({}, f / WEIGHTS),
    "a tensor missing": lambda f: change_weights(f, lambda t: t.pop("form.bias")),
    "a tensor too many": lambda f: change_weights(f, lambda t: t.update(more=torch.zeros(1))),
    "another shape": lambda f: change_weights(f, lambda t: t.update({"form.bias": torch.zeros(9)})),
    "NaN": lambda f: change_weights(f, lambda t: t["form.bias"].fill_(float("nan"))),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_a_broken_folder_is_refused(broken: str, folder: Path):
    BREAKS[broken](folder)
    with pytest.raises(ModelFolderError, match=r"judge\.(json|safetensors) "):
        read_judge(folder)


def test_weights_larger_than_any_judge_are_not_even_read(folder: Path):
    (folder / WEIGHTS).write_bytes(bytes(MOST_BYTES + 1))
    with pytest.raises(ModelFolderError, match="more than 8,000,000 bytes"):
        read_judge(folder)


def test_a_folder_that_is_gone_is_refused(folder: Path):
    shutil.rmtree(folder)
    with pytest.raises(ModelFolderError):
        read_judge(folder)


def test_the_judge_that_comes_with_the_program_is_found_and_good():
    """Its own word about itself is checked on 48 renders that it has not seen."""
    folder = find_judge(SHIPPED_SIZE)
    assert folder is not None
    kept = read_judge(folder)
    assert min(kept.form_accuracy, kept.material_accuracy) >= 0.97
    labels = cycle_labels(48)
    pictures = torch.cat(list(fresh_renders(20_261_125, *labels, SHIPPED_SIZE)))
    measured = evaluate.measure(kept, pictures, 4, evaluate.read(kept.judge, pictures), labels, torch.zeros(48, 2))
    assert measured.form_accuracy >= 0.93
    assert measured.material_accuracy >= 0.93
    assert (folder / WEIGHTS).stat().st_size < 1_500_000


def test_a_copy_without_its_judge_says_so_and_makes_none(tmp_path, monkeypatch, own_folders):
    monkeypatch.setattr("sculptor_app.resources.root", lambda: tmp_path)
    with pytest.raises(JudgeError, match=r"judge-128 is missing: this copy of Sculptor is not whole"):
        find_judge(SHIPPED_SIZE)
    assert find_judge(16) is None
