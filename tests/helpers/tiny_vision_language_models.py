"""Language models that also look at pictures, with their processors: so small that a call takes milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers.utils import is_torchvision_available

from tests.helpers.tiny_language_models import VOCABULARY, WIDTH, byte_tokenizer, token_id

_PLACES = {
    "image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>", "vision_start_token_id": "<|vision_start|>",
    "vision_end_token_id": "<|vision_end|>",
}  # fmt: skip
_CHAT = (
    "{% for message in messages %}{{ message['role'] }} {% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ picture }}"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %} {% endfor %}"
)
_QWEN_PICTURE = "'<|vision_start|><|image_pad|><|vision_end|>'"
_TEXT = {
    "vocab_size": VOCABULARY, "hidden_size": WIDTH, "intermediate_size": 16, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 4096,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip


def _qwen(name: str, config: str, section: list[int], patch: int) -> Callable[..., Any]:
    """A builder of a Qwen model with eyes; changes are settings of its text half."""

    def build(**changes: Any) -> Any:
        import transformers

        rope = {"mrope_section": section, "rope_type": "default", "rope_theta": 10000.0}
        text = _TEXT | {"rope_scaling": rope, "rope_parameters": rope} | changes
        vision = {
            "depth": 2, "hidden_size": 16, "intermediate_size": 16, "num_heads": 2, "patch_size": patch,
            "out_hidden_size": text["hidden_size"], "num_position_embeddings": 16, "deepstack_visual_indexes": [0],
            "fullatt_block_indexes": [1],
        }  # fmt: skip
        places = {key: token_id(word) for key, word in _PLACES.items()}
        settings = getattr(transformers, config)(text_config=text, vision_config=vision, **places)
        return getattr(transformers, name)(settings)

    return build


def _qwen_processor(name: str, patch: int) -> Callable[..., Any]:
    def build(**changes: Any) -> Any:
        import transformers

        if not is_torchvision_available():
            return _chatting()
        from transformers.models.qwen2_vl import image_processing_pil_qwen2_vl as pictures

        side = 2 * patch
        size = {"shortest_edge": side * side, "longest_edge": 4 * side * side}
        eyes = pictures.Qwen2VLImageProcessorPil(size=size, patch_size=patch, temporal_patch_size=2, merge_size=2)
        return getattr(transformers, name)(eyes, byte_tokenizer(), None, chat_template=_chatting().chat_template)

    return build


def _mistral(name: str) -> Callable[..., Any]:
    def build(**changes: Any) -> Any:
        import transformers

        text = {"model_type": "mistral", **_TEXT, **changes}
        vision = {
            "model_type": "pixtral", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 16, "image_size": 32, "patch_size": 8, "head_dim": 8,
        }  # fmt: skip
        config = transformers.Mistral3Config(
            text_config=text, vision_config=vision, image_token_index=token_id("<|image_pad|>")
        )
        return getattr(transformers, name)(config)

    return build


_GLM_MARKS = {"image_token": "<|image_pad|>", "grid_bos_token": "<|vision_start|>",
              "grid_eos_token": "<|vision_end|>"}  # fmt: skip
_GLM_VOCABULARY = 32
"""Tokens of pictures; the one that ends a text is none of them, as in the published model."""


def _glm_processor(**changes: Any) -> Any:
    from transformers.models.glm_image.image_processing_pil_glm_image import GlmImageImageProcessorPil
    from transformers.models.glm_image.processing_glm_image import GlmImageProcessor

    words = byte_tokenizer(bos_token="<bos>", extra_special_tokens=_GLM_MARKS)
    chat = _CHAT.replace("picture", f"'{_GLM_MARKS['image_token']}'")
    return GlmImageProcessor(GlmImageImageProcessorPil(patch_size=16), words, chat_template=chat)


def _glm(**changes: Any) -> Any:
    from transformers import GlmImageConfig, GlmImageForConditionalGeneration

    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2], "partial_rotary_factor": 1.0}
    end = _GLM_VOCABULARY
    text = {**_TEXT, "num_hidden_layers": 1, "vision_vocab_size": _GLM_VOCABULARY, "eos_token_id": end,
            "rope_parameters": rope}  # fmt: skip
    vision = {
        "depth": 1, "hidden_size": 16, "num_heads": 2, "intermediate_size": 16, "image_size": 64, "patch_size": 16,
    }  # fmt: skip
    config = GlmImageConfig(
        text_config=text, vision_config=vision, image_token_id=token_id(_GLM_MARKS["image_token"]),
        vq_config={"embed_dim": 16, "num_embeddings": 16, "latent_channels": 16}, image_start_token_id=16,
        image_end_token_id=end,
    )  # fmt: skip
    return GlmImageForConditionalGeneration(config)


def _chatting(**changes: Any) -> Any:
    """A tokenizer in place of a processor, whose parts for pictures and videos need torchvision."""
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = _CHAT.replace("picture", _QWEN_PICTURE)
    return tokenizer


def _gemma_encoder(**changes: Any) -> Any:
    from transformers import T5GemmaConfig, T5GemmaModuleConfig
    from transformers.models.t5gemma.modeling_t5gemma import T5GemmaEncoder

    settings = _TEXT | {"num_hidden_layers": 1, "layer_types": ["full_attention"], "query_pre_attn_scalar": 8}
    settings |= {"is_encoder_decoder": False, "use_cache": False}
    module = T5GemmaModuleConfig(**(settings | changes))
    whole = T5GemmaConfig(encoder=module, is_encoder_decoder=False)
    encoder = T5GemmaEncoder(whole.encoder)
    save = encoder.save_pretrained

    def save_as_published(folder: Any, **arguments: Any) -> None:
        encoder.config = whole  # the published folders name the settings of encoder and decoder
        save(folder, **arguments)
        encoder.config = whole.encoder

    encoder.save_pretrained = save_as_published
    return encoder


def _siglip2(**changes: Any) -> Any:
    from transformers import Siglip2VisionConfig, Siglip2VisionModel

    return Siglip2VisionModel(
        Siglip2VisionConfig(
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_patches=16,
            patch_size=8,
        )
    )


def _siglip2_processor(**changes: Any) -> Any:
    from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

    return Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16)


def _depth(**changes: Any) -> Any:
    from transformers import DPTConfig, DPTForDepthEstimation

    return DPTForDepthEstimation(
        DPTConfig(
            image_size=32, patch_size=8, hidden_size=16, num_hidden_layers=4, backbone_out_indices=[0, 1, 2, 3],
            num_attention_heads=2, intermediate_size=16, neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8,
            reassemble_factors=[4, 2, 1, 0.5], is_hybrid=False,
        )
    )  # fmt: skip


def _depth_processor(**changes: Any) -> Any:
    from transformers.models.dpt.image_processing_pil_dpt import DPTImageProcessorPil

    return DPTImageProcessorPil(size={"height": 32, "width": 32})


def _named(name: str) -> Any:
    import transformers

    return getattr(transformers, name)


VISION_LANGUAGE: dict[str, Callable[..., Any]] = {
    "Qwen2_5_VLForConditionalGeneration": _qwen(
        "Qwen2_5_VLForConditionalGeneration", "Qwen2_5_VLConfig", [1, 1, 2], 14
    ),
    "Qwen3VLForConditionalGeneration": _qwen("Qwen3VLForConditionalGeneration", "Qwen3VLConfig", [1, 1, 2], 16),
    "Qwen3VLModel": _qwen("Qwen3VLModel", "Qwen3VLConfig", [1, 1, 2], 16),
    "Qwen2VLProcessor": _qwen_processor("Qwen2_5_VLProcessor", 14),
    "Qwen3VLProcessor": _qwen_processor("Qwen3VLProcessor", 16),
    "Mistral3ForConditionalGeneration": _mistral("Mistral3ForConditionalGeneration"),
    "Mistral3Model": _mistral("Mistral3Model"),
    "AutoProcessor": _chatting,
    "GlmImageForConditionalGeneration": _glm,
    "GlmImageProcessor": _glm_processor,
    "T5GemmaEncoder": _gemma_encoder,
    "Siglip2VisionModel": _siglip2,
    "Siglip2ImageProcessorPil": _siglip2_processor,
    "DPTForDepthEstimation": _depth,
    "DPTImageProcessorPil": _depth_processor,
    "ByT5Tokenizer": lambda **changes: _named("ByT5Tokenizer")(),
}
"""Builders by the name of the class that a pipeline's `__init__` asks for."""
