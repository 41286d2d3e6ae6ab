"""A tiny Stable Diffusion with its text encoder and tokenizer, as a diffusers folder and as one checkpoint file."""

import json
import re
import tempfile
import warnings
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import torch

LEVELS, LAYERS = 2, 1


def stable_diffusion() -> Any:
    from diffusers import AutoencoderKL, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    tokenizer = _tokenizer()
    config = CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=37, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=16, projection_dim=32, bos_token_id=0, eos_token_id=1, pad_token_id=1,
    )  # fmt: skip
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(16, 32), layers_per_block=LAYERS, cross_attention_dim=32,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), norm_num_groups=4, attention_head_dim=4,
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )  # fmt: skip
    down, up = ("DownEncoderBlock2D",) * LEVELS, ("UpDecoderBlock2D",) * LEVELS
    vae = AutoencoderKL(3, 3, down, up, (8, 16), latent_channels=4, norm_num_groups=4)
    scheduler = PNDMScheduler(skip_prk_steps=True, steps_offset=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return StableDiffusionPipeline(
            vae, CLIPTextModel(config), tokenizer, unet, scheduler, None, None, requires_safety_checker=False
        )


def _tokenizer() -> Any:
    from transformers import CLIPTokenizer

    words = ["<|startoftext|>", "<|endoftext|>", *ascii_lowercase, *(f"{letter}</w>" for letter in ascii_lowercase)]
    with tempfile.TemporaryDirectory() as place:
        vocabulary, merges = Path(place, "vocab.json"), Path(place, "merges.txt")
        vocabulary.write_text(json.dumps({word: number for number, word in enumerate(words)}))
        merges.write_text("#version: 0.2\n")
        return CLIPTokenizer(str(vocabulary), str(merges), model_max_length=16)


def as_checkpoint(pipeline: Any) -> dict[str, torch.Tensor]:
    """Its weights under the names that they had before diffusers (CompVis/stable-diffusion)."""
    unet = {f"model.diffusion_model.{_unet_name(n)}": t for n, t in pipeline.unet.state_dict().items()}
    vae = {f"first_stage_model.{_vae_name(n)}": _vae_value(n, t) for n, t in pipeline.vae.state_dict().items()}
    text = pipeline.text_encoder.state_dict()
    prefix = "cond_stage_model.transformer." + ("" if next(iter(text)).startswith("text_model.") else "text_model.")
    return unet | vae | {prefix + name: tensor for name, tensor in text.items()}


_IN_BLOCK = {"norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
             "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection"}  # fmt: skip
_OUTSIDE = {"time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
            "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2"}  # fmt: skip


def _unet_name(name: str) -> str:
    for ours, theirs in _OUTSIDE.items():
        if name.startswith(f"{ours}."):
            return name.replace(ours, theirs, 1)
    if "resnets" in name:
        for ours, theirs in _IN_BLOCK.items():
            name = name.replace(f".{ours}.", f".{theirs}.")
    each = LAYERS + 1

    def down(match: re.Match[str]) -> str:
        level, part, number = int(match[1]), match[2], int(match[3])
        if part == "downsamplers":
            return f"input_blocks.{each * (level + 1)}.0.op"
        return f"input_blocks.{each * level + number + 1}.{0 if part == 'resnets' else 1}"

    def up(match: re.Match[str]) -> str:
        level, part, number = int(match[1]), match[2], int(match[3])
        if part == "upsamplers":
            return f"output_blocks.{each * (level + 1) - 1}.{2 if level < LEVELS - 1 else 1}.conv"
        return f"output_blocks.{each * level + number}.{0 if part == 'resnets' else 1}"

    name = re.sub(r"^down_blocks\.(\d)\.(downsamplers|resnets|attentions)\.(\d)(?:\.conv(?=\.\w+$))?", down, name)
    name = re.sub(r"^up_blocks\.(\d)\.(upsamplers|resnets|attentions)\.(\d)(?:\.conv(?=\.\w+$))?", up, name)
    name = name.replace("mid_block.attentions.0", "middle_block.1")
    return re.sub(r"^mid_block\.resnets\.(\d)", lambda match: f"middle_block.{2 * int(match[1])}", name)


def _vae_name(name: str) -> str:
    name = name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
    name = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d)\.resnets", lambda m: f"up.{LEVELS - 1 - int(m[1])}.block", name)
    name = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{LEVELS - 1 - int(m[1])}.upsample", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    for ours, theirs in {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}.items():
        name = name.replace(f"mid_block.attentions.0.{ours}.", f"mid.attn_1.{theirs}.")
    return name


def _vae_value(name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Attention was made of convolutions."""
    attends = re.search(r"mid_block\.attentions\.0\.(to_q|to_k|to_v|to_out\.0)\.weight", name)
    return tensor[:, :, None, None] if attends else tensor
