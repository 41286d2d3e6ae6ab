"""Decoding of a loaded model's latents: its latent map, a whole run, single frames.

Each is a generator that yields its results one by one and ends within one of them when it is stopped.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sculptor_app.core.errors import Cancelled
from sculptor_app.core.requests.request import RunRequest
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.latent_map import LatentMap, MapFittingProgress
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.core.trajectory.trajectory import DecodedTrajectory, decode_all

if TYPE_CHECKING:
    from sculptor_app.diffusion.latents.codec import LatentCodec

IN_TILES = translate("errors", "decoded in tiles, as memory was short: their borders are blended")
BY_SMALL = translate("errors", "decoded by the small decoder {0}")


class ModelLoader(Protocol):
    """Loader of a model's pipeline, with a cache beside it; the engine is one."""

    cache: dict[Hashable, Any]

    def load(self, model: str | None, device: str, stop: threading.Event) -> Any:
        """The pipeline of a model, ready on a device."""


@dataclass(frozen=True, slots=True, eq=False)
class DecodedFrame:
    """Frame that was decoded on demand."""

    key: object
    frame: Frame  # (3, H, W) float32, about -1 to 1
    note: str = ""  # how it was decoded where that was not the pipeline's own way, in plain words; else empty


def find_latent_map(
    engine: ModelLoader, request: RunRequest, stop: threading.Event
) -> Iterator[MapFittingProgress | LatentMap]:
    """The latent map of a request's model; nothing for a model that works on pixels.

    It yields a `MapFittingProgress` after every picture, where the map is not cached, and last the `LatentMap`. A
    `NoPictureOfLatents` says what the states are if they are no picture.

    Args:
        stop: Ends it after the picture that is being fitted.
    """
    from sculptor_app.diffusion.latents.map_cache import load_or_fit_map
    from sculptor_app.diffusion.pipelines.errors import run_errors
    from sculptor_app.diffusion.pipelines.layout import latent_layout_of

    pipeline = engine.load(request.model, request.device, stop)
    if latent_layout_of(pipeline).space == "pixels":
        return
    with _codec(engine, request, stop) as codec, run_errors("CPU"):
        found = yield from load_or_fit_map(codec, stop)
    yield found


def decode_run(
    engine: ModelLoader, decoded: DecodedTrajectory, stop: threading.Event, tiny_decoder: Path | None = None
) -> Iterator[int]:
    """Decode a run: it yields the number of every state that can be read from now on.

    After a stop, decoding the same trajectory again goes on where the last time was.

    Args:
        stop: Ends it after the state that is being decoded.
        tiny_decoder: Folder of a tiny decoder to use instead of the model's own.
    """
    with _codec(engine, decoded.source.info.request, stop, tiny_decoder) as codec:
        yield from decode_all(decoded, codec, stop)


def decode_frames(
    engine: ModelLoader,
    request: RunRequest,
    wanted: Iterable[tuple[object, Frame]],
    stop: threading.Event,
    tiny_decoder: Path | None = None,
) -> Iterator[DecodedFrame]:
    """Decode single frames: it yields a `DecodedFrame` of each, in their order.

    Args:
        wanted: A key that is handed back with the picture, and (C, h, w) latents: a guess, or a state in unit scale
            (`decoded.in_unit_scale`).
        stop: Ends it after the frame that is being decoded.
    """
    with _codec(engine, request, stop, tiny_decoder) as codec:
        for key, latents in wanted:
            if stop.is_set():
                raise Cancelled
            frame = codec.decode(latents)
            note = IN_TILES if codec.is_in_tiles else ""
            yield DecodedFrame(key, frame, BY_SMALL.format(tiny_decoder.name) if tiny_decoder is not None else note)


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
