"""The window opens a model of a person's own pictures, which knows no forms and no materials."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sculptor_app.cli import main
from sculptor_app.training.network import new_pipeline
from tests.helpers.window import Driver
from tests.ui.conftest import only_living_widgets, open_window, settings  # noqa: F401  # fixtures


@pytest.fixture
def unlabelled(tmp_path: Path) -> Path:
    new_pipeline((), (), size=16, channels=(32,)).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_it_runs_when_form_and_material_are_left_to_it(open_window: Callable[..., Driver], unlabelled: Path):  # noqa: F811
    driver = open_window(model=unlabelled)
    driver.prepare()
    driver.window.panels.controls.form.setCurrentIndex(0)
    driver.window.panels.controls.material.setCurrentIndex(0)
    driver.run(3)
    assert driver.ends == ["finished"]
    assert driver.session.trajectory.is_complete
    assert driver.session.trajectory.shape == (3, 16, 16)


def test_a_form_is_refused_in_a_sentence(unlabelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["sculpt", "--model", str(unlabelled), "--device", "cpu", "--steps", "2", "--out", str(tmp_path / "x.gif")]
    assert main([*words, "--form", "bust"]) == 2
    assert capsys.readouterr().err == "This model knows no forms; leave the form to the model.\n"
    assert main([*words, "--material", "bronze"]) == 2
    assert capsys.readouterr().err == "This model knows no materials; leave the material to the model.\n"
    assert main(words) == 0
