"""A run in its folder: it goes on bit for bit, reports, draws, ends by time, and stops when asked."""

import copy
import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sculptor_app.commands.terminal import stop_on_signal
from sculptor_app.training.data.shards import ShardSet
from sculptor_app.training.errors import CheckpointError, NotWritten, SettingsChanged
from sculptor_app.training.loop.statistics import RateMeter, seconds_left, share_done
from sculptor_app.training.loop.trainer import Trainer
from sculptor_app.training.records.events import EDGES, forget_later
from sculptor_app.training.records.plan import Recipe
from tests.training.tiny import (
    RECIPE,
    Messages,
    Weights,
    same,
    tiny_pipeline,
    tiny_run,
    tiny_trainer,
    weights,
    with_recipe,
)


def log_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


class Clock:
    """Time that passes only when it is looked at, and always as fast."""

    def __init__(self, tick_s: float) -> None:
        self._now_s, self._tick_s = 0.0, tick_s

    def __call__(self) -> float:
        self._now_s += self._tick_s
        return self._now_s


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_a_run_that_was_stopped_goes_on_bit_for_bit(tmp_path: Path, precision: str):
    recipe = with_recipe(mixed_precision=precision)
    uninterrupted = tiny_run(tmp_path / "whole", recipe)
    uninterrupted.go()
    tiny_run(tmp_path / "parts", recipe).go(until=24)
    second = tiny_run(tmp_path / "parts", recipe)
    assert second.trainer.seen == 24
    assert second.go() == 0
    assert same(second, weights(uninterrupted))


def test_a_run_killed_between_checkpoints_goes_on_from_the_last_one(whole: Weights, tmp_path: Path):
    killed = tiny_run(tmp_path / "killed")
    killed.go(until=16)
    for _ in range(3):
        killed.trainer.step()  # and no checkpoint of them
    again = tiny_run(tmp_path / "killed")
    assert again.trainer.seen == 16
    again.go()
    assert same(again, whole)


def test_a_checkpoint_is_there_before_the_first_step(tmp_path: Path):
    run = tiny_run(tmp_path)
    there: list[bool] = []
    real = run.trainer.step
    run.trainer.step = lambda: there.append(run.checkpoint_path.exists()) or real()
    run.go(until=8)
    assert there == [True, True]


def test_what_watches_the_gradients_travels_too(tmp_path: Path):
    run = tiny_run(tmp_path)
    run.go(until=8)
    guard = run.trainer._guard
    guard.refused = 5
    run.trainer.step()
    guard.refused = 5
    run.save()
    assert vars(tiny_run(tmp_path).trainer._guard) == {"usual": guard.usual, "refused": 5}


def test_a_growing_set_is_the_same_after_resuming(tmp_path: Path):
    """Shards appear between checkpoints; a run is to learn from those that it had, in their order."""

    def write(first: int) -> None:
        pictures = np.random.default_rng(first).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
        np.savez(tmp_path / f"shard-{first:012d}.npz", pictures=pictures, forms=np.zeros(6, int),
                 materials=np.zeros(6, int))  # fmt: skip

    write(6)
    trainer = Trainer(tiny_pipeline(), ShardSet(tmp_path, 16), RECIPE)
    trainer.pictures.refresh()
    write(0)
    trainer.pictures.refresh()
    state = copy.deepcopy(trainer.state())
    trainer.step()
    write(12)
    again = Trainer(tiny_pipeline(), ShardSet(tmp_path, 16), RECIPE)
    again.load_state(state)
    again.step()
    assert len(again.pictures) == 12
    assert torch.equal(again.pipeline.unet.conv_in.weight, trainer.pipeline.unet.conv_in.weight)
    assert again.pictures.provenance() == {"render_seeds": [[0, 12]], "pictures": 12}
    (tmp_path / "shard-000000000006.npz").unlink()
    with pytest.raises(SettingsChanged, match="not there any more"):
        Trainer(tiny_pipeline(), ShardSet(tmp_path, 16), RECIPE).load_state(state)


def test_the_log_tells_the_loss_per_noise_level(tmp_path: Path):
    run = tiny_run(tmp_path)
    run.go()
    lines = log_of(tmp_path)
    assert [line["pictures"] for line in lines] == [16, 32, 48, 64]
    for line in lines:
        assert len(line["loss_by_log_snr"]) == len(line["learned_by_log_snr"]) == len(EDGES) + 1
        assert line["loss"] > 0
        assert line["pictures_per_second"] > 0
    assert lines[-1]["minutes_left"] == 0
    assert run.loss_by_log_snr == lines[-1]["loss_by_log_snr"]


def test_the_mean_per_level_is_the_mean_per_level(tmp_path: Path):
    steps = []
    run = tiny_run(tmp_path, with_recipe(report_every=64))
    real = run.trainer.step
    run.trainer.step = lambda: steps.append(real()) or steps[-1]
    run.go()
    (line,) = log_of(tmp_path)
    levels, losses, blind = (torch.cat([getattr(s, name) for s in steps])
                             for name in ("log_snr", "losses", "baseline_losses"))  # fmt: skip
    assert line["loss"] == pytest.approx(losses.mean().item(), abs=1e-4)
    borders = (-float("inf"), *EDGES, float("inf"))
    for i, found in enumerate(line["loss_by_log_snr"]):
        inside = (levels > borders[i]) & (levels <= borders[i + 1])
        assert found == (pytest.approx(losses[inside].mean().item(), abs=1e-3) if inside.any() else None)
        if inside.any():
            share = 1 - (losses[inside].sum() / blind[inside].sum()).item()
            assert line["learned_by_log_snr"][i] == pytest.approx(share, abs=1e-3)


def test_the_end_of_a_short_run_is_reported_too(tmp_path: Path):
    tiny_run(tmp_path, with_recipe(report_every=48)).go()
    assert [line["pictures"] for line in log_of(tmp_path)] == [48, 64]


def test_what_a_killed_run_logged_after_its_checkpoint_goes(tmp_path: Path):
    tiny_run(tmp_path).go(until=32)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"pictures": 48, "loss": 1.0}\n{"pictures": 49, "lo')
    tiny_run(tmp_path).go()
    assert [line["pictures"] for line in log_of(tmp_path)] == [16, 32, 48, 64]


def test_a_log_that_is_not_there_is_no_fault(tmp_path: Path):
    forget_later(tmp_path / "log.jsonl", 3)
    assert list(tmp_path.iterdir()) == []


def test_sample_sheets_appear_on_fixed_noise_and_change_nothing_that_is_learned(tmp_path: Path):
    recipe = with_recipe(learning_rate=1e-12)
    drawn, plain = tiny_run(tmp_path / "a", replace(recipe, sample_every=16)), tiny_run(tmp_path / "b", recipe)
    drawn.go(until=32)
    plain.go(until=32)
    assert same(drawn, weights(plain))
    assert not list((tmp_path / "b").glob("*.png"))
    sheets = sorted((tmp_path / "a").glob("*.png"))
    assert [p.name for p in sheets] == ["samples-000000016.png", "samples-000000032.png"]
    first, second = (np.asarray(Image.open(path)).astype(int) for path in sheets)
    assert first.shape == (8 * 16, 6 * 16, 3)
    assert np.abs(first - second).max() <= 1  # next to nothing was learned, and the noise is the same


def test_a_run_by_time_ends_by_time_and_goes_on_with_what_is_left(tmp_path: Path):
    """A step takes six seconds of this clock, so that a minute is ten steps, less one tick at the beginning."""
    recipe = with_recipe(total_pictures=10**9, minutes=1.0)
    first = tiny_run(tmp_path, recipe, clock=Clock(6.0))
    rates = []
    real = first.trainer.step
    first.trainer.step = lambda: rates.append(first.trainer.learning_rate) or real()
    first.go(until=16)
    assert first.trainer.elapsed_s == pytest.approx(24)
    second = tiny_run(tmp_path, recipe, clock=Clock(6.0))
    assert second.trainer.elapsed_s == pytest.approx(24)
    real_two = second.trainer.step
    second.trainer.step = lambda: rates.append(second.trainer.learning_rate) or real_two()
    second.go()
    assert second.trainer.seen == 40
    assert second.trainer.elapsed_s == pytest.approx(60)
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] < 0.1 * max(rates)
    assert log_of(tmp_path)[-1]["minutes_left"] == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_the_step_and_writes_a_checkpoint(whole: Weights, tmp_path: Path, number: int, code: int):
    stopped = tiny_run(tmp_path / "stopped")
    real = stopped.trainer.step

    def signalled():
        if stopped.trainer.seen == 20:
            signal.raise_signal(number)
        return real()

    stopped.trainer.step = signalled
    with stop_on_signal() as interruption:
        assert stopped.go(stop_code=lambda: interruption.code) == code
    again = tiny_run(tmp_path / "stopped")
    assert again.trainer.seen == 24
    again.go()
    assert same(again, whole)


def test_a_second_signal_ends_at_once_unless_several_processes_share_the_terminal():
    with stop_on_signal():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    with stop_on_signal(patient=True) as interruption:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert interruption.event.is_set()


def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path):
    tiny_run(tmp_path).go()
    before = (tmp_path / "checkpoint.pt").stat().st_mtime_ns
    assert tiny_run(tmp_path).go() == 0
    assert (tmp_path / "checkpoint.pt").stat().st_mtime_ns == before


def test_what_a_run_began_with_must_stay(tmp_path: Path):
    tiny_run(tmp_path, fixed={"--size": 16, "--channels": [32, 32]}).go(until=4)
    tiny_run(tmp_path, fixed={"--size": 16, "--channels": [32, 32]})
    with pytest.raises(SettingsChanged, match=r"began with --channels 32,32, not 64\."):
        tiny_run(tmp_path, fixed={"--size": 16, "--channels": [64]})


def test_another_architecture_is_refused_even_if_the_options_are_the_same(tmp_path: Path):
    run = tiny_run(tmp_path)
    run.trainer.pipeline.scheduler.register_to_config(beta_schedule="linear")
    run.go(until=4)
    with pytest.raises(SettingsChanged, match=r"another architecture \(scheduler\)"):
        tiny_run(tmp_path)


def test_a_recipe_that_changed_is_said_and_followed(tmp_path: Path):
    tiny_run(tmp_path).go(until=8)
    same_messages, other_messages = Messages(), Messages()
    tiny_run(tmp_path, with_recipe(checkpoint_every=8), listener=same_messages)
    assert same_messages.sentences == [f"Going on from {tmp_path / 'checkpoint.pt'} after 8 pictures."]
    run = tiny_run(tmp_path, with_recipe(batch=8, ema_decay=0.5), listener=other_messages)
    assert other_messages.sentences[1] == (
        "From here on with batch 8 instead of 4, ema decay 0.5 instead of 0.999: "
        "the run will not be bit for bit what it would have been."
    )
    run.go(until=16)
    assert run.trainer.seen == 16


def test_a_damaged_checkpoint_is_named(tmp_path: Path):
    (tmp_path / "checkpoint.pt").write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match=r"checkpoint.pt is damaged"):
        tiny_run(tmp_path)


def test_a_checkpoint_of_another_version_is_named(tmp_path: Path):
    torch.save({"seen": 3, "learner": {}}, tmp_path / "checkpoint.pt")
    with pytest.raises(CheckpointError, match="another version of this program"):
        tiny_run(tmp_path)


def test_a_state_of_fewer_processes_is_gone_on_from_with_new_chances():
    trainer = tiny_trainer()
    trainer.step()
    state = trainer.state()
    state["generators"] *= 2
    later = tiny_trainer()
    later.load_state(state)
    assert not torch.equal(later._generator.get_state(), state["generators"][0])


def test_nothing_is_written_where_nothing_can_be(tmp_path: Path):
    run = tiny_run(tmp_path / "run")
    (tmp_path / "run").rmdir()
    with pytest.raises(NotWritten, match=r"checkpoint.pt could not be written \(No such file"):
        run.go()


def test_time_left_follows_the_rate_or_the_clock():
    by_pictures, by_time = Recipe(1000), Recipe(10**9, minutes=2)
    assert (seconds_left(by_pictures, 400, 77, 20.0), share_done(by_pictures, 400, 77)) == (30, 0.4)
    assert (seconds_left(by_time, 400, 30, 20.0), share_done(by_time, 400, 30)) == (90, 0.25)
    assert seconds_left(by_pictures, 0, 0, 0.0) == float("inf")
    assert (share_done(by_pictures, 1004, 0), share_done(by_time, 0, 121)) == (1, 1)


def test_the_rate_is_that_of_the_last_steps():
    pace = RateMeter()
    pace.mark(0, 0.0)
    assert pace.rate == 0
    for step in range(1, 300):
        pace.mark(10 * step, 100.0 * step)
    for step in range(300, 500):
        pace.mark(10 * step, 100.0 * 299 + 2.0 * (step - 299))
    assert pace.rate == pytest.approx(5.0)
