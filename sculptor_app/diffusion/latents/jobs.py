"""Jobs of the worker thread on latents: finding a latent map, decoding a run or single frames.

Each job is for `SamplingRunner.submit`: it is called with the engine and the event that asks it to stop, and yields
results for the window. One job runs at a time, so that a run of a model is never slowed down. torch is imported when a
job runs: the window imports this module before it is on screen.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.trajectory.decoded import DecodedTrajectory, decode_all
from sculptor_app.core.trajectory.latent_map import MapFittingProgress as MapFittingProgress  # yielded from here
from sculptor_app.core.trajectory.step import Frame

if TYPE_CHECKING:
    from sculptor_app.diffusion.latents.codec import LatentCodec

IN_TILES = "decoded in tiles, as memory was short: their borders are blended"
BY_SMALL = "decoded by the small decoder {0}"


class ModelLoader(Protocol):
    """What jobs need of the engine; `sampling.engine.Engine` says what it means."""

    cache: dict[Hashable, Any]

    def load(self, model: str | None, device: str, stop: threading.Event) -> Any:
        """The pipeline of a model, ready on a device."""


Job = Callable[[ModelLoader, threading.Event], Iterator[object]]


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


def latent_map_job(request: RunRequest) -> Job:
    """Job that finds the latent map of a request's model; it yields nothing for a model that works on pixels.

    It yields a `MapFittingProgress` after every picture, where the map is not cached, and last the `LatentMap`.

    Args:
        request: Its model and device count.

    Raises:
        NoPictureOfLatents: In the worker: the states are no picture; the sentence says what they are.
    """

    def job(engine: ModelLoader, stop: threading.Event) -> Iterator[object]:
        from sculptor_app.diffusion.latents.map_cache import load_or_fit_map
        from sculptor_app.diffusion.pipelines.layout import latent_layout_of

        pipeline = engine.load(request.model, request.device, stop)
        if latent_layout_of(pipeline).space == "pixels":
            return
        with _codec(engine, request, stop) as codec:
            found = yield from load_or_fit_map(codec, stop)
        yield found

    return job


def decoding_job(decoded: DecodedTrajectory, tiny_decoder: Path | None = None) -> Job:
    """Job that decodes a run in the background: it yields the number of every state that can be read from now on.

    After a stop a new job of the same trajectory goes on where the last one was.

    Args:
        decoded: Made of the run; keeps the pictures.
        tiny_decoder: Folder of a tiny decoder to use instead of the model's own.
    """

    def job(engine: ModelLoader, stop: threading.Event) -> Iterator[object]:
        with _codec(engine, decoded.source.info.request, stop, tiny_decoder) as codec:
            yield from decode_all(decoded, codec, stop)

    return job


def frame_decoding_job(
    request: RunRequest, wanted: Sequence[tuple[object, Frame]], tiny_decoder: Path | None = None
) -> Job:
    """Job that decodes single frames on demand: it yields a `DecodedFrame` of each, in their order.

    Args:
        request: What the run was made with; its model and device count.
        wanted: A key that is handed back with the picture, and (C, h, w) latents: a guess, or a state in unit scale
            (`decoded.in_unit_scale`).
        tiny_decoder: Folder of a tiny decoder to use instead of the model's own.
    """

    def job(engine: ModelLoader, stop: threading.Event) -> Iterator[object]:
        with _codec(engine, request, stop, tiny_decoder) as codec:
            for key, latents in wanted:
                if stop.is_set():
                    raise Cancelled
                frame = codec.decode(latents)
                note = IN_TILES if codec.is_in_tiles else ""
                yield DecodedFrame(key, frame, BY_SMALL.format(tiny_decoder.name) if tiny_decoder is not None else note)

    return job


@contextlib.contextmanager
def _codec(
    engine: ModelLoader, request: RunRequest, stop: threading.Event, tiny_decoder: Path | None = None
) -> Iterator[LatentCodec]:
    """The codec of a loaded model; what was moved to the device for it goes back afterwards."""
    from sculptor_app.diffusion.latents.codec import LatentCodec

    pipeline = engine.load(request.model, request.device, stop)
    try:
        yield LatentCodec(pipeline) if tiny_decoder is None else _tiny_codec(engine, pipeline, tiny_decoder)
    finally:
        pipeline.maybe_free_model_hooks()


def _tiny_codec(engine: ModelLoader, pipeline: Any, folder: Path) -> LatentCodec:
    """The codec of a tiny decoder: checked against the model's own once, then cached beside the loaded model."""
    from sculptor_app.diffusion.latents.tiny_decoder import load_tiny_decoder, stamp

    key = (folder, stamp(folder))
    if key not in engine.cache:
        engine.cache[key] = load_tiny_decoder(folder, pipeline)
    codec: LatentCodec = engine.cache[key]
    return codec
