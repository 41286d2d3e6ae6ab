"""Journals: a run's frames and record in a file as they come, from which a run is read again after the process died.

A journal is the file that frames beyond a run's memory are read from, too. It holds records one after the other: what
was asked for, each frame, and for each step which frames are its own. Whatever is cut off or damaged at the end, the
steps before it are whole. It goes when the run ends with its process alive.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import threading
import time
import weakref
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from sculptor_app.core.errors import TrajectoryFileError
from sculptor_app.core.files import lock_file, make_private, private_folder
from sculptor_app.core.texts import translate
from sculptor_app.core.trajectory.archive import DAMAGES, Source, damaged, explained
from sculptor_app.core.trajectory.array_store import SpillFile, write_all
from sculptor_app.core.trajectory.base import DEFAULT_BUDGET_BYTES, AnyTrajectory, Memory, RunInfo
from sculptor_app.core.trajectory.levels import NoiseLevel
from sculptor_app.core.trajectory.record import MOST_STATES, RunRecord, plain_level, plain_step
from sculptor_app.core.trajectory.step import Frame, StepSummary

SUFFIX = ".journal"
MOST_KEPT, MOST_KEPT_BYTES, MOST_DAYS = 5, 4 * 10**9, 14
"""Of journals whose processes are gone: how many stay, how large together, and how old."""

_FORMAT, SCHEMA = "sculptor-journal", 1
_HEAD = struct.Struct("<4sIQ")  # kind, check-sum of the content, its length
_RUN, _FRAME, _STEP, _LEVELS = b"RUN ", b"FRAM", b"STEP", b"LVLS"
_ALIGNMENT = 64
"""Contents begin at multiples of it, so that frames are aligned in the file's map."""
_MOST_JSON, _MOST_SIDE, _MOST_VALUES = 2**26, 2**16, 2**28
_SYNC_S = 2.0
"""How often what was written is told to reach the disk, in a thread of its own: what a power cut may take."""
FRAMES = (
    "states", "guesses", "guesses_unconditional", "guesses_conditional", "returned", "start_picture", "start_noise",
)  # fmt: skip
"""What a step, or state 0, may have frames of, by the names of a saved run's arrays."""


class Journal(SpillFile):
    """The journal of a run that goes on; see `new_journal`."""

    keeps_all = True

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        super().__init__(path.parent)
        self.path = path
        self._file = file
        weakref.finalize(self, file.close)
        self._frames: list[int] = []  # where the content of each begins
        self._synced, self._syncing = time.monotonic(), threading.Lock()
        self._is_over = self._is_broken = False

    def begin(self, info: RunInfo, levels: Sequence[NoiseLevel], shape: tuple[int, int, int]) -> None:
        """Write what was asked for."""
        plain = RunRecord(info, tuple(levels), (), "").plain()
        self._note(_RUN, {"format": _FORMAT, "schema": SCHEMA, "shape": list(shape), **plain})

    def note_settings(self, info: RunInfo, levels: Sequence[NoiseLevel]) -> None:
        """Write that the run goes on with other settings."""
        self._note(_RUN, RunRecord(info, tuple(levels), (), "").plain())

    def write(self, array: NDArray[Any]) -> int:
        """Write a frame; see the base class."""
        content = array.reshape(-1).data.cast("B")
        offset = self._append(_FRAME, content)
        self._frames.append(offset)
        return offset

    def note_step(self, summary: StepSummary | None, places: Mapping[str, int | None]) -> None:
        """Write that a step is complete, or, without a summary, that state 0 is here.

        Args:
            places: By the names of FRAMES the number of each frame in the order in which they were written.
        """
        plain = None if summary is None else plain_step(summary)
        self._note(
            _STEP, {"step": plain, "frames": {name: place for name, place in places.items() if place is not None}}
        )

    def note_levels(self, levels: Sequence[NoiseLevel]) -> None:
        """Write that another number of steps is planned."""
        self._note(_LEVELS, {"levels": [plain_level(level) for level in levels]})

    def finish(self) -> None:
        """The run has ended, and its process lives: delete the file, which stays readable while it is open."""
        self._is_over = True
        if os.name == "posix":
            with contextlib.suppress(OSError):
                self.path.unlink()

    def close(self) -> None:
        """Close the file, and delete it if the run has ended."""
        super().close()
        if self._is_over and os.name != "posix":
            with contextlib.suppress(OSError):
                self.path.unlink()

    def _note(self, kind: bytes, plain: dict[str, Any]) -> None:
        """Write a record; a disk that does not take it ends the journal, and nothing else."""
        if self._is_broken or self._file is None:
            return
        try:
            self._append(kind, memoryview(json.dumps(plain, allow_nan=False).encode()))
        except (OSError, ValueError):
            self._is_broken = True

    def _append(self, kind: bytes, content: memoryview) -> int:
        if self._is_broken or self._file is None:
            raise OSError("the journal is broken off")
        start = -(-(self._bytes + _HEAD.size) // _ALIGNMENT) * _ALIGNMENT
        head = _HEAD.pack(kind, zlib.crc32(content), len(content))
        try:
            self._file.seek(start - _HEAD.size)
            write_all(self._file, memoryview(head))
            write_all(self._file, content)
        except OSError:
            self._is_broken = True  # what comes after half a record would not be found
            raise
        self._bytes = start + len(content)
        self._sync_now_and_then()
        return start

    def _sync_now_and_then(self) -> None:
        now = time.monotonic()
        if now - self._synced < _SYNC_S or not self._syncing.acquire(blocking=False):
            return
        self._synced, file = now, self._file
        assert file is not None

        def sync() -> None:
            with contextlib.suppress(OSError, ValueError):
                os.fsync(file.fileno())
            self._syncing.release()

        threading.Thread(target=sync, name="journal sync", daemon=True).start()


def new_journal(folder: Path) -> Journal | None:
    """A journal that this process owns, in a folder that nobody else may look into; None where there can be none."""
    try:
        private_folder(folder)
        path = folder / f"run-{time.time_ns():020d}-{os.getpid()}{SUFFIX}"
        file = path.open("x+b", buffering=0)
        make_private(path)
        lock_file(file.fileno(), patient=False)
    except OSError:
        return None
    return Journal(path, file)


def leftovers(folder: Path) -> list[Path]:
    """Journals of runs whose processes are gone, the newest first; those that are too many, large or old are deleted.

    One without a whole step goes, too. Never raises.
    """
    kept: list[Path] = []
    total = 0
    try:
        found = sorted(folder.glob(f"run-*{SUFFIX}"), reverse=True)
    except OSError:
        return []
    for path in found:
        try:
            status = path.stat()
            if _is_owned(path):
                continue
            total += status.st_size
            is_old = time.time() - status.st_mtime > MOST_DAYS * 24 * 3600
            if len(kept) >= MOST_KEPT or total > MOST_KEPT_BYTES or is_old or not _has_a_step(path):
                path.unlink()
            else:
                kept.append(path)
        except OSError:
            continue
    return kept


def _is_owned(path: Path) -> bool:
    """Whether a process that lives writes it."""
    if os.name != "posix":
        import psutil  # type: ignore[import-untyped]

        pid = path.name.removesuffix(SUFFIX).rpartition("-")[2]
        return pid.isdecimal() and bool(psutil.pid_exists(int(pid)))
    with path.open("rb") as file:
        return not lock_file(file.fileno(), patient=False)


def _has_a_step(path: Path) -> bool:
    try:
        run = open_journal(path)
    except TrajectoryFileError:
        return False
    last = run.last
    run.close()
    return last >= 1


class JournalTrajectory(AnyTrajectory):
    """A run as far as its journal has it; each frame comes from the file when it is asked for, by any thread.

    Whoever reads a damaged frame gets a `TrajectoryFileError`; the others stay readable.
    """

    def __init__(
        self, source: Source, record: RunRecord, shape: tuple[int, int, int], rows: list[dict[str, _Content]]
    ) -> None:
        super().__init__(record.info, record.levels, shape, DEFAULT_BUDGET_BYTES)
        self.path = source.path
        self._source, self._record, self._rows = source, record, rows

    @property
    def last(self) -> int:
        """Number of the newest whole state; -1 after `close`."""
        return -1 if self._source.is_closed else len(self._record.steps)

    @property
    def file_bytes(self) -> int:
        """Size of the file."""
        return self._source.size

    @property
    def ended(self) -> str:
        """That it was broken off, unless it has all steps."""
        return "" if self.is_complete else "failed: the program ended before the run did"

    def state(self, k: int) -> Frame:
        """Noisy state k."""
        frame = self._frame("states", k)
        assert frame is not None
        return frame

    def guess(self, k: int) -> Frame | None:
        """The guess of step k."""
        return self._frame("guesses", k)

    def guess_unconditional(self, k: int) -> Frame | None:
        """The guess of step k without the condition."""
        return self._frame("guesses_unconditional", k)

    def guess_conditional(self, k: int) -> Frame | None:
        """The guess of step k with the condition."""
        return self._frame("guesses_conditional", k)

    def returned(self, k: int) -> Frame | None:
        """What the sampler returned in step k, where that was changed."""
        return self._frame("returned", k)

    def start_picture(self) -> Frame | None:
        """The picture that the run began with; None if it is damaged, too: the steps can be saved without it."""
        return self._start("start_picture")

    def start_noise(self) -> Frame | None:
        """The noise that the run was given, as `start_picture`."""
        return self._start("start_noise")

    def _start(self, name: str) -> Frame | None:
        try:
            return self._frame(name, 0)
        except TrajectoryFileError:
            return None

    def step(self, k: int) -> StepSummary:
        """The summary of step k."""
        self._check(k, first=1)
        return self._record.steps[k - 1]

    def close(self) -> None:
        """Close the file; frames that were handed out stay valid."""
        self._source.close()

    def _stores(self) -> tuple[Memory, ...]:
        return ()

    def _frame(self, name: str, k: int) -> Frame | None:
        self._check(k, first=0)
        place = self._rows[k].get(name)
        if place is None:
            return None
        frame: Frame = np.empty(self.shape, np.float32)
        self._source.read_into(place.start, frame)
        if zlib.crc32(frame.reshape(-1).data.cast("B")) != place.crc:
            raise damaged(self.path, translate("errors", "step {0} is not what was written").format(k))
        frame.setflags(write=False)
        return frame


@dataclass(frozen=True, slots=True)
class _Content:
    """Where the content of a record lies."""

    start: int
    size: int
    crc: int


def open_journal(path: Path) -> JournalTrajectory:
    """Open a journal up to its last whole step.

    Raises:
        TrajectoryFileError: It cannot be read, or holds not even a state.
    """
    source = Source(path)
    try:
        return _read(source)
    except DAMAGES as error:
        source.close()
        raise explained(path, error) from error
    except BaseException:
        source.close()
        raise


def _read(source: Source) -> JournalTrajectory:
    plain: dict[str, Any] = {}
    frames: list[_Content] = []
    steps: list[Any] = []
    rows: list[dict[str, _Content]] = []
    for kind, content in _records(source):
        if kind == _FRAME:
            frames.append(content)
            continue
        told = _told(source, content)
        if told is None:
            break
        if kind == _RUN and not plain:
            plain = told
        elif kind == _RUN:
            plain |= {name: told[name] for name in ("info", "levels")}
        elif kind == _LEVELS:
            plain["levels"] = told["levels"]
        elif kind == _STEP:
            places = {name: place for name, place in told["frames"].items() if name in FRAMES}
            if not all(type(place) is int and 0 <= place < len(frames) for place in places.values()):
                break
            row = {name: frames[place] for name, place in places.items()}
            if "states" not in row or len(rows) > MOST_STATES or (told["step"] is None) != (not rows):
                break
            rows.append(row)
            steps += [] if told["step"] is None else [told["step"]]
    if plain.get("format") != _FORMAT or plain.get("schema") != SCHEMA or not rows:
        raise ValueError("it is no journal, or holds nothing")
    shape = _shape(plain["shape"])
    size = 4 * shape[0] * shape[1] * shape[2]
    whole = next((n for n, row in enumerate(rows) if any(each.size != size for each in row.values())), len(rows))
    while whole > 1 and not all(_is_whole(source, each) for each in rows[whole - 1].values()):
        whole -= 1  # the newest may not have reached the disk, though its record has
    record = RunRecord.from_plain({**plain, "steps": steps[: whole - 1], "ended": ""})
    return JournalTrajectory(source, record, shape, rows[:whole])


def _records(source: Source) -> Iterator[tuple[bytes, _Content]]:
    """All records up to the first that is none, or is cut off."""
    end = 0
    while True:
        start = -(-(end + _HEAD.size) // _ALIGNMENT) * _ALIGNMENT
        if start > source.size:
            return
        kind, crc, size = _HEAD.unpack(source.read(start - _HEAD.size, _HEAD.size))
        if kind not in (_RUN, _FRAME, _STEP, _LEVELS) or start + size > source.size:
            return
        yield kind, _Content(start, size, crc)
        end = start + size


def _told(source: Source, content: _Content) -> dict[str, Any] | None:
    """A record's words; None where they are damaged."""
    if content.size > _MOST_JSON or not _is_whole(source, content):
        return None
    plain = json.loads(source.read(content.start, content.size).decode("utf-8"))
    return plain if isinstance(plain, dict) else None


def _is_whole(source: Source, content: _Content) -> bool:
    return zlib.crc32(source.read(content.start, content.size)) == content.crc


def _shape(plain: Any) -> tuple[int, int, int]:
    channels, height, width = plain
    if (
        not all(type(each) is int and 0 < each <= _MOST_SIDE for each in plain)
        or channels * height * width > _MOST_VALUES
    ):
        raise ValueError("it has frames of no size")
    return channels, height, width
