"""Renders that samples are compared with."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sculptor_app.core.errors import ModelFolderError
from sculptor_app.training.data import shards
from sculptor_app.training.errors import BadInput
from sculptor_app.training.evaluation import renders
from sculptor_app.training.evaluation.nearest import nearest
from sculptor_app.training.evaluation.renders import (
    FRESH_SEEDS,
    JUDGE_SEEDS,
    choose_blocks,
    fresh_renders,
    pictures_of,
    training_blocks,
    training_renders,
)
from sculptor_app.training.evaluation.sampling import cycle_labels


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (shards, renders):
        monkeypatch.setattr(module, "SHARD", 6)


def noted(folder: Path, content: object) -> Path:
    (folder / "training.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def test_ranges_are_cut_into_shards(small: None, tmp_path: Path):
    assert training_blocks(noted(tmp_path, {"render_seeds": [[0, 12], [100, 8]]})) == [
        (0, 6), (6, 6), (100, 6), (106, 2),
    ]  # fmt: skip


def test_a_model_that_does_not_say_has_none(tmp_path: Path):
    assert training_blocks(tmp_path) == []


def test_the_embedded_model_says_so():
    from sculptor_app import resources

    blocks = training_blocks(resources.path("models/atelier-64"))
    assert sum(count for _, count in blocks) > 0
    assert all(first + count <= JUDGE_SEEDS for first, count in blocks)


@pytest.mark.parametrize(
    "content",
    ["{", "[]", {"render_seeds": 3}, {"render_seeds": [[0]]}, {"render_seeds": [["a", 3]]}, {"render_seeds": [[-1, 3]]},
     {"render_seeds": [[0, 0]]}, {"render_seeds": [[0, 2**64]]}, {"render_seeds": [[0, True]]}, {}, "[" * 100_000],
)  # fmt: skip
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, content: object):
    with pytest.raises(ModelFolderError, match=r"training\.json does not say which renders"):
        training_blocks(noted(tmp_path, content))


def test_as_many_are_chosen_as_asked_for_spread_over_all(small: None):
    blocks = [(n * 6, 6) for n in range(10)]
    assert choose_blocks(blocks, None) == choose_blocks(blocks, 60) == choose_blocks(blocks, 99) == blocks
    assert choose_blocks(blocks, 12) == [(0, 6), (30, 6)]
    assert choose_blocks(blocks, 8) == [(0, 6), (30, 2)]
    assert choose_blocks(blocks, 1) == [(0, 1)]
    assert choose_blocks([], 5) == []


def test_short_blocks_are_made_up_for(small: None):
    blocks = [(0, 2), (100, 2), (200, 6), (300, 2)]
    for most in range(1, 13):
        assert sum(count for _, count in choose_blocks(blocks, most)) == most


def test_training_pictures_come_back_whether_kept_or_not(small: None, tmp_path: Path):
    list(shards.write_shards(tmp_path, 2, 8, 0, "cpu"))
    pictures = shards.ShardSet(tmp_path)
    pictures.refresh()
    wanted, _, _ = pictures.take(np.arange(10))
    anew = torch.cat(list(training_renders([(0, 6), (6, 4)], 8, None)))
    kept = torch.cat(list(training_renders([(0, 6), (6, 4)], 8, tmp_path)))
    assert np.array_equal(anew.permute(0, 2, 3, 1).numpy(), wanted)
    assert torch.equal(anew, kept)
    assert nearest(anew.flip(3), training_renders([(0, 6), (6, 4)], 8, tmp_path)).tolist() == [0.0] * 10


def test_what_a_store_lacks_is_rendered_into_it(small: None, tmp_path: Path):
    list(training_renders([(12, 6), (18, 3)], 8, tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["shard-000000000012.npz"]


@pytest.mark.parametrize("damage", ["cut", "size", "other"])
def test_a_damaged_shard_is_named(small: None, tmp_path: Path, damage: str):
    path = shards.write_shard(tmp_path, 0, 16 if damage == "size" else 8)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:200])
    if damage == "other":
        np.savez(path, numbers=np.arange(3))
    with pytest.raises(BadInput, match=r"shard-0{12}\.npz .*[Dd]elete it"):
        pictures_of(path, 8)


def test_fresh_renders_belong_to_no_training_and_no_judge(monkeypatch: pytest.MonkeyPatch):
    used: list[int] = []
    real = renders.render

    def watched(seeds, *more):
        used.extend(seeds)
        return real(seeds, *more)

    monkeypatch.setattr(renders, "render", watched)
    labels = cycle_labels(50)  # more than are rendered at once
    first = torch.cat(list(fresh_renders(0, *labels, 8)))
    again, other = (torch.cat(list(fresh_renders(seed, *labels, 8))) for seed in (0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert len(used) == 150
    assert len(set(used)) == 100
    assert min(used) >= FRESH_SEEDS
    assert max(used) < FRESH_SEEDS + 2**40
    assert JUDGE_SEEDS + 10**9 < FRESH_SEEDS
