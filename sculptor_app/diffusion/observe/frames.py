"""Conversion of a pipeline's tensors (pixels, latents, packed tokens) to frames in main memory."""

from __future__ import annotations

import math

import torch

from sculptor_app.core.errors import SamplerFailed
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.step import Frame
from sculptor_app.diffusion.pipelines.layout import StateLayout


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

    def is_picture(self, batch: torch.Tensor) -> bool:
        """Whether `frames` can convert such a tensor."""
        if self._is_packed:
            return batch.ndim == 3 and self._tokens_fit(batch)
        return batch.ndim == 4 or (batch.ndim == 5 and batch.shape[2] == 1)

    def frames(self, batch: torch.Tensor) -> list[Frame]:
        """Copies of all elements of a batch, (C, H, W) float32 each; `SamplerFailed` if they are no pictures.

        Args:
            batch: (B, C, H, W), packed (B, L, D), or (B, C, 1, H, W) of a model that was made for videos.
        """
        if not self._is_packed:
            return to_frames(batch[:, :, 0] if batch.ndim == 5 and batch.shape[2] == 1 else batch)
        if not self.is_picture(batch):
            raise SamplerFailed(
                translate("errors", "{0}, packed in a way that is not known here.").format(_described(batch)),
                translate("errors", "Choose a square picture."),
            )
        assert self._layout is not None
        height, width = self._size_of(batch)
        tokens = batch.detach().to("cpu", torch.float32).numpy()
        return [self._layout.unpack(each, height, width) for each in tokens]

    @property
    def _is_packed(self) -> bool:
        return self._layout is not None and self._layout.patch > 0

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


def _described(batch: torch.Tensor) -> str:
    video = " of a video" if batch.ndim == 5 else ""
    return translate("errors", "The states of this model have the shape {0}{1}").format(tuple(batch.shape), video)
