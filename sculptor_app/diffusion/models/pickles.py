"""Weights in pickles: read in the sandbox by torch's restricted reader, and kept as safetensors in the cache folder.

A pickle is a program for a small machine that may call anything. `torch.load(weights_only=True)` knows only what
tensors are made of; it runs in a subprocess that may do little, and nothing but numbers comes out of that.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from sculptor_app.core.errors import Cancelled, ModelFolderError
from sculptor_app.core.files import is_folder, is_there
from sculptor_app.core.texts import byte_text, translate
from sculptor_app.diffusion.models import sandbox
from sculptor_app.diffusion.models.folder import HEAD_BYTES, mistaken
from sculptor_app.diffusion.models.verdict import (
    Finding,
    LoadingProgress,
    LoadingStage,
    ModelRefused,
    PickledWeights,
    Report,
    Unfit,
    shown,
    shown_path,
    stoppable,
)

MOST_BYTES = 64 << 30
"""Of all copies; those not used for the longest time go first."""
MOST_NOTES = 2_000
"""Of files that were converted: where they lay, and what they held."""

_PIECE = 8 << 20
_SUMS = "sums"  # the folder with the content's hash of each file that was converted, by its path, size and time
_PART = ".part"


def pickled_finding(place: Path, pickled: PickledWeights) -> Finding:
    """The refusal of pickled weights that were not converted yet; it says how they can be."""
    message = (
        translate("errors", "{0} is no safetensors file, but a pickle.")
        if place.is_file()
        else translate("errors", "{0} has weights only in {1}, a pickle.")
    )
    advice = translate(
        "errors",
        "Opening a pickle can run code in it; --convert-pickles reads it in a sandbox, where nothing of it is run, and "
        "keeps a copy of {0} without code.",
    )
    return Finding(
        message.format(shown_path(place), shown(pickled.label)),
        advice.format(byte_text(pickled.stored_bytes)),
        pickled_bytes=pickled.stored_bytes,
    )


def other_content(pickled: PickledWeights) -> Unfit | None:
    """The refusal of files that are no pickles at all, but Git LFS pointers, web pages or empty; None if they are."""
    for path in pickled.files:
        with contextlib.suppress(OSError), path.open("rb") as source:
            other = mistaken(path, source.read(HEAD_BYTES))
            if other is not None:
                return other
    return None


def find_copy(pickled: PickledWeights) -> Path | None:
    """The folder with the copy of some weights and their settings as they are now; None if there is none."""
    try:
        sums = [_sum_note(file).read_text(encoding="ascii") for file in pickled.files]
        folder = sandbox.converted_folder() / _key(pickled, sums)
    except (OSError, ValueError):
        return None
    if not is_folder(folder):
        return None
    with contextlib.suppress(OSError):
        os.utime(folder)  # it is used
    return folder


def convert(
    pickled: Iterable[PickledWeights], stop: threading.Event | None = None, report: Report | None = None
) -> None:
    """Make the copies of pickled weights that there are none of yet.

    Nothing in them is run: whatever is no plain tensor is refused.

    Args:
        stop: Ends it when it is set; a copy that is not whole is removed.
        report: Called for each of them.

    Raises:
        ModelRefused: One of them holds more than weights, or is damaged.
        ModelFolderError: There is no room for the copies.
        Cancelled: It was stopped.
    """
    pickled, root = tuple(pickled), sandbox.converted_folder()
    _check_room(root, sum(each.stored_bytes for each in pickled))
    made, report = [], stoppable(report, stop)
    for number, each in enumerate(pickled, 1):
        report(LoadingProgress(LoadingStage.CONVERTING, each.name, number, len(pickled)))
        with _disk_errors(root):
            sums = [_content_sum(file, stop) for file in each.files]
            folder = root / _key(each, sums)
            if not folder.is_dir():
                _make_copy(each, folder, stop)
            for file, content in zip(each.files, sums, strict=True):
                _note_sum(file, content)
        made.append(folder)
    sweep(root, keep=made)


def _make_copy(pickled: PickledWeights, folder: Path, stop: threading.Event | None) -> None:
    """Convert into a folder beside the right one, and rename that when it is whole."""
    part = folder.with_name(f"{folder.name}.{os.getpid()}{_PART}")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        largest = max(file.stat().st_size for file in pickled.files)
        refused = sandbox.run(
            ["convert", str(part), pickled.stem, *map(str, pickled.files)],
            memory_bytes=2 * largest + sandbox.CONVERTING_BYTES,
            seconds=sandbox.CONVERTING_SECONDS + pickled.stored_bytes // sandbox.BYTES_PER_SECOND,
            stop=stop,
        )
        if refused:
            raise ModelRefused(refused)
        for name, file in pickled.settings:
            shutil.copyfile(file, part / name)
        with contextlib.suppress(OSError) if folder.is_dir() else contextlib.nullcontext():  # another program was first
            part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _check_room(root: Path, needed: int) -> None:
    there = next(each for each in (root, *root.parents) if is_there(each))
    free = shutil.disk_usage(there).free
    if needed > free:
        raise ModelFolderError(
            translate("errors", "The copy of the weights takes {0}, and the disk of {1} has {2} left.").format(
                byte_text(needed), shown_path(root), byte_text(free)
            ),
            translate("errors", "Free some space, then convert them again."),
        )


@contextlib.contextmanager
def _disk_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ModelFolderError(
            translate("errors", "The copy of the weights cannot be written to {0} ({1}).").format(
                shown_path(root), error.strerror or error
            ),
            translate("errors", "Free some space, then convert them again."),
        ) from error


# By content ----------------------------------------------------------------------------------------------------------


def _key(pickled: PickledWeights, sums: Iterable[str]) -> str:
    """Name of the copy's folder, by the content of the pickles and of the settings."""
    digest = hashlib.sha256(pickled.stem.encode())
    for name, file in pickled.settings:
        digest.update(f"{name}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
    for content in sums:
        digest.update(content.encode("ascii"))
    return digest.hexdigest()[:40]


def _sum_note(file: Path) -> Path:
    status = file.stat()
    about = f"{file}\0{status.st_size}\0{status.st_mtime_ns}".encode("utf-8", "surrogateescape")
    return sandbox.converted_folder() / _SUMS / f"{hashlib.sha256(about).hexdigest()}.txt"


def _note_sum(file: Path, content: str) -> None:
    note = _sum_note(file)
    note.parent.mkdir(parents=True, exist_ok=True)
    temporary = note.with_suffix(f".{os.getpid()}{_PART}")
    temporary.write_text(content, encoding="ascii")
    temporary.replace(note)


def _content_sum(file: Path, stop: threading.Event | None) -> str:
    """SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with file.open("rb") as source:
        while piece := source.read(_PIECE):
            if stop is not None and stop.is_set():
                raise Cancelled
            digest.update(piece)
    return digest.hexdigest()


def sweep(root: Path, keep: Iterable[Path] = (), most_bytes: int = MOST_BYTES) -> None:
    """Remove what broken-off conversions left, and the copies not used for the longest time, down to a size.

    Args:
        keep: Copies that stay, whatever their size.
    """
    kept, copies = set(keep), []
    for folder in root.iterdir() if root.is_dir() else ():
        if folder.name.endswith(_PART) and not _is_at_work(folder):
            shutil.rmtree(folder, ignore_errors=True)
        elif folder.is_dir() and folder.name != _SUMS and not folder.name.endswith(_PART):
            size = sum(each.stat().st_size for each in folder.iterdir())
            copies.append((folder in kept, folder.stat().st_mtime_ns, size, folder))
    notes = sorted((root / _SUMS).glob("*"), key=lambda each: each.stat().st_mtime_ns)
    for note in notes[:-MOST_NOTES]:
        note.unlink(missing_ok=True)
    total = sum(size for _, _, size, _ in copies)
    for is_kept, _, size, folder in sorted(copies, key=lambda each: each[:2]):
        if total <= most_bytes or is_kept:
            break
        shutil.rmtree(folder, ignore_errors=True)
        total -= size


def _is_at_work(part: Path) -> bool:
    """Whether the process that makes a copy, whose number the folder's name holds, is still there."""
    import psutil  # type: ignore[import-untyped]

    number = part.name.removesuffix(_PART).rpartition(".")[2]
    return number.isdigit() and psutil.pid_exists(int(number))
