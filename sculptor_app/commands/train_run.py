"""Training from the command line: render what is missing, go on from the last checkpoint, write the model."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from sculptor_app.commands.terminal import DONE, INTERRUPTED, NO_MODEL, NOT_WRITTEN, say, stop_on_signal
from sculptor_app.commands.train import command_line
from sculptor_app.commands.train_pictures import choose_pictures
from sculptor_app.commands.train_recipe import begin_pipeline, recipe_of, refuse_mistakes, unchanging
from sculptor_app.core.errors import ModelFolderError
from sculptor_app.diffusion.pipelines.devices import Device
from sculptor_app.training.errors import BadInput, TrainingError
from sculptor_app.training.evaluation.machine import describe_machine
from sculptor_app.training.loop.checkpoint import load_checkpoint
from sculptor_app.training.loop.faults import faults_told
from sculptor_app.training.loop.lock import alone_in
from sculptor_app.training.loop.processes import launcher_mistake, new_accelerator, on_first
from sculptor_app.training.loop.progress import Progress
from sculptor_app.training.loop.resume import refuse_changes
from sculptor_app.training.loop.run import CHECKPOINT, Beginning, Run
from sculptor_app.training.loop.trainer import Trainer
from sculptor_app.training.network.model_folder import export_checkpoint, refuse_other_folder, story_of, write_model

MODEL = "model"


def run(arguments: argparse.Namespace) -> int:
    """Carry out the command.

    Returns:
        The exit code; sentences go to the output, or to the error stream if something went wrong.
    """
    try:
        refuse_mistakes(arguments)
        return _export(arguments) if arguments.export is not None else _train(arguments)
    except TrainingError as error:
        return _refused(error, error.code)
    except ModelFolderError as error:
        return _refused(error, NO_MODEL)
    except OSError as error:
        return _refused(
            f"The run in {arguments.out} stopped ({error}). Start the same command again to go on.", NOT_WRITTEN
        )
    except KeyboardInterrupt:
        return _refused(
            "Interrupted. What was rendered and the last checkpoint stay: start the same command again to go on.",
            INTERRUPTED,
        )


def _export(arguments: argparse.Namespace) -> int:
    export_checkpoint(arguments.out / CHECKPOINT, arguments.export)
    say(_written(arguments.export), sys.stdout)
    return DONE


def _train(arguments: argparse.Namespace) -> int:
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    accelerator = _accelerator(arguments.precision)
    progress = Progress.of_process(accelerator.is_main_process)
    if launcher_mistake():
        progress.say(launcher_mistake())
    with (
        alone_in(arguments.out, accelerator.is_main_process),
        faults_told(lambda: 0, arguments.batch, arguments.out / CHECKPOINT),
    ):
        training = _begin(arguments, accelerator, progress)
        with stop_on_signal(patient=accelerator.num_processes > 1) as interruption:
            code = training.go(interruption=interruption)
        if code:
            progress.say(_stopped(arguments.out, training.trainer.seen))
            return code
        model = arguments.out / MODEL
        state = training.description() | {"seen": training.trainer.seen, "elapsed_s": training.trainer.elapsed_s}
        on_first(accelerator, lambda: write_model(training.trainer.averaged_pipeline(), model, story_of(state)))
        progress.say(_written(model))
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


def _begin(arguments: argparse.Namespace, accelerator: Accelerator, progress: Progress) -> Run:
    """Everything that a run needs; what would be refused is refused before pictures are rendered or read."""
    refuse_other_folder(arguments.out / MODEL)
    pipeline = begin_pipeline(arguments)
    fixed = unchanging(arguments, pipeline)
    checkpoint = arguments.out / CHECKPOINT
    state: dict[str, Any] | None = load_checkpoint(checkpoint) if checkpoint.exists() else None
    if state is not None:
        refuse_changes(arguments.out, state["fixed"], fixed)
    pictures = choose_pictures(arguments, pipeline.picture_size, accelerator, progress)
    trainer = Trainer(pipeline, pictures, recipe_of(arguments), accelerator)
    beginning = Beginning(fixed, command_line(arguments), _machine(accelerator))
    return Run(trainer, arguments.out, beginning, progress, state)


def _machine(accelerator: Accelerator) -> str:
    """What the run is computed on, in words."""
    device = accelerator.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()
    words = describe_machine(Device("cpu" if device.type == "cpu" else str(device), name))
    return f"{words}, {accelerator.num_processes} processes" if accelerator.num_processes > 1 else words


def _stopped(out: Path, seen: int) -> str:
    return (
        f"Stopped after {seen:,} pictures; the checkpoint is written. Start the same command again to go on, or make a "
        f"model of what is there: `sculptor-app train --out {out} --export FOLDER`."
    )


def _written(model: Path) -> str:
    return f"The model is in {model}. Open it with `sculptor-app --model {model}`."


def _refused(reason: object, code: int) -> int:
    """Say why, once for all processes unless it happened to this one alone; returns the code."""
    first = os.environ.get("RANK", "0") == "0"
    if first or (isinstance(reason, TrainingError) and not reason.everywhere):
        say(str(reason), sys.stderr)
    return code
