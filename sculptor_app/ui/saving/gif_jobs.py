"""Background jobs of the dialog that saves animations: one frame as it will look, the file's size, and the file."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QCoreApplication

from sculptor_app.core.texts import plural
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.formats import AnimationFormat, Export
from sculptor_app.session.worker import Job
from sculptor_app.ui.playback.texts import duration_text


@dataclass(frozen=True, slots=True)
class Preview:
    """One frame as a picture file of its own, how many frames there will be, and their size in pixels."""

    picture: bytes
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
    size_bytes: int  # measured in the thread: the file may be gone at any time


def preview_job(row: AnimationFormat, export: Export) -> Job:
    """A job that yields a Preview of the frame nearest to the export's state, then an Estimate."""

    def job(stop: threading.Event) -> Iterator[object]:
        from PIL import Image

        from sculptor_app.exports.animation.plan import frame_count

        wanted = replace(export, stop=stop)
        picture = row.preview(wanted)
        with Image.open(io.BytesIO(picture), formats=("GIF", "PNG")) as image:
            size = image.size
        yield Preview(picture, frame_count(export.source, export.options), *size)
        yield Estimate(row.estimate_bytes(wanted))

    return job


def export_job(row: AnimationFormat, path: Path, export: Export) -> Job:
    """A job that writes the file, reports its progress from its own thread, and yields Saved."""

    def job(stop: threading.Event) -> Iterator[object]:
        row.write(path, replace(export, stop=stop))
        yield Saved(path, path.stat().st_size)

    return job


def facts_text(options: AnimationOptions, shown: Preview, size: str, row: AnimationFormat) -> str:
    """As "51 frames · 5.4 s" over "256 × 305 · about 840 KB"; of what does not move only the size of the file."""
    if "delay_ms" in row.hides:
        return size
    held = min(shown.frames, 2 if options.into_noise else 1)
    seconds = (options.delay_ms * (shown.frames - held) + max(options.hold_ms, options.delay_ms) * held) / 1000
    measure = f"{shown.width_px} × {shown.height_px}"
    translate = QCoreApplication.translate
    frames = plural(shown.frames, translate("GifTexts", "1 frame"), translate("GifTexts", "{0} frames"))
    return f"{frames.format(shown.frames)} · {duration_text(seconds)}\n{measure} · {size}"
