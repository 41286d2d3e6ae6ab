"""LoRA files for tiny pipelines, as different programs write them, and the networks that they come to, by hand."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

RANK = 2
Pairs = dict[str, dict[str, tuple[torch.Tensor, torch.Tensor]]]
"""A (RANK, in, ...) and B (out, RANK, ...) by component and layer."""


def pairs(pipeline: Any, layers: dict[str, tuple[str, ...]], seed: int = 1, size: float = 0.3) -> Pairs:
    """Random matrices for the layers of each component whose names end so."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return size * torch.randn(*shape, generator=generator)

    found: Pairs = {}
    for part, ends in layers.items():
        modules = {name: each for name, each in getattr(pipeline, part).named_modules() if name.endswith(ends)}
        assert modules, (part, ends)
        found[part] = {
            name: (normal(RANK, *each.weight.shape[1:]), normal(len(each.weight), RANK, *[1] * (each.weight.ndim - 2)))
            for name, each in modules.items()
        }
    return found


def by_diffusers(pipeline: Any, found: Pairs, file: Path, alpha: float | None = None) -> Path:
    """Written by the pipeline's own `save_lora_weights`, with the config of peft if an alpha is given."""
    layers, configs = {}, {}
    for part, modules in found.items():
        layers[f"{part}_lora_layers"] = {
            f"{name}.{matrix}.weight": tensor
            for name, both in modules.items()
            for matrix, tensor in zip(("lora_A", "lora_B"), both, strict=True)
        }
        if alpha is not None:
            configs[f"{part}_lora_adapter_metadata"] = {"r": RANK, "lora_alpha": alpha, "target_modules": [".*(a+)+$"]}
    pipeline.save_lora_weights(file.parent, weight_name=file.name, **layers, **configs)
    return file


def by_kohya(found: Pairs, file: Path, alpha: float, other: float | None = None) -> Path:
    """With kohya's names: dots are underscores, a text encoder's layers are below text_model.

    Args:
        alpha, other: Alpha of every second layer of a component, and that of the others if it is another.
    """
    tensors = {}
    for part, modules in found.items():
        for number, (name, (down, up)) in enumerate(modules.items()):
            path = {"unet": "lora_unet_", "text_encoder": "lora_te_text_model_"}[part] + name.replace(".", "_")
            tensors |= {f"{path}.lora_down.weight": down, f"{path}.lora_up.weight": up}
            tensors[f"{path}.alpha"] = torch.tensor(alpha if other is None or number % 2 == 0 else other)
    save_file(tensors, file, {"ss_base_model_version": "sd_v1"})
    return file


@contextlib.contextmanager
def added(pipeline: Any, *changes: tuple[Pairs, float]) -> Iterator[None]:
    """Weights of a pipeline with factor·B·A added by hand, while the block runs."""
    layers = {part: dict(getattr(pipeline, part).named_modules()) for found, _ in changes for part in found}
    before = {id(each): (each, each.weight.detach().clone())
              for found, _ in changes for part, modules in found.items()
              for each in (layers[part][name] for name in modules)}  # fmt: skip
    with torch.no_grad():
        for found, factor in changes:
            for part, modules in found.items():
                for name, (down, up) in modules.items():
                    weight = layers[part][name].weight
                    weight += factor * (up.flatten(1) @ down.flatten(1)).reshape(weight.shape)
        try:
            yield
        finally:
            for layer, weight in before.values():
                layer.weight.copy_(weight)
