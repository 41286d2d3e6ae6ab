"""A folder of pictures as a training set: cropped to squares and resized."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sculptor_app.core.files import is_folder
from sculptor_app.core.pictures.file import Fit, decode
from sculptor_app.core.pictures.formats import Unreadable as Unreadable  # also read from here
from sculptor_app.core.texts import pictures_text, translate
from sculptor_app.training.errors import BadInput, PicturesChanged, TooFewPictures
from sculptor_app.training.machine import refuse_too_many

WHITE = (255, 255, 255)


def read_square(path: Path, size: int) -> np.ndarray:
    """The middle square of a picture, whatever its size, aspect, colours and depth: (size, size, 3) uint8, sRGB.

    Turned upright as the camera was held, on white where it is transparent; of an animation the first frame.

    Raises:
        Unreadable: It is no picture, is cut off, is too large, or may not be read.
    """
    return _read_square(path, size)[0]


def _read_square(path: Path, size: int) -> tuple[np.ndarray, bool]:
    """The square, and whether its greys were scaled to their own range."""
    found = decode(path, Fit(square_px=size, gap=None), WHITE)
    return found.pixels.round().astype(np.uint8), bool(found.grey_note)


SUFFIXES = (
    ".apng", ".arw", ".avif", ".bmp", ".bw", ".cr2", ".cr3", ".cur", ".dcx", ".dds", ".dib", ".dng", ".eps", ".exr",
    ".fit", ".fits", ".flc", ".fli", ".gif", ".hdr", ".heic", ".heif", ".icns", ".ico", ".im", ".j2c", ".j2k", ".jfif",
    ".jp2", ".jpc", ".jpe", ".jpeg", ".jpf", ".jpg", ".jpx", ".jxl", ".mpo", ".nef", ".orf", ".pbm", ".pcd", ".pcx",
    ".pef", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".psb", ".psd", ".pxr", ".qoi", ".raf", ".ras", ".rgb", ".rgba",
    ".rw2", ".sgi", ".svg", ".tga", ".tif", ".tiff", ".vda", ".vst", ".webp", ".xbm", ".xcf", ".xpm",
)  # fmt: skip
"""What counts as a picture by its name; those that cannot be read are named, so that nobody wonders where they went."""
FEWEST = 16


class FolderSet:
    """All pictures of a folder and of those inside it, cropped to squares and resized, without labels.

    Args:
        folder: Where to look; links are followed, each folder is looked into once.
        size: Edge in pixels of the squares.
        message: Called with a sentence for everything that is skipped, and with a count at the end.
        progress: Called with the number of files read so far and that of all.

    Raises:
        BadInput: There is no such folder.
        TooManyPictures: Its pictures do not fit into memory.
        TooFewPictures: Fewer than 16 can be read.
    """

    def __init__(
        self, folder: Path, size: int, message: Callable[[str], None] = print,
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> None:  # fmt: skip
        reading = read_folder(folder, size, message)
        while True:
            try:
                progress(*next(reading))
            except StopIteration as end:
                self._keep(end.value)
                return

    @classmethod
    def of(cls, pictures: np.ndarray) -> FolderSet:
        """A set of what `read_folder` has returned."""
        made = cls.__new__(cls)
        made._keep(pictures)
        return made

    def _keep(self, pictures: np.ndarray) -> None:
        self._pictures = pictures
        self._fingerprint = hashlib.sha256(pictures.data).hexdigest()

    @property
    def shard_names(self) -> list[str]:
        """One name that stands for exactly these pictures."""
        return [self._fingerprint]

    def __len__(self) -> int:
        return len(self._pictures)

    def refresh(self, only: list[str] | None = None) -> None:
        """Check of a resumed run: nothing new is read, and `PicturesChanged` if the pictures are not those it had."""
        if only is not None and only != self.shard_names:
            raise PicturesChanged(translate("errors", "The folder's pictures have changed since this run began."))

    def take(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pictures (B, size, size, 3) uint8; form and material are 0, the only label there is."""
        none = np.zeros(len(indices), np.int64)
        return self._pictures[indices], none, none

    def provenance(self) -> dict[str, Any]:
        """How many pictures there are; no names, as the model may travel."""
        return {"render_seeds": [], "pictures": len(self)}


def read_folder(
    folder: Path, size: int, message: Callable[[str], None]
) -> Generator[tuple[int, int], None, np.ndarray]:
    """Read a folder for a FolderSet, picture by picture, with its errors.

    Yields:
        How many files were read, and how many there are.

    Returns:
        (N, size, size, 3) uint8.
    """
    if not is_folder(folder):
        raise BadInput(
            translate("errors", "There is no folder {0}.").format(folder),
            translate("errors", "Give a folder that holds pictures."),
        )
    skipped = _Skipped(message)
    found = sorted(find_pictures(folder, skipped))
    refuse_too_many(len(found), size)
    pictures = np.empty((len(found), size, size, 3), np.uint8)
    count = scaled = 0
    for done, path in enumerate(found, 1):
        try:
            pictures[count], is_scaled = _read_square(path, size)
            count += 1
            scaled += is_scaled
        except Unreadable as error:
            skipped(path, str(error))
        yield done, len(found)
    if skipped.count:
        message(
            translate("errors", "{0:,} skipped, {1} of {2} are learned.").format(
                skipped.count, pictures_text(count), folder
            )
        )
    if scaled:
        message(translate("errors", "The greys of {0} are scaled to their own range.").format(pictures_text(scaled)))
    if count < FEWEST:
        raise TooFewPictures(
            translate("errors", "{0} holds {1} that can be read; learning takes {2} or more.").format(
                folder, pictures_text(count), FEWEST
            ),
            translate("errors", "Add some, or choose another folder."),
        )
    return pictures[:count]


class _Skipped:
    """Names what is skipped, and counts it."""

    def __init__(self, message: Callable[[str], None]) -> None:
        self._message, self.count = message, 0

    def __call__(self, path: str | Path, reason: str) -> None:
        name = os.fsencode(path).decode("utf-8", "replace")  # a name may hold bytes that are no letters
        self._message(translate("errors", "{0} is skipped: {1}.").format(name, reason))
        self.count += 1


def find_pictures(folder: Path, skip: Callable[[str | Path, str], None]) -> Iterator[Path]:
    """Files that are pictures by their names, in a folder and those inside it.

    Args:
        skip: Called with what cannot be looked at, and why.
    """

    def refuse(error: OSError) -> None:
        skip(error.filename, translate("errors", "the folder cannot be looked into ({0})").format(error.strerror))

    seen: set[tuple[int, int]] = set()
    for place, folders, files in os.walk(folder, onerror=refuse, followlinks=True):
        itself = Path(place).stat()
        if (itself.st_dev, itself.st_ino) in seen:  # a link back to a folder around it
            folders.clear()
            continue
        folders.sort()  # of two links to one folder always the same is followed
        seen.add((itself.st_dev, itself.st_ino))
        for name in files:
            path = Path(place, name)
            if path.suffix.lower() in SUFFIXES:
                reason = _no_file(path)
                if reason:
                    skip(path, reason)
                else:
                    yield path


def _no_file(path: Path) -> str:
    """Why a name stands for no file whose content could be read; empty if it does."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return translate("errors", "it is a link to nowhere")
    except OSError as error:
        return error.strerror or translate("errors", "it cannot be looked at")
    return "" if stat.S_ISREG(mode) else translate("errors", "it is no file")
