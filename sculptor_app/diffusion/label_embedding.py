"""Embedding of the class labels, form and material, that the U-Net adds to its time embedding."""

from __future__ import annotations

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import nn


class LabelEmbedding(ModelMixin, ConfigMixin):  # type: ignore[misc]  # diffusers ships no types
    """One learned vector per form plus one per material.

    The last row of each table is the null label of classifier-free guidance, learned by label dropout. A person who
    names a form but no material uses it, too.

    Source: Ho and Salimans 2022, "Classifier-Free Diffusion Guidance", section 3.

    Args:
        num_forms, num_materials: How many there are, without the null label.
        width: Length of the vector; the width of the U-Net's time embedding.
    """

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(self, num_forms: int = 8, num_materials: int = 6, width: int = 512) -> None:
        super().__init__()
        self.form = nn.Embedding(num_forms + 1, width)
        self.material = nn.Embedding(num_materials + 1, width)

    @property
    def null_form(self) -> int:
        """The null label of the forms: unconditional in form."""
        return self.form.num_embeddings - 1

    @property
    def null_material(self) -> int:
        """The null label of the materials: unconditional in material."""
        return self.material.num_embeddings - 1

    def forward(self, forms: torch.Tensor, materials: torch.Tensor) -> torch.Tensor:
        """Embed labels as (B, width) in the tables' dtype.

        Args:
            forms: (B,) int64, 0 to num_forms; num_forms is the null label.
            materials: (B,) int64, 0 to num_materials; num_materials is the null label.
        """
        embedded: torch.Tensor = self.form(forms) + self.material(materials)
        return embedded
