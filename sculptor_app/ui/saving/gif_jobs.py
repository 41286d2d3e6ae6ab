"""What the GIF dialog has done in its worker thread: a preview with an estimate, and the file itself."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sculptor_app.session.worker import Job

if TYPE_CHECKING:
    from sculptor_app.exports.animation.options import AnimationOptions
    from sculptor_app.exports.animation.plan import RunOrGrid
    from sculptor_app.measures.run_measures import RunMeasures


@dataclass(frozen=True, slots=True)
class Preview:
    """One frame as a GIF of its own, how many frames there will be, and their size in pixels."""

    gif: bytes
    frames: int
    width_px: int
    height_px: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """About how large the file will be."""

    size_bytes: int


@dataclass(frozen=True, slots=True)
class Saved:
    """The file is written."""

    path: Path


def preview_job(filmed: RunOrGrid, measures: RunMeasures | None, options: AnimationOptions, k: int) -> Job:
    """A job that yields a Preview of the frame nearest to step k, then an Estimate."""

    def job(stop: threading.Event) -> Iterator[object]:
        from sculptor_app.exports.animation.plan import frame_count
        from sculptor_app.exports.animation.scenes import image_size
        from sculptor_app.exports.gif import writer

        picture = writer.preview_gif(filmed, measures, options, k)
        yield Preview(picture, frame_count(filmed, options), *image_size(filmed, options))
        yield Estimate(writer.estimate_bytes(filmed, measures, options))

    return job


def export_job(
    path: Path,
    filmed: RunOrGrid,
    measures: RunMeasures | None,
    options: AnimationOptions,
    progress: Callable[[int, int], None],
) -> Job:
    """A job that writes the file, reports its progress from its own thread, and yields Saved."""

    def job(stop: threading.Event) -> Iterator[object]:
        from sculptor_app.exports.gif import writer

        writer.write_gif(path, filmed, measures, options, progress, stop)
        yield Saved(path)

    return job
