"""The parts of a pipeline that learn, as one module, and the pipeline that they become again."""

from __future__ import annotations

import copy

import torch
from torch import nn

from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline


class Learner(nn.Module):
    """The parts of the pipeline that learn, as one module.

    Args:
        pipeline: Its U-Net and label table are trained in place.
    """

    def __init__(self, pipeline: SculptorPipeline) -> None:
        super().__init__()
        self.unet, self.label_embedding = pipeline.unet, pipeline.label_embedding

    def forward(self, x: torch.Tensor, t: torch.Tensor, forms: torch.Tensor, materials: torch.Tensor) -> torch.Tensor:
        """Predicted v of patchified states (B, C, h, w)."""
        v: torch.Tensor = self.unet(x, t, class_labels=self.label_embedding(forms, materials)).sample
        return v


def with_weights_of(learner: Learner, pipeline: SculptorPipeline) -> SculptorPipeline:
    """A pipeline like another with a learner's weights; they are shared, not copied."""
    config = pipeline.config
    return SculptorPipeline(learner.unet, learner.label_embedding, copy.deepcopy(pipeline.scheduler),
                            config.patch_size, config.form_names, config.material_names)  # fmt: skip
