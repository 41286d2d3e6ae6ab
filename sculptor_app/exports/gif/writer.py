"""Animated GIFs of a run, or of many side by side: the file, a preview of one frame, and an estimate of the size."""

from itertools import pairwise
from pathlib import Path
from threading import Event

from sculptor_app.core.trajectory.base import RunTitle
from sculptor_app.exports.animation.drawing import Scenes
from sculptor_app.exports.animation.options import AnimationOptions, Disclosure
from sculptor_app.exports.animation.plan import DecodedFrames, RunGrid, RunOrGrid, TimedState, shown_states
from sculptor_app.exports.animation.scenes import Animation, animation_of
from sculptor_app.exports.files import ExportCancelled, Progress, replacing
from sculptor_app.exports.gif.encoder import TRAILER, SceneEncoder, file_header
from sculptor_app.exports.gif.palette import SheetPalette
from sculptor_app.exports.settings import settings_text, told_title
from sculptor_app.measures.run_measures import RunMeasures

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
    decoded: DecodedFrames | None = None,
    disclosure: Disclosure = Disclosure.NAMES,
) -> None:
    """Write the states that a run, or each of many, has taken so far.

    Args:
        path: the file to make or replace; whole or untouched, whatever happens.
        source: the run or runs; they may still grow, what comes later is left out.
        measures: a run's band energies; None has them measured if a plot needs them.
        progress: called after every frame.
        stop: set to give up before the next frame.
        decoded: what was decoded of runs in latents; the other frames are seen through the latents' map.
        disclosure: what the settings in the file, and the caption, tell.

    Raises:
        ExportError: the file could not be written, or the run holds nothing to show.
        ExportCancelled: `stop` was set.
    """
    shown_states(source, options)  # before anything is written: there may be none
    with replacing(path) as file:
        animation = animation_of(source, measures, options, decoded, _title(source, disclosure))
        scenes, frames = animation.scenes, animation.frames
        encoder = SceneEncoder(SheetPalette.of(scenes))
        file.write(_header(scenes, source, measures, options, disclosure))
        for done, frame in enumerate(frames):
            if stop is not None and stop.is_set():
                raise ExportCancelled
            file.write(encoder.encode(scenes.scene(frame.k), frame.delay_ms, frame.is_held))
            if progress is not None:
                progress(done + 1, len(frames))
        file.write(TRAILER)


def estimate_bytes(
    source: RunOrGrid, measures: RunMeasures | None, options: AnimationOptions, stop: Event | None = None
) -> int:
    """About how large the file becomes, within some 30 %, measured on a few of its frames.

    A frame's size depends on what is on screen before it, so each sampled frame is encoded after a few of those before
    it, and only the last counts.

    Args:
        stop: set to give up before the next frame.

    Raises:
        ExportError: there is nothing to show.
        ExportCancelled: `stop` was set.
    """
    animation = animation_of(source, measures, options)
    header = _header(animation.scenes, source, measures, options, Disclosure.NAMES)
    return len(header) + len(TRAILER) + round(_frames_bytes(animation, stop))


def preview_gif(
    source: RunOrGrid,
    measures: RunMeasures | None,
    options: AnimationOptions,
    k: int,
    disclosure: Disclosure = Disclosure.NAMES,
) -> bytes:
    """A GIF of one frame, made by the same means as the whole: what is seen here is what will be written.

    Args:
        k: the state to show, or else the nearest that the GIF will show.
        disclosure: what the caption tells.

    Raises:
        ExportError: there is nothing to show.
    """
    nearest = min(shown_states(source, options), key=lambda state: abs(state - k))
    scenes = animation_of(source, measures, options, title=_title(source, disclosure)).scenes
    frame = SceneEncoder(SheetPalette.of(scenes)).encode(scenes.scene(nearest), options.delay_ms)
    return file_header(scenes.width, scenes.height, False, b"preview") + frame + TRAILER


def _title(source: RunOrGrid, disclosure: Disclosure) -> RunTitle | None:
    return None if isinstance(source, RunGrid) else told_title(source.info, disclosure)


def _header(
    scenes: Scenes,
    source: RunOrGrid,
    measures: RunMeasures | None,
    options: AnimationOptions,
    disclosure: Disclosure,
) -> bytes:
    comment = settings_text(source, options.as_dict(), measures, disclosure).encode("ascii")
    return file_header(scenes.width, scenes.height, options.loop, comment)


def _frames_bytes(animation: Animation, stop: Event | None) -> float:
    """Bytes of all frames: encoded where there are few, otherwise the head and the mean between samples."""
    frames, last = animation.frames, len(animation.frames) - 1
    palette = SheetPalette.of(animation.scenes)

    def sizes_of(chosen: tuple[TimedState, ...]) -> list[int]:
        """Bytes of each frame when they follow one another from an empty screen."""
        encoder, sizes = SceneEncoder(palette), []
        for frame in chosen:
            if stop is not None and stop.is_set():
                raise ExportCancelled
            sizes.append(len(encoder.encode(animation.scenes.scene(frame.k), frame.delay_ms, frame.is_held)))
        return sizes

    if last <= _HEAD + _SAMPLES * len(_RUN_UP):
        return sum(sizes_of(frames))
    first = _HEAD + _RUN_UP[0] // 2
    ends = [first + round(n * (last - first) / (_SAMPLES - 1)) for n in range(_SAMPLES)]
    sizes = [sizes_of((*(frames[end - back] for back in _RUN_UP), frames[end]))[-1] for end in ends]
    between = sum((a + b) / 2 * (right - left) for (left, a), (right, b) in pairwise(zip(ends, sizes, strict=True)))
    head = sizes_of(frames[:_HEAD])
    return sum(head) + (ends[0] - _HEAD) * (head[-1] + sizes[0]) / 2 + between + (sizes[0] + sizes[-1]) / 2
