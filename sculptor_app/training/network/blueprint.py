"""A pipeline's architecture as plain values, so that a checkpoint can become a model by itself."""

from __future__ import annotations

import json
from typing import Any

from diffusers import DDIMScheduler, UNet2DModel

from sculptor_app.diffusion.label_embedding import LabelEmbedding
from sculptor_app.diffusion.pipelines import networks
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline


def blueprint_of(pipeline: SculptorPipeline) -> dict[str, Any]:
    """Everything of a pipeline but its weights."""
    parts = {"unet": pipeline.unet, "label_embedding": pipeline.label_embedding, "scheduler": pipeline.scheduler}
    return {
        **{name: _plain(part.config) for name, part in parts.items()},
        "patch_size": pipeline.config.patch_size,
        "form_names": list(pipeline.config.form_names),
        "material_names": list(pipeline.config.material_names),
    }


def build(blueprint: dict[str, Any]) -> SculptorPipeline:
    """An untrained pipeline of this architecture."""
    with networks.BUILD_LOCK:
        unet = UNet2DModel.from_config(blueprint["unet"])
        table = LabelEmbedding.from_config(blueprint["label_embedding"])
    return SculptorPipeline(
        unet,
        table,
        DDIMScheduler.from_config(blueprint["scheduler"]),
        blueprint["patch_size"],
        blueprint["form_names"],
        blueprint["material_names"],
    )


def _plain(config: Any) -> dict[str, Any]:
    """A component's settings; those that begin with an underscore are diffusers' own notes."""
    plain: dict[str, Any] = json.loads(json.dumps({k: v for k, v in config.items() if not k.startswith("_")}))
    return plain
