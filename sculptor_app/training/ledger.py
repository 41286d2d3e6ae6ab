"""What a training run tells about itself: loss, rate, time left, and the loss per noise level."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import torch

EDGES = (-8.0, -6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0)
"""Borders of the noise-level bins on the log-SNR axis."""


class Ledger:
    """Running means of the loss, in all and per noise level.

    Args:
        path: Lines of JSON are appended here.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sums = torch.zeros(len(EDGES) + 1)
        self._counts = torch.zeros(len(EDGES) + 1)
        self._since = time.monotonic()
        self._pictures_since = 0

    def note(self, losses: torch.Tensor, alphas_cumprod: torch.Tensor) -> None:
        """Count losses (B,) of pictures whose ᾱ is given, (B,)."""
        place = torch.bucketize(torch.log(alphas_cumprod / (1 - alphas_cumprod)), torch.tensor(EDGES))
        self._sums.index_add_(0, place, losses)
        self._counts.index_add_(0, place, torch.ones_like(losses))
        self._pictures_since += len(losses)

    def report(self, pictures: int, total: int, learning_rate: float, processes: int = 1) -> str:
        """Write what was noted since the last report, and put it in words.

        Args:
            pictures: Pictures seen by now.
            total: Pictures that the run is to see.
            learning_rate: Now.
            processes: How many train together; this ledger notes one's share.
        """
        seconds = max(time.monotonic() - self._since, 1e-9)
        rate = self._pictures_since * processes / seconds
        left_min = (total - pictures) / max(rate, 1e-9) / 60
        loss = float(self._sums.sum() / self._counts.sum().clamp(min=1))
        by_level = [round(float(s / c), 4) if c else None for s, c in zip(self._sums, self._counts, strict=True)]
        entry = {"pictures": pictures, "loss": round(loss, 5), "learning_rate": round(learning_rate, 8),
                 "pictures_per_second": round(rate, 2), "minutes_left": round(left_min, 1),
                 "loss_by_log_snr": by_level}  # fmt: skip
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        self.__init__(self._path)  # type: ignore[misc]
        levels = " ".join("-" if value is None else f"{value:.3f}" for value in by_level)
        return (f"{pictures:>8,} of {total:,} pictures  loss {loss:.4f}  {rate:.1f} pictures/s  "
                f"{math.ceil(left_min)} min left  by level [{levels}]")  # fmt: skip
