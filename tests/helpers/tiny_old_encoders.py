"""Tiny encoders of words and pictures that diffusers has in its own pipelines' folders, and their tokenizers."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.helpers.model_repository import sentencepiece_model
from tests.helpers.tiny_language_models import LANGUAGE, WIDTH

_ROBERTA = {
    "vocab_size": 300, "hidden_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
    "max_position_embeddings": 514,
}  # fmt: skip
_VISION = {
    "hidden_size": WIDTH, "intermediate_size": 16, "num_hidden_layers": 5, "num_attention_heads": 2, "image_size": 32,
    "patch_size": 8, "projection_dim": 16,
}  # fmt: skip
_BERT = {
    "vocab_size": 60, "max_position_embeddings": 77, "encoder_layers": 1, "encoder_ffn_dim": 16, "head_dim": 8,
    "encoder_attention_heads": 2, "d_model": WIDTH,
}  # fmt: skip
_GLM = {
    "num_layers": 2, "padded_vocab_size": 400, "hidden_size": WIDTH, "ffn_hidden_size": 16, "kv_channels": 8,
    "num_attention_heads": 2, "seq_length": 256, "add_qkv_bias": True, "multi_query_attention": True,
    "multi_query_group_num": 1, "layernorm_epsilon": 1e-5, "attention_softmax_in_fp32": True, "original_rope": True,
}  # fmt: skip


def _of(module: str, name: str, config: str, settings: dict[str, Any]) -> Callable[..., Any]:
    """A builder of an encoder with its config's class, both of a module of diffusers' pipelines or of transformers."""

    def build(**changes: Any) -> Any:
        own = importlib.import_module(f"diffusers.pipelines.{module}")
        kind = getattr(own, config, None) or getattr(importlib.import_module("transformers"), config)
        encoder = getattr(own, name)(kind(**(settings | changes)))
        for values in encoder.parameters():  # some leave them to the weights that they are made for
            torch.nn.init.normal_(values, std=0.1)
        return encoder

    return build


def _glm_tokenizer(**changes: Any) -> Any:
    """A tokenizer with a model of its own of sentencepiece: the letters of a few words."""
    own = importlib.import_module("diffusers.pipelines.kolors.tokenizer")
    path = Path(tempfile.mkdtemp()) / "tokenizer.model"  # it is read again when the tokenizer is saved
    path.write_bytes(sentencepiece_model())
    return own.ChatGLMTokenizer(str(path))


OLD: dict[str, Callable[..., Any]] = {
    "ChatGLMModel": _of("kolors.text_encoder", "ChatGLMModel", "ChatGLMConfig", _GLM),
    "ChatGLMTokenizer": _glm_tokenizer,
    "MultilingualCLIP": _of(
        "kandinsky.text_encoder", "MultilingualCLIP", "MCLIPConfig",
        _ROBERTA | {"transformerDimSize": WIDTH, "imageDimSize": 16},
    ),
    "RobertaSeriesModelWithTransformation": _of(
        "deprecated.alt_diffusion.modeling_roberta_series", "RobertaSeriesModelWithTransformation",
        "RobertaSeriesConfig", _ROBERTA | {"project_dim": 16},
    ),
    "XLMRobertaTokenizer": LANGUAGE["BertTokenizer"],
    "PaintByExampleImageEncoder": _of(
        "deprecated.paint_by_example.image_encoder", "PaintByExampleImageEncoder", "CLIPVisionConfig", _VISION
    ),
    "LDMBertModel": _of("latent_diffusion.pipeline_latent_diffusion", "LDMBertModel", "LDMBertConfig", _BERT),
}  # fmt: skip
"""Builders by the name of the class that a pipeline's `__init__` asks for."""
