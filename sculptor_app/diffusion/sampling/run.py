"""One run of a pipeline: its call, scheduler, random generators and observer. Every model runs this way."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import diffusers
import torch

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.pictures.start import Start
from sculptor_app.core.requests.request import RequestError, RunRequest
from sculptor_app.core.requests.samplers import SAMPLERS
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.base import RunInfo
from sculptor_app.diffusion.observe.frames import FrameConverter
from sculptor_app.diffusion.observe.guidance import GuidanceSplitter
from sculptor_app.diffusion.observe.observer import BatchObserver, ObserverOptions, observed
from sculptor_app.diffusion.pipelines.batch import batch_call
from sculptor_app.diffusion.pipelines.call import PipelineCall, call_of
from sculptor_app.diffusion.pipelines.compatibility import check_sampler
from sculptor_app.diffusion.pipelines.errors import run_errors
from sculptor_app.diffusion.pipelines.layout import StateLayout, latent_layout_of
from sculptor_app.diffusion.pipelines.networks import networks_of
from sculptor_app.diffusion.pipelines.suitability import obstacle_of
from sculptor_app.diffusion.samplers.levels import is_known
from sculptor_app.diffusion.samplers.schedulers import schedulers_of
from sculptor_app.diffusion.sampling.engine import Engine, Pipeline, model_name
from sculptor_app.diffusion.sampling.noise import RandomStreams
from sculptor_app.identity import VERSION


class PipelineRun:
    """A pipeline's call, ready to be executed and observed.

    Args:
        start: What to start from; None is the noise of the seed.
        watch_guidance: Whether to record the unconditional and the conditional guess.
        seeds: Of a batch of pictures, the seed of each picture's own generator; empty makes one picture, with that of
            the request.

    Attributes:
        generators: of the noise, one for each picture.
        pipeline: with the scheduler of this run.
        request: the request, its LoRAs with the hashes of their files.
        start: what it starts from; None is the noise of the seed.

    Raises:
        RequestError: The model does not take what is asked for, or makes no pictures.
        SculptorError: The model cannot be loaded, or its sampler not be used.
        Cancelled: It was stopped before it was loaded.
        NoBatch: Several pictures were asked for, and the model makes one at a time.
    """

    def __init__(
        self,
        engine: Engine,
        request: RunRequest,
        start: Start | None = None,
        watch_guidance: bool = False,
        stop: threading.Event | None = None,
        seeds: Sequence[int] = (),
    ) -> None:
        self.start = start
        self.pipeline: Pipeline = engine.load(request.model, request.device, stop)
        assert engine.device is not None
        self.device = engine.device
        obstacle = obstacle_of(self.pipeline)
        if obstacle is not None:
            raise RequestError(str(obstacle))
        layout = latent_layout_of(self.pipeline)
        self._call = call_of(self.pipeline, request, start)
        self.generators: tuple[torch.Generator, ...] = (self._call.generator,)
        if seeds:
            self.generators = tuple(torch.Generator("cpu").manual_seed(seed) for seed in seeds)
            self._call = batch_call(self.pipeline, self._call, self.generators)
        self._stages = list(schedulers_of(self.pipeline))
        check_sampler(self.pipeline, request.sampler, engine.settings)
        if len(self._stages) == 1:
            engine.check_plan(request)
        self.request = request = replace(request, loras=engine.apply_loras(request.loras, stop))
        if len(self._stages) == 1:  # a model in several stages keeps its own schedulers
            with run_errors(self.device.name):
                self.pipeline.scheduler = engine.scheduler(request)
        self.info = _info_of(run_info(request, engine, start), self._call, layout, self._stages)
        self.observer_options = ObserverOptions(
            FrameConverter(layout, self._call.size),
            GuidanceSplitter(self.pipeline, request.guidance) if watch_guidance else None,
            calls_left=self._calls_left,
            scheduler_count=len(self._stages),
            are_any_known=any(map(is_known, schedulers_of(self.pipeline).values())),
            networks=list(networks_of(self.pipeline).values()),
        )
        self.random = RandomStreams(request.seed, self._call.generator, self.device.id)

    def _calls_left(self) -> int | None:
        """The number of calls that pipelines note before their loop; some do not."""
        count = getattr(self.pipeline, "_num_timesteps", None)
        return count if isinstance(count, int) else None

    def execute(self, observer: BatchObserver) -> None:
        """Call the pipeline, to the end.

        Raises:
            RequestError: The pipeline refuses its arguments.
            SculptorError: Whatever else went wrong; what the observer raises comes out as it is.
        """
        schedulers = list(schedulers_of(self.pipeline).values())
        self.pipeline.set_progress_bar_config(disable=True)
        with run_errors(self.device.name):
            self.random.enter()
            try:
                sized = observer.options.converter.noting_size(self.pipeline)
                with torch.no_grad(), sized, observed(schedulers, observer):
                    observer.finish(self.pipeline(**self._call.arguments))
            except (ValueError, TypeError) as error:
                if observer.has_begun or isinstance(error, SculptorError):
                    raise
                raise RequestError(
                    translate("errors", "The model does not take this: {0}").format(_first_line(error))
                ) from error
            finally:
                self.random.leave()
                self.pipeline.maybe_free_model_hooks()


def run_info(request: RunRequest, engine: Engine, start: Start | None = None) -> RunInfo:
    """Facts of a run of a request on an engine that has its model and, in that, its scheduler."""
    device = engine.device
    assert device is not None
    return RunInfo(
        request=request,
        model_name=model_name(request.model),
        device_name=device.name,
        sampler_name=SAMPLERS[request.sampler].label,
        conditions=" · ".join(word for word in (request.form, request.material) if word) or "unconditional",
        app_version=VERSION,
        origin="" if start is None else start.origin,
        first_step=1 if start is None else start.first_step,
        weights_hash=engine.weights_hash,
        sampler_settings=engine.sampler_settings,
        libraries={"diffusers": diffusers.__version__, "torch": str(torch.__version__)},
    )


def _info_of(info: RunInfo, call: PipelineCall, layout: StateLayout, stages: list[str]) -> RunInfo:
    """Facts of a run, with those that follow from the loaded model."""
    return replace(
        info,
        space=layout.space,
        decoder_factor=layout.factor,
        conditions=" · ".join((call.conditions, *(lora.words for lora in info.request.loras))),
        origin=info.origin or call.origin,
        note=" ".join(filter(None, (stages_note(stages), *call.notes))),
    )


def stages_note(stages: Sequence[str]) -> str:
    """What is shown of a model with several schedulers, which have these names; empty where it has one."""
    shown = translate("errors", "This model works in stages ({0}); the first that makes a picture is shown.")
    return shown.format(", ".join(stages)) if len(stages) > 1 else ""


def _first_line(error: Exception) -> str:
    """First line of a diffusers error, with a full stop."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0].strip()
    return line if line.endswith((".", "!", "?")) else f"{line}."
