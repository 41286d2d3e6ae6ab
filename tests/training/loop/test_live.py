"""A run that a window drives: paused, closed, opened again and gone on with, it learns bit for bit the same."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from sculptor_app.atelier import compiled
from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.training.errors import BadInput, NotWritten, SettingsChanged, TooFewPictures, TrainingFailed
from sculptor_app.training.loop import live
from sculptor_app.training.loop.checkpoint import load_checkpoint
from sculptor_app.training.loop.live import Learning, export
from sculptor_app.training.loop.trainer import Trainer
from sculptor_app.training.records import run_folder
from sculptor_app.training.records.events import (
    Begun,
    Learned,
    Message,
    Preparing,
    Report,
    Sampled,
    Stepped,
    TrainingEvent,
)
from sculptor_app.training.records.plan import OWN, Plan, Recipe, load_plan
from tests.training.tiny import fill, no_file_larger_than

TOTAL = 256


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every step is told, and no compiler; torch gets its threads back."""
    monkeypatch.setattr(compiled, "notice", lambda device: "")
    monkeypatch.setattr(live, "EMIT_EVERY_S", 0.0)
    monkeypatch.setattr(run_folder, "HEAD_START_S", 1e9)  # rows come however busy the machine is
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    recipe = Recipe(TOTAL, batch=16, warmup_pictures=16, report_every=64, checkpoint_every=128, sample_every=0,
                    mixed_precision="auto")  # fmt: skip
    return Plan(OWN, 8, recipe, 2, (32,), pictures=str(fill(tmp_path / "pictures")))


def learn(learning: Learning, until: int | None = None) -> list[TrainingEvent]:
    """Learn, and ask for a stop once so many pictures were seen."""
    stop, events = threading.Event(), []
    for event in learning.go(stop):
        events.append(event)
        if until is not None and isinstance(event, Stepped) and event.pictures >= until:
            stop.set()
    return events


def once(folder: Path, plan: Plan, until: int | None = None) -> list[TrainingEvent]:
    """Begin or go on, learn, and let go."""
    learning = Learning(folder, plan)
    try:
        return learn(learning, until)
    finally:
        learning.close()


def tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [tensor for part in parts for tensor in tensors(part)]


def same(one: Path, other: Path) -> bool:
    """Whether weights, averages, optimizer and chances are the same bit for bit."""
    a, b = (load_checkpoint(folder / "checkpoint.pt") for folder in (one, other))
    keys = ("learner", "average", "optimizer", "generators")
    pairs = zip(tensors([a[key] for key in keys]), tensors([b[key] for key in keys]), strict=True)
    return a["seen"] == b["seen"] and all(torch.equal(x, y) for x, y in pairs)


def test_paused_closed_and_opened_again_it_learns_bit_for_bit_the_same(tmp_path: Path, plan: Plan):
    once(tmp_path / "whole", plan)
    paused = Learning(tmp_path / "parts", plan)
    learn(paused, until=80)
    assert load_checkpoint(tmp_path / "parts" / "checkpoint.pt")["seen"] == 80
    learn(paused, until=144)  # it was paused in memory
    paused.close()
    events = once(tmp_path / "parts", plan)
    begun = next(event for event in events if isinstance(event, Begun))
    assert begun.run.pictures == 144
    assert same(tmp_path / "whole", tmp_path / "parts")


def test_closed_in_the_middle_it_keeps_the_newest_step(tmp_path: Path, plan: Plan):
    once(tmp_path / "whole", plan)
    learning = Learning(tmp_path / "parts", plan)
    going = learning.go(threading.Event())
    next(event for event in going if isinstance(event, Stepped) and event.pictures == 48)
    going.close()
    learning.close()
    assert load_checkpoint(tmp_path / "parts" / "checkpoint.pt")["seen"] == 48
    once(tmp_path / "parts", plan)
    assert same(tmp_path / "whole", tmp_path / "parts")


def test_growing_changes_nothing_that_is_learned(tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch):
    events = once(tmp_path / "grown", plan)
    assert sum(isinstance(event, Sampled) for event in events) >= 3
    monkeypatch.setattr(live, "sample_fixed_noises", lambda *_: None)
    assert not any(isinstance(event, Sampled) for event in once(tmp_path / "plain", plan))
    assert same(tmp_path / "grown", tmp_path / "plain")


def test_what_a_run_tells_and_leaves_behind(tmp_path: Path, plan: Plan):
    events = once(tmp_path / "run", plan)
    kinds = [type(event) for event in events]
    assert kinds.index(Preparing) < kinds.index(Begun) < kinds.index(Stepped)
    assert [event.pictures for event in events if isinstance(event, Report)] == [64, 128, 192, 256]
    grown = [event for event in events if isinstance(event, Sampled)]
    assert [event.row.pictures for event in grown] == [0, 192, 256]
    assert grown[-1].rows == (0, 192, 256)
    assert events[-1] == Learned(tmp_path / "run" / "model", TOTAL)
    assert load_sculptor(tmp_path / "run" / "model").picture_size == 8
    again = once(tmp_path / "run", plan)
    begun = next(event for event in again if isinstance(event, Begun))
    assert (begun.run.rows, len(begun.run.reports), begun.different) == ((0, 192, 256), 4, 16)
    assert not any(isinstance(event, Stepped | Sampled) for event in again)


def test_a_run_that_is_over_can_be_made_longer(tmp_path: Path, plan: Plan):
    once(tmp_path / "run", plan)
    events = once(tmp_path / "run", replace(plan, recipe=replace(plan.recipe, total_pictures=TOTAL + 80)))
    assert events[-1] == Learned(tmp_path / "run" / "model", TOTAL + 80)
    assert load_plan(tmp_path / "run").recipe.total_pictures == TOTAL + 80


def test_the_precision_stays_what_it_was(tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live, "has_fast_16_bits", lambda device: True)
    once(tmp_path / "run", plan, until=16)
    assert load_plan(tmp_path / "run").recipe.mixed_precision == "bf16"
    monkeypatch.setattr(live, "has_fast_16_bits", lambda device: False)
    once(tmp_path / "other", plan, until=16)
    once(tmp_path / "run", plan, until=32)
    assert load_plan(tmp_path / "other").recipe.mixed_precision == "no"
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt")["settings"]["mixed_precision"] == "bf16"


def test_renders_are_made_once(tmp_path: Path, plan: Plan):
    rendered = replace(plan, preset="tiny", pictures="", forms=("bust",), renders=30)
    events = once(tmp_path / "run", rendered, until=16)
    assert [(event.done, event.of) for event in events if isinstance(event, Preparing)] == [(0, 30), (24, 30)]
    assert next(event for event in events if isinstance(event, Begun)).different == 30
    again = once(tmp_path / "run", rendered, until=32)
    assert not any(isinstance(event, Preparing) for event in again)


def test_what_takes_longer_than_rendering_is_said_first(tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch):
    sentences = ["The renderer is compiled.", ""]
    monkeypatch.setattr(compiled, "notice", lambda device: sentences.pop(0))
    rendered = replace(plan, preset="tiny", pictures="", forms=("bust",), renders=30)
    events = once(tmp_path / "run", rendered, until=16)
    assert [event.note for event in events if isinstance(event, Preparing)] == ["The renderer is compiled.", ""]
    assert not any(isinstance(event, Message) for event in events)  # which would stay when it is over
    assert sentences == []


def test_a_stop_while_pictures_are_made_leaves_nothing_begun(tmp_path: Path, plan: Plan):
    learning, stop = Learning(tmp_path / "run", plan), threading.Event()
    for event in learning.go(stop):
        assert isinstance(event, Preparing)
        stop.set()
    assert not (tmp_path / "run" / "checkpoint.pt").exists()
    assert any(isinstance(event, Stepped) for event in learn(learning, until=16))
    learning.close()


def test_one_run_in_a_folder_at_a_time(tmp_path: Path, plan: Plan):
    first = Learning(tmp_path / "run", plan)
    learn(first, until=16)
    with pytest.raises(BadInput, match="Another run is going on"):
        once(tmp_path / "run", plan)
    first.close()
    once(tmp_path / "run", plan, until=32)


def test_what_a_run_learns_cannot_be_changed(tmp_path: Path, plan: Plan):
    once(tmp_path / "run", plan, until=16)
    with pytest.raises(SettingsChanged, match="learns something else"):
        once(tmp_path / "run", replace(plan, channels=(64,)))
    fill(tmp_path / "pictures", 17)
    with pytest.raises(SettingsChanged, match="have changed since this run began"):
        once(tmp_path / "run", plan)


def test_too_few_pictures_are_refused(tmp_path: Path, plan: Plan):
    few = replace(plan, pictures=str(fill(tmp_path / "few", 15)))
    with pytest.raises(TooFewPictures, match="holds 15 pictures"):
        once(tmp_path / "run", few)


def test_a_full_disk_ends_a_run_and_leaves_the_checkpoint_before(tmp_path: Path, plan: Plan):
    learning = Learning(tmp_path / "run", plan)
    learn(learning, until=16)
    size = (tmp_path / "run" / "checkpoint.pt").stat().st_size
    with no_file_larger_than(size // 2), pytest.raises(NotWritten, match=r"checkpoint\.pt could not be written"):
        learn(learning)
    learning.close()
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt")["seen"] == 16


def test_a_row_that_cannot_be_kept_ends_nothing(tmp_path: Path, plan: Plan):
    (tmp_path / "run").mkdir()
    once(tmp_path / "run", plan, until=16)
    growth = tmp_path / "run" / "growth"
    for row in growth.iterdir():
        row.unlink()
    growth.rmdir()
    growth.write_bytes(b"")  # where the folder of rows should be
    events = once(tmp_path / "run", plan)
    told = [event.sentence for event in events if isinstance(event, Message)]
    assert [sentence.endswith("The run goes on without it.") for sentence in told].count(True) == 1
    assert isinstance(events[-1], Learned)


def test_a_loss_that_is_no_number_ends_a_run_in_a_sentence(tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch):
    learning = Learning(tmp_path / "run", plan)
    learn(learning, until=16)
    real = Trainer.step

    def spoilt(self: Trainer) -> Any:
        if self.seen == 48:
            with torch.no_grad():
                self.pipeline.unet.conv_in.weight.fill_(torch.nan)
        return real(self)

    monkeypatch.setattr(Trainer, "step", spoilt)
    with pytest.raises(TrainingFailed, match="The loss became nan after 48 pictures"):
        learn(learning)
    assert load_checkpoint(tmp_path / "run" / "checkpoint.pt")["seen"] == 16


def test_a_checkpoint_becomes_a_model(tmp_path: Path, plan: Plan):
    once(tmp_path / "run", plan, until=16)
    assert load_sculptor(export(tmp_path / "run")).picture_size == 8
