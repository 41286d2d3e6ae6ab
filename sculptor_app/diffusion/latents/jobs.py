"""What the worker thread is asked to do with latents. Imports no torch before it works: the window names these.

Each is for `SamplingRunner.submit`: called with the engine and the event that asks it to stop, it yields what the
window is told. Only one job goes on at a time, so a run is never slowed by them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.decoded import DecodedTrajectory, decode_all
from sculptor_app.core.trajectory.latent_map import LatentMap
from sculptor_app.core.trajectory.step import Frame

if TYPE_CHECKING:
    from sculptor_app.diffusion.latents.codec import LatentCodec

Engine = Any
"""`loading.Engine`, whose module needs torch."""
Job = Callable[[Engine, threading.Event], Iterator[object]]


@dataclass(frozen=True, slots=True)
class MapFittingProgress:
    """A latent map is being fitted.

    Attributes:
        done: pictures that were encoded and decoded.
        planned: how many there may be.
    """

    done: int
    planned: int


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrame:
    """One frame, decoded on demand.

    Attributes:
        key: what it was asked for by.
        frame: (3, H, W) float32, about -1 to 1.
        note: how it was decoded where that was not the pipeline's own way, in plain words; else empty.
    """

    key: object
    frame: Frame
    note: str = ""


IN_TILES = "decoded in tiles, as memory was short: their borders are blended"
BY_SMALL = "decoded by the small decoder {0}"


def latent_map_job(request: RunRequest) -> Job:
    """Find the latent map of a request's model: nothing for a model that works on pixels.

    It yields a `MapFittingProgress` after every picture, where the map is not cached, and last the `LatentMap`.

    Args:
        request: Its model and device count.

    Raises:
        NoPictureOfLatents: In the worker: the states are no picture; the sentence says what they are.
    """

    def work(engine: Engine, stop: threading.Event) -> Iterator[object]:
        from sculptor_app.diffusion.latents.map_cache import mapping
        from sculptor_app.diffusion.pipelines.layout import latent_layout_of

        pipeline = engine.load(request.model, request.device, stop)
        if latent_layout_of(pipeline).space == "pixels":
            return
        with _codec(engine, request, stop) as codec:
            steps = mapping(codec, stop)
            while True:
                try:
                    yield MapFittingProgress(*next(steps))
                except StopIteration as end:
                    found: LatentMap = end.value
                    break
            yield found

    return work


def decoding_job(decoded: DecodedTrajectory, small: Path | None = None) -> Job:
    """Decode a run in the background: it yields the number of every state that can be read from now on.

    Given up, or begun again, it goes on where it was.

    Args:
        decoded: Made of the run; keeps the pictures.
        small: Folder of a small decoder to use instead of the model's own.
    """

    def work(engine: Engine, stop: threading.Event) -> Iterator[object]:
        with _codec(engine, decoded.source.info.request, stop, small) as codec:
            yield from decode_all(decoded, codec, stop)

    return work


def frame_decoding_job(request: RunRequest, wanted: Sequence[tuple[object, Frame]], small: Path | None = None) -> Job:
    """Decode single frames on demand: it yields a `DecodedFrame` of each, in their order.

    Args:
        request: What the run was made with; its model and device count.
        wanted: A key that is handed back with the picture, and (C, h, w) latents: a guess, or a state in unit scale
            (`decoded.in_unit_scale`).
        small: Folder of a small decoder to use instead of the model's own.
    """

    def work(engine: Engine, stop: threading.Event) -> Iterator[object]:
        with _codec(engine, request, stop, small) as codec:
            for key, latents in wanted:
                if stop.is_set():
                    raise Cancelled
                frame = codec.decode(latents)
                note = IN_TILES if codec.is_in_tiles else ""
                yield DecodedFrame(key, frame, BY_SMALL.format(small.name) if small is not None else note)

    return work


@contextlib.contextmanager
def _codec(
    engine: Engine, request: RunRequest, stop: threading.Event, small: Path | None = None
) -> Iterator[LatentCodec]:
    """The codec of a loaded model; what was moved to the device for it goes back afterwards."""
    from sculptor_app.diffusion.latents.codec import LatentCodec

    pipeline = engine.load(request.model, request.device, stop)
    try:
        yield LatentCodec(pipeline) if small is None else _small_codec(engine, pipeline, small)
    finally:
        pipeline.maybe_free_model_hooks()


def _small_codec(engine: Engine, pipeline: Any, folder: Path) -> LatentCodec:
    """A small decoder is tried against the model's own once; then it is kept beside the model that is loaded."""
    from sculptor_app.diffusion.latents.tiny_decoder import load_tiny_decoder, stamp

    key = (folder, stamp(folder))
    if key not in engine.cache:
        engine.cache[key] = load_tiny_decoder(folder, pipeline)
    codec: LatentCodec = engine.cache[key]
    return codec
