"""The training set on disk."""

from pathlib import Path

import numpy as np
import pytest

from sculptor_app.atelier import FORMS, MATERIALS, render
from sculptor_app.atelier.sheet import to_bytes
from sculptor_app.training import shards
from sculptor_app.training.shards import SHARD, ShardSet, labels_of, write_shards


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARD", 6)


def test_every_pair_is_equally_frequent():
    _, forms, materials = labels_of(0)
    counts = np.zeros((len(FORMS), len(MATERIALS)), int)
    np.add.at(counts, (forms, materials), 1)
    assert (counts == SHARD / counts.size).all()


def test_shards_hold_the_renders_of_their_seeds(small: None, tmp_path: Path):
    paths = list(write_shards(tmp_path, 2, 8, 100, "cpu"))
    assert [path.name for path in paths] == ["shard-000000000100.npz", "shard-000000000106.npz"]
    pictures = ShardSet(tmp_path)
    pictures.refresh()
    assert len(pictures) == 12
    array, forms, materials = pictures.take(np.array([7, 0]))
    assert np.array_equal(array, to_bytes(render([107, 100], forms.tolist(), materials.tolist(), 8)))


def test_what_is_there_is_not_rendered_again(small: None, tmp_path: Path):
    (path,) = write_shards(tmp_path, 1, 8, 0, "cpu")
    before = path.stat().st_mtime_ns
    list(write_shards(tmp_path, 1, 8, 0, "cpu"))
    assert path.stat().st_mtime_ns == before


def test_a_set_grows_and_a_resumed_one_reads_what_it_had(small: None, tmp_path: Path):
    list(write_shards(tmp_path, 1, 8, 0, "cpu"))
    growing = ShardSet(tmp_path)
    growing.refresh()
    list(write_shards(tmp_path, 2, 8, 0, "cpu"))
    had = growing.shard_names
    growing.refresh()
    assert (len(had), len(growing)) == (1, 12)
    resumed = ShardSet(tmp_path)
    resumed.refresh(only=had)
    assert resumed.shard_names == had
