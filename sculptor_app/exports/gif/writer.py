"""Animated GIFs of a run, or of many side by side: the file, a preview of one frame, and an estimate of the size."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from threading import Event

from sculptor_app.exports.animation.film import RunOrGrid, Scenes, animation_of, size_of, states_of
from sculptor_app.exports.animation.options import AnimationOptions
from sculptor_app.exports.animation.plan import Shown, timetable
from sculptor_app.exports.atomic import replacing
from sculptor_app.exports.errors import ExportCancelled
from sculptor_app.exports.gif.encoder import TRAILER, SceneEncoder, file_header
from sculptor_app.measures.run_measures import RunMeasures

Progress = Callable[[int, int], None]
"""Called with the frames that are done and the frames in all."""

_HEAD = 7  # frames at the start that an estimate encodes one by one: they change most from one to the next
_SAMPLES = 5
_RUN_UP = (9, 5, 2, 1)  # frames before a sampled one that are encoded first: the screen has drifted as in the file


def write_gif(
    path: Path,
    source: RunOrGrid,
    measures: RunMeasures | None,
    options: AnimationOptions,
    progress: Progress | None = None,
    stop: Event | None = None,
) -> None:
    """Write the states that a run, or each of many, has taken so far.

    Args:
        path: the file to make or replace; whole or untouched, whatever happens.
        source: the run or runs; they may still grow, what comes later is left out.
        measures: a run's band energies; None has them measured if a plot needs them.
        options: what is wanted.
        progress: told after every frame.
        stop: set to give up before the next frame.

    Raises:
        ExportError: the file could not be written, or the run holds nothing to show.
        ExportCancelled: `stop` was set.
    """
    states_of(source, options)  # before anything is written: there may be none
    with replacing(path) as file:
        film = animation_of(source, measures, options)
        scenes, frames = film.scenes, film.frames
        encoder = SceneEncoder(scenes.colours, scenes.scale)
        file.write(file_header(scenes.width, scenes.height, options.loop, film.comment))
        for done, frame in enumerate(frames):
            if stop is not None and stop.is_set():
                raise ExportCancelled
            file.write(encoder.encode(scenes.scene(frame.k), frame.delay_ms, frame.careful))
            if progress is not None:
                progress(done + 1, len(frames))
        file.write(TRAILER)


def estimate_bytes(source: RunOrGrid, measures: RunMeasures | None, options: AnimationOptions) -> int:
    """About how large the file becomes, within some 30 %, measured on a few of its frames.

    A frame's size depends on what is on screen before it, so each sampled frame is encoded after a few of those before
    it, and only the last counts.

    Args:
        source: the run or runs so far.
        measures: as for `write_gif`.
        options: what is wanted.

    Raises:
        ExportError: there is nothing to show.
    """
    film = animation_of(source, measures, options)
    header = file_header(film.scenes.width, film.scenes.height, options.loop, film.comment)
    return len(header) + len(TRAILER) + round(_frames_bytes(film.scenes, film.frames))


def _frames_bytes(scenes: Scenes, frames: tuple[Shown, ...]) -> float:
    """Bytes of all frames: encoded where there are few, otherwise the head and the mean between samples."""
    last = len(frames) - 1
    if last <= _HEAD + _SAMPLES * len(_RUN_UP):
        return sum(_encoded_sizes(scenes, frames))
    ends = [
        _HEAD + _RUN_UP[0] // 2 + round(n * (last - _HEAD - _RUN_UP[0] // 2) / (_SAMPLES - 1)) for n in range(_SAMPLES)
    ]
    sizes = [_encoded_sizes(scenes, (*(frames[end - back] for back in _RUN_UP), frames[end]))[-1] for end in ends]
    between = sum((a + b) / 2 * (right - left) for (left, a), (right, b) in pairwise(zip(ends, sizes, strict=True)))
    head = _encoded_sizes(scenes, frames[:_HEAD])
    return sum(head) + (ends[0] - _HEAD) * (head[-1] + sizes[0]) / 2 + between + (sizes[0] + sizes[-1]) / 2


def _encoded_sizes(scenes: Scenes, frames: tuple[Shown, ...]) -> list[int]:
    """Bytes of each frame when they follow one another from an empty screen."""
    encoder = SceneEncoder(scenes.colours, scenes.scale)
    return [len(encoder.encode(scenes.scene(frame.k), frame.delay_ms, frame.careful)) for frame in frames]


def frame_count(source: RunOrGrid, options: AnimationOptions) -> int:
    """How many frames the GIF has.

    Raises:
        ExportError: there is nothing to show.
    """
    return len(timetable(states_of(source, options), options))


def gif_size(source: RunOrGrid, options: AnimationOptions) -> tuple[int, int]:
    """Width and height of the GIF in pixels; pixels stay crisp, so it may be smaller than what was asked for."""
    return size_of(source, options)


def preview_gif(source: RunOrGrid, measures: RunMeasures | None, options: AnimationOptions, k: int) -> bytes:
    """A GIF of one frame, made by the same means as the whole: what is seen here is what will be written.

    Args:
        source: the run or runs so far.
        measures: as for `write_gif`.
        options: what is wanted.
        k: the state to show, or else the nearest that the GIF will show.

    Raises:
        ExportError: there is nothing to show.
    """
    states = states_of(source, options)
    nearest = min(states, key=lambda state: abs(state - k))
    scenes = animation_of(source, measures, options).scenes
    frame = SceneEncoder(scenes.colours, scenes.scale).encode(scenes.scene(nearest), options.delay_ms)
    return file_header(scenes.width, scenes.height, False, b"preview") + frame + TRAILER
