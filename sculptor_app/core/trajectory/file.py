"""Runs as files: everything recorded of one, looked at again without its model, without torch, and in later versions.

A file is an uncompressed zip of `run.json` and of one array for each kind of frame, in numpy's format NPY 1.0:
`states.npy` (K + 1, C, H, W) and, where the run has them, `guesses.npy`, `guesses_unconditional.npy`,
`guesses_conditional.npy` and `returned.npy`; where it began with a picture or was given its noise, also
`start_picture.npy` and `start_noise.npy` (1, C, H, W), and where parts of other runs were copied into it by hand
`copied.npy` (K, C, H, W), from which it can be made again. So any unzip takes it apart,
and `numpy.load(path)["states"]` is all that another program needs. Safetensors would hold the same bytes, but needs a
package, and one header before all of the data. `run.json` has the schema's number, `RunRecord`, and of each array its
dtype, its shape, the numbers of the states or steps that its rows belong to, and the SHA-256 of each row: a frame is
read and checked by itself, when it is asked for. Frames are float32, as they were recorded; in a compact file they are
float16, but for what the run began with.

A frame is read, not mapped: a file that becomes shorter meanwhile is then an error and not the end of the process.
Nothing in a file is believed: what it says is held against bounds and against its real size before memory is taken.
"""

from __future__ import annotations

import hashlib
import json
import struct
import threading
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.errors import Cancelled, TrajectoryFileError
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.archive import DAMAGES, Member, Source, damaged, explained, find_members, no_run
from sculptor_app.core.trajectory.base import DEFAULT_BUDGET_BYTES, AnyTrajectory, Memory, RunInfo
from sculptor_app.core.trajectory.record import RunRecord
from sculptor_app.core.trajectory.step import Frame, StepSummary

SUFFIX = ".sculpt"
SCHEMA = 3
"""The newest; it grows when an earlier version would misread what a later one writes. 2: runs that began otherwise than
with their seed's noise. 3: runs that were painted on. All others are still written as 1."""
_FORMAT = "sculptor run"
_RECORD = "run.json"
_COPIED = "copied"
_READERS: dict[str, Callable[[AnyTrajectory, int], Frame | None]] = {
    "states": lambda run, k: run.state(k),
    "guesses": lambda run, k: run.guess(k),
    "guesses_unconditional": lambda run, k: run.guess_unconditional(k),
    "guesses_conditional": lambda run, k: run.guess_conditional(k),
    "returned": lambda run, k: run.returned(k),
    "start_picture": lambda run, k: None if k else run.start_picture(),
    "start_noise": lambda run, k: None if k else run.start_noise(),
    _COPIED: lambda run, k: run.copied()[k] if k < len(run.copied()) else None,
}
"""The kinds of frames by the names of their arrays."""
_STARTS = {"start_picture", "start_noise", _COPIED}
"""What it can be made again from, and cannot be seen; rows of the last belong to no step."""
_MOST_COPIED = 256
_EXACT, _COMPACT = "<f4", "<f2"
_NPY_HEADER = 128
_MOST_RECORD = 32 * 2**20
_MOST_SIDE = 2**20
_MOST_VALUES = 2**28
"""Of one frame, whatever the file's size: 1 GB of float32."""
Progress = Callable[[int, int], None]


def write_run(
    file: IO[bytes],
    trajectory: AnyTrajectory,
    *,
    info: RunInfo | None = None,
    compact: bool = False,
    with_start: bool = True,
    stop: threading.Event | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a run as far as it has come, a frame at a time; of one that is looked at decoded, that in latents.

    Args:
        file: An empty file that can be sought in.
        info: What is told of the run in place of its own record.
        compact: Frames as float16, half as large, with three digits of each value left.
        with_start: Keep the picture or the noise that it began with.
        stop: Set to give up before the next frame.
        progress: Called after each with how many are written, and how many there are.

    Raises:
        Cancelled: `stop` was set.
        TrajectoryFileError: A frame holds what is no number, or is too large for a compact file.
        OSError: The disk did not take it.
    """
    run = trajectory.undecoded
    record = RunRecord.of(run, info)
    rows = {
        name: _rows_of(run, name, len(record.steps)) if with_start or name not in _STARTS else [] for name in _READERS
    }
    total, done, parts = sum(map(len, rows.values())), 0, []
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, numbers in rows.items():
            if not numbers:
                continue
            dtype = _COMPACT if compact and name not in _STARTS else _EXACT
            part = _Part(name, dtype, run.shape, numbers, [])
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                member.write(part.header)
                for k in numbers:
                    if stop is not None and stop.is_set():
                        raise Cancelled
                    content = _content(_READERS[name](run, k), part.dtype, k)
                    part.digests.append(hashlib.sha256(content.data).hexdigest())
                    member.write(content.data)
                    done += 1
                    if progress is not None:
                        progress(done, total)
            parts.append(part.plain())
        was_painted_on = any(each.painting is not None for each in record.info.forks)
        schema = SCHEMA if was_painted_on else 2 if any(rows[name] for name in _STARTS) else 1
        told = {"format": _FORMAT, "schema": schema, **record.plain(), "parts": parts}
        archive.writestr(zipfile.ZipInfo(_RECORD), json.dumps(told, allow_nan=False))


def _rows_of(run: AnyTrajectory, name: str, last: int) -> list[int]:
    if name == _COPIED:
        return list(range(len(run.copied())))
    return [k for k in range(last + 1) if _READERS[name](run, k) is not None]


def _content(frame: Frame | None, dtype: str, k: int) -> NDArray[Any]:
    """A frame in the bytes of the file."""
    assert frame is not None
    with np.errstate(over="ignore"):
        content = np.ascontiguousarray(frame, dtype)
    if not np.isfinite(content).all():
        if dtype == _COMPACT and np.isfinite(frame).all():
            raise TrajectoryFileError(
                translate("errors", "Step {0} holds values that are too large for a compact file.").format(k),
                translate("errors", "Save the run as it is, not compact."),
            )
        raise TrajectoryFileError(
            translate("errors", "Step {0} holds what is no number, so the run cannot be saved.").format(k),
            translate("errors", "Run it again with other settings."),
        )
    return content


@dataclass(frozen=True, slots=True)
class _Part:
    """An array of the file."""

    name: str
    dtype: str
    shape: tuple[int, int, int]  # of one row
    numbers: list[int]  # of the state or the step that each row belongs to, in rising order
    digests: list[str]  # SHA-256 of each row

    @property
    def row_bytes(self) -> int:
        channels, height, width = self.shape
        return channels * height * width * np.dtype(self.dtype).itemsize

    @property
    def header(self) -> bytes:
        """The one header that NPY 1.0 has for it, as long in every file."""
        shape = (len(self.numbers), *self.shape)
        described = f"{{'descr': '{self.dtype}', 'fortran_order': False, 'shape': {shape}, }}"
        text = described.encode("ascii").ljust(_NPY_HEADER - 11) + b"\n"
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text

    @property
    def size(self) -> int:
        return _NPY_HEADER + len(self.numbers) * self.row_bytes

    def plain(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "dtype": self.dtype,
            "shape": [len(self.numbers), *self.shape],
            "numbers": self.numbers,
            "sha256": self.digests,
        }

    @classmethod
    def from_plain(cls, plain: dict[str, Any], last: int) -> _Part:
        """The one that a file describes, of a run of so many steps; `DAMAGES` if there can be none such."""
        shape, numbers, digests = plain["shape"], plain["numbers"], plain["sha256"]
        if plain["name"] not in _READERS or plain["dtype"] not in (_EXACT, _COMPACT):
            raise ValueError("it has an array of another kind")
        if not all(isinstance(each, list) for each in (shape, numbers, digests)) or (
            len(numbers) > (_MOST_COPIED if plain["name"] == _COPIED else last + 1)
        ):
            raise ValueError("it has an array with more rows than steps")
        if not all(type(each) is int and 0 < each <= _MOST_SIDE for each in shape) or len(shape) != 4:
            raise ValueError("it has frames of no size")
        if not len(numbers) == len(digests) == shape[0] or shape[1] * shape[2] * shape[3] > _MOST_VALUES:
            raise ValueError("it has frames of no size")
        most = _MOST_COPIED if plain["name"] == _COPIED else last
        if not all(type(k) is int and 0 <= k <= most for k in numbers) or sorted(set(numbers)) != numbers:
            raise ValueError("it has frames of steps that it does not have")
        if plain["name"] == "states" and len(numbers) != last + 1:
            raise ValueError("it has not all states")
        rows = list(range(len(numbers))) if plain["name"] == _COPIED else [0]
        if plain["name"] in _STARTS and (numbers != rows or plain["dtype"] != _EXACT):
            raise ValueError("it has a beginning that is none")
        return cls(plain["name"], plain["dtype"], (shape[1], shape[2], shape[3]), numbers, digests)


class SavedTrajectory(AnyTrajectory):
    """A run in a file, read like any other; each frame comes from the file when it is asked for, by any thread.

    Whoever reads a damaged frame gets a `TrajectoryFileError`; the others stay readable.

    Attributes:
        path: of the file.
        size_bytes: of the file.
        is_compact: whether frames were rounded to float16.
        schema: of the file.
    """

    def __init__(self, source: Source, record: RunRecord, parts: dict[str, tuple[_Part, int]], schema: int) -> None:
        super().__init__(record.info, record.levels, parts["states"][0].shape, DEFAULT_BUDGET_BYTES)
        self.path, self.size_bytes, self.schema = source.path, source.size, schema
        self.is_compact = parts["states"][0].dtype == _COMPACT
        self._source, self._record, self._parts = source, record, parts
        self._rows = {name: {k: row for row, k in enumerate(part.numbers)} for name, (part, _) in parts.items()}
        self._checked: set[tuple[str, int]] = set()

    @property
    def last(self) -> int:
        """Number of the newest state; -1 after `close`."""
        return -1 if self._source.is_closed else len(self._record.steps)

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        return self.size_bytes

    @property
    def ended(self) -> str:
        """Why the run stopped before its end."""
        return self._record.ended

    def state(self, k: int) -> Frame:
        """Noisy state k, as in the base class; `TrajectoryFileError` if it is damaged."""
        frame = self._frame("states", k)
        assert frame is not None
        return frame

    def guess(self, k: int) -> Frame | None:
        """The guess of step k, as in the base class; `TrajectoryFileError` if it is damaged."""
        return self._frame("guesses", k)

    def guess_unconditional(self, k: int) -> Frame | None:
        """The guess of step k without the condition; `TrajectoryFileError` if it is damaged."""
        return self._frame("guesses_unconditional", k)

    def guess_conditional(self, k: int) -> Frame | None:
        """The guess of step k with the condition; `TrajectoryFileError` if it is damaged."""
        return self._frame("guesses_conditional", k)

    def returned(self, k: int) -> Frame | None:
        """What the sampler returned in step k, where that was changed; `TrajectoryFileError` if it is damaged."""
        return self._frame("returned", k)

    def start_picture(self) -> Frame | None:
        """The picture that the run began with; `TrajectoryFileError` if it is damaged."""
        return self._frame("start_picture", 0)

    def start_noise(self) -> Frame | None:
        """The noise that the run was given; `TrajectoryFileError` if it is damaged."""
        return self._frame("start_noise", 0)

    def copied(self) -> tuple[Frame, ...]:
        """What was copied into it from other runs; `TrajectoryFileError` if it is damaged."""
        frames = [self._frame(_COPIED, row) for row in self._rows.get(_COPIED, ())]
        return tuple(frame for frame in frames if frame is not None)

    def step(self, k: int) -> StepSummary:
        """The summary of step k."""
        self._check(k, first=1)
        return self._record.steps[k - 1]

    @property
    def part_bytes(self) -> dict[str, int]:
        """The arrays that there are, by name, and their sizes."""
        return {name: part.size for name, (part, _) in self._parts.items()}

    def check_frames(self, stop: threading.Event | None = None, progress: Progress | None = None) -> None:
        """Read every frame once, those of a step together, and tell how many of them are read.

        Raises:
            TrajectoryFileError: One is damaged; none of an earlier step is.
            Cancelled: `stop` was set.
        """
        frames = sorted(((name, k) for name, rows in self._rows.items() for k in rows), key=lambda frame: frame[1])
        for done, (name, k) in enumerate(frames, start=1):
            if stop is not None and stop.is_set():
                raise Cancelled
            self._frame(name, k)
            if progress is not None:
                progress(done, len(frames))

    def cut(self, last: int) -> SavedTrajectory:
        """The run up to a step, from the same file: what is left where later frames, or the beginning, are damaged."""
        steps = self._record.steps[:last]
        record = self._record
        if len(steps) < len(record.steps):
            ended = translate("errors", "its file is damaged after step {0}").format(last)
            record = replace(record, steps=steps, ended=ended)
        parts = {name: (replace(part, numbers=[k for k in part.numbers if k <= last or name in _STARTS]), start)
                 for name, (part, start) in self._parts.items()}  # fmt: skip
        lost = {name for name in _STARTS if not all(self._is_whole(name, row) for row in self._rows.get(name, ()))}
        parts = {name: found for name, found in parts.items() if found[0].numbers and name not in lost}
        return SavedTrajectory(self._source, record, parts, self.schema)

    def whole_steps(self) -> int:
        """Number of the last state up to which every frame is what was saved; -1 if not even the first one is.

        What it began with does not count: the steps can be looked at without it.
        """
        for k in range(len(self._record.steps) + 1):
            if not all(self._is_whole(name, k) for name in self._parts if name not in _STARTS):
                return k - 1
        return len(self._record.steps)

    def _is_whole(self, name: str, k: int) -> bool:
        try:
            self._frame(name, k)
        except TrajectoryFileError:
            return False
        return True

    def close(self) -> None:
        """Close the file; frames that were handed out stay valid."""
        self._source.close()

    def _stores(self) -> tuple[Memory, ...]:
        return ()

    def _frame(self, name: str, k: int) -> Frame | None:
        self._check(0 if name in _STARTS else k, first=0)
        row = self._rows.get(name, {}).get(k)
        if row is None:
            return None
        part, start = self._parts[name]
        content = np.empty(part.shape, part.dtype)
        self._source.read_into(start + _NPY_HEADER + row * part.row_bytes, content)
        if (name, k) not in self._checked:
            if hashlib.sha256(content.data).hexdigest() != part.digests[row]:
                if name in _STARTS:
                    raise damaged(self.path, translate("errors", "what it began with is not what was saved"))
                raise damaged(self.path, translate("errors", "step {0} is not what was saved").format(k))
            if not np.isfinite(content).all():
                raise damaged(self.path, translate("errors", "step {0} holds what is no number").format(k))
            self._checked.add((name, k))
        frame: Frame = content.astype(np.float32, copy=False)
        frame.setflags(write=False)
        return frame


def open_run(path: Path) -> SavedTrajectory:
    """Open a saved run; its frames are read later, one by one.

    Raises:
        TrajectoryFileError: It cannot be read, is no saved run, is damaged, or of a later version.
    """
    source = Source(path)
    try:
        return _read(source)
    except BaseException:
        source.close()
        raise


def _read(source: Source) -> SavedTrajectory:
    try:
        places = find_members(source, _RECORD, {_RECORD, *(f"{name}.npy" for name in _READERS)})
        plain = _record_of(source, places)
    except DAMAGES as error:
        raise explained(source.path, error) from error
    schema = plain.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise TrajectoryFileError(
            translate("errors", "{0} was saved by a later version of Sculptor.").format(source.path.name),
            translate("errors", "Install the newest version to open it."),
        )
    try:
        if type(schema) is not int or schema < 1:
            raise ValueError("it has no schema")
        record = RunRecord.from_plain(plain)
        parts = {}
        for each in plain["parts"][: len(_READERS)]:
            part = _Part.from_plain(each, len(record.steps))
            parts[part.name] = (part, _place_of(source, part, places))
        if len(parts) != len(plain["parts"]) or len(parts) != len(places) - 1:
            raise ValueError("it has arrays that it does not name")
        dtypes = {part.dtype for name, (part, _) in parts.items() if name not in _STARTS}
        if len(dtypes) != 1 or len({part.shape for part, _ in parts.values()}) != 1:
            raise ValueError("its arrays do not fit together")
        return SavedTrajectory(source, record, parts, schema)
    except DAMAGES as error:
        raise explained(source.path, error) from error


def _record_of(source: Source, places: dict[str, Member]) -> dict[str, Any]:
    member = places[_RECORD]
    if member.size > _MOST_RECORD:
        raise ValueError("its record is too long")
    content = source.read(member.start, member.size)
    if zlib.crc32(content) != member.crc:
        raise ValueError("its record is damaged")
    plain = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    if not isinstance(plain, dict) or plain.get("format") != _FORMAT:
        raise no_run(source.path)
    return plain


def _place_of(source: Source, part: _Part, places: dict[str, Member]) -> int:
    member = places[f"{part.name}.npy"]
    if member.size != part.size or source.read(member.start, _NPY_HEADER) != part.header:
        raise ValueError("an array is not what it is said to be")
    return member.start


def _refuse_constant(name: str) -> float:
    raise ValueError(f"it holds {name}")
