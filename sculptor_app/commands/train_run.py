"""Training from the command line: render what is missing, go on from the last checkpoint, write the model."""

from __future__ import annotations

import argparse
import contextlib
import math
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import torch
from accelerate import Accelerator
from tqdm import tqdm

from sculptor_app.atelier import FORMS, MATERIALS, compiled
from sculptor_app.commands.process import interrupted_code, interruptible
from sculptor_app.commands.saving import code_of
from sculptor_app.commands.terminal import (
    DONE,
    NOT_WRITTEN,
    ProgressBar,
    is_terminal,
    say,
    stderr,
    stdout,
    stop_on_signal,
)
from sculptor_app.commands.train_recipe import (
    AGAIN,
    FINISH,
    PATCH,
    RENDERS,
    SIZE,
    command_line,
    recipe_of,
    refuse_mistakes,
    sentence,
)
from sculptor_app.core.errors import SculptorError
from sculptor_app.core.texts import pictures_text, plural
from sculptor_app.diffusion.pipelines.devices import Device
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
from sculptor_app.training.data.batches import PictureSet
from sculptor_app.training.data.picture_folder import FolderSet
from sculptor_app.training.data.shards import SHARD, ShardSet, shard_name, write_shards
from sculptor_app.training.errors import BadInput, TrainingError
from sculptor_app.training.loop.checkpoint import (
    export_checkpoint,
    load_checkpoint,
    refuse_changes,
    refuse_other_folder,
    training_facts,
    write_model,
)
from sculptor_app.training.loop.processes import agreed, new_accelerator, on_first, torch_faults
from sculptor_app.training.loop.run import Beginning, Run
from sculptor_app.training.loop.trainer import Trainer
from sculptor_app.training.machine import describe_machine, refuse_too_many
from sculptor_app.training.network import fixed_settings, new_pipeline, start_from
from sculptor_app.training.records.events import Report, RunListener, Stepped
from sculptor_app.training.records.run_folder import CHECKPOINT, MODEL, locked_folder
from sculptor_app.training.records.run_folder import RENDERS as RENDERS_FOLDER

BAR = "Learning {percentage:3.0f}%|{bar}| {desc}"


def run(arguments: argparse.Namespace) -> int:
    """Carry out the command; returns the exit code. Sentences go to the output, errors to the error stream."""
    try:
        refuse_mistakes(arguments)
        with interruptible():
            return _export(arguments) if arguments.export is not None else _train(arguments)
    except SculptorError as error:
        _report_error(sentence(error, arguments), everywhere=not isinstance(error, TrainingError) or error.everywhere)
        return code_of(error)
    except OSError as error:
        _report_error(f"The run in {arguments.out} stopped ({error}). Start the same command again to go on.")
        return NOT_WRITTEN
    except KeyboardInterrupt:
        _report_error(f"Interrupted. What was rendered and the last checkpoint stay: {AGAIN} to go on.")
        return interrupted_code()


def _export(arguments: argparse.Namespace) -> int:
    export_checkpoint(arguments.out / CHECKPOINT, arguments.export)
    say(_written(arguments.export), stdout())
    return DONE


def _train(arguments: argparse.Namespace) -> int:
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    accelerator = _accelerator(arguments.precision)
    listener = TerminalListener.of_process(accelerator.is_main_process)
    if launcher_mistake():
        listener.message(launcher_mistake())
    with (
        locked_folder(arguments.out, accelerator.is_main_process),
        torch_faults(lambda: 0, arguments.batch),
    ):
        training = _begin(arguments, accelerator, listener)
        with stop_on_signal(patient=accelerator.num_processes > 1) as interruption:
            code = training.go(stop_code=lambda: interruption.code)
        if code:
            listener.message(_stopped(arguments.out, training.trainer.seen))
            return code
        model = arguments.out / MODEL
        state = training.description() | {"seen": training.trainer.seen, "elapsed_s": training.trainer.elapsed_s}
        on_first(accelerator, lambda: write_model(training.trainer.averaged_pipeline(), model, training_facts(state)))
        listener.message(_written(model))
    accelerator.end_training()
    return DONE


def _accelerator(precision: str) -> Accelerator:
    try:
        accelerator = new_accelerator(precision)
    except ValueError as error:
        raise BadInput(f"--precision {precision} cannot be used here ({error}).", "Choose --precision no.") from error
    if precision == "fp16" and accelerator.device.type == "cpu":  # accelerate would train in float32 and say nothing
        raise BadInput("--precision fp16 needs a GPU.", "Choose bf16 or no.")
    return accelerator


def _begin(arguments: argparse.Namespace, accelerator: Accelerator, listener: RunListener) -> Run:
    """Everything that a run needs; what would be refused is refused before pictures are rendered or read."""
    refuse_other_folder(arguments.out / MODEL)
    pipeline = begin_pipeline(arguments)
    fixed = unchanging(arguments, pipeline)
    checkpoint = arguments.out / CHECKPOINT
    state: dict[str, Any] | None = load_checkpoint(checkpoint) if checkpoint.exists() else None
    if state is not None:
        refuse_changes(arguments.out, state["fixed"], fixed)
    pictures = choose_pictures(arguments, pipeline.picture_size, accelerator, listener)
    trainer = Trainer(pipeline, pictures, recipe_of(arguments), accelerator)
    beginning = Beginning(fixed, command_line(arguments), _machine(accelerator))
    return Run(trainer, arguments.out, beginning, listener, state)


def begin_pipeline(arguments: argparse.Namespace) -> SculptorPipeline:
    """The network to train, new or another model's; labels are known for renders only.

    Raises:
        BadInput: Its size, patch and levels do not go together, or another model's are not those asked for.
        ModelFolderError: The model to start from cannot be used.
    """
    forms, materials = (FORMS, MATERIALS) if arguments.folder is None else ((), ())
    torch.manual_seed(arguments.seed)
    if arguments.start_from is not None:
        pipeline = start_from(arguments.start_from, forms, materials, arguments.size, arguments.patch, arguments.finish)
        _refuse_unlike(arguments, pipeline)
    else:
        chosen = {"patch_size": arguments.patch or PATCH, "channels": arguments.channels, "layers": arguments.layers,
                  "finish": arguments.finish or FINISH}  # fmt: skip
        pipeline = new_pipeline(
            forms, materials, arguments.size or SIZE, **{k: v for k, v in chosen.items() if v is not None}
        )
    shape = fixed_settings(pipeline)
    grain = shape["--patch"] * 2 ** (len(shape["--channels"]) - 1)
    size = arguments.size or pipeline.picture_size
    if size % grain:
        channels = ",".join(map(str, shape["--channels"]))
        raise BadInput(
            f"--size is {size}; --patch {shape['--patch']} and --channels {channels} take a multiple of {grain}.",
            f"Choose {max(grain, size // grain * grain)}.",
        )
    return pipeline


def _refuse_unlike(arguments: argparse.Namespace, pipeline: SculptorPipeline) -> None:
    wanted = {"--channels": arguments.channels, "--layers": arguments.layers}
    for option, there in fixed_settings(pipeline).items():
        asked = wanted.get(option)
        if asked is not None and (list(asked) if isinstance(asked, tuple) else asked) != there:
            shown = ",".join(map(str, there)) if isinstance(there, list) else there
            raise BadInput(
                f"The model in {arguments.start_from} has {option} {shown}.",
                f"Leave {option} out, or leave --start-from out.",
            )


def unchanging(arguments: argparse.Namespace, pipeline: SculptorPipeline) -> dict[str, Any]:
    """What must be the same whenever a run goes on, by the option that chooses it."""
    return {
        "--from": "a folder of pictures" if arguments.folder is not None else "",
        **fixed_settings(pipeline),
        "--first-seed": arguments.first_seed or 0,
        "--seed": arguments.seed,
        "--start-from": arguments.start_from.name if arguments.start_from is not None else "",
    }


def choose_pictures(
    arguments: argparse.Namespace, size: int, accelerator: Accelerator, listener: RunListener
) -> PictureSet:
    """The training set; renders are shared out among the processes.

    Raises:
        TrainingError: There are too few pictures, or too many, or the disk does not take the renders.
    """
    if arguments.folder is not None:
        return _read_pictures(arguments.folder, size, listener.message, accelerator.is_main_process)
    count, first = -(-(arguments.renders or RENDERS) // SHARD), arguments.first_seed or 0
    refuse_too_many(count * SHARD, size)
    folder = arguments.out / RENDERS_FOLDER
    names = [shard_name(first + number * SHARD) for number in range(count)]
    if not all((folder / name).exists() for name in names):
        listener.message(f"Rendering {count * SHARD:,} sculptures into {folder}.")
        if sentence := compiled.notice(str(accelerator.device)):
            listener.message(sentence)
        share = (accelerator.process_index, accelerator.num_processes)
        agreed(accelerator, lambda: _render_shards(folder, count, size, first, str(accelerator.device), share))
    others = {path.name for path in folder.glob("shard-*.npz")} - set(names)
    if others:
        more = plural(len(others), "1 more shard", f"{len(others):,} more shards")
        listener.message(f"{folder} holds {more} of renders; what is in it is learned, too.")
    return ShardSet(folder, size)


def _read_pictures(folder: Path, size: int, say: Callable[[str], None], first: bool) -> FolderSet:
    with ExitStack() as stack:
        bars: list[ProgressBar] = []

        def move(done: int, of: int) -> None:
            if not bars:
                bars.append(stack.enter_context(ProgressBar("Reading", of, "picture")))
            bars[0].move_to(done)

        return FolderSet(folder, size, say, move if first else lambda done, of: None)


def _render_shards(folder: Path, count: int, size: int, first_seed: int, device: str, share: tuple[int, int]) -> None:
    mine = len(range(share[0], count, share[1]))
    with ProgressBar("Rendering", mine if share[0] == 0 else 0, "shard") as bar:
        for done, _ in enumerate(write_shards(folder, count, size, first_seed, device, share), 1):
            bar.move_to(done)


def _machine(accelerator: Accelerator) -> str:
    device = accelerator.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    words = describe_machine(Device("cpu" if device.type == "cpu" else str(device), name))
    return f"{words}, {accelerator.num_processes} processes" if accelerator.num_processes > 1 else words


def _stopped(out: Path, seen: int) -> str:
    return (
        f"Stopped after {pictures_text(seen)}; the checkpoint is written. Start the same command again to go on, or "
        f"make a model of what is there: `sculptor-app train --out {out} --export FOLDER`."
    )


def _written(model: Path) -> str:
    return f"The model is in {model}. Open it with `sculptor-app --model {model}`."


def _report_error(text: str, everywhere: bool = True) -> None:
    """Write why the command ends; the first process does so for all unless only this one knows."""
    if os.environ.get("RANK", "0") == "0" or not everywhere:
        say(text, stderr())


def launcher_mistake(environment: dict[str, str] | os._Environ[str] = os.environ) -> str:
    """A sentence if `accelerate launch` was asked for several CPU processes and started one; empty otherwise.

    WORKAROUND: accelerate 1.15 takes no notice of `--num_processes` with `--cpu` and without MPI (its issue 2741).
    """
    on_cpu = environment.get("ACCELERATE_USE_CPU", "").lower() in ("true", "1")
    if not on_cpu or "MASTER_ADDR" not in environment or "WORLD_SIZE" in environment or "PMI_SIZE" in environment:
        return ""
    return (
        "`accelerate launch --cpu` starts one process, whatever --num_processes says. For several on CPUs: "
        "`ACCELERATE_USE_CPU=true accelerate launch --multi_gpu --num_processes N -m sculptor_app train …`."
    )


class TerminalListener(RunListener):
    """A run's progress on a terminal as a bar, in a pipe as lines; a reader that has gone does not stop the run.

    Args:
        out: For messages, and in a pipe the reports; None for nowhere.
        err: For the bar, if it is a terminal; None for nowhere.
    """

    def __init__(self, out: TextIO | None, err: TextIO | None) -> None:
        self._out, self._err = out, err
        self._bar: Any = None
        self._levels: Any = None

    @classmethod
    def of_process(cls, first: bool) -> TerminalListener:
        """The streams of this process if it is the first of a run, else none."""
        return cls(stdout(), stderr()) if first else cls(None, None)

    def __enter__(self) -> TerminalListener:
        if is_terminal(self._err):
            self._bar = tqdm(total=1.0, bar_format=BAR, file=self._err, dynamic_ncols=True, mininterval=0.2, miniters=0)
            self._levels = tqdm(bar_format="{desc}", file=self._err, position=1, leave=False)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for bar in (self._levels, self._bar):
            if bar is not None:
                bar.close()
        self._bar = self._levels = None

    def message(self, sentence: str) -> None:
        """Write a line; a reader that has gone, as `| head` does, is no reason to stop."""
        if self._out is None:
            return
        encoding = self._out.encoding or "utf-8"
        printable = sentence.encode(encoding, "replace").decode(encoding)  # names of files hold any letters
        with contextlib.suppress(OSError, ValueError):
            tqdm.write(printable, file=self._out)  # above the bars that are there
            self._out.flush()

    def stepped(self, step: Stepped) -> None:
        """Move the bar."""
        if self._bar is None:
            return
        left = duration(step.left_s)
        text = f"{pictures_text(step.pictures)}, {step.rate:.1f}/s, loss {step.loss:.4f}, {left} left"
        self._bar.set_description_str(text, refresh=False)
        self._bar.update(step.share - self._bar.n)

    def report(self, report: Report) -> None:
        """Show the loss per noise level below the bar, or all of a report as a line where there is no terminal."""
        if self._levels is not None:
            self._levels.set_description_str(losses_text(report))
        if not (self._bar is not None and is_terminal(self._out)):
            self.message(report_line(report))


def report_line(report: Report) -> str:
    """A report as a line of the output."""
    return (f"{report.pictures:>9,} pictures  loss {report.loss:.4f}  {report.pictures_per_second:.1f} pictures/s  "
            f"{duration(60 * report.minutes_left)} left  {losses_text(report)}")  # fmt: skip


def losses_text(report: Report) -> str:
    """The loss per noise level."""
    by_level = " ".join("  – " if loss is None else f"{loss:.2f}" for loss in report.loss_by_log_snr)
    return f"loss from noise to picture {by_level}"


def duration(seconds: float) -> str:
    """As a person reads it: 45 s, 12 min, 3 h 05 min."""
    if not math.isfinite(seconds):
        return "unknown"
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
