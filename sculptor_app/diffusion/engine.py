"""Running a model so that every reverse step comes out of a plain generator.

The pipeline runs on a second stack in the same thread: at every step the scheduler's hook switches back to
whoever iterates the generator, and goes on when the next item is asked for. It is the one way in which any model runs.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import torch

from sculptor_app import folders
from sculptor_app.diffusion.calling import PipelineCall, call_of
from sculptor_app.diffusion.devices import Device
from sculptor_app.diffusion.errors import Cancelled, SamplerFailed, SculptError
from sculptor_app.diffusion.events import Started, StepTaken
from sculptor_app.diffusion.faults import run_told
from sculptor_app.diffusion.frames import Look
from sculptor_app.diffusion.halves import GuidanceHalves
from sculptor_app.diffusion.latents.layout import StateLayout, latent_layout_of
from sculptor_app.diffusion.loading import Engine, Pipeline, model_name
from sculptor_app.diffusion.observer import Observer, Watching, observed
from sculptor_app.diffusion.randomness import Randomness
from sculptor_app.diffusion.request import SAMPLER_NAMES, RequestError, SculptRequest
from sculptor_app.diffusion.samplers import check_sampler
from sculptor_app.diffusion.scheduler_levels import Call
from sculptor_app.diffusion.schedulers import schedulers_of
from sculptor_app.diffusion.second_stack import SecondStack, hand_over
from sculptor_app.diffusion.start import Start
from sculptor_app.diffusion.step import Frame, Step
from sculptor_app.diffusion.trajectory import DEFAULT_BUDGET_BYTES, RunInfo, Trajectory
from sculptor_app.identity import VERSION

__all__ = ["Device", "Engine", "Event", "Started", "StepTaken", "sculpt"]

Event = Started | StepTaken


def sculpt(
    engine: Engine,
    request: SculptRequest,
    stop: threading.Event,
    budget_bytes: int = DEFAULT_BUDGET_BYTES,
    spill_folder: Path | None = None,
    start: Start | None = None,
    watch_guidance: bool = False,
) -> Generator[Event, None, None]:
    """Run a request; the generator ends when the run is complete.

    Closing the generator early cancels the run. The model stays loaded in the engine.

    Args:
        engine: Loads the model where it has not.
        request: What to make.
        stop: Set from any thread to end the run within a step.
        budget_bytes: Memory for the trajectory's frames.
        spill_folder: Where the frames beyond it go; None is the program's cache folder.
        start: What to start from; None is the noise of the seed. The trajectory of a run that starts late has the steps
            that are taken, counted from 1, and state 0 is the noised picture.
        watch_guidance: Keep the two guesses that guidance is made of, too; they take as much room again as the guess.

    Yields:
        `Started` before the first evaluation of the network, then a `StepTaken` for every completed step.

    Raises:
        Cancelled: `stop` was set; the trajectory so far stays valid, here and below.
        SculptError: The run failed; the text says why and what to do.
        RequestError: The model does not know what is asked for, or the start does not fit it.
    """
    run = _Run(engine, request, start, watch_guidance)
    recorder = _Recorder(run, stop, budget_bytes, spill_folder or cache_folder())
    try:
        yield from _iterate(SecondStack(lambda: run.carry_out(recorder)))
    except (Cancelled, GeneratorExit, KeyboardInterrupt):
        recorder.end("cancelled")
        raise
    except SculptError as error:
        recorder.end(f"failed: {error}")
        raise
    recorder.check_complete()


class _Run:
    """A call of a pipeline that is ready to be made, watched.

    Args:
        engine: Loads the model where it has not.
        request: What to make.
        start: What to start from.
        watch_guidance: Whether to tell the halves of guidance apart.
    """

    def __init__(self, engine: Engine, request: SculptRequest, start: Start | None, watch_guidance: bool) -> None:
        self.pipeline: Pipeline = engine.load(request.model, request.device)
        assert engine.device is not None
        self.device = engine.device
        layout = latent_layout_of(self.pipeline)
        if layout.why_not:
            raise RequestError(f"{layout.why_not} Choose a model that makes pictures.")
        self.call = call_of(self.pipeline, request, start)
        self._schedulers = list(schedulers_of(self.pipeline))
        self.info = _info_of(request, self.device, start, self.call, layout, self._schedulers)
        self._choose_sampler(engine, request)
        halves = GuidanceHalves(self.pipeline, request.guidance) if watch_guidance else None
        self.watching = Watching(
            Look(layout, self.call.size), halves, calls_left=self._calls_left, stages=len(self._schedulers)
        )
        self.randomness = Randomness(request.seed, self.call.generator, self.device.id)

    def _choose_sampler(self, engine: Engine, request: SculptRequest) -> None:
        """Give the pipeline a fresh scheduler; a model in several stages keeps its own ones."""
        check_sampler(self.pipeline, request.sampler, engine.settings)
        if len(self._schedulers) == 1:
            with run_told(self.device.name):
                self.pipeline.scheduler = engine.scheduler(request)

    def _calls_left(self) -> int | None:
        """What pipelines note before their loop, for those who watch; some do not."""
        count = getattr(self.pipeline, "_num_timesteps", None)
        return count if isinstance(count, int) else None

    def carry_out(self, recorder: _Recorder) -> None:
        """Call the pipeline; on the second stack."""
        schedulers = list(schedulers_of(self.pipeline).values())
        self.pipeline.set_progress_bar_config(disable=True)
        with run_told(self.device.name):
            self.randomness.enter()
            try:
                with torch.no_grad(), observed(schedulers, recorder.observer):
                    self.pipeline(**self.call.arguments)
            except (ValueError, TypeError) as error:
                if recorder.has_begun or isinstance(error, SculptError):
                    raise
                raise RequestError(f"The model does not take this: {_first_line(error)}") from error
            finally:
                self.randomness.leave()
                self.pipeline.maybe_free_model_hooks()


class _Recorder:
    """Writes a run's steps into its trajectory and hands the events over to the consumer."""

    def __init__(self, run: _Run, stop: threading.Event, budget_bytes: int, spill_folder: Path) -> None:
        self.observer = Observer(self._start, self._take, self._interrupt, run.watching)
        self._run = run
        self._stop = stop
        self._budget_bytes = budget_bytes
        self._spill_folder = spill_folder
        self._trajectory: Trajectory | None = None

    @property
    def has_begun(self) -> bool:
        """Whether there is a trajectory."""
        return self._trajectory is not None

    def end(self, reason: str) -> None:
        """Say in the trajectory, if there is one, why it is not complete."""
        if self._trajectory is not None and not self._trajectory.is_complete:
            self._trajectory.end(reason)

    def check_complete(self) -> None:
        """Refuse a run that came back without having taken its steps."""
        if self._trajectory is None or not self._trajectory.is_complete:
            self.end("failed: it ended early")
            raise SamplerFailed("The model came back before all its steps were taken.", "The steps so far are kept.")

    def _start(self, start: Frame, calls: tuple[Call, ...]) -> None:
        levels = (calls[0].before, *(call.after for call in calls if call.completes))
        info = replace(self._run.info, first_step=self.observer.first_step)
        self._trajectory = Trajectory(info, start, levels, self._budget_bytes, self._spill_folder)
        self._send(Started(self._trajectory))

    def _take(self, step: Step) -> None:
        assert self._trajectory is not None
        self._trajectory.append(step)
        if step.completes:
            self._send(StepTaken(self._trajectory, step))

    def _send(self, event: Event) -> None:
        self._run.randomness.leave()
        hand_over(event)
        self._run.randomness.enter()
        self._interrupt()

    def _interrupt(self) -> None:
        if self._stop.is_set():
            raise Cancelled


def _iterate(worker: SecondStack) -> Generator[Event, None, None]:
    """What the worker hands over, until it is done; leaving early ends it."""
    try:
        while True:
            event = worker.resume()
            if worker.is_over:
                return
            yield event
    finally:
        worker.close()


def cache_folder() -> Path:
    """A folder on a disk: the system's folder for temporary files often lies in memory."""
    try:
        return folders.cache()
    except OSError:
        return Path(tempfile.gettempdir())


def run_info(request: SculptRequest, device: Device, start: Start | None = None) -> RunInfo:
    """What a run of a request on a device is made with, as far as the request tells it."""
    return RunInfo(
        request=request,
        model_name=model_name(request.model),
        device_name=device.name,
        sampler_name=SAMPLER_NAMES[request.sampler],
        conditions=" · ".join(word for word in (request.form, request.material) if word) or "free",
        app_version=VERSION,
        origin="" if start is None else start.origin,
        first_step=1 if start is None else start.first_step,
    )


def _info_of(
    request: SculptRequest,
    device: Device,
    start: Start | None,
    call: PipelineCall,
    layout: StateLayout,
    schedulers: list[str],
) -> RunInfo:
    """The same, with what the model at hand tells."""
    info = run_info(request, device, start)
    note = ""
    if len(schedulers) > 1:
        note = f"This model works in stages ({', '.join(schedulers)}); the first that makes a picture is shown."
    return replace(info, space=layout.space, conditions=call.conditions, origin=info.origin or call.origin, note=note)


def _first_line(error: Exception) -> str:
    """What an error of diffusers says first, with a full stop."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0].strip()
    return line if line.endswith((".", "!", "?")) else f"{line}."
