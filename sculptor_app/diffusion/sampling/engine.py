"""Engine: the model that is loaded, on its device, and the noise levels that a run of it will have."""

from __future__ import annotations

import contextlib
import gc
import json
import threading
import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import torch

from sculptor_app import logs
from sculptor_app.core.errors import Cancelled, ModelFolderError, SculptorError
from sculptor_app.core.requests.request import Lora, RequestError, RunRequest
from sculptor_app.core.requests.samplers import OWN_SAMPLER, SAMPLERS
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.diffusion.models import loader
from sculptor_app.diffusion.models import lora as lora_files
from sculptor_app.diffusion.models.classes import OUR_PIPELINE
from sculptor_app.diffusion.models.hub.cache import name_of
from sculptor_app.diffusion.models.loader import find_model, is_movable, load_pipeline, scheduler_settings
from sculptor_app.diffusion.models.verdict import Report, Unfit
from sculptor_app.diffusion.pipelines import devices as machine
from sculptor_app.diffusion.pipelines.call import angle_arguments
from sculptor_app.diffusion.pipelines.compatibility import samplers_for, why_scheduler_misfits
from sculptor_app.diffusion.pipelines.devices import Device
from sculptor_app.diffusion.pipelines.errors import memory_errors, release_memory
from sculptor_app.diffusion.pipelines.layout import latent_layout_of
from sculptor_app.diffusion.pipelines.parameters import call_parameters, code_names, native_size, plans_sigmas
from sculptor_app.diffusion.samplers.levels import (
    Scheduler,
    UnknownSchedulerError,
    is_known,
    levels_of,
    open_calls,
    plan_levels,
)
from sculptor_app.diffusion.samplers.schedulers import (
    ScheduleProblem,
    make_scheduler,
    schedule_problem,
    schedulers_of,
    settings_of,
    why_not_planned,
)
from sculptor_app.resources import ResourceError
from sculptor_app.resources import path as resource

EMBEDDED_MODEL = "models/atelier-128"
_PATCH = 2
"""Edge of the patch that becomes one token, in every model whose levels depend on the size of the picture."""
_NAMED = 4
"""How many of the samplers that work are named where one does not."""
_NO_SAMPLER = translate(
    "errors",
    "No sampler works with these settings of the model: in its scheduler_config.json, set rescale_betas_zero_snr to "
    "false.",
)
_LATER = translate("errors", "The phases are shown when the run has begun.")
Pipeline = Any
"""A pipeline of diffusers; it ships no types."""


class PipelineLoader(Protocol):
    """Loader of a folder's pipeline onto a device; `load_pipeline` is the usual one."""

    def __call__(
        self, folder: Path, device: str, /, *, stop: threading.Event | None, report: Report | None
    ) -> Pipeline:
        """Load the pipeline; setting `stop` ends it as soon as possible, and `report` receives the progress."""


class Engine:
    """Holder of the loaded model between runs; used by one thread at a time.

    Args:
        report: Receives the progress of loading, whoever asked for it; None is nobody.
        threads: Those of torch on the CPU; None is all cores but one. Their number changes the last bits of a run.

    Attributes:
        device: Where the loaded model is; None when none is loaded.
        settings: Config of the loaded model's own scheduler; empty for a model in several stages.
        cache: What jobs keep beside the loaded model, by keys of their own; cleared when it is moved or unloaded.
    """

    def __init__(
        self, loader: PipelineLoader = load_pipeline, report: Report | None = None, threads: int | None = None
    ) -> None:
        self._loader, self._report, self.threads = loader, report, threads
        self._pipeline: Pipeline | None = None
        self._folder: Path | None = None
        self.device: Device | None = None
        self.settings: Mapping[str, Any] = {}
        self.cache: dict[Hashable, Any] = {}
        self._lora_hashes: dict[lora_files.HashKey, str] = {}

    @property
    def weights_hash(self) -> str:
        """Hash of the loaded model's weight files; empty where there are none."""
        return str(getattr(self._pipeline, "weights_hash", ""))

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences about the loaded model's runs: that they are slow, or take much memory; mostly none."""
        return tuple(getattr(self._pipeline, "trial_notes", ()))

    @property
    def sampler_settings(self) -> Mapping[str, Any]:
        """Config of the scheduler that the loaded model samples with now; of several, by their names."""
        schedulers = {} if self._pipeline is None else schedulers_of(self._pipeline)
        settings = {name: {**each.config, "_class_name": type(each).__name__} for name, each in schedulers.items()}
        return settings["scheduler"] if list(settings) == ["scheduler"] else settings

    def devices(self) -> tuple[Device, ...]:
        """The devices of this machine, the one that "auto" stands for first."""
        return machine.devices()

    def load(
        self,
        model: str | None = None,
        device: str = "auto",
        stop: threading.Event | None = None,
        report: Report | None = None,
    ) -> Pipeline:
        """The pipeline of a model, ready on a device; one that is loaded already is kept, or moved.

        Args:
            model: Folder of a model, a checkpoint file or a name in the hub's cache; None is the embedded one.
            device: "auto", or the id of one of `devices()`.
            stop: Ends it when it is set, within the sandbox and between components; nothing is loaded then.
            report: Receives the progress of loading, instead of the engine's own.

        Raises:
            Cancelled: It was stopped.
            SculptorError: The device is not there, is too small, or the folder cannot be used.
        """
        target, folder = machine.find_device(device), model_folder(model)
        torch.set_num_threads(self.threads or machine.cpu_threads())
        try:
            with memory_errors(target.name):
                self._make_ready(folder, target, stop, report or self._report)
                logs.take_over("diffusers", "transformers")  # which have set up their own by now
        except BaseException:
            self.unload()  # a model that is half moved cannot run anywhere
            gc.collect()  # nor is one that is half loaded of use
            raise
        self._folder, self.device = folder, target
        return self._pipeline

    def convert_pickles(self, model: str | None, stop: threading.Event | None = None) -> None:
        """Make copies as safetensors of a model's weights that are pickles; see `diffusion.models.pickles.convert`."""
        loader.convert_pickles(model_folder(model), stop=stop, report=self._report)

    def _make_ready(self, folder: Path, target: Device, stop: threading.Event | None, report: Report | None) -> None:
        if self._folder == folder and self.device == target:
            return
        if self._folder == folder and is_movable(self._pipeline):
            assert self._pipeline is not None
            self.cache.clear()
            self._pipeline.to(target.id)
            return
        self.unload()
        self._pipeline = self._loader(folder, target.id, stop=stop, report=report)
        # Kept, as each run puts a scheduler of its own into the pipeline.
        self.settings = settings_of(self._pipeline)

    def apply_loras(self, loras: Sequence[Lora], stop: threading.Event | None = None) -> tuple[Lora, ...]:
        """Lay just these LoRAs over the loaded model's weights; see `models.lora.apply_loras`."""
        assert self.device is not None
        with memory_errors(self.device.name):
            return lora_files.apply_loras(self._pipeline, loras, self._lora_hashes, stop, self._report)

    def unload(self) -> None:
        """Unload the model, if there is one, and release its memory."""
        was_loaded = self._pipeline is not None
        self._pipeline = self._folder = self.device = None
        self.cache.clear()
        if was_loaded:
            gc.collect()  # goes through all of torch's objects, which takes a third of a second
        release_memory()

    def scheduler(self, request: RunRequest) -> Scheduler:
        """A new scheduler for a request, before `set_timesteps`; loads no weights. Errors are as of `model_folder`."""
        return make_scheduler(request.sampler, self.base_settings(request), request.steps)

    def base_settings(self, request: RunRequest) -> Mapping[str, Any]:
        """Config of the own scheduler of a request's model; empty for one in several stages. Nothing is loaded."""
        folder = model_folder(request.model)
        return self.settings if self._folder == folder else _read_scheduler_config(folder)

    def plan(self, request: RunRequest) -> tuple[NoiseLevel, ...]:
        """Noise levels of the states 0..N of a request, without running or loading the model.

        Raises:
            PlanUnknown: They are known only when the run begins.
            RequestError: As of `check_plan`.
        """
        if self._loaded(request) is not None and not self.settings:
            raise PlanUnknown(translate("errors", "This model works in several stages."), _LATER)
        self.check_plan(request)
        try:
            return planned_levels(self.scheduler(request), request, self._loaded(request))
        except UnknownSchedulerError as error:
            raise PlanUnknown(error.args[0]) from error

    def schedules(self, request: RunRequest, stop: threading.Event) -> dict[str, tuple[NoiseLevel, ...]]:
        """Noise levels of a request's states under each other sampler that the loaded model takes, by their names.

        Samplers of which that cannot be told are left out; all, if the model is not the one that is loaded.

        Raises:
            Cancelled: `stop` was set.
        """
        pipeline = self._loaded(request)
        found: dict[str, tuple[NoiseLevel, ...]] = {}
        for each in () if pipeline is None else samplers_for(pipeline, self.settings):
            if stop.is_set():
                raise Cancelled
            if each in (request.sampler, OWN_SAMPLER):
                continue
            with contextlib.suppress(SculptorError):
                found[SAMPLERS[each].label] = self.plan(replace(request, sampler=each))
        return found

    def check_plan(self, request: RunRequest) -> None:
        """Refuse settings at which the sampler's steps give no picture; the `RequestError` names samplers that work."""
        problem = self._plan_problem(request)
        if problem is None:
            return
        pipeline = self._loaded(request)
        others = () if pipeline is None else samplers_for(pipeline, self.settings)
        requests = (replace(request, sampler=each) for each in others if each != request.sampler)
        working = list(islice((each for each in requests if self._plan_problem(each) is None), _NAMED))
        names = ", ".join(f"{SAMPLERS[each.sampler].label} ({each.sampler})" for each in working)
        steps = translate("errors", "Choose another number of steps.") if problem.is_of_steps else _NO_SAMPLER
        named = translate("errors", "Choose one of these samplers: {0}.").format(names)
        either = translate("errors", "Choose another number of steps, or one of these samplers: {0}.")
        both = either.format(names) if problem.is_of_steps else named
        raise RequestError(problem.sentence, both if working else steps)

    def _loaded(self, request: RunRequest) -> Pipeline | None:
        """The loaded pipeline, if it is the one that a request names."""
        return self._pipeline if self._folder == model_folder(request.model) else None

    def _plan_problem(self, request: RunRequest) -> ScheduleProblem | None:
        """Why a request's steps give no picture; None where they do, and where that cannot be told before."""
        wanted = replace(request, seed=0, guidance=None, form=None, material=None, device="auto", loras=())
        key = "plan", wanted, self._folder == model_folder(request.model)
        if key not in self.cache:
            self.cache[key] = _plan_problem(self.scheduler(request), request, self._loaded(request))
        problem: ScheduleProblem | None = self.cache[key]
        return problem


def _read_scheduler_config(folder: Path) -> Mapping[str, Any]:
    path = folder / "scheduler" / "scheduler_config.json"
    try:
        return scheduler_settings(folder)
    except Unfit as error:
        raise ModelFolderError(
            translate("errors", "{0} cannot be read ({1}).").format(path, error.args[0]),
            translate("errors", "Choose a folder with a whole model."),
        ) from error


def model_folder(model: str | None) -> Path:
    """Folder or file of a model as a request names it, None for the embedded one; else `ModelFolderError`."""
    try:
        return resource(EMBEDDED_MODEL) if model is None else find_model(model)
    except ResourceError as error:
        raise ModelFolderError(str(error)) from error


def model_name(model: str | None) -> str:
    """Name of a model for people: its folder's, file's or repository's; errors are those of `model_folder`."""
    return name_of(model_folder(model))


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Facts of a model that are known without loading it."""

    size: int  # edge in pixels of its pictures
    forms: tuple[str, ...]  # labels, as are `materials`; empty for a model without such
    materials: tuple[str, ...]


def model_facts(model: str | None) -> ModelFacts:
    """Facts of a model, read from its folder.

    Raises:
        ModelFolderError: It cannot be read.
        RequestError: It is of another kind, which takes no noise from outside.
    """
    folder = model_folder(model)
    try:
        index = {} if folder.is_file() else json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        if index.get("_class_name") != OUR_PIPELINE:
            sentence = translate("errors", "The model takes no noise from outside, which is needed here.")
            raise RequestError(sentence, translate("errors", "Open the embedded model, or one that was learned here."))
        unet = json.loads((folder / "unet" / "config.json").read_text(encoding="utf-8"))
        size = int(unet["sample_size"]) * int(index.get("patch_size", 4))
        forms, materials = (tuple(map(str, index.get(f"{kind}_names", ()))) for kind in ("form", "material"))
    except RequestError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ModelFolderError(
            translate("errors", "The model in {0} cannot be read ({1}).").format(folder, error),
            translate("errors", "Choose a whole model."),
        ) from error
    return ModelFacts(size, forms, materials)


class PlanUnknown(SculptorError):
    """The noise levels of a run are known only when it runs."""


def planned_levels(scheduler: Scheduler, request: RunRequest, pipeline: Any = None) -> tuple[NoiseLevel, ...]:
    """Noise levels of the states 0..N of a request's run, before it begins; `PlanUnknown` if it must begin first.

    Args:
        scheduler: New, of that request; its timesteps are set here.
        pipeline: The model, where it is loaded.
    """
    if pipeline is not None and "strength" in call_parameters(pipeline):
        raise PlanUnknown(translate("errors", "How many steps are left depends on the picture's strength."), _LATER)
    try:
        _set_timesteps(scheduler, request, pipeline)
        return plan_levels(scheduler) if is_known(scheduler) else levels_of(open_calls(scheduler))
    except UnknownSchedulerError as error:
        raise PlanUnknown(error.args[0], _LATER) from error


def _set_timesteps(scheduler: Scheduler, request: RunRequest, pipeline: Any) -> None:
    """Plan a scheduler as the pipeline does; `PlanUnknown` where only that one knows how."""
    arguments: dict[str, Any] = {}
    parameters = {} if pipeline is None else call_parameters(pipeline)
    if scheduler.config.get("use_dynamic_shifting"):
        arguments["mu"] = _shift(scheduler, request, pipeline)
    arguments |= {} if pipeline is None else angle_arguments(pipeline, request)
    if ("sigmas" in parameters or "mu" in arguments) and plans_sigmas(pipeline):
        arguments["sigmas"] = [1 - k / request.steps for k in range(request.steps)]  # np.linspace(1, 1/N, N)
    scheduler.set_timesteps(None if "sigmas" in arguments else request.steps, **arguments)


def _plan_problem(scheduler: Scheduler, request: RunRequest, pipeline: Any) -> ScheduleProblem | None:
    """Why a request's steps give no picture; None where they do, or nobody can tell."""
    kind = type(scheduler).__name__.removesuffix("Scheduler")
    name = kind if request.sampler == OWN_SAMPLER else SAMPLERS[request.sampler].label
    misfit = "" if pipeline is None else why_scheduler_misfits(pipeline, {"scheduler": scheduler})
    if misfit:
        return ScheduleProblem(misfit, is_of_steps=False)
    if not is_known(scheduler):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the run's own calls say the same
            _set_timesteps(scheduler, request, pipeline)
    except PlanUnknown:
        return None
    except Exception:  # diffusers' schedulers refuse in sentences about their own parameters
        return why_not_planned(scheduler, name, request.steps)
    words = code_names(pipeline) if pipeline is not None else ()
    return schedule_problem(
        scheduler, name, request.steps, _first_entry(scheduler, request, pipeline), "set_begin_index" in words
    )


def _first_entry(scheduler: Scheduler, request: RunRequest, pipeline: Any) -> int:
    """Which of a planned scheduler's timesteps a run begins with: a later one where it goes from a picture."""
    strength = None if pipeline is None else call_parameters(pipeline).get("strength")
    if strength is None:
        return 0
    share = request.option_values.get("strength", strength.default)
    if not isinstance(share, int | float):
        return 0
    left = min(max(1, int(request.steps * share)), request.steps)
    return min((request.steps - left) * int(getattr(scheduler, "order", 1)), len(scheduler.timesteps) - 1)


def _shift(scheduler: Scheduler, request: RunRequest, pipeline: Any) -> float:
    """Shift of a flow's noise levels for large pictures (Esser et al. 2024, section 5.3.2).

    Diffusers' `calculate_shift`: a straight line through two pairs of token count and shift from the config.
    """
    size, parameters = (None, {}) if pipeline is None else (native_size(pipeline), call_parameters(pipeline))
    given = request.option_values
    area = given.get("max_area") or (parameters["max_area"].default if "max_area" in parameters else None)
    if "image" in given and area is None:  # some take the picture's proportions
        size = None
    sides = [given.get(name) or (size and size[place]) for place, name in enumerate(("height", "width"))]
    is_other = area is not None and all(sides) and int(sides[0] or 0) * int(sides[1] or 0) != area
    if "calculate_shift" not in (code_names(pipeline) if pipeline else ()) or not all(sides) or is_other:
        raise PlanUnknown(
            translate("errors", "The noise levels of this model depend on the size of the picture."), _LATER
        )
    edge = latent_layout_of(pipeline).factor * _PATCH
    tokens = (int(sides[0] or 0) // edge) * (int(sides[1] or 0) // edge)
    config = scheduler.config
    few, many = config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096)
    least, most = config.get("base_shift", 0.5), config.get("max_shift", 1.15)
    slope: float = (most - least) / (many - few)
    return float(tokens * slope + least - slope * few)
