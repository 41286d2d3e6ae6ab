"""The most used published models: their indexes, schedulers and networks as in their own repositories, but small.

Old keys and old class names are included. `source` says where the settings can be read: in copies of the repositories
that programs and forks carry, in diffusers' conversion scripts, or in surveys of the hub's files; and what is in none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.helpers.published_parts import (
    CHECKER,
    CLIP_WORDS,
    CLIP_WORDS_2,
    DPM_SOLVER,
    DYNAMIC,
    EDM,
    EXTRACTOR,
    FLOW,
    FLUX_VAE,
    GEMMA,
    KANDINSKY_2,
    KANDINSKY_3,
    LCM,
    LINEAR_BETAS,
    MOVQ,
    OLD_EXTRACTOR,
    OLD_KEYS,
    OLD_TRANSFORMER,
    PIXEL_UNET,
    PIXELS,
    QWEN_2_5_VL,
    QWEN_3,
    QWEN_FLOW,
    QWEN_IMAGE,
    QWEN_VAE,
    QWEN_WORDS,
    REFINER_UNET,
    SANA,
    SANA_VAE,
    SD3_VAE,
    SD_BETAS,
    SDXL_VAE,
    SLOW_BETAS,
    T5_FAST,
    T5_PIECES,
    WIDTH,
    XL_EULER,
    Z_IMAGE,
    Part,
    Settings,
    clip,
    diffusers,
    kl,
    t5,
    text_unet,
    transformers,
    xl_unet,
)

COPY, SURVEY, SCRIPT = "a copy of the repository", "a survey of the hub's files", "diffusers' conversion script"
PICTURE = {"height": 64, "width": 128}
CARD = {"prompt": "a bust of marble", "negative_prompt": "a vase", **PICTURE}
FREE_SIZE = {**PICTURE, "use_resolution_binning": False}
"""Larger models round sizes to those that they were trained on, which would make these pictures large."""


@dataclass(frozen=True)
class Published:
    """A published model: what its repository says, and how its card runs it.

    Attributes:
        parts: library, class and settings of each component by its name; None is `[null, null]` in the index.
        index: what the index says beside its components.
        options: what the model's card gives its call.
        beside: files that lie beside those that are used.
    """

    source: str
    pipeline: str
    version: str
    parts: dict[str, Part | None]
    options: Settings = field(default_factory=dict)
    steps: int = 4
    guidance: float | None = None
    index: Settings = field(default_factory=dict)
    size: tuple[int, int] = (64, 128)
    scale: int = 1  # how much larger its picture is than the one that it is given
    left_out: tuple[str, ...] = ()  # components of its family that its index does not name
    is_flat: bool = False  # whether its components lie in the repository's root
    beside: tuple[str, ...] = ()


def stable_diffusion(source: str, scheduler: Part, unet: Part, **changes: Any) -> Published:
    """A model of the first generation; keywords are fields of `Published`, and components."""
    fields = {name: changes.pop(name) for name in list(changes) if name in Published.__dataclass_fields__}
    parts = {
        "feature_extractor": EXTRACTOR, "safety_checker": CHECKER, "scheduler": scheduler, "text_encoder": clip(),
        "tokenizer": CLIP_WORDS, "unet": unet, "vae": kl(),
    }  # fmt: skip
    settings = {"pipeline": "StableDiffusionPipeline", "version": "0.6.0", "options": CARD, "guidance": 7.5}
    parts = {name: part for name, part in (parts | changes).items() if name not in fields.get("left_out", ())}
    return Published(source, **(settings | fields), parts=parts)


def stable_diffusion_xl(source: str, scheduler: Part, **changes: Any) -> Published:
    fields = {name: changes.pop(name) for name in list(changes) if name in Published.__dataclass_fields__}
    parts = {
        "scheduler": scheduler, "text_encoder": clip(), "tokenizer": CLIP_WORDS, "tokenizer_2": CLIP_WORDS_2,
        "text_encoder_2": clip("CLIPTextModelWithProjection", "gelu"), "unet": xl_unet(), "vae": SDXL_VAE,
    }  # fmt: skip
    settings = {
        "pipeline": "StableDiffusionXLPipeline", "version": "0.19.0.dev0", "options": CARD, "guidance": 5.0,
        "index": {"force_zeros_for_empty_prompt": True, "add_watermarker": None},
    }  # fmt: skip
    return Published(source, **(settings | fields), parts=parts | changes)


def sd3(source: str, version: str, **transformer: Any) -> Published:
    settings = {
        "attention_head_dim": 8, "caption_projection_dim": WIDTH, "in_channels": 16, "joint_attention_dim": 3 * WIDTH,
        "num_attention_heads": 4, "num_layers": 2, "out_channels": 16, "patch_size": 2,
        "pooled_projection_dim": 2 * WIDTH, "pos_embed_max_size": 192, "sample_size": 128,
    }  # fmt: skip
    parts = {
        "scheduler": diffusers(FLOW, {"num_train_timesteps": 1000, "shift": 3.0}),
        "text_encoder": clip("CLIPTextModelWithProjection"), "tokenizer": CLIP_WORDS, "tokenizer_2": CLIP_WORDS_2,
        "text_encoder_2": clip("CLIPTextModelWithProjection", "gelu"), "text_encoder_3": t5(d_model=3 * WIDTH),
        "tokenizer_3": T5_FAST, "transformer": diffusers("SD3Transformer2DModel", settings | transformer),
        "vae": SD3_VAE,
    }  # fmt: skip
    return Published(source, "StableDiffusion3Pipeline", version, parts, CARD, guidance=7.0)


def flux(
    source: str, pipeline: str, scheduler: Settings, guides: bool, version: str = "0.30.0.dev0", **fields: Any
) -> Published:
    transformer = {
        "attention_head_dim": 16, "guidance_embeds": guides, "in_channels": 64, "joint_attention_dim": WIDTH,
        "num_attention_heads": 2, "num_layers": 1, "num_single_layers": 1, "patch_size": 1,
        "pooled_projection_dim": WIDTH, "axes_dims_rope": [2, 6, 8],
    }  # fmt: skip
    parts = {
        "scheduler": diffusers(FLOW, scheduler), "text_encoder": clip(), "tokenizer": CLIP_WORDS,
        "text_encoder_2": t5(dense_act_fn="gelu_pytorch_tanh"), "tokenizer_2": T5_FAST,
        "transformer": diffusers("FluxTransformer2DModel", transformer), "vae": FLUX_VAE,
    }  # fmt: skip
    options = {"prompt": "a bust of marble", **PICTURE}
    return Published(source, pipeline, version, {**parts, **fields.pop("parts", {})}, **({"options": options} | fields))


def pixart(source: str, pipeline: str, version: str, vae: Part, **transformer: Any) -> Published:
    settings = {
        **OLD_TRANSFORMER, "attention_head_dim": 24, "attention_type": "default", "caption_channels": WIDTH,
        "cross_attention_dim": 48,
        "double_self_attention": False, "norm_eps": 1e-06, "norm_type": "ada_norm_single", "sample_size": 128,
    }  # fmt: skip
    parts = {
        "scheduler": diffusers("DPMSolverMultistepScheduler", {**DPM_SOLVER, "prediction_type": "epsilon"}),
        "text_encoder": t5(), "tokenizer": T5_PIECES, "vae": vae,
        "transformer": diffusers("PixArtTransformer2DModel", settings | transformer, "Transformer2DModel"),
    }  # fmt: skip
    return Published(source, pipeline, version, parts, {**CARD, **FREE_SIZE, "clean_caption": False}, guidance=4.5)


VARIANTS = ("unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.non_ema.safetensors",
            "unet/diffusion_pytorch_model.bin", "vae/diffusion_pytorch_model.fp16.safetensors",
            "text_encoder/pytorch_model.bin",
            "scheduler/.ipynb_checkpoints/scheduler_config-checkpoint.json")  # fmt: skip
OTHER_RUNTIMES = ("vae_1_0/config.json", "vae_decoder/model.onnx", "text_encoder/flax_model.msgpack",
                  "text_encoder/openvino_model.bin", "unet/openvino_model.xml", "unet/model.onnx_data")  # fmt: skip
PNDM = diffusers("PNDMScheduler", {**SD_BETAS, **OLD_KEYS})
DDIM = diffusers("DDIMScheduler", {**SD_BETAS, **OLD_KEYS})

PUBLISHED: dict[str, Published] = {
    "stable-diffusion-v1-4": stable_diffusion(
        COPY, PNDM, text_unet("0.12.0.dev0", class_embed_type=None, dual_cross_attention=False, upcast_attention=False,
                              use_linear_projection=False, mid_block_type="UNetMidBlock2DCrossAttn"),
        version="0.2.2", vae=kl(scaling_factor=0.18215), beside=VARIANTS,
    ),
    "stable-diffusion-v1-5": stable_diffusion(COPY, PNDM, text_unet("0.6.0"), beside=("v1-5-pruned.safetensors",)),
    "stable-diffusion-2-1": stable_diffusion(
        COPY, diffusers("DDIMScheduler", {**SD_BETAS, **OLD_KEYS, "prediction_type": "v_prediction"}),
        text_unet("0.10.0.dev0", attention_head_dim=[1, 2, 4, 4], dual_cross_attention=False, num_class_embeds=None,
                  only_cross_attention=False, sample_size=96, use_linear_projection=True, upcast_attention=True),
        version="0.8.0", feature_extractor=OLD_EXTRACTOR, safety_checker=None, text_encoder=clip(hidden_act="gelu"),
        index={"requires_safety_checker": False},
    ),
    "stable-diffusion-inpainting": stable_diffusion(
        COPY, DDIM, text_unet("0.6.0.dev0", in_channels=9), pipeline="StableDiffusionInpaintPipeline",
        feature_extractor=OLD_EXTRACTOR, options={**CARD, "image": "image.png", "mask_image": "mask_image.png"},
        beside=("config.json",),
    ),
    "stable-diffusion-x4-upscaler": stable_diffusion(
        COPY, diffusers("DDIMScheduler", {**SLOW_BETAS, **OLD_KEYS, "prediction_type": "v_prediction"}),
        text_unet("0.9.0.dev0", down_block_types=["DownBlock2D"] + ["CrossAttnDownBlock2D"] * 3, in_channels=7,
                  dual_cross_attention=False, num_class_embeds=1000, only_cross_attention=[True, True, True, False],
                  up_block_types=["CrossAttnUpBlock2D"] * 3 + ["UpBlock2D"], use_linear_projection=True),
        pipeline="StableDiffusionUpscalePipeline", version="0.9.0.dev0", text_encoder=clip(hidden_act="gelu"),
        low_res_scheduler=diffusers("DDPMScheduler", {
            **SLOW_BETAS, "clip_sample": True, "prediction_type": "epsilon", "trained_betas": None,
            "variance_type": "fixed_small",
        }),
        vae=kl(block_out_channels=[WIDTH] * 3, down_block_types=["DownEncoderBlock2D"] * 3, sample_size=256,
               up_block_types=["UpDecoderBlock2D"] * 3, scaling_factor=0.08333),
        options={"prompt": "a bust", "negative_prompt": "a vase", "image": "image.png"}, guidance=9.0, scale=4,
        index={"max_noise_level": 350}, left_out=("feature_extractor", "safety_checker"),
    ),
    "stable-diffusion-xl-base-1.0": stable_diffusion_xl(COPY, XL_EULER, beside=OTHER_RUNTIMES),
    "stable-diffusion-xl-refiner-1.0": stable_diffusion_xl(
        COPY, XL_EULER, pipeline="StableDiffusionXLImg2ImgPipeline", unet=REFINER_UNET, text_encoder=None,
        tokenizer=None, steps=5, options={"prompt": "a bust", "image": "image.png", "strength": 0.6},
        index={"force_zeros_for_empty_prompt": False, "add_watermarker": None, "requires_aesthetics_score": True},
    ),
    "sdxl-turbo": stable_diffusion_xl(
        SURVEY, diffusers("EulerAncestralDiscreteScheduler", {
            **SD_BETAS, **OLD_KEYS, "interpolation_type": "linear", "prediction_type": "epsilon",
            "sample_max_value": 1.0, "timestep_spacing": "trailing", "use_karras_sigmas": False,
        }), unet=xl_unet(sample_size=64), version="0.24.0.dev0", options={"prompt": "a bust", **PICTURE}, guidance=0.0,
    ),
    "stable-diffusion-3-medium": sd3(COPY, "0.29.0.dev0"),
    "stable-diffusion-3.5-large": sd3(COPY, "0.30.3.dev0", qk_norm="rms_norm"),
    "FLUX.1-dev": flux(COPY, "FluxPipeline", {**DYNAMIC, "shift": 3.0, "use_dynamic_shifting": True}, True,
                       guidance=3.5),
    "FLUX.1-schnell": flux(COPY, "FluxPipeline", {**DYNAMIC, "shift": 1.0, "use_dynamic_shifting": False}, False,
                           guidance=0.0),
    "FLUX.1-Kontext-dev": flux(
        f"{COPY} of FLUX.1-dev; index as programs that make such folders write it", "FluxKontextPipeline",
        {**DYNAMIC, "shift": 3.0, "use_dynamic_shifting": True}, True, "0.34.0.dev0", guidance=2.5,
        parts={"feature_extractor": None, "image_encoder": None},
        options={"prompt": "a bust", "image": "image.png", "_auto_resize": False, "max_area": 64 * 128, **PICTURE},
    ),
    "PixArt-XL-2-1024-MS": pixart(f"{SURVEY}, {SCRIPT}", "PixArtAlphaPipeline", "0.22.0.dev0", kl(sample_size=256)),
    "PixArt-Sigma-XL-2-1024-MS": pixart(
        f"{SURVEY}, {SCRIPT}", "PixArtSigmaPipeline", "0.28.0.dev0",
        kl(force_upcast=False, sample_size=512, scaling_factor=0.13025), interpolation_scale=2,
        use_additional_conditions=False,
    ),
    "Sana_1600M_1024px": Published(
        "a program that checks the repository's hashes", "SanaPipeline", "0.32.0.dev0", {
            "scheduler": diffusers("DPMSolverMultistepScheduler", {
                **DPM_SOLVER, "final_sigmas_type": "zero", "flow_shift": 3.0, "prediction_type": "flow_prediction",
                "rescale_betas_zero_snr": False, "use_beta_sigmas": False, "use_exponential_sigmas": False,
                "use_flow_sigmas": True,
            }),
            "text_encoder": transformers("Gemma2Model", GEMMA), "vae": diffusers("AutoencoderDC", SANA_VAE),
            "tokenizer": transformers("GemmaTokenizerFast", {"file": "tokenizer.json"}),
            "transformer": diffusers("SanaTransformer2DModel", SANA),
        }, {"prompt": "a bust", "negative_prompt": "a vase", "height": 64, "width": 128,
            "use_resolution_binning": False}, guidance=4.5,
    ),
    "kandinsky-3": Published(
        f"{SURVEY}; clipping as in diffusers' own test", "Kandinsky3Pipeline", "0.24.0.dev0", {
            "movq": diffusers("VQModel", MOVQ), "text_encoder": t5(), "tokenizer": T5_PIECES,
            "scheduler": diffusers("DDPMScheduler", {
                **PIXELS, "beta_schedule": "squaredcos_cap_v2", "prediction_type": "epsilon", "thresholding": False,
            }),
            "unet": diffusers("Kandinsky3UNet", KANDINSKY_3),
        }, {"prompt": "a bust", "negative_prompt": "a vase", **PICTURE}, guidance=3.0,
    ),
    "kandinsky-2-2": Published(
        f"{SURVEY}, {SCRIPT}; betas as in diffusers' own test; the decoder and its prior, as diffusers saves both",
        "KandinskyV22CombinedPipeline", "0.18.0.dev0", {
            "movq": diffusers("VQModel", MOVQ), "unet": diffusers("UNet2DConditionModel", KANDINSKY_2),
            "scheduler": diffusers("DDPMScheduler", {
                **SD_BETAS, "beta_schedule": "linear", "clip_sample": False, "prediction_type": "epsilon",
                "steps_offset": 1, "thresholding": False, "trained_betas": None, "variance_type": "fixed_small",
            }),
            "prior_prior": diffusers("PriorTransformer", {
                "additional_embeddings": 4, "attention_head_dim": 16, "dropout": 0.0, "embedding_dim": WIDTH,
                "num_attention_heads": 2, "num_embeddings": 77, "num_layers": 1,
            }),
            "prior_image_encoder": transformers("CLIPVisionModelWithProjection", {
                "architectures": ["CLIPVisionModelWithProjection"], "hidden_act": "gelu", "hidden_size": WIDTH,
                "image_size": 224, "intermediate_size": WIDTH, "model_type": "clip_vision_model",
                "num_attention_heads": 2, "num_hidden_layers": 1, "patch_size": 112, "projection_dim": WIDTH,
            }),
            "prior_text_encoder": clip("CLIPTextModelWithProjection", "gelu"), "prior_tokenizer": CLIP_WORDS,
            "prior_scheduler": diffusers("UnCLIPScheduler", {
                "clip_sample": True, "clip_sample_range": 5.0, "num_train_timesteps": 1000,
                "prediction_type": "sample", "variance_type": "fixed_small_log",
            }),
            "prior_image_processor": EXTRACTOR,
        }, {"prompt": "a bust", "negative_prompt": "a vase", "prior_num_inference_steps": 3, **PICTURE}, guidance=4.0,
    ),
    "DiT-XL-2-256": Published(
        f"{SURVEY}, {SCRIPT}", "DiTPipeline", "0.12.0.dev0", {
            "scheduler": diffusers("DDIMScheduler", {
                **LINEAR_BETAS, "clip_sample": False, "prediction_type": "epsilon", "set_alpha_to_one": True,
                "steps_offset": 0, "trained_betas": None,
            }),
            "transformer": diffusers("DiTTransformer2DModel", {
                **OLD_TRANSFORMER, "cross_attention_dim": None, "norm_type": "ada_norm_zero", "sample_size": 8,
            }, "Transformer2DModel"),
            "vae": kl(sample_size=256),
        }, {"class_labels": 207}, guidance=4.0, size=(64, 64),
        index={"id2label": {str(number): f"class {number}, thing" for number in range(1000)}},
    ),
    "ddpm-cat-256": Published(
        f"{SURVEY}, {SCRIPT}", "DDPMPipeline", "0.0.4", {
            "scheduler": diffusers("DDPMScheduler", {**PIXELS, "timestep_values": None}),
            "unet": diffusers("UNet2DModel", {
                **PIXEL_UNET, "attention_head_dim": None, "downsample_padding": 0, "flip_sin_to_cos": False,
                "freq_shift": 1, "norm_eps": 1e-06,
            }),
        }, size=(64, 64), is_flat=True,
    ),
    "ddpm-butterflies-128": Published(
        COPY, "DDPMPipeline", "0.11.1", {
            "scheduler": diffusers("DDPMScheduler", {**PIXELS, "prediction_type": "epsilon"}),
            "unet": diffusers("UNet2DModel", {
                **PIXEL_UNET, "add_attention": True, "attention_head_dim": 8, "downsample_padding": 1,
                "flip_sin_to_cos": True, "freq_shift": 0, "norm_eps": 1e-05, "resnet_time_scale_shift": "default",
            }),
        }, size=(64, 64), beside=("logs/events.out.tfevents.1",),
    ),
    "LCM_Dreamshaper_v7": stable_diffusion(
        SURVEY, diffusers("LCMScheduler", LCM),
        text_unet("0.22.0.dev0", sample_size=96, time_cond_proj_dim=16, time_embedding_type="positional"),
        pipeline="LatentConsistencyModelPipeline", version="0.22.0.dev0", guidance=8.0,
        options={"prompt": "a bust", **PICTURE}, index={"requires_safety_checker": True},
    ),
    "playground-v2.5-1024px-aesthetic": stable_diffusion_xl(
        COPY, diffusers("EDMDPMSolverMultistepScheduler", EDM), version="0.27.0.dev0", guidance=3.0,
        index={"force_zeros_for_empty_prompt": True}, feature_extractor=None, image_encoder=None,
        vae=kl(force_upcast=True, sample_size=1024, latents_mean=[-1.6574, 1.886, -1.383, 2.5155],
               latents_std=[8.4927, 5.9022, 6.5498, 5.2299], scaling_factor=0.5),
    ),
    "Qwen-Image": Published(
        f"{COPY}, {SURVEY}", "QwenImagePipeline", "0.34.0.dev0", {
            "scheduler": diffusers(FLOW, QWEN_FLOW), "tokenizer": QWEN_WORDS,
            "text_encoder": transformers("Qwen2_5_VLForConditionalGeneration", QWEN_2_5_VL),
            "transformer": diffusers("QwenImageTransformer2DModel", QWEN_IMAGE),
            "vae": diffusers("AutoencoderKLQwenImage", QWEN_VAE),
        }, {"prompt": "a bust", "negative_prompt": " ", "true_cfg_scale": 4.0, **PICTURE},
    ),
    "Z-Image-Turbo": Published(
        COPY, "ZImagePipeline", "0.36.0.dev0", {
            "scheduler": diffusers(FLOW, {"num_train_timesteps": 1000, "use_dynamic_shifting": False, "shift": 3.0}),
            "text_encoder": transformers("Qwen3Model", QWEN_3), "tokenizer": QWEN_WORDS, "vae": FLUX_VAE,
            "transformer": diffusers("ZImageTransformer2DModel", Z_IMAGE),
        }, {"prompt": "a bust", **PICTURE}, guidance=0.0,
    ),
}  # fmt: skip
