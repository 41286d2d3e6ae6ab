"""A tiny model for any pipeline class of diffusers, made from the annotations of its `__init__`.

A component is built by the name of its class (`COMPONENTS`); where a pipeline wants other settings of it, a row of
`CHANGES` says so. Weights are random but always the same, a few thousand; nothing is downloaded.
"""

from __future__ import annotations

import inspect
import re
import typing
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch

from tests.helpers import tiny_pipelines as tiny
from tests.helpers.tiny_language_models import LANGUAGE
from tests.helpers.tiny_old_encoders import OLD
from tests.helpers.tiny_vision_language_models import VISION_LANGUAGE
from tests.helpers.walk_rare_models import RARE, RARE_CHANGES

SEED = 20_260_104
_TEXT = {
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"), "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    "block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4, "cross_attention_dim": 16,
}  # fmt: skip
_XL = {
    "addition_embed_type": "text_time", "addition_time_embed_dim": 4, "projection_class_embeddings_input_dim": 40,
    "cross_attention_dim": 32,
}  # fmt: skip
_FLUX = {
    "patch_size": 1, "in_channels": 16, "num_layers": 1, "num_single_layers": 1, "attention_head_dim": 16,
    "num_attention_heads": 2, "joint_attention_dim": 16, "axes_dims_rope": (4, 4, 8),
}  # fmt: skip
_VAE_OF_FLOWS = {"scaling_factor": 0.36, "shift_factor": 0.12, "use_quant_conv": False, "use_post_quant_conv": False}


def _of(name: str, **usual: Any) -> Callable[..., Any]:
    """A builder of a class of diffusers with tiny settings."""

    def build(**changes: Any) -> Any:
        import diffusers

        return getattr(diffusers, name)(**(usual | changes))

    return build


def _vision(name: str) -> Callable[..., Any]:
    def build(**changes: Any) -> Any:
        import transformers

        settings = {
            "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "image_size": 32, "patch_size": 8, "projection_dim": 16,
        }  # fmt: skip
        return getattr(transformers, name)(transformers.CLIPVisionConfig(**(settings | changes)))

    return build


def _clip_processor(**changes: Any) -> Any:
    from transformers import CLIPImageProcessor

    return CLIPImageProcessor(crop_size={"height": 32, "width": 32}, size={"shortest_edge": 32}, **changes)


def _movq(**changes: Any) -> Any:
    settings: dict[str, Any] = {
        "in_channels": 3, "out_channels": 3, "down_block_types": ("DownEncoderBlock2D", "AttnDownEncoderBlock2D"),
        "up_block_types": ("AttnUpDecoderBlock2D", "UpDecoderBlock2D"), "block_out_channels": (32, 32),
        "latent_channels": 4, "norm_num_groups": 8, "num_vq_embeddings": 12, "vq_embed_dim": 4, "norm_type": "spatial",
    }  # fmt: skip
    return _of("VQModel")(**(settings | changes))


def _controlnet(**changes: Any) -> Any:
    settings = {key: value for key, value in _TEXT.items() if key != "up_block_types"}
    extra: dict[str, Any] = {"conditioning_embedding_out_channels": (8, 8), "attention_head_dim": 4}
    return _of("ControlNetModel")(**(settings | extra | changes))


def _union(**changes: Any) -> Any:
    settings = {key: value for key, value in (_TEXT | _XL).items() if key != "up_block_types"}
    extra: dict[str, Any] = {
        "conditioning_embedding_out_channels": (8, 8),
        "attention_head_dim": 4,
        "num_trans_channel": 8,
        "num_proj_channel": 8,
    }
    return _of("ControlNetUnionModel")(**(settings | extra | changes))


def _of_pipelines(module: str, name: str, **usual: Any) -> Callable[..., Any]:
    """A builder of a class that only the module of its pipelines has."""

    def build(**changes: Any) -> Any:
        import importlib

        return getattr(importlib.import_module(f"diffusers.pipelines.{module}"), name)(**(usual | changes))

    return build


_DIT = {"num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 2, "sample_size": 8}

COMPONENTS: dict[str, Callable[..., Any]] = {
    **LANGUAGE,
    **VISION_LANGUAGE,
    **OLD,
    **RARE,
    "AutoencoderKL": tiny._vae,
    "AutoencoderTiny": _of(
        "AutoencoderTiny", encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1), num_decoder_blocks=(1, 1), latent_channels=4,
    ),
    "AsymmetricAutoencoderKL": _of(
        "AsymmetricAutoencoderKL", down_block_types=("DownEncoderBlock2D",) * 2, down_block_out_channels=(8, 8),
        up_block_types=("UpDecoderBlock2D",) * 2, up_block_out_channels=(8, 8), norm_num_groups=4, latent_channels=4,
    ),
    "AutoencoderDC": _of(
        "AutoencoderDC", latent_channels=4, attention_head_dim=2, encoder_block_types="ResBlock",
        decoder_block_types="ResBlock", encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8),
        encoder_layers_per_block=(1, 1), decoder_layers_per_block=(1, 1), encoder_qkv_multiscales=((), ()),
        decoder_qkv_multiscales=((), ()), upsample_block_type="interpolate", downsample_block_type="stride_conv",
        decoder_norm_types="rms_norm", decoder_act_fns="silu", encoder_out_shortcut=False, scaling_factor=0.41,
    ),
    "AutoencoderKLQwenImage": _of(
        "AutoencoderKLQwenImage", base_dim=8, z_dim=4, dim_mult=[1, 2], num_res_blocks=1, temperal_downsample=[False],
        latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
    ),
    "AutoencoderKLWan": _of(
        "AutoencoderKLWan", base_dim=8, z_dim=4, dim_mult=[1, 2], num_res_blocks=1, temperal_downsample=[False],
        latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
    ),
    "AutoencoderKLFlux2": _of(
        "AutoencoderKLFlux2", down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8), latent_channels=4, norm_num_groups=4, sample_size=16, layers_per_block=1,
    ),
    "VQModel": _movq,
    "UNet2DModel": tiny._unet,
    "UNet2DConditionModel": tiny._text_unet,
    "ControlNetModel": _controlnet,
    "ControlNetUnionModel": _union,
    "T2IAdapter": _of("T2IAdapter", in_channels=3, channels=[8, 16], num_res_blocks=1, downscale_factor=4),
    "Kandinsky3UNet": _of(
        "Kandinsky3UNet", in_channels=4, time_embedding_dim=4, groups=2, attention_head_dim=4, layers_per_block=3,
        block_out_channels=(32, 64), cross_attention_dim=4, encoder_hid_dim=16,
    ),
    "DiTTransformer2DModel": _of(
        "DiTTransformer2DModel", in_channels=4, out_channels=8, num_embeds_ada_norm=1000, norm_elementwise_affine=False,
        **_DIT,
    ),
    "PixArtTransformer2DModel": _of(
        "PixArtTransformer2DModel", patch_size=2, in_channels=4, out_channels=8, cross_attention_dim=16,
        caption_channels=16, norm_type="ada_norm_single", **_DIT,
    ),
    "HunyuanDiT2DModel": _of(
        "HunyuanDiT2DModel", patch_size=2, in_channels=4, hidden_size=16, activation_fn="gelu-approximate",
        cross_attention_dim=16, cross_attention_dim_t5=16, pooled_projection_dim=8, text_len=77, text_len_t5=256,
        **_DIT,
    ),
    "HunyuanDiT2DControlNetModel": _of(
        "HunyuanDiT2DControlNetModel", patch_size=2, in_channels=4, hidden_size=16, activation_fn="gelu-approximate",
        cross_attention_dim=16, cross_attention_dim_t5=16, pooled_projection_dim=8, text_len=77, text_len_t5=256,
        transformer_num_layers=2, num_attention_heads=2, attention_head_dim=8, sample_size=8,
    ),
    "SanaTransformer2DModel": _of(
        "SanaTransformer2DModel", patch_size=1, in_channels=4, out_channels=4, num_layers=1, num_attention_heads=2,
        attention_head_dim=8, num_cross_attention_heads=2, cross_attention_head_dim=8, cross_attention_dim=16,
        caption_channels=16, sample_size=8,
    ),
    "SanaControlNetModel": _of(
        "SanaControlNetModel", patch_size=1, in_channels=4, out_channels=4, num_layers=1, num_attention_heads=2,
        attention_head_dim=8, num_cross_attention_heads=2, cross_attention_head_dim=8, cross_attention_dim=16,
        caption_channels=16, sample_size=8,
    ),
    "SD3Transformer2DModel": _of(
        "SD3Transformer2DModel", sample_size=8, patch_size=1, in_channels=4, num_layers=2, attention_head_dim=8,
        num_attention_heads=4, joint_attention_dim=32, caption_projection_dim=32, pooled_projection_dim=32,
        out_channels=4,
    ),
    "SD3ControlNetModel": _of(
        "SD3ControlNetModel", sample_size=8, patch_size=1, in_channels=4, num_layers=1, attention_head_dim=8,
        num_attention_heads=4, joint_attention_dim=32, caption_projection_dim=32, pooled_projection_dim=32,
        out_channels=4,
    ),
    "FluxTransformer2DModel": _of("FluxTransformer2DModel", pooled_projection_dim=16, **_FLUX),
    "FluxControlNetModel": _of("FluxControlNetModel", pooled_projection_dim=16, **_FLUX),
    "BriaTransformer2DModel": _of("BriaTransformer2DModel", **(_FLUX | {"axes_dims_rope": (0, 8, 8)})),
    "ChromaTransformer2DModel": _of(
        "ChromaTransformer2DModel", approximator_hidden_dim=16, approximator_layers=1, approximator_num_channels=16,
        **_FLUX,
    ),
    "AuraFlowTransformer2DModel": _of(
        "AuraFlowTransformer2DModel", sample_size=8, patch_size=2, in_channels=4, num_mmdit_layers=1,
        num_single_dit_layers=1, attention_head_dim=8, num_attention_heads=2, caption_projection_dim=16,
        joint_attention_dim=16, out_channels=4, pos_embed_max_size=16,
    ),
    "CogView3PlusTransformer2DModel": _of(
        "CogView3PlusTransformer2DModel", patch_size=2, in_channels=4, num_layers=1, attention_head_dim=8,
        num_attention_heads=2, out_channels=4, text_embed_dim=16, time_embed_dim=8, condition_dim=2,
        pos_embed_max_size=8, sample_size=8,
    ),
    "CogView4Transformer2DModel": _of(
        "CogView4Transformer2DModel", patch_size=2, in_channels=4, num_layers=1, attention_head_dim=8,
        num_attention_heads=2, out_channels=4, text_embed_dim=16, time_embed_dim=8, condition_dim=4,
        rope_axes_dim=(16, 16), sample_size=8,
    ),
    "UVit2DModel": _of(
        "UVit2DModel", hidden_size=16, use_bias=False, hidden_dropout=0.0, cond_embed_dim=16, micro_cond_encode_dim=2,
        micro_cond_embed_dim=10, encoder_hidden_size=16, vocab_size=32, codebook_size=32, in_channels=16,
        block_out_channels=16, num_res_blocks=1, downsample=True, upsample=True, block_num_heads=1,
        num_hidden_layers=1, num_attention_heads=1, attention_dropout=0.0, intermediate_size=16, layer_norm_eps=1e-06,
        ln_elementwise_affine=True, sample_size=8,
    ),
    "LuminaNextDiT2DModel": _of(
        "LuminaNextDiT2DModel", sample_size=8, patch_size=2, in_channels=4, hidden_size=24, num_layers=1,
        num_attention_heads=3, num_kv_heads=1, multiple_of=16, ffn_dim_multiplier=None, norm_eps=1e-5,
        learn_sigma=True, qk_norm=True, cross_attention_dim=16, scaling_factor=1.0,
    ),
    "Lumina2Transformer2DModel": _of(
        "Lumina2Transformer2DModel", sample_size=8, patch_size=2, in_channels=4, hidden_size=8, num_layers=1,
        num_attention_heads=1, num_kv_heads=1, multiple_of=16, ffn_dim_multiplier=None, norm_eps=1e-5,
        scaling_factor=1.0, axes_dim_rope=[4, 2, 2], cap_feat_dim=16,
    ),
    "QwenImageTransformer2DModel": _of(
        "QwenImageTransformer2DModel", patch_size=2, in_channels=16, out_channels=4, num_layers=1,
        attention_head_dim=16, num_attention_heads=2, joint_attention_dim=16, axes_dims_rope=(8, 4, 4),
    ),
    "QwenImageControlNetModel": _of(
        "QwenImageControlNetModel", patch_size=2, in_channels=16, out_channels=4, num_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=16, axes_dims_rope=(8, 4, 4),
    ),
    "ZImageTransformer2DModel": _of(
        "ZImageTransformer2DModel", all_patch_size=(2,), all_f_patch_size=(1,), in_channels=4, dim=32, n_layers=1,
        n_refiner_layers=1, n_heads=2, n_kv_heads=2, qk_norm=True, cap_feat_dim=16, rope_theta=256.0, t_scale=1000.0,
        axes_dims=[8, 4, 4], axes_lens=[256, 32, 32],
    ),
    "Flux2Transformer2DModel": _of(
        "Flux2Transformer2DModel", patch_size=1, in_channels=16, num_layers=1, num_single_layers=1,
        attention_head_dim=16, num_attention_heads=2, joint_attention_dim=16, timestep_guidance_channels=256,
        axes_dims_rope=[4, 4, 4, 4],
    ),
    "PRXTransformer2DModel": _of(
        "PRXTransformer2DModel", patch_size=1, in_channels=4, context_in_dim=16, hidden_size=8, mlp_ratio=2.0,
        num_heads=2, depth=1, axes_dim=[2, 2],
    ),
    "PriorTransformer": _of(
        "PriorTransformer", num_attention_heads=2, attention_head_dim=8, num_layers=1, embedding_dim=16,
        num_embeddings=77,
    ),
    "UnCLIPTextProjModel": _of_pipelines(
        "deprecated.unclip.text_proj", "UnCLIPTextProjModel", clip_embeddings_dim=16, time_embed_dim=32,
        cross_attention_dim=16,
    ),
    "StableUnCLIPImageNormalizer": _of_pipelines(
        "stable_diffusion.stable_unclip_image_normalizer", "StableUnCLIPImageNormalizer", embedding_dim=16
    ),
    "CLIPImageProcessorPil": _clip_processor,
    "CLIPImageProcessor": _clip_processor,
    "CLIPVisionModelWithProjection": _vision("CLIPVisionModelWithProjection"),
    "CLIPVisionModel": _vision("CLIPVisionModel"),
}  # fmt: skip
"""Builders of components, by the name of the class that a pipeline's `__init__` asks for."""

_SCHEDULERS: dict[str, dict[str, Any]] = {
    "KarrasDiffusionSchedulers": {"beta_schedule": "scaled_linear", "clip_sample": False, "set_alpha_to_one": False},
    "DDIMScheduler": {"beta_schedule": "scaled_linear", "clip_sample": False, "set_alpha_to_one": False},
    "PNDMScheduler": {"skip_prk_steps": True},
    "AmusedScheduler": {"mask_token_id": 31},
}
_FLOWS_VAE = {"vae": _VAE_OF_FLOWS}
_SHIFTS = {"scheduler": {"use_dynamic_shifting": True}}

CHANGES: tuple[tuple[str, dict[str, dict[str, Any]]], ...] = (
    (r"StableDiffusionXL(?!ControlNetXS)|LEditsPPPipelineStableDiffusionXL|TextToVideoZeroSDXL",
     {"controlnet": _XL}),
    (r"StableDiffusionXL|LEditsPPPipelineStableDiffusionXL|TextToVideoZeroSDXL", {"unet": _XL,
     "text_encoder_2": {"projects": True}, "text_encoder": {}}),
    (r"XL.*InstructPix2Pix|StableDiffusionInstructPix2Pix", {"unet": {"in_channels": 8}}),
    (r"XLAdapter", {"adapter": {"adapter_type": "full_adapter_xl", "channels": [8, 16]}}),
    (r"StableDiffusion3", {"text_encoder": {"projects": True}, "text_encoder_2": {"projects": True},
     "text_encoder_3": {"width": 32}, **_FLOWS_VAE}),
    (r"^Flux(?!2)|VisualCloze|^Chroma|^Bria(?!Fibo)", _FLOWS_VAE),
    (r"^Flux(Control(Img2Img|Inpaint)?Pipeline)", {"transformer": {"in_channels": 32, "out_channels": 16}}),
    (r"^FluxFill", {"transformer": {"in_channels": 48, "out_channels": 16}}),
    (r"^VisualCloze", {"transformer": {"in_channels": 48, "out_channels": 16}}),
    (r"^HunyuanDiT", {"text_encoder_2": {}, "tokenizer_2": {}}),
    (r"^(Kandinsky|StableUnCLIP|UnCLIP)", {"prior": {"num_embeddings": 8}}),
    (r"^KandinskyV22.*Combined", {"prior_prior": {"num_embeddings": 8}}),
    (r"^Flux2Klein", {"text_encoder": {"num_hidden_layers": 28}, "transformer": {"joint_attention_dim": 48}}),
    (r"^(RePaint|LDMSuper)", {"unet": {"sample_size": 32}}),
    (r"^StableDiffusionAdapter", {"adapter": {"downscale_factor": 2},
     "unet": {"down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
              "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D")}}),
    (r"^UnCLIP", {"decoder": {"down_block_types": ("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
     "up_block_types": ("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"), "in_channels": 3, "out_channels": 6,
     "mid_block_type": "UNetMidBlock2DSimpleCrossAttn", "class_embed_type": "identity",
     "resnet_time_scale_shift": "scale_shift"},
     "super_res_first": {"in_channels": 6, "out_channels": 3},
     "super_res_last": {"in_channels": 6, "out_channels": 3}}),
    (r"^KandinskyV22Prior", {"prior": {"num_embeddings": 8}, "text_encoder": {"projects": True}}),
    (r"Paradigms", {"scheduler": {"_class": "DDIMParallelScheduler"}}),
    (r"^ZImage", {"vae": {"scaling_factor": 0.36, "shift_factor": 0.12}}),
    (r"^StableDiffusion3Inpaint", {"vae": {"latent_channels": 16},
     "transformer": {"in_channels": 16, "out_channels": 16}}),
    (r"^HiDream", {**_FLOWS_VAE}),
    (r"^IF", {"unet": {"in_channels": 3, "out_channels": 6, "encoder_hid_dim": 16, "addition_embed_type": "text",
     "addition_embed_type_num_heads": 2}, "scheduler": {"beta_schedule": "squaredcos_cap_v2",
     "variance_type": "learned_range", "thresholding": True, "sample_max_value": 1.5}}),
    (r"^IF.*SuperResolution", {"unet": {"in_channels": 6, "class_embed_type": "timestep"}}),
    (r"Depth2Img", {"unet": {"in_channels": 5}}),
    (r"^StableDiffusionUpscale", {"unet": {"in_channels": 7, "num_class_embeds": 1000}}),
    (r"^StableDiffusionLatentUpscale", {"unet": {"in_channels": 8, "time_cond_proj_dim": 160}}),
    (r"^PaintByExample", {"unet": {"in_channels": 9}}),
    (r"^LatentConsistency", {"unet": {"time_cond_proj_dim": 8}, "scheduler": {}}),
    (r"^ConsistencyModel", {"unet": {"num_class_embeds": 3}, "scheduler": {"num_train_timesteps": 40}}),
    (r"^StableUnCLIP", {"unet": {"class_embed_type": "projection", "projection_class_embeddings_input_dim": 32},
     "image_noising_scheduler": {"beta_schedule": "squaredcos_cap_v2"}}),
    (r"^LDMPipeline", {"vqvae": {"latent_channels": 3, "norm_type": "group", "vq_embed_dim": 3}}),
    (r"^LDMSuper", {"vqvae": {"latent_channels": 3, "norm_type": "group", "vq_embed_dim": 3}, "unet": {"in_channels": 6,
     "out_channels": 3}}),
    (r"^Kandinsky(Pipeline|Combined|Img2Img|Inpaint|V22)", {"unet": {"in_channels": 4, "out_channels": 8}}),
    (r"^CogView4Control", {"transformer": {"in_channels": 8}}),
    (r"^PRXPixel", {"transformer": {"in_channels": 3, "patch_size": 2}}),
    (r"^Amused", {"text_encoder": {"projects": True}, "vqvae": {"latent_channels": 16, "vq_embed_dim": 16,
     "norm_type": "group", "num_vq_embeddings": 32}}),
    (r"^StableDiffusionLDM3D", {"vae": {"in_channels": 6, "out_channels": 6}}),
    (r"^KandinskyV22InpaintCombined", {"unet": {"in_channels": 9}}),
    (r"^UnCLIP", {"decoder_scheduler": {"variance_type": "learned_range"}}),
    (r"^UnCLIP", {"text_encoder": {"projects": True}, "prior_text_encoder": {"projects": True}}),
    (r"^SanaSprint", {"transformer": {"guidance_embeds": True}, "scheduler": {"_class": "SCMScheduler"}}),
    (r"^UnCLIP", {"image_encoder": {}, "feature_extractor": {}}),
    (r"^(StableUnCLIPPipeline)", {"prior_text_encoder": {"projects": True}}),
    (r"^StableDiffusion3ControlNetInpainting", {"controlnet": {"extra_conditioning_channels": 1}}),
    (r"^StableDiffusionLatentUpscale", {"unet": {"time_cond_proj_dim": 144, "out_channels": 5}}),
    (r"^CycleDiffusion", {"scheduler": {"steps_offset": 1}}),
)  # fmt: skip
"""Other settings of components, by a pattern of the pipeline's name; all that fit are merged, later ones win."""

_LEFT_OUT = {
    "safety_checker": None, "watermarker": None, "requires_safety_checker": False, "add_watermarker": False,
    "requires_aesthetics_score": False,
}  # fmt: skip


class NoTinyModel(Exception):
    """No builder is known for a component; the text is its name and class."""


def pipeline_classes() -> dict[str, type]:
    """All concrete pipeline classes of the installed diffusers by name, without those whose packages are missing."""
    import diffusers

    found: dict[str, type] = {}
    for name in sorted(dir(diffusers)):
        each = getattr(diffusers, name, None)
        if isinstance(each, type) and issubclass(each, diffusers.DiffusionPipeline) and _is_whole(each, name):
            found[name] = each
    return found


def _is_whole(found: type, name: str) -> bool:
    is_base = name in ("DiffusionPipeline", "StableDiffusionMixin") or found.__name__ != name
    return not is_base and ".dummy_" not in found.__module__


def parts_of(kind: type) -> Iterator[tuple[str, Any, bool]]:
    """What a pipeline's `__init__` takes: name, annotation, and whether it has a default."""
    try:
        hints = typing.get_type_hints(kind.__init__)
    except Exception:  # of packages that are not installed
        hints = {}
    for name, parameter in inspect.signature(kind.__init__).parameters.items():
        if name != "self" and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            yield name, hints.get(name, parameter.annotation), parameter.default is not parameter.empty


def class_names(annotation: Any) -> list[str]:
    """The names of the classes in an annotation, in order."""
    members = typing.get_args(annotation) or (annotation,)
    return [getattr(each, "__name__", str(each)) for each in members if each is not type(None)]


def changes_for(name: str) -> dict[str, dict[str, Any]]:
    """Settings of components that a pipeline wants other than usual."""
    merged: dict[str, dict[str, Any]] = {}
    for pattern, rows in (*CHANGES, *RARE_CHANGES):
        if re.search(pattern, name):
            for part, settings in rows.items():
                merged[part] = merged.get(part, {}) | settings
    return merged


def build_tiny(kind: type) -> Any:
    """A pipeline of a class with tiny components; `NoTinyModel` where one of them is not known here."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(SEED)
        pipeline = kind(**dict(_parts(kind)))
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _parts(kind: type) -> Iterator[tuple[str, Any]]:
    changes = changes_for(kind.__name__)
    if "text_encoder_select_layers" in inspect.signature(kind.__init__).parameters:
        yield "text_encoder_select_layers", (0, 1, 2)  # a tiny encoder has no more
    for name, annotation, has_default in parts_of(kind):
        if name in _LEFT_OUT:
            yield name, _LEFT_OUT[name]
            continue
        names = class_names(annotation)
        if any(each in ("bool", "int", "float", "str", "dict", "tuple", "list") for each in names) and has_default:
            continue
        if has_default and name not in changes:
            continue
        yield name, _component(name, names, changes.get(name, {}))


def _component(name: str, names: list[str], changes: dict[str, Any]) -> Any:
    import diffusers

    settings = dict(changes)
    own = settings.pop("_component", None)  # where the annotation names a base class
    for each in [own] if own else names:
        if each in COMPONENTS:
            changes = settings
            part = COMPONENTS[each](**changes)
            return part.eval() if isinstance(part, torch.nn.Module) else part
        if each == "KarrasDiffusionSchedulers" or "KarrasDiffusionSchedulers" in each:
            settings = _SCHEDULERS["KarrasDiffusionSchedulers"] | changes
            return getattr(diffusers, settings.pop("_class", "DDIMScheduler"))(**settings)
        if each.endswith("Scheduler") and hasattr(diffusers, each):
            settings = _SCHEDULERS.get(each, {}) | changes
            return getattr(diffusers, settings.pop("_class", each))(**settings)
    raise NoTinyModel(f"{name}: {' | '.join(names)}")
