"""Tiny settings of the components that only some pipelines of diffusers have, for the walk over all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def of(name: str, module: str = "diffusers", **usual: Any) -> Callable[..., Any]:
    """A builder of a class with tiny settings."""

    def build(**changes: Any) -> Any:
        import importlib

        return getattr(importlib.import_module(module), name)(**(usual | changes))

    return build


RARE: dict[str, Callable[..., Any]] = {
    "AutoencoderKLHunyuanImage": of(
        "AutoencoderKLHunyuanImage", in_channels=3, out_channels=3, latent_channels=4, block_out_channels=(32, 32),
        layers_per_block=1, spatial_compression_ratio=2, sample_size=16, scaling_factor=0.477,
    ),
    "AutoencoderKLHunyuanImageRefiner": of(
        "AutoencoderKLHunyuanImageRefiner", latent_channels=4, block_out_channels=(32, 32), layers_per_block=1,
        spatial_compression_ratio=2, temporal_compression_ratio=1,
    ),
    "AutoencoderKLQwenImage21": of(
        "AutoencoderKLQwenImage21", base_dim=8, decoder_base_dim=8, z_dim=4, dim_mult=[1, 2], num_res_blocks=1,
        temperal_downsample=[False], latents_mean=[0.0] * 4, latents_std=[1.0] * 4, scale_factor_spatial=2,
        scale_factor_temporal=1,
    ),
    "HunyuanImageTransformer2DModel": of(
        "HunyuanImageTransformer2DModel", in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=8,
        num_layers=1, num_single_layers=1, num_refiner_layers=1, text_embed_dim=16, text_embed_2_dim=16,
        rope_axes_dim=(4, 4),
    ),
    "Kandinsky5Transformer3DModel": of(
        "Kandinsky5Transformer3DModel", in_visual_dim=16, in_text_dim=16, in_text_dim2=16, time_dim=16,
        out_visual_dim=16, model_dim=16, ff_dim=32, num_text_blocks=1, num_visual_blocks=1, axes_dims=(1, 1, 2),
    ),
    "OvisImageTransformer2DModel": of(
        "OvisImageTransformer2DModel", in_channels=16, out_channels=16, num_layers=1, num_single_layers=1,
        attention_head_dim=16, num_attention_heads=2, joint_attention_dim=16, axes_dims_rope=(4, 4, 8),
    ),
    "LongCatImageTransformer2DModel": of(
        "LongCatImageTransformer2DModel", in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=16, pooled_projection_dim=16, axes_dims_rope=[4, 4, 8],
    ),
    "CosmosTransformer3DModel": of(
        "CosmosTransformer3DModel", in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=16,
        num_layers=1, mlp_ratio=2, text_embed_dim=16, adaln_lora_dim=4, max_size=(4, 32, 32),
        rope_scale=(2.0, 1.0, 1.0), concat_padding_mask=True, extra_pos_embed_type="learnable",
    ),
    "Krea2Transformer2DModel": of(
        "Krea2Transformer2DModel", in_channels=16, num_layers=1, attention_head_dim=8, num_attention_heads=4,
        num_key_value_heads=2, intermediate_size=32, timestep_embed_dim=8, text_hidden_dim=16, num_text_layers=3,
        text_num_attention_heads=2, text_num_key_value_heads=1, text_intermediate_size=16, num_layerwise_text_blocks=1,
        num_refiner_text_blocks=1, axes_dims_rope=(4, 2, 2), rope_theta=1000.0,
    ),
    "HiDreamImageTransformer2DModel": of(
        "HiDreamImageTransformer2DModel", patch_size=2, in_channels=4, out_channels=4, num_layers=1,
        num_single_layers=1, attention_head_dim=8, num_attention_heads=4, caption_channels=[16, 16], text_emb_dim=32,
        num_routed_experts=4, num_activated_experts=2, axes_dims_rope=(4, 2, 2), max_resolution=(32, 32),
        llama_layers=(0, 1),
    ),
    "OmniGenTransformer2DModel": of(
        "OmniGenTransformer2DModel", hidden_size=16, num_attention_heads=4, num_key_value_heads=4,
        intermediate_size=32, num_layers=1, in_channels=4, time_step_dim=4,
        rope_scaling={"long_factor": [1, 2], "short_factor": [1, 2]},
    ),
    "NucleusMoEImageTransformer2DModel": of(
        "NucleusMoEImageTransformer2DModel", patch_size=2, in_channels=16, out_channels=4, num_layers=1,
        attention_head_dim=16, num_attention_heads=4, joint_attention_dim=16, axes_dims_rope=(8, 4, 4),
        moe_enabled=False, capacity_factors=[8.0],
    ),
    "ErnieImageTransformer2DModel": of(
        "ErnieImageTransformer2DModel", hidden_size=32, num_attention_heads=2, num_layers=1, ffn_hidden_size=32,
        in_channels=16, out_channels=16, text_in_dim=16, rope_axes_dim=(4, 6, 6),
    ),
    "Ideogram4Transformer2DModel": of(
        "Ideogram4Transformer2DModel", in_channels=16, num_layers=1, attention_head_dim=16, num_attention_heads=2,
        intermediate_size=32, adaln_dim=8, llm_features_dim=16, mrope_section=(4, 2, 2),
    ),
    "DreamLiteUNetModel": of(
        "DreamLiteUNetModel", sample_size=8, in_channels=4, out_channels=4,
        down_block_types=("DreamLiteCrossAttnNoSelfAttnDownBlock2D", "DreamLiteCrossAttnDownBlock2D"),
        up_block_types=("DreamLiteCrossAttnUpBlock2D", "DreamLiteUpBlock2D"), block_out_channels=(16, 32),
        cross_attention_dim=16, attention_head_dim=8, layers_per_block=1, norm_num_groups=8,
        transformer_layers_per_block=1,
    ),
    "JoyImageEditTransformer3DModel": of(
        "JoyImageEditTransformer3DModel", patch_size=[1, 2, 2], in_channels=4, hidden_size=32, num_attention_heads=2,
        text_dim=16, num_layers=1, rope_dim_list=[4, 6, 6], theta=256,
    ),
    "JoyImageEditPlusTransformer3DModel": of(
        "JoyImageEditPlusTransformer3DModel", patch_size=[1, 2, 2], in_channels=4, hidden_size=32,
        num_attention_heads=2, text_dim=16, num_layers=1, rope_dim_list=[4, 6, 6], theta=256,
    ),
    "BriaFiboTransformer2DModel": of(
        "BriaFiboTransformer2DModel", patch_size=1, in_channels=4, num_layers=1, num_single_layers=1,
        attention_head_dim=8, num_attention_heads=2, joint_attention_dim=32, text_encoder_dim=16,
        pooled_projection_dim=None, axes_dims_rope=[0, 4, 4],
    ),
    "UNetFlatConditionModel": of(
        "UNetFlatConditionModel", "diffusers.pipelines.deprecated.versatile_diffusion.modeling_text_unet",
        down_block_types=("DownBlockFlat", "CrossAttnDownBlockFlat"), block_out_channels=(8, 16), layers_per_block=1,
        up_block_types=("CrossAttnUpBlockFlat", "UpBlockFlat"), norm_num_groups=4, cross_attention_dim=16,
    ),
    "GlmImageTransformer2DModel": of(
        "GlmImageTransformer2DModel", in_channels=4, out_channels=4, num_layers=1, num_attention_heads=2,
        attention_head_dim=16, text_embed_dim=32, time_embed_dim=16, condition_dim=8,
        prior_vq_quantizer_codebook_size=32,
    ),
    "ZImageControlNetModel": of(
        "ZImageControlNetModel", control_layers_places=[0], control_refiner_layers_places=[0], control_in_dim=4,
        add_control_noise_refiner="control_noise_refiner", dim=32, n_refiner_layers=1, n_heads=2, n_kv_heads=2,
    ),
    "ControlNetXSAdapter": of(
        "ControlNetXSAdapter", block_out_channels=(8, 16), base_block_out_channels=(8, 16),
        conditioning_embedding_out_channels=(8, 8), num_attention_heads=4, cross_attention_dim=16,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), max_norm_num_groups=4, upcast_attention=False,
        sample_size=8,
    ),
}  # fmt: skip
"""Builders of components, by the name of the class that a pipeline's `__init__` asks for."""

_KL = {"scaling_factor": 0.36, "shift_factor": 0.12, "use_quant_conv": False, "use_post_quant_conv": False}
_COARSE = {"dim_mult": [1, 1, 1, 1], "temperal_downsample": [False, True, True]}

RARE_CHANGES: tuple[tuple[str, dict[str, dict[str, Any]]], ...] = (
    (r"^Kandinsky5", {"vae": {"latent_channels": 16, **_KL}, "text_encoder_2": {"projects": False}}),
    (r"^Kandinsky5I2I", {"transformer": {"visual_cond": True}}),
    (r"^(OvisImage|HiDream|PRX)", {"vae": _KL}),
    (r"^QwenImage(Edit|Layered)|^QwenImage21|^JoyImage", {"vae": _COARSE}),
    (r"^HunyuanImageRefiner", {"transformer": {"in_channels": 16, "out_channels": 8, "text_embed_2_dim": None,
     "guidance_embeds": True, "patch_size": (1, 1, 1), "rope_axes_dim": (2, 2, 4)}}),
    (r"^OmniGen", {"scheduler": {"invert_sigmas": True, "num_train_timesteps": 1}}),
    (r"^StableDiffusionControlNetXS", {"unet": {"layers_per_block": 2, "use_linear_projection": True}}),
    (r"^StableDiffusionXLControlNetXS", {"unet": {"layers_per_block": 2, "use_linear_projection": True},
     "controlnet": {"cross_attention_dim": 32}}),
    (r"^BriaFibo", {"text_encoder": {"vocab_size": 128_001}, "vae": {**_COARSE, "patch_size": 2,
     "in_channels": 12, "out_channels": 12, "scale_factor_spatial": 16}}),
    (r"^Flux2Pipeline", {"text_encoder": {"num_hidden_layers": 30}, "transformer": {"joint_attention_dim": 48}}),
    (r"^LongCat", {"vae": {"latent_channels": 16, **_KL}, "transformer": {"in_channels": 64}}),
    (r"^Nucleus", {"text_encoder": {"num_hidden_layers": 8}}),
    (r"^ZImageControlNetInpaint", {"controlnet": {"control_in_dim": 9}}),
    (r"^QwenImageControlNetInpaint", {"controlnet": {"extra_condition_channels": 4}}),
    (r"^Kolors", {"unet": {"addition_embed_type": "text_time", "addition_time_embed_dim": 4,
     "projection_class_embeddings_input_dim": 40, "cross_attention_dim": 16}}),
    (r"^LDMTextToImage", {"bert": {"_component": "LDMBertModel"}, "tokenizer": {"_component": "BertTokenizer"},
     "vqvae": {"_component": "AutoencoderKL"}, "unet": {"_component": "UNet2DConditionModel"}}),
    (r"^StableDiffusionModelEditing", {"scheduler": {"_component": "PNDMScheduler", "skip_prk_steps": True}}),
    (r"^Ideogram4", {"text_encoder": {"_component": "Qwen3VLModel", "num_hidden_layers": 36},
     "transformer": {"llm_features_dim": 208}, "unconditional_transformer": {"llm_features_dim": 208}}),
    (r"^Kandinsky(Combined|Img2ImgCombined|InpaintCombined)", {"prior_prior": {"num_embeddings": 8},
     "unet": {"addition_embed_type": "text_image", "encoder_hid_dim": 16, "encoder_hid_dim_type": "text_image_proj",
     "cross_attention_dim": 16}}),
    (r"^KandinskyInpaintCombined", {"unet": {"in_channels": 9}}),
    (r"^GlmImage", {"vae": {"latents_mean": [0.0] * 4, "latents_std": [1.0] * 4, "block_out_channels": (8,) * 4,
     "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4},
     "text_encoder": {"width": 32, "words": 384}}),
    (r"^ZImageOmni", {"transformer": {"siglip_feat_dim": 16}}),
)  # fmt: skip
"""Other settings of components, by a pattern of the pipeline's name."""
