"""Attention that trains in 16 bits as it does in 32."""

import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor

from sculptor_app.training.network.attention import SteadyAttention


def layer(sharpness: float, norm: bool) -> Attention:
    torch.manual_seed(0)
    made = Attention(64, heads=2, dim_head=32, bias=True, residual_connection=True, rescale_output_factor=1.5,
                     norm_num_groups=8 if norm else None)  # fmt: skip
    with torch.no_grad():
        made.to_q.weight.mul_(sharpness)
    return made


@pytest.mark.parametrize("norm", [True, False])
def test_the_arithmetic_is_diffusers_own(norm: bool) -> None:
    attention, x = layer(1.0, norm), torch.randn(2, 64, 4, 4, generator=torch.Generator().manual_seed(1))
    attention.set_processor(AttnProcessor())
    wanted = attention(x)
    attention.set_processor(SteadyAttention())
    torch.testing.assert_close(attention(x), wanted)


def query_gradient(attention: Attention, x: torch.Tensor, half: bool) -> torch.Tensor:
    attention.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        attention(x).float().square().mean().backward()
    return attention.to_q.weight.grad.clone()


def test_a_saturated_attention_has_no_gradient_of_its_own_making() -> None:
    """Where one position takes all, the scores' gradient is next to nothing, also in bfloat16."""
    attention, x = layer(4000.0, False), 3 * torch.randn(8, 64, 4, 4, generator=torch.Generator().manual_seed(1))
    attention.set_processor(SteadyAttention())
    exact = query_gradient(attention, x, half=False).norm()
    steady = query_gradient(attention, x, half=True).norm()
    attention.set_processor(AttnProcessor())
    rounded = query_gradient(attention, x, half=True).norm()
    assert exact < 1e-8
    assert steady < 1e-5
    assert rounded > 1e-2  # what this is for
