"""The one way in: a model is judged, tried if a stranger made it, built, and put where it will compute."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from sculptor_app.core.errors import ModelFolderError
from sculptor_app.diffusion.models import builder, single_file
from sculptor_app.diffusion.models.classes import OUR_PIPELINE
from sculptor_app.diffusion.models.folder import scan
from sculptor_app.diffusion.models.hub import cache
from sculptor_app.diffusion.models.inspection import judge_folder
from sculptor_app.diffusion.models.memory import EXACT_BYTES, Plan, plan_loading
from sculptor_app.diffusion.models.progress import LoadingProgress, LoadingStage, Report, stoppable
from sculptor_app.diffusion.models.sandbox import try_first
from sculptor_app.diffusion.models.verdict import Finding, ModelRefused, Unfit, Verdict, shown_path
from sculptor_app.diffusion.models.weights import OTHER_WEIGHTS, PICKLES

HALF_VARIANT = "fp16"
_CHANGED = "Wait until it is complete, then open it again."


def judge(path: Path, variant: str | None = None) -> Verdict:
    """Everything that can be said of a model without building any of it; raises nothing.

    Args:
        path: A diffusers folder, or one safetensors file.
        variant: Which files to prefer where a component has several, such as "fp16".
    """
    try:
        path = Path(os.path.realpath(path))
        with builder.quiet():  # libraries speak when they are first imported
            if path.is_dir():
                return judge_folder(path, variant)
            if path.suffix == ".safetensors":
                return single_file.judge_checkpoint(path)
        return Verdict(path, findings=(_no_model(path),))
    except (OSError, ValueError) as error:  # it vanished in between, or its name is none
        return Verdict(path, findings=(Finding(f"{shown_path(path)} cannot be read ({error}).", _CHANGED),))


def locate(model: str) -> Path:
    """The folder or file that a person means: its path, or the name of a repository in the hub's cache.

    Raises:
        ModelFolderError: There is neither.
    """
    path = Path(model).expanduser()
    try:
        if path.exists():
            return path.resolve()
    except (OSError, ValueError):  # the name is none
        pass
    if cache.is_name(model):
        return cache.find_cached(model).resolve()
    raise ModelFolderError(f"There is no folder {shown_path(path)}.", "Choose a folder that holds a model.")


def inspect_model(path: Path, device: str | None = None) -> Verdict:
    """What `judge` says, and whether the model fits into a device's memory; builds nothing.

    Args:
        path: A diffusers folder, or one safetensors file.
        device: As torch names it; None leaves memory aside.
    """
    return judge(path) if device is None else examine(path, device, trial=False)[0]


def examine(
    path: Path,
    device: str,
    dtype: str | None = None,
    *,
    trial: bool = True,
    own_too: bool = False,
    stop: threading.Event | None = None,
    report: Report | None = None,
) -> tuple[Verdict, Plan | None]:
    """Everything that can be found out about a model without building it in this process.

    Args:
        path: A diffusers folder, or one safetensors file.
        device: Where it would compute, as torch names it.
        dtype: "float32", "float16" or "bfloat16"; None chooses what suits the model and the device.
        trial: Whether it is built in a process of its own.
        own_too: Whether that is done with our own pipeline, too, which is bounded to the last number as it is read.
        stop: Ends it before the trial and within it when it is set.
        report: Told of the checking and the trial.

    Returns:
        The verdict, and how to load the model; None if it is refused.

    Raises:
        Cancelled: It was stopped.
    """
    tell = stoppable(report, stop)
    tell(LoadingProgress(LoadingStage.CHECKING))
    verdict = judge(path)
    if verdict.fit and device != "cpu" and 4 * verdict.numbers > EXACT_BYTES:
        verdict = judge(path, HALF_VARIANT)  # half the reading, where there is a choice
    if not verdict.fit:
        return verdict, None
    try:
        plan = plan_loading(verdict, device) if dtype is None else Plan(dtype)
        if trial and (own_too or verdict.pipeline != OUR_PIPELINE):
            tell(LoadingProgress(LoadingStage.TRYING))
            try_first(verdict, plan.dtype, stop)
    except Unfit as unfit:
        return with_findings(verdict, unfit.finding), None
    except ModelRefused as refused:
        return with_findings(verdict, *refused.findings), None
    return verdict, plan


def load_pipeline(
    path: Path,
    device: str = "cpu",
    dtype: str | None = None,
    *,
    stop: threading.Event | None = None,
    report: Report | None = None,
) -> Any:
    """Open any model that diffusers can run.

    Args:
        path: A diffusers folder, or one safetensors file.
        device: Where it will compute, as torch names it.
        dtype: "float32", "float16" or "bfloat16"; None chooses what suits the model and the device.
        stop: Ends a trial when it is set, and the reading at the next component.
        report: Told what is being done.

    Returns:
        The pipeline, ready on the device, or offloaded: its parts come to the GPU one at a time.

    Raises:
        ModelRefused: Something speaks against it; all of it is in the error's `findings`.
        ModelFolderError: The same, for a folder of ours that is broken, or for one that changes.
        Cancelled: It was stopped.
        RuntimeError: Memory ran out all the same; `is_out_of_memory` knows it.
    """
    tell = stoppable(report, stop)
    verdict, plan = examine(path, device, dtype, stop=stop, report=report)
    verdict.refuse()
    assert plan is not None
    try:
        pipeline = build(verdict, plan.dtype, tell)
    except Unfit as unfit:
        raise ModelRefused([unfit.finding]) from unfit
    if judge(path, verdict.wanted_variant).fingerprint != verdict.fingerprint:
        raise ModelFolderError(f"{shown_path(verdict.path)} changed while it was read.", _CHANGED)
    tell(LoadingProgress(LoadingStage.MOVING))
    if plan.offload:
        pipeline.enable_model_cpu_offload(device=device)
        return pipeline
    return pipeline.to(device)


def scheduler_settings(path: Path) -> dict[str, Any]:
    """What a model says of its scheduler; loads nothing.

    Raises:
        Unfit: It says nothing, or it cannot be read.
    """
    folder = path if path.suffix != ".safetensors" or path.is_dir() else judge(path).settings_folder or path
    return scan(folder).json("scheduler/scheduler_config.json")


def may_be_moved(pipeline: Any) -> bool:
    """Whether a loaded pipeline can go to another device as it is: one in float32 suits all, an offloaded one none."""
    import torch

    return not getattr(pipeline, "_all_hooks", None) and getattr(pipeline, "dtype", torch.float32) is torch.float32


def build(verdict: Verdict, dtype: str, report: Report | None = None) -> Any:
    """Build what was judged; see `building.build`."""
    if verdict.settings_folder is not None:
        return single_file.build_checkpoint(verdict, dtype, report)
    return builder.build(verdict, dtype, report)


def with_findings(verdict: Verdict, *more: Finding) -> Verdict:
    """The same verdict with further findings."""
    return replace(verdict, findings=(*verdict.findings, *more))


def _no_model(path: Path) -> Finding:
    if not path.exists():
        return Finding(f"There is no folder {shown_path(path)}.", "Choose a folder that holds a model.")
    if path.name.endswith((*PICKLES, *OTHER_WEIGHTS)):
        why = "Opening such a file can run code in it; look for a copy with safetensors files."
        return Finding(f"{shown_path(path)} is no safetensors file.", why)
    return Finding(f"{shown_path(path)} is neither a folder nor a safetensors file.", "Choose one that holds a model.")
