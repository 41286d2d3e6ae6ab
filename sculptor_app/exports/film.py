"""Films of a run or a grid: MP4, WebM, animated WebP and APNG through PyAV (FFmpeg), and a ZIP of PNG pictures.

Frames are drawn one after the other and never held together, whatever the length. Times are those of the frames, not a
common rate. Each file carries its settings where files of its kind keep a comment.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from threading import Event
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from sculptor_app.core.texts import translate
from sculptor_app.exports.animation.options import AnimationOptions, Disclosure
from sculptor_app.exports.animation.plan import DecodedFrames, RunGrid, RunOrGrid, TimedState, shown_states
from sculptor_app.exports.animation.scenes import Animation, animation_of
from sculptor_app.exports.files import ExportCancelled, ExportError, Progress, replacing
from sculptor_app.exports.settings import settings_text, told_title
from sculptor_app.measures.run_measures import RunMeasures

Bytes = NDArray[np.uint8]

SETTINGS_NAME = "settings.json"
"""Of the settings inside a ZIP."""
_SAMPLES = 12
"""Frames that an estimate encodes."""
_PER_SECOND = 1000


@dataclass(frozen=True, slots=True)
class FilmKind:
    """How FFmpeg makes a kind of film.

    Attributes:
        pixels: format of the frames that the encoder gets; with full colour another one, which every pixel's colour
            survives.
        looped: options of the container for playing for ever, and for playing once.
        carry: puts the settings into a finished file, and the time of the last frame where FFmpeg has none; None where
            the container has a comment of its own.
    """

    container: str
    codec: str
    pixels: str
    pixels_full: str
    options: dict[str, str]
    options_full: dict[str, str] = field(default_factory=dict)
    container_options: dict[str, str] = field(default_factory=dict)
    looped: tuple[dict[str, str], dict[str, str]] = ({}, {})
    is_even: bool = False  # whether width and height must be
    carry: Callable[[IO[bytes], str, int], None] | None = None


def _add_text_chunk(file: IO[bytes], settings: str, _: int) -> None:
    """Give a PNG a comment, before its end: so nothing of it has to move."""
    file.seek(-12, io.SEEK_END)
    end = file.read(12)  # IEND
    body = b"tEXt" + b"comment\0" + settings.encode("latin-1", "replace")
    file.seek(-12, io.SEEK_END)
    file.write(struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)) + end)


_XMP_BIT = 0x04


def _add_xmp(file: IO[bytes], settings: str, last_ms: int) -> None:
    """Give an animated WebP its settings as a property in an XMP packet, and its last frame its time.

    Source: WebP Container Specification, "Extended File Format"; XMP Specification, part 1.
    """
    escaped = settings.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:sculptor="urn:sculptor" sculptor:settings="'
        f'{escaped}"/></rdf:RDF></x:xmpmeta>'
    ).encode()
    chunks = dict(_chunks(file))  # of chunks of one name the last
    if b"VP8X" not in chunks:  # one frame alone, which is no animation
        return
    size = file.seek(0, io.SEEK_END)
    file.write(b"XMP " + struct.pack("<I", len(packet)) + packet + b"\0" * (len(packet) % 2))
    file.seek(4)
    file.write(struct.pack("<I", size + 8 + len(packet) + len(packet) % 2 - 8))
    file.seek(chunks[b"VP8X"])
    flags = file.read(1)[0]
    file.seek(chunks[b"VP8X"])
    file.write(bytes([flags | _XMP_BIT]))
    if b"ANMF" in chunks:
        file.seek(chunks[b"ANMF"] + 12)
        file.write(last_ms.to_bytes(3, "little"))


def _chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Names of a WebP's chunks, and where their contents begin."""
    place, end = 12, file.seek(0, io.SEEK_END)
    while place + 8 <= end:
        file.seek(place)
        head = file.read(8)
        size = int.from_bytes(head[4:], "little")
        yield head[:4], place + 8
        place += 8 + size + size % 2


FILMS: dict[str, FilmKind] = {
    "mp4": FilmKind(
        # No B frames: with them FFmpeg's MP4 ends where the last one is decoded, which is long before it is shown.
        "mp4", "libx264", "yuv420p", "yuv444p", {"crf": "16", "preset": "medium", "bf": "0"},
        container_options={"movflags": "+use_metadata_tags"}, is_even=True,
    ),
    "webm": FilmKind(
        "webm", "libvpx-vp9", "yuv420p", "yuv444p",
        {"crf": "22", "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}, is_even=True,
    ),
    "webp": FilmKind(
        "webp", "libwebp_anim", "bgra", "bgra", {"quality": "88", "compression_level": "4"}, {"lossless": "1"},
        looped=({"loop": "0"}, {"loop": "1"}), carry=_add_xmp,
    ),
    "apng": FilmKind(
        "apng", "apng", "rgb24", "rgb24", {"pred": "mixed"},
        looped=({"plays": "0"}, {"plays": "1"}), carry=_add_text_chunk,
    ),
}  # fmt: skip
"""By ending."""


def write_film(
    path: Path,
    source: RunOrGrid,
    measures: RunMeasures | None,
    options: AnimationOptions,
    progress: Progress | None = None,
    stop: Event | None = None,
    decoded: DecodedFrames | None = None,
    disclosure: Disclosure = Disclosure.NAMES,
    kind: str = "mp4",
) -> None:
    """Write a film; arguments and errors are those of `write_gif`.

    Args:
        kind: one of FILMS.
    """
    shown_states(source, options)  # before anything is written: there may be none
    film = FILMS[kind]
    settings = settings_text(source, options.as_dict(), measures, disclosure)
    with replacing(path) as file:
        animation = _animation(source, measures, options, decoded, disclosure)
        _encode(file, film, animation, animation.frames, options, settings, progress, stop)
        if film.carry is not None:
            film.carry(file, settings, animation.frames[-1].delay_ms)


def write_pngs(
    path: Path,
    source: RunOrGrid,
    measures: RunMeasures | None,
    options: AnimationOptions,
    progress: Progress | None = None,
    stop: Event | None = None,
    decoded: DecodedFrames | None = None,
    disclosure: Disclosure = Disclosure.NAMES,
) -> None:
    """Write every frame as a PNG of its own into a ZIP, with their times beside; otherwise as `write_film`.

    Pictures are named after their place and the state that they show; one that is shown twice is there once.
    """
    shown_states(source, options)
    settings = settings_text(source, options.as_dict(), measures, disclosure)
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        animation = _animation(source, measures, options, decoded, disclosure)
        names: dict[int, str] = {}
        for done, frame in enumerate(animation.frames, 1):
            _look_up(stop)
            if frame.k not in names:
                names[frame.k] = f"{len(names):05d}-state-{frame.k:04d}.png"
                archive.writestr(names[frame.k], _png(animation.scenes.scene(frame.k).rgb(), settings))
            if progress is not None:
                progress(done, len(animation.frames))
        times = [{"file": names[frame.k], "ms": frame.delay_ms} for frame in animation.frames]
        archive.writestr(SETTINGS_NAME, json.dumps(json.loads(settings) | {"frames": times}, indent=1))


def preview_film(
    source: RunOrGrid, measures: RunMeasures | None, options: AnimationOptions, k: int,
    disclosure: Disclosure = Disclosure.NAMES, kind: str = "mp4",
) -> bytes:  # fmt: skip
    """One frame as the film will show it, encoded and decoded again, as a PNG; otherwise as `preview_gif`."""
    animation = _animation(source, measures, options, None, disclosure)
    nearest = min(shown_states(source, options), key=lambda state: abs(state - k))
    film, file = FILMS[kind], io.BytesIO()
    _encode(file, film, animation, (TimedState(nearest, options.delay_ms),), options, "", None, None)
    file.seek(0)
    import av

    with av.open(file, "r") as container:
        shown = np.asarray(next(container.decode(video=0)).to_ndarray(format="rgb24"), np.uint8)
    height, width = animation.scenes.height, animation.scenes.width
    return _png(shown[:height, :width], "")


def preview_png(
    source: RunOrGrid, measures: RunMeasures | None, options: AnimationOptions, k: int,
    disclosure: Disclosure = Disclosure.NAMES,
) -> bytes:  # fmt: skip
    """One frame as the ZIP will hold it; otherwise as `preview_gif`."""
    nearest = min(shown_states(source, options), key=lambda state: abs(state - k))
    return _png(_animation(source, measures, options, None, disclosure).scenes.scene(nearest).rgb(), "")


def estimate_film_bytes(
    source: RunOrGrid, measures: RunMeasures | None, options: AnimationOptions, stop: Event | None = None,
    kind: str = "mp4",
) -> int:  # fmt: skip
    """About how large the film becomes, from a few stretches of it; otherwise as `estimate_bytes`."""
    animation = _animation(source, measures, options, None, Disclosure.NAMES)
    chosen = _sampled(animation.frames)
    file = io.BytesIO()
    _encode(file, FILMS[kind], animation, chosen, options, "", None, stop)
    return round(len(file.getvalue()) * len(animation.frames) / len(chosen))


def estimate_png_bytes(
    source: RunOrGrid, measures: RunMeasures | None, options: AnimationOptions, stop: Event | None = None
) -> int:
    """About how large the ZIP becomes; otherwise as `estimate_bytes`."""
    animation = _animation(source, measures, options, None, Disclosure.NAMES)
    states = sorted({frame.k for frame in animation.frames})
    chosen = states[:: max(1, len(states) // 6)]
    total = 0
    for k in chosen:
        _look_up(stop)
        total += len(_png(animation.scenes.scene(k).rgb(), ""))
    return round(total * len(states) / len(chosen))


def _sampled(frames: tuple[TimedState, ...]) -> tuple[TimedState, ...]:
    """Neighbours from the beginning, the middle and the end: what a frame takes depends on the one before it."""
    if len(frames) <= _SAMPLES:
        return frames
    each = _SAMPLES // 3
    middle = len(frames) // 2
    return (*frames[:each], *frames[middle : middle + each], *frames[-each:])


def _animation(
    source: RunOrGrid, measures: RunMeasures | None, options: AnimationOptions, decoded: DecodedFrames | None,
    disclosure: Disclosure,
) -> Animation:  # fmt: skip
    title = None if isinstance(source, RunGrid) else told_title(source.info, disclosure)
    return animation_of(source, measures, options, decoded, title)


def _png(rgb: Bytes, settings: str) -> bytes:
    text, file = PngImagePlugin.PngInfo(), io.BytesIO()
    if settings:
        text.add_text("comment", settings)
    Image.fromarray(rgb).save(file, "PNG", pnginfo=text)
    return file.getvalue()


def _look_up(stop: Event | None) -> None:
    if stop is not None and stop.is_set():
        raise ExportCancelled


def _timed(frames: Iterable[TimedState], usual_ms: int | None) -> Iterator[tuple[TimedState, int, int]]:
    """Each frame with when it begins and how long it stands, in ms.

    Args:
        usual_ms: One that stands longer comes a second time so long before its end, as some players cut the last frame
            of a film short; None leaves every frame whole.
    """
    now = 0
    for frame in frames:
        usual = frame.delay_ms if usual_ms is None else min(usual_ms, frame.delay_ms)
        parts = (frame.delay_ms - usual, usual) if frame.delay_ms > usual else (frame.delay_ms,)
        for part in parts:
            yield frame, now, part
            now += part


def _encode(
    file: IO[bytes], film: FilmKind, animation: Animation, frames: tuple[TimedState, ...], options: AnimationOptions,
    settings: str, progress: Progress | None, stop: Event | None,
) -> None:  # fmt: skip
    import av  # 100 MB of libraries: not before they are needed

    is_full = options.full_colour
    width, height = animation.scenes.width, animation.scenes.height
    if film.is_even:
        width, height = width + width % 2, height + height % 2
    container_options = film.container_options | film.looped[not options.loop]
    if film.container == "apng":
        container_options |= {"final_delay": f"{frames[-1].delay_ms}/{_PER_SECOND}"}
    try:
        with av.open(file, "w", film.container, options=container_options) as container:
            if settings and film.carry is None:
                container.metadata["comment"] = settings
            codec_options = film.options | (film.options_full if is_full else {})
            stream: Any = container.add_stream(
                film.codec, Fraction(_PER_SECOND, options.delay_ms), options=codec_options
            )
            stream.width, stream.height = width, height
            stream.pix_fmt = film.pixels_full if is_full else film.pixels
            stream.codec_context.time_base = Fraction(1, _PER_SECOND)
            shown, image = -1, None
            splits = film.carry is None
            for number, (frame, begin_ms, long_ms) in enumerate(_timed(frames, options.delay_ms if splits else None)):
                _look_up(stop)
                if image is None or frame.k != shown:
                    shown, image = frame.k, _padded(animation.scenes.scene(frame.k).rgb(), width, height)
                picture = av.VideoFrame.from_ndarray(image, format="rgb24")
                picture.pts, picture.time_base = begin_ms, Fraction(1, _PER_SECOND)
                picture.duration = long_ms
                container.mux(stream.encode(picture))
                if progress is not None:
                    progress(min(number + 1, len(frames)), len(frames))
            container.mux(stream.encode(None))
    except av.FFmpegError as error:
        disk = error.__cause__ or error.__context__  # a callback of PyAV's writes into the file
        if isinstance(disk, OSError) and not isinstance(disk, av.FFmpegError):
            raise disk from None  # `replacing` makes a sentence of it
        raise ExportError(
            translate("errors", "The film could not be encoded ({0}).").format(error),
            translate("errors", "Choose another format, or a smaller size."),
        ) from error


def _padded(rgb: Bytes, width: int, height: int) -> Bytes:
    """As large as the film: the last row and column go on."""
    missing = height - rgb.shape[0], width - rgb.shape[1]
    if missing == (0, 0):
        return np.ascontiguousarray(rgb)
    return np.pad(rgb, ((0, missing[0]), (0, missing[1]), (0, 0)), "edge")
