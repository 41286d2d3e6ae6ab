"""The network that a run begins with: a new one, or another model's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from sculptor_app.diffusion.label_embedding import LabelEmbedding
from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.diffusion.pipelines import networks
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
from sculptor_app.training.errors import UnsuitableModel
from sculptor_app.training.network.architecture import new_scheduler


def start_from(folder: Path, forms: Sequence[str], materials: Sequence[str], size: int | None) -> SculptorPipeline:
    """A pipeline with another model's weights, to be trained on.

    Args:
        folder: Of the model.
        forms: Of the pictures to learn. Without any the model's labels are left out: what it makes when they are left
            free is where the run begins.
        materials: Likewise.
        size: Edge of the pictures to learn; None is the model's own.

    Raises:
        ModelFolderError: The folder cannot be used.
        UnsuitableModel: The model knows other labels, or another noise schedule than the one that is learned here.
    """
    model = load_sculptor(folder)
    _refuse_other_schedule(folder, model)
    known = (list(model.config.form_names), list(model.config.material_names))
    if not forms and not materials:
        table = _null_labels_only(model.label_embedding)
    elif known == (list(forms), list(materials)):
        table = model.label_embedding
    else:
        raise UnsuitableModel(
            f"The model in {folder} does not know the forms and materials of the rendered sculptures."
        )
    if size is not None:
        model.unet.register_to_config(sample_size=size // model.config.patch_size)
    return SculptorPipeline(model.unet, table, new_scheduler(), model.config.patch_size, list(forms), list(materials))


def _refuse_other_schedule(folder: Path, model: SculptorPipeline) -> None:
    there, here = model.scheduler, new_scheduler()
    same = (
        there.config.get("prediction_type") == here.config.prediction_type
        and there.alphas_cumprod.shape == here.alphas_cumprod.shape
        and torch.allclose(there.alphas_cumprod, here.alphas_cumprod, atol=1e-5)
    )
    if not same:
        raise UnsuitableModel(
            f"The model in {folder} was learned with another noise schedule, or says something else than v."
        )


def _null_labels_only(table: LabelEmbedding) -> LabelEmbedding:
    """A table without labels whose vector is the given one's for the null labels."""
    with networks.BUILD_LOCK:
        nulls: LabelEmbedding = LabelEmbedding(0, 0, table.config.width)
    with torch.no_grad():
        nulls.form.weight.copy_(table.form.weight[-1:])
        nulls.material.weight.copy_(table.material.weight[-1:])
    return nulls
