"""Rows of growth: when they are due, which are kept, and that they are what the model makes."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.core.requests.request import FIRST_GUIDANCE
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.training.evaluation.pictures import sample_labelled
from sculptor_app.training.loop.samples import fixed_noises, sample_fixed_noises
from sculptor_app.training.network import new_pipeline
from sculptor_app.training.records.events import SampleRow
from sculptor_app.training.records.plan import NOISES, Plan
from sculptor_app.training.records.run_folder import FIRST, SampleHistory, SampleSchedule, thinned
from tests.training.tiny import RECIPE, tiny_pipeline

PLAN = Plan("tiny", 16, RECIPE, 2, (32, 32), forms=("bust", "vase"), renders=6)


def a_row(pictures: int) -> SampleRow:
    pixels = np.full((1, 3, 8, 8, 3), pictures % 256, np.uint8)
    return SampleRow(pictures, pixels, 255 - pixels, (NoiseLevel(0.1, 0.9), NoiseLevel(0.7, 0.7), NoiseLevel(1, 0)))


def test_a_row_comes_back_as_it_was_written(tmp_path: Path):
    growth = SampleHistory(tmp_path)
    assert growth.rows() == ()
    assert growth.write(a_row(320)) == (320,)
    found = growth.read(320)
    assert np.array_equal(found.guesses, a_row(320).guesses)
    assert np.array_equal(found.states, a_row(320).states)
    assert found.levels == a_row(320).levels


def test_rows_that_were_drawn_after_the_last_checkpoint_go(tmp_path: Path):
    growth = SampleHistory(tmp_path)
    for pictures in (0, 320, 640):
        growth.write(a_row(pictures))
    growth.forget_after(320)
    assert growth.rows() == (0, 320)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + 18 * b"\0", b"nonsense"])
def test_a_damaged_row_is_a_value_error(tmp_path: Path, content: bytes):
    growth = SampleHistory(tmp_path)
    growth.write(a_row(320))
    (tmp_path / "growth" / "row-000000000320.npz").write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        growth.read(320)


def test_too_many_rows_are_thinned_on_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    growth = SampleHistory(tmp_path)
    for pictures in range(0, 64 * 16, 16):
        growth.write(a_row(pictures))
    kept = growth.write(a_row(1024))
    assert len(kept) == len(list((tmp_path / "growth").iterdir())) == 64
    assert (kept[0], kept[-1]) == (0, 1024)


def test_thinning_evens_the_gaps_out():
    crowded = (0, 192, 1000, 1001, 5000, 20_000)
    assert thinned(crowded, 5) == (0, 192, 1001, 5000, 20_000)


@given(st.sets(st.integers(0, 10**6), min_size=2, max_size=80), st.integers(2, 64))
def test_thinning_keeps_the_ends_and_no_more_than_asked(rows: set[int], most: int):
    before = tuple(sorted(rows))
    after = thinned(before, most)
    assert len(after) == min(most, len(before))
    assert (after[0], after[-1]) == (before[0], before[-1])
    assert set(after) <= rows
    assert list(after) == sorted(after)


def test_rows_are_due_at_first_often_and_then_by_ratio():
    clock = SampleSchedule(None)
    assert clock.is_due(0, 0.0)
    clock.note(0, 0.1)
    assert not clock.is_due(FIRST - 1, 10.0)
    assert clock.is_due(FIRST, 10.0)
    late = SampleSchedule(10_000)
    assert not late.is_due(11_400, 10.0)
    assert late.is_due(11_500, 10.0)


def test_dear_rows_wait_until_training_has_taken_twenty_times_as_long():
    clock = SampleSchedule(0)
    clock.note(1000, 10.0)
    assert not clock.is_due(10**6, 100.0)
    assert clock.is_due(10**6, 400.0)


@given(st.lists(st.tuples(st.integers(1, 400), st.floats(0.01, 3.0)), max_size=300))
def test_rows_never_cost_more_than_their_share(steps: list[tuple[int, float]]):
    """Rows of the same cost; each step sees some pictures in some seconds."""
    clock, seen, elapsed, cost = SampleSchedule(0), 0, 0.0, 1.0
    for pictures, seconds in steps:
        seen, elapsed = seen + pictures, elapsed + seconds
        if clock.is_due(seen, elapsed):
            clock.note(seen, cost)
            elapsed += cost
    assert clock.spent_s <= 3.0 + 0.05 * elapsed + cost


def test_a_row_ends_with_what_the_pipeline_makes():
    torch.manual_seed(0)
    pipeline = new_pipeline(PLAN.forms, PLAN.materials, 16, channels=(32, 32))
    before = torch.get_rng_state()
    row = sample_fixed_noises(pipeline, PLAN, 64, threading.Event(), steps=4)
    assert torch.equal(torch.get_rng_state(), before)  # or training would learn something else
    assert row is not None
    assert row.guesses.shape == row.states.shape == (NOISES, 5, 16, 16, 3)
    assert len(row.levels) == 5
    made = pipeline([0, 1, 0, 1], [1, 2, 3, 4], 4, FIRST_GUIDANCE, noise=fixed_noises(16), batch_size=4,
                    output_type="np").images  # fmt: skip
    assert np.abs(row.states[:, -1] / 255.0 - made).max() < 0.51 / 255 + 1e-6
    noise = ((fixed_noises(16).clamp(-1, 1) + 1) * 127.5).permute(0, 2, 3, 1).numpy()
    assert np.abs(row.states[:, 0] - noise).max() < 0.51
    assert np.array_equal(row.guesses[:, 0], row.states[:, 0])
    assert not np.array_equal(row.guesses[:, 1], row.states[:, 1])


def test_a_row_is_broken_off_and_no_row_is_made_of_no_numbers():
    pipeline = new_pipeline(PLAN.forms, PLAN.materials, 16, channels=(32, 32))
    stop = threading.Event()
    stop.set()
    assert sample_fixed_noises(pipeline, PLAN, 64, stop, steps=4) is None
    with torch.no_grad():
        pipeline.unet.conv_in.weight.fill_(torch.nan)
    assert sample_fixed_noises(pipeline, PLAN, 64, threading.Event(), steps=4) is None


def test_a_picture_does_not_depend_on_how_many_are_made_at_once():
    pipeline = tiny_pipeline().to("cpu")
    forms, materials = [0, 1, 0, 1, 1], [0, 1, 2, 0, 1]
    one, many = (sample_labelled(pipeline, forms, materials, steps=2, at_once=count) for count in (2, 48))
    assert one.shape == (5, 16, 16, 3)
    assert np.abs(one.astype(int) - many).max() <= 1


def test_a_sample_is_what_the_pipeline_itself_makes_of_label_and_noise():
    pipeline = tiny_pipeline()
    (found,) = sample_labelled(pipeline, [1], [2], seed=5, steps=4, guidance_scale=3.0)
    made = pipeline(form=1, material=2, num_inference_steps=4, guidance_scale=3.0,
                    generator=torch.Generator().manual_seed(5)).images[0]  # fmt: skip
    assert np.abs(found.astype(int) - (made * 255).round()).max() <= 1


def test_noise_and_labels_make_a_difference():
    pipeline = tiny_pipeline()
    with torch.no_grad():
        pipeline.label_embedding.form.weight.mul_(5)
    base = sample_labelled(pipeline, [0], [0], steps=2)
    assert np.array_equal(base, sample_labelled(pipeline, [0], [0], steps=2))
    assert not np.array_equal(base, sample_labelled(pipeline, [0], [0], seed=1, steps=2))
    assert not np.array_equal(base, sample_labelled(pipeline, [1], [0], steps=2))
