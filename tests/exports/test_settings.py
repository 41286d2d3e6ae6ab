"""The settings in exported files say what a run began with."""

import dataclasses
from pathlib import Path

from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.base import Fork
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.exports.animation import caption
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.settings import read_settings
from sculptor_app.exports.stills import write_png
from tests.helpers.runs import made_run


def test_a_run_from_a_picture_keeps_its_whole_request(tmp_path: Path) -> None:
    made = made_run(steps=3)
    info = dataclasses.replace(made.info, origin="bust.jpg", first_step=2)
    late = Trajectory(info, made.state(1), made.levels[1:])
    write_png(tmp_path / "x.png", late, 0, AnimationOptions(frames="noisy"))
    read = read_settings(tmp_path / "x.png")
    assert (read["origin"], read["first_step"]) == ("bust.jpg", 2)
    assert read["request"] == info.request.as_dict()


def test_a_run_of_the_seed_began_at_its_first_step(tmp_path: Path) -> None:
    write_png(tmp_path / "x.png", made_run(steps=3), 3, AnimationOptions())
    read = read_settings(tmp_path / "x.png")
    assert (read["origin"], read["first_step"]) == ("", 1)


def test_what_a_model_was_told_and_where_a_run_left_another(tmp_path: Path) -> None:
    made = made_run(steps=3)
    before = RunRequest(steps=3, guidance=None, options={"prompt": "a bust", "strength": 0.5, "clean": True})
    request = dataclasses.replace(before, options={"prompt": "eine Büste"})
    info = dataclasses.replace(made.info, request=request, forks=(Fork(2, before),))
    write_png(tmp_path / "x.png", Trajectory(info, made.state(0), made.levels), 0, AnimationOptions(frames="noisy"))
    read = read_settings(tmp_path / "x.png")
    assert RunRequest(**read["request"]) == request
    assert [(each["step"], RunRequest(**each["request"])) for each in read["forks"]] == [(2, before)]


def test_captions_call_a_noised_picture_so() -> None:
    made = made_run(steps=4)
    late = Trajectory(dataclasses.replace(made.info, first_step=3), made.state(2), made.levels[2:])
    assert caption._headings(made, 0)[0].startswith("Step 0 of 4")
    assert "Pure noise" in caption._headings(made, 0)[0]
    assert "Noised picture" in caption._headings(late, 0)[0]
