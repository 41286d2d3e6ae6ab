"""Forks that were painted on: they go on from what was painted, are told whole, and come out the same again."""

import functools
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sculptor_app.core.pictures.painting import Ground, frame_to_copy, painted_frame
from sculptor_app.core.requests.painting import PaintedFrame, Painting, PaintStroke, StrokeKind
from sculptor_app.core.requests.request import Parting, RequestError, RunRequest
from sculptor_app.core.trajectory.base import Fork
from sculptor_app.core.trajectory.comparison import (
    differing_settings,
    shared_steps,
    why_not_repeatable,
    with_copied,
    with_model,
)
from sculptor_app.core.trajectory.file import open_run
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.noise import white_noise
from sculptor_app.diffusion.studies.fork import fork, make_again
from sculptor_app.diffusion.studies.parting import parted
from sculptor_app.exports.animation.options import Disclosure
from sculptor_app.exports.saved_run import write_sculpt
from tests.helpers.any_pipeline import engine_of, finish, request_for, write_pictures

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

STEPS, K = 8, 4
EVERYWHERE = ((0.0, 0.0), (1.0, 1.0))
RED = PaintStroke(StrokeKind.COLOUR, ((0.4, 0.4), (0.6, 0.5)), 0.15, colour="#c04030")
NOISE = PaintStroke(StrokeKind.NOISE, ((0.3, 0.3),), 0.3, seed=5)
SHIFT = PaintStroke(StrokeKind.SHIFT, ((0.7, 0.7),), 0.2, shift=(1.0, 0.0, -1.0))
ERASED = PaintStroke(StrokeKind.ERASE, EVERYWHERE, is_box=True)
COPY = PaintStroke(StrokeKind.COPY, ((0.0, 0.0), (0.5, 1.0)), is_box=True)
ON_GUESS, ON_STATE = (Painting(PaintedFrame.GUESS, (RED,)), Painting(PaintedFrame.STATE, (NOISE, SHIFT)))


@pytest.fixture
def sculpture(tiny_model: Path) -> Any:
    return functools.partial(RunRequest, form="bust", steps=STEPS, model=str(tiny_model), device="cpu")


def painted(whole: Trajectory, k: int, engine: Engine, painting: Painting) -> Trajectory:
    request = whole.info.request
    shared, state = parted(whole, k, Parting.PAINTED, request.seed, painting)
    how = {"state": state, "parting": Parting.PAINTED, "painting": painting}
    *_, last = fork(whole, shared, engine, threading.Event(), request, **how)
    made: Trajectory = last.trajectory
    return made


def again(engine: Engine, made: Trajectory) -> Trajectory:
    *_, last = make_again(engine, made.info, threading.Event())
    result: Trajectory = last.trajectory
    return result


def check_same(first: Any, second: Any) -> None:
    assert first.last == second.last
    for number in range(first.last + 1):
        np.testing.assert_array_equal(first.state(number), second.state(number), err_msg=f"state {number}")


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "unipc", "dpmpp-2m", "heun"])
@pytest.mark.parametrize("painting", [ON_GUESS, ON_STATE], ids=["guess", "state"])
def test_a_painted_fork_goes_on_from_what_was_painted(sampler: str, painting: Painting, sculpture: Any) -> None:
    engine = Engine()
    whole = finish(engine, sculpture(sampler=sampler))
    made = painted(whole, K, engine, painting)
    assert made.info.forks == (Fork(K, whole.info.request, Parting.PAINTED, painting),)
    assert "painted at step 4" in made.info.title.facts
    for number in range(K):
        np.testing.assert_array_equal(made.state(number), whole.state(number))
    ground = Ground.of(whole, K)
    values = painted_frame(ground, painting, lambda seed: white_noise(seed, whole.shape))
    np.testing.assert_array_equal(made.state(K), ground.state_with(painting.frame, values))
    assert np.abs(made.state(STEPS) - whole.state(STEPS)).max() > 1e-3
    check_same(made, again(engine, made))


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "unipc", "dpmpp-2m"])
@pytest.mark.parametrize("painting", [ON_GUESS, ON_STATE], ids=["guess", "state"])
def test_a_fork_with_everything_erased_is_the_run_to_the_last_bit(
    sampler: str, painting: Painting, sculpture: Any
) -> None:
    """What a multistep sampler remembers, too: only where something was painted it begins afresh."""
    engine = Engine()
    whole = finish(engine, sculpture(sampler=sampler))
    erased = replace(painting, strokes=(*painting.strokes, ERASED))
    made = painted(whole, K, engine, erased)
    check_same(made, whole)
    check_same(again(engine, made), whole)


def test_a_sampler_that_corrects_its_last_step_keeps_what_was_painted(sculpture: Any) -> None:
    """UniPC takes every state back to the one before, and would undo a state that was changed."""
    engine = Engine()
    unipc, ddim = (finish(engine, sculpture(sampler=each)) for each in ("unipc", "ddim"))
    shift = Painting(PaintedFrame.STATE, (replace(SHIFT, radius=0.5, shift=(2.0, 2.0, 2.0)),))
    moved = {}
    for name, whole in (("unipc", unipc), ("ddim", ddim)):
        made = painted(whole, K, engine, shift)
        moved[name] = float(np.abs(made.state(K + 1) - whole.state(K + 1)).mean())
    assert moved["unipc"] > 0.8 * moved["ddim"]


def test_a_painted_fork_is_painted_on_again(sculpture: Any) -> None:
    engine = Engine()
    whole = finish(engine, sculpture(sampler="unipc"))
    second = painted(painted(whole, 2, engine, ON_STATE), 5, engine, ON_GUESS)
    assert [each.step for each in second.info.forks] == [2, 5]
    check_same(second, again(engine, second))


def test_what_was_copied_travels_in_the_file_and_is_made_again(sculpture: Any, tmp_path: Path) -> None:
    engine = Engine()
    whole, other = (finish(engine, sculpture(sampler="ddim", seed=seed)) for seed in (7, 8))
    guess = frame_to_copy(whole, K, other, PaintedFrame.GUESS)
    made = painted(whole, K, engine, Painting(PaintedFrame.GUESS, (COPY, RED), (guess,)))
    made = painted(made, 6, engine, replace(ON_GUESS, strokes=(COPY,), copied=(other.guess(6),)))
    path = tmp_path / "made.sculpt"
    write_sculpt(path, made)
    saved = open_run(path)
    assert saved.schema == 3
    assert why_not_repeatable(saved) == ""
    np.testing.assert_array_equal(saved.copied(), [guess, other.guess(6)])
    info = with_model(with_copied(saved), made.info.request.model, "cpu")
    assert info.forks == made.info.forks
    *_, last = make_again(engine, info, threading.Event())
    check_same(last.trajectory, saved)
    saved.check_frames()

    compact, private = tmp_path / "compact.sculpt", tmp_path / "private.sculpt"
    write_sculpt(compact, made, is_compact=True)
    np.testing.assert_array_equal(open_run(compact).copied(), saved.copied())  # not rounded
    np.testing.assert_array_equal(open_run(compact).cut(1).copied(), saved.copied())
    write_sculpt(private, made, disclosure=Disclosure.PRIVATE)
    poor = open_run(private)
    assert why_not_repeatable(poor) == "Parts of another run were copied into this one, and are not in its file."
    with pytest.raises(RequestError, match="What was copied from another run is not known any more"):
        list(make_again(engine, with_model(with_copied(poor), made.info.request.model, "cpu"), threading.Event()))


def test_a_painted_run_is_saved_and_made_again(sculpture: Any, tmp_path: Path) -> None:
    engine = Engine()
    whole = finish(engine, sculpture(sampler="unipc"))
    made = painted(whole, K, engine, ON_STATE)
    path = tmp_path / "made.sculpt"
    write_sculpt(path, made)
    saved = open_run(path)
    info = with_model(with_copied(saved), made.info.request.model, "cpu")
    assert info.forks == made.info.forks
    assert "painted at step 4" in saved.info.title.facts
    *_, last = make_again(engine, info, threading.Event())
    check_same(last.trajectory, saved)
    assert shared_steps(whole.info, made.info) == K - 1
    told = {each.name: each.other for each in differing_settings(whole.info, made.info)}
    assert (told["left another run"], told["painted"]) == ("4", "2 strokes on the state")
    write_sculpt(path, whole)
    assert open_run(path).schema == 1


@pytest.mark.parametrize("kind", ["stable_diffusion", "flux"])
def test_latents(kind: str, tmp_path: Path) -> None:
    """Other noise in channels of latents, packed or not, and of PNDM, too, which cannot begin afresh."""
    write_pictures(tmp_path)
    engine, request = engine_of(kind), request_for(kind, folder=tmp_path, steps=STEPS)
    whole = finish(engine, request)
    made = painted(whole, K, engine, replace(ON_STATE, strokes=(NOISE,)))
    assert np.abs(made.state(STEPS) - whole.state(STEPS)).max() > 1e-3
    check_same(made, again(engine, made))
    with pytest.raises(RequestError, match="no red, green and blue, so no colour can be painted"):
        painted(whole, K, engine, ON_GUESS)


def test_what_cannot_be_painted_is_refused(sculpture: Any) -> None:
    engine = Engine()
    whole = finish(engine, sculpture(sampler="ddim"))
    with pytest.raises(RequestError, match="Nothing is painted; give at least one stroke"):
        parted(whole, K, Parting.PAINTED, 7)
    with pytest.raises(RequestError, match="no painting at step 0; choose 1 to 8"):
        painted(whole, 0, engine, ON_GUESS)
