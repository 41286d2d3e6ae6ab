"""Running a model so that every reverse step comes out of a plain generator.

The pipeline runs on a second stack in the same thread: at every step the scheduler's hook switches back to
whoever iterates the generator, and goes on when the next item is asked for.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import torch

from sculptor_app import folders
from sculptor_app.diffusion.devices import Device
from sculptor_app.diffusion.errors import Cancelled, SamplerFailed, SculptError
from sculptor_app.diffusion.events import Started, StepTaken
from sculptor_app.diffusion.faults import run_told
from sculptor_app.diffusion.labels import label_of
from sculptor_app.diffusion.loading import Engine, Pipeline, model_folder
from sculptor_app.diffusion.observer import Observer, observed
from sculptor_app.diffusion.request import SAMPLER_NAMES, SculptRequest
from sculptor_app.diffusion.scheduler_levels import Call
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

    Yields:
        `Started` before the first evaluation of the network, then a `StepTaken` for every completed step.

    Raises:
        Cancelled: `stop` was set; the trajectory so far stays valid, here and below.
        SculptError: The run failed; the text says why and what to do.
        RequestError: The model does not know what is asked for, or the start does not fit it.
    """
    pipeline = engine.load(request.model, request.device)
    device = engine.device
    assert device is not None
    arguments = _call_arguments(pipeline, request) | _start_arguments(pipeline, request, start)
    pipeline.scheduler = engine.scheduler(request)
    info = run_info(request, device, start)
    recorder = _Recorder(info, stop, budget_bytes, spill_folder or cache_folder())

    def run() -> None:
        with run_told(device.name):
            try:
                with torch.no_grad(), observed(pipeline.scheduler, recorder.observer):
                    pipeline(**arguments)
            finally:
                pipeline.maybe_free_model_hooks()

    try:
        yield from _iterate(SecondStack(run))
    except (Cancelled, GeneratorExit, KeyboardInterrupt):
        recorder.end("cancelled")
        raise
    except SculptError as error:
        recorder.end(f"failed: {error}")
        raise
    recorder.check_complete()


class _Recorder:
    """Writes a run's steps into its trajectory and hands the events over to the consumer."""

    def __init__(self, info: RunInfo, stop: threading.Event, budget_bytes: int, spill_folder: Path) -> None:
        self.observer = Observer(self._start, self._take, self._interrupt)
        self._info = info
        self._stop = stop
        self._budget_bytes = budget_bytes
        self._spill_folder = spill_folder
        self._trajectory: Trajectory | None = None

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
        self._trajectory = Trajectory(self._info, start, levels, self._budget_bytes, self._spill_folder)
        self._send(Started(self._trajectory))

    def _take(self, step: Step) -> None:
        assert self._trajectory is not None
        self._trajectory.append(step)
        if step.completes:
            self._send(StepTaken(self._trajectory, step))

    def _send(self, event: Event) -> None:
        hand_over(event)
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


def _call_arguments(pipeline: Pipeline, request: SculptRequest) -> dict[str, Any]:
    """Arguments of the pipeline's call. The noise always comes from the CPU: a seed means the same on every device."""
    return {
        "form": label_of(pipeline, "form", request.form),
        "material": label_of(pipeline, "material", request.material),
        "num_inference_steps": request.steps,
        "guidance_scale": request.guidance,
        "generator": torch.Generator("cpu").manual_seed(request.seed),
        "output_type": "pt",
    }


def _start_arguments(pipeline: Pipeline, request: SculptRequest, start: Start | None) -> dict[str, Any]:
    if start is None:
        return {}
    start.check_fits(request.steps, pipeline.picture_size)
    return {"noise": _batch(start.noise), "picture": _batch(start.picture), "first_step": start.first_step}


def _batch(frame: Frame | None) -> torch.Tensor | None:
    """A frame (C, H, W) as a batch of its own (1, C, H, W)."""
    return None if frame is None else torch.from_numpy(frame.copy())[None]  # torch has no read-only tensors


def cache_folder() -> Path:
    """A folder on a disk: the system's folder for temporary files often lies in memory."""
    try:
        return folders.cache()
    except OSError:
        return Path(tempfile.gettempdir())


def run_info(request: SculptRequest, device: Device, start: Start | None = None) -> RunInfo:
    """What a run of a request on a device is made with."""
    return RunInfo(
        request=request,
        model_name=model_folder(request.model).name,
        device_name=device.name,
        sampler_name=SAMPLER_NAMES[request.sampler],
        conditions=" · ".join(word for word in (request.form, request.material) if word) or "free",
        app_version=VERSION,
        origin="" if start is None else start.origin,
        first_step=1 if start is None else start.first_step,
    )
