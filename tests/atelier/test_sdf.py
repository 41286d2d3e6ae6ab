"""Signed distances against closed forms."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sculptor_app.atelier.sdf import (
    box_distances,
    cone_distances,
    distance,
    ellipsoid_distances,
    lathe_distance,
    ring_distance,
    smooth_maximum,
)
from sculptor_app.atelier.shape import Shape, rotation, turn, vec
from sculptor_app.atelier.things import _turned
from tests.helpers.solids import solids, table

coordinate = st.floats(-1.5, 1.5, width=32)


def points(*rows: tuple[float, float, float]):
    table = torch.tensor(rows, dtype=torch.float32)
    return table[:, 0][None], table[:, 1][None], table[:, 2][None]


@given(coordinate, coordinate, coordinate)
def test_a_cone_without_length_is_a_ball(x: float, y: float, z: float):
    shape = Shape()
    shape.ball(vec(0.2, 0.5, -0.1), 0.3)
    expected = math.dist((x, y, z), (0.2, 0.5, -0.1)) - 0.3
    assert cone_distances(table(shape.cones), points((x, y, z))).item() == pytest.approx(expected, abs=2e-3)


@given(coordinate, coordinate, coordinate)
def test_a_round_ellipsoid_is_a_ball(x: float, y: float, z: float):
    shape = Shape()
    shape.ellipsoid(vec(0.2, 0.5, -0.1), vec(0.3, 0.3, 0.3), rotation(0.4, 0.3, 0.2))
    expected = math.dist((x, y, z), (0.2, 0.5, -0.1)) - 0.3
    assert ellipsoid_distances(table(shape.ellipsoids), points((x, y, z))).item() == pytest.approx(expected, abs=1e-4)


def test_a_thick_line_is_as_thick_as_said():
    row = table([(0, 0, 0, 0, 1, 0, 0.1, 0.3)])
    found = cone_distances(row, points((0.5, 0, 0), (0.5, 0.5, 0), (0.5, 1, 0), (0, 1.5, 0), (0, -0.4, 0)))
    assert found.flatten().tolist() == pytest.approx([0.4, 0.3, 0.2, 0.2, 0.3], abs=1e-5)


def test_an_ellipsoid_ends_at_its_turned_axes():
    frame = rotation(0.7, -0.3, 0.5)
    shape = Shape()
    shape.ellipsoid(vec(0, 0, 0), vec(0.1, 0.2, 0.4), frame)
    tips = [tuple(frame[:, i] * length) for i, length in enumerate((0.1, 0.2, 0.4))]
    assert ellipsoid_distances(table(shape.ellipsoids), points(*tips)).abs().max() < 1e-5


def test_a_block_is_exact_outside_inside_and_at_its_corner():
    row = table([(0, 0, 0, 1, 2, 3)])
    found = box_distances(row, points((2, 0, 0), (0, 0, 0), (2, 3, 4), (1, 1, 1)))
    assert found.flatten().tolist() == pytest.approx([1.0, -1.0, math.sqrt(3), 0.0], abs=1e-5)


def test_a_plain_ring_is_a_torus():
    section = (0.3, 1.0, 1.0, 0.0, 0.0, 0.1, 0.1, 1.0, 0.0, 0.0, 3.0)
    ring = torch.tensor([[0.0, 0.0, 0.0, *rotation().ravel(), *section]]).float()
    x, y, z = torch.randn(3, 1, 200, generator=torch.Generator().manual_seed(0)) * 0.4
    exact = torch.sqrt((torch.sqrt(x * x + y * y) - 0.3) ** 2 + z * z) - 0.1
    assert torch.allclose(ring_distance(ring, (x, y, z)), exact * 0.6, atol=1e-5)


def test_two_straight_strands_are_two_rings():
    """Half a turn of the section takes one strand into the other, and each is a torus beside the ring's circle."""
    section = (0.3, 1.0, 2.0, 0.0, 0.1, 0.04, 0.04, 1.0, 0.0, 0.0, 3.0)
    ring = torch.tensor([[0.0, 0.0, 0.0, *rotation().ravel(), *section]]).float()
    on_both = ring_distance(ring, points((0.44, 0, 0), (0.16, 0, 0), (0, 0.44, 0), (0, -0.16, 0)))
    assert on_both.abs().max() < 1e-5
    assert ring_distance(ring, points((0.3, 0, 0))).item() == pytest.approx(0.06 * 0.6, abs=1e-5)


def test_a_twisted_strand_moves_around_the_circle():
    """A whole turn over one round: half-way round the strand is on the inner side."""
    section = (0.3, 1.0, 1.0, 1.0, 0.1, 0.04, 0.04, 1.0, 0.0, 0.0, 3.0)
    ring = torch.tensor([[0.0, 0.0, 0.0, *rotation().ravel(), *section]]).float()
    found = ring_distance(ring, points((0.4, 0, 0), (-0.2, 0, 0), (-0.4, 0, 0))).flatten().tolist()
    assert found == pytest.approx([-0.024, -0.024, 0.096], abs=1e-4)


def test_a_turned_cylinder_is_where_its_profile_says():
    lathe = torch.tensor(_turned([(0.0, 0.2), (1.0, 0.2)], [0.0, 8.0, 0.0, 0.0, 0.0, 0.0]))[None].float()
    found = lathe_distance(lathe, points((0.3, 0.5, 0), (0, 0.5, 0.1), (0, 1.2, 0), (0, -0.1, 0)))
    assert found.flatten().tolist() == pytest.approx([0.07, -0.07, 0.14, 0.07], abs=1e-3)


def test_a_hollow_vase_is_empty_inside_and_solid_below():
    lathe = torch.tensor(_turned([(0.0, 0.2), (1.0, 0.2)], [0.0, 8.0, 0.0, 0.0, 0.03, 0.8]))[None].float()
    found = lathe_distance(lathe, points((0, 0.9, 0), (0.185, 0.9, 0), (0, 0.1, 0)))
    assert [value > 0 for value in found.flatten().tolist()] == [True, False, False]


@given(coordinate, coordinate)
def test_the_smooth_maximum_is_one_where_it_matters(a: float, b: float):
    smooth = smooth_maximum(torch.tensor(a), torch.tensor(b), 0.1).item()
    assert max(a, b) - 1e-6 <= smooth <= max(a, b) + 0.0251
    if abs(a - b) > 0.1:
        assert smooth == pytest.approx(max(a, b))


def test_melting_only_adds_and_carving_only_takes_away():
    shape = Shape(sharpness=50)
    shape.ball(vec(-0.15, 0, 0), 0.2)
    shape.ball(vec(0.15, 0, 0), 0.2)
    x, y, z = torch.randn(3, 1, 300, generator=torch.Generator().manual_seed(1)) * 0.3
    apart = cone_distances(table(shape.cones), (x, y, z)).amin(dim=1)
    melted = distance(solids(shape), (x, y, z))
    assert (melted <= apart + 1e-5).all()
    assert (melted >= apart - math.log(2) / 50 - 1e-5).all()
    shape.carve(vec(0, 0.2, 0), 0.1)
    assert (distance(solids(shape), (x, y, z)) >= melted - 1e-5).all()
    assert distance(solids(shape), points((0, 0.2, 0))).item() > 0.09


def test_turning_a_shape_turns_its_distances():
    shape = Shape(sharpness=50)
    shape.cone(vec(0, 0, 0), vec(0.4, 0.3, 0.1), 0.1, 0.05)
    shape.ellipsoid(vec(0.1, 0.2, 0.3), vec(0.1, 0.2, 0.15), rotation(0.5, 0.2, 0.1))
    turned = turn(shape, 0.9, scale=1.0)
    lift = turned.cones[0][1] - (rotation(0.9) @ shape.cones[0][:3])[1]
    here = torch.randn(3, 100, generator=torch.Generator().manual_seed(2)) * 0.4
    there = torch.tensor(rotation(0.9), dtype=torch.float32) @ here + torch.tensor([[0.0], [lift], [0.0]]).float()
    before = distance(solids(shape), tuple(c[None] for c in here))
    after = distance(solids(turned), tuple(c[None] for c in there))
    assert torch.allclose(before, after, atol=1e-5)
    assert turned.low[1] == pytest.approx(0)
