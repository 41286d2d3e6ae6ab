"""Conversion of a pipeline's tensors (pixels, latents, packed tokens) to frames in main memory."""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from PIL import Image

from sculptor_app.core.errors import SamplerFailed
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.diffusion.pipelines.layout import StateLayout

_MOST_COLOURS = 4
"""Channels of a picture: grey, colours, and at most how opaque it is."""
_MOST_COUNTED = 2**24
"""Whole numbers up to here are told apart in float32."""
_LEAST_SHARE = 0.01
"""Share of a picture that a pipeline must have left as it was, to be one that changes only a part."""


def to_frame(batch: torch.Tensor, element: int = 0) -> Frame:
    """Copy of one element of a batch (B, C, H, W) in main memory, (C, H, W) float32; else a `SamplerFailed`."""
    if batch.ndim != 4:
        raise SamplerFailed(
            translate("errors", "{0}, which is no picture.").format(_described(batch)),
            translate("errors", "Choose a model that makes pictures."),
        )
    frame: Frame = batch[element].detach().to("cpu", torch.float32, copy=True).contiguous().numpy()
    return frame


def to_frames(batch: torch.Tensor) -> list[Frame]:
    """Copies of all elements of a batch, each of its own memory; otherwise as `to_frame`."""
    if len(batch) == 1:
        return [to_frame(batch)]
    together = batch.detach().to("cpu")  # one transfer for all of them
    return [to_frame(together, element) for element in range(len(together))]


class FrameConverter:
    """Converter of a run's tensors to frames.

    Args:
        layout: Of the pipeline's states; None is that of plain pictures, (B, C, H, W).
        size: Height and width in pixels of the picture; packed states do not hold it. None assumes a square.
    """

    def __init__(self, layout: StateLayout | None = None, size: tuple[int, int] | None = None) -> None:
        self._layout = layout
        self._size = size

    @contextlib.contextmanager
    def noting_size(self, pipeline: Any) -> Iterator[None]:
        """Note the size that a pipeline prepares its packed states for, while the block calls it.

        Some choose another one than they are asked for, after a picture that they are given or the size that they
        were trained on.
        """
        prepare = getattr(pipeline, "prepare_latents", None) if self._is_packed else None
        if prepare is None:
            yield
            return

        @functools.wraps(prepare)
        def noted(*given: Any, **named: Any) -> Any:
            bound = inspect.signature(prepare).bind_partial(*given, **named).arguments
            height, width = bound.get("height"), bound.get("width")
            if isinstance(height, int) and isinstance(width, int):
                self._size = height, width
            return prepare(*given, **named)

        own = vars(pipeline).get("prepare_latents")  # somebody else may have put one there
        pipeline.prepare_latents = noted
        try:
            yield
        finally:
            del pipeline.prepare_latents
            if own is not None:
                pipeline.prepare_latents = own

    def is_picture(self, batch: torch.Tensor) -> bool:
        """Whether `frames` can convert such a tensor."""
        if self._is_packed:
            return (batch.ndim == 3 and self._tokens_fit(batch)) or self._is_grid(batch)
        return self._as_picture(batch).ndim == 4

    def is_state(self, batch: torch.Tensor) -> bool:
        """Whether a tensor has a state's form and not more channels, as a network's input may have beside the state."""
        if not self.is_picture(batch):
            return False
        if self._is_packed or self._layout is None:
            return True
        channels = self._as_picture(batch).shape[1]
        return channels == self._layout.channels if self._layout.channels else channels <= _MOST_COLOURS

    def last_states(
        self, result: Any, returned: torch.Tensor, states: list[Frame], is_changed: bool
    ) -> list[Frame] | None:
        """The last states of a run as its pipeline returned them, in the states' own space.

        A result counts where it is the state that the sampler returned, but for some part of it. Pipelines may also
        return their pictures in another scale, which makes them no other states.

        Args:
            result: An output of diffusers, or the tuple of its fields. Its pictures are latents in the form of states,
                or in [0, 1] a tensor (B, C, H, W), an array (B, H, W, C) or PIL pictures.
            returned: (B, ...) what the sampler returned last.
            states: The same as frames, of the pictures that are observed.
            is_changed: Whether the pipeline changed earlier states of the run.

        Returns:
            (C, H, W) each; None where the result cannot be compared.
        """
        images = getattr(result, "images", result)
        if isinstance(images, tuple | Mapping) and images:
            images = images[0]
        is_pixels = self._layout is None or self._layout.space == "pixels"
        tolerance = (1e-6 if returned.dtype in (torch.float32, torch.float64) else 4e-3) if is_pixels else 0.0
        if is_pixels and isinstance(images, list) and _are_pictures(images):
            images, tolerance = np.stack([np.asarray(each, np.float32) / 255 for each in images]), 1 / 255
        if is_pixels and isinstance(images, np.ndarray) and images.ndim == 4:
            images = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
        if not isinstance(images, torch.Tensor) or images.shape != returned.shape:
            return None
        frames = [frame * 2 - 1 if is_pixels else frame for frame in self.frames(images[: len(states)])]
        comparable = np.clip(states, -1, 1) if is_pixels else np.asarray(states)
        same = np.abs(comparable - frames) <= tolerance
        if same.all() or not (is_changed or same.mean() > _LEAST_SHARE):
            return None
        return list(np.where(same, states, frames))

    def frames(self, batch: torch.Tensor) -> list[Frame]:
        """Copies of all elements of a batch, (C, H, W) float32 each; `SamplerFailed` if they are no pictures.

        Args:
            batch: (B, C, H, W), packed (B, L, D) or (B, D, rows, columns), or of a model that was made for videos
                (B, C, 1, H, W) or (B, 1, H, W, C).
        """
        if not self._is_packed:
            return to_frames(self._as_picture(batch))
        if not self.is_picture(batch):
            raise SamplerFailed(
                translate("errors", "{0}, packed in a way that is not known here.").format(_described(batch)),
                translate("errors", "Choose a square picture."),
            )
        assert self._layout is not None
        height, width = self._size_of(batch)
        if self._is_grid(batch):
            grain = self._layout.patch * self._layout.factor
            height, width = batch.shape[2] * grain, batch.shape[3] * grain
            batch = batch.flatten(2).transpose(1, 2)
        tokens = batch.detach().to("cpu", torch.float32).numpy()
        return [self._layout.unpack(each, height, width) for each in tokens]

    def with_frame(self, state: torch.Tensor, frame: Frame) -> torch.Tensor | None:
        """A state with another first picture, packed as that was; None where a frame does not hold all of a state.

        Args:
            state: (B, ...), as `frames` takes it. Where it holds the same picture B times, all become the other one;
                else those after the first stay.
            frame: (C, H, W) float32.
        """
        one = state[:1]
        if one.numel() >= _MOST_COUNTED:
            return None
        numbers = torch.arange(one.numel(), dtype=torch.float32).reshape(one.shape)
        places = self.frames(numbers)[0].astype(np.int64)  # of the numbers of the frame, in the state
        if places.shape != frame.shape or len(np.unique(places)) != one.numel():
            return None
        made = np.empty(one.numel(), np.float32)
        made[places.ravel()] = frame.ravel()
        tensor = torch.from_numpy(made).reshape(one.shape).to(state.device, state.dtype)
        if all(torch.equal(each, state[0]) for each in state[1:]):
            return tensor.expand(state.shape).contiguous()
        return torch.cat([tensor, state[1:]])

    def _as_picture(self, batch: torch.Tensor) -> torch.Tensor:
        """A video of one frame as (B, C, H, W), whether its channels come before its frames or last; others as is."""
        if batch.ndim != 5:
            return batch
        layout = self._layout
        channels = layout.channels if layout is not None else 0
        if layout is not None and layout.repeats > 1 and batch.shape[1] == channels * layout.repeats:
            batch = batch[:, -channels:]
        if channels > 1 and batch.shape[1] == 1 and batch.shape[4] == channels:
            return batch[:, 0].permute(0, 3, 1, 2)
        return batch[:, :, 0] if batch.shape[2] == 1 else batch

    @property
    def _is_packed(self) -> bool:
        return self._layout is not None and self._layout.patch > 0

    def _is_grid(self, batch: torch.Tensor) -> bool:
        """Whether a tensor holds packed latents as (B, D, rows, columns), one token for each place."""
        assert self._layout is not None
        return batch.ndim == 4 and batch.shape[1] == self._layout.channels * self._layout.patch**2

    def _tokens_fit(self, batch: torch.Tensor) -> bool:
        assert self._layout is not None
        channels, height, width = self._layout.shape(*self._size_of(batch))
        patch = self._layout.patch
        return tuple(batch.shape[1:]) == (height * width // patch**2, channels * patch**2)

    def _size_of(self, batch: torch.Tensor) -> tuple[int, int]:
        """Height and width in pixels of the picture: those of the run's call, or of a square."""
        assert self._layout is not None
        if self._size is not None:
            return self._size
        side = math.isqrt(batch.shape[1]) * self._layout.patch * self._layout.factor
        return side, side


def _are_pictures(values: list[Any]) -> bool:
    return all(isinstance(each, Image.Image) and each.mode == "RGB" and each.size == values[0].size for each in values)


def _described(batch: torch.Tensor) -> str:
    video = " of a video" if batch.ndim == 5 else ""
    return translate("errors", "The states of this model have the shape {0}{1}").format(tuple(batch.shape), video)
