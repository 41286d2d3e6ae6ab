"""Matrices are followed by their orthogonalised momentum, everything else by AdamW."""

import numpy as np
import pytest
import torch
from torch import nn

from sculptor_app.training.loop.optimizer import Muon, make_optimizer, orthogonalised
from sculptor_app.training.records.plan import Recipe
from tests.training.tiny import tiny_pipeline


@pytest.mark.parametrize("shape", [(16, 16), (8, 48), (48, 8)])
def test_an_orthogonalised_matrix_keeps_its_directions_and_evens_out_their_lengths(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(2)
    left = torch.linalg.qr(torch.randn(shape[0], shape[0], generator=generator)).Q[:, : min(shape)]
    right = torch.linalg.qr(torch.randn(shape[1], shape[1], generator=generator)).Q[:, : min(shape)]
    lengths = torch.linspace(0.1, 3, min(shape))
    result = orthogonalised(left @ torch.diag(lengths) @ right.T)
    seen = left.T @ result @ right
    assert seen.diagonal().numpy() == pytest.approx(np.ones(min(shape)), abs=0.35)
    assert (seen - torch.diag(seen.diagonal())).abs().max() < 0.05


def test_a_matrix_steps_as_far_as_adam_would_and_decays_apart_from_it() -> None:
    weight = nn.Parameter(torch.full((64, 64), 2.0))
    optimizer = Muon([{"params": [weight], "matrix": True}], weight_decay=0.5)
    optimizer.param_groups[0]["lr"] = 0.01
    weight.grad = torch.randn(64, 64, generator=torch.Generator().manual_seed(0))
    optimizer.step()
    moved = weight.detach() - 2.0 * (1 - 0.01 * 0.5)
    assert float(moved.square().mean().sqrt()) == pytest.approx(0.2 * 0.01, rel=0.2)


def test_what_is_no_matrix_is_learnt_as_torchs_own_adamw_does() -> None:
    values = torch.randn(7, generator=torch.Generator().manual_seed(1))
    ours, theirs = nn.Parameter(values.clone()), nn.Parameter(values.clone())
    muon = Muon([{"params": [ours], "matrix": False}], weight_decay=0.1)
    muon.param_groups[0]["lr"] = 0.02
    adamw = torch.optim.AdamW([theirs], lr=0.02, betas=(0.9, 0.99), weight_decay=0.1)
    for step in range(5):
        for parameter in (ours, theirs):
            parameter.grad = torch.sin(values * (step + 1))
        muon.step()
        adamw.step()
    torch.testing.assert_close(ours, theirs)


def test_every_parameter_is_learnt_once_and_what_meets_the_outside_is_no_matrix() -> None:
    unet = tiny_pipeline().unet
    optimizer = make_optimizer(unet, Recipe(total_pictures=1))
    matrices, others = (group["params"] for group in optimizer.param_groups)
    assert len(matrices) + len(others) == len(list(unet.parameters()))
    assert all(parameter.ndim >= 2 for parameter in matrices)
    ids = {id(parameter) for parameter in matrices}
    names = {name for name, parameter in unet.named_parameters() if id(parameter) in ids}
    assert not any("conv_in" in name or "conv_out" in name for name in names)
    assert any("attentions" in name for name in names)
    assert any("resnets" in name for name in names)


def test_the_plain_optimizer_can_be_asked_for() -> None:
    assert type(make_optimizer(nn.Linear(2, 2), Recipe(total_pictures=1, optimizer="adamw"))) is torch.optim.AdamW
