"""Grid of runs: many runs of one model side by side, step by step together.

The cells are split into chunks, each a call of the pipeline with a scheduler and a greenlet of its own. At every step
one chunk after the other goes on to its next state: all runs are at the same step, a stop takes effect within one
evaluation of one chunk, and every run is sampled by the pipeline itself, as a single one is. Where runs differ in their
steps, sampler or guidance, a chunk has those of one kind, and shorter runs keep pace with the longest: after a share of
its steps they have taken the same share of theirs.

Each picture has the random generator that a run of its seed has, as it is after its noise was drawn: samplers that add
fresh noise at every step add the same as in the single run.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sculptor_app.core.errors import Cancelled, SamplerFailed, SculptorError
from sculptor_app.core.requests.request import Cell, GridRequest, RunRequest, label_of
from sculptor_app.core.requests.samplers import SAMPLERS
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.base import RunInfo
from sculptor_app.core.trajectory.events import GridEvent, GridPart, GridStarted, GridStep
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.core.trajectory.step import Frame, Step
from sculptor_app.core.trajectory.trajectory import Trajectory
from sculptor_app.diffusion.observe.observer import BatchObserver, observed
from sculptor_app.diffusion.pipelines.call import check_takes_noise
from sculptor_app.diffusion.pipelines.errors import run_errors
from sculptor_app.diffusion.samplers.levels import Call, levels_of
from sculptor_app.diffusion.sampling.engine import Engine, Pipeline, model_facts, model_name
from sculptor_app.diffusion.sampling.noise import noise_of, seed_noise
from sculptor_app.diffusion.sampling.run import run_info
from sculptor_app.diffusion.sampling.sample import GreenletCoroutine, StorageBudget, yield_to_caller

DEFAULT_GRID_BUDGET_BYTES = 256 * 2**20
"""Memory for the frames of all trajectories of a grid together."""

CHUNK_ON_CPU, CHUNK_ON_GPU = 4, 32
"""Pictures that go through the network at once: on a CPU so few that a stop is obeyed soon and progress moves; on a GPU
enough to fill it, within the memory of a small one."""


def sample_grid(
    engine: Engine,
    request: GridRequest,
    stop: threading.Event,
    budget_bytes: int = DEFAULT_GRID_BUDGET_BYTES,
    spill_folder: Path | None = None,
) -> Generator[GridEvent, None, None]:
    """Events of a grid of runs; the generator ends when every run is complete. Closing it early cancels all of them.

    `GridStarted` comes first, then for every step of the longest runs a `GridPart` after each chunk but the last, and a
    `GridStep`.

    Args:
        stop: Set from any thread to end the runs within one evaluation of one chunk.
        budget_bytes: Memory for the frames of all trajectories, an equal share for each.
        spill_folder: Where the frames beyond it go; None is the program's cache folder.

    Raises:
        Cancelled: `stop` was set; the trajectories so far stay valid, here and below.
        SculptorError: A run failed; the text says why and what to do.
        RequestError: The model does not know what is asked for.
    """
    pipeline = engine.load(request.model, request.device, stop)
    check_takes_noise(pipeline, translate("errors", "A grid of runs"))
    budget = StorageBudget(budget_bytes // len(request.cells), spill_folder)
    size = CHUNK_ON_CPU if str(pipeline.device) == "cpu" else CHUNK_ON_GPU
    chunks = [_Chunk(engine, pipeline, request, numbers, stop, budget) for numbers in _chunks_of(request, engine, size)]
    try:
        yield from _in_lockstep(chunks, request.most_steps)
    except (Cancelled, GeneratorExit, KeyboardInterrupt):
        _end(chunks, "cancelled")
        raise
    except SculptorError as error:
        _end(chunks, f"failed: {error}")
        raise


def _chunks_of(request: GridRequest, engine: Engine, size: int) -> list[list[int]]:
    """Numbers of cells that go through the pipeline together, at most `size`; `RequestError` where that cannot be."""
    kinds: dict[tuple[object, ...], list[int]] = {}
    for number, cell in enumerate(request.cells):
        single = request.single(cell)
        kinds.setdefault((single.steps, single.sampler, single.guidance), []).append(number)
    for numbers in kinds.values():
        engine.check_plan(request.single(request.cells[numbers[0]]))
    return [numbers[first : first + size] for numbers in kinds.values() for first in range(0, len(numbers), size)]


def _in_lockstep(chunks: Sequence[_Chunk], steps: int) -> Iterator[GridEvent]:
    for chunk in chunks:
        chunk.advance()
    runs = {number: run for chunk in chunks for number, run in zip(chunk.numbers, chunk.trajectories, strict=True)}
    yield GridStarted(tuple(run for _, run in sorted(runs.items())))
    for number in range(1, steps + 1):
        done = 0
        for chunk in chunks:
            due = (2 * number * chunk.steps + steps) // (2 * steps)  # the nearest to its share
            while chunk.trajectories[0].last < due:
                chunk.advance()
            done += len(chunk.trajectories)
            if chunk is not chunks[-1]:
                yield GridPart(number, done)
        yield GridStep(number)
    for chunk in chunks:
        chunk.finish()


def _end(chunks: Sequence[_Chunk], reason: str) -> None:
    """End the calls of the pipeline and note in the trajectories why they are not complete."""
    for chunk in chunks:
        chunk.coroutine.close()
        for trajectory in chunk.trajectories:
            if not trajectory.is_complete:
                trajectory.end(reason)


class _Chunk:
    """Some cells of a grid in one call of the pipeline, in a greenlet that is left and resumed at every step."""

    def __init__(
        self,
        engine: Engine,
        pipeline: Pipeline,
        request: GridRequest,
        numbers: Sequence[int],
        stop: threading.Event,
        budget: StorageBudget,
    ) -> None:
        assert engine.device is not None
        self.trajectories: list[Trajectory] = []
        self.numbers = numbers  # of its cells
        cells = [request.cells[number] for number in numbers]
        self._single = request.single(cells[0])
        self._pipeline, self._device_name = pipeline, engine.device.name
        self._stop, self._budget = stop, budget
        self._scheduler = pipeline.scheduler = engine.scheduler(self._single)
        self._infos = [_info(request, cell, engine) for cell in cells]
        self._arguments = _call_arguments(pipeline, self._single, cells)
        self.coroutine = GreenletCoroutine(self._run)

    @property
    def steps(self) -> int:
        """The steps of its runs."""
        return self._single.steps

    def advance(self) -> None:
        """Sample the next state of every cell; the first time, state 0."""
        self._pipeline.scheduler = self._scheduler  # the call reads it at every step
        self.coroutine.resume()
        if self.coroutine.is_over:
            raise SamplerFailed(
                translate("errors", "The model came back before all its steps were taken."),
                translate("errors", "The steps so far are kept."),
            )

    def finish(self) -> None:
        self._pipeline.scheduler = self._scheduler
        self.coroutine.resume()

    # In the greenlet

    def _run(self) -> None:
        observer = BatchObserver(self._start, self._take, self._interrupt)
        with run_errors(self._device_name):
            try:
                with torch.no_grad(), observed(self._scheduler, observer):
                    observer.finish(self._pipeline(**self._arguments))
            finally:
                self._pipeline.maybe_free_model_hooks()

    def _start(self, starts: list[Frame], calls: tuple[Call, ...]) -> None:
        levels = levels_of(calls)
        for info, start in zip(self._infos, starts, strict=True):
            self.trajectories.append(Trajectory(info, start, levels, self._budget.budget_bytes, self._budget.folder))
        self._wait()

    def _take(self, steps: list[Step]) -> None:
        """Keep a step of every cell, without a time: what was measured is that of all of them together."""
        for trajectory, step in zip(self.trajectories, steps, strict=True):
            trajectory.append(replace(step, duration_s=0.0))
        if steps[0].completes:
            self._wait()

    def _wait(self) -> None:
        yield_to_caller(None)
        self._interrupt()

    def _interrupt(self) -> None:
        if self._stop.is_set():
            raise Cancelled


def _call_arguments(pipeline: Pipeline, request: RunRequest, cells: Sequence[Cell]) -> dict[str, Any]:
    size = pipeline.picture_size
    return {
        "form": [label_of(pipeline, "form", cell.form) for cell in cells],
        "material": [label_of(pipeline, "material", cell.material) for cell in cells],
        "num_inference_steps": request.steps,
        "guidance_scale": request.guidance,
        "generator": [seed_noise(cell.noise.seed, size)[1] for cell in cells],
        "noise": torch.from_numpy(np.stack([noise_of(cell.noise, size) for cell in cells])),
        "batch_size": len(cells),
        "output_type": "pt",
    }


def _info(request: GridRequest, cell: Cell, engine: Engine) -> RunInfo:
    """Facts of one run; where its noise is not that of its seed, the conditions say so."""
    info = run_info(request.single(cell), engine)
    words = cell.noise.words
    return replace(info, conditions=f"{info.conditions} · {words}") if words else info


def initial_trajectories(request: GridRequest) -> tuple[Trajectory, ...]:
    """Trajectories of a grid before it is sampled: state 0 of each cell and its planned levels; no model is loaded.

    Raises:
        ModelFolderError: The model's folder cannot be used.
    """
    size, name, engine = model_facts(request.model).size, model_name(request.model), Engine()
    runs: list[Trajectory] = []
    plans: dict[tuple[int, str], tuple[NoiseLevel, ...]] = {}
    for cell in request.cells:
        single = request.single(cell)
        kind = single.steps, single.sampler
        levels = plans[kind] = plans.get(kind) or engine.plan(single)
        start = noise_of(cell.noise, size) * np.float32(levels[0].scale)
        info = RunInfo(single, name, sampler_name=SAMPLERS[single.sampler].label, conditions=cell.noise.words)
        runs.append(Trajectory(info, start, levels))
    return tuple(runs)
