"""Going around what is slow or inexact in torch when a network with attention is trained in 16 bits."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.models.attention_processor import Attention
from torch import nn


def steady_attention(network: nn.Module) -> None:
    """Have attention's scores computed in float32, whatever the rest is computed in."""
    for module in network.modules():
        if isinstance(module, Attention):
            module.set_processor(SteadyAttention())


class SteadyAttention:
    """Self-attention over the positions of a picture, its scores and their softmax in float32.

    WORKAROUND: in bfloat16 (diffusers 0.42's processors, torch 2.13's fused attention) the gradient of a saturated
    softmax is a difference of rounded numbers: where an attention looked at one position alone, the gradients of its
    queries and keys came out ten thousand times too large, and undid whole runs. Sequences here are short, so that
    float32 costs nothing; on a CPU it is also faster than the fused attention.
    """

    def __call__(
        self, attn: Attention, hidden_states: torch.Tensor, encoder_hidden_states: Any = None,
        attention_mask: Any = None, temb: Any = None,
    ) -> torch.Tensor:  # fmt: skip
        """Attend; diffusers hands over what its other layers need, and these have no use for.

        Args:
            attn: The layer; `group_norm` may be None, as in diffusers' middle block.
            hidden_states: (B, C, H, W).
            encoder_hidden_states: Not used.
            attention_mask: Not used.
            temb: Not used.

        Returns:
            (B, C, H, W), the input added if the layer says so.
        """
        batch, channels, height, width = hidden_states.shape
        x = hidden_states.reshape(batch, channels, height * width)
        x = (x if attn.group_norm is None else attn.group_norm(x)).transpose(1, 2)  # (B, H·W, C)
        q, k, v = (
            project(x).float().unflatten(2, (attn.heads, -1)).transpose(1, 2)  # (B, heads, H·W, C/heads)
            for project in (attn.to_q, attn.to_k, attn.to_v)
        )
        with torch.autocast(x.device.type, enabled=False):
            looked_up = (q @ k.transpose(-1, -2) * attn.scale).softmax(-1) @ v
        out = attn.to_out[0](looked_up.transpose(1, 2).flatten(2).to(x.dtype))  # (B, H·W, C)
        out = out.transpose(1, 2).reshape(batch, channels, height, width)
        attended: torch.Tensor = (out + hidden_states if attn.residual_connection else out) / attn.rescale_output_factor
        return attended


def hasten_on_cpu(network: nn.Module) -> None:
    """Go around what is slow in bfloat16 on a CPU; the arithmetic stays the same.

    WORKAROUND: torch 2.13's group norm takes fifteen times as long on the channels-last layout that oneDNN's
    convolutions leave behind; made contiguous first, a sixth of a training step is saved.
    """
    for module in network.modules():
        if isinstance(module, nn.GroupNorm):
            module.register_forward_pre_hook(_make_contiguous)


def _make_contiguous(_: nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    return (inputs[0].contiguous(),)
