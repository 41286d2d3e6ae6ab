"""Settings of the components of published models, true in every switch; widths, depths and vocabularies are small."""

from __future__ import annotations

from typing import Any

Settings = dict[str, Any]
Part = tuple[str, str, Settings]
"""Library, class and settings of a component."""

WIDTH, WORDS, BYTES = 32, 64, 320


def diffusers(name: str, settings: Settings, says: str = "") -> Part:
    """A component of diffusers; `says` is the class that its own settings name, where that is another one."""
    return "diffusers", name, {"_class_name": says or name, **settings}


def transformers(name: str, settings: Settings) -> Part:
    return "transformers", name, settings


SD_BETAS = {"beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "num_train_timesteps": 1000}
LINEAR_BETAS = {"beta_end": 0.02, "beta_schedule": "linear", "beta_start": 0.0001, "num_train_timesteps": 1000}
SLOW_BETAS = {**LINEAR_BETAS, "beta_schedule": "scaled_linear"}
OLD_KEYS = {"set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1, "trained_betas": None,
            "clip_sample": False}  # fmt: skip
"""What Stable Diffusion's repositories say to every scheduler, known to it or not."""


def kl(**changes: Any) -> Part:
    """An autoencoder of eight pixels for each latent."""
    settings = {
        "act_fn": "silu", "block_out_channels": [WIDTH] * 4, "down_block_types": ["DownEncoderBlock2D"] * 4,
        "in_channels": 3, "latent_channels": 4, "layers_per_block": 1, "norm_num_groups": 32, "out_channels": 3,
        "sample_size": 512, "up_block_types": ["UpDecoderBlock2D"] * 4,
    }  # fmt: skip
    return diffusers("AutoencoderKL", settings | changes)


def kl_of_flows(**changes: Any) -> Part:
    settings = {
        "force_upcast": True, "latent_channels": 16, "latents_mean": None, "latents_std": None, "sample_size": 1024,
        "use_post_quant_conv": False, "use_quant_conv": False, "mid_block_add_attention": True,
    }  # fmt: skip
    return kl(**(settings | changes))


SDXL_VAE = kl(force_upcast=True, sample_size=1024, scaling_factor=0.13025, _name_or_path="../sdxl-vae/")
FLUX_VAE = kl_of_flows(scaling_factor=0.3611, shift_factor=0.1159)
SD3_VAE = kl_of_flows(scaling_factor=1.5305, shift_factor=0.0609)


def text_unet(version: str, **changes: Any) -> Part:
    """The U-Net of Stable Diffusion 1.x."""
    settings = {
        "_diffusers_version": version, "act_fn": "silu", "attention_head_dim": 8, "block_out_channels": [WIDTH] * 4,
        "center_input_sample": False, "cross_attention_dim": WIDTH,
        "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"], "downsample_padding": 1,
        "flip_sin_to_cos": True, "freq_shift": 0, "in_channels": 4, "layers_per_block": 1, "mid_block_scale_factor": 1,
        "norm_eps": 1e-05, "norm_num_groups": 32, "out_channels": 4, "sample_size": 64,
        "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
    }  # fmt: skip
    return diffusers("UNet2DConditionModel", settings | changes)


def xl_unet(**changes: Any) -> Part:
    """The U-Net of Stable Diffusion XL."""
    settings = {
        "addition_embed_type": "text_time", "addition_embed_type_num_heads": 64, "addition_time_embed_dim": 8,
        "attention_head_dim": [1, 2, 4], "block_out_channels": [WIDTH] * 3, "class_embed_type": None,
        "class_embeddings_concat": False, "conv_in_kernel": 3, "conv_out_kernel": 3, "cross_attention_dim": 2 * WIDTH,
        "cross_attention_norm": None, "down_block_types": ["DownBlock2D"] + ["CrossAttnDownBlock2D"] * 2,
        "dual_cross_attention": False, "encoder_hid_dim": None, "encoder_hid_dim_type": None,
        "mid_block_only_cross_attention": None, "mid_block_type": "UNetMidBlock2DCrossAttn",
        "num_attention_heads": None, "num_class_embeds": None, "only_cross_attention": False,
        "projection_class_embeddings_input_dim": WIDTH + 6 * 8, "resnet_out_scale_factor": 1.0,
        "resnet_skip_time_act": False, "resnet_time_scale_shift": "default", "sample_size": 128,
        "time_cond_proj_dim": None, "time_embedding_act_fn": None, "time_embedding_dim": None,
        "time_embedding_type": "positional", "timestep_post_act": None, "transformer_layers_per_block": [1, 1, 2],
        "up_block_types": ["CrossAttnUpBlock2D"] * 2 + ["UpBlock2D"], "upcast_attention": None,
        "use_linear_projection": True,
    }  # fmt: skip
    return text_unet("0.19.0.dev0", **(settings | changes))


def clip(name: str = "CLIPTextModel", hidden_act: str = "quick_gelu", **changes: Any) -> Part:
    """A text encoder, with the end-of-text token 2 that all of them name although it is another one."""
    settings = {
        "architectures": [name], "attention_dropout": 0.0, "bos_token_id": 0, "dropout": 0.0, "eos_token_id": 2,
        "hidden_act": hidden_act, "hidden_size": WIDTH, "initializer_factor": 1.0, "initializer_range": 0.02,
        "intermediate_size": WIDTH, "layer_norm_eps": 1e-05, "max_position_embeddings": 77,
        "model_type": "clip_text_model", "num_attention_heads": 2, "num_hidden_layers": 2, "pad_token_id": 1,
        "projection_dim": WIDTH, "torch_dtype": "float32", "transformers_version": "4.21.0.dev0", "vocab_size": WORDS,
    }  # fmt: skip
    return transformers(name, settings | changes)


def t5(**changes: Any) -> Part:
    settings = {
        "architectures": ["T5EncoderModel"], "classifier_dropout": 0.0, "d_ff": WIDTH, "d_kv": 8, "d_model": WIDTH,
        "decoder_start_token_id": 0, "dense_act_fn": "gelu_new", "dropout_rate": 0.1, "eos_token_id": 1,
        "feed_forward_proj": "gated-gelu", "initializer_factor": 1.0, "is_encoder_decoder": True, "is_gated_act": True,
        "layer_norm_epsilon": 1e-06, "model_type": "t5", "num_decoder_layers": 1, "num_heads": 2, "num_layers": 1,
        "output_past": True, "pad_token_id": 0, "relative_attention_max_distance": 128,
        "relative_attention_num_buckets": 32, "tie_word_embeddings": False, "torch_dtype": "float16",
        "transformers_version": "4.41.2", "use_cache": True, "vocab_size": WORDS,
    }  # fmt: skip
    return transformers("T5EncoderModel", settings | changes)


CLIP_WORDS = transformers("CLIPTokenizer", {"pad_token": "<|endoftext|>"})
CLIP_WORDS_2 = transformers("CLIPTokenizer", {"pad_token": "!"})
T5_PIECES = transformers("T5Tokenizer", {"file": "spiece.model"})
T5_FAST = transformers("T5TokenizerFast", {"file": "tokenizer.json"})
CHECKER = ("stable_diffusion", "StableDiffusionSafetyChecker", {})
OLD_EXTRACTOR = transformers("CLIPFeatureExtractor", {"feature_extractor_type": "CLIPFeatureExtractor"})
EXTRACTOR = transformers("CLIPImageProcessor", {"feature_extractor_type": "CLIPFeatureExtractor"})
FLOW = "FlowMatchEulerDiscreteScheduler"
DYNAMIC = {"base_image_seq_len": 256, "base_shift": 0.5, "max_image_seq_len": 4096, "max_shift": 1.15,
           "num_train_timesteps": 1000}  # fmt: skip


XL_EULER = diffusers("EulerDiscreteScheduler", {
    **SD_BETAS, **OLD_KEYS, "interpolation_type": "linear", "prediction_type": "epsilon", "sample_max_value": 1.0,
    "timestep_spacing": "leading", "use_karras_sigmas": False,
})  # fmt: skip


DPM_SOLVER = {
    "algorithm_type": "dpmsolver++", "dynamic_thresholding_ratio": 0.995, "euler_at_final": False,
    "lambda_min_clipped": float("-inf"), "lower_order_final": True, "sample_max_value": 1.0, "solver_order": 2,
    "solver_type": "midpoint", "steps_offset": 0, "thresholding": False, "timestep_spacing": "linspace",
    "trained_betas": None, "use_karras_sigmas": False, "use_lu_lambdas": False, "variance_type": None, **LINEAR_BETAS,
}  # fmt: skip
OLD_TRANSFORMER = {
    "activation_fn": "gelu-approximate", "attention_bias": True, "attention_head_dim": 16, "dropout": 0.0,
    "in_channels": 4, "norm_elementwise_affine": False, "norm_num_groups": 32, "num_attention_heads": 2,
    "num_embeds_ada_norm": 1000, "num_layers": 2, "num_vector_embeds": None, "only_cross_attention": False,
    "out_channels": 8, "patch_size": 2, "upcast_attention": False, "use_linear_projection": False,
}  # fmt: skip
"""DiT's and PixArt's, when both were one class of diffusers."""


MOVQ = {
    "block_out_channels": [WIDTH] * 4, "act_fn": "silu", "in_channels": 3, "latent_channels": 4, "layers_per_block": 1,
    "down_block_types": ["DownEncoderBlock2D"] * 3 + ["AttnDownEncoderBlock2D"], "norm_num_groups": 32,
    "norm_type": "spatial", "num_vq_embeddings": 64, "out_channels": 3, "sample_size": 32, "scaling_factor": 0.18215,
    "up_block_types": ["AttnUpDecoderBlock2D"] + ["UpDecoderBlock2D"] * 3, "vq_embed_dim": 4,
}  # fmt: skip
KANDINSKY_2 = {
    "act_fn": "silu", "addition_embed_type": "image", "addition_embed_type_num_heads": 64, "attention_head_dim": 16,
    "block_out_channels": [WIDTH] * 4, "center_input_sample": False, "class_embed_type": None,
    "class_embeddings_concat": False, "conv_in_kernel": 3, "conv_out_kernel": 3, "cross_attention_dim": WIDTH,
    "cross_attention_norm": None, "downsample_padding": 1, "dual_cross_attention": False, "encoder_hid_dim": WIDTH,
    "down_block_types": ["ResnetDownsampleBlock2D"] + ["SimpleCrossAttnDownBlock2D"] * 3,
    "encoder_hid_dim_type": "image_proj", "flip_sin_to_cos": True, "freq_shift": 0, "in_channels": 4,
    "layers_per_block": 1, "mid_block_only_cross_attention": None, "mid_block_scale_factor": 1,
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn", "norm_eps": 1e-05, "norm_num_groups": 32,
    "num_class_embeds": None, "only_cross_attention": False, "out_channels": 8,
    "projection_class_embeddings_input_dim": None, "resnet_out_scale_factor": 1.0, "resnet_skip_time_act": False,
    "resnet_time_scale_shift": "scale_shift", "sample_size": 64, "time_cond_proj_dim": None,
    "time_embedding_act_fn": None, "time_embedding_dim": None, "time_embedding_type": "positional",
    "timestep_post_act": None, "up_block_types": ["SimpleCrossAttnUpBlock2D"] * 3 + ["ResnetUpsampleBlock2D"],
    "upcast_attention": False, "use_linear_projection": False,
}  # fmt: skip
KANDINSKY_3 = {
    "attention_head_dim": 16, "block_out_channels": [WIDTH] * 4, "cross_attention_dim": WIDTH, "groups": 16,
    "encoder_hid_dim": WIDTH, "in_channels": 4, "layers_per_block": 2, "time_embedding_dim": WIDTH,
}  # fmt: skip
PIXEL_UNET = {
    "act_fn": "silu", "block_out_channels": [WIDTH] * 6, "center_input_sample": False,
    "down_block_types": ["DownBlock2D"] * 4 + ["AttnDownBlock2D", "DownBlock2D"], "in_channels": 3,
    "layers_per_block": 1, "mid_block_scale_factor": 1, "norm_num_groups": 32, "out_channels": 3, "sample_size": 64,
    "time_embedding_type": "positional", "up_block_types": ["UpBlock2D", "AttnUpBlock2D"] + ["UpBlock2D"] * 4,
}  # fmt: skip
PIXELS = {"clip_sample": True, "trained_betas": None, "variance_type": "fixed_small", **LINEAR_BETAS}
SANA = {
    "attention_bias": False, "attention_head_dim": 16, "caption_channels": WIDTH, "cross_attention_dim": WIDTH,
    "cross_attention_head_dim": 16, "dropout": 0.0, "in_channels": 32, "mlp_ratio": 2.5,
    "norm_elementwise_affine": False, "norm_eps": 1e-06, "num_attention_heads": 2, "num_cross_attention_heads": 2,
    "num_layers": 1, "out_channels": 32, "patch_size": 1, "sample_size": 32,
}  # fmt: skip
SANA_VAE = {
    "attention_head_dim": 16, "decoder_act_fns": "silu", "decoder_block_out_channels": [WIDTH] * 6,
    "decoder_block_types": ["ResBlock"] * 3 + ["EfficientViTBlock"] * 3, "decoder_layers_per_block": [1] * 6,
    "decoder_norm_types": "rms_norm", "decoder_qkv_multiscales": [[], [], [], [5], [5], [5]],
    "downsample_block_type": "Conv", "encoder_block_out_channels": [WIDTH] * 6,
    "encoder_block_types": ["ResBlock"] * 3 + ["EfficientViTBlock"] * 3, "encoder_layers_per_block": [1] * 6,
    "encoder_qkv_multiscales": [[], [], [], [5], [5], [5]], "in_channels": 3, "latent_channels": 32,
    "scaling_factor": 0.41407, "upsample_block_type": "interpolate",
}  # fmt: skip
GEMMA = {
    "architectures": ["Gemma2Model"], "attention_bias": False, "attn_logit_softcapping": 50.0, "bos_token_id": 2,
    "eos_token_id": 1, "final_logit_softcapping": 30.0, "head_dim": 16, "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": WIDTH, "intermediate_size": WIDTH, "max_position_embeddings": 8192, "model_type": "gemma2",
    "num_attention_heads": 2, "num_hidden_layers": 1, "num_key_value_heads": 1, "pad_token_id": 0,
    "query_pre_attn_scalar": 16, "rms_norm_eps": 1e-06, "rope_theta": 10000.0, "sliding_window": 4096,
    "vocab_size": WORDS,
}  # fmt: skip
QWEN_3 = {
    "architectures": ["Qwen3ForCausalLM"], "attention_bias": False, "head_dim": 16, "hidden_act": "silu",
    "hidden_size": WIDTH, "intermediate_size": WIDTH, "max_position_embeddings": 40960, "model_type": "qwen3",
    "num_attention_heads": 2, "num_hidden_layers": 3, "num_key_value_heads": 1, "rms_norm_eps": 1e-06,
    "rope_theta": 1000000, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "vocab_size": BYTES,
}  # fmt: skip
QWEN_2_5_VL = {
    "architectures": ["Qwen2_5_VLForConditionalGeneration"], "attention_dropout": 0.0, "hidden_act": "silu",
    "hidden_size": WIDTH, "intermediate_size": WIDTH, "max_position_embeddings": 128000, "model_type": "qwen2_5_vl",
    "num_attention_heads": 2, "num_hidden_layers": 1, "num_key_value_heads": 1, "rms_norm_eps": 1e-06,
    "rope_scaling": {"mrope_section": [2, 3, 3], "rope_type": "default", "type": "default"}, "rope_theta": 1000000.0,
    "tie_word_embeddings": False, "vocab_size": BYTES,
    "vision_config": {
        "depth": 1, "hidden_size": WIDTH, "intermediate_size": WIDTH, "model_type": "qwen2_5_vl", "num_heads": 2,
        "out_hidden_size": WIDTH, "fullatt_block_indexes": [0], "spatial_merge_size": 2, "patch_size": 14,
        "window_size": 112, "temporal_patch_size": 2, "in_channels": 3,
    },
}  # fmt: skip
QWEN_VAE = {
    "attn_scales": [], "base_dim": 8, "dim_mult": [1, 2, 4, 4], "dropout": 0.0, "num_res_blocks": 1, "z_dim": 16,
    "temperal_downsample": [False, True, True],
    "latents_mean": [-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508, 0.4134, -0.0715, 0.5517,
                     -0.3632, -0.1922, -0.9497, 0.2503, -0.2921],
    "latents_std": [2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743, 3.2687, 2.1526, 2.8652, 1.5579,
                    1.6382, 1.1253, 2.8251, 1.916],
}  # fmt: skip
QWEN_FLOW = {
    "base_image_seq_len": 256, "base_shift": 0.5, "invert_sigmas": False, "max_image_seq_len": 8192, "max_shift": 0.9,
    "num_train_timesteps": 1000, "shift": 1.0, "shift_terminal": 0.02, "stochastic_sampling": False,
    "time_shift_type": "exponential", "use_beta_sigmas": False, "use_dynamic_shifting": True,
    "use_exponential_sigmas": False, "use_karras_sigmas": False,
}  # fmt: skip
QWEN_IMAGE = {
    "attention_head_dim": 16, "axes_dims_rope": [4, 6, 6], "guidance_embeds": False, "in_channels": 64,
    "joint_attention_dim": WIDTH, "num_attention_heads": 2, "num_layers": 1, "out_channels": 16, "patch_size": 2,
    "pooled_projection_dim": 768,
}  # fmt: skip
Z_IMAGE = {
    "all_f_patch_size": [1], "all_patch_size": [2], "axes_dims": [4, 6, 6], "axes_lens": [1536, 512, 512],
    "cap_feat_dim": WIDTH, "dim": WIDTH, "in_channels": 16, "n_heads": 2, "n_kv_heads": 2, "n_layers": 1,
    "n_refiner_layers": 1, "norm_eps": 1e-05, "qk_norm": True, "rope_theta": 256.0, "t_scale": 1000.0,
}  # fmt: skip
QWEN_WORDS = transformers("Qwen2Tokenizer", {"file": "vocab.json"})
LCM = {
    **SD_BETAS, "clip_sample": False, "dynamic_thresholding_ratio": 0.995, "original_inference_steps": 50,
    "prediction_type": "epsilon", "rescale_betas_zero_snr": False, "sample_max_value": 1.0, "set_alpha_to_one": True,
    "steps_offset": 1, "thresholding": False, "timestep_spacing": "leading", "trained_betas": None,
}  # fmt: skip
EDM = {
    "algorithm_type": "dpmsolver++", "dynamic_thresholding_ratio": 0.995, "euler_at_final": False,
    "final_sigmas_type": "zero", "lower_order_final": True, "num_train_timesteps": 1000, "prediction_type": "epsilon",
    "rho": 7.0, "sample_max_value": 1.0, "sigma_data": 0.5, "sigma_max": 80.0, "sigma_min": 0.002, "solver_order": 2,
    "solver_type": "midpoint", "thresholding": False,
}  # fmt: skip
REFINER_UNET = xl_unet(
    attention_head_dim=[1, 2, 4, 4], block_out_channels=[WIDTH] * 4, cross_attention_dim=WIDTH,
    down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    projection_class_embeddings_input_dim=WIDTH + 5 * 8, transformer_layers_per_block=2,
    up_block_types=["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
)  # fmt: skip
