"""A run as an animated GIF."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from threading import Event

from sculptor_app.diffusion.any_trajectory import AnyTrajectory
from sculptor_app.exports.atomic import replacing
from sculptor_app.exports.errors import ExportCancelled, ExportError
from sculptor_app.exports.gif_container import TRAILER, file_header
from sculptor_app.exports.gif_encoder import SceneEncoder
from sculptor_app.exports.gif_options import FRAME_NAMES, FRAMES, GifOptions
from sculptor_app.exports.gif_plan import Shown, shown_states, timetable
from sculptor_app.exports.gif_scenes import SceneMaker, sheet_size
from sculptor_app.exports.settings import read_settings, settings_text
from sculptor_app.measures.recording import RunMeasures

__all__ = [
    "FRAMES", "FRAME_NAMES", "ExportCancelled", "ExportError", "GifOptions", "estimate_bytes", "frame_count",
    "gif_size", "read_settings", "write_gif",
]  # fmt: skip

Progress = Callable[[int, int], None]
"""Called with the frames that are done and the frames in all."""

_HEAD = 7  # frames at the start that an estimate encodes one by one: they change most from one to the next
_SAMPLES = 5
_RUN_UP = (
    9,
    5,
    2,
    1,
)  # frames before a sampled one that are encoded first, so that the screen has drifted as in the file


def write_gif(
    path: Path,
    trajectory: AnyTrajectory,
    measures: RunMeasures | None,
    options: GifOptions,
    progress: Progress | None = None,
    stop: Event | None = None,
) -> None:
    """Write the states that a run has taken so far.

    Args:
        path: the file to make or replace; whole or untouched, whatever happens.
        trajectory: the run; it may still grow, what comes later is left out.
        measures: its band energies; None has them measured if a plot needs them.
        options: what is wanted.
        progress: told after every frame.
        stop: set to give up before the next frame.

    Raises:
        ExportError: the file could not be written, or the run holds nothing to show.
        ExportCancelled: `stop` was set.
    """
    states = shown_states(trajectory, options)
    frames = timetable(states, options)
    with replacing(path) as file:
        maker = SceneMaker(trajectory, measures, options, states)
        encoder = SceneEncoder(maker.colours, maker.scale)
        comment = settings_text(trajectory, options.as_dict()).encode("ascii")
        file.write(file_header(maker.width, maker.height, options.loop, comment))
        for done, frame in enumerate(frames):
            if stop is not None and stop.is_set():
                raise ExportCancelled
            file.write(encoder.encode(maker.scene(frame.k), frame.delay_ms, frame.careful))
            if progress is not None:
                progress(done + 1, len(frames))
        file.write(TRAILER)


def estimate_bytes(trajectory: AnyTrajectory, measures: RunMeasures | None, options: GifOptions) -> int:
    """About how large the file becomes, within some 30 %, measured on a few of its frames.

    A frame's size depends on what is on screen before it, so each sampled frame is encoded after a few of those before
    it, and only the last counts.

    Args:
        trajectory: the run so far.
        measures: as for `write_gif`.
        options: what is wanted.

    Raises:
        ExportError: the run holds nothing to show.
    """
    states = shown_states(trajectory, options)
    frames = timetable(states, options)
    maker = SceneMaker(trajectory, measures, options, states)
    comment = settings_text(trajectory, options.as_dict()).encode("ascii")
    total = len(file_header(maker.width, maker.height, options.loop, comment)) + len(TRAILER)
    return total + round(_frames_bytes(maker, frames))


def _frames_bytes(maker: SceneMaker, frames: tuple[Shown, ...]) -> float:
    """Bytes of all frames: encoded where there are few, otherwise the head and the mean between samples."""
    last = len(frames) - 1
    if last <= _HEAD + _SAMPLES * len(_RUN_UP):
        return sum(_encoded_sizes(maker, frames))
    ends = [
        _HEAD + _RUN_UP[0] // 2 + round(n * (last - _HEAD - _RUN_UP[0] // 2) / (_SAMPLES - 1)) for n in range(_SAMPLES)
    ]
    sizes = [_encoded_sizes(maker, (*(frames[end - back] for back in _RUN_UP), frames[end]))[-1] for end in ends]
    between = sum((a + b) / 2 * (right - left) for (left, a), (right, b) in pairwise(zip(ends, sizes, strict=True)))
    head = _encoded_sizes(maker, frames[:_HEAD])
    return sum(head) + (ends[0] - _HEAD) * (head[-1] + sizes[0]) / 2 + between + (sizes[0] + sizes[-1]) / 2


def _encoded_sizes(maker: SceneMaker, frames: tuple[Shown, ...]) -> list[int]:
    """Bytes of each frame when they follow one another from an empty screen."""
    encoder = SceneEncoder(maker.colours, maker.scale)
    return [len(encoder.encode(maker.scene(frame.k), frame.delay_ms, frame.careful)) for frame in frames]


def frame_count(trajectory: AnyTrajectory, options: GifOptions) -> int:
    """How many frames the GIF has.

    Raises:
        ExportError: the run holds nothing to show.
    """
    return len(timetable(shown_states(trajectory, options), options))


def gif_size(trajectory: AnyTrajectory, options: GifOptions) -> tuple[int, int]:
    """Width and height of the GIF in pixels; pixels stay crisp, so it may be smaller than what was asked for."""
    return sheet_size(trajectory, options)
