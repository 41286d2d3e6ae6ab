"""Evaluation of a model: check everything first, then sample, render and compare."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sculptor_app.atelier import FORMS, MATERIALS, compiled
from sculptor_app.core.requests.request import RequestError
from sculptor_app.core.texts import translate
from sculptor_app.diffusion.models.loader import load_pipeline
from sculptor_app.diffusion.pipelines.devices import Device, find_device
from sculptor_app.diffusion.pipelines.errors import memory_errors, run_errors
from sculptor_app.diffusion.pipelines.sculptor import makes_sculptures
from sculptor_app.diffusion.sampling.engine import model_folder, model_name
from sculptor_app.training.evaluation.copies import are_copies, two_nearest
from sculptor_app.training.evaluation.figures import (
    Evaluation,
    Measured,
    count_confusions,
    fit,
    frechet,
    lattice,
    octave_powers,
)
from sculptor_app.training.evaluation.judge import Reading, Standard, describe_judge, read
from sculptor_app.training.evaluation.judge_training import JudgeRecipe, find_judge, make_judge, open_judge, share
from sculptor_app.training.evaluation.pictures import (
    Blocks,
    EvaluationListener,
    choose_blocks,
    cycle_labels,
    draw_samples,
    fresh_renders,
    training_blocks,
    training_renders,
    with_progress,
)
from sculptor_app.training.machine import describe_machine, has_fast_16_bits

Labels = tuple[list[int], list[int]]
"""Forms and materials of the samples."""
RECIPE = JudgeRecipe()
LEAST_SIZE, MOST_SIZE = 16, 128
"""Edges in pixels that a judge can be made for."""


@dataclass(frozen=True)
class EvaluationRequest:
    """What to measure, and what to compare with."""

    model: str | None = None  # folder of the model; None is the embedded one
    samples: int = 1024  # how many; forms and materials take turns
    seed: int = 0  # of the samples' noise and of the fresh renders
    steps: int = 50  # reverse steps of the sampler
    guidance: float = 2.0  # scale of the classifier-free guidance
    is_exact: bool = False  # sample in float32 where a CPU is faster in 16 bits
    device: str = "auto"  # as a person names it
    training_pictures: int | None = 960  # training pictures to look for copies of; None is all
    training_renders: Path | None = None  # folder in which training kept its renders; None renders them again
    makes_judge: bool = False  # train a judge and use it, even if there is one
    command: str = ""  # the command line, for the record
    sampler: str = "ddim"  # one of `NOISELESS_SAMPLERS`


def evaluate(request: EvaluationRequest, listener: EvaluationListener) -> Evaluation:
    """Measure a model.

    Raises:
        SculptorError: The model, the judge or the device cannot be used.
        OSError: A folder for renders could not be made or emptied.
    """
    begun = time.monotonic()
    device, folder = find_device(request.device), model_folder(request.model)
    blocks = choose_blocks(training_blocks(folder), request.training_pictures)
    labels = cycle_labels(request.samples)
    dtype = torch.bfloat16 if has_fast_16_bits(device.id) and not request.is_exact else torch.float32
    with memory_errors(device.name):
        pipeline = load_pipeline(folder, device.id)
        _check_model(folder, pipeline, request.steps)
        if sentence := compiled.notice(_render_device(device)):
            listener.message(sentence)
        judge = _judge_folder(pipeline.picture_size, _render_device(device), request.makes_judge, listener)
        standard = open_judge(judge, pipeline.picture_size)
        with run_errors(device.name):
            drawn = draw_samples(
                pipeline, *labels, request.seed, request.steps, request.guidance, dtype, request.sampler
            )
            samples = torch.cat(list(with_progress(listener, "Sampling", request.samples, drawn)))
        of_samples, of_renders, reading = _compare(
            request, standard, samples, labels, blocks, pipeline.patch, _render_device(device), listener
        )
    asked = {name: getattr(request, name) for name in ("samples", "sampler", "steps", "guidance", "seed")}
    return Evaluation(
        settings={"model": model_name(request.model), **asked, "precision": str(dtype).removeprefix("torch.")},
        samples=of_samples,
        renders=of_renders,
        training_compared=sum(count for _, count in blocks),
        confusions=(count_confusions(FORMS, torch.tensor(labels[0]), reading.forms),
                    count_confusions(MATERIALS, torch.tensor(labels[1]), reading.materials)),
        judge=describe_judge(judge, standard),
        command=request.command,
        machine=describe_machine(device),
        seconds=time.monotonic() - begun,
    )  # fmt: skip


def _render_device(device: Device) -> str:
    return device.id if device.id.startswith("cuda") else "cpu"


def _check_model(folder: Path, pipeline: Any, steps: int) -> None:
    """Refuse other labels, a size of pictures that no judge reads, and too few timesteps."""
    if not makes_sculptures(pipeline):
        raise RequestError(
            translate(
                "errors",
                "The model in {0} does not make the forms and materials that are measured here ({1}; {2}): "
                "choose one that learned rendered sculptures.",
            ).format(folder, ", ".join(FORMS), ", ".join(MATERIALS))
        )
    size, most_steps = pipeline.picture_size, pipeline.scheduler.config.num_train_timesteps
    if not LEAST_SIZE <= size <= MOST_SIZE or size % 8:
        raise RequestError(
            translate(
                "errors",
                "The model in {0} makes pictures of {1} pixels: choose one whose pictures have a multiple of "
                "8, {2} to {3}.",
            ).format(folder, size, LEAST_SIZE, MOST_SIZE)
        )
    if steps > most_steps:
        raise RequestError(
            translate("errors", "The number of steps is {0}; this model takes 1 to {1}.").format(steps, most_steps)
        )


def _judge_folder(size: int, device: str, is_new: bool, listener: EvaluationListener) -> Path:
    """The judge for these pictures; made if it was asked for, or if there is none."""
    found = None if is_new else find_judge(size)
    if found is not None:
        return found
    listener.message(f"Making a judge of pictures of {size} pixels first; it is kept for later.")
    return make_judge(size, device, RECIPE, listener)


def _compare(
    request: EvaluationRequest, standard: Standard, samples: torch.Tensor, labels: Labels, blocks: Blocks,
    patch: int, device: str, listener: EvaluationListener,
) -> tuple[Measured, Measured, Reading]:  # fmt: skip
    """Figures of the samples and of as many fresh renders of the same labels, and what was read off the samples."""
    rendered = fresh_renders(request.seed, *labels, standard.size, device)
    renders = torch.cat(list(with_progress(listener, "Rendering", len(samples), rendered)))
    known = training_renders(blocks, standard.size, request.training_renders, device)
    watched = with_progress(listener, "Looking for copies", sum(count for _, count in blocks), known)
    distances = two_nearest(torch.cat([samples, renders]), watched)
    of_samples, of_renders = read(standard.judge, samples), read(standard.judge, renders)
    return (
        measure(standard, samples, patch, of_samples, labels, distances[: len(samples)]),
        measure(standard, renders, patch, of_renders, labels, distances[len(samples) :]),
        of_samples,
    )


def measure(
    standard: Standard, pictures: torch.Tensor, patch: int, reading: Reading, labels: Labels, distances: torch.Tensor
) -> Measured:
    """The figures of a set of pictures (N, 3, S, S) uint8.

    Args:
        standard: What read them, with its features of clean renders.
        patch: Edge in pixels of the patches that the model works on.
        distances: (N, 2), to the nearest and second nearest training picture; infinite as far as none is known.
    """
    forms, materials = (torch.tensor(asked) for asked in labels)
    noise, blur = reading.roughness.median(dim=0).values.tolist()
    middle = float(distances[:, 0].median())
    can_tell = bool(distances.isfinite().all())  # two training pictures are known
    return Measured(
        form_accuracy=share(reading.forms == forms),
        material_accuracy=share(reading.materials == materials),
        frechet=frechet(fit(reading.features), standard.reference),
        nearest=None if middle == torch.inf else middle,
        noise=noise,
        blur=blur,
        lattice=lattice(pictures, patch),
        octaves=octave_powers(pictures),
        copies=(int(are_copies(distances).sum()), len(pictures)) if can_tell else None,
    )
