"""The nearest known picture."""

import math

import pytest
import torch

from sculptor_app.training.evaluation import nearest as module
from sculptor_app.training.evaluation.nearest import nearest


def some_pictures(count: int, seed: int = 0) -> torch.Tensor:
    shape = (count, 3, 8, 8)
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def test_a_known_picture_is_at_zero_and_so_is_its_mirror_image():
    known = some_pictures(20)
    copies = torch.stack([known[17], known[3].flip(2)])
    assert nearest(copies, [known[:10], known[10:]]).tolist() == [0.0, 0.0]


def test_the_distance_is_the_root_mean_square_of_black_to_white():
    black, grey = torch.zeros((1, 3, 8, 8), dtype=torch.uint8), torch.full((1, 3, 8, 8), 51, dtype=torch.uint8)
    assert nearest(black, [grey]).item() == pytest.approx(0.2)
    grey[:, :, :4] = 0
    assert nearest(black, [grey]).item() == pytest.approx(0.2 * math.sqrt(0.5))


def test_it_is_what_looking_at_every_pair_finds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "AT_ONCE", 4)
    pictures, known = some_pictures(9, 1), some_pictures(30, 2)
    both = torch.cat([known, known.flip(3)])
    pairs = (pictures[:, None].double() - both[None].double()).div(255).square().mean(dim=(2, 3, 4)).sqrt()
    assert torch.allclose(nearest(pictures, known.split(7)), pairs.min(dim=1).values, atol=1e-7)


def test_where_nothing_is_known_it_is_infinite():
    assert nearest(some_pictures(2), []).tolist() == [math.inf, math.inf]
