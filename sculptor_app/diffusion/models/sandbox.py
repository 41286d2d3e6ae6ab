"""Sandbox for untrusted models: a first loading and step in a subprocess, which may fail without harm."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import sculptor_app
from sculptor_app import folders
from sculptor_app.core.errors import Cancelled
from sculptor_app.core.files import atomic_file, make_private, temporary_folder
from sculptor_app.core.texts import byte_text, from_plain, to_plain, translate
from sculptor_app.diffusion.models.folder import cache_folder, parse_json
from sculptor_app.diffusion.models.verdict import Finding, ModelRefused, Severity, Verdict, shown_path
from sculptor_app.identity import VERSION

LEAST_SECONDS = 6
"""Of computing, besides what follows from the size; the clock may show more where other programs compute, too."""
PATIENCE = 3
"""How many times as long the subprocess may take by the clock, with that many seconds for its libraries."""
LIBRARY_SECONDS = 30
BYTES_PER_SECOND = 20 << 20
"""Slower than any disk that a model should be read from."""
SMALL_PARAMETERS = 150_000_000
"""A model of up to so many makes pictures of its own size."""
STEP_SECONDS = 6
"""Of computing in which it does so; what takes longer is worked out from smaller ones."""
LARGE_STEP_SECONDS = 60
"""The same for a larger model and its small picture."""
CONVERTING_SECONDS = 120
CONVERTING_BYTES = 2 << 30
"""What it takes to read pickles, besides what follows from their size."""
SPARE_BYTES = 640 << 20
"""What a model without weights may take."""
MOST_SPARE_BYTES = 4 << 30
LIBRARY_BYTES = 1 << 30
"""What the libraries themselves take, at most."""
LIBRARY_ADDRESSES = 3 << 30
MOST_ANSWER = 1 << 20
CONVERTED_VARIABLE = "SCULPTOR_CONVERTED_WEIGHTS"
"""Of the subprocess's environment, as its cache folder is another."""
FOLDER_PREFIX = "sculptor-sandbox-"
_POLL_S = 0.05
TAKES_MUCH = translate(
    "errors", "Opening the model, and one step of it, take more than {0}, far more than its weights."
)
_AGAIN = translate("errors", "It would have ended the program; copy the model again, or choose another.")

_OFFLINE = {
    "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_SAFETENSORS_CONVERSION": "1", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2",
    "PYTHONDONTWRITEBYTECODE": "1", "TOKENIZERS_PARALLELISM": "false",
}  # fmt: skip
_SECRETS = ("TOKEN", "SECRET", "PASSWORD", "KEY", "CREDENTIAL", "PROXY", "HF_HOME", "HF_HUB_CACHE", "PYTHONSTARTUP")


def check_in_sandbox(verdict: Verdict, dtype: str, stop: threading.Event | None = None) -> tuple[Finding, ...]:
    """Load a model in the sandbox and take a step of it, unless just this one has passed before.

    The subprocess has no network, no secrets, no GPU, may write nothing, and its memory and time are bounded by what
    the weights need. A small model makes a picture of its own size there, if that is quick, a large one a small
    picture. What it passes is remembered in the cache folder, by its fingerprint.

    Returns:
        Notes about what a step of it takes, where that is much.

    Raises:
        ModelRefused: It failed, or took too much.
        Cancelled: It was stopped.
    """
    passed = _remembered(verdict, dtype)
    notes = None if passed is None else _notes_in(passed)
    if notes is not None:
        return notes
    found = _load(verdict, dtype, stop)
    if any(each.severity is Severity.REFUSED for each in found):
        raise ModelRefused(found)
    if passed is not None:
        _remember(passed, verdict.path, found)
    return tuple(found)


def _load(verdict: Verdict, dtype: str, stop: threading.Event | None) -> list[Finding]:
    held = verdict.loaded_bytes(dtype)
    largest = max((weights.largest_bytes for weights in verdict.weights), default=0)
    memory_bytes = held + largest + verdict.copied_bytes + min(MOST_SPARE_BYTES, SPARE_BYTES + 4 * held)
    is_small = verdict.parameter_count <= SMALL_PARAMETERS
    step_seconds = STEP_SECONDS if is_small else LARGE_STEP_SECONDS
    seconds = LEAST_SECONDS + verdict.stored_bytes // BYTES_PER_SECOND + (1 if is_small else 2) * step_seconds
    task = ["load", str(verdict.path), verdict.wanted_variant or "", dtype, str(step_seconds)]
    return run(task, memory_bytes, seconds, stop)


def run(task: list[str], memory_bytes: int, seconds: int, stop: threading.Event | None = None) -> list[Finding]:
    """Run a task in the subprocess; the findings against what it was to read.

    Args:
        task: Its name and arguments; see `sandbox_child`.
        memory_bytes: What it may take besides its libraries.
        seconds: Of computing.
    """
    arguments = [str(memory_bytes), str(seconds), *task]
    try:
        with temporary_folder(FOLDER_PREFIX) as place, tempfile.TemporaryFile() as answer:
            process = _start(arguments, str(place), answer)
            try:
                finding = _wait(process, PATIENCE * (LIBRARY_SECONDS + seconds), memory_bytes, stop)
            finally:
                _end(process)
            found = [finding] if finding is not None else _findings(process.returncode, answer)
    except OSError as error:  # a full or lost temporary folder, or no more processes for this user
        message = translate("errors", "The model could not be tried in a process of its own ({0}).")
        advice = translate("errors", "See whether the temporary folder is there and has room, and open it again.")
        return [Finding(message.format(error.strerror or error), advice)]
    ended = process.returncode != 0 or any(getattr(each.message, "template", "") == TAKES_MUCH for each in found)
    too_little = _too_little(memory_bytes)
    return [too_little] if ended and finding is None and too_little is not None else found


def _too_little(memory_bytes: int) -> Finding | None:
    """The finding that this program itself may have less memory than a trial; None where it may have enough."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY or limit > memory_bytes + LIBRARY_ADDRESSES:
        return None
    return Finding(
        translate("errors", "There is too little memory to try the model: a limit leaves {0}.").format(
            byte_text(limit)
        ),
        translate("errors", "Raise the limit that Sculptor was started with (`ulimit -v unlimited`), and try again."),
    )


def converted_folder() -> Path:
    """Where the copies of pickled weights lie; not made when it is missing."""
    given = os.environ.get(CONVERTED_VARIABLE)
    return Path(given) if given else folders.cache() / "converted"


def _start(arguments: list[str], place: str, answer: IO[bytes]) -> subprocess.Popen[bytes]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not any(word in name.upper() for word in _SECRETS)
    } | _OFFLINE  # fmt: skip
    environment |= dict.fromkeys(("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME", "HF_HOME"), place)
    # What links lead to, and where a checkpoint's settings lie; secrets lie above it.
    environment["HF_HUB_CACHE"] = os.path.realpath(cache_folder())
    with contextlib.suppress(OSError):
        environment[CONVERTED_VARIABLE] = str(converted_folder())
    root = str(Path(sculptor_app.__file__).resolve().parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "sculptor_app.diffusion.sampling.trial", *arguments],
        stdin=subprocess.PIPE,  # its closing tells the child that we are gone
        stdout=answer,
        stderr=subprocess.DEVNULL,
        cwd=place,
        env=environment,
        start_new_session=True,
    )


def _wait(
    process: subprocess.Popen[bytes], seconds: int, memory_bytes: int, stop: threading.Event | None
) -> Finding | None:
    """Wait for the end; the finding if the process took too much."""
    started = time.monotonic()
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_S)
            return None
        if stop is not None and stop.is_set():
            raise Cancelled
        if time.monotonic() - started > seconds:
            return Finding(
                translate("errors", "Loading the model in the sandbox took more than {0} seconds.").format(seconds),
                _AGAIN,
            )
        if _resident(process.pid) > memory_bytes + LIBRARY_BYTES:
            message = translate("errors", "Loading the model in the sandbox took more than {0} of memory.").format(
                byte_text(memory_bytes)
            )
            return Finding(message, _AGAIN)


def _resident(pid: int) -> int:
    """Bytes of memory that a process has; 0 when it is gone."""
    import psutil  # type: ignore[import-untyped]

    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
    assert process.stdin is not None
    process.stdin.close()


def _findings(code: int, answer: IO[bytes]) -> list[Finding]:
    answer.seek(0)
    try:
        return _from_plain(parse_json(answer.read(MOST_ANSWER))["findings"])
    except (ValueError, TypeError, KeyError):
        if -code == getattr(signal, "SIGXCPU", 0):
            return [
                Finding(translate("errors", "Opening the model, and one step of it, take too long."),
                        translate("errors", "Its settings ask for something huge; it may never end."))
            ]  # fmt: skip
        how = (
            translate("errors", "signal {0}").format(-code)
            if code < 0
            else translate("errors", "code {0}").format(code)
        )
        return [
            Finding(
                translate("errors", "Loading the model in the sandbox ended its process with {0}.").format(how), _AGAIN
            )
        ]


def _from_plain(told: list[list[Any]]) -> list[Finding]:
    return [
        Finding(from_plain(message), from_plain(explanation), Severity(severity))
        for message, explanation, severity in told
    ]


def _remembered(verdict: Verdict, dtype: str) -> Path | None:
    """The file that says that this model has passed; None without a cache folder."""
    versions = [f"{name} {_version(name)}" for name in ("diffusers", "transformers", "torch", "safetensors")]
    key = hashlib.sha256("\n".join([verdict.fingerprint, dtype, VERSION, *versions]).encode()).hexdigest()
    try:
        return folders.cache() / "models" / f"{key}.json"
    except OSError:
        return None


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "none"


def _notes_in(passed: Path) -> tuple[Finding, ...] | None:
    """The notes of a trial that was passed before; None where it was not."""
    try:
        return tuple(_from_plain(parse_json(passed.read_bytes())["notes"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _remember(passed: Path, model: Path, notes: list[Finding]) -> None:
    """Note that a model has passed; without room for it, it is loaded here again the next time."""
    told = [[to_plain(each.message), to_plain(each.explanation), each.severity.value] for each in notes]
    with contextlib.suppress(OSError):
        passed.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(passed) as file:
            make_private(Path(file.name))  # it names a path
            file.write(json.dumps({"model": shown_path(model), "passed": "trial", "notes": told}).encode())
