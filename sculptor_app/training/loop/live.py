"""A training run that a window drives: it begins or goes on, yields events, and can be paused in memory bit for bit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from time import monotonic

import torch

from sculptor_app.atelier import compiled
from sculptor_app.core.texts import translate
from sculptor_app.diffusion.pipelines.devices import Device, cpu_threads
from sculptor_app.training.data.batches import PictureSet
from sculptor_app.training.data.picture_folder import FolderSet, read_folder
from sculptor_app.training.data.shards import ShardSet, shard_name, write_shard
from sculptor_app.training.errors import NotWritten
from sculptor_app.training.loop.checkpoint import (
    export_checkpoint,
    load_checkpoint,
    refuse_other_folder,
    training_facts,
    write_model,
)
from sculptor_app.training.loop.processes import accelerator_alone, torch_faults
from sculptor_app.training.loop.run import Beginning, Run
from sculptor_app.training.loop.samples import sample_fixed_noises
from sculptor_app.training.loop.trainer import Trainer
from sculptor_app.training.machine import describe_machine, has_fast_16_bits, refuse_too_many
from sculptor_app.training.network import fixed_settings, new_pipeline
from sculptor_app.training.records.events import (
    Begun,
    Learned,
    Message,
    Preparing,
    RunListener,
    RunSummary,
    Sampled,
    Stepped,
    TrainingEvent,
    read_log,
)
from sculptor_app.training.records.plan import Plan, continued, load_plan, save_plan
from sculptor_app.training.records.run_folder import (
    CHECKPOINT,
    LOG,
    MODEL,
    SampleHistory,
    SampleSchedule,
    locked_folder,
    refuse_other_contents,
)
from sculptor_app.training.records.run_folder import RENDERS as RENDERS_FOLDER

RENDERS_AT_ONCE = 24
"""So few that a stop need not wait long, and that the bar moves."""
PreparedPictures = Generator[Preparing, None, PictureSet | None]
EMIT_EVERY_S = 0.25
"""A step can take less time than a person needs to read a number."""


class Learning:
    """One run in memory: `go` learns until it is closed or asked to stop, and then goes on, until `close`.

    Args:
        folder: Of the run; made if it is not there.
        plan: What to learn; a run that is there must learn the same.
    """

    def __init__(self, folder: Path, plan: Plan, clock: Callable[[], float] = monotonic) -> None:
        self._folder, self._plan, self._clock = folder, plan, clock
        self._held = ExitStack()
        self._run: Run | None = None
        self._messages = _Messages()
        self._history = SampleHistory(folder)
        self._emitted_at = -EMIT_EVERY_S
        self._complained = False

    def go(self, stop: threading.Event) -> Iterator[TrainingEvent]:
        """Learn from where the run is; when this ends or is closed, the newest step is in a checkpoint.

        Args:
            stop: Set from any thread to end this within a step.

        Raises:
            TrainingError: The run cannot go on; the last checkpoint is whole.
            OSError: The folder has gone.
        """
        torch.set_num_threads(cpu_threads())
        with torch_faults(self._seen, self._plan.recipe.batch):
            if self._run is None:
                yield from self._begin(stop)
            if self._run is not None and not stop.is_set():
                yield from self._learn(self._run, stop)

    def close(self) -> None:
        """Let go of the folder and of the memory."""
        self._run = None
        self._held.close()

    # Beginning ----------------------------------------------------------------------------------------------------

    def _begin(self, stop: threading.Event) -> Iterator[TrainingEvent]:
        """Make everything that the run needs; a stop on the way leaves it unmade."""
        self._held.close()  # of a beginning that was broken off
        self._held.enter_context(locked_folder(self._folder))
        refuse_other_folder(self._folder / MODEL)
        there = load_plan(self._folder)
        plan = self._plan = self._settled_plan(there)
        torch.manual_seed(plan.recipe.seed)
        pipeline = new_pipeline(plan.forms, plan.materials, plan.size, plan.patch, plan.channels)
        pictures = yield from get_pictures(self._folder, plan, self._messages.message, stop)
        if pictures is None:
            return
        if plan != there:  # not before: what cannot be learned must not stand in the way of another plan
            save_plan(self._folder, plan)
        checkpoint = self._folder / CHECKPOINT
        state = load_checkpoint(checkpoint) if checkpoint.exists() else None
        trainer = Trainer(pipeline, pictures, plan.recipe, accelerator_alone(plan.recipe.mixed_precision))
        beginning = Beginning({**fixed_settings(pipeline), "--seed": plan.recipe.seed}, "", _machine(trainer))
        self._run = Run(trainer, self._folder, beginning, self._messages, state, self._clock)
        self._history.forget_after(trainer.seen)
        yield from self._messages.take()
        yield self._begun(self._run)

    def _settled_plan(self, there: Plan | None) -> Plan:
        if there is None:
            refuse_other_contents(self._folder)
        plan = self._plan if there is None else continued(self._folder, there, self._plan)
        if plan.recipe.mixed_precision == "auto":
            plan = replace(plan, recipe=replace(plan.recipe, mixed_precision=_quickest_precision()))
        return plan

    def _begun(self, run: Run) -> Begun:
        reports = tuple(read_log(self._folder / LOG))
        seen = RunSummary(self._folder, self._plan, run.trainer.seen, reports, self._history.rows())
        weights = sum(weight.numel() for weight in run.trainer.average.parameters())
        return Begun(seen, len(run.trainer.pictures), weights)

    # Learning -----------------------------------------------------------------------------------------------------

    def _learn(self, run: Run, stop: threading.Event) -> Iterator[TrainingEvent]:
        rows, began = self._history.rows(), self._clock()
        clock = SampleSchedule(rows[-1] if rows else None)
        steps = run.steps()
        try:
            if not rows:
                yield from self._sample(run, clock, stop)  # what noise is to a model that has learned nothing
            for event in steps:
                if not isinstance(event, Stepped) or self._is_time():
                    yield event
                yield from self._messages.take()
                if stop.is_set():
                    break
                if isinstance(event, Stepped) and clock.is_due(event.pictures, self._clock() - began):
                    yield from self._sample(run, clock, stop)
            else:
                yield from self._end(run, clock, stop)
        except GeneratorExit:
            steps.close()
            run.save_newest()
            raise
        steps.close()
        run.save_newest()

    def _is_time(self) -> bool:
        now = self._clock()
        if now - self._emitted_at < EMIT_EVERY_S:
            return False
        self._emitted_at = now
        return True

    def _sample(self, run: Run, clock: SampleSchedule, stop: threading.Event) -> Iterator[TrainingEvent]:
        """A row of the sample history; a run goes on without it when the disk does not take it."""
        seen, began = run.trainer.seen, self._clock()
        row = sample_fixed_noises(run.trainer.averaged_pipeline(), self._plan, seen, stop)
        clock.note(seen, self._clock() - began)
        if row is None:
            return
        try:
            rows = self._history.write(row)
        except NotWritten as error:
            if not self._complained:
                self._complained = True
                yield Message(translate("errors", "{0} The run goes on without it.").format(error.message))
            return
        yield Sampled(row, rows)

    def _end(self, run: Run, clock: SampleSchedule, stop: threading.Event) -> Iterator[TrainingEvent]:
        if run.trainer.seen not in self._history.rows():
            yield from self._sample(run, clock, stop)
        if stop.is_set():
            return
        state = run.description() | {"seen": run.trainer.seen, "elapsed_s": run.trainer.elapsed_s}
        write_model(run.trainer.averaged_pipeline(), self._folder / MODEL, training_facts(state))
        yield Learned(self._folder / MODEL, run.trainer.seen)

    def _seen(self) -> int:
        return 0 if self._run is None else self._run.trainer.seen


class _Messages(RunListener):
    def __init__(self) -> None:
        self._sentences: list[str] = []

    def message(self, sentence: str) -> None:
        self._sentences.append(sentence)

    def take(self) -> Iterator[Message]:
        """The messages since this was last called."""
        sentences, self._sentences = self._sentences, []
        for sentence in sentences:
            yield Message(sentence)


def _quickest_precision() -> str:
    """What this machine trains fastest in: 16 bits on a GPU that has bfloat16 and on a CPU that is made for it."""
    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    return "bf16" if has_fast_16_bits("cpu") and not torch.backends.mps.is_available() else "no"


def _machine(trainer: Trainer) -> str:
    device = trainer.accelerator.device
    return describe_machine(Device("cpu" if device.type == "cpu" else str(device), str(device)))


def export(folder: Path) -> Path:
    """Make a model of a run's last checkpoint.

    Raises:
        TrainingError: There is no checkpoint, it cannot be read, or the disk does not take the model.
    """
    export_checkpoint(folder / CHECKPOINT, folder / MODEL)
    return folder / MODEL


def get_pictures(folder: Path, plan: Plan, message: Callable[[str], None], stop: threading.Event) -> PreparedPictures:
    """Render what is missing, or read a person's folder.

    Args:
        folder: Of the run; renders go into it.
        message: Called with sentences about what is skipped.

    Yields:
        How far it is, with a sentence where the next pictures take longer.

    Returns:
        The set; None where it was broken off.

    Raises:
        TrainingError: There are too few pictures, or too many, or the disk does not take the renders.
    """
    return (
        _render(folder / RENDERS_FOLDER, plan, stop) if plan.forms else _read(Path(plan.pictures), plan, message, stop)
    )


def _render(folder: Path, plan: Plan, stop: threading.Event) -> PreparedPictures:
    refuse_too_many(plan.renders, plan.size)
    for first in range(0, plan.renders, RENDERS_AT_ONCE):
        if stop.is_set():
            return None
        if not (folder / shard_name(first)).exists():
            yield Preparing(True, first, plan.renders, compiled.notice("cpu"))
            write_shard(folder, first, plan.size, forms=plan.forms, count=min(RENDERS_AT_ONCE, plan.renders - first))
    return ShardSet(folder, plan.size)


def _read(folder: Path, plan: Plan, message: Callable[[str], None], stop: threading.Event) -> PreparedPictures:
    reading = read_folder(folder, plan.size, message)
    while not stop.is_set():
        try:
            done, of = next(reading)
        except StopIteration as end:
            return FolderSet.of(end.value)
        yield Preparing(False, done, of)
    return None
