"""Single-file checkpoints: one safetensors file that holds a whole pipeline as its authors trained it.

Its weights say which pipeline it is, and diffusers knows how to bring them into its own form. What no checkpoint holds
are the settings and the vocabulary: diffusers takes them from a repository on the hub, so they must lie in its cache.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from sculptor_app.core.files import temporary_folder
from sculptor_app.core.texts import translate
from sculptor_app.diffusion.models import builder, pickles
from sculptor_app.diffusion.models.folder import File, Folder, scan
from sculptor_app.diffusion.models.hub import cache
from sculptor_app.diffusion.models.inspection import inspect_folder
from sculptor_app.diffusion.models.verdict import (
    Component,
    LoadingProgress,
    LoadingStage,
    PickledWeights,
    Report,
    Unfit,
    Verdict,
    distinct,
    shown_path,
)
from sculptor_app.diffusion.models.weights import Tensor, checked_header, weights_of

PICKLED = (".ckpt", ".pt", ".pth", ".bin")
"""Ends of names that checkpoints in pickles have."""
SETTINGS_FILES = (".json", ".txt", ".model")
"""What a settings folder is read for; anything else in it is left alone."""

_LACKING = re.compile(r"Failed to load (\w+)\. Weights for this component appear to be missing")
_AS_FOLDER = translate("errors", "Open the pipeline as a diffusers folder instead.")
_ITS_MODEL = translate("errors", "Open the model that it was made for.")
_AS_LORA = translate("errors", "Open the model that it was made for, and give it this file with --lora.")
_WHOLE = translate("errors", "Open the whole pipeline, as a diffusers folder or as a checkpoint that holds all of it.")

_ADDITIONS = (
    (r"lora|hada_w1|lokr_w|oft_blocks|dora_scale", translate("errors", "an adapter (LoRA), no whole model"),
     _AS_LORA),
    (r"^(emb_params|clip_[lg]|<[^>]+>)$", translate("errors", "an embedding (textual inversion), no whole model"),
     _ITS_MODEL),
    (r"^(image_proj|ip_adapter)\.", translate("errors", "an IP-Adapter, no whole model"), _ITS_MODEL),
    (r"^(control_model\.|controlnet_|control_(all_x_embedder|layers)|lllite_|input_hint_block)",
     translate("errors", "a ControlNet, one part of a pipeline"), _WHOLE),
    (r"^(adapter\.|body\.\d+\.(resnets|in_conv))", translate("errors", "a T2I-Adapter, one part of a pipeline"),
     _WHOLE),
    (r"motion_modules\.", translate("errors", "a motion module (AnimateDiff), one part of a pipeline"), _WHOLE),
    (r"^(conv_first|RRDB_trunk|upsampler)\.|^model\.\d+\.(weight|sub\.)|^body\.\d+\.(rdb|weight)",
     translate("errors", "an upscaler, which makes a picture larger and takes no noise off"), _WHOLE),
)  # fmt: skip
"""What goes with a model, by the name of any of its weights, the first that fits; what it is; and what to do."""
_PARTS = (
    ((r"^first_stage_model\.|^vae\.|^(post_)?quant_conv|"
      r"^(encoder|decoder)\.(conv_|mid|up|down|stages|project_|head|layers(?!\.\d+\.(self_attn|mlp|layer_norm)))"),
     translate("errors", "a VAE, one part of a pipeline")),
    ((r"^(cond_stage_model|conditioner|text_encoders?|text_model|shared)\.|^encoder\.block\.|"
      r"^(model\.)?embed_tokens\.|^embeddings\.token_embedding\."),
     translate("errors", "a text encoder, one part of a pipeline")),
    (r"^(model\.diffusion_model\.)?(double_|single_|joint_|transformer_|single_transformer_|net\.)?(blocks|layers)\.\d",
     translate("errors", "a transformer alone, one part of a pipeline")),
    (r"^model\.diffusion_model\.|^(down_blocks|up_blocks|mid_block)\.",
     translate("errors", "a UNet alone, one part of a pipeline")),
    (r"^vision_model\.|^embeddings\.(patch|class)_embedding",
     translate("errors", "an image encoder, one part of a pipeline")),
)  # fmt: skip
"""The parts of a pipeline in the same way; a file that holds one of them alone is no pipeline."""
_NETWORKS = _PARTS[2:4]
"""Parts of which a pipeline has one or the other, and names that fit the first may fit the second, too."""


def inspect_checkpoint(path: Path) -> Verdict:
    """Inspect a checkpoint, whose path has no links, without building anything."""
    status = path.stat()
    folder = Folder(path.parent, {path.name: File(path, path, status.st_size, status.st_mtime_ns)})
    try:
        header = checked_header(folder, path.name)
        repository = _repository(path, header.tensors)
        settings = _settings(path, repository)
    except Unfit as unfit:
        return Verdict(path, findings=(unfit.finding,), fingerprint=folder.fingerprint())
    within = inspect_folder(settings, with_weights=False)
    weights = weights_of(folder.files.values(), [header])
    findings = list(within.findings)
    if within.pipeline_class is not None and not hasattr(within.pipeline_class, "from_single_file"):
        findings.append(
            Unfit(
                translate("errors", "diffusers reads no {0} from a single file.").format(within.pipeline), _AS_FOLDER
            ).finding
        )
    parts = (*within.components, Component(path.stem, "checkpoint", within.pipeline_class, path, weights))
    fingerprint = f"{folder.fingerprint()} {within.fingerprint}"
    return Verdict(path, within.pipeline, within.pipeline_class, parts, distinct(findings), fingerprint,
                   settings_folder=settings, left_out=within.left_out, why_no_guess=within.why_no_guess)  # fmt: skip


def inspect_pickled(path: Path) -> Verdict:
    """Inspect a checkpoint in a pickle: its copy as safetensors, or the refusal where there is none yet."""
    pickled = PickledWeights(path.name, (path,), (), stem="model", label=path.name, stored_bytes=path.stat().st_size)
    other = pickles.other_content(pickled)
    if other is not None:
        return Verdict(path, findings=(other.finding,))
    copy = pickles.find_copy(pickled)
    if copy is None:
        return Verdict(path, findings=(pickles.pickled_finding(path, pickled),), pickles=(pickled,))
    return inspect_checkpoint(Path(os.path.realpath(copy / "model.safetensors")))


def build_checkpoint(verdict: Verdict, dtype: str, report: Report | None = None) -> Any:
    """Build a pipeline on the CPU from an inspected checkpoint; errors are those of `builder.build`."""
    assert verdict.settings_folder is not None
    path = shown_path(verdict.path)
    if report is not None:
        report(LoadingProgress(LoadingStage.READING))
    with _copied_settings(verdict.settings_folder) as place, builder.quiet():
        try:
            pipeline = verdict.pipeline_class.from_single_file(
                str(verdict.path), config=str(place), local_files_only=True, torch_dtype=getattr(torch, dtype),
                disable_mmap=not verdict.weights[0].is_mapped, **dict.fromkeys(verdict.left_out),
            )  # fmt: skip
        except Exception as error:
            lacking = _LACKING.search(str(error))
            if lacking is not None:
                message = translate("errors", "{0} has no weights for the {1}.").format(path, lacking[1])
                raise Unfit(
                    message, translate("errors", "Look for a checkpoint with all parts, or for a diffusers folder.")
                ) from error
            raise builder.cannot(path, error) from error
    for name, part in pipeline.components.items():
        if isinstance(part, nn.Module):
            builder.check_values(f"{path}: {name}", part)
            part.eval().requires_grad_(False)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _repository(path: Path, tensors: dict[str, Tensor]) -> str:
    """Name of the repository that diffusers takes the settings of a checkpoint with such weights from."""
    from diffusers.loaders import single_file_utils as known

    _refuse_part(path, tensors)
    try:
        kind = known.infer_diffusers_model_type({name: SimpleNamespace(shape=t.shape) for name, t in tensors.items()})
        source: dict[str, str] = known.DIFFUSERS_DEFAULT_PIPELINE_PATHS[kind]
    except Exception:  # it asks the tensors for more and more, and of these there are only shapes
        kind, source = "", {}
    # Whatever it does not know it takes for Stable Diffusion 1.
    if not source or (kind == "v1" and known.CHECKPOINT_KEY_NAMES["v1"] not in tensors):
        raise Unfit(
            translate("errors", "{0} holds no pipeline that diffusers knows.").format(shown_path(path)), _AS_FOLDER
        )
    if "subfolder" in source:
        raise Unfit(
            translate("errors", "{0} holds one part of a pipeline, not all of it.").format(shown_path(path)), _AS_FOLDER
        )
    return source["pretrained_model_name_or_path"]


def _refuse_part(path: Path, tensors: Iterable[str]) -> None:
    """Refuse (`Unfit`) a file with one part of a pipeline, or with what goes with one, by the names of its weights."""
    names = list(tensors)
    for pattern, what, advice in _ADDITIONS:
        if any(re.search(pattern, name) for name in names):
            raise Unfit(translate("errors", "{0} holds {1}.").format(shown_path(path), what), advice)
    found = [part for part in _PARTS if any(re.search(part[0], name) for name in names)]
    if found and (len(found) == 1 or found == list(_NETWORKS)):
        raise Unfit(translate("errors", "{0} holds {1}.").format(shown_path(path), found[0][1]), _WHOLE)


def _settings(path: Path, repository: str) -> Path:
    """The folder with the settings of a checkpoint, without links in its path."""
    try:
        return Path(os.path.realpath(cache.find_cached(repository)))
    except cache.NotInCache as error:
        raise Unfit(
            translate(
                "errors",
                "{0} holds weights alone, and the settings and vocabulary for them, those of {1}, are not on "
                "this computer.",
            ).format(shown_path(path), repository),
            translate("errors", "Download the settings (a few megabytes), or open the pipeline as a diffusers folder."),
        ) from error


@contextlib.contextmanager
def _copied_settings(source: Path) -> Iterator[Path]:
    """A folder with a copy of the settings alone."""
    with temporary_folder("sculptor-settings-") as place:
        _copy_settings(source, place)
        yield place


def _copy_settings(source: Path, place: Path) -> None:
    """Copy the settings and vocabularies alone: no weights, no pickles, nothing that changes while it is read."""
    for name, file in scan(source).files.items():
        if name.endswith(SETTINGS_FILES) and not name.endswith(".index.json"):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(file.real.read_bytes())
