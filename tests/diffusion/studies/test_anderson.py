"""Anderson's acceleration on maps with a known fixed point."""

import pytest
import torch

from sculptor_app.diffusion.studies.ddim_inversion import AndersonMixing


def iterations(matrix: torch.Tensor, wanted: torch.Tensor, mixing: AndersonMixing | None) -> int:
    """How many it takes to come within 1e-9 of the fixed point `wanted` of g(x) = matrix (x - wanted) + wanted."""
    x = torch.zeros_like(wanted)
    for count in range(200):
        residual = (matrix @ (x - wanted).flatten()).reshape(x.shape) + wanted - x
        if float((x - wanted).abs().max()) < 1e-9:
            return count
        x = x + residual if mixing is None else mixing.next(x, residual)
    return 200


@pytest.mark.parametrize("contraction", [0.3, 0.95, 1.4])
def test_a_linear_map_of_three_directions_is_solved_within_five(contraction: float) -> None:
    """Also one that stretches, on which plain iteration never arrives."""
    matrix = torch.diag(torch.tensor([contraction, -contraction / 2, contraction / 3, 0.0], dtype=torch.float64))
    wanted = torch.tensor([[1.0, -2.0], [3.0, 0.5]], dtype=torch.float64)
    assert iterations(matrix, wanted, AndersonMixing()) <= 5
    assert iterations(matrix, wanted, None) > 12


def test_the_first_iterate_is_the_plain_one() -> None:
    x, residual = torch.ones(2, 2, dtype=torch.float64), torch.full((2, 2), 0.25, dtype=torch.float64)
    assert torch.equal(AndersonMixing().next(x, residual), x + residual)
