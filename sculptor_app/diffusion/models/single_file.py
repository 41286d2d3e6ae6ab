"""Single-file checkpoints: one safetensors file that holds a whole pipeline as its authors trained it.

Its weights say which pipeline it is, and diffusers knows how to bring them into its own form. What no checkpoint holds
are the settings and the vocabulary: diffusers takes them from a repository on the hub, so they must lie in its cache.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn

from sculptor_app.core.texts import translate
from sculptor_app.diffusion.models import builder
from sculptor_app.diffusion.models.folder import File, Folder, scan
from sculptor_app.diffusion.models.hub import cache
from sculptor_app.diffusion.models.inspection import inspect_folder
from sculptor_app.diffusion.models.verdict import (
    Component,
    LoadingProgress,
    LoadingStage,
    Report,
    Unfit,
    Verdict,
    distinct,
    shown_path,
)
from sculptor_app.diffusion.models.weights import Tensor, checked_header, weights_of

SETTINGS_FILES = (".json", ".txt", ".model")
"""What a settings folder is read for; anything else in it is left alone."""

_LACKING = re.compile(r"Failed to load (\w+)\. Weights for this component appear to be missing")
_AS_FOLDER = translate("errors", "Open the pipeline as a diffusers folder instead.")


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
    return Verdict(
        path, within.pipeline, within.pipeline_class, parts, distinct(findings), fingerprint, settings_folder=settings
    )


def build_checkpoint(verdict: Verdict, dtype: str, report: Report | None = None) -> Any:
    """Build a pipeline on the CPU from an inspected checkpoint; errors are those of `builder.build`."""
    assert verdict.settings_folder is not None
    path = shown_path(verdict.path)
    if report is not None:
        report(LoadingProgress(LoadingStage.READING))
    with tempfile.TemporaryDirectory(prefix="sculptor-settings-") as place, builder.quiet():
        _copy_settings(verdict.settings_folder, Path(place))
        try:
            pipeline = verdict.pipeline_class.from_single_file(
                str(verdict.path), config=place, local_files_only=True, torch_dtype=getattr(torch, dtype),
                disable_mmap=not verdict.weights[0].is_mapped,
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

    try:
        kind = known.infer_diffusers_model_type({name: SimpleNamespace(shape=t.shape) for name, t in tensors.items()})
        source: dict[str, str] = known.DIFFUSERS_DEFAULT_PIPELINE_PATHS[kind]
    except Exception:  # it asks the tensors for more and more, and of these there are only shapes
        kind, source = "", {}
    # Whatever it does not know it takes for Stable Diffusion 1.
    if not source or (kind == "v1" and known.CHECKPOINT_KEY_NAMES["v1"] not in tensors):
        adapter = any("lora" in name for name in tensors)
        message = (
            translate("errors", "{0} holds an adapter (LoRA), no whole model.")
            if adapter
            else translate("errors", "{0} holds no pipeline that diffusers knows.")
        )
        raise Unfit(message.format(shown_path(path)), _AS_FOLDER)
    if "subfolder" in source:
        raise Unfit(
            translate("errors", "{0} holds one part of a pipeline, not all of it.").format(shown_path(path)), _AS_FOLDER
        )
    return source["pretrained_model_name_or_path"]


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


def _copy_settings(source: Path, place: Path) -> None:
    """Copy the settings and vocabularies alone: no weights, no pickles, nothing that changes while it is read."""
    for name, file in scan(source).files.items():
        if name.endswith(SETTINGS_FILES) and not name.endswith(".index.json"):
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.real, place / name)
