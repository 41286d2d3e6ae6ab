"""Models of which little is known, and settings that give no picture, in the real window."""

import csv
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from sculptor_app.exports.formats import FORMATS
from sculptor_app.exports.numbers import write_csv
from tests.helpers.window import RUN_MS, Driver
from tests.ui.models.test_journey_models import open_model

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
NO_GUESS = "How the sampler DDIMInverseScheduler takes its steps is not known here, so no guess can be shown."


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """A tiny Stable Diffusion with a sampler that is not known, and a DDPM that was trained on 100 timesteps."""
    from diffusers import DDIMInverseScheduler, DDPMScheduler

    from tests.helpers.tiny_pipelines import build

    place = tmp_path_factory.mktemp("models")
    strange, short = build("stable_diffusion"), build("ddpm")
    strange.scheduler = DDIMInverseScheduler()
    short.scheduler = DDPMScheduler(num_train_timesteps=100)
    for name, pipeline in {"strange": strange, "short": short}.items():
        pipeline.save_pretrained(place / name)
    return {name: place / name for name in ("strange", "short")}


def test_a_model_whose_sampler_is_not_known_runs_scrubs_and_is_exported(
    ready: Driver, folders: dict[str, Path], tmp_path: Path
) -> None:
    open_model(ready, str(folders["strange"]))
    controls, window = ready.window.panels.controls, ready.window
    assert [controls.sampler.itemData(row) for row in range(controls.sampler.count())] == ["model"]
    ready.run(4)
    run = ready.session.trajectory
    assert (run.is_complete, run.planned_steps, run.spans) == (True, 4, ())
    assert window.panels.status_line.text().startswith("step 4 of 4 · noise level not known · ")
    assert window.bench.stage.panels[0].picture_view.image is None
    assert run.step(4).guess_note == NO_GUESS
    assert "noise level not known" in window.panels.timeline.describe(2)
    for step in (0, 2, 4):
        ready.session.go_to(step)
        ready.flush()
    assert window.panels.plots.band_plot._empty.text() == "This run has no guess: choose “noisy state” above."
    window.grab().save(str(tmp_path / "window.png"))
    table, film = tmp_path / "numbers.csv", tmp_path / "run.gif"
    write_csv(table, run)
    rows = [line for line in csv.reader(table.read_text().splitlines()) if line and not line[0].startswith("#")]
    assert rows[2][:2] == ["1", ""]
    assert film.suffix[1:] in FORMATS


def test_more_steps_than_a_model_was_trained_on_are_refused_beside_the_field(
    ready: Driver, folders: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    open_model(ready, str(folders["short"]))
    controls, panel = ready.window.panels.controls, ready.window.panels.run_panel
    with caplog.at_level(logging.WARNING), ready.qtbot.waitSignal(ready.runner.plan_refused, timeout=RUN_MS):
        ready.set_steps(1000)
    assert controls.reason.startswith(
        "This model was trained on 100 timesteps, over which DDPM cannot take 1000 steps."
    )
    assert "Choose another number of steps" in controls.reason
    assert not panel.button.isEnabled()
    assert not [each for each in caplog.records if each.levelno >= logging.WARNING]
    ready.run(4)
    assert ready.session.trajectory.is_complete
    with ready.qtbot.waitSignal(ready.runner.plan_refused, timeout=RUN_MS):
        ready.set_steps(1000)  # with a run on screen, too
    assert not panel.button.isEnabled()
    ready.set_steps(5)
    assert panel.button.isEnabled()
