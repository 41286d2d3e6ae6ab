"""A person's own folder of pictures as a training set."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
FEWEST = 16


class TooFewPictures(Exception):
    """The folder holds too few pictures to learn from; the message says how many and how many it takes."""


class FolderSet:
    """All pictures of a folder and of those inside it, cropped to squares and resized.

    Args:
        folder: Where to look.
        size: Edge in pixels.
        say: Called with a sentence for every picture that cannot be read.

    Raises:
        TooFewPictures: Fewer than 16 can be read.
        NotADirectoryError: There is no such folder.
    """

    def __init__(self, folder: Path, size: int, say: Callable[[str], None] = print) -> None:
        if not folder.is_dir():
            raise NotADirectoryError(f"There is no folder {folder}.")
        found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        pictures = [picture for path in found if (picture := _read_or_name(path, size, say)) is not None]
        if len(pictures) < FEWEST:
            raise TooFewPictures(
                f"{folder} holds {len(pictures)} pictures that can be read; learning takes {FEWEST} or more."
            )
        self._pictures = np.stack(pictures)
        self._fingerprint = hashlib.sha256(self._pictures.tobytes()).hexdigest()

    @property
    def shard_names(self) -> list[str]:
        """One name that stands for exactly these pictures."""
        return [self._fingerprint]

    def __len__(self) -> int:
        return len(self._pictures)

    def refresh(self, only: list[str] | None = None) -> None:
        """Nothing new appears; a resumed run must find the pictures that it had.

        Raises:
            ValueError: The folder holds other pictures than when the run began.
        """
        if only is not None and only != self.shard_names:
            raise ValueError("The folder's pictures have changed since this run began. Start a new run with --out.")

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pictures (B, size, size, 3) uint8; form and material are 0, the only label there is."""
        none = np.zeros(len(indices), np.int64)
        return self._pictures[indices], none, none


def _read_or_name(path: Path, size: int, say: Callable[[str], None]) -> np.ndarray | None:
    try:
        return read_square(path, size)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        say(f"{path} is skipped: it cannot be read ({error}).")
        return None


def read_square(path: Path, size: int) -> np.ndarray:
    """(size, size, 3) uint8: turned upright, on white where it is transparent, its middle square, resized."""
    with Image.open(path) as picture:
        upright = ImageOps.exif_transpose(picture).convert("RGBA")
    white = Image.new("RGBA", upright.size, "white")
    flat = Image.alpha_composite(white, upright).convert("RGB")
    return np.asarray(ImageOps.fit(flat, (size, size), Image.Resampling.LANCZOS))
