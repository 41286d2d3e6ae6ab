"""What is learned, as it is chosen, kept and gone on with."""

from dataclasses import replace
from pathlib import Path

import pytest

from sculptor_app.training.errors import BadInput, CheckpointError, SettingsChanged
from sculptor_app.training.records.events import Report
from sculptor_app.training.records.plan import (
    OWN,
    OWN_SIZES,
    PRESETS,
    SMALL,
    TINY,
    continued,
    load_plan,
    plan_of,
    save_plan,
)
from sculptor_app.training.records.run_folder import read_run
from tests.training.tiny import tiny_run


@pytest.mark.parametrize("preset", PRESETS)
def test_a_plan_comes_back_as_it_was_written(tmp_path: Path, preset: str):
    plan = plan_of(preset, 5000, 64, "/pictures")
    save_plan(tmp_path, plan)
    assert load_plan(tmp_path) == plan
    assert (plan.pictures, plan.recipe.total_pictures) == ("/pictures" if preset == OWN else "", 5000)


@pytest.mark.parametrize("plan", [PRESETS[TINY], PRESETS[SMALL], *(plan_of(OWN, 1000, size) for size in OWN_SIZES)])
def test_every_size_fits_its_network(plan):
    assert plan.size % (plan.patch * 2 ** (len(plan.channels) - 1)) == 0


def test_only_the_length_may_change():
    was = replace(PRESETS[TINY], recipe=replace(PRESETS[TINY].recipe, mixed_precision="no"))
    longer = plan_of(TINY, 99_000)
    assert continued(Path("run"), was, longer).recipe == replace(was.recipe, total_pictures=99_000)
    with pytest.raises(SettingsChanged, match="learns something else"):
        continued(Path("run"), was, plan_of(SMALL, 24_000))


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"preset": "tiny"}', "\udcff"])
def test_a_damaged_plan_is_named(tmp_path: Path, text: str):
    (tmp_path / "plan.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(CheckpointError, match=r"plan\.json"):
        read_run(tmp_path)


def test_noises_are_sculpted_into_different_things():
    assert PRESETS[SMALL].labels_of_noises() == ((0, 1, 2, 3), (1, 2, 3, 4))
    assert PRESETS[TINY].labels_of_noises() == ((0, 0, 0, 0), (1, 2, 3, 4))
    assert PRESETS[OWN].labels_of_noises() == ((None,) * 4, (None,) * 4)


def test_a_folder_tells_its_run(tmp_path: Path):
    assert read_run(tmp_path) is None
    assert read_run(tmp_path / "nowhere") is None
    tiny_run(tmp_path).go(until=32)
    save_plan(tmp_path, PRESETS[TINY])
    seen = read_run(tmp_path)
    assert seen is not None
    assert (seen.pictures, [report.pictures for report in seen.reports], seen.rows) == (32, [16, 32], ())
    assert isinstance(seen.reports[0], Report)


def test_a_folder_of_other_things_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="is a file"):
        read_run(tmp_path / "file")
    with pytest.raises(BadInput, match="holds other things already"):
        read_run(tmp_path)
    tiny_run(tmp_path / "run").go(until=4)
    with pytest.raises(BadInput, match="begun by `sculptor-app train`"):
        read_run(tmp_path / "run")
