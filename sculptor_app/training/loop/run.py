"""One training run, begun or resumed from its last checkpoint: steps, reports, sample sheets, checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import torch

from sculptor_app.core.texts import pictures_text, translate
from sculptor_app.training.errors import NotWritten
from sculptor_app.training.loop.checkpoint import (
    changes,
    load_checkpoint,
    refuse_changes,
    refuse_other_architecture,
    save_checkpoint,
)
from sculptor_app.training.loop.processes import largest, on_first, torch_faults
from sculptor_app.training.loop.samples import write_sample_sheet
from sculptor_app.training.loop.statistics import LossStatistics, RateMeter, seconds_left, share_done
from sculptor_app.training.loop.trainer import Trainer
from sculptor_app.training.network import blueprint_of
from sculptor_app.training.records.events import (
    LEVELS,
    Report,
    RunListener,
    Saved,
    StepEvent,
    Stepped,
    append_to_log,
    forget_later,
)
from sculptor_app.training.records.run_folder import CHECKPOINT as CHECKPOINT
from sculptor_app.training.records.run_folder import LOG


@dataclass(frozen=True)
class Beginning:
    """What a run is begun with."""

    fixed: dict[str, Any]  # what must be the same whenever the run goes on, by the option that chooses it
    command: str = ""  # as it was typed
    machine: str = ""  # what it runs on, in words


class Run:
    """A training run in a folder; a checkpoint that is there is gone on from.

    Args:
        folder: Checkpoint, log and sample sheets go here.
        beginning: What a checkpoint must have begun with to be gone on from.
        listener: Receives messages, progress and reports.
        state: Content of the checkpoint, where it has been read already.
        clock: Seconds.

    Attributes:
        loss_by_log_snr: Of the last report.

    Raises:
        CheckpointError: The checkpoint cannot be read.
        SettingsChanged: It belongs to another run.
    """

    def __init__(
        self, trainer: Trainer, folder: Path, beginning: Beginning | None = None, listener: RunListener | None = None,
        state: dict[str, Any] | None = None, clock: Callable[[], float] = monotonic,
    ) -> None:  # fmt: skip
        self.trainer, self.folder = trainer, folder
        self._beginning, self._listener = beginning or Beginning({}), listener or RunListener()
        self._clock, self._losses, self._rate_meter = clock, LossStatistics(), RateMeter()
        self._complained: set[str] = set()
        self._saved_at = -1
        self.loss_by_log_snr: list[float | None] = [None] * LEVELS
        if state is None and self.checkpoint_path.exists():
            state = load_checkpoint(self.checkpoint_path)
        if state is None:
            trainer.pictures.refresh()
        else:
            self._resume(state)

    @property
    def checkpoint_path(self) -> Path:
        """The newest checkpoint."""
        return self.folder / CHECKPOINT

    def go(self, until: int | None = None, stop_code: Callable[[], int] = lambda: 0) -> int:
        """Train to the end, with a checkpoint there.

        Args:
            until: Stop after so many pictures in all; None goes on to the recipe's end.
            stop_code: Called after each step; a number other than 0 ends the run on all processes.

        Returns:
            0, or the number that ended the run.

        Raises:
            TrainingError: The run cannot go on; the last checkpoint is whole.
        """
        steps = self.steps(until, stop_code)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return int(end.value)

    def steps(
        self, until: int | None = None, stop_code: Callable[[], int] = lambda: 0
    ) -> Generator[StepEvent, None, int]:
        """The same, one event after another; whoever closes it early calls `save_newest`.

        Yields:
            `Stepped` after each step, `Report` now and then, `Saved` after each checkpoint.

        Returns:
            As `go`.
        """
        trainer, code = self.trainer, 0
        with torch_faults(lambda: trainer.seen, trainer.recipe.batch), self._listener:
            if not self.checkpoint_path.exists():
                self.save()  # a disk that is full, or a GPU that vanishes, is met with a checkpoint at hand
            began = self._clock() - trainer.elapsed_s
            while not code and not self._is_over(until):
                self._losses.note(trainer.step())
                stop, trainer.elapsed_s = largest(trainer.accelerator, stop_code(), self._clock() - began)
                code = int(stop)
                yield from self._after_step()
                if not code:
                    yield from self._save_now_and_then()
            if not code and self._losses.pictures:
                yield self._report()
            if self._saved_at != trainer.seen:
                yield self.save()
        return code

    def _is_over(self, until: int | None) -> bool:
        return self.share_done >= 1 or (until is not None and self.trainer.seen >= until)

    @property
    def share_done(self) -> float:
        """Of the run, 0 to 1."""
        return share_done(self.trainer.recipe, self.trainer.seen, self.trainer.elapsed_s)

    def _after_step(self) -> Iterator[StepEvent]:
        trainer, recipe = self.trainer, self.trainer.recipe
        self._rate_meter.mark(trainer.seen, trainer.elapsed_s)
        rate = self._rate_meter.rate
        left_s = seconds_left(recipe, trainer.seen, trainer.elapsed_s, rate)
        stepped = Stepped(trainer.seen, self.share_done, self._losses.loss, rate, left_s, trainer.elapsed_s)
        self._listener.stepped(stepped)
        yield stepped
        if self._passed(recipe.report_every):
            yield self._report()

    def _report(self) -> Report:
        report = self._losses.report(self.trainer, self._rate_meter.rate)
        self.loss_by_log_snr = report.loss_by_log_snr
        self._listener.report(report)
        self._attempt(translate("errors", "the log"), lambda: append_to_log(self.folder / LOG, report))
        return report

    def _save_now_and_then(self) -> Iterator[StepEvent]:
        """Draw a sample sheet and write a checkpoint now and then."""
        trainer, recipe = self.trainer, self.trainer.recipe
        if recipe.sample_every and self._passed(recipe.sample_every):
            path = self.folder / f"samples-{trainer.seen:09d}.png"
            draw = lambda: write_sample_sheet(trainer.averaged_pipeline(), path, at_once=recipe.batch)  # noqa: E731
            self._attempt(translate("errors", "the sample sheet"), draw)
        if self._passed(recipe.checkpoint_every):
            trainer.pictures.refresh()
            yield self.save()

    def _passed(self, interval: int) -> bool:
        seen = self.trainer.seen
        return seen // interval != (seen - self.trainer.stride) // interval

    def _attempt(self, part: str, job: Callable[[], None]) -> None:
        """Do something on the first process that a run can do without; a failure is reported once."""
        if not self.trainer.accelerator.is_main_process:
            return
        try:
            job()
        except NotWritten as error:
            if part not in self._complained:
                self._complained.add(part)
                self._listener.message(
                    translate("errors", "{0} The run goes on without {1}.").format(error.message, part)
                )

    def save_newest(self) -> None:
        """Write a checkpoint unless the newest step is in one already; errors are those of `save`."""
        if self._saved_at != self.trainer.seen:
            self.save()

    def save(self) -> Saved:
        """Write a checkpoint; the first process writes for all.

        Raises:
            NotWritten: It could not be written; the one before is whole.
            TrainingFailed: There is nothing worth keeping.
        """
        state = self.trainer.state() | self.description()
        on_first(self.trainer.accelerator, lambda: save_checkpoint(self.checkpoint_path, state))
        self._saved_at = self.trainer.seen
        return Saved(self.trainer.seen)

    def description(self) -> dict[str, Any]:
        """What goes into a checkpoint beside the state: enough to make a model of it, and to know its run again."""
        return {
            "blueprint": blueprint_of(self.trainer.pipeline),
            "settings": self._settings(),
            "fixed": self._beginning.fixed,
            "facts": {"command": self._beginning.command, "machine": self._beginning.machine,
                      "loss_by_log_snr": self.loss_by_log_snr, **self.trainer.pictures.provenance()},
        }  # fmt: skip

    def _settings(self) -> dict[str, Any]:
        return {**asdict(self.trainer.recipe), "processes": self.trainer.accelerator.num_processes,
                "threads": torch.get_num_threads()}  # fmt: skip

    def _resume(self, state: dict[str, Any]) -> None:
        refuse_changes(self.folder, state["fixed"], self._beginning.fixed)
        refuse_other_architecture(self.folder, state["blueprint"], blueprint_of(self.trainer.pipeline))
        self.trainer.load_state(state)
        self._saved_at = self.trainer.seen
        self.loss_by_log_snr = state["facts"]["loss_by_log_snr"]
        self._listener.message(
            translate("errors", "Going on from {0} after {1}.").format(
                self.checkpoint_path, pictures_text(self.trainer.seen)
            )
        )
        changed = changes(state["settings"], self._settings())
        if changed:
            self._listener.message(changed)
        self._attempt(translate("errors", "the log"), lambda: forget_later(self.folder / LOG, self.trainer.seen))
