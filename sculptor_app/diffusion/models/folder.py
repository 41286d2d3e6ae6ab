"""A model's folder: listing its files without opening any, and bounded reading of them and of untrusted JSON."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sculptor_app.core.files import expanded
from sculptor_app.core.texts import translate
from sculptor_app.diffusion.models.verdict import Finding, Unfit, shown_path

INDEX = "model_index.json"
"""The file that says what a pipeline is made of."""
MOST_FILES = 10_000
MOST_DEPTH = 8
MOST_JSON_BYTES = 1 << 20
MOST_JSON_DEPTH = 32
MOST_JSON_TOKENS = 500_000
"""Strings and brackets; the header of ten thousand weights has a fifth of that."""

# A string, closed or cut off, or a bracket outside of strings. Every attempt to match takes what it has read: linear.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.?)*+"?|[\[\]{}]', re.DOTALL)

_NO_BLOCKING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)  # a FIFO or a terminal must not hold us up
_OPEN = os.O_RDONLY | _NO_BLOCKING | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_BLOB = re.compile(r"[0-9a-f]{64}")  # how blobs that several repositories share are called
_REPOSITORY = "models--"  # how the hub's cache begins the name of a model's folder, whose "/" becomes "--"
_AGAIN = translate("errors", "Copy the folder again from where it came.")

HEAD_BYTES = 512
_OTHER_COPY = translate("errors", "Look for a copy with safetensors files in 16 or 32 bits.")
_PICKLED = translate("errors", "Opening a pickle runs the code in it; look for a copy with safetensors files.")
_TEXTS = (
    (rb"version https://git-lfs", translate("errors", "{0} is only a Git LFS pointer, not the file itself."),
     translate("errors", "Fetch the file itself with `git lfs pull`, or download the model again.")),
    (rb"(?i)(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body)\b",
     translate("errors", "{0} is a web page that was saved in place of the file."),
     translate("errors", "Such a page asks to sign in or tells an error; download the file itself again.")),
    (rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|Error)\b",
     translate("errors", "{0} is an answer of a server (XML) that was saved in place of the file."),
     translate("errors", "It tells an error; download the file itself again.")),
)  # fmt: skip
"""What stands in place of a file, by its beginning: a pattern, what is said of it, and what to do."""
_BINARIES = (
    (rb"GGUF", translate("errors", "{0} is a GGUF file, whose weights are packed for other programs."), _OTHER_COPY),
    (rb"\x89HDF", translate("errors", "{0} is an HDF5 file, weights for TensorFlow."), _OTHER_COPY),
    (rb"PK\x03\x04", translate("errors", "{0} is a zip archive, or a pickle under another name."), _PICKLED),
    (rb"\x80[\x02-\x05]", translate("errors", "{0} is a pickle under another name."), _PICKLED),
    (rb"\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!|.{257}ustar", translate("errors", "{0} is an archive."),
     translate("errors", "Unpack it first.")),
    (rb"[\x09\x0a\x0d\x20-\x7e]{9}", translate("errors", "{0} is a text, not weights."),
     translate("errors", "It may be what a server said instead; download the file itself again.")),
)  # fmt: skip
"""The same for what stands in place of weights alone."""


@dataclass(frozen=True, slots=True)
class File:
    """A regular file of the folder."""

    path: Path  # where it lies; may be a link
    real: Path  # where its content lies
    size: int
    changed_ns: int

    def open(self) -> int:
        """A descriptor to read from; `OSError` if it is gone, or no regular file any more."""
        descriptor = os.open(self.real, _OPEN)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(translate("errors", "{0} is no regular file").format(self.real))
        return descriptor


@dataclass
class Folder:
    """Listing of a folder, as it was found."""

    root: Path  # its path, without links
    files: dict[str, File] = field(default_factory=dict)  # by their names below the root, with forward slashes
    folders: set[str] = field(default_factory=set)  # names of the folders in it, the root's own not among them
    findings: list[Finding] = field(default_factory=list)
    _digest: Any = field(default_factory=hashlib.sha256)

    @property
    def entries(self) -> int:
        """How many files and folders were found."""
        return len(self.files) + len(self.folders)

    def within(self, component: str) -> list[str]:
        """Names of the files directly in one of its folders."""
        return [name.rpartition("/")[2] for name in self.files if name.rpartition("/")[0] == component]

    def file(self, name: str) -> File:
        """A file by its name; `Unfit` if it is missing."""
        file = self.files.get(name)
        if file is None:
            raise Unfit(
                translate("errors", "{0} is missing.").format(shown_path(self.root / name)),
                translate("errors", "Choose a folder that holds a complete model."),
                missing=name,
            )
        return file

    def read(self, name: str, most_bytes: int) -> bytes:
        """A small file's content; `Unfit` if it is missing, cannot be read, or is larger than allowed."""
        path = shown_path(self.root / name)
        file = self.file(name)
        if file.size > most_bytes:
            raise Unfit(
                translate("errors", "{0} has {1:,} bytes; allowed are {2:,}.").format(path, file.size, most_bytes),
                translate("errors", "Reading it could fill the memory; no model needs so much."),
            )
        try:
            content = _read(file, most_bytes)
        except OSError as error:
            raise Unfit(
                translate("errors", "{0} cannot be read ({1}).").format(path, error.strerror or error), _AGAIN
            ) from error
        self.note(name, content)
        return content

    def json(self, name: str, most_bytes: int = MOST_JSON_BYTES) -> dict[str, Any]:
        """The object that a small JSON file holds; `Unfit` if it cannot be read, or holds something else."""
        path = shown_path(self.root / name)
        text = self.read(name, most_bytes)
        try:
            content = parse_json(text)
        except (ValueError, RecursionError) as error:
            other = mistaken(self.root / name, text[:HEAD_BYTES])
            if other is not None:
                raise other from error
            raise Unfit(
                translate("errors", "{0} cannot be read ({1}).").format(path, error),
                translate("errors", "Restore the file from where it came."),
            ) from error
        if not isinstance(content, dict):
            raise Unfit(
                translate("errors", "{0} holds no JSON object.").format(path),
                translate("errors", "Restore the file from where it came."),
            )
        return content

    def mistaken(self, name: str, is_weights: bool = False) -> Unfit | None:
        """The refusal of what stands in place of a file: a Git LFS pointer, a web page …; None if it is nothing known.

        Args:
            is_weights: Whether it should be a safetensors file; anything but that is refused, then.
        """
        file = self.files[name]
        try:
            with os.fdopen(file.open(), "rb") as source:
                head = source.read(HEAD_BYTES)
        except OSError as error:
            path = shown_path(self.root / name)
            return Unfit(translate("errors", "{0} cannot be read ({1}).").format(path, error.strerror or error), _AGAIN)
        return mistaken(self.root / name, head, is_weights)

    def note(self, name: str, content: bytes) -> None:
        """Count content that was read for the fingerprint."""
        self._digest.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode("utf-8", "surrogateescape"))

    def fingerprint(self) -> str:
        """Names, sizes and times of all files, and the content of those that were read, as one word."""
        digest = self._digest.copy()
        for name, file in sorted(self.files.items()):
            digest.update(f"{name}\0{file.size}\0{file.changed_ns}\n".encode("utf-8", "surrogateescape"))
        return str(digest.hexdigest())


def _read(file: File, most_bytes: int) -> bytes:
    """At most so many bytes; an OSError if the file has grown beyond that."""
    with os.fdopen(file.open(), "rb") as source:
        content = source.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise OSError(translate("errors", "it grows while it is read"))
    return content


def scan(root: Path) -> Folder:
    """List a folder and all below it; opens nothing.

    Hidden folders (.git, .cache) are skipped: no loader looks into them. A link may lead to another file of the
    folder, or, in a snapshot of the hub's cache, to the blobs beside it.
    """
    found = Folder(root)
    waiting = [(root, "", 0)]
    while waiting and found.entries <= MOST_FILES:
        place, prefix, depth = waiting.pop()
        if depth > MOST_DEPTH:
            message = translate("errors", "{0} lies more than {1} folders deep.").format(shown_path(place), MOST_DEPTH)
            found.findings.append(
                Finding(
                    message, translate("errors", "No model is built so; choose the folder with model_index.json in it.")
                )
            )
            break
        try:
            entries = _entries(place)
        except OSError as error:
            found.findings.append(
                Finding(
                    translate("errors", "{0} cannot be read ({1}).").format(shown_path(place), error.strerror), _AGAIN
                )
            )
            continue
        for entry in entries:
            name = prefix + entry.name
            if not entry.is_dir(follow_symlinks=False):
                _add(found, entry, name)
            elif not entry.name.startswith("."):
                found.folders.add(name)
                waiting.append((Path(entry.path), f"{name}/", depth + 1))
    if found.entries > MOST_FILES:
        message = translate("errors", "{0} holds more than {1:,} files.").format(shown_path(root), MOST_FILES)
        found.findings.append(
            Finding(
                message, translate("errors", "That is no model's folder; choose the one with model_index.json in it.")
            )
        )
    return found


def _entries(place: Path) -> list[os.DirEntry[str]]:
    """What lies directly in a folder, in order; of very many not all."""
    with os.scandir(place) as entries:
        return sorted(itertools.islice(entries, MOST_FILES + 1), key=lambda entry: entry.name)


def _add(found: Folder, entry: os.DirEntry[str], name: str) -> None:
    try:
        real = Path(os.path.realpath(entry.path)) if entry.is_symlink() else Path(entry.path)
        status = real.stat(follow_symlinks=False)
    except OSError:  # a link to nowhere, as a broken-off download leaves: whoever needs the file will miss it
        return
    path = shown_path(entry.path)
    if entry.is_symlink() and not _may_lead_to(found.root, real):
        found.findings.append(
            Finding(
                translate("errors", "{0} is a link out of the folder, to {1}.").format(path, shown_path(real)),
                translate("errors", "It could read any file of yours."),
            )
        )
    elif stat.S_ISDIR(status.st_mode):
        found.findings.append(
            Finding(
                translate("errors", "{0} is a link to a folder.").format(path),
                translate("errors", "Links can lead in circles; copy the folder."),
            )
        )
    elif not stat.S_ISREG(status.st_mode):
        found.findings.append(
            Finding(
                translate("errors", "{0} is no regular file.").format(path),
                translate("errors", "Reading from a pipe or a device can hang, or never end."),
            )
        )
    else:
        found.files[name] = File(Path(entry.path), real, status.st_size, status.st_mtime_ns)


def cache_folder() -> Path:
    """Where the hub's cache keeps what is downloaded; HF_HOME and HF_HUB_CACHE name other places."""
    from huggingface_hub import constants

    return expanded(constants.HF_HUB_CACHE)


def repository_name(snapshot: Path) -> str | None:
    """The repository, "owner/name", that a folder of the hub's cache is a snapshot of; None if it is none."""
    repository = snapshot.parent.parent.name
    if snapshot.parent.name != "snapshots" or not repository.startswith(_REPOSITORY):
        return None
    return repository.removeprefix(_REPOSITORY).replace("--", "/", 1)


def mistaken(path: Path, head: bytes, is_weights: bool = False) -> Unfit | None:
    """The refusal of a file that is something else, by its first bytes; see `Folder.mistaken`."""
    if not head:
        return Unfit(
            translate("errors", "{0} is empty (it has 0 bytes).").format(shown_path(path)),
            translate("errors", "Its download was broken off; fetch it again."),
        )
    if is_weights and head[8:9] == b"{":  # its first bytes are the length of a header, whatever else they look like
        return None
    for pattern, message, remedy in (*_TEXTS, *(_BINARIES if is_weights else ())):
        if re.match(pattern, head, re.DOTALL):
            return Unfit(message.format(shown_path(path)), remedy)
    return None


def _may_lead_to(root: Path, real: Path) -> bool:
    """Whether a link's target is in the folder, or in a repository of the hub's cache, as old downloads link to."""
    if real.is_relative_to(root) or _is_in_the_cache(real):
        return True
    repository = root.parent.parent
    if repository_name(root) is None:
        return False
    shared = real.parent.parent == repository.parent / "blobs" and _BLOB.fullmatch(real.name) is not None
    return real.parent == repository / "blobs" or shared


def _is_in_the_cache(real: Path) -> bool:
    """Whether a path without links is that of a model's file in the hub's cache."""
    cache = Path(os.path.realpath(cache_folder()))
    if not real.is_relative_to(cache):
        return False
    repository, *within = real.relative_to(cache).parts
    is_shared = repository == "blobs" and len(within) == 2 and _BLOB.fullmatch(within[1]) is not None
    return is_shared or (repository.startswith(_REPOSITORY) and within[:1] in (["blobs"], ["snapshots"]))


def parse_json(text: bytes) -> Any:
    """The value that a JSON text holds; `ValueError` if it is not UTF-8, is nested too deeply, or holds NaN."""
    depth = 0
    for count, found in enumerate(_TOKEN.finditer(text)):
        first = found.group()[0]
        depth += (first in b"[{") - (first in b"]}")
        if depth > MOST_JSON_DEPTH:
            raise ValueError(f"it is nested more than {MOST_JSON_DEPTH} levels deep")
        if count >= MOST_JSON_TOKENS:
            raise ValueError(f"it has more than {MOST_JSON_TOKENS:,} words and brackets")
    return json.loads(text.decode("utf-8"), parse_constant=_parse_constant)


def _parse_constant(constant: str) -> float:
    """Infinity, which schedulers of diffusers are saved with; NaN is refused."""
    if constant == "NaN":
        raise ValueError("NaN is no number")
    return float(constant)
