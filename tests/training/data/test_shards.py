"""The training set on disk."""

from pathlib import Path

import numpy as np
import pytest

from sculptor_app.atelier import FORMS, MATERIALS, render
from sculptor_app.atelier.renderer import to_bytes
from sculptor_app.training.data import shards
from sculptor_app.training.data.shards import SHARD, ShardSet, labels_of, shard_name, write_shard, write_shards
from sculptor_app.training.errors import BadInput, NotWritten
from tests.training.tiny import no_file_larger_than


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


def test_a_shard_of_some_forms_counts_them_from_zero(tmp_path: Path):
    write_shard(tmp_path, 5, 8, forms=("vase", "ring"), count=4)
    pictures = ShardSet(tmp_path)
    pictures.refresh()
    array, forms, materials = pictures.take(np.arange(4))
    assert (forms.tolist(), materials.tolist()) == ([0, 1, 0, 1], [0, 0, 1, 1])
    known = [FORMS.index("vase"), FORMS.index("ring")] * 2
    assert np.array_equal(array, to_bytes(render([5, 6, 7, 8], known, [0, 0, 1, 1], 8)))


def test_processes_share_the_rendering(small: None, tmp_path: Path):
    shares = [[path.name for path in write_shards(tmp_path, 5, 8, 0, "cpu", (i, 2))] for i in range(2)]
    assert [len(share) for share in shares] == [3, 2]
    assert sorted(shares[0] + shares[1]) == [shard_name(6 * number) for number in range(5)]


def test_runs_of_consecutive_seeds_are_told_together(small: None, tmp_path: Path):
    for first in (30, 0, 6, 12, 42):
        write_shard(tmp_path, first, 8)
    pictures = ShardSet(tmp_path, 8)
    pictures.refresh()
    assert pictures.provenance() == {"render_seeds": [[0, 18], [30, 6], [42, 6]], "pictures": 30}


def test_pictures_of_another_size_are_refused(small: None, tmp_path: Path):
    write_shard(tmp_path, 0, 8)
    with pytest.raises(BadInput, match="holds pictures of 8 pixels, not 16"):
        ShardSet(tmp_path, 16).refresh()


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut off", b"nonsense"])
def test_a_damaged_shard_is_named(tmp_path: Path, damage: bytes):
    (tmp_path / shard_name(0)).write_bytes(damage)
    with pytest.raises(BadInput, match=r"shard-000000000000.npz is damaged .* Delete it; it will be rendered again"):
        ShardSet(tmp_path).refresh()


def test_a_full_disk_leaves_no_half_of_a_shard(small: None, tmp_path: Path):
    with no_file_larger_than(1000), pytest.raises(NotWritten, match="File too large"):
        write_shard(tmp_path, 0, 16)
    assert list(tmp_path.iterdir()) == []
