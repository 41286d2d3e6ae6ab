"""Loader of models: inspects a model, plans its memory, tries it in the sandbox if it is untrusted, and builds it.

`load_pipeline` is the only way to a pipeline that computes.
"""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import torch

from sculptor_app import resources
from sculptor_app.core.errors import ModelFolderError
from sculptor_app.core.files import expanded, typed_path
from sculptor_app.core.texts import byte_text, translate
from sculptor_app.diffusion.models import builder, pickles, single_file
from sculptor_app.diffusion.models.classes import OUR_PIPELINE
from sculptor_app.diffusion.models.config_checks import check_settings
from sculptor_app.diffusion.models.folder import HEAD_BYTES, INDEX, mistaken, scan
from sculptor_app.diffusion.models.hub import cache
from sculptor_app.diffusion.models.inspection import inspect_folder
from sculptor_app.diffusion.models.sandbox import check_in_sandbox
from sculptor_app.diffusion.models.verdict import (
    DTYPE_BYTES,
    Finding,
    LoadingProgress,
    LoadingStage,
    ModelRefused,
    Report,
    Severity,
    Unfit,
    Verdict,
    shown_path,
    stoppable,
)
from sculptor_app.diffusion.models.weights import OTHER_WEIGHTS, PICKLES, weights_hash
from sculptor_app.diffusion.pipelines.suitability import obstacle_of

HALF_VARIANT = "fp16"
EXACT_BYTES = 1 << 30
"""A model that takes no more than this runs in float32 everywhere: it is quick enough, and the same on all devices."""
LEFT_TO_OTHERS = 512 << 20
"""Bytes that a model leaves to its own run and to other programs."""

_CHANGED = translate("errors", "Wait until it is complete, then open it again.")
_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


@dataclass(frozen=True, slots=True)
class LoadingPlan:
    """Dtype and offloading with which a model is loaded."""

    dtype: str  # as torch names it: "float32", "float16", "bfloat16"
    offload: bool = False  # whether only the part that computes is on the GPU at a time
    notes: tuple[str, ...] = ()  # sentences of the trial about its runs: that they are slow, or take much memory


def find_model(model: str) -> Path:
    """The folder or file of a path, or of a repository in the hub's cache; `ModelFolderError` if there is neither."""
    model = cache.from_address(model)
    path = expanded(model)
    with contextlib.suppress(OSError, ValueError):  # the name is none
        if typed_path(model).exists():
            return path.resolve()
    if cache.is_name(model):
        return cache.find_begun(model).resolve()
    raise ModelFolderError(
        translate("errors", "There is no folder {0}.").format(shown_path(path)),
        translate("errors", "Choose a folder that holds a model."),
    )


def inspect_model(path: Path, variant: str | None = None) -> Verdict:
    """Inspect a model without building any of it; raises nothing.

    Args:
        path: A diffusers folder, or one safetensors file.
        variant: Which files to prefer where a component has several, such as "fp16".
    """
    try:
        path = Path(os.path.realpath(path))
        with builder.quiet():  # libraries speak when they are first imported
            if path.is_dir():
                return _of_this_copy(inspect_folder(path, variant))
            if path.suffix == ".safetensors":
                return single_file.inspect_checkpoint(path)
            if path.suffix in single_file.PICKLED and path.is_file():
                return single_file.inspect_pickled(path)
        return Verdict(path, findings=(_no_model(path),))
    except (OSError, ValueError) as error:  # it vanished in between, or its name is none
        return Verdict(
            path,
            findings=(
                Finding(translate("errors", "{0} cannot be read ({1}).").format(shown_path(path), error), _CHANGED),
            ),
        )


def _of_this_copy(verdict: Verdict) -> Verdict:
    """The verdict; what refuses a model that came with the program is mended by installing that again."""
    if verdict.fit or not _is_own(verdict.path):
        return verdict
    advice = translate("errors", "This copy of Sculptor is not whole: install it again.")
    findings = (
        replace(each, explanation=advice) if each.severity is Severity.REFUSED else each for each in verdict.findings
    )
    return replace(verdict, findings=tuple(findings))


def _no_model(path: Path) -> Finding:
    if not path.exists():
        return Finding(
            translate("errors", "There is no folder {0}.").format(shown_path(path)),
            translate("errors", "Choose a folder that holds a model."),
        )
    if path.name.endswith(".gguf") and path.is_file():
        with path.open("rb") as source:
            other = mistaken(path, source.read(HEAD_BYTES), is_weights=True)
        if other is not None:
            return other.finding
    if path.name.endswith((*PICKLES, *OTHER_WEIGHTS)):
        why = translate("errors", "Opening such a file can run code in it; look for a copy with safetensors files.")
        return Finding(translate("errors", "{0} is no safetensors file.").format(shown_path(path)), why)
    return Finding(
        translate("errors", "{0} is neither a folder nor a safetensors file.").format(shown_path(path)),
        translate("errors", "Choose one that holds a model."),
    )


def convert_pickles(path: Path, *, stop: threading.Event | None = None, report: Report | None = None) -> None:
    """Make copies as safetensors of a model's weights that are pickles, for it to open; see `pickles.convert`."""
    pickles.convert(inspect_model(path).pickles, stop, report)


def check_model(
    path: Path,
    device: str,
    dtype: str | None = None,
    *,
    sandbox: bool = True,
    sandbox_own: bool = False,
    stop: threading.Event | None = None,
    report: Report | None = None,
) -> tuple[Verdict, LoadingPlan | None]:
    """Check a model in all ways that do not build it in this process: inspection, memory, sandbox.

    The plan in the result says how to load the model; it is None if the model is refused.

    Args:
        sandbox: Whether it is loaded in the sandbox, too.
        sandbox_own: Whether also the program's own model is.
        stop: Ends it before the sandbox and within it when it is set: `Cancelled`.
    """
    report = stoppable(report, stop)
    report(LoadingProgress(LoadingStage.CHECKING))
    verdict = inspect_model(path)
    if verdict.fit and device != "cpu" and 4 * verdict.parameter_count > EXACT_BYTES:
        verdict = inspect_model(path, HALF_VARIANT)  # half the reading, where there is a choice
    if not verdict.fit:
        return verdict, None
    try:
        plan = plan_loading(verdict, device) if dtype is None else LoadingPlan(dtype)
        if sandbox and (sandbox_own or not _is_own(verdict.path)):
            report(LoadingProgress(LoadingStage.SANDBOX))
            notes = check_in_sandbox(verdict, plan.dtype, stop)
            if device == "cpu":  # what it was tried on
                verdict = replace(verdict, findings=(*verdict.findings, *notes))
                told = (part for each in notes for part in (each.message, each.explanation) if part)
                plan = replace(plan, notes=tuple(told))
    except Unfit as unfit:
        return replace(verdict, findings=(*verdict.findings, unfit.finding)), None
    except ModelRefused as refused:
        return replace(verdict, findings=(*verdict.findings, *refused.findings)), None
    return verdict, plan


def load_pipeline(
    path: Path,
    device: str = "cpu",
    dtype: str | None = None,
    *,
    stop: threading.Event | None = None,
    report: Report | None = None,
) -> Any:
    """Open any model that diffusers can run, ready on the device, or offloaded: one part at a time is on the GPU.

    The pipeline has two attributes more than diffusers gives it: `weights_hash`, for the records of its runs, and
    `trial_notes`, those of its `LoadingPlan`.

    Args:
        path: A diffusers folder, or one safetensors file.
        device: Where it will compute, as torch names it.
        dtype: "float32", "float16" or "bfloat16"; None chooses what suits the model and the device.
        stop: Ends the sandbox when it is set, and the reading at the next component.

    Raises:
        ModelRefused: Something speaks against it; all of it is in the error's `findings`.
        ModelFolderError: The same, for a folder of ours that is broken, or for one that changes.
        Cancelled: It was stopped.
        RuntimeError: Memory ran out all the same; `is_out_of_memory` knows it.
    """
    report = stoppable(report, stop)
    verdict, plan = check_model(path, device, dtype, stop=stop, report=report)
    verdict.refuse()
    assert plan is not None
    try:
        pipeline = build(verdict, plan.dtype, report)
        check_suitable(pipeline)
    except Unfit as unfit:
        raise ModelRefused([unfit.finding]) from unfit
    if inspect_model(path, verdict.wanted_variant).fingerprint != verdict.fingerprint:
        raise ModelFolderError(
            translate("errors", "{0} changed while it was read.").format(shown_path(verdict.path)), _CHANGED
        )
    pipeline.weights_hash = weights_hash(verdict.weights)
    pipeline.trial_notes = plan.notes
    report(LoadingProgress(LoadingStage.MOVING))
    if plan.offload:
        pipeline.enable_model_cpu_offload(device=device)
        return pipeline
    return pipeline.to(device)


def build(verdict: Verdict, dtype: str, report: Report | None = None) -> Any:
    """Build an inspected model; see `builder.build`."""
    if verdict.settings_folder is not None:
        return single_file.build_checkpoint(verdict, dtype, report)
    return builder.build(verdict, dtype, report)


def _is_own(path: Path) -> bool:
    """Whether a model came with the program."""
    try:
        return path.is_relative_to(os.path.realpath(resources.path("models")))
    except resources.ResourceError:
        return False


def check_suitable(pipeline: Any) -> None:
    """Refuse a built pipeline that cannot be run here (`Unfit`)."""
    obstacle = obstacle_of(pipeline)
    if obstacle is not None:
        raise Unfit(obstacle.message, obstacle.advice)


def is_movable(pipeline: Any) -> bool:
    """Whether a loaded pipeline can go to another device as it is: one in float32 suits all, an offloaded one none."""
    return not getattr(pipeline, "_all_hooks", None) and getattr(pipeline, "dtype", torch.float32) is torch.float32


def scheduler_settings(path: Path) -> dict[str, Any]:
    """Settings of a model's scheduler, read without its weights; `Unfit` if they cannot be read."""
    folder = path if path.is_dir() else inspect_model(path).settings_folder or path
    found, name = scan(folder), "scheduler_config.json"
    is_beside = "scheduler" not in found.folders and name in found.files  # as in the oldest models
    name = name if is_beside else f"scheduler/{name}"
    settings = found.json(name)
    for finding in check_settings(shown_path(folder / name), settings, "scheduler"):
        raise Unfit(finding.message, finding.explanation)
    return settings


def is_of_embedded_kind(model: str) -> bool:
    """Whether the index of a model's folder says that it is of the embedded kind; errors are those of `find_model`."""
    path = find_model(model)
    if not path.is_dir():
        return False
    try:
        return scan(path).json(INDEX).get("_class_name") == OUR_PIPELINE
    except Unfit:  # loading it says what it lacks
        return False


def plan_loading(verdict: Verdict, device: str, free: dict[str, int] | None = None) -> LoadingPlan:
    """Dtype and offloading with which a model fits onto a device; `Unfit` if it does not fit in any way.

    Args:
        free: Bytes that are free on "cpu" and on the device; None asks the system.
    """
    free = {name: free_bytes(name) for name in ("cpu", device)} if free is None else free
    needs: list[str] = []
    may_offload = (
        device.startswith("cuda") and getattr(verdict.pipeline_class, "model_cpu_offload_seq", None) is not None
    )
    largest = max((weights.parameter_count for weights in verdict.weights), default=0)
    for dtype in _preferred_dtypes(verdict, device):
        held = verdict.loaded_bytes(dtype)
        needed = held + verdict.copied_bytes
        if needed + LEFT_TO_OTHERS > free["cpu"]:  # all weights pass through it, whatever the device
            needs.append(_short(translate("errors", "the computer's memory"), dtype, needed, free["cpu"]))
        elif device == "cpu" or held + LEFT_TO_OTHERS <= free[device]:
            return LoadingPlan(dtype)
        elif may_offload and largest * DTYPE_BYTES[dtype] + LEFT_TO_OTHERS <= free[device]:
            return LoadingPlan(dtype, offload=True)
        else:
            needs.append(_short(translate("errors", "the memory of {0}").format(device), dtype, held, free[device]))
    raise Unfit(
        needs[-1],
        translate("errors", "Loading it would end the program; close others, or choose a smaller model."),
    )


def _preferred_dtypes(verdict: Verdict, device: str) -> list[str]:
    """Dtypes for a model on a device, the best first."""
    if verdict.loaded_bytes("float32") <= EXACT_BYTES:
        return ["float32"]
    if device == "cpu":
        return ["float32", "bfloat16"]
    stored = {dtype for weights in verdict.weights for dtype in weights.dtypes}
    if "F16" in stored and "BF16" not in stored:  # published in it, so made for it
        return ["float16"]
    return ["bfloat16"] if _knows_bfloat16(device) else ["float16"]


def free_bytes(device: str) -> int:
    """Bytes that can still be had on a device; for "cpu" the computer's memory, or what a container leaves of it."""
    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info(device)[0])
    if device == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return min(int(psutil.virtual_memory().available), *_left_by_container())


def _left_by_container() -> list[int]:
    """What control groups leave; at least one number."""
    left = [1 << 62]
    for most, used in _CGROUPS:
        try:
            left.append(int(Path(most).read_text(encoding="ascii")) - int(Path(used).read_text(encoding="ascii")))
        except (OSError, ValueError):  # there is none, or it says "max"
            continue
    return left


def _knows_bfloat16(device: str) -> bool:
    return not device.startswith("cuda") or torch.cuda.is_bf16_supported(including_emulation=False)


def _short(where: str, dtype: str, needed: int, free: int) -> str:
    return translate("errors", "The model takes {0} of {1} as {2}, and {3} are free.").format(
        byte_text(needed), where, dtype, byte_text(max(0, free))
    )
