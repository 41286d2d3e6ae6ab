"""Rays against closed forms."""

import pytest
import torch

from sculptor_app.atelier.shape import Shape, vec
from sculptor_app.atelier.trace import NEVER, march, openness, select, shadow, slab, surface
from tests.helpers.solids import solids


@pytest.fixture
def ball():
    shape = Shape(sharpness=60)
    shape.ball(vec(0, 0, 0), 0.5)
    return solids(shape)


def rays(count: int = 256):
    """Parallel rays along -z from z = 2 over a square of half width 0.8."""
    g = torch.Generator().manual_seed(0)
    x, y = (torch.rand(2, 1, count, generator=g) - 0.5) * 1.6
    one = torch.ones_like(x)
    return (x, y, 2 * one), (0 * one, 0 * one, -one)


def test_rays_meet_a_ball_where_they_should(ball):
    origin, ray = rays()
    near, far = torch.full_like(origin[0], 0.5), torch.full_like(origin[0], 4.0)
    met = march(ball, origin, ray, near, far)
    inside = 0.25 - origin[0] ** 2 - origin[1] ** 2
    clear = inside.abs() > 0.02
    assert torch.equal((met < NEVER)[clear], (inside > 0)[clear])
    hit = (inside > 0.02) & (met < NEVER)
    assert torch.allclose(met[hit], (2 - inside.clamp(min=0).sqrt())[hit], atol=8e-3)


def test_a_ray_that_is_out_of_bounds_is_not_traced(ball):
    origin, ray = rays()
    near = torch.full_like(origin[0], 3.0)
    assert (march(ball, origin, ray, near, near - 1) == NEVER).all()


def test_normals_of_a_ball_point_away_from_its_middle(ball):
    p = torch.nn.functional.normalize(torch.randn(3, 64, generator=torch.Generator().manual_seed(3)), dim=0) * 0.5
    *normal, sky = surface(ball, tuple(c[None] for c in p))
    assert torch.allclose(torch.cat(normal), p * 2, atol=0.02)
    assert (sky > 0.9).all()


def test_a_corner_is_less_open_than_a_plain(ball):
    up = tuple(torch.tensor([[v]]) for v in (0.0, 1.0, 0.0))
    beside = tuple(torch.tensor([[v]]) for v in (0.52, -0.1, 0.0))
    away = tuple(torch.tensor([[v]]) for v in (1.5, -0.1, 0.0))
    assert openness(ball, beside, up).item() < 0.5
    assert openness(ball, away, up).item() == 1.0


def test_a_ball_shades_what_is_behind_it_and_nothing_else(ball):
    x = torch.tensor([[0.0, 0.2, 1.5]])
    origin = (x, torch.full_like(x, -1.0), torch.zeros_like(x))
    light = (torch.zeros_like(x), torch.ones_like(x), torch.zeros_like(x))
    left = shadow(ball, origin, light, torch.full_like(x, 0.1), torch.full_like(x, 3.0), torch.full((1, 1), 20.0))
    assert left[0, :2].max() < 0.01
    assert left[0, 2] == 1.0


def test_slab_entry_and_exit():
    one = torch.ones(1, 1)
    entry, leave = slab((0 * one, 0 * one, -3 * one), (0 * one, 0 * one, one), -torch.ones(1, 3), torch.ones(1, 3))
    assert (entry.item(), leave.item()) == pytest.approx((2.0, 4.0))


def test_select_keeps_the_living_in_order():
    alive = torch.zeros(2, 200, dtype=torch.bool)
    alive[0, [5, 70, 199]] = True
    index, living = select(alive)
    assert index.shape == (2, 64)
    assert index[0][living[0]].tolist() == [5, 70, 199]
    assert not living[1].any()
