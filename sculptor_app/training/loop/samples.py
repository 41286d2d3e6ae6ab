"""Samples during training: sheets of all labels, and rows of the sample history from fixed noises."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from sculptor_app.core.errors import Cancelled, SamplerFailed
from sculptor_app.core.requests.request import FIRST_GUIDANCE
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.core.trajectory.step import Frame, Step
from sculptor_app.diffusion.observe.observer import BatchObserver, observed
from sculptor_app.diffusion.pipelines.sculptor import SculptorPipeline
from sculptor_app.diffusion.samplers.levels import Call
from sculptor_app.measures.colours import byte_picture
from sculptor_app.training.evaluation.pictures import sample_labelled
from sculptor_app.training.files import whole_file
from sculptor_app.training.records.events import SampleRow
from sculptor_app.training.records.plan import HISTORY_STEPS, NOISES, Plan

COLUMNS, ROWS = 6, 8
"""Of a sheet: the materials and the forms of the default model."""


def write_sample_sheet(pipeline: SculptorPipeline, path: Path, at_once: int = COLUMNS * ROWS) -> None:
    """A row per form, a column per material, on fixed noise; samples alone without labels. `NotWritten` if it fails."""
    table = pipeline.label_embedding
    forms = [i // COLUMNS % max(table.null_form, 1) for i in range(ROWS * COLUMNS)]
    materials = [i % COLUMNS % max(table.null_material, 1) for i in range(ROWS * COLUMNS)]
    pictures = sample_labelled(pipeline, forms, materials, at_once=at_once)
    height, width = pictures.shape[1:3]
    sheet = pictures.reshape(ROWS, COLUMNS, height, width, 3).transpose(0, 2, 1, 3, 4)
    with whole_file(path) as file:
        Image.fromarray(sheet.reshape(ROWS * height, COLUMNS * width, 3)).save(file, format="png")


NOISE_SEED = 20_261_125


def fixed_noises(size: int) -> torch.Tensor:
    """The noises that are denoised again and again, (NOISES, 3, size, size); the same in every run."""
    generator = torch.Generator().manual_seed(NOISE_SEED)
    return torch.randn((NOISES, 3, size, size), generator=generator, dtype=torch.float32)


def sample_fixed_noises(
    pipeline: SculptorPipeline, plan: Plan, pictures: int, stop: threading.Event, steps: int = HISTORY_STEPS
) -> SampleRow | None:
    """Denoise the fixed noises; nothing random is drawn, so that training goes on as if this had not been.

    Args:
        pipeline: Of the averaged weights, with a scheduler of its own (DDIM).

    Returns:
        The row; None where a stop was asked for, or where the model makes NaN.
    """
    recorder = _Recorder(stop)
    forms, materials = plan.labels_of_noises()
    try:
        with observed(pipeline.scheduler, BatchObserver(recorder.start, recorder.take, recorder.interrupt)):
            pipeline(
                forms, materials, num_inference_steps=steps, guidance_scale=FIRST_GUIDANCE,
                noise=fixed_noises(plan.size), batch_size=NOISES, output_type="pt",
            )  # fmt: skip
    except (Cancelled, SamplerFailed):
        return None
    return recorder.row(pictures)


class _Recorder:
    """The frames that the observer reports, as bytes."""

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._levels: tuple[NoiseLevel, ...] = ()
        self._states: list[NDArray[np.uint8]] = []  # (B, H, W, 3) each
        self._guesses: list[NDArray[np.uint8]] = []

    def interrupt(self) -> None:
        if self._stop.is_set():
            raise Cancelled

    def start(self, frames: list[Frame], calls: tuple[Call, ...]) -> None:
        self._levels = (calls[0].before, *(call.after for call in calls))
        self._states.append(_bytes(frames))
        self._guesses.append(self._states[0])

    def take(self, steps: list[Step]) -> None:
        self._states.append(_bytes([step.state for step in steps]))
        self._guesses.append(_bytes([step.guess for step in steps if step.guess is not None]))

    def row(self, pictures: int) -> SampleRow:
        return SampleRow(pictures, np.stack(self._guesses, axis=1), np.stack(self._states, axis=1), self._levels)


def _bytes(frames: list[Frame]) -> NDArray[np.uint8]:
    """Frames (3, H, W) in [-1, 1] as (B, H, W, 3)."""
    return np.stack([byte_picture(frame, 1.0) for frame in frames])
