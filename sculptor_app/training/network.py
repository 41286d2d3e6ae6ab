"""The network: its architecture, blueprint, first weights, and attention that trains in 16 bits."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DModel
from diffusers.models.attention_processor import Attention
from torch import nn

from sculptor_app.core.texts import translate
from sculptor_app.diffusion.label_embedding import LabelEmbedding
from sculptor_app.diffusion.models.builder import load_sculptor
from sculptor_app.diffusion.pipelines import networks
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
from sculptor_app.diffusion.pixel_unet import PIXEL_CHANNELS, PixelUNet2DModel, network_class, patch_unet
from sculptor_app.training.errors import UnsuitableModel


def new_scheduler() -> DDIMScheduler:
    """The cosine noise schedule with v-prediction (Nichol and Dhariwal 2021, equation 17; Salimans and Ho 2022).

    Evenly spaced timesteps ("linspace") put the sculptor's phases at steps 5, 15 and 30 of 50.
    """
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        timestep_spacing="linspace",
        clip_sample=True,
    )


def new_pipeline(
    form_names: Sequence[str],
    material_names: Sequence[str],
    size: int = 64,
    patch_size: int = 2,
    channels: tuple[int, ...] = (64, 128, 192, 224),
    layers: int = 1,
    finish: str = "none",
) -> SculptorPipeline:
    """An untrained pipeline.

    Args:
        size: Edge of the pictures in pixels.
        patch_size, channels, layers, finish: See `PixelUNet2DModel`; with the finish "none", every position of a plain
            U-Net says its own patch.
    """
    width = 4 * channels[min(1, len(channels) - 1)]
    with networks.BUILD_LOCK:
        if finish == "none":
            numbers = PIXEL_CHANNELS * patch_size**2
            unet = patch_unet(size // patch_size, numbers, numbers, channels, layers, width)
        else:
            unet = PixelUNet2DModel(size, patch_size, channels, layers, width, finish)
        table = LabelEmbedding(len(form_names), len(material_names), width=width)
    patch = patch_size if finish == "none" else 1
    return SculptorPipeline(unet, table, new_scheduler(), patch, list(form_names), list(material_names))


def finish_of(pipeline: SculptorPipeline) -> str:
    """How a network's neighbouring patches are joined; "none" for a plain U-Net."""
    return str(pipeline.unet.config.get("finish", "none"))


def patches_of(unet: PixelUNet2DModel | UNet2DModel) -> UNet2DModel:
    """The U-Net on patches inside a network, or the network where it is one."""
    return unet.unet if isinstance(unet, PixelUNet2DModel) else unet


def fixed_settings(pipeline: SculptorPipeline) -> dict[str, Any]:
    """The settings of a network that stay as they are while it learns, by the names that checkpoints keep them by."""
    unet = pipeline.unet.config
    settings = {
        "--size": pipeline.picture_size,
        "--patch": pipeline.patch,
        "--channels": list(unet.block_out_channels),
        "--layers": unet.layers_per_block,
    }
    return settings | ({"--finish": unet.finish} if "finish" in unet else {})  # runs from before it know none


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
        unet = network_class(blueprint["unet"]).from_config(blueprint["unet"])
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
    """A component's settings without diffusers' own notes, which begin with an underscore."""
    plain: dict[str, Any] = json.loads(json.dumps({k: v for k, v in config.items() if not k.startswith("_")}))
    return plain


class TrainableModule(nn.Module):
    """The parts of the pipeline that learn, the U-Net and the label table, as one module; trained in place."""

    def __init__(self, pipeline: SculptorPipeline) -> None:
        super().__init__()
        self.unet, self.label_embedding = pipeline.unet, pipeline.label_embedding

    def forward(self, x: torch.Tensor, t: torch.Tensor, forms: torch.Tensor, materials: torch.Tensor) -> torch.Tensor:
        """Predicted v of patchified states (B, C, h, w)."""
        v: torch.Tensor = self.unet(x, t, class_labels=self.label_embedding(forms, materials)).sample
        return v


def with_weights_of(learner: TrainableModule, pipeline: SculptorPipeline) -> SculptorPipeline:
    """A pipeline like another with a learner's weights; they are shared, not copied."""
    config = pipeline.config
    return SculptorPipeline(learner.unet, learner.label_embedding, copy.deepcopy(pipeline.scheduler),
                            config.patch_size, config.form_names, config.material_names)  # fmt: skip


def use_float32_attention(network: nn.Module) -> None:
    """Have attention's scores computed in float32, whatever the rest is computed in."""
    for module in network.modules():
        if isinstance(module, Attention):
            module.set_processor(Float32Attention())


class Float32Attention:
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
        """Attention over (B, C, H, W), with the input added if the layer says so; the rest is diffusers' call.

        `attn.group_norm` may be None, as in diffusers' middle block.
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


def contiguous_group_norms(network: nn.Module) -> None:
    """Go around what is slow in bfloat16 on a CPU; the arithmetic stays the same.

    WORKAROUND: torch 2.13's group norm takes fifteen times as long on the channels-last layout that oneDNN's
    convolutions leave behind; made contiguous first, a sixth of a training step is saved.
    """
    for module in network.modules():
        if isinstance(module, nn.GroupNorm):
            module.register_forward_pre_hook(_make_contiguous)


def _make_contiguous(_: nn.Module, inputs: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    return (inputs[0].contiguous(),)


def start_from(
    folder: Path, forms: Sequence[str], materials: Sequence[str], size: int | None, patch: int | None = None,
    finish: str | None = None,
) -> SculptorPipeline:  # fmt: skip
    """A pipeline with another model's weights, to be trained on.

    Args:
        folder: Of the model.
        forms: Of the pictures to learn. Without any the run begins with what the model makes of the null labels.
        materials: Likewise.
        size: Edge of the pictures to learn; None is the model's own.
        patch: See `PixelUNet2DModel`; None is the model's own, else a multiple of it (see `_with_other_ends`).
        finish: Likewise; None is the model's own.

    Raises:
        ModelFolderError: The folder cannot be used.
        UnsuitableModel: The model knows other labels, or another noise schedule than the one that is learned here, or
            its patches do not go into those asked for.
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
            translate(
                "errors", "The model in {0} does not know the forms and materials of the rendered sculptures."
            ).format(folder)
        )
    patch, finish = patch or model.patch, finish or finish_of(model)
    if patch % model.patch:
        raise UnsuitableModel(
            translate("errors", "The model in {0} works on {1}×{1} patches, which do not go into {2}×{2}.").format(
                folder, model.patch, patch
            )
        )
    if (patch, finish) != (model.patch, finish_of(model)):
        return _with_other_ends(model, table, list(forms), list(materials), size or model.picture_size, patch, finish)
    if size is not None:
        model.unet.register_to_config(sample_size=size // model.config.patch_size)
    return SculptorPipeline(model.unet, table, new_scheduler(), model.config.patch_size, list(forms), list(materials))


def _with_other_ends(
    model: SculptorPipeline, table: LabelEmbedding, forms: list[str], materials: list[str], size: int, patch: int,
    finish: str,
) -> SculptorPipeline:  # fmt: skip
    """A network on other patches, or with another finish, with a model's inner layers.

    Its first layer sees each patch scaled down to the model's, and its last one says each pixel of the model's patches
    as often as it is wide, so that a run begins with what the model makes of smaller pictures.
    """
    there = model.unet.config
    made = new_pipeline(forms, materials, size, patch, tuple(there.block_out_channels), there.layers_per_block, finish)
    inner, old = patches_of(made.unet), patches_of(model.unet)
    ends = ("conv_in.", "conv_out.")
    inner.load_state_dict({k: v for k, v in old.state_dict().items() if not k.startswith(ends)}, strict=False)
    wide = patch // model.patch
    with torch.no_grad():
        first = old.conv_in.weight.unflatten(1, (PIXEL_CHANNELS, model.patch, model.patch))
        # Noise averaged over wide × wide pixels is `wide` times weaker; pictures are not: the root lies between.
        spread = first.repeat_interleave(wide, 2).repeat_interleave(wide, 3) / wide**1.5
        inner.conv_in.weight.copy_(spread.flatten(1, 3))
        inner.conv_in.bias.copy_(old.conv_in.bias)
        pixels = PIXEL_CHANNELS * patch**2
        for name in ("weight", "bias"):
            last = getattr(old.conv_out, name)[: PIXEL_CHANNELS * model.patch**2]
            last = last.unflatten(0, (PIXEL_CHANNELS, model.patch, model.patch))
            widened = last.repeat_interleave(wide, 1).repeat_interleave(wide, 2).flatten(0, 2)
            getattr(inner.conv_out, name)[:pixels].copy_(widened)
    return SculptorPipeline(made.unet, table, new_scheduler(), made.config.patch_size, forms, materials)


def _refuse_other_schedule(folder: Path, model: SculptorPipeline) -> None:
    there, here = model.scheduler, new_scheduler()
    same = (
        there.config.get("prediction_type") == here.config.prediction_type
        and there.alphas_cumprod.shape == here.alphas_cumprod.shape
        and torch.allclose(there.alphas_cumprod, here.alphas_cumprod, atol=1e-5)
    )
    if not same:
        raise UnsuitableModel(
            translate(
                "errors", "The model in {0} was learned with another noise schedule, or says something else than v."
            ).format(folder)
        )


def _null_labels_only(table: LabelEmbedding) -> LabelEmbedding:
    """A table without labels whose vector is the given one's for the null labels."""
    with networks.BUILD_LOCK:
        nulls: LabelEmbedding = LabelEmbedding(0, 0, table.config.width)
    with torch.no_grad():
        nulls.form.weight.copy_(table.form.weight[-1:])
        nulls.material.weight.copy_(table.material.weight[-1:])
    return nulls
