"""Repositories of published models as they lie on a disk, with random weights."""

from __future__ import annotations

import functools
import io
import json
import string
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from PIL import Image

from tests.helpers.published_models import Published
from tests.helpers.published_parts import WORDS, Settings

SEED = 20_260_104
LETTERS = string.ascii_lowercase
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
CHAT = "{% for message in messages %}<|im_start|>{{ message.role }}{{ message.content }}<|im_end|>{% endfor %}"
CHECKER = {
    "model_type": "clip", "projection_dim": 8, "architectures": ["StableDiffusionSafetyChecker"],
    "text_config": {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 1, "num_hidden_layers": 1},
    "vision_config": {"hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 1, "num_hidden_layers": 1,
                      "image_size": 224, "patch_size": 112},
}  # fmt: skip
EXTRACTOR = {
    "crop_size": 224, "do_center_crop": True, "do_convert_rgb": True, "do_normalize": True, "do_resize": True,
    "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711],
    "resample": 3, "size": 224,
}  # fmt: skip


def write_repository(model: Published, folder: Path) -> Path:
    """Write a model as its repository lies on a disk; `folder` is made."""
    folder.mkdir(parents=True)
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs diff=lfs merge=lfs -text\n")
    if "Combined" not in model.pipeline:
        (folder / "README.md").write_text("---\nlicense: openrail++\ntags:\n- text-to-image\n---\n# A model\n")
    index: Settings = {"_class_name": model.pipeline, "_diffusers_version": model.version, **model.index}
    for name, part in model.parts.items():
        if part is None:
            index[name] = [None, None]
            continue
        library, kind, settings = part
        index[name] = [library, settings.get("_class_name", kind)]
        place = folder if model.is_flat else folder / name
        place.mkdir(exist_ok=True)
        _write_part(library, kind, settings, model.version, place)
    (folder / "model_index.json").write_text(json.dumps(index, indent=2))
    for name in model.beside:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.with_name("diffusion_pytorch_model.safetensors")
        path.write_bytes(whole.read_bytes() if path.suffix == ".safetensors" and whole.exists() else b"{}")
    return folder


def write_pictures(folder: Path, size: tuple[int, int]) -> None:
    """A picture of noise, image.png, and a mask, mask_image.png, that lets it stay on one side."""
    noise = np.random.default_rng(5).integers(0, 256, (*size, 3), np.uint8)
    mask = np.zeros_like(noise)
    mask[:, size[1] // 2 :] = 255
    for name, values in {"image": noise, "mask_image": mask}.items():
        Image.fromarray(values).save(folder / f"{name}.png")


def _write_part(library: str, kind: str, settings: Settings, version: str, place: Path) -> None:
    if kind.endswith("Scheduler"):
        _write_json(place / "scheduler_config.json", {"_diffusers_version": version, **settings})
    elif "Tokenizer" in kind:
        _write_tokenizer(kind, settings, place)
    elif kind.startswith("CLIP") and kind.endswith(("Extractor", "Processor")):
        _write_json(place / "preprocessor_config.json", {**EXTRACTOR, **settings})
    elif library == "diffusers":
        _write_json(place / "config.json", {"_diffusers_version": version, **settings})
        _write_weights(place / "diffusion_pytorch_model.safetensors", _network(kind, _frozen(settings)))
    else:
        settings = settings or CHECKER
        _write_json(place / "config.json", settings)
        _write_weights(place / "model.safetensors", _encoder(kind, _frozen(settings)))


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2))


def _write_weights(path: Path, weights: dict[str, torch.Tensor]) -> None:
    safetensors.torch.save_file(weights, path, {"format": "pt"})


def _frozen(settings: Settings) -> str:
    return json.dumps(settings)


@functools.cache
def _network(kind: str, settings: str) -> dict[str, torch.Tensor]:
    """Weights of a network of diffusers; those that start at zero are random, too, or it would say nothing."""
    import diffusers

    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(SEED)
        return _random(getattr(diffusers, kind).from_config(json.loads(settings)))


@functools.cache
def _encoder(kind: str, settings: str) -> dict[str, torch.Tensor]:
    import transformers
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker

    made = json.loads(settings)
    kind = made["architectures"][0]  # what was saved; an index may name the part of it that is used
    cls = getattr(transformers, kind, StableDiffusionSafetyChecker)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(SEED)
        return _random(cls(cls.config_class.from_dict(made)))


def _random(module: Any) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for name, tensor in module.state_dict().items():
        if tensor.data_ptr() not in seen:  # of tied weights the first is stored
            weights[name] = tensor.contiguous().clone()
        seen.add(tensor.data_ptr())
    for tensor in weights.values():
        if tensor.is_floating_point() and not tensor.any():
            tensor.normal_(0, 0.02)
    return weights


def _write_tokenizer(kind: str, settings: Settings, place: Path) -> None:
    if kind.startswith("CLIP"):
        words = ["!", *LETTERS, *(f"{letter}</w>" for letter in LETTERS), BEGIN]
        words += [f"<{number}>" for number in range(WORDS - len(words) - 1)] + [END]
        _write_json(place / "vocab.json", {word: number for number, word in enumerate(words)})
        (place / "merges.txt").write_text("#version: 0.2\n")
        special = {"bos_token": BEGIN, "eos_token": END, "unk_token": END, "pad_token": settings["pad_token"]}
        _write_json(place / "special_tokens_map.json", special)
        added = {name: {"__type": "AddedToken", "content": word, "lstrip": False, "normalized": True, "rstrip": False,
                        "single_word": False} for name, word in special.items()}  # fmt: skip
        more = {"add_prefix_space": False, "do_lower_case": True, "errors": "replace", "model_max_length": 77,
                "name_or_path": "openai/clip-vit-large-patch14", "tokenizer_class": "CLIPTokenizer",
                "special_tokens_map_file": "./special_tokens_map.json"}  # fmt: skip
        _write_json(place / "tokenizer_config.json", {**added, **more, "pad_token": special["pad_token"]})
    elif kind.startswith("Qwen"):
        _write_json(place / "vocab.json", {letter: number for number, letter in enumerate(_byte_letters())})
        (place / "merges.txt").write_text("#version: 0.2\n")
        marks = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
        added = {str(256 + number): {"content": mark, "lstrip": False, "normalized": False, "rstrip": False,
                                     "single_word": False, "special": True}
                 for number, mark in enumerate(marks)}  # fmt: skip
        more = {"add_prefix_space": False, "bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
                "additional_special_tokens": list(marks[1:]), "model_max_length": 131072, "errors": "replace",
                "tokenizer_class": "Qwen2Tokenizer", "unk_token": None, "split_special_tokens": False}  # fmt: skip
        _write_json(place / "tokenizer_config.json", {"added_tokens_decoder": added, "chat_template": CHAT, **more})
    else:
        _write_pieces(kind, settings["file"], place)


def _write_pieces(kind: str, file: str, place: Path) -> None:
    """T5's or Gemma's tokenizer, as a SentencePiece model or as tokenizer.json."""
    import transformers

    special = {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    more = {"extra_ids": 0, "model_max_length": 512, "sp_model_kwargs": {}, "tokenizer_class": "T5Tokenizer"}
    if file == "spiece.model":
        (place / file).write_bytes(sentencepiece_model())
    elif kind.startswith("T5"):
        pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -1.0), *((each, -2.0) for each in LETTERS)]
        transformers.T5Tokenizer(pieces, extra_ids=0).save_pretrained(place)
    else:
        words = ["<pad>", "<eos>", "<bos>", "<unk>", "▁", *LETTERS]
        transformers.GemmaTokenizer({word: number for number, word in enumerate(words)}, []).save_pretrained(place)
        special = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
        more = {"add_bos_token": True, "add_eos_token": False, "model_max_length": 10**30, "padding_side": "left",
                "tokenizer_class": "GemmaTokenizer"}  # fmt: skip
    _write_json(place / "special_tokens_map.json", special)
    _write_json(place / "tokenizer_config.json", {**special, **more, "clean_up_tokenization_spaces": True})


def _byte_letters() -> list[str]:
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return list(bytes_to_unicode().values())


@functools.cache
def sentencepiece_model() -> bytes:
    """A SentencePiece model of a few words, as T5's spiece.model."""
    import sentencepiece

    out = io.BytesIO()
    sentences = ["a bust of marble", "the quick brown fox jumps over the lazy dog", "a vase"] * 20
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences), model_writer=out, vocab_size=WORDS - 4, model_type="unigram", pad_id=0,
        eos_id=1, unk_id=2, bos_id=-1, minloglevel=2, hard_vocab_limit=False,
    )  # fmt: skip
    return out.getvalue()
