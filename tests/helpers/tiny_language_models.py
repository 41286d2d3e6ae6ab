"""Tokenizers and language models of transformers, so small that a call takes milliseconds; they know single bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.helpers import tiny_pipelines as tiny

WIDTH = 16
VOCABULARY = 300
_CHAT = "{% for message in messages %}{{ message['role'] }} {{ message['content'] }} {% endfor %}"


_OF_PICTURES = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>", "<|object_ref_start|>")


def _clip(projects: bool = False) -> Callable[..., Any]:
    def build(**changes: Any) -> Any:
        return tiny._clip_encoder(**({"projects": projects} | changes))

    return build


def _t5(**changes: Any) -> Any:
    return tiny._t5_encoder(**changes)


def _umt5(**changes: Any) -> Any:
    from transformers import UMT5Config, UMT5EncoderModel

    settings = {"vocab_size": 30, "d_model": WIDTH, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    return UMT5EncoderModel(UMT5Config(**(settings | changes)))


def _bert(**changes: Any) -> Any:
    from transformers import BertConfig, BertModel

    settings = {
        "vocab_size": 40, "hidden_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 16, "max_position_embeddings": 128,
    }  # fmt: skip
    return BertModel(BertConfig(**(settings | changes)))


def _bert_tokenizer(**changes: Any) -> Any:
    from transformers import BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *tiny.LETTERS]
    return BertTokenizer(vocab={word: place for place, word in enumerate(words)}, model_max_length=77, **changes)


def _byte_vocabulary() -> dict[str, int]:
    from tokenizers.pre_tokenizers import ByteLevel

    letters = sorted(ByteLevel.alphabet())
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<unk>", "<s>", "</s>", "<pad>", "<bos>", "<eos>"]
    return {word: place for place, word in enumerate([*special, *letters, *_OF_PICTURES])}


def token_id(word: str) -> int:
    """The number of a token."""
    return _byte_vocabulary()[word]


def byte_tokenizer(**changes: Any) -> Any:
    """A tokenizer of single bytes that knows the marks of chats and pictures."""
    from transformers import Qwen2Tokenizer

    tokenizer = Qwen2Tokenizer(vocab=_byte_vocabulary(), merges=[], pad_token="<|endoftext|>", **changes)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>", *_OF_PICTURES]})
    tokenizer.chat_template = _CHAT
    return tokenizer


def _causal(name: str, config: str, whole: bool = True) -> Callable[..., Any]:
    """A builder of a language model of the usual kind."""

    def build(**changes: Any) -> Any:
        import transformers

        settings = {
            "vocab_size": VOCABULARY, "hidden_size": WIDTH, "intermediate_size": 16, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 1024,
            "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
        }  # fmt: skip
        return getattr(transformers, name)(getattr(transformers, config)(**(settings | changes)))

    return build


LANGUAGE: dict[str, Callable[..., Any]] = {
    "CLIPTokenizer": lambda **changes: tiny._clip_tokenizer(),
    "CLIPTextModel": _clip(),
    "CLIPTextModelWithProjection": _clip(projects=True),
    "T5Tokenizer": lambda **changes: tiny._t5_tokenizer("T5TokenizerFast"),
    "T5TokenizerFast": lambda **changes: tiny._t5_tokenizer("T5TokenizerFast"),
    "T5EncoderModel": _t5,
    "UMT5EncoderModel": _umt5,
    "BertModel": _bert,
    "BertTokenizer": _bert_tokenizer,
    "AutoTokenizer": byte_tokenizer,
    "Qwen2Tokenizer": byte_tokenizer,
    "GemmaTokenizer": byte_tokenizer,
    "LlamaTokenizer": byte_tokenizer,
    "TokenizersBackend": byte_tokenizer,
    "Gemma2PreTrainedModel": _causal("Gemma2Model", "Gemma2Config"),
    "GemmaPreTrainedModel": _causal("GemmaModel", "GemmaConfig"),
    "GlmModel": _causal("GlmModel", "GlmConfig"),
    "LlamaForCausalLM": _causal("LlamaForCausalLM", "LlamaConfig"),
    "Qwen3ForCausalLM": _causal("Qwen3ForCausalLM", "Qwen3Config"),
    "Qwen3Model": _causal("Qwen3Model", "Qwen3Config"),
    "PreTrainedModel": _causal("Qwen3Model", "Qwen3Config"),
    "SmolLM3ForCausalLM": _causal("SmolLM3ForCausalLM", "SmolLM3Config"),
}
"""Builders by the name of the class that a pipeline's `__init__` asks for."""
