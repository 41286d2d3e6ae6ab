"""`fork`: runs that share the first steps of one, side by side."""

import shutil
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from sculptor_app.cli import main
from sculptor_app.commands.fork import _seeds
from sculptor_app.core.requests.request import MAX_SEED, Parting, RequestError, RunRequest
from sculptor_app.core.trajectory.file import open_run
from sculptor_app.diffusion.sampling.engine import Engine
from sculptor_app.diffusion.sampling.sample import sample
from sculptor_app.diffusion.studies.fork import fork, make_again
from sculptor_app.diffusion.studies.parting import noised_back, parted
from sculptor_app.exports.numbers import read_csv
from tests.helpers.any_pipeline import finish

pytestmark = pytest.mark.usefixtures("no_trials")


def forked(model: Path, *arguments: object) -> int:
    return main(["fork", "--model", str(model), "--device", "cpu", "--steps", "6", *map(str, arguments)])


def fork_of(file: Path, model: Path, *arguments: object) -> int:
    return main(["fork", str(file), "--model", str(model), "--device", "cpu", *map(str, arguments)])


def test_forks_share_the_run_up_to_their_step(tiny_model: Path, tmp_path: Path) -> None:
    runs, sheet, table = tmp_path / "runs", tmp_path / "x.png", tmp_path / "x.csv"
    given = ("--form", "bust", "--at", 3, "--then", "guidance=1", "--then", "form=vase", "--noise", 5, "--count", 2)
    assert forked(tiny_model, *given, "--out", sheet, "--numbers", table, "--save-each", runs, "--size-px", 32) == 0
    whole, *forks = (open_run(path) for path in sorted(runs.iterdir()))
    assert [each.info.forks[-1].step for each in forks] == [3, 3, 2, 2]  # noise that DDIM does not draw is laid on
    assert (forks[0].info.request.guidance, forks[1].info.request.form) == (1.0, "vase")
    assert [each.info.request.seed for each in forks] == [7, 7, 5, 6]
    for each in forks:
        shared = each.info.forks[-1].step if each.info.request.seed == 7 else 1
        for k in range(shared + 1):
            np.testing.assert_array_equal(each.state(k), whole.state(k))
        assert not np.array_equal(each.state(6), whole.state(6))
    assert not np.array_equal(forks[2].state(6), forks[3].state(6))
    with Image.open(sheet) as image:
        assert min(image.size) > 64
    header, rows = read_csv(table)
    assert len(rows) == 5 * 7
    assert len(header["runs"]) == 5


def test_a_saved_run_is_forked_as_it_was(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A fork of the file of a fork: made again with all that it left, and the same as one of the run itself."""
    first, again = tmp_path / "first", tmp_path / "again"
    assert forked(tiny_model, "--at", 3, "--then", "guidance=1", "--save-each", first) == 0
    assert fork_of(first / "fork-1.sculpt", tiny_model, "--at", 4, "--noise", 9, "--save-each", again) == 0
    saved = open_run(first / "fork-1.sculpt")
    whole, fork = (open_run(path) for path in sorted(again.iterdir()))
    for k in range(7):
        np.testing.assert_array_equal(whole.state(k), saved.state(k))
    np.testing.assert_array_equal(fork.state(2), saved.state(2))  # DDIM draws no noise: it is laid on at step 3
    assert [each.step for each in fork.info.forks] == [3, 3]
    assert fork_of(first / "fork-1.sculpt", tiny_model, "--at", 9, "--noise", 9, "--save-each", again) == 2
    assert "The step is 9; the run has 6." in capsys.readouterr().err
    assert fork_of(first / "fork-1.sculpt", tiny_model, "--at", 4, "--form", "vase", "--noise", 9) == 2
    assert "The file tells the run's own form. Leave out --form, or give it after --then." in capsys.readouterr().err


def test_a_saved_run_that_comes_out_otherwise_is_not_forked(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert forked(tiny_model, "--at", 3, "--then", "guidance=1", "--save-each", tmp_path / "first") == 0
    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    weights = next((other / "unet").glob("*.safetensors"))
    save_file({name: each * 1.01 for name, each in load_file(weights).items()}, weights)
    given = ("--at", 4, "--noise", 9, "--save-each", tmp_path / "again")
    assert fork_of(tmp_path / "first" / "fork-0.sculpt", other, *given) == 2
    assert "does not come out here as it is in its file: they part at step 1." in capsys.readouterr().err


def test_the_step_may_be_told_by_its_noise_level(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    level = Engine().plan(RunRequest(steps=6, sampler="ddim", model=str(tiny_model)))[4]
    given = ("--sampler", "ddim", "--then", "guidance=1")
    for number, told in enumerate((f"snr={level.snr * 0.999999:.9}", f"sigma={level.sigma * 1.000001:.9}", "step 4")):
        folder = tmp_path / str(number)
        assert forked(tiny_model, *given, "--at", told, "--save-each", folder) == 0
        assert open_run(folder / "fork-1.sculpt").info.forks[0].step == 4
    assert forked(tiny_model, *given, "--at", "snr=1e-12", "--save-each", tmp_path / "x") == 2
    assert "No step of the run comes before that noise level." in capsys.readouterr().err
    with pytest.raises(SystemExit):
        forked(tiny_model, *given, "--at", "snr=x", "--save-each", tmp_path / "x")
    assert "'snr=x' is no place along a run; write 8, snr=0.3 or sigma=1.5." in capsys.readouterr().err


def test_it_goes_on_in_other_steps(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of 6 steps, state 2 is as noisy as state 4 of 11: 7 steps are left."""
    given = ("--sampler", "ddim", "--at", 2, "--then", "steps=11", "--out", tmp_path / "x.png")
    assert forked(tiny_model, *given, "--save-each", tmp_path / "runs") == 0
    whole, fork = (open_run(path) for path in sorted((tmp_path / "runs").iterdir()))
    assert (fork.last, fork.planned_steps) == (9, 9)
    np.testing.assert_array_equal(fork.state(2), whole.state(2))
    capsys.readouterr()
    assert main(["reproduce", str(tmp_path / "runs" / "fork-1.sculpt"), "--model", str(tiny_model)]) == 0
    assert "The same, bit for bit: 10 states." in capsys.readouterr().out
    assert forked(tiny_model, "--sampler", "ddim", "--at", 2, "--then", "steps=7", "--out", tmp_path / "y.png") == 2
    assert "Choose one of these numbers of steps: 11, 16," in capsys.readouterr().err


def test_a_sampler_that_draws_noise_draws_another(tiny_model: Path, tmp_path: Path) -> None:
    assert forked(tiny_model, "--sampler", "ddpm", "--at", 4, "--noise", 9, "--save-each", tmp_path / "runs") == 0
    whole, fork = (open_run(path) for path in sorted((tmp_path / "runs").iterdir()))
    np.testing.assert_array_equal(fork.state(4), whole.state(4))
    assert not np.array_equal(fork.state(5), whole.state(5))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--at", "3"],
            "a fork would differ. Add --then NAME=VALUE, --noise N, --u-turn N or --paint STROKE.",
        ),
        (["--at", "7", "--then", "guidance=1"], "The step is 7; the run has 6. Choose one that it has."),
        (["--at", "6", "--then", "guidance=1"], "No steps are left at step 6 of 6. Choose an earlier one."),
        (["--at", "3", "--noise", "2", "--save-each", __file__], "is a file. Name a folder."),
        (["--at", "3", "--then", "sampler=x"], "The sampler 'x' is not known; choose one of"),
        (["--at", "3", "--then", "seed=1"], "A fork cannot have another seed. For another seed, add --noise N."),
        (["--at", "3", "--then", "guidance"], "'guidance' sets nothing. Write NAME=VALUE, as in guidance=1."),
        (["--at", "3", "--then", "guidance=x"], "The guidance 'x' is no number; give one."),
        (["--at", "3", "--then", "form=cat"], "The form 'cat' is not known; choose one of"),
        (["--at", "3", "--count", "2", "--then", "form=vase"], "Add --noise N or --u-turn N, the first of the"),
        (["--at", "1", "--noise", "2"], "Step 1 cannot be noised back. Choose --at 2 or a later one."),
    ],
)
def test_a_mistake_is_answered_by_one_sentence(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert forked(tiny_model, *arguments, "--out", tmp_path / "x.png") == 2
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_u_turns_share_the_states_before_and_are_told_of(tiny_model: Path, tmp_path: Path) -> None:
    given = ("--at", 3, "--u-turn", 5, "--count", 2, "--out", tmp_path / "x.png", "--save-each", tmp_path / "runs")
    assert forked(tiny_model, *given) == 0
    whole, *turned = (open_run(path) for path in sorted((tmp_path / "runs").iterdir()))
    assert [(each.info.forks[-1].step, each.info.forks[-1].parting) for each in turned] == [(3, Parting.U_TURN)] * 2
    for each in turned:
        np.testing.assert_array_equal(each.state(2), whole.state(2))
        clean, level = whole.state(6) / whole.levels[6].scale, whole.levels[3]
        noise = (each.state(3) - level.signal * clean) / level.noise
        assert noise.std() == pytest.approx(1, abs=0.1)
    assert not np.array_equal(turned[0].state(6), turned[1].state(6))


@pytest.mark.parametrize("sampler", ["ddim", "ddpm", "dpmpp-2m"])
def test_a_saved_fork_is_made_again_bit_for_bit(
    sampler: str, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--sampler", sampler, "--at", 3, "--then", "guidance=1", "--noise", 5, "--u-turn", 6)
    assert forked(tiny_model, *given, "--save-each", tmp_path / "runs") == 0
    for path in sorted((tmp_path / "runs").iterdir()):
        capsys.readouterr()
        assert main(["reproduce", str(path), "--model", str(tiny_model)]) == 0
        assert "The same, bit for bit: 7 states." in capsys.readouterr().out


def test_a_fork_of_a_fork_is_made_again_bit_for_bit(tiny_model: Path) -> None:
    engine, stop = Engine(), threading.Event()
    request = RunRequest(steps=8, seed=7, model=str(tiny_model), device="cpu")
    whole = finished(sample(engine, request, stop))
    first = finished(fork(whole, 3, engine, stop, replace(request, guidance=1.0)))
    noised = noised_back(first, 6, 9)
    parting = Parting.NOISED_BACK
    second = finished(fork(first, 5, engine, stop, replace(first.info.request, seed=9), state=noised, parting=parting))
    k, drowned = parted(second, 4, Parting.U_TURN, 3)
    turn = replace(second.info.request, seed=3)
    third = finished(fork(second, k, engine, stop, turn, state=drowned, parting=Parting.U_TURN))
    for made in (second, third):
        again = finished(make_again(engine, made.info, stop))
        for k in range(9):
            np.testing.assert_array_equal(again.state(k), made.state(k))
        assert again.info.forks == made.info.forks


def finished(events):
    for event in events:
        made = event.trajectory
    return made


def test_the_runs_own_noise_is_refused_and_passed_over(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fork", "--model", str(tiny_model), "--steps", "4", "--at", "2", "--seed", "7", "--out", "/nowhere/x.png"]
    for option in ("--noise", "--u-turn"):
        assert main([*words, option, "7"]) == 2
        assert "The noise of seed 7 is that of the run itself." in capsys.readouterr().err
    assert [*_seeds(5, 4, 7)] == [5, 6, 8, 9]
    assert main([*words, "--u-turn", str(MAX_SEED), "--count", "2"]) == 2
    assert str(MAX_SEED + 1) in capsys.readouterr().err
    assert main([*words[:-4], "--at", "1", "--noise", "2", "--seed", "7"]) == 2


def test_a_state_cannot_be_noised_back_with_what_is_in_it(tiny_model: Path) -> None:
    run = finish(Engine(), RunRequest("bust", steps=4, seed=7, device="cpu", model=str(tiny_model)))
    with pytest.raises(RequestError, match="The noise of seed 7 is that of the run itself"):
        noised_back(run, 3, 7)
    noised_back(run, 3, 8)
