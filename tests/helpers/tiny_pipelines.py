"""Every kind of diffusers pipeline, so small that a step takes milliseconds: built from configs, with random weights.

Nothing is downloaded: tokenizers know the letters of the alphabet, networks have a few hundred weights each.
"""

from __future__ import annotations

import logging
import string
import warnings
from collections.abc import Callable
from typing import Any

import torch

SEED = 20_260_103
LETTERS = string.ascii_lowercase
TOKENS = 8

logging.getLogger("transformers").setLevel(logging.ERROR)  # it says at every import that torchvision is not there


def _clip_tokenizer() -> Any:
    from transformers import CLIPTokenizer

    words = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer({word: number for number, word in enumerate(words)}, [], model_max_length=TOKENS)


def _t5_tokenizer(cls: str = "T5Tokenizer") -> Any:
    import transformers

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -1.0), *((letter, -2.0) for letter in LETTERS)]
    return getattr(transformers, cls)(pieces, extra_ids=0, model_max_length=TOKENS)


def _clip_encoder(projects: bool = False, hidden: int = 16) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        vocab_size=54, hidden_size=hidden, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        projection_dim=hidden, max_position_embeddings=77, bos_token_id=52, eos_token_id=53, pad_token_id=53,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projects else CLIPTextModel)(config).eval()


def _t5_encoder(width: int = 16, words: int = 30) -> Any:
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(T5Config(vocab_size=words, d_model=width, d_kv=8, d_ff=16, num_layers=1, num_heads=2)).eval()


def _vae(channels: int = 4, **changes: Any) -> Any:
    from diffusers import AutoencoderKL

    settings: dict[str, Any] = {
        "down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2,
        "block_out_channels": (8, 8), "latent_channels": channels, "norm_num_groups": 4, "sample_size": 16,
    }  # fmt: skip
    return AutoencoderKL(**(settings | changes))


def _unet(**changes: Any) -> Any:
    from diffusers import UNet2DModel

    settings: dict[str, Any] = {
        "sample_size": 8, "layers_per_block": 1, "block_out_channels": (8, 8), "norm_num_groups": 4,
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D"), "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    }  # fmt: skip
    return UNet2DModel(**(settings | changes))


def _text_unet(**changes: Any) -> Any:
    from diffusers import UNet2DConditionModel

    settings: dict[str, Any] = {
        "sample_size": 8, "layers_per_block": 1, "block_out_channels": (8, 16), "norm_num_groups": 4,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"), "cross_attention_dim": 16, "attention_head_dim": 4,
    }  # fmt: skip
    return UNet2DConditionModel(**(settings | changes))


def _sd_parts(scheduler: str = "PNDMScheduler", **changes: Any) -> dict[str, Any]:
    import diffusers

    settings = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "steps_offset": 1}
    if scheduler == "PNDMScheduler":
        settings |= {"skip_prk_steps": True}
    return {
        "vae": _vae(), "text_encoder": _clip_encoder(), "tokenizer": _clip_tokenizer(), "unet": _text_unet(**changes),
        "scheduler": getattr(diffusers, scheduler)(**settings), "safety_checker": None, "feature_extractor": None,
    }  # fmt: skip


def ddpm() -> Any:
    from diffusers import DDPMPipeline, DDPMScheduler

    return DDPMPipeline(_unet(), DDPMScheduler())


def ddim() -> Any:
    from diffusers import DDIMPipeline, DDIMScheduler

    return DDIMPipeline(_unet(), DDIMScheduler())


def ldm() -> Any:
    from diffusers import DDIMScheduler, LDMPipeline, VQModel

    down, up = ("DownEncoderBlock2D",) * 2, ("UpDecoderBlock2D",) * 2
    vqvae = VQModel(3, 3, down, up, (8, 8), latent_channels=3, norm_num_groups=4, num_vq_embeddings=16)
    return LDMPipeline(vqvae, _unet(), DDIMScheduler(clip_sample=False))


def ldm_text() -> Any:
    from diffusers import LDMTextToImagePipeline, PNDMScheduler

    return LDMTextToImagePipeline(
        _vae(), _clip_encoder(), _clip_tokenizer(), _text_unet(), PNDMScheduler(skip_prk_steps=False)
    )


def dit() -> Any:
    from diffusers import DDIMScheduler, DiTPipeline, DiTTransformer2DModel

    transformer = DiTTransformer2DModel(
        num_attention_heads=2, attention_head_dim=8, in_channels=4, out_channels=8, num_layers=2, sample_size=8,
        num_embeds_ada_norm=1000, norm_elementwise_affine=False,
    )  # fmt: skip
    labels = {"0": "bust, head", "1": "vase", "2": "ring"}
    return DiTPipeline(transformer, _vae(), DDIMScheduler(clip_sample=False), id2label=labels)


def stable_diffusion() -> Any:
    from diffusers import StableDiffusionPipeline

    return StableDiffusionPipeline(**_sd_parts(), requires_safety_checker=False)


def img2img() -> Any:
    from diffusers import StableDiffusionImg2ImgPipeline

    return StableDiffusionImg2ImgPipeline(**_sd_parts(), requires_safety_checker=False)


def inpaint() -> Any:
    from diffusers import StableDiffusionInpaintPipeline

    return StableDiffusionInpaintPipeline(**_sd_parts("DDIMScheduler"), requires_safety_checker=False)


def sdxl() -> Any:
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    unet = _text_unet(
        addition_embed_type="text_time", addition_time_embed_dim=4, projection_class_embeddings_input_dim=40,
        cross_attention_dim=32,
    )  # fmt: skip
    return StableDiffusionXLPipeline(
        vae=_vae(), text_encoder=_clip_encoder(), text_encoder_2=_clip_encoder(projects=True),
        tokenizer=_clip_tokenizer(), tokenizer_2=_clip_tokenizer(), unet=unet,
        scheduler=EulerDiscreteScheduler(beta_schedule="scaled_linear", timestep_spacing="leading", steps_offset=1),
    )  # fmt: skip


def sd3() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

    transformer = SD3Transformer2DModel(
        sample_size=8, patch_size=1, in_channels=4, num_layers=1, attention_head_dim=8, num_attention_heads=4,
        joint_attention_dim=32, caption_projection_dim=32, pooled_projection_dim=32, out_channels=4,
    )  # fmt: skip
    encoders = {f"text_encoder{number}": _clip_encoder(projects=True) for number in ("", "_2")}
    tokenizers = {f"tokenizer{number}": _clip_tokenizer() for number in ("", "_2")}
    return StableDiffusion3Pipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(scaling_factor=1.5, shift_factor=0.06, use_quant_conv=False, use_post_quant_conv=False),
        **encoders, **tokenizers, text_encoder_3=_t5_encoder(32), tokenizer_3=_t5_tokenizer(),
    )  # fmt: skip


def flux() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=16, axes_dims_rope=(4, 4, 8), guidance_embeds=True,
    )  # fmt: skip
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True), transformer=transformer,
        vae=_vae(scaling_factor=0.36, shift_factor=0.12, use_quant_conv=False, use_post_quant_conv=False),
        text_encoder=_clip_encoder(), tokenizer=_clip_tokenizer(), text_encoder_2=_t5_encoder(32),
        tokenizer_2=_t5_tokenizer(),
    )  # fmt: skip


def flux_inpaint() -> Any:
    from diffusers import FluxInpaintPipeline

    return FluxInpaintPipeline(**flux().components)


def bria() -> Any:
    from diffusers import BriaPipeline, BriaTransformer2DModel, FlowMatchEulerDiscreteScheduler

    transformer = BriaTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, axes_dims_rope=(0, 8, 8),
    )  # fmt: skip
    return BriaPipeline(
        transformer=transformer, scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=_vae(scaling_factor=0.36, shift_factor=0.12), text_encoder=_t5_encoder(32),
        tokenizer=_t5_tokenizer("T5TokenizerFast"),
    )  # fmt: skip


def pixart() -> Any:
    from diffusers import DPMSolverMultistepScheduler, PixArtAlphaPipeline, PixArtTransformer2DModel

    transformer = PixArtTransformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, out_channels=8, num_layers=1, attention_head_dim=8,
        num_attention_heads=2, cross_attention_dim=16, caption_channels=16, norm_type="ada_norm_single",
    )  # fmt: skip
    return PixArtAlphaPipeline(
        tokenizer=_t5_tokenizer(), text_encoder=_t5_encoder(), vae=_vae(), transformer=transformer,
        scheduler=DPMSolverMultistepScheduler(),
    )  # fmt: skip


def deepfloyd() -> Any:
    from diffusers import DDPMScheduler, IFPipeline

    unet = _text_unet(
        in_channels=3, out_channels=6, class_embed_type=None, encoder_hid_dim=16, addition_embed_type="text",
        addition_embed_type_num_heads=2,
    )  # fmt: skip
    scheduler = DDPMScheduler(
        beta_schedule="squaredcos_cap_v2", variance_type="learned_range", thresholding=True, sample_max_value=1.5
    )
    return IFPipeline(
        tokenizer=_t5_tokenizer(), text_encoder=_t5_encoder(), unet=unet, scheduler=scheduler, safety_checker=None,
        feature_extractor=None, watermarker=None, requires_safety_checker=False,
    )  # fmt: skip


def deepfloyd_superresolution() -> Any:
    from diffusers import DDPMScheduler, IFSuperResolutionPipeline

    unet = _text_unet(
        in_channels=6, out_channels=6, class_embed_type="timestep", encoder_hid_dim=16, addition_embed_type="text",
        addition_embed_type_num_heads=2,
    )  # fmt: skip
    scheduler = DDPMScheduler(beta_schedule="squaredcos_cap_v2", variance_type="learned_range", thresholding=True)
    return IFSuperResolutionPipeline(
        tokenizer=_t5_tokenizer(), text_encoder=_t5_encoder(), unet=unet, scheduler=scheduler,
        image_noising_scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2"), safety_checker=None,
        feature_extractor=None, watermarker=None, requires_safety_checker=False,
    )  # fmt: skip


def consistency() -> Any:
    from diffusers import CMStochasticIterativeScheduler, ConsistencyModelPipeline

    unet = _unet(num_class_embeds=3)
    return ConsistencyModelPipeline(unet, CMStochasticIterativeScheduler(num_train_timesteps=40))


def latent_consistency() -> Any:
    from diffusers import LatentConsistencyModelPipeline

    parts = _sd_parts("LCMScheduler", time_cond_proj_dim=8)
    return LatentConsistencyModelPipeline(**parts, requires_safety_checker=False)


def aura_flow() -> Any:
    from diffusers import AuraFlowPipeline, AuraFlowTransformer2DModel, FlowMatchEulerDiscreteScheduler
    from transformers import UMT5Config, UMT5EncoderModel

    transformer = AuraFlowTransformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, num_mmdit_layers=1, num_single_dit_layers=1, attention_head_dim=8,
        num_attention_heads=2, caption_projection_dim=16, joint_attention_dim=16, out_channels=4, pos_embed_max_size=16,
    )  # fmt: skip
    encoder = UMT5EncoderModel(UMT5Config(vocab_size=30, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2))
    return AuraFlowPipeline(
        tokenizer=_t5_tokenizer(), text_encoder=encoder.eval(), vae=_vae(), transformer=transformer,
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )  # fmt: skip


def kandinsky3() -> Any:
    from diffusers import DDPMScheduler, Kandinsky3Pipeline, Kandinsky3UNet, VQModel

    movq = VQModel(
        3, 3, ("DownEncoderBlock2D", "AttnDownEncoderBlock2D"), ("AttnUpDecoderBlock2D", "UpDecoderBlock2D"), (32, 32),
        latent_channels=4, norm_num_groups=8, num_vq_embeddings=12, vq_embed_dim=4, norm_type="spatial",
    )  # fmt: skip
    unet = Kandinsky3UNet(
        in_channels=4, time_embedding_dim=4, groups=2, attention_head_dim=4, layers_per_block=3,
        block_out_channels=(32, 64), cross_attention_dim=4, encoder_hid_dim=16,
    )  # fmt: skip
    return Kandinsky3Pipeline(
        tokenizer=_t5_tokenizer(), text_encoder=_t5_encoder(), unet=unet,
        scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2", clip_sample=True), movq=movq,
    )  # fmt: skip


def chroma() -> Any:
    from diffusers import ChromaPipeline, ChromaTransformer2DModel, FlowMatchEulerDiscreteScheduler

    transformer = ChromaTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, axes_dims_rope=(4, 4, 8), approximator_hidden_dim=16, approximator_layers=1,
        approximator_num_channels=16,
    )  # fmt: skip
    return ChromaPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(), transformer=transformer, text_encoder=_t5_encoder(32),
        tokenizer=_t5_tokenizer(),
        vae=_vae(scaling_factor=0.36, shift_factor=0.12, use_quant_conv=False, use_post_quant_conv=False),
    )  # fmt: skip


def sana_sprint() -> Any:
    from diffusers import AutoencoderDC, SanaSprintPipeline, SanaTransformer2DModel, SCMScheduler
    from transformers import Gemma2Config, Gemma2Model

    transformer = SanaTransformer2DModel(
        in_channels=4, out_channels=4, num_layers=1, num_attention_heads=2, attention_head_dim=4, caption_channels=8,
        num_cross_attention_heads=2, cross_attention_head_dim=4, cross_attention_dim=8, sample_size=8, patch_size=1,
        guidance_embeds=True, qk_norm="rms_norm_across_heads",
    )  # fmt: skip
    blocks: dict[str, Any] = {f"{half}_block_out_channels": (8, 8, 8) for half in ("encoder", "decoder")}
    blocks |= {f"{half}_layers_per_block": (1, 1, 1) for half in ("encoder", "decoder")}
    blocks |= {f"{half}_qkv_multiscales": ((), (), ()) for half in ("encoder", "decoder")}
    encoder = Gemma2Model(Gemma2Config(
        vocab_size=30, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, head_dim=4, query_pre_attn_scalar=4,
    ))  # fmt: skip
    return SanaSprintPipeline(
        tokenizer=_t5_tokenizer(), text_encoder=encoder.eval(), transformer=transformer, scheduler=SCMScheduler(),
        vae=AutoencoderDC(latent_channels=4, attention_head_dim=2, **blocks),
    )  # fmt: skip


def cogview3() -> Any:
    from diffusers import CogVideoXDPMScheduler, CogView3PlusPipeline, CogView3PlusTransformer2DModel

    transformer = CogView3PlusTransformer2DModel(
        patch_size=2, in_channels=4, num_layers=1, attention_head_dim=4, num_attention_heads=2, out_channels=4,
        text_embed_dim=16, time_embed_dim=8, condition_dim=2, pos_embed_max_size=8, sample_size=8,
    )  # fmt: skip
    scheduler = CogVideoXDPMScheduler(
        prediction_type="v_prediction", timestep_spacing="trailing", rescale_betas_zero_snr=True, snr_shift_scale=4.0
    )
    return CogView3PlusPipeline(
        tokenizer=_t5_tokenizer(), text_encoder=_t5_encoder(), vae=_vae(), transformer=transformer, scheduler=scheduler
    )


BUILDERS: dict[str, Callable[[], Any]] = {
    builder.__name__: builder
    for builder in (
        ddpm, ddim, ldm, ldm_text, dit, stable_diffusion, img2img, inpaint, sdxl, sd3, flux, flux_inpaint, bria,
        pixart, deepfloyd, deepfloyd_superresolution, consistency, latent_consistency, aura_flow, kandinsky3, chroma,
        sana_sprint, cogview3,
    )
}  # fmt: skip


def build(name: str) -> Any:
    """A pipeline of that kind; its weights are random but always the same."""
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # diffusers warns of its own future
        torch.manual_seed(SEED)
        pipeline = BUILDERS[name]()
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval()  # as a model that is opened
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
