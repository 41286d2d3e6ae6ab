"""The sandbox's subprocess: reads what is not trusted under limits on memory, time, files and network; reports in JSON.

Started by `sandbox`, never by a person, with the arguments BYTES SECONDS and a task: `load PATH VARIANT DTYPE PATIENCE`
builds a model and takes a step of it, VARIANT being empty for the plain files; one whose networks compute for more than
PATIENCE seconds is let off as slow. `convert FOLDER STEM PICKLE...` writes their weights into FOLDER. The step is that
of `diffusion.sampling.trial`, which is the program that is run.
"""

from __future__ import annotations

import errno
import functools
import json
import math
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

from sculptor_app.core.errors import SculptorError
from sculptor_app.core.texts import byte_text, to_plain, translate
from sculptor_app.diffusion.models.sandbox import TAKES_MUCH
from sculptor_app.diffusion.models.verdict import Finding, Severity, Unfit

_FORBIDDEN = (
    "socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.startfile",
    "os.kill", "pty.", "webbrowser.", "pickle.", "ftplib.", "urllib.", "smtplib.",
)  # fmt: skip
"""Audit events, or beginnings of them, that end in a `Forbidden`."""
_CHANGING = (
    "os.remove", "os.rmdir", "os.rename", "os.link", "os.symlink", "os.chmod", "os.chown", "os.mkdir", "os.truncate",
    "shutil.",
)  # fmt: skip
"""The same, unless all of their paths are below the allowed folder."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
LIBRARY_BYTES = 2 << 30
"""Addresses that libraries may yet take."""
_POLL_S = 0.05
MOST_WRITTEN_BYTES = 512 << 20
"""Of one file: a checkpoint's settings and vocabularies are copied."""


Rehearse = Callable[[Any, int], Sequence[Finding]]
"""Called with a pipeline that was built and what it may take, to take a step of it; returns notes, or raises."""


def main(arguments: Sequence[str], rehearse: Rehearse) -> None:
    """Do the task, and write the result to where the standard output was."""
    memory_bytes, seconds, task, *others = arguments
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever libraries print is no result
    exit_with_parent(sys.stdin.buffer)
    limits, end = (int(memory_bytes), int(seconds)), functools.partial(_answer, answer)
    if task == "load":
        path, variant, dtype, patience_s = others

        def rehearse_patiently(pipeline: Any, memory_bytes: int) -> Sequence[Finding]:
            _end_after(float(patience_s), pipeline, end)
            return rehearse(pipeline, memory_bytes)

        end(_load(limits, rehearse_patiently, path, variant, dtype))
    end(_convert(limits, *others))


def _answer(answer: IO[str], findings: Sequence[Finding]) -> NoReturn:
    """Write the result, and end the process at once: nothing that was loaded has a say in how it ends."""
    told = [[to_plain(each.message), to_plain(each.explanation), each.severity.value] for each in findings]
    json.dump({"findings": told}, answer)
    answer.flush()
    os._exit(0)


def _end_after(seconds: float, pipeline: Any, end: Callable[[Sequence[Finding]], NoReturn]) -> None:
    """End the process after so many seconds of computing, with a note if a network computes, else with a refusal."""
    computing: list[bool] = []
    networks = [each for each in pipeline.components.values() if hasattr(each, "register_forward_pre_hook")]
    for part in (inner for each in networks for inner in (each, *each.children())):  # some are called by their parts
        part.register_forward_pre_hook(lambda *_: computing.append(True))
        part.register_forward_hook(lambda *_: computing.pop() and None, always_call=True)

    def watch() -> None:
        last = time.process_time() + seconds
        while time.process_time() < last:
            time.sleep(_POLL_S)
        if computing:
            slow = translate("errors", "It is slow: a step takes more than {0:.0f} s.").format(seconds)
            finding = Finding(slow, "", Severity.NOTE)
        else:
            stuck = translate("errors", "Before the network is asked, a step takes more than {0:.0f} s.")
            advice = translate("errors", "A run may never end; choose another model.")
            finding = Finding(stuck.format(seconds), advice)
        end([finding])

    threading.Thread(target=watch, daemon=True).start()


def _load(limits: tuple[int, int], rehearse: Rehearse, path: str, variant: str, dtype: str) -> Sequence[Finding]:
    """The findings against a model."""
    from sculptor_app.diffusion.models.loader import build, check_suitable, inspect_model

    verdict = inspect_model(Path(path), variant or None)  # imports the classes that the model names
    if not verdict.fit:
        return verdict.refusals
    limit_resources(*limits)
    forbid(Path(tempfile.gettempdir()))

    def read() -> Sequence[Finding]:
        pipeline = build(verdict, dtype)
        check_suitable(pipeline)
        return rehearse(pipeline, limits[0])

    return _refused(read, limits[0])


def _convert(limits: tuple[int, int], folder: str, stem: str, *files: str) -> Sequence[Finding]:
    """The findings against pickles, whose weights are in the folder if there are none."""
    from sculptor_app.diffusion.models.conversion import convert_files

    limit_resources(*limits, most_written_bytes=limits[0])
    forbid(Path(folder))

    def convert() -> Sequence[Finding]:
        convert_files([Path(each) for each in files], Path(folder), stem)
        return []

    return _refused(convert, limits[0])


def _refused(read: Callable[[], Sequence[Finding]], memory_bytes: int) -> Sequence[Finding]:
    """The findings of a task that reads something, whatever it raises."""
    import torch

    from sculptor_app.diffusion.pipelines.errors import is_out_of_memory

    torch.set_num_threads(1)
    try:
        return read()
    except Unfit as unfit:
        return [unfit.finding]
    except SculptorError as error:
        return [Finding(error.message, error.advice)]
    except (Exception, MemoryError) as error:
        return [_unforeseen(error, is_out_of_memory(error), memory_bytes)]


def _unforeseen(error: BaseException, memory: bool, memory_bytes: int) -> Finding:
    if memory:
        return Finding(
            TAKES_MUCH.format(byte_text(memory_bytes)),
            translate("errors", "Its settings ask for something huge; it would end the program."),
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return Finding(
            translate("errors", "There is no room for what is written ({0}).").format(error.strerror),
            translate("errors", "Free some space, and try again."),
        )
    return Finding(
        translate("errors", "Opening the model, or one step of it, failed ({0}: {1}).").format(
            type(error).__name__, str(error)[:200]
        ),
        translate("errors", "Copy it again."),
    )


class Forbidden(RuntimeError):
    """An action that no loading needs."""


def limit_resources(memory_bytes: int, seconds: int, most_written_bytes: int = MOST_WRITTEN_BYTES) -> None:
    """Bound the memory beyond what this process has, its seconds of computing and each file that it writes.

    Does nothing where the system knows no such bounds.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    used_s = math.ceil(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]))
    bounds = [(resource.RLIMIT_FSIZE, most_written_bytes), (resource.RLIMIT_CORE, 0)]
    taken = _address_space()
    if taken is not None:
        addresses, data = taken
        # Libraries that are only loaded by then have addresses, too, but hardly data of their own.
        bounds += [
            (resource.RLIMIT_DATA, data + memory_bytes),
            (resource.RLIMIT_AS, addresses + memory_bytes + LIBRARY_BYTES),
        ]
    for limit, most in bounds:
        _, hard = resource.getrlimit(limit)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (most, most))
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard == resource.RLIM_INFINITY or hard > used_s + seconds:  # the soft limit's signal says what it was
        resource.setrlimit(resource.RLIMIT_CPU, (used_s + seconds, used_s + seconds + 1))


def _address_space() -> tuple[int, int] | None:
    """Bytes of addresses that this process has, and of those that hold data; None where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()
    except OSError:
        return None
    return int(pages[0]) * os.sysconf("SC_PAGE_SIZE"), int(pages[5]) * os.sysconf("SC_PAGE_SIZE")


def forbid(allowed: Path) -> None:
    """From now on: no network, no programs, no pickles, and no writing but below the allowed folder.

    A second line of defence: what was inspected before has no way to ask for any of these.
    """
    below = os.path.realpath(allowed) + os.sep

    def is_harmless(path: Any) -> bool:
        """Whether it leads below the folder, whatever it names on its way; nobody knows where a relative one begins."""
        name = os.fsdecode(path)
        return name == os.devnull or (Path(name).is_absolute() and os.path.realpath(name).startswith(below))

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            writes = isinstance(flags, int) and flags & _WRITING and not isinstance(path, int)
            if writes and not is_harmless(path):
                _refuse(f"to write to {path!r}")
        elif event.startswith(_FORBIDDEN):
            _refuse(event)
        elif event.startswith(_CHANGING):
            paths = [each for each in arguments if isinstance(each, str | bytes)]
            if not paths or not all(map(is_harmless, paths)):
                _refuse(event)

    sys.addaudithook(watch)


def _refuse(action: str) -> NoReturn:
    raise Forbidden(f"it tried {action}, which no loading needs")


def exit_with_parent(parent: Any, end: Callable[[int], None] = os._exit) -> None:
    """End this process when its parent is gone: a thread waits for a pipe from it to close."""

    def wait() -> None:
        parent.read()
        end(1)

    threading.Thread(target=wait, daemon=True).start()
