"""Going around what is slow in torch when it trains on a CPU."""

from __future__ import annotations

import torch
from diffusers.models.attention_processor import Attention, AttnProcessor
from torch import nn


def hasten_on_cpu(network: nn.Module) -> None:
    """Go around what is slow in bfloat16 on a CPU; the arithmetic stays the same.

    WORKAROUND: torch 2.13's fused attention takes ten times as long forwards as backwards on short sequences (two plain
    products: a fifth of a training step saved), and its group norm takes fifteen times as long on the channels-last
    layout that oneDNN's convolutions leave behind (made contiguous first: another sixth).
    """
    for module in network.modules():
        if isinstance(module, Attention):
            module.set_processor(AttnProcessor())
        if isinstance(module, nn.GroupNorm):
            module.register_forward_pre_hook(_make_contiguous)


def _make_contiguous(_: nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    return (inputs[0].contiguous(),)
