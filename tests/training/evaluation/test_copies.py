"""Which pictures are copies of known ones."""

import math

import pytest
import torch

from sculptor_app.training.evaluation import copies as module
from sculptor_app.training.evaluation.copies import are_copies, two_nearest


def some_pictures(count: int, seed: int = 0) -> torch.Tensor:
    shape = (count, 3, 8, 8)
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def share_of_copies(pictures: torch.Tensor, *known: torch.Tensor) -> float:
    return float(are_copies(two_nearest(pictures, known)).double().mean())


def test_training_pictures_are_copies_and_new_ones_are_none() -> None:
    known = some_pictures(40)
    assert share_of_copies(known[:24], known) == 1
    assert share_of_copies(some_pictures(24, 1), known) == 0
    assert share_of_copies(torch.cat([known[:6], some_pictures(18, 1)]), known) == 0.25


def test_a_picture_between_two_known_ones_is_a_copy_of_the_first_below_a_third() -> None:
    levels = torch.tensor([0, 200], dtype=torch.uint8).reshape(2, 1, 1, 1).expand(2, 3, 8, 8)
    for level, is_copy in ((0, True), (48, True), (52, False), (100, False), (148, False), (152, True)):
        between = torch.full((1, 3, 8, 8), level, dtype=torch.uint8)
        assert share_of_copies(between, levels) == is_copy  # 50 is a third of 150


def test_pictures_that_are_there_twice_hide_no_copies() -> None:
    known = some_pictures(20)
    assert share_of_copies(known, torch.cat([known, known])) == 1
    assert share_of_copies(known, known, known.flip(3)) == 1
    assert share_of_copies(some_pictures(20, 1), known, known) == 0


def test_pictures_that_are_nearly_there_twice_hide_copies() -> None:
    known = some_pictures(20)
    alike = known ^ 1
    assert share_of_copies(known ^ 2, torch.cat([known, alike])) == 0


def test_a_known_picture_is_at_zero_and_so_is_its_mirror_image() -> None:
    known = some_pictures(20)
    copies = torch.stack([known[17], known[3].flip(2)])
    found = two_nearest(copies, [known[:10], known[10:]])
    assert found[:, 0].tolist() == [0.0, 0.0]
    assert (found[:, 1] > 0.2).all()


def test_the_distance_is_the_root_mean_square_of_black_to_white() -> None:
    black, grey = torch.zeros((1, 3, 8, 8), dtype=torch.uint8), torch.full((1, 3, 8, 8), 51, dtype=torch.uint8)
    assert two_nearest(black, [grey])[0, 0].item() == pytest.approx(0.2)
    grey[:, :, :4] = 0
    assert two_nearest(black, [grey])[0, 0].item() == pytest.approx(0.2 * math.sqrt(0.5))


def test_it_is_what_looking_at_every_pair_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 4)
    pictures, known = some_pictures(9, 1), some_pictures(30, 2)
    pairs = torch.stack([
        (pictures[:, None].double() - each[None].double()).div(255).square().mean(dim=(2, 3, 4)).sqrt()
        for each in (known, known.flip(3))
    ]).amin(dim=0)  # fmt: skip
    expected = pairs.sort(dim=1).values[:, :2]
    for parts in (known.split(7), known.split(29)):  # of the last part there is one picture
        assert torch.allclose(two_nearest(pictures, parts), expected, atol=1e-7)


def test_where_too_few_are_known_it_is_infinite_and_nothing_is_a_copy() -> None:
    pictures = some_pictures(2)
    assert two_nearest(pictures, []).tolist() == [[math.inf] * 2] * 2
    alone = two_nearest(pictures, [pictures[:1], pictures[:1]])
    assert alone[0].tolist() == [0, math.inf]
    assert not are_copies(alone).any()
