"""Reading the embedded model's folder: everything is checked before anything large is built."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
import torch
from diffusers import SchedulerMixin, UNet2DModel
from torch import nn

from sculptor_app.core.errors import ModelFolderError
from sculptor_app.diffusion.label_embedding import LabelEmbedding
from sculptor_app.diffusion.models.builder import is_finite
from sculptor_app.diffusion.models.folder import Folder, scan
from sculptor_app.diffusion.models.verdict import Unfit
from sculptor_app.diffusion.models.weights import checked_header
from sculptor_app.diffusion.pipelines import build_lock

Network = TypeVar("Network", UNet2DModel, LabelEmbedding)

MOST_LABELS = 10_000
MOST_PARAMETERS = 2_000_000_000
WEIGHTS = "diffusion_pytorch_model.safetensors"
SCHEDULERS = (
    "DDIMScheduler", "DDPMScheduler", "DPMSolverMultistepScheduler", "EulerAncestralDiscreteScheduler",
    "EulerDiscreteScheduler", "HeunDiscreteScheduler", "UniPCMultistepScheduler",
)  # fmt: skip
ALLOWED = {
    "sample_size": (1, 1024), "in_channels": (1, 4096), "out_channels": (1, 4096), "layers_per_block": (1, 16),
    "attention_head_dim": (1, 1024), "norm_num_groups": (1, 512), "num_forms": (0, MOST_LABELS),
    "num_materials": (0, MOST_LABELS), "width": (1, 16384), "num_train_timesteps": (1, 10_000),
    "patch_size": (1, 32),
}  # fmt: skip


def read_components(
    folder: Path, dtype: torch.dtype
) -> tuple[UNet2DModel, LabelEmbedding, SchedulerMixin, dict[str, Any]]:
    """Read and check a model folder.

    Args:
        folder: Holds model_index.json, unet/, label_embedding/ and scheduler/.
        dtype: What the weights become.

    Returns:
        The U-Net, the label tables, the scheduler, and the pipeline's own settings.

    Raises:
        ModelFolderError: Something is missing, broken, or beyond what is allowed.
    """
    folder = Path(os.path.realpath(folder))
    found = scan(folder)
    index = _read_json(found, "model_index.json")
    if index.get("_class_name") != "SculptorPipeline":
        raise ModelFolderError(
            f"{folder} holds a {index.get('_class_name')!r}, not a SculptorPipeline. Open it as a diffusers folder."
        )
    patch_size = index.get("patch_size", 4)
    _check_bounds(folder / "model_index.json", {"patch_size": patch_size})
    settings = {"patch_size": patch_size, "form_names": _names(folder, index, "form_names"),
                "material_names": _names(folder, index, "material_names")}  # fmt: skip
    unet = _read_network(UNet2DModel, found, "unet", dtype)
    table = _read_network(LabelEmbedding, found, "label_embedding", dtype)
    _check_fit(folder, unet, table, settings)
    return unet, table, _read_scheduler(found, "scheduler"), settings


def _names(folder: Path, index: dict[str, Any], key: str) -> list[str]:
    names = index.get(key, [])
    if not isinstance(names, list) or len(names) > MOST_LABELS or not all(isinstance(name, str) for name in names):
        raise ModelFolderError(f"{key} in {folder / 'model_index.json'} is not a list of words. Restore the file.")
    return names


def _read_json(found: Folder, name: str) -> dict[str, Any]:
    try:
        return found.json(name)
    except Unfit as error:
        raise ModelFolderError(error.finding.what, error.finding.why_it_matters) from error


def _check_bounds(path: Path, config: dict[str, Any]) -> None:
    for key, (least, most) in ALLOWED.items():
        value = config.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ModelFolderError(f"{key} in {path} is {value!r}; allowed is {least} to {most}. Restore the file.")
    channels = config.get("block_out_channels", (1,))
    sane = isinstance(channels, (list, tuple)) and 1 <= len(channels) <= 8
    if not sane or not all(type(width) is int and 1 <= width <= 4096 for width in channels):
        raise ModelFolderError(
            f"block_out_channels in {path} is {channels!r}; allowed are 1 to 8 widths of 1 to 4096. Restore the file."
        )


def _read_network(kind: type[Network], found: Folder, name: str, dtype: torch.dtype) -> Network:
    folder = found.root / name
    config = _read_json(found, f"{name}/config.json")
    _check_bounds(folder / "config.json", config)
    try:
        with build_lock.building, torch.device("meta"):  # shapes only: a config that asks for terabytes gets none
            network: Network = kind.from_config(config)
    except Exception as error:
        raise ModelFolderError(f"{folder / 'config.json'} describes no network that can be built ({error}).") from error
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    if sum(parameter.numel() for parameter in network.parameters()) > MOST_PARAMETERS:
        raise ModelFolderError(f"{folder / 'config.json'} asks for more than {MOST_PARAMETERS:,} parameters.")
    weights = _read_weights(found, f"{name}/{WEIGHTS}", wanted, dtype)
    network.load_state_dict(weights, strict=True, assign=True)
    _refuse_meta(folder, network)
    network.eval().requires_grad_(False)
    return network


def _read_weights(
    found_in: Folder, name: str, wanted: dict[str, tuple[int, ...]], dtype: torch.dtype
) -> dict[str, torch.Tensor]:
    """Weights by name; names and shapes are compared from the header before the data is read."""
    path = found_in.root / name
    try:
        found = {name: tensor.shape for name, tensor in checked_header(found_in, name).tensors.items()}
    except Unfit as error:
        raise ModelFolderError(error.finding.what, error.finding.why_it_matters) from error
    missing, unexpected = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    changed = sorted(name for name in wanted.keys() & found.keys() if wanted[name] != found[name])
    for names, what in ((missing, "lacks"), (unexpected, "has the unknown"), (changed, "has a wrong shape for")):
        if names:
            raise ModelFolderError(
                f"{path} {what} {names[0]!r} and {len(names) - 1} more. Its config.json belongs to another model."
            )
    # Read into memory, not mapped: mapped weights are misaligned, which changes the output in the sixth digit. The
    # copy in `to` aligns them.
    weights = {name: tensor.to(dtype, copy=True) for name, tensor in safetensors.torch.load(path.read_bytes()).items()}
    broken = sorted(name for name, tensor in weights.items() if not is_finite(tensor))
    if broken:
        raise ModelFolderError(f"{path} has values that are no numbers in {broken[0]!r}. Train or download it again.")
    return weights


def _refuse_meta(folder: Path, network: nn.Module) -> None:
    tensors = [*network.named_parameters(), *network.named_buffers()]
    empty = [name for name, tensor in tensors if tensor.is_meta]
    if empty:
        raise ModelFolderError(f"{folder} leaves {empty[0]!r} without a value. Copy the folder again.")


def _check_fit(folder: Path, unet: UNet2DModel, table: LabelEmbedding, settings: dict[str, Any]) -> None:
    channels = 3 * settings["patch_size"] ** 2
    if (unet.config.in_channels, unet.config.out_channels) != (channels, channels):
        raise ModelFolderError(f"{folder}: patch_size {settings['patch_size']} needs a U-Net of {channels} channels.")
    width = unet.time_embedding.linear_2.out_features
    if unet.config.class_embed_type != "identity" or table.config.width != width:
        raise ModelFolderError(f"{folder}: the label embedding and the U-Net belong to different models.")
    for names, count in (("form_names", table.free_form), ("material_names", table.free_material)):
        if len(settings[names]) not in (0, count):
            raise ModelFolderError(f"{folder}: {names} has {len(settings[names])} words for {count} labels.")


def _read_scheduler(found: Folder, place: str) -> SchedulerMixin:
    import diffusers

    path = found.root / place / "scheduler_config.json"
    config = _read_json(found, f"{place}/scheduler_config.json")
    _check_bounds(path, config)
    name = config.get("_class_name")
    if name not in SCHEDULERS:
        raise ModelFolderError(f"{path} names the scheduler {name!r}; known are {', '.join(SCHEDULERS)}.")
    try:
        return getattr(diffusers, name).from_config(config)
    except Exception as error:
        raise ModelFolderError(f"{path} cannot be used ({error}). Restore the file from where it came.") from error
